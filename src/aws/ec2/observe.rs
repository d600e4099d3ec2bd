//! Reading a cluster's EC2 resources: one call for each type, all at once, whatever their number.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    Address, Filter, InternetGateway, KeyPairInfo, LaunchTemplateVersion, NatGateway, NetworkInterface, RouteTable,
    SecurityGroup, Subnet, Volume, Vpc, VpcAttributeName, VpcEndpoint,
};

use super::tags;
use crate::aws::error::translate;
use crate::cloud::{CloudError, ErrorClass, Scope};
use crate::model::tags::cluster;
use crate::model::{Kind, ResourceId};

/// Largest page that `DescribeLaunchTemplateVersions` gives.
const VERSIONS_PAGE: i32 = 200;
/// Largest number of values in one filter.
const FILTER_VALUES: usize = 200;

/// EC2's answers, before they are put into the model's words.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Name of the tag that marks what the cluster owns.
    pub(super) ownership: String,
    /// What the state knows as the cluster's, by id in AWS.
    pub(super) known: BTreeMap<String, ResourceId>,
    pub(super) region: String,
    pub(super) vpcs: Vec<Vpc>,
    /// Of the VPC of the same index: `enableDnsHostnames`.
    pub(super) dns_hostnames: Vec<bool>,
    pub(super) subnets: Vec<Subnet>,
    pub(super) internet_gateways: Vec<InternetGateway>,
    pub(super) addresses: Vec<Address>,
    pub(super) nat_gateways: Vec<NatGateway>,
    pub(super) route_tables: Vec<RouteTable>,
    /// `None` where the route tables show the only one.
    pub(super) vpc_endpoints: Option<Vec<VpcEndpoint>>,
    pub(super) security_groups: Vec<SecurityGroup>,
    pub(super) key_pairs: Vec<KeyPairInfo>,
    pub(super) interfaces: Vec<NetworkInterface>,
    pub(super) volumes: Vec<Volume>,
    pub(super) launch_templates: Vec<LaunchTemplateVersion>,
}

/// All pages of a call.
macro_rules! all {
    ($operation:literal, $call:expr) => {
        async {
            let items = $call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
            items.map_err(|error| translate($operation, error))
        }
    };
}

/// The same, of what carries the cluster's tags and of what the state knows as the cluster's and is not among that: things that
/// lost their tags. Where there are none it is one call.
macro_rules! tagged_or_known {
    ($scope:ident, $kind:ident, $operation:literal, $call:expr, $set:ident, $by:literal, $id:ident) => {
        async {
            let ownership = cluster(&$scope.cluster);
            let mut items = all!($operation, $call.$set(Some(tags::of_cluster(&ownership)))).await?;
            let missing = missing($scope, Kind::$kind, items.iter().filter_map(|item| item.$id()));
            for ids in missing.chunks(FILTER_VALUES) {
                items.extend(all!($operation, $call.$set(Some(vec![any_of($by, ids)]))).await?);
            }
            Ok(items)
        }
    };
}

/// What the state knows of a kind and was not found.
fn missing<'a>(scope: &Scope, kind: Kind, found: impl Iterator<Item = &'a str>) -> Vec<String> {
    let found: BTreeSet<&str> = found.collect();
    let known = scope.known.iter().filter(|(physical, id)| id.kind == kind && !found.contains(physical.as_str()));
    known.map(|(physical, _)| physical.clone()).collect()
}

fn any_of(name: &str, values: &[String]) -> Filter {
    Filter::builder().name(name).set_values(Some(values.to_vec())).build()
}

pub(crate) async fn observe(client: &Client, region: &str, scope: &Scope) -> Result<Answers, CloudError> {
    let ownership = cluster(&scope.cluster);
    let (
        (vpcs, dns_hostnames),
        subnets,
        internet_gateways,
        addresses,
        nat_gateways,
        (route_tables, vpc_endpoints),
        security_groups,
        key_pairs,
        interfaces,
        volumes,
        launch_templates,
    ) = tokio::try_join!(
        vpcs(client, scope),
        tagged_or_known!(scope, Subnet, "ec2:DescribeSubnets", client.describe_subnets(), set_filters, "subnet-id", subnet_id),
        tagged_or_known!(
            scope,
            InternetGateway,
            "ec2:DescribeInternetGateways",
            client.describe_internet_gateways(),
            set_filters,
            "internet-gateway-id",
            internet_gateway_id
        ),
        addresses(client, scope),
        tagged_or_known!(
            scope,
            NatGateway,
            "ec2:DescribeNatGateways",
            client.describe_nat_gateways(),
            set_filter,
            "nat-gateway-id",
            nat_gateway_id
        ),
        route_tables(client, scope),
        tagged_or_known!(
            scope,
            SecurityGroup,
            "ec2:DescribeSecurityGroups",
            client.describe_security_groups(),
            set_filters,
            "group-id",
            group_id
        ),
        key_pairs(client, scope),
        tagged_or_known!(
            scope,
            NetworkInterface,
            "ec2:DescribeNetworkInterfaces",
            client.describe_network_interfaces(),
            set_filters,
            "network-interface-id",
            network_interface_id
        ),
        tagged_or_known!(scope, Volume, "ec2:DescribeVolumes", client.describe_volumes(), set_filters, "volume-id", volume_id),
        launch_templates(client, &scope.instance_profiles),
    )?;
    Ok(Answers {
        ownership,
        known: scope.known.clone(),
        region: region.to_owned(),
        vpcs,
        dns_hostnames,
        subnets,
        internet_gateways,
        addresses,
        nat_gateways,
        route_tables,
        vpc_endpoints,
        security_groups,
        key_pairs,
        interfaces,
        volumes,
        launch_templates,
    })
}

/// The VPCs, and of each whether it gives DNS host names: `DescribeVpcs` does not say.
async fn vpcs(client: &Client, scope: &Scope) -> Result<(Vec<Vpc>, Vec<bool>), CloudError> {
    let vpcs = tagged_or_known!(scope, Vpc, "ec2:DescribeVpcs", client.describe_vpcs(), set_filters, "vpc-id", vpc_id).await?;
    let mut dns_hostnames = Vec::new();
    for vpc in &vpcs {
        let call = client.describe_vpc_attribute().set_vpc_id(vpc.vpc_id.clone()).attribute(VpcAttributeName::EnableDnsHostnames);
        match call.send().await.map_err(|error| translate("ec2:DescribeVpcAttribute", error)) {
            Ok(answer) => {
                dns_hostnames.push(answer.enable_dns_hostnames.and_then(|attribute| attribute.value).unwrap_or_default());
            }
            // A listing is behind and still shows a VPC that was deleted, or a new VPC is not known everywhere.
            Err(error) if error.class == ErrorClass::NotFound => dns_hostnames.push(false),
            Err(error) => return Err(error),
        }
    }
    Ok((vpcs, dns_hostnames))
}

async fn addresses(client: &Client, scope: &Scope) -> Result<Vec<Address>, CloudError> {
    let described = async |filters| {
        let answer = client.describe_addresses().set_filters(Some(filters)).send().await;
        Ok(answer.map_err(|error| translate("ec2:DescribeAddresses", error))?.addresses.unwrap_or_default())
    };
    let mut found: Vec<Address> = described(tags::of_cluster(&cluster(&scope.cluster))).await?;
    for ids in missing(scope, Kind::ElasticIp, found.iter().filter_map(|it| it.allocation_id())).chunks(FILTER_VALUES) {
        found.extend(described(vec![any_of("allocation-id", ids)]).await?);
    }
    Ok(found)
}

async fn key_pairs(client: &Client, scope: &Scope) -> Result<Vec<KeyPairInfo>, CloudError> {
    let described = async |filters| {
        let answer = client.describe_key_pairs().set_filters(Some(filters)).send().await;
        Ok(answer.map_err(|error| translate("ec2:DescribeKeyPairs", error))?.key_pairs.unwrap_or_default())
    };
    let mut found: Vec<KeyPairInfo> = described(tags::of_cluster(&cluster(&scope.cluster))).await?;
    for names in missing(scope, Kind::KeyPair, found.iter().filter_map(|it| it.key_name())).chunks(FILTER_VALUES) {
        found.extend(described(vec![any_of("key-name", names)]).await?);
    }
    Ok(found)
}

/// The route tables, and the gateway endpoints unless the tables show exactly one that the state knows as the cluster's: asking for it
/// would be a call in every plan. Anybody can put one of another service there.
async fn route_tables(client: &Client, scope: &Scope) -> Result<(Vec<RouteTable>, Option<Vec<VpcEndpoint>>), CloudError> {
    let tables = tagged_or_known!(
        scope,
        RouteTable,
        "ec2:DescribeRouteTables",
        client.describe_route_tables(),
        set_filters,
        "route-table-id",
        route_table_id
    )
    .await?;
    let mut shown: Vec<&str> = tables.iter().flat_map(endpoints_in).collect();
    shown.sort_unstable();
    shown.dedup();
    if let [only] = shown[..]
        && scope.known.get(only).is_some_and(|id| id.kind == Kind::VpcEndpoint)
    {
        return Ok((tables, None));
    }
    let call = client.describe_vpc_endpoints().set_filters(Some(tags::of_cluster(&cluster(&scope.cluster))));
    let endpoints = all!("ec2:DescribeVpcEndpoints", call).await?;
    Ok((tables, Some(endpoints)))
}

/// The gateway endpoints that a table leads to.
pub(super) fn endpoints_in(table: &RouteTable) -> impl Iterator<Item = &str> {
    let to_services = table.routes().iter().filter(|route| route.destination_prefix_list_id().is_some());
    to_services.filter_map(|route| route.gateway_id()).filter(|id| id.starts_with("vpce-"))
}

/// The default versions of the templates that use these profiles. AWS gives the versions of all templates at once, but only with
/// filters of their content: the profile is what all templates of a cluster share with no others.
async fn launch_templates(client: &Client, profiles: &[String]) -> Result<Vec<LaunchTemplateVersion>, CloudError> {
    let mut versions = Vec::new();
    for profiles in profiles.chunks(FILTER_VALUES) {
        let filter = any_of("iam-instance-profile", profiles);
        let call = client.describe_launch_template_versions().versions("$Default").filters(filter).max_results(VERSIONS_PAGE);
        versions.extend(all!("ec2:DescribeLaunchTemplateVersions", call).await?);
    }
    Ok(versions)
}
