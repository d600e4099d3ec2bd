//! What a cluster is made of: `Cluster` and facts → desired resources with typed references. Pure and infallible.

mod id;
mod resource;
pub mod tags;

pub use id::{Ref, ResourceId, ResourceKind};
pub use resource::*;
