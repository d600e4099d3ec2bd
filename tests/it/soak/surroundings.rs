//! An AWS that is slow, busy and tells little at a time; and all faults at once, by chance.

use serde_json::{Value as Json, json};

use super::faults::{FAULTS, rides_out};
use super::stage::{Bench, Example};
use super::tally::{Proof, Tally, seed, try_all};
use super::{HA_PRIVATE, MINIMAL};

/// How often each fault meets a call.
const PROBABILITY: f64 = 0.02;

enum Surroundings {
    /// AWS's own token buckets, though they fill faster.
    Busy,
    /// Everything takes its time to come, to go, and to be known.
    Slow,
    /// What is new may be missing for a while, wherever it is named or listed.
    Unseen,
    /// Answers may be as old as some seconds.
    Stale,
    /// Two calls have no answer at all, for as long as the client waits: one that took effect, and one that did not.
    Silent,
    /// Listings in many pages.
    Pages,
    /// All faults, in surroundings like these.
    Chance { seed: usize },
}

struct Point {
    stage: usize,
    surroundings: Surroundings,
}

fn points(bench: &Bench, seeds: usize) -> Vec<Point> {
    let first = seed() * seeds;
    let stages = 0..bench.stages.len();
    let of_stage = |stage| {
        let surroundings =
            [Surroundings::Busy, Surroundings::Slow, Surroundings::Unseen, Surroundings::Stale, Surroundings::Pages];
        // Each hang costs half a minute: too long for a sample.
        let silent = (seeds > 1).then_some(Surroundings::Silent);
        let chances = (first..first + seeds).map(|seed| Surroundings::Chance { seed });
        surroundings.into_iter().chain(silent).chain(chances).map(move |surroundings| Point { stage, surroundings })
    };
    stages.flat_map(of_stage).collect()
}

fn name(bench: &Bench, point: &Point) -> String {
    let surroundings = match point.surroundings {
        Surroundings::Busy => "busy".to_owned(),
        Surroundings::Slow => "slow".to_owned(),
        Surroundings::Unseen => "unseen".to_owned(),
        Surroundings::Stale => "stale".to_owned(),
        Surroundings::Silent => "silent".to_owned(),
        Surroundings::Pages => "pages".to_owned(),
        Surroundings::Chance { seed } => format!("chance {seed}"),
    };
    format!("{} {surroundings}", bench.stages[point.stage].name)
}

fn attempt(bench: &Bench, point: &Point, _: &Tally) -> Result<Proof, String> {
    let account = &bench.account;
    let stage = &bench.stages[point.stage];
    bench.begin(stage);
    match point.surroundings {
        Surroundings::Busy => account.set_conditions(&json!({ "throttle": { "speed": 20 } })),
        Surroundings::Slow => account.set_conditions(&slowness(1.0)),
        Surroundings::Unseen => account.set_conditions(&json!({ "invisible_seconds": 3 })),
        Surroundings::Stale => account.set_conditions(&json!({ "stale_seconds": 5 })),
        Surroundings::Silent => {
            let third = stage.calls.len() / 3;
            let hang = |when: &str, skip: usize| json!({ "do": "hang", "where": when, "skip": skip, "times": 1 });
            return rides_out(bench, stage, &json!([hang("before", third), hang("after", third)]));
        }
        Surroundings::Pages => account.set_page_size(Some(2)),
        Surroundings::Chance { seed } => {
            let mut conditions = slowness(0.3);
            conditions["seed"] = json!(seed);
            account.set_conditions(&conditions);
            return rides_out(bench, stage, &rules());
        }
    }
    let run = bench.run(stage);
    account.set_page_size(None);
    if run.code != 0 {
        return Err(format!("it ended with {}:\n{}", run.code, run.stderr));
    }
    bench.compare(stage, &account.canonical_world()).map(|()| Proof::Unaided)
}

fn slowness(seconds: f64) -> Json {
    json!({ "pending_seconds": seconds, "lingering_seconds": 2.0 * seconds, "profile_seconds": 2.0 * seconds })
}

/// A rule for each fault of each service.
fn rules() -> Json {
    let services = ["autoscaling", "ec2", "elbv2", "iam", "route53", "s3", "ssm", "sts"];
    let rules = services.iter().flat_map(|service| {
        FAULTS.iter().filter_map(move |fault| {
            let mut rule = (fault.rule)(&((*service).to_owned(), String::new()))?;
            (rule["service"], rule["probability"], rule["times"]) = (json!(service), json!(PROBABILITY), Json::Null);
            Some(rule)
        })
    });
    rules.collect()
}

fn all(example: &'static Example, seeds: usize) {
    try_all("surroundings", example, |bench| points(bench, seeds), name, attempt);
}

#[test]
fn sample_of_minimal() {
    all(&MINIMAL, 1);
}

#[test]
#[ignore = "make soak"]
fn minimal() {
    all(&MINIMAL, 20);
}

#[test]
#[ignore = "make soak"]
fn ha_private() {
    all(&HA_PRIVATE, 20);
}
