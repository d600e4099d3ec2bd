//! The state can be read, and the account is the cluster's.

use crate::spec::ClusterName;

use super::super::Snapshot;
use super::super::report::{Check, Findings, Report};
use super::{Scope, addons, api, backups, certificates, dns, etcd, nodes, pods, resources, targets, versions};

const NAME: &str = "state";

/// Why nothing of a cluster is known.
#[derive(Debug)]
pub struct UnreadState {
    /// It was read, and is not what it should be; otherwise it could not be looked at.
    pub damaged: bool,
    pub message: String,
    pub causes: Vec<String>,
    pub todo: Option<String>,
}

pub(super) fn check(snapshot: &Snapshot) -> Check {
    match &snapshot.authorities {
        Ok(_) => Check::ok(NAME, &snapshot.source),
        Err(reason) => Check::unknown(NAME, format!("{}, but not its keys", snapshot.source), reason)
            .todo("without its keys nobody can ask the API; look below pki/ in the state store, and at the permissions there"),
    }
}

/// The report of a cluster whose state tells nothing: everything else rests on it.
pub fn without_state(cluster: &ClusterName, scope: &Scope, unread: UnreadState) -> Report {
    let UnreadState { damaged, message, causes, todo } = unread;
    let mut findings = Findings::default();
    causes.into_iter().for_each(|cause| findings.explain(cause));
    let judge = if damaged { Check::failed } else { Check::undecided };
    let state = Check { todo, ..judge(NAME.to_owned(), message, findings) };
    let reason = format!("because the state {} (see state)", if damaged { "is damaged" } else { "could not be read" });
    let names: &[&str] = match scope.is_whole() {
        true => &[
            resources::NAME,
            "groups",
            targets::NAME,
            dns::NAME,
            certificates::NAME,
            etcd::NAME,
            api::NAME,
            nodes::NAME,
            versions::NAME,
            pods::NAME,
            addons::NAME,
            backups::NAME,
        ],
        false => &[resources::NAME, "groups", api::NAME, nodes::NAME, versions::NAME],
    };
    let rest = names.iter().map(|name| Check::skipped(*name, &reason));
    Report::new(cluster.as_str(), std::iter::once(state).chain(rest).collect(), Vec::new())
}
