//! Everything that the rules look at.

use crate::cloud::{GroupStatus, InstanceStatus, TargetState, World};
use crate::model::{API_PORT, Kind};
use crate::plan::Plan;
use crate::spec::Cluster;

use super::KubernetesView;

/// One observation of a cluster. What could not be observed is the reason why, in words.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub cluster: Cluster,
    /// What it would take to bring the world to the spec (`plan::reconcile`): the differences are the drift.
    pub plan: Plan,
    pub world: World,
    pub groups: Result<Vec<GroupStatus>, String>,
    pub instances: Result<Vec<InstanceStatus>, String>,
    /// Targets of the API's load balancer; empty where it has none.
    pub targets: Result<Vec<TargetState>, String>,
    pub kubernetes: KubernetesView,
}

/// The name of the API, without port: that of the spec's DNS zone, or else the load balancer's own. `None` when there is neither,
/// because the load balancer does not exist.
pub fn api_address(cluster: &Cluster, world: &World) -> Option<String> {
    cluster.api_name().or_else(|| {
        let mut load_balancers = world.resources.iter().filter(|(id, _)| id.kind == Kind::LoadBalancer);
        load_balancers.find_map(|(_, observed)| observed.physical.dns_name.clone())
    })
}

/// Where an API of that name is asked: `https://<name>:6443`.
pub fn api_url(name: &str) -> String {
    format!("https://{name}:{API_PORT}")
}
