//! What a removal meets that is not in the cluster's world: what its controllers made, and what belongs to somebody else.

use std::fmt;

use serde_json::{Value as Json, json};

use super::world::Observed;
use crate::model::{Kind, ResourceId};

/// Something of the cluster that the model does not know: made by a controller inside the cluster, or half-made by an interrupted run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leftover {
    /// Half-made by kclust: a kind of the model, not reachable by tag (an instance profile without a role, a template without a group).
    Own {
        id: ResourceId,
        observed: Observed,
    },
    /// An instance of a node autoscaler, which no autoscaling group has.
    Instance {
        id: String,
    },
    LaunchTemplate {
        id: String,
        name: String,
    },
    /// An application or network load balancer of the cloud controller or of the load-balancer controller.
    LoadBalancer {
        arn: String,
        name: String,
    },
    /// What the cloud controller makes for a Service that says nothing else.
    ClassicLoadBalancer {
        name: String,
    },
    TargetGroup {
        arn: String,
        name: String,
    },
    SecurityGroup {
        id: String,
        name: String,
    },
    NetworkInterface {
        id: String,
        description: String,
    },
    /// A volume that a persistent volume claim made: data, kept unless the operator says otherwise.
    DataVolume {
        id: String,
        size_gib: u32,
        zone: String,
        /// Namespace and name.
        claim: Option<String>,
    },
    /// A snapshot that a `VolumeSnapshot` made: a backup, and always kept.
    Snapshot {
        id: String,
        size_gib: u32,
        volume: String,
    },
}

impl Leftover {
    /// Data of the cluster's users.
    pub fn is_data(&self) -> bool {
        matches!(self, Self::DataVolume { .. } | Self::Snapshot { .. })
    }

    /// What it is, in AWS's words, and what it is known by.
    fn kind_and_id(&self) -> (&'static str, &str) {
        match self {
            Self::Own { id, observed } => (id.kind.as_str(), &observed.physical.id),
            Self::Instance { id } => ("Instance", id),
            Self::LaunchTemplate { id, .. } => (Kind::LaunchTemplate.as_str(), id),
            Self::LoadBalancer { arn, .. } => (Kind::LoadBalancer.as_str(), arn),
            Self::ClassicLoadBalancer { name } => ("ClassicLoadBalancer", name),
            Self::TargetGroup { arn, .. } => (Kind::TargetGroup.as_str(), arn),
            Self::SecurityGroup { id, .. } => (Kind::SecurityGroup.as_str(), id),
            Self::NetworkInterface { id, .. } => (Kind::NetworkInterface.as_str(), id),
            Self::DataVolume { id, .. } => (Kind::Volume.as_str(), id),
            Self::Snapshot { id, .. } => ("Snapshot", id),
        }
    }

    /// What it is, in AWS's words.
    pub fn kind(&self) -> &'static str {
        self.kind_and_id().0
    }

    /// What AWS knows it by.
    pub fn id(&self) -> &str {
        self.kind_and_id().1
    }

    /// Kind and name, for listings.
    pub fn describe(&self) -> String {
        let (kind, id) = self.kind_and_id();
        match self {
            Self::Own { id, .. } => id.to_string(),
            Self::LoadBalancer { name, .. } | Self::TargetGroup { name, .. } => format!("{kind}/{name}"),
            Self::SecurityGroup { name, .. } | Self::LaunchTemplate { name, .. } => format!("{kind}/{name} ({id})"),
            Self::Instance { .. } | Self::ClassicLoadBalancer { .. } | Self::NetworkInterface { .. } => format!("{kind}/{id}"),
            Self::DataVolume { size_gib, zone, claim, .. } => match claim {
                Some(claim) => format!("{kind}/{id} ({size_gib} GiB in {zone}, claim {claim})"),
                None => format!("{kind}/{id} ({size_gib} GiB in {zone})"),
            },
            Self::Snapshot { size_gib, volume, .. } => format!("{kind}/{id} ({size_gib} GiB, of {volume})"),
        }
    }

    /// For programs.
    pub fn to_json(&self) -> Json {
        let (kind, id) = self.kind_and_id();
        match self {
            Self::DataVolume { size_gib, zone, claim, .. } => {
                json!({ "kind": kind, "id": id, "sizeGiB": size_gib, "zone": zone, "claim": claim })
            }
            Self::Snapshot { size_gib, volume, .. } => json!({ "kind": kind, "id": id, "sizeGiB": size_gib, "volume": volume }),
            Self::LoadBalancer { name, .. }
            | Self::TargetGroup { name, .. }
            | Self::SecurityGroup { name, .. }
            | Self::LaunchTemplate { name, .. } => json!({ "kind": kind, "id": id, "name": name }),
            Self::NetworkInterface { description, .. } => json!({ "kind": kind, "id": id, "description": description }),
            Self::Own { .. } | Self::Instance { .. } | Self::ClassicLoadBalancer { .. } => json!({ "kind": kind, "id": id }),
        }
    }
}

/// Why AWS would keep what the cluster owns, although the cluster has let go of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Obstacles {
    /// Somebody else's. They stay, and so does what holds them.
    pub blockers: Vec<Blocker>,
    /// What is on its way out by itself, in words.
    pub going: Vec<String>,
}

/// A thing of somebody else in the cluster's network, or one that refers to a part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blocker {
    /// In AWS's words: `NetworkInterface`, `VpcPeeringConnection`.
    pub kind: &'static str,
    pub id: String,
    /// AWS's description or the thing's name, if it has any.
    pub description: Option<String>,
    /// Account, requester, telling tags: whom to ask.
    pub owner: String,
    /// The part of the cluster that it keeps.
    pub keeps: String,
}

impl Blocker {
    pub fn to_json(&self) -> Json {
        json!({
            "kind": self.kind,
            "id": self.id,
            "description": self.description,
            "owner": self.owner,
            "keeps": self.keeps,
        })
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)?;
        if let Some(description) = &self.description {
            write!(f, " \"{description}\"")?;
        }
        write!(f, " of {} keeps {}", self.owner, self.keeps)
    }
}
