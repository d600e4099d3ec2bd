//! A cluster in perfect health, and the means to spoil it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::cloud::status::GroupInstance;
use crate::cloud::{GroupStatus, InstanceStatus, Observed, Physical, TargetState, World};
use crate::health::{KubeNode, KubernetesView, Report, Snapshot, check};
use crate::model::{
    Desired, Direction, Disk, DnsRecord, HealthCheck, Listener, LoadBalancer, Peer, RecordValue, Ref, Resource, ResourceId,
    SecurityGroup, SecurityGroupRule, Tags, Target, TargetGroup, Volume,
};
use crate::plan::{Context, Operation, reconcile};
use crate::spec::Cluster;

/// Three slots in three zones, three workers, a load balancer, a record.
pub const SPEC: &str = include_str!("../../../examples/ha-private.yaml");
pub const API: &str = "https://api.prod.example.com:6443";

/// Instance, group, zone.
pub const MACHINES: [(&str, &str, &str); 6] = [
    ("i-0a1", "cp-1", "us-east-1a"),
    ("i-0a2", "cp-2", "us-east-1b"),
    ("i-0a3", "cp-3", "us-east-1c"),
    ("i-0b1", "workers", "us-east-1a"),
    ("i-0b2", "workers", "us-east-1b"),
    ("i-0b3", "workers", "us-east-1c"),
];

pub fn cluster(spec: &str) -> Cluster {
    crate::spec::load("cluster.yaml", spec).unwrap_or_else(|_| panic!("the spec is valid"))
}

pub fn healthy() -> Snapshot {
    let desired = desired();
    let mut snapshot = Snapshot {
        cluster: cluster(SPEC),
        plan: plan(&desired, &World::default()),
        world: World::default(),
        groups: Ok(["cp-1", "cp-2", "cp-3", "workers"].map(group).into()),
        instances: Ok(MACHINES.map(|(id, group, zone)| instance(id, group, zone)).into()),
        targets: Ok([10, 11, 12].map(|host| target(&format!("10.20.32.{host}"))).into()),
        kubernetes: KubernetesView::Reachable {
            address: API.into(),
            version: "v1.36.2".into(),
            nodes: MACHINES.map(|(id, group, zone)| node(id, group, zone)).into(),
        },
    };
    spoil_world(&mut snapshot, |_| {});
    snapshot
}

/// The report of the healthy cluster after a change to it.
pub fn after(change: impl FnOnce(&mut Snapshot)) -> Report {
    let mut snapshot = healthy();
    change(&mut snapshot);
    check(&snapshot)
}

/// Changes what exists, and makes the plan anew.
pub fn spoil_world(snapshot: &mut Snapshot, change: impl FnOnce(&mut World)) {
    let desired = desired();
    let mut world = World::default();
    for (id, resource) in &desired {
        let mut physical = Physical::new(format!("aws-{}", id.name));
        if matches!(resource, Resource::LoadBalancer(_)) {
            physical.dns_name = Some("api-1234.elb.us-east-1.amazonaws.com".into());
        }
        world.resources.insert(id.clone(), Observed { resource: resource.clone(), physical });
    }
    change(&mut world);
    snapshot.plan = plan(&desired, &world);
    snapshot.world = world;
}

pub fn nodes(snapshot: &mut Snapshot) -> &mut Vec<KubeNode> {
    match &mut snapshot.kubernetes {
        KubernetesView::Reachable { nodes, .. } => nodes,
        other => panic!("{other:?}"),
    }
}

pub fn id(text: &str) -> ResourceId {
    ResourceId::parse(text).unwrap()
}

pub fn group(name: &str) -> GroupStatus {
    let members = MACHINES.iter().filter(|(_, group, _)| *group == name);
    let instances: Vec<GroupInstance> = members
        .map(|(id, _, zone)| GroupInstance {
            id: (*id).into(),
            zone: (*zone).into(),
            lifecycle_state: "InService".into(),
            health_status: "Healthy".into(),
            launch_template_version: Some("1".into()),
        })
        .collect();
    let size = instances.len().try_into().unwrap();
    GroupStatus {
        name: name.into(),
        group_name: format!("{name}-prod-example-com-0123abcd"),
        min_size: size,
        max_size: size,
        desired_capacity: size,
        instances,
        suspended_processes: Vec::new(),
        last_failure: None,
    }
}

pub fn instance(id: &str, group: &str, zone: &str) -> InstanceStatus {
    InstanceStatus {
        id: id.into(),
        state: "running".into(),
        zone: zone.into(),
        instance_type: "m6i.large".into(),
        spot: false,
        launched_at: None,
        private_address: None,
        group: Some(group.into()),
    }
}

pub fn node(id: &str, group: &str, zone: &str) -> KubeNode {
    KubeNode {
        name: id.into(),
        provider_id: Some(format!("aws:///{zone}/{id}")),
        control_plane: group.starts_with("cp-"),
        zone: Some(zone.into()),
        not_ready: None,
        kubelet_version: "v1.36.2".into(),
    }
}

fn target(address: &str) -> TargetState {
    TargetState { address: address.into(), state: "healthy".into(), reason: None }
}

fn plan(desired: &Desired, world: &World) -> crate::plan::Plan {
    let context = Context { cluster: "prod.example.com", operation: Operation::Update, user_tags: BTreeSet::new() };
    reconcile(&context, desired, world).unwrap()
}

/// Enough of what a cluster is made of to see every kind of drift.
fn desired() -> Desired {
    let vpc = || Ref::foreign("vpc-1");
    let health_check = HealthCheck {
        protocol: "HTTPS".into(),
        path: "/healthz".into(),
        port: 6443,
        interval_seconds: 10,
        timeout_seconds: 5,
        healthy_threshold: 2,
        unhealthy_threshold: 2,
    };
    let rule = SecurityGroupRule {
        group: Ref::own("control-plane"),
        direction: Direction::Ingress,
        protocol: "tcp".into(),
        ports: Some((6443, 6443)),
        peer: Peer::Cidr("10.20.0.0/16".parse().unwrap()),
        description: "kclust: API from nodes".into(),
        tags: Tags::new(),
    };
    let mut desired = Desired::from([
        (
            id("SecurityGroup/control-plane"),
            SecurityGroup { vpc: vpc(), name: "control-plane".into(), description: "d".into(), tags: Tags::new() }.into(),
        ),
        (id("SecurityGroupRule/control-plane:API from nodes"), rule.into()),
        (
            id("LoadBalancer/api"),
            LoadBalancer {
                name: "api".into(),
                internet_facing: false,
                subnets: vec![Ref::foreign("subnet-1")],
                security_groups: Vec::new(),
                tags: Tags::new(),
            }
            .into(),
        ),
        (
            id("TargetGroup/api"),
            TargetGroup {
                name: "api".into(),
                vpc: vpc(),
                port: 6443,
                health_check,
                preserve_client_ip: false,
                cross_zone: true,
                deregistration_delay_seconds: 30,
                tags: Tags::new(),
            }
            .into(),
        ),
        (
            id("Listener/api"),
            Listener { load_balancer: Ref::own("api"), port: 6443, target_group: Ref::own("api"), tags: Tags::new() }.into(),
        ),
        (
            id("DnsRecord/api"),
            DnsRecord { zone_id: "Z1".into(), name: "api.prod.example.com".into(), value: RecordValue::Alias(Ref::own("api")) }
                .into(),
        ),
    ]);
    for slot in 1..=3 {
        let target = Target { target_group: Ref::own("api"), address: Ipv4Addr::new(10, 20, 32, 9 + slot), port: 6443 };
        desired.insert(id(&format!("Target/cp-{slot}")), target.into());
        let disk = Disk { size_gib: 20, volume_type: "gp3".into(), iops: Some(3000), throughput: Some(125), encrypted: true };
        let volume = Volume { zone: "us-east-1a".into(), disk, tags: Tags::new() };
        desired.insert(id(&format!("Volume/cp-{slot}")), volume.into());
    }
    desired
}
