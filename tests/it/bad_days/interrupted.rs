//! Commands that end before their work is done, and what the same command does then.

use std::io::Write as _;

use serde_json::{Value as Json, json};

use super::{CLUSTER, CREATE, DELETE, SPEC, changed};
use crate::harness::{Account, Running};

/// Starts a command and waits until it is in the middle: some changes of the network are made, and the next ones are held.
fn begun(account: &Account, args: &[&str]) -> Running {
    account.set_faults(&json!([{ "service": "ec2", "change": true, "do": "hold", "skip": 8 }]));
    let running = Running::start(&mut account.command(args));
    account.wait_for_calls("a change that is held", |calls| calls.iter().any(|call| call["fault"] == "hold before"));
    running
}

/// Starts a command that is killed at its n-th call, with others in flight.
fn killed_at(account: &Account, args: &[&str], count: usize) {
    let (running, mut begin) = Running::held(&account.command(args));
    let kill = json!({ "do": "kill", "pid": running.pid(), "skip": count - 1, "times": 1 });
    account.set_faults(&json!([{ "latency_ms": 40 }, kill]));
    begin.write_all(b"\n").unwrap();
    running.wait().expect(-1);
    settled(account);
    account.set_faults(&json!([]));
}

pub(super) fn is_change(call: &Json) -> bool {
    let action = call["action"].as_str().unwrap();
    call["service"] != "s3" && !["Describe", "Get", "List", "Simulate"].iter().any(|verb| action.starts_with(verb))
}

/// Waits until nobody is asking any more: what a dead process had asked for has happened by then.
pub(super) fn settled(account: &Account) {
    account.wait_for_calls("the end of all calls", |calls| calls.iter().all(|call| !call["end"].is_null()));
}

#[test]
fn ctrl_c_while_a_cluster_is_made() {
    let account = Account::new();
    let before = account.resources();
    let running = begun(&account, &CREATE);
    running.signal("INT");
    running.wait_for_words("press Ctrl-C again to stop at once");
    account.set_faults(&json!([]));
    let words = [
        "interrupted: create of dev.k8s.local is not finished",
        "not done: ",
        "steps;",
        "run the same command again to go on, or `kclust delete dev.k8s.local` to remove what exists",
    ];
    running.wait().fails(130, &words);
    assert!(!account.state_keys().contains(&format!("{CLUSTER}/lock")), "the lock was not released");
    account.kclust(&CREATE).expect(0);
    account.has_one_whole_cluster();
    account.is_clean_after_delete(&before);
}

#[test]
fn ctrl_c_while_a_cluster_is_deleted() {
    let account = Account::new();
    let before = account.resources();
    account.kclust(&CREATE).expect(0);
    account.forget_calls();
    let running = begun(&account, &DELETE);
    running.signal("TERM");
    running.wait_for_words("press Ctrl-C again to stop at once");
    account.set_faults(&json!([]));
    running.wait().fails(130, &["interrupted: delete of dev.k8s.local is not finished", "run the same command again"]);
    account.is_clean_after_delete(&before);
}

/// Before anything is changed there is nothing to wait for.
#[test]
fn ctrl_c_before_anything_is_changed() {
    let account = Account::new();
    let before = account.world();
    account.set_faults(&json!([{ "service": "ec2", "action": "DescribeVpcs", "do": "hang" }]));
    let running = Running::start(&mut account.command(&CREATE));
    account.wait_for_calls("the first look", |calls| calls.iter().any(|call| call["action"] == "DescribeVpcs"));
    running.signal("INT");
    let run = running.wait();
    // The shell shows a process that a signal ended as 128 + 2.
    assert!(matches!(run.code, -1 | 130), "{}", run.code);
    assert_eq!(run.stdout, "");
    settled(&account);
    assert_eq!(account.world(), before);
}

/// An impatient operator: the second Ctrl-C ends the command at once, and the next one takes up from there.
#[test]
fn ctrl_c_twice() {
    let account = Account::new();
    let running = begun(&account, &CREATE);
    running.signal("INT");
    running.wait_for_words("press Ctrl-C again to stop at once");
    running.signal("INT");
    let run = running.wait().expect(130);
    assert_eq!(run.stdout, "");
    account.set_faults(&json!([]));
    settled(&account);
    account.kclust(&CREATE).expect(0).says(&[]);
    account.has_one_whole_cluster();
}

/// Killed after the n-th call, whatever it is: the lock is taken over at once, since its process is known to be dead, and nothing
/// is made twice.
#[test]
fn killed_while_a_cluster_is_made() {
    for count in [24, 36, 48, 60, 75, 90, 105] {
        let account = Account::new();
        let before = account.resources();
        killed_at(&account, &CREATE, count);
        let locked = account.state_keys().contains(&format!("{CLUSTER}/lock"));
        let again = account.kclust(&["create", "-f", SPEC, "--yes"]).expect(0);
        assert_eq!(again.stderr.contains("took over the lock of tester@"), locked, "{}", again.stderr);
        account.has_one_whole_cluster();
        account.is_clean_after_delete(&before);
    }
}

#[test]
fn killed_while_a_cluster_is_deleted() {
    for count in [40, 70, 100, 130] {
        let account = Account::new();
        let before = account.resources();
        account.kclust(&CREATE).expect(0);
        account.forget_calls();
        killed_at(&account, &DELETE, count);
        account.is_clean_after_delete(&before);
    }
}

/// Killed while it removes the state, at each call of that: no resource is left to find the cluster by, and the rest goes all the same.
#[test]
fn killed_while_the_state_is_removed() {
    let account = Account::new();
    account.kclust(&CREATE).expect(0);
    account.snapshot("created");
    account.forget_calls();
    account.kclust(&DELETE).expect(0);
    let purges = account.calls().iter().filter(|call| call["action"] == "DeleteObjects").count();
    assert!(purges >= 3, "{purges}");
    for skip in 0..purges {
        account.restore("created");
        let (running, mut begin) = Running::held(&account.command(&DELETE));
        let rule = json!({ "service": "s3", "action": "DeleteObjects", "do": "kill", "where": "after", "pid": running.pid(), "skip": skip, "times": 1 });
        account.set_faults(&json!([rule]));
        begin.write_all(b"\n").unwrap();
        running.wait().expect(-1);
        settled(&account);
        account.set_faults(&json!([]));
        account.kclust(&[&DELETE[..], &["--ignore-not-found", "--region", "us-east-1"]].concat()).expect(0);
        assert_eq!(account.state_keys(), Vec::<String>::new(), "killed at purge {skip}");
    }
}

/// Killed while it takes a tag of the spec away, and by then the spec in the state is the new one: the tag goes all the same.
#[test]
fn killed_while_a_tag_is_removed() {
    let tag = |world: &Json| {
        let vpcs = world["regions"]["us-east-1"]["vpcs"].as_object().unwrap();
        vpcs.values().next().unwrap()["tags"]["team"].clone()
    };
    let account = Account::new();
    let tagged = account.file("tagged.yaml", &changed("spec:", "spec:\n  tags: {team: ml}"));
    account.kclust(&["create", "-f", &tagged, "--yes", "-q"]).expect(0);
    assert_eq!(tag(&account.world()), "ml");
    let (running, mut begin) = Running::held(&account.command(&["update", "-f", SPEC, "--yes", "-q"]));
    let untag = json!({ "service": "ec2", "action": "DeleteTags", "do": "kill", "pid": running.pid(), "times": 1 });
    account.set_faults(&json!([untag]));
    begin.write_all(b"\n").unwrap();
    running.wait().expect(-1);
    settled(&account);
    account.set_faults(&json!([]));
    account.kclust(&["update", CLUSTER, "--yes", "-q"]).expect(0);
    assert_eq!(tag(&account.world()), Json::Null);
    account.has_one_whole_cluster();
    let facts: Json = serde_json::from_str(&account.state_object(&format!("{CLUSTER}/facts.json"))).unwrap();
    assert_eq!(facts["facts"]["userTags"], json!([]));
}

/// Killed when nothing is left to do but to say so: the same command ends it, and does nothing else.
#[test]
fn killed_with_its_last_call() {
    // Its bucket is there before, as it is then.
    let account = Account::with_cluster();
    account.kclust(&DELETE).expect(0);
    account.forget_calls();
    account.kclust(&CREATE).expect(0);
    let calls = account.calls().len();
    account.kclust(&DELETE).expect(0);
    for skip in [calls - 2, calls - 1] {
        let (running, mut begin) = Running::held(&account.command(&CREATE));
        account.set_faults(&json!([{ "do": "kill", "pid": running.pid(), "skip": skip, "times": 1 }]));
        begin.write_all(b"\n").unwrap();
        running.wait().expect(-1);
        settled(&account);
        account.set_faults(&json!([]));
        assert!(account.state_keys().contains(&format!("{CLUSTER}/lock")));
        let resources = account.resources();
        account.kclust(&["create", "-f", SPEC]).expect(0);
        assert_eq!(account.resources(), resources);
        let ledger: Json = serde_json::from_str(&account.state_object(&format!("{CLUSTER}/ledger.json"))).unwrap();
        assert!(ledger["finishedAt"].is_string(), "the ledger is open: {ledger}");
        account.has_one_whole_cluster();
        account.kclust(&DELETE).expect(0);
    }
}

/// Killed with its first call, and deleted at once: what was made is not to be seen yet, and the state that knows of it stays until it
/// would be.
#[test]
fn what_a_killed_create_made_last_is_removed() {
    let account = Account::new();
    let before = account.resources();
    let (running, mut begin) = Running::held(&account.command(&CREATE));
    let kill =
        json!({ "service": "ec2", "action": "CreateVpc", "do": "kill", "where": "after", "pid": running.pid(), "times": 1 });
    account.set_faults(&json!([kill]));
    account.set_conditions(&json!({ "invisible_seconds": 100_000 }));
    begin.write_all(b"\n").unwrap();
    running.wait().expect(-1);
    settled(&account);
    account.set_faults(&json!([]));
    account.forget_calls();
    let delete = Running::start(&mut account.command(&DELETE));
    // Each of the two looks, that for the plan and that of the first pass, ends with these.
    let ended =
        |calls: &[Json], action: &str| calls.iter().filter(|call| call["action"] == action && !call["end"].is_null()).count();
    account.wait_for_calls("two looks at nothing", |calls| {
        ended(calls, "DescribeSnapshots") >= 2 && ended(calls, "DescribeVpcs") >= 2
    });
    settled(&account);
    account.set_conditions(&json!({}));
    delete.wait().expect(0);
    assert_eq!(account.resources(), before);
}

/// Calls that take effect and whose answers are lost.
#[test]
fn answers_that_are_lost() {
    let account = Account::new();
    let before = account.resources();
    let lost = |service: &str, action: &str| json!({ "service": service, "action": action, "status": 500, "code": "InternalError", "where": "after", "times": 1 });
    account.set_faults(&json!([
        lost("ec2", "CreateVpc"),
        lost("ec2", "CreateSubnet"),
        lost("ec2", "CreateInternetGateway"),
        lost("ec2", "CreateSecurityGroup"),
        lost("ec2", "AllocateAddress"),
        lost("ec2", "CreateVolume"),
        lost("ec2", "CreateNetworkInterface"),
        lost("ec2", "CreateLaunchTemplate"),
        lost("ec2", "CreateRouteTable"),
        lost("ec2", "AuthorizeSecurityGroupIngress"),
        lost("iam", "CreateRole"),
        lost("iam", "CreateInstanceProfile"),
        lost("elbv2", "CreateLoadBalancer"),
        lost("elbv2", "CreateTargetGroup"),
        lost("elbv2", "CreateListener"),
        lost("autoscaling", "CreateAutoScalingGroup"),
        lost("s3", "CreateBucket"),
        lost("s3", "PutObject"),
    ]));
    account.kclust(&CREATE).expect(0);
    account.has_one_whole_cluster();
    account.is_clean_after_delete(&before);
}

/// EBS refuses the repetition of a change that it is carrying out.
#[test]
fn an_answer_to_a_change_of_a_volume_that_is_lost() {
    let account = Account::with_cluster();
    let larger = changed("  network:", "  controlPlane: {etcdVolume: {sizeGiB: 30}}\n  network:");
    let file = account.file("larger.yaml", &larger);
    let lost = json!({ "service": "ec2", "action": "ModifyVolume", "status": 500, "code": "InternalError", "where": "after", "times": 1 });
    account.set_faults(&json!([lost]));
    account.kclust(&["update", "-f", &file, "--yes", "-q"]).expect(0);
    assert!(account.calls().iter().any(|call| call["code"] == "IncorrectModificationState"), "it was not sent again");
    account.kclust(&["update", CLUSTER, "--dry-run", "--detailed-exitcode"]).expect(0);
}

/// A failure late in the way: most of the cluster exists. Deleting it leaves the account as it was.
#[test]
fn a_half_made_cluster_is_deleted() {
    for (service, action) in [("autoscaling", "CreateAutoScalingGroup"), ("elbv2", "CreateListener"), ("ec2", "CreateSubnet")] {
        let account = Account::new();
        let before = account.resources();
        let fault = json!([{ "service": service, "action": action, "code": "ValidationError", "message": "it cannot be" }]);
        account.set_faults(&fault);
        let words =
            ["create of dev.k8s.local did not finish", "could not create ", "it cannot be", "kclust delete dev.k8s.local"];
        account.kclust(&CREATE).fails(1, &words);
        assert_ne!(account.resources(), before, "nothing was made that delete could remove");
        account.set_faults(&json!([]));
        account.is_clean_after_delete(&before);
    }
}

#[test]
fn a_create_that_failed_is_taken_up() {
    let account = Account::new();
    let fault =
        json!([{ "service": "ec2", "action": "CreateLaunchTemplate", "code": "InvalidParameterValue", "message": "why" }]);
    account.set_faults(&fault);
    let words = ["could not create LaunchTemplate/cp-1", "not tried, because they need what failed: AutoscalingGroup/cp-1"];
    account.kclust(&CREATE).fails(1, &words);
    account.set_faults(&json!([]));
    account.forget_calls();
    account.kclust(&CREATE).expect(0);
    let calls = account.calls();
    assert!(!calls.iter().any(|call| call["action"] == "CreateVpc"), "what exists is not made again");
    account.has_one_whole_cluster();
}
