//! AccessDenied on any call: the message names the permission that is missing, and once it is given the same command goes on.

use std::collections::{BTreeSet, VecDeque};
use std::slice;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Value as Json, json};

use super::{CREATE, DELETE, SPEC};
use crate::harness::Account;

pub type Action = (String, String);

/// What the policy of the operator must allow for a call: the name of the action in IAM, where it is not the call's own.
pub fn permission((service, action): &Action) -> String {
    let service = if matches!(service.as_str(), "elb" | "elbv2") { "elasticloadbalancing" } else { service };
    let action = match (service, action.as_str()) {
        ("s3", "ListObjectsV2" | "HeadBucket") => "ListBucket",
        ("s3", "ListObjectVersions") => "ListBucketVersions",
        ("s3", "DeleteObjects") => "DeleteObjectVersion",
        ("s3", "PutBucketEncryption") => "PutEncryptionConfiguration",
        ("s3", "PutPublicAccessBlock") => "PutBucketPublicAccessBlock",
        ("s3", "PutBucketLifecycleConfiguration") => "PutLifecycleConfiguration",
        (_, action) => action,
    };
    format!("{service}:{action}")
}

pub fn denial((service, action): &Action) -> Json {
    let code = match service.as_str() {
        "ec2" => "UnauthorizedOperation",
        "ssm" => "AccessDeniedException",
        _ => "AccessDenied",
    };
    json!({ "service": service, "action": action, "status": 403, "code": code, "message": "You are not authorized to do this." })
}

fn action_of(call: &Json) -> Action {
    (call["service"].as_str().unwrap().to_owned(), call["action"].as_str().unwrap().to_owned())
}

/// The actions of a clean run, in two parts: those that come for the first time before `first_change`, when nothing can have been
/// changed yet, and the others.
fn actions(calls: &[Json], first_change: &str) -> (Vec<Action>, Vec<Action>) {
    let at = calls.iter().position(|call| call["action"] == first_change).expect("the first change");
    let early: BTreeSet<Action> = calls[..at].iter().map(action_of).collect();
    let all: BTreeSet<Action> = calls.iter().map(action_of).collect();
    let late = all.difference(&early).cloned().collect();
    (early.into_iter().collect(), late)
}

/// Denies all actions, a few in one run and some runs at a time: `work` gets the actions to deny in one account and returns those
/// that the command told. What it did not come to, because something else failed before, is denied again with others.
fn deny_all(actions: &[Action], work: impl Fn(&[Action]) -> Vec<Action> + Sync) {
    const AT_ONCE: usize = 4;
    // Neighbours in the alphabet are of one service, and often need each other.
    let spread = (0..AT_ONCE * 2).flat_map(|start| actions.iter().skip(start).step_by(AT_ONCE * 2));
    let queue: Mutex<VecDeque<Action>> = Mutex::new(spread.cloned().collect());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let batch: Vec<Action> = {
                        let mut queue = queue.lock().unwrap();
                        let count = queue.len().min(AT_ONCE);
                        queue.drain(..count).collect()
                    };
                    if batch.is_empty() {
                        break;
                    }
                    let told = work(&batch);
                    assert!(!told.is_empty(), "nothing is told of {batch:?}");
                    queue.lock().unwrap().extend(batch.into_iter().filter(|action| !told.contains(action)));
                }
            });
        }
    });
}

/// Runs a command without some permissions; returns which of them it asks for.
#[track_caller]
fn denied(account: &Account, actions: &[Action], args: &[&str]) -> Vec<Action> {
    account.set_faults(&actions.iter().map(denial).collect());
    let run = account.kclust(args);
    account.set_faults(&json!([]));
    assert_eq!(run.code, 1, "{actions:?}:\n{}", run.stderr);
    let run = run.fails(1, &["You are not authorized to do this", "permission"]);
    let hint = run.stderr.rsplit_once("hint: ").map(|(_, hint)| hint).unwrap_or_default();
    let names = |action: &&Action| hint.split([' ', ',', ';', '(', ')', '\n']).any(|word| word == permission(action));
    actions.iter().filter(names).cloned().collect()
}

/// What could not be asked before the first write is a warning (`tests/it/preflight.rs`).
pub fn is_asked_by_the_preflight((service, action): &Action) -> bool {
    const QUESTIONS: [&str; 6] = [
        "SimulatePrincipalPolicy",
        "GetServiceQuota",
        "GetAWSDefaultServiceQuota",
        "DescribeAccountLimits",
        "GetAccountSummary",
        "DescribeInstanceTypeOfferings",
    ];
    QUESTIONS.contains(&action.as_str()) || (service == "ec2" && action == "DescribeInstances")
}

/// By then the work is done, and the lock of a process that has ended binds nobody: a note, not a failure.
fn gives_the_lock_back((service, action): &Action) -> bool {
    service == "s3" && action == "DeleteObject"
}

#[test]
fn create() {
    let begun = Instant::now();
    let account = Account::new();
    account.kclust(&CREATE).expect(0);
    let (early, late) = actions(&account.calls(), "CreateBucket");
    assert!(early.len() >= 20 && late.len() >= 25, "{early:?} {late:?}");
    let (questions, early): (Vec<Action>, Vec<Action>) = early.into_iter().partition(is_asked_by_the_preflight);
    assert_eq!(questions.len(), 7, "{questions:?}");
    let account = Account::new();
    let empty = account.world();
    for action in &early {
        assert_eq!(denied(&account, slice::from_ref(action), &CREATE), slice::from_ref(action));
        assert_eq!(account.world(), empty, "{action:?}");
    }
    let (last, late): (Vec<Action>, Vec<Action>) = late.into_iter().partition(gives_the_lock_back);
    deny_all(&late, |actions| {
        let account = Account::new();
        let before = account.resources();
        let told = denied(&account, actions, &CREATE);
        account.kclust(&CREATE).expect(0);
        account.has_one_whole_cluster();
        account.is_clean_after_delete(&before);
        told
    });
    let account = Account::new();
    account.set_faults(&last.iter().map(denial).collect());
    account.kclust(&["create", "-f", SPEC, "--yes"]).expect(0).says(&["the lock could not be released", "s3:DeleteObject"]);
    account.set_faults(&json!([]));
    account.kclust(&DELETE).expect(0);
    eprintln!("create: {} + {} actions in {:?}", early.len(), late.len(), begun.elapsed());
}

#[test]
fn validate() {
    let account = Account::with_cluster();
    account.kclust(&["validate"]).expect(4);
    let all: BTreeSet<Action> = account.calls().iter().map(action_of).collect();
    assert!(all.len() >= 15, "{all:?}");
    let before = account.world();
    for action in &all {
        account.set_faults(&json!([denial(action)]));
        let run = account.kclust(&["validate", "-o", "json"]);
        account.set_faults(&json!([]));
        let permission = permission(action);
        match run.code {
            1 => drop(run.fails(1, &["You are not authorized to do this", "permission", &permission])),
            // The machines of the report come from Auto Scaling; EC2 is asked for those that no group launched.
            4 if action.1 == "DescribeInstances" => assert!(run.stdout.contains("\"ready\": null"), "{}", run.stdout),
            // What cannot be looked at is one unknown check of the report; the others are worth having.
            4 => assert!(run.stdout.contains(&permission), "{action:?}: {}", run.stdout),
            code => panic!("{action:?}: {code}"),
        }
    }
    assert_eq!(account.world(), before);
    eprintln!("validate: {} actions", all.len());
}

#[test]
fn delete() {
    let begun = Instant::now();
    let account = Account::with_cluster();
    account.kclust(&DELETE).expect(0);
    let (early, late) = actions(&account.calls(), "PutObject");
    assert!(early.len() >= 15 && late.len() >= 25, "{early:?} {late:?}");
    let account = Account::with_cluster();
    let whole = account.world();
    // Tags tell whether kclust made the bucket and did not finish; who may not read them did not make it. And what cannot be asked
    // beforehand is a warning.
    let is_failure = |(_, action): &&Action| action != "GetBucketTagging" && action != "SimulatePrincipalPolicy";
    for action in early.iter().filter(is_failure) {
        assert_eq!(denied(&account, slice::from_ref(action), &DELETE), slice::from_ref(action));
        assert_eq!(account.world(), whole, "{action:?}");
    }
    deny_all(&late, |actions| {
        let account = Account::new();
        let before = account.resources();
        account.kclust(&CREATE).expect(0);
        let told = denied(&account, actions, &DELETE);
        account.is_clean_after_delete(&before);
        told
    });
    eprintln!("delete: {} + {} actions in {:?}", early.len(), late.len(), begun.elapsed());
}
