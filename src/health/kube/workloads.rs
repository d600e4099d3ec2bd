//! What the cluster itself runs: deployments and daemon sets, and the pods of those that are weak.
//!
//! Pods are listed only where a deployment or daemon set has too few, and where no node has them yet: a list of all would be most of
//! what the API server has.

use std::collections::BTreeMap;

use ::kube::api::ListParams;
use ::kube::{Client, Error};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;

use crate::health::{Pod, Workload};

use super::lists::list;
use super::pods::{PodObject, PodSpec, pods_of};

/// Deployments and daemon sets whose pods are looked at. More are weak only when one cause makes them so.
const LOOKED_AT: usize = 12;
const CONCURRENCY: usize = 4;
/// Looks until pods are listed again of a workload whose numbers stay.
const AGAIN: u32 = 6;

/// Where the cluster itself runs: Calico and Flannel have a namespace of their own.
const NAMESPACES: [&str; 3] = ["kube-system", "calico-system", "kube-flannel"];

/// What was found of the pods of workloads that are weak. They are listed again where the numbers of a workload have changed, and now and
/// then: a daemon set has a pod on each of thousands of nodes.
#[derive(Default)]
pub(super) struct Looks {
    count: u32,
    /// By namespace and name.
    found: BTreeMap<String, Found>,
}

struct Found {
    /// The look at which they were listed.
    at: u32,
    wanted: u32,
    available: u32,
    /// When one of the pods was made or deleted.
    changed_at: Option<Timestamp>,
    troubled: Vec<Pod>,
}

impl Found {
    fn tells_of(&self, workload: &Workload, look: u32) -> bool {
        (self.wanted, self.available) == (workload.wanted, workload.available) && look - self.at < AGAIN
    }
}

pub(super) async fn workloads(client: &Client, looks: &mut Looks) -> Result<Vec<Workload>, Error> {
    looks.count += 1;
    let of_kind = |namespace: &'static str, plural: &str, kind: &'static str| {
        let path = format!("/apis/apps/v1/namespaces/{namespace}/{plural}");
        async move { Ok::<_, Error>(list(client, &path, ListParams::default(), |owner: Owner| Some((kind, owner))).await?.items) }
    };
    let owners = try_join_all(NAMESPACES.map(|namespace| async move {
        let (daemon_sets, deployments) =
            tokio::try_join!(of_kind(namespace, "daemonsets", "DaemonSet"), of_kind(namespace, "deployments", "Deployment"))?;
        Ok::<_, Error>(daemon_sets.into_iter().chain(deployments).map(move |(kind, owner)| (namespace, kind, owner)))
    }))
    .await?;
    let mut weak = Vec::new();
    let mut workloads: Vec<(String, Workload)> = Vec::new();
    for (namespace, kind, owner) in owners.into_iter().flatten() {
        let selector = owner.selector();
        let workload = owner.workload(kind);
        let key = format!("{namespace}/{}", workload.name);
        if let Some(selector) = selector.filter(|_| workload.available < workload.wanted) {
            weak.push((key.clone(), pods_of(namespace), selector, workload.clone()));
        }
        workloads.push((key, workload));
    }
    // What the cluster cannot do without is looked at first.
    weak.sort_by_key(|(.., workload)| !workload.critical);
    weak.truncate(LOOKED_AT);
    let mut found: BTreeMap<String, Found> = weak.iter().filter_map(|(key, ..)| looks.found.remove_entry(key)).collect();
    let count = looks.count;
    weak.retain(|(key, .., workload)| !found.get(key).is_some_and(|found| found.tells_of(workload, count)));
    let listed: Vec<(String, Found)> = stream::iter(weak)
        .map(|(key, path, selector, Workload { wanted, available, .. })| async move {
            let params = ListParams::default().labels(&selector);
            let pods = list(client, &path, params, |pod: PodObject| Some((pod.changed_at(), pod.troubled()))).await?;
            let (changed, troubled): (Vec<_>, Vec<_>) = pods.items.into_iter().unzip();
            let changed_at = changed.into_iter().flatten().max();
            let troubled = troubled.into_iter().flatten().collect();
            Ok::<_, Error>((key, Found { at: count, wanted, available, changed_at, troubled }))
        })
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    found.extend(listed);
    looks.found = found;
    let with_pods = workloads.into_iter().map(|(key, workload)| match looks.found.get(&key) {
        Some(Found { changed_at, troubled, .. }) => {
            Workload { changed_at: workload.changed_at.max(*changed_at), troubled: Some(troubled.clone()), ..workload }
        }
        None => workload,
    });
    Ok(with_pods.collect())
}

#[derive(Deserialize)]
struct Owner {
    metadata: OwnerMetadata,
    #[serde(default)]
    spec: OwnerSpec,
    #[serde(default)]
    status: OwnerStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OwnerMetadata {
    name: String,
    creation_timestamp: Option<Timestamp>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OwnerSpec {
    replicas: Option<u32>,
    selector: Selector,
    template: Template,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Selector {
    #[serde(default)]
    match_labels: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Template {
    spec: PodSpec,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct OwnerStatus {
    desired_number_scheduled: u32,
    number_available: u32,
    available_replicas: u32,
    conditions: Vec<OwnerCondition>,
}

/// Of a deployment; daemon sets have none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OwnerCondition {
    last_transition_time: Option<Timestamp>,
}

impl Owner {
    fn selector(&self) -> Option<String> {
        let labels: Vec<String> = self.spec.selector.match_labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Some(labels.join(",")).filter(|selector| !selector.is_empty())
    }

    fn workload(self, kind: &str) -> Workload {
        let Self { metadata, spec, status } = self;
        let (wanted, available) = match kind {
            "DaemonSet" => (status.desired_number_scheduled, status.number_available),
            _ => (spec.replicas.unwrap_or(1), status.available_replicas),
        };
        let transitions = status.conditions.into_iter().filter_map(|condition| condition.last_transition_time);
        Workload {
            name: format!("{kind}/{}", metadata.name),
            wanted,
            available,
            critical: spec.template.spec.is_critical(),
            version: spec.template.spec.version(),
            changed_at: transitions.chain(metadata.creation_timestamp).max(),
            troubled: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Owner;

    #[test]
    fn a_workload_tells_when_it_last_changed() {
        let owner: Owner = serde_json::from_value(json!({
            "metadata": { "name": "coredns", "creationTimestamp": "2026-11-01T00:00:00Z" },
            "spec": { "replicas": 2 },
            "status": { "availableReplicas": 1, "conditions": [
                { "type": "Progressing", "lastTransitionTime": "2026-11-02T00:00:00Z" },
                { "type": "Available", "lastTransitionTime": "2026-11-03T00:00:00Z" }] },
        }))
        .unwrap();
        let workload = owner.workload("Deployment");
        assert_eq!((workload.wanted, workload.available), (2, 1));
        assert_eq!(workload.changed_at, "2026-11-03T00:00:00Z".parse().ok());
    }
}
