//! How people reach a cluster: the configuration of kubectl, and the credentials that kubectl asks kclust for.
//!
//! `text` changes places of a YAML text, `kubeconfig` knows what they mean, `files` which files there are and `replace` how one is
//! written.

mod files;
mod kubeconfig;
mod replace;
mod text;

pub use files::{Files, FilesError, Opened};
pub use kubeconfig::{Context, Entry, Kubeconfig, KubeconfigError, Section};
