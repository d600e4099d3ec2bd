//! kill -9 at every call: before it is sent on, after its effect and before its answer, and after its answer.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::stage::{Bench, Example, Stage};
use super::tally::{Proof, Tally, sample, try_all};
use super::{HA_PRIVATE, MINIMAL};
use crate::harness::Running;

/// When the process is killed: the call is lost, its answer is lost, or nothing is lost.
const MOMENTS: [&str; 3] = ["before", "after", "answered"];

/// One kill.
struct Kill {
    stage: usize,
    moment: &'static str,
    /// Number of the call, from 1.
    call: usize,
    /// Nobody here can tell that the process has ended: its lock is that of another machine, and runs out.
    elsewhere: bool,
}

/// So many calls apart are the points of which the lock is another machine's.
const ELSEWHERE: usize = 20;
/// A lock's time to live, and what is waited beyond it, in seconds.
const LIFETIME: u32 = 120 + 30;

fn points(bench: &Bench) -> Vec<Kill> {
    let mut points = Vec::new();
    for (stage, command) in bench.stages.iter().enumerate() {
        for call in 1..=command.calls.len() {
            points.extend(MOMENTS.map(|moment| Kill { stage, moment, call, elsewhere: false }));
            points.extend((call % ELSEWHERE == 0).then_some(Kill { stage, moment: "after", call, elsewhere: true }));
        }
    }
    points
}

fn name(bench: &Bench, kill: &Kill) -> String {
    let elsewhere = if kill.elsewhere { " elsewhere" } else { "" };
    format!("{} kill {} {}{elsewhere}", bench.stages[kill.stage].name, kill.moment, kill.call)
}

fn attempt(bench: &Bench, kill: &Kill, tally: &Tally) -> Result<Proof, String> {
    let stage = &bench.stages[kill.stage];
    bench.begin(stage);
    let Some(victim) = kill_at(bench, stage, kill) else {
        // Concurrent reads may come in fewer calls than in the undisturbed run; then it ended by itself.
        return bench.compare(stage, &bench.account.canonical_world()).map(|()| Proof::Unaided);
    };
    let at = |why: String| format!("{victim}: {why}");
    let world = bench.account.canonical_world().to_string();
    if kill.elsewhere {
        move_lock(bench);
    } else if tally.is_proven(stage.name, &world) {
        return Ok(Proof::EqualWorld);
    }
    let elapsed = converges(bench, stage).map_err(at)?;
    tally.prove(stage.name, world);
    Ok(Proof::Rerun(elapsed))
}

/// Runs the command and kills it; the call that it was killed at.
fn kill_at(bench: &Bench, stage: &Stage, kill: &Kill) -> Option<String> {
    let account = &bench.account;
    let (running, mut begin) = Running::held(&account.command(&stage.args()));
    account.set_faults(&json!([
        { "do": "kill", "where": kill.moment, "pid": running.pid(), "skip": kill.call - 1, "times": 1 }
    ]));
    begin.write_all(b"\n").unwrap();
    drop(begin);
    let code = running.wait().code;
    let calls = settled(bench);
    account.set_faults(&json!([]));
    let victim = calls.iter().find(|call| call["fault"].is_string())?;
    assert_eq!(code, -1, "it was not killed");
    Some(format!("{}:{}", victim["service"].as_str().unwrap(), victim["action"].as_str().unwrap()))
}

/// The lock that the dead process left, if it left one, is that of a machine that nobody sees, and too old.
fn move_lock(bench: &Bench) {
    let bucket = format!("kclust-state-{}", bench.account.id);
    let key = format!("{}/lock", bench.cluster);
    if bench.account.world()["s3"][bucket]["keys"].get(&key).is_none() {
        return;
    }
    let mut lock: Json = serde_json::from_str(&bench.account.state_object(&key)).unwrap();
    lock["host"] = json!("another-machine");
    bench.account.put_state_object(&key, &lock.to_string());
    bench.account.age_state_object(&key, LIFETIME + 60);
}

/// What the dead process has asked for has happened.
fn settled(bench: &Bench) -> Vec<Json> {
    let begun = Instant::now();
    loop {
        let calls = bench.account.calls();
        if calls.iter().all(|call| !call["end"].is_null()) {
            return calls;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the calls of the dead process did not end: {calls:#?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The same command, undisturbed, makes the world what it shall be.
pub fn converges(bench: &Bench, stage: &Stage) -> Result<Duration, String> {
    let begun = Instant::now();
    let run = bench.run(stage);
    let elapsed = begun.elapsed();
    if run.code != 0 {
        return Err(format!("run again, it ends with {}:\n{}", run.code, run.stderr));
    }
    bench.compare(stage, &bench.account.canonical_world())?;
    Ok(elapsed)
}

fn all(example: &'static Example, one_of: usize) {
    let counts = try_all("kills", example, |bench| sample(points(bench), one_of), name, attempt);
    // Where nothing was killed, nothing was tried.
    assert!(counts.unaided * 10 <= counts.tried, "{} of {} commands were not killed", counts.unaided, counts.tried);
}

#[test]
fn sample_of_minimal() {
    all(&MINIMAL, 60);
}

#[test]
#[ignore = "make soak"]
fn minimal() {
    all(&MINIMAL, 1);
}

#[test]
#[ignore = "make soak"]
fn ha_private() {
    all(&HA_PRIVATE, 1);
}
