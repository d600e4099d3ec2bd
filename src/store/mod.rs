//! The state of clusters: a few objects below one prefix, written only on condition of what was read.

use async_trait::async_trait;

use crate::cloud::CloudError;

/// Opaque version of an object: an S3 ETag, or the hash of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// An object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub bytes: Vec<u8>,
    pub version: Version,
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

/// How the store can fail.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The condition of a write did not hold: somebody else was there first.
    #[error("{key} was changed by somebody else in the meantime")]
    Changed { key: String },
    #[error("could not {action} {location}")]
    Cloud { action: String, location: String, source: CloudError },
    #[error("could not {action} {location}")]
    Io { action: String, location: String, source: std::io::Error },
    /// An object is there and cannot be read for what it should be.
    #[error("{location} cannot be read: {reason}")]
    Corrupt { location: String, reason: String },
    /// The bucket cannot be used: it belongs to somebody else, or lies in another region than asked for.
    #[error("{reason}")]
    Unusable { reason: String, hint: String },
}

/// Objects below one root (`s3://BUCKET[/PREFIX]` or `file:///DIR`). Keys are relative to the root, with `/` between parts.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// The root as the user wrote it, for messages.
    fn root(&self) -> &str;

    async fn get(&self, key: &str) -> Result<Option<Object>, StoreError>;

    /// # Errors
    /// [`StoreError::Changed`] when the condition does not hold.
    async fn put(&self, key: &str, bytes: Vec<u8>, condition: Condition) -> Result<Version, StoreError>;

    /// Removing what is not there is success, but for `Condition::Unchanged`.
    async fn delete(&self, key: &str, condition: Condition) -> Result<(), StoreError>;

    /// Keys below a prefix, sorted. No error where nothing is there, the root included.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// Makes the root when it is missing; an S3 bucket is versioned, encrypted, closed to the public and open to TLS only.
    /// Returns whether it was made.
    async fn ensure(&self) -> Result<bool, StoreError>;
}
