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
    /// `StatusMessage` of a launch that failed in the last hour, and that none with an instance has followed, asked for when the group is
    /// not at strength; or why it is not known.
    pub last_failure: Result<Option<String>, String>,
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

impl GroupStatus {
    /// [`Self::last_failure`] of a group that nobody has asked.
    pub const NOT_ASKED: &str = "Auto Scaling was not asked for its scaling activities";

    /// Instances that do what the group is for.
    pub fn serving(&self) -> usize {
        self.instances.iter().filter(|instance| instance.serves()).count()
    }

    /// Fewer serve than the group wants, or than the spec wants at `least`.
    pub fn is_weak(&self, least: u32) -> bool {
        self.serving() < self.desired_capacity.max(least) as usize
    }
}

impl GroupInstance {
    /// In service and healthy: one that is in service can be known to be ill, until the group has replaced it.
    pub fn serves(&self) -> bool {
        self.lifecycle_state == "InService" && self.health_status.eq_ignore_ascii_case("Healthy")
    }

    /// On its way out of the group: `Terminating`, `Terminating:Wait`, `Terminating:Proceed`, `Terminated`, `Detaching`, `Detached`.
    pub fn leaves(&self) -> bool {
        self.lifecycle_state.starts_with("Terminat") || self.lifecycle_state.starts_with("Detach")
    }
}

/// An EC2 instance of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceStatus {
    pub id: String,
    /// `pending`, `running`, `stopping`, `stopped`, `shutting-down`; `terminated` for the hour in which EC2 still shows it.
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
