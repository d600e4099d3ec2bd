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
        let (location, hint) = (self.location(&key), self.restore_hint(&key));
        let value = documents::parse_versioned(&location, &object.bytes, &hint)?;
        // The parsers' own messages would quote keys.
        let corrupt = || StoreError::Corrupt { location, reason: "it is not a set of keys".into(), hint };
        let files = serde_json::from_value(value).ok().and_then(|Bundle { files, .. }| {
            let decode = |(name, content): (String, String)| Some((name, BASE64.decode(content).ok()?));
            files.into_iter().map(decode).collect::<Option<BTreeMap<_, _>>>()
        });
        files.map(PkiFiles).map(Some).ok_or_else(corrupt)
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
    /// To be called before any instance is made; one call, where they are already.
    ///
    /// # Errors
    /// Those of the store. Calling it again does the rest.
    pub async fn publish_pki(&self, files: &PkiFiles) -> Result<(), StoreError> {
        let complete = self.keys.pki_complete();
        let stamp = format!("{:x}\n", Sha256::digest(self.bundle(files)?)).into_bytes();
        if self.objects.get(&complete).await?.is_some_and(|object| object.bytes == stamp) {
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
