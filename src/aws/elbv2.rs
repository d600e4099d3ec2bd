//! The API's network load balancer: itself, its listener, its target group and the targets.

pub(super) mod observe;

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, LoadBalancer as SdkLoadBalancer, LoadBalancerSchemeEnum, LoadBalancerTypeEnum, ProtocolEnum, Tag,
    TargetDescription, TargetGroup as SdkTargetGroup, TargetGroupAttribute, TargetTypeEnum,
};

use super::Aws;
use super::error::{answer_without, foreign, translate};
use super::reference::{resolve, resolve_all};
use crate::cloud::{CloudError, ErrorClass, Outputs, Physical};
use crate::model::{Listener, LoadBalancer, ResourceId, Tags, Target, TargetGroup, tags};

const PRESERVE_CLIENT_IP: &str = "preserve_client_ip.enabled";
const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
const DEREGISTRATION_DELAY: &str = "deregistration_delay.timeout_seconds";

/// Makes the load balancer. It takes minutes to become active, but its name is final at once, and nothing waits for more.
pub(super) async fn create_load_balancer(
    aws: &Aws,
    id: &ResourceId,
    load_balancer: &LoadBalancer,
    outputs: &Outputs,
) -> Result<Physical, CloudError> {
    const OPERATION: &str = "elasticloadbalancing:CreateLoadBalancer";
    let scheme = match load_balancer.internet_facing {
        true => LoadBalancerSchemeEnum::InternetFacing,
        false => LoadBalancerSchemeEnum::Internal,
    };
    // Repeated with the same settings, this returns the one that exists.
    let call = aws
        .elbv2
        .create_load_balancer()
        .name(&load_balancer.name)
        .r#type(LoadBalancerTypeEnum::Network)
        .scheme(scheme)
        .set_subnets(Some(resolve_all(OPERATION, outputs, &load_balancer.subnets)?))
        .set_security_groups(Some(resolve_all(OPERATION, outputs, &load_balancer.security_groups)?))
        .set_tags(Some(sdk_tags(&load_balancer.tags)));
    let made = match call.send().await.map_err(|error| translate(OPERATION, error)) {
        Ok(answer) => answer.load_balancers.unwrap_or_default().into_iter().next(),
        Err(error) if error.class == ErrorClass::AlreadyExists => {
            let found = find_load_balancer(aws, &load_balancer.name).await?;
            if let Some(arn) = found.as_ref().and_then(SdkLoadBalancer::load_balancer_arn) {
                expect_own(aws, OPERATION, id, arn, &load_balancer.tags).await?;
            }
            found
        }
        Err(error) => return Err(error),
    };
    made.and_then(|made| physical(&made)).ok_or_else(|| answer_without(OPERATION, "LoadBalancerArn"))
}

/// What others refer to.
fn physical(load_balancer: &SdkLoadBalancer) -> Option<Physical> {
    Some(Physical {
        id: load_balancer.load_balancer_arn.clone()?,
        dns_name: load_balancer.dns_name.clone(),
        hosted_zone_id: load_balancer.canonical_hosted_zone_id.clone(),
        public_address: None,
    })
}

pub(super) async fn update_load_balancer(
    aws: &Aws,
    physical: &Physical,
    observed: &LoadBalancer,
    desired: &LoadBalancer,
    outputs: &Outputs,
) -> Result<(), CloudError> {
    if observed.subnets != desired.subnets {
        const OPERATION: &str = "elasticloadbalancing:SetSubnets";
        let subnets = resolve_all(OPERATION, outputs, &desired.subnets)?;
        let call = aws.elbv2.set_subnets().load_balancer_arn(&physical.id).set_subnets(Some(subnets));
        call.send().await.map_err(|error| translate(OPERATION, error))?;
    }
    if observed.security_groups != desired.security_groups {
        const OPERATION: &str = "elasticloadbalancing:SetSecurityGroups";
        let groups = resolve_all(OPERATION, outputs, &desired.security_groups)?;
        let call = aws.elbv2.set_security_groups().load_balancer_arn(&physical.id).set_security_groups(Some(groups));
        call.send().await.map_err(|error| translate(OPERATION, error))?;
    }
    Ok(())
}

pub(super) async fn delete_load_balancer(aws: &Aws, arn: &str) -> Result<(), CloudError> {
    let call = aws.elbv2.delete_load_balancer().load_balancer_arn(arn);
    call.send().await.map_err(|error| translate("elasticloadbalancing:DeleteLoadBalancer", error))?;
    Ok(())
}

/// Whether the load balancer's network interfaces are gone too: they outlive it by minutes, and hold its subnets and groups.
pub(super) async fn load_balancer_is_gone(aws: &Aws, arn: &str) -> Result<bool, CloudError> {
    let Some((_, name)) = arn.split_once(":loadbalancer/") else { return Ok(true) };
    let description = aws_sdk_ec2::types::Filter::builder().name("description").values(format!("ELB {name}")).build();
    let call = aws.ec2.describe_network_interfaces().filters(description);
    let answer = call.send().await.map_err(|error| translate("ec2:DescribeNetworkInterfaces", error))?;
    Ok(answer.network_interfaces().is_empty())
}

pub(super) async fn create_target_group(
    aws: &Aws,
    id: &ResourceId,
    group: &TargetGroup,
    outputs: &Outputs,
) -> Result<Physical, CloudError> {
    const OPERATION: &str = "elasticloadbalancing:CreateTargetGroup";
    let check = &group.health_check;
    let call = aws
        .elbv2
        .create_target_group()
        .name(&group.name)
        .vpc_id(resolve(OPERATION, outputs, &group.vpc)?)
        .protocol(ProtocolEnum::Tcp)
        .port(i32::from(group.port))
        .target_type(TargetTypeEnum::Ip)
        .health_check_protocol(ProtocolEnum::from(check.protocol.as_str()))
        .health_check_path(&check.path)
        .health_check_port(check.port.to_string())
        .health_check_interval_seconds(number(check.interval_seconds))
        .health_check_timeout_seconds(number(check.timeout_seconds))
        .healthy_threshold_count(number(check.healthy_threshold))
        .unhealthy_threshold_count(number(check.unhealthy_threshold))
        .set_tags(Some(sdk_tags(&group.tags)));
    let made = match call.send().await.map_err(|error| translate(OPERATION, error)) {
        Ok(answer) => answer.target_groups.unwrap_or_default().into_iter().next(),
        Err(error) if error.class == ErrorClass::AlreadyExists => {
            let found = find_target_group(aws, &group.name).await?;
            if let Some(arn) = found.as_ref().and_then(SdkTargetGroup::target_group_arn) {
                expect_own(aws, OPERATION, id, arn, &group.tags).await?;
            }
            found
        }
        Err(error) => return Err(error),
    };
    let arn = made.and_then(|made| made.target_group_arn).ok_or_else(|| answer_without(OPERATION, "TargetGroupArn"))?;
    put_attributes(aws, &arn, group).await?;
    Ok(Physical::new(arn))
}

pub(super) async fn update_target_group(
    aws: &Aws,
    arn: &str,
    observed: &TargetGroup,
    desired: &TargetGroup,
) -> Result<(), CloudError> {
    if observed.health_check != desired.health_check {
        let check = &desired.health_check;
        let call = aws
            .elbv2
            .modify_target_group()
            .target_group_arn(arn)
            .health_check_protocol(ProtocolEnum::from(check.protocol.as_str()))
            .health_check_path(&check.path)
            .health_check_port(check.port.to_string())
            .health_check_interval_seconds(number(check.interval_seconds))
            .health_check_timeout_seconds(number(check.timeout_seconds))
            .healthy_threshold_count(number(check.healthy_threshold))
            .unhealthy_threshold_count(number(check.unhealthy_threshold));
        call.send().await.map_err(|error| translate("elasticloadbalancing:ModifyTargetGroup", error))?;
    }
    let attributes = |group: &TargetGroup| (group.preserve_client_ip, group.cross_zone, group.deregistration_delay_seconds);
    if attributes(observed) != attributes(desired) {
        put_attributes(aws, arn, desired).await?;
    }
    Ok(())
}

async fn put_attributes(aws: &Aws, arn: &str, group: &TargetGroup) -> Result<(), CloudError> {
    let attribute = |key: &str, value: String| TargetGroupAttribute::builder().key(key).value(value).build();
    let call = aws
        .elbv2
        .modify_target_group_attributes()
        .target_group_arn(arn)
        .attributes(attribute(PRESERVE_CLIENT_IP, group.preserve_client_ip.to_string()))
        .attributes(attribute(CROSS_ZONE, group.cross_zone.to_string()))
        .attributes(attribute(DEREGISTRATION_DELAY, group.deregistration_delay_seconds.to_string()));
    call.send().await.map_err(|error| translate("elasticloadbalancing:ModifyTargetGroupAttributes", error))?;
    Ok(())
}

pub(super) async fn delete_target_group(aws: &Aws, arn: &str) -> Result<(), CloudError> {
    let call = aws.elbv2.delete_target_group().target_group_arn(arn);
    call.send().await.map_err(|error| translate("elasticloadbalancing:DeleteTargetGroup", error))?;
    Ok(())
}

pub(super) async fn create_listener(aws: &Aws, listener: &Listener, outputs: &Outputs) -> Result<Physical, CloudError> {
    const OPERATION: &str = "elasticloadbalancing:CreateListener";
    let load_balancer = resolve(OPERATION, outputs, &listener.load_balancer)?;
    let call = aws
        .elbv2
        .create_listener()
        .load_balancer_arn(&load_balancer)
        .protocol(ProtocolEnum::Tcp)
        .port(i32::from(listener.port))
        .default_actions(forward_to(&resolve(OPERATION, outputs, &listener.target_group)?))
        .set_tags(Some(sdk_tags(&listener.tags)));
    let made = match call.send().await.map_err(|error| translate(OPERATION, error)) {
        Ok(answer) => answer.listeners.unwrap_or_default().into_iter().next(),
        // A port has one listener, and the load balancer is the cluster's.
        Err(error) if error.class == ErrorClass::AlreadyExists => {
            let listeners = observe::listeners(aws, &load_balancer).await?;
            listeners.into_iter().find(|found| found.port == Some(i32::from(listener.port)))
        }
        Err(error) => return Err(error),
    };
    let arn = made.and_then(|made| made.listener_arn).ok_or_else(|| answer_without(OPERATION, "ListenerArn"))?;
    Ok(Physical::new(arn))
}

pub(super) async fn update_listener(aws: &Aws, arn: &str, desired: &Listener, outputs: &Outputs) -> Result<(), CloudError> {
    const OPERATION: &str = "elasticloadbalancing:ModifyListener";
    let call = aws
        .elbv2
        .modify_listener()
        .listener_arn(arn)
        .protocol(ProtocolEnum::Tcp)
        .port(i32::from(desired.port))
        .default_actions(forward_to(&resolve(OPERATION, outputs, &desired.target_group)?));
    call.send().await.map_err(|error| translate(OPERATION, error))?;
    Ok(())
}

fn forward_to(target_group: &str) -> Action {
    Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(target_group).build()
}

pub(super) async fn delete_listener(aws: &Aws, arn: &str) -> Result<(), CloudError> {
    let call = aws.elbv2.delete_listener().listener_arn(arn);
    call.send().await.map_err(|error| translate("elasticloadbalancing:DeleteListener", error))?;
    Ok(())
}

/// Registers an address. Repeating it changes nothing.
pub(super) async fn create_target(aws: &Aws, target: &Target, outputs: &Outputs) -> Result<Physical, CloudError> {
    const OPERATION: &str = "elasticloadbalancing:RegisterTargets";
    let group = resolve(OPERATION, outputs, &target.target_group)?;
    let call = aws.elbv2.register_targets().target_group_arn(&group).targets(description(target));
    call.send().await.map_err(|error| translate(OPERATION, error))?;
    Ok(Physical::new(target_id(&group, target)))
}

pub(super) async fn delete_target(aws: &Aws, physical: &Physical, target: &Target) -> Result<(), CloudError> {
    let group = physical.id.rsplit_once('#').map_or(physical.id.as_str(), |(group, _)| group);
    let call = aws.elbv2.deregister_targets().target_group_arn(group).targets(description(target));
    call.send().await.map_err(|error| translate("elasticloadbalancing:DeregisterTargets", error))?;
    Ok(())
}

fn description(target: &Target) -> TargetDescription {
    TargetDescription::builder().id(target.address.to_string()).port(i32::from(target.port)).build()
}

/// Physical id of a target, which has none in AWS: `<group's ARN>#<address>:<port>`.
fn target_id(group: &str, target: &Target) -> String {
    format!("{group}#{}:{}", target.address, target.port)
}

pub(super) async fn find_load_balancer(aws: &Aws, name: &str) -> Result<Option<SdkLoadBalancer>, CloudError> {
    let answer = aws.elbv2.describe_load_balancers().names(name).send().await;
    match answer.map_err(|error| translate("elasticloadbalancing:DescribeLoadBalancers", error)) {
        Ok(answer) => Ok(answer.load_balancers.unwrap_or_default().into_iter().next()),
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn find_target_group(aws: &Aws, name: &str) -> Result<Option<SdkTargetGroup>, CloudError> {
    let answer = aws.elbv2.describe_target_groups().names(name).send().await;
    match answer.map_err(|error| translate("elasticloadbalancing:DescribeTargetGroups", error)) {
        Ok(answer) => Ok(answer.target_groups.unwrap_or_default().into_iter().next()),
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Refuses a thing that has the name of one of the cluster's and not its tags.
async fn expect_own(aws: &Aws, operation: &'static str, id: &ResourceId, arn: &str, wanted: &Tags) -> Result<(), CloudError> {
    let answer = aws.elbv2.describe_tags().resource_arns(arn).send().await;
    let answer = answer.map_err(|error| translate("elasticloadbalancing:DescribeTags", error))?;
    let found: Vec<&Tag> = answer.tag_descriptions().iter().flat_map(|description| description.tags()).collect();
    let ownership = tags::cluster("");
    let mut identity = wanted.iter().filter(|(key, _)| key.starts_with(&ownership) || *key == tags::ID);
    match identity.all(|(key, value)| found.iter().any(|tag| tag.key() == Some(key) && tag.value() == Some(value))) {
        true => Ok(()),
        false => Err(foreign(operation, id, arn)),
    }
}

fn sdk_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The SDK's numbers are signed; none of ours comes near the limit.
fn number(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
