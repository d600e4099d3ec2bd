//! Specs as they were applied: the one in force, and its history.

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::documents::{self, Operation};
use super::state::CONCURRENCY;
use super::{ClusterStore, Condition, StoreError, Version};

/// Starts the first line of `cluster.yaml` and its history; the rest of the line is a [`Revision`].
const HEADER: &str = "# kclust.dev/state ";
const NOTE: &str =
    "# The spec as it was last applied. To change the cluster use `kclust update`; earlier specs are in history/.\n";

/// When, by whom and by what a spec was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// Counts from 1. No two revisions of a cluster have the same.
    pub sequence: u32,
    pub at: Timestamp,
    /// `user@host`, or an ARN.
    pub by: String,
    pub operation: Operation,
    /// Version of kclust.
    pub kclust: String,
}

/// A spec that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedSpec {
    /// The YAML document.
    pub text: String,
    pub revision: Revision,
    pub version: Version,
}

impl ClusterStore<'_> {
    /// The spec as it was last applied; `None` when there is no such cluster.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] and [`StoreError::Newer`] beside those of the store.
    pub async fn read_spec(&self) -> Result<Option<AppliedSpec>, StoreError> {
        self.read_applied(&self.keys.spec()).await
    }

    /// Records a spec as applied: in `cluster.yaml`, on condition that it still is `previous` (`None`: that there is none), and
    /// in the history.
    ///
    /// `cluster.yaml` decides: whoever replaces it has the next number. A copy that an interruption kept from the history is made
    /// up for before `cluster.yaml` is replaced.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when another spec was applied since `previous` was read.
    pub async fn write_spec(
        &self,
        text: &str,
        previous: Option<&AppliedSpec>,
        operation: Operation,
        by: &str,
        at: Timestamp,
    ) -> Result<AppliedSpec, StoreError> {
        let (condition, last) = match previous {
            Some(previous) => {
                self.archive(&previous.revision, self.render(&previous.revision, &previous.text)?).await?;
                (Condition::Unchanged(previous.version.clone()), previous.revision.sequence)
            }
            // Usually 0. Where only `cluster.yaml` is gone, its numbers are not given again.
            None => (Condition::Absent, self.archived().await?.last().map_or(0, |(sequence, _)| *sequence)),
        };
        let revision = Revision {
            sequence: last.saturating_add(1),
            at,
            by: by.to_owned(),
            operation,
            kclust: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let bytes = self.render(&revision, text)?;
        let version = self.write(&self.keys.spec(), bytes.clone(), condition).await?;
        self.archive(&revision, bytes).await?;
        Ok(AppliedSpec { text: text.to_owned(), revision, version })
    }

    /// All specs that were applied, the oldest first.
    ///
    /// # Errors
    /// As [`Self::read_spec`].
    pub async fn history(&self) -> Result<Vec<Revision>, StoreError> {
        let archived = stream::iter(self.archived().await?)
            .map(|(_, key)| async move { self.read_applied(&key).await })
            .buffered(CONCURRENCY)
            .try_filter_map(|spec| async move { Ok(spec.map(|spec| spec.revision)) });
        let mut revisions: Vec<Revision> = archived.try_collect().await?;
        if let Some(current) = self.read_spec().await?
            && revisions.last() != Some(&current.revision)
        {
            revisions.push(current.revision);
        }
        Ok(revisions)
    }

    /// One spec of the history.
    ///
    /// # Errors
    /// As [`Self::read_spec`].
    pub async fn read_revision(&self, sequence: u32) -> Result<Option<AppliedSpec>, StoreError> {
        if let Some(current) = self.read_spec().await?
            && current.revision.sequence == sequence
        {
            return Ok(Some(current));
        }
        match self.archived().await?.into_iter().find(|(archived, _)| *archived == sequence) {
            Some((_, key)) => self.read_applied(&key).await,
            None => Ok(None),
        }
    }

    async fn read_applied(&self, key: &str) -> Result<Option<AppliedSpec>, StoreError> {
        let Some(object) = self.objects.get(key).await? else { return Ok(None) };
        let (location, hint) = (self.location(key), self.restore_hint(key));
        let corrupt =
            |reason: &str| StoreError::Corrupt { location: location.clone(), reason: reason.into(), hint: hint.clone() };
        let text = String::from_utf8(object.bytes).map_err(|_| corrupt("it is not UTF-8"))?;
        let (header, body) = text
            .strip_prefix(HEADER)
            .and_then(|rest| rest.split_once('\n'))
            .ok_or_else(|| corrupt("its first line does not say what it is"))?;
        let revision: Revision = documents::read(&location, header.as_bytes(), &hint)?;
        let text = body.strip_prefix(NOTE).unwrap_or(body).to_owned();
        if text.trim().is_empty() {
            return Err(corrupt("it is empty"));
        }
        Ok(Some(AppliedSpec { text, revision, version: object.version }))
    }

    fn render(&self, revision: &Revision, text: &str) -> Result<Vec<u8>, StoreError> {
        let header = documents::write_line(&self.location(&self.keys.spec()), revision)?;
        Ok(format!("{HEADER}{header}\n{NOTE}{text}").into_bytes())
    }

    /// Its key says all: what is there under it is the same.
    async fn archive(&self, revision: &Revision, bytes: Vec<u8>) -> Result<(), StoreError> {
        let key = self.keys.revision(revision.sequence, revision.at);
        match self.objects.put(&key, bytes, Condition::Absent).await {
            Ok(_) | Err(StoreError::Changed { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Numbers and keys of the history, the oldest first.
    async fn archived(&self) -> Result<Vec<(u32, String)>, StoreError> {
        let keys = self.objects.list(&self.keys.history()).await?;
        Ok(keys.into_iter().filter_map(|key| Some((self.keys.sequence(&key)?, key))).collect())
    }
}
