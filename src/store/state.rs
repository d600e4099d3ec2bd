//! The state of one cluster.

use std::fmt;

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cloud::Facts;
use crate::spec::ClusterName;

use super::documents::{self, FactsBody, Ledger, Operation, Stored};
use super::layout::{Area, BOOTSTRAP, Keys};
use super::{Condition, ObjectStore, StoreError, Version};

/// Objects that are read or written at the same time.
pub(super) const CONCURRENCY: usize = 16;

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

/// The documents of one cluster in a store. Cheap to clone.
#[derive(Clone)]
pub struct ClusterStore<'a> {
    pub(super) objects: &'a dyn ObjectStore,
    pub(super) keys: Keys,
    cluster: ClusterName,
}

impl fmt::Debug for ClusterStore<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClusterStore").field(&self.location("")).finish()
    }
}

/// Names of the clusters whose state lies in a store, sorted: the directories with a `cluster.yaml`.
///
/// # Errors
/// When the store cannot be read. A store that is not there has no clusters.
pub async fn clusters(objects: &dyn ObjectStore) -> Result<Vec<ClusterName>, StoreError> {
    let names = objects.directories().await?;
    // Other things may lie beside clusters.
    let candidates = names.into_iter().filter_map(|name| ClusterName::parse(name).ok());
    let found = stream::iter(candidates)
        .map(|name| async move {
            let key = Keys::of(&name).spec();
            let found = objects.list(&key).await?.contains(&key);
            Ok::<_, StoreError>(found.then_some(name))
        })
        .buffered(CONCURRENCY);
    found.try_filter_map(|name| async move { Ok(name) }).try_collect().await
}

impl<'a> ClusterStore<'a> {
    pub fn new(objects: &'a dyn ObjectStore, cluster: ClusterName) -> Self {
        Self { objects, keys: Keys::of(&cluster), cluster }
    }

    pub fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

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

    /// What was resolved for the cluster at its first create.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] and [`StoreError::Newer`] beside those of the store.
    pub async fn read_facts(&self) -> Result<Option<Stored<Facts>>, StoreError> {
        let stored: Option<Stored<FactsBody>> = self.read_document(&self.keys.facts()).await?;
        Ok(stored.map(|Stored { value, version }| Stored { value: value.facts, version }))
    }

    /// # Errors
    /// [`StoreError::Changed`] when `condition` does not hold.
    pub async fn write_facts(&self, facts: &Facts, condition: Condition) -> Result<Version, StoreError> {
        self.write_document(&self.keys.facts(), &FactsBody { facts: facts.clone() }, condition).await
    }

    /// # Errors
    /// [`StoreError::Corrupt`] and [`StoreError::Newer`] beside those of the store.
    pub async fn read_ledger(&self) -> Result<Option<Stored<Ledger>>, StoreError> {
        self.read_document(&self.keys.ledger()).await
    }

    /// # Errors
    /// [`StoreError::Changed`] when `condition` does not hold.
    pub async fn write_ledger(&self, ledger: &Ledger, condition: Condition) -> Result<Version, StoreError> {
        self.write_document(&self.keys.ledger(), ledger, condition).await
    }

    /// Makes an object that nodes read when they boot. `key` is the one below the cluster's prefix: `bootstrap/…`.
    ///
    /// # Errors
    /// Those of the store; [`StoreError::BadKey`] for a key elsewhere.
    pub async fn put_bootstrap(&self, key: &str, content: Vec<u8>) -> Result<(), StoreError> {
        self.put_content(&self.keys.bootstrap(key)?, content).await
    }

    /// Keys that [`Self::put_bootstrap`] made, sorted.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list_bootstrap(&self) -> Result<Vec<String>, StoreError> {
        self.list_below(&self.keys.all(), BOOTSTRAP).await
    }

    /// # Errors
    /// Those of the store; [`StoreError::BadKey`] for a key elsewhere.
    pub async fn delete_bootstrap(&self, key: &str) -> Result<(), StoreError> {
        self.objects.delete(&self.keys.bootstrap(key)?, Condition::Always).await
    }

    /// `name` is the one below the area, such as `status/i-0abc.json` of [`Area::Nodes`].
    ///
    /// # Errors
    /// Those of the store, and [`StoreError::BadKey`].
    pub async fn read_file(&self, area: Area, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let object = self.objects.get(&self.keys.file(area, name)?).await?;
        Ok(object.map(|object| object.bytes))
    }

    /// Makes a file have this content.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when somebody else writes it at the same time; [`StoreError::BadKey`].
    pub async fn put_file(&self, area: Area, name: &str, content: Vec<u8>) -> Result<(), StoreError> {
        self.put_content(&self.keys.file(area, name)?, content).await
    }

    /// Names of the files of an area, sorted.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list_files(&self, area: Area) -> Result<Vec<String>, StoreError> {
        self.list_below(&self.keys.area(area), "").await
    }

    /// # Errors
    /// Those of the store, and [`StoreError::BadKey`].
    pub async fn delete_file(&self, area: Area, name: &str) -> Result<(), StoreError> {
        self.objects.delete(&self.keys.file(area, name)?, Condition::Always).await
    }

    /// Removes the state of the cluster with all earlier versions, keys included, but for the lock, which its holder releases, and
    /// for backups where asked for. `cluster.yaml` goes last: until then the cluster is listed and the removal can be resumed.
    ///
    /// # Errors
    /// Those of the store. Part of the state may be gone then; calling it again removes the rest.
    pub async fn remove_all(&self, keep_backups: bool) -> Result<(), StoreError> {
        let (ledger, spec) = (self.keys.ledger(), self.keys.spec());
        let mut keep = vec![self.keys.lock(), ledger.clone(), spec.clone()];
        if keep_backups {
            keep.push(self.keys.backups());
        }
        self.objects.purge(&self.keys.all(), &keep).await?;
        self.objects.purge(&ledger, &[]).await?;
        self.objects.purge(&spec, &[]).await
    }

    pub(super) fn location(&self, key: &str) -> String {
        format!("{}/{key}", self.objects.root())
    }

    /// A conditional write whose answer was lost is tried again by the transport, and then refused because of itself: what has the
    /// content that was to be written is written.
    pub(super) async fn write(&self, key: &str, bytes: Vec<u8>, condition: Condition) -> Result<Version, StoreError> {
        match self.objects.put(key, bytes.clone(), condition).await {
            Err(StoreError::Changed { location }) => match self.objects.get(key).await? {
                Some(object) if object.bytes == bytes => Ok(object.version),
                Some(_) | None => Err(StoreError::Changed { location }),
            },
            other => other,
        }
    }

    /// How to get an object back that cannot be read.
    pub(super) fn restore_hint(&self, key: &str) -> String {
        let own = key == self.keys.spec();
        let history =
            if own { format!("; earlier specs are below {}", self.location(&self.keys.history())) } else { String::new() };
        match self.objects.root().strip_prefix("s3://") {
            Some(rest) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let key = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}/{key}") };
                format!(
                    "the bucket keeps earlier versions: `aws s3api list-object-versions --bucket {bucket} --prefix {key}` lists \
                     them, and `aws s3api get-object --version-id` reads one{history}"
                )
            }
            None => format!("put back a copy of {} from your backups{history}", self.location(key)),
        }
    }

    /// Written only where it is not the same already, whatever was there before.
    async fn put_content(&self, key: &str, content: Vec<u8>) -> Result<(), StoreError> {
        match self.objects.put(key, content.clone(), Condition::Absent).await {
            Err(StoreError::Changed { .. }) => {}
            other => return other.map(drop),
        }
        let condition = match self.objects.get(key).await? {
            Some(object) if object.bytes == content => return Ok(()),
            Some(object) => Condition::Unchanged(object.version),
            None => Condition::Absent,
        };
        self.write(key, content, condition).await.map(drop)
    }

    /// Keys without `base` that start with `prefix`.
    async fn list_below(&self, base: &str, prefix: &str) -> Result<Vec<String>, StoreError> {
        let keys = self.objects.list(&format!("{base}{prefix}")).await?;
        Ok(keys.iter().filter_map(|key| key.strip_prefix(base)).map(str::to_owned).collect())
    }

    async fn read_document<T: Serialize + serde::de::DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<Stored<T>>, StoreError> {
        let Some(object) = self.objects.get(key).await? else { return Ok(None) };
        let value = documents::read(&self.location(key), &object.bytes, &self.restore_hint(key))?;
        Ok(Some(Stored { value, version: object.version }))
    }

    async fn write_document<T: Serialize>(&self, key: &str, body: &T, condition: Condition) -> Result<Version, StoreError> {
        let bytes = documents::write(&self.location(key), body)?;
        self.write(key, bytes, condition).await
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
