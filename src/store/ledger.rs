//! `ledger.json`: what the last command that changed resources has made. Each command writes it when it begins to.

use super::documents::{self, Ledger, Stored};
use super::{ClusterStore, Condition, StoreError, Version};

/// What lies at `ledger.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedLedger {
    /// `None` where there is none that can be read.
    pub value: Option<Ledger>,
    /// Of a write in the place of `ledger.json` as it was read.
    pub condition: Condition,
    /// Where it lies and why it cannot be read, if it is there and cannot.
    pub damage: Option<(String, String)>,
}

impl ClusterStore<'_> {
    /// # Errors
    /// [`StoreError::Corrupt`] and [`StoreError::Newer`] beside those of the store.
    pub async fn read_ledger(&self) -> Result<Option<Stored<Ledger>>, StoreError> {
        self.read_document(&self.keys.ledger()).await
    }

    /// As [`Self::read_ledger`], for whom one that is damaged is none.
    ///
    /// # Errors
    /// [`StoreError::Newer`] beside those of the store.
    pub async fn recorded_ledger(&self) -> Result<RecordedLedger, StoreError> {
        let key = self.keys.ledger();
        let Some(object) = self.objects.get(&key).await? else {
            return Ok(RecordedLedger { value: None, condition: Condition::Absent, damage: None });
        };
        let condition = Condition::Unchanged(object.version);
        match documents::read(&self.location(&key), &object.bytes) {
            Ok(ledger) => Ok(RecordedLedger { value: Some(ledger), condition, damage: None }),
            Err(StoreError::Corrupt { location, reason, .. }) => {
                Ok(RecordedLedger { value: None, condition, damage: Some((location, reason)) })
            }
            Err(error) => Err(error),
        }
    }

    /// # Errors
    /// [`StoreError::Changed`] when `condition` does not hold.
    pub async fn write_ledger(&self, ledger: &Ledger, condition: Condition) -> Result<Version, StoreError> {
        self.write_document(&self.keys.ledger(), ledger, condition).await
    }
}
