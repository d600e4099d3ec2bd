//! The cluster spec: text → [`Cluster`]. No I/O, no clock.

mod canonical;
mod cluster;
mod decode;
pub mod defaults;
mod flags;
mod load;
mod manifest;
mod names;
mod network;
mod period;
mod raw;
mod schema;
mod shape;
mod validate;

#[cfg(test)]
mod tests;

pub use canonical::to_yaml;
pub use cluster::*;
pub use flags::{CreateFlags, FLAGS};
pub use load::{load, load_bytes, load_with_warnings};
pub use manifest::check_manifest;
pub use names::{ClusterName, GroupName, InstanceType, Region, Zone};
pub use network::{MAX_ZONES, carve};
pub use period::Period;
pub use schema::json_schema;
