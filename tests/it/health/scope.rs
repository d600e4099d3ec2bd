//! What is looked at, and what is tolerated.

use serde_json::json;

use super::{Healthy, names, says};

#[test]
fn one_group_only() {
    let cluster = Healthy::ha();
    let slot = cluster.instance_of("cp-1");
    cluster.api.objects().remove("Node", |node| node["metadata"]["name"] == slot.as_str());
    let report = cluster.validate(&["--group", "workers"]).expect(0).json();
    assert_eq!(names(&report, "ok"), ["state", "resources", "group/workers", "api", "nodes", "versions"]);
    assert_eq!(report["nodes"].as_array().unwrap().len(), 3);
    let report = cluster.validate(&["--group", "workers", "--group", "cp-1"]).expect(3).json();
    assert_eq!(names(&report, "failed"), ["nodes"]);
    let run = cluster.validate(&["--group", "wrokers"]).expect(2);
    assert!(run.stderr.contains("has no group wrokers") && run.stderr.contains("cp-1, cp-2, cp-3, workers"), "{}", run.stderr);
}

#[test]
fn so_many_may_be_missing() {
    let cluster = Healthy::minimal();
    let worker = cluster.instance_of("workers");
    cluster.api.objects().remove("Node", |node| node["metadata"]["name"] == worker.as_str());
    cluster.fails(&["nodes"]);
    let report = cluster.validate(&["--allow-unready", "1"]).expect(0).json();
    says(&report, "nodes", &["2 nodes Ready, 1 not Ready tolerated"]);
    // A control plane is not one of them.
    let slot = cluster.instance_of("cp-1");
    cluster.api.objects().remove("Node", |node| node["metadata"]["name"] == slot.as_str());
    cluster.validate(&["--allow-unready", "2"]).expect(3);
}

/// The autoscaler wants one more: its instance boots, and nobody misses it.
#[test]
fn a_group_that_scales_up_is_healthy() {
    let cluster = Healthy::ha();
    let c = &cluster.cluster;
    let call = c.autoscaling.set_desired_capacity().auto_scaling_group_name(c.id("AutoscalingGroup/workers")).desired_capacity(5);
    c.run(call.send());
    let report = cluster.validate(&[]).expect(0).json();
    says(&report, "nodes", &["6 nodes Ready, 2 booting"]);
    says(&report, "group/workers", &["5 of 5"]);
}

/// It wants one more, and AWS has none: that is told.
#[test]
fn a_group_that_cannot_scale_up_is_not() {
    let cluster = Healthy::ha();
    let c = &cluster.cluster;
    let message = "We currently do not have sufficient m6i.xlarge capacity in the Availability Zone you requested (us-east-1a).";
    c.account.set_faults(&json!([{ "service": "autoscaling", "action": "LaunchInstance", "message": message }]));
    let call = c.autoscaling.set_desired_capacity().auto_scaling_group_name(c.id("AutoscalingGroup/workers")).desired_capacity(4);
    c.run(call.send());
    says(&cluster.fails(&["group/workers"]), "group/workers", &["3 of 4 instances in service", "no capacity"]);
}
