//! Each field of each kind: changed by somebody, found and put right; or listed here with the reason why not.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types as asg;
use aws_sdk_ec2::types::{
    self as ec2, AttributeBooleanValue, AttributeValue, Filter, RequestLaunchTemplateData, SecurityGroupRuleRequest,
    SecurityGroupRuleUpdate, VolumeType,
};
use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, ProtocolEnum, TargetGroupAttribute, TargetTypeEnum};
use aws_sdk_route53::types::{Change as RecordChange, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
use kclust::cloud::facts::StateLocation;
use kclust::cloud::{Facts, HostedZone, InstanceTypeFacts, ResolvedImage};
use kclust::model::{Kind, OnChange, build, fixed_addresses};
use kclust::spec::{Architecture, load};
use serde_json::{Value as Json, json};

use super::{ANY, Change, Cluster};
use crate::harness::example;

const SETTINGS: &str = "ControlPlaneSettings/settings";

/// A field of a resource, what somebody made of it and what it goes back to.
pub(super) struct Case {
    resource: &'static str,
    path: &'static str,
    from: Json,
    to: Json,
    meddle: fn(&Cluster),
}

fn case(resource: &'static str, path: &'static str, from: Json, to: Json, meddle: fn(&Cluster)) -> Case {
    Case { resource, path, from, to, meddle }
}

/// One more field that the call of the case before it changes.
fn too(resource: &'static str, path: &'static str, from: Json, to: Json) -> Case {
    case(resource, path, from, to, |_| {})
}

pub(super) fn put_right(cluster: &Cluster, cases: Vec<Case>) {
    for case in &cases {
        (case.meddle)(cluster);
    }
    let mut changes: BTreeMap<String, BTreeMap<String, (Json, Json)>> = BTreeMap::new();
    for case in cases {
        let resource = match case.resource.strip_suffix('…') {
            Some(start) => cluster.full_name(start),
            None => case.resource.to_owned(),
        };
        changes.entry(format!("update {resource}")).or_default().insert(case.path.to_owned(), (case.from, case.to));
    }
    let changes: Vec<Change> = changes.into_iter().collect();
    cluster.put_right(&changes);
}

fn off() -> AttributeBooleanValue {
    AttributeBooleanValue::builder().value(false).build()
}

fn on() -> AttributeBooleanValue {
    AttributeBooleanValue::builder().value(true).build()
}

/// Changes a rule in place, keeping the description.
fn modify_rule(
    c: &Cluster,
    description: &str,
    change: impl FnOnce(SecurityGroupRuleRequestBuilder) -> SecurityGroupRuleRequestBuilder,
) {
    const GROUP: &str = "SecurityGroup/control-plane";
    let rule = change(SecurityGroupRuleRequest::builder().description(description)).build();
    let rule_id = c.rule_id(GROUP, description);
    let update = SecurityGroupRuleUpdate::builder().security_group_rule_id(rule_id).security_group_rule(rule).build();
    c.run(c.ec2.modify_security_group_rules().group_id(c.id(GROUP)).security_group_rules(update).send());
}

type SecurityGroupRuleRequestBuilder = aws_sdk_ec2::types::builders::SecurityGroupRuleRequestBuilder;

fn set_record(c: &Cluster, address: &str, ttl: i64) {
    let record = ResourceRecord::builder().value(address).build().unwrap();
    let set = ResourceRecordSet::builder().name(format!("api.{}", c.name)).r#type(RrType::A).ttl(ttl);
    let set = set.resource_records(record).build().unwrap();
    change_record(c, ChangeAction::Upsert, set);
}

pub fn change_record(c: &Cluster, action: ChangeAction, set: ResourceRecordSet) {
    let change = RecordChange::builder().action(action).resource_record_set(set).build().unwrap();
    let batch = ChangeBatch::builder().changes(change).build().unwrap();
    let zone = c.id("DnsRecord/api").split('/').next().unwrap().to_owned();
    c.run(c.route53.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send());
}

/// A target group of somebody else in the cluster's network.
fn foreign_target_group(c: &Cluster) -> String {
    let call = c.elbv2.create_target_group().name("foreign").protocol(ProtocolEnum::Tcp).port(80);
    let call = call.vpc_id(c.id("Vpc/main")).target_type(TargetTypeEnum::Ip);
    let arn = c.run(call.send()).target_groups.unwrap().remove(0).target_group_arn.unwrap();
    c.note("foreign-target-group", arn.clone());
    arn
}

/// An image that exists and that no machine of the cluster has.
pub(super) fn other_image(c: &Cluster) -> String {
    let call = c.ec2.describe_launch_template_versions().launch_template_id(c.id("LaunchTemplate/cp-1")).versions("$Default");
    let version = c.run(call.send()).launch_template_versions.unwrap().remove(0);
    let own = version.launch_template_data.unwrap().image_id;
    let mut images = c.run(c.ec2.describe_images().send()).images.unwrap().into_iter().map(|image| image.image_id);
    let other = images.find(|image| *image != own).flatten().unwrap();
    c.note("other-image", other.clone());
    other
}

fn foreign_template(c: &Cluster) -> String {
    let data = RequestLaunchTemplateData::builder().image_id(other_image(c)).instance_type("t3.small".into()).build();
    let call = c.ec2.create_launch_template().launch_template_name("foreign").launch_template_data(data);
    let id = c.run(call.send()).launch_template.unwrap().launch_template_id.unwrap();
    c.note("foreign-template", id.clone());
    id
}

fn attributes(c: &Cluster, given: &[(&str, &str)]) {
    let given = given.iter().map(|(key, value)| TargetGroupAttribute::builder().key(*key).value(*value).build()).collect();
    let call = c.elbv2.modify_target_group_attributes().target_group_arn(c.id("TargetGroup/api"));
    c.run(call.set_attributes(Some(given)).send());
}

/// Template of a worker whose every field is another one.
fn other_template(c: &Cluster) {
    let name = c.id("InstanceProfile/control-plane");
    let path = c.account.world()["iam"]["instanceProfiles"][&name]["path"].as_str().unwrap().to_owned();
    let profile = format!("arn:aws:iam::{}:instance-profile{path}{name}", c.account.id);
    c.note("other-profile", profile.clone());
    let metadata = ec2::LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .http_tokens(ec2::LaunchTemplateHttpTokensState::Optional)
        .http_put_response_hop_limit(2);
    let volume = ec2::LaunchTemplateEbsBlockDeviceRequest::builder().volume_size(9).volume_type(VolumeType::Gp2).encrypted(false);
    let device = ec2::LaunchTemplateBlockDeviceMappingRequest::builder().device_name("/dev/xvda").ebs(volume.build()).build();
    let interface = ec2::LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder()
        .device_index(0)
        .groups(c.id("SecurityGroup/control-plane"))
        .associate_public_ip_address(true);
    let owned = ec2::Tag::builder().key(format!("kubernetes.io/cluster/{}", c.name)).value("owned").build();
    let tags = [("team", "others"), ("kclust.dev/group", "workers"), ("stage", "test")];
    let tags = tags.iter().map(|(key, value)| ec2::Tag::builder().key(*key).value(*value).build()).chain([owned]);
    let tags = ec2::LaunchTemplateTagSpecificationRequest::builder()
        .resource_type(ec2::ResourceType::Instance)
        .set_tags(Some(tags.collect()));
    let data = RequestLaunchTemplateData::builder()
        .image_id(other_image(c))
        .instance_type("t3.small".into())
        .key_name("somebody")
        .iam_instance_profile(ec2::LaunchTemplateIamInstanceProfileSpecificationRequest::builder().arn(profile).build())
        .metadata_options(metadata.build())
        .block_device_mappings(device)
        .network_interfaces(interface.build())
        .user_data("IyEvYmluL3NoCg==")
        .tag_specifications(tags.build());
    c.new_default_version("LaunchTemplate/workers", data.build());
}

/// On `ha-private`.
pub(super) fn private_cases() -> Vec<Case> {
    vec![
        case("Vpc/main", "dnsHostnames", json!(false), json!(true), |c| {
            c.run(c.ec2.modify_vpc_attribute().vpc_id(c.id("Vpc/main")).enable_dns_hostnames(off()).send());
        }),
        case("Subnet/utility-us-east-1a", "mapPublicIp", json!(true), json!(false), |c| {
            let call = c.ec2.modify_subnet_attribute().subnet_id(c.id("Subnet/utility-us-east-1a"));
            c.run(call.map_public_ip_on_launch(on()).send());
        }),
        case(
            "Route/private-us-east-1a:0.0.0.0/0",
            "target",
            json!("NatGateway/us-east-1b"),
            json!("NatGateway/us-east-1a"),
            |c| {
                let call = c.ec2.replace_route().route_table_id(c.id("RouteTable/private-us-east-1a"));
                c.run(call.destination_cidr_block("0.0.0.0/0").nat_gateway_id(c.id("NatGateway/us-east-1b")).send());
            },
        ),
        case(
            "Route/private-us-east-1b:0.0.0.0/0",
            "target",
            json!("{NetworkInterface/cp-1}"),
            json!("NatGateway/us-east-1b"),
            |c| {
                let call = c.ec2.replace_route().route_table_id(c.id("RouteTable/private-us-east-1b"));
                let call = call.destination_cidr_block("0.0.0.0/0");
                c.run(call.network_interface_id(c.id("NetworkInterface/cp-1")).send());
            },
        ),
        case(
            "RouteTableAssociation/private-us-east-1c",
            "table",
            json!("RouteTable/public"),
            json!("RouteTable/private-us-east-1c"),
            |c| {
                let call = c.ec2.replace_route_table_association().route_table_id(c.id("RouteTable/public"));
                c.run(call.association_id(c.id("RouteTableAssociation/private-us-east-1c")).send());
            },
        ),
        case(
            "VpcEndpoint/s3",
            "routeTables",
            json!(["RouteTable/private-us-east-1b", "RouteTable/private-us-east-1c", "RouteTable/public"]),
            json!([
                "RouteTable/private-us-east-1a",
                "RouteTable/private-us-east-1b",
                "RouteTable/private-us-east-1c",
                "RouteTable/public"
            ]),
            |c| {
                let call = c.ec2.modify_vpc_endpoint().vpc_endpoint_id(c.id("VpcEndpoint/s3"));
                c.run(call.remove_route_table_ids(c.id("RouteTable/private-us-east-1a")).send());
            },
        ),
        case("SecurityGroupRule/control-plane:etcd from control-plane", "ports", json!([2379, 2381]), json!([2379, 2380]), |c| {
            modify_rule(c, "kclust: etcd from control-plane", |rule| {
                rule.ip_protocol("tcp").from_port(2379).to_port(2381).referenced_group_id(c.id("SecurityGroup/control-plane"))
            });
        }),
        case(
            "SecurityGroupRule/control-plane:kubelet from nodes",
            "peer",
            json!("SecurityGroup/api"),
            json!("SecurityGroup/nodes"),
            |c| {
                modify_rule(c, "kclust: kubelet from nodes", |rule| {
                    rule.ip_protocol("tcp").from_port(10250).to_port(10250).referenced_group_id(c.id("SecurityGroup/api"))
                });
            },
        ),
        case("SecurityGroupRule/control-plane:Cilium VXLAN from nodes", "protocol", json!("tcp"), json!("udp"), |c| {
            modify_rule(c, "kclust: Cilium VXLAN from nodes", |rule| {
                rule.ip_protocol("tcp").from_port(8472).to_port(8472).referenced_group_id(c.id("SecurityGroup/nodes"))
            });
        }),
        case("SecurityGroupRule/control-plane:SSH from 10.0.0.0/8", "peer", json!("0.0.0.0/0"), json!("10.0.0.0/8"), |c| {
            modify_rule(c, "kclust: SSH from 10.0.0.0/8", |rule| {
                rule.ip_protocol("tcp").from_port(22).to_port(22).cidr_ipv4("0.0.0.0/0")
            });
        }),
        case("Role/nodes", "trustPolicy", json!(ANY), json!(ANY), |c| {
            let policy = json!({
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Principal": { "AWS": format!("arn:aws:iam::{}:root", c.account.id) },
                    "Action": "sts:AssumeRole",
                }],
            });
            let call = c.iam.update_assume_role_policy().role_name(c.id("Role/nodes"));
            c.run(call.policy_document(policy.to_string()).send());
        }),
        case("RolePolicy/nodes:kclust", "document", json!(ANY), json!(ANY), |c| {
            let policy = json!({
                "Version": "2012-10-17",
                "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }],
            });
            let call = c.iam.put_role_policy().role_name(c.id("Role/nodes")).policy_name("kclust");
            c.run(call.policy_document(policy.to_string()).send());
        }),
        case("InstanceProfile/nodes", "role", json!("Role/control-plane"), json!("Role/nodes"), |c| {
            let profile = c.id("InstanceProfile/nodes");
            let call = c.iam.remove_role_from_instance_profile().instance_profile_name(&profile);
            c.run(call.role_name(c.id("Role/nodes")).send());
            let call = c.iam.add_role_to_instance_profile().instance_profile_name(profile);
            c.run(call.role_name(c.id("Role/control-plane")).send());
        }),
        case(
            "LoadBalancer/api",
            "subnets",
            json!(["Subnet/private-us-east-1a", "Subnet/private-us-east-1b"]),
            json!(["Subnet/private-us-east-1a", "Subnet/private-us-east-1b", "Subnet/private-us-east-1c"]),
            |c| {
                let call = c.elbv2.set_subnets().load_balancer_arn(c.id("LoadBalancer/api"));
                let call = call.subnets(c.id("Subnet/private-us-east-1a")).subnets(c.id("Subnet/private-us-east-1b"));
                c.run(call.send());
            },
        ),
        case("LoadBalancer/api", "securityGroups", json!(["SecurityGroup/nodes"]), json!(["SecurityGroup/api"]), |c| {
            let call = c.elbv2.set_security_groups().load_balancer_arn(c.id("LoadBalancer/api"));
            c.run(call.security_groups(c.id("SecurityGroup/nodes")).send());
        }),
        case("TargetGroup/api", "healthCheck.protocol", json!("HTTP"), json!("HTTPS"), |c| {
            let call = c.elbv2.modify_target_group().target_group_arn(c.id("TargetGroup/api"));
            let call = call.health_check_protocol(ProtocolEnum::Http).health_check_path("/livez").health_check_port("10257");
            let call = call.health_check_interval_seconds(30).health_check_timeout_seconds(6);
            c.run(call.healthy_threshold_count(5).unhealthy_threshold_count(6).send());
        }),
        too("TargetGroup/api", "healthCheck.path", json!("/livez"), json!("/healthz")),
        too("TargetGroup/api", "healthCheck.port", json!(10257), json!(6443)),
        too("TargetGroup/api", "healthCheck.intervalSeconds", json!(30), json!(10)),
        too("TargetGroup/api", "healthCheck.timeoutSeconds", json!(6), json!(5)),
        too("TargetGroup/api", "healthCheck.healthyThreshold", json!(5), json!(2)),
        too("TargetGroup/api", "healthCheck.unhealthyThreshold", json!(6), json!(2)),
        case("TargetGroup/api", "preserveClientIp", json!(true), json!(false), |c| {
            attributes(c, &[("preserve_client_ip.enabled", "true")]);
        }),
        case("TargetGroup/api", "crossZone", json!(false), json!(true), |c| {
            attributes(c, &[("load_balancing.cross_zone.enabled", "false")]);
        }),
        case("TargetGroup/api", "deregistrationDelaySeconds", json!(300), json!(30), |c| {
            attributes(c, &[("deregistration_delay.timeout_seconds", "300")]);
        }),
        case("Listener/api", "targetGroup", json!("{foreign-target-group}"), json!("TargetGroup/api"), |c| {
            let action = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(foreign_target_group(c)).build();
            c.run(c.elbv2.modify_listener().listener_arn(c.id("Listener/api")).default_actions(action).send());
        }),
        case(
            "NetworkInterface/cp-1",
            "securityGroups",
            json!(["SecurityGroup/nodes"]),
            json!(["SecurityGroup/control-plane"]),
            |c| {
                let call = c.ec2.modify_network_interface_attribute().network_interface_id(c.id("NetworkInterface/cp-1"));
                c.run(call.groups(c.id("SecurityGroup/nodes")).send());
            },
        ),
        case("NetworkInterface/cp-1", "description", json!("mine"), json!("cp-1 of cluster prod.example.com"), |c| {
            let call = c.ec2.modify_network_interface_attribute().network_interface_id(c.id("NetworkInterface/cp-1"));
            c.run(call.description(AttributeValue::builder().value("mine").build()).send());
        }),
        case("NetworkInterface/cp-1", "sourceDestCheck", json!(false), json!(true), |c| {
            let call = c.ec2.modify_network_interface_attribute().network_interface_id(c.id("NetworkInterface/cp-1"));
            c.run(call.source_dest_check(off()).send());
        }),
        case("Volume/cp-2", "iops", json!(4000), json!(3000), |c| {
            c.run(c.ec2.modify_volume().volume_id(c.id("Volume/cp-2")).iops(4000).throughput(200).send());
        }),
        too("Volume/cp-2", "throughput", json!(200), json!(125)),
        case("Volume/cp-3", "volumeType", json!("gp2"), json!("gp3"), |c| {
            c.run(c.ec2.modify_volume().volume_id(c.id("Volume/cp-3")).volume_type(VolumeType::Gp2).send());
        }),
        too("Volume/cp-3", "iops", json!(null), json!(3000)),
        too("Volume/cp-3", "throughput", json!(null), json!(125)),
        case("LaunchTemplate/workers", "image", json!("{other-image}"), json!(ANY), other_template),
        too("LaunchTemplate/workers", "instanceType", json!("t3.small"), json!("m6i.xlarge")),
        too("LaunchTemplate/workers", "keyPair", json!("somebody"), json!(ANY)),
        too("LaunchTemplate/workers", "instanceProfile", json!("{other-profile}"), json!(ANY)),
        too("LaunchTemplate/workers", "securityGroups", json!(["SecurityGroup/control-plane"]), json!(["SecurityGroup/nodes"])),
        too("LaunchTemplate/workers", "publicIp", json!(true), json!(false)),
        too("LaunchTemplate/workers", "rootDevice", json!("/dev/xvda"), json!("/dev/sda1")),
        too("LaunchTemplate/workers", "rootDisk.sizeGiB", json!(9), json!(100)),
        too("LaunchTemplate/workers", "rootDisk.volumeType", json!("gp2"), json!("gp3")),
        too("LaunchTemplate/workers", "rootDisk.iops", json!(null), json!(3000)),
        too("LaunchTemplate/workers", "rootDisk.throughput", json!(null), json!(125)),
        too("LaunchTemplate/workers", "rootDisk.encrypted", json!(false), json!(true)),
        too("LaunchTemplate/workers", "metadataHopLimit", json!(2), json!(1)),
        too("LaunchTemplate/workers", "metadataTokensRequired", json!(false), json!(true)),
        too("LaunchTemplate/workers", "userData", json!(ANY), json!(ANY)),
        too("LaunchTemplate/workers", "instanceTags.team", json!("others"), json!("ml-platform")),
        too("LaunchTemplate/workers", "instanceTags.cost-center", json!(null), json!("4711")),
        too("LaunchTemplate/workers", "instanceTags.Name", json!(null), json!("workers.prod.example.com")),
        too("LaunchTemplate/workers", "instanceTags.stage", json!("test"), json!(null)),
        case("LaunchTemplate/cp-1", "networkInterface", json!("NetworkInterface/cp-2"), json!("NetworkInterface/cp-1"), |c| {
            let interface = ec2::LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder().device_index(0);
            let interface = interface.network_interface_id(c.id("NetworkInterface/cp-2")).build();
            c.new_default_version(
                "LaunchTemplate/cp-1",
                RequestLaunchTemplateData::builder().network_interfaces(interface).build(),
            );
        }),
        case("AutoscalingGroup/workers", "minSize", json!(2), json!(3), |c| {
            let call = c.autoscaling.update_auto_scaling_group().auto_scaling_group_name(c.id("AutoscalingGroup/workers"));
            let template = asg::LaunchTemplateSpecification::builder().launch_template_id(foreign_template(c)).version("1");
            let call = call.min_size(2).max_size(11).vpc_zone_identifier(c.id("Subnet/private-us-east-1a"));
            let call = call.launch_template(template.build()).capacity_rebalance(true);
            c.run(call.health_check_type("ELB").health_check_grace_period(60).send());
        }),
        too("AutoscalingGroup/workers", "maxSize", json!(11), json!(12)),
        too("AutoscalingGroup/workers", "subnets", json!(["Subnet/private-us-east-1a"]), json!(ANY)),
        too("AutoscalingGroup/workers", "launchTemplate", json!("{foreign-template}"), json!("LaunchTemplate/workers")),
        too("AutoscalingGroup/workers", "launchTemplateVersion", json!("1"), json!("$Default")),
        too("AutoscalingGroup/workers", "capacityRebalance", json!(true), json!(false)),
        too("AutoscalingGroup/workers", "healthCheckType", json!("ELB"), json!("EC2")),
        too("AutoscalingGroup/workers", "healthCheckGraceSeconds", json!(60), json!(0)),
        case("AutoscalingGroup/cp-2", "zones", json!(["us-east-1a", "us-east-1b"]), json!(["us-east-1b"]), |c| {
            let call = c.autoscaling.update_auto_scaling_group().auto_scaling_group_name(c.id("AutoscalingGroup/cp-2"));
            c.run(call.availability_zones("us-east-1a").availability_zones("us-east-1b").send());
        }),
        case("DnsRecord/api", "value", json!(["192.0.2.9"]), json!("LoadBalancer/api"), |c| set_record(c, "192.0.2.9", 300)),
        too("DnsRecord/api", "ttlSeconds", json!(300), json!(null)),
    ]
}

/// Tags of each kind that AWS shows with the resource, on `ha-private`.
pub(super) fn tag_cases() -> Vec<Case> {
    let team = |resource, meddle| case(resource, "tags.team", json!("others"), json!("ml-platform"), meddle);
    vec![
        team("Vpc/main", |c| c.tag("Vpc/main", "team", "others")),
        team("InternetGateway/main", |c| c.tag("InternetGateway/main", "team", "others")),
        team("Subnet/private-us-east-1a", |c| c.tag("Subnet/private-us-east-1a", "team", "others")),
        team("ElasticIp/nat-us-east-1a", |c| c.tag("ElasticIp/nat-us-east-1a", "team", "others")),
        team("NatGateway/us-east-1a", |c| c.tag("NatGateway/us-east-1a", "team", "others")),
        team("RouteTable/public", |c| c.tag("RouteTable/public", "team", "others")),
        team("SecurityGroup/nodes", |c| c.tag("SecurityGroup/nodes", "team", "others")),
        team("KeyPair/ssh-…", |c| c.tag(&c.full_name("KeyPair/ssh-"), "team", "others")),
        team("NetworkInterface/cp-1", |c| c.tag("NetworkInterface/cp-1", "team", "others")),
        team("Volume/cp-1", |c| c.tag("Volume/cp-1", "team", "others")),
        team("Role/nodes", |c| c.tag_role("Role/nodes", "team", "others")),
        team("AutoscalingGroup/workers", |c| c.tag_group("AutoscalingGroup/workers", "team", "others")),
        // One that is gone, and one of kclust's own that nobody wants.
        case("Subnet/private-us-east-1b", "tags.kubernetes.io/role/internal-elb", json!(null), json!("1"), |c| {
            c.untag("Subnet/private-us-east-1b", "kubernetes.io/role/internal-elb");
        }),
        case("Subnet/private-us-east-1b", "tags.kubernetes.io/role/elb", json!("1"), json!(null), |c| {
            c.tag("Subnet/private-us-east-1b", "kubernetes.io/role/elb", "1");
        }),
    ]
}

/// On `ml-spot-gpu`: public addresses of slots, several instance types, a record of addresses.
pub(super) fn public_cases() -> Vec<Case> {
    vec![
        case("AutoscalingGroup/spot", "mixedInstances.instanceTypes", json!(["c6i.large"]), json!(ANY), |c| {
            let distribution = asg::InstancesDistribution::builder()
                .on_demand_base_capacity(2)
                .on_demand_percentage_above_base_capacity(50)
                .spot_allocation_strategy("lowest-price");
            let template =
                asg::LaunchTemplateSpecification::builder().launch_template_id(c.id("LaunchTemplate/spot")).version("$Default");
            let template = asg::LaunchTemplate::builder()
                .launch_template_specification(template.build())
                .overrides(asg::LaunchTemplateOverrides::builder().instance_type("c6i.large").build());
            let policy = asg::MixedInstancesPolicy::builder()
                .launch_template(template.build())
                .instances_distribution(distribution.build());
            let call = c.autoscaling.update_auto_scaling_group().auto_scaling_group_name(c.id("AutoscalingGroup/spot"));
            c.run(call.mixed_instances_policy(policy.build()).capacity_rebalance(false).send());
        }),
        too("AutoscalingGroup/spot", "mixedInstances.onDemandBase", json!(2), json!(0)),
        too("AutoscalingGroup/spot", "mixedInstances.onDemandPercentAboveBase", json!(50), json!(0)),
        too("AutoscalingGroup/spot", "mixedInstances.spotAllocation", json!("lowest-price"), json!("price-capacity-optimized")),
        too("AutoscalingGroup/spot", "capacityRebalance", json!(false), json!(true)),
        // A group that shall have no policy.
        case("AutoscalingGroup/gpu", "mixedInstances.instanceTypes", json!(["g5.2xlarge"]), json!(null), |c| {
            let template =
                asg::LaunchTemplateSpecification::builder().launch_template_id(c.id("LaunchTemplate/gpu")).version("$Default");
            let template = asg::LaunchTemplate::builder()
                .launch_template_specification(template.build())
                .overrides(asg::LaunchTemplateOverrides::builder().instance_type("g5.2xlarge").build());
            let policy = asg::MixedInstancesPolicy::builder().launch_template(template.build()).build();
            let call = c.autoscaling.update_auto_scaling_group().auto_scaling_group_name(c.id("AutoscalingGroup/gpu"));
            c.run(call.mixed_instances_policy(policy).send());
        }),
        too("AutoscalingGroup/gpu", "mixedInstances.onDemandBase", json!(ANY), json!(null)),
        too("AutoscalingGroup/gpu", "mixedInstances.onDemandPercentAboveBase", json!(ANY), json!(null)),
        too("AutoscalingGroup/gpu", "mixedInstances.spotAllocation", json!(ANY), json!(null)),
        case("Subnet/public-us-west-2a", "mapPublicIp", json!(false), json!(true), |c| {
            let call = c.ec2.modify_subnet_attribute().subnet_id(c.id("Subnet/public-us-west-2a"));
            c.run(call.map_public_ip_on_launch(off()).send());
        }),
        case("DnsRecord/api", "value", json!(["192.0.2.9"]), json!(["ElasticIp/cp-1"]), |c| set_record(c, "192.0.2.9", 5)),
        too("DnsRecord/api", "ttlSeconds", json!(5), json!(60)),
        case("ElasticIp/cp-1", "networkInterface", json!(null), json!("NetworkInterface/cp-1"), |c| {
            let addresses = c.run(c.ec2.describe_addresses().allocation_ids(c.id("ElasticIp/cp-1")).send()).addresses.unwrap();
            let association = addresses[0].association_id.clone().unwrap();
            c.run(c.ec2.disassociate_address().association_id(association).send());
        }),
        // Machines that have public addresses of their own.
        case("AutoscalingGroup/general", "minSize", json!(0), json!(1), |c| {
            let group = c.id("AutoscalingGroup/general");
            let call = c.autoscaling.update_auto_scaling_group().auto_scaling_group_name(&group);
            c.run(call.min_size(0).desired_capacity(0).send());
        }),
        // Only now does AWS let the gateway go; and its repair must come before that of the address.
        case("InternetGateway/main", "vpc", json!(null), json!("Vpc/main"), |c| {
            let call = c.ec2.detach_internet_gateway().internet_gateway_id(c.id("InternetGateway/main"));
            c.run(call.vpc_id(c.id("Vpc/main")).send());
        }),
    ]
}

/// On `minimal`, whose nodes know the API by the load balancer's own name.
fn unnamed_cases() -> Vec<Case> {
    vec![
        case("LaunchTemplate/workers", "userData.apiName", json!(null), json!("LoadBalancer/api"), |c| {
            let data = RequestLaunchTemplateData::builder().user_data("IyEvYmluL3NoCg==").build();
            c.new_default_version("LaunchTemplate/workers", data);
        }),
        too("LaunchTemplate/workers", "userData", json!(ANY), json!(ANY)),
        case(SETTINGS, "backupIntervalSeconds", json!(60), json!(900), |c| {
            let text = c.state_object("control-plane/settings");
            let mut lines: Vec<&str> = text.lines().collect();
            lines[1..3].copy_from_slice(&["backup-interval 60", "backup-retention 3600"]);
            let other = "addon other manifest bootstrap/addon-other-0.yaml 0";
            c.put_state_object("control-plane/settings", &format!("{}\n{other}\n", lines.join("\n")));
        }),
        too(SETTINGS, "backupRetentionSeconds", json!(3600), json!(1_209_600)),
        too(
            SETTINGS,
            "addonOrder",
            json!(["aws-cloud-controller-manager", "cilium", "other"]),
            json!(["aws-cloud-controller-manager", "cilium"]),
        ),
        too(SETTINGS, "addons.other", json!("manifest 0"), json!(null)),
    ]
}

#[test]
fn fields_of_a_private_cluster_are_put_right() {
    let cluster = Cluster::of_example("ha-private", "prod.example.com", "us-east-1");
    put_right(&cluster, private_cases());
    put_right(&cluster, tag_cases());
}

#[test]
fn fields_of_a_public_cluster_are_put_right() {
    let cluster = Cluster::of_example("ml-spot-gpu", "ml.example.com", "us-west-2");
    put_right(&cluster, public_cases());
}

#[test]
fn fields_of_a_cluster_without_a_zone_are_put_right() {
    let cluster = Cluster::of_example("minimal", "dev.k8s.local", "us-east-1");
    put_right(&cluster, unnamed_cases());
}

/// Fields that no call of AWS changes on a thing that exists, or by which the thing is known: what differs is another thing. What
/// happens then is said in `deletions` and `identity`.
const FIXED: &[(Kind, &str, &str)] = &[
    (Kind::Vpc, "cidr", "AWS adds ranges to a VPC; the first one stays"),
    (Kind::Subnet, "vpc", "AWS has no call that changes it"),
    (Kind::Subnet, "zone", "AWS has no call that changes it"),
    (Kind::Subnet, "cidr", "AWS has no call that changes it"),
    (Kind::NatGateway, "subnet", "AWS has no call that changes it"),
    (Kind::NatGateway, "address", "the first address of a gateway stays"),
    (Kind::RouteTable, "vpc", "AWS has no call that changes it"),
    (Kind::Route, "table", "it is the route's identity"),
    (Kind::Route, "destination", "it is the route's identity"),
    (Kind::RouteTableAssociation, "subnet", "it is the association's identity"),
    (Kind::VpcEndpoint, "vpc", "AWS has no call that changes it"),
    (Kind::VpcEndpoint, "service", "AWS has no call that changes it"),
    (Kind::SecurityGroup, "vpc", "AWS has no call that changes it"),
    (Kind::SecurityGroup, "name", "AWS has no call that changes it"),
    (Kind::SecurityGroup, "description", "AWS has no call that changes it"),
    (Kind::SecurityGroupRule, "group", "AWS has no call that changes it"),
    (Kind::SecurityGroupRule, "direction", "AWS has no call that changes it"),
    (Kind::SecurityGroupRule, "description", "it is the rule's identity: see a_rule_that_lost_its_description_gets_it_back"),
    (Kind::Role, "name", "AWS has no call that changes it"),
    (Kind::Role, "path", "AWS has no call that changes it"),
    (Kind::RolePolicy, "role", "it is the policy's identity"),
    (Kind::RolePolicy, "name", "it is the policy's identity"),
    (Kind::InstanceProfile, "name", "AWS has no call that changes it"),
    (Kind::InstanceProfile, "path", "AWS has no call that changes it"),
    (Kind::KeyPair, "name", "AWS has no call that changes it"),
    (Kind::LoadBalancer, "name", "AWS has no call that changes it"),
    (Kind::LoadBalancer, "internetFacing", "AWS has no call that changes it"),
    (Kind::TargetGroup, "name", "AWS has no call that changes it"),
    (Kind::TargetGroup, "vpc", "AWS has no call that changes it"),
    (Kind::TargetGroup, "port", "AWS has no call that changes it"),
    (Kind::Listener, "loadBalancer", "AWS has no call that changes it"),
    (Kind::Listener, "port", "it is the listener's identity: see a_listener_on_another_port_is_another_listener"),
    (Kind::Target, "targetGroup", "it is the target's identity"),
    (Kind::Target, "address", "it is the target's identity"),
    (Kind::Target, "port", "it is the target's identity: see a_target_on_another_port_is_another_target"),
    (Kind::NetworkInterface, "subnet", "AWS has no call that changes it"),
    (Kind::NetworkInterface, "address", "the first address of an interface stays"),
    (Kind::Volume, "zone", "AWS has no call that changes it"),
    (Kind::Volume, "sizeGiB", "a volume grows only: see a_volume_that_grew_is_told"),
    (Kind::Volume, "encrypted", "AWS has no call that changes it"),
    (Kind::BootstrapObject, "key", "it is the object's identity, and holds the hash of the content"),
    (Kind::BootstrapObject, "sha256", "the key holds it, and machines compare it with what they read"),
    (Kind::LaunchTemplate, "name", "AWS has no call that changes it"),
    (Kind::AutoscalingGroup, "name", "AWS has no call that changes it"),
    (Kind::DnsRecord, "zoneId", "it is the record's identity"),
    (Kind::DnsRecord, "name", "it is the record's identity"),
];

/// `tags.team` → `tags.*`; of addons, what is true of one is true of all.
fn collapsed(path: &str) -> String {
    ["tags.", "instanceTags.", "addons."]
        .iter()
        .find(|prefix| path.starts_with(*prefix))
        .map_or_else(|| path.to_owned(), |prefix| format!("{prefix}*"))
}

/// The facts that a spec needs, made up.
fn facts(cluster: &kclust::spec::Cluster) -> Facts {
    let mut types = vec![&cluster.control_plane.instance_type];
    types.extend(cluster.node_groups.iter().flat_map(|group| &group.instance_types));
    let instance_types = types.into_iter().map(|name| {
        let architecture = Architecture::of(name);
        let facts = InstanceTypeFacts { name: name.to_string(), architecture, vcpus: 4, memory_mib: 16384, gpus: 1 };
        (name.to_string(), facts)
    });
    let mut images = vec![&cluster.control_plane.image];
    images.extend(cluster.node_groups.iter().map(|group| &group.image));
    let images = images.into_iter().flat_map(|image| {
        [Architecture::X86_64, Architecture::Arm64].map(|architecture| {
            let (id, name) = ("ami-1".to_owned(), "ubuntu".to_owned());
            let image_facts = ResolvedImage { id, name, architecture, root_device: "/dev/sda1".to_owned() };
            (Facts::image_key(image, architecture), image_facts)
        })
    });
    let zone = cluster.dns.as_ref().map(|dns| HostedZone { id: "Z1".to_owned(), name: dns.zone.clone(), private: false });
    Facts {
        account: "123456789012".to_owned(),
        partition: "aws".to_owned(),
        cluster_uid: "0".repeat(32),
        images: images.collect(),
        instance_types: instance_types.collect(),
        hosted_zone: zone,
        network: None,
        slot_addresses: fixed_addresses(cluster).into_iter().collect(),
        manifests: BTreeMap::new(),
        user_tags: Default::default(),
        state: StateLocation { bucket: "b".to_owned(), prefix: "p".to_owned(), region: "us-east-1".to_owned() },
    }
}

#[test]
fn every_field_of_every_kind_is_accounted_for() {
    let mut fields: BTreeMap<(Kind, String), OnChange> = BTreeMap::new();
    for name in ["minimal", "ha-private", "ml-spot-gpu"] {
        let cluster = load(name, &example(name)).unwrap_or_else(|problems| panic!("{problems:?}"));
        for (id, resource) in build(&cluster, &facts(&cluster)) {
            for field in resource.fields() {
                fields.insert((id.kind, collapsed(&field.path)), field.on_change);
            }
        }
    }
    let kinds: BTreeSet<Kind> = fields.keys().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, Kind::ALL.iter().copied().collect(), "a kind that no example has");

    let cases = [private_cases(), tag_cases(), public_cases(), unnamed_cases()];
    let put_right: BTreeSet<(Kind, String)> = cases
        .iter()
        .flatten()
        .map(|case| (Kind::parse(case.resource.split_once('/').unwrap().0).unwrap(), collapsed(case.path)))
        .collect();
    let fixed: BTreeSet<(Kind, String)> = FIXED.iter().map(|(kind, path, _)| (*kind, (*path).to_owned())).collect();
    let mut unmanaged = 0;
    for (field, on_change) in &fields {
        let (kind, path) = field;
        match on_change {
            OnChange::Unmanaged(reason) => {
                unmanaged += 1;
                assert!(!reason.is_empty(), "{kind}: {path} is unmanaged without a reason");
                assert!(!put_right.contains(field), "{kind}: {path} is unmanaged and put right");
            }
            OnChange::Update | OnChange::Replace => {
                assert!(put_right.contains(field) || fixed.contains(field), "nothing tests {kind}: {path}");
            }
        }
    }
    for field in &put_right {
        assert!(fields.contains_key(field), "there is no {field:?}");
    }
    for field in &fixed {
        assert!(fields.contains_key(field), "there is no {field:?}");
        assert!(!put_right.contains(field), "{field:?} is put right, and said to be fixed");
    }
    println!(
        "{} fields of {} kinds: {} put right, {} fixed, {unmanaged} unmanaged",
        fields.len(),
        kinds.len(),
        put_right.len(),
        fixed.len()
    );
}

/// Changes of what kclust does not look at, and of what is not its own.
#[test]
fn what_is_not_managed_is_left_alone() {
    let cluster = Cluster::of_example("ha-private", "prod.example.com", "us-east-1");
    let c = &cluster;
    for name in ["LoadBalancer/api", "TargetGroup/api", "Listener/api"] {
        c.tag_balancer(name, "team", "others");
        c.tag_balancer(name, "foreign", "yes");
    }
    for name in ["VpcEndpoint/s3", "LaunchTemplate/workers"] {
        c.tag(name, "team", "others");
    }
    let rule = c.rule_id("SecurityGroup/control-plane", "kclust: etcd from control-plane");
    c.note("rule", rule);
    c.tag("rule", "team", "others");
    let tag = aws_sdk_iam::types::Tag::builder().key("team").value("others").build().unwrap();
    c.run(c.iam.tag_instance_profile().instance_profile_name(c.id("InstanceProfile/nodes")).tags(tag).send());

    // Tags of others on all that shows its tags.
    for case in tag_cases() {
        let name = match case.resource.strip_suffix('…') {
            Some(start) => c.full_name(start),
            None => case.resource.to_owned(),
        };
        match name.split_once('/').unwrap().0 {
            "Role" => c.tag_role(&name, "cost-tool", "1"),
            "AutoscalingGroup" => c.tag_group(&name, "cost-tool", "1"),
            _ => c.tag(&name, "cost-tool", "1"),
        }
    }
    // The number of machines is the autoscaler's.
    let group = c.id("AutoscalingGroup/workers");
    c.run(c.autoscaling.set_desired_capacity().auto_scaling_group_name(&group).desired_capacity(5).send());
    // A peering route of the operator, and a record beside the cluster's.
    let call = c.ec2.create_route().route_table_id(c.id("RouteTable/public")).destination_cidr_block("10.99.0.0/16");
    c.run(call.network_interface_id(c.id("NetworkInterface/cp-1")).send());
    c.settled();

    // Another change does not take them away.
    c.tag("Vpc/main", "team", "others");
    c.apply();
    c.settled();
    let world = c.account.world();
    assert_eq!(world["regions"]["us-east-1"]["vpcs"][c.id("Vpc/main")]["tags"]["cost-tool"], "1");
    let sizes = &world["regions"]["us-east-1"]["autoScalingGroups"][&group]["sizes"];
    assert_eq!(*sizes, json!([3, 5, 12]));
}

#[test]
fn rules_of_others_are_reported_and_left_alone() {
    let cluster = Cluster::of_example("minimal", "dev.k8s.local", "us-east-1");
    let c = &cluster;
    let range = ec2::IpRange::builder().cidr_ip("198.51.100.0/24").description("kubernetes.io/rule/nlb/client=x").build();
    let permission = ec2::IpPermission::builder().ip_protocol("tcp").from_port(30000).to_port(32767).ip_ranges(range).build();
    let call = c.ec2.authorize_security_group_ingress().group_id(c.id("SecurityGroup/nodes"));
    c.run(call.ip_permissions(permission).send());
    let plan = c.plan();
    assert_eq!(plan["changes"], json!([]));
    let warnings = plan["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let warning = warnings[0].as_str().unwrap();
    assert!(warning.contains("30000-32767") && warning.contains("198.51.100.0/24"), "{warning}");
    c.settled();
}

#[test]
fn a_rule_that_lost_its_description_gets_it_back() {
    let cluster = Cluster::of_example("ha-private", "prod.example.com", "us-east-1");
    let c = &cluster;
    let group = c.id("SecurityGroup/nodes");
    let range = ec2::IpRange::builder().cidr_ip("10.0.0.0/8").description("mine").build();
    let ssh = ec2::IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).ip_ranges(range).build();
    c.run(c.ec2.update_security_group_rule_descriptions_ingress().group_id(&group).ip_permissions(ssh).send());
    assert_eq!(c.plan()["warnings"].as_array().unwrap().len(), 1);
    c.put_right_all(&["create SecurityGroupRule/nodes:SSH from 10.0.0.0/8"]);
    assert_eq!(c.plan()["warnings"], json!([]));
}

#[test]
fn a_listener_on_another_port_is_another_listener() {
    let cluster = Cluster::of_example("minimal", "dev.k8s.local", "us-east-1");
    let c = &cluster;
    c.run(c.elbv2.modify_listener().listener_arn(c.id("Listener/api")).port(7443).send());
    c.put_right_all(&["create Listener/api", "delete Listener/api:7443"]);
}

#[test]
fn a_target_on_another_port_is_another_target() {
    let cluster = Cluster::of_example("ha-private", "prod.example.com", "us-east-1");
    let c = &cluster;
    let group = c.id("TargetGroup/api");
    let address = |slot: &str| {
        let call = c.ec2.describe_network_interfaces().network_interface_ids(c.id(&format!("NetworkInterface/{slot}")));
        c.run(call.send()).network_interfaces.unwrap().remove(0).private_ip_address.unwrap()
    };
    let target =
        |address: &str, port| aws_sdk_elasticloadbalancingv2::types::TargetDescription::builder().id(address).port(port).build();
    let (first, second) = (address("cp-1"), address("cp-2"));
    // cp-1 at another port only, cp-2 at two ports, and an address that is no slot's.
    c.run(c.elbv2.deregister_targets().target_group_arn(&group).targets(target(&first, 6443)).send());
    let call = c.elbv2.register_targets().target_group_arn(&group).targets(target(&first, 6444));
    let call = call.targets(target(&second, 22)).targets(target("10.20.0.99", 6443));
    c.run(call.send());
    c.apply();
    c.settled();
    let targets = &c.account.world()["regions"]["us-east-1"]["targetGroups"][&group]["targets"];
    let targets: Vec<&str> = targets.as_array().unwrap().iter().map(|target| target.as_str().unwrap()).collect();
    assert_eq!(targets.len(), 3, "{targets:?}");
    assert!(targets.iter().all(|target| target.ends_with(":6443")), "{targets:?}");
}

/// EBS volumes grow only: the spec has to follow.
#[test]
fn a_volume_that_grew_is_told() {
    let cluster = Cluster::of_example("minimal", "dev.k8s.local", "us-east-1");
    let c = &cluster;
    c.run(c.ec2.modify_volume().volume_id(c.id("Volume/cp-1")).size(40).send());
    let before = c.account.world();
    let run = c.update(&["--yes"]).expect(2);
    assert!(run.stderr.contains("Volume/cp-1") && run.stderr.contains("sizeGiB is 40"), "{}", run.stderr);
    assert_eq!(c.account.world(), before);
    let spec = example("minimal").replace("  nodeGroups:", "  controlPlane: {etcdVolume: {sizeGiB: 40}}\n  nodeGroups:");
    let file = c.account.file("grown.yaml", &spec);
    c.update(&["-f", &file, "--yes"]).expect(0);
    c.settled();
}

#[test]
fn a_template_with_somebody_elses_profile_or_group_is_still_found() {
    let cluster = Cluster::of_example("minimal", "dev.k8s.local", "us-east-1");
    let c = &cluster;
    let templates = || c.account.world()["regions"]["us-east-1"]["launchTemplates"].as_object().unwrap().len();
    let (before, id) = (templates(), c.id("LaunchTemplate/workers"));

    let arn = format!("arn:aws:iam::{}:instance-profile/theirs", c.account.id);
    let profile = ec2::LaunchTemplateIamInstanceProfileSpecificationRequest::builder().arn(arn).build();
    let data = RequestLaunchTemplateData::builder().iam_instance_profile(profile).build();
    c.new_default_version("LaunchTemplate/workers", data);
    c.apply();
    c.settled();
    assert_eq!(templates(), before);

    // The instance tags say another group, or nothing at all.
    let owned = format!("kubernetes.io/cluster/{}", c.name);
    let owned = (owned.as_str(), "owned");
    let group = "kclust.dev/group";
    for tags in [vec![(group, "cp-1"), owned], vec![(group, "unheard-of"), owned], vec![owned], vec![("other", "tag")]] {
        let tags = tags.into_iter().map(|(key, value)| ec2::Tag::builder().key(key).value(value).build());
        let tags = ec2::LaunchTemplateTagSpecificationRequest::builder()
            .resource_type(ec2::ResourceType::Instance)
            .set_tags(Some(tags.collect()));
        let data = RequestLaunchTemplateData::builder().tag_specifications(tags.build()).build();
        c.new_default_version("LaunchTemplate/workers", data);
        c.apply();
        c.settled();
        assert_eq!(templates(), before);
        assert_eq!(c.id("LaunchTemplate/workers"), id);
    }
    let filter = Filter::builder().name("tag:kclust.dev/id").values("LaunchTemplate/workers").build();
    let found = c.run(c.ec2.describe_launch_templates().filters(filter).send()).launch_templates.unwrap();
    assert_eq!(found.len(), 1);
}
