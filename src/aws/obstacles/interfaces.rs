//! Network interfaces: nearly everything that lives in a VPC has one, and that is what keeps subnets and security groups.

use aws_sdk_ec2::types::NetworkInterface;

use super::{View, owner};
use crate::aws::Aws;
use crate::aws::error::translate;
use crate::aws::facts::filter;
use crate::aws::leftovers::{Place, is_controllers_interface};
use crate::cloud::{Blocker, CloudError, Obstacles};

/// All in the cluster's own VPCs, and in shared ones those that wear its groups.
pub(super) async fn find(aws: &Aws, place: &Place) -> Result<Vec<NetworkInterface>, CloudError> {
    let own =
        async { if place.own_vpcs.is_empty() { Ok(Vec::new()) } else { described(aws, "vpc-id", place.own_vpcs.clone()).await } };
    let shared = |group: &aws_sdk_ec2::types::SecurityGroup| !place.is_own(group.vpc_id());
    let groups: Vec<String> =
        place.groups.iter().filter(|group| shared(group)).filter_map(|group| group.group_id.clone()).collect();
    let wearing = async {
        let mut found = Vec::new();
        for groups in groups.chunks(super::FILTER_VALUES) {
            found.extend(described(aws, "group-id", groups.to_vec()).await?);
        }
        Ok(found)
    };
    let (mut found, wearing) = tokio::try_join!(own, wearing)?;
    found.extend(wearing);
    Ok(found)
}

async fn described(aws: &Aws, by: &str, values: Vec<String>) -> Result<Vec<NetworkInterface>, CloudError> {
    let pages = aws.ec2.describe_network_interfaces().filters(filter(by, values)).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(|error| translate("ec2:DescribeNetworkInterfaces", error))
}

impl View<'_> {
    pub(super) fn interface(&self, interface: &NetworkInterface, found: &mut Obstacles) {
        let Some(id) = interface.network_interface_id() else { return };
        let description = interface.description().unwrap_or_default();
        let in_own_vpc = self.place.is_own(interface.vpc_id());
        if self.is_ours(id, interface.tag_set()) || is_controllers_interface(interface, self.place) {
            return;
        }
        // In the cluster's own VPC these are looked at themselves.
        let is_attached = interface.attachment().and_then(|attachment| attachment.instance_id()).is_some();
        if in_own_vpc && (is_attached || belongs_to_a_service(interface)) {
            return;
        }
        if let Some(handle) = description.strip_prefix("ELB ") {
            if self.balancers.own_handles.contains(handle) || (in_own_vpc && self.balancers.handles.contains(handle)) {
                return;
            }
            if !self.balancers.handles.contains(handle) {
                // It lingers for minutes.
                found.going.push(format!("NetworkInterface/{id} of the load balancer {handle}, which is gone"));
                return;
            }
        }
        let instance = interface.attachment().and_then(|attachment| attachment.instance_id());
        let what = match instance {
            Some(instance) => format!("{description} of {instance}").trim_start().to_owned(),
            None => description.to_owned(),
        };
        let worn = interface.groups().iter().filter_map(|group| group.group_id()).filter(|group| self.place.has_group(group));
        let mut keeps: Vec<&str> = if in_own_vpc { interface.subnet_id().into_iter().collect() } else { Vec::new() };
        keeps.extend(worn);
        let requester = interface.requester_managed().unwrap_or_default().then(|| interface.requester_id()).flatten();
        found.blockers.push(Blocker {
            kind: "NetworkInterface",
            id: id.to_owned(),
            description: (!what.is_empty()).then_some(what),
            owner: owner(interface.owner_id(), requester, interface.tag_set()),
            keeps: keeps.join(", "),
        });
    }
}

/// Whether it is part of a NAT gateway or an endpoint.
fn belongs_to_a_service(interface: &NetworkInterface) -> bool {
    // EC2's model knows "natGateway"; what EC2 answers is "nat_gateway".
    let kind = interface.interface_type().map(|kind| kind.as_str());
    matches!(kind, Some("nat_gateway" | "natGateway" | "vpc_endpoint" | "gateway_load_balancer_endpoint"))
}
