//! The rules, one file for each subject. Each looks at the snapshot and gives one check, or one for each group.

mod api;
mod dns;
mod groups;
mod nodes;
mod resources;
mod targets;
mod versions;

use super::report::{Check, Report};
use super::{KubeNode, KubernetesView, Snapshot, machines};

/// Judges a snapshot. An empty world is judged like any other: whoever calls it has made sure that there is a cluster.
pub fn check(snapshot: &Snapshot) -> Report {
    let mut checks = vec![resources::check(snapshot)];
    checks.extend(groups::check(snapshot));
    checks.push(targets::check(snapshot));
    checks.push(dns::check(snapshot));
    checks.push(api::check(snapshot));
    checks.push(nodes::check(snapshot));
    checks.push(versions::check(snapshot));
    Report::new(snapshot.cluster.name.as_str(), checks, machines::nodes(snapshot))
}

/// Version of the API server and its nodes; otherwise a check that says that there was nobody to ask, and leaves the why to `api`.
fn answered<'a>(view: &'a KubernetesView, name: &str) -> Result<(&'a str, &'a [KubeNode]), Check> {
    match view {
        KubernetesView::Reachable { version, nodes, .. } => Ok((version, nodes)),
        KubernetesView::Unreachable { .. } => Err(Check::skipped(name, "the API is not reachable")),
        KubernetesView::Refused { .. } => Err(Check::skipped(name, "the API does not answer as it should")),
        KubernetesView::Skipped { .. } => Err(Check::skipped(name, "the API was not asked")),
    }
}

/// `1 node`, `2 nodes`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
