//! The state of what runs, as `validate` and `get` need it.

use jiff::Timestamp;

/// An autoscaling group and its instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStatus {
    /// Logical name: a slot or a node group.
    pub name: String,
    /// Name in AWS.
    pub group_name: String,
    pub min_size: u32,
    pub max_size: u32,
    pub desired_capacity: u32,
    pub instances: Vec<GroupInstance>,
    pub suspended_processes: Vec<String>,
    /// `StatusMessage` of the newest failed scaling activity, asked for when the group is not at strength.
    pub last_failure: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInstance {
    pub id: String,
    pub zone: String,
    /// `LifecycleState`: `InService`, `Pending`, …
    pub lifecycle_state: String,
    /// `HealthStatus`: `Healthy` or `Unhealthy`.
    pub health_status: String,
    pub launch_template_version: Option<String>,
}

/// An EC2 instance of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceStatus {
    pub id: String,
    /// `pending`, `running`, `stopping`, `stopped`, `shutting-down`.
    pub state: String,
    pub zone: String,
    pub instance_type: String,
    /// Bought at the spot market (`InstanceLifecycle`).
    pub spot: bool,
    pub launched_at: Option<Timestamp>,
    pub private_address: Option<std::net::Ipv4Addr>,
    /// Logical name of its group: tag `kclust.dev/group`.
    pub group: Option<String>,
}

/// A registered target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetState {
    pub address: String,
    /// `healthy`, `unhealthy`, `initial`, `draining`, `unused`, …
    pub state: String,
    /// AWS's description of why, where it is not healthy.
    pub reason: Option<String>,
}
