//! What runs of a cluster, as it was observed.

use std::collections::BTreeMap;

use crate::cloud::{GroupStatus, InstanceStatus};
use crate::health::KubernetesView;
use crate::spec::Cluster;
use crate::store::NodeStatus;

/// One look at what runs.
#[derive(Debug, Clone)]
pub struct Fleet {
    pub cluster: Cluster,
    pub groups: Vec<GroupStatus>,
    pub instances: Vec<InstanceStatus>,
    /// Default version of the launch template of each slot and node group.
    pub template_versions: BTreeMap<String, u64>,
    /// What instances told last of their boot, by instance id, or why that cannot be read: of those that are not Ready nodes.
    pub boots: BTreeMap<String, Result<NodeStatus, String>>,
    pub kubernetes: KubernetesView,
}
