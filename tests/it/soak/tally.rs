//! What was tried and what came of it.

use std::any::Any;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::stage::{Bench, Example};

/// As many emulated accounts are worked on at a time.
const WORKERS: usize = 2;

/// How a point ended that did not fail.
pub enum Proof {
    /// The command was run again, for this long.
    Rerun(Duration),
    /// The world after the disturbance is one from which the command was run again before.
    EqualWorld,
    /// The command converged by itself.
    Unaided,
}

#[derive(Default)]
pub struct Tally {
    tried: AtomicUsize,
    unaided: AtomicUsize,
    equal: AtomicUsize,
    failures: Mutex<Vec<String>>,
    slowest: Mutex<Option<(Duration, String)>>,
    /// Worlds, by command, from which it converges.
    proven: Mutex<HashSet<(String, String)>>,
}

impl Tally {
    pub fn is_proven(&self, command: &str, world: &str) -> bool {
        self.proven.lock().unwrap().contains(&(command.to_owned(), world.to_owned()))
    }

    pub fn prove(&self, command: &str, world: String) {
        self.proven.lock().unwrap().insert((command.to_owned(), world));
    }

    fn note(&self, point: &str, outcome: Result<Proof, String>) {
        self.tried.fetch_add(1, Ordering::Relaxed);
        match outcome {
            Ok(Proof::EqualWorld) => drop(self.equal.fetch_add(1, Ordering::Relaxed)),
            Ok(Proof::Unaided) => drop(self.unaided.fetch_add(1, Ordering::Relaxed)),
            Ok(Proof::Rerun(elapsed)) => {
                let mut slowest = self.slowest.lock().unwrap();
                if slowest.as_ref().is_none_or(|(longest, _)| *longest < elapsed) {
                    *slowest = Some((elapsed, point.to_owned()));
                }
            }
            Err(why) => {
                let failure =
                    format!("{point}: {why}\n  repeat it: KCLUST_SOAK_SEED={} KCLUST_SOAK_ONLY='{point}' make soak", seed());
                eprintln!("FAILED {failure}");
                self.failures.lock().unwrap().push(failure);
            }
        }
    }
}

pub fn seed() -> usize {
    match std::env::var("KCLUST_SOAK_SEED") {
        Ok(seed) => seed.parse().expect("KCLUST_SOAK_SEED is a number"),
        Err(_) => 0,
    }
}

/// Every `one_of`-th point; which, follows from the seed.
pub fn sample<P>(points: Vec<P>, one_of: usize) -> Vec<P> {
    points.into_iter().skip(seed() % one_of).step_by(one_of).collect()
}

/// How many points there were, and in how many of them the command ended well by itself.
pub struct Counts {
    pub tried: usize,
    pub unaided: usize,
}

/// Tries all points of an example, each with a name of its own, and tells the result.
///
/// # Panics
/// When a point failed.
pub fn try_all<P: Sync>(
    what: &str,
    example: &'static Example,
    points: impl Fn(&Bench) -> Vec<P>,
    name: impl Fn(&Bench, &P) -> String + Sync,
    attempt: impl Fn(&Bench, &P, &Tally) -> Result<Proof, String> + Sync,
) -> Counts {
    let begun = Instant::now();
    let benches: Vec<Bench> = (0..WORKERS).map(|_| Bench::new(example)).collect();
    for stage in 0..benches[0].stages.len() {
        let (one, other) = (&benches[0].stages[stage], &benches[WORKERS - 1].stages[stage]);
        benches[0].compare(one, &other.reached).unwrap_or_else(|why| panic!("two undisturbed runs: {why}"));
    }
    let only = std::env::var("KCLUST_SOAK_ONLY").unwrap_or_default();
    let mut points = points(&benches[0]);
    points.retain(|point| is_named(&name(&benches[0], point), &only));
    let (next, tally) = (AtomicUsize::new(0), Tally::default());
    std::thread::scope(|scope| {
        for bench in &benches {
            let (points, name, attempt, next, tally) = (&points, &name, &attempt, &next, &tally);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(point) = points.get(number) else { break };
                    if number > 0 && number % 100 == 0 {
                        eprintln!("{what} of {}: {number} of {} points", example.name, points.len());
                    }
                    let name = format!("{} {}", example.name, name(bench, point));
                    // What is asserted on the way fails the point, and no other one.
                    let outcome = catch_unwind(AssertUnwindSafe(|| attempt(bench, point, tally)));
                    tally.note(&name, outcome.unwrap_or_else(|panic| Err(message(panic.as_ref()))));
                }
            });
        }
    });
    let failures = tally.failures.into_inner().unwrap();
    let counts = Counts { tried: tally.tried.into_inner(), unaided: tally.unaided.into_inner() };
    let mut told = format!("{what} of {}: {} points tried", example.name, counts.tried);
    let _ = write!(told, ", {} of them proven by an equal world", tally.equal.into_inner());
    let _ = write!(told, ", {} failed", failures.len());
    if let Some((elapsed, point)) = tally.slowest.into_inner().unwrap() {
        let _ = write!(told, "; slowest recovery {:.1} s ({point})", elapsed.as_secs_f32());
    }
    eprintln!("{told}; {:.0} s", begun.elapsed().as_secs_f32());
    assert!(failures.is_empty(), "{told}\n{}", failures.join("\n"));
    counts
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

/// Whether a name has all these words, in this order.
fn is_named(name: &str, only: &str) -> bool {
    let mut words = name.split(' ');
    only.split_whitespace()
        .filter(|word| *word != "minimal" && *word != "ha-private")
        .all(|word| words.any(|other| other == word))
}
