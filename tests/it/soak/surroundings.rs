//! An AWS that is slow, busy and tells little at a time; and all faults at once, by chance.

use serde_json::{Value as Json, json};

use super::faults::{FAULTS, rides_out};
use super::stage::{Bench, Example, Stage};
use super::tally::{Proof, Tally, seed, try_all};
use super::{HA_PRIVATE, MINIMAL};

/// How often each fault meets a call.
const PROBABILITY: f64 = 0.02;

enum Surroundings {
    /// AWS's own token buckets, though smaller: so few calls would not empty them.
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
    /// All faults, in some of these surroundings.
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
    let conditions = match point.surroundings {
        Surroundings::Busy => busy(),
        Surroundings::Slow => slowness(1.0),
        Surroundings::Unseen => json!({ "invisible_seconds": INVISIBLE }),
        Surroundings::Stale => json!({ "stale_seconds": STALE }),
        Surroundings::Silent => {
            let third = stage.calls.len() / 3;
            let hang = |when: &str, skip: usize| json!({ "do": "hang", "where": when, "skip": skip, "times": 1 });
            return rides_out(bench, stage, &json!([hang("before", third), hang("after", third)]));
        }
        Surroundings::Pages => {
            account.set_page_size(Some(2));
            json!({})
        }
        Surroundings::Chance { seed } => {
            account.set_page_size((seed % 5 == 3).then_some(2));
            account.set_conditions(&some_of_all(seed));
            return rides_out(bench, stage, &rules(stage));
        }
    };
    account.set_conditions(&conditions);
    let run = bench.run(stage);
    account.set_page_size(None);
    if run.code != 0 {
        return Err(format!("it ended with {}:\n{}", run.code, run.stderr));
    }
    if !has_struck(&point.surroundings, stage, &account.calls()) {
        return Err("nothing came of it".to_owned());
    }
    bench.compare(stage, &account.canonical_world()).map(|()| Proof::Unaided)
}

const INVISIBLE: f64 = 3.0;
const STALE: f64 = 5.0;

fn slowness(seconds: f64) -> Json {
    json!({ "pending_seconds": seconds, "lingering_seconds": 2.0 * seconds, "profile_seconds": 2.0 * seconds })
}

fn busy() -> Json {
    json!({ "throttle": { "speed": 1, "size": 0.1 } })
}

/// Everything takes its time, and of the rest each joins in some of the seeds.
fn some_of_all(seed: usize) -> Json {
    let mut conditions = slowness(0.3);
    conditions["seed"] = json!(seed);
    if seed % 2 == 1 {
        conditions["invisible_seconds"] = json!(INVISIBLE / 2.0);
    }
    if seed % 3 == 1 {
        conditions["stale_seconds"] = json!(STALE / 2.0);
    }
    if seed % 4 == 2 {
        conditions["throttle"] = busy()["throttle"].take();
    }
    conditions
}

/// Whether the command met what it shall ride out.
fn has_struck(surroundings: &Surroundings, stage: &Stage, calls: &[Json]) -> bool {
    let any = |fault: &str| calls.iter().any(|call| call["fault"] == fault);
    match surroundings {
        Surroundings::Busy => any("throttled"),
        // A removal makes nothing new.
        Surroundings::Unseen => stage.name == "delete" || any("invisible"),
        // Only a removal looks twice in so short a time, at the least.
        Surroundings::Stale => stage.name != "delete" || any("stale"),
        // Whoever waits asks again, and so does a listing in pages. The update of a small cluster waits for nothing.
        Surroundings::Slow if stage.name == "update" => true,
        Surroundings::Slow | Surroundings::Pages => calls.len() > stage.calls.len(),
        // Told by the faults themselves.
        Surroundings::Silent | Surroundings::Chance { .. } => true,
    }
}

/// A rule for each fault of each action that the command calls.
fn rules(stage: &Stage) -> Json {
    let actions = stage.actions();
    let rules = actions.iter().flat_map(|action| {
        FAULTS.iter().filter_map(move |fault| {
            let mut rule = (fault.rule)(action)?;
            (rule["service"], rule["action"]) = (json!(action.0), json!(action.1));
            (rule["probability"], rule["times"]) = (json!(PROBABILITY), Json::Null);
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
