//! `kclust update`: bring a cluster to its spec, or to a changed one.

use crate::plan::Operation;
use crate::spec::{Cluster, ClusterName};

use super::begin::{no_such_cluster, recorded};
use super::carry_out::carry_out;
use super::error::OpsError;
use super::manifests::Reading;
use super::reconcile::prepare;
use super::{Approval, Ending, Environment, StateRoot, preflight};

/// Brings cluster `name` to `changed`, or, where that is not given, back to the spec that was last applied.
pub async fn update(
    environment: &Environment<'_>,
    name: &ClusterName,
    changed: Option<&Cluster>,
    dry_run: bool,
) -> Result<Ending, OpsError> {
    if environment.state_root == StateRoot::Directory && !dry_run {
        return Err(OpsError::StateNotReachable);
    }
    let store = environment.state_of(name);
    environment.operator.phase("reading the state");
    let Some(recorded) = recorded(&store, environment.objects.root()).await? else {
        return Err(no_such_cluster(environment.objects.as_ref(), name).await);
    };
    let cluster = changed.cloned().unwrap_or_else(|| recorded.cluster.clone());
    if cluster.region != recorded.cluster.region {
        let (owner, region) = (recorded.cluster.region.to_string(), cluster.region.to_string());
        return Err(OpsError::OtherRegion { cluster: name.to_string(), owner, region });
    }
    let fields = fixed_fields(&recorded.cluster, &cluster);
    if !fields.is_empty() {
        return Err(OpsError::FixedFields { cluster: name.to_string(), fields });
    }
    let same_spec = cluster == recorded.cluster;
    let reading = if changed.is_some() { Reading::Given } else { Reading::Recorded };
    let mut prepared = prepare(environment, &store, Operation::Update, &cluster, Some(&recorded), reading).await?;
    preflight::check(environment, &cluster, &mut prepared, dry_run).await?;
    if dry_run {
        return Ok(Ending::Planned(prepared.plan));
    }
    if prepared.plan.is_empty() && same_spec {
        return Ok(Ending::Unchanged(prepared.plan));
    }
    match environment.operator.approve(&prepared.plan) {
        Approval::Yes => carry_out(environment, &store, &cluster, Some(recorded), prepared).await.map(Ending::Applied),
        Approval::No => Ok(Ending::Declined),
        Approval::NobodyToAsk => Err(OpsError::NotConfirmed),
    }
}

/// What no resource of AWS holds, so that no plan would refuse it, and what running machines were told when they booted: addresses of
/// pods and services, the network plugin, the API's name.
fn fixed_fields(from: &Cluster, to: &Cluster) -> Vec<(&'static str, String, String)> {
    let zone = |cluster: &Cluster| cluster.dns.as_ref().map_or_else(|| "(none)".to_owned(), |dns| dns.zone.clone());
    [
        ("spec.network.podCIDR", from.network.pod_cidr.to_string(), to.network.pod_cidr.to_string()),
        ("spec.network.serviceCIDR", from.network.service_cidr.to_string(), to.network.service_cidr.to_string()),
        ("spec.network.cni", word(&from.network.cni), word(&to.network.cni)),
        ("spec.dns.zone", zone(from), zone(to)),
    ]
    .into_iter()
    .filter(|(_, from, to)| from != to)
    .collect()
}

/// An enum of the spec in the spec's own word.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}
