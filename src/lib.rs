//! kclust: a Kubernetes cluster on AWS, from one spec, for the whole of its life. See ARCHITECTURE.md for the map.

pub mod access;
pub mod addons;
pub mod apply;
#[cfg(feature = "aws")]
pub mod aws;
pub mod bootstrap;
pub mod cli;
pub mod cloud;
pub mod diag;
pub mod health;
pub mod inventory;
pub mod model;
pub mod ops;
pub mod pki;
pub mod plan;
pub mod spec;
pub mod store;
#[cfg(test)]
mod test_support;
pub mod topology;
mod yaml;
