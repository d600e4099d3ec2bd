//! A described network in the model's words.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{
    Address, InternetGateway as SdkInternetGateway, InternetGatewayAttachment, IpPermission, IpRange,
    LaunchTemplateIamInstanceProfileSpecification, LaunchTemplateVersion, NatGateway as SdkNatGateway, NatGatewayAddress,
    NatGatewayState, ResponseLaunchTemplateData, Route as SdkRoute, RouteTable as SdkRouteTable,
    RouteTableAssociation as SdkAssociation, SecurityGroup as SdkSecurityGroup, Subnet as SdkSubnet, Tag, Volume as SdkVolume,
    VolumeState, Vpc as SdkVpc, VpcEndpoint as SdkVpcEndpoint,
};

use super::observe::Answers;
use crate::cloud::{Observed, Physical, World};
use crate::model::tags::{ID, cluster};
use crate::model::{
    COMMON_LIMIT, InstanceProfile, InstanceProfileRef, Kind, Ref, Resource, ResourceId, RouteTarget, Tags, aws_name,
};

fn tags(id: &str) -> Option<Vec<Tag>> {
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    Some(vec![tag(&cluster("demo"), "owned"), tag(ID, id)])
}

fn vpc(physical: &str) -> SdkVpc {
    SdkVpc::builder().vpc_id(physical).cidr_block("10.0.0.0/16").set_tags(tags("Vpc/main")).build()
}

fn subnet(physical: &str, vpc: &str) -> SdkSubnet {
    SdkSubnet::builder()
        .subnet_id(physical)
        .vpc_id(vpc)
        .cidr_block("10.0.1.0/24")
        .availability_zone("us-east-1a")
        .set_tags(tags("Subnet/private-a"))
        .build()
}

fn nat_gateway(physical: &str, state: NatGatewayState) -> SdkNatGateway {
    let address = NatGatewayAddress::builder().allocation_id("eipalloc-1").network_interface_id("eni-nat").build();
    SdkNatGateway::builder()
        .nat_gateway_id(physical)
        .state(state)
        .subnet_id("subnet-1")
        .nat_gateway_addresses(address)
        .set_tags(tags("NatGateway/a"))
        .build()
}

fn address(physical: &str, id: &str, interface: &str) -> Address {
    Address::builder()
        .allocation_id(physical)
        .public_ip("192.0.2.1")
        .association_id("eipassoc-1")
        .network_interface_id(interface)
        .set_tags(tags(id))
        .build()
}

fn route(destination: &str, nat_gateway: &str) -> SdkRoute {
    SdkRoute::builder().destination_cidr_block(destination).nat_gateway_id(nat_gateway).build()
}

fn endpoint_route() -> SdkRoute {
    SdkRoute::builder().destination_prefix_list_id("pl-1").gateway_id("vpce-1").build()
}

fn table() -> aws_sdk_ec2::types::builders::RouteTableBuilder {
    let local = SdkRoute::builder().destination_cidr_block("10.0.0.0/16").gateway_id("local").build();
    SdkRouteTable::builder().route_table_id("rtb-1").vpc_id("vpc-1").routes(local).set_tags(tags("RouteTable/private-a"))
}

fn answers() -> Answers {
    Answers { ownership: cluster("demo"), region: "us-east-1".to_owned(), vpc_endpoints: Some(Vec::new()), ..Answers::default() }
}

fn world(answers: &Answers) -> World {
    let mut world = World::default();
    answers.add_to(&mut world, &answers.ids(), None).expect("the answers are complete");
    world
}

fn physical(world: &World, kind: Kind, name: &str) -> String {
    world.resources[&ResourceId::new(kind, name)].physical.id.clone()
}

fn names(world: &World) -> Vec<String> {
    world.resources.keys().map(ToString::to_string).collect()
}

#[test]
fn references_are_to_the_clusters_own_things_by_name_and_to_others_by_id() {
    let answers =
        Answers { vpcs: vec![vpc("vpc-1")], dns_hostnames: vec![true], subnets: vec![subnet("subnet-1", "vpc-1")], ..answers() };
    let found = world(&answers);
    let Resource::Subnet(observed) = &found.resources[&ResourceId::new(Kind::Subnet, "private-a")].resource else {
        panic!("a subnet");
    };
    assert_eq!(observed.vpc, Ref::own("main"));

    let answers = Answers { subnets: vec![subnet("subnet-1", "vpc-9")], ..self::answers() };
    let Resource::Subnet(observed) = &world(&answers).resources[&ResourceId::new(Kind::Subnet, "private-a")].resource else {
        panic!("a subnet");
    };
    assert_eq!(observed.vpc, Ref::foreign("vpc-9"));
}

#[test]
fn of_two_things_with_one_identity_the_used_one_is_the_resource() {
    let answers = Answers {
        vpcs: vec![vpc("vpc-1"), vpc("vpc-2")],
        dns_hostnames: vec![true, false],
        subnets: vec![subnet("subnet-1", "vpc-2")],
        ..answers()
    };
    let found = world(&answers);
    assert_eq!(physical(&found, Kind::Vpc, "main"), "vpc-2");
    let duplicates: Vec<_> = found.duplicates.iter().map(|(id, observed)| (id.to_string(), &*observed.physical.id)).collect();
    assert_eq!(duplicates, [("Vpc/main".to_owned(), "vpc-1")]);
}

#[test]
fn a_detached_internet_gateway_refers_to_nothing() {
    let gateway = SdkInternetGateway::builder().internet_gateway_id("igw-1").set_tags(tags("InternetGateway/main"));
    let attached = gateway.clone().attachments(InternetGatewayAttachment::builder().vpc_id("vpc-1").build());
    for (gateway, expected) in [(gateway, Ref::Nothing), (attached, Ref::foreign("vpc-1"))] {
        let found = world(&Answers { internet_gateways: vec![gateway.build()], ..answers() });
        let Resource::InternetGateway(observed) = &found.resources[&ResourceId::new(Kind::InternetGateway, "main")].resource
        else {
            panic!("an internet gateway");
        };
        assert_eq!(observed.vpc, expected);
    }
}

#[test]
fn gateways_that_are_gone_are_not_seen_and_failed_ones_are_to_be_removed() {
    let answers = Answers {
        nat_gateways: vec![
            nat_gateway("nat-1", NatGatewayState::Deleted),
            nat_gateway("nat-2", NatGatewayState::Deleting),
            nat_gateway("nat-3", NatGatewayState::Failed),
            nat_gateway("nat-4", NatGatewayState::Pending),
        ],
        ..answers()
    };
    let found = world(&answers);
    assert_eq!(physical(&found, Kind::NatGateway, "a"), "nat-4");
    let duplicates: Vec<_> = found.duplicates.iter().map(|(_, observed)| &*observed.physical.id).collect();
    assert_eq!(duplicates, ["nat-3"]);
}

#[test]
fn the_address_of_a_nat_gateway_has_no_interface_that_the_model_knows() {
    let answers = Answers {
        addresses: vec![
            address("eipalloc-1", "ElasticIp/nat-a", "eni-nat"),
            address("eipalloc-2", "ElasticIp/slot-a", "eni-other"),
        ],
        nat_gateways: vec![nat_gateway("nat-1", NatGatewayState::Available)],
        ..answers()
    };
    let found = world(&answers);
    let interface = |name: &str| match &found.resources[&ResourceId::new(Kind::ElasticIp, name)].resource {
        Resource::ElasticIp(address) => address.network_interface.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(interface("nat-a"), None);
    assert_eq!(interface("slot-a"), Some(Ref::foreign("eni-other")));
}

#[test]
fn routes_of_the_operator_are_left_alone() {
    let peering = SdkRoute::builder().destination_cidr_block("172.16.0.0/12").vpc_peering_connection_id("pcx-1").build();
    let table = table().routes(route("0.0.0.0/0", "nat-1")).routes(peering).routes(endpoint_route());
    let answers = Answers {
        route_tables: vec![table.build()],
        nat_gateways: vec![nat_gateway("nat-1", NatGatewayState::Available)],
        ..answers()
    };
    let found = world(&answers);
    assert_eq!(names(&found), ["NatGateway/a", "RouteTable/private-a", "Route/private-a:0.0.0.0/0"]);
    assert_eq!(physical(&found, Kind::Route, "private-a:0.0.0.0/0"), "rtb-1/0.0.0.0/0");
}

#[test]
fn a_default_route_that_leads_elsewhere_is_seen() {
    let instance = SdkRoute::builder().destination_cidr_block("0.0.0.0/0").instance_id("i-1").build();
    for (route, expected) in [
        (instance, RouteTarget::Other("i-1".to_owned())),
        (route("0.0.0.0/0", "nat-gone"), RouteTarget::NatGateway(Ref::foreign("nat-gone"))),
    ] {
        let found = world(&Answers { route_tables: vec![table().routes(route).build()], ..answers() });
        let Resource::Route(observed) = &found.resources[&ResourceId::new(Kind::Route, "private-a:0.0.0.0/0")].resource else {
            panic!("a route");
        };
        assert_eq!(observed.target, expected);
    }
}

#[test]
fn associations_are_named_after_the_subnet() {
    let association = |subnet: &str, id: &str| SdkAssociation::builder().subnet_id(subnet).route_table_association_id(id).build();
    let table = table().associations(association("subnet-1", "rtbassoc-1")).associations(association("subnet-9", "rtbassoc-9"));
    let answers = Answers { subnets: vec![subnet("subnet-1", "vpc-1")], route_tables: vec![table.build()], ..answers() };
    let found = world(&answers);
    assert_eq!(physical(&found, Kind::RouteTableAssociation, "private-a"), "rtbassoc-1");
    assert_eq!(found.resources.len(), 3, "{:?}", names(&found));
}

#[test]
fn the_endpoint_is_seen_in_the_route_tables_or_by_its_tags() {
    let tables = || vec![table().routes(endpoint_route()).build()];
    let known = BTreeMap::from([("vpce-1".to_owned(), ResourceId::new(Kind::VpcEndpoint, "s3"))]);
    let shown = Answers { route_tables: tables(), vpc_endpoints: None, known, ..answers() };
    // Of another service, it may be.
    let of_others = Answers { route_tables: tables(), vpc_endpoints: None, ..answers() };
    assert!(world(&of_others).resources.keys().all(|id| id.kind != Kind::VpcEndpoint));
    let endpoint = SdkVpcEndpoint::builder()
        .vpc_endpoint_id("vpce-1")
        .vpc_id("vpc-1")
        .service_name("com.amazonaws.us-east-1.s3")
        .set_tags(tags("VpcEndpoint/s3"));
    let described = Answers { vpc_endpoints: Some(vec![endpoint.build()]), ..answers() };
    for (answers, tables) in [(shown, vec![Ref::own("private-a")]), (described, Vec::new())] {
        let found = world(&answers);
        let observed = &found.resources[&ResourceId::new(Kind::VpcEndpoint, "s3")];
        assert_eq!(observed.physical.id, "vpce-1");
        let Resource::VpcEndpoint(endpoint) = &observed.resource else { panic!("an endpoint") };
        assert_eq!(endpoint.service, "com.amazonaws.us-east-1.s3");
        assert_eq!(endpoint.route_tables, tables);
    }
}

#[test]
fn rules_of_others_are_reported_and_the_one_of_aws_is_not() {
    let permission =
        |range: IpRange| IpPermission::builder().ip_protocol("tcp").from_port(443).to_port(443).ip_ranges(range).build();
    let ours = IpRange::builder().cidr_ip("10.0.0.0/8").description("kclust: API from 10.0.0.0/8").build();
    let theirs = IpRange::builder().cidr_ip("192.0.2.0/24").build();
    let everything = IpPermission::builder().ip_protocol("-1").ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build());
    let group = SdkSecurityGroup::builder()
        .group_id("sg-1")
        .group_name("api.demo")
        .vpc_id("vpc-1")
        .ip_permissions(permission(ours))
        .ip_permissions(permission(theirs))
        .ip_permissions_egress(everything.build())
        .set_tags(tags("SecurityGroup/api"));
    let found = world(&Answers { security_groups: vec![group.build()], ..answers() });
    assert_eq!(names(&found), ["SecurityGroup/api", "SecurityGroupRule/api:API from 10.0.0.0/8"]);
    assert_eq!(found.foreign_rules, ["api (sg-1): ingress tcp 443 from 192.0.2.0/24"]);
}

/// It counts for nothing, and is there to be told of and to be removed.
#[test]
fn a_volume_that_failed_is_a_second_one() {
    let volume = |physical: &str, state: VolumeState| {
        SdkVolume::builder().volume_id(physical).state(state).set_tags(tags("Volume/etcd-a")).build()
    };
    let id = ResourceId::new(Kind::Volume, "etcd-a");
    for volumes in [
        vec![volume("vol-1", VolumeState::Error)],
        vec![volume("vol-1", VolumeState::Error), volume("vol-2", VolumeState::Available)],
    ] {
        let usable = volumes.len() - 1;
        let found = world(&Answers { volumes, ..answers() });
        assert_eq!(found.resources.contains_key(&id), usable == 1);
        let failed: Vec<&str> = found.duplicates.iter().map(|(_, observed)| observed.physical.id.as_str()).collect();
        assert_eq!(failed, ["vol-1"]);
    }
}

#[test]
fn a_volume_that_is_being_deleted_is_not_there() {
    let volume = |physical: &str, state: VolumeState| {
        SdkVolume::builder().volume_id(physical).state(state).set_tags(tags("Volume/etcd-a")).build()
    };
    let volumes = vec![volume("vol-1", VolumeState::Deleting), volume("vol-2", VolumeState::Available)];
    let found = world(&Answers { volumes, ..answers() });
    assert_eq!(physical(&found, Kind::Volume, "etcd-a"), "vol-2");
    assert!(found.duplicates.is_empty());
}

#[test]
fn things_without_a_logical_id_or_of_another_cluster_are_not_in_the_world() {
    let mut untagged = vpc("vpc-1");
    untagged.tags = tags("Vpc/main").map(|tags| tags.into_iter().take(1).collect());
    let mut others = vpc("vpc-2");
    others.tags = Some(vec![Tag::builder().key(ID).value("Vpc/main").build()]);
    let found = world(&Answers { vpcs: vec![untagged, others], dns_hostnames: vec![true, true], ..answers() });
    assert_eq!(found, World::default());
}

#[test]
fn a_template_refers_to_the_profile_whose_path_and_name_its_arn_ends_with() {
    let profile = LaunchTemplateIamInstanceProfileSpecification::builder();
    let profile = profile.arn("arn:aws-cn:iam::123456789012:instance-profile/kclust/demo/nodes-demo-1234");
    let data = ResponseLaunchTemplateData::builder().iam_instance_profile(profile.build());
    let name = aws_name("us-east-1", "demo", "workers", COMMON_LIMIT);
    let version = LaunchTemplateVersion::builder().launch_template_id("lt-1").launch_template_name(name);
    let version = version.launch_template_data(data.build());
    let answers = Answers { launch_templates: vec![version.build()], ..answers() };

    let profile = |name: &str| {
        let resource =
            InstanceProfile { name: name.to_owned(), path: "/kclust/demo/".to_owned(), role: Ref::Nothing, tags: Tags::new() };
        Observed { resource: resource.into(), physical: Physical::new(name) }
    };
    let mut found = World::default();
    found.resources.insert(ResourceId::new(Kind::InstanceProfile, "demo"), profile("demo-1234"));
    found.resources.insert(ResourceId::new(Kind::InstanceProfile, "nodes"), profile("nodes-demo-1234"));
    answers.add_to(&mut found, &answers.ids(), None).expect("the answers are complete");
    let Resource::LaunchTemplate(template) = &found.resources[&ResourceId::new(Kind::LaunchTemplate, "workers")].resource else {
        panic!("a launch template");
    };
    let InstanceProfileRef::Own { profile, .. } = &template.instance_profile else { panic!("a profile of the cluster") };
    assert_eq!(*profile, Ref::own("nodes"));
}
