//! Certificate authorities, certificates and keys.
//!
//! Pure but for one thing: private keys come from the random generator of the operating system, because `rcgen` with `ring` accepts
//! no other. Serial numbers and the encryption key come from the source of randomness that the caller gives, times from his clock.

mod authority;
mod cluster_pki;
mod der;
mod secret;

pub use authority::{Authority, ClientCertificate, certificate_validity};
pub use cluster_pki::{ClusterPki, ServiceAccountKey};
pub use secret::Secret;

/// The group of those who get a credential from kclust. Control planes bind it to `cluster-admin` when the cluster is new
/// (`templates/files/admins.yaml`); unlike `system:masters`, which every API server obeys, it can be unbound.
pub const ADMINS: &str = "kclust:admins";

/// Why keys or certificates could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A key or certificate could not be made; the operating system's random generator failed, or a name cannot stand in a certificate.
    #[error("could not make {what}")]
    Generate { what: String, source: rcgen::Error },
    #[error("the PKI of the cluster has no {file}")]
    Missing { file: &'static str },
    #[error("{file} of the cluster's PKI cannot be read: {reason}")]
    Unreadable { file: String, reason: String },
}
