//! EC2's answers in the model's words. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use aws_sdk_ec2::types as sdk;

use super::nat::physical_address;
use super::observe::{Answers, endpoints_in};
use super::permission::rules_of;
use super::routes::route_id;
use super::storage::disk_of;
use super::user_data::ApiLoadBalancer;
use super::{tags, template_data};
use crate::aws::error::answer_without;
use crate::aws::reference::Ids;
use crate::cloud::{CloudError, Observed, Physical, World};
use crate::model::tags::{ID, OWNED, cluster};
use crate::model::{
    ElasticIp, InternetGateway, KeyPair, Kind, NatGateway, NetworkInterface, Ref, Resource, ResourceId, Route, RouteTable,
    RouteTableAssociation, RouteTarget, SecurityGroup, Subnet, Tags, Volume, Vpc, VpcEndpoint,
};

const DEFAULT_ROUTE: &str = "0.0.0.0/0";

/// What AWS always sends.
fn required<T>(operation: &'static str, field: &str, value: Option<T>) -> Result<T, CloudError> {
    value.ok_or_else(|| answer_without(operation, field))
}

fn parsed<T: FromStr>(operation: &'static str, field: &str, value: Option<&str>) -> Result<T, CloudError> {
    required(operation, field, value.and_then(|value| value.parse().ok()))
}

/// Deleted gateways are listed for about an hour. One that failed is of no use, but is there to be removed.
fn is_alive(gateway: &sdk::NatGateway) -> bool {
    matches!(gateway.state(), Some(sdk::NatGatewayState::Pending | sdk::NatGatewayState::Available))
}

fn has_failed(gateway: &sdk::NatGateway) -> bool {
    gateway.state() == Some(&sdk::NatGatewayState::Failed)
}

fn is_kept(volume: &sdk::Volume) -> bool {
    !matches!(volume.state(), Some(sdk::VolumeState::Deleting | sdk::VolumeState::Deleted))
}

/// One that EBS could not make, or whose hardware failed, is of no use, but is there to be looked at and removed.
fn is_usable(volume: &sdk::Volume) -> bool {
    is_kept(volume) && volume.state() != Some(&sdk::VolumeState::Error)
}

fn is_there(endpoint: &sdk::VpcEndpoint) -> bool {
    !matches!(endpoint.state(), Some(sdk::State::Deleting | sdk::State::Deleted))
}

impl Answers {
    fn identify<'a>(&self, kind: Kind, physical: Option<&'a str>, tags: &[sdk::Tag]) -> Option<(&'a str, ResourceId)> {
        let physical = physical?;
        let id = tags::logical_id(kind, tags, &self.ownership).or_else(|| self.known_id(kind, physical, tags))?;
        Some((physical, id))
    }

    /// What the state knows a thing as that lost its tags. One that somebody gave to another cluster is no longer this one's.
    fn known_id(&self, kind: Kind, physical: &str, tags: &[sdk::Tag]) -> Option<ResourceId> {
        let other =
            |key: &str, value: &str| key == ID || (key.starts_with(&cluster("")) && key != self.ownership && value == OWNED);
        let is_other = tags.iter().any(|tag| other(tag.key().unwrap_or_default(), tag.value().unwrap_or_default()));
        self.known.get(physical).filter(|id| id.kind == kind && !is_other).cloned()
    }

    fn endpoints(&self) -> impl Iterator<Item = &sdk::VpcEndpoint> {
        self.vpc_endpoints.iter().flatten().filter(|endpoint| is_there(endpoint))
    }

    /// The endpoint, where the tables show it and the state knows it.
    fn shown_endpoint(&self) -> Option<(&str, ResourceId)> {
        let mut shown = self.route_tables.iter().flat_map(endpoints_in).filter(|_| self.vpc_endpoints.is_none());
        shown.find_map(|physical| self.identify(Kind::VpcEndpoint, Some(physical), &[]))
    }

    /// Physical and logical id of everything that has a logical one, duplicates included.
    fn identified(&self) -> Vec<(&str, ResourceId)> {
        let mut found = Vec::new();
        found.extend(self.vpcs.iter().filter_map(|it| self.identify(Kind::Vpc, it.vpc_id(), it.tags())));
        found.extend(self.subnets.iter().filter_map(|it| self.identify(Kind::Subnet, it.subnet_id(), it.tags())));
        let gateways = self.internet_gateways.iter();
        found.extend(gateways.filter_map(|it| self.identify(Kind::InternetGateway, it.internet_gateway_id(), it.tags())));
        found.extend(self.addresses.iter().filter_map(|it| self.identify(Kind::ElasticIp, it.allocation_id(), it.tags())));
        let gateways = self.nat_gateways.iter().filter(|it| is_alive(it));
        found.extend(gateways.filter_map(|it| self.identify(Kind::NatGateway, it.nat_gateway_id(), it.tags())));
        found.extend(self.route_tables.iter().filter_map(|it| self.identify(Kind::RouteTable, it.route_table_id(), it.tags())));
        found.extend(self.endpoints().filter_map(|it| self.identify(Kind::VpcEndpoint, it.vpc_endpoint_id(), it.tags())));
        found.extend(self.shown_endpoint());
        let groups = self.security_groups.iter();
        found.extend(groups.filter_map(|it| self.identify(Kind::SecurityGroup, it.group_id(), it.tags())));
        found.extend(self.key_pairs.iter().filter_map(|it| self.identify(Kind::KeyPair, it.key_name(), it.tags())));
        let interfaces = self.interfaces.iter();
        found.extend(interfaces.filter_map(|it| self.identify(Kind::NetworkInterface, it.network_interface_id(), it.tag_set())));
        let volumes = self.volumes.iter().filter(|it| is_usable(it));
        found.extend(volumes.filter_map(|it| self.identify(Kind::Volume, it.volume_id(), it.tags())));
        found.extend(self.launch_templates.iter().filter_map(|it| self.identify_template(it)));
        found
    }

    fn identify_template<'a>(&self, version: &'a sdk::LaunchTemplateVersion) -> Option<(&'a str, ResourceId)> {
        Some((version.launch_template_id()?, template_data::logical_id(version, &self.region, &self.ownership)?))
    }

    /// How often other things refer to a thing, by physical id.
    fn uses(&self) -> BTreeMap<&str, usize> {
        let mut used: Vec<Option<&str>> = Vec::new();
        used.extend(self.subnets.iter().map(sdk::Subnet::vpc_id));
        for gateway in self.internet_gateways.iter().filter(|gateway| !gateway.attachments().is_empty()) {
            used.push(gateway.internet_gateway_id());
            used.extend(gateway.attachments().iter().map(sdk::InternetGatewayAttachment::vpc_id));
        }
        for address in self.addresses.iter().filter(|address| address.association_id().is_some()) {
            used.push(address.allocation_id());
        }
        for gateway in self.nat_gateways.iter().filter(|gateway| is_alive(gateway)) {
            used.push(gateway.subnet_id());
            used.extend(gateway.nat_gateway_addresses().iter().map(sdk::NatGatewayAddress::allocation_id));
        }
        for table in &self.route_tables {
            used.push(table.vpc_id());
            used.extend(table.routes().iter().flat_map(|route| [route.gateway_id(), route.nat_gateway_id()]));
            used.extend(table.associations().iter().flat_map(|association| [association.subnet_id(), table.route_table_id()]));
        }
        used.extend(self.security_groups.iter().map(sdk::SecurityGroup::vpc_id));
        for interface in &self.interfaces {
            used.push(interface.subnet_id());
            used.extend(interface.groups().iter().map(sdk::GroupIdentifier::group_id));
            used.push(interface.attachment().and(interface.network_interface_id()));
        }
        used.extend(self.volumes.iter().filter(|volume| !volume.attachments().is_empty()).map(sdk::Volume::volume_id));
        for data in self.launch_templates.iter().filter_map(sdk::LaunchTemplateVersion::launch_template_data) {
            for interface in data.network_interfaces() {
                used.push(interface.network_interface_id());
                used.extend(interface.groups().iter().map(|group| Some(group.as_str())));
            }
        }
        let mut uses = BTreeMap::new();
        for physical in used.into_iter().flatten() {
            *uses.entry(physical).or_default() += 1;
        }
        uses
    }

    /// The cluster's things by physical id. Where two have one logical id, it is that of the one that more of the others use.
    pub(crate) fn ids(&self) -> Ids {
        let uses = self.uses();
        let mut found = self.identified();
        found.sort_by_key(|(physical, _)| (Reverse(uses.get(physical).copied().unwrap_or_default()), *physical));
        let mut taken = BTreeSet::new();
        found.retain(|(_, id)| taken.insert(id.clone()));
        Ids(found.into_iter().map(|(physical, id)| (physical.to_owned(), id)).collect())
    }

    /// Adds what was observed to the world, which holds the instance profiles already: templates refer to them. `ids` holds at
    /// least what [`Self::ids`] gave.
    pub(crate) fn add_to(&self, world: &mut World, ids: &Ids, api: Option<ApiLoadBalancer<'_>>) -> Result<(), CloudError> {
        let ids = &self.with_profiles(ids, world);
        let mut writer = Writer { answers: self, ids, world };
        writer.vpcs()?;
        writer.subnets()?;
        writer.internet_gateways();
        writer.addresses()?;
        writer.nat_gateways();
        writer.route_tables()?;
        writer.endpoints();
        writer.security_groups();
        writer.key_pairs();
        writer.interfaces()?;
        writer.volumes();
        for version in &self.launch_templates {
            writer.add(self.identify_template(version), template_data::observed(version, ids, api));
        }
        Ok(())
    }

    /// Adds the cluster's instance profiles by ARN, as templates name them; everything else names them by path and name.
    fn with_profiles(&self, ids: &Ids, world: &World) -> Ids {
        let data = self.launch_templates.iter().filter_map(sdk::LaunchTemplateVersion::launch_template_data);
        let arns: BTreeSet<&str> = data.filter_map(|data| data.iam_instance_profile()?.arn()).collect();
        let mut ids = ids.clone();
        for (id, observed) in &world.resources {
            let Resource::InstanceProfile(profile) = &observed.resource else { continue };
            let end = format!(":instance-profile{}{}", profile.path, profile.name);
            let named = arns.iter().filter(|arn| arn.ends_with(&end));
            ids.0.extend(named.map(|arn| ((*arn).to_owned(), id.clone())));
        }
        ids
    }
}

struct Writer<'a> {
    answers: &'a Answers,
    ids: &'a Ids,
    world: &'a mut World,
}

impl Writer<'_> {
    /// Adds a thing, or does nothing if it has no logical id.
    fn add(&mut self, identity: Option<(&str, ResourceId)>, resource: impl Into<Resource>) {
        if let Some((physical, id)) = identity {
            self.add_physical(id, Physical::new(physical), resource);
        }
    }

    fn add_physical(&mut self, id: ResourceId, physical: Physical, resource: impl Into<Resource>) {
        let is_first = self.ids.get(&physical.id) == Some(&id);
        let observed = Observed { resource: resource.into(), physical };
        if is_first {
            self.world.resources.insert(id, observed);
        } else {
            self.world.duplicates.push((id, observed));
        }
    }

    /// Adds a part of a thing, which has neither tags nor an id among [`Ids`].
    fn add_part(&mut self, id: ResourceId, physical: String, resource: impl Into<Resource>) {
        let observed = Observed { resource: resource.into(), physical: Physical::new(physical) };
        if self.world.resources.contains_key(&id) {
            self.world.duplicates.push((id, observed));
        } else {
            self.world.resources.insert(id, observed);
        }
    }

    fn vpcs(&mut self) -> Result<(), CloudError> {
        for (vpc, dns_hostnames) in self.answers.vpcs.iter().zip(&self.answers.dns_hostnames) {
            let resource = Vpc {
                cidr: parsed("ec2:DescribeVpcs", "cidrBlock", vpc.cidr_block())?,
                dns_hostnames: *dns_hostnames,
                tags: tags::from_sdk(vpc.tags()),
            };
            self.add(self.answers.identify(Kind::Vpc, vpc.vpc_id(), vpc.tags()), resource);
        }
        Ok(())
    }

    fn subnets(&mut self) -> Result<(), CloudError> {
        for subnet in &self.answers.subnets {
            let resource = Subnet {
                vpc: self.ids.reference(subnet.vpc_id()),
                zone: subnet.availability_zone().unwrap_or_default().to_owned(),
                cidr: parsed("ec2:DescribeSubnets", "cidrBlock", subnet.cidr_block())?,
                map_public_ip: subnet.map_public_ip_on_launch().unwrap_or_default(),
                tags: tags::from_sdk(subnet.tags()),
            };
            self.add(self.answers.identify(Kind::Subnet, subnet.subnet_id(), subnet.tags()), resource);
        }
        Ok(())
    }

    fn internet_gateways(&mut self) {
        for gateway in &self.answers.internet_gateways {
            let vpc = gateway.attachments().iter().find_map(|attachment| attachment.vpc_id());
            let resource = InternetGateway { vpc: self.ids.reference(vpc), tags: tags::from_sdk(gateway.tags()) };
            let identity = self.answers.identify(Kind::InternetGateway, gateway.internet_gateway_id(), gateway.tags());
            self.add(identity, resource);
        }
    }

    fn addresses(&mut self) -> Result<(), CloudError> {
        // A NAT gateway puts its address on an interface of its own, which is nothing that the model knows.
        let gateways = self.answers.nat_gateways.iter().flat_map(sdk::NatGateway::nat_gateway_addresses);
        let of_gateways: BTreeSet<&str> = gateways.filter_map(|address| address.network_interface_id()).collect();
        for address in &self.answers.addresses {
            let interface = address.network_interface_id().filter(|id| !id.is_empty() && !of_gateways.contains(id));
            let resource = ElasticIp {
                network_interface: interface.map(|interface| self.ids.reference(Some(interface))),
                tags: tags::from_sdk(address.tags()),
            };
            if let Some((allocation, id)) = self.answers.identify(Kind::ElasticIp, address.allocation_id(), address.tags()) {
                let physical = physical_address("ec2:DescribeAddresses", Some(allocation), address.public_ip())?;
                self.add_physical(id, physical, resource);
            }
        }
        Ok(())
    }

    fn nat_gateways(&mut self) {
        for gateway in self.answers.nat_gateways.iter().filter(|gateway| is_alive(gateway) || has_failed(gateway)) {
            let address = gateway.nat_gateway_addresses().iter().find_map(|address| address.allocation_id());
            let resource = NatGateway {
                subnet: self.ids.reference(gateway.subnet_id()),
                address: self.ids.reference(address),
                tags: tags::from_sdk(gateway.tags()),
            };
            self.add(self.answers.identify(Kind::NatGateway, gateway.nat_gateway_id(), gateway.tags()), resource);
        }
    }

    fn route_tables(&mut self) -> Result<(), CloudError> {
        for table in &self.answers.route_tables {
            let resource = RouteTable { vpc: self.ids.reference(table.vpc_id()), tags: tags::from_sdk(table.tags()) };
            self.add(self.answers.identify(Kind::RouteTable, table.route_table_id(), table.tags()), resource);
            let physical = table.route_table_id().unwrap_or_default();
            self.associations(physical, table);
            // What is in a duplicate goes with it.
            if let Some(name) = self.ids.name::<RouteTable>(physical) {
                self.routes(name, physical, table)?;
            }
        }
        Ok(())
    }

    fn associations(&mut self, physical: &str, table: &sdk::RouteTable) {
        for association in table.associations() {
            let (Some(subnet), Some(id)) = (association.subnet_id(), association.route_table_association_id()) else { continue };
            if let Some(name) = self.ids.name::<Subnet>(subnet) {
                let resource = RouteTableAssociation { subnet: Ref::own(name), table: self.ids.reference(Some(physical)) };
                self.add_part(ResourceId::new(Kind::RouteTableAssociation, name), id.to_owned(), resource);
            }
        }
    }

    /// The routes that are the cluster's: to its gateways, and the default route wherever it leads. Others are left alone: VPC
    /// peerings of the operator, pod routes of a cloud controller, those that a virtual private gateway propagates.
    fn routes(&mut self, name: &str, physical: &str, table: &sdk::RouteTable) -> Result<(), CloudError> {
        for route in table.routes() {
            let Some(destination) = route.destination_cidr_block() else { continue };
            let target = self.target(route);
            let is_own = match &target {
                RouteTarget::InternetGateway(gateway) => gateway.target().is_some(),
                RouteTarget::NatGateway(gateway) => gateway.target().is_some(),
                RouteTarget::Other(_) => false,
            };
            let is_propagated = route.origin() == Some(&sdk::RouteOrigin::EnableVgwRoutePropagation);
            if is_propagated || !(is_own || destination == DEFAULT_ROUTE) {
                continue;
            }
            let resource = Route {
                table: Ref::own(name),
                destination: parsed("ec2:DescribeRouteTables", "destinationCidrBlock", Some(destination))?,
                target,
            };
            let id = ResourceId::new(Kind::Route, format!("{name}:{destination}"));
            self.add_part(id, route_id(physical, destination), resource);
        }
        Ok(())
    }

    fn target(&self, route: &sdk::Route) -> RouteTarget {
        if let Some(gateway) = route.gateway_id().filter(|id| id.starts_with("igw-")) {
            return RouteTarget::InternetGateway(self.ids.reference(Some(gateway)));
        }
        if let Some(gateway) = route.nat_gateway_id() {
            return RouteTarget::NatGateway(self.ids.reference(Some(gateway)));
        }
        let others = [
            route.gateway_id(),
            route.instance_id(),
            route.network_interface_id(),
            route.transit_gateway_id(),
            route.vpc_peering_connection_id(),
            route.local_gateway_id(),
            route.carrier_gateway_id(),
            route.core_network_arn(),
        ];
        RouteTarget::Other(others.into_iter().flatten().next().unwrap_or("something unknown").to_owned())
    }

    fn endpoints(&mut self) {
        for endpoint in self.answers.endpoints() {
            let resource = VpcEndpoint {
                vpc: self.ids.reference(endpoint.vpc_id()),
                service: endpoint.service_name().unwrap_or_default().to_owned(),
                route_tables: self.ids.references(endpoint.route_table_ids().iter().map(String::as_str)),
                tags: tags::from_sdk(endpoint.tags()),
            };
            self.add(self.answers.identify(Kind::VpcEndpoint, endpoint.vpc_endpoint_id(), endpoint.tags()), resource);
        }
        if let Some((physical, id)) = self.answers.shown_endpoint() {
            let tables = self.answers.route_tables.iter().filter(|table| endpoints_in(table).any(|id| id == physical));
            let tables: Vec<&sdk::RouteTable> = tables.collect();
            let resource = VpcEndpoint {
                vpc: self.ids.reference(tables.first().and_then(|table| table.vpc_id())),
                service: format!("com.amazonaws.{}.s3", self.answers.region),
                route_tables: self.ids.references(tables.iter().filter_map(|table| table.route_table_id())),
                tags: Tags::new(),
            };
            self.add(Some((physical, id)), resource);
        }
    }

    fn security_groups(&mut self) {
        for group in &self.answers.security_groups {
            let resource = SecurityGroup {
                vpc: self.ids.reference(group.vpc_id()),
                name: group.group_name().unwrap_or_default().to_owned(),
                description: group.description().unwrap_or_default().to_owned(),
                tags: tags::from_sdk(group.tags()),
            };
            self.add(self.answers.identify(Kind::SecurityGroup, group.group_id(), group.tags()), resource);
            // What is in a duplicate goes with it.
            let Some(name) = group.group_id().and_then(|id| self.ids.name::<SecurityGroup>(id)) else { continue };
            for rule in rules_of(group) {
                match rule.observed(name, self.ids) {
                    Some((id, resource)) => self.add_part(id, rule.permission.id(), resource),
                    // The one that AWS puts into a new group: kclust did not come to describe it yet.
                    None if rule.permission.is_made_by_aws() && rule.description.is_empty() => {}
                    None => self.world.foreign_rules.push(rule.describe(name)),
                }
            }
        }
    }

    fn key_pairs(&mut self) {
        for pair in &self.answers.key_pairs {
            let name = pair.key_name().unwrap_or_default().to_owned();
            // AWS returns the key on request only, and the name holds its hash.
            let resource = KeyPair { name, public_key: String::new(), tags: tags::from_sdk(pair.tags()) };
            self.add(self.answers.identify(Kind::KeyPair, pair.key_name(), pair.tags()), resource);
        }
    }

    fn interfaces(&mut self) -> Result<(), CloudError> {
        for interface in &self.answers.interfaces {
            let address = interface.private_ip_address();
            let resource = NetworkInterface {
                subnet: self.ids.reference(interface.subnet_id()),
                address: parsed("ec2:DescribeNetworkInterfaces", "privateIpAddress", address)?,
                security_groups: self.ids.references(interface.groups().iter().filter_map(sdk::GroupIdentifier::group_id)),
                description: interface.description().unwrap_or_default().to_owned(),
                source_dest_check: interface.source_dest_check().unwrap_or_default(),
                tags: tags::from_sdk(interface.tag_set()),
            };
            let identity = self.answers.identify(Kind::NetworkInterface, interface.network_interface_id(), interface.tag_set());
            self.add(identity, resource);
        }
        Ok(())
    }

    fn volumes(&mut self) {
        for volume in self.answers.volumes.iter().filter(|volume| is_kept(volume)) {
            let zone = volume.availability_zone().unwrap_or_default().to_owned();
            let resource = Volume { zone, disk: disk_of(volume), tags: tags::from_sdk(volume.tags()) };
            self.add(self.answers.identify(Kind::Volume, volume.volume_id(), volume.tags()), resource);
        }
    }
}
