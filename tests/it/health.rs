//! `validate` against the emulated AWS and a Kubernetes API.

mod api;
mod dns;
mod failures;
mod name_server;
mod scope;
mod transcript;
mod waiting;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::drift::Cluster;
use crate::harness::{Account, Run, run};
use crate::kubernetes_api::KubernetesApi;
use crate::kubernetes_api::fill::{Instance, instances};

/// A cluster in perfect health, and the means to make it ill.
struct Healthy {
    cluster: Cluster,
    api: KubernetesApi,
}

impl Healthy {
    /// The smallest example: a control plane and two workers, without a zone.
    fn minimal() -> Self {
        Self::of(Cluster::of_file(Account::new(), "examples/minimal.yaml", "dev.k8s.local", "us-east-1"))
    }

    /// Three control planes and three workers, with a record.
    fn ha() -> Self {
        Self::of(Cluster::of_example("ha-private", "prod.example.com", "us-east-1"))
    }

    fn of(cluster: Cluster) -> Self {
        let api = KubernetesApi::healthy(&cluster.account, &cluster.name);
        let healthy = Self { cluster, api };
        let slots: Vec<String> =
            healthy.instances().into_iter().map(|instance| instance.group).filter(|group| group.starts_with("cp-")).collect();
        for slot in &slots {
            healthy.etcd_says(slot, &slots, Some(1), json!({}));
        }
        healthy.addons_are(|_| json!({ "state": "applied", "error": null }));
        healthy
    }

    fn account(&self) -> &Account {
        &self.cluster.account
    }

    fn instances(&self) -> Vec<Instance> {
        instances(self.account(), &self.cluster.name)
    }

    /// An instance of a group.
    fn instance_of(&self, group: &str) -> String {
        self.instances().into_iter().find(|instance| instance.group == group).unwrap().id
    }

    fn put(&self, name: &str, document: &Json) {
        self.account().put_state_object(&format!("{}/{name}", self.cluster.name), &document.to_string());
    }

    /// What a slot writes of etcd every minute; `more` is put into the member's status.
    fn etcd_says(&self, slot: &str, members: &[String], leader: Option<u64>, more: Json) {
        let mut status = json!({ "leader": leader.unwrap_or_default(), "dbSize": 25_000_000, "dbSizeQuota": 4_294_967_296_u64 });
        status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let members = members.iter().zip(1..).map(|(name, id): (_, u64)| json!({ "ID": id, "name": name })).collect::<Vec<_>>();
        let document = json!({
            "at": Timestamp::now(),
            "status": [{ "Endpoint": "https://127.0.0.1:2379", "Status": status }],
            "members": leader.map(|_| json!({ "members": members })),
            "alarms": {},
        });
        self.put(&format!("control-plane/etcd/{slot}.json"), &document);
    }

    /// What the control planes report of each addon that the settings name.
    fn addons_are(&self, report: impl Fn(&str) -> Json) {
        let settings = self.account().state_object(&format!("{}/control-plane/settings", self.cluster.name));
        let addons = settings.lines().filter_map(|line| line.strip_prefix("addon "));
        let reports = addons.map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let mut document = json!({ "name": words[0], "sha256": words[3], "since": "2026-11-27T00:00:00Z" });
            document.as_object_mut().unwrap().extend(report(words[0]).as_object().unwrap().clone());
            document
        });
        self.put("control-plane/addons.json", &reports.collect());
    }

    /// What an instance wrote of its boot.
    fn boot_says(&self, instance: &str, group: &str, step: &str, error: Option<&str>) {
        let since = Timestamp::now() - jiff::SignedDuration::from_mins(4);
        let document =
            json!({ "instance": instance, "role": "worker", "group": group, "step": step, "since": since, "error": error });
        self.put(&format!("nodes/status/{instance}.json"), &document);
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.account().command(&[&["validate", &self.cluster.name], args].concat());
        self.api.reached_by(&mut command);
        // Behind a proxy nobody asks for names, unless a test says whom.
        command.env_remove("KCLUST_RESOLVER");
        command
    }

    fn validate(&self, more: &[&str]) -> Run {
        run(&mut self.command(&[&["-q", "-o", "json"], more].concat()))
    }

    /// The report of a cluster that is not healthy, whose failed checks are these.
    #[track_caller]
    fn fails(&self, failed: &[&str]) -> Json {
        let report = self.validate(&[]).expect(3).json();
        assert_eq!(names(&report, "failed"), failed, "{report:#}");
        assert_eq!(names(&report, "unknown"), Vec::<String>::new(), "{report:#}");
        for check in report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "failed") {
            assert!(check["todo"].is_string(), "nothing is to be done: {check:#}");
        }
        report
    }
}

/// Names of the checks of a status, in their order.
fn names(report: &Json, status: &str) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == status);
    checks.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
}

/// All words of a check.
#[track_caller]
fn words_of(report: &Json, name: &str) -> String {
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name);
    check.unwrap_or_else(|| panic!("no check {name} in {report:#}")).to_string()
}

/// A check holds all of these words.
#[track_caller]
fn says(report: &Json, name: &str, words: &[&str]) {
    let text = words_of(report, name);
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in {text}");
    }
}

#[test]
fn a_healthy_cluster_is_healthy() {
    for cluster in [Healthy::minimal(), Healthy::ha()] {
        let report = cluster.validate(&[]).expect(0).json();
        assert_eq!(report["status"], json!("healthy"));
        let content: Vec<String> = [names(&report, "ok"), names(&report, "skipped")].concat();
        assert_eq!(content.len(), report["checks"].as_array().unwrap().len(), "{report:#}");
        assert!(names(&report, "skipped").iter().all(|name| name == "dns" || name == "addons"), "{report:#}");
        let users: Vec<_> = cluster.api.requests().into_iter().filter_map(|request| request.user).collect();
        assert!(!users.is_empty() && users.iter().all(|(_, groups)| groups == &["kubeadm:cluster-admins"]), "{users:?}");
    }
}
