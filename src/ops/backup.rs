//! `kclust backup`: a snapshot of etcd now.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::spec::ClusterName;
use crate::store::{BackupAnswer, ClusterStore, EtcdSnapshot, ObjectStore, RequestId, StoreError};

use super::begin::no_such_cluster;
use super::error::{OpsError, Unanswered};
use super::slots::{SlotWatch, slot_names};
use super::{Environment, StateRoot};

/// Between two looks for an answer.
const PAUSE: Duration = Duration::from_secs(2);

/// How often a request is tried to be made while others make some: each time, theirs is looked at first.
const TRIES: usize = 5;

/// The snapshots of a cluster, the newest first.
pub async fn snapshots(objects: &dyn ObjectStore, name: &ClusterName) -> Result<Vec<EtcdSnapshot>, OpsError> {
    let store = ClusterStore::new(objects, name.clone());
    let snapshots = store.snapshots().await?;
    // Of a deleted cluster its backups may be all that is left.
    if snapshots.is_empty() && store.read_spec().await?.is_none() {
        return Err(no_such_cluster(objects, name).await);
    }
    Ok(snapshots)
}

/// Asks the slots for a snapshot and waits for it. Where somebody has asked already and was not answered yet, it waits for that one.
///
/// No lock is taken: a snapshot changes nothing, and may be wanted while another command runs.
pub async fn backup(environment: &Environment<'_>, name: &ClusterName, timeout: Duration) -> Result<EtcdSnapshot, OpsError> {
    if environment.state_root == StateRoot::Directory {
        return Err(OpsError::StateNotReachable);
    }
    let (store, recorded) = environment.existing(name).await?;
    environment.operator.begin_work();
    let id = request(environment, &store, timeout).await?;
    let mut slots = SlotWatch::new(&store, slot_names(&recorded.cluster));
    let key = match wait(environment, &store, &mut slots, id, timeout).await? {
        Ok(key) => key,
        Err(text) => return Err(OpsError::BackupFailed { cluster: name.to_string(), text, slots: slots.states() }),
    };
    let found = store.snapshots().await?.into_iter().find(|snapshot| snapshot.key == key);
    found.ok_or_else(|| OpsError::BackupFailed {
        cluster: name.to_string(),
        text: format!("the answer names {key}, which the state store does not hold"),
        slots: slots.states(),
    })
}

/// The request to wait for: somebody else's that is open, or one that is made.
async fn request(environment: &Environment<'_>, store: &ClusterStore<'_>, timeout: Duration) -> Result<RequestId, OpsError> {
    let mut refused = None;
    for _ in 0..TRIES {
        let (request, answer) = tokio::join!(store.read_backup_request(), store.read_backup_answer());
        let (request, answer) = (request?, answer?);
        if let Some(open) = &request
            && answer.is_none_or(|answer| answer.id != open.id)
            && open.age < timeout
        {
            environment.operator.note(&format!("waiting for the snapshot that was asked for {} s ago", open.age.as_secs()));
            return Ok(open.id.clone());
        }
        let id = RequestId::new(environment.clock.now(), rand::random());
        match store.request_backup(&id, request.as_ref()).await {
            Ok(()) => {
                environment.operator.note("asked for a snapshot; waiting for the slot that leads etcd");
                return Ok(id);
            }
            Err(error @ StoreError::Changed { .. }) => refused = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    Err(refused.map_or(OpsError::StateChanged { cluster: store.cluster().to_string(), by: None }, OpsError::Store))
}

/// Waits for the answer: the key of the snapshot, or what the slots say why there is none.
async fn wait(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    slots: &mut SlotWatch<'_>,
    mut id: RequestId,
    timeout: Duration,
) -> Result<Result<String, String>, OpsError> {
    let begun = Instant::now();
    environment.operator.phase("waiting for the slot that leads etcd to take a snapshot");
    loop {
        let (request, answer) = tokio::join!(store.read_backup_request(), store.read_backup_answer());
        if let Some(BackupAnswer { outcome, .. }) = answer?.filter(|answer| answer.id == id) {
            if outcome.is_err() {
                slots.look(environment.operator).await?;
            }
            return Ok(outcome);
        }
        if let Some(other) = request?.filter(|request| request.id != id) {
            // Somebody who waits less long took this request for dead; a snapshot that is taken now is as good.
            environment.operator.note("another request took the place of this one: waiting for that");
            id = other.id;
        }
        slots.look(environment.operator).await?;
        let why = tokio::select! {
            () = sleep(PAUSE) => (begun.elapsed() >= timeout).then_some(Unanswered::TimedOut { after: timeout }),
            () = environment.stop.requested() => Some(Unanswered::Interrupted),
        };
        if let Some(why) = why {
            return Err(OpsError::BackupUnanswered { cluster: store.cluster().to_string(), why, slots: slots.states() });
        }
    }
}
