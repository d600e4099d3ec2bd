//! `kclust create`: make the cluster of a spec, or finish making it.

use crate::plan::Operation;
use crate::spec::{Cluster, to_yaml};

use super::begin::recorded;
use super::carry_out::{carry_out, close};
use super::error::OpsError;
use super::lines::differing_lines;
use super::manifests::Reading;
use super::reconcile::prepare;
use super::{Approval, Ending, Environment, StateRoot, preflight};

/// Makes the cluster, or shows what that would take.
pub async fn create(environment: &Environment<'_>, cluster: &Cluster, dry_run: bool) -> Result<Ending, OpsError> {
    if environment.state_root == StateRoot::Directory && !dry_run {
        return Err(OpsError::StateNotReachable);
    }
    let store = environment.state_of(&cluster.name);
    environment.operator.phase("reading the state");
    let basis = store.basis().await?;
    let recorded = recorded(&store, environment.objects.root()).await?;
    if let Some(recorded) = &recorded
        && recorded.cluster != *cluster
    {
        let differences = differing_lines(&to_yaml(&recorded.cluster), &to_yaml(cluster));
        return Err(OpsError::DifferentSpec { cluster: cluster.name.to_string(), differences });
    }
    let mut prepared = prepare(environment, &store, Operation::Create, cluster, recorded.as_ref(), Reading::Given).await?;
    preflight::check(environment, cluster, &mut prepared, dry_run).await?;
    if dry_run {
        return Ok(Ending::Planned(prepared.plan));
    }
    if prepared.plan.is_empty() {
        return close(environment, &store, cluster, &basis, recorded, prepared).await;
    }
    match environment.operator.approve(&prepared.plan) {
        Approval::Yes => carry_out(environment, &store, cluster, &basis, recorded, prepared).await.map(Ending::Applied),
        Approval::No => Ok(Ending::Declined),
        Approval::NobodyToAsk => Err(OpsError::NotConfirmed),
    }
}
