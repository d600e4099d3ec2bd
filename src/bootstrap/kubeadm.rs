//! kubeadm's documents (`kubeadm.k8s.io/v1beta4`) and what goes with them.
//!
//! The values of one instance are not known before it runs: `@INSTANCE_ID@`, `@ADDRESS@` and `@ZONE@` stand for them, and the boot
//! program puts them in. The cluster's own documents are the same on all slots; they are uploaded to the cluster by kubeadm.

use serde::Serialize;

use super::facts::api_name;
use super::templates::render;
use super::versions::versions;
use crate::cloud::Facts;
use crate::model::{API_PORT, tags};
use crate::spec::{Cluster, NodeGroup, Slot};

/// Cipher suites of Go's `crypto/tls` for TLS 1.2 with forward secrecy and authenticated encryption (Mozilla's "intermediate"
/// list). TLS 1.3 has only such suites, and Go does not let one choose among them.
const CIPHER_SUITES: [&str; 6] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// A taint as kubeadm's `nodeRegistration` has it.
#[derive(Debug, Serialize)]
struct Taint {
    key: String,
    value: Option<String>,
    effect: &'static str,
}

/// `InitConfiguration` of a slot.
pub(super) fn init_configuration(slot: &Slot) -> String {
    #[derive(Serialize)]
    struct Init {
        api_port: u16,
        node_labels: String,
        taints: Vec<Taint>,
    }
    let taint = Taint { key: "node-role.kubernetes.io/control-plane".into(), value: None, effect: "NoSchedule" };
    render("init.yaml", &Init { api_port: API_PORT, node_labels: format!("{}={}", tags::GROUP, slot.name), taints: vec![taint] })
}

/// `JoinConfiguration` of a worker.
pub(super) fn join_configuration(group: &NodeGroup) -> String {
    #[derive(Serialize)]
    struct Join {
        node_labels: String,
        taints: Vec<Taint>,
    }
    let own = (tags::GROUP, group.name.as_str());
    let labels = std::iter::once(own).chain(group.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let node_labels: Vec<_> = labels.map(|(key, value)| format!("{key}={value}")).collect();
    let taints = group.taints.iter().map(|taint| Taint {
        key: taint.key.clone(),
        value: taint.value.clone(),
        effect: taint.effect.as_str(),
    });
    render("join.yaml", &Join { node_labels: node_labels.join(","), taints: taints.collect() })
}

/// `ClusterConfiguration`, `KubeletConfiguration` and `KubeProxyConfiguration`.
pub(super) fn cluster_configuration(cluster: &Cluster, facts: &Facts) -> String {
    #[derive(Serialize)]
    struct Documents<'a> {
        cluster: &'a str,
        kubernetes_version: String,
        api_name: &'a str,
        api_port: u16,
        service_cidr: String,
        pod_cidr: String,
        cert_sans: Vec<String>,
        cipher_suites: [&'a str; 6],
        cluster_dns: String,
    }
    let api_name = api_name(cluster);
    let mut cert_sans = vec![api_name.clone(), "localhost".into(), "127.0.0.1".into()];
    cert_sans.push(cluster.kubernetes_service_address().to_string());
    cert_sans.extend(cluster.slots().iter().map(|slot| facts.slot_addresses[&slot.name].to_string()));
    let documents = Documents {
        cluster: cluster.name.as_str(),
        kubernetes_version: format!("v{}", cluster.kubernetes_version),
        api_name: &api_name,
        api_port: API_PORT,
        service_cidr: cluster.network.service_cidr.to_string(),
        pod_cidr: cluster.network.pod_cidr.to_string(),
        cert_sans,
        cipher_suites: CIPHER_SUITES,
        cluster_dns: cluster.dns_service_address().to_string(),
    };
    render("cluster.yaml", &documents)
}

/// All that kubeadm gets on a slot, before the values of the instance are put in.
pub(super) fn slot_configuration(cluster: &Cluster, facts: &Facts, slot: &Slot) -> String {
    format!("{}---\n{}", init_configuration(slot), cluster_configuration(cluster, facts))
}

/// The sandbox image of containerd.
pub(super) fn pause_image() -> String {
    format!("registry.k8s.io/pause:{}", versions().pause)
}
