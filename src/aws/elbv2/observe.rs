//! The API's load balancer and what belongs to it, found by name: listing all of a region and their tags would cost a call for
//! each twenty of them, whoever they belong to. The names hold a hash of the cluster's name.

use std::net::Ipv4Addr;

use aws_sdk_elasticloadbalancingv2::types::{
    Listener as SdkListener, LoadBalancer as SdkLoadBalancer, LoadBalancerSchemeEnum, ProtocolEnum,
    TargetGroup as SdkTargetGroup, TargetGroupAttribute, TargetHealthDescription, TargetHealthStateEnum,
};

use super::{CROSS_ZONE, DEREGISTRATION_DELAY, PRESERVE_CLIENT_IP, find_load_balancer, find_target_group, physical, target_id};
use crate::aws::Aws;
use crate::aws::ec2::ApiLoadBalancer;
use crate::aws::error::{foreign, translate};
use crate::aws::reference::Ids;
use crate::cloud::{CloudError, ErrorClass, Observed, Physical, Scope, World};
use crate::model::{
    API, API_PORT, HealthCheck, Kind, Listener, LoadBalancer, Ref, Resource, ResourceId, Tags, Target, TargetGroup, Vpc,
};

/// What AWS answered, before it is known which subnets and groups are the cluster's.
#[derive(Debug, Default)]
pub(in crate::aws) struct Found {
    load_balancer: Option<SdkLoadBalancer>,
    listeners: Vec<SdkListener>,
    group: Option<SdkTargetGroup>,
    attributes: Vec<TargetGroupAttribute>,
    targets: Vec<TargetHealthDescription>,
}

/// Five calls: two by name, and three for what they found.
pub(in crate::aws) async fn fetch(aws: &Aws, scope: &Scope) -> Result<Found, CloudError> {
    let load_balancer = async {
        let Some(name) = &scope.load_balancer_name else { return Ok((None, Vec::new())) };
        let found = find_load_balancer(aws, name).await?;
        let listeners = match found.as_ref().and_then(SdkLoadBalancer::load_balancer_arn) {
            Some(arn) => listeners(aws, arn).await?,
            None => Vec::new(),
        };
        Ok((found, listeners))
    };
    let group = async {
        let Some(name) = &scope.target_group_name else { return Ok((None, Vec::new(), Vec::new())) };
        let found = find_target_group(aws, name).await?;
        let (attributes, targets) = match found.as_ref().and_then(SdkTargetGroup::target_group_arn) {
            Some(arn) => tokio::try_join!(attributes(aws, arn), target_health(aws, arn))?,
            None => (Vec::new(), Vec::new()),
        };
        Ok::<_, CloudError>((found, attributes, targets))
    };
    let ((load_balancer, listeners), (group, attributes, targets)) = tokio::try_join!(load_balancer, group)?;
    Ok(Found { load_balancer, listeners, group, attributes, targets })
}

/// Listeners of a load balancer; none where it is gone.
pub(super) async fn listeners(aws: &Aws, load_balancer: &str) -> Result<Vec<SdkListener>, CloudError> {
    let pages = aws.elbv2.describe_listeners().load_balancer_arn(load_balancer).into_paginator().items().send();
    let found = pages.collect::<Result<_, _>>().await;
    none_if_gone(found.map_err(|error| translate("elasticloadbalancing:DescribeListeners", error)))
}

async fn attributes(aws: &Aws, group: &str) -> Result<Vec<TargetGroupAttribute>, CloudError> {
    let answer = aws.elbv2.describe_target_group_attributes().target_group_arn(group).send().await;
    let attributes = answer.map(|answer| answer.attributes.unwrap_or_default());
    none_if_gone(attributes.map_err(|error| translate("elasticloadbalancing:DescribeTargetGroupAttributes", error)))
}

/// Targets of a group and their health; none where it is gone.
pub(in crate::aws) async fn target_health(aws: &Aws, group: &str) -> Result<Vec<TargetHealthDescription>, CloudError> {
    let answer = aws.elbv2.describe_target_health().target_group_arn(group).send().await;
    let targets = answer.map(|answer| answer.target_health_descriptions.unwrap_or_default());
    none_if_gone(targets.map_err(|error| translate("elasticloadbalancing:DescribeTargetHealth", error)))
}

/// Something may be deleted between the call that found it and the one that asks for more.
fn none_if_gone<T>(found: Result<Vec<T>, CloudError>) -> Result<Vec<T>, CloudError> {
    match found {
        Err(error) if error.class == ErrorClass::NotFound => Ok(Vec::new()),
        found => found,
    }
}

impl Found {
    /// The name that user-data may hold.
    pub(in crate::aws) fn api(&self) -> Option<ApiLoadBalancer<'_>> {
        let dns_name = self.load_balancer.as_ref()?.dns_name()?;
        Some(ApiLoadBalancer { dns_name, name: API })
    }

    /// Adds what was found to the world, which has the slots' interfaces already.
    ///
    /// # Errors
    /// When a thing of the name lies in a VPC that is neither the cluster's own nor the one it is placed in.
    pub(in crate::aws) fn add_to(&self, world: &mut World, scope: &Scope, ids: &Ids) -> Result<(), CloudError> {
        read(self, scope, ids, world)
    }
}

fn read(found: &Found, scope: &Scope, ids: &Ids, world: &mut World) -> Result<(), CloudError> {
    // A listing is behind and still shows what went with its VPC, which the state knows.
    let was_own = |vpc: &str| scope.known.get(vpc).is_some_and(|id| id.kind == Kind::Vpc);
    let own_vpc = |vpc: Option<&str>| {
        vpc.is_some_and(|vpc| ids.name::<Vpc>(vpc).is_some() || scope.vpc.as_deref() == Some(vpc) || was_own(vpc))
    };
    let mut arns = Vec::new();
    if let Some((load_balancer, physical)) = found.load_balancer.as_ref().and_then(|found| Some((found, physical(found)?))) {
        let id = ResourceId::new(Kind::LoadBalancer, API);
        if !own_vpc(load_balancer.vpc_id()) {
            let what = format!("the load balancer {}", physical.id);
            return Err(foreign("elasticloadbalancing:DescribeLoadBalancers", &id, &what));
        }
        arns.push((physical.id.clone(), id.clone()));
        add(world, id, read_load_balancer(load_balancer, ids), physical);
    }
    if let Some((group, arn)) = found.group.as_ref().and_then(|group| Some((group, group.target_group_arn()?))) {
        let id = ResourceId::new(Kind::TargetGroup, API);
        if !own_vpc(group.vpc_id()) {
            let what = format!("the target group {arn}");
            return Err(foreign("elasticloadbalancing:DescribeTargetGroups", &id, &what));
        }
        arns.push((arn.to_owned(), id.clone()));
        add(world, id, read_target_group(group, &found.attributes, ids), Physical::new(arn));
        read_targets(&found.targets, arn, world);
    }
    let own = Ids(arns.into_iter().collect());
    read_listeners(&found.listeners, &own, world);
    Ok(())
}

fn read_load_balancer(found: &SdkLoadBalancer, ids: &Ids) -> LoadBalancer {
    LoadBalancer {
        name: found.load_balancer_name.clone().unwrap_or_default(),
        internet_facing: found.scheme == Some(LoadBalancerSchemeEnum::InternetFacing),
        subnets: ids.references(found.availability_zones().iter().filter_map(|zone| zone.subnet_id())),
        security_groups: ids.references(found.security_groups().iter().map(String::as_str)),
        tags: Tags::new(),
    }
}

fn read_target_group(found: &SdkTargetGroup, attributes: &[TargetGroupAttribute], ids: &Ids) -> TargetGroup {
    let attribute = |key: &str| attributes.iter().find(|attribute| attribute.key() == Some(key))?.value();
    let port = port(found.port);
    TargetGroup {
        name: found.target_group_name.clone().unwrap_or_default(),
        vpc: ids.reference(found.vpc_id()),
        port,
        health_check: HealthCheck {
            protocol: found.health_check_protocol().map(|protocol| protocol.as_str().to_owned()).unwrap_or_default(),
            path: found.health_check_path.clone().unwrap_or_default(),
            // Else it is `traffic-port`.
            port: found.health_check_port().and_then(|port| port.parse().ok()).unwrap_or(port),
            interval_seconds: number(found.health_check_interval_seconds),
            timeout_seconds: number(found.health_check_timeout_seconds),
            healthy_threshold: number(found.healthy_threshold_count),
            unhealthy_threshold: number(found.unhealthy_threshold_count),
        },
        preserve_client_ip: attribute(PRESERVE_CLIENT_IP) == Some("true"),
        cross_zone: attribute(CROSS_ZONE) == Some("true"),
        deregistration_delay_seconds: attribute(DEREGISTRATION_DELAY).and_then(|value| value.parse().ok()).unwrap_or_default(),
        tags: Tags::new(),
    }
}

/// A target is a slot's by its address. One that no slot has keeps the address as its name.
fn read_targets(found: &[TargetHealthDescription], group: &str, world: &mut World) {
    for description in found {
        // Deregistered, and listed until its connections have ended.
        let state = description.target_health().and_then(|health| health.state());
        if state == Some(&TargetHealthStateEnum::Draining) {
            continue;
        }
        let Some(target) = description.target() else { continue };
        let Some(address) = target.id().and_then(|id| id.parse::<Ipv4Addr>().ok()) else { continue };
        let target = Target { target_group: Ref::own(API), address, port: port(target.port) };
        let physical = Physical::new(target_id(group, &target));
        let slot = slot_of(address, world);
        let id = ResourceId::new(Kind::Target, slot.unwrap_or_else(|| format!("{address}:{}", target.port)));
        add(world, id, target, physical);
    }
}

fn slot_of(address: Ipv4Addr, world: &World) -> Option<String> {
    world.resources.iter().find_map(|(id, observed)| match &observed.resource {
        Resource::NetworkInterface(interface) if interface.address == address => Some(id.name.clone()),
        _ => None,
    })
}

/// The listener of the API's port has the API's name; any other one is called by its port.
fn read_listeners(found: &[SdkListener], own: &Ids, world: &mut World) {
    for listener in found {
        let Some(arn) = listener.listener_arn() else { continue };
        let port = port(listener.port);
        let name = if port == API_PORT { API.to_owned() } else { format!("{API}:{port}") };
        // Forwarding to a group is the only action of a network load balancer. What is not TCP shall be changed: its target is
        // said to be none, because the model has no other protocol to compare with.
        let group = listener.default_actions().iter().find_map(|action| action.target_group_arn());
        let group = group.filter(|_| listener.protocol == Some(ProtocolEnum::Tcp));
        let resource = Listener {
            load_balancer: own.reference(listener.load_balancer_arn()),
            port,
            target_group: own.reference(group),
            tags: Tags::new(),
        };
        add(world, ResourceId::new(Kind::Listener, name), resource, Physical::new(arn));
    }
}

fn add(world: &mut World, id: ResourceId, resource: impl Into<Resource>, physical: Physical) {
    let observed = Observed { resource: resource.into(), physical };
    match world.resources.contains_key(&id) {
        true => world.duplicates.push((id, observed)),
        false => drop(world.resources.insert(id, observed)),
    }
}

fn number(value: Option<i32>) -> u32 {
    value.and_then(|value| u32::try_from(value).ok()).unwrap_or_default()
}

fn port(value: Option<i32>) -> u16 {
    value.and_then(|value| u16::try_from(value).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use aws_sdk_elasticloadbalancingv2::types::{
        Action, AvailabilityZone, TargetDescription, TargetHealth, builders::ListenerBuilder,
    };

    use super::*;
    use crate::model::{NetworkInterface, SecurityGroup, Subnet};

    const LOAD_BALANCER: &str = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/net/api-demo/1";
    const GROUP: &str = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/api-demo/1";

    fn scope(vpc: Option<&str>) -> Scope {
        Scope {
            cluster: "demo".into(),
            zone_id: None,
            record_names: Vec::new(),
            load_balancer_name: Some("api-demo".into()),
            target_group_name: Some("api-demo".into()),
            vpc: vpc.map(str::to_owned),
            known: Default::default(),
            instance_profiles: Vec::new(),
        }
    }

    fn ids() -> Ids {
        let known = [(Kind::Vpc, "vpc-1", "main"), (Kind::Subnet, "subnet-1", "a"), (Kind::SecurityGroup, "sg-1", "api")];
        Ids(known.into_iter().map(|(kind, physical, name)| (physical.to_owned(), ResourceId::new(kind, name))).collect())
    }

    fn world() -> World {
        let interface = NetworkInterface {
            subnet: Ref::own("a"),
            address: Ipv4Addr::new(10, 0, 0, 10),
            security_groups: Vec::new(),
            description: String::new(),
            source_dest_check: true,
            tags: BTreeMap::new(),
        };
        let observed = Observed { resource: interface.into(), physical: Physical::new("eni-1") };
        World { resources: [(ResourceId::new(Kind::NetworkInterface, "cp-1"), observed)].into(), ..World::default() }
    }

    fn listener(arn: &str, port: i32) -> ListenerBuilder {
        let action = Action::builder().r#type("forward".into()).target_group_arn(GROUP).build();
        SdkListener::builder()
            .listener_arn(arn)
            .load_balancer_arn(LOAD_BALANCER)
            .port(port)
            .protocol(ProtocolEnum::Tcp)
            .default_actions(action)
    }

    fn target(address: &str, state: TargetHealthStateEnum) -> TargetHealthDescription {
        TargetHealthDescription::builder()
            .target(TargetDescription::builder().id(address).port(6443).build())
            .target_health(TargetHealth::builder().state(state).build())
            .build()
    }

    fn found(vpc: &str) -> Found {
        let zone = |subnet: &str| AvailabilityZone::builder().subnet_id(subnet).build();
        let attribute = |key: &str, value: &str| TargetGroupAttribute::builder().key(key).value(value).build();
        Found {
            load_balancer: Some(
                SdkLoadBalancer::builder()
                    .load_balancer_arn(LOAD_BALANCER)
                    .load_balancer_name("api-demo")
                    .dns_name("api-demo-1.elb.amazonaws.com")
                    .canonical_hosted_zone_id("Z1")
                    .scheme(LoadBalancerSchemeEnum::Internal)
                    .vpc_id(vpc)
                    .availability_zones(zone("subnet-9"))
                    .availability_zones(zone("subnet-1"))
                    .security_groups("sg-1")
                    .build(),
            ),
            listeners: vec![listener("l-2", 8443).build(), listener("l-1", 6443).build()],
            group: Some(
                SdkTargetGroup::builder()
                    .target_group_arn(GROUP)
                    .target_group_name("api-demo")
                    .port(6443)
                    .vpc_id(vpc)
                    .health_check_protocol(ProtocolEnum::Https)
                    .health_check_path("/healthz")
                    .health_check_port("traffic-port")
                    .health_check_interval_seconds(10)
                    .build(),
            ),
            attributes: vec![
                attribute(PRESERVE_CLIENT_IP, "false"),
                attribute(CROSS_ZONE, "true"),
                attribute(DEREGISTRATION_DELAY, "30"),
            ],
            targets: vec![
                target("10.0.0.10", TargetHealthStateEnum::Healthy),
                target("10.0.0.99", TargetHealthStateEnum::Unused),
                target("10.0.0.98", TargetHealthStateEnum::Draining),
            ],
        }
    }

    fn observed(world: &World, kind: Kind, name: &str) -> Resource {
        world.resources[&ResourceId::new(kind, name)].resource.clone()
    }

    #[test]
    fn the_load_balancer_and_what_belongs_to_it_become_resources() {
        let mut world = world();
        found("vpc-1").add_to(&mut world, &scope(None), &ids()).expect("the cluster's own");
        let names: Vec<String> = world.resources.keys().map(ToString::to_string).collect();
        let expected = [
            "LoadBalancer/api",
            "TargetGroup/api",
            "Listener/api",
            "Listener/api:8443",
            "Target/10.0.0.99:6443",
            "Target/cp-1",
            "NetworkInterface/cp-1",
        ];
        assert_eq!(names, expected);
        let Resource::LoadBalancer(load_balancer) = observed(&world, Kind::LoadBalancer, API) else { panic!() };
        assert_eq!(load_balancer.subnets, [Ref::<Subnet>::own("a"), Ref::foreign("subnet-9")]);
        assert_eq!(load_balancer.security_groups, [Ref::<SecurityGroup>::own("api")]);
        let Resource::TargetGroup(group) = observed(&world, Kind::TargetGroup, API) else { panic!() };
        assert_eq!(group.vpc, Ref::own("main"));
        assert_eq!((group.health_check.port, group.health_check.interval_seconds), (6443, 10));
        assert_eq!((group.preserve_client_ip, group.cross_zone, group.deregistration_delay_seconds), (false, true, 30));
        let Resource::Listener(listener) = observed(&world, Kind::Listener, API) else { panic!() };
        assert_eq!((listener.load_balancer, listener.target_group), (Ref::own(API), Ref::own(API)));
        assert_eq!(world.resources[&ResourceId::new(Kind::Target, "cp-1")].physical.id, format!("{GROUP}#10.0.0.10:6443"));
    }

    #[test]
    fn a_listener_of_another_protocol_is_seen_to_differ() {
        let tls = Found { listeners: vec![listener("l-1", 6443).protocol(ProtocolEnum::Tls).build()], ..found("vpc-1") };
        let mut world = world();
        tls.add_to(&mut world, &scope(None), &ids()).expect("the cluster's own");
        let Resource::Listener(listener) = observed(&world, Kind::Listener, API) else { panic!() };
        assert_eq!(listener.target_group, Ref::Nothing);
    }

    /// Elastic Load Balancing shows for a moment what EC2 does not know any more.
    #[test]
    fn a_load_balancer_in_a_vpc_that_is_gone_is_the_clusters_by_the_ledger() {
        let known = [("vpc-2".to_owned(), ResourceId::new(Kind::Vpc, "main"))];
        let scope = Scope { known: known.into(), ..scope(None) };
        found("vpc-2").add_to(&mut world(), &scope, &ids()).expect("the cluster's own");
    }

    #[test]
    fn a_load_balancer_in_another_vpc_is_somebody_elses() {
        let error = found("vpc-2").add_to(&mut world(), &scope(None), &ids()).expect_err("foreign");
        assert_eq!(error.class, ErrorClass::AlreadyExists);
        assert_eq!(
            error.message,
            format!("the load balancer {LOAD_BALANCER} has the name of LoadBalancer/api and is not this cluster's")
        );
        // The cluster may be placed in a VPC that exists already.
        found("vpc-2").add_to(&mut world(), &scope(Some("vpc-2")), &ids()).expect("the cluster's own");
    }
}
