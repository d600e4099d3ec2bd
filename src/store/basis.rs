//! What a plan rests on. Between the look at the world and the lock others may have changed it: they then wrote one of the documents
//! that every command writes.

use super::lock_record::LockRecord;
use super::{ClusterStore, StoreError, Version};

/// The state of a cluster at the time that a plan is begun, before the world is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    spec: Option<Version>,
    /// Each run writes its own name into it before it changes anything, also one that goes on where another one was killed.
    ledger: Option<Version>,
    /// Somebody has begun before, and is at it while the world is looked at.
    is_at_work: bool,
}

impl ClusterStore<'_> {
    /// What a plan that is made from here on rests on.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn basis(&self) -> Result<Basis, StoreError> {
        let (spec, ledger) = self.versions().await?;
        // In this order: whoever wrote these versions and has given the lock back by now changes nothing any more.
        let is_at_work = match self.objects.get(&self.keys.lock()).await? {
            Some(lock) => {
                let record = LockRecord::parse(&self.location(&self.keys.lock()), &lock.bytes);
                // Whose words cannot be read may be at work.
                record.map_or(true, |record| record.time_left(lock.age).is_some())
            }
            None => false,
        };
        Ok(Basis { spec, ledger, is_at_work })
    }

    /// Whether nobody has changed anything since: for who has the lock, and before anything is written.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn still_rests_on(&self, basis: &Basis) -> Result<bool, StoreError> {
        let (spec, ledger) = self.versions().await?;
        Ok(!basis.is_at_work && spec == basis.spec && ledger == basis.ledger)
    }

    async fn versions(&self) -> Result<(Option<Version>, Option<Version>), StoreError> {
        let (spec, ledger) = (self.keys.spec(), self.keys.ledger());
        let (spec, ledger) = tokio::try_join!(self.objects.get(&spec), self.objects.get(&ledger))?;
        Ok((spec.map(|object| object.version), ledger.map(|object| object.version)))
    }
}
