//! What a model needs to know of the world before it can be built.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::spec::{Architecture, SubnetRole};

/// Who the credentials belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Twelve digits.
    pub account: String,
    /// ARN of the user or session.
    pub arn: String,
}

impl Identity {
    /// `aws`, `aws-cn` or `aws-us-gov`: the second part of the ARN.
    pub fn partition(&self) -> &str {
        self.arn.split(':').nth(1).unwrap_or("aws")
    }
}

/// Everything resolved for one cluster. Recorded in the state at the first create, so that an unrelated update never swaps images
/// or addresses. Maps are keyed by what the spec says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Facts {
    pub account: String,
    pub partition: String,
    /// Tells this cluster from an earlier one of the same name: etcd's `--initial-cluster-token` and the stamp on volumes.
    pub cluster_uid: String,
    /// Image key (see [`Facts::image_key`]) → AMI.
    pub images: BTreeMap<String, ResolvedImage>,
    /// Instance type → what is known of it.
    pub instance_types: BTreeMap<String, InstanceTypeFacts>,
    /// The zone of `dns.zone`, where the spec has one.
    pub hosted_zone: Option<HostedZone>,
    /// The network that exists already, where the spec names one.
    pub network: Option<ExistingNetwork>,
    /// Slot name → fixed private address.
    pub slot_addresses: BTreeMap<String, Ipv4Addr>,
    /// Addon → the manifest that its source held when it was read. The state keeps its content.
    #[serde(default)]
    pub manifests: BTreeMap<String, ResolvedManifest>,
    /// Keys of `spec.tags` that the cluster's things may carry: those of the spec, and of earlier ones until an update has removed
    /// them everywhere. The spec in the state cannot tell: it is the new one from the moment that an update begins.
    #[serde(default)]
    pub user_tags: BTreeSet<String>,
    /// Where nodes read what is kept for them.
    pub state: StateLocation,
}

/// Where the cluster's state lies, as nodes address it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StateLocation {
    pub bucket: String,
    /// Prefix of the cluster, without slashes at its ends: `[PREFIX/]<cluster>`.
    pub prefix: String,
    /// Region of the bucket.
    pub region: String,
}

impl Facts {
    /// The image of a source and architecture.
    pub fn image(&self, image: &crate::spec::Image, architecture: Architecture) -> Option<&ResolvedImage> {
        self.images.get(&Self::image_key(image, architecture))
    }

    pub fn instance_type(&self, name: &crate::spec::InstanceType) -> Option<&InstanceTypeFacts> {
        self.instance_types.get(name.as_str())
    }

    /// Key of [`Facts::images`]: the spec's words and the architecture.
    pub fn image_key(image: &crate::spec::Image, architecture: Architecture) -> String {
        use crate::spec::Image;
        let source = match image {
            Image::Default => "default".to_owned(),
            Image::Id(id) => id.clone(),
            Image::Parameter(path) => format!("ssm:{path}"),
            Image::Name { owner, pattern } => format!("{owner}/{pattern}"),
        };
        format!("{source} {}", architecture.ec2())
    }
}

/// A manifest of the user, as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolvedManifest {
    /// Address or file, as the spec has it.
    pub source: String,
    /// The digest that the spec asks for.
    pub pinned: Option<String>,
    /// Hexadecimal SHA-256 of the content.
    pub sha256: String,
    /// Known where it was read just now. Not recorded: it lies in the state as an object of its own.
    #[serde(skip)]
    pub content: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolvedImage {
    pub id: String,
    pub name: String,
    pub architecture: Architecture,
    /// `RootDeviceName`, such as `/dev/sda1`: the block device that a launch template must map to size the root volume.
    pub root_device: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstanceTypeFacts {
    pub name: String,
    pub architecture: Architecture,
    pub vcpus: u32,
    pub memory_mib: u64,
    /// Number of NVIDIA GPUs.
    pub gpus: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostedZone {
    /// Without `/hostedzone/`.
    pub id: String,
    /// Without the final dot.
    pub name: String,
    pub private: bool,
}

/// Somebody else's network, as far as the cluster uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExistingNetwork {
    /// The VPC and its CIDRs; `None` when there is no such VPC.
    pub vpc: Option<ExistingVpc>,
    /// Subnet id → what is known of it.
    pub subnets: BTreeMap<String, ExistingSubnetFacts>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExistingVpc {
    pub id: String,
    pub cidrs: Vec<Ipv4Net>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExistingSubnetFacts {
    pub vpc: String,
    pub zone: String,
    pub cidr: Ipv4Net,
    /// Addresses that network interfaces hold already. Not recorded: it is true for a moment only.
    #[serde(skip)]
    pub used_addresses: Vec<Ipv4Addr>,
}

/// Logical name of the subnet of a role in a zone: `private-us-east-1a`.
pub fn subnet_name(role: SubnetRole, zone: &str) -> String {
    let role = match role {
        SubnetRole::Public => "public",
        SubnetRole::Private => "private",
        SubnetRole::Utility => "utility",
    };
    format!("{role}-{zone}")
}
