//! The work of a removal, in passes: what controllers inside the cluster make while it goes is found by the next one.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::apply::Report;
use crate::cloud::{ErrorClass, Leftover, Obstacles, Scope, World};
use crate::model::{Desired, Kind, ResourceId};
use crate::ops::Environment;
use crate::ops::carry_out::{Applied, Right, execute_recorded};
use crate::ops::error::OpsError;
use crate::plan::{Action, Change, Fate, Operation, Plan, Step, Work};
use crate::store::ClusterStore;

use super::{DeleteOptions, leftovers, obstacles, own_world, removal_plan};

/// How long something may take to go while nothing else goes: the interfaces of a load balancer hold on to security groups for
/// minutes after it, and machines shut down in their own time.
const PATIENCE: Duration = Duration::from_secs(20 * 60);
/// Between two passes of which the first changed nothing; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
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
        let mut refused = Vec::new();
        let mut before = BTreeSet::new();
        let mut since = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut is_unsettled = self.is_unsettled;
        let kept = loop {
            let look = self.look().await?;
            if look.is_done() && !is_unsettled {
                break look.kept();
            }
            if look.is_done() {
                is_unsettled = false;
                self.environment.operator.phase("waiting for what an interrupted command may have made last");
                self.sleep(UNSEEN, &report).await?;
                continue;
            }
            let left = look.names();
            if left == before {
                self.wait_or_give_up(&left, &refused, since, pause, &report).await?;
                pause = (pause * 2).min(LONGEST_PAUSE);
            } else {
                (since, pause) = (Instant::now(), FIRST_PAUSE);
            }
            before = left;
            refused = self.pass(&look, &mut report).await?;
        };
        if let Some(reason) = self.right.is_lost() {
            return Err(OpsError::LockLost { cluster: self.scope.cluster.clone(), reason, report: Box::new(report) });
        }
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

    /// Removes what lets itself be removed. Returns what AWS will not remove as it is, and why.
    async fn pass(&self, look: &Look, report: &mut Report) -> Result<Vec<String>, OpsError> {
        let of_controllers = look.of_controllers();
        if of_controllers.is_empty() {
            self.execute(&look.plan, &look.world, report).await?;
            return Ok(Vec::new());
        }
        // Machines first, and with them whatever makes more; then what they made; then, in a later pass, what that was made in.
        let machines = machines_only(&look.plan);
        if !machines.changes.is_empty() {
            self.execute(&machines, &look.world, report).await?;
        }
        let (mut held, mut refused) = (Vec::new(), Vec::new());
        for leftover in of_controllers {
            if self.environment.stop.is_requested() {
                return Err(self.interrupted(report));
            }
            let name = leftover.describe();
            self.environment.operator.phase(&format!("removing {name}"));
            match self.environment.aws.delete_leftover(self.scope, leftover).await {
                Ok(()) => self.environment.operator.note(&format!("removed {name}")),
                Err(error) if error.class == ErrorClass::InUse => held.push(name),
                // Protected from deletion, for example: the rest can go all the same.
                Err(error) if error.class == ErrorClass::Invalid => refused.push(format!("{name}: {error}")),
                Err(source) => return Err(OpsError::Cloud { action: format!("remove {name}"), source }),
            }
        }
        // What is kept from going keeps nothing else from it.
        if held.is_empty() && refused.is_empty() {
            return Ok(refused);
        }
        self.execute(&look.plan, &look.world, report).await?;
        Ok(refused)
    }

    /// Carries a plan out. What AWS keeps because something holds on to it is looked at again in the next pass: it may be
    /// something new.
    async fn execute(&self, plan: &Plan, world: &World, total: &mut Report) -> Result<(), OpsError> {
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
        Ok(())
    }

    /// The last pass changed nothing. Waits where something is on its way, and gives up where somebody else is in the way.
    async fn wait_or_give_up(
        &self,
        left: &BTreeSet<String>,
        refused: &[String],
        since: Instant,
        pause: Duration,
        report: &Report,
    ) -> Result<(), OpsError> {
        let Obstacles { blockers, going } = obstacles(self.environment, self.scope).await?;
        let is_blocked = !(blockers.is_empty() && refused.is_empty()) && going.is_empty();
        if is_blocked || since.elapsed() > PATIENCE {
            let (left, refused) = (left.iter().cloned().collect(), refused.to_vec());
            return Err(OpsError::Left { cluster: self.scope.cluster.clone(), left, blockers, refused });
        }
        let waited_for = if going.is_empty() { left.iter().cloned().collect::<Vec<_>>() } else { going };
        self.environment.operator.phase(&format!("waiting for {}", list(&waited_for)));
        self.sleep(pause, report).await
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

/// The part of a removal that ends machines: autoscaling groups, on which nothing waits but templates.
fn machines_only(plan: &Plan) -> Plan {
    let is_group = |id: &ResourceId| id.kind == Kind::AutoscalingGroup;
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
