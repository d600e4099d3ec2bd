//! VPC, subnets, gateways and routes. Nothing of it is built in somebody else's network.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;

use crate::cloud::facts::subnet_name;
use crate::spec::{Nat, SubnetRole, Topology, Vpc as VpcSpec, Zone, carve};

use super::build::Builder;
use super::id::Ref;
use super::names::COMMON_LIMIT;
use super::resource::{
    ElasticIp, InternetGateway, Kind, NatGateway, Route, RouteTable, RouteTableAssociation, RouteTarget, Subnet, Vpc, VpcEndpoint,
};

/// Logical name of the things that a cluster has one of.
const MAIN: &str = "main";
/// Route table of the public and utility subnets.
const PUBLIC: &str = "public";

pub(super) fn vpc(builder: &Builder<'_>) -> Ref<Vpc> {
    match &builder.cluster.network.vpc {
        VpcSpec::Managed { .. } => Ref::own(MAIN),
        VpcSpec::Existing { id, .. } => Ref::foreign(id),
    }
}

/// The subnet of a role in a zone.
pub(super) fn subnet(builder: &Builder<'_>, role: SubnetRole, zone: &Zone) -> Option<Ref<Subnet>> {
    match &builder.cluster.network.vpc {
        VpcSpec::Managed { .. } => Some(Ref::own(subnet_name(role, zone.as_str()))),
        VpcSpec::Existing { subnets, .. } => {
            subnets.iter().find(|subnet| subnet.role == role && subnet.zone == *zone).map(|subnet| Ref::foreign(&subnet.id))
        }
    }
}

/// Where machines live.
pub(super) fn machine_role(builder: &Builder<'_>) -> SubnetRole {
    match builder.cluster.network.topology {
        Topology::Public => SubnetRole::Public,
        Topology::Private => SubnetRole::Private,
    }
}

/// Whether machines have public addresses: there is no NAT in a public topology.
pub(super) fn machines_are_public(builder: &Builder<'_>) -> bool {
    builder.cluster.network.topology == Topology::Public
}

pub(super) fn add(builder: &mut Builder<'_>) {
    let VpcSpec::Managed { cidr, nat } = builder.cluster.network.vpc else { return };
    builder.add(MAIN, Vpc { cidr, dns_hostnames: true, tags: builder.tags(Kind::Vpc, MAIN) });
    builder.add(MAIN, InternetGateway { vpc: Ref::own(MAIN), tags: builder.tags(Kind::InternetGateway, MAIN) });
    let carved = carve(cidr, &builder.cluster.network.zones, builder.cluster.network.topology);
    for (role, zone, cidr) in &carved {
        add_subnet(builder, *role, zone, *cidr);
    }
    add_table(builder, PUBLIC, RouteTarget::InternetGateway(Ref::own(MAIN)));
    let mut tables = vec![Ref::own(PUBLIC)];
    if builder.cluster.network.topology == Topology::Private {
        tables.extend(add_private_routes(builder, nat));
    }
    tables.sort();
    let service = format!("com.amazonaws.{}.s3", builder.cluster.region);
    let tags = builder.tags(Kind::VpcEndpoint, "s3");
    builder.add("s3", VpcEndpoint { vpc: Ref::own(MAIN), service, route_tables: tables, tags });
}

fn add_subnet(builder: &mut Builder<'_>, role: SubnetRole, zone: &Zone, cidr: Ipv4Net) {
    let name = subnet_name(role, zone.as_str());
    let mut tags = builder.tags(Kind::Subnet, &name);
    // Where the cloud controller may place load balancers; in a public topology both kinds share the one subnet of the zone.
    if matches!(role, SubnetRole::Public | SubnetRole::Utility) {
        tags.insert("kubernetes.io/role/elb".to_owned(), "1".to_owned());
    }
    if matches!(role, SubnetRole::Public | SubnetRole::Private) {
        tags.insert("kubernetes.io/role/internal-elb".to_owned(), "1".to_owned());
    }
    let map_public_ip = role == SubnetRole::Public;
    builder.add(&*name, Subnet { vpc: Ref::own(MAIN), zone: zone.to_string(), cidr, map_public_ip, tags });
    let table = match role {
        SubnetRole::Public | SubnetRole::Utility => PUBLIC.to_owned(),
        SubnetRole::Private => name.clone(),
    };
    builder.add(&*name, RouteTableAssociation { subnet: Ref::own(&*name), table: Ref::own(table) });
}

/// A route table whose default route leads to `target`.
fn add_table(builder: &mut Builder<'_>, name: &str, target: RouteTarget) {
    let tags = builder.tags(Kind::RouteTable, name);
    builder.add(name, RouteTable { vpc: Ref::own(MAIN), tags });
    let destination = Ipv4Net::default();
    builder.add(format!("{name}:{destination}"), Route { table: Ref::own(name), destination, target });
}

/// NAT gateways and a route table for each private subnet. Returns the tables.
fn add_private_routes(builder: &mut Builder<'_>, nat: Nat) -> Vec<Ref<RouteTable>> {
    let zones = builder.cluster.network.zones.clone();
    let gateway_of: BTreeMap<&Zone, &Zone> = zones
        .iter()
        .map(|zone| match nat {
            Nat::PerZone => (zone, zone),
            Nat::Single => (zone, &zones[0]),
        })
        .collect();
    let mut tables = Vec::new();
    for zone in &zones {
        let gateway = gateway_of[zone];
        if gateway == zone {
            let name = format!("nat-{zone}");
            let tags = builder.tags(Kind::ElasticIp, &name);
            builder.add(&*name, ElasticIp { network_interface: None, tags });
            let tags = builder.tags(Kind::NatGateway, zone.as_str());
            let subnet = Ref::own(subnet_name(SubnetRole::Utility, zone.as_str()));
            builder.add(zone.as_str(), NatGateway { subnet, address: Ref::own(name), tags });
        }
        let table = subnet_name(SubnetRole::Private, zone.as_str());
        add_table(builder, &table, RouteTarget::NatGateway(Ref::own(gateway.as_str())));
        tables.push(Ref::own(table));
    }
    tables
}

/// Name limit of security groups is 255; they keep to the common one.
pub(super) fn security_group_name(builder: &Builder<'_>, group: &str) -> String {
    builder.aws_name(group, COMMON_LIMIT)
}
