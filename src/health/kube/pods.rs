//! What runs in `kube-system`, from the owner to the reason of a container.
//!
//! Pods are listed only where a deployment or daemon set has too few, and where no node has them yet: a list of all would be most of
//! what the API server has.

use std::collections::BTreeMap;

use ::kube::api::ListParams;
use ::kube::{Client, Error};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;

use crate::health::{Pod, Workload};

use super::lists::{Condition, list};

/// Deployments and daemon sets whose pods are looked at. More are weak only when one cause makes them so.
const LOOKED_AT: usize = 12;
const CONCURRENCY: usize = 4;

const SYSTEM_PODS: &str = "/api/v1/namespaces/kube-system/pods";
pub(super) const ALL_PODS: &str = "/api/v1/pods";

/// Chooses the pods that no node has, or whose images are being pulled.
pub(super) const PENDING: &str = "status.phase=Pending";

pub(super) async fn workloads(client: &Client) -> Result<Vec<Workload>, Error> {
    let of_kind = |plural: &str, kind: &'static str| {
        let path = format!("/apis/apps/v1/namespaces/kube-system/{plural}");
        async move { list(client, &path, ListParams::default(), |owner: Owner| Some((kind, owner))).await }
    };
    let (daemon_sets, deployments) = tokio::try_join!(of_kind("daemonsets", "DaemonSet"), of_kind("deployments", "Deployment"))?;
    let owners: Vec<(&str, Owner)> = daemon_sets.items.into_iter().chain(deployments.items).collect();
    let mut weak = 0;
    let looked: Vec<(Workload, Option<String>)> = owners
        .into_iter()
        .map(|(kind, owner)| {
            let Owner { metadata, spec, status } = owner;
            let (wanted, available) = match kind {
                "DaemonSet" => (status.desired_number_scheduled, status.number_available),
                _ => (spec.replicas.unwrap_or(1), status.available_replicas),
            };
            let workload = Workload { name: format!("{kind}/{}", metadata.name), wanted, available, troubled: Vec::new() };
            weak += usize::from(available < wanted);
            let look = available < wanted && weak <= LOOKED_AT;
            let selector = spec.selector.match_labels.iter().map(|(name, value)| format!("{name}={value}"));
            (workload, look.then(|| selector.collect::<Vec<_>>().join(",")).filter(|selector| !selector.is_empty()))
        })
        .collect();
    stream::iter(looked)
        .map(|(workload, selector)| async move {
            let Some(selector) = selector else { return Ok(workload) };
            let params = ListParams::default().labels(&selector);
            let troubled = list(client, SYSTEM_PODS, params, PodObject::troubled).await?.items;
            Ok(Workload { troubled, ..workload })
        })
        .buffered(CONCURRENCY)
        .try_collect()
        .await
}

/// Static pods: kubeadm labels them so.
pub(super) async fn control_plane(client: &Client) -> Result<Vec<Pod>, Error> {
    let params = ListParams::default().labels("tier=control-plane");
    Ok(list(client, SYSTEM_PODS, params, PodObject::troubled).await?.items)
}

pub(super) async fn pending(client: &Client) -> Result<Vec<Pod>, Error> {
    Ok(list(client, ALL_PODS, ListParams::default().fields(PENDING), PodObject::troubled).await?.items)
}

#[derive(Deserialize)]
struct Owner {
    metadata: Named,
    #[serde(default)]
    spec: OwnerSpec,
    #[serde(default)]
    status: OwnerStatus,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize, Default)]
struct OwnerSpec {
    replicas: Option<u32>,
    #[serde(default)]
    selector: Selector,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Selector {
    #[serde(default)]
    match_labels: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct OwnerStatus {
    desired_number_scheduled: u32,
    number_available: u32,
    available_replicas: u32,
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
}

#[derive(Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    node_name: Option<String>,
    priority_class_name: String,
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

    /// `None` for a pod that is well, or that has done its work.
    pub(super) fn troubled(self) -> Option<Pod> {
        let trouble = self.status.trouble()?;
        Some(Pod {
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            node: self.spec.node_name,
            created_at: self.metadata.creation_timestamp,
            critical: self.spec.priority_class_name.starts_with("system-"),
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
