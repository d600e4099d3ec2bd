//! Each resource once: what shall be, what is, and where to look at it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cloud::World;
use crate::model::ResourceId;
use crate::plan::{Action, Drift, FieldChange};

use super::Console;

/// A resource of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceRow {
    pub kind: &'static str,
    /// Logical name, as plans and tags have it.
    pub name: String,
    pub status: ResourceStatus,
    /// What AWS's calls take; `None` for what is missing.
    pub id: Option<String>,
    /// What the console's search box finds: the id, or a name where the console goes by names.
    pub search: Option<String>,
    pub arn: Option<String>,
    /// The page of the resource in the console, or of what it is part of.
    pub console_url: Option<String>,
    /// What differs from the spec, as plans have it. Empty but for what has drifted.
    pub differences: Vec<FieldChange>,
    /// Why `update` would touch it.
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceStatus {
    /// As the spec has it.
    Ok,
    /// It differs from the spec.
    Drifted,
    /// It does not exist.
    Missing,
    /// It exists, and the spec has none: `update` removes it.
    Surplus,
}

impl ResourceStatus {
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Drifted => "drifted",
            Self::Missing => "missing",
            Self::Surplus => "surplus",
        }
    }
}

/// Everything that the cluster has or shall have, in the order of plans: by kind and name.
pub fn resources(world: &World, drift: &Drift, console: &Console) -> Vec<ResourceRow> {
    // A duplicate has the logical id of the right one, and a change of its own.
    let changes: BTreeMap<(&ResourceId, Option<&str>), _> =
        drift.changes.iter().map(|change| ((&change.id, change.physical.as_deref()), change)).collect();
    let mut rows: Vec<(ResourceId, ResourceRow)> = Vec::new();
    let existing = world.resources.iter().map(|(id, observed)| (id, observed, false));
    for (id, observed, duplicate) in existing.chain(world.duplicates.iter().map(|(id, observed)| (id, observed, true))) {
        let physical = &observed.physical.id;
        let change = changes.get(&(id, Some(physical.as_str())));
        let status = match change.map(|change| change.action) {
            _ if duplicate => ResourceStatus::Surplus,
            None => ResourceStatus::Ok,
            Some(Action::Update | Action::Replace) => ResourceStatus::Drifted,
            Some(Action::Delete) => ResourceStatus::Surplus,
            // A plan makes nothing that exists.
            Some(Action::Create) => ResourceStatus::Missing,
        };
        let drifted = status == ResourceStatus::Drifted;
        rows.push((
            id.clone(),
            ResourceRow {
                kind: id.kind.as_str(),
                name: id.name.clone(),
                status,
                id: Some(physical.clone()),
                search: Some(console.search(id.kind, physical)),
                arn: console.arn(&observed.resource, physical),
                console_url: console.url(id.kind, physical),
                differences: change.filter(|_| drifted).map(|change| change.fields.clone()).unwrap_or_default(),
                reason: change.map(|change| change.reason.clone()),
            },
        ));
    }
    for change in drift.changes.iter().filter(|change| !world.resources.contains_key(&change.id)) {
        if change.action == Action::Create {
            rows.push((
                change.id.clone(),
                ResourceRow {
                    kind: change.id.kind.as_str(),
                    name: change.id.name.clone(),
                    status: ResourceStatus::Missing,
                    id: None,
                    search: None,
                    arn: None,
                    console_url: None,
                    differences: Vec::new(),
                    reason: Some(change.reason.clone()),
                },
            ));
        }
    }
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    rows.into_iter().map(|(_, row)| row).collect()
}
