//! What a person reads of a cluster that is well, and of some that are not.

use std::fmt::Write as _;

use serde_json::json;

use super::Healthy;
use crate::harness::run;
use crate::transcripts::is_golden;

impl Healthy {
    /// The command as it is typed, what it prints, and its exit code.
    fn transcribe(&self, text: &mut String, title: &str, args: &[&str]) {
        let run = run(&mut self.command(args));
        let line = [&["kclust", "validate", &self.cluster.name], args].concat().join(" ");
        let _ = write!(text, "# {title}\n$ {line}\n{}[stderr]\n{}[exit {}]\n\n", run.stdout, run.stderr, run.code);
    }
}

#[test]
fn what_a_person_reads() {
    let mut text = String::new();
    let cluster = Healthy::minimal();
    cluster.transcribe(&mut text, "in perfect health", &["-q"]);
    let worker = cluster.instance_of("workers");
    let node =
        cluster.api.objects().of_kind("Node").into_iter().find(|node| node["metadata"]["name"] == worker.as_str()).unwrap();
    cluster.api.objects().remove("Node", |node| node["metadata"]["name"] == worker.as_str());
    cluster.boot_says(
        &worker,
        "workers",
        "installing the node's programs",
        Some("dl.k8s.io: connection timed out; again in 30 s"),
    );
    cluster.transcribe(&mut text, "a worker that has not joined", &["-q"]);
    cluster.transcribe(&mut text, "the same, tolerated", &["-q", "--allow-unready", "1"]);
    cluster.api.objects().put(node);
    let message = "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient t3.large \
                   capacity in the Availability Zone you requested (us-east-1a). Launching EC2 instance failed.";
    cluster.account().set_faults(&json!([{ "service": "autoscaling", "action": "LaunchInstance", "message": message }]));
    cluster.end(&worker);
    cluster.transcribe(&mut text, "no capacity", &["-q"]);
    cluster.transcribe(&mut text, "waited for", &["--wait", "1s"]);
    is_golden("validate", &text, cluster.account());
}
