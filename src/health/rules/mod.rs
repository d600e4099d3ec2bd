//! The rules, one file for each subject. Each looks at the snapshot and gives one check, or one for each group.
//!
//! They stand in the order of causes: what comes first can be why a later one fails, and the later one then says no more than that.

mod addons;
mod api;
mod backups;
mod certificates;
mod dns;
mod etcd;
mod groups;
mod launching;
mod nodes;
mod pods;
mod resources;
mod state;
mod targets;
mod versions;

#[cfg(test)]
pub(super) use api::is_on_the_way;
pub use state::{UnreadState, without_state};

use jiff::{SignedDuration, Timestamp};

use super::report::{Check, CheckStatus, Report};
use super::{KubeNode, KubernetesView, Snapshot, System, machines};

/// How long a machine may take from its launch until it is a node that is Ready.
pub(super) const BOOT_TIME: SignedDuration = SignedDuration::from_mins(10);

/// What is looked at, and what is tolerated.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Logical names of slots and node groups; empty: everything.
    pub groups: Vec<String>,
    /// So many workers may be missing or not Ready, over all groups.
    pub allow_unready: usize,
}

impl Scope {
    fn is_whole(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether a machine of that group is looked at.
    pub(crate) fn holds(&self, group: Option<&str>) -> bool {
        self.is_whole() || group.is_some_and(|group| self.groups.iter().any(|wanted| wanted == group))
    }
}

/// Judges a snapshot. An empty world is judged like any other: whoever calls it has made sure that there is a cluster.
pub fn check(snapshot: &Snapshot, scope: &Scope) -> Report {
    let mut checks = vec![state::check(snapshot), resources::check(snapshot, scope)];
    checks.extend(groups::check(snapshot, scope));
    if scope.is_whole() {
        checks.push(targets::check(snapshot));
        checks.push(dns::check(snapshot));
        checks.push(certificates::check(snapshot));
        checks.push(etcd::check(snapshot));
    }
    let api = api::check(snapshot, &checks);
    checks.push(api);
    checks.push(nodes::check(snapshot, scope));
    checks.push(versions::check(snapshot, scope));
    if scope.is_whole() {
        checks.push(pods::check(snapshot));
        checks.push(addons::check(snapshot));
        checks.push(backups::check(snapshot));
    }
    let mut nodes = machines::nodes(snapshot);
    nodes.retain(|node| scope.holds(node.group.as_deref()));
    Report::new(snapshot.cluster.name.as_str(), checks, nodes)
}

/// What the API server answered.
struct Answered<'a> {
    version: &'a str,
    nodes: &'a [KubeNode],
    system: &'a System,
}

/// Otherwise a check that says that there was nobody to ask, and leaves the why to `api`.
fn answered<'a>(view: &'a KubernetesView, name: &str) -> Result<Answered<'a>, Check> {
    match view {
        KubernetesView::Reachable { version, nodes, system, .. } => Ok(Answered { version, nodes, system }),
        KubernetesView::Unreachable { .. } => Err(Check::skipped(name, "because the API is not reachable (see api)")),
        KubernetesView::Refused { .. } => Err(Check::skipped(name, "because the API does not answer as it should (see api)")),
        KubernetesView::Skipped { .. } => Err(Check::skipped(name, "because the API was not asked (see api)")),
    }
}

/// Whether the group is that of a control plane.
fn is_slot(group: &str, snapshot: &Snapshot) -> bool {
    snapshot.cluster.slots().iter().any(|slot| slot.name == group)
}

fn has_failed(checks: &[Check], name: &str) -> bool {
    checks.iter().any(|check| check.name == name && check.status == CheckStatus::Failed)
}

fn is_unknown(checks: &[Check], name: &str) -> bool {
    checks.iter().any(|check| check.name == name && check.status == CheckStatus::Unknown)
}

/// `1 node`, `2 nodes`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `40 s`, `5 min`, `3 h`, `12 days`: as precise as a person wants it.
fn span(duration: SignedDuration) -> String {
    match duration.as_secs().unsigned_abs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

fn since(now: Timestamp, then: Timestamp) -> SignedDuration {
    now.duration_since(then)
}

/// `2026-11-27 03:04 UTC`.
fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
