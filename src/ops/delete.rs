//! `kclust delete`: remove all that a cluster owns, whoever of its parts made it, and its state last.

mod passes;
mod progress;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::apply::Report;
use crate::cloud::{Leftover, Observed, Obstacles, Scope, World};
use crate::model::{Desired, ResourceId, build};
use crate::plan::{self, Context, Fate, Operation, Plan};
use crate::spec::ClusterName;
use crate::store::{Basis, ClusterStore, StoreError};

use super::begin::{no_such_cluster, recorded, scope};
use super::carry_out::{Applied, Right};
use super::error::OpsError;
use super::history::recorded_or_archived;
use super::stateless::{Traces, trace};
use super::{Approval, Ending, Environment, api_record, preflight};

/// What may go beyond the cluster's own resources.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeleteOptions {
    pub dry_run: bool,
    /// Also remove `backups/` from the state store.
    pub delete_backups: bool,
    /// Also remove the volumes of persistent volume claims, and what is on them.
    pub delete_volumes: bool,
}

impl DeleteOptions {
    fn fate_of(self, leftover: &Leftover) -> Fate {
        match leftover {
            Leftover::DataVolume { .. } if self.delete_volumes => Fate::Removed,
            // A snapshot is a backup, and says nothing about the cluster that it was made in.
            leftover if leftover.is_data() => Fate::Kept,
            _ => Fate::Removed,
        }
    }
}

/// Removes the cluster, or shows what that would remove.
pub async fn delete(environment: &Environment<'_>, name: &ClusterName, options: DeleteOptions) -> Result<Ending, OpsError> {
    let store = environment.state_of(name);
    environment.operator.phase("reading the state");
    let basis = store.basis().await?;
    let recorded = match recorded(&store, environment.objects.root()).await {
        // A spec and facts of the history are as good to delete by, and without them there are the tags.
        Err(OpsError::Store(StoreError::Lost { .. })) => match recorded_or_archived(&store, environment.objects.root()).await {
            Err(OpsError::Store(StoreError::Lost { .. })) => None,
            other => other?,
        },
        other => other?,
    };
    if let Some(owner) = recorded.as_ref().map(|recorded| &recorded.facts.value.account)
        && *owner != environment.identity.account
    {
        let (owner, account) = (owner.clone(), environment.identity.account.clone());
        return Err(OpsError::OtherAccount { cluster: name.to_string(), owner, account });
    }
    // Where to look: as the state says, or else what can be worked out.
    let (Traces { scope, unproven }, desired) = match &recorded {
        Some(recorded) => {
            let (cluster, facts) = (&recorded.cluster, &recorded.facts.value);
            let desired = build(cluster, facts);
            (Traces { scope: scope(cluster, facts, &desired, Some(recorded)), unproven: Vec::new() }, desired)
        }
        None => (trace(environment, name).await?, Desired::new()),
    };
    let (world, of_others) = own_world(environment.observe(&scope, &store, &desired).await?, &desired, &scope);
    environment.operator.phase("looking for what the cluster made by itself, and for what is in the way");
    let (leftovers, obstacles) = tokio::join!(leftovers(environment, &scope), obstacles(environment, &scope, &world));
    let (leftovers, obstacles) = (leftovers?, obstacles?);
    let mut plan = removal_plan(name, &world, &leftovers, &obstacles, options)?;
    plan.warnings.extend(of_others.into_iter().chain(unproven));
    let snapshots = store.snapshots().await?.len();
    plan.warnings.extend(fate_of_backups(snapshots, options));
    if recorded.is_none() && plan.is_empty() {
        return end_removal(environment, &store, &basis, plan, options).await;
    }
    // Without the state nobody knows what the permissions would have to name.
    if let Some(recorded) = recorded.as_ref().filter(|_| !plan.changes.is_empty()) {
        let facts = &recorded.facts.value;
        preflight::check_removal(environment, &recorded.cluster, facts, &mut plan, options.dry_run).await?;
    }
    if options.dry_run {
        return Ok(Ending::Planned(plan));
    }
    match environment.operator.approve(&plan) {
        Approval::Yes => {}
        Approval::No => return Ok(Ending::Declined),
        Approval::NobodyToAsk => return Err(OpsError::NotConfirmed),
    }
    // A store that is gone is made again: without it there is no lock, and two operators could work against each other.
    if environment.objects.ensure().await? {
        environment
            .operator
            .note(&format!("made the state store {} for the lock; remove it when nobody needs it", environment.objects.root()));
    }
    let right = Right::take_for(environment, &store, Operation::Delete, &basis).await?;
    let is_unsettled = recorded
        .as_ref()
        .and_then(|recorded| recorded.ledger.as_ref())
        .is_some_and(|ledger| ledger.finished_at.is_none() && Operation::from(ledger.operation) != Operation::Delete);
    let removal =
        passes::Removal { environment, store: &store, scope: &scope, desired: &desired, options, right: &right, is_unsettled };
    let result = right.explain(name, removal.carry_out().await);
    right.give_back(environment).await;
    result.map(Ending::Applied)
}

fn fate_of_backups(snapshots: usize, options: DeleteOptions) -> Option<String> {
    let (count, are) = match snapshots {
        0 => return None,
        1 => ("1 snapshot of etcd".to_owned(), "is"),
        more => (format!("{more} snapshots of etcd"), "are"),
    };
    Some(match options.delete_backups {
        true => format!("{count} {are} removed from the state store too"),
        false => format!("{count} {are} kept in the state store; --delete-backups removes them"),
    })
}

/// Ends what was killed when it had removed everything in AWS: its state, or the lock alone, is left.
async fn end_removal(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    basis: &Basis,
    mut plan: Plan,
    options: DeleteOptions,
) -> Result<Ending, OpsError> {
    let has_state = store.is_half_removed().await?;
    if options.dry_run && has_state {
        plan.warnings.push("a removal was interrupted: what is left of the cluster's state is removed".to_owned());
        return Ok(Ending::Planned(plan));
    }
    if options.dry_run || !(has_state || store.is_locked().await?) {
        return Err(no_such_cluster(environment.objects.as_ref(), store.cluster()).await);
    }
    let right = Right::take_for(environment, store, Operation::Delete, basis).await?;
    let removed = match store.is_half_removed().await {
        Ok(true) => store.remove_all(!options.delete_backups).await,
        other => other.map(drop),
    };
    right.give_back(environment).await;
    removed?;
    let (cluster, report) = (store.cluster().to_string(), Report::default());
    let snapshots = store.snapshots().await?.len();
    Ok(Ending::Applied(Applied { operation: Operation::Delete, cluster, report, kept: Vec::new(), snapshots }))
}

/// The world without records at the cluster's names that lead elsewhere, and what to say about these.
fn own_world(mut world: World, desired: &Desired, scope: &Scope) -> (World, Vec<String>) {
    let of_others = api_record::of_others(&world, desired, scope);
    let stay = of_others.iter().map(|(_, record)| format!("{} leads elsewhere and stays", api_record::describe(record)));
    let (stay, ids): (Vec<String>, Vec<ResourceId>) = (stay.collect(), of_others.iter().map(|(id, _)| (*id).clone()).collect());
    world.resources.retain(|id, _| !ids.contains(id));
    (world, stay)
}

async fn leftovers(environment: &Environment<'_>, scope: &Scope) -> Result<Vec<Leftover>, OpsError> {
    environment.aws.leftovers(scope).await.map_err(OpsError::cloud("look for what the cluster made by itself"))
}

/// What is in the way of a world: in its network, and what the world itself shows.
async fn obstacles(environment: &Environment<'_>, scope: &Scope, world: &World) -> Result<Obstacles, OpsError> {
    let found = environment.aws.obstacles(scope, world).await;
    let mut found = found.map_err(OpsError::cloud("look for what is in the way"))?;
    found.blockers.extend(world.held.iter().cloned());
    Ok(found)
}

/// The removal of everything that is known, with the half-made things of the cluster's own kinds in their places.
fn removal_plan(
    name: &ClusterName,
    world: &World,
    leftovers: &[Leftover],
    obstacles: &Obstacles,
    options: DeleteOptions,
) -> Result<Plan, OpsError> {
    let mut world = world.clone();
    let own: BTreeMap<ResourceId, Observed> = leftovers
        .iter()
        .filter_map(|leftover| match leftover {
            Leftover::Own { id, observed } => Some((id.clone(), observed.clone())),
            _ => None,
        })
        .collect();
    for (id, observed) in own {
        world.resources.entry(id).or_insert(observed);
    }
    let context = Context { cluster: name.as_str(), operation: Operation::Delete, user_tags: Default::default() };
    let mut plan = plan::removal(&context, &world)?;
    for leftover in leftovers.iter().filter(|leftover| !matches!(leftover, Leftover::Own { .. })) {
        let fate = options.fate_of(leftover);
        plan.warnings.push(match fate {
            Fate::Kept => format!("{} holds data and is kept", leftover.describe()),
            Fate::Removed if leftover.is_data() => format!("{} holds data, which is lost with it", leftover.describe()),
            Fate::Removed => format!("{} was made inside the cluster and is removed too", leftover.describe()),
        });
        plan.leftovers.push((fate, leftover.clone()));
    }
    for blocker in &obstacles.blockers {
        plan.warnings.push(format!("{blocker}: it is not the cluster's and stays, and so may what it keeps"));
    }
    plan.blockers = obstacles.blockers.clone();
    Ok(plan)
}
