//! The cluster spec: text → [`Cluster`]. No I/O, no clock.

mod cluster;
mod names;

pub use cluster::*;
pub use names::{ClusterName, GroupName, InstanceType, Region, Zone};
