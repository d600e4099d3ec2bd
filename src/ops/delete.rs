//! `kclust delete`: remove all that a cluster owns, whoever of its parts made it, and its state last.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::apply::Report;
use crate::cloud::{ErrorClass, Leftover, Observed, Scope, World};
use crate::model::{Desired, ResourceId, build};
use crate::plan::{self, Action, Change, Context, Operation, Plan, Step, Work};
use crate::spec::ClusterName;
use crate::store::{ClusterStore, StoreError};

use super::begin::{Recorded, no_such_cluster, recorded, scope};
use super::carry_out::{Applied, Right, execute_recorded};
use super::error::OpsError;
use super::history::recorded_or_archived;
use super::stateless::{Traces, trace};
use super::{Approval, Ending, Environment};

/// How long what controllers inside the cluster made may take to go: the interfaces of a load balancer hold on to security groups
/// for minutes after it.
const PATIENCE: Duration = Duration::from_secs(20 * 60);
/// Between two looks at it.
const PAUSE: Duration = Duration::from_secs(5);

/// What may go beyond the cluster's own resources.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeleteOptions {
    pub dry_run: bool,
    /// Also remove `backups/` from the state store.
    pub delete_backups: bool,
}

/// Removes the cluster, or shows what that would remove.
pub async fn delete(environment: &Environment<'_>, name: &ClusterName, options: DeleteOptions) -> Result<Ending, OpsError> {
    let store = environment.state_of(name);
    environment.operator.phase("reading the state");
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
        Some(Recorded { cluster, facts, .. }) => {
            let desired = build(cluster, &facts.value);
            (Traces { scope: scope(cluster, &facts.value, &desired), unproven: Vec::new() }, desired)
        }
        None => (trace(environment, name).await?, Desired::new()),
    };
    let world = environment.observe(&scope, &store, &desired).await?;
    let leftovers = leftovers(environment, &scope).await?;
    if recorded.is_none() && world.resources.is_empty() && world.duplicates.is_empty() && leftovers.is_empty() {
        return match options.dry_run {
            true => Err(no_such_cluster(environment.objects.as_ref(), name).await),
            false => remove_lock(environment, &store).await,
        };
    }
    let mut plan = removal_plan(name, &world, &leftovers)?;
    plan.warnings.extend(unproven);
    if options.dry_run {
        return Ok(Ending::Planned(plan));
    }
    match environment.operator.approve(&plan) {
        Approval::Yes => {}
        Approval::No => return Ok(Ending::Declined),
        Approval::NobodyToAsk => return Err(OpsError::NotConfirmed),
    }
    // A store that is gone is made again: without it there is no lock, and two operators could work against each other.
    environment.objects.ensure().await?;
    let right = Right::take(environment, &store, &Operation::Delete.to_string()).await?;
    let result = right.explain(name, under_lock(environment, &store, &scope, &desired, options, &right).await);
    right.give_back(environment).await;
    result.map(Ending::Applied)
}

/// Ends what was killed when it had removed everything but its lock.
async fn remove_lock(environment: &Environment<'_>, store: &ClusterStore<'_>) -> Result<Ending, OpsError> {
    let right = match store.is_locked().await? {
        true => Right::take(environment, store, &Operation::Delete.to_string()).await,
        false => return Err(no_such_cluster(environment.objects.as_ref(), store.cluster()).await),
    };
    right?.give_back(environment).await;
    let cluster = store.cluster().to_string();
    Ok(Ending::Applied(Applied { operation: Operation::Delete, cluster, report: Report::default() }))
}

async fn leftovers(environment: &Environment<'_>, scope: &Scope) -> Result<Vec<Leftover>, OpsError> {
    environment.operator.phase("looking for what the cluster made by itself");
    environment.aws.leftovers(scope).await.map_err(OpsError::cloud("look for what the cluster made by itself"))
}

/// The removal of everything that is known, with the half-made things of the cluster's own kinds in their places.
fn removal_plan(name: &ClusterName, world: &World, leftovers: &[Leftover]) -> Result<Plan, OpsError> {
    let mut world = World { resources: world.resources.clone(), ..world.clone() };
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
    for leftover in leftovers {
        match leftover {
            Leftover::Own { .. } => {}
            Leftover::DataVolume { .. } => plan.warnings.push(format!("{} holds data and is kept", leftover.describe())),
            Leftover::LoadBalancer { .. }
            | Leftover::TargetGroup { .. }
            | Leftover::SecurityGroup { .. }
            | Leftover::NetworkInterface { .. }
            | Leftover::Instance { .. } => {
                plan.warnings.push(format!("{} was made inside the cluster and is removed too", leftover.describe()));
            }
        }
    }
    Ok(plan)
}

async fn under_lock(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    scope: &Scope,
    desired: &Desired,
    options: DeleteOptions,
    right: &Right,
) -> Result<Applied, OpsError> {
    let mut applied = Applied { operation: Operation::Delete, cluster: scope.cluster.clone(), report: Report::default() };
    let begun = Instant::now();
    loop {
        let world = environment.observe(scope, store, desired).await?;
        let leftovers = leftovers(environment, scope).await?;
        let plan = removal_plan(store.cluster(), &world, &leftovers)?;
        let foreign: Vec<&Leftover> =
            leftovers.iter().filter(|leftover| !matches!(leftover, Leftover::Own { .. } | Leftover::DataVolume { .. })).collect();
        if plan.is_empty() && foreign.is_empty() {
            break;
        }
        if begun.elapsed() > PATIENCE {
            let left = plan.changes.iter().map(|change| change.id.to_string()).chain(foreign.iter().map(|left| left.describe()));
            return Err(OpsError::Left { cluster: scope.cluster.clone(), left: left.collect() });
        }
        if foreign.is_empty() {
            let report = execute_recorded(environment, store, &plan, &world, right).await?.report;
            add(&mut applied.report, report);
            continue;
        }
        // Machines first, and with them whatever makes more; then what they made; then, in a later round, what that was made in.
        let machines = machines_only(&plan);
        if !machines.is_empty() {
            let report = execute_recorded(environment, store, &machines, &world, right).await?.report;
            add(&mut applied.report, report);
        }
        let blocked = remove_foreign(environment, &foreign).await?;
        if !blocked.is_empty() {
            environment.operator.phase(&format!("waiting for {}, which is still in use", blocked.join(", ")));
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = environment.stop.requested() => {
                    let report = Box::new(applied.report);
                    return Err(OpsError::Interrupted { cluster: scope.cluster.clone(), operation: Operation::Delete, report });
                }
            }
        }
    }
    if let Some(reason) = right.is_lost() {
        return Err(OpsError::LockLost { cluster: scope.cluster.clone(), reason, report: Box::new(applied.report) });
    }
    environment.operator.phase("removing the state");
    store.remove_all(!options.delete_backups).await?;
    Ok(applied)
}

fn add(total: &mut Report, report: Report) {
    total.done += report.done;
    total.total += report.total;
    total.elapsed += report.elapsed;
}

/// The part of a removal that ends machines: autoscaling groups, on which nothing waits but templates.
fn machines_only(plan: &Plan) -> Plan {
    let is_group = |id: &ResourceId| id.kind == crate::model::Kind::AutoscalingGroup;
    let changes: Vec<Change> = plan.changes.iter().filter(|change| is_group(&change.id)).cloned().collect();
    let steps: Vec<Step> = plan
        .steps
        .iter()
        .filter(|step| is_group(&step.id))
        .map(|step| Step { id: step.id.clone(), work: step.work.clone(), after: Vec::new() })
        .collect();
    debug_assert!(steps.iter().all(|step| matches!(step.work, Work::Delete(_))));
    debug_assert!(changes.iter().all(|change| change.action == Action::Delete));
    Plan { changes, steps, warnings: Vec::new(), ..plan.clone() }
}

/// Load balancers before their target groups, groups last: AWS refuses the other way round. Returns what is still in use.
async fn remove_foreign(environment: &Environment<'_>, leftovers: &[&Leftover]) -> Result<Vec<String>, OpsError> {
    let order = |leftover: &Leftover| match leftover {
        Leftover::Instance { .. } => 0,
        Leftover::LoadBalancer { .. } => 1,
        Leftover::TargetGroup { .. } => 2,
        Leftover::NetworkInterface { .. } => 3,
        Leftover::SecurityGroup { .. } => 4,
        Leftover::Own { .. } | Leftover::DataVolume { .. } => 5,
    };
    let mut ordered = leftovers.to_vec();
    ordered.sort_by_key(|leftover| order(leftover));
    let mut blocked = Vec::new();
    for leftover in ordered {
        environment.operator.phase(&format!("removing {}", leftover.describe()));
        match environment.aws.delete_leftover(leftover).await {
            Ok(()) => {}
            Err(error) if error.class == ErrorClass::NotFound => {}
            Err(error) if error.class == ErrorClass::InUse => blocked.push(leftover.describe()),
            Err(source) => return Err(OpsError::Cloud { action: format!("remove {}", leftover.describe()), source }),
        }
    }
    Ok(blocked)
}
