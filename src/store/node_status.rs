//! What nodes tell of themselves: `nodes/status/INSTANCE.json`. To show, not to decide by: every worker could write every one.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::layout::Area;
use super::state::CONCURRENCY;
use super::{ClusterStore, StoreError};

const STATUS: &str = "status/";

/// The last word of a node. Fields that this version does not know are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NodeStatus {
    /// Instance id.
    pub instance: String,
    /// `control-plane` or `worker`.
    pub role: String,
    /// The slot or node group.
    pub group: String,
    /// What it does, in words.
    pub step: String,
    /// RFC 3339 time at which the step began.
    pub since: String,
    pub error: Option<String>,
}

impl ClusterStore<'_> {
    /// Status of an instance; `None` where it has told nothing yet, or nothing of this form.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn node_status(&self, instance: &str) -> Result<Option<NodeStatus>, StoreError> {
        let bytes = self.read_file(Area::Nodes, &format!("{STATUS}{instance}.json")).await?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Status of some instances, by instance id.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn node_statuses_of(&self, instances: &[String]) -> Result<BTreeMap<String, NodeStatus>, StoreError> {
        let read = stream::iter(instances.to_vec())
            .map(|instance| async move {
                let status = self.node_status(&instance).await?;
                Ok::<_, StoreError>(status.map(|status| (instance, status)))
            })
            .buffered(CONCURRENCY);
        read.try_filter_map(|status| async move { Ok(status) }).try_collect().await
    }

    /// Status of the nodes by object name, but for the names in `known`. What is not of this form is left out.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn node_statuses(&self, known: &BTreeSet<String>) -> Result<BTreeMap<String, NodeStatus>, StoreError> {
        let names = self.list_files(Area::Nodes).await?;
        let wanted = names.into_iter().filter(|name| name.starts_with(STATUS) && !known.contains(name));
        let read = stream::iter(wanted)
            .map(|name| async move {
                let status = self.read_file(Area::Nodes, &name).await?;
                let status = status.and_then(|bytes| serde_json::from_slice::<NodeStatus>(&bytes).ok());
                Ok::<_, StoreError>(status.map(|status| (name, status)))
            })
            .buffered(CONCURRENCY);
        read.try_filter_map(|status| async move { Ok(status) }).try_collect().await
    }
}
