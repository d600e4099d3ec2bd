//! How people reach a cluster: the configuration of kubectl, and the credentials that kubectl asks kclust for.
//!
//! `text` changes places of a YAML text, `kubeconfig` knows what they mean, `files` which files there are and `replace` how one is
//! written; `login` is what kclust writes. `exec_credential` is how kubectl asks, `cache` what it need not ask twice for.

mod cache;
mod exec_credential;
mod files;
mod kubeconfig;
mod login;
mod replace;
mod text;

pub use cache::{CredentialCache, usable_until};
pub use exec_credential::{ExecInfo, exec_credential};
pub use files::{Files, FilesError, Opened};
pub use kubeconfig::{Context, Entry, Kubeconfig, KubeconfigError, Section};
pub use login::{Exec, Login, User};
