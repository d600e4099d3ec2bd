//! What an API server says of itself, and the objects that a cluster has.

use serde_json::{Value as Json, json};

use super::http::Answer;

/// Checks of `/readyz` of Kubernetes 1.36, as far as they matter.
const CHECKS: [&str; 8] = [
    "ping",
    "log",
    "etcd",
    "etcd-readiness",
    "informer-sync",
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/apiservice-status-available-controller",
];

pub fn health(path: &str, verbose: bool, failing: &[String]) -> Answer {
    let name = path.trim_start_matches('/');
    if failing.is_empty() && !verbose {
        return Answer::text(200, "ok");
    }
    let lines = CHECKS.iter().map(|check| match failing.iter().any(|failing| failing == check) {
        true => format!("[-]{check} failed: reason withheld\n"),
        false => format!("[+]{check} ok\n"),
    });
    let lines: String = lines.collect();
    match failing.is_empty() {
        true => Answer::text(200, &format!("{lines}{name} check passed\n")),
        false => Answer::text(500, &format!("{lines}{name} check failed\n")),
    }
}

pub fn version(git: &str) -> Json {
    let numbers: Vec<&str> = git.trim_start_matches('v').split('.').collect();
    json!({ "major": numbers[0], "minor": numbers[1], "gitVersion": git, "gitCommit": "0", "gitTreeState": "clean",
        "buildDate": "2026-10-01T00:00:00Z", "goVersion": "go1.25", "compiler": "gc", "platform": "linux/amd64" })
}

/// `kubectl auth whoami`.
pub fn self_review((name, groups): &(String, Vec<String>)) -> Json {
    let groups: Vec<&str> = groups.iter().map(String::as_str).chain(["system:authenticated"]).collect();
    json!({ "kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1", "metadata": {},
        "status": { "userInfo": { "username": name, "groups": groups } } })
}

/// What clients ask to find out what there is.
pub fn discovery(path: &str) -> Option<Json> {
    let resource = |plural: &str, kind: &str, namespaced: bool| {
        json!({ "name": plural, "singularName": kind.to_lowercase(), "kind": kind, "namespaced": namespaced,
            "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"] })
    };
    let list = |version: &str, resources: Vec<Json>| json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources });
    let group = |name: &str| {
        let version = json!({ "groupVersion": format!("{name}/v1"), "version": "v1" });
        json!({ "name": name, "versions": [version], "preferredVersion": version })
    };
    Some(match path {
        "/api" => json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] }),
        "/apis" => {
            let groups = ["apps", "authentication.k8s.io", "rbac.authorization.k8s.io"].map(group);
            json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
        }
        "/api/v1" => {
            let namespaced = [("configmaps", "ConfigMap"), ("pods", "Pod"), ("services", "Service")];
            let mut resources: Vec<Json> = namespaced.iter().map(|(plural, kind)| resource(plural, kind, true)).collect();
            resources.extend([resource("namespaces", "Namespace", false), resource("nodes", "Node", false)]);
            list("v1", resources)
        }
        "/apis/apps/v1" => {
            list("apps/v1", vec![resource("daemonsets", "DaemonSet", true), resource("deployments", "Deployment", true)])
        }
        "/apis/authentication.k8s.io/v1" => {
            list("authentication.k8s.io/v1", vec![resource("selfsubjectreviews", "SelfSubjectReview", false)])
        }
        "/apis/rbac.authorization.k8s.io/v1" => {
            list("rbac.authorization.k8s.io/v1", vec![resource("clusterrolebindings", "ClusterRoleBinding", false)])
        }
        _ => return None,
    })
}

/// A node that is Ready.
pub fn node(instance: &str, zone: &str, control_plane: bool, kubelet: &str) -> Json {
    let mut labels = json!({ "kubernetes.io/hostname": instance, "topology.kubernetes.io/zone": zone });
    if control_plane {
        labels["node-role.kubernetes.io/control-plane"] = json!("");
    }
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({ "type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": "2026-01-02T00:00:00Z", "lastTransitionTime": "2026-01-02T00:00:00Z" })
    };
    json!({
        "kind": "Node", "apiVersion": "v1",
        "metadata": { "name": instance, "uid": format!("uid-{instance}"), "labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z" },
        "spec": { "providerID": format!("aws:///{zone}/{instance}") },
        "status": {
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
            ],
            "addresses": [{ "type": "InternalIP", "address": "10.0.0.1" }],
            "nodeInfo": { "kubeletVersion": kubelet, "architecture": "amd64", "bootID": "b", "containerRuntimeVersion": "containerd://2.3.6",
                "kernelVersion": "6.8.0", "kubeProxyVersion": "", "machineID": "m", "operatingSystem": "linux",
                "osImage": "Ubuntu 24.04", "systemUUID": "u" },
        },
    })
}

/// A pod of `kube-system` that runs and is ready; `labels` as its owner selects it.
pub fn pod(name: &str, node: &str, owner: Option<(&str, &str)>, labels: Json) -> Json {
    let owners: Vec<Json> = owner
        .iter()
        .map(|(kind, name)| json!({ "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "u", "controller": true }))
        .collect();
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": { "name": name, "namespace": "kube-system", "uid": format!("uid-{name}"), "labels": labels,
            "ownerReferences": owners, "creationTimestamp": "2026-01-01T00:00:00Z" },
        "spec": { "nodeName": node, "containers": [{ "name": "main", "image": "registry.k8s.io/main:v1" }] },
        "status": {
            "phase": "Running",
            "conditions": [
                { "type": "PodScheduled", "status": "True" },
                { "type": "Ready", "status": "True" },
            ],
            "containerStatuses": [{ "name": "main", "ready": true, "restartCount": 0, "image": "registry.k8s.io/main:v1", "imageID": "",
                "state": { "running": { "startedAt": "2026-01-01T00:00:00Z" } } }],
        },
    })
}

/// A deployment or daemon set of `kube-system` with that many pods, all of them ready.
pub fn workload(kind: &str, name: &str, pods: usize) -> Json {
    let status = match kind {
        "DaemonSet" => json!({ "desiredNumberScheduled": pods, "currentNumberScheduled": pods, "numberReady": pods,
            "numberAvailable": pods, "updatedNumberScheduled": pods, "numberMisscheduled": 0, "observedGeneration": 1 }),
        _ => {
            json!({ "replicas": pods, "readyReplicas": pods, "availableReplicas": pods, "updatedReplicas": pods, "observedGeneration": 1 })
        }
    };
    json!({
        "kind": kind, "apiVersion": "apps/v1",
        "metadata": { "name": name, "namespace": "kube-system", "uid": format!("uid-{name}"), "generation": 1 },
        "spec": { "replicas": pods, "selector": { "matchLabels": { "app": name } } },
        "status": status,
    })
}
