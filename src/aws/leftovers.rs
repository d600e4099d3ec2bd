//! What belongs to a cluster and is not in its world: what its controllers made, and what an interrupted run left half-made.
//!
//! Everything is told by tags that name the cluster, or lies in the VPC that the cluster made and carries a controller's tag.
//! A kind is asked for once, whatever is found; what the caller has in its world already may be among the half-made things.
//!
//! Controllers and their tags: the cloud controller (`kubernetes.io/cluster/NAME`), the AWS Load Balancer Controller
//! (`elbv2.k8s.aws/cluster`), the EBS CSI driver (as the cloud controller, with `k8sTagClusterId`), the Amazon VPC CNI
//! (`cluster.k8s.amazonaws.com/name`), Karpenter (as the cloud controller).

mod balancers;
mod data;
mod delete;
mod half_made;
mod place;

use aws_sdk_ec2::types::{Instance, InstanceStateName, NetworkInterface, NetworkInterfaceStatus, SecurityGroup, Tag};

use super::Aws;
use super::error::translate;
use super::facts::filter;
use super::status::find_instances;
use crate::cloud::{CloudError, Leftover, Scope};
use crate::model::tags;

pub(super) use balancers::{Balancers, balancers};
pub(super) use delete::delete;
pub(super) use place::{Place, security_groups};

/// Tag of what the AWS Load Balancer Controller makes; its value is the cluster's name.
const LOAD_BALANCER_CONTROLLER: &str = "elbv2.k8s.aws/cluster";
/// Tag of the interfaces of the Amazon VPC CNI; its value is the cluster's name.
const CNI_CLUSTER: &str = "cluster.k8s.amazonaws.com/name";
/// Tag of the interfaces of the Amazon VPC CNI; its value is an instance.
const CNI_INSTANCE: &str = "node.k8s.amazonaws.com/instance_id";
/// Tag of instances that an autoscaling group has: they go with the group.
pub(super) const OF_GROUP: &str = "aws:autoscaling:groupName";

/// Finds them all.
pub(super) async fn find(aws: &Aws, scope: &Scope) -> Result<Vec<Leftover>, CloudError> {
    let cluster = scope.cluster.as_str();
    let place = Place::find(aws, scope).await?;
    let (half_made, balancers, interfaces, instances, data) = tokio::try_join!(
        half_made::find(aws, scope),
        balancers(aws, scope, &place),
        interfaces(aws, &place),
        find_instances(aws, cluster),
        data::find(aws, cluster),
    )?;
    let mut found = half_made;
    found.extend(balancers.leftovers);
    found.extend(place.groups.iter().filter_map(read_security_group));
    found.extend(interfaces.iter().filter_map(|interface| read_interface(interface, &place)));
    found.extend(instances.iter().filter_map(read_instance));
    found.extend(data);
    // What is the cluster's own by the state lost the tag that says so, and is in the world.
    found.retain(|leftover| matches!(leftover, Leftover::Own { .. }) || !scope.known.contains_key(leftover.id()));
    Ok(found)
}

/// What the cluster and the controllers that know it by the common tag own.
pub(super) fn owned(cluster: &str) -> aws_sdk_ec2::types::Filter {
    filter(&format!("tag:{}", tags::cluster(cluster)), [tags::OWNED.to_owned()])
}

/// Whether tags say that a thing is the cluster's or one of its controllers'.
pub(super) fn is_of_cluster(found: &[Tag], cluster: &str) -> bool {
    value(found, &tags::cluster(cluster)) == Some(tags::OWNED) || value(found, LOAD_BALANCER_CONTROLLER) == Some(cluster)
}

fn read_security_group(group: &SecurityGroup) -> Option<Leftover> {
    if has(group.tags(), tags::ID) {
        return None;
    }
    Some(Leftover::SecurityGroup { id: group.group_id.clone()?, name: group.group_name.clone().unwrap_or_default() })
}

/// Interfaces in the cluster's own VPC, and those of the Amazon VPC CNI in one of others.
async fn interfaces(aws: &Aws, place: &Place) -> Result<Vec<NetworkInterface>, CloudError> {
    let vpcs = place.vpcs();
    if vpcs.is_empty() {
        return Ok(Vec::new());
    }
    let mut filters = vec![filter("vpc-id", vpcs), filter("status", ["available".to_owned()])];
    if place.own_vpcs.is_empty() {
        filters.push(filter("tag-key", [tags::cluster(&place.cluster), CNI_CLUSTER.to_owned()]));
    }
    let call = aws.ec2.describe_network_interfaces().set_filters(Some(filters));
    let all: Result<Vec<NetworkInterface>, _> = call.into_paginator().items().send().collect().await;
    all.map_err(|error| translate("ec2:DescribeNetworkInterfaces", error))
}

/// An interface that nothing will remove by itself.
fn read_interface(interface: &NetworkInterface, place: &Place) -> Option<Leftover> {
    // One that is attached goes with its instance.
    let is_free = interface.status() == Some(&NetworkInterfaceStatus::Available);
    (is_free && is_controllers_interface(interface, place)).then_some(())?;
    let description = interface.description().unwrap_or_default().to_owned();
    Some(Leftover::NetworkInterface { id: interface.network_interface_id.clone()?, description })
}

/// Whether the Amazon VPC CNI made it, or somebody else who knows the cluster's tag.
pub(super) fn is_controllers_interface(interface: &NetworkInterface, place: &Place) -> bool {
    let found = interface.tag_set();
    !has(found, tags::ID)
        && (value(found, &tags::cluster(&place.cluster)) == Some(tags::OWNED)
            || value(found, CNI_CLUSTER) == Some(place.cluster.as_str())
            // Without the name of a cluster: whose it is shows where it is, unless another cluster says that it is its own.
            || (!has(found, CNI_CLUSTER)
                && has(found, CNI_INSTANCE)
                && place.is_own(interface.vpc_id())
                && !names_another_cluster(found, &place.cluster)))
}

fn names_another_cluster(found: &[Tag], cluster: &str) -> bool {
    let (of_any, own) = (tags::cluster(""), tags::cluster(cluster));
    found.iter().filter_map(Tag::key).any(|key| key.starts_with(&of_any) && key != own)
}

/// Instances that something in the cluster launched by itself, such as a node autoscaler.
fn read_instance(instance: &Instance) -> Option<Leftover> {
    let ending = instance.state().and_then(|state| state.name()) == Some(&InstanceStateName::ShuttingDown);
    if ending || has(instance.tags(), OF_GROUP) {
        return None;
    }
    Some(Leftover::Instance { id: instance.instance_id.clone()? })
}

pub(super) fn has(found: &[Tag], key: &str) -> bool {
    value(found, key).is_some()
}

pub(super) fn value<'a>(found: &'a [Tag], key: &str) -> Option<&'a str> {
    found.iter().find(|tag| tag.key() == Some(key)).map(|tag| tag.value().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::InstanceState;

    use super::*;

    const CLUSTER: &str = "demo";
    const OWNED: (&str, &str) = ("kubernetes.io/cluster/demo", "owned");

    pub(super) fn ec2_tags(pairs: &[(&str, &str)]) -> Option<Vec<Tag>> {
        Some(pairs.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect())
    }

    pub(super) fn place(own: &[&str], shared: &[&str]) -> Place {
        let ids = |vpcs: &[&str]| vpcs.iter().map(|vpc| (*vpc).to_owned()).collect();
        Place { cluster: CLUSTER.into(), own_vpcs: ids(own), shared_vpcs: ids(shared), groups: Vec::new() }
    }

    #[test]
    fn interfaces_need_a_tag_and_must_be_free() {
        use NetworkInterfaceStatus::{Available, InUse};
        let interface = |description: &str, status: NetworkInterfaceStatus, pairs: &[(&str, &str)]| {
            NetworkInterface::builder()
                .network_interface_id("eni-1")
                .vpc_id("vpc-1")
                .description(description)
                .status(status)
                .set_tag_set(ec2_tags(pairs))
                .build()
        };
        let (own, shared) = (place(&["vpc-1"], &[]), place(&[], &["vpc-1"]));
        let is_left = |place: &Place, interface: NetworkInterface| read_interface(&interface, place).is_some();
        let of_instance = (CNI_INSTANCE, "i-1");
        assert!(is_left(&own, interface("", Available, &[of_instance])));
        assert!(!is_left(&own, interface("", Available, &[of_instance, (CNI_CLUSTER, "demo2")])), "another cluster's");
        let other = ("kubernetes.io/cluster/demo2", "owned");
        assert!(!is_left(&own, interface("", Available, &[of_instance, other])), "another cluster's");
        assert!(!is_left(&shared, interface("", Available, &[of_instance])), "may be another cluster's");
        assert!(is_left(&shared, interface("", Available, &[of_instance, (CNI_CLUSTER, CLUSTER)])));
        assert!(!is_left(&own, interface("", InUse, &[of_instance])));
        assert!(!is_left(&own, interface("somebody's function", Available, &[])));
        assert!(!is_left(&own, interface("", Available, &[OWNED, (tags::ID, "NetworkInterface/cp-1")])));
    }

    #[test]
    fn instances_of_groups_go_with_the_group() {
        let instance = |pairs: &[(&str, &str)], state| {
            let state = InstanceState::builder().name(state).build();
            Instance::builder().instance_id("i-1").state(state).set_tags(ec2_tags(pairs)).build()
        };
        assert!(read_instance(&instance(&[OWNED], InstanceStateName::Running)).is_some());
        assert!(read_instance(&instance(&[OWNED], InstanceStateName::ShuttingDown)).is_none());
        assert!(read_instance(&instance(&[OWNED, (OF_GROUP, "g")], InstanceStateName::Running)).is_none());
    }
}
