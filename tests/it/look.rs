//! `get`: what it costs, what can be done with what it prints, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::harness::{Account, Running, run};
use crate::kubernetes_api::KubernetesApi;

const CLUSTER: &str = "dev.k8s.local";
const CREATE: [&str; 5] = ["create", "-f", "examples/minimal.yaml", "--yes", "-q"];

fn with_cluster() -> Account {
    let account = Account::new();
    account.kclust(&CREATE).expect(0);
    account.forget_calls();
    account
}

/// Calls to AWS but for those that come with every command: whose credentials these are, and the state store.
fn calls(account: &Account) -> Vec<String> {
    let all = account.calls();
    let calls = all.iter().filter(|call| call["service"] != "s3" && call["service"] != "sts");
    calls.map(|call| call["action"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn wait_for_looks(account: &Account, number: usize) {
    let begun = Instant::now();
    while calls(account).iter().filter(|action| *action == "DescribeAutoScalingGroups").count() < number {
        assert!(begun.elapsed() < Duration::from_secs(120), "look {number} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn status(account: &Account, instance: &str, step: &str, error: Option<&str>) {
    let status = json!({
        "instance": instance, "role": "worker", "group": "workers", "step": step, "since": "2026-01-02T03:04:05Z", "error": error,
        "steps": [],
    });
    account.put_state_object(&format!("{CLUSTER}/nodes/status/{instance}.json"), &status.to_string());
}

/// The first instance of the group of workers.
fn worker(account: &Account) -> String {
    let instances = account.kclust(&["get", "instances", "-o", "json"]).expect(0).json();
    let workers = instances.as_array().unwrap().iter().find(|instance| instance["group"] == "workers").unwrap().clone();
    workers["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_spec_that_is_printed_means_the_same_cluster() {
    let account = with_cluster();
    for format in ["yaml", "json"] {
        let printed = account.kclust(&["get", "spec", "-o", format]).expect(0).stdout;
        let file = account.file("printed.yaml", &printed);
        account.kclust(&["update", "-f", &file, "--dry-run", "--detailed-exitcode"]).expect(0);
    }
}

#[test]
fn looking_costs_a_few_calls_and_changes_nothing() {
    let account = with_cluster();
    let before = account.world();
    for (what, most) in [("spec", 0), ("clusters", 0), ("instances", 4), ("groups", 4)] {
        account.forget_calls();
        account.kclust(&["get", what]).expect(0);
        let calls = calls(&account);
        assert!(calls.len() <= most, "{what}: {calls:?}");
    }
    account.kclust(&["get", "resources"]).expect(0);
    account.kclust(&["get", "topology", "--out", "-"]).expect(0);
    assert_eq!(account.world(), before);
    assert_eq!(account.defects(), Vec::<Json>::new());
}

#[test]
fn a_watch_tells_changes_at_two_calls_a_look_and_ends_with_ctrl_c() {
    let account = with_cluster();
    let worker = worker(&account);
    account.forget_calls();
    let watch = Running::start(&mut account.command(&["get", "instances", "--watch", "--interval", "1s"]));
    watch.wait_for_words("GROUP ");
    status(&account, &worker, "joining the cluster", None);
    watch.wait_for_words("booting: joining the cluster");
    status(&account, &worker, "joining the cluster", Some("no answer"));
    watch.wait_for_words("no answer");
    wait_for_looks(&account, 7);
    watch.signal("INT");
    let run = watch.wait().expect(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines[0].starts_with("GROUP "), "{}", run.stdout);
    assert_eq!(lines.len(), 1 + 3 + 2, "a table, and a line for each change:\n{}", run.stdout);
    let change = |line: &str| line.split_once("  ").unwrap().1.to_owned();
    assert_eq!(change(lines[4]), format!("~ workers  {worker}  running → booting: joining the cluster"));
    assert_eq!(
        change(lines[5]),
        format!("~ workers  {worker}  booting: joining the cluster → boot failed: joining the cluster: no answer")
    );
    let calls = calls(&account);
    let looks = calls.iter().filter(|action| *action == "DescribeAutoScalingGroups").count();
    // The first look asks for the name of the API and for launch templates too.
    assert!(calls.len() <= 2 * looks + 2, "{looks} looks: {calls:?}");
    assert!(calls.iter().filter(|action| *action == "DescribeLaunchTemplates").count() >= 2, "{calls:?}");
}

/// What Kubernetes says of the nodes comes before what the machines said of their boot; one that does not answer holds nothing up.
#[test]
fn the_kubernetes_api_is_asked_for_nodes() {
    let account = with_cluster();
    let worker = worker(&account);
    status(&account, &worker, "joining the cluster", None);
    let api = KubernetesApi::healthy(&account, CLUSTER);
    let conditions = |account: &Account| {
        let mut command = account.command(&["get", "instances", "-o", "json"]);
        let instances = run(api.reached_by(&mut command)).expect(0).json();
        let of = |instance: &Json| {
            let worker = instance["id"] == worker;
            (worker, instance["condition"].as_str().unwrap().to_owned(), instance["ready"].clone())
        };
        let mut found: Vec<_> = instances.as_array().unwrap().iter().map(of).collect();
        found.sort_by_key(|(worker, ..)| !worker);
        found.into_iter().map(|(_, condition, ready)| (condition, ready)).collect::<Vec<_>>()
    };
    let ready = || ("ready".to_owned(), json!(true));
    assert_eq!(conditions(&account), [ready(), ready(), ready()]);
    api.objects().edit("Node", |node| {
        if node["metadata"]["name"] == worker {
            for condition in node["status"]["conditions"].as_array_mut().unwrap() {
                if condition["type"] == "Ready" {
                    condition["status"] = json!("False");
                }
            }
        }
    });
    assert_eq!(conditions(&account), [("not-ready".to_owned(), json!(false)), ready(), ready()]);
    api.objects().remove("Node", |node| node["metadata"]["name"] == worker);
    assert_eq!(conditions(&account), [("booting".to_owned(), json!(false)), ready(), ready()]);
    api.behave(|behaviour| behaviour.every_host.silent = true);
    let unasked = || ("running".to_owned(), Json::Null);
    assert_eq!(conditions(&account), [("booting".to_owned(), Json::Null), unasked(), unasked()]);
}

#[test]
fn a_watch_is_a_stream_of_documents_too() {
    let account = with_cluster();
    let worker = worker(&account);
    account.forget_calls();
    let watch = Running::start(&mut account.command(&["get", "instances", "--watch", "--interval", "1s", "-o", "json"]));
    watch.wait_for_words("added");
    status(&account, &worker, "preparing the host", None);
    watch.wait_for_words("preparing the host");
    watch.signal("TERM");
    let run = watch.wait().expect(0);
    let changes: Vec<Json> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let words: Vec<&str> = changes.iter().map(|change| change["change"].as_str().unwrap()).collect();
    assert_eq!(words, ["added", "added", "added", "changed"]);
    assert_eq!(changes[3]["instance"]["condition"], "booting");
    assert_eq!(changes[3]["instance"]["boot"]["step"], "preparing the host");
}

/// Reads the first line of a command's output and goes away, as `head -1` does.
fn head(account: &Account, args: &[&str]) -> (String, i32, String) {
    let mut child = account.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut reader = BufReader::with_capacity(16, child.stdout.take().unwrap());
    reader.read_line(&mut line).unwrap();
    drop(reader);
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("{args:?} goes on without a reader");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (line, status.code().unwrap_or(-1), stderr)
}

#[test]
fn a_reader_that_goes_away_ends_a_command_in_silence() {
    let account = with_cluster();
    for (args, first) in [
        (&["get", "resources"][..], "KIND "),
        (&["get", "topology", "--out", "-"], "<?xml "),
        // Nothing changes any more: that nobody reads shows while there is nothing to write.
        (&["get", "instances", "--watch", "-q", "--interval", "1h"], "GROUP "),
    ] {
        let (line, code, stderr) = head(&account, args);
        assert!(line.starts_with(first), "{args:?}: {line}");
        assert_eq!((code, stderr.as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn every_resource_can_be_found_in_the_console() {
    let account = with_cluster();
    account.put_state_object(&format!("{CLUSTER}/control-plane/settings"), "format 1\nbackup-interval-seconds 60\n");
    let rows = account.kclust(&["get", "resources", "-o", "json"]).expect(0).json();
    let rows = rows.as_array().unwrap();
    assert!(rows.len() > 50);
    for row in rows {
        let what = format!("{row:#}");
        assert!(row["id"].is_string() && row["search"].is_string(), "{what}");
        let without_page = ["InstanceProfile", "RouteTableAssociation"].iter().any(|kind| row["kind"] == *kind);
        let url = row["consoleUrl"].as_str();
        assert!(without_page == url.is_none() && url.is_none_or(|url| url.starts_with("https://")), "{what}");
        let arn = row["arn"].as_str();
        assert!(arn.is_none_or(|arn| arn.starts_with("arn:aws:") && !arn.contains("::::")), "{what}");
    }
    let of_state = |status: &str| {
        let rows = rows.iter().filter(|row| row["status"] == status);
        rows.map(|row| row["kind"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(of_state("drifted"), ["ControlPlaneSettings"]);
    assert_eq!(of_state("ok").len(), rows.len() - 1);
}

#[test]
fn a_picture_is_written_by_its_name() {
    let account = with_cluster();
    let svg = account.directory.path().join("cluster.svg").display().to_string();
    let html = account.directory.path().join("cluster.html").display().to_string();
    assert_eq!(account.kclust(&["get", "topology", "--out", &svg]).expect(0).stdout, format!("{svg}\n"));
    let done = account.kclust(&["get", "topology", "--out", &html, "-o", "json"]).expect(0).json();
    assert_eq!(done, json!({ "cluster": CLUSTER, "file": html, "problems": 0 }));
    let (svg, html) = (std::fs::read_to_string(svg).unwrap(), std::fs::read_to_string(html).unwrap());
    for text in
        ["dev.k8s.local", "us-east-1a", "cp-1", "workers", "1 of 1 targets healthy", "2 running", "Kubernetes could not be asked"]
    {
        assert!(svg.contains(text) && html.contains(text), "{text}: {svg}");
    }
    assert!(html.contains("What it shows") && !svg.contains("http://127."), "{html}");
    let refused = account.kclust(&["get", "topology", "--out", "cluster.png"]).expect(2);
    assert!(refused.stderr.contains("must end in .svg or .html"), "{}", refused.stderr);
    let nowhere = account.kclust(&["get", "topology", "--out", "/nonexistent/cluster.svg"]).expect(1);
    assert!(nowhere.stderr.contains("could not write /nonexistent/cluster.svg"), "{}", nowhere.stderr);
}
