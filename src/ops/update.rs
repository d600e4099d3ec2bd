//! `kclust update`: bring a cluster to its spec, or to a changed one.

use crate::model::Kind;
use crate::plan::{Action, Change, Operation, Plan};
use crate::spec::{Cluster, ClusterName};

use super::begin::{Recorded, no_such_cluster, recorded};
use super::carry_out::{carry_out, close};
use super::error::OpsError;
use super::history::{recorded_or_archived, revision_spec};
use super::manifests::Reading;
use super::reconcile::prepare;
use super::{Approval, Ending, Environment, StateRoot, preflight};

/// The spec to bring a cluster to.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// The one that was last applied.
    Recorded,
    /// Another one.
    Changed(&'a Cluster),
    /// One of the history. Also the way to repair a state whose `cluster.yaml` or `facts.json` is damaged or gone.
    Revision(u32),
}

/// Brings cluster `name` to a spec.
pub async fn update(
    environment: &Environment<'_>,
    name: &ClusterName,
    target: Target<'_>,
    dry_run: bool,
) -> Result<Ending, OpsError> {
    if environment.state_root == StateRoot::Directory && !dry_run {
        return Err(OpsError::StateNotReachable);
    }
    let store = environment.state_of(name);
    environment.operator.phase("reading the state");
    let root = environment.objects.root();
    let basis = store.basis().await?;
    let recorded = match target {
        Target::Recorded | Target::Changed(_) => recorded(&store, root).await?,
        Target::Revision(_) => recorded_or_archived(&store, root).await?,
    };
    let Some(recorded) = recorded else {
        return Err(no_such_cluster(environment.objects.as_ref(), name).await);
    };
    let cluster = match target {
        Target::Recorded => recorded.cluster.clone(),
        Target::Changed(changed) => changed.clone(),
        Target::Revision(sequence) => revision_spec(environment.objects.as_ref(), name, sequence).await?,
    };
    if cluster.region != recorded.cluster.region {
        let (owner, region) = (recorded.cluster.region.to_string(), cluster.region.to_string());
        return Err(OpsError::OtherRegion { cluster: name.to_string(), owner, region });
    }
    let fields = fixed_fields(&recorded.cluster, &cluster);
    if !fields.is_empty() {
        return Err(OpsError::FixedFields { cluster: name.to_string(), fields });
    }
    let same_spec = cluster == recorded.cluster;
    let reading = match target {
        Target::Changed(_) => Reading::Given,
        Target::Recorded | Target::Revision(_) => Reading::Recorded,
    };
    let mut prepared = prepare(environment, &store, Operation::Update, &cluster, Some(&recorded), reading).await?;
    let repairs = repairs(&recorded, root);
    let is_whole = repairs.is_empty();
    prepared.plan.warnings.extend(repairs);
    prepared.plan.warnings.extend(version_change(&recorded.cluster, &cluster));
    prepared.plan.warnings.extend(machines_that_stay(&prepared.plan));
    preflight::check(environment, &cluster, &mut prepared, dry_run).await?;
    if dry_run {
        return Ok(Ending::Planned(prepared.plan));
    }
    if prepared.plan.is_empty() && same_spec && is_whole {
        return close(environment, &store, &cluster, &basis, Some(recorded), prepared).await;
    }
    match environment.operator.approve(&prepared.plan) {
        Approval::Yes => carry_out(environment, &store, &cluster, &basis, Some(recorded), prepared).await.map(Ending::Applied),
        Approval::No => Ok(Ending::Declined),
        Approval::NobodyToAsk => Err(OpsError::NotConfirmed),
    }
}

/// What the plan only shows as another digest of user-data.
fn version_change(from: &Cluster, to: &Cluster) -> Option<String> {
    let (from, to) = (&from.kubernetes_version, &to.kubernetes_version);
    (from != to).then(|| format!("machines that are launched from now on run Kubernetes {to}, those of before {from}"))
}

/// Instances of a group keep what they were launched with when the group gets another template.
fn machines_that_stay(plan: &Plan) -> Option<String> {
    let is_other_template = |change: &&Change| change.id.kind == Kind::LaunchTemplate && change.action == Action::Update;
    let groups: Vec<&str> = plan.changes.iter().filter(is_other_template).map(|change| change.id.name.as_str()).collect();
    (!groups.is_empty()).then(|| {
        format!(
            "instances of {} that run stay as they are until they are replaced; `kclust get groups {}` shows how many",
            groups.join(", "),
            plan.cluster
        )
    })
}

/// What is written anew because it cannot be read.
fn repairs(recorded: &Recorded, root: &str) -> Vec<String> {
    let kept = match root.starts_with("s3://") {
        true => "; what is there now stays in the bucket as an earlier version",
        false => "",
    };
    let spec = recorded.damage.as_ref().map(|damage| {
        format!(
            "cluster.yaml cannot be read ({damage}) and is written anew; revision {} was the last one{kept}",
            recorded.applied.revision.sequence
        )
    });
    let facts = recorded
        .facts
        .damage
        .as_ref()
        .map(|damage| format!("facts.json cannot be read ({damage}) and is written anew from its copy in the history{kept}"));
    spec.into_iter().chain(facts).collect()
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
