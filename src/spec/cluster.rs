//! The cluster as it shall be: every default filled in, every value checked. Later layers build on it without asking again.
//! The words of an enum in the spec are those of its serde names.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::names::{ClusterName, GroupName, InstanceType, Region, Zone};
use super::period::Period;

/// A whole cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cluster {
    pub name: ClusterName,
    pub region: Region,
    /// 1.35, 1.36 or 1.37, with a patch number.
    pub kubernetes_version: Version,
    /// Tags of the user, put on everything that can carry tags.
    pub tags: BTreeMap<String, String>,
    pub network: Network,
    pub api: Api,
    pub dns: Option<Dns>,
    pub ssh: Option<Ssh>,
    pub iam: Iam,
    pub control_plane: ControlPlane,
    /// Unique names, in the order of the spec.
    pub node_groups: Vec<NodeGroup>,
    /// Unique names, in the order of the spec.
    pub addons: Vec<Addon>,
    pub backups: Backups,
    pub assets: Assets,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Network {
    pub vpc: Vpc,
    pub topology: Topology,
    /// At least one, each once, all of `Cluster::region`, in the order of the spec.
    pub zones: Vec<Zone>,
    pub pod_cidr: Ipv4Net,
    pub service_cidr: Ipv4Net,
    pub cni: Cni,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Vpc {
    /// kclust makes the network. `nat` matters in a private topology only.
    Managed { cidr: Ipv4Net, nat: Nat },
    /// Somebody else's network: never created, changed or deleted. Each zone has a private (or, in a public topology, public) subnet.
    Existing { id: String, subnets: Vec<ExistingSubnet> },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExistingSubnet {
    pub id: String,
    pub zone: Zone,
    pub role: SubnetRole,
}

/// What a subnet is for. `Utility` subnets are the public ones of a private topology: NAT gateways and public load balancers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SubnetRole {
    Public,
    Private,
    Utility,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Topology {
    Public,
    Private,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Nat {
    PerZone,
    Single,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Cni {
    Cilium,
    Calico,
    Flannel,
    None,
}

impl Cni {
    /// Name of the addon that installs it.
    pub fn addon(self) -> Option<&'static str> {
        match self {
            Self::Cilium => Some("cilium"),
            Self::Calico => Some("calico"),
            Self::Flannel => Some("flannel"),
            Self::None => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Api {
    pub endpoint: ApiEndpoint,
    pub scheme: Scheme,
    /// Who may reach the API from outside the cluster.
    pub allowed_cidrs: Vec<Ipv4Net>,
}

/// How the API is reached. `dns` needs `spec.dns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ApiEndpoint {
    LoadBalancer,
    Dns,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Scheme {
    Public,
    Internal,
}

/// The Route 53 zone that holds `api.<cluster>`. The cluster's name lies in the zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dns {
    pub zone: String,
    pub visibility: DnsVisibility,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DnsVisibility {
    Public,
    Private,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ssh {
    /// One line of OpenSSH's `authorized_keys` format: `type base64 [comment]`.
    pub public_key: String,
    pub allowed_cidrs: Vec<Ipv4Net>,
}

/// Instance profiles that exist already and are used instead of ones that kclust makes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Iam {
    pub control_plane_profile: Option<String>,
    pub node_profile: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ControlPlane {
    /// Odd, 1 to 7.
    pub replicas: u8,
    pub instance_type: InstanceType,
    pub image: Image,
    pub root_volume: VolumeSpec,
    pub etcd_volume: VolumeSpec,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeGroup {
    pub name: GroupName,
    pub min_size: u32,
    pub max_size: u32,
    /// At least one, all of one architecture; several make a mixed-instances policy.
    pub instance_types: Vec<InstanceType>,
    pub purchase: Purchase,
    pub image: Image,
    pub gpu: Option<Gpu>,
    pub root_volume: VolumeSpec,
    pub labels: BTreeMap<String, String>,
    pub taints: Vec<Taint>,
    /// A non-empty part of the network's zones.
    pub zones: Vec<Zone>,
}

/// `InstancesDistribution` of an autoscaling group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Purchase {
    OnDemand,
    Mixed { on_demand_base: u32, on_demand_percent_above_base: u8, spot_allocation: SpotAllocation },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SpotAllocation {
    PriceCapacityOptimized,
    CapacityOptimized,
    LowestPrice,
}

impl SpotAllocation {
    /// The word of the Auto Scaling API (`SpotAllocationStrategy`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PriceCapacityOptimized => "price-capacity-optimized",
            Self::CapacityOptimized => "capacity-optimized",
            Self::LowestPrice => "lowest-price",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Gpu {
    Nvidia,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VolumeSpec {
    pub size_gib: u32,
    pub volume_type: VolumeType,
    /// gp3, io1, io2 only; `None` means AWS's own (3000 for gp3).
    pub iops: Option<u32>,
    /// MiB/s, gp3 only; `None` means AWS's own (125).
    pub throughput: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum VolumeType {
    Gp3,
    Gp2,
    Io1,
    Io2,
}

impl VolumeType {
    /// The word of the EC2 API (`VolumeType`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gp3 => "gp3",
            Self::Gp2 => "gp2",
            Self::Io1 => "io1",
            Self::Io2 => "io2",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taint {
    pub key: String,
    pub value: Option<String>,
    pub effect: TaintEffect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}

impl TaintEffect {
    /// The word of the Kubernetes API (`TaintEffect`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

/// Where a machine image comes from; resolved to an AMI id once, for the architecture of the instance type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Image {
    /// The newest Ubuntu LTS of Canonical.
    Default,
    /// `ami-…`
    Id(String),
    /// `ssm:/path`: the parameter's value is an AMI id.
    Parameter(String),
    /// `owner/name-pattern`: the newest image whose name matches.
    Name { owner: String, pattern: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Addon {
    /// Known by its name alone.
    Preset(Preset),
    Manifest {
        name: String,
        source: String,
        sha256: Option<String>,
    },
    Chart {
        name: String,
        /// Where Helm installs it; the addon's name where the spec says nothing.
        namespace: String,
        repository: String,
        chart: String,
        version: String,
        values: Option<String>,
    },
}

impl Addon {
    pub fn name(&self) -> &str {
        match self {
            Self::Preset(preset) => preset.as_str(),
            Self::Manifest { name, .. } | Self::Chart { name, .. } => name,
        }
    }
}

/// Addons that need no more than their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    MetricsServer,
    AwsEbsCsiDriver,
    ClusterAutoscaler,
    AwsLoadBalancerController,
    NvidiaDevicePlugin,
    CertManager,
    Kubeflow,
}

impl Preset {
    pub const ALL: [Self; 7] = [
        Self::MetricsServer,
        Self::AwsEbsCsiDriver,
        Self::ClusterAutoscaler,
        Self::AwsLoadBalancerController,
        Self::NvidiaDevicePlugin,
        Self::CertManager,
        Self::Kubeflow,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::MetricsServer => "metrics-server",
            Self::AwsEbsCsiDriver => "aws-ebs-csi-driver",
            Self::ClusterAutoscaler => "cluster-autoscaler",
            Self::AwsLoadBalancerController => "aws-load-balancer-controller",
            Self::NvidiaDevicePlugin => "nvidia-device-plugin",
            Self::CertManager => "cert-manager",
            Self::Kubeflow => "kubeflow",
        }
    }
}

/// Snapshots of etcd in the state bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Backups {
    /// Between two snapshots: 5 minutes to 24 hours.
    pub interval: Period,
    /// How long a snapshot is kept: an hour to 3650 days, and at least the interval.
    pub retention: Period,
}

/// Where nodes fetch software, instead of the upstream addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Assets {
    /// Base address that mirrors the download sites.
    pub files: Option<String>,
    /// Registry host → mirrors, tried in order.
    pub registries: BTreeMap<String, Vec<String>>,
    pub s3_endpoint: Option<String>,
}

/// CPU architecture, in the words of EC2 (`x86_64`, `arm64`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    #[serde(rename = "x86_64")]
    X86_64,
    Arm64,
}

impl Architecture {
    /// The architecture of an instance type, by AWS's naming rule: `g` among the letters after the generation digit means Graviton
    /// (`m7g`, `c6gn`, `is4gen`), as do `a1` and the Grace-Blackwell types (`p6e-gb200`).
    pub fn of(instance_type: &InstanceType) -> Self {
        let family = instance_type.family();
        let (series, variant) = family.split_once('-').unwrap_or((family, ""));
        let attributes =
            series.trim_start_matches(|c: char| c.is_ascii_lowercase()).trim_start_matches(|c: char| c.is_ascii_digit());
        if series == "a1" || attributes.contains('g') || variant.starts_with("gb") { Self::Arm64 } else { Self::X86_64 }
    }

    /// The word of EC2.
    pub fn ec2(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// The word of Go, Kubernetes downloads and Debian.
    pub fn go(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// One control-plane slot (a fixed address, a volume, a group of one): its name and its zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slot {
    /// `cp-1` … `cp-7`; also etcd's member name, which therefore never changes.
    pub name: String,
    /// 0 for `cp-1`.
    pub index: u8,
    pub zone: Zone,
}

impl Cluster {
    /// The control-plane slots, in order, spread over the zones in turn.
    pub fn slots(&self) -> Vec<Slot> {
        (0..self.control_plane.replicas)
            .map(|index| Slot {
                name: format!("cp-{}", index + 1),
                index,
                zone: self.network.zones[usize::from(index) % self.network.zones.len()].clone(),
            })
            .collect()
    }

    /// `api.<cluster>` where a Route 53 zone is given; otherwise the load balancer's own name, known when it is made.
    pub fn api_name(&self) -> Option<String> {
        self.dns.as_ref().map(|_| format!("api.{}", self.name))
    }

    pub fn has_preset(&self, preset: Preset) -> bool {
        self.addons.contains(&Addon::Preset(preset))
    }

    /// First address of the service range: the `kubernetes` service, and a name in the API server's certificate.
    pub fn kubernetes_service_address(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.network.service_cidr.network()) + 1)
    }

    /// Tenth address of the service range: cluster DNS, as kubeadm chooses it.
    pub fn dns_service_address(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.network.service_cidr.network()) + 10)
    }
}
