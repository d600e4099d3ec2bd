//! `facts.json`: what was resolved for the cluster at its first create, and since.
//!
//! Facts cannot be found out again: images have newer versions by now, and the cluster's unique id was drawn by lot. So a copy of them
//! lies in the history, from which a repair takes them.

use crate::cloud::Facts;

use super::documents::{FactsBody, Stored};
use super::{ClusterStore, Condition, StoreError, Version};

/// Facts as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedFacts {
    pub value: Facts,
    /// Of a write in the place of `facts.json` as it was read.
    pub condition: Condition,
    /// Why they are those of the copy; `None` where `facts.json` itself holds them.
    pub damage: Option<String>,
}

impl ClusterStore<'_> {
    /// What was resolved for the cluster.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] and [`StoreError::Newer`] beside those of the store.
    pub async fn read_facts(&self) -> Result<Option<RecordedFacts>, StoreError> {
        let stored: Option<Stored<FactsBody>> = self.read_document(&self.keys.facts()).await?;
        Ok(stored.map(|Stored { value, version }| RecordedFacts {
            value: value.facts,
            condition: Condition::Unchanged(version),
            damage: None,
        }))
    }

    /// As [`Self::read_facts`]; where `facts.json` is damaged or gone, the copy in the history.
    ///
    /// # Errors
    /// As [`Self::read_facts`]: those of `facts.json`, where there is no copy that can be read.
    pub async fn read_facts_or_copy(&self) -> Result<Option<RecordedFacts>, StoreError> {
        let (problem, damage) = match self.read_facts().await {
            Ok(Some(facts)) => return Ok(Some(facts)),
            Ok(None) => (None, "it is gone".to_owned()),
            Err(StoreError::Corrupt { location, reason, hint }) => {
                (Some(StoreError::Corrupt { location, reason: reason.clone(), hint }), reason)
            }
            Err(error) => return Err(error),
        };
        let there = self.objects.get(&self.keys.facts()).await?;
        let condition = there.map_or(Condition::Absent, |object| Condition::Unchanged(object.version));
        let copy: Result<Option<Stored<FactsBody>>, _> = self.read_document(&self.keys.facts_copy()).await;
        match (copy, problem) {
            (Ok(Some(copy)), _) => Ok(Some(RecordedFacts { value: copy.value.facts, condition, damage: Some(damage) })),
            (Ok(None) | Err(StoreError::Corrupt { .. }), Some(problem)) => Err(problem),
            (Ok(None), None) => Ok(None),
            (Err(error), _) => Err(error),
        }
    }

    /// That they must have been there, since they are written before the spec.
    pub async fn lost_facts(&self) -> StoreError {
        let key = self.keys.facts();
        let location = self.location(&key);
        let is_whole = |bytes: &[u8]| super::documents::read::<FactsBody>(&location, bytes).is_ok();
        let hint = self.way_back_of_lost(&key, is_whole).await;
        let reason = "images, addresses and the unique id of the cluster were recorded there, and cannot be found out again";
        StoreError::Lost { location, reason: reason.to_owned(), hint }
    }

    /// Writes facts, and their copy.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when `condition` does not hold.
    pub async fn write_facts(&self, facts: &Facts, condition: Condition) -> Result<Version, StoreError> {
        let version = self.write_document(&self.keys.facts(), &FactsBody { facts: facts.clone() }, condition).await?;
        self.keep_facts(facts).await?;
        Ok(version)
    }

    /// Condition of a write in the place of facts that bind nobody, as those of a first create that ended before its spec was
    /// written.
    ///
    /// # Errors
    /// [`StoreError::Newer`] beside those of the store.
    pub async fn unbound_facts(&self) -> Result<Condition, StoreError> {
        let key = self.keys.facts();
        let Some(object) = self.objects.get(&key).await? else { return Ok(Condition::Absent) };
        match super::documents::read::<FactsBody>(&self.location(&key), &object.bytes) {
            Err(error @ StoreError::Newer { .. }) => Err(error),
            Ok(_) | Err(_) => Ok(Condition::Unchanged(object.version)),
        }
    }

    /// Sees to it that the copy is there and is of these facts, which were read or written: an interruption may have kept it back.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn keep_facts(&self, facts: &Facts) -> Result<(), StoreError> {
        let key = self.keys.facts_copy();
        let bytes = super::documents::write(&self.location(&key), &FactsBody { facts: facts.clone() })?;
        self.put_content(&key, bytes).await
    }
}
