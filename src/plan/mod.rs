//! Desired and observed → what to change, why and in which order. Pure.

mod diff;
mod graph;
mod planner;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::cloud::{Blocker, Leftover, Observed};
use crate::model::{Resource, ResourceId, Value};

pub use diff::{Difference, difference, is_managed_tag};
pub use graph::dependencies;
pub use planner::{Context, drift, reconcile, removal};
pub use view::{TextStyle, wrap};

/// What the plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    Create,
    Update,
    Delete,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        })
    }
}

/// What happens to one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Create,
    Update,
    /// Removed and made again: a field differs that AWS cannot change.
    Replace,
    Delete,
}

/// A field that changes. `from` is absent when the resource is made, `to` when it is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    pub path: String,
    pub from: Value,
    pub to: Value,
}

/// One change, as people and programs read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub action: Action,
    pub id: ResourceId,
    /// Id in AWS, when the resource exists.
    pub physical: Option<String>,
    pub fields: Vec<FieldChange>,
    pub reason: String,
    /// Other resources of this plan whose change comes first.
    pub depends_on: Vec<ResourceId>,
}

/// One thing to do. A replacement is two: a removal and a creation.
#[derive(Debug, Clone)]
pub struct Step {
    pub id: ResourceId,
    pub work: Work,
    /// Indices of the steps that come first.
    pub after: Vec<usize>,
}

#[derive(Debug, Clone)]
pub enum Work {
    Create(Resource),
    Update { observed: Observed, desired: Resource },
    Delete(Observed),
}

/// What becomes of a thing that is not in the model when the cluster is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Removed,
    Kept,
}

/// Everything that will be done, complete: carrying it out makes no choices.
#[derive(Debug, Clone)]
pub struct Plan {
    pub cluster: String,
    pub operation: Operation,
    /// In the order of kinds and names.
    pub changes: Vec<Change>,
    /// Number of resources that are as they should be.
    pub unchanged: usize,
    pub warnings: Vec<String>,
    /// Of a removal: what is the cluster's and not in the model.
    pub leftovers: Vec<(Fate, Leftover)>,
    /// Of a removal: things of others that may keep a part of it from going.
    pub blockers: Vec<Blocker>,
    /// A directed acyclic graph.
    pub steps: Vec<Step>,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.leftovers.iter().all(|(fate, _)| *fate == Fate::Kept)
    }

    pub fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|change| change.action == action).count()
    }
}

/// Differences, in the order of kinds and names, without the steps that would make them good.
#[derive(Debug, Clone, Default)]
pub struct Drift {
    pub changes: Vec<Change>,
    /// Number of resources that are as they should be.
    pub unchanged: usize,
    /// Those of `changes` that no plan makes good while the cluster lives (see [`PlanError`]).
    pub refused: BTreeSet<ResourceId>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Running machines depend on it; replacing it would take the cluster down or lose data.
    #[error("{id} cannot be changed while the cluster lives: {path} is {from} and would become {to}")]
    Irreplaceable { id: ResourceId, path: String, from: String, to: String },
    /// A volume or interface of a slot would go, and with it an etcd member.
    #[error("{id} holds a member of etcd and would be removed")]
    SlotRemoval { id: ResourceId },
    /// A mistake of the model: a reference that leads nowhere.
    #[error("{from} refers to {to}, which is not part of the cluster")]
    Dangling { from: ResourceId, to: ResourceId },
    /// A mistake of the model.
    #[error("resources depend on each other in a circle: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(" -> "))]
    Cycle(Vec<ResourceId>),
}
