//! The tags by which a cluster's things are found, and told apart.

/// Tag whose value is the [`super::ResourceId`] of a resource.
pub const ID: &str = "kclust.dev/id";

/// Tag of instances, volumes and autoscaling groups: logical name of the slot or node group.
pub const GROUP: &str = "kclust.dev/group";

/// Value of [`cluster`] on what the cluster owns.
pub const OWNED: &str = "owned";

/// The ownership tag of a cluster, as Kubernetes' cloud controllers know it.
pub fn cluster(name: &str) -> String {
    format!("kubernetes.io/cluster/{name}")
}
