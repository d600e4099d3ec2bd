//! The Kubernetes API answers.

use super::super::report::{Check, Findings};
use super::super::{KubernetesView, Snapshot};

const NAME: &str = "api";

pub(super) fn check(snapshot: &Snapshot) -> Check {
    match &snapshot.kubernetes {
        KubernetesView::Reachable { address, version, .. } => Check::ok(NAME, format!("{address} answers: {version}")),
        // Not a failure: the way to it may be closed only from here.
        KubernetesView::Unreachable { address, reason } => {
            Check::unknown(NAME, format!("{address} could not be reached from here"), reason)
        }
        KubernetesView::Refused { address, reason } => {
            let mut findings = Findings::default();
            findings.explain(reason);
            Check::failed(NAME, format!("{address} answers, but not as it should"), findings)
        }
        // Whatever the reason, a cluster whose API nobody asked is not known to be healthy.
        KubernetesView::Skipped { reason } => Check::unknown(NAME, "the API was not asked", reason),
    }
}
