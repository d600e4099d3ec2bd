//! Use cases: one file for each command. They know what to do in which order; how is known below, and how it looks above.

mod access;
mod api_record;
mod backup;
mod begin;
mod carry_out;
mod create;
mod delete;
mod error;
mod facts;
mod fleet;
mod get;
mod history;
mod iam_policy;
mod lines;
mod manifests;
mod preflight;
mod reconcile;
mod render;
mod restore;
#[cfg(test)]
mod slot_tests;
mod slots;
mod stateless;
mod topology;
mod update;
mod validate;

use std::sync::Arc;

use crate::apply::{Observer, Stop};
use crate::cloud::{Cloud, CloudFacts, CloudPreflight, CloudStatus, Identity};
use crate::plan::Plan;
use crate::store::{Clock, ObjectStore};

pub use access::{Endpoint, certificate, endpoint, short_certificate, user_of_identity};
pub use backup::{backup, snapshots};
pub use carry_out::Applied;
pub use create::create;
pub use delete::{DeleteOptions, delete};
pub use error::{OpsError, Unanswered};
pub use facts::FactProblem;
pub use fleet::FleetWatch;
pub use get::{ClusterEntry, Observation, cluster_entries, cluster_names, cluster_spec, observation};
pub use history::{History, HistoryLine, SpecChange, history, newest_spec, revision_spec};
pub use iam_policy::{OperatorPolicy, policy_of_cluster, policy_of_spec};
pub use manifests::ManifestReader;
pub use preflight::{Finding, Severity};
pub use render::{Artefact, render};
pub use restore::{Before, RestoreEnding, RestoreOptions, RestorePlan, restore};
pub use slots::SlotState;
pub use topology::topology;
pub use update::{Target, update};
pub use validate::{ApiFollower, ApiProbe, Follows, ValidateOptions, validate};

/// All of AWS that a command may need.
pub trait Aws: Cloud + CloudFacts + CloudPreflight + CloudStatus {}

impl<T: Cloud + CloudFacts + CloudPreflight + CloudStatus> Aws for T {}

/// Where the state lies, as nodes will address it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateRoot {
    S3 {
        bucket: String,
        /// Without slashes at its ends; empty for the whole bucket.
        prefix: String,
        region: String,
    },
    /// A directory: good for looking and rendering. No machine can read it.
    Directory,
}

/// What a command works with.
pub struct Environment<'a> {
    pub aws: &'a dyn Aws,
    /// Whose credentials these are.
    pub identity: Identity,
    pub objects: Arc<dyn ObjectStore>,
    pub state_root: StateRoot,
    /// For the manifests that a spec names.
    pub manifests: &'a dyn ManifestReader,
    pub clock: Arc<dyn Clock>,
    pub observer: &'a dyn Observer,
    pub operator: &'a dyn Operator,
    pub stop: &'a Stop,
}

/// The person, or the script, that runs the command.
pub trait Operator: Send + Sync {
    /// A phase begins that may take a while: `observing the account`.
    fn phase(&self, text: &str);

    /// It is waited for `text`, which is told again and again while the wait goes on.
    fn waiting(&self, text: &str);

    /// Something to know that is not an error.
    fn note(&self, text: &str);

    /// Shows the plan and asks whether to go on.
    fn approve(&self, plan: &Plan) -> Approval;

    /// Shows what a restore does and what it loses, and asks whether to go on.
    fn approve_restore(&self, plan: &RestorePlan) -> Approval;

    /// From here on something is written, also where nothing was asked: an interrupt is a request to stop.
    fn begin_work(&self);
}

/// The answer to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    Yes,
    No,
    /// Nobody can be asked, and nobody said yes beforehand.
    NobodyToAsk,
}

/// How a command that can change things ended.
#[derive(Debug)]
pub enum Ending {
    /// `--dry-run`: the plan, and nothing done.
    Planned(Plan),
    /// Everything was as it should be.
    Unchanged(Plan),
    /// The operator said no.
    Declined,
    Applied(Applied),
}
