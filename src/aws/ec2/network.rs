//! VPC, internet gateway, subnets and the gateway endpoint of S3.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, State, VpcEndpoint as VpcEndpointDescription, VpcEndpointType};
use ipnet::Ipv4Net;

use super::repeat::only_if_without_effect;
use super::tags;
use super::visible::{find_made, made_or_foreign, once_visible};
use crate::aws::error::{answer_without, own, translate};
use crate::aws::reference::{resolve, resolve_all};
use crate::cloud::{CloudError, Creation, ErrorClass, Outputs, Physical};
use crate::model::tags::ID;
use crate::model::{InternetGateway, ResourceId, Subnet, Tags, Vpc, VpcEndpoint};

pub(super) async fn create_vpc(client: &Client, creation: &Creation<'_>, vpc: &Vpc) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:CreateVpc";
    let made = if creation.retry { find_made(|| find_vpc(client, &vpc.tags)).await? } else { None };
    let id = match made {
        Some(id) => id,
        None => {
            let call = client
                .create_vpc()
                .cidr_block(vpc.cidr.to_string())
                .tag_specifications(tags::specification(ResourceType::Vpc, &vpc.tags));
            let answer = call.customize().config_override(only_if_without_effect()).send().await;
            let answer = answer.map_err(|error| translate(OPERATION, error))?;
            answer.vpc.and_then(|vpc| vpc.vpc_id).ok_or_else(|| answer_without(OPERATION, "vpcId"))?
        }
    };
    // AWS makes a VPC with DNS support and without DNS host names.
    if vpc.dns_hostnames {
        once_visible(|| set_dns_hostnames(client, &id, true)).await?;
    }
    Ok(Physical::new(id))
}

async fn find_vpc(client: &Client, wanted: &Tags) -> Result<Option<String>, CloudError> {
    let call = client.describe_vpcs().set_filters(Some(tags::of_resource(wanted)));
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeVpcs", error))?;
    Ok(answer.vpcs.unwrap_or_default().into_iter().find_map(|vpc| vpc.vpc_id))
}

async fn set_dns_hostnames(client: &Client, id: &str, enabled: bool) -> Result<(), CloudError> {
    let value = AttributeBooleanValue::builder().value(enabled).build();
    let call = client.modify_vpc_attribute().vpc_id(id).enable_dns_hostnames(value);
    call.send().await.map_err(|error| translate("ec2:ModifyVpcAttribute", error))?;
    Ok(())
}

pub(super) async fn update_vpc(client: &Client, id: &str, observed: &Vpc, desired: &Vpc) -> Result<(), CloudError> {
    if observed.dns_hostnames != desired.dns_hostnames {
        set_dns_hostnames(client, id, desired.dns_hostnames).await?;
    }
    tags::update(client, id, &observed.tags, &desired.tags).await
}

pub(super) async fn delete_vpc(client: &Client, id: &str) -> Result<(), CloudError> {
    client.delete_vpc().vpc_id(id).send().await.map_err(|error| translate("ec2:DeleteVpc", error))?;
    Ok(())
}

pub(super) async fn create_internet_gateway(
    client: &Client,
    creation: &Creation<'_>,
    gateway: &InternetGateway,
    outputs: &Outputs,
) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:CreateInternetGateway";
    let vpc = resolve(OPERATION, outputs, &gateway.vpc)?;
    let made = if creation.retry { find_made(|| find_internet_gateway(client, &gateway.tags)).await? } else { None };
    let id = match made {
        Some(id) => id,
        None => {
            let specification = tags::specification(ResourceType::InternetGateway, &gateway.tags);
            let call = client.create_internet_gateway().tag_specifications(specification);
            let answer = call.customize().config_override(only_if_without_effect()).send().await;
            let gateway = answer.map_err(|error| translate(OPERATION, error))?.internet_gateway;
            gateway
                .and_then(|gateway| gateway.internet_gateway_id)
                .ok_or_else(|| answer_without(OPERATION, "internetGatewayId"))?
        }
    };
    match once_visible(|| attach_internet_gateway(client, &id, &vpc)).await {
        // InvalidParameterValue: the network has a gateway already, which is not known as the cluster's, and takes no second one.
        Err(error) if error.class == ErrorClass::Invalid => {
            let call = client.delete_internet_gateway().internet_gateway_id(&id);
            call.send().await.map_err(|error| translate("ec2:DeleteInternetGateway", error))?;
            Err(error)
        }
        attached => attached.map(|()| Physical::new(id)),
    }
}

async fn find_internet_gateway(client: &Client, wanted: &Tags) -> Result<Option<String>, CloudError> {
    let call = client.describe_internet_gateways().set_filters(Some(tags::of_resource(wanted)));
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeInternetGateways", error))?;
    Ok(answer.internet_gateways.unwrap_or_default().into_iter().find_map(|gateway| gateway.internet_gateway_id))
}

async fn attach_internet_gateway(client: &Client, id: &str, vpc: &str) -> Result<(), CloudError> {
    let call = client.attach_internet_gateway().internet_gateway_id(id).vpc_id(vpc);
    match call.send().await.map_err(|error| translate("ec2:AttachInternetGateway", error)) {
        // AWS says Resource.AlreadyAssociated whichever VPC it is attached to.
        Err(error) if error.class == ErrorClass::AlreadyExists => match attached_vpc(client, id).await? {
            Some(attached) if attached == vpc => Ok(()),
            Some(_) | None => Err(error),
        },
        result => result.map(|_| ()),
    }
}

async fn attached_vpc(client: &Client, id: &str) -> Result<Option<String>, CloudError> {
    let call = client.describe_internet_gateways().internet_gateway_ids(id);
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeInternetGateways", error))?;
    let attachments = answer.internet_gateways.unwrap_or_default().into_iter().flat_map(|gateway| gateway.attachments);
    Ok(attachments.flatten().find_map(|attachment| attachment.vpc_id))
}

async fn detach_internet_gateway(client: &Client, id: &str) -> Result<(), CloudError> {
    if let Some(vpc) = attached_vpc(client, id).await? {
        let call = client.detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc);
        call.send().await.map_err(|error| translate("ec2:DetachInternetGateway", error))?;
    }
    Ok(())
}

pub(super) async fn update_internet_gateway(
    client: &Client,
    id: &str,
    observed: &InternetGateway,
    desired: &InternetGateway,
    outputs: &Outputs,
) -> Result<(), CloudError> {
    if observed.vpc != desired.vpc {
        let vpc = resolve("ec2:AttachInternetGateway", outputs, &desired.vpc)?;
        detach_internet_gateway(client, id).await?;
        attach_internet_gateway(client, id, &vpc).await?;
    }
    tags::update(client, id, &observed.tags, &desired.tags).await
}

pub(super) async fn delete_internet_gateway(client: &Client, id: &str) -> Result<(), CloudError> {
    detach_internet_gateway(client, id).await?;
    let call = client.delete_internet_gateway().internet_gateway_id(id);
    call.send().await.map_err(|error| translate("ec2:DeleteInternetGateway", error))?;
    Ok(())
}

pub(super) async fn create_subnet(client: &Client, subnet: &Subnet, outputs: &Outputs) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:CreateSubnet";
    let call = client
        .create_subnet()
        .vpc_id(resolve(OPERATION, outputs, &subnet.vpc)?)
        .availability_zone(&subnet.zone)
        .cidr_block(subnet.cidr.to_string())
        .tag_specifications(tags::specification(ResourceType::Subnet, &subnet.tags));
    let id = match call.send().await.map_err(|error| translate(OPERATION, error)) {
        Ok(answer) => answer.subnet.and_then(|subnet| subnet.subnet_id).ok_or_else(|| answer_without(OPERATION, "subnetId"))?,
        // InvalidSubnet.Conflict: the range is taken, by an attempt whose answer was lost or by somebody else's subnet.
        Err(error) if error.class == ErrorClass::AlreadyExists => {
            let foreign = || subnet_in_the_way(client, subnet, outputs);
            made_or_foreign(error, || find_subnet(client, &subnet.tags), foreign).await?
        }
        Err(error) => return Err(error),
    };
    if subnet.map_public_ip {
        once_visible(|| set_map_public_ip(client, &id, true)).await?;
    }
    Ok(Physical::new(id))
}

/// Whether a subnet has part of the range, and is not the one that was looked for.
async fn subnet_in_the_way(client: &Client, subnet: &Subnet, outputs: &Outputs) -> Result<bool, CloudError> {
    const OPERATION: &str = "ec2:DescribeSubnets";
    let vpc = tags::filter("vpc-id", resolve(OPERATION, outputs, &subnet.vpc)?);
    let subnets = client.describe_subnets().filters(vpc).into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let subnets = subnets.map_err(|error| translate(OPERATION, error))?;
    let mut ranges = subnets.iter().filter_map(|it| it.cidr_block()?.parse::<Ipv4Net>().ok());
    Ok(ranges.any(|range| range.contains(&subnet.cidr) || subnet.cidr.contains(&range)))
}

async fn find_subnet(client: &Client, wanted: &Tags) -> Result<Option<String>, CloudError> {
    let call = client.describe_subnets().set_filters(Some(tags::of_resource(wanted)));
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeSubnets", error))?;
    Ok(answer.subnets.unwrap_or_default().into_iter().find_map(|subnet| subnet.subnet_id))
}

async fn set_map_public_ip(client: &Client, id: &str, enabled: bool) -> Result<(), CloudError> {
    let value = AttributeBooleanValue::builder().value(enabled).build();
    let call = client.modify_subnet_attribute().subnet_id(id).map_public_ip_on_launch(value);
    call.send().await.map_err(|error| translate("ec2:ModifySubnetAttribute", error))?;
    Ok(())
}

pub(super) async fn update_subnet(client: &Client, id: &str, observed: &Subnet, desired: &Subnet) -> Result<(), CloudError> {
    if observed.map_public_ip != desired.map_public_ip {
        set_map_public_ip(client, id, desired.map_public_ip).await?;
    }
    tags::update(client, id, &observed.tags, &desired.tags).await
}

pub(super) async fn delete_subnet(client: &Client, id: &str) -> Result<(), CloudError> {
    client.delete_subnet().subnet_id(id).send().await.map_err(|error| translate("ec2:DeleteSubnet", error))?;
    Ok(())
}

pub(super) async fn create_vpc_endpoint(
    client: &Client,
    creation: &Creation<'_>,
    endpoint: &VpcEndpoint,
    outputs: &Outputs,
) -> Result<Physical, CloudError> {
    const OPERATION: &str = "ec2:CreateVpcEndpoint";
    let call = client
        .create_vpc_endpoint()
        .client_token(creation.token)
        .vpc_endpoint_type(VpcEndpointType::Gateway)
        .vpc_id(resolve(OPERATION, outputs, &endpoint.vpc)?)
        .service_name(&endpoint.service)
        .set_route_table_ids(Some(resolve_all(OPERATION, outputs, &endpoint.route_tables)?))
        .tag_specifications(tags::specification(ResourceType::VpcEndpoint, &endpoint.tags));
    let id = match call.send().await.map_err(|error| translate(OPERATION, error)) {
        Ok(answer) => answer
            .vpc_endpoint
            .and_then(|endpoint| endpoint.vpc_endpoint_id)
            .ok_or_else(|| answer_without(OPERATION, "vpcEndpointId"))?,
        // RouteAlreadyExists: a table leads to an endpoint of the service already, maybe to ours.
        Err(error) if error.class == ErrorClass::AlreadyExists => {
            let foreign = || endpoint_in_the_way(client, endpoint, outputs);
            made_or_foreign(error, || find_vpc_endpoint(client, &endpoint.tags), foreign).await?
        }
        Err(error) => return Err(error),
    };
    Ok(Physical::new(id))
}

/// Whether there is an endpoint of the service in the VPC that is not the one that was looked for.
async fn endpoint_in_the_way(client: &Client, endpoint: &VpcEndpoint, outputs: &Outputs) -> Result<bool, CloudError> {
    const OPERATION: &str = "ec2:DescribeVpcEndpoints";
    let vpc = tags::filter("vpc-id", resolve(OPERATION, outputs, &endpoint.vpc)?);
    let call = client.describe_vpc_endpoints().filters(vpc).filters(tags::filter("service-name", &endpoint.service));
    let answer = call.send().await.map_err(|error| translate(OPERATION, error))?;
    Ok(!answer.vpc_endpoints().is_empty())
}

async fn find_vpc_endpoint(client: &Client, wanted: &Tags) -> Result<Option<String>, CloudError> {
    let call = client.describe_vpc_endpoints().set_filters(Some(tags::of_resource(wanted)));
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeVpcEndpoints", error))?;
    Ok(answer.vpc_endpoints.unwrap_or_default().into_iter().find_map(|endpoint| endpoint.vpc_endpoint_id))
}

pub(super) async fn update_vpc_endpoint(
    client: &Client,
    id: &str,
    observed: &VpcEndpoint,
    desired: &VpcEndpoint,
    outputs: &Outputs,
) -> Result<(), CloudError> {
    const OPERATION: &str = "ec2:ModifyVpcEndpoint";
    // Observation may know it from the routes in the cluster's tables, which do not name its service.
    let described = client.describe_vpc_endpoints().vpc_endpoint_ids(id).send().await;
    let described = described.map_err(|error| translate("ec2:DescribeVpcEndpoints", error))?;
    if let Some(other) = described.vpc_endpoints().iter().filter_map(|it| it.service_name()).find(|it| *it != desired.service) {
        return Err(own(OPERATION, ErrorClass::Invalid, format!("{id} leads to {other} and is not the cluster's")));
    }
    let missing: Vec<_> = desired.route_tables.iter().filter(|table| !observed.route_tables.contains(table)).cloned().collect();
    let surplus: Vec<_> = observed.route_tables.iter().filter(|table| !desired.route_tables.contains(table)).cloned().collect();
    let call = client
        .modify_vpc_endpoint()
        .vpc_endpoint_id(id)
        .set_add_route_table_ids(Some(resolve_all(OPERATION, outputs, &missing)?))
        .set_remove_route_table_ids(Some(resolve_all(OPERATION, outputs, &surplus)?));
    call.send().await.map_err(|error| translate(OPERATION, error))?;
    Ok(())
}

/// State of the endpoint if it is the cluster's. Observation may know it from the routes in the cluster's tables only, and
/// anybody can put an endpoint there; its tags tell.
async fn own_vpc_endpoint(client: &Client, logical: &ResourceId, id: &str) -> Result<Option<State>, CloudError> {
    let call = client.describe_vpc_endpoints().vpc_endpoint_ids(id);
    let answer = match call.send().await.map_err(|error| translate("ec2:DescribeVpcEndpoints", error)) {
        Err(error) if error.class == ErrorClass::NotFound => return Ok(None),
        answer => answer?,
    };
    let carries_id = |endpoint: &&VpcEndpointDescription| {
        endpoint.tags().iter().any(|tag| tag.key() == Some(ID) && tag.value() == Some(&logical.to_string()))
    };
    Ok(answer.vpc_endpoints().iter().find(carries_id).and_then(|endpoint| endpoint.state.clone()))
}

pub(super) async fn delete_vpc_endpoint(client: &Client, logical: &ResourceId, id: &str) -> Result<(), CloudError> {
    const OPERATION: &str = "ec2:DeleteVpcEndpoints";
    if own_vpc_endpoint(client, logical, id).await?.is_none() {
        return Ok(());
    }
    let call = client.delete_vpc_endpoints().vpc_endpoint_ids(id);
    let answer = call.send().await.map_err(|error| translate(OPERATION, error))?;
    // The call succeeds whether or not the deletion does.
    match answer.unsuccessful.unwrap_or_default().into_iter().find_map(|item| item.error) {
        None => Ok(()),
        Some(error) if error.code().is_some_and(|code| code.contains("NotFound")) => Ok(()),
        Some(error) => {
            let mut failure = own(OPERATION, ErrorClass::Other, error.message.unwrap_or_default());
            failure.code = error.code;
            Err(failure)
        }
    }
}

pub(super) async fn is_vpc_endpoint_gone(client: &Client, logical: &ResourceId, id: &str) -> Result<bool, CloudError> {
    Ok(matches!(own_vpc_endpoint(client, logical, id).await?, None | Some(State::Deleted)))
}
