//! What could not be seen is not known: neither well nor ill.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::fixture::{MACHINES, after, instance, nodes, now, system};
use crate::cloud::GroupStatus;
use crate::health::{Check, CheckStatus, KubernetesView, Report, Scope, Snapshot};
use crate::store::NodeStatus;

fn find<'a>(report: &'a Report, name: &str) -> &'a Check {
    report.checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no check {name}"))
}

fn of<'a>(report: &'a Report, status: CheckStatus) -> Vec<&'a str> {
    report.checks.iter().filter(|check| check.status == status).map(|check| check.name.as_str()).collect()
}

fn workers(snapshot: &mut Snapshot) -> &mut GroupStatus {
    &mut snapshot.groups.as_mut().unwrap()[3]
}

#[test]
fn without_the_world_nothing_is_missing() {
    let report = after(|snapshot| {
        snapshot.drift = Err("could not observe the cluster's resources: ec2:DescribeSubnets: UnauthorizedOperation: no".into());
        snapshot.world = Default::default();
    });
    assert_eq!(of(&report, CheckStatus::Failed), Vec::<&str>::new());
    assert_eq!(of(&report, CheckStatus::Unknown), ["resources", "targets", "dns"]);
    assert_eq!(of(&report, CheckStatus::Skipped), ["addons"]);
    assert!(find(&report, "resources").cause.as_ref().unwrap().contains("ec2:DescribeSubnets"));
}

/// It has what the spec wants at least and wants one more: whether AWS launches it, only its activities tell.
#[test]
fn a_group_whose_activities_nobody_saw_is_not_said_to_be_launching() {
    let wants_more = |failure: Result<Option<String>, String>| {
        after(move |snapshot| {
            let workers = workers(snapshot);
            workers.desired_capacity += 1;
            workers.last_failure = failure;
        })
    };
    assert_eq!(find(&wants_more(Ok(None)), "group/workers").status, CheckStatus::Ok);
    let report = wants_more(Err(GroupStatus::NOT_ASKED.into()));
    let check = find(&report, "group/workers");
    assert_eq!(check.status, CheckStatus::Unknown, "{check:?}");
    assert_eq!(check.cause.as_deref(), Some(GroupStatus::NOT_ASKED));
}

#[test]
fn nothing_is_said_of_activities_that_nobody_saw() {
    let report = after(|snapshot| {
        let workers = workers(snapshot);
        workers.instances.pop();
        workers.last_failure = Err("autoscaling:DescribeScalingActivities: AccessDenied: no".into());
    });
    let check = find(&report, "group/workers");
    assert_eq!((check.status, check.cause.as_deref()), (CheckStatus::Failed, None), "{check:?}");
    assert!(check.evidence[0].contains("DescribeScalingActivities"), "{check:?}");
}

#[test]
fn a_group_that_was_scaled_by_hand_says_so() {
    let report = after(|snapshot| {
        let workers = workers(snapshot);
        workers.instances.pop();
        (workers.min_size, workers.desired_capacity) = (0, 2);
    });
    let check = find(&report, "group/workers");
    let words = "its desired capacity is 2, below minSize 3 of the spec (see resources)";
    assert_eq!((check.status, check.cause.as_deref()), (CheckStatus::Failed, Some(words)));
    assert!(check.todo.as_ref().unwrap().contains("kclust update"), "{check:?}");
}

#[test]
fn of_a_machine_that_nobody_asked_nothing_is_said() {
    let absent = |asked: bool| {
        after(move |snapshot| {
            nodes(snapshot).pop();
            if asked {
                snapshot.asked.insert(MACHINES[5].0.into());
            }
        })
    };
    let (asked, unasked) = (absent(true), absent(false));
    let cause = |report: &Report| find(report, "nodes").cause.clone().unwrap();
    assert_eq!(cause(&asked), "i-0b3 (workers): running for 24 h, but not a node, and it has told nothing");
    assert_eq!(cause(&unasked), "i-0b3 (workers): running for 24 h, but not a node");
}

/// A permission that is missing is no silence of the machine.
#[test]
fn what_a_machine_told_and_nobody_may_read_is_said() {
    let words = "i-0b3: what it told of its boot could not be read: s3:GetObject: AccessDenied";
    let with = |reachable: bool| {
        after(move |snapshot| {
            snapshot.unread.insert(MACHINES[5].0.into(), "s3:GetObject: AccessDenied".into());
            nodes(snapshot).pop();
            if !reachable {
                snapshot.kubernetes = KubernetesView::Skipped { reason: "it has no address".into() };
            }
        })
    };
    for report in [with(true), with(false)] {
        assert_eq!(find(&report, "nodes").evidence, [words]);
    }
}

/// Those whose last word is read are those that are shown.
#[test]
fn the_oldest_machines_are_asked_and_shown_first() {
    let mut shown = Vec::new();
    let report = after(|snapshot| {
        nodes(snapshot).retain(|node| node.control_plane);
        let instances = snapshot.instances.as_mut().unwrap();
        for number in 0_u32..30 {
            let launched = now() - SignedDuration::from_hours(1) + SignedDuration::from_mins(i64::from(29 - number));
            instances.push(crate::cloud::InstanceStatus {
                launched_at: Some(launched),
                ..instance(&format!("i-1{number:02}"), "workers", "us-east-1a")
            });
        }
        let unjoined: Vec<String> = snapshot.unjoined(&Scope::default()).into_iter().take(20).map(str::to_owned).collect();
        assert_eq!(unjoined[..4], ["i-0b1", "i-0b2", "i-0b3", "i-129"]);
        for id in &unjoined {
            let status = NodeStatus {
                instance: id.clone(),
                role: "worker".into(),
                group: "workers".into(),
                step: "images".into(),
                since: now().to_string(),
                error: None,
            };
            snapshot.statuses.insert(id.clone(), status);
        }
        snapshot.asked = BTreeSet::from_iter(unjoined.iter().cloned());
        shown = unjoined;
        let scope = Scope { groups: vec!["cp-1".into()], ..Scope::default() };
        assert_eq!(snapshot.unjoined(&scope), Vec::<&str>::new());
    });
    let cause = find(&report, "nodes").cause.clone().unwrap();
    let lines: Vec<&str> = cause.lines().collect();
    assert!(
        lines[..10].iter().zip(&shown).all(|(line, id)| line.starts_with(id) && line.contains("its boot stands at")),
        "{cause}"
    );
    assert_eq!(lines[10], "and 23 more");
}

#[test]
fn an_api_that_does_not_tell_whether_it_is_ready_is_not_known_to_be() {
    let report = after(|snapshot| system(snapshot).failing = Err("HTTP 403: forbidden".into()));
    let api = find(&report, "api");
    assert_eq!((api.status, api.cause.as_deref()), (CheckStatus::Unknown, Some("HTTP 403: forbidden")));
}
