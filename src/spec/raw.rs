//! The document as typed: nothing filled in, nothing checked beyond its shape, every value with its place in the text. The JSON
//! schema is made from these types, and their comments are the descriptions that editors show.
//!
//! Whatever has a default is optional. What has none is marked `required` and still optional here: its absence is reported
//! together with everything else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cluster::{
    ApiEndpoint, Cni, DnsVisibility, Gpu, Nat, Scheme, SpotAllocation, SubnetRole, TaintEffect, Topology, VolumeType,
};
use super::decode::{Entries, Spanned};
use super::defaults;

pub const API_VERSION: &str = "kclust.dev/v1alpha1";
pub const KIND: &str = "Cluster";

type Text = Option<Spanned<String>>;
type Texts = Option<Vec<Spanned<String>>>;
type Number = Option<Spanned<u32>>;

/// A Kubernetes cluster on AWS.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Cluster")]
pub struct RawCluster {
    /// Version of this format.
    #[schemars(required, extend("const" = API_VERSION))]
    pub api_version: Text,
    #[schemars(required, extend("const" = KIND))]
    pub kind: Text,
    #[schemars(required)]
    pub metadata: Option<RawMetadata>,
    #[schemars(required)]
    pub spec: Option<RawSpec>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Metadata")]
pub struct RawMetadata {
    /// A DNS name of at most 63 characters, such as prod.example.com. It cannot be changed later.
    #[schemars(required)]
    pub name: Text,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Spec")]
pub struct RawSpec {
    /// AWS region. May be left out: it follows from the zones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Text,
    /// 1.35, 1.36 or 1.37; without a patch number, the newest one known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = defaults::KUBERNETES_VERSION))]
    pub kubernetes_version: Text,
    /// Tags for every AWS resource of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Entries<Spanned<String>>>,
    #[schemars(required)]
    pub network: Option<RawNetwork>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<RawApi>,
    /// The Route 53 zone that holds `api.<cluster>`. Without it, the load balancer's own name is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<Spanned<RawDns>>,
    /// Access to the nodes over SSH. Without it there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh: Option<RawSsh>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iam: Option<RawIam>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_plane: Option<RawControlPlane>,
    /// Groups of worker nodes. Without this key there is one group `workers` of two nodes; with an empty list there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_groups: Option<Vec<RawNodeGroup>>,
    /// Software installed in the cluster: a preset by its name, a manifest or a Helm chart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addons: Option<Vec<RawAddon>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backups: Option<RawBackups>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assets: Option<RawAssets>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Network")]
pub struct RawNetwork {
    /// Address range of the VPC to make, /16 to /28.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = defaults::VPC_CIDR))]
    pub cidr: Text,
    /// An existing VPC to use instead of making one. It is never changed or deleted.
    #[serde(rename = "vpcID", skip_serializing_if = "Option::is_none")]
    pub vpc_id: Text,
    /// Subnets of the existing VPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnets: Option<Spanned<Vec<RawSubnet>>>,
    /// Whether nodes have public addresses, or private ones behind NAT.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = Topology::Public))]
    pub topology: Option<Spanned<Topology>>,
    /// Availability zones, such as us-east-1a. A zone may be appended later.
    #[schemars(required)]
    pub zones: Option<Spanned<Vec<Spanned<String>>>>,
    /// NAT gateways of a private topology: one in each zone, or a single one that all zones depend on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = Nat::PerZone))]
    pub nat: Option<Spanned<Nat>>,
    /// Address range of pods; every node takes a /24 of it.
    #[serde(rename = "podCIDR", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = defaults::POD_CIDR))]
    pub pod_cidr: Text,
    /// Address range of services, /12 to /24.
    #[serde(rename = "serviceCIDR", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = defaults::SERVICE_CIDR))]
    pub service_cidr: Text,
    /// Pod network. With `none` the nodes stay NotReady until you install one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = Cni::Cilium))]
    pub cni: Option<Spanned<Cni>>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Subnet")]
pub struct RawSubnet {
    #[schemars(required)]
    pub id: Text,
    #[schemars(required)]
    pub zone: Text,
    /// In a private topology nodes stand in private subnets, and a public load balancer in utility subnets.
    #[schemars(required)]
    pub role: Option<Spanned<SubnetRole>>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "API")]
pub struct RawApi {
    /// A network load balancer, or DNS records that point at the control planes (needs `spec.dns`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = ApiEndpoint::LoadBalancer))]
    pub endpoint: Option<Spanned<ApiEndpoint>>,
    /// Whether the endpoint has public addresses. Default: public, but internal where DNS records point at private control planes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Spanned<Scheme>>,
    /// Who may reach the API from outside the cluster.
    #[serde(rename = "allowedCIDRs", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = defaults::API_ALLOWED_CIDRS))]
    pub allowed_cidrs: Texts,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "DNS")]
pub struct RawDns {
    /// Name of a hosted zone in Route 53. The cluster's name lies in it.
    #[schemars(required)]
    pub zone: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = DnsVisibility::Public))]
    pub visibility: Option<DnsVisibility>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SSH")]
pub struct RawSsh {
    /// One line of OpenSSH's public key format, of type ssh-ed25519 or ssh-rsa.
    #[schemars(required)]
    pub public_key: Text,
    /// Who may connect to port 22. Without it the key is installed and the port stays closed.
    #[serde(rename = "allowedCIDRs", skip_serializing_if = "Option::is_none")]
    pub allowed_cidrs: Texts,
}

/// Existing instance profiles to use instead of ones that kclust makes.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "IAM")]
pub struct RawIam {
    /// ARN of an instance profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_plane_profile: Text,
    /// ARN of an instance profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_profile: Text,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ControlPlane")]
pub struct RawControlPlane {
    /// Odd, 1 to 7. Default: 3 where three or more zones are given, otherwise 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = defaults::INSTANCE_TYPE))]
    pub instance_type: Text,
    /// `ami-…`, `ssm:/parameter` or `owner/name-pattern`. Default: the newest Ubuntu LTS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_volume: Option<RawVolume>,
    /// Volume of etcd's data, which outlives the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etcd_volume: Option<RawVolume>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Volume")]
pub struct RawVolume {
    /// Default: 64 for a control plane's root, 128 for a node's root, 20 for etcd.
    #[serde(rename = "sizeGiB", skip_serializing_if = "Option::is_none")]
    pub size_gib: Number,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = VolumeType::Gp3))]
    pub volume_type: Option<Spanned<VolumeType>>,
    /// gp3, io1 and io2 only; required for io1 and io2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops: Number,
    /// MiB/s; gp3 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throughput: Number,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NodeGroup")]
pub struct RawNodeGroup {
    /// A DNS label, unique in the cluster.
    #[schemars(required)]
    pub name: Text,
    /// Default: 2, or `maxSize` where that is smaller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_size: Number,
    /// Default: `minSize`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_size: Number,
    /// One or more types of one architecture; with several, AWS chooses among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = [defaults::INSTANCE_TYPE]))]
    pub instance_types: Option<Spanned<Vec<Spanned<String>>>>,
    /// On-demand and spot instances in one group. Without it all are on-demand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase: Option<RawPurchase>,
    /// `ami-…`, `ssm:/parameter` or `owner/name-pattern`. Default: the newest Ubuntu LTS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Text,
    /// Installs the driver and runtime of the GPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Spanned<Gpu>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_volume: Option<RawVolume>,
    /// Kubernetes labels of the nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Entries<Spanned<String>>>,
    /// Kubernetes taints of the nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taints: Option<Vec<RawTaint>>,
    /// A part of the network's zones. Default: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zones: Option<Spanned<Vec<Spanned<String>>>>,
}

/// `InstancesDistribution` of an autoscaling group.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Purchase")]
pub struct RawPurchase {
    /// The first so many instances are on-demand.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = 0))]
    pub on_demand_base: Number,
    /// Percentage of on-demand among the others; the rest is spot.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = 0))]
    pub on_demand_percent_above_base: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = SpotAllocation::PriceCapacityOptimized))]
    pub spot_allocation: Option<SpotAllocation>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Taint")]
pub struct RawTaint {
    #[schemars(required)]
    pub key: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Text,
    #[schemars(required)]
    pub effect: Option<TaintEffect>,
}

/// A preset (`name` alone), a manifest (`manifest`, `sha256`) or a Helm chart (`chart`, `repository`, `version`, `values`,
/// `namespace`).
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Addon")]
pub struct RawAddon {
    /// A DNS label, unique among the addons.
    #[schemars(required)]
    pub name: Text,
    /// Kubernetes manifests: an https:// address, or a file beside the spec's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Text,
    /// SHA-256 of the manifest, 64 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Text,
    /// Name of the chart in the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart: Text,
    /// Address of the chart repository: https:// or oci://.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Text,
    /// Version of the chart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Text,
    /// The chart's values: YAML in a text block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Text,
    /// Namespace that the chart is installed into, made where it is missing. Default: the addon's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Text,
}

/// Snapshots of etcd, which the control planes write into the state bucket.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Backups")]
pub struct RawBackups {
    /// Time between two snapshots, 5m to 24h. Units are s, m, h and d.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = defaults::BACKUP_INTERVAL))]
    pub interval: Text,
    /// How long a snapshot is kept, 1h to 3650d and at least the interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = defaults::BACKUP_RETENTION))]
    pub retention: Text,
}

/// Where nodes fetch software, instead of the upstream addresses.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Assets")]
pub struct RawAssets {
    /// Base address of a mirror of the download sites.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Text,
    /// Registry host → addresses of its mirrors, tried in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registries: Option<Entries<Vec<Spanned<String>>>>,
    /// Address of S3, as nodes reach it.
    #[serde(rename = "s3Endpoint", skip_serializing_if = "Option::is_none")]
    pub s3_endpoint: Text,
}
