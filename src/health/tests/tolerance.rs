//! What may be missing, and what is missed nevertheless.

use jiff::SignedDuration;

use super::fixture::{group, healthy, instance, node, nodes, now};
use super::told::{find, ok, told};
use crate::health::{CheckStatus, Report, Scope, Snapshot, check};

fn tolerating(number: usize, change: impl FnOnce(&mut Snapshot)) -> Report {
    let mut snapshot = healthy();
    change(&mut snapshot);
    check(&snapshot, &Scope { allow_unready: number, ..Scope::default() })
}

fn statuses(report: &Report) -> [CheckStatus; 2] {
    [find(report, "group/workers").status, find(report, "nodes").status]
}

fn a_worker_less(snapshot: &mut Snapshot) {
    let ended = snapshot.groups.as_mut().unwrap()[3].instances.pop().unwrap().id;
    snapshot.instances.as_mut().unwrap().retain(|instance| instance.id != ended);
    nodes(snapshot).retain(|node| node.name != ended);
}

fn is_not_ready(snapshot: &mut Snapshot, node: usize) {
    nodes(snapshot)[node].not_ready = Some("NodeStatusUnknown".into());
}

const FINE: CheckStatus = CheckStatus::Ok;
const FAILED: CheckStatus = CheckStatus::Failed;

#[test]
fn groups_and_nodes_have_one_number_together() {
    let one_of_each = |snapshot: &mut Snapshot| {
        a_worker_less(snapshot);
        is_not_ready(snapshot, 3);
    };
    assert_eq!(statuses(&tolerating(1, a_worker_less)), [FINE, FINE]);
    assert_eq!(statuses(&tolerating(1, one_of_each)), [FINE, FAILED]);
    assert_eq!(statuses(&tolerating(2, one_of_each)), [FINE, FINE]);
}

#[test]
fn groups_have_one_number_together() {
    let two_groups = |snapshot: &mut Snapshot| {
        a_worker_less(snapshot);
        let mut more = snapshot.cluster.node_groups[0].clone();
        more.name = crate::spec::GroupName::parse("batch").unwrap();
        snapshot.cluster.node_groups.push(more);
        let mut batch = crate::cloud::GroupStatus { name: "batch".into(), ..group("workers") };
        batch.instances.pop();
        batch.instances.iter_mut().for_each(|member| member.id.push('9'));
        snapshot.groups.as_mut().unwrap().push(batch);
        for (id, zone) in [("i-0b19", "us-east-1a"), ("i-0b29", "us-east-1b")] {
            snapshot.instances.as_mut().unwrap().push(instance(id, "batch", zone));
            nodes(snapshot).push(node(id, "batch", zone));
        }
    };
    let report = tolerating(1, two_groups);
    assert_eq!([find(&report, "group/workers").status, find(&report, "group/batch").status], [FAILED, FAILED]);
    let report = tolerating(2, two_groups);
    assert_eq!([find(&report, "group/workers").status, find(&report, "group/batch").status], [FINE, FINE]);
}

#[test]
fn a_machine_that_both_miss_counts_once() {
    let ill = |snapshot: &mut Snapshot| {
        snapshot.groups.as_mut().unwrap()[3].instances[0].health_status = "Unhealthy".into();
        is_not_ready(snapshot, 3);
    };
    let report = tolerating(1, ill);
    assert_eq!(statuses(&report), [FINE, FINE]);
    assert_eq!(told(&report, "nodes"), ok("5 nodes Ready, 1 not Ready tolerated"));
    assert_eq!(statuses(&tolerating(0, ill)), [FAILED, FAILED]);
}

#[test]
fn control_planes_are_never_tolerated() {
    assert_eq!(find(&tolerating(9, |snapshot| is_not_ready(snapshot, 0)), "nodes").status, FAILED);
}

#[test]
fn pressure_beside_what_is_tolerated_is_a_warning() {
    let report = tolerating(1, |snapshot| {
        is_not_ready(snapshot, 3);
        nodes(snapshot)[4].pressures = vec!["DiskPressure: full".into(), "MemoryPressure: full".into()];
    });
    let (status, message, ..) = told(&report, "nodes");
    assert_eq!((status, message), (CheckStatus::Warning, "1 node not Ready, 1 node under pressure"));
}

/// What node-problem-detector says is no pressure, and not always right.
#[test]
fn a_problem_of_a_node_is_a_warning_of_its_own() {
    let report = tolerating(0, |snapshot| {
        nodes(snapshot)[3].pressures = vec!["ReadonlyFilesystem: FilesystemIsReadOnly".into(), "MemoryPressure: full".into()];
        nodes(snapshot)[4].pressures = vec!["DiskPressure: full".into()];
    });
    let (status, message, cause, _) = told(&report, "nodes");
    assert_eq!((status, message), (CheckStatus::Warning, "1 node under pressure, 1 node with a problem"));
    assert_eq!(cause.len(), 3);
}

/// What takes the place of a machine that is on its way out is missed, however Ready that one still is.
#[test]
fn a_node_that_leaves_does_not_stand_for_its_successor() {
    let report = tolerating(0, |snapshot| {
        snapshot.instances.as_mut().unwrap()[3].state = "shutting-down".into();
        let mut successor = instance("i-0b9", "workers", "us-east-1a");
        successor.launched_at = Some(now());
        snapshot.instances.as_mut().unwrap().push(successor);
    });
    let (status, message, ..) = told(&report, "nodes");
    assert_eq!((status, message), (FAILED, "1 instance without a node"));
}

/// EC2 shows them for an hour; their nodes go only when the cloud controller has seen it.
#[test]
fn the_node_of_an_instance_that_has_just_been_ended_is_not_strange() {
    let report = tolerating(0, |snapshot| {
        let mut ended = instance("i-0d9", "workers", "us-east-1a");
        ended.state = "terminated".into();
        ended.launched_at = Some(now() - SignedDuration::from_hours(30));
        snapshot.instances.as_mut().unwrap().push(ended);
        let mut left = node("i-0d9", "workers", "us-east-1a");
        left.not_ready = Some("NodeStatusUnknown".into());
        nodes(snapshot).push(left);
    });
    assert_eq!(told(&report, "nodes"), ok("6 nodes Ready"));
}
