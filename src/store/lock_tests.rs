//! The lock, in paused time: minutes pass at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::{Instant, advance, sleep};

use super::lock_record::GRACE;
use super::memory::{Call, Fate, MemoryStore, Wire};
use super::*;
use crate::spec::ClusterName;

const TTL: Duration = Duration::from_secs(120);
const SECOND: Duration = Duration::from_secs(1);
const KEY: &str = "prod/lock";

/// Follows tokio's clock, and can be wrong.
struct TestClock {
    start: Instant,
    offset_seconds: AtomicI64,
}

impl TestClock {
    fn new(offset_seconds: i64) -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), offset_seconds: offset_seconds.into() })
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-09-30T10:11:12Z".parse().unwrap();
        let offset = SignedDuration::from_secs(self.offset_seconds.load(Ordering::Relaxed));
        start + SignedDuration::try_from(self.start.elapsed()).unwrap() + offset
    }
}

fn holder(user: &str) -> Holder {
    Holder {
        id: format!("id of {user}"),
        user: user.into(),
        host: "laptop".into(),
        principal: None,
        pid: 4711,
        process: None,
        operation: "update".into(),
        kclust: "0.1.0".into(),
    }
}

fn cluster() -> ClusterName {
    ClusterName::parse("prod").unwrap()
}

async fn acquire_with(store: Arc<dyn ObjectStore>, holder: Holder, clock: Arc<TestClock>) -> Result<Lock, LockError> {
    Lock::acquire(store, &cluster(), holder, clock, TTL).await
}

async fn acquire(store: &Arc<impl ObjectStore + 'static>, user: &str) -> Result<Lock, LockError> {
    acquire_with(Arc::clone(store) as _, holder(user), TestClock::new(0)).await
}

async fn refused(store: &Arc<impl ObjectStore + 'static>, user: &str) -> Held {
    match acquire(store, user).await {
        Err(LockError::Held(held)) => *held,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("{user} got the lock"),
    }
}

async fn record(store: &MemoryStore) -> Option<LockRecord> {
    let object = store.get(KEY).await.unwrap()?;
    Some(LockRecord::parse(KEY, &object.bytes).unwrap())
}

#[tokio::test(start_paused = true)]
async fn one_holds_it_until_it_is_released() {
    let store = Arc::new(MemoryStore::new());
    let lock = acquire(&store, "alice").await.unwrap();
    assert_eq!(lock.taken_from(), None);
    assert_eq!(refused(&store, "bob").await.record.holder.user, "alice");
    lock.release().await.unwrap();
    assert_eq!(store.get(KEY).await.unwrap(), None);
    acquire(&store, "bob").await.unwrap().release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn clusters_have_locks_of_their_own() {
    let store = Arc::new(MemoryStore::new());
    let _lock = acquire(&store, "alice").await.unwrap();
    let other = ClusterName::parse("prod-2").unwrap();
    let clock = TestClock::new(0);
    Lock::acquire(store, &other, holder("bob"), clock, TTL).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_second_operator_is_told_all() {
    let store = Arc::new(MemoryStore::new());
    let alice = Holder { principal: Some("arn:aws:iam::123456789012:user/alice".into()), ..holder("alice") };
    let _lock = acquire_with(Arc::clone(&store) as _, alice, TestClock::new(0)).await.unwrap();
    sleep(SECOND * 45).await;
    let held = refused(&store, "bob").await;
    assert_eq!(
        held.to_string(),
        "prod is locked: alice@laptop runs `kclust update` as arn:aws:iam::123456789012:user/alice (process 4711) since \
         2026-09-30 10:11:12 UTC; renewed 5 s ago, held until 10:13:52 UTC and renewed while it runs"
    );
    assert_eq!(
        held.hint(),
        "wait until that command has finished, then run this one again. Should it have died, its lock will be taken over by the \
         next command in 2 min 25 s"
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_for_as_long_as_the_command_runs() {
    let store = Arc::new(MemoryStore::new());
    let lock = acquire(&store, "alice").await.unwrap();
    let first = record(&store).await.unwrap();
    for _ in 0..100 {
        sleep(TTL / 4).await;
        refused(&store, "bob").await;
    }
    let last = record(&store).await.unwrap();
    assert_eq!(last.since, first.since);
    assert!(last.expires > first.expires);
    assert_eq!(lock.loss().get(), None);
    lock.release().await.unwrap();
    assert_eq!(store.get(KEY).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_nobody_renews_is_taken_over_when_its_time_is_over() {
    let store = Arc::new(MemoryStore::new());
    drop(acquire(&store, "alice").await.unwrap());
    sleep(TTL + GRACE).await;
    assert_eq!(refused(&store, "bob").await.remaining, Duration::ZERO);
    sleep(SECOND).await;
    let lock = acquire(&store, "bob").await.unwrap();
    assert_eq!(lock.taken_from().unwrap().holder.user, "alice");
    assert_eq!(record(&store).await.unwrap().holder.user, "bob");
    refused(&store, "carol").await;
}

#[tokio::test(start_paused = true)]
async fn wrong_clocks_of_operators_change_nothing() {
    let hours = 5 * 3600;
    for (alice, bob) in [(0, hours), (hours, 0), (-hours, hours)] {
        let store = Arc::new(MemoryStore::new());
        let lock = acquire_with(Arc::clone(&store) as _, holder("alice"), TestClock::new(alice)).await.unwrap();
        sleep(TTL * 5).await;
        let refused = acquire_with(Arc::clone(&store) as _, holder("bob"), TestClock::new(bob)).await;
        assert!(matches!(refused, Err(LockError::Held(_))), "{alice} {bob}");
        drop(lock);
        sleep(TTL + GRACE + SECOND).await;
        acquire_with(Arc::clone(&store) as _, holder("bob"), TestClock::new(bob)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn of_those_who_take_over_one_wins() {
    let store = Arc::new(MemoryStore::new());
    drop(acquire(&store, "alice").await.unwrap());
    sleep(TTL + GRACE + SECOND).await;
    // All see the same lock before any of them writes.
    let wire = Wire::new(&store, |call| match call {
        Call::Put(_) => Fate::Delayed(SECOND),
        _ => Fate::Arrives,
    });
    let users: Vec<String> = (0..5).map(|number| format!("user-{number}")).collect();
    let contenders = users.iter().map(|user| acquire(&wire, user));
    let outcomes = futures_util::future::join_all(contenders).await;
    let mut winners = Vec::new();
    for (user, outcome) in users.iter().zip(&outcomes) {
        match outcome {
            Ok(_) => winners.push(user.clone()),
            Err(LockError::Held(held)) => assert_ne!(held.record.holder.user, "alice"),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(winners, [record(&store).await.unwrap().holder.user]);
}

#[tokio::test(start_paused = true)]
async fn a_holder_learns_that_its_lock_was_taken_over_or_removed() {
    let store = Arc::new(MemoryStore::new());
    let lock = acquire(&store, "alice").await.unwrap();
    let theirs = LockRecord::new(holder("bob"), TestClock::new(0).now(), TTL);
    let bytes = serde_json::to_vec(&theirs).unwrap();
    store.put(KEY, bytes.clone(), Condition::Always).await.unwrap();
    assert_eq!(lock.loss().get(), None);
    let before = Instant::now();
    let loss = lock.loss().wait().await;
    assert!(before.elapsed() <= TTL / 3, "{:?}", before.elapsed());
    assert_eq!(loss.to_string(), "the lock was taken over by bob@laptop (`kclust update`)");
    lock.release().await.unwrap();
    assert_eq!(store.get(KEY).await.unwrap().unwrap().bytes, bytes, "another's lock is left alone");

    store.delete(KEY, Condition::Always).await.unwrap();
    let lock = acquire(&store, "alice").await.unwrap();
    store.delete(KEY, Condition::Always).await.unwrap();
    assert_eq!(lock.loss().wait().await, LockLoss::Removed);
    lock.release().await.unwrap();
    assert_eq!(store.get(KEY).await.unwrap(), None);
}

/// A wire that carries `good` writes and then loses each.
fn breaking_wire(store: &Arc<MemoryStore>, good: u32, fate: Fate) -> Arc<Wire> {
    let writes = AtomicU32::new(0);
    Wire::new(store, move |call| match call {
        Call::Put(_) if writes.fetch_add(1, Ordering::Relaxed) >= good => fate,
        _ => Fate::Arrives,
    })
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_is_cut_off_stops_before_others_take_over() {
    for fate in [Fate::RequestLost, Fate::Delayed(TTL * 10)] {
        let store = Arc::new(MemoryStore::new());
        let wire = breaking_wire(&store, 2, fate);
        let lock = acquire(&wire, "alice").await.unwrap();
        let before = Instant::now();
        let loss = lock.loss().wait().await;
        // One renewal, a third of the time later, was the last to succeed.
        assert_eq!(before.elapsed(), TTL / 3 + TTL, "{fate:?}");
        let reason = match fate {
            Fate::RequestLost => "could not reach s3://memory/team: s3:Any: connection reset",
            _ => "the state store did not answer, or this process was stopped",
        };
        assert_eq!(loss, LockLoss::NotRenewed { reason: reason.into() });
        assert_eq!(refused(&store, "bob").await.remaining, GRACE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_is_ridden_out() {
    let store = Arc::new(MemoryStore::new());
    let calls = AtomicU32::new(0);
    let wire = Wire::new(&store, move |_| match calls.fetch_add(1, Ordering::Relaxed) {
        2..7 => Fate::RequestLost,
        _ => Fate::Arrives,
    });
    let lock = acquire(&wire, "alice").await.unwrap();
    sleep(TTL * 5).await;
    assert_eq!(lock.loss().get(), None);
    assert_eq!(refused(&store, "bob").await.record.holder.user, "alice");
}

#[tokio::test(start_paused = true)]
async fn lost_answers_are_seen_through() {
    for fate in [Fate::Repeated, Fate::AnswerDelayed(SECOND * 10), Fate::AnswerDelayed(TTL * 2)] {
        let store = Arc::new(MemoryStore::new());
        // Each other write and removal: its retry would otherwise meet the same fate.
        let calls = AtomicU32::new(0);
        let wire = Wire::new(&store, move |call| match call {
            Call::Put(_) | Call::Delete(_) if calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) => fate,
            _ => Fate::Arrives,
        });
        let lock = acquire(&wire, "alice").await.unwrap();
        assert_eq!(lock.loss().get(), None);
        if fate != Fate::AnswerDelayed(TTL * 2) {
            sleep(TTL * 5).await;
            assert_eq!(lock.loss().get(), None, "{fate:?}");
        }
        assert_eq!(record(&store).await.unwrap().holder.user, "alice");
        lock.release().await.unwrap();
        assert_eq!(store.get(KEY).await.unwrap(), None, "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_whose_renewal_is_under_way_can_be_released_at_once() {
    let store = Arc::new(MemoryStore::new());
    for fate in [Fate::Delayed(TTL / 2), Fate::AnswerDelayed(TTL / 2)] {
        let lock = acquire(&breaking_wire(&store, 1, fate), "alice").await.unwrap();
        sleep(TTL / 3 + SECOND).await;
        let before = Instant::now();
        lock.release().await.unwrap();
        assert_eq!(before.elapsed(), Duration::ZERO, "{fate:?}");
        sleep(TTL).await;
        assert_eq!(store.get(KEY).await.unwrap(), None, "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_machine_slept_the_first_thing_is_a_renewal() {
    let store = Arc::new(MemoryStore::new());
    let clock = TestClock::new(0);
    let lock = acquire_with(Arc::clone(&store) as _, holder("alice"), Arc::clone(&clock)).await.unwrap();
    sleep(SECOND).await;
    // Monotonic time stood still meanwhile.
    clock.offset_seconds.store(1200, Ordering::Relaxed);
    sleep(SECOND * 6).await;
    let renewed = store.get(KEY).await.unwrap().unwrap();
    assert!(renewed.age < SECOND * 6, "{:?}", renewed.age);
    assert_eq!(lock.loss().get(), None);

    let theirs = LockRecord::new(holder("bob"), clock.now(), TTL);
    store.put(KEY, serde_json::to_vec(&theirs).unwrap(), Condition::Always).await.unwrap();
    clock.offset_seconds.store(2400, Ordering::Relaxed);
    sleep(SECOND * 6).await;
    assert!(matches!(lock.loss().get(), Some(LockLoss::TakenOver { .. })));
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn the_lock_of_a_process_that_ended_here_is_taken_over_at_once() {
    let store = Arc::new(MemoryStore::new());
    let here = ProcessId::current();
    let alive = Holder { process: here.clone(), ..holder("alice") };
    drop(acquire_with(Arc::clone(&store) as _, alive, TestClock::new(0)).await.unwrap());
    refused(&store, "bob").await;
    store.delete(KEY, Condition::Always).await.unwrap();

    let mut value = serde_json::to_value(here).unwrap();
    value["pid"] = u32::MAX.into();
    let dead = Holder { process: serde_json::from_value(value).unwrap(), ..holder("alice") };
    drop(acquire_with(Arc::clone(&store) as _, dead, TestClock::new(0)).await.unwrap());
    let lock = acquire(&store, "bob").await.unwrap();
    assert_eq!(lock.taken_from().unwrap().holder.user, "alice");
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_cannot_be_read_is_left_alone() {
    let good = serde_json::to_string(&LockRecord::new(holder("alice"), TestClock::new(0).now(), TTL)).unwrap();
    let newer = good.replace("\"formatVersion\":1", "\"formatVersion\":2");
    let halves =
        [("", false), ("{", false), ("[]", false), (&good[..40], false), (r#"{"formatVersion":1}"#, false), (&newer, true)];
    for (text, is_newer) in halves {
        let store = Arc::new(MemoryStore::new());
        store.put(KEY, text.into(), Condition::Always).await.unwrap();
        advance(TTL * 100).await;
        match acquire(&store, "bob").await {
            Err(LockError::Store(StoreError::Newer { location, .. })) if is_newer => {
                assert_eq!(location, "s3://memory/team/prod/lock");
            }
            Err(LockError::Store(StoreError::Corrupt { location, hint, .. })) if !is_newer => {
                assert_eq!(location, "s3://memory/team/prod/lock");
                assert!(hint.contains("nobody works on this cluster"), "{hint}");
            }
            Err(error) => panic!("{text}: {error}"),
            Ok(_) => panic!("{text}"),
        }
        assert_eq!(store.get(KEY).await.unwrap().unwrap().bytes, text.as_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn fields_of_newer_versions_do_not_hide_who_holds_it() {
    let store = Arc::new(MemoryStore::new());
    let mut value = serde_json::to_value(LockRecord::new(holder("alice"), TestClock::new(0).now(), TTL)).unwrap();
    value["mood"] = "good".into();
    store.put(KEY, value.to_string().into(), Condition::Always).await.unwrap();
    assert_eq!(refused(&store, "bob").await.record.holder.user, "alice");
}

#[tokio::test]
async fn a_directory_can_be_locked_too() {
    let temp = tempfile::tempdir().unwrap();
    let store = Arc::new(FileStore::new(temp.path().to_owned()));
    let take = |user: &'static str| {
        let (store, holder) = (Arc::clone(&store), Holder { user: user.into(), ..Holder::this_process("create", None) });
        async move { Lock::acquire(store, &cluster(), holder, Arc::new(SystemClock), Lock::TTL).await }
    };
    let lock = take("alice").await.unwrap();
    assert!(matches!(take("bob").await, Err(LockError::Held(_))));
    lock.release().await.unwrap();
    take("bob").await.unwrap().release().await.unwrap();
    assert!(!temp.path().join("prod").exists());
}

/// What three operators on bad networks do to one lock, some of them dying with it, is tried in many orders. At no time do two of
/// them believe to hold it, and in the end it can be had.
#[test]
fn never_do_two_believe_to_hold_it() {
    let mut taken = 0;
    for seed in 0..1000 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        taken += runtime.block_on(scenario(seed));
    }
    assert!(taken > 3000, "the scenarios try too little: {taken}");
}

type Believers = Arc<std::sync::Mutex<Vec<(u64, LossSignal)>>>;

async fn scenario(seed: u64) -> u32 {
    let store = Arc::new(MemoryStore::new());
    let believers = Believers::default();
    let operators: Vec<_> = (0..3_u64)
        .map(|number| {
            tokio::spawn(operator(number, StdRng::seed_from_u64(seed * 3 + number), Arc::clone(&store), Arc::clone(&believers)))
        })
        .collect();
    let mut taken = 0;
    for operator in operators {
        taken += operator.await.unwrap();
    }
    sleep(TTL + GRACE + SECOND).await;
    acquire(&store, "last").await.unwrap();
    taken
}

async fn operator(number: u64, mut rng: StdRng, store: Arc<MemoryStore>, believers: Believers) -> u32 {
    let fates = std::sync::Mutex::new(StdRng::seed_from_u64(rng.random()));
    let trouble = rng.random_range(0..60);
    let wire = Wire::new(&store, move |_| {
        let mut rng = fates.lock().unwrap();
        let delay = Duration::from_millis(match rng.random_range(0..4) {
            0 => rng.random_range(0..300_000),
            _ => rng.random_range(0..2_000),
        });
        match rng.random_range(0..100) {
            n if n >= trouble => Fate::Delayed(delay.min(SECOND)),
            n => match n % 5 {
                0 => Fate::RequestLost,
                1 => Fate::AnswerLost,
                2 => Fate::Repeated,
                3 => Fate::Delayed(delay),
                _ => Fate::AnswerDelayed(delay),
            },
        }
    });
    let mut taken = 0;
    for turn in 0..4_u64 {
        sleep(Duration::from_millis(rng.random_range(0..200_000))).await;
        // A lock is a process's, and so is its id.
        let holder = Holder { id: format!("{number} {turn}"), ..holder(&number.to_string()) };
        let clock = TestClock::new(rng.random_range(-7200..7200));
        let Ok(lock) = acquire_with(Arc::clone(&wire) as _, holder, clock).await else { continue };
        taken += 1;
        let me = number * 100 + turn;
        believers.lock().unwrap().push((me, lock.loss()));
        for _ in 0..rng.random_range(0..12) {
            alone(&believers);
            sleep(Duration::from_millis(rng.random_range(0..30_000))).await;
            if lock.loss().get().is_some() {
                break;
            }
        }
        alone(&believers);
        believers.lock().unwrap().retain(|(other, _)| *other != me);
        match rng.random_range(0..3) {
            0 => drop(lock),
            _ => drop(lock.release().await),
        }
    }
    taken
}

fn alone(believers: &Believers) {
    let believers = believers.lock().unwrap();
    let holding: Vec<u64> = believers.iter().filter(|(_, loss)| loss.get().is_none()).map(|(who, _)| *who).collect();
    assert!(holding.len() <= 1, "{holding:?} believe to hold the lock");
}
