//! Revisions of a spec: `kclust get history`, and what `kclust update --from-history` starts from.

use jiff::Timestamp;

use crate::spec::{self, Cluster, ClusterName};
use crate::store::{AppliedSpec, ClusterStore, CurrentSpec, ObjectStore, Revision, StoreError};

use super::begin::{Recorded, no_such_cluster, recorded_facts};
use super::error::OpsError;
use super::lines::differing_lines;

/// A line of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryLine {
    pub sequence: u32,
    /// When it was written, as its key tells.
    pub at: Option<Timestamp>,
    /// Whether it is the one in force.
    pub in_force: bool,
    /// What it says, or why it cannot be read.
    pub content: Result<(Revision, SpecChange), String>,
}

/// How a spec differs from the one before it that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecChange {
    First,
    /// Lines of the canonical document that were removed (`- `) and added (`+ `).
    Lines(Vec<String>),
}

impl SpecChange {
    /// How many lines were added, and how many removed.
    pub fn counts(&self) -> Option<(usize, usize)> {
        let Self::Lines(lines) = self else { return None };
        let added = lines.iter().filter(|line| line.starts_with('+')).count();
        Some((added, lines.len() - added))
    }
}

/// The history of a cluster.
#[derive(Debug)]
pub struct History {
    /// The newest first.
    pub lines: Vec<HistoryLine>,
    /// What is wrong with `cluster.yaml`, if something is: an error of the kind that other commands end with.
    pub problem: Option<StoreError>,
}

/// The revisions of a cluster's spec. What cannot be read is in the list with the reason.
///
/// # Errors
/// When the store cannot be read, or holds nothing of the cluster.
pub async fn history(objects: &dyn ObjectStore, name: &ClusterName) -> Result<History, OpsError> {
    let store = ClusterStore::new(objects, name.clone());
    let problem = match store.read_spec().await {
        Ok(Some(_)) => None,
        Ok(None) => store.lost_spec().await?,
        Err(problem @ (StoreError::Corrupt { .. } | StoreError::Newer { .. })) => Some(problem),
        Err(error) => return Err(error.into()),
    };
    let entries = store.history().await?;
    if entries.is_empty() && problem.is_none() {
        return Err(no_such_cluster(objects, name).await);
    }
    let mut before: Option<String> = None;
    let mut lines = Vec::new();
    for entry in entries {
        let content = match entry.spec {
            Ok(AppliedSpec { text, revision, .. }) => {
                let change =
                    before.as_deref().map_or(SpecChange::First, |before| SpecChange::Lines(differing_lines(before, &text)));
                before = Some(text);
                Ok((revision, change))
            }
            Err(StoreError::Corrupt { reason, .. }) => Err(reason),
            Err(StoreError::Newer { reason, .. }) => Err(format!("a newer kclust wrote it: {reason}")),
            Err(error) => Err(error.to_string()),
        };
        lines.push(HistoryLine { sequence: entry.sequence, at: entry.at, in_force: entry.in_force, content });
    }
    lines.reverse();
    Ok(History { lines, problem })
}

/// The spec of a revision.
///
/// # Errors
/// [`OpsError::NoSuchRevision`]; [`OpsError::StoredSpec`] when this version cannot use it.
pub async fn revision_spec(objects: &dyn ObjectStore, name: &ClusterName, sequence: u32) -> Result<Cluster, OpsError> {
    let store = ClusterStore::new(objects, name.clone());
    let applied = match store.read_revision(sequence).await {
        Ok(Some(applied)) => applied,
        Ok(None) => {
            let known: Vec<u32> = store.history().await?.iter().map(|entry| entry.sequence).collect();
            if known.is_empty() {
                return Err(no_such_cluster(objects, name).await);
            }
            return Err(OpsError::NoSuchRevision { cluster: name.to_string(), wanted: sequence, known });
        }
        Err(StoreError::Corrupt { location, reason, .. }) => {
            let hint = format!("`kclust get history {name}` lists the revisions; choose another one");
            return Err(StoreError::Corrupt { location, reason, hint }.into());
        }
        Err(error) => return Err(error.into()),
    };
    parsed(&format!("{}/{name}, revision {sequence}", objects.root()), name, &applied)
}

/// The spec of the newest revision; `None` where there is no history.
///
/// # Errors
/// [`OpsError::StoredSpec`] when this version cannot use it.
pub async fn newest_spec(objects: &dyn ObjectStore, name: &ClusterName) -> Result<Option<Cluster>, OpsError> {
    let newest = ClusterStore::new(objects, name.clone()).newest_revision().await?;
    newest.map(|applied| parsed(&format!("{}/{name}, the newest revision", objects.root()), name, &applied)).transpose()
}

pub(super) fn parsed(shown: &str, name: &ClusterName, applied: &AppliedSpec) -> Result<Cluster, OpsError> {
    spec::load(shown, &applied.text)
        .map_err(|problems| OpsError::StoredSpec { cluster: name.to_string(), problem: problems.to_string() })
}

/// The cluster in the state, also where `cluster.yaml` or `facts.json` is damaged or gone: the newest revision that can be read, which
/// is the one in force, and the facts' copy then take their places. `None` where there is no history either.
///
/// What a newer kclust wrote is never taken for damaged.
pub(super) async fn recorded_or_archived(store: &ClusterStore<'_>, root: &str) -> Result<Option<Recorded>, OpsError> {
    let current = store.current_spec().await?;
    let version = current.version().cloned();
    let (applied, damage) = match current {
        CurrentSpec::Whole(applied) => (applied, None),
        CurrentSpec::Damaged { problem, .. } => {
            let reason = match &problem {
                StoreError::Corrupt { reason, .. } => reason.clone(),
                other => other.to_string(),
            };
            match store.newest_revision().await? {
                Some(applied) => (applied, Some(reason)),
                None => return Err(problem.into()),
            }
        }
        CurrentSpec::Absent => match store.newest_revision().await? {
            Some(applied) => (applied, Some("it is gone".to_owned())),
            None => return Ok(None),
        },
    };
    let cluster = parsed(&format!("{root}/{}/cluster.yaml", store.cluster()), store.cluster(), &applied)?;
    let facts = recorded_facts(store, store.read_facts_or_copy().await?).await?;
    let ledger = store.recorded_ledger().await?.value;
    Ok(Some(Recorded { applied, cluster, facts, version, damage, ledger }))
}
