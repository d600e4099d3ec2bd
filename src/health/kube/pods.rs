//! Pods in trouble, down to the reason of a container.

use ::kube::api::ListParams;
use ::kube::{Client, Error};
use jiff::Timestamp;
use serde::Deserialize;

use crate::health::{Pod, StaticPod};

use super::lists::{Condition, list};

pub(super) const ALL_PODS: &str = "/api/v1/pods";

/// Chooses the pods that no node has, or whose images are being pulled.
pub(super) const PENDING: &str = "status.phase=Pending";

pub(super) fn pods_of(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

/// Static pods: kubeadm labels them so.
pub(super) async fn control_plane(client: &Client) -> Result<Vec<StaticPod>, Error> {
    let params = ListParams::default().labels("tier=control-plane");
    Ok(list(client, &pods_of("kube-system"), params, PodObject::static_pod).await?.items)
}

pub(super) async fn pending(client: &Client) -> Result<Vec<Pod>, Error> {
    Ok(list(client, ALL_PODS, ListParams::default().fields(PENDING), PodObject::troubled).await?.items)
}

#[derive(Clone, Deserialize)]
pub(super) struct PodObject {
    metadata: PodMetadata,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodMetadata {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    resource_version: String,
    creation_timestamp: Option<Timestamp>,
    deletion_timestamp: Option<Timestamp>,
    #[serde(default)]
    labels: PodLabels,
}

#[derive(Clone, Deserialize, Default)]
struct PodLabels {
    component: Option<String>,
}

#[derive(Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSpec {
    node_name: Option<String>,
    priority_class_name: String,
    containers: Vec<Container>,
}

#[derive(Clone, Deserialize)]
struct Container {
    #[serde(default)]
    image: String,
}

impl PodSpec {
    pub(super) fn is_critical(&self) -> bool {
        ["system-cluster-critical", "system-node-critical"].contains(&self.priority_class_name.as_str())
    }

    /// The tag of the first image: `v1.36.2` of `registry.k8s.io/kube-proxy:v1.36.2`.
    pub(super) fn version(&self) -> Option<String> {
        let name = self.containers.first()?.image.rsplit('/').next()?;
        let (_, tag) = name.split('@').next()?.split_once(':')?;
        Some(tag.to_owned())
    }
}

#[derive(Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PodStatus {
    phase: String,
    reason: Option<String>,
    message: Option<String>,
    conditions: Vec<Condition>,
    init_container_statuses: Vec<ContainerStatus>,
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    name: String,
    #[serde(default)]
    ready: bool,
    #[serde(default)]
    restart_count: u32,
    #[serde(default)]
    state: ContainerState,
    #[serde(default)]
    last_state: ContainerState,
}

#[derive(Clone, Deserialize, Default)]
#[serde(default)]
struct ContainerState {
    waiting: Option<Reason>,
    terminated: Option<Ended>,
}

#[derive(Clone, Deserialize)]
struct Reason {
    #[serde(default)]
    reason: String,
    message: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ended {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    exit_code: i32,
}

impl PodObject {
    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.metadata.namespace, self.metadata.name)
    }

    pub(super) fn version(&self) -> String {
        self.metadata.resource_version.clone()
    }

    /// When it was made or deleted, whichever is later.
    pub(super) fn changed_at(&self) -> Option<Timestamp> {
        self.metadata.creation_timestamp.max(self.metadata.deletion_timestamp)
    }

    fn static_pod(self) -> Option<StaticPod> {
        Some(StaticPod {
            component: self.metadata.labels.component.clone()?,
            node: self.spec.node_name.clone(),
            version: self.spec.version(),
            trouble: self.in_trouble(),
        })
    }

    /// `None` for a pod that is well, or that has done its work: one that is on its way out, or failed, is replaced by another.
    pub(super) fn troubled(self) -> Option<Pod> {
        if self.metadata.deletion_timestamp.is_some() || self.status.phase == "Failed" {
            return None;
        }
        self.in_trouble()
    }

    fn in_trouble(self) -> Option<Pod> {
        let trouble = self.status.trouble()?;
        Some(Pod {
            critical: self.spec.is_critical(),
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            node: self.spec.node_name,
            created_at: self.metadata.creation_timestamp,
            trouble,
        })
    }
}

impl PodStatus {
    fn trouble(&self) -> Option<String> {
        let condition = |kind: &str| self.conditions.iter().find(|condition| condition.kind == kind);
        if self.phase == "Succeeded" || condition("Ready").is_some_and(|ready| ready.status == "True") {
            return None;
        }
        if let Some(scheduled) = condition("PodScheduled").filter(|scheduled| scheduled.status == "False") {
            // Somebody holds it back on purpose, until he takes its gates away.
            if scheduled.reason.as_deref() == Some("SchedulingGated") {
                return None;
            }
            return Some(format!("not scheduled: {}", scheduled.words()));
        }
        let containers = self.init_container_statuses.iter().chain(&self.container_statuses);
        let said = containers.filter_map(ContainerStatus::trouble).next();
        let whole = [&self.reason, &self.message].into_iter().flatten().cloned().collect::<Vec<_>>().join(": ");
        let whole = Some(whole).filter(|words| !words.is_empty());
        Some(said.or(whole).unwrap_or_else(|| match condition("Ready") {
            Some(ready) => format!("{}, not ready: {}", self.phase, ready.words()),
            None => format!("{}, not ready", self.phase),
        }))
    }
}

impl ContainerStatus {
    /// What the kubelet says of a container that is not ready; nothing of one that waits for its turn.
    fn trouble(&self) -> Option<String> {
        let Self { name, ready, restart_count, state, last_state } = self;
        if *ready {
            return None;
        }
        let ended = |ended: &Ended| format!("{} (exit code {})", ended.reason, ended.exit_code);
        let words = match (&state.waiting, &state.terminated) {
            (Some(waiting), _) if !matches!(waiting.reason.as_str(), "" | "PodInitializing" | "ContainerCreating") => {
                let message = waiting.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
                let last = last_state.terminated.as_ref().map(|last| format!(", last ended with {}", ended(last)));
                format!("{}{message}{}", waiting.reason, last.unwrap_or_default())
            }
            (_, Some(terminated)) if terminated.exit_code != 0 => ended(terminated),
            _ => return None,
        };
        let restarts = if *restart_count > 0 { format!(", {restart_count} restarts") } else { String::new() };
        Some(format!("container {name}: {words}{restarts}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::PodObject;

    fn pod(metadata: Json, status: Json) -> PodObject {
        let mut pod = json!({ "metadata": { "name": "a", "namespace": "kube-system" }, "status": status,
            "spec": { "nodeName": "i-1", "containers": [{ "image": "registry.example.com:5000/kube-proxy:v1.36.2@sha256:00" }] } });
        pod["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        serde_json::from_value(pod).unwrap()
    }

    fn not_ready() -> Json {
        json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "False", "reason": "ContainersNotReady" }] })
    }

    #[test]
    fn what_is_on_its_way_out_or_failed_is_replaced_by_another() {
        assert_eq!(pod(json!({}), not_ready()).troubled().unwrap().trouble, "Running, not ready: ContainersNotReady");
        assert_eq!(pod(json!({ "deletionTimestamp": "2026-11-27T00:00:00Z" }), not_ready()).troubled(), None);
        let evicted = json!({ "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory." });
        assert_eq!(pod(json!({}), evicted.clone()).troubled(), None);
        let fixed = pod(json!({ "labels": { "component": "kube-scheduler" } }), evicted).static_pod().unwrap();
        assert_eq!(fixed.trouble.unwrap().trouble, "Evicted: The node was low on resource: memory.", "nothing replaces it");
    }

    #[test]
    fn a_pod_that_somebody_holds_back_waits_for_no_node() {
        let waits = |reason: &str| {
            let scheduled = json!({ "type": "PodScheduled", "status": "False", "reason": reason });
            pod(json!({}), json!({ "phase": "Pending", "conditions": [scheduled] })).troubled()
        };
        assert_eq!(waits("SchedulingGated"), None);
        assert_eq!(waits("Unschedulable").unwrap().trouble, "not scheduled: Unschedulable");
    }

    #[test]
    fn the_tag_of_an_image_is_its_version() {
        let tag = |image: &str| {
            let mut pod = pod(json!({}), not_ready());
            pod.spec.containers[0].image = image.to_owned();
            pod.spec.version()
        };
        assert_eq!(tag("registry.example.com:5000/kube-proxy:v1.36.2@sha256:00").as_deref(), Some("v1.36.2"));
        assert_eq!(tag("registry.example.com:5000/kube-proxy"), None);
        assert_eq!(tag("kube-proxy@sha256:00"), None);
    }
}
