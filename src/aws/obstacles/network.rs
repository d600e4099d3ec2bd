//! The parts of a VPC that AWS does not delete with it, as far as they are found by the VPC.

use aws_sdk_ec2::types::{NatGatewayState, State, VpcPeeringConnectionStateReasonCode as Peering};

use super::Thing;
use crate::aws::Aws;
use crate::aws::error::translate;
use crate::aws::facts::filter;
use crate::aws::leftovers::{Place, security_groups};
use crate::cloud::CloudError;

/// All pages of a call.
macro_rules! all {
    ($operation:literal, $call:expr) => {
        async {
            let items = $call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
            items.map_err(|error| translate($operation, error))
        }
    };
}

/// Everything in the cluster's own VPCs, its own among it.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) things: Vec<Thing>,
    /// What is on its way out by itself, in words.
    pub(super) going: Vec<String>,
}

pub(super) async fn find(aws: &Aws, place: &Place) -> Result<Parts, CloudError> {
    if place.own_vpcs.is_empty() {
        return Ok(Parts::default());
    }
    let (mut parts, connections) = tokio::try_join!(parts(aws, place), connections(aws, place))?;
    parts.things.extend(connections);
    Ok(parts)
}

async fn parts(aws: &Aws, place: &Place) -> Result<Parts, CloudError> {
    let ec2 = &aws.ec2;
    let here = |name: &str| filter(name, place.own_vpcs.clone());
    let (subnets, tables, gateways, internet_gateways, acls, endpoints, groups) = tokio::try_join!(
        all!("ec2:DescribeSubnets", ec2.describe_subnets().filters(here("vpc-id"))),
        all!("ec2:DescribeRouteTables", ec2.describe_route_tables().filters(here("vpc-id"))),
        all!("ec2:DescribeNatGateways", ec2.describe_nat_gateways().filter(here("vpc-id"))),
        all!("ec2:DescribeInternetGateways", ec2.describe_internet_gateways().filters(here("attachment.vpc-id"))),
        all!(
            "ec2:DescribeNetworkAcls",
            ec2.describe_network_acls().filters(here("vpc-id")).filters(filter("default", ["false".to_owned()]))
        ),
        all!("ec2:DescribeVpcEndpoints", ec2.describe_vpc_endpoints().filters(here("vpc-id"))),
        security_groups(aws, vec![here("vpc-id")]),
    )?;
    let gateways_going = gateways.iter().filter(|it| it.state() == Some(&NatGatewayState::Deleting));
    let gateways_going =
        gateways_going.filter_map(|it| Some(format!("NatGateway/{}, which is taken down", it.nat_gateway_id()?)));
    let endpoints_going = endpoints.iter().filter(|it| it.state() == Some(&State::Deleting));
    let endpoints_going =
        endpoints_going.filter_map(|it| Some(format!("VpcEndpoint/{}, which is taken down", it.vpc_endpoint_id()?)));
    let going = gateways_going.chain(endpoints_going).collect();
    let mut found = Vec::new();
    found.extend(subnets.into_iter().filter_map(|it| {
        Some(Thing {
            kind: "Subnet",
            id: it.subnet_id?,
            account: it.owner_id,
            tags: it.tags.unwrap_or_default(),
            description: it.cidr_block,
            keeps: it.vpc_id.unwrap_or_default(),
        })
    }));
    // The main one goes with the VPC.
    let is_main = |table: &aws_sdk_ec2::types::RouteTable| table.associations().iter().any(|it| it.main() == Some(true));
    found.extend(tables.into_iter().filter(|table| !is_main(table)).filter_map(|it| {
        let of_subnets: Vec<&str> = it.associations().iter().filter_map(|association| association.subnet_id()).collect();
        let description = (!of_subnets.is_empty()).then(|| format!("of {}", of_subnets.join(", ")));
        Some(Thing {
            kind: "RouteTable",
            description,
            id: it.route_table_id?,
            account: it.owner_id,
            tags: it.tags.unwrap_or_default(),
            keeps: it.vpc_id.unwrap_or_default(),
        })
    }));
    let lives = |state: Option<&NatGatewayState>| matches!(state, Some(NatGatewayState::Available | NatGatewayState::Pending));
    found.extend(gateways.into_iter().filter(|it| lives(it.state())).filter_map(|it| {
        Some(Thing {
            kind: "NatGateway",
            id: it.nat_gateway_id?,
            account: None,
            tags: it.tags.unwrap_or_default(),
            description: None,
            keeps: it.subnet_id.unwrap_or_default(),
        })
    }));
    found.extend(internet_gateways.into_iter().filter_map(|it| {
        let keeps = it.attachments().iter().find_map(|attachment| attachment.vpc_id()).unwrap_or_default().to_owned();
        Some(Thing {
            kind: "InternetGateway",
            id: it.internet_gateway_id?,
            account: it.owner_id,
            tags: it.tags.unwrap_or_default(),
            description: None,
            keeps,
        })
    }));
    found.extend(acls.into_iter().filter_map(|it| {
        Some(Thing {
            kind: "NetworkAcl",
            id: it.network_acl_id?,
            account: it.owner_id,
            tags: it.tags.unwrap_or_default(),
            description: None,
            keeps: it.vpc_id.unwrap_or_default(),
        })
    }));
    let is_there = |state: Option<&State>| !matches!(state, Some(State::Deleting | State::Deleted));
    found.extend(endpoints.into_iter().filter(|it| is_there(it.state())).filter_map(|it| {
        Some(Thing {
            kind: "VpcEndpoint",
            id: it.vpc_endpoint_id?,
            account: it.owner_id,
            tags: it.tags.unwrap_or_default(),
            description: it.service_name,
            keeps: it.vpc_id.unwrap_or_default(),
        })
    }));
    // The default one goes with the VPC.
    found.extend(groups.into_iter().filter(|group| group.group_name() != Some("default")).filter_map(|it| {
        Some(Thing {
            kind: "SecurityGroup",
            id: it.group_id?,
            account: it.owner_id,
            tags: it.tags.unwrap_or_default(),
            description: it.group_name,
            keeps: it.vpc_id.unwrap_or_default(),
        })
    }));
    Ok(Parts { things: found, going })
}

/// What leads from the VPC to somewhere else. Peering connections go with a VPC in some cases: deleting it is tried all the same.
async fn connections(aws: &Aws, place: &Place) -> Result<Vec<Thing>, CloudError> {
    let ec2 = &aws.ec2;
    let here = |name: &str| filter(name, place.own_vpcs.clone());
    let vpn_gateways = async {
        let answer = ec2.describe_vpn_gateways().filters(here("attachment.vpc-id")).send().await;
        Ok(answer.map_err(|error| translate("ec2:DescribeVpnGateways", error))?.vpn_gateways.unwrap_or_default())
    };
    let (asked, accepted, vpn_gateways) = tokio::try_join!(
        all!(
            "ec2:DescribeVpcPeeringConnections",
            ec2.describe_vpc_peering_connections().filters(here("requester-vpc-info.vpc-id"))
        ),
        all!(
            "ec2:DescribeVpcPeeringConnections",
            ec2.describe_vpc_peering_connections().filters(here("accepter-vpc-info.vpc-id"))
        ),
        vpn_gateways,
    )?;
    let mut found = Vec::new();
    for peering in asked.into_iter().chain(accepted) {
        let lives = peering.status().and_then(|status| status.code());
        if !matches!(
            lives,
            Some(Peering::Active | Peering::PendingAcceptance | Peering::Provisioning | Peering::InitiatingRequest)
        ) {
            continue;
        }
        let ends = [peering.requester_vpc_info(), peering.accepter_vpc_info()];
        let is_here = |vpc: Option<&str>| place.is_own(vpc);
        let other = ends.into_iter().flatten().find(|end| !is_here(end.vpc_id()));
        let own = ends.into_iter().flatten().find_map(|end| end.vpc_id().filter(|vpc| is_here(Some(vpc))));
        let keeps = own.unwrap_or_default().to_owned();
        let description = other.and_then(|end| end.vpc_id()).map(|vpc| format!("to {vpc}"));
        let account = other.and_then(|end| end.owner_id.clone());
        let Some(id) = peering.vpc_peering_connection_id.clone() else { continue };
        found.push(Thing {
            kind: "VpcPeeringConnection",
            id,
            account,
            tags: peering.tags.unwrap_or_default(),
            description,
            keeps,
        });
    }
    found.extend(vpn_gateways.into_iter().filter_map(|it| {
        let keeps = it.vpc_attachments().iter().find_map(|attachment| attachment.vpc_id().filter(|vpc| place.is_own(Some(vpc))));
        Some(Thing {
            kind: "VpnGateway",
            keeps: keeps.unwrap_or_default().to_owned(),
            id: it.vpn_gateway_id?,
            account: None,
            tags: it.tags.unwrap_or_default(),
            description: None,
        })
    }));
    Ok(found)
}
