//! Why a command failed, as far as the use cases know it. `cli::error` turns it into words and an exit code.

use std::time::Duration;

use crate::apply::Report;
use crate::cloud::{Blocker, CloudError};
use crate::pki::PkiError;
use crate::plan::{Operation, PlanError};
use crate::store::{LockError, StoreError};

use super::facts::FactProblem;
use super::preflight::{Finding, Severity};
use super::slots::SlotState;

#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    #[error("could not {action}")]
    Cloud { action: String, source: CloudError },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("could not make the cluster's keys")]
    Pki(#[from] PkiError),
    /// The state has the spec of a cluster, and not its keys: its `create` has not come that far.
    #[error("the state of cluster {cluster} holds no keys yet")]
    NoKeys { cluster: String },
    #[error("the keys of cluster {cluster} cannot be used")]
    UnusableKeys { cluster: String, source: PkiError },
    /// The API is reached by the name of a load balancer that does not exist.
    #[error("the API of cluster {cluster} has no address yet")]
    NoAddress { cluster: String },
    /// Somebody trusts the API by another certificate than that of the cluster in the state.
    #[error("kubectl trusts another authority than that of cluster {cluster} in the state")]
    OtherAuthority { cluster: String },
    /// What the spec names and is not there, and what the account does not let happen. All at once, before the first write.
    #[error("{operation} of {cluster} would not succeed; nothing was changed")]
    Preflight { cluster: String, operation: Operation, findings: Vec<Finding> },
    /// Manifests that the spec names and that cannot be used. All at once.
    #[error("manifests that the spec names cannot be used")]
    Manifests(Vec<FactProblem>),
    #[error("there is no cluster {cluster} in {root}")]
    NoSuchCluster { cluster: String, root: String, known: Vec<String> },
    /// `update --from-history` with a number that no revision has.
    #[error("cluster {cluster} has no revision {wanted}")]
    NoSuchRevision { cluster: String, wanted: u32, known: Vec<u32> },
    /// `create` with another spec than the cluster has. Lines that differ, `-` as applied, `+` as given.
    #[error("cluster {cluster} exists already, with another spec")]
    DifferentSpec { cluster: String, differences: Vec<String> },
    /// `validate --group` of a group that the spec does not have.
    #[error("cluster {cluster} has no group {group}")]
    NoSuchGroup { cluster: String, group: String, known: Vec<String> },
    /// Resources without state: the state was lost, or lies elsewhere.
    #[error("{count} resources of cluster {cluster} exist, but {root} knows nothing of it")]
    StateLost { cluster: String, region: String, root: String, count: usize },
    #[error("cluster {cluster} belongs to account {owner}; the credentials are those of account {account}")]
    OtherAccount { cluster: String, owner: String, account: String },
    #[error("cluster {cluster} is in {owner}, not in {region}")]
    OtherRegion { cluster: String, owner: String, region: String },
    /// `update` with a spec that differs where running machines cannot follow. Path, old and new value.
    #[error("cluster {cluster} lives, and these parts of its spec cannot change")]
    FixedFields { cluster: String, fields: Vec<(&'static str, String, String)> },
    #[error("machines cannot read a state store in a directory")]
    StateNotReachable,
    #[error("user-data of {name} is {bytes} bytes after compression; EC2 takes at most {limit}")]
    UserDataTooLarge { name: String, bytes: usize, limit: usize },
    /// The state changed between the plan and the lock: whoever changed it left a name, unless nothing is left.
    #[error("cluster {cluster} was changed by {} since the plan was made", by.as_deref().unwrap_or("somebody else"))]
    StateChanged { cluster: String, by: Option<String> },
    #[error("nobody to confirm the plan")]
    NotConfirmed,
    #[error("{operation} of {cluster} did not finish")]
    NotApplied { cluster: String, operation: Operation, report: Box<Report> },
    /// Somebody else took the lock while the command ran.
    #[error("the lock of cluster {cluster} was lost: {reason}")]
    LockLost { cluster: String, reason: String, report: Box<Report> },
    #[error("interrupted: {operation} of {cluster} is not finished")]
    Interrupted { cluster: String, operation: Operation, report: Box<Report> },
    /// A delete that came to its end with something left: things of others are in the way, AWS refuses to remove a thing as it
    /// is, or something does not go or keeps coming back.
    #[error("{} resources are left of cluster {cluster}", left.len())]
    Left {
        cluster: String,
        left: Vec<String>,
        blockers: Vec<Blocker>,
        /// What AWS said to the last attempts.
        refused: Vec<String>,
        /// Kinds of things that are made anew all the time.
        keep_coming: Vec<&'static str>,
    },
    /// `restore` from a snapshot that is not there. The newest ones that are.
    #[error("cluster {cluster} has no snapshot {wanted}")]
    NoSuchSnapshot { cluster: String, wanted: String, newest: Vec<String> },
    /// `restore` from what is left of a cluster that was deleted.
    #[error("{key} is older than cluster {cluster}: it is of an earlier cluster of that name")]
    EarlierCluster { cluster: String, key: String },
    /// `restore` of a cluster whose slots have no addresses that are known: its state has no `facts.json`, or one without them.
    #[error("the state of {cluster} does not name the addresses of {}", missing.join(", "))]
    SlotsUnknown { cluster: String, missing: Vec<String> },
    /// `restore` while slots have not done the last one, of another snapshot.
    #[error("cluster {cluster} is being restored from {key}")]
    RestoreOpen { cluster: String, key: String, missing: Vec<String> },
    /// The request stays: the slots that are left follow it whoever waits. With what they told last.
    #[error("the restore of {cluster} from {key} is not finished: {why}")]
    RestoreUnfinished { cluster: String, key: String, why: Unanswered, slots: Vec<SlotState> },
    /// The slots answered that there is no snapshot.
    #[error("the snapshot of {cluster} failed: {text}")]
    BackupFailed { cluster: String, text: String, slots: Vec<SlotState> },
    #[error("no snapshot of {cluster}: {why}")]
    BackupUnanswered { cluster: String, why: Unanswered, slots: Vec<SlotState> },
    /// A spec in the state that this version cannot read.
    #[error("the spec of cluster {cluster} in the state cannot be used")]
    StoredSpec { cluster: String, problem: String },
}

/// Why waiting for the slots ended without their answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    #[error("no answer in {}", span(*after))]
    TimedOut { after: Duration },
    #[error("interrupted")]
    Interrupted,
    /// Somebody else took the lock.
    #[error("the lock was lost: {reason}")]
    LockLost { reason: String },
    #[error("the state store cannot be read any more")]
    OutOfSight { source: Box<StoreError> },
}

/// As it was asked for: whole minutes as such.
fn span(duration: Duration) -> String {
    match (duration.as_secs() / 60, duration.as_secs() % 60) {
        (minutes @ 1.., 0) => format!("{minutes} min"),
        _ => format!("{} s", duration.as_secs()),
    }
}

impl OpsError {
    /// Whether findings of the preflight are about the spec, which is a matter of usage.
    pub fn is_about_the_spec(findings: &[Finding]) -> bool {
        findings.iter().any(|finding| finding.severity == Severity::Spec)
    }

    /// For `map_err`: what was being done when AWS refused.
    pub(super) fn cloud(action: &str) -> impl FnOnce(CloudError) -> Self + '_ {
        move |source| Self::Cloud { action: action.to_owned(), source }
    }
}
