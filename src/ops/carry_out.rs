//! From an approved plan to a changed world: lock, state, execution, record.

use std::sync::Arc;

use crate::apply::{CONCURRENCY, Provisioner, Report, execute};
use crate::cloud::{Outputs, World};
use crate::pki::ClusterPki;
use crate::plan::{Operation, Plan};
use crate::spec::{Cluster, to_yaml};
use crate::store::{ClusterStore, Condition, Holder, Ledger, LedgerEntry, Lock, LossSignal, PkiFiles, StoreError};

use super::Environment;
use super::begin::Recorded;
use super::error::OpsError;
use super::reconcile::Prepared;

/// What came of an approved plan.
#[derive(Debug)]
pub struct Applied {
    pub operation: Operation,
    pub cluster: String,
    pub report: Report,
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
        let mut signal = loss.clone();
        let watch = tokio::spawn(async move {
            signal.wait().await;
            stop.request();
        });
        Ok(Self { lock, watch, loss })
    }

    pub(super) fn is_lost(&self) -> Option<String> {
        self.loss.get().map(|loss| loss.to_string())
    }

    /// Gives the lock back. A lock that cannot be released runs out by itself: worth a note, not a failure.
    pub(super) async fn give_back(self, environment: &Environment<'_>) {
        self.watch.abort();
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
    right.give_back(environment).await;
    result
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
    let current = store.read_spec().await?.map(|spec| spec.version);
    if current != recorded.as_ref().map(|recorded| recorded.applied.version.clone()) {
        return Err(OpsError::StateChanged { cluster: cluster.name.to_string() });
    }
    // What cannot be read is found out before anything is written.
    let unfinished = unfinished(store, plan.operation).await?;
    let pki = store.read_pki().await?;
    let stored_facts = recorded.as_ref().and_then(|recorded| recorded.facts.as_ref());
    if stored_facts.is_none_or(|stored| stored.value != facts) {
        let condition = stored_facts.map_or(Condition::Absent, |stored| Condition::Unchanged(stored.version.clone()));
        // Facts of a first create that ended before its spec was written bind nobody.
        let condition = if recorded.is_none() { Condition::Always } else { condition };
        store.write_facts(&facts, condition).await.map_err(changed)?;
    }
    let text = to_yaml(cluster);
    let previous = recorded.as_ref().map(|recorded| &recorded.applied);
    if previous.is_none_or(|applied| applied.text != text) {
        let at = environment.clock.now();
        store.write_spec(&text, previous, plan.operation.into(), &environment.identity.arn, at).await.map_err(changed)?;
    }
    keys(environment, store, pki).await?;
    take_up(environment, store, &plan, &world, unfinished, right).await
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
    let unfinished = unfinished(store, plan.operation).await?;
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
    Ok(Applied { operation, cluster, report })
}

/// The ledger of the same operation, when it was interrupted.
async fn unfinished(store: &ClusterStore<'_>, operation: Operation) -> Result<Option<Ledger>, OpsError> {
    let ledger = store.read_ledger().await?.map(|stored| stored.value);
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
