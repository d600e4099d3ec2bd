//! The objects of a cluster that the emulator has.

use serde_json::{Value as Json, json};

use super::documents::{node, pod, workload};
use super::{KubernetesApi, documents};
use crate::harness::Account;

/// An instance of a cluster.
pub struct Instance {
    pub id: String,
    /// Slot or node group.
    pub group: String,
    pub zone: String,
}

/// The instances that groups of the cluster have launched, by group and id.
pub fn instances(account: &Account, cluster: &str) -> Vec<Instance> {
    let world = account.world();
    let regions = world["regions"].as_object().unwrap();
    let all = regions.values().flat_map(|region| region["instances"].as_object().into_iter().flatten());
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let mut found: Vec<Instance> = all
        .filter(|(_, instance)| instance["tags"][format!("kubernetes.io/cluster/{cluster}")].is_string())
        .map(|(id, instance)| Instance {
            id: id.clone(),
            group: text(&instance["tags"]["kclust.dev/group"]),
            zone: text(&instance["zone"]),
        })
        .collect();
    found.sort_by(|a, b| (&a.group, &a.id).cmp(&(&b.group, &b.id)));
    found
}

pub(super) fn fill(api: &KubernetesApi, account: &Account, cluster: &str) {
    let spec = account.kclust(&["get", "spec", cluster, "-o", "json"]).expect(0).json();
    let version = format!("v{}", spec["spec"]["kubernetesVersion"].as_str().unwrap());
    api.behave(|behaviour| behaviour.version.clone_from(&version));
    let instances = instances(account, cluster);
    assert!(!instances.is_empty(), "{cluster} has no instances");
    let objects = api.objects();
    let put_pods = |kind: &str, name: &str, nodes: &[&Instance], image: &str| {
        let mut workload = workload(kind, name, nodes.len());
        workload["spec"]["template"] = json!({ "spec": { "containers": [{ "name": "main", "image": image }] } });
        objects.put(workload);
        for (number, instance) in nodes.iter().enumerate() {
            let owner = if kind == "DaemonSet" { ("DaemonSet", name.to_owned()) } else { ("ReplicaSet", format!("{name}-5d4f")) };
            let labels = json!({ "app": name });
            objects.put(pod(&format!("{name}-{number}"), &instance.id, Some((owner.0, &owner.1)), labels));
        }
    };
    for instance in &instances {
        let control_plane = is_slot(instance);
        objects.put(node(&instance.id, &instance.zone, control_plane, &version));
        if control_plane {
            for component in ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
                let labels = json!({ "component": component, "tier": "control-plane" });
                let name = format!("{component}-{}", instance.id);
                let mut pod = documents::pod(&name, &instance.id, Some(("Node", &instance.id)), labels);
                let tag = if component == "etcd" { "3.6.14-0" } else { &version };
                pod["spec"]["containers"][0]["image"] = json!(format!("registry.k8s.io/{component}:{tag}"));
                objects.put(pod);
            }
        }
    }
    let everywhere: Vec<&Instance> = instances.iter().collect();
    let slots: Vec<&Instance> = instances.iter().filter(|instance| is_slot(instance)).collect();
    let image = |name: &str| format!("registry.k8s.io/{name}:{version}");
    put_pods("DaemonSet", "cilium", &everywhere, "quay.io/cilium/cilium:v1.20.1");
    put_pods("DaemonSet", "kube-proxy", &everywhere, &image("kube-proxy"));
    put_pods("DaemonSet", "aws-cloud-controller-manager", &slots, &image("provider-aws/cloud-controller-manager"));
    put_pods(
        "Deployment",
        "coredns",
        &everywhere[everywhere.len().saturating_sub(2)..],
        "registry.k8s.io/coredns/coredns:v1.14.2",
    );
    for namespace in ["default", "kube-system"] {
        objects.put(json!({ "kind": "Namespace", "apiVersion": "v1", "metadata": { "name": namespace } }));
    }
}

fn is_slot(instance: &Instance) -> bool {
    instance.group.strip_prefix("cp-").is_some_and(|number| number.parse::<u32>().is_ok())
}
