//! From an approved plan to a changed world: lock, state, execution, record.

use std::sync::Arc;

use crate::apply::{CONCURRENCY, Provisioner, Report, execute};
use crate::cloud::{Facts, Leftover, Outputs, World};
use crate::pki::ClusterPki;
use crate::plan::{Operation, Plan};
use crate::spec::{Cluster, ClusterName, to_yaml};
use crate::store::{ClusterStore, Condition, Holder, Ledger, LedgerEntry, Lock, LockError, LossSignal, PkiFiles, StoreError};

use super::begin::Recorded;
use super::error::OpsError;
use super::reconcile::Prepared;
use super::{Ending, Environment};

/// What came of an approved plan.
#[derive(Debug)]
pub struct Applied {
    pub operation: Operation,
    pub cluster: String,
    pub report: Report,
    /// After a removal: data of the cluster's users that stays.
    pub kept: Vec<Leftover>,
    /// After a removal: snapshots of etcd that stay in the state store.
    pub snapshots: usize,
}

/// The right to change a cluster, held while `work` runs. When it is lost, `stop` is requested.
pub(super) struct Right {
    lock: Lock,
    watch: tokio::task::JoinHandle<()>,
    loss: LossSignal,
}

impl Right {
    pub(super) async fn take(environment: &Environment<'_>, store: &ClusterStore<'_>, operation: &str) -> Result<Self, OpsError> {
        let holder = Holder::this_process(operation, Some(environment.identity.arn.clone()));
        let clock = Arc::clone(&environment.clock);
        let lock = Lock::acquire(Arc::clone(&environment.objects), store.cluster(), holder, clock, Lock::TTL).await?;
        if let Some(before) = lock.taken_from() {
            environment.operator.note(&format!(
                "took over the lock of {}, whose `kclust {}` of {} did not finish",
                before.holder, before.holder.operation, before.since
            ));
        }
        let (loss, stop) = (lock.loss(), environment.stop.clone());
        let signal = loss.clone();
        stop.request_when(move || signal.get().is_some());
        let signal = loss.clone();
        environment.aws.fence().raise_when(move || signal.get().is_some());
        let signal = loss.clone();
        let watch = tokio::spawn(async move {
            signal.wait().await;
            stop.request();
        });
        Ok(Self { lock, watch, loss })
    }

    pub(super) fn is_lost(&self) -> Option<String> {
        self.loss.get().map(|loss| loss.to_string())
    }

    /// What ended because the right was lost says so, whatever it was that failed then.
    pub(super) fn explain<T>(&self, cluster: &ClusterName, result: Result<T, OpsError>) -> Result<T, OpsError> {
        match (result, self.is_lost()) {
            (Err(error @ OpsError::LockLost { .. }), _) => Err(error),
            (Err(_), Some(reason)) => {
                Err(OpsError::LockLost { cluster: cluster.to_string(), reason, report: Box::new(Report::default()) })
            }
            (result, _) => result,
        }
    }

    /// Gives the lock back. A lock that cannot be released runs out by itself: worth a note, not a failure.
    pub(super) async fn give_back(self, environment: &Environment<'_>) {
        self.watch.abort();
        // What follows is conditional on a lock that is ours, or only looks.
        environment.aws.fence().lower();
        environment.stop.request_when(|| false);
        if let Err(error) = self.lock.release().await {
            let cause = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            environment.operator.note(&format!("the lock could not be released and will run out by itself: {error}{cause}"));
        }
    }
}

/// Carries out a plan for `create` and `update`.
pub(super) async fn carry_out(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    cluster: &Cluster,
    recorded: Option<Recorded>,
    prepared: Prepared,
) -> Result<Applied, OpsError> {
    environment.operator.phase("taking the lock");
    if environment.objects.ensure().await? {
        environment.operator.note(&format!("made the state store {}", environment.objects.root()));
    }
    let right = Right::take(environment, store, &prepared.plan.operation.to_string()).await?;
    let result = under_lock(environment, store, cluster, recorded, prepared, &right).await;
    let result = right.explain(&cluster.name, result);
    right.give_back(environment).await;
    result
}

/// Where nothing is to be done, ends what a killed command left open: its lock, and its ledger, whose client tokens would make AWS
/// answer a later command of that kind with things that are gone.
pub(super) async fn close(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    cluster: &Cluster,
    recorded: Option<Recorded>,
    prepared: Prepared,
) -> Result<Ending, OpsError> {
    let plan = prepared.plan.clone();
    let (ledger, is_locked) = tokio::join!(unfinished(environment, store, plan.operation), store.is_locked());
    if ledger?.is_none() && !is_locked? {
        return Ok(Ending::Unchanged(plan));
    }
    match carry_out(environment, store, cluster, recorded, prepared).await {
        // Its holder is at work.
        Err(OpsError::Lock(LockError::Held(_))) => Ok(Ending::Unchanged(plan)),
        ended => ended.map(Ending::Applied),
    }
}

async fn under_lock(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    cluster: &Cluster,
    recorded: Option<Recorded>,
    prepared: Prepared,
    right: &Right,
) -> Result<Applied, OpsError> {
    let Prepared { facts, world, plan, .. } = prepared;
    let changed = |error| match error {
        StoreError::Changed { .. } => OpsError::StateChanged { cluster: cluster.name.to_string() },
        other => OpsError::Store(other),
    };
    // Whoever was faster had the lock in between, and its spec is not the one that the plan was made for.
    if store.spec_version().await? != recorded.as_ref().and_then(|recorded| recorded.version.clone()) {
        return Err(OpsError::StateChanged { cluster: cluster.name.to_string() });
    }
    // What cannot be read is found out before anything is written.
    let unfinished = unfinished(environment, store, plan.operation).await?;
    let pki = existing_keys(environment, store, &world).await?;
    match recorded.as_ref().map(|recorded| &recorded.facts) {
        Some(recorded) if recorded.damage.is_none() && recorded.value == facts => store.keep_facts(&facts).await?,
        Some(recorded) => store.write_facts(&facts, recorded.condition.clone()).await.map_err(changed)?,
        // Facts of a first create that ended before its spec was written bind nobody.
        None => store.write_facts(&facts, Condition::Always).await.map_err(changed)?,
    }
    let text = to_yaml(cluster);
    let (operation, by, at) = (plan.operation.into(), environment.identity.arn.as_str(), environment.clock.now());
    match &recorded {
        Some(Recorded { damage: Some(_), version, .. }) => {
            store.repair_spec(&text, version.as_ref(), operation, by, at).await.map_err(changed)?;
        }
        // A plan that another version made is a revision also where the spec is the same: it brings what that version has.
        Some(recorded) if recorded.applied.text == text && recorded.applied.revision.kclust == env!("CARGO_PKG_VERSION") => {}
        recorded => {
            let previous = recorded.as_ref().map(|recorded| &recorded.applied);
            store.write_spec(&text, previous, operation, by, at).await.map_err(changed)?;
        }
    }
    keys(environment, store, pki).await?;
    let applied = take_up(environment, store, &plan, &world, unfinished, right).await?;
    let user_tags = cluster.tags.keys().cloned().collect();
    if facts.user_tags != user_tags {
        store.write_facts(&Facts { user_tags, ..facts }, Condition::Always).await?;
    }
    Ok(applied)
}

/// The cluster's keys, where it has some; a bundle that is damaged or gone is made again of the single files, where these are whole.
async fn existing_keys(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    world: &World,
) -> Result<Option<PkiFiles>, OpsError> {
    let (files, problem) = match store.read_pki().await {
        Ok(files) => (files, None),
        Err(problem @ StoreError::Corrupt { .. }) => (None, Some(problem)),
        Err(error) => return Err(error.into()),
    };
    if let Some(files) = files {
        // What is published is what nodes will read: half a set would take the place of a whole one.
        ClusterPki::from_files(&files.0)?;
        return Ok(Some(files));
    }
    if let Some(files) = store.rebuild_pki().await? {
        environment
            .operator
            .note("pki/bundle.json was damaged or gone, and was made again of the single files beside it, which are whole");
        return Ok(Some(files));
    }
    match problem {
        Some(problem) => Err(problem.into()),
        // Keys are made before the first resource.
        None if world.resources.is_empty() => Ok(None),
        None => Err(store.lost_pki().await.into()),
    }
}

/// The cluster's keys: made once, at the first create, and published before any machine can ask for them.
async fn keys(environment: &Environment<'_>, store: &ClusterStore<'_>, pki: Option<PkiFiles>) -> Result<(), OpsError> {
    let files = match pki {
        Some(files) => files,
        None => {
            environment.operator.phase("making the cluster's keys");
            let pki = ClusterPki::generate(store.cluster(), environment.clock.now(), &mut rand::rng())?;
            let files = pki.files().into_iter().map(|(name, content)| (name.to_owned(), content.expose().as_bytes().to_vec()));
            store.write_pki_once(PkiFiles(files.collect())).await?
        }
    };
    Ok(store.publish_pki(&files).await?)
}

/// Executes a plan, with a ledger entry before and after.
pub(super) async fn execute_recorded(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    plan: &Plan,
    world: &World,
    right: &Right,
) -> Result<Applied, OpsError> {
    let unfinished = unfinished(environment, store, plan.operation).await?;
    take_up(environment, store, plan, world, unfinished, right).await
}

/// As [`execute_recorded`]; `unfinished` is the ledger of the operation that is taken up: its client tokens then find what it made.
async fn take_up(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    plan: &Plan,
    world: &World,
    unfinished: Option<Ledger>,
    right: &Right,
) -> Result<Applied, OpsError> {
    let outputs = world.outputs();
    let started_at = unfinished.map_or_else(|| environment.clock.now(), |ledger| ledger.started_at);
    let mut ledger = Ledger { operation: plan.operation.into(), started_at, finished_at: None, resources: entries(&outputs) };
    store.write_ledger(&ledger, Condition::Always).await?;
    let provisioner = Provisioner { cloud: environment.aws, store };
    let operation_id = ledger.started_at.to_string();
    let report = execute(plan, &operation_id, outputs, &provisioner, environment.observer, environment.stop, CONCURRENCY).await;
    let (cluster, operation) = (plan.cluster.clone(), plan.operation);
    if let Some(reason) = right.is_lost() {
        return Err(OpsError::LockLost { cluster, reason, report: Box::new(report) });
    }
    ledger.resources = entries(&report.outputs);
    // A run that ended by itself is over, also when it failed: its tokens would make AWS answer with what failed. One that was
    // interrupted is taken up.
    let ended = report.is_complete() || !report.failures.is_empty();
    ledger.finished_at = ended.then(|| environment.clock.now());
    store.write_ledger(&ledger, Condition::Always).await?;
    if !report.failures.is_empty() {
        return Err(OpsError::NotApplied { cluster, operation, report: Box::new(report) });
    }
    if !report.is_complete() {
        return Err(OpsError::Interrupted { cluster, operation, report: Box::new(report) });
    }
    Ok(Applied { operation, cluster, report, kept: Vec::new(), snapshots: 0 })
}

/// The ledger of the same operation, when it was interrupted.
///
/// A ledger that is damaged or gone costs nothing but that: what an interrupted operation made is found by its tags and names, and
/// its client tokens only save a second look.
async fn unfinished(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    operation: Operation,
) -> Result<Option<Ledger>, OpsError> {
    let ledger = match store.read_ledger().await {
        Ok(ledger) => ledger.map(|stored| stored.value),
        Err(StoreError::Corrupt { location, reason, .. }) => {
            environment.operator.note(&format!(
                "{location} cannot be read ({reason}) and is written anew: nothing is lost, resources are found by their tags"
            ));
            None
        }
        Err(error) => return Err(error.into()),
    };
    Ok(ledger.filter(|ledger| ledger.operation == operation.into() && ledger.finished_at.is_none()))
}

fn entries(outputs: &Outputs) -> Vec<LedgerEntry> {
    outputs.0.iter().map(|(id, physical)| LedgerEntry { id: id.clone(), physical: physical.clone() }).collect()
}

impl From<Operation> for crate::store::Operation {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Create => Self::Create,
            Operation::Update => Self::Update,
            Operation::Delete => Self::Delete,
        }
    }
}
