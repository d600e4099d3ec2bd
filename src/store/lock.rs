//! The lock of a cluster: one command that changes it at a time.
//!
//! A lock is an object, written only where none is, and renewed while the command runs. Two clocks decide, and no two machines'
//! clocks are compared: *others* take a lock over when its object is older than its time to live and [`GRACE`], by the store's
//! clock; the *holder* stops at that time to live after it sent the last renewal that succeeded, by its own. So the holder has
//! stopped before anybody takes over, and `If-Match` lets one of them win. A lock of a process of this machine that has ended is
//! taken over at once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::spec::ClusterName;

use super::layout::Keys;
#[cfg(doc)]
use super::lock_record::GRACE;
use super::{Condition, Held, Holder, LockRecord, Object, ObjectStore, StoreError, Version};

/// A lock is renewed three times within its time to live.
const RENEWALS: u32 = 3;
/// After a renewal that failed, the next try comes sooner.
const RETRIES: u32 = 12;

/// Monotonic time stands still while a laptop sleeps: the wall clock is looked at this often, so that a renewal that is overdue
/// then is the first thing that happens.
const GLANCE: Duration = Duration::from_secs(5);

/// Another try follows only after an answer was lost, or somebody else released or took the lock in between.
const TRIES: usize = 5;

/// The time of day.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Why a lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The operator's answer is to wait (exit code 5).
    #[error("{0}")]
    Held(Box<Held>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a lock that was held is held no longer. The command must not change anything any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockLoss {
    TakenOver {
        by: Box<Holder>,
    },
    /// Somebody removed the object.
    Removed,
    /// It could not be renewed in time: others may take it over now.
    NotRenewed {
        reason: String,
    },
}

impl fmt::Display for LockLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakenOver { by } => write!(f, "the lock was taken over by {by} (`kclust {}`)", by.operation),
            Self::Removed => f.write_str("somebody removed the lock"),
            Self::NotRenewed { reason } => write!(f, "the lock could not be renewed in time: {reason}"),
        }
    }
}

/// How it stands with a lock.
#[derive(Debug)]
struct Standing {
    /// From here on others may take the lock over.
    fence: Instant,
    /// Why the last renewal failed.
    trouble: Option<String>,
    loss: Option<LockLoss>,
}

impl Standing {
    /// Whether the lock is lost, by now at the latest.
    fn is_lost(&mut self) -> bool {
        if self.loss.is_none() && Instant::now() >= self.fence {
            let reason = self.trouble.clone();
            let reason = reason.unwrap_or_else(|| "the state store did not answer, or this process was stopped".to_owned());
            self.loss = Some(LockLoss::NotRenewed { reason });
        }
        self.loss.is_some()
    }
}

/// Tells when a lock is lost. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LossSignal(watch::Sender<Standing>);

impl LossSignal {
    /// The loss, if there is one by now. True at the moment that it is asked for: a process that was stopped and goes on does not wait
    /// for the renewal to find out. A loss that was told once is never taken back.
    pub fn get(&self) -> Option<LockLoss> {
        let mut loss = None;
        self.0.send_if_modified(|standing| {
            let before = standing.loss.is_some();
            let after = standing.is_lost();
            loss.clone_from(&standing.loss);
            after && !before
        });
        loss
    }

    /// Waits for the loss; forever, if the lock is released first.
    pub async fn wait(&self) -> LockLoss {
        let mut standing = self.0.subscribe();
        let loss = match standing.wait_for(|standing| standing.loss.is_some()).await {
            Ok(standing) => standing.loss.clone(),
            Err(_) => None,
        };
        match loss {
            Some(loss) => loss,
            None => std::future::pending().await,
        }
    }
}

/// A lock that is held and renewed in the background. When it is dropped without [`Lock::release`], it is renewed no more and
/// runs out.
pub struct Lock {
    slot: Slot,
    taken_from: Option<LockRecord>,
    loss: LossSignal,
    stop: oneshot::Sender<()>,
    renewal: JoinHandle<Version>,
}

impl Lock {
    /// How long a lock lives without being renewed, where nothing else is asked for.
    pub const TTL: Duration = Duration::from_secs(120);

    /// Takes the lock of a cluster. The store must be there ([`ObjectStore::ensure`]).
    ///
    /// # Errors
    /// [`LockError::Held`] when somebody else has it. A lock object that cannot be read is an error and is left as it is.
    pub async fn acquire(
        store: Arc<dyn ObjectStore>,
        cluster: &ClusterName,
        holder: Holder,
        clock: Arc<dyn Clock>,
        ttl: Duration,
    ) -> Result<Self, LockError> {
        let slot = Slot::new(store, cluster, holder.id.clone());
        let mut record = LockRecord::new(holder, clock.now(), ttl);
        let mut taken_from = None;
        let mut condition = Condition::Absent;
        for _ in 0..TRIES {
            record = LockRecord { since: clock.now(), ..record.renewed(clock.now()) };
            let sent = Instant::now();
            condition = match slot.write(&record, condition).await {
                Ok(version) if sent.elapsed() < ttl => return Ok(Self::held(slot, record, version, sent, taken_from, clock)),
                // The answer took so long that others may have taken the lock over.
                Ok(version) => Condition::Unchanged(version),
                Err(StoreError::Changed { .. }) => match slot.read().await? {
                    None => {
                        taken_from = None;
                        Condition::Absent
                    }
                    // Our own write, whose answer was lost. When it arrived is not known, so it is renewed.
                    Some((own, object)) if own.holder.id == slot.id => Condition::Unchanged(object.version),
                    Some((other, object)) => {
                        if let Some(remaining) = other.time_left(object.age) {
                            let age = object.age;
                            let held = Held { cluster: cluster.to_string(), record: other, age, remaining };
                            return Err(LockError::Held(Box::new(held)));
                        }
                        taken_from = Some(other);
                        Condition::Unchanged(object.version)
                    }
                },
                Err(error) => return Err(error.into()),
            };
        }
        Err(StoreError::Changed { location: slot.location() }.into())
    }

    fn held(
        slot: Slot,
        record: LockRecord,
        version: Version,
        sent: Instant,
        taken_from: Option<LockRecord>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let fence = sent + record.ttl();
        let loss = LossSignal(watch::Sender::new(Standing { fence, trouble: None, loss: None }));
        let (stop, stopped) = oneshot::channel();
        let keeper = Keeper { slot: slot.clone(), fence, record, version, clock, standing: loss.0.clone() };
        let renewal = tokio::spawn(keeper.keep(stopped));
        Self { slot, taken_from, loss, stop, renewal }
    }

    /// The lock that was taken over, whose command did not finish.
    pub fn taken_from(&self) -> Option<&LockRecord> {
        self.taken_from.as_ref()
    }

    /// For who must stop when the lock is lost.
    pub fn loss(&self) -> LossSignal {
        self.loss.clone()
    }

    /// Gives the lock back. What is no longer ours is left alone.
    ///
    /// # Errors
    /// When the object cannot be removed; it will then run out.
    pub async fn release(self) -> Result<(), StoreError> {
        // The receiver is gone when the lock is lost: then there is nothing to stop.
        let _ = self.stop.send(());
        let Ok(version) = self.renewal.await else { return Ok(()) };
        match self.slot.remove(version).await {
            // The last renewal took effect though its answer was lost; or the lock is another's by now.
            Err(StoreError::Changed { .. }) => {}
            other => return other,
        }
        match self.slot.read().await? {
            Some((record, object)) if record.holder.id == self.slot.id => self.slot.remove(object.version).await,
            Some(_) | None => Ok(()),
        }
    }
}

/// The place of a cluster's lock, as one holder sees it.
#[derive(Clone)]
struct Slot {
    store: Arc<dyn ObjectStore>,
    key: String,
    /// [`Holder::id`] of the one.
    id: String,
}

impl Slot {
    fn new(store: Arc<dyn ObjectStore>, cluster: &ClusterName, id: String) -> Self {
        Self { store, key: Keys::of(cluster).lock(), id }
    }

    fn location(&self) -> String {
        format!("{}/{}", self.store.root(), self.key)
    }

    async fn read(&self) -> Result<Option<(LockRecord, Object)>, StoreError> {
        let Some(object) = self.store.get(&self.key).await? else { return Ok(None) };
        Ok(Some((LockRecord::parse(&self.location(), &object.bytes)?, object)))
    }

    async fn write(&self, record: &LockRecord, condition: Condition) -> Result<Version, StoreError> {
        let bytes = super::documents::to_bytes(record, &self.location())?;
        self.store.put(&self.key, bytes, condition).await
    }

    async fn remove(&self, version: Version) -> Result<(), StoreError> {
        self.store.delete(&self.key, Condition::Unchanged(version)).await
    }
}

/// Renews a lock.
struct Keeper {
    slot: Slot,
    record: LockRecord,
    version: Version,
    /// From here on others may take the lock over.
    fence: Instant,
    clock: Arc<dyn Clock>,
    /// What others see of it.
    standing: watch::Sender<Standing>,
}

impl Keeper {
    /// Runs until it is stopped or the lock is lost. Returns the newest version that is known to be ours.
    ///
    /// A renewal under way is given up when it is stopped: it is conditional on the version before it, so it cannot bring back a
    /// lock that was removed after it.
    async fn keep(mut self, mut stopped: oneshot::Receiver<()>) -> Version {
        let mut pause = self.until_renewal();
        loop {
            let fence = self.fence;
            let loss = tokio::select! {
                // In this order: when a process that was stopped goes on, several are true at once.
                biased;
                // A dropped sender is a dropped lock.
                _ = &mut stopped => return self.version,
                () = sleep_until(fence) => None,
                outcome = self.renew_after(pause) => match outcome {
                    Ok(next) => {
                        pause = next;
                        None
                    }
                    Err(loss) => Some(loss),
                },
            };
            let mut lost = false;
            self.standing.send_modify(|standing| {
                // Also where somebody asked after the fence and was told that it is lost, before a renewal came through.
                if !standing.is_lost() {
                    standing.fence = self.fence;
                    standing.loss = loss;
                }
                lost = standing.loss.is_some();
            });
            if lost {
                return self.version;
            }
        }
    }

    /// Returns how long to wait for the next renewal.
    async fn renew_after(&mut self, pause: Duration) -> Result<Duration, LockLoss> {
        self.wait(pause).await;
        let sent = Instant::now();
        let renewed = self.record.renewed(self.clock.now());
        let failed = match self.slot.write(&renewed, Condition::Unchanged(self.version.clone())).await {
            Ok(version) => {
                (self.version, self.record, self.fence) = (version, renewed, sent + self.record.ttl());
                self.standing.send_modify(|standing| standing.trouble = None);
                return Ok(self.until_renewal());
            }
            Err(StoreError::Changed { .. }) => match self.slot.read().await {
                Ok(None) => return Err(LockLoss::Removed),
                Ok(Some((record, object))) if record.holder.id == self.slot.id => {
                    // An earlier renewal of ours took effect though its answer was lost. When is not known, so the fence stays.
                    self.version = object.version;
                    return Ok(Duration::ZERO);
                }
                Ok(Some((record, _))) => return Err(LockLoss::TakenOver { by: Box::new(record.holder) }),
                Err(error) => error,
            },
            Err(error) => error,
        };
        let trouble = match std::error::Error::source(&failed) {
            Some(source) => format!("{failed}: {source}"),
            None => failed.to_string(),
        };
        self.standing.send_modify(|standing| standing.trouble = Some(trouble));
        Ok(self.record.ttl() / RETRIES)
    }

    /// Counted from when the last renewal was sent, which may have taken its time.
    fn until_renewal(&self) -> Duration {
        let ttl = self.record.ttl();
        (self.fence - ttl + ttl / RENEWALS).saturating_duration_since(Instant::now())
    }

    /// Waits by the monotonic clock or the wall clock, whichever is faster.
    async fn wait(&self, pause: Duration) {
        let (start, wall_start) = (Instant::now(), self.clock.now());
        loop {
            let wall = Duration::try_from(self.clock.now().duration_since(wall_start)).unwrap_or_default();
            let left = pause.saturating_sub(start.elapsed().max(wall));
            if left.is_zero() {
                return;
            }
            sleep(left.min(GLANCE)).await;
        }
    }
}
