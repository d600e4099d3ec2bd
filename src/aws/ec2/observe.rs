//! Reading a cluster's EC2 resources: one call for each type, all at once, whatever their number.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    Address, InternetGateway, KeyPairInfo, LaunchTemplateVersion, NatGateway, NetworkInterface, RouteTable, SecurityGroup,
    Subnet, Volume, Vpc, VpcAttributeName, VpcEndpoint,
};

use super::tags;
use crate::aws::error::translate;
use crate::cloud::{CloudError, ErrorClass, Scope};
use crate::model::tags::cluster;

/// Largest page that `DescribeLaunchTemplateVersions` gives.
const VERSIONS_PAGE: i32 = 200;
/// Largest number of values in one filter.
const FILTER_VALUES: usize = 200;

/// EC2's answers, before they are put into the model's words.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Name of the tag that marks what the cluster owns.
    pub(super) ownership: String,
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

pub(crate) async fn observe(client: &Client, region: &str, scope: &Scope) -> Result<Answers, CloudError> {
    let ownership = cluster(&scope.cluster);
    let filters = || tags::of_cluster(&ownership);
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
        vpcs(client, &ownership),
        all!("ec2:DescribeSubnets", client.describe_subnets().set_filters(Some(filters()))),
        all!("ec2:DescribeInternetGateways", client.describe_internet_gateways().set_filters(Some(filters()))),
        addresses(client, &ownership),
        all!("ec2:DescribeNatGateways", client.describe_nat_gateways().set_filter(Some(filters()))),
        route_tables(client, &ownership),
        all!("ec2:DescribeSecurityGroups", client.describe_security_groups().set_filters(Some(filters()))),
        key_pairs(client, &ownership),
        all!("ec2:DescribeNetworkInterfaces", client.describe_network_interfaces().set_filters(Some(filters()))),
        all!("ec2:DescribeVolumes", client.describe_volumes().set_filters(Some(filters()))),
        launch_templates(client, &scope.instance_profiles),
    )?;
    Ok(Answers {
        ownership,
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
async fn vpcs(client: &Client, ownership: &str) -> Result<(Vec<Vpc>, Vec<bool>), CloudError> {
    let vpcs = all!("ec2:DescribeVpcs", client.describe_vpcs().set_filters(Some(tags::of_cluster(ownership)))).await?;
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

async fn addresses(client: &Client, ownership: &str) -> Result<Vec<Address>, CloudError> {
    let call = client.describe_addresses().set_filters(Some(tags::of_cluster(ownership)));
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeAddresses", error))?;
    Ok(answer.addresses.unwrap_or_default())
}

async fn key_pairs(client: &Client, ownership: &str) -> Result<Vec<KeyPairInfo>, CloudError> {
    let call = client.describe_key_pairs().set_filters(Some(tags::of_cluster(ownership)));
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeKeyPairs", error))?;
    Ok(answer.key_pairs.unwrap_or_default())
}

/// The route tables, and the gateway endpoints unless the tables show exactly one: then that is the cluster's, and asking for it
/// would be a call in every plan.
async fn route_tables(client: &Client, ownership: &str) -> Result<(Vec<RouteTable>, Option<Vec<VpcEndpoint>>), CloudError> {
    let tables =
        all!("ec2:DescribeRouteTables", client.describe_route_tables().set_filters(Some(tags::of_cluster(ownership)))).await?;
    let mut shown: Vec<&str> = tables.iter().flat_map(endpoints_in).collect();
    shown.sort_unstable();
    shown.dedup();
    if shown.len() == 1 {
        return Ok((tables, None));
    }
    let call = client.describe_vpc_endpoints().set_filters(Some(tags::of_cluster(ownership)));
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
        let filter = aws_sdk_ec2::types::Filter::builder().name("iam-instance-profile").set_values(Some(profiles.to_vec()));
        let call =
            client.describe_launch_template_versions().versions("$Default").filters(filter.build()).max_results(VERSIONS_PAGE);
        versions.extend(all!("ec2:DescribeLaunchTemplateVersions", call).await?);
    }
    Ok(versions)
}
