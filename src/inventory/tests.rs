//! Instances on their way, groups that are weak, resources and their pages.

use std::collections::BTreeSet;

use super::{Condition, Console, Fleet, Instance, ResourceStatus, groups, instances, resources};
use crate::cloud::{GroupStatus, World};
use crate::health::{KubernetesView, Role};
use crate::model::{Kind, build};
use crate::plan::drift;
use crate::store::NodeStatus;
use crate::test_support::{self, example, facts, id, nodes};

fn fleet() -> Fleet {
    test_support::fleet(&example("ha-private"))
}

fn silent(fleet: &mut Fleet) {
    fleet.kubernetes = KubernetesView::Skipped { reason: "nobody asked".into() };
}

fn boot(fleet: &mut Fleet, index: usize, step: &str, error: Option<&str>) {
    let instance = fleet.instances[index].id.clone();
    let status = NodeStatus {
        instance: instance.clone(),
        role: "worker".into(),
        group: "workers".into(),
        step: step.into(),
        since: "2026-11-26T22:16:00Z".into(),
        error: error.map(str::to_owned),
    };
    fleet.boots.insert(instance, Ok(status));
}

/// How the instances are after a change, by their index in the fleet.
fn after(change: impl FnOnce(&mut Fleet)) -> Vec<(Condition, Option<String>)> {
    let mut fleet = fleet();
    let order: Vec<String> = fleet.instances.iter().map(|instance| instance.id.clone()).collect();
    change(&mut fleet);
    let rows = instances(&fleet);
    let row = |id: &String| rows.iter().find(|row| row.id == *id).map(|row| (row.condition, row.detail.clone()));
    order.iter().filter_map(row).collect()
}

#[test]
fn control_planes_come_first_and_all_are_ready_nodes() {
    let rows = instances(&fleet());
    let groups: Vec<&str> = rows.iter().filter_map(|row| row.group.as_deref()).collect();
    assert_eq!(groups, ["cp-1", "cp-2", "cp-3", "workers", "workers", "workers"]);
    assert!(
        rows.iter().all(|row| row.condition == Condition::Ready && row.ready == Some(true) && row.node == Some(row.id.clone()))
    );
    assert!(rows.iter().all(|row| row.template_version == Some(1) && row.template_current == Some(true)));
    assert_eq!((rows[0].role, rows[5].role), (Role::ControlPlane, Role::Node));
}

#[test]
fn an_instance_is_followed_from_its_launch_to_its_end() {
    let seen = after(|fleet| {
        fleet.instances[0].state = "pending".into();
        fleet.instances[1].state = "stopped".into();
        fleet.groups[2].instances[0].lifecycle_state = "Terminating:Wait".into();
        let absent = fleet.instances[3].id.clone();
        nodes(fleet).retain(|node| node.name != absent);
        nodes(fleet)[3].not_ready = Some("KubeletNotReady: no network".into());
    });
    let unready = Some("KubeletNotReady: no network".to_owned());
    assert_eq!(
        seen,
        [
            (Condition::Pending, None),
            (Condition::Stopped, None),
            (Condition::Terminating, None),
            (Condition::NotJoined, None),
            (Condition::NotReady, unready),
            (Condition::Ready, None),
        ]
    );
}

#[test]
fn without_the_api_the_boot_tells_and_no_readiness_is_made_up() {
    let seen = after(|fleet| {
        silent(fleet);
        boot(fleet, 0, "done", None);
        boot(fleet, 1, "joining the cluster", None);
        boot(fleet, 2, "waiting for downloads", Some("no route"));
    });
    assert_eq!(seen[0], (Condition::Booted, None));
    assert_eq!(seen[1], (Condition::Booting, Some("joining the cluster".into())));
    assert_eq!(seen[2], (Condition::BootFailed, Some("waiting for downloads: no route".into())));
    assert_eq!(seen[3], (Condition::Running, None));
    let unread = after(|fleet| {
        silent(fleet);
        let id = fleet.instances[0].id.clone();
        fleet.boots.insert(id, Err("s3:GetObject: AccessDenied".into()));
    });
    assert_eq!(unread[0], (Condition::Running, Some("how its boot stands could not be read: s3:GetObject: AccessDenied".into())));
    let mut fleet = fleet();
    silent(&mut fleet);
    assert!(instances(&fleet).iter().all(|row| row.ready.is_none() && row.node.is_none()));
}

/// Everything but a Ready node asks for its boot's last word: of one that is not a node, a boot that is done says that it has not joined.
#[test]
fn a_boot_that_is_done_without_a_node_has_not_joined() {
    let seen = after(|fleet| {
        let absent = fleet.instances[4].id.clone();
        nodes(fleet).retain(|node| node.name != absent);
        boot(fleet, 4, "done", None);
    });
    assert_eq!(seen[4], (Condition::NotJoined, None));
}

#[test]
fn a_group_counts_what_runs_what_is_ready_and_what_is_old() {
    let mut fleet = fleet();
    fleet.groups[3].desired_capacity = 5;
    fleet.groups[3].last_failure = Ok(Some("no capacity".into()));
    fleet.instances[3].state = "shutting-down".into();
    nodes(&mut fleet)[4].not_ready = Some("x".into());
    fleet.template_versions.insert("workers".into(), 2);
    let rows = groups(&fleet, &instances(&fleet));
    let workers = &rows[3];
    assert_eq!((workers.running, workers.ready, workers.desired), (2, Some(1), Some(5)));
    assert_eq!((workers.template_version, workers.outdated), (Some(2), 3));
    assert_eq!(workers.problem.as_deref(), Some("no capacity"));
    fleet.groups[3].last_failure = Err("denied".into());
    fleet.groups[0].last_failure = Err(GroupStatus::NOT_ASKED.into());
    let unknown = groups(&fleet, &instances(&fleet));
    assert_eq!(unknown[3].problem.as_deref(), Some("why it is weak could not be asked: denied"));
    assert_eq!(unknown[0].problem, None);
    assert_eq!((rows[0].role, rows[0].zones.as_slice()), (Role::ControlPlane, ["us-east-1a".to_owned()].as_slice()));
}

#[test]
fn a_group_that_is_missing_and_one_that_left_the_spec_are_listed() {
    let mut fleet = fleet();
    let mut left = fleet.groups.remove(3);
    left.name = "gone".into();
    fleet.groups.push(left);
    for instance in &mut fleet.instances[3..] {
        instance.group = Some("gone".into());
    }
    let rows = groups(&fleet, &instances(&fleet));
    let names: Vec<(&str, Option<u32>)> = rows.iter().map(|row| (row.name.as_str(), row.desired)).collect();
    assert_eq!(names[3..], [("workers", None), ("gone", Some(3))]);
    assert_eq!(rows[4].zones, ["us-east-1a", "us-east-1b", "us-east-1c"]);
    assert!(rows[4].instance_types.is_empty());
}

#[test]
fn spot_is_a_share() {
    let fleet = test_support::fleet(&example("ml-spot-gpu"));
    let shares: Vec<(String, u8)> =
        groups(&fleet, &instances(&fleet)).into_iter().map(|group| (group.name, group.spot_percent)).collect();
    assert!(shares.contains(&("spot".into(), 100)) && shares.contains(&("general".into(), 0)), "{shares:?}");
}

#[test]
fn the_document_of_an_instance_has_its_fields() {
    let document = serde_json::to_value(&instances(&fleet())[0]).unwrap();
    let fields: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        [
            "id",
            "group",
            "role",
            "zone",
            "type",
            "purchase",
            "launchedAt",
            "privateAddress",
            "templateVersion",
            "templateCurrent",
            "state",
            "condition",
            "detail",
            "boot",
            "node",
            "ready",
            "kubeletVersion"
        ]
    );
    let _: Instance = instances(&fleet()).remove(0);
}

fn rows(change: impl FnOnce(&mut World)) -> Vec<super::ResourceRow> {
    let cluster = example("ha-private");
    let facts = facts(&cluster);
    let desired = build(&cluster, &facts);
    let mut world = test_support::world(&desired);
    change(&mut world);
    let drift = drift(&desired, &world, &BTreeSet::new());
    resources(&world, &drift, &Console::new(&facts, "us-east-1", true))
}

#[test]
fn a_resource_is_ok_drifted_missing_or_surplus() {
    let rows = rows(|world| {
        world.resources.remove(&id("InternetGateway/main"));
        let vpc = world.resources.get_mut(&id("Vpc/main")).unwrap();
        let crate::model::Resource::Vpc(vpc) = &mut vpc.resource else { panic!() };
        vpc.dns_hostnames = false;
        let mut copy = world.resources[&id("Subnet/private-us-east-1a")].clone();
        copy.physical.id = "subnet-made-twice".into();
        world.duplicates.push((id("Subnet/private-us-east-1a"), copy));
    });
    let of = |status| {
        let rows = rows.iter().filter(move |row| row.status == status);
        rows.map(|row| format!("{}/{}", row.kind, row.name)).collect::<Vec<_>>()
    };
    assert_eq!(of(ResourceStatus::Missing), ["InternetGateway/main"]);
    assert_eq!(of(ResourceStatus::Surplus), ["Subnet/private-us-east-1a"]);
    assert!(of(ResourceStatus::Drifted).contains(&"Vpc/main".to_owned()));
    let vpc = &rows[0];
    assert_eq!(vpc.differences.iter().map(|field| field.path.as_str()).collect::<Vec<_>>(), ["dnsHostnames"]);
    let missing = rows.iter().find(|row| row.status == ResourceStatus::Missing).unwrap();
    assert_eq!((&missing.id, &missing.console_url), (&None, &None));
}

#[test]
fn ids_become_what_the_console_knows() {
    let cluster = example("ha-private");
    let console = Console::new(&facts(&cluster), "us-east-1", true);
    let group = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/api-prod-0a/0123456789abcdef";
    let balancer = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/api-prod-0a/0123456789abcdef";
    for (kind, id, found, page) in [
        (
            Kind::Vpc,
            "vpc-1",
            "vpc-1",
            "https://us-east-1.console.aws.amazon.com/vpcconsole/home?region=us-east-1#VpcDetails:VpcId=vpc-1",
        ),
        (
            Kind::SecurityGroupRule,
            "sg-1/ingress/tcp/6443-6443/0.0.0.0/0",
            "sg-1",
            "https://us-east-1.console.aws.amazon.com/ec2/home?region=us-east-1#SecurityGroup:groupId=sg-1",
        ),
        (
            Kind::Route,
            "rtb-1/0.0.0.0/0",
            "rtb-1",
            "https://us-east-1.console.aws.amazon.com/vpcconsole/home?region=us-east-1#RouteTableDetails:RouteTableId=rtb-1",
        ),
        (Kind::RolePolicy, "nodes-a:kclust", "nodes-a", "https://console.aws.amazon.com/iam/home#/roles/details/nodes-a"),
        (
            Kind::DnsRecord,
            "Z1/api.prod.example.com/A",
            "api.prod.example.com",
            "https://console.aws.amazon.com/route53/v2/hostedzones#ListRecordSets/Z1",
        ),
        (
            Kind::ControlPlaneSettings,
            "control-plane/settings",
            "control-plane/settings",
            "https://console.aws.amazon.com/s3/object/kclust-state?prefix=team/prod.example.com/control-plane/settings",
        ),
    ] {
        assert_eq!((console.search(kind, id).as_str(), console.url(kind, id).as_deref()), (found, Some(page)));
    }
    assert_eq!(console.search(Kind::LoadBalancer, balancer), "api-prod-0a");
    assert!(console.url(Kind::LoadBalancer, balancer).unwrap().ends_with(&format!("#LoadBalancer:loadBalancerArn={balancer}")));
    let target = format!("{group}#10.0.32.10:6443");
    assert_eq!(console.search(Kind::Target, &target), "10.0.32.10:6443");
    assert!(console.url(Kind::Target, &target).unwrap().ends_with(&format!("#TargetGroup:targetGroupArn={group}")));
    let china = Console { partition: "aws-cn".into(), ..console };
    assert!(china.url(Kind::Vpc, "vpc-1").unwrap().contains(".console.amazonaws.cn/"));
}
