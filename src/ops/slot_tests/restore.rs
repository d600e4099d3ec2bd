//! Going back to a snapshot.

use futures_util::FutureExt as _;

use super::*;
use crate::ops::{Before, OpsError, RestoreEnding, RestoreOptions, Unanswered, restore};
use crate::store::LockError;

const EPOCH: &str = "20261126T221900Z-00000001";
const SLOTS: &str = "cp-1=10.20.32.10 cp-2=10.20.64.11 cp-3=10.20.96.12";
const LIMIT: Duration = Duration::from_secs(900);

fn from(from: &str) -> RestoreOptions {
    RestoreOptions { from: from.to_owned(), dry_run: false, force: false, timeout: LIMIT }
}

async fn run(team: &Team, options: &RestoreOptions) -> Result<RestoreEnding, OpsError> {
    restore(&team.environment(), &team.name(), options).await
}

fn play_all(team: &Team) {
    for slot in ["cp-1", "cp-2", "cp-3"] {
        play(&team.objects, slot);
    }
}

/// A restore of `key` was asked for before, and these slots did it.
async fn asked_before(team: &Team, key: &str, done: &[&str]) {
    team.put("control-plane/restore", &format!("{EPOCH}\n{key}\n{SLOTS}\n")).await;
    for slot in done {
        team.put(&format!("control-plane/restored/{EPOCH}/{slot}"), "2026-11-26T22:19:30Z\n").await;
    }
}

#[tokio::test(start_paused = true)]
async fn all_slots_go_back_and_the_operator_is_told_what_that_means_before() {
    let team = Team::new().await.with_snapshots().await;
    play_all(&team);
    let Ok(RestoreEnding::Restored { plan, elapsed }) = run(&team, &from("latest")).await else { panic!("not restored") };
    assert_eq!(*team.operator.shown.lock().unwrap(), std::slice::from_ref(&plan).to_vec());
    assert_eq!((plan.snapshot.key.as_str(), plan.snapshot.revision, plan.snapshot.bytes), (NEW, 12_345, 8));
    assert_eq!((plan.age, &plan.before), (Duration::from_secs(300), &Before::Done));
    assert_eq!(plan.slots, ["cp-1", "cp-2", "cp-3"]);
    assert_eq!(team.get("control-plane/restore").await.unwrap(), format!("{}\n{NEW}\n{SLOTS}\n", plan.epoch));
    assert!(elapsed >= Duration::from_secs(35) && elapsed < Duration::from_secs(45), "{elapsed:?}");
    let notes = team.notes();
    for slot in ["cp-1", "cp-2", "cp-3"] {
        assert!(
            notes.contains(&format!("{slot}: restoring etcd")) && notes.contains(&format!("{slot} is restored")),
            "{notes:?}"
        );
    }
    assert_eq!(team.get("lock").await, None, "the lock is given back");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_named_by_its_key_or_its_file() {
    for named in [OLD, "20261120T020000Z-r9.db.zst"] {
        let team = Team::new().await.with_snapshots().await;
        play_all(&team);
        let Ok(RestoreEnding::Restored { plan, .. }) = run(&team, &from(named)).await else { panic!("not restored") };
        assert_eq!(plan.snapshot.key, OLD);
    }
}

#[tokio::test]
async fn what_is_no_snapshot_is_refused_with_those_that_are() {
    let team = Team::new().await;
    for named in ["latest", NEW] {
        match run(&team, &from(named)).await {
            Err(OpsError::NoSuchSnapshot { newest, .. }) => assert_eq!(newest, [""; 0]),
            other => panic!("{other:?}"),
        }
    }
    let team = team.with_snapshots().await;
    for named in ["", "backups/etcd/", "20261120T020000Z-r9", "pki/ca.key", "../etcd/20261120T020000Z-r9.db.zst"] {
        match run(&team, &from(named)).await {
            Err(OpsError::NoSuchSnapshot { newest, .. }) => {
                assert_eq!(newest, ["20261126T221500Z-r12345.db.zst", "20261120T020000Z-r9.db.zst"]);
            }
            other => panic!("{named}: {other:?}"),
        }
    }
    assert_eq!(team.get("control-plane/restore").await, None);
}

#[tokio::test]
async fn nothing_is_written_before_somebody_says_yes() {
    for answer in [Approval::No, Approval::NobodyToAsk] {
        let team = Team::answering(answer).await.with_snapshots().await;
        let before = team.everything().await;
        match (answer, run(&team, &from("latest")).await) {
            (Approval::No, Ok(RestoreEnding::Declined)) | (Approval::NobodyToAsk, Err(OpsError::NotConfirmed)) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(team.everything().await, before);
    }
}

#[tokio::test]
async fn a_dry_run_shows_and_asks_nobody() {
    let mut team = Team::answering(Approval::NobodyToAsk).await.with_snapshots().await;
    // Whoever only looks may do so in a copy of the state.
    team.root = StateRoot::Directory;
    let before = team.everything().await;
    let options = RestoreOptions { dry_run: true, ..from("latest") };
    let Ok(RestoreEnding::Planned(plan)) = run(&team, &options).await else { panic!("not planned") };
    assert_eq!(plan.snapshot.key, NEW);
    assert_eq!(team.everything().await, before);
    assert!(team.operator.shown.lock().unwrap().is_empty());
    assert!(matches!(run(&team, &from("latest")).await, Err(OpsError::StateNotReachable)));
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_is_under_way_is_waited_for_and_not_begun_anew() {
    for named in [OLD, "20261120T020000Z-r9.db.zst", "latest"] {
        // Nobody is asked again: there is no terminal.
        let team = Team::answering(Approval::NobodyToAsk).await.with_snapshots().await;
        asked_before(&team, OLD, &["cp-1"]).await;
        play_all(&team);
        let Ok(RestoreEnding::Restored { plan, .. }) = run(&team, &from(named)).await else { panic!("not restored") };
        assert_eq!((plan.epoch.as_str(), plan.snapshot.key.as_str()), (EPOCH, OLD));
        assert_eq!(plan.before, Before::Open { missing: vec!["cp-2".into(), "cp-3".into()] });
        assert_eq!(team.get("control-plane/restore").await.unwrap(), format!("{EPOCH}\n{OLD}\n{SLOTS}\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_done_can_be_done_again() {
    let team = Team::new().await.with_snapshots().await;
    // A slot that the spec does not have any more does not count, done or not.
    asked_before(&team, OLD, &["cp-1", "cp-2", "cp-3"]).await;
    play_all(&team);
    let Ok(RestoreEnding::Restored { plan, .. }) = run(&team, &from(OLD)).await else { panic!("not restored") };
    assert_ne!(plan.epoch.as_str(), EPOCH);
    assert_eq!(plan.before, Before::Done);
}

#[tokio::test(start_paused = true)]
async fn another_restore_under_way_is_in_the_way_unless_forced() {
    let team = Team::new().await.with_snapshots().await;
    asked_before(&team, OLD, &["cp-2", "cp-4"]).await;
    let before = team.everything().await;
    match run(&team, &from(NEW)).await {
        Err(OpsError::RestoreOpen { key, missing, .. }) => {
            assert_eq!((key.as_str(), missing), (OLD, vec!["cp-1".to_owned(), "cp-3".to_owned()]));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(team.everything().await, before);
    play_all(&team);
    for named in ["latest", NEW] {
        let options = RestoreOptions { force: true, ..from(named) };
        let Ok(RestoreEnding::Restored { plan, .. }) = run(&team, &options).await else { panic!("not restored") };
        assert_eq!(plan.snapshot.key, NEW);
        let missing = vec!["cp-1".to_owned(), "cp-3".to_owned()];
        let expected = if named == "latest" { Before::Abandoned { key: OLD.into(), missing } } else { Before::Done };
        assert_eq!(plan.before, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn slots_that_do_not_answer_are_named_with_their_status() {
    let team = Team::new().await.with_snapshots().await;
    play(&team.objects, "cp-1");
    tell(&team.objects, "cp-2", "2026-11-26T22:00:00Z", "fetching the snapshot", Some("S3 answers 403")).await;
    // Of a machine that is gone.
    let gone =
        r#"{"instance":"i-old","role":"control-plane","group":"cp-2","step":"old","since":"2026-11-01T00:00:00Z","error":null}"#;
    team.put("nodes/status/i-old.json", gone).await;
    let worker =
        r#"{"instance":"i-w","role":"worker","group":"cp-3","step":"joined","since":"2026-11-26T22:00:00Z","error":null}"#;
    team.put("nodes/status/i-w.json", worker).await;
    match run(&team, &from("latest")).await {
        Err(OpsError::RestoreUnfinished { why: Unanswered::TimedOut { after }, slots, key, .. }) => {
            assert_eq!((after, key.as_str()), (LIMIT, NEW));
            let told: Vec<_> =
                slots.iter().map(|state| (state.slot.as_str(), state.status.as_ref().map(|it| it.step.as_str()))).collect();
            assert_eq!(told, [("cp-2", Some("fetching the snapshot")), ("cp-3", None)]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(team.get("lock").await, None, "the lock is given back");
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_leaves_the_request_and_the_same_command_goes_on() {
    let team = Team::new().await.with_snapshots().await;
    let stop = team.stop.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(5)).await;
        stop.request();
    });
    let interrupted = run(&team, &from("latest")).await;
    assert!(matches!(interrupted, Err(OpsError::RestoreUnfinished { why: Unanswered::Interrupted, .. })), "{interrupted:?}");
    let request = team.get("control-plane/restore").await.unwrap();
    // A snapshot that was taken in between changes nothing of what goes on.
    team.put("backups/etcd/20261126T222100Z-r12399.db.zst", "snapshot").await;
    play_all(&team);
    let again = Team { stop: Stop::default(), ..team };
    let Ok(RestoreEnding::Restored { plan, .. }) = run(&again, &from("latest")).await else { panic!("not restored") };
    assert_eq!(request, format!("{}\n{NEW}\n{SLOTS}\n", plan.epoch));
    assert_eq!(again.get("control-plane/restore").await.unwrap(), request);
}

#[tokio::test(start_paused = true)]
async fn who_was_faster_is_not_written_over() {
    let mut team = Team::new().await.with_snapshots().await;
    let objects = Arc::clone(&team.objects);
    team.operator.meanwhile = Box::new(move || {
        put(&objects, "control-plane/restore", &format!("{EPOCH}\n{OLD}\n{SLOTS}\n")).now_or_never().unwrap();
    });
    assert!(matches!(run(&team, &from(NEW)).await, Err(OpsError::StateChanged { .. })));
    assert_eq!(team.get("control-plane/restore").await.unwrap(), format!("{EPOCH}\n{OLD}\n{SLOTS}\n"));
    assert_eq!(team.get("lock").await, None, "the lock is given back");
}

#[tokio::test(start_paused = true)]
async fn who_holds_the_lock_goes_first() {
    let team = Team::new().await.with_snapshots().await;
    let environment = team.environment();
    let store = environment.state_of(&team.name());
    let right = crate::ops::carry_out::Right::take(&environment, &store, "update").await.unwrap();
    assert!(matches!(run(&team, &from("latest")).await, Err(OpsError::Lock(LockError::Held(_)))));
    assert_eq!(team.get("control-plane/restore").await, None);
    right.give_back(&environment).await;
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_an_earlier_cluster_is_restored_only_when_forced() {
    const EARLIER: &str = "backups/etcd/20261031T235959Z-r7.db.gz";
    let team = Team::new().await;
    team.put(EARLIER, "snapshot").await;
    for named in ["latest", EARLIER] {
        assert!(matches!(run(&team, &from(named)).await, Err(OpsError::EarlierCluster { .. })));
    }
    assert_eq!(team.get("control-plane/restore").await, None);
    play_all(&team);
    let forced = RestoreOptions { force: true, ..from(EARLIER) };
    let Ok(RestoreEnding::Restored { plan, .. }) = run(&team, &forced).await else { panic!("not restored") };
    assert!(plan.of_earlier_cluster);
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_named() {
    let team = Team::new().await;
    let nobody = ClusterName::parse("other").unwrap();
    let ended = restore(&team.environment(), &nobody, &from("latest")).await;
    assert!(matches!(ended, Err(OpsError::NoSuchCluster { .. })), "{ended:?}");
}
