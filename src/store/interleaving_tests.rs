//! What two or three operators do to the state of one cluster, in many orders: each with a clock of its own, on a wire that loses,
//! delays and repeats, and dying anywhere. All in virtual time, and all of it decided by one seed.
//!
//! `KCLUST_SEED=n cargo test --lib interleavings` plays one of them again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::{Instant, sleep};

use super::lock_record::GRACE;
use super::memory::{Call, Fate, MemoryStore, Wire};
use super::*;
use crate::spec::ClusterName;

const TTL: Duration = Lock::TTL;
const HOST: &str = "laptop";

#[test]
fn interleavings_of_operators_lose_nothing() {
    let seen = play(0, 1200);
    // The scenarios are worth something only if all of it happens.
    assert!(seen.applied > 1500, "{seen:?}");
    assert!(seen.held > 300 && seen.outdated > 50 && seen.taken_over > 200, "{seen:?}");
    assert!(seen.lost > 15 && seen.crashed > 500 && seen.deleted > 100 && seen.repaired > 300, "{seen:?}");
}

#[test]
#[ignore = "takes minutes: part of `make soak`"]
fn many_interleavings_of_operators_lose_nothing() {
    let first = std::env::var("KCLUST_SOAK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1_000_000);
    println!("{:?}", play(first, 50_000));
}

/// Plays so many scenarios, or the one of `KCLUST_SEED`.
fn play(first: u64, count: u64) -> Seen {
    let only: Option<u64> = std::env::var("KCLUST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = only.map_or(first..first + count, |seed| seed..seed + 1);
    let mut seen = Seen::default();
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let scenario = std::panic::AssertUnwindSafe(|| runtime.block_on(scenario(seed)));
        match std::panic::catch_unwind(scenario) {
            Ok(more) => seen.add(&more),
            Err(panic) => {
                println!("to play it again: KCLUST_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    seen
}

/// What happened, to see that it did.
#[derive(Debug, Default)]
struct Seen {
    /// Specs that were written, and whose writers were told so.
    applied: u32,
    deleted: u32,
    /// Changes of the world that left the spec as it was.
    repaired: u32,
    /// Operators that were told who has the lock.
    held: u32,
    taken_over: u32,
    /// Operators whose state had changed between plan and lock.
    outdated: u32,
    /// Locks that were lost while they were held.
    lost: u32,
    crashed: u32,
}

impl Seen {
    fn add(&mut self, more: &Self) {
        self.applied += more.applied;
        self.deleted += more.deleted;
        self.repaired += more.repaired;
        self.held += more.held;
        self.taken_over += more.taken_over;
        self.outdated += more.outdated;
        self.lost += more.lost;
        self.crashed += more.crashed;
    }
}

/// What is true of the cluster, whatever the state says.
#[derive(Default)]
struct Truth {
    seen: Seen,
    /// Who changes the world, and whether they still may.
    applying: Vec<(String, LossSignal)>,
    /// The world as it is: another number after each change, and 0 when nothing is there.
    world: u64,
    /// Numbers of the specs that were written and whose writers were told so since the last removal.
    acknowledged: Vec<u64>,
}

type Shared = Arc<Mutex<Truth>>;

/// Follows tokio's clock, and is wrong by minutes.
struct WrongClock {
    start: Instant,
    offset: SignedDuration,
}

impl Clock for WrongClock {
    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-09-30T10:11:12Z".parse().unwrap();
        start + SignedDuration::try_from(self.start.elapsed()).unwrap() + self.offset
    }
}

#[derive(Debug, Clone, Copy)]
enum Command {
    Create,
    Update,
    /// As an update that brings no other spec.
    Repair,
    Delete,
}

/// How a command ended.
#[derive(Debug)]
enum End {
    Done,
    Held(Box<Held>),
    Outdated,
    LockLost,
    /// A call failed, or there is nothing to do.
    Failed,
}

async fn scenario(seed: u64) -> Seen {
    let mut rng = StdRng::seed_from_u64(seed);
    let (store, truth) = (Arc::new(MemoryStore::new()), Shared::default());
    let commands: &[Command] = match seed % 3 {
        0 => &[Command::Create],
        1 => &[Command::Update, Command::Repair],
        _ => &[Command::Update, Command::Repair, Command::Delete, Command::Create],
    };
    if seed % 3 != 0 {
        let mut quiet = Person::new("first", &mut rng, &store, &truth, 0);
        assert!(matches!(quiet.run(Command::Create).await, End::Done));
    }
    let people = rng.random_range(2..=3);
    let tasks: Vec<_> = (0..people)
        .map(|number| {
            let commands = commands.to_vec();
            let trouble = rng.random_range(0..40);
            let mut person = Person::new(["alice", "bob", "carol"][number], &mut rng, &store, &truth, trouble);
            tokio::spawn(async move { person.work(&commands).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    // Whatever happened, somebody can go on, without a hand on the lock.
    sleep(TTL + GRACE + Duration::from_secs(1)).await;
    let mut last = Person::new("last", &mut rng, &store, &truth, 0);
    let command = if last.state().read_spec().await.unwrap().is_some() { Command::Update } else { Command::Create };
    let end = last.run(command).await;
    assert!(matches!(end, End::Done), "{end:?}");
    assert_eq!(store.get("prod/lock").await.unwrap(), None);
    check_history(&last.state(), &truth).await;
    std::mem::take(&mut truth.lock().unwrap().seen)
}

/// Each spec was written by somebody who had read the one before it, no number is there twice, and none is missing of which
/// somebody was told that it was written.
async fn check_history(state: &ClusterStore<'_>, truth: &Shared) {
    let mut before = None;
    let mut numbers = Vec::new();
    for entry in state.history().await.unwrap() {
        let spec = entry.spec.unwrap();
        assert_eq!(spec.revision.sequence, entry.sequence);
        let (number, base) = parse(&spec.text);
        match before {
            Some((sequence, number)) => {
                assert_eq!(entry.sequence, sequence + 1);
                assert_eq!(base, Some(number), "revision {} replaces one that its writer had not read", entry.sequence);
            }
            // A removal that did not end took the earlier ones.
            None => assert_eq!(base.is_none(), entry.sequence == 1),
        }
        numbers.push(number);
        before = Some((entry.sequence, number));
    }
    let truth = truth.lock().unwrap();
    assert!(truth.acknowledged.iter().all(|number| numbers.contains(number)), "{:?} of {numbers:?}", truth.acknowledged);
}

/// A spec says which one it is, and which one its writer had read.
fn text(number: u64, base: Option<u64>) -> String {
    format!("number: {number}\nbase: {}\n", base.map_or("none".to_owned(), |base| base.to_string()))
}

fn parse(text: &str) -> (u64, Option<u64>) {
    let (number, base) = text.strip_prefix("number: ").unwrap().split_once("\nbase: ").unwrap();
    (number.parse().unwrap(), base.trim_end().parse().ok())
}

struct Person {
    name: String,
    rng: StdRng,
    wire: Arc<Wire>,
    clock: Arc<WrongClock>,
    truth: Shared,
}

impl Person {
    /// `trouble` is how many of a hundred calls do not simply arrive.
    fn new(name: &str, rng: &mut StdRng, store: &Arc<MemoryStore>, truth: &Shared, trouble: u32) -> Self {
        let fates = Mutex::new(StdRng::seed_from_u64(rng.random()));
        // For a while nothing gets through.
        let cut_off = Instant::now() + Duration::from_millis(rng.random_range(0..600_000));
        let back = cut_off + Duration::from_millis(rng.random_range(0..300_000));
        let wire = Wire::new(store, move |call| {
            let mut rng = fates.lock().unwrap();
            if trouble > 0 && (cut_off..back).contains(&Instant::now()) {
                return Fate::RequestLost;
            }
            let short = Duration::from_millis(rng.random_range(0..2_000));
            let long = if rng.random_range(0..4) == 0 { Duration::from_millis(rng.random_range(0..300_000)) } else { short };
            // What is on its way is there within seconds; nothing is sent once the lock is lost. A purge has no condition but that.
            let long = if matches!(call, Call::Purge(_)) { long.min(GRACE / 2) } else { long };
            match rng.random_range(0..100) {
                n if trouble == 0 || n >= trouble => Fate::Delayed(short / 4),
                n => match n % 5 {
                    0 => Fate::RequestLost,
                    1 => Fate::AnswerLost,
                    2 => Fate::Repeated,
                    3 => Fate::Delayed(long),
                    _ => Fate::AnswerDelayed(long),
                },
            }
        });
        let offset = SignedDuration::from_secs(rng.random_range(-900..900));
        let clock = Arc::new(WrongClock { start: Instant::now(), offset });
        Self { name: name.to_owned(), rng: StdRng::seed_from_u64(rng.random()), wire, clock, truth: Arc::clone(truth) }
    }

    fn state(&self) -> ClusterStore<'_> {
        ClusterStore::new(self.wire.as_ref(), ClusterName::parse("prod").unwrap())
    }

    fn truth<T>(&self, look: impl FnOnce(&mut Truth) -> T) -> T {
        look(&mut self.truth.lock().unwrap())
    }

    async fn pause(&mut self, most: u64) {
        let pause = self.rng.random_range(0..most);
        sleep(Duration::from_millis(pause)).await;
    }

    /// Some commands, one after another, some of which die.
    async fn work(&mut self, commands: &[Command]) {
        for _ in 0..4 {
            self.pause(200_000).await;
            let command = commands[self.rng.random_range(0..commands.len())];
            let dies = (self.rng.random_range(0..3) == 0).then(|| Duration::from_millis(self.rng.random_range(0..200_000)));
            // Whoever dies is dropped wherever it waits, its lock with it.
            let end = match dies {
                Some(after) => match tokio::time::timeout(after, self.run(command)).await {
                    Ok(end) => end,
                    Err(_) => {
                        let name = self.name.clone();
                        self.truth(|truth| {
                            truth.applying.retain(|(who, _)| *who != name);
                            truth.seen.crashed += 1;
                        });
                        continue;
                    }
                },
                None => self.run(command).await,
            };
            match end {
                End::Held(held) => {
                    // Who, where, since when, by a clock that may be wrong by minutes: enough to pick up the phone.
                    let (holder, said) = (&held.record.holder, held.to_string());
                    assert!(["first", "alice", "bob", "carol"].contains(&holder.user.as_str()) && holder.host == HOST, "{said}");
                    let words = [format!("{}@{HOST}", holder.user), format!("since {}", held.record.since.strftime("%F %T UTC"))];
                    assert!(words.iter().all(|word| said.contains(word)), "{said}");
                    self.truth(|truth| truth.seen.held += 1);
                }
                End::Outdated => self.truth(|truth| truth.seen.outdated += 1),
                End::LockLost => self.truth(|truth| truth.seen.lost += 1),
                End::Done | End::Failed => {}
            }
        }
    }

    /// What the use cases do, as far as the state sees it.
    async fn run(&mut self, command: Command) -> End {
        let Ok(basis) = self.state().basis().await else { return End::Failed };
        let world = self.truth(|truth| truth.world);
        let Ok(read) = self.state().current_spec().await else { return End::Failed };
        let base = match (command, &read) {
            (Command::Create | Command::Delete, CurrentSpec::Absent) => None,
            (Command::Update | Command::Repair | Command::Delete, CurrentSpec::Whole(spec)) => Some(spec.clone()),
            _ => return End::Failed,
        };
        // The plan, and the question.
        self.pause(60_000).await;
        let holder = Holder {
            id: format!("{:032x}", self.rng.random::<u128>()),
            user: self.name.clone(),
            host: HOST.into(),
            principal: None,
            pid: 4711,
            process: None,
            operation: format!("{command:?}").to_lowercase(),
            kclust: "0.1.0".into(),
        };
        let cluster = ClusterName::parse("prod").unwrap();
        let clock = Arc::clone(&self.clock);
        let lock = match Lock::acquire(Arc::clone(&self.wire) as _, &cluster, holder, clock, TTL).await {
            Ok(lock) => lock,
            Err(LockError::Held(held)) => return End::Held(held),
            Err(LockError::Store(_)) => return End::Failed,
        };
        let end = self.under_lock(command, base, &basis, world, &lock).await;
        let name = self.name.clone();
        self.truth(|truth| {
            truth.seen.taken_over += u32::from(lock.taken_from().is_some());
            truth.applying.retain(|(who, _)| *who != name);
        });
        drop(lock.release().await);
        end
    }

    async fn under_lock(
        &mut self,
        command: Command,
        base: Option<AppliedSpec>,
        basis: &Basis,
        mut planned_for: u64,
        lock: &Lock,
    ) -> End {
        let loss = lock.loss();
        match self.state().still_rests_on(basis).await {
            Ok(true) => {}
            Ok(false) => return End::Outdated,
            Err(_) => return End::Failed,
        }
        if matches!(command, Command::Create | Command::Update) {
            let number = self.rng.random();
            let text = text(number, base.as_ref().map(|base| parse(&base.text).0));
            let (operation, by, at) = (Operation::Update, self.name.clone(), self.clock.now());
            match self.state().write_spec(&text, base.as_ref(), operation, &by, at).await {
                Ok(_) => self.truth(|truth| {
                    truth.seen.applied += 1;
                    truth.acknowledged.push(number);
                }),
                Err(StoreError::Changed { .. }) => return End::Outdated,
                Err(_) => return End::Failed,
            }
        }
        let Ok(before) = self.state().recorded_ledger().await else { return End::Failed };
        let mut ledger = self.ledger(command);
        let version = match self.state().write_ledger(&ledger, before.condition).await {
            Ok(version) => version,
            Err(StoreError::Changed { .. }) => return End::Outdated,
            Err(_) => return End::Failed,
        };
        // Changes of the world: none is begun by who may not, or for another world than it was planned for.
        let name = self.name.clone();
        self.truth(|truth| truth.applying.push((name, loss.clone())));
        for _ in 0..self.rng.random_range(1..12) {
            if loss.get().is_some() {
                return End::LockLost;
            }
            self.alone();
            let next = self.rng.random();
            self.truth(|truth| {
                assert_eq!(truth.world, planned_for, "a plan for another world is carried out");
                (truth.world, planned_for) = (next, next);
            });
            self.pause(25_000).await;
        }
        if loss.get().is_some() {
            return End::LockLost;
        }
        self.alone();
        if matches!(command, Command::Delete) {
            // From here on the cluster's specs are meant to go.
            self.truth(|truth| (truth.world, _) = (0, truth.acknowledged.clear()));
            if self.state().remove_all(false).await.is_err() {
                return End::Failed;
            }
            self.truth(|truth| truth.seen.deleted += 1);
            return End::Done;
        }
        ledger.finished_at = Some(self.clock.now());
        if self.state().write_ledger(&ledger, Condition::Unchanged(version)).await.is_err() {
            return End::Failed;
        }
        self.truth(|truth| truth.seen.repaired += u32::from(matches!(command, Command::Repair)));
        End::Done
    }

    fn ledger(&mut self, command: Command) -> Ledger {
        let (id, by, at) = (format!("{:032x}", self.rng.random::<u128>()), self.name.clone(), self.clock.now());
        let operation = match command {
            Command::Create => Operation::Create,
            Command::Update | Command::Repair => Operation::Update,
            Command::Delete => Operation::Delete,
        };
        Ledger { operation, started_at: at, finished_at: None, run: Some(Run { id, by, at }), resources: Vec::new() }
    }

    /// Nobody else may change anything now.
    fn alone(&self) {
        self.truth(|truth| {
            let applying = truth.applying.iter().filter(|(_, loss)| loss.get().is_none());
            let who: Vec<&str> = applying.map(|(who, _)| who.as_str()).collect();
            assert_eq!(who, [self.name.as_str()], "may change the world at the same time");
        });
    }
}
