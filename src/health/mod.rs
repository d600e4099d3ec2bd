//! Is the cluster what the spec says, and does it work? Observations → checks (pure rules) → report.
//!
//! What is observed is one plain value, [`Snapshot`]; [`check`] turns it into a [`Report`] without asking anything again. To add a
//! check: a file in `rules/`, and its line in `rules::check`.

#[cfg(feature = "aws")]
pub mod kube;
mod kubernetes;
pub(crate) mod machines;
mod report;
#[cfg(feature = "aws")]
pub mod resolver;
mod rules;
mod snapshot;
#[cfg(test)]
mod tests;
mod view;

pub use kubernetes::{KubeNode, KubernetesView, Pod, StaticPod, System, Workload};
pub use report::{Check, CheckStatus, Node, Report, Role, Status};
pub use rules::{Scope, UnreadState, check, without_state};
pub use snapshot::{
    CertificateFault, Delegation, DnsAnswer, DnsFailure, Endpoint, EndpointKind, Presented, Snapshot, api_address, api_url,
    load_balancer_address,
};
