//! Two processes that work on one cluster: one of them changes it, and the other is told who that is.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::interrupted::{is_change, settled};
use super::state::lock_of_alice;
use super::{CLUSTER, CREATE, DELETE, changed};
use crate::harness::{Account, Running};

/// A lock's time to live, and what is waited beyond it before somebody takes it over.
const LIFETIME: u32 = 120 + 30;

impl Account {
    /// A spec that differs from the smallest example, and the command that brings it.
    fn update(&self, max: u32) -> Vec<String> {
        let file = self.file(&format!("max-{max}.yaml"), &changed("maxSize: 2", &format!("maxSize: {max}")));
        ["update", "-f", &file, "--yes", "-q"].map(str::to_owned).to_vec()
    }

    fn start(&self, args: &[impl AsRef<str>]) -> Running {
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        Running::start(&mut self.command(&args))
    }

    fn maximum(&self) -> u32 {
        let spec = self.kclust(&["get", "spec"]).expect(0).stdout;
        let (_, rest) = spec.split_once("maxSize: ").unwrap();
        rest.lines().next().unwrap().parse().unwrap()
    }

    /// Numbers of the revisions, the newest first.
    fn revisions(&self) -> Vec<u64> {
        let history = self.kclust(&["get", "history", CLUSTER, "-o", "json"]).expect(0).json();
        history.as_array().unwrap().iter().map(|line| line["revision"].as_u64().unwrap()).collect()
    }
}

#[test]
fn two_operators_at_once() {
    let account = Account::new();
    account.set_faults(&json!([{ "service": "ec2", "action": "CreateVpc", "do": "hold" }]));
    let first = Running::start(&mut account.command(&CREATE));
    account.wait_for_calls("the first create", |calls| calls.iter().any(|call| call["action"] == "CreateVpc"));
    let user = format!("arn:aws:iam::{}", account.id);
    account.kclust(&CREATE).fails(5, &["dev.k8s.local is locked: tester@", "`kclust create`", &user, "since 20", "wait until"]);
    account.kclust(&["delete", CLUSTER, "--yes", "-q"]).fails(5, &["is locked: tester@", "`kclust create`"]);
    account.set_faults(&json!([]));
    first.wait().expect(0);
    account.has_one_whole_cluster();
}

/// Both are asked before either holds the lock: whoever is later sees that its plan is old.
#[test]
fn two_operators_who_begin_together() {
    let account = Account::new();
    let before = account.resources();
    let runs: Vec<Running> = (0..2).map(|_| Running::start(&mut account.command(&CREATE))).collect();
    let mut codes: Vec<i32> = runs.into_iter().map(|run| run.wait().says(&[]).code).collect();
    codes.sort_unstable();
    // The other one was locked out, or found that everything was done, or that the state changed under its plan.
    assert!(matches!(codes[..], [0, 0 | 5]), "{codes:?}");
    account.has_one_whole_cluster();
    account.is_clean_after_delete(&before);
}

/// The loser's update is not lost without a word: it fails, and the history holds exactly those that did not.
#[test]
fn two_updates_that_begin_together() {
    let account = Account::with_cluster();
    let mut done = 0;
    for round in 0..3 {
        let bounds = [10 + round * 2, 11 + round * 2];
        let runs = bounds.map(|max| (max, account.start(&account.update(max))));
        let ended = runs.map(|(max, run)| (max, run.wait().says(&[])));
        for (max, run) in &ended {
            assert!(matches!(run.code, 0 | 5), "{max}: {}", run.stderr);
            let reason = ["is locked: tester@", "was changed by "];
            assert!(run.code == 0 || reason.iter().any(|reason| run.stderr.contains(reason)), "{}", run.stderr);
        }
        let won: Vec<u32> = ended.iter().filter(|(_, run)| run.code == 0).map(|(max, _)| *max).collect();
        done += won.len() as u64;
        assert!(!won.is_empty() && won.contains(&account.maximum()), "{won:?}");
        assert_eq!(account.revisions(), (1..=1 + done).rev().collect::<Vec<_>>());
    }
}

#[test]
fn an_update_and_a_delete_that_begin_together() {
    for first in ["update", "delete"] {
        let account = Account::new();
        let before = account.resources();
        account.kclust(&CREATE).expect(0);
        let (update, delete) = match first {
            "update" => (account.start(&account.update(7)), account.start(&DELETE)),
            _ => {
                let delete = account.start(&DELETE);
                (account.start(&account.update(7)), delete)
            }
        };
        let (update, delete) = (update.wait().says(&[]), delete.wait().says(&[]));
        assert!(update.code == 0 || delete.code == 0, "{} {}", update.stderr, delete.stderr);
        for run in [&update, &delete] {
            assert!(matches!(run.code, 0 | 1 | 5), "{}", run.stderr);
        }
        if delete.code == 0 {
            assert_eq!(account.resources(), before, "{}", update.stderr);
            assert_eq!(account.state_keys(), Vec::<String>::new());
        } else {
            assert_eq!(account.maximum(), 7);
            account.is_clean_after_delete(&before);
        }
    }
}

impl Account {
    /// A command that has looked at the account and stands still before it takes the lock: at its question of the simulator, or at
    /// its look for what is in the way.
    fn paused_before_the_lock(&self, args: &[impl AsRef<str>]) -> Running {
        self.forget_calls();
        let last_look = if args[0].as_ref() == "delete" { "DescribeVpcPeeringConnections" } else { "SimulatePrincipalPolicy" };
        self.set_faults(&json!([{ "action": last_look, "do": "hold", "times": 1 }]));
        let running = self.start(args);
        self.wait_for_calls("the last look", |calls| calls.iter().any(|call| call["action"] == last_look));
        // A process that stands still does not lose its patience.
        running.signal("STOP");
        running
    }

    /// Something for an update to do.
    fn take_a_tag_away(&self) {
        let world = self.world();
        let vpcs = world["regions"]["us-east-1"]["vpcs"].as_object().unwrap();
        let id = vpcs.keys().next().unwrap();
        self.form("ec2", "us-east-1", &format!("Action=DeleteTags&Version=2016-11-15&ResourceId.1={id}&Tag.1.Key=Name"));
    }
}

/// Both have their plan, and one of them carries it out: that of the other is of a world that is not there any more, also where no
/// spec was written.
#[test]
fn a_plan_that_was_overtaken_is_not_carried_out() {
    let account = Account::with_cluster();
    let update = ["update", CLUSTER, "--yes", "-q"].map(str::to_owned).to_vec();
    let delete = DELETE.map(str::to_owned).to_vec();
    for (late, fast, did) in [
        (&update, &update, "update"),
        (&delete, &account.update(7), "update"),
        (&delete, &update, "update"),
        (&update, &delete, "delete"),
        (&delete, &delete, "delete"),
    ] {
        println!("{late:?} while {fast:?}");
        if account.state_keys().is_empty() {
            account.kclust(&CREATE).expect(0);
        }
        account.take_a_tag_away();
        let late = account.paused_before_the_lock(late);
        Running::start(&mut account.command(&fast.iter().map(String::as_str).collect::<Vec<_>>())).wait().expect(0);
        if did == "delete" {
            account.kclust(&CREATE).expect(0);
        }
        let before = account.resources();
        account.set_faults(&json!([]));
        late.signal("CONT");
        let by = format!(" as arn:aws:iam::{}", account.id);
        let did = if did == "delete" { "create" } else { did };
        let words =
            ["cluster dev.k8s.local was changed by tester@", &by, &format!("(`kclust {did}` of 20"), "nothing was changed"];
        late.wait().fails(5, &words);
        assert!(account.resources() == before, "an old plan was carried out");
    }
}

/// The holder's machine stands still. Its lock is somebody's until it has run out by the clock of the store, and nobody's after.
#[test]
fn a_lock_that_has_run_out_is_taken_over() {
    let account = Account::new();
    let before = account.resources();
    account.set_faults(&json!([{ "change": true, "latency_ms": 100 }]));
    let stopped = account.start(&CREATE);
    account.wait_for_calls("some changes", |calls| calls.iter().filter(|call| is_change(call)).count() >= 10);
    stopped.signal("STOP");
    settled(&account);
    account.set_faults(&json!([]));
    let lock = format!("{CLUSTER}/lock");
    account.kclust(&CREATE).fails(5, &["is locked: tester@", "`kclust create`", "since 20", "taken over by the next command in"]);
    account.age_state_object(&lock, 10);
    account.kclust(&DELETE).fails(5, &["is locked: tester@"]);
    account.age_state_object(&lock, LIFETIME);
    let words = ["took over the lock of tester@", "whose `kclust create` of 20", "did not finish"];
    account.kclust(&["create", "-f", super::SPEC, "--yes"]).expect(0).says(&words);
    stopped.signal("KILL");
    stopped.wait().expect(-1);
    account.has_one_whole_cluster();
    account.is_clean_after_delete(&before);
}

/// Whoever finds that its lock is another's stops there, and says whose it is.
#[test]
fn a_holder_whose_lock_was_taken_over_stops() {
    let account = Account::new();
    // Longer than until the next renewal, in two calls that follow each other.
    account.set_faults(&json!([
        { "service": "ec2", "action": "CreateLaunchTemplate", "latency_ms": 25_000 },
        { "service": "autoscaling", "action": "CreateAutoScalingGroup", "latency_ms": 25_000 },
    ]));
    let holder = account.start(&CREATE);
    account.wait_for_calls("templates", |calls| calls.iter().any(|call| call["action"] == "CreateLaunchTemplate"));
    account.put_state_object(&format!("{CLUSTER}/lock"), &lock_of_alice());
    let words = [
        "the lock of cluster dev.k8s.local was lost: the lock was taken over by alice@laptop (`kclust update`)",
        "nothing more was changed; look who else works on the cluster",
    ];
    holder.wait().fails(1, &words);
    let calls = account.calls();
    let refused =
        |call: &&Json| call["action"] == "PutObject" && call["code"] == "PreconditionFailed" && call["n"].as_u64() > Some(60);
    let renewal = calls.iter().filter(refused).next_back().expect("a renewal that was refused");
    // Whose lock it is it reads next, and until then it is in the right.
    let looked = |call: &&Json| call["action"] == "GetObject" && call["n"].as_u64() > renewal["n"].as_u64();
    let known = calls.iter().find(looked).and_then(|call| call["end"].as_f64()).expect("a look at the lock") + 1.0;
    let after = |call: &&Json| is_change(call) && call["start"].as_f64() > Some(known);
    assert_eq!(calls.iter().find(after), None, "it went on");
    assert_eq!(account.state_object(&format!("{CLUSTER}/lock")), lock_of_alice(), "another's lock is left alone");
}

mod soak {
    use super::*;

    /// A holder that was stopped for longer than its lock lives, while others took over and finished, does nothing more when it goes on.
    #[test]
    #[ignore = "waits for minutes: `make soak`"]
    fn a_holder_that_was_stopped_does_nothing_more() {
        for (case, work, others) in [
            ("create, then create", &CREATE[..], &CREATE[..]),
            ("create, then delete", &CREATE, &DELETE),
            ("delete, then delete", &DELETE, &DELETE),
        ] {
            println!("{case}");
            let account = Account::new();
            let before = account.resources();
            if work == DELETE {
                account.kclust(&CREATE).expect(0);
                account.forget_calls();
            }
            account.set_faults(&json!([{ "change": true, "latency_ms": 300 }]));
            let stopped = account.start(work);
            account.wait_for_calls("some changes", |calls| calls.iter().filter(|call| is_change(call)).count() >= 12);
            stopped.signal("STOP");
            settled(&account);
            account.set_faults(&json!([]));
            // Its own clock decides for the holder, and the store's for others.
            sleep(Duration::from_secs(121));
            account.age_state_object(&format!("{CLUSTER}/lock"), 60);
            account.kclust(others).expect(0);
            let after = account.resources();
            account.forget_calls();
            stopped.signal("CONT");
            stopped.wait().fails(
                1,
                &[
                    "the lock of cluster dev.k8s.local was lost: the lock could not be renewed in time",
                    "this process was stopped",
                ],
            );
            let calls = account.calls();
            assert_eq!(calls.iter().find(|call| is_change(call)), None, "{case}: it went on");
            assert_eq!(account.resources(), after);
            if others == DELETE {
                assert_eq!(after, before, "{case}");
                assert_eq!(account.state_keys(), Vec::<String>::new());
            } else {
                account.has_one_whole_cluster();
                account.is_clean_after_delete(&before);
            }
        }
    }
}
