//! What a cluster is made of: `Cluster` and facts → desired resources with typed references. Pure and infallible.

mod addons;
mod api;
mod build;
mod fields;
mod iam;
mod id;
mod names;
mod network;
mod node_groups;
pub mod policy;
mod resource;
mod security;
mod settings;
mod slots;
pub mod tags;
#[cfg(test)]
mod tests;

pub use api::load_balancer_name;
pub use build::{Desired, build};
pub use fields::{Field, OnChange, Value};
pub use iam::ROLE_POLICY;
pub use id::{Ref, ResourceId, ResourceKind};
pub use names::{COMMON_LIMIT, ROLE_LIMIT, aws_name, iam_path, named_thing, sha256};
pub use resource::*;
pub use security::{API, API_PORT, CONTROL_PLANE};
pub use settings::{AddonSetting, ChartSource, ControlPlaneSettings, SettingsError};
pub use slots::{fixed_addresses, slot_group_name};
