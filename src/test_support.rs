//! What the tests of several rooms share: the example clusters, facts for them, worlds made of them, golden files.

pub mod fake_cloud;
pub mod nobody;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use crate::cloud::facts::StateLocation;
use crate::cloud::status::GroupInstance;
use crate::cloud::{Facts, GroupStatus, HostedZone, InstanceStatus, InstanceTypeFacts, Observed, Physical, ResolvedImage, World};
use crate::health::{KubeNode, KubernetesView, StaticPod, System, Workload};
use crate::inventory::Fleet;
use crate::model::{BootstrapObject, Desired, Kind, Resource, ResourceId, build, fixed_addresses};
use crate::spec::{Architecture, Cluster, DnsVisibility};

pub const EXAMPLES: [&str; 4] = ["minimal", "ha-private", "ml-spot-gpu", "existing-vpc"];

pub fn example(name: &str) -> Cluster {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}.yaml"));
    cluster(&std::fs::read_to_string(path).unwrap())
}

pub fn cluster(document: &str) -> Cluster {
    crate::spec::load("cluster.yaml", document).unwrap_or_else(|found| panic!("{}", found.render(false)))
}

/// Facts as they would be resolved for a cluster.
pub fn facts(cluster: &Cluster) -> Facts {
    let groups = cluster.node_groups.iter().map(|group| (&group.image, &group.instance_types, group.gpu.is_some()));
    let first = [cluster.control_plane.instance_type.clone()].to_vec();
    let mut facts = Facts {
        account: "123456789012".into(),
        partition: "aws".into(),
        cluster_uid: "0123456789abcdef0123456789abcdef".into(),
        images: BTreeMap::new(),
        instance_types: BTreeMap::new(),
        hosted_zone: cluster.dns.as_ref().map(|dns| HostedZone {
            id: "Z0123456789ABC".into(),
            name: dns.zone.clone(),
            private: dns.visibility == DnsVisibility::Private,
        }),
        network: None,
        manifests: BTreeMap::new(),
        user_tags: Default::default(),
        slot_addresses: fixed_addresses(cluster).into_iter().collect(),
        state: StateLocation {
            bucket: "kclust-state".into(),
            prefix: format!("team/{}", cluster.name),
            region: cluster.region.to_string(),
        },
    };
    // An existing network, where the model leaves the addresses to its owner.
    for slot in cluster.slots() {
        facts.slot_addresses.entry(slot.name).or_insert(Ipv4Addr::new(10, 1, slot.index, 10));
    }
    for (image, types, has_gpu) in groups.chain([(&cluster.control_plane.image, &first, false)]) {
        for name in types {
            let architecture = Architecture::of(name);
            let gpus = u32::from(has_gpu);
            let known = InstanceTypeFacts { name: name.to_string(), architecture, vcpus: 4, memory_mib: 16_384, gpus };
            facts.instance_types.insert(name.to_string(), known);
            let id = format!("ami-{}", architecture.go());
            let resolved = ResolvedImage { id, name: "ubuntu".into(), architecture, root_device: "/dev/sda1".into() };
            facts.images.insert(Facts::image_key(image, architecture), resolved);
        }
    }
    facts
}

/// The resources of a cluster. What templates render is replaced by a word that stays when they change, and so are addons; the boot
/// program's digest stays in it, as the reference that it is.
pub fn desired(cluster: &Cluster) -> Desired {
    let mut desired = build(cluster, &facts(cluster));
    let digest = "0".repeat(64);
    let addon_digest = "a".repeat(64);
    for (id, resource) in &mut desired {
        match resource {
            Resource::LaunchTemplate(template) => template.user_data.text = format!("user-data of {} with {digest}", id.name),
            Resource::BootstrapObject(object) if id.name == "boot" => {
                object.key = format!("bootstrap/boot-{digest}.sh");
                object.sha256.clone_from(&digest);
                object.content = Some("boot program".into());
            }
            Resource::BootstrapObject(object) => {
                object.key = BootstrapObject::key(&id.name, &addon_digest, "yaml");
                object.sha256.clone_from(&addon_digest);
                object.content = Some("addon".into());
            }
            Resource::ControlPlaneSettings(settings) => {
                settings.addons.iter_mut().for_each(|addon| addon.sha256.clone_from(&addon_digest));
            }
            _ => {}
        }
    }
    desired
}

/// A resource as observation returns it: without what AWS does not tell.
pub fn as_observed(resource: &Resource) -> Resource {
    let mut observed = resource.clone();
    match &mut observed {
        Resource::KeyPair(pair) => pair.public_key.clear(),
        Resource::BootstrapObject(object) => object.content = None,
        Resource::VpcEndpoint(endpoint) => endpoint.tags.clear(),
        Resource::SecurityGroupRule(rule) => rule.tags.clear(),
        Resource::InstanceProfile(profile) => profile.tags.clear(),
        Resource::LoadBalancer(balancer) => balancer.tags.clear(),
        Resource::TargetGroup(group) => group.tags.clear(),
        Resource::Listener(listener) => listener.tags.clear(),
        Resource::LaunchTemplate(template) => template.tags.clear(),
        Resource::AutoscalingGroup(group) => group.termination_hook = None,
        _ => {}
    }
    observed
}

/// What AWS would give a resource. `number` tells objects of one kind apart.
pub fn physical(id: &ResourceId, number: usize) -> Physical {
    let mut physical = Physical::new(format!("{}-{number:04}", id.kind.as_str().to_lowercase()));
    match id.kind {
        Kind::LoadBalancer => {
            physical.dns_name = Some(format!("api-{number}.elb.amazonaws.com"));
            physical.hosted_zone_id = Some("Z00ELB".into());
        }
        Kind::ElasticIp => physical.public_address = Some(Ipv4Addr::from(0xC633_6400 + u32::try_from(number).unwrap())),
        _ => {}
    }
    physical
}

/// The world in which everything is as desired.
pub fn world(desired: &Desired) -> World {
    let mut world = World::default();
    for (number, (id, resource)) in desired.iter().enumerate() {
        let physical = match resource {
            Resource::BootstrapObject(object) => Physical::new(object.key.clone()),
            Resource::ControlPlaneSettings(_) => Physical::new("control-plane/settings"),
            _ => physical(id, number),
        };
        let observed = Observed { resource: as_observed(resource), physical };
        world.resources.insert(id.clone(), observed);
    }
    world
}

/// What runs of a cluster in perfect health: an instance in each slot, and in each node group as many as it has at least, spread over
/// its zones; all of them Ready nodes.
pub fn fleet(cluster: &Cluster) -> Fleet {
    let slots = cluster.slots().into_iter().map(|slot| {
        let instance_type = cluster.control_plane.instance_type.to_string();
        (slot.name, 1, 1, vec![slot.zone.to_string()], instance_type)
    });
    let groups = cluster.node_groups.iter().map(|group| {
        let zones = group.zones.iter().map(ToString::to_string).collect();
        (group.name.to_string(), group.min_size, group.max_size, zones, group.instance_types[0].to_string())
    });
    let mut fleet = Fleet {
        cluster: cluster.clone(),
        groups: Vec::new(),
        instances: Vec::new(),
        template_versions: BTreeMap::new(),
        boots: BTreeMap::new(),
        kubernetes: KubernetesView::Skipped { reason: String::new() },
    };
    let mut nodes = Vec::new();
    for (name, min_size, max_size, zones, instance_type) in slots.chain(groups) {
        let mut members = Vec::new();
        for number in 0..min_size {
            let id = format!("i-{:017x}", 0x0a10_0000_0000_0000_u64 + fleet.instances.len() as u64);
            let zone = zones[number as usize % zones.len()].clone();
            members.push(GroupInstance {
                id: id.clone(),
                zone: zone.clone(),
                lifecycle_state: "InService".into(),
                health_status: "Healthy".into(),
                launch_template_version: Some("1".into()),
            });
            nodes.push(KubeNode {
                name: id.clone(),
                provider_id: Some(format!("aws:///{zone}/{id}")),
                control_plane: name.starts_with("cp-"),
                zone: Some(zone.clone()),
                not_ready: None,
                pressures: Vec::new(),
                kubelet_version: format!("v{}", cluster.kubernetes_version),
            });
            fleet.instances.push(InstanceStatus {
                id,
                state: "running".into(),
                zone,
                instance_type: instance_type.clone(),
                spot: false,
                launched_at: "2026-11-26T22:15:00Z".parse().ok(),
                private_address: None,
                group: Some(name.clone()),
            });
        }
        fleet.template_versions.insert(name.clone(), 1);
        fleet.groups.push(GroupStatus {
            group_name: format!("{name}-in-aws"),
            name,
            min_size,
            max_size,
            desired_capacity: min_size,
            instances: members,
            suspended_processes: Vec::new(),
            last_failure: Ok(None),
        });
    }
    let version = format!("v{}", cluster.kubernetes_version);
    let control_planes: Vec<&str> = nodes.iter().filter(|node| node.control_plane).map(|node| node.name.as_str()).collect();
    let system = system(&version, &control_planes, nodes.len() as u32);
    fleet.kubernetes = KubernetesView::Reachable { address: "https://api:6443".into(), version, nodes, system };
    fleet
}

/// What runs on a healthy cluster of that many nodes, with Cilium.
pub fn system(version: &str, control_planes: &[&str], nodes: u32) -> System {
    let workload = |name: &str, pods: u32| Workload {
        critical: true,
        name: name.into(),
        wanted: pods,
        available: pods,
        version: Some(version.into()),
        changed_at: "2026-11-26T22:15:00Z".parse().ok(),
        troubled: None,
    };
    let static_pod = |node: &str, component: &str| StaticPod {
        component: component.into(),
        node: Some(node.into()),
        version: Some(if component == "etcd" { "3.6.14-0" } else { version }.into()),
        trouble: None,
    };
    let components = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];
    let static_pods = control_planes.iter().flat_map(|node| components.map(|component| static_pod(node, component)));
    System {
        failing: Ok(Vec::new()),
        workloads: Ok(vec![
            workload("DaemonSet/cilium", nodes),
            workload("DaemonSet/kube-proxy", nodes),
            workload("DaemonSet/aws-cloud-controller-manager", control_planes.len() as u32),
            workload("Deployment/coredns", 2),
        ]),
        control_plane: Ok(static_pods.collect()),
        pending: Ok(Vec::new()),
    }
}

/// Nodes of [`fleet`], to spoil.
pub fn nodes(fleet: &mut Fleet) -> &mut Vec<KubeNode> {
    match &mut fleet.kubernetes {
        KubernetesView::Reachable { nodes, .. } => nodes,
        other => panic!("{other:?}"),
    }
}

/// Reads `Kind/name`.
pub fn id(text: &str) -> ResourceId {
    ResourceId::parse(text).unwrap_or_else(|| panic!("{text}"))
}

/// Compares `actual` with a file below `tests/golden`. `UPDATE_GOLDEN=1` writes the file; read the difference before keeping it.
pub fn golden(path: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == actual, "{} differs; UPDATE_GOLDEN=1 writes it anew:\n{actual}", path.display());
}
