//! Snapshots, requests, answers and statuses: what is read is what nodes write, and nothing else is taken for it.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::memory::MemoryStore;
use super::*;
use crate::spec::ClusterName;

fn store(objects: &dyn ObjectStore) -> ClusterStore<'_> {
    ClusterStore::new(objects, ClusterName::parse("prod").unwrap())
}

async fn put(objects: &MemoryStore, key: &str, text: &str) {
    objects.put(&format!("prod/{key}"), text.into(), Condition::Always).await.unwrap();
}

async fn text(objects: &MemoryStore, key: &str) -> String {
    String::from_utf8(objects.get(&format!("prod/{key}")).await.unwrap().unwrap().bytes).unwrap()
}

fn id(text: &str) -> RequestId {
    RequestId::parse(text).unwrap_or_else(|| panic!("{text}"))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const ONE: &str = "20261126T221500Z-00000001";
const TWO: &str = "20261126T221600Z-ffffffff";

#[test]
fn a_request_is_named_by_its_time_and_a_number() {
    let made = RequestId::new(at("2026-11-26T22:15:00.9Z"), 1);
    assert_eq!(made.as_str(), ONE);
    assert_eq!(RequestId::parse(ONE), Some(made));
    for wrong in
        ["", "20261126T221500Z", "20261126T221500Z-1", "20261126T221500Z-0000000G", "20261326T221500Z-00000001", "../../pki"]
    {
        assert_eq!(RequestId::parse(wrong), None, "{wrong}");
    }
}

#[tokio::test]
async fn snapshots_are_listed_newest_first_with_what_their_names_tell() {
    let objects = MemoryStore::new();
    for (name, content) in [
        ("20261126T221500Z-r12345.db.zst", "12345678"),
        ("20261127T000000Z-r12400.db.gz", "1234"),
        ("20261126T221500Z-r12346.db.zst", ""),
        // What slots do not write.
        ("20261126T221500Z-r12345.db.zst.part", ""),
        ("20261126T221500Z-rx.db.zst", ""),
        ("20261126T221500Z-r.db.zst", ""),
        ("20261199T221500Z-r1.db.zst", ""),
        ("older/20261126T221500Z-r1.db.zst", ""),
        ("notes.txt", ""),
    ] {
        put(&objects, &format!("backups/etcd/{name}"), content).await;
    }
    objects.put("prod-2/backups/etcd/20261127T000000Z-r1.db.gz", vec![], Condition::Always).await.unwrap();
    let snapshots = store(&objects).snapshots().await.unwrap();
    let shown: Vec<_> = snapshots.iter().map(|found| (found.file_name(), found.revision, found.bytes)).collect();
    assert_eq!(
        shown,
        [
            ("20261127T000000Z-r12400.db.gz", 12_400, 4),
            ("20261126T221500Z-r12346.db.zst", 12_346, 0),
            ("20261126T221500Z-r12345.db.zst", 12_345, 8),
        ]
    );
    assert_eq!(snapshots[0].key, "backups/etcd/20261127T000000Z-r12400.db.gz");
    assert_eq!(snapshots[0].taken_at, at("2026-11-27T00:00:00Z"));
}

#[tokio::test(start_paused = true)]
async fn a_request_takes_the_place_of_the_one_that_was_read() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    assert_eq!(store.read_backup_request().await.unwrap(), None);
    store.request_backup(&id(ONE), None).await.unwrap();
    assert_eq!(text(&objects, "control-plane/backup-request").await, format!("{ONE}\n"));
    assert!(matches!(store.request_backup(&id(TWO), None).await, Err(StoreError::Changed { .. })));
    tokio::time::advance(Duration::from_secs(90)).await;
    let read = store.read_backup_request().await.unwrap().unwrap();
    assert_eq!((&read.id, read.age), (&id(ONE), Duration::from_secs(90)));
    store.request_backup(&id(TWO), Some(&read)).await.unwrap();
    assert!(matches!(store.request_backup(&id(ONE), Some(&read)).await, Err(StoreError::Changed { .. })));
}

#[tokio::test]
async fn an_answer_is_a_key_or_a_reason() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    assert_eq!(store.read_backup_answer().await.unwrap(), None);
    for (line, outcome) in [
        ("backups/etcd/20261126T221500Z-r1.db.zst", Ok("backups/etcd/20261126T221500Z-r1.db.zst".to_owned())),
        ("error: no space left on device", Err("no space left on device".to_owned())),
    ] {
        put(&objects, "control-plane/backup-answer", &format!("{ONE}\n{line}\n")).await;
        assert_eq!(store.read_backup_answer().await.unwrap(), Some(BackupAnswer { id: id(ONE), outcome }));
    }
}

#[tokio::test]
async fn a_restore_is_an_epoch_and_a_key_and_marked_by_each_slot() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    assert_eq!(store.read_restore().await.unwrap(), None);
    let slots = [("cp-1", 10), ("cp-2", 11)].map(|(name, host)| (name.to_owned(), [10, 0, 0, host].into())).into();
    store.request_restore(&id(ONE), "backups/etcd/a", &slots, None).await.unwrap();
    assert_eq!(text(&objects, "control-plane/restore").await, format!("{ONE}\nbackups/etcd/a\ncp-1=10.0.0.10 cp-2=10.0.0.11\n"));
    let read = store.read_restore().await.unwrap().unwrap();
    assert_eq!((&read.epoch, read.key.as_str(), &read.slots), (&id(ONE), "backups/etcd/a", &slots));
    assert!(matches!(store.request_restore(&id(TWO), "b", &slots, None).await, Err(StoreError::Changed { .. })));
    store.request_restore(&id(TWO), "b", &slots, Some(&read)).await.unwrap();

    assert_eq!(store.restored_slots(&id(ONE)).await.unwrap(), BTreeSet::new());
    put(&objects, &format!("control-plane/restored/{ONE}/cp-1"), "2026-11-26T22:16:00Z\n").await;
    put(&objects, &format!("control-plane/restored/{TWO}/cp-2"), "2026-11-26T22:17:00Z\n").await;
    assert_eq!(store.restored_slots(&id(ONE)).await.unwrap(), BTreeSet::from(["cp-1".to_owned()]));
}

#[tokio::test]
async fn what_is_of_another_form_is_named_and_left_alone() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    for content in ["", "latest\n", "latest\nx\n", &format!("{ONE}\na\nb\nc\n"), "\u{fffd}"] {
        for name in ["backup-request", "backup-answer", "restore"] {
            put(&objects, &format!("control-plane/{name}"), content).await;
        }
        let errors = [
            store.read_backup_request().await.map(drop),
            store.read_backup_answer().await.map(drop),
            store.read_restore().await.map(drop),
        ];
        for (error, name) in errors.into_iter().zip(["backup-request", "backup-answer", "restore"]) {
            match error {
                Err(StoreError::Corrupt { location, .. }) => assert!(location.ends_with(&format!("control-plane/{name}"))),
                other => panic!("{name} {content:?}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn statuses_are_read_whatever_else_they_say() {
    let objects = MemoryStore::new();
    let status = r#"{"instance": "i-1", "role": "control-plane", "group": "cp-1", "step": "restoring", "since": "2026-11-26T22:15:00Z",
        "error": null, "steps": [{"step": "a", "since": "2026-11-26T22:14:00Z", "seconds": 60}]}"#;
    put(&objects, "nodes/status/i-1.json", status).await;
    put(&objects, "nodes/status/i-2.json", "{").await;
    put(&objects, "nodes/bootstrap.kubeconfig", status).await;
    let read = store(&objects).node_statuses(&BTreeSet::new()).await.unwrap();
    assert_eq!(read.keys().collect::<Vec<_>>(), ["status/i-1.json"]);
    let status = &read["status/i-1.json"];
    assert_eq!((status.group.as_str(), status.step.as_str(), &status.error), ("cp-1", "restoring", &None));
    let known = BTreeSet::from(["status/i-1.json".to_owned()]);
    assert!(store(&objects).node_statuses(&known).await.unwrap().is_empty());
}
