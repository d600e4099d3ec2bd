//! The fields of each kind: one list that plans show, comparison compares and references are read from.
//!
//! Every struct is taken apart without `..`, so that a field that is added to a struct does not compile until somebody has
//! decided here what a change of it means.

use std::fmt;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::id::{Ref, ResourceId, ResourceKind};
use super::names::sha256;
use super::resource::{
    AutoscalingGroup, BootstrapObject, Direction, Disk, DnsRecord, ElasticIp, HealthCheck, InstanceProfile, InternetGateway,
    KeyPair, LaunchNetwork, LaunchTemplate, Listener, LoadBalancer, MixedInstances, NatGateway, NetworkInterface, Peer,
    Placement, RecordAddress, RecordValue, Resource, Role, RolePolicy, Route, RouteTable, RouteTableAssociation, RouteTarget,
    SecurityGroup, SecurityGroupRule, Subnet, Tags, Target, TargetGroup, UserData, Volume, Vpc, VpcEndpoint,
};
use super::settings::ControlPlaneSettings;

/// Value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Absent,
    Bool(bool),
    Number(i64),
    Text(String),
    /// What a reference points at, and how it reads.
    Reference(Option<ResourceId>, String),
    List(Vec<Value>),
    /// Something too long to show: its SHA-256 and its size in bytes stand for it.
    Content(String),
}

impl Value {
    /// The value as plans show it in JSON.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Absent => Json::Null,
            Self::Bool(value) => json!(value),
            Self::Number(value) => json!(value),
            Self::Text(text) | Self::Reference(_, text) => json!(text),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Content(text) => json!({ "sha256": sha256(text), "bytes": text.len() }),
        }
    }

    fn collect_targets(&self, into: &mut Vec<ResourceId>) {
        match self {
            Self::Reference(Some(id), _) => into.push(id.clone()),
            Self::List(items) => items.iter().for_each(|item| item.collect_targets(into)),
            Self::Absent | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Reference(None, _) | Self::Content(_) => {}
        }
    }

    /// The resources that the value points at.
    pub fn targets(&self) -> Vec<ResourceId> {
        let mut targets = Vec::new();
        self.collect_targets(&mut targets);
        targets
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("(none)"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(text) | Self::Reference(_, text) => f.write_str(text),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Content(text) => write!(f, "sha256:{} ({} bytes)", &sha256(text)[..12], text.len()),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// What follows when a field of an existing resource differs from what is desired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnChange {
    /// It is changed in place.
    Update,
    /// AWS cannot change it: the resource is replaced.
    Replace,
    /// It is set when the resource is made and not looked at again, for this reason.
    Unmanaged(&'static str),
}

/// A field: its name in camel case, its value, and what a change of it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub path: String,
    pub value: Value,
    pub on_change: OnChange,
}

/// Reads the fields off a struct.
struct Fields(Vec<Field>);

impl Fields {
    fn update(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.0.push(Field { path: path.to_owned(), value: value.into(), on_change: OnChange::Update });
        self
    }

    fn replace(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.0.push(Field { path: path.to_owned(), value: value.into(), on_change: OnChange::Replace });
        self
    }

    fn unmanaged(mut self, path: &str, value: impl Into<Value>, reason: &'static str) -> Self {
        self.0.push(Field { path: path.to_owned(), value: value.into(), on_change: OnChange::Unmanaged(reason) });
        self
    }

    fn tags(mut self, tags: &Tags, on_change: OnChange) -> Self {
        for (key, value) in tags {
            self.0.push(Field { path: format!("tags.{key}"), value: value.as_str().into(), on_change });
        }
        self
    }

    fn disk(self, prefix: &str, disk: &Disk, on_change: OnChange) -> Self {
        let Disk { size_gib, volume_type, iops, throughput, encrypted } = disk;
        let mut fields = self;
        let mut push = |name: &str, value: Value, on_change| {
            fields.0.push(Field { path: format!("{prefix}{name}"), value, on_change });
        };
        push("sizeGiB", (*size_gib).into(), on_change);
        push("volumeType", volume_type.as_str().into(), on_change);
        push("iops", optional(*iops), on_change);
        push("throughput", optional(*throughput), on_change);
        // A volume cannot be encrypted afterwards; in a launch template it is a field like any other.
        let encryption = if prefix.is_empty() { OnChange::Replace } else { on_change };
        push("encrypted", (*encrypted).into(), encryption);
        fields
    }
}

/// Not looked at again: ELB returns tags by a call of its own, and the name, which holds a hash of the cluster's name, says whose it is.
const ELB_TAGS: OnChange = OnChange::Unmanaged("the name identifies it; reading the tags would cost a call of its own");
const PROFILE_TAGS: OnChange = OnChange::Unmanaged("IAM returns them one profile at a time only");
const RULE_TAGS: OnChange =
    OnChange::Unmanaged("its description identifies a rule; DescribeSecurityGroups does not return rule tags");
const TEMPLATE_TAGS: OnChange =
    OnChange::Unmanaged("DescribeLaunchTemplateVersions does not return them; the name identifies it");
const TERMINATION_HOOK: &str = "set when the group is made; DescribeLifecycleHooks costs a call for each group";
const ENDPOINT_TAGS: OnChange = OnChange::Unmanaged("the route tables show the endpoint, without its tags");

/// The tags of a resource, shared or to be changed, as the resource itself is borrowed.
macro_rules! tags_of {
    ($resource:expr) => {
        match $resource {
            Resource::Vpc(Vpc { tags, .. })
            | Resource::InternetGateway(InternetGateway { tags, .. })
            | Resource::Subnet(Subnet { tags, .. })
            | Resource::ElasticIp(ElasticIp { tags, .. })
            | Resource::NatGateway(NatGateway { tags, .. })
            | Resource::RouteTable(RouteTable { tags, .. })
            | Resource::VpcEndpoint(VpcEndpoint { tags, .. })
            | Resource::SecurityGroup(SecurityGroup { tags, .. })
            | Resource::SecurityGroupRule(SecurityGroupRule { tags, .. })
            | Resource::Role(Role { tags, .. })
            | Resource::InstanceProfile(InstanceProfile { tags, .. })
            | Resource::KeyPair(KeyPair { tags, .. })
            | Resource::LoadBalancer(LoadBalancer { tags, .. })
            | Resource::TargetGroup(TargetGroup { tags, .. })
            | Resource::Listener(Listener { tags, .. })
            | Resource::NetworkInterface(NetworkInterface { tags, .. })
            | Resource::Volume(Volume { tags, .. })
            | Resource::LaunchTemplate(LaunchTemplate { tags, .. })
            | Resource::AutoscalingGroup(AutoscalingGroup { tags, .. }) => Some(tags),
            Resource::Route(_)
            | Resource::RouteTableAssociation(_)
            | Resource::RolePolicy(_)
            | Resource::Target(_)
            | Resource::BootstrapObject(_)
            | Resource::ControlPlaneSettings(_)
            | Resource::DnsRecord(_) => None,
        }
    };
}

impl Resource {
    /// All fields, in the order of the struct.
    pub fn fields(&self) -> Vec<Field> {
        let fields = Fields(Vec::new());
        match self {
            Self::Vpc(Vpc { cidr, dns_hostnames, tags }) => {
                fields.replace("cidr", cidr.to_string()).update("dnsHostnames", *dns_hostnames).tags(tags, OnChange::Update)
            }
            Self::InternetGateway(InternetGateway { vpc, tags }) => fields.update("vpc", vpc).tags(tags, OnChange::Update),
            Self::Subnet(Subnet { vpc, zone, cidr, map_public_ip, tags }) => fields
                .replace("vpc", vpc)
                .replace("zone", zone)
                .replace("cidr", cidr.to_string())
                .update("mapPublicIp", *map_public_ip)
                .tags(tags, OnChange::Update),
            Self::ElasticIp(ElasticIp { network_interface, tags }) => fields
                .update("networkInterface", network_interface.as_ref().map_or(Value::Absent, Value::from))
                .tags(tags, OnChange::Update),
            Self::NatGateway(NatGateway { subnet, address, tags }) => {
                fields.replace("subnet", subnet).replace("address", address).tags(tags, OnChange::Update)
            }
            Self::RouteTable(RouteTable { vpc, tags }) => fields.replace("vpc", vpc).tags(tags, OnChange::Update),
            Self::Route(Route { table, destination, target }) => {
                fields.replace("table", table).replace("destination", destination.to_string()).update(
                    "target",
                    match target {
                        RouteTarget::InternetGateway(gateway) => Value::from(gateway),
                        RouteTarget::NatGateway(gateway) => Value::from(gateway),
                        RouteTarget::Other(text) => Value::from(text),
                    },
                )
            }
            Self::RouteTableAssociation(RouteTableAssociation { subnet, table }) => {
                fields.replace("subnet", subnet).update("table", table)
            }
            Self::VpcEndpoint(VpcEndpoint { vpc, service, route_tables, tags }) => fields
                .replace("vpc", vpc)
                .replace("service", service)
                .update("routeTables", list(route_tables))
                .tags(tags, ENDPOINT_TAGS),
            Self::SecurityGroup(SecurityGroup { vpc, name, description, tags }) => {
                fields.replace("vpc", vpc).replace("name", name).replace("description", description).tags(tags, OnChange::Update)
            }
            Self::SecurityGroupRule(SecurityGroupRule { group, direction, protocol, ports, peer, description, tags }) => fields
                .replace("group", group)
                .replace(
                    "direction",
                    match direction {
                        Direction::Ingress => "ingress",
                        Direction::Egress => "egress",
                    },
                )
                .update("protocol", protocol)
                .update("ports", ports.map_or(Value::Absent, |(from, to)| Value::List(vec![from.into(), to.into()])))
                .update(
                    "peer",
                    match peer {
                        Peer::Cidr(cidr) => Value::from(cidr.to_string()),
                        Peer::Group(group) => Value::from(group),
                    },
                )
                .replace("description", description)
                .tags(tags, RULE_TAGS),
            Self::Role(Role { name, path, trust_policy, tags }) => fields
                .replace("name", name)
                .replace("path", path)
                .update("trustPolicy", trust_policy)
                .tags(tags, OnChange::Update),
            Self::RolePolicy(RolePolicy { role, name, document }) => {
                fields.replace("role", role).replace("name", name).update("document", document)
            }
            Self::InstanceProfile(InstanceProfile { name, path, role, tags }) => {
                fields.replace("name", name).replace("path", path).update("role", role).tags(tags, PROFILE_TAGS)
            }
            Self::KeyPair(KeyPair { name, public_key, tags }) => fields
                .replace("name", name)
                .unmanaged("publicKey", public_key, "the name holds its hash; AWS returns it on request only")
                .tags(tags, OnChange::Update),
            Self::LoadBalancer(LoadBalancer { name, internet_facing, subnets, security_groups, tags }) => fields
                .replace("name", name)
                .replace("internetFacing", *internet_facing)
                .update("subnets", list(subnets))
                .update("securityGroups", list(security_groups))
                .tags(tags, ELB_TAGS),
            Self::TargetGroup(TargetGroup {
                name,
                vpc,
                port,
                health_check,
                preserve_client_ip,
                cross_zone,
                deregistration_delay_seconds,
                tags,
            }) => {
                let HealthCheck {
                    protocol,
                    path,
                    port: check_port,
                    interval_seconds,
                    timeout_seconds,
                    healthy_threshold,
                    unhealthy_threshold,
                } = health_check;
                fields
                    .replace("name", name)
                    .replace("vpc", vpc)
                    .replace("port", *port)
                    .update("healthCheck.protocol", protocol)
                    .update("healthCheck.path", path)
                    .update("healthCheck.port", *check_port)
                    .update("healthCheck.intervalSeconds", *interval_seconds)
                    .update("healthCheck.timeoutSeconds", *timeout_seconds)
                    .update("healthCheck.healthyThreshold", *healthy_threshold)
                    .update("healthCheck.unhealthyThreshold", *unhealthy_threshold)
                    .update("preserveClientIp", *preserve_client_ip)
                    .update("crossZone", *cross_zone)
                    .update("deregistrationDelaySeconds", *deregistration_delay_seconds)
                    .tags(tags, ELB_TAGS)
            }
            Self::Listener(Listener { load_balancer, port, target_group, tags }) => fields
                .replace("loadBalancer", load_balancer)
                .update("port", *port)
                .update("targetGroup", target_group)
                .tags(tags, ELB_TAGS),
            Self::Target(Target { target_group, address, port }) => {
                fields.replace("targetGroup", target_group).replace("address", address.to_string()).replace("port", *port)
            }
            Self::NetworkInterface(NetworkInterface {
                subnet,
                address,
                security_groups,
                description,
                source_dest_check,
                tags,
            }) => fields
                .replace("subnet", subnet)
                .replace("address", address.to_string())
                .update("securityGroups", list(security_groups))
                .update("description", description)
                .update("sourceDestCheck", *source_dest_check)
                .tags(tags, OnChange::Update),
            Self::Volume(Volume { zone, disk, tags }) => {
                fields.replace("zone", zone).disk("", disk, OnChange::Update).tags(tags, OnChange::Update)
            }
            Self::BootstrapObject(BootstrapObject { key, sha256, content: _ }) => {
                fields.replace("key", key).replace("sha256", sha256)
            }
            Self::ControlPlaneSettings(settings) => control_plane_settings(fields, settings),
            Self::LaunchTemplate(template) => launch_template(fields, template),
            Self::AutoscalingGroup(group) => autoscaling_group(fields, group),
            Self::DnsRecord(DnsRecord { zone_id, name, value }) => {
                let fields = fields.replace("zoneId", zone_id).replace("name", name);
                match value {
                    RecordValue::Alias(load_balancer) => fields.update("value", load_balancer),
                    RecordValue::Addresses { addresses, ttl_seconds } => fields
                        .update(
                            "value",
                            Value::List(
                                addresses
                                    .iter()
                                    .map(|address| match address {
                                        RecordAddress::Fixed(address) => address.to_string().into(),
                                        RecordAddress::Elastic(address) => address.into(),
                                    })
                                    .collect(),
                            ),
                        )
                        .update("ttlSeconds", *ttl_seconds),
                    RecordValue::Other(text) => fields.update("value", text),
                }
            }
        }
        .0
    }

    /// The tags that it is made with; `None` for kinds that have none.
    pub fn tags(&self) -> Option<&Tags> {
        tags_of!(self)
    }

    /// The same, to change them.
    pub fn tags_mut(&mut self) -> Option<&mut Tags> {
        tags_of!(self)
    }

    /// The resources of the cluster that this one refers to.
    pub fn references(&self) -> Vec<ResourceId> {
        let mut targets: Vec<ResourceId> = self.fields().iter().flat_map(|field| field.value.targets()).collect();
        targets.sort();
        targets.dedup();
        targets
    }
}

fn control_plane_settings(fields: Fields, settings: &ControlPlaneSettings) -> Fields {
    let ControlPlaneSettings { backup_interval_seconds, backup_retention_seconds, addons } = settings;
    let mut fields = fields
        .update("backupIntervalSeconds", *backup_interval_seconds)
        .update("backupRetentionSeconds", *backup_retention_seconds)
        .update("addonOrder", Value::List(addons.iter().map(|addon| (&addon.name).into()).collect()));
    for addon in addons {
        fields = fields.update(&format!("addons.{}", addon.name), addon.to_string());
    }
    fields
}

fn launch_template(fields: Fields, template: &LaunchTemplate) -> Fields {
    let LaunchTemplate {
        name,
        image,
        instance_type,
        key_pair,
        instance_profile,
        network,
        root_device,
        root_disk,
        metadata_hop_limit,
        metadata_tokens_required,
        user_data,
        instance_tags,
        tags,
    } = template;
    let UserData { text, api_name_of } = user_data;
    let fields = fields
        .replace("name", name)
        .update("image", image)
        .update("instanceType", instance_type)
        .update("keyPair", key_pair.as_ref().map_or(Value::Absent, Value::from))
        // What AWS holds is the ARN; the order of making the two is the dependency graph's.
        .update("instanceProfile", instance_profile.arn());
    let fields = match network {
        LaunchNetwork::Interface(interface) => {
            fields.update("networkInterface", interface).update("securityGroups", Value::Absent).update("publicIp", Value::Absent)
        }
        LaunchNetwork::Groups { security_groups, public_ip } => fields
            .update("networkInterface", Value::Absent)
            .update("securityGroups", list(security_groups))
            .update("publicIp", *public_ip),
    };
    let mut fields = fields
        .update("rootDevice", root_device)
        .disk("rootDisk.", root_disk, OnChange::Update)
        .update("metadataHopLimit", *metadata_hop_limit)
        .update("metadataTokensRequired", *metadata_tokens_required)
        .update("userData", Value::Content(text.clone()))
        .update("userData.apiName", api_name_of.as_ref().map_or(Value::Absent, Value::from));
    for (key, value) in instance_tags {
        fields = fields.update(&format!("instanceTags.{key}"), value);
    }
    fields.tags(tags, TEMPLATE_TAGS)
}

fn autoscaling_group(fields: Fields, group: &AutoscalingGroup) -> Fields {
    let AutoscalingGroup {
        name,
        min_size,
        max_size,
        placement,
        launch_template,
        launch_template_version,
        mixed_instances,
        capacity_rebalance,
        health_check_type,
        health_check_grace_seconds,
        termination_hook,
        tags,
    } = group;
    let fields = fields.replace("name", name).update("minSize", *min_size).update("maxSize", *max_size);
    let fields = match placement {
        Placement::Zones(zones) => {
            fields.update("zones", Value::List(zones.iter().map(Into::into).collect())).update("subnets", Value::Absent)
        }
        Placement::Subnets(subnets) => fields.update("zones", Value::Absent).update("subnets", list(subnets)),
    };
    let fields =
        fields.update("launchTemplate", launch_template).update("launchTemplateVersion", launch_template_version).update(
            "mixedInstances.instanceTypes",
            mixed_instances
                .as_ref()
                .map_or(Value::Absent, |mixed| Value::List(mixed.instance_types.iter().map(Into::into).collect())),
        );
    let distribution = |pick: fn(&MixedInstances) -> Value| mixed_instances.as_ref().map_or(Value::Absent, pick);
    fields
        .update("mixedInstances.onDemandBase", distribution(|mixed| mixed.on_demand_base.into()))
        .update("mixedInstances.onDemandPercentAboveBase", distribution(|mixed| mixed.on_demand_percent_above_base.into()))
        .update("mixedInstances.spotAllocation", distribution(|mixed| (&mixed.spot_allocation).into()))
        .update("capacityRebalance", *capacity_rebalance)
        .update("healthCheckType", health_check_type)
        .update("healthCheckGraceSeconds", *health_check_grace_seconds)
        .unmanaged(
            "terminationHook.name",
            termination_hook.as_ref().map_or(Value::Absent, |hook| (&hook.name).into()),
            TERMINATION_HOOK,
        )
        .unmanaged(
            "terminationHook.heartbeatSeconds",
            termination_hook.as_ref().map_or(Value::Absent, |hook| hook.heartbeat_seconds.into()),
            TERMINATION_HOOK,
        )
        .tags(tags, OnChange::Update)
}

fn list<T: ResourceKind>(references: &[Ref<T>]) -> Value {
    Value::List(references.iter().map(Value::from).collect())
}

fn optional(number: Option<u32>) -> Value {
    number.map_or(Value::Absent, Value::from)
}

impl<T: ResourceKind> From<&Ref<T>> for Value {
    fn from(reference: &Ref<T>) -> Self {
        match reference {
            Ref::Nothing => Self::Absent,
            Ref::Own(..) | Ref::Foreign(_) => Self::Reference(reference.target(), reference.to_string()),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::Number(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
