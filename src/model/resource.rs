//! The closed set of things a cluster is made of, one struct for each kind.
//!
//! A value describes a resource completely, but for the ids that AWS gives; those are [`Ref`]s. The same structs hold what is
//! desired and what was observed, so that comparing the two is comparing two values. To add a kind: a struct here, its fields
//! in [`super::fields`], its calls in `aws/`; the compiler names every place that is missing.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::id::{Ref, ResourceKind};
use super::settings::ControlPlaneSettings;

/// Tags of one resource: the user's, the cluster's and the resource's own (see [`super::tags`]).
pub type Tags = BTreeMap<String, String>;

/// Declares [`Kind`] and [`Resource`] and what follows from them being the same list.
macro_rules! kinds {
    ($($(#[$meta:meta])* $name:ident),* $(,)?) => {
        /// Kind of a resource. The order is that of a plan's listing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$meta])* $name),* }

        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$name),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Kind::$name => stringify!($name)),* }
            }
        }

        /// One resource, of any kind.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Resource { $($name($name)),* }

        impl Resource {
            pub fn kind(&self) -> Kind {
                match self { $(Resource::$name(_) => Kind::$name),* }
            }
        }

        $(
            impl ResourceKind for $name {
                const KIND: Kind = Kind::$name;
            }

            impl From<$name> for Resource {
                fn from(resource: $name) -> Self {
                    Resource::$name(resource)
                }
            }
        )*
    };
}

kinds! {
    Vpc, InternetGateway, Subnet, ElasticIp, NatGateway, RouteTable, Route, RouteTableAssociation, VpcEndpoint, SecurityGroup,
    SecurityGroupRule, Role, RolePolicy, InstanceProfile, KeyPair, LoadBalancer, TargetGroup, Listener, Target,
    NetworkInterface, Volume, BootstrapObject, ControlPlaneSettings, LaunchTemplate, AutoscalingGroup, DnsRecord,
}

impl Kind {
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `CreateVpc`. DNS support (`enableDnsSupport`) and the DHCP options stay as AWS makes them: on, and the region's default set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vpc {
    pub cidr: Ipv4Net,
    /// `enableDnsHostnames`: private hosted zones answer only where it is on.
    pub dns_hostnames: bool,
    pub tags: Tags,
}

/// `CreateInternetGateway` and `AttachInternetGateway`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternetGateway {
    /// The VPC that it is attached to.
    pub vpc: Ref<Vpc>,
    pub tags: Tags,
}

/// `CreateSubnet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    pub vpc: Ref<Vpc>,
    pub zone: String,
    pub cidr: Ipv4Net,
    /// `MapPublicIpOnLaunch`.
    pub map_public_ip: bool,
    pub tags: Tags,
}

/// `AllocateAddress`, and `AssociateAddress` when it belongs to an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElasticIp {
    /// The slot's interface; `None` for the address of a NAT gateway, which the gateway itself associates.
    pub network_interface: Option<Ref<NetworkInterface>>,
    pub tags: Tags,
}

/// `CreateNatGateway`, public and zonal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatGateway {
    pub subnet: Ref<Subnet>,
    pub address: Ref<ElasticIp>,
    pub tags: Tags,
}

/// `CreateRouteTable`. Its routes and associations are resources of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTable {
    pub vpc: Ref<Vpc>,
    pub tags: Tags,
}

/// `CreateRoute`. Its logical name is `<table>:<destination>`; AWS identifies it the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub table: Ref<RouteTable>,
    pub destination: Ipv4Net,
    pub target: RouteTarget,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteTarget {
    InternetGateway(Ref<InternetGateway>),
    NatGateway(Ref<NatGateway>),
    /// Observed only: some other target, by its id.
    Other(String),
}

/// `AssociateRouteTable`. Its logical name is that of the subnet: a subnet has one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTableAssociation {
    pub subnet: Ref<Subnet>,
    pub table: Ref<RouteTable>,
}

/// `CreateVpcEndpoint` of type `Gateway`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpcEndpoint {
    pub vpc: Ref<Vpc>,
    /// `com.amazonaws.<region>.s3`.
    pub service: String,
    /// Sorted.
    pub route_tables: Vec<Ref<RouteTable>>,
    pub tags: Tags,
}

/// `CreateSecurityGroup`. Its rules are resources of their own, the allow-all egress rule that AWS adds included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    pub vpc: Ref<Vpc>,
    /// `GroupName`, unique in the VPC.
    pub name: String,
    pub description: String,
    pub tags: Tags,
}

/// One permission of a security group. Its logical name is `<group>:<description>`, the description without its prefix: the
/// description of a rule is its identity, because `DescribeSecurityGroups` returns it in one call for all groups, and because a
/// rule of somebody else has none of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroupRule {
    pub group: Ref<SecurityGroup>,
    pub direction: Direction,
    /// `tcp`, `udp`, `icmp`, a protocol number, or `-1` for all.
    pub protocol: String,
    /// First and last port; `None` where the protocol has none.
    pub ports: Option<(u16, u16)>,
    pub peer: Peer,
    /// [`SecurityGroupRule::PREFIX`] and text that is unique in the group, of the characters that AWS allows here.
    pub description: String,
    pub tags: Tags,
}

impl SecurityGroupRule {
    /// Begins the description of each rule of the cluster.
    pub const PREFIX: &'static str = "kclust: ";
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    Ingress,
    Egress,
}

/// The other side of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    Cidr(Ipv4Net),
    Group(Ref<SecurityGroup>),
}

/// `CreateRole`, with EC2 as the only principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub name: String,
    /// `/kclust/<region>/<cluster>/`.
    pub path: String,
    /// JSON with sorted keys and no white space (see [`super::policy`]).
    pub trust_policy: String,
    pub tags: Tags,
}

/// `PutRolePolicy`: an inline policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolePolicy {
    pub role: Ref<Role>,
    pub name: String,
    /// JSON with sorted keys and no white space.
    pub document: String,
}

/// `CreateInstanceProfile` and `AddRoleToInstanceProfile`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceProfile {
    pub name: String,
    pub path: String,
    pub role: Ref<Role>,
    pub tags: Tags,
}

/// `ImportKeyPair`. A key pair cannot be changed, so its name holds a hash of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    pub name: String,
    pub public_key: String,
    pub tags: Tags,
}

/// `CreateLoadBalancer` of type `network`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancer {
    /// At most 32 characters.
    pub name: String,
    /// `internet-facing` if true, else `internal`.
    pub internet_facing: bool,
    /// Sorted, one for each zone.
    pub subnets: Vec<Ref<Subnet>>,
    /// Sorted. A network load balancer that was made without groups can never get one.
    pub security_groups: Vec<Ref<SecurityGroup>>,
    pub tags: Tags,
}

/// `CreateTargetGroup`, protocol TCP, type `ip`, and its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroup {
    /// At most 32 characters.
    pub name: String,
    pub vpc: Ref<Vpc>,
    pub port: u16,
    pub health_check: HealthCheck,
    /// `preserve_client_ip.enabled`: off, or a control plane cannot reach itself through the load balancer.
    pub preserve_client_ip: bool,
    /// `load_balancing.cross_zone.enabled`.
    pub cross_zone: bool,
    /// `deregistration_delay.timeout_seconds`.
    pub deregistration_delay_seconds: u32,
    pub tags: Tags,
}

/// HTTPS health check of a target group. A network load balancer does not check the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// `HTTPS` as desired; what is observed may differ.
    pub protocol: String,
    pub path: String,
    pub port: u16,
    pub interval_seconds: u32,
    pub timeout_seconds: u32,
    pub healthy_threshold: u32,
    pub unhealthy_threshold: u32,
}

/// `CreateListener`, protocol TCP, forwarding to one target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    pub load_balancer: Ref<LoadBalancer>,
    pub port: u16,
    pub target_group: Ref<TargetGroup>,
    pub tags: Tags,
}

/// `RegisterTargets`: one fixed address. Its logical name is the slot's; AWS identifies it by group, address and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub target_group: Ref<TargetGroup>,
    pub address: Ipv4Addr,
    pub port: u16,
}

/// `CreateNetworkInterface` with a fixed private address: what stays of a control plane when its instance is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkInterface {
    pub subnet: Ref<Subnet>,
    pub address: Ipv4Addr,
    /// Sorted.
    pub security_groups: Vec<Ref<SecurityGroup>>,
    pub description: String,
    pub source_dest_check: bool,
    pub tags: Tags,
}

/// `CreateVolume`, encrypted: the etcd data of a slot. Never replaced or deleted by an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub zone: String,
    pub disk: Disk,
    pub tags: Tags,
}

/// Size and performance of an EBS volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    pub size_gib: u32,
    /// `gp3`, `gp2`, `io1`, `io2`.
    pub volume_type: String,
    /// As AWS reports it: `Some(3000)` for a gp3 volume of default performance; `None` for gp2, where it follows from the size.
    pub iops: Option<u32>,
    /// MiB/s, gp3 only.
    pub throughput: Option<u32>,
    pub encrypted: bool,
}

/// A file that nodes read from the state bucket; its key holds the hash of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapObject {
    /// Key below the cluster's prefix, such as `bootstrap/boot-<sha256>.sh`.
    pub key: String,
    /// Hexadecimal SHA-256 of the content.
    pub sha256: String,
    /// `None` when observed, and for a manifest of the user that the state holds already: the key tells the content.
    pub content: Option<String>,
}

/// `CreateLaunchTemplate`; every change but that of tags is a new default version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchTemplate {
    pub name: String,
    pub image: String,
    pub instance_type: String,
    pub key_pair: Option<Ref<KeyPair>>,
    pub instance_profile: InstanceProfileRef,
    pub network: LaunchNetwork,
    pub root_device: String,
    pub root_disk: Disk,
    /// `HttpPutResponseHopLimit`; tokens are always required.
    pub metadata_hop_limit: u32,
    /// `HttpTokens` = `required`.
    pub metadata_tokens_required: bool,
    pub user_data: UserData,
    /// Tags of the instances and of their volumes.
    pub instance_tags: Tags,
    /// Tags of the template itself.
    pub tags: Tags,
}

/// An instance profile as launch templates name it: by ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceProfileRef {
    /// One of the cluster's; `arn` follows from account, path and name.
    Own {
        profile: Ref<InstanceProfile>,
        arn: String,
    },
    Foreign {
        arn: String,
    },
}

impl InstanceProfileRef {
    pub fn arn(&self) -> &str {
        match self {
            Self::Own { arn, .. } | Self::Foreign { arn } => arn,
        }
    }
}

/// Device 0 of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaunchNetwork {
    /// A slot: the interface that exists, with its own security groups.
    Interface(Ref<NetworkInterface>),
    /// A worker: a new interface in the subnet that the autoscaling group chooses.
    Groups {
        /// Sorted.
        security_groups: Vec<Ref<SecurityGroup>>,
        public_ip: bool,
    },
}

/// User-data before compression. Where the API's name is that of a load balancer of the cluster, the text holds
/// [`UserData::API_NAME`] and the name is put in when it is known; observation puts the marker back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserData {
    pub text: String,
    /// The load balancer whose DNS name replaces the marker.
    pub api_name_of: Option<Ref<LoadBalancer>>,
}

impl UserData {
    /// Stands for the DNS name of the load balancer.
    pub const API_NAME: &'static str = "@API_NAME@";
}

/// `CreateAutoScalingGroup`. The desired capacity is set once, to the minimum, and then belongs to the autoscaler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoscalingGroup {
    pub name: String,
    pub min_size: u32,
    pub max_size: u32,
    pub placement: Placement,
    pub launch_template: Ref<LaunchTemplate>,
    /// `$Default`: a changed template is used by the next launch without a change to the group.
    pub launch_template_version: String,
    pub mixed_instances: Option<MixedInstances>,
    pub capacity_rebalance: bool,
    /// `HealthCheckType` `EC2`.
    pub health_check_type: String,
    pub health_check_grace_seconds: u32,
    /// Holds an instance that AWS takes away until it has left the cluster in order; for slots only.
    pub termination_hook: Option<TerminationHook>,
    /// Tags of the group, none of them propagated: the launch template tags the instances.
    pub tags: Tags,
}

/// A lifecycle hook on `autoscaling:EC2_INSTANCE_TERMINATING`. When the time is over without a word of the instance, AWS goes on
/// and ends it (default result `CONTINUE`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminationHook {
    pub name: String,
    pub heartbeat_seconds: u32,
}

/// Where a group may launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// `AvailabilityZones`, the only way for a template that names an existing interface. Sorted.
    Zones(Vec<String>),
    /// `VPCZoneIdentifier`. Sorted.
    Subnets(Vec<Ref<Subnet>>),
}

/// `MixedInstancesPolicy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MixedInstances {
    /// In the order of preference.
    pub instance_types: Vec<String>,
    pub on_demand_base: u32,
    pub on_demand_percent_above_base: u32,
    pub spot_allocation: String,
}

/// `ChangeResourceRecordSets`: one A record set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsRecord {
    pub zone_id: String,
    /// Without the final dot.
    pub name: String,
    pub value: RecordValue,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordValue {
    /// Alias of the load balancer.
    Alias(Ref<LoadBalancer>),
    Addresses {
        /// Sorted.
        addresses: Vec<RecordAddress>,
        ttl_seconds: u32,
    },
    /// Observed only: something else, described in words.
    Other(String),
}

/// An address in a record: fixed, or that of an Elastic IP which AWS chooses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordAddress {
    Fixed(Ipv4Addr),
    Elastic(Ref<ElasticIp>),
}
