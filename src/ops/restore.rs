//! `kclust restore`: all slots go back to a snapshot of etcd.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::spec::ClusterName;
use crate::store::{ClusterStore, EtcdSnapshot, RequestId, RestoreRequest, StoreError};

use super::begin::Recorded;
use super::carry_out::Right;
use super::error::{OpsError, Unanswered};
use super::slots::{SlotWatch, slot_names};
use super::{Approval, Environment, StateRoot};

/// Between two looks at the slots.
const PAUSE: Duration = Duration::from_secs(3);
/// Snapshots that a refusal names.
const NAMED: usize = 5;
/// What `--from` takes beside keys and names of files.
const LATEST: &str = "latest";

#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// `latest`, a key below the cluster's prefix, or its last part.
    pub from: String,
    pub dry_run: bool,
    /// Also while slots have not restored what was asked for last, and from a snapshot of an earlier cluster of this name.
    pub force: bool,
    /// How long to wait for the slots.
    pub timeout: Duration,
}

/// What a restore will do, for the operator to decide on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestorePlan {
    pub cluster: String,
    pub snapshot: EtcdSnapshot,
    /// Of the snapshot: what was written in this time is lost.
    pub age: Duration,
    /// All of them stop, and start with the data of the snapshot.
    pub slots: Vec<String>,
    pub epoch: RequestId,
    pub before: Before,
    /// The snapshot is older than the cluster: that of a deleted one with the same name, whose keys are gone with its state. What
    /// was encrypted with them cannot be read.
    pub of_earlier_cluster: bool,
}

/// How the restore that was asked for before went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// There was none, or all slots did it.
    Done,
    /// It is the same one, and these slots have still to do it: nothing is asked for anew.
    Open { missing: Vec<String> },
    /// It is another one, and these slots have never done it.
    Abandoned { key: String, missing: Vec<String> },
}

/// How the command ended.
#[derive(Debug)]
pub enum RestoreEnding {
    Planned(RestorePlan),
    Declined,
    Restored { plan: RestorePlan, elapsed: Duration },
}

/// Restores a snapshot on all slots of the cluster, or shows what that would do.
///
/// The request that it leaves in the state outlives it: slots follow it whoever waits.
pub async fn restore(
    environment: &Environment<'_>,
    name: &ClusterName,
    options: &RestoreOptions,
) -> Result<RestoreEnding, OpsError> {
    if environment.state_root == StateRoot::Directory && !options.dry_run {
        return Err(OpsError::StateNotReachable);
    }
    let (store, recorded) = environment.existing(name).await?;
    if recorded.facts.value.account != environment.identity.account {
        let (owner, account) = (recorded.facts.value.account, environment.identity.account.clone());
        return Err(OpsError::OtherAccount { cluster: name.to_string(), owner, account });
    }
    let slots = slot_names(&recorded.cluster);
    let addresses =
        addresses(&recorded, &slots).map_err(|missing| OpsError::SlotsUnknown { cluster: name.to_string(), missing })?;
    let last = store.read_restore().await?;
    let plan = plan(environment, &store, slots, last.as_ref(), options).await?;
    if options.dry_run {
        return Ok(RestoreEnding::Planned(plan));
    }
    match &plan.before {
        // It was decided when it was asked for.
        Before::Open { missing } => {
            environment.operator.begin_work();
            environment.operator.note(&format!(
                "going on with the restore of {} that was asked for before; not done yet: {}",
                plan.snapshot.file_name(),
                missing.join(", ")
            ));
        }
        Before::Done | Before::Abandoned { .. } => match environment.operator.approve_restore(&plan) {
            Approval::Yes => {}
            Approval::No => return Ok(RestoreEnding::Declined),
            Approval::NobodyToAsk => return Err(OpsError::NotConfirmed),
        },
    }
    environment.operator.phase("taking the lock");
    let right = Right::take(environment, &store, "restore").await?;
    let result = under_lock(environment, &store, &plan, last.as_ref(), &addresses, options.timeout, &right).await;
    right.give_back(environment).await;
    let elapsed = result?;
    Ok(RestoreEnding::Restored { plan, elapsed })
}

async fn plan(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    slots: Vec<String>,
    last: Option<&RestoreRequest>,
    options: &RestoreOptions,
) -> Result<RestorePlan, OpsError> {
    let cluster = store.cluster().to_string();
    let missing = match last {
        Some(last) => {
            let asked: Vec<_> = slots.iter().filter(|slot| last.slots.contains_key(*slot)).cloned().collect();
            missing(&asked, &store.restored_slots(&last.epoch).await?)
        }
        None => Vec::new(),
    };
    let open = last.filter(|_| !missing.is_empty());
    let snapshots = store.snapshots().await?;
    let wanted = match open {
        // The newest one may be another by now: what is open is what was the newest when it was asked for.
        Some(open) if options.from == LATEST && !options.force => open.key.as_str(),
        _ => options.from.as_str(),
    };
    let found = snapshots.iter().find(|snapshot| wanted == LATEST || [snapshot.file_name(), &snapshot.key].contains(&wanted));
    let Some(snapshot) = found.cloned() else {
        let newest = snapshots.iter().take(NAMED).map(|snapshot| snapshot.file_name().to_owned()).collect();
        return Err(OpsError::NoSuchSnapshot { cluster, wanted: wanted.to_owned(), newest });
    };
    let made = store.made_at().await?;
    let of_earlier_cluster = made.is_some_and(|made| snapshot.taken_at < made);
    let (epoch, before) = match open {
        Some(open) if open.key == snapshot.key => (open.epoch.clone(), Before::Open { missing }),
        Some(open) if options.force => (new_epoch(environment), Before::Abandoned { key: open.key.clone(), missing }),
        Some(open) => return Err(OpsError::RestoreOpen { cluster, key: open.key.clone(), missing }),
        None => (new_epoch(environment), Before::Done),
    };
    if of_earlier_cluster && !options.force && !matches!(before, Before::Open { .. }) {
        return Err(OpsError::EarlierCluster { cluster, key: snapshot.key });
    }
    // A snapshot of the future is one of a machine whose clock is ahead.
    let age = Duration::try_from(environment.clock.now().duration_since(snapshot.taken_at)).unwrap_or_default();
    Ok(RestorePlan { cluster, snapshot, age, slots, epoch, before, of_earlier_cluster })
}

/// The addresses of these slots, or those that have none.
fn addresses(recorded: &Recorded, slots: &[String]) -> Result<BTreeMap<String, Ipv4Addr>, Vec<String>> {
    let address = |slot: &String| recorded.facts.value.slot_addresses.get(slot).copied();
    let missing: Vec<_> = slots.iter().filter(|slot| address(slot).is_none()).cloned().collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    Ok(slots.iter().filter_map(|slot| Some((slot.clone(), address(slot)?))).collect())
}

fn new_epoch(environment: &Environment<'_>) -> RequestId {
    RequestId::new(environment.clock.now(), rand::random())
}

/// The slots of the spec that are not among those that did it. Slots that the spec does not have do not count.
fn missing(slots: &[String], done: &BTreeSet<String>) -> Vec<String> {
    slots.iter().filter(|slot| !done.contains(*slot)).cloned().collect()
}

/// Asks, where that was not done before, and waits. Returns how long that took.
async fn under_lock(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    plan: &RestorePlan,
    last: Option<&RestoreRequest>,
    addresses: &BTreeMap<String, Ipv4Addr>,
    timeout: Duration,
    right: &Right,
) -> Result<Duration, OpsError> {
    let begun = Instant::now();
    let changed = || OpsError::StateChanged { cluster: plan.cluster.clone(), by: None };
    match &plan.before {
        Before::Open { .. } => {
            if store.read_restore().await?.as_ref() != last {
                return Err(changed());
            }
        }
        Before::Done | Before::Abandoned { .. } => {
            environment.operator.phase("asking the slots to restore");
            match store.request_restore(&plan.epoch, &plan.snapshot.key, addresses, last).await {
                Ok(()) => environment.operator.note(&format!("asked the slots; waiting for {}", plan.slots.join(", "))),
                Err(StoreError::Changed { .. }) => return Err(changed()),
                Err(error) => return Err(error.into()),
            }
        }
    }
    let mut watch = SlotWatch::new(store, plan.slots.clone());
    let mut done = BTreeSet::new();
    let why = loop {
        let left = match look(environment, store, plan, &mut watch, &mut done).await {
            Ok(left) => left,
            Err(error) => break Unanswered::OutOfSight { source: Box::new(error) },
        };
        if left.is_empty() {
            return Ok(begun.elapsed());
        }
        if begun.elapsed() >= timeout {
            break Unanswered::TimedOut { after: timeout };
        }
        environment.operator.phase(&format!("waiting for {} to restore the snapshot", left.join(", ")));
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = environment.stop.requested() => break match right.is_lost() {
                Some(reason) => Unanswered::LockLost { reason },
                None => Unanswered::Interrupted,
            },
        }
    };
    let slots = watch.states().into_iter().filter(|state| !done.contains(&state.slot)).collect();
    Err(OpsError::RestoreUnfinished { cluster: plan.cluster.clone(), key: plan.snapshot.key.clone(), why, slots })
}

/// Looks once, tells what is new, and returns the slots that have still to do it.
async fn look(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    plan: &RestorePlan,
    watch: &mut SlotWatch<'_>,
    done: &mut BTreeSet<String>,
) -> Result<Vec<String>, StoreError> {
    let now = store.restored_slots(&plan.epoch).await?;
    watch.look(environment.operator).await?;
    for slot in now.difference(done).filter(|slot| plan.slots.contains(slot)) {
        environment.operator.note(&format!("{slot} is restored"));
    }
    *done = now;
    Ok(missing(&plan.slots, done))
}
