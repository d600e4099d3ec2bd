//! From an approved plan to a changed world: lock, state, execution, record.

use std::sync::Arc;

use jiff::Timestamp;

use crate::apply::{CONCURRENCY, Provisioner, Report, execute};
use crate::cloud::{Facts, Leftover, Outputs, World};
use crate::pki::ClusterPki;
use crate::plan::{Operation, Plan};
use crate::spec::{Cluster, ClusterName, to_yaml};
use crate::store::{
    Basis, ClusterStore, Condition, Holder, Ledger, LedgerEntry, Lock, LockError, LossSignal, PkiFiles, RecordedLedger, Run,
    StoreError,
};

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
    /// For the ledger.
    by: String,
    watch: tokio::task::JoinHandle<()>,
    loss: LossSignal,
}

impl Right {
    pub(super) async fn take(environment: &Environment<'_>, store: &ClusterStore<'_>, operation: &str) -> Result<Self, OpsError> {
        let holder = Holder::this_process(operation, Some(environment.identity.arn.clone()));
        let by = format!("{holder} as {}", environment.identity.arn);
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
        Ok(Self { lock, by, watch, loss })
    }

    /// As [`Self::take`], for what was planned on `basis`.
    ///
    /// # Errors
    /// [`OpsError::StateChanged`] when somebody else has changed the cluster since.
    pub(super) async fn take_for(
        environment: &Environment<'_>,
        store: &ClusterStore<'_>,
        operation: Operation,
        basis: &Basis,
    ) -> Result<Self, OpsError> {
        let right = Self::take(environment, store, &operation.to_string()).await?;
        let refused = match store.still_rests_on(basis).await {
            Ok(true) => return Ok(right),
            Ok(false) => OpsError::StateChanged { cluster: store.cluster().to_string(), by: last_run(store).await },
            Err(error) => error.into(),
        };
        let refused = right.explain::<Self>(store.cluster(), Err(refused));
        right.give_back(environment).await;
        refused
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
    basis: &Basis,
    recorded: Option<Recorded>,
    prepared: Prepared,
) -> Result<Applied, OpsError> {
    environment.operator.phase("taking the lock");
    if environment.objects.ensure().await? {
        environment.operator.note(&format!("made the state store {}", environment.objects.root()));
    }
    let right = Right::take_for(environment, store, prepared.plan.operation, basis).await?;
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
    basis: &Basis,
    recorded: Option<Recorded>,
    prepared: Prepared,
) -> Result<Ending, OpsError> {
    let plan = prepared.plan.clone();
    let (ledger, is_locked) = tokio::join!(store.recorded_ledger(), store.is_locked());
    if !ledger?.value.is_some_and(|ledger| is_open(&ledger, plan.operation)) && !is_locked? {
        return Ok(Ending::Unchanged(plan));
    }
    match carry_out(environment, store, cluster, basis, recorded, prepared).await {
        // Somebody else is at it, or was.
        Err(OpsError::Lock(LockError::Held(_)) | OpsError::StateChanged { .. }) => Ok(Ending::Unchanged(plan)),
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
        StoreError::Changed { .. } => OpsError::StateChanged { cluster: cluster.name.to_string(), by: None },
        other => OpsError::Store(other),
    };
    // What cannot be read is found out before anything is written.
    let before = ledger_before(environment, store).await?;
    let pki = existing_keys(environment, store, &world).await?;
    let there = match recorded.as_ref().map(|recorded| &recorded.facts) {
        Some(recorded) => recorded.condition.clone(),
        None => store.unbound_facts().await?,
    };
    let there = match recorded.as_ref().map(|recorded| &recorded.facts) {
        Some(recorded) if recorded.damage.is_none() && recorded.value == facts => {
            store.keep_facts(&facts).await?;
            there
        }
        _ => Condition::Unchanged(store.write_facts(&facts, there).await.map_err(changed)?),
    };
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
    let applied = take_up(environment, store, &plan, &world, before, right).await?;
    let user_tags = cluster.tags.keys().cloned().collect();
    if facts.user_tags != user_tags {
        store.write_facts(&Facts { user_tags, ..facts }, there).await.map_err(changed)?;
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
    let before = ledger_before(environment, store).await?;
    take_up(environment, store, plan, world, before, right).await
}

/// As [`execute_recorded`]; where the ledger of `before` is of the same operation and was left open, that is taken up: its client
/// tokens then find what it made.
async fn take_up(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    plan: &Plan,
    world: &World,
    before: RecordedLedger,
    right: &Right,
) -> Result<Applied, OpsError> {
    let outputs = world.outputs();
    let now = environment.clock.now();
    let unfinished = before.value.filter(|ledger| is_open(ledger, plan.operation));
    let mut ledger = Ledger {
        operation: plan.operation.into(),
        started_at: unfinished.map_or(now, |ledger| ledger.started_at),
        finished_at: None,
        run: Some(new_run(right, now)),
        resources: entries(&outputs),
    };
    let version = store.write_ledger(&ledger, before.condition).await?;
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
    store.write_ledger(&ledger, Condition::Unchanged(version)).await?;
    if !report.failures.is_empty() {
        return Err(OpsError::NotApplied { cluster, operation, report: Box::new(report) });
    }
    if !report.is_complete() {
        return Err(OpsError::Interrupted { cluster, operation, report: Box::new(report) });
    }
    Ok(Applied { operation, cluster, report, kept: Vec::new(), snapshots: 0 })
}

/// Writes down that nothing of the cluster is left, unless the ledger says so already: by that a removal is known that is killed while
/// the state goes. What went by itself, or in an earlier part of a pass, the ledger names until then.
pub(super) async fn record_removal(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    right: &Right,
) -> Result<(), OpsError> {
    let before = ledger_before(environment, store).await?;
    let operation = Operation::Delete.into();
    if before.value.as_ref().is_some_and(|ledger| ledger.operation == operation && ledger.resources.is_empty()) {
        return Ok(());
    }
    let now = environment.clock.now();
    let ledger =
        Ledger { operation, started_at: now, finished_at: Some(now), run: Some(new_run(right, now)), resources: Vec::new() };
    store.write_ledger(&ledger, before.condition).await?;
    Ok(())
}

fn new_run(right: &Right, at: Timestamp) -> Run {
    Run { id: format!("{:032x}", rand::random::<u128>()), by: right.by.clone(), at }
}

/// The ledger as the last command left it.
async fn ledger_before(environment: &Environment<'_>, store: &ClusterStore<'_>) -> Result<RecordedLedger, OpsError> {
    let ledger = store.recorded_ledger().await?;
    if let Some((location, reason)) = &ledger.damage {
        environment.operator.note(&format!(
            "{location} cannot be read ({reason}) and is written anew: resources are found by their tags; what has lost its tags since \
             it was made is not known any more"
        ));
    }
    Ok(ledger)
}

/// Whether it is of an operation of that kind that was interrupted.
fn is_open(ledger: &Ledger, operation: Operation) -> bool {
    ledger.operation == operation.into() && ledger.finished_at.is_none()
}

/// Who changed the cluster last, and when, in words; `None` where nothing is left that tells.
async fn last_run(store: &ClusterStore<'_>) -> Option<String> {
    // This is a help only: that it was changed has been found out already.
    let ledger = store.recorded_ledger().await.ok()?.value?;
    let run = ledger.run?;
    Some(format!("{} (`kclust {}` of {})", run.by, Operation::from(ledger.operation), run.at.strftime("%F %T UTC")))
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

impl From<crate::store::Operation> for Operation {
    fn from(operation: crate::store::Operation) -> Self {
        match operation {
            crate::store::Operation::Create => Self::Create,
            crate::store::Operation::Update => Self::Update,
            crate::store::Operation::Delete => Self::Delete,
        }
    }
}
