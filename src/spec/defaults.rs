//! What an omitted key means. Changing a value here changes what existing documents mean, not existing clusters: their state
//! keeps the document with every default filled in.

use semver::Version;

use super::period::Period;

/// Newest patch of the default minor.
pub const KUBERNETES_VERSION: &str = "1.36.4";
/// Newest known patch of each supported minor: what a version without a patch number means.
pub(super) const NEWEST_PATCHES: [Version; 3] = [Version::new(1, 35, 8), Version::new(1, 36, 4), Version::new(1, 37, 1)];

pub const VPC_CIDR: &str = "10.0.0.0/16";
/// Shared address space (RFC 6598), which neither VPCs nor offices are usually numbered from: 8192 nodes of a /24 each. The upper
/// half of kops' 100.64.0.0/10, so that 100.64.0.0/16, AWS's usual secondary CIDR, stays free.
pub const POD_CIDR: &str = "100.96.0.0/11";
/// kops and EKS number services from here too.
pub const SERVICE_CIDR: &str = "172.20.0.0/16";
/// Who may reach the API: everybody, who then needs a client certificate.
pub const API_ALLOWED_CIDRS: [&str; 1] = ["0.0.0.0/0"];

/// 2 vCPUs and 8 GiB carry a control plane of up to a hundred nodes or so; 4 GiB do not leave room for etcd under load.
pub const INSTANCE_TYPE: &str = "t3.large";

/// GiB; kops' figure for control planes.
pub const CONTROL_PLANE_ROOT_GIB: u32 = 64;
/// GiB; kops' figure for nodes, whose disk holds images and empty-dir volumes.
pub const NODE_ROOT_GIB: u32 = 128;
/// GiB: etcd's largest recommended quota of 8 GiB, its write-ahead log and room to defragment.
pub const ETCD_GIB: u32 = 20;

/// The group of a document without `nodeGroups`.
pub const GROUP_NAME: &str = "workers";
pub const GROUP_MIN_SIZE: u32 = 2;

/// What a cluster may lose with all of its volumes at once.
pub const BACKUP_INTERVAL: Period = Period::from_seconds(15 * 60);
/// Two weeks: long enough to notice that something was deleted, and at 15 minutes 1344 snapshots.
pub const BACKUP_RETENTION: Period = Period::from_seconds(14 * 24 * 60 * 60);

/// Control planes: three where they can stand in three zones, because two zones cannot outlive the loss of the larger half.
pub fn replicas(zones: usize) -> u8 {
    if zones >= 3 { 3 } else { 1 }
}
