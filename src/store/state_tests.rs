//! Documents of a cluster: what is read is what was written, whatever happens in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::memory::{Call, Fate, MemoryStore, Wire};
use super::*;
use crate::cloud::facts::StateLocation;
use crate::cloud::{Facts, HostedZone, Physical};
use crate::model::{Kind, ResourceId};
use crate::spec::ClusterName;

const SPEC: &str = "apiVersion: kclust.dev/v1alpha1\nkind: Cluster\nmetadata:\n  name: prod # ours\n";

fn store(objects: &dyn ObjectStore) -> ClusterStore<'_> {
    ClusterStore::new(objects, ClusterName::parse("prod").unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn facts() -> Facts {
    Facts {
        account: "123456789012".into(),
        partition: "aws".into(),
        cluster_uid: "0123abcd".into(),
        images: BTreeMap::new(),
        instance_types: BTreeMap::new(),
        hosted_zone: Some(HostedZone { id: "Z1".into(), name: "example.com".into(), private: false }),
        network: None,
        manifests: BTreeMap::new(),
        user_tags: Default::default(),
        slot_addresses: BTreeMap::from([("cp-1".into(), "10.0.0.10".parse().unwrap())]),
        state: StateLocation { bucket: "memory".into(), prefix: "team/prod".into(), region: "us-east-1".into() },
    }
}

fn ledger() -> Ledger {
    let id = ResourceId::new(Kind::Vpc, "main");
    Ledger {
        operation: Operation::Create,
        started_at: at(0),
        finished_at: None,
        run: Some(Run { id: "0123".into(), by: "alice@laptop".into(), at: at(0) }),
        resources: vec![LedgerEntry { id, physical: Physical::new("vpc-1") }],
    }
}

/// The history, all of which can be read.
async fn revisions(store: &ClusterStore<'_>) -> Vec<Revision> {
    store.history().await.unwrap().into_iter().map(|entry| entry.spec.unwrap().revision).collect()
}

async fn json(objects: &MemoryStore, key: &str) -> Value {
    serde_json::from_slice(&objects.get(key).await.unwrap().unwrap().bytes).unwrap()
}

async fn replace(objects: &MemoryStore, key: &str, text: impl Into<Vec<u8>>) {
    objects.put(key, text.into(), Condition::Always).await.unwrap();
}

#[tokio::test]
async fn specs_are_kept_with_who_and_when() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    assert_eq!(store.read_spec().await.unwrap(), None);
    assert_eq!(revisions(&store).await, []);
    let first = store.write_spec(SPEC, None, Operation::Create, "alice@laptop", at(0)).await.unwrap();
    assert_eq!(store.read_spec().await.unwrap().as_ref(), Some(&first));
    assert_eq!(first.text, SPEC);
    let changed = SPEC.replace("# ours", "# theirs\n");
    let second = store.write_spec(&changed, Some(&first), Operation::Update, "bob@desk", at(60)).await.unwrap();
    assert_eq!(store.read_spec().await.unwrap().unwrap().text, changed);
    assert_eq!(revisions(&store).await, [first.revision.clone(), second.revision.clone()]);
    assert_eq!((first.revision.sequence, second.revision.sequence), (1, 2));
    assert_eq!(second.revision.by, "bob@desk");
    assert_eq!(store.read_revision(1).await.unwrap().unwrap().text, SPEC);
    assert_eq!(store.read_revision(2).await.unwrap().unwrap().text, changed);
    assert_eq!(store.read_revision(3).await.unwrap(), None);
    assert_eq!(
        objects.list("prod/history/").await.unwrap(),
        ["prod/history/000001-20260921T141320Z.yaml", "prod/history/000002-20260921T141420Z.yaml"]
    );
}

#[tokio::test]
async fn the_stored_spec_is_yaml_that_says_where_it_comes_from() {
    let objects = MemoryStore::new();
    store(&objects).write_spec(SPEC, None, Operation::Create, "al\nice", at(0)).await.unwrap();
    let text = String::from_utf8(objects.get("prod/cluster.yaml").await.unwrap().unwrap().bytes).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("# kclust.dev/state {\"formatVersion\":1,\"sequence\":1,"), "{text}");
    assert!(lines[1].starts_with("# The spec as it was last applied."), "{text}");
    assert!(text.ends_with(SPEC), "{text}");
}

#[tokio::test]
async fn of_two_who_apply_one_wins_and_no_number_is_given_twice() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    let first = store.write_spec(SPEC, None, Operation::Create, "alice", at(0)).await.unwrap();
    let lost = store.write_spec("other: 1\n", None, Operation::Create, "bob", at(0)).await;
    assert!(matches!(lost, Err(StoreError::Changed { .. })));
    let by_alice = store.write_spec("a: 1\n", Some(&first), Operation::Update, "alice", at(1)).await.unwrap();
    let by_bob = store.write_spec("b: 1\n", Some(&first), Operation::Update, "bob", at(2)).await;
    assert!(matches!(by_bob, Err(StoreError::Changed { .. })));
    let numbers: Vec<_> = revisions(&store).await.iter().map(|revision| (revision.sequence, revision.by.clone())).collect();
    assert_eq!(numbers, [(1, "alice".into()), (2, "alice".into())]);
    assert_eq!(by_alice.revision.sequence, 2);
    // Where somebody removed nothing but cluster.yaml, its numbers stay used.
    objects.delete("prod/cluster.yaml", Condition::Always).await.unwrap();
    let again = store.write_spec(SPEC, None, Operation::Create, "alice", at(3)).await.unwrap();
    assert_eq!(again.revision.sequence, 3);
}

/// The fate of the writes of one call, by their number.
fn wire(objects: &Arc<MemoryStore>, which: u32, fate: Fate) -> Arc<Wire> {
    let writes = AtomicU32::new(0);
    Wire::new(objects, move |call| match call {
        Call::Put(_) if writes.fetch_add(1, Ordering::Relaxed) == which => fate,
        _ => Fate::Arrives,
    })
}

#[tokio::test]
async fn an_interruption_between_spec_and_history_is_made_up_for() {
    let objects = Arc::new(MemoryStore::new());
    let broken = wire(&objects, 1, Fate::RequestLost);
    let failed = store(&*broken).write_spec(SPEC, None, Operation::Create, "alice", at(0)).await;
    assert!(matches!(failed, Err(StoreError::Cloud { .. })));
    assert_eq!(objects.list("prod/history/").await.unwrap(), [] as [&str; 0]);

    let store = store(&*objects);
    let first = store.read_spec().await.unwrap().unwrap();
    assert_eq!(revisions(&store).await, [first.revision.clone()], "it counts although it has no copy yet");
    assert_eq!(store.read_revision(1).await.unwrap().unwrap().text, SPEC);
    let second = store.write_spec("a: 1\n", Some(&first), Operation::Update, "bob", at(1)).await.unwrap();
    assert_eq!(revisions(&store).await, [first.revision, second.revision]);
    assert_eq!(store.read_revision(1).await.unwrap().unwrap().text, SPEC);
}

#[tokio::test]
async fn a_write_that_is_refused_because_of_itself_has_succeeded() {
    let objects = Arc::new(MemoryStore::new());
    let wire = Wire::new(&objects, |call| if matches!(call, Call::Put(_)) { Fate::Repeated } else { Fate::Arrives });
    let store = store(&*wire);
    let first = store.write_spec(SPEC, None, Operation::Create, "alice", at(0)).await.unwrap();
    assert_eq!(store.read_spec().await.unwrap().as_ref(), Some(&first));
    store.write_spec("a: 1\n", Some(&first), Operation::Update, "alice", at(1)).await.unwrap();
    store.write_facts(&facts(), Condition::Absent).await.unwrap();
    let mut other = facts();
    other.account = "210987654321".into();
    store.write_facts(&other, store.read_facts().await.unwrap().unwrap().condition).await.unwrap();
    let pki = PkiFiles(BTreeMap::from([("ca.key".into(), b"key".to_vec())]));
    assert_eq!(store.write_pki_once(pki.clone()).await.unwrap(), pki);
    store.publish_pki(&pki).await.unwrap();
    store.put_bootstrap("bootstrap/boot.sh", b"x".to_vec()).await.unwrap();
    store.put_bootstrap("bootstrap/boot.sh", b"y".to_vec()).await.unwrap();
    assert_eq!(objects.get("prod/bootstrap/boot.sh").await.unwrap().unwrap().bytes, b"y");
}

#[tokio::test]
async fn specs_that_cannot_be_read_are_named_with_the_way_back() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    let first = store.write_spec(SPEC, None, Operation::Create, "alice", at(0)).await.unwrap();
    let good = String::from_utf8(objects.get("prod/cluster.yaml").await.unwrap().unwrap().bytes).unwrap();
    let (header, body) = good.split_once('\n').unwrap();
    let cases: [(Vec<u8>, &str); 8] = [
        (vec![], "first line"),
        (SPEC.into(), "first line"),
        (header.into(), "first line"),
        (format!("{header}\n\n").into(), "empty"),
        (format!("# kclust.dev/state {{\n{SPEC}").into(), "not JSON"),
        (format!("# kclust.dev/state {{\"formatVersion\":1}}\n{SPEC}").into(), "sequence"),
        ([header.as_bytes(), b"\n\xff\xfe"].concat(), "UTF-8"),
        (format!("{header}\na: 1\n").into(), "changed by other means than kclust"),
    ];
    for (bytes, part) in cases {
        replace(&objects, "prod/cluster.yaml", bytes).await;
        match store.read_spec().await {
            Err(StoreError::Corrupt { location, reason, hint }) => {
                assert_eq!(location, "s3://memory/team/prod/cluster.yaml");
                assert!(reason.contains(part), "{reason}");
                let way = "the last revision in the history is 1, of 2026-09-21 14:13:20 UTC by alice; `kclust update prod \
                           --from-history 1` brings back that revision";
                assert!(hint.ends_with(way), "{hint}");
            }
            other => panic!("{part}: {other:?}"),
        }
    }
    for (from, to, part) in [
        ("\"formatVersion\":1", "\"formatVersion\":2", "its format is version 2, known is 1"),
        ("\"sequence\":1", "\"sequence\":1,\"signature\":\"x\"", "it has the field signature"),
    ] {
        replace(&objects, "prod/cluster.yaml", good.replacen(from, to, 1)).await;
        match store.read_spec().await {
            Err(error @ StoreError::Newer { .. }) => {
                assert_eq!(
                    error.to_string(),
                    format!("s3://memory/team/prod/cluster.yaml was written by a newer kclust: {part}")
                );
                assert!(error.hint().unwrap().contains("use the newer one"));
            }
            other => panic!("{other:?}"),
        }
    }
    // Where the history is damaged as well, the bucket's versions are what is left.
    for key in objects.list("prod/history/").await.unwrap() {
        replace(&objects, &key, "").await;
    }
    replace(&objects, "prod/cluster.yaml", "").await;
    let hint = store.read_spec().await.unwrap_err().hint().unwrap();
    let command = "aws s3api copy-object --bucket memory --key team/prod/cluster.yaml --copy-source \
                   'memory/team/prod/cluster.yaml?versionId=1'";
    assert!(hint.ends_with(command), "{hint}");
    replace(&objects, "prod/cluster.yaml", format!("{header}\n{body}")).await;
    assert_eq!(store.read_spec().await.unwrap().unwrap().revision, first.revision);
}

/// Half a spec may be a spec, of a cluster with fewer machines: wherever it is cut, that is noticed.
#[tokio::test]
async fn a_spec_that_was_cut_short_is_never_taken_for_one() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    store.write_spec(SPEC, None, Operation::Create, "alice", at(0)).await.unwrap();
    let good = objects.get("prod/cluster.yaml").await.unwrap().unwrap().bytes;
    for length in 0..good.len() {
        replace(&objects, "prod/cluster.yaml", &good[..length]).await;
        assert!(matches!(store.read_spec().await, Err(StoreError::Corrupt { .. })), "{length} of {}", good.len());
    }
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    replace(&objects, "prod/cluster.yaml", flipped).await;
    assert!(matches!(store.read_spec().await, Err(StoreError::Corrupt { .. })));
}

/// Format 1 has had one addition: the digest of a spec's text. What was written before it is read; a format that never was is not.
#[tokio::test]
async fn what_an_older_kclust_wrote_is_read() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    let written = store.write_spec(SPEC, None, Operation::Create, "alice", at(0)).await.unwrap();
    let good = String::from_utf8(objects.get("prod/cluster.yaml").await.unwrap().unwrap().bytes).unwrap();
    let start = good.find(",\"sha256\"").unwrap();
    let older = format!("{}{}", &good[..start], &good[start + good[start..].find('}').unwrap()..]);
    assert!(older.lines().next().unwrap().ends_with("\"kclust\":\"0.1.0\"}"), "{older}");
    replace(&objects, "prod/cluster.yaml", older).await;
    let read = store.read_spec().await.unwrap().unwrap();
    assert_eq!((&read.text, &read.revision), (&written.text, &written.revision));
    // Written again, it has one.
    store.write_spec("a: 1\n", Some(&read), Operation::Update, "bob", at(1)).await.unwrap();
    let text = String::from_utf8(objects.get("prod/cluster.yaml").await.unwrap().unwrap().bytes).unwrap();
    assert!(text.lines().next().unwrap().contains("\"sha256\":\""), "{text}");
    replace(&objects, "prod/cluster.yaml", good.replacen("\"formatVersion\":1", "\"formatVersion\":0", 1)).await;
    match store.read_spec().await {
        Err(StoreError::Corrupt { reason, .. }) => assert_eq!(reason, "its format version 0 never was in use"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_history_is_listed_whatever_is_in_it() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    let first = store.write_spec(SPEC, None, Operation::Create, "alice", at(0)).await.unwrap();
    let second = store.write_spec("a: 1\n", Some(&first), Operation::Update, "bob", at(1)).await.unwrap();
    store.write_spec("a: 2\n", Some(&second), Operation::Update, "bob", at(2)).await.unwrap();
    let keys = objects.list("prod/history/").await.unwrap();
    replace(&objects, &keys[1], "half").await;
    replace(&objects, "prod/history/notes.txt", "not a revision").await;
    let shown = |entries: Vec<HistoryEntry>| -> Vec<(u32, bool, bool)> {
        entries.iter().map(|entry| (entry.sequence, entry.spec.is_ok(), entry.in_force)).collect()
    };
    let entries = store.history().await.unwrap();
    assert_eq!(entries[1].at, Some(at(1)), "its key tells when it was written");
    assert_eq!(shown(entries), [(1, true, false), (2, false, false), (3, true, true)]);
    // The copy of the one in force is damaged: what is in force says it.
    replace(&objects, &keys[2], "half").await;
    assert_eq!(shown(store.history().await.unwrap()), [(1, true, false), (2, false, false), (3, true, true)]);
    replace(&objects, "prod/cluster.yaml", "half").await;
    assert_eq!(shown(store.history().await.unwrap()), [(1, true, false), (2, false, false), (3, false, false)]);
    assert_eq!(store.newest_revision().await.unwrap().unwrap().revision, first.revision);
    assert!(store.read_revision(2).await.is_err() && store.read_revision(1).await.unwrap().is_some());
}

/// In the place of what was read, and of nothing else; the number is a new one; and what was damaged is not gone.
#[tokio::test]
async fn a_damaged_spec_is_replaced_on_condition() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    store.write_spec(SPEC, None, Operation::Create, "alice", at(0)).await.unwrap();
    for damaged in [Some("half"), None] {
        match damaged {
            Some(text) => replace(&objects, "prod/cluster.yaml", text).await,
            None => objects.delete("prod/cluster.yaml", Condition::Always).await.unwrap(),
        }
        let (read, last) = (store.current_spec().await.unwrap(), store.history().await.unwrap().len());
        assert!(!matches!(read, CurrentSpec::Whole(_)));
        assert_eq!(store.lost_spec().await.unwrap().is_some(), true);
        let version = read.version();
        let repaired = store.repair_spec(SPEC, version, Operation::Update, "bob", at(9)).await.unwrap();
        assert_eq!(repaired.revision.sequence as usize, last + 1);
        let late = store.repair_spec("a: 1\n", version, Operation::Update, "carol", at(9)).await;
        assert!(matches!(late, Err(StoreError::Changed { .. })), "{late:?}");
        assert_eq!(store.read_spec().await.unwrap(), Some(repaired));
    }
    let ids: Vec<String> = objects.earlier("prod/cluster.yaml").await.unwrap().into_iter().map(|earlier| earlier.id).collect();
    let mut kept = Vec::new();
    for id in ids {
        kept.push(objects.get_earlier("prod/cluster.yaml", &id).await.unwrap().unwrap());
    }
    assert!(kept.contains(&b"half".to_vec()));
}

/// They cannot be found out again, so they are kept twice.
#[tokio::test]
async fn facts_that_are_damaged_or_gone_come_from_their_copy() {
    for damaged in [Some("{"), None] {
        let objects = MemoryStore::new();
        let store = store(&objects);
        store.write_spec(SPEC, None, Operation::Create, "alice", at(0)).await.unwrap();
        store.write_facts(&facts(), Condition::Absent).await.unwrap();
        match damaged {
            Some(text) => replace(&objects, "prod/facts.json", text).await,
            None => objects.delete("prod/facts.json", Condition::Always).await.unwrap(),
        }
        let error = match store.read_facts().await {
            Ok(None) => store.lost_facts().await,
            other => other.unwrap_err(),
        };
        assert!(error.hint().unwrap().contains("`kclust update prod --from-history 1` brings back their copy"), "{error:?}");
        let read = store.read_facts_or_copy().await.unwrap().unwrap();
        assert_eq!((&read.value, read.damage.is_some()), (&facts(), true));
        store.write_facts(&read.value, read.condition).await.unwrap();
        assert_eq!(store.read_facts().await.unwrap().unwrap().value, facts());
        // Without a copy there is nothing to take them from.
        objects.delete("prod/history/facts.json", Condition::Always).await.unwrap();
        store.keep_facts(&facts()).await.unwrap();
        assert_eq!(json(&objects, "prod/history/facts.json").await, json(&objects, "prod/facts.json").await);
        replace(&objects, "prod/history/facts.json", "{").await;
        replace(&objects, "prod/facts.json", "{").await;
        assert!(matches!(store.read_facts_or_copy().await, Err(StoreError::Corrupt { .. })));
        replace(&objects, "prod/facts.json", r#"{"formatVersion":9}"#).await;
        assert!(matches!(store.read_facts_or_copy().await, Err(StoreError::Newer { .. })));
    }
}

#[tokio::test]
async fn facts_and_ledger_are_read_back() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    assert_eq!(store.read_facts().await.unwrap(), None);
    assert_eq!(store.read_ledger().await.unwrap(), None);
    store.write_facts(&facts(), Condition::Absent).await.unwrap();
    let read = store.read_facts().await.unwrap().unwrap();
    assert_eq!((&read.value, &read.damage), (&facts(), &None));
    let written = json(&objects, "prod/facts.json").await;
    assert_eq!(written["formatVersion"], 1);
    assert_eq!(written["facts"]["clusterUid"], "0123abcd");
    let mut other = facts();
    other.partition = "aws-cn".into();
    assert!(matches!(store.write_facts(&other, Condition::Absent).await, Err(StoreError::Changed { .. })));
    store.write_facts(&other, read.condition).await.unwrap();

    let version = store.write_ledger(&ledger(), Condition::Absent).await.unwrap();
    assert_eq!(
        json(&objects, "prod/ledger.json").await,
        json!({
            "formatVersion": 1,
            "operation": "create",
            "startedAt": "2026-09-21T14:13:20Z",
            "finishedAt": null,
            "run": {"id": "0123", "by": "alice@laptop", "at": "2026-09-21T14:13:20Z"},
            "resources": [{"id": "Vpc/main", "physical": {"id": "vpc-1"}}],
        })
    );
    let finished = Ledger { finished_at: Some(at(90)), ..ledger() };
    let version = store.write_ledger(&finished, Condition::Unchanged(version)).await.unwrap();
    assert_eq!(store.read_ledger().await.unwrap(), Some(Stored { value: finished, version }));
}

/// Of earlier versions of kclust, which did not say who wrote them.
#[tokio::test]
async fn a_ledger_without_a_run_is_read() {
    let objects = MemoryStore::new();
    let old = json!({"formatVersion": 1, "operation": "update", "startedAt": "2026-09-21T14:13:20Z", "finishedAt": null, "resources": []});
    replace(&objects, "prod/ledger.json", old.to_string()).await;
    assert_eq!(store(&objects).recorded_ledger().await.unwrap().value.unwrap().run, None);
}

/// What is written in the place of what cannot be read is written in the place of exactly that.
#[tokio::test]
async fn what_cannot_be_read_is_replaced_as_it_was_read() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    for (key, text) in [("prod/ledger.json", "{"), ("prod/facts.json", "{")] {
        replace(&objects, key, text).await;
    }
    let (ledger_there, facts_there) = (store.recorded_ledger().await.unwrap(), store.unbound_facts().await.unwrap());
    assert_eq!(ledger_there.value, None);
    assert!(ledger_there.damage.is_some_and(|(location, _)| location == "s3://memory/team/prod/ledger.json"));
    for (key, text) in [("prod/ledger.json", "of"), ("prod/facts.json", "others")] {
        replace(&objects, key, text).await;
    }
    let written = store.write_ledger(&ledger(), ledger_there.condition).await;
    assert!(matches!(written, Err(StoreError::Changed { .. })), "{written:?}");
    assert!(matches!(store.write_facts(&facts(), facts_there).await, Err(StoreError::Changed { .. })));
    let now = store.unbound_facts().await.unwrap();
    store.write_facts(&facts(), now).await.unwrap();
    // What a newer kclust wrote is not replaced.
    let newer = json!({"formatVersion": 2, "facts": {}}).to_string();
    replace(&objects, "prod/facts.json", newer).await;
    assert!(matches!(store.unbound_facts().await, Err(StoreError::Newer { .. })));
}

/// Whoever plans while another one is at work plans for a world that changes under its eyes.
#[tokio::test(start_paused = true)]
async fn a_plan_rests_on_spec_and_ledger_and_on_nobody_being_at_work() {
    let objects = Arc::new(MemoryStore::new());
    let store = store(objects.as_ref());
    let of_nothing = store.basis().await.unwrap();
    assert!(store.still_rests_on(&of_nothing).await.unwrap());
    let version = store.write_ledger(&ledger(), Condition::Absent).await.unwrap();
    assert!(!store.still_rests_on(&of_nothing).await.unwrap());

    let before = store.basis().await.unwrap();
    let other = Ledger { run: Some(Run { id: "4567".into(), ..ledger().run.unwrap() }), ..ledger() };
    store.write_ledger(&other, Condition::Unchanged(version)).await.unwrap();
    assert!(!store.still_rests_on(&before).await.unwrap(), "another run that did as much");

    let holder = Holder { process: None, ..Holder::this_process("update", None) };
    let lock = Lock::acquire(Arc::clone(&objects) as _, store.cluster(), holder, Arc::new(SystemClock), Lock::TTL).await.unwrap();
    let meanwhile = store.basis().await.unwrap();
    lock.release().await.unwrap();
    assert!(!store.still_rests_on(&meanwhile).await.unwrap());
    replace(&objects, "prod/lock", "garbage").await;
    let unknown = store.basis().await.unwrap();
    assert!(!store.still_rests_on(&unknown).await.unwrap());
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_not_dropped() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    store.write_ledger(&ledger(), Condition::Absent).await.unwrap();
    let good = json(&objects, "prod/ledger.json").await;
    let change = |path: &str, value: Value| {
        let mut changed = good.clone();
        let (parent, name) = path.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[name] = value;
        changed.to_string()
    };
    for (path, found) in [
        ("/shadow", "shadow"),
        ("/resources/0/note", "resources.0.note"),
        ("/resources/0/physical/zone", "resources.0.physical.zone"),
    ] {
        replace(&objects, "prod/ledger.json", change(path, json!("x"))).await;
        match store.read_ledger().await {
            Err(StoreError::Newer { reason, .. }) => assert_eq!(reason, format!("it has the field {found}")),
            other => panic!("{path}: {other:?}"),
        }
    }
    replace(&objects, "prod/ledger.json", change("/formatVersion", json!(7))).await;
    assert!(matches!(store.read_ledger().await, Err(StoreError::Newer { .. })));
    // Fields without a value say nothing that could be lost.
    replace(&objects, "prod/ledger.json", change("/resources/0/physical/dnsName", json!(null))).await;
    assert_eq!(store.read_ledger().await.unwrap().unwrap().value, ledger());
}

#[tokio::test]
async fn documents_that_cannot_be_read_are_named() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    for text in ["", "{", "null", "{}", r#"{"formatVersion":0}"#, r#"{"formatVersion":"1"}"#, r#"{"formatVersion":1}"#] {
        for key in ["prod/facts.json", "prod/ledger.json", "prod/pki/bundle.json"] {
            replace(&objects, key, text).await;
            let error = match key {
                "prod/facts.json" => store.read_facts().await.map(drop),
                "prod/ledger.json" => store.read_ledger().await.map(drop),
                _ => store.read_pki().await.map(drop),
            };
            match error {
                Err(StoreError::Corrupt { location, hint, .. }) => {
                    assert_eq!(location, format!("s3://memory/team/{key}"));
                    assert!(hint.contains("list-object-versions"), "{hint}");
                }
                other => panic!("{key}: {text}: {other:?}"),
            }
        }
    }
    replace(&objects, "prod/facts.json", r#"{"formatVersion":1,"facts":{"colour":"red"}}"#).await;
    let hint = store.read_facts().await.unwrap_err().hint().unwrap();
    assert!(hint.starts_with("if a newer kclust wrote it, use that one; otherwise "), "{hint}");
}

fn pki(name: &str) -> PkiFiles {
    PkiFiles(BTreeMap::from([
        ("ca.crt".into(), format!("certificate of {name}").into_bytes()),
        ("ca.key".into(), format!("key of {name}").into_bytes()),
        ("etcd/ca.key".into(), vec![0, 159, 255]),
    ]))
}

/// What nodes would read.
async fn single_files(objects: &MemoryStore) -> PkiFiles {
    let mut files = BTreeMap::new();
    for key in objects.list("prod/pki/").await.unwrap() {
        let name = key.strip_prefix("prod/pki/").unwrap();
        if !["bundle.json", "complete"].contains(&name) {
            files.insert(name.to_owned(), objects.get(&key).await.unwrap().unwrap().bytes);
        }
    }
    PkiFiles(files)
}

#[tokio::test]
async fn keys_are_made_once() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    assert_eq!(store.read_pki().await.unwrap(), None);
    assert_eq!(store.write_pki_once(pki("alice")).await.unwrap(), pki("alice"));
    assert_eq!(store.write_pki_once(pki("bob")).await.unwrap(), pki("alice"), "the second creator uses the first one's");
    assert_eq!(store.read_pki().await.unwrap(), Some(pki("alice")));
    store.publish_pki(&pki("alice")).await.unwrap();
    assert_eq!(single_files(&objects).await, pki("alice"));
}

#[tokio::test]
async fn an_interruption_never_leaves_two_halves() {
    // The bundle, three files, and what says that they are complete: each is the first to fail, with effect or without.
    for which in 0..5 {
        for fate in [Fate::RequestLost, Fate::AnswerLost] {
            let objects = Arc::new(MemoryStore::new());
            // Left by an earlier cluster of the name, whose removal was interrupted.
            replace(&objects, "prod/pki/ca.key", "key of nobody").await;
            let broken = wire(&objects, which, fate);
            let first = async {
                let files = store(&*broken).write_pki_once(pki("alice")).await?;
                store(&*broken).publish_pki(&files).await
            };
            assert!(first.await.is_err());

            let store = store(&*objects);
            let files = match store.read_pki().await.unwrap() {
                Some(files) => files,
                None => store.write_pki_once(pki("bob")).await.unwrap(),
            };
            store.publish_pki(&files).await.unwrap();
            let winner = if which == 0 && fate == Fate::RequestLost { "bob" } else { "alice" };
            assert_eq!(files, pki(winner), "{which} {fate:?}");
            assert_eq!(single_files(&objects).await, files, "{which} {fate:?}");
        }
    }
}

#[tokio::test]
async fn keys_that_are_complete_cost_one_call_and_a_listing() {
    let objects = Arc::new(MemoryStore::new());
    store(&*objects).publish_pki(&pki("alice")).await.unwrap();
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let wire = Wire::new(&objects, move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Fate::Arrives
    });
    store(&*wire).publish_pki(&pki("alice")).await.unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    // Not so for another set.
    store(&*wire).publish_pki(&pki("bob")).await.unwrap();
    assert_eq!(single_files(&objects).await, pki("bob"));
}

/// A file that nodes read is missing or cut short; or the bundle is, and the files beside it are whole.
#[tokio::test]
async fn keys_are_made_whole_of_each_other() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    store.write_pki_once(pki("alice")).await.unwrap();
    store.publish_pki(&pki("alice")).await.unwrap();
    replace(&objects, "prod/pki/ca.key", "key").await;
    objects.delete("prod/pki/etcd/ca.key", Condition::Always).await.unwrap();
    store.publish_pki(&pki("alice")).await.unwrap();
    assert_eq!(single_files(&objects).await, pki("alice"));

    for damaged in [Some(r#"{"formatVersion":1,"files":{}}"#), Some("{"), Some(""), None] {
        match damaged {
            Some(text) => replace(&objects, "prod/pki/bundle.json", text).await,
            None => objects.delete("prod/pki/bundle.json", Condition::Always).await.unwrap(),
        }
        assert_eq!(store.rebuild_pki().await.unwrap(), Some(pki("alice")), "{damaged:?}");
        assert_eq!(store.read_pki().await.unwrap(), Some(pki("alice")));
    }
    // A newer kclust's is left alone, and half a set is none.
    replace(&objects, "prod/pki/bundle.json", r#"{"formatVersion":2}"#).await;
    assert!(matches!(store.rebuild_pki().await, Err(StoreError::Newer { .. })));
    replace(&objects, "prod/pki/bundle.json", "{").await;
    replace(&objects, "prod/pki/ca.key", "key").await;
    assert_eq!(store.rebuild_pki().await.unwrap(), None);
    let hint = store.read_pki().await.unwrap_err().hint().unwrap();
    assert!(hint.contains("aws s3api copy-object --bucket memory --key team/prod/pki/bundle.json"), "{hint}");
}

#[tokio::test]
async fn keys_are_in_no_message() {
    let secret = PkiFiles(BTreeMap::from([("ca.key".into(), b"SECRET".to_vec())]));
    assert_eq!(format!("{secret:?}"), r#"PkiFiles(["ca.key"])"#);
    let objects = MemoryStore::new();
    replace(&objects, "prod/pki/bundle.json", r#"{"formatVersion":1,"files":{"ca.key":"SECRET!"}}"#).await;
    let error = store(&objects).read_pki().await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("SECRET"), "{error:?}");
    replace(&objects, "prod/pki/bundle.json", r#"{"formatVersion":1,"files":"SECRET"}"#).await;
    let error = store(&objects).read_pki().await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("SECRET"), "{error:?}");
    let object = objects.get("prod/pki/bundle.json").await.unwrap();
    assert!(!format!("{object:?}").contains("83, 69, 67"), "{object:?}");
    for name in ["bundle.json", "complete", "../ca.key"] {
        let files = PkiFiles(BTreeMap::from([(name.into(), vec![])]));
        assert!(matches!(store(&objects).write_pki_once(files).await, Err(StoreError::BadKey { .. })), "{name}");
    }
}

#[tokio::test]
async fn files_of_nodes_stay_where_they_belong() {
    let objects = MemoryStore::new();
    let store = store(&objects);
    store.put_bootstrap("bootstrap/boot-1.sh", b"one".to_vec()).await.unwrap();
    store.put_bootstrap("bootstrap/boot-1.sh", b"one".to_vec()).await.unwrap();
    store.put_bootstrap("bootstrap/boot-2.sh", b"two".to_vec()).await.unwrap();
    assert_eq!(store.list_bootstrap().await.unwrap(), ["bootstrap/boot-1.sh", "bootstrap/boot-2.sh"]);
    store.delete_bootstrap("bootstrap/boot-1.sh").await.unwrap();
    store.delete_bootstrap("bootstrap/boot-1.sh").await.unwrap();
    assert_eq!(store.list_bootstrap().await.unwrap(), ["bootstrap/boot-2.sh"]);
    for key in ["pki/ca.key", "cluster.yaml", "bootstrap/../lock", "bootstrap"] {
        assert!(matches!(store.put_bootstrap(key, vec![]).await, Err(StoreError::BadKey { .. })), "{key}");
        assert!(matches!(store.delete_bootstrap(key).await, Err(StoreError::BadKey { .. })), "{key}");
    }

    store.put_file(Area::Nodes, "status/i-1.json", b"{}".to_vec()).await.unwrap();
    assert_eq!(store.list_files(Area::Nodes).await.unwrap(), ["status/i-1.json"]);
    assert_eq!(store.list_files(Area::EtcdBackups).await.unwrap(), [] as [&str; 0]);
    assert_eq!(store.read_file(Area::Nodes, "status/i-1.json").await.unwrap().unwrap(), b"{}");
    assert_eq!(store.read_file(Area::Nodes, "status/i-2.json").await.unwrap(), None);
    store.delete_file(Area::Nodes, "status/i-1.json").await.unwrap();
    assert_eq!(store.list_files(Area::Nodes).await.unwrap(), [] as [&str; 0]);
}

async fn whole_cluster(objects: &MemoryStore, name: &str) {
    let store = ClusterStore::new(objects, ClusterName::parse(name).unwrap());
    let first = store.write_spec(SPEC, None, Operation::Create, "alice", at(0)).await.unwrap();
    store.write_spec(SPEC, Some(&first), Operation::Update, "alice", at(1)).await.unwrap();
    store.write_facts(&facts(), Condition::Absent).await.unwrap();
    store.write_ledger(&ledger(), Condition::Absent).await.unwrap();
    store.publish_pki(&store.write_pki_once(pki(name)).await.unwrap()).await.unwrap();
    store.put_bootstrap("bootstrap/boot.sh", vec![]).await.unwrap();
    for area in [Area::Nodes, Area::ControlPlane, Area::EtcdBackups] {
        store.put_file(area, "x", vec![]).await.unwrap();
    }
    store.put_file(Area::ControlPlane, "restored/20261126T221500Z-00000001/cp-1", vec![]).await.unwrap();
    objects.put(&format!("{name}/lock"), b"{}".to_vec(), Condition::Always).await.unwrap();
}

#[tokio::test]
async fn a_cluster_is_removed_whole_and_alone() {
    for (keep_backups, left) in [(false, vec!["prod/lock"]), (true, vec!["prod/backups/etcd/x", "prod/lock"])] {
        let objects = MemoryStore::new();
        whole_cluster(&objects, "prod").await;
        whole_cluster(&objects, "prod-2").await;
        let others = objects.list("prod-2/").await.unwrap();
        store(&objects).remove_all(keep_backups).await.unwrap();
        store(&objects).remove_all(keep_backups).await.unwrap();
        let traces = objects.traces();
        let (of_prod, rest): (Vec<_>, Vec<_>) = traces.into_iter().partition(|key| key.starts_with("prod/"));
        assert_eq!(of_prod, left, "no earlier version is left either");
        assert_eq!(rest, others);
        assert_eq!(clusters(&objects).await.unwrap(), [ClusterName::parse("prod-2").unwrap()]);
    }
}

#[tokio::test]
async fn clusters_are_listed() {
    assert_eq!(clusters(&MemoryStore::missing()).await.unwrap(), []);
    let objects = MemoryStore::new();
    for key in
        ["b.example.com/cluster.yaml", "a/cluster.yaml", "a/lock", "c/lock", "d/cluster.yaml.old", "Not_A_Name/cluster.yaml", "e"]
    {
        replace(&objects, key, "").await;
    }
    let names: Vec<_> = clusters(&objects).await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["a", "b.example.com"]);
}
