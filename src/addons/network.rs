//! The pod network. All three plugins encapsulate in VXLAN, find their MTU themselves, leave services to kube-proxy, and use the ports
//! that `model/security.rs` opens.

use serde_json::json;

use crate::spec::{Cluster, Cni};

use super::Definition;
use super::charts::Chart;

/// Version: kubespray, roles/kubespray_defaults/defaults/main/download.yml at 46dbdd3; value keys: its template
/// roles/network_plugin/cilium/templates/values.yaml.j2 and docs.cilium.io, "Helm Reference".
const CILIUM: Chart =
    Chart { name: "cilium", namespace: "kube-system", repository: "https://helm.cilium.io", chart: "cilium", version: "1.20.1" };

/// projectcalico/calico v3.31.7, charts/tigera-operator. From 3.32 on the resource definitions are a chart of their own, which would
/// have to come first.
const CALICO: Chart = Chart {
    name: "calico",
    namespace: "tigera-operator",
    repository: "https://docs.tigera.io/calico/charts",
    chart: "tigera-operator",
    version: "v3.31.7",
};

/// flannel-io/flannel v0.28.9, chart/kube-flannel and README.md.
const FLANNEL: Chart = Chart {
    name: "flannel",
    namespace: "kube-flannel",
    repository: "https://flannel-io.github.io/flannel",
    chart: "flannel",
    version: "v0.28.9",
};

pub(super) fn definition(cluster: &Cluster) -> Option<Definition> {
    let pod_cidr = cluster.network.pod_cidr.to_string();
    let replicas = cluster.control_plane.replicas.min(2);
    match cluster.network.cni {
        Cni::Cilium => Some(CILIUM.with(&json!({
            // The ranges that the controller manager gives to nodes, out of the cluster's pod range.
            "ipam": { "mode": "kubernetes" },
            "k8s": { "requireIPv4PodCIDR": true },
            "routingMode": "tunnel",
            "tunnelProtocol": "vxlan",
            "tunnelPort": 8472,
            "kubeProxyReplacement": false,
            // Two of them do not fit on one machine: they stand on its network.
            "operator": { "replicas": replicas },
            // Its certificates would be made anew whenever the chart is applied, and nothing reads what it collects.
            "hubble": { "enabled": false },
        }))),
        Cni::Calico => Some(CALICO.with(&json!({
            "installation": {
                "enabled": true,
                "cni": { "type": "Calico" },
                "calicoNetwork": {
                    "bgp": "Disabled",
                    "ipPools": [{
                        "name": "default-ipv4-ippool",
                        "cidr": pod_cidr,
                        "encapsulation": "VXLAN",
                        "natOutgoing": "Enabled",
                        "nodeSelector": "all()",
                    }],
                },
                "controlPlaneReplicas": replicas,
            },
            // Neither the network nor its policies need them.
            "apiServer": { "enabled": false },
            "goldmane": { "enabled": false },
            "whisker": { "enabled": false },
        }))),
        Cni::Flannel => Some(FLANNEL.with(&json!({
            "podCidr": pod_cidr,
            "flannel": { "backend": "vxlan", "backendPort": 8472 },
        }))),
        Cni::None => None,
    }
}
