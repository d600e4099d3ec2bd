//! Specs as they were applied: the one in force, and its history.
//!
//! Each has a head with the digest of its text: half a spec may be a spec, of a cluster with fewer machines.

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::documents::{self, Operation};
use super::state::CONCURRENCY;
use super::{ClusterStore, Condition, Object, StoreError, Version};

/// Starts the first line of `cluster.yaml` and its history; the rest of the line is a [`Header`].
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

/// First line of a stored spec.
#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(flatten)]
    revision: Revision,
    /// Of the text below the head, hexadecimal. Documents of before it was written have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

/// A spec that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedSpec {
    /// The YAML document.
    pub text: String,
    pub revision: Revision,
    pub version: Version,
}

/// What lies at `cluster.yaml`.
#[derive(Debug)]
pub enum CurrentSpec {
    Absent,
    Whole(AppliedSpec),
    /// It is there, and cannot be read: [`StoreError::Corrupt`].
    Damaged {
        version: Version,
        problem: StoreError,
    },
}

impl CurrentSpec {
    /// Version of the object as it was read; `None` where there is none.
    pub fn version(&self) -> Option<&Version> {
        match self {
            Self::Absent => None,
            Self::Whole(spec) => Some(&spec.version),
            Self::Damaged { version, .. } => Some(version),
        }
    }
}

/// One revision of the history.
#[derive(Debug)]
pub struct HistoryEntry {
    pub sequence: u32,
    /// When it was written, as its key tells.
    pub at: Option<Timestamp>,
    /// What it says, or why it cannot be read: [`StoreError::Corrupt`] or [`StoreError::Newer`].
    pub spec: Result<AppliedSpec, StoreError>,
    /// Whether it is the one in force.
    pub in_force: bool,
}

impl ClusterStore<'_> {
    /// The spec as it was last applied; `None` when there is no such cluster.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] and [`StoreError::Newer`] beside those of the store.
    pub async fn read_spec(&self) -> Result<Option<AppliedSpec>, StoreError> {
        match self.current_spec().await? {
            CurrentSpec::Absent => Ok(None),
            CurrentSpec::Whole(spec) => Ok(Some(spec)),
            CurrentSpec::Damaged { problem, .. } => Err(problem),
        }
    }

    /// As [`Self::read_spec`], for who can do something about a spec that cannot be read.
    ///
    /// # Errors
    /// [`StoreError::Newer`] beside those of the store.
    pub async fn current_spec(&self) -> Result<CurrentSpec, StoreError> {
        let key = self.keys.spec();
        let Some(object) = self.objects.get(&key).await? else { return Ok(CurrentSpec::Absent) };
        match self.parse_applied(&key, &object) {
            Ok(spec) => Ok(CurrentSpec::Whole(spec)),
            Err(problem @ StoreError::Corrupt { .. }) => {
                let is_whole = |bytes: &[u8]| self.parse_bytes(&key, bytes).is_ok();
                let problem = self.with_way_back(&key, problem, is_whole).await;
                Ok(CurrentSpec::Damaged { version: object.version.clone(), problem })
            }
            Err(error) => Err(error),
        }
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
        let Some(previous) = previous else { return self.repair_spec(text, None, operation, by, at).await };
        self.archive(&previous.revision, self.render(&previous.revision, &previous.text)?).await?;
        let condition = Condition::Unchanged(previous.version.clone());
        self.apply(text, previous.revision.sequence, condition, operation, by, at).await
    }

    /// As [`Self::write_spec`], in the place of a `cluster.yaml` that cannot be read, or of none. Its numbers are not given again.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when it is not that version any more.
    pub async fn repair_spec(
        &self,
        text: &str,
        damaged: Option<&Version>,
        operation: Operation,
        by: &str,
        at: Timestamp,
    ) -> Result<AppliedSpec, StoreError> {
        let last = self.archived().await?.last().map_or(0, |(sequence, _)| *sequence);
        let condition = damaged.map_or(Condition::Absent, |version| Condition::Unchanged(version.clone()));
        self.apply(text, last, condition, operation, by, at).await
    }

    async fn apply(
        &self,
        text: &str,
        last: u32,
        condition: Condition,
        operation: Operation,
        by: &str,
        at: Timestamp,
    ) -> Result<AppliedSpec, StoreError> {
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

    /// All specs that were applied, the oldest first, those that cannot be read included.
    ///
    /// # Errors
    /// Those of the store. A `cluster.yaml` that cannot be read is none: it is then not in the list.
    pub async fn history(&self) -> Result<Vec<HistoryEntry>, StoreError> {
        let (archived, current) = tokio::join!(self.archived(), self.current_spec());
        let current = match current {
            Ok(CurrentSpec::Whole(spec)) => Some(spec),
            Ok(CurrentSpec::Absent | CurrentSpec::Damaged { .. }) | Err(StoreError::Newer { .. }) => None,
            Err(error) => return Err(error),
        };
        let in_force = |sequence| current.as_ref().is_some_and(|current| current.revision.sequence == sequence);
        let entries = stream::iter(archived?)
            .map(|(sequence, key)| async move {
                let spec = match self.read_archived(&key).await {
                    // Removed since it was listed.
                    Ok(None) => return Ok(None),
                    Ok(Some(spec)) => Ok(spec),
                    Err(error @ (StoreError::Corrupt { .. } | StoreError::Newer { .. })) => Err(error),
                    Err(error) => return Err(error),
                };
                Ok(Some(HistoryEntry { sequence, at: self.keys.revision_time(&key), spec, in_force: in_force(sequence) }))
            })
            .buffered(CONCURRENCY);
        let mut entries: Vec<HistoryEntry> = entries.try_filter_map(async |entry| Ok(entry)).try_collect().await?;
        if let Some(current) = current {
            let sequence = current.revision.sequence;
            // It has no copy yet, or one that was damaged.
            match entries.iter_mut().find(|entry| entry.sequence == sequence) {
                Some(entry) => entry.spec = Ok(current),
                None => {
                    let at = Some(current.revision.at);
                    entries.push(HistoryEntry { sequence, at, spec: Ok(current), in_force: true });
                }
            }
        }
        Ok(entries)
    }

    /// When the cluster was made: when its first spec was applied. Snapshots from before are of an earlier cluster of that name, whose
    /// keys are gone.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn made_at(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.archived().await?.iter().find_map(|(_, key)| self.keys.revision_time(key)))
    }

    /// One spec of the history, whatever `cluster.yaml` is like.
    ///
    /// # Errors
    /// As [`Self::read_spec`].
    pub async fn read_revision(&self, sequence: u32) -> Result<Option<AppliedSpec>, StoreError> {
        match self.current_spec().await {
            Ok(CurrentSpec::Whole(current)) if current.revision.sequence == sequence => return Ok(Some(current)),
            Ok(_) | Err(StoreError::Newer { .. }) => {}
            Err(error) => return Err(error),
        }
        match self.archived().await?.into_iter().find(|(archived, _)| *archived == sequence) {
            Some((_, key)) => self.read_archived(&key).await,
            None => Ok(None),
        }
    }

    /// The newest revision in the history that can be read.
    ///
    /// # Errors
    /// [`StoreError::Newer`] when a newer kclust wrote one after it, beside those of the store.
    pub async fn newest_revision(&self) -> Result<Option<AppliedSpec>, StoreError> {
        for (_, key) in self.archived().await?.into_iter().rev() {
            match self.read_archived(&key).await {
                Ok(Some(spec)) => return Ok(Some(spec)),
                Ok(None) | Err(StoreError::Corrupt { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// That there is a history and no `cluster.yaml`: which must have been there, since it is the last that is removed.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn lost_spec(&self) -> Result<Option<StoreError>, StoreError> {
        if self.archived().await?.is_empty() {
            return Ok(None);
        }
        let key = self.keys.spec();
        let is_whole = |bytes: &[u8]| self.parse_bytes(&key, bytes).is_ok();
        let hint = self.way_back_of_lost(&key, is_whole).await;
        let reason = "the history of the cluster is still there".to_owned();
        Ok(Some(StoreError::Lost { location: self.location(&key), reason, hint }))
    }

    async fn read_archived(&self, key: &str) -> Result<Option<AppliedSpec>, StoreError> {
        match self.objects.get(key).await? {
            Some(object) => self.parse_applied(key, &object).map(Some),
            None => Ok(None),
        }
    }

    fn parse_applied(&self, key: &str, object: &Object) -> Result<AppliedSpec, StoreError> {
        let (text, revision) = self.parse_bytes(key, &object.bytes)?;
        Ok(AppliedSpec { text, revision, version: object.version.clone() })
    }

    fn parse_bytes(&self, key: &str, bytes: &[u8]) -> Result<(String, Revision), StoreError> {
        let location = self.location(key);
        let corrupt =
            |reason: &str| StoreError::Corrupt { location: location.clone(), reason: reason.into(), hint: String::new() };
        let text = std::str::from_utf8(bytes).map_err(|_| corrupt("it is not UTF-8"))?;
        let (header, body) = text
            .strip_prefix(HEADER)
            .and_then(|rest| rest.split_once('\n'))
            .ok_or_else(|| corrupt("its first line does not say what it is"))?;
        let Header { revision, sha256 } = documents::read(&location, header.as_bytes())?;
        let text = body.strip_prefix(NOTE).unwrap_or(body).to_owned();
        if text.trim().is_empty() {
            return Err(corrupt("it is empty"));
        }
        if sha256.is_some_and(|recorded| recorded != digest(&text)) {
            return Err(corrupt(
                "its text is not the one that was recorded: it was cut short, or changed by other means than kclust",
            ));
        }
        Ok((text, revision))
    }

    fn render(&self, revision: &Revision, text: &str) -> Result<Vec<u8>, StoreError> {
        let header = Header { revision: revision.clone(), sha256: Some(digest(text)) };
        let header = documents::write_line(&self.location(&self.keys.spec()), &header)?;
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

fn digest(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}
