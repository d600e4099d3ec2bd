//! A cluster in perfect health, and the means to spoil it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use jiff::{SignedDuration, Timestamp};

use crate::cloud::status::GroupInstance;
use crate::cloud::{GroupStatus, InstanceStatus, Observed, Physical, TargetState, World};
use crate::health::{
    CertificateFault, Endpoint, EndpointKind, KubeNode, KubernetesView, Presented, Report, Scope, Snapshot, System, Workload,
    check,
};
use crate::model::{
    AddonSetting, ControlPlaneSettings, Desired, Direction, Disk, DnsRecord, HealthCheck, Listener, LoadBalancer, Peer,
    RecordValue, Ref, Resource, ResourceId, SecurityGroup, SecurityGroupRule, Tags, Target, TargetGroup, Volume,
};
use crate::plan::{Drift, drift};
use crate::spec::Cluster;
use crate::store::{AddonReport, AlarmList, CertificateReport, EndpointStatus, EtcdReport, Member, MemberList, MemberStatus};
use crate::test_support;

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
        now: now(),
        source: "account 123456789012 in us-east-1, state in s3://acme".into(),
        applied_by: env!("CARGO_PKG_VERSION").into(),
        drift: Ok(drift_of(&desired, &World::default())),
        world: World::default(),
        not_seen_again: None,
        groups: Ok(["cp-1", "cp-2", "cp-3", "workers"].map(group).into()),
        instances: Ok(MACHINES.map(|(id, group, zone)| instance(id, group, zone)).into()),
        targets: Ok([10, 11, 12].map(|host| target(&format!("10.20.32.{host}"))).into()),
        kubernetes: KubernetesView::Reachable {
            address: API.into(),
            version: "v1.36.2".into(),
            nodes: MACHINES.map(|(id, group, zone)| node(id, group, zone)).into(),
            system: test_support::system("v1.36.2", &["i-0a1", "i-0a2", "i-0a3"], 6),
        },
        endpoints: vec![
            endpoint(EndpointKind::Name, "api.prod.example.com", None),
            endpoint(EndpointKind::LoadBalancer, "api-1234.elb.us-east-1.amazonaws.com", None),
        ],
        dns: None,
        statuses: BTreeMap::new(),
        asked: BTreeSet::new(),
        unread: BTreeMap::new(),
        authorities: Ok(vec![("ca.crt".into(), now() + SignedDuration::from_hours(24 * 3650))]),
        etcd: Ok(["cp-1", "cp-2", "cp-3"].map(etcd_report).into()),
        slot_certificates: Ok(["cp-1", "cp-2", "cp-3"].map(|slot| certificate_report(slot, 300)).into()),
        addons: Ok(Some(["aws-cloud-controller-manager", "cilium", "metrics-server"].map(addon).into())),
        last_backup: Ok(Some(now() - SignedDuration::from_mins(7))),
    };
    spoil_world(&mut snapshot, |_| {});
    snapshot
}

/// The report of the healthy cluster after a change to it.
pub fn after(change: impl FnOnce(&mut Snapshot)) -> Report {
    let mut snapshot = healthy();
    change(&mut snapshot);
    check(&snapshot, &Scope::default())
}

pub fn now() -> Timestamp {
    "2026-11-27T12:00:00Z".parse().unwrap()
}

pub fn system(snapshot: &mut Snapshot) -> &mut System {
    match &mut snapshot.kubernetes {
        KubernetesView::Reachable { system, .. } => system,
        other => panic!("{other:?}"),
    }
}

/// No handshake, by any way.
pub fn nobody_answers(snapshot: &mut Snapshot) {
    snapshot.endpoints.iter_mut().for_each(|endpoint| endpoint.certificate = Err("no answer within 5 s".into()));
}

/// A workload of the healthy cluster.
pub fn running<'a>(snapshot: &'a mut Snapshot, name: &str) -> &'a mut Workload {
    let workloads = system(snapshot).workloads.as_mut().unwrap();
    workloads.iter_mut().find(|workload| workload.name == name).unwrap()
}

pub fn endpoint(kind: EndpointKind, host: &str, fault: Option<CertificateFault>) -> Endpoint {
    let presented = Presented {
        names: vec!["api.prod.example.com".into(), "10.20.32.10".into()],
        issuer: "kubernetes".into(),
        not_before: now() - SignedDuration::from_hours(24),
        not_after: now() + SignedDuration::from_hours(24 * 364),
        fault,
    };
    Endpoint { kind, host: host.into(), certificate: Ok(presented) }
}

fn addon(name: &str) -> AddonReport {
    AddonReport { name: name.into(), sha256: "ab".repeat(32), state: "applied".into(), error: None }
}

/// The API server's certificate ends first, in that many days.
pub fn certificate_report(slot: &str, days: i64) -> CertificateReport {
    CertificateReport { slot: slot.to_owned(), name: "apiserver".into(), ends: now() + SignedDuration::from_hours(24 * days) }
}

pub fn etcd_report(slot: &str) -> EtcdReport {
    let member = |id: u64| Member { id, name: format!("cp-{id}"), learner: false };
    let status = MemberStatus { leader: 2, db_size: 24 << 20, db_size_quota: 4 << 30, errors: Vec::new() };
    EtcdReport {
        slot: slot.into(),
        at: now() - SignedDuration::from_secs(40),
        status: Some(vec![EndpointStatus { status }]),
        members: Some(MemberList { members: (1..=3).map(member).collect() }),
        alarms: Some(AlarmList::default()),
    }
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
    snapshot.drift = Ok(drift_of(&desired, &world));
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
        last_failure: Ok(None),
    }
}

pub fn instance(id: &str, group: &str, zone: &str) -> InstanceStatus {
    InstanceStatus {
        id: id.into(),
        state: "running".into(),
        zone: zone.into(),
        instance_type: "m6i.large".into(),
        spot: false,
        private_address: None,
        group: Some(group.into()),
        launched_at: Some(now() - SignedDuration::from_hours(24)),
    }
}

pub fn node(id: &str, group: &str, zone: &str) -> KubeNode {
    KubeNode {
        name: id.into(),
        provider_id: Some(format!("aws:///{zone}/{id}")),
        control_plane: group.starts_with("cp-"),
        zone: Some(zone.into()),
        not_ready: None,
        pressures: Vec::new(),
        kubelet_version: "v1.36.2".into(),
    }
}

fn target(address: &str) -> TargetState {
    TargetState { address: address.into(), state: "healthy".into(), reason: None }
}

fn drift_of(desired: &Desired, world: &World) -> Drift {
    drift(desired, world, &BTreeSet::new())
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
    let addon = AddonSetting { name: "metrics-server".into(), sha256: "ab".repeat(32), chart: None };
    let mut desired = Desired::from([
        (
            id("ControlPlaneSettings/settings"),
            ControlPlaneSettings { backup_interval_seconds: 900, backup_retention_seconds: 86_400, addons: vec![addon] }.into(),
        ),
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
