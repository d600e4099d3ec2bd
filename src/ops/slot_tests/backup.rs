//! Asking for a snapshot.

use super::*;
use crate::ops::{OpsError, Unanswered, backup, snapshots};
use crate::store::EtcdSnapshot;

const OPEN: &str = "20261126T221900Z-00000001";
const LIMIT: Duration = Duration::from_secs(300);

async fn run(team: &Team) -> Result<EtcdSnapshot, OpsError> {
    backup(&team.environment(), &team.name(), LIMIT).await
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_that_the_leader_takes_is_the_result() {
    let team = Team::new().await;
    play_leader(&team.objects, NEW);
    let taken = run(&team).await.unwrap();
    assert_eq!((taken.key.as_str(), taken.revision, taken.bytes), (NEW, 12_345, 8));
    let request = team.get("control-plane/backup-request").await.unwrap();
    assert!(request.starts_with("20261126T222000Z-") && request.len() == 26, "{request:?}");
    // A second one is another request.
    run(&team).await.unwrap();
    assert_ne!(team.get("control-plane/backup-request").await.unwrap(), request);
}

#[tokio::test(start_paused = true)]
async fn an_open_request_of_somebody_else_is_waited_for() {
    let team = Team::new().await;
    team.put("control-plane/backup-request", &format!("{OPEN}\n")).await;
    sleep(Duration::from_secs(60)).await;
    play_leader(&team.objects, NEW);
    run(&team).await.unwrap();
    assert_eq!(team.get("control-plane/backup-request").await.unwrap(), format!("{OPEN}\n"));
    assert_eq!(team.notes(), ["waiting for the snapshot that was asked for 60 s ago"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_answered_in_time_is_replaced() {
    let team = Team::new().await;
    team.put("control-plane/backup-request", &format!("{OPEN}\n")).await;
    sleep(LIMIT).await;
    play_leader(&team.objects, NEW);
    run(&team).await.unwrap();
    assert_ne!(team.get("control-plane/backup-request").await.unwrap(), format!("{OPEN}\n"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_replaced_is_waited_for_in_its_place() {
    let team = Team::new().await;
    let objects = Arc::clone(&team.objects);
    tokio::spawn(async move {
        sleep(Duration::from_secs(5)).await;
        put(&objects, "control-plane/backup-request", &format!("{OPEN}\n")).await;
    });
    play_leader(&team.objects, NEW);
    assert_eq!(run(&team).await.unwrap().key, NEW);
    let notes = [
        "asked for a snapshot; waiting for the slot that leads etcd",
        "another request took the place of this one: waiting for that",
    ];
    assert_eq!(team.notes(), notes);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_leader_is_told_with_what_the_slots_are_at() {
    let team = Team::new().await;
    tell(&team.objects, "cp-2", "2026-11-26T22:00:00Z", "ready", Some("disk is full")).await;
    play_leader(&team.objects, "error: no space left on device");
    match run(&team).await {
        Err(OpsError::BackupFailed { text, slots, .. }) => {
            assert_eq!(text, "no space left on device");
            let told: Vec<_> = slots.iter().map(|state| (state.slot.as_str(), state.status.is_some())).collect();
            assert_eq!(told, [("cp-1", false), ("cp-2", true), ("cp-3", false)]);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_not_there_is_no_success() {
    let team = Team::new().await;
    let objects = Arc::clone(&team.objects);
    tokio::spawn(async move {
        sleep(Duration::from_secs(5)).await;
        let request = get(&objects, "control-plane/backup-request").await.unwrap();
        put(&objects, "control-plane/backup-answer", &format!("{request}{NEW}\n")).await;
    });
    match run(&team).await {
        Err(OpsError::BackupFailed { text, .. }) => assert!(text.contains("does not hold"), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn when_nobody_answers_the_wait_ends() {
    let team = Team::new().await;
    let begun = tokio::time::Instant::now();
    match run(&team).await {
        Err(OpsError::BackupUnanswered { why: Unanswered::TimedOut { after }, slots, .. }) => {
            assert_eq!((after, slots.len()), (LIMIT, 3));
            assert!(begun.elapsed() < LIMIT + Duration::from_secs(5));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_ends_the_wait() {
    let team = Team::new().await;
    let stop = team.stop.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(5)).await;
        stop.request();
    });
    assert!(matches!(run(&team).await, Err(OpsError::BackupUnanswered { why: Unanswered::Interrupted, .. })));
}

#[tokio::test]
async fn without_machines_that_read_the_store_nothing_is_asked() {
    let mut team = Team::new().await;
    let before = team.everything().await;
    let nobody = ClusterName::parse("other").unwrap();
    assert!(matches!(backup(&team.environment(), &nobody, LIMIT).await, Err(OpsError::NoSuchCluster { .. })));
    team.root = StateRoot::Directory;
    assert!(matches!(run(&team).await, Err(OpsError::StateNotReachable)));
    assert_eq!(team.everything().await, before);
}

#[tokio::test]
async fn backups_of_a_deleted_cluster_are_listed() {
    let team = Team::new().await.with_snapshots().await;
    let name = team.name();
    ClusterStore::new(team.objects.as_ref(), name.clone()).remove_all(true).await.unwrap();
    let found = snapshots(team.objects.as_ref(), &name).await.unwrap();
    assert_eq!(found.iter().map(|found| found.key.as_str()).collect::<Vec<_>>(), [NEW, OLD]);
    let nobody = ClusterName::parse("other").unwrap();
    assert!(matches!(snapshots(team.objects.as_ref(), &nobody).await, Err(OpsError::NoSuchCluster { .. })));
}
