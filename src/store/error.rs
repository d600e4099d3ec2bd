//! How the store can fail, and what the operator can do about it.

use crate::cloud::CloudError;

/// How the store can fail.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The condition of a write did not hold: somebody else was there first.
    #[error("{location} was changed by somebody else in the meantime")]
    Changed { location: String },
    #[error("could not {action} {location}")]
    Cloud { action: String, location: String, source: CloudError },
    #[error("could not {action} {location}")]
    Io { action: String, location: String, source: std::io::Error },
    /// An object is there and cannot be read for what it should be.
    #[error("{location} cannot be read: {reason}")]
    Corrupt { location: String, reason: String, hint: String },
    /// An object must have been there, by all that is there still.
    #[error("{location} is gone: {reason}")]
    Lost { location: String, reason: String, hint: String },
    /// An object has more to say than this version of kclust understands. It is neither used nor written over.
    #[error("{location} was written by a newer kclust: {reason}")]
    Newer { location: String, reason: String },
    /// Keys are made of parts that are safe in paths and need no escaping in the URLs that nodes sign.
    #[error("{key:?} cannot be a key of the state store: its parts must be made of letters, digits, '-', '_' and '.'")]
    BadKey { key: String },
    /// The root cannot be used: it is not there, or is somebody else's.
    #[error("{reason}")]
    Unusable { reason: String, hint: String },
}

impl StoreError {
    /// What the operator can do about it; `None` where the source says it better.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Changed { .. } => Some("run the command again: it starts from what is there now".into()),
            Self::Corrupt { hint, .. } | Self::Lost { hint, .. } | Self::Unusable { hint, .. } => Some(hint.clone()),
            Self::Newer { .. } => Some(format!("this is kclust {}: use the newer one", env!("CARGO_PKG_VERSION"))),
            Self::Cloud { .. } | Self::Io { .. } | Self::BadKey { .. } => None,
        }
    }

    /// The root is missing where something is to be written.
    pub(crate) fn no_root(root: &str) -> Self {
        Self::Unusable {
            reason: format!("there is no state store at {root}"),
            hint: "check the address; `kclust create` makes the store of a first cluster".into(),
        }
    }
}
