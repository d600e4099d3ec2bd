//! `--wait`: Kubernetes is watched, AWS is asked little.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::{Healthy, names};
use crate::harness::Running;

/// Calls of a tick: everything but what the first look asked.
const PER_TICK: usize = 4;

#[test]
fn it_ends_when_the_last_node_is_there() {
    let cluster = Healthy::minimal();
    let worker = cluster.instance_of("workers");
    let node =
        cluster.api.objects().of_kind("Node").into_iter().find(|node| node["metadata"]["name"] == worker.as_str()).unwrap();
    cluster.api.objects().remove("Node", |node| node["metadata"]["name"] == worker.as_str());
    let mut command = cluster.command(&["--wait", "5m", "-o", "ndjson"]);
    let waiting = Running::start(&mut command);
    // It watches from the first tick on.
    await_requests(&cluster, |path| path.starts_with("/api/v1/nodes?") && path.contains("watch=true"));
    cluster.api.forget_requests();
    cluster.api.objects().put(node);
    let run = waiting.wait().expect(0);
    let lines: Vec<Json> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = &lines[lines.len() - 1]["result"];
    assert_eq!(last["status"], json!("healthy"));
    let of_nodes: Vec<&Json> = lines.iter().map(|line| &line["check"]).filter(|check| check["name"] == "nodes").collect();
    let states: Vec<&str> = of_nodes.iter().map(|check| check["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["failed", "ok"]);
    assert!(lines.iter().all(|line| line["time"].is_string()));
    let listed = cluster
        .api
        .requests()
        .iter()
        .filter(|request| request.path.starts_with("/api/v1/nodes?") && !request.path.contains("watch"))
        .count();
    assert_eq!(listed, 0, "the nodes were listed again");
    assert!(run.stderr.contains("nodes: FAILED: 1 instance without a node") || run.stderr.is_empty(), "{}", run.stderr);
}

#[test]
fn a_tick_costs_little_and_the_time_ends() {
    let cluster = Healthy::minimal();
    let worker = cluster.instance_of("workers");
    cluster.api.objects().remove("Node", |node| node["metadata"]["name"] == worker.as_str());
    let targets = |calls: &[Json]| calls.iter().filter(|call| call["action"] == "DescribeTargetHealth").count();
    cluster.account().forget_calls();
    cluster.validate(&[]).expect(3);
    let first = cluster.account().calls();
    cluster.account().forget_calls();
    let report = cluster.validate(&["--wait", "25s"]).expect(3).json();
    assert_eq!((names(&report, "failed"), &report["waitedSeconds"]), (vec!["nodes".to_owned()], &json!(25)));
    let calls = cluster.account().calls();
    let ticks = targets(&calls) - targets(&first);
    assert_eq!(ticks, 2);
    println!("{} calls at first, {} in {ticks} ticks", first.len(), calls.len() - first.len());
    assert!(calls.len() <= first.len() + ticks * PER_TICK, "{} calls in {ticks} ticks, beyond {}", calls.len(), first.len());
}

#[test]
fn a_healthy_cluster_is_not_waited_for() {
    let cluster = Healthy::minimal();
    let begun = Instant::now();
    let run = cluster.validate(&["--wait", "10m"]).expect(0);
    assert!(run.json()["waitedSeconds"].is_null());
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn the_stream_is_for_validate() {
    let cluster = Healthy::minimal();
    let run = cluster.account().kclust(&["get", "clusters", "-o", "ndjson"]).expect(2);
    assert!(run.stderr.contains("-o ndjson is for `validate`") && run.stderr.contains("-o json"), "{}", run.stderr);
}

fn await_requests(cluster: &Healthy, wanted: impl Fn(&str) -> bool) {
    let begun = Instant::now();
    while !cluster.api.requests().iter().any(|request| wanted(&request.path)) {
        assert!(begun.elapsed() < Duration::from_secs(120), "nobody asked for it: {:?}", cluster.api.requests());
        std::thread::sleep(Duration::from_millis(20));
    }
}
