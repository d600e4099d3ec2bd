//! `--wait`: Kubernetes is watched, AWS is asked little.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::{Healthy, names};
use crate::harness::Running;

/// Calls of a tick: everything but what the first look asked.
const PER_TICK: usize = 4;
/// What `ops/validate/wait.rs` saves for a look at the world.
const WORLD: usize = 28;

/// A worker has no node yet: its document, to be put in when it joins.
fn without_a_node(cluster: &Healthy) -> Json {
    let worker = cluster.instance_of("workers");
    let nodes = cluster.api.objects().of_kind("Node");
    cluster.api.objects().remove("Node", |node| node["metadata"]["name"] == worker.as_str());
    nodes.into_iter().find(|node| node["metadata"]["name"] == worker.as_str()).unwrap()
}

fn is_watch(path: &str) -> bool {
    path.starts_with("/api/v1/nodes?") && path.contains("watch=true")
}

/// Lists of nodes since requests were forgotten.
fn lists(cluster: &Healthy) -> usize {
    let requests = cluster.api.requests();
    requests.iter().filter(|request| request.path.starts_with("/api/v1/nodes?") && !is_watch(&request.path)).count()
}

#[test]
fn it_ends_when_the_last_node_is_there() {
    let cluster = Healthy::minimal();
    let node = without_a_node(&cluster);
    let mut command = cluster.command(&["--wait", "5m", "-o", "ndjson"]);
    let waiting = Running::start(&mut command);
    // It watches from the first tick on.
    await_requests(&cluster, is_watch);
    let listed = cluster.api.requests().into_iter().find(|request| request.path.starts_with("/api/v1/nodes?")).unwrap();
    assert!(listed.gzip, "a list may be compressed");
    assert!(!cluster.api.requests().iter().any(|request| is_watch(&request.path) && request.gzip), "and a watch may not");
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
    assert_eq!(lists(&cluster), 0, "the nodes were listed again");
    assert!(!run.stderr.contains("FAILED"), "what the stream says is said once: {}", run.stderr);
}

/// To a person it is told in words.
#[test]
fn changes_are_told_in_words() {
    let cluster = Healthy::minimal();
    let node = without_a_node(&cluster);
    let waiting = Running::start(&mut cluster.command(&["--wait", "5m"]));
    await_requests(&cluster, is_watch);
    cluster.api.objects().put(node);
    let run = waiting.wait().expect(0);
    let (failed, ok) = (run.stderr.find("nodes: FAILED: 1 instance without a node"), run.stderr.find("nodes: ok: 3 nodes Ready"));
    assert!(failed.is_some() && failed < ok, "{}", run.stderr);
}

/// An API server ends a watch after some minutes: it goes on from where it ended.
#[test]
fn a_watch_that_ends_goes_on_without_a_list() {
    let cluster = Healthy::minimal();
    let node = without_a_node(&cluster);
    let waiting = Running::start(&mut cluster.command(&["--wait", "5m", "-q", "-o", "json"]));
    await_requests(&cluster, is_watch);
    cluster.api.forget_requests();
    cluster.api.objects().end_watches();
    cluster.api.objects().put(node);
    let report = waiting.wait().expect(0).json();
    assert_eq!(report["status"], json!("healthy"));
    assert_eq!(lists(&cluster), 0, "the nodes were listed again");
    let watches = cluster.api.requests().iter().filter(|request| is_watch(&request.path)).count();
    assert_eq!(watches, 1, "it is watched again at the next tick, and not before");
}

/// The API server was compacted, and does not know what happened since: then it is listed again.
#[test]
fn a_watch_that_has_expired_begins_with_a_list() {
    let cluster = Healthy::minimal();
    let node = without_a_node(&cluster);
    let waiting = Running::start(&mut cluster.command(&["--wait", "5m", "-q", "-o", "json"]));
    await_requests(&cluster, is_watch);
    cluster.api.forget_requests();
    cluster.api.objects().put(node);
    cluster.api.objects().forget_events();
    let report = waiting.wait().expect(0).json();
    assert_eq!(report["status"], json!("healthy"));
    assert!(lists(&cluster) <= 1, "{:?}", cluster.api.requests());
}

/// What a tick costs in AWS; `ops/validate/wait_tests.rs` counts ticks, this the calls that they are made of.
#[test]
fn a_tick_costs_little_and_the_time_ends() {
    let cluster = Healthy::ha();
    let worker = cluster.instance_of("workers");
    cluster.api.objects().remove("Node", |node| node["metadata"]["name"] == worker.as_str());
    let count = |calls: &[Json], action: &str| calls.iter().filter(|call| call["action"] == action).count();
    cluster.account().forget_calls();
    cluster.validate(&[]).expect(3);
    let first = cluster.account().calls();
    cluster.account().forget_calls();
    let report = cluster.validate(&["--wait", "25s"]).expect(3).json();
    assert_eq!((names(&report, "failed"), &report["waitedSeconds"]), (vec!["nodes".to_owned()], &json!(25)));
    let calls = cluster.account().calls();
    let ticks = count(&calls, "DescribeTargetHealth") - count(&first, "DescribeTargetHealth");
    assert!(ticks >= 1);
    println!("{} calls at first, {} in {ticks} ticks", first.len(), calls.len() - first.len());
    assert!(calls.len() <= first.len() + ticks * PER_TICK, "{} calls in {ticks} ticks, beyond {}", calls.len(), first.len());
    // Beside the world: the way to the state, groups, instances and targets, the keys, what each slot says of etcd and of its
    // certificates, addons, snapshots, and the boot of the one that is no node.
    cluster.account().forget_calls();
    cluster.account().kclust(&["get", "spec", &cluster.cluster.name]).expect(0);
    let beside = cluster.account().calls().len() + 3 + 1 + 3 + 3 + 1 + 1 + 1;
    assert!(first.len() <= WORLD + beside, "{} calls at first, {beside} beside the world", first.len());
}

#[test]
fn a_healthy_cluster_is_not_waited_for() {
    let cluster = Healthy::minimal();
    let run = cluster.validate(&["--wait", "10m"]).expect(0);
    assert!(run.json()["waitedSeconds"].is_null());
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
