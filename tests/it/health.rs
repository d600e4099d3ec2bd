//! `validate` against the emulated AWS and a Kubernetes API.

use serde_json::{Value as Json, json};

use crate::harness::{Account, Run, run};
use crate::kubernetes_api::KubernetesApi;

const SPEC: &str = "examples/minimal.yaml";
const CLUSTER: &str = "dev.k8s.local";

/// A cluster in perfect health.
struct Healthy {
    account: Account,
    api: KubernetesApi,
}

impl Healthy {
    fn new() -> Self {
        let account = Account::new();
        account.kclust(&["create", "-f", SPEC, "--yes", "-q"]).expect(0);
        let api = KubernetesApi::healthy(&account, CLUSTER);
        Self { account, api }
    }

    fn validate(&self, more: &[&str]) -> Run {
        let args = [&["validate", CLUSTER, "-q", "-o", "json"], more].concat();
        run(self.api.reached_by(&mut self.account.command(&args)))
    }
}

#[test]
fn a_healthy_cluster_is_healthy() {
    let cluster = Healthy::new();
    let report = cluster.validate(&[]).expect(0).json();
    assert_eq!(report["status"], json!("healthy"));
    let not_ok: Vec<&Json> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["status"] != "ok" && check["status"] != "skipped")
        .collect();
    assert_eq!(not_ok, Vec::<&Json>::new());
    let users: Vec<_> = cluster.api.requests().into_iter().filter_map(|request| request.user).collect();
    assert!(!users.is_empty() && users.iter().all(|(_, groups)| groups == &["kubeadm:cluster-admins"]), "{users:?}");
}
