//! What was observed of a cluster, in the model's own types.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::leftover::Blocker;
use crate::model::{Resource, ResourceId};

/// What AWS gave a resource: the ids and attributes that others refer to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Physical {
    /// The id or ARN that AWS's calls take; a name where AWS has nothing else (roles, autoscaling groups, key pairs).
    pub id: String,
    /// Load balancer: its DNS name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_name: Option<String>,
    /// Load balancer: the hosted zone that its alias records name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosted_zone_id: Option<String>,
    /// Elastic IP: the address itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_address: Option<Ipv4Addr>,
}

impl Physical {
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }
}

/// A resource that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    pub resource: Resource,
    pub physical: Physical,
}

/// The cluster's resources as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct World {
    pub resources: BTreeMap<ResourceId, Observed>,
    /// Further objects with a logical id that is taken: a lost answer and a second try made two. They are removed.
    pub duplicates: Vec<(ResourceId, Observed)>,
    /// Rules of others in the cluster's security groups, in words: in-cluster controllers add some, so they are reported, not removed.
    pub foreign_rules: Vec<String>,
    /// What others attached to the cluster's resources so that AWS keeps them, as far as the same listings show it.
    pub held: Vec<Blocker>,
}

impl World {
    /// The ids of everything that exists, for references.
    pub fn outputs(&self) -> Outputs {
        Outputs(self.resources.iter().map(|(id, observed)| (id.clone(), observed.physical.clone())).collect())
    }
}

/// Physical ids by logical id: what references resolve to while a plan is applied.
#[derive(Debug, Clone, Default)]
pub struct Outputs(pub BTreeMap<ResourceId, Physical>);

impl Outputs {
    /// What a resource of the cluster resolved to. The plan's order guarantees that it is there.
    pub fn get(&self, id: &ResourceId) -> Option<&Physical> {
        self.0.get(id)
    }
}
