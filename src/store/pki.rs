//! The keys of a cluster: made once, and never in two halves.
//!
//! `pki/bundle.json` holds all files and decides: it is written once, on condition that there is none, so that of two creators one
//! wins and the other uses the winner's. The single files beside it are copies for the nodes. `pki/complete` is written after them
//! and names the bundle they were copied from; as long as it does not, they are copied again, whatever is there. No instance is
//! made before, so that none can have read a file of another set.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::documents::{self, FORMAT_VERSION};
use super::layout::check_key;
use super::state::CONCURRENCY;
use super::{ClusterStore, Condition, StoreError};

/// Names below `pki/` that are not files of the set.
const RESERVED: [&str; 2] = ["bundle.json", "complete"];

/// Keys and certificates by their names below `pki/`, such as `etcd/ca.key`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PkiFiles(pub BTreeMap<String, Vec<u8>>);

/// Names only.
impl fmt::Debug for PkiFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PkiFiles").field(&self.0.keys()).finish()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Bundle {
    format_version: u32,
    /// In Base64.
    files: BTreeMap<String, String>,
}

impl ClusterStore<'_> {
    /// The keys of the cluster; `None` when they are not made yet.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] and [`StoreError::Newer`] beside those of the store.
    pub async fn read_pki(&self) -> Result<Option<PkiFiles>, StoreError> {
        let key = self.keys.pki_bundle();
        let Some(object) = self.objects.get(&key).await? else { return Ok(None) };
        match self.parse_bundle(&object.bytes) {
            Ok(files) => Ok(Some(files)),
            Err(error) => Err(self.with_way_back(&key, error, |bytes| self.parse_bundle(bytes).is_ok()).await),
        }
    }

    /// Makes the bundle again, where it is damaged or gone: of the single files, if `pki/complete` proves that they are those that were
    /// copied from it. `None` where they are not.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when somebody else writes it at the same time; those of the store.
    pub async fn rebuild_pki(&self) -> Result<Option<PkiFiles>, StoreError> {
        let bundle = self.keys.pki_bundle();
        let (there, complete) = tokio::try_join!(self.objects.get(&bundle), self.read_stamp())?;
        let files = PkiFiles(self.single_files().await?);
        if complete.is_none() || complete != Some(self.stamp(&files)?) {
            return Ok(None);
        }
        let condition = match there {
            Some(object) => match self.parse_bundle(&object.bytes) {
                Err(StoreError::Corrupt { .. }) => Condition::Unchanged(object.version),
                other => return other.map(Some),
            },
            None => Condition::Absent,
        };
        self.write(&bundle, self.bundle(&files)?, condition).await?;
        Ok(Some(files))
    }

    /// That the keys of a cluster with resources are gone. Others in their place would lock everybody out.
    pub async fn lost_pki(&self) -> StoreError {
        let key = self.keys.pki_bundle();
        let hint = self.way_back_of_lost(&key, |bytes| self.parse_bundle(bytes).is_ok()).await;
        let reason = "the cluster exists, and its keys are not made twice".to_owned();
        StoreError::Lost { location: self.location(&key), reason, hint }
    }

    /// Files beside the bundle.
    async fn single_files(&self) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let names = self.list_below(&self.keys.pki_file(""), "").await?;
        let files = stream::iter(names.into_iter().filter(|name| !RESERVED.contains(&name.as_str())))
            .map(|name| async move {
                let object = self.objects.get(&self.keys.pki_file(&name)).await?;
                Ok::<_, StoreError>(object.map(|object| (name, object.bytes)))
            })
            .buffered(CONCURRENCY);
        files.try_filter_map(async |file| Ok(file)).try_collect().await
    }

    async fn read_stamp(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.objects.get(&self.keys.pki_complete()).await?.map(|object| object.bytes))
    }

    /// Content of `pki/complete` for these files.
    fn stamp(&self, files: &PkiFiles) -> Result<Vec<u8>, StoreError> {
        Ok(format!("{:x}\n", Sha256::digest(self.bundle(files)?)).into_bytes())
    }

    fn parse_bundle(&self, bytes: &[u8]) -> Result<PkiFiles, StoreError> {
        let location = self.location(&self.keys.pki_bundle());
        let value = documents::parse_versioned(&location, bytes)?;
        // The parsers' own messages would quote keys.
        let corrupt = || StoreError::Corrupt { location, reason: "it is not a set of keys".into(), hint: String::new() };
        let files = serde_json::from_value(value).ok().and_then(|Bundle { files, .. }| {
            let decode = |(name, content): (String, String)| Some((name, BASE64.decode(content).ok()?));
            files.into_iter().map(decode).collect::<Option<BTreeMap<_, _>>>()
        });
        files.filter(|files| !files.is_empty()).map(PkiFiles).ok_or_else(corrupt)
    }

    /// Makes `files` the keys of the cluster, unless it has keys already. Returns those that it has now.
    ///
    /// # Errors
    /// [`StoreError::BadKey`] beside those of [`Self::read_pki`].
    pub async fn write_pki_once(&self, files: PkiFiles) -> Result<PkiFiles, StoreError> {
        for name in files.0.keys() {
            check_key(name)?;
            if RESERVED.contains(&name.as_str()) {
                return Err(StoreError::BadKey { key: name.clone() });
            }
        }
        match self.objects.put(&self.keys.pki_bundle(), self.bundle(&files)?, Condition::Absent).await {
            Ok(_) => Ok(files),
            // Also when our own answer was lost: then these are ours.
            Err(StoreError::Changed { location }) => self.read_pki().await?.ok_or(StoreError::Changed { location }),
            Err(error) => Err(error),
        }
    }

    /// Makes the single files, which nodes read, those of `files`: what [`Self::read_pki`] or [`Self::write_pki_once`] returned.
    /// To be called before any instance is made; two calls, where they are already. One that is missing or cut short since is written
    /// again.
    ///
    /// # Errors
    /// Those of the store. Calling it again does the rest.
    pub async fn publish_pki(&self, files: &PkiFiles) -> Result<(), StoreError> {
        let complete = self.keys.pki_complete();
        let stamp = self.stamp(files)?;
        let base = self.keys.pki_file("");
        let (written, there) = tokio::try_join!(self.read_stamp(), self.objects.entries(&base))?;
        let is_there = |(name, content): (&String, &Vec<u8>)| {
            let key = self.keys.pki_file(name);
            there.iter().any(|entry| entry.key == key && entry.bytes == content.len() as u64)
        };
        if written.as_ref() == Some(&stamp) && files.0.iter().all(is_there) {
            return Ok(());
        }
        stream::iter(&files.0)
            .map(|(name, content)| async move {
                self.objects.put(&self.keys.pki_file(name), content.clone(), Condition::Always).await
            })
            .buffer_unordered(CONCURRENCY)
            .try_for_each(|_| async { Ok(()) })
            .await?;
        self.objects.put(&complete, stamp, Condition::Always).await.map(drop)
    }

    /// The same bytes for the same files: they are compared.
    fn bundle(&self, files: &PkiFiles) -> Result<Vec<u8>, StoreError> {
        let files = files.0.iter().map(|(name, content)| (name.clone(), BASE64.encode(content))).collect();
        documents::to_bytes(&Bundle { format_version: FORMAT_VERSION, files }, &self.location(&self.keys.pki_bundle()))
    }
}
