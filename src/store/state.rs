//! The state of one cluster.

use std::fmt;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::spec::ClusterName;

use super::documents::{self, Operation, Stored};
use super::layout::{Area, BOOTSTRAP, Keys};
use super::{Condition, ObjectStore, StoreError, Version};

/// Objects that are read or written at the same time.
pub(super) const CONCURRENCY: usize = 16;

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

    /// Whether there is a lock, whoever's and however old.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn is_locked(&self) -> Result<bool, StoreError> {
        Ok(self.objects.get(&self.keys.lock()).await?.is_some())
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

    /// Whether [`Self::remove_all`] was begun and not ended: the ledger says that nothing of the cluster is left, or has gone already.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn is_half_removed(&self) -> Result<bool, StoreError> {
        match self.read_ledger().await {
            Ok(Some(ledger)) => Ok(ledger.value.operation == Operation::Delete && ledger.value.resources.is_empty()),
            Ok(None) => {
                let keys = self.objects.list(&self.keys.all()).await?;
                let spec = self.keys.spec();
                let may_stay = |key: &String| *key == spec || *key == self.keys.lock() || key.starts_with(&self.keys.backups());
                Ok(keys.contains(&spec) && keys.iter().all(may_stay))
            }
            // Whose words cannot be read is no witness.
            Err(StoreError::Lost { .. } | StoreError::Corrupt { .. } | StoreError::Newer { .. }) => Ok(false),
            Err(error) => Err(error),
        }
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

    /// Written only where it is not the same already, whatever was there before.
    pub(super) async fn put_content(&self, key: &str, content: Vec<u8>) -> Result<(), StoreError> {
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
    pub(super) async fn list_below(&self, base: &str, prefix: &str) -> Result<Vec<String>, StoreError> {
        let keys = self.objects.list(&format!("{base}{prefix}")).await?;
        Ok(keys.iter().filter_map(|key| key.strip_prefix(base)).map(str::to_owned).collect())
    }

    pub(super) async fn read_document<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<Stored<T>>, StoreError> {
        let Some(object) = self.objects.get(key).await? else { return Ok(None) };
        let location = self.location(key);
        match documents::read(&location, &object.bytes) {
            Ok(value) => Ok(Some(Stored { value, version: object.version })),
            Err(error) => {
                let is_whole = |bytes: &[u8]| documents::read::<T>(&location, bytes).is_ok();
                Err(self.with_way_back(key, error, is_whole).await)
            }
        }
    }

    pub(super) async fn write_document<T: Serialize>(
        &self,
        key: &str,
        body: &T,
        condition: Condition,
    ) -> Result<Version, StoreError> {
        let bytes = documents::write(&self.location(key), body)?;
        self.write(key, bytes, condition).await
    }
}
