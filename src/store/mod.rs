//! The state of clusters: a few objects below one prefix, written only on condition of what was read.
//!
//! [`ObjectStore`] is the place (a bucket, a directory), [`ClusterStore`] the documents of one cluster in it, [`Lock`] what keeps
//! two operators apart.

mod applied;
mod backups;
#[cfg(test)]
mod backups_tests;
mod basis;
#[cfg(test)]
mod contract;
mod documents;
mod error;
mod facts;
mod file;
#[cfg(test)]
mod interleaving_tests;
pub mod layout;
mod ledger;
mod location;
mod lock;
mod lock_record;
#[cfg(test)]
mod lock_tests;
#[cfg(test)]
pub(crate) mod memory;
mod node_status;
mod pki;
mod process;
mod restores;
mod slot_reports;
mod state;
#[cfg(test)]
mod state_tests;
mod way_back;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub use applied::{AppliedSpec, CurrentSpec, HistoryEntry, Revision};
pub use backups::{BackupAnswer, BackupRequest, EtcdSnapshot, RequestId};
pub use basis::Basis;
pub use documents::{Ledger, LedgerEntry, Operation, Run, Stored};
pub use error::StoreError;
pub use facts::RecordedFacts;
pub use file::FileStore;
pub use layout::Area;
pub use ledger::RecordedLedger;
pub use location::{InvalidStoreUrl, StoreUrl};
pub use lock::{Clock, Lock, LockError, LockLoss, LossSignal, SystemClock};
pub use lock_record::{Held, Holder, LockRecord};
pub use node_status::NodeStatus;
pub use pki::PkiFiles;
pub use process::ProcessId;
pub use restores::RestoreRequest;
pub use slot_reports::{
    AddonReport, Alarm, AlarmList, CertificateReport, EndpointStatus, EtcdReport, Member, MemberList, MemberStatus,
};
pub use state::{ClusterStore, clusters};

/// Opaque version of an object: an S3 ETag, or the hash of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// An object as it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    pub bytes: Vec<u8>,
    pub version: Version,
    /// How long ago it was written, by the store's own clock on both sides of the subtraction (S3: `Date` less `Last-Modified`), so
    /// that it is true whatever the clocks of the writer and the reader say. To the second.
    pub age: Duration,
}

/// Without the content, which may be a key.
impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { bytes, version, age } = self;
        f.debug_struct("Object").field("length", &bytes.len()).field("version", version).field("age", age).finish()
    }
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub key: String,
    /// Size of the content.
    pub bytes: u64,
}

/// An object as it was before somebody wrote over it or removed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// By which [`ObjectStore::get_earlier`] finds it: S3's version id.
    pub id: String,
    pub written_at: Timestamp,
}

/// When a write or removal may take place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// S3 `If-None-Match: *`.
    Absent,
    /// S3 `If-Match`.
    Unchanged(Version),
    Always,
}

/// Objects below one root (`s3://BUCKET[/PREFIX]` or `file:///DIR`). Keys are relative to the root, with `/` between parts.
///
/// Writes are atomic: a reader sees the old content or the new one. Of several writers with the same condition exactly one wins. A
/// writer whose answer was lost may be told [`StoreError::Changed`] by its own retry: whoever needs to know reads the object.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// The root as the user wrote it, for messages.
    fn root(&self) -> &str;

    /// `None` when there is no such object, the root included.
    async fn get(&self, key: &str) -> Result<Option<Object>, StoreError>;

    /// # Errors
    /// [`StoreError::Changed`] when the condition does not hold; [`StoreError::Unusable`] when the root is missing.
    async fn put(&self, key: &str, bytes: Vec<u8>, condition: Condition) -> Result<Version, StoreError>;

    /// Removing what is not there is success, but for [`Condition::Unchanged`]. With [`Condition::Absent`] nothing is ever removed:
    /// it fails where the object is there.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when the condition does not hold.
    async fn delete(&self, key: &str, condition: Condition) -> Result<(), StoreError>;

    /// What lies under keys that start with `prefix`, sorted by key. No error where nothing is there, the root included.
    async fn entries(&self, prefix: &str) -> Result<Vec<Entry>, StoreError>;

    /// The keys of [`Self::entries`].
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.entries(prefix).await?.into_iter().map(|entry| entry.key).collect())
    }

    /// What lay under a key before, the newest first. Only where the store keeps it, as a bucket with versioning does; else nothing.
    async fn earlier(&self, key: &str) -> Result<Vec<Earlier>, StoreError> {
        layout::check_key(key).map(|()| Vec::new())
    }

    /// Content of one of [`Self::earlier`]; `None` when it is gone.
    async fn get_earlier(&self, key: &str, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let _ = id;
        layout::check_key(key).map(|()| None)
    }

    /// Names of what lies like a directory directly below the root, sorted.
    async fn directories(&self) -> Result<Vec<String>, StoreError>;

    /// Removes everything whose key starts with `prefix`, and with it every earlier version that the store still has, but for keys
    /// that start with one of `keep`. Not atomic: after a failure some are gone and some are not, and it can be called again.
    async fn purge(&self, prefix: &str, keep: &[String]) -> Result<(), StoreError>;

    /// Makes the root when it is missing; an S3 bucket is versioned, encrypted, closed to the public and open to TLS only.
    /// Returns whether it was made.
    async fn ensure(&self) -> Result<bool, StoreError>;
}
