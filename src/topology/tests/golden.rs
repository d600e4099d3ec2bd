//! The pictures that were looked at.

use super::{Observed, healthy, target, topology};
use crate::health::KubernetesView;
use crate::model::Resource;
use crate::spec::{Cluster, Nat, Scheme, Vpc};
use crate::store::NodeStatus;
use crate::test_support::{EXAMPLES, cluster, example, golden, id, nodes};
use crate::topology::{Health, draw, html, svg};

fn picture(name: &str, observed: &Observed) {
    golden(&format!("topology/{name}.svg"), &svg(&draw(&topology(observed))));
}

#[test]
fn the_examples() {
    for name in EXAMPLES {
        picture(name, &healthy(&example(name)));
    }
}

/// A load balancer among the public subnets, one NAT gateway for all, and zones with several slots.
#[test]
fn a_public_api_before_private_machines() {
    let mut cluster = example("ha-private");
    cluster.api.scheme = Scheme::Public;
    cluster.control_plane.replicas = 5;
    let Vpc::Managed { nat, .. } = &mut cluster.network.vpc else { panic!() };
    *nat = Nat::Single;
    picture("public-api", &healthy(&cluster));
}

#[test]
fn a_page_has_a_legend() {
    let page = html(&draw(&topology(&healthy(&example("minimal")))));
    golden("topology/minimal.html", &page);
}

/// All that can be wrong at once.
#[test]
fn a_cluster_in_trouble() {
    let mut observed = healthy(&example("ha-private"));
    let addresses: Vec<_> = observed.facts.slot_addresses.values().copied().collect();
    observed.targets =
        Ok(vec![target(addresses[0], "healthy"), target(addresses[1], "unhealthy"), target(addresses[2], "unused")]);
    observed.world.resources.remove(&id("NatGateway/us-east-1b"));
    observed.world.resources.remove(&id("DnsRecord/api"));
    let fleet = &mut observed.fleet;
    // The third slot has no instance; of four workers one boots, one is not Ready, and one is gone.
    fleet.instances.remove(2);
    fleet.groups[2].instances.clear();
    fleet.groups[3].desired_capacity = 4;
    fleet.groups[3].last_failure = Ok(Some("We currently do not have sufficient m6i.xlarge capacity in us-east-1b".into()));
    fleet.template_versions.insert("workers".into(), 2);
    let booting = fleet.instances[3].id.clone();
    nodes(fleet).retain(|node| node.name != booting);
    nodes(fleet)[4].not_ready = Some("KubeletNotReady: container runtime network not ready".into());
    fleet.boots.insert(
        booting.clone(),
        Ok(NodeStatus {
            instance: booting,
            role: "worker".into(),
            group: "workers".into(),
            step: "joining the cluster".into(),
            since: "2026-11-27T02:25:00Z".into(),
            error: None,
        }),
    );
    picture("trouble", &observed);
}

/// What the Kubernetes API cannot tell is not made up.
#[test]
fn without_kubernetes_the_picture_says_so() {
    let mut observed = healthy(&example("minimal"));
    let address = "https://api.example.com:6443".to_owned();
    observed.fleet.kubernetes = KubernetesView::Unreachable { address, reason: "the connection timed out".into() };
    let text = svg(&draw(&topology(&observed)));
    assert!(text.contains("Health as AWS sees it. Kubernetes could not be asked: the connection timed out"), "{text}");
    assert!(text.contains("2 running") && !text.contains("Ready"), "{text}");
    assert!(text.contains("no problem seen, 2 not asked"), "{text}");
}

/// A machine that hangs runs, too.
#[test]
fn what_nobody_was_asked_about_is_not_in_order() {
    let mut observed = healthy(&example("ha-private"));
    let address = "https://api.example.com:6443".to_owned();
    observed.fleet.kubernetes = KubernetesView::Unreachable { address, reason: "the connection timed out".into() };
    let seen = topology(&observed);
    assert!(seen.slots.iter().all(|slot| slot.health == Health::Unknown && slot.word == "running"), "{:?}", seen.slots);
    assert!(seen.groups.iter().all(|group| group.health == Health::Unknown), "{:?}", seen.groups);
    assert_eq!(seen.groups[0].word, "3 of 3 could not be asked");
    assert!(seen.problems().is_empty());
    assert_eq!(seen.unknown(), seen.slots.len() + seen.groups.len());
    // The load balancer has asked one of them.
    observed.targets.as_mut().unwrap()[1].state = "unhealthy".into();
    let seen = topology(&observed);
    assert_eq!((seen.slots[1].health, seen.slots[1].word.as_str()), (Health::Warning, "target unhealthy"));
}

#[test]
fn what_is_not_drawn_is_told_where_it_differs() {
    let mut observed = healthy(&example("ha-private"));
    for gone in ["Route/public:0.0.0.0/0", "Listener/api"] {
        assert!(observed.world.resources.remove(&id(gone)).is_some(), "{gone}");
    }
    let group = observed.world.resources.get_mut(&id("AutoscalingGroup/workers")).unwrap();
    let Resource::AutoscalingGroup(group) = &mut group.resource else { panic!() };
    group.max_size += 1;
    let told: Vec<String> = topology(&observed).problems().into_iter().map(|problem| problem.what).collect();
    let expected =
        ["Route public:0.0.0.0/0: missing", "Listener api: missing", "AutoscalingGroup workers: differs from the spec"];
    assert_eq!(told, expected);
    // What is drawn is told once.
    let mut observed = healthy(&example("ha-private"));
    observed.world.resources.remove(&id("NatGateway/us-east-1b"));
    assert_eq!(topology(&observed).problems().len(), 1);
    // One of two of a name is drawn.
    let mut observed = healthy(&example("ha-private"));
    let mut second = observed.world.resources[&id("NatGateway/us-east-1b")].clone();
    second.physical.id = "nat-second".into();
    observed.world.duplicates.push((id("NatGateway/us-east-1b"), second));
    let told: Vec<String> = topology(&observed).problems().into_iter().map(|problem| problem.what).collect();
    assert_eq!(told, ["NatGateway us-east-1b: not in the spec"]);
}

/// The example with as many groups, of all sizes, some on spot, some in one zone.
pub(super) fn with_groups(count: usize) -> Cluster {
    let sizes = [3, 0, 1, 24, 60];
    let groups: String = (0..count)
        .map(|number| {
            let zones = ["us-east-1a, us-east-1b, us-east-1c", "us-east-1b", "us-east-1a, us-east-1c"][number % 5 % 3];
            format!(
                "    - name: team-{:02}-{}\n      minSize: {}\n      maxSize: {}\n      instanceTypes: [m6i.large]\n      zones: [{zones}]\n",
                number / 4,
                ["general", "memory-optimised-batch", "gpu", "spot"][number % 4],
                sizes[number % 5],
                sizes[number % 5] + 2,
            )
        })
        .collect();
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ha-private.yaml")).unwrap();
    let (before, rest) = text.split_once("  nodeGroups:\n").unwrap();
    let addons = &rest[rest.find("  addons:").unwrap()..];
    cluster(&format!("{before}  nodeGroups:\n{groups}{addons}"))
}

#[test]
fn a_hundred_groups() {
    let mut observed = healthy(&with_groups(100));
    for number in [9, 200, 201, 202] {
        nodes(&mut observed.fleet)[number].not_ready = Some("KubeletNotReady".into());
    }
    let text = svg(&draw(&topology(&observed)));
    assert_eq!(text.matches("<title>Node group ").count(), 100);
    golden("topology/hundred-groups.svg", &text);
}
