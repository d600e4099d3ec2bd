//! The work of a removal, in passes: what controllers inside the cluster make while it goes is found by the next one.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use crate::apply::Report;
use crate::cloud::{ErrorClass, Leftover, Obstacles, Scope, World};
use crate::model::{Desired, Kind, ResourceId};
use crate::ops::Environment;
use crate::ops::carry_out::{Applied, Right, execute_recorded, record_removal};
use crate::ops::error::OpsError;
use crate::plan::{Fate, Operation, Plan, Step};
use crate::store::ClusterStore;

use super::progress::{Progress, Refusals};
use super::{DeleteOptions, leftovers, obstacles, own_world, removal_plan};

/// How long EC2 may not show what was made last. Once the state is gone nobody looks for it any more.
const UNSEEN: Duration = Duration::from_secs(10);

pub(super) struct Removal<'a> {
    pub(super) environment: &'a Environment<'a>,
    pub(super) store: &'a ClusterStore<'a>,
    pub(super) scope: &'a Scope,
    pub(super) desired: &'a Desired,
    pub(super) options: DeleteOptions,
    pub(super) right: &'a Right,
    /// A command that made something was killed: what it made last may not be visible yet.
    pub(super) is_unsettled: bool,
}

/// What a pass is about.
struct Look {
    world: World,
    plan: Plan,
}

impl Look {
    fn is_done(&self) -> bool {
        self.plan.is_empty()
    }

    /// What controllers made, in the order in which AWS lets go of it: load balancers before their target groups, groups late.
    fn of_controllers(&self) -> Vec<&Leftover> {
        let order = |leftover: &Leftover| match leftover {
            Leftover::Instance { .. } => 0,
            Leftover::LoadBalancer { .. } | Leftover::ClassicLoadBalancer { .. } => 1,
            Leftover::TargetGroup { .. } => 2,
            Leftover::NetworkInterface { .. } => 3,
            Leftover::SecurityGroup { .. } => 4,
            Leftover::LaunchTemplate { .. } => 5,
            Leftover::DataVolume { .. } => 6,
            Leftover::Own { .. } | Leftover::Snapshot { .. } => 7,
        };
        let removed = self.plan.leftovers.iter().filter(|(fate, _)| *fate == Fate::Removed);
        let mut ordered: Vec<&Leftover> = removed.map(|(_, leftover)| leftover).collect();
        ordered.sort_by_key(|leftover| order(leftover));
        ordered
    }

    fn kept(&self) -> Vec<Leftover> {
        let kept = self.plan.leftovers.iter().filter(|(fate, _)| *fate == Fate::Kept);
        kept.map(|(_, leftover)| leftover.clone()).collect()
    }

    /// Everything that has still to go.
    fn names(&self) -> BTreeSet<String> {
        let own = self.plan.changes.iter().map(|change| match &change.physical {
            Some(physical) => format!("{} ({physical})", change.id),
            None => change.id.to_string(),
        });
        own.chain(self.of_controllers().into_iter().map(Leftover::describe)).collect()
    }
}

impl Removal<'_> {
    pub(super) async fn carry_out(&self) -> Result<Applied, OpsError> {
        let mut report = Report::default();
        let mut progress = Progress::new();
        let mut is_unsettled = self.is_unsettled;
        let kept = loop {
            let look = self.look().await?;
            if look.is_done() {
                if !is_unsettled {
                    break look.kept();
                }
                is_unsettled = false;
                self.environment.operator.phase("waiting for what an interrupted command may have made last");
                self.sleep(UNSEEN, &report).await?;
                continue;
            }
            if !progress.see(look.names(), &look.of_controllers()) {
                self.wait_or_give_up(&mut progress, &look.world, &report).await?;
            }
            progress.refuse(self.pass(&look, &mut report).await?);
        };
        if let Some(reason) = self.right.is_lost() {
            return Err(OpsError::LockLost { cluster: self.scope.cluster.clone(), reason, report: Box::new(report) });
        }
        record_removal(self.environment, self.store, self.right).await?;
        self.environment.operator.phase("removing the state");
        let snapshots = if self.options.delete_backups { 0 } else { self.store.snapshots().await?.len() };
        self.store.remove_all(!self.options.delete_backups).await?;
        Ok(Applied { operation: Operation::Delete, cluster: self.scope.cluster.clone(), report, kept, snapshots })
    }

    async fn look(&self) -> Result<Look, OpsError> {
        let world = self.environment.observe(self.scope, self.store, self.desired).await?;
        let (world, _) = own_world(world, self.desired, self.scope);
        self.environment.operator.phase("looking for what the cluster made by itself");
        let leftovers = leftovers(self.environment, self.scope).await?;
        let plan = removal_plan(self.store.cluster(), &world, &leftovers, &Obstacles::default(), self.options)?;
        Ok(Look { world, plan })
    }

    /// Removes what lets itself be removed. Returns what AWS would not remove, and why.
    async fn pass(&self, look: &Look, report: &mut Report) -> Result<Refusals, OpsError> {
        let mut refused = Refusals::new();
        let of_controllers = look.of_controllers();
        // Machines first, and with them whatever makes more; then what they made; then what that was made in.
        let is_machines = |id: &ResourceId| id.kind == Kind::AutoscalingGroup;
        let (first, last) = match of_controllers.is_empty() {
            true => (None, look.plan.clone()),
            false => (Some(part_of(&look.plan, is_machines)), part_of(&look.plan, |id| !is_machines(id))),
        };
        if let Some(machines) = first.filter(|machines| !machines.steps.is_empty()) {
            self.execute(&machines, &look.world, report, &mut refused).await?;
        }
        for leftover in of_controllers {
            if self.environment.stop.is_requested() {
                return Err(self.interrupted(report));
            }
            let name = leftover.describe();
            self.environment.operator.phase(&format!("removing {name}"));
            match self.environment.aws.delete_leftover(self.scope, leftover).await {
                Ok(()) => self.environment.operator.note(&format!("removed {name}")),
                // Held, protected from deletion, or a bad moment: the rest can go all the same, and the next pass tries it again.
                Err(error) if matches!(error.class, ErrorClass::InUse | ErrorClass::Invalid) || error.class.is_passing() => {
                    refused.insert(name, error);
                }
                Err(source) => return Err(OpsError::Cloud { action: format!("remove {name}"), source }),
            }
        }
        // Whatever comes anew in each pass keeps only that from going which it is in.
        if !last.steps.is_empty() {
            self.execute(&last, &look.world, report, &mut refused).await?;
        }
        Ok(refused)
    }

    /// Carries a plan out. What AWS keeps because something holds on to it is looked at again in the next pass: it may be
    /// something new.
    async fn execute(&self, plan: &Plan, world: &World, total: &mut Report, refused: &mut Refusals) -> Result<(), OpsError> {
        let report = match execute_recorded(self.environment, self.store, plan, world, self.right).await {
            Ok(applied) => applied.report,
            Err(OpsError::NotApplied { report, .. })
                if report.failures.iter().all(|failure| failure.error.class == ErrorClass::InUse) =>
            {
                *report
            }
            Err(error) => return Err(error),
        };
        total.done += report.done;
        total.total += report.total;
        total.elapsed += report.elapsed;
        refused.extend(report.failures.into_iter().map(|failure| (failure.id.to_string(), failure.error)));
        Ok(())
    }

    /// The last pass did not help. Waits where something is on its way, and gives up where more passes would not help either.
    async fn wait_or_give_up(&self, progress: &mut Progress, world: &World, report: &Report) -> Result<(), OpsError> {
        let Obstacles { blockers, going } = obstacles(self.environment, self.scope, world).await?;
        let is_held = progress.is_unchanged() && (!blockers.is_empty() || progress.is_refused_for_good());
        let keep_coming = progress.keep_coming();
        if (is_held && going.is_empty()) || !keep_coming.is_empty() || progress.is_out_of_patience() {
            return Err(OpsError::Left {
                cluster: self.scope.cluster.clone(),
                left: progress.left().iter().cloned().collect(),
                blockers,
                refused: progress.refused().iter().map(|(name, error)| format!("{name}: {error}")).collect(),
                keep_coming,
            });
        }
        let waited_for = if going.is_empty() { progress.left().iter().cloned().collect::<Vec<_>>() } else { going };
        self.environment.operator.phase(&format!("waiting for {}", list(&waited_for)));
        self.sleep(progress.next_pause(), report).await
    }

    async fn sleep(&self, pause: Duration, report: &Report) -> Result<(), OpsError> {
        tokio::select! {
            () = sleep(pause) => Ok(()),
            () = self.environment.stop.requested() => Err(self.interrupted(report)),
        }
    }

    fn interrupted(&self, report: &Report) -> OpsError {
        let report = Box::new(Report { done: report.done, total: report.total, elapsed: report.elapsed, ..Report::default() });
        let cluster = self.scope.cluster.clone();
        match self.right.is_lost() {
            Some(reason) => OpsError::LockLost { cluster, reason, report },
            None => OpsError::Interrupted { cluster, operation: Operation::Delete, report },
        }
    }
}

/// The first of many, for a line of progress.
fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

/// The steps of a plan that are about some of its resources. What they waited for among the others is no concern of theirs.
fn part_of(plan: &Plan, wanted: impl Fn(&ResourceId) -> bool) -> Plan {
    let kept: Vec<usize> = (0..plan.steps.len()).filter(|&step| wanted(&plan.steps[step].id)).collect();
    let steps = kept.iter().map(|&step| {
        let Step { id, work, after } = &plan.steps[step];
        let after = after.iter().filter_map(|before| kept.binary_search(before).ok()).collect();
        Step { id: id.clone(), work: work.clone(), after }
    });
    let changes = plan.changes.iter().filter(|change| wanted(&change.id)).cloned();
    Plan { changes: changes.collect(), steps: steps.collect(), warnings: Vec::new(), ..plan.clone() }
}
