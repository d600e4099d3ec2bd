//! EC2: the network, key pairs, interfaces, volumes and launch templates.
//!
//! Each kind has its functions in a file of its subject; here is which of them a resource needs. Every function can be called
//! again after an attempt whose answer was lost.

mod compute;
mod launch_template;
mod nat;
mod network;
mod observe;
mod permission;
mod repeat;
mod routes;
mod security;
mod storage;
mod tags;
mod template_data;
mod user_data;
mod visible;
mod world;

#[cfg(test)]
mod tests;

use aws_sdk_ec2::Client;

use super::error::own;
use crate::cloud::{CloudError, Creation, ErrorClass, Observed, Outputs, Physical, Readiness};
use crate::model::{Kind, Resource, ResourceId};

pub(crate) use observe::observe;
pub(crate) use user_data::ApiLoadBalancer;

/// A kind that another service makes, or an observation of another kind: a mistake of the caller's.
fn misdirected(kind: Kind) -> CloudError {
    own("ec2", ErrorClass::Invalid, format!("this is not for EC2 to do with a {kind}"))
}

/// What EC2 does not find while something is made or changed is what the plan made a moment ago: EC2 is eventually consistent.
fn not_visible_yet(mut error: CloudError) -> CloudError {
    if error.class == ErrorClass::NotFound {
        error.class = ErrorClass::NotYet;
    }
    error
}

pub(crate) async fn create(client: &Client, creation: &Creation<'_>, outputs: &Outputs) -> Result<Physical, CloudError> {
    let made = match creation.resource {
        Resource::Vpc(vpc) => network::create_vpc(client, creation, vpc).await,
        Resource::InternetGateway(gateway) => network::create_internet_gateway(client, creation, gateway, outputs).await,
        Resource::Subnet(subnet) => network::create_subnet(client, subnet, outputs).await,
        Resource::ElasticIp(address) => nat::create_elastic_ip(client, creation, address, outputs).await,
        Resource::NatGateway(gateway) => nat::create_nat_gateway(client, creation, gateway, outputs).await,
        Resource::RouteTable(table) => routes::create_route_table(client, creation, table, outputs).await,
        Resource::Route(route) => routes::create_route(client, route, outputs).await,
        Resource::RouteTableAssociation(association) => routes::create_association(client, association, outputs).await,
        Resource::VpcEndpoint(endpoint) => network::create_vpc_endpoint(client, creation, endpoint, outputs).await,
        Resource::SecurityGroup(group) => security::create_group(client, group, outputs).await,
        Resource::SecurityGroupRule(rule) => security::create_rule(client, rule, outputs).await,
        Resource::KeyPair(key_pair) => compute::create_key_pair(client, key_pair).await,
        Resource::NetworkInterface(interface) => compute::create_interface(client, creation, interface, outputs).await,
        Resource::Volume(volume) => storage::create_volume(client, creation, volume).await,
        Resource::LaunchTemplate(template) => launch_template::create(client, creation, template, outputs).await,
        Resource::Role(_)
        | Resource::RolePolicy(_)
        | Resource::InstanceProfile(_)
        | Resource::LoadBalancer(_)
        | Resource::TargetGroup(_)
        | Resource::Listener(_)
        | Resource::Target(_)
        | Resource::BootstrapObject(_)
        | Resource::ControlPlaneSettings(_)
        | Resource::AutoscalingGroup(_)
        | Resource::DnsRecord(_) => Err(misdirected(creation.id.kind)),
    };
    made.map_err(not_visible_yet)
}

/// Changes what differs between `observed` and `desired` and can be changed in place.
pub(crate) async fn update(
    client: &Client,
    observed: &Observed,
    desired: &Resource,
    outputs: &Outputs,
) -> Result<Physical, CloudError> {
    change(client, observed, desired, outputs).await.map_err(not_visible_yet)
}

async fn change(client: &Client, observed: &Observed, desired: &Resource, outputs: &Outputs) -> Result<Physical, CloudError> {
    /// The observed resource, of the same kind as the desired one.
    macro_rules! observed {
        ($kind:ident) => {
            match &observed.resource {
                Resource::$kind(resource) => resource,
                _ => return Err(misdirected(desired.kind())),
            }
        };
    }
    let id = &observed.physical.id;
    match desired {
        Resource::Route(to) => return routes::replace_route(client, to, outputs).await,
        Resource::RouteTableAssociation(to) => return routes::replace_association(client, id, to, outputs).await,
        Resource::SecurityGroupRule(to) => return security::update_rule(client, id, to, outputs).await,
        Resource::LaunchTemplate(to) => return launch_template::update(client, id, to, outputs).await,
        Resource::Vpc(to) => network::update_vpc(client, id, observed!(Vpc), to).await,
        Resource::InternetGateway(to) => {
            network::update_internet_gateway(client, id, observed!(InternetGateway), to, outputs).await
        }
        Resource::Subnet(to) => network::update_subnet(client, id, observed!(Subnet), to).await,
        Resource::ElasticIp(to) => nat::update_elastic_ip(client, id, observed!(ElasticIp), to, outputs).await,
        Resource::NatGateway(to) => tags::update(client, id, &observed!(NatGateway).tags, &to.tags).await,
        Resource::RouteTable(to) => tags::update(client, id, &observed!(RouteTable).tags, &to.tags).await,
        Resource::VpcEndpoint(to) => network::update_vpc_endpoint(client, id, observed!(VpcEndpoint), to, outputs).await,
        Resource::SecurityGroup(to) => tags::update(client, id, &observed!(SecurityGroup).tags, &to.tags).await,
        Resource::KeyPair(to) => compute::update_key_pair(client, observed!(KeyPair), to).await,
        Resource::NetworkInterface(to) => compute::update_interface(client, id, observed!(NetworkInterface), to, outputs).await,
        Resource::Volume(to) => storage::update_volume(client, id, observed!(Volume), to).await,
        Resource::Role(_)
        | Resource::RolePolicy(_)
        | Resource::InstanceProfile(_)
        | Resource::LoadBalancer(_)
        | Resource::TargetGroup(_)
        | Resource::Listener(_)
        | Resource::Target(_)
        | Resource::BootstrapObject(_)
        | Resource::ControlPlaneSettings(_)
        | Resource::AutoscalingGroup(_)
        | Resource::DnsRecord(_) => Err(misdirected(desired.kind())),
    }?;
    Ok(observed.physical.clone())
}

/// Removes a thing, or sees that it is gone.
pub(crate) async fn delete(client: &Client, id: &ResourceId, observed: &Observed) -> Result<(), CloudError> {
    let physical = &observed.physical.id;
    let deleted = match &observed.resource {
        Resource::Vpc(_) => network::delete_vpc(client, physical).await,
        Resource::InternetGateway(_) => network::delete_internet_gateway(client, physical).await,
        Resource::Subnet(_) => network::delete_subnet(client, physical).await,
        Resource::ElasticIp(address) => nat::delete_elastic_ip(client, physical, address).await,
        Resource::NatGateway(_) => nat::delete_nat_gateway(client, physical).await,
        Resource::RouteTable(_) => routes::delete_route_table(client, physical).await,
        Resource::Route(_) => routes::delete_route(client, physical).await,
        Resource::RouteTableAssociation(_) => routes::delete_association(client, physical).await,
        Resource::VpcEndpoint(_) => network::delete_vpc_endpoint(client, id, physical).await,
        Resource::SecurityGroup(_) => security::delete_group(client, physical).await,
        Resource::SecurityGroupRule(rule) => security::delete_rule(client, physical, rule).await,
        Resource::KeyPair(_) => compute::delete_key_pair(client, physical).await,
        Resource::NetworkInterface(_) => compute::delete_interface(client, physical).await,
        Resource::Volume(_) => storage::delete_volume(client, physical).await,
        Resource::LaunchTemplate(_) => launch_template::delete(client, physical).await,
        Resource::Role(_)
        | Resource::RolePolicy(_)
        | Resource::InstanceProfile(_)
        | Resource::LoadBalancer(_)
        | Resource::TargetGroup(_)
        | Resource::Listener(_)
        | Resource::Target(_)
        | Resource::BootstrapObject(_)
        | Resource::ControlPlaneSettings(_)
        | Resource::AutoscalingGroup(_)
        | Resource::DnsRecord(_) => Err(misdirected(id.kind)),
    };
    match deleted {
        Err(error) if error.class == ErrorClass::NotFound => Ok(()),
        result => result,
    }
}

/// Whether a thing that was made can be used. Only those are asked about that take their time or can fail: what is done with a
/// VPC or subnet that is still `pending` is answered with [`ErrorClass::NotYet`] and repeated, and things of other services do
/// not wait for anything.
pub(crate) async fn readiness(client: &Client, kind: Kind, physical: &Physical) -> Result<Readiness, CloudError> {
    match kind {
        Kind::NatGateway => nat::nat_gateway_readiness(client, &physical.id).await,
        Kind::Volume => storage::volume_readiness(client, &physical.id).await,
        Kind::Vpc
        | Kind::InternetGateway
        | Kind::Subnet
        | Kind::ElasticIp
        | Kind::RouteTable
        | Kind::Route
        | Kind::RouteTableAssociation
        | Kind::VpcEndpoint
        | Kind::SecurityGroup
        | Kind::SecurityGroupRule
        | Kind::Role
        | Kind::RolePolicy
        | Kind::InstanceProfile
        | Kind::KeyPair
        | Kind::LoadBalancer
        | Kind::TargetGroup
        | Kind::Listener
        | Kind::Target
        | Kind::NetworkInterface
        | Kind::BootstrapObject
        | Kind::ControlPlaneSettings
        | Kind::LaunchTemplate
        | Kind::AutoscalingGroup
        | Kind::DnsRecord => Ok(Readiness::Ready),
    }
}

/// Whether a deleted thing no longer holds what it referred to. Most are gone when the call returns.
pub(crate) async fn is_gone(client: &Client, id: &ResourceId, observed: &Observed) -> Result<bool, CloudError> {
    let physical = &observed.physical.id;
    match id.kind {
        Kind::NatGateway => nat::is_nat_gateway_gone(client, physical).await,
        Kind::VpcEndpoint => network::is_vpc_endpoint_gone(client, id, physical).await,
        Kind::Vpc
        | Kind::InternetGateway
        | Kind::Subnet
        | Kind::ElasticIp
        | Kind::RouteTable
        | Kind::Route
        | Kind::RouteTableAssociation
        | Kind::SecurityGroup
        | Kind::SecurityGroupRule
        | Kind::KeyPair
        | Kind::NetworkInterface
        | Kind::Volume
        | Kind::LaunchTemplate => Ok(true),
        Kind::Role
        | Kind::RolePolicy
        | Kind::InstanceProfile
        | Kind::LoadBalancer
        | Kind::TargetGroup
        | Kind::Listener
        | Kind::Target
        | Kind::BootstrapObject
        | Kind::ControlPlaneSettings
        | Kind::AutoscalingGroup
        | Kind::DnsRecord => Err(misdirected(id.kind)),
    }
}
