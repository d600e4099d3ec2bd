//! What belongs to a cluster and is not in its world: what its controllers made, and what an interrupted run left half-made.
//!
//! Everything is told by tags that name the cluster, or lies in the VPC that the cluster made and carries a controller's tag.
//! A kind is asked for once, whatever is found; what the caller has in its world already may be among the half-made things.

mod delete;
mod half_made;

use aws_sdk_ec2::types::{
    Instance, InstanceStateName, NetworkInterface, NetworkInterfaceStatus, SecurityGroup, Tag, Volume, VolumeState,
};
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, TagDescription, TargetGroup};

use super::Aws;
use super::error::translate;
use super::facts::filter;
use super::status::find_instances;
use crate::cloud::{CloudError, ErrorClass, Leftover, Scope};
use crate::model::tags;

pub(super) use delete::delete;

/// Tag of what the AWS Load Balancer Controller makes; its value is the cluster's name.
const LOAD_BALANCER_CONTROLLER: &str = "elbv2.k8s.aws/cluster";
/// Tag of the interfaces of the Amazon VPC CNI; its value is the cluster's name.
const CNI_CLUSTER: &str = "cluster.k8s.amazonaws.com/name";
/// Tag of the interfaces of the Amazon VPC CNI; its value is an instance.
const CNI_INSTANCE: &str = "node.k8s.amazonaws.com/instance_id";
/// Tag of instances that an autoscaling group has: they go with the group.
const OF_GROUP: &str = "aws:autoscaling:groupName";
/// Tags of volumes of persistent volume claims.
const CLAIM_NAMESPACE: &str = "kubernetes.io/created-for/pvc/namespace";
const CLAIM_NAME: &str = "kubernetes.io/created-for/pvc/name";

/// `DescribeTags` of Elastic Load Balancing takes so many ARNs.
const TAGS_PAGE: usize = 20;

/// Finds them all.
pub(super) async fn find(aws: &Aws, scope: &Scope) -> Result<Vec<Leftover>, CloudError> {
    let cluster = scope.cluster.as_str();
    let own_vpc = own_vpc(aws, cluster).await?;
    let (half_made, load_balancers, groups, (security_groups, interfaces), instances, volumes) = tokio::try_join!(
        half_made::find(aws, cluster),
        load_balancers(aws, scope, own_vpc.as_deref()),
        target_groups(aws, scope, own_vpc.as_deref()),
        async {
            let groups = security_groups(aws, cluster).await?;
            let interfaces = interfaces(aws, scope, own_vpc.as_deref(), &groups).await?;
            Ok((groups, interfaces))
        },
        find_instances(aws, cluster),
        volumes(aws, cluster),
    )?;
    let mut found = half_made;
    found.extend(load_balancers);
    found.extend(groups);
    found.extend(security_groups.iter().filter_map(read_security_group));
    found.extend(interfaces);
    found.extend(instances.iter().filter_map(read_instance));
    found.extend(volumes.iter().filter_map(read_volume));
    Ok(found)
}

/// The VPC that the cluster made for itself.
async fn own_vpc(aws: &Aws, cluster: &str) -> Result<Option<String>, CloudError> {
    let call = aws.ec2.describe_vpcs().filters(owned(cluster)).filters(filter("tag-key", [tags::ID.to_owned()]));
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeVpcs", error))?;
    Ok(answer.vpcs.unwrap_or_default().into_iter().find_map(|vpc| vpc.vpc_id))
}

fn owned(cluster: &str) -> aws_sdk_ec2::types::Filter {
    filter(&format!("tag:{}", tags::cluster(cluster)), [tags::OWNED.to_owned()])
}

/// Load balancers of controllers in the cluster's VPC: only those are asked for their tags, twenty at a time.
async fn load_balancers(aws: &Aws, scope: &Scope, own_vpc: Option<&str>) -> Result<Vec<Leftover>, CloudError> {
    let Some(vpc) = own_vpc.or(scope.vpc.as_deref()) else { return Ok(Vec::new()) };
    let pages = aws.elbv2.describe_load_balancers().into_paginator().items().send();
    let all: Result<Vec<LoadBalancer>, _> = pages.collect().await;
    let all = all.map_err(|error| translate("elasticloadbalancing:DescribeLoadBalancers", error))?;
    let candidates = all.into_iter().filter(|found| {
        found.vpc_id() == Some(vpc) && found.load_balancer_name.as_deref() != scope.load_balancer_name.as_deref()
    });
    let named = candidates.filter_map(|found| Some((found.load_balancer_arn?, found.load_balancer_name.unwrap_or_default())));
    let made = made_by_controllers(aws, &scope.cluster, named.collect()).await?;
    Ok(made.into_iter().map(|(arn, name)| Leftover::LoadBalancer { arn, name }).collect())
}

async fn target_groups(aws: &Aws, scope: &Scope, own_vpc: Option<&str>) -> Result<Vec<Leftover>, CloudError> {
    let Some(vpc) = own_vpc.or(scope.vpc.as_deref()) else { return Ok(Vec::new()) };
    let pages = aws.elbv2.describe_target_groups().into_paginator().items().send();
    let all: Result<Vec<TargetGroup>, _> = pages.collect().await;
    let all = all.map_err(|error| translate("elasticloadbalancing:DescribeTargetGroups", error))?;
    let candidates = all
        .into_iter()
        .filter(|found| found.vpc_id() == Some(vpc) && found.target_group_name.as_deref() != scope.target_group_name.as_deref());
    let named = candidates.filter_map(|found| Some((found.target_group_arn?, found.target_group_name.unwrap_or_default())));
    let made = made_by_controllers(aws, &scope.cluster, named.collect()).await?;
    Ok(made.into_iter().map(|(arn, name)| Leftover::TargetGroup { arn, name }).collect())
}

/// Those of the things, by ARN and name, whose tags say that a controller of the cluster made them.
async fn made_by_controllers(
    aws: &Aws,
    cluster: &str,
    candidates: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, CloudError> {
    let mut made = Vec::new();
    for page in candidates.chunks(TAGS_PAGE) {
        let arns = page.iter().map(|(arn, _)| arn.clone()).collect();
        let answer = aws.elbv2.describe_tags().set_resource_arns(Some(arns)).send().await;
        let descriptions = match answer.map_err(|error| translate("elasticloadbalancing:DescribeTags", error)) {
            Ok(answer) => answer.tag_descriptions.unwrap_or_default(),
            // One of them went in the meantime, and took the whole page with it. The next look will have the rest.
            Err(error) if error.class == ErrorClass::NotFound => continue,
            Err(error) => return Err(error),
        };
        let of_cluster: Vec<&str> =
            descriptions.iter().filter(|it| is_of_controller(it, cluster)).filter_map(TagDescription::resource_arn).collect();
        made.extend(page.iter().filter(|(arn, _)| of_cluster.contains(&arn.as_str())).cloned());
    }
    Ok(made)
}

fn is_of_controller(description: &TagDescription, cluster: &str) -> bool {
    let tag = |key: &str| description.tags().iter().find(|tag| tag.key() == Some(key)).map(|tag| tag.value().unwrap_or_default());
    tag(tags::ID).is_none()
        && (tag(&tags::cluster(cluster)) == Some(tags::OWNED) || tag(LOAD_BALANCER_CONTROLLER) == Some(cluster))
}

/// Groups that are marked as the cluster's, its own among them.
async fn security_groups(aws: &Aws, cluster: &str) -> Result<Vec<SecurityGroup>, CloudError> {
    let of_load_balancers = filter(&format!("tag:{LOAD_BALANCER_CONTROLLER}"), [cluster.to_owned()]);
    let (mut groups, more) =
        tokio::try_join!(security_groups_by(aws, owned(cluster)), security_groups_by(aws, of_load_balancers))?;
    for group in more {
        if groups.iter().all(|known| known.group_id != group.group_id) {
            groups.push(group);
        }
    }
    Ok(groups)
}

async fn security_groups_by(aws: &Aws, wanted: aws_sdk_ec2::types::Filter) -> Result<Vec<SecurityGroup>, CloudError> {
    let pages = aws.ec2.describe_security_groups().filters(wanted).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(|error| translate("ec2:DescribeSecurityGroups", error))
}

fn read_security_group(group: &SecurityGroup) -> Option<Leftover> {
    if has(group.tags(), tags::ID) {
        return None;
    }
    Some(Leftover::SecurityGroup { id: group.group_id.clone()?, name: group.group_name.clone().unwrap_or_default() })
}

/// Interfaces that nothing will remove by itself.
async fn interfaces(
    aws: &Aws,
    scope: &Scope,
    own_vpc: Option<&str>,
    groups: &[SecurityGroup],
) -> Result<Vec<Leftover>, CloudError> {
    let Some(vpc) = own_vpc.or(scope.vpc.as_deref()) else { return Ok(Vec::new()) };
    let call = aws.ec2.describe_network_interfaces().filters(filter("vpc-id", [vpc.to_owned()]));
    let all: Result<Vec<NetworkInterface>, _> = call.into_paginator().items().send().collect().await;
    let all = all.map_err(|error| translate("ec2:DescribeNetworkInterfaces", error))?;
    let place = Place { cluster: &scope.cluster, is_own: own_vpc.is_some(), groups };
    Ok(all.iter().filter_map(|interface| read_interface(interface, &place)).collect())
}

/// What tells whose the interfaces of a VPC are.
struct Place<'a> {
    cluster: &'a str,
    /// Whether the VPC was made for the cluster: then the instances in it are the cluster's.
    is_own: bool,
    /// Security groups of the cluster and its controllers.
    groups: &'a [SecurityGroup],
}

fn read_interface(interface: &NetworkInterface, place: &Place<'_>) -> Option<Leftover> {
    let description = interface.description().unwrap_or_default();
    let leftover =
        Leftover::NetworkInterface { id: interface.network_interface_id.clone()?, description: description.to_owned() };
    let found_tags = interface.tag_set();
    if delete::classic_load_balancer(description).is_some() {
        let is_of_cluster = |id: &str| place.groups.iter().any(|group| group.group_id() == Some(id));
        let in_cluster = place.is_own || interface.groups().iter().filter_map(|group| group.group_id()).any(is_of_cluster);
        return in_cluster.then_some(leftover);
    }
    let made_for_cluster = !has(found_tags, tags::ID)
        && (value(found_tags, &tags::cluster(place.cluster)) == Some(tags::OWNED)
            || value(found_tags, CNI_CLUSTER) == Some(place.cluster)
            || (place.is_own && has(found_tags, CNI_INSTANCE)));
    // One that is attached goes with its instance.
    let is_free = interface.status() == Some(&NetworkInterfaceStatus::Available);
    (made_for_cluster && is_free).then_some(leftover)
}

/// Instances that something in the cluster launched by itself, such as a node autoscaler.
fn read_instance(instance: &Instance) -> Option<Leftover> {
    let ending = instance.state().and_then(|state| state.name()) == Some(&InstanceStateName::ShuttingDown);
    if ending || has(instance.tags(), OF_GROUP) {
        return None;
    }
    Some(Leftover::Instance { id: instance.instance_id.clone()? })
}

async fn volumes(aws: &Aws, cluster: &str) -> Result<Vec<Volume>, CloudError> {
    let pages = aws.ec2.describe_volumes().filters(owned(cluster)).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(|error| translate("ec2:DescribeVolumes", error))
}

/// A volume with data of the cluster's users: neither one of kclust's nor one that goes with an instance.
fn read_volume(volume: &Volume) -> Option<Leftover> {
    let goes_with_instance = volume.attachments().iter().any(|attachment| attachment.delete_on_termination == Some(true));
    let gone = matches!(volume.state(), Some(VolumeState::Deleting | VolumeState::Deleted));
    let found_tags = volume.tags();
    if goes_with_instance || gone || has(found_tags, tags::ID) || has(found_tags, tags::GROUP) {
        return None;
    }
    let claim = value(found_tags, CLAIM_NAME).map(|name| match value(found_tags, CLAIM_NAMESPACE) {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    });
    Some(Leftover::DataVolume { id: volume.volume_id.clone()?, claim })
}

fn has(found: &[Tag], key: &str) -> bool {
    value(found, key).is_some()
}

fn value<'a>(found: &'a [Tag], key: &str) -> Option<&'a str> {
    found.iter().find(|tag| tag.key() == Some(key)).map(|tag| tag.value().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{GroupIdentifier, InstanceState, VolumeAttachment};

    use super::*;

    const CLUSTER: &str = "demo";
    const OWNED: (&str, &str) = ("kubernetes.io/cluster/demo", "owned");

    fn ec2_tags(pairs: &[(&str, &str)]) -> Option<Vec<Tag>> {
        Some(pairs.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect())
    }

    fn interface(description: &str, status: NetworkInterfaceStatus, pairs: &[(&str, &str)]) -> NetworkInterface {
        NetworkInterface::builder()
            .network_interface_id("eni-1")
            .description(description)
            .status(status)
            .groups(GroupIdentifier::builder().group_id("sg-1").build())
            .set_tag_set(ec2_tags(pairs))
            .build()
    }

    #[test]
    fn interfaces_need_a_tag_and_must_be_free() {
        use NetworkInterfaceStatus::{Available, InUse};
        let own = Place { cluster: CLUSTER, is_own: true, groups: &[] };
        let shared = Place { is_own: false, ..own };
        let is_left = |place: &Place<'_>, interface: NetworkInterface| read_interface(&interface, place).is_some();
        let of_instance = (CNI_INSTANCE, "i-1");
        assert!(is_left(&own, interface("", Available, &[of_instance])));
        assert!(!is_left(&shared, interface("", Available, &[of_instance])), "may be another cluster's");
        assert!(is_left(&shared, interface("", Available, &[of_instance, (CNI_CLUSTER, CLUSTER)])));
        assert!(!is_left(&own, interface("", InUse, &[of_instance])));
        assert!(!is_left(&own, interface("somebody's function", Available, &[])));
        assert!(!is_left(&own, interface("", Available, &[OWNED, (tags::ID, "NetworkInterface/cp-1")])));
    }

    #[test]
    fn classic_load_balancers_are_told_by_their_interfaces() {
        let group = [SecurityGroup::builder().group_id("sg-1").build()];
        let classic = interface("ELB a1b2", NetworkInterfaceStatus::InUse, &[]);
        assert!(read_interface(&classic, &Place { cluster: CLUSTER, is_own: false, groups: &group }).is_some());
        assert!(read_interface(&classic, &Place { cluster: CLUSTER, is_own: false, groups: &[] }).is_none());
        let network = interface("ELB net/api/1", NetworkInterfaceStatus::InUse, &[]);
        assert!(read_interface(&network, &Place { cluster: CLUSTER, is_own: true, groups: &group }).is_none());
    }

    #[test]
    fn data_volumes_are_those_of_nobody_else() {
        let volume = |pairs: &[(&str, &str)]| Volume::builder().volume_id("vol-1").set_tags(ec2_tags(pairs));
        let claimed = volume(&[OWNED, (CLAIM_NAMESPACE, "db"), (CLAIM_NAME, "data-0")]).build();
        let expected = Leftover::DataVolume { id: "vol-1".into(), claim: Some("db/data-0".into()) };
        assert_eq!(read_volume(&claimed), Some(expected));
        assert_eq!(read_volume(&volume(&[OWNED, (tags::ID, "Volume/cp-1")]).build()), None);
        assert_eq!(read_volume(&volume(&[OWNED, (tags::GROUP, "workers")]).build()), None);
        let root = VolumeAttachment::builder().delete_on_termination(true).build();
        assert_eq!(read_volume(&volume(&[OWNED]).attachments(root).build()), None);
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

    #[test]
    fn load_balancers_are_a_controllers_when_their_tags_say_so() {
        use aws_sdk_elasticloadbalancingv2::types::Tag;
        let description = |pairs: &[(&str, &str)]| {
            let tags = pairs.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
            TagDescription::builder().set_tags(Some(tags)).build()
        };
        assert!(is_of_controller(&description(&[OWNED]), CLUSTER));
        assert!(is_of_controller(&description(&[(LOAD_BALANCER_CONTROLLER, CLUSTER)]), CLUSTER));
        assert!(!is_of_controller(&description(&[("kubernetes.io/cluster/demo", "shared")]), CLUSTER));
        assert!(!is_of_controller(&description(&[(LOAD_BALANCER_CONTROLLER, "demo2")]), CLUSTER));
        assert!(!is_of_controller(&description(&[OWNED, (tags::ID, "LoadBalancer/api")]), CLUSTER));
    }
}
