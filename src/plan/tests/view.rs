//! Plans as people and programs read them.

use std::collections::BTreeSet;

use crate::cloud::{Observed, World};
use crate::model::Resource;
use crate::plan::{Context, Operation, Plan, TextStyle, reconcile, removal};
use crate::spec::Cluster;
use crate::test_support::{desired, example, golden, id, physical, world};

const UNLIMITED: TextStyle = TextStyle { color: false, unicode: true, width: usize::MAX };

fn context(cluster: &Cluster, operation: Operation) -> Context<'_> {
    Context { cluster: cluster.name.as_str(), operation, user_tags: BTreeSet::from(["owner".to_owned()]) }
}

fn create(name: &str) -> Plan {
    let cluster = example(name);
    reconcile(&context(&cluster, Operation::Create), &desired(&cluster), &World::default()).unwrap()
}

/// One change of each sort, and both warnings.
fn update() -> Plan {
    let cluster = example("ha-private");
    let desired = desired(&cluster);
    let mut world = world(&desired);
    world.resources.remove(&id("SecurityGroupRule/nodes:kubelet from control-plane"));
    for resource in world.resources.values_mut().map(|observed| &mut observed.resource) {
        match resource {
            Resource::LoadBalancer(balancer) => balancer.internet_facing = true,
            Resource::AutoscalingGroup(group) if group.max_size == 12 => group.max_size = 9,
            Resource::LaunchTemplate(template) if template.instance_type == "m6i.xlarge" => {
                template.user_data.text = "earlier user-data".into();
                template.image = "ami-earlier".into();
            }
            Resource::Vpc(vpc) => {
                vpc.tags.insert("owner".into(), "nobody".into());
            }
            _ => {}
        }
    }
    let old = id("LaunchTemplate/old");
    let template = desired[&id("LaunchTemplate/workers")].clone();
    world.resources.insert(old.clone(), Observed { resource: template, physical: physical(&old, 800) });
    for (name, number) in [("Subnet/private-us-east-1a", 801), ("Volume/cp-1", 802)] {
        let id = id(name);
        let observed = Observed { resource: world.resources[&id].resource.clone(), physical: physical(&id, number) };
        world.duplicates.push((id, observed));
    }
    world.foreign_rules.push("nodes: tcp 80 from 0.0.0.0/0".into());
    reconcile(&context(&cluster, Operation::Update), &desired, &world).unwrap()
}

fn delete() -> Plan {
    let cluster = example("minimal");
    removal(&context(&cluster, Operation::Delete), &world(&desired(&cluster))).unwrap()
}

#[test]
fn json() {
    for (name, plan) in [("create-minimal", create("minimal")), ("update", update()), ("delete-minimal", delete())] {
        golden(&format!("plan/{name}.json"), &format!("{:#}\n", plan.to_json()));
    }
}

#[test]
fn text() {
    for (name, plan) in [("create-minimal", create("minimal")), ("update", update()), ("delete-minimal", delete())] {
        golden(&format!("plan/{name}.txt"), &plan.to_text(UNLIMITED));
        golden(&format!("plan/{name}-80.txt"), &plan.to_text(TextStyle { width: 80, ..UNLIMITED }));
        let ascii = plan.to_text(TextStyle { unicode: false, width: 80, color: false });
        assert!(ascii.is_ascii(), "{name}:\n{ascii}");
        if name == "update" {
            golden(&format!("plan/{name}-ascii-80.txt"), &ascii);
        }
    }
}

#[test]
fn no_line_of_a_creation_is_wider_than_asked() {
    for width in [0, 1, 20, 80] {
        for unicode in [true, false] {
            let text = create("ml-spot-gpu").to_text(TextStyle { width, unicode, color: false });
            let (changes, _) = text.split_once("\n\n").unwrap();
            let widest = changes.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= width.max(3), "{widest} > {width}:\n{text}");
        }
    }
}

/// Colour changes nothing but the colour.
#[test]
fn color() {
    let plan = update();
    let colored = plan.to_text(TextStyle { color: true, width: 80, unicode: true });
    assert!(
        colored.contains("\u{1b}[32m+ ") && colored.contains("\u{1b}[33m~ ") && colored.contains("\u{1b}[31m- "),
        "{colored}"
    );
    let plain = anstream::adapter::strip_str(&colored).to_string();
    assert_eq!(plain, plan.to_text(TextStyle { width: 80, ..UNLIMITED }));
}

#[test]
fn summaries() {
    assert_eq!(update().summary(), "prod.example.com: 1 to create, 4 to update, 2 to replace, 2 to delete, 89 unchanged.");
    let cluster = example("minimal");
    let desired = desired(&cluster);
    let nothing = reconcile(&context(&cluster, Operation::Update), &desired, &world(&desired)).unwrap();
    let wanted = format!("dev.k8s.local: no changes, {} resources as they should be.", desired.len());
    assert_eq!(nothing.summary(), wanted);
    assert_eq!(nothing.to_text(UNLIMITED), format!("{wanted}\n"));
}
