//! Changes to a cluster that lives: in place where AWS can, by replacement where nothing hangs on it, refused otherwise.

use super::mutants::mutants;
use super::{ancestors, making, planned, reconcile, removal, removing};
use crate::cloud::{Observed, World};
use crate::model::{Desired, Kind, OnChange, Placement, Ref, Resource, ResourceId, build};
use crate::plan::{Action, Change, Plan, PlanError, Work};
use crate::test_support::{as_observed, cluster, desired, example, facts, id, physical, world};

/// The production example, and the world in which it exists.
fn production() -> (Desired, World) {
    let desired = desired(&example("ha-private"));
    let world = world(&desired);
    (desired, world)
}

fn observed<'a>(world: &'a mut World, name: &str) -> &'a mut Resource {
    &mut world.resources.get_mut(&id(name)).unwrap_or_else(|| panic!("{name}")).resource
}

fn change<'a>(plan: &'a Plan, name: &str) -> &'a Change {
    plan.changes.iter().find(|change| change.id == id(name)).unwrap_or_else(|| panic!("{name}: {:?}", plan.changes))
}

fn actions(plan: &Plan) -> Vec<(Action, String)> {
    plan.changes.iter().map(|change| (change.action, change.id.to_string())).collect()
}

fn make_public(world: &mut World) {
    let Resource::LoadBalancer(balancer) = observed(world, "LoadBalancer/api") else { panic!("no load balancer") };
    balancer.internet_facing = true;
}

#[test]
fn what_refers_to_something_that_is_replaced_changes_with_it() {
    let (desired, mut world) = production();
    make_public(&mut world);
    let plan = planned(&desired, &world);
    let wanted = [(Action::Replace, "LoadBalancer/api"), (Action::Replace, "Listener/api"), (Action::Update, "DnsRecord/api")];
    assert_eq!(actions(&plan), wanted.map(|(action, id)| (action, id.to_owned())));
    assert_eq!(change(&plan, "LoadBalancer/api").reason, "AWS cannot change internetFacing");
    assert_eq!(change(&plan, "DnsRecord/api").reason, "refers to LoadBalancer/api, which is replaced");
    assert_eq!(change(&plan, "Listener/api").fields[0].path, "loadBalancer");
    assert_eq!(plan.unchanged, desired.len() - 3);

    let before = ancestors(&plan);
    let (balancer, listener, record) = (id("LoadBalancer/api"), id("Listener/api"), id("DnsRecord/api"));
    let removal = |id: &ResourceId| removing(&plan, &world.resources[id].physical.id).unwrap();
    let made = |id: &ResourceId| making(&plan, id).unwrap();
    assert!(before[removal(&balancer)].contains(&removal(&listener)), "the listener goes before what it listens for");
    assert!(before[made(&balancer)].contains(&removal(&balancer)), "the name is free before it is taken again");
    assert!(before[made(&listener)].contains(&made(&balancer)));
    assert!(before[made(&record)].contains(&made(&balancer)));
}

/// Without a hosted zone every node and every kubeconfig knows the API by the load balancer's own name.
#[test]
fn a_load_balancer_whose_name_is_the_apis_is_not_replaced() {
    let desired = desired(&example("minimal"));
    let mut world = world(&desired);
    let Resource::LoadBalancer(balancer) = observed(&mut world, "LoadBalancer/api") else { panic!("no load balancer") };
    balancer.internet_facing = false;
    let Err(PlanError::Irreplaceable { id: refused, path, .. }) = reconcile(&desired, &world) else { panic!("it is planned") };
    assert_eq!((refused, path.as_str()), (id("LaunchTemplate/cp-1"), "userData.apiName"));
}

#[test]
fn a_field_that_aws_cannot_change_is_refused_where_machines_hold_on_to_the_resource() {
    const FREE: [Kind; 11] = [
        Kind::Route,
        Kind::RouteTableAssociation,
        Kind::VpcEndpoint,
        Kind::SecurityGroupRule,
        Kind::RolePolicy,
        Kind::KeyPair,
        Kind::LoadBalancer,
        Kind::Listener,
        Kind::Target,
        Kind::BootstrapObject,
        Kind::DnsRecord,
    ];
    let (desired, world) = production();
    for (id, resource) in &desired {
        for (path, mutant) in mutants(&as_observed(resource)) {
            let Some(field) = resource.fields().into_iter().find(|field| field.path == path) else { continue };
            let mut world = world.clone();
            world.resources.get_mut(id).unwrap().resource = mutant;
            let refused = match reconcile(&desired, &world) {
                Err(PlanError::Irreplaceable { id, .. }) => Some(id),
                Err(error) => panic!("{error}"),
                Ok(_) => None,
            };
            let is_fixed = field.on_change == OnChange::Replace && !FREE.contains(&id.kind);
            let shrinks = id.kind == Kind::Volume && path == "sizeGiB";
            assert_eq!(refused.as_ref(), (is_fixed || shrinks).then_some(id), "{id}: {path}");
        }
    }
}

#[test]
fn the_refusal_says_what_would_have_changed() {
    let (desired, mut world) = production();
    let Resource::Volume(volume) = observed(&mut world, "Volume/cp-2") else { panic!("no volume") };
    volume.disk.encrypted = false;
    let error = reconcile(&desired, &world).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Volume/cp-2 cannot be changed while the cluster lives: encrypted is false and would become true"
    );
}

/// EBS volumes grow only.
#[test]
fn a_volume_is_not_asked_to_shrink() {
    let (desired, mut world) = production();
    let Resource::Volume(volume) = observed(&mut world, "Volume/cp-2") else { panic!("no volume") };
    volume.disk.size_gib = 40;
    let refused = reconcile(&desired, &world).unwrap_err();
    let wanted = "Volume/cp-2 cannot be changed while the cluster lives: sizeGiB is 40 and would become 20";
    assert_eq!(refused.to_string(), wanted);
    let Resource::Volume(volume) = observed(&mut world, "Volume/cp-2") else { panic!("no volume") };
    volume.disk.size_gib = 10;
    assert_eq!(actions(&planned(&desired, &world)), [(Action::Update, "Volume/cp-2".to_owned())]);
}

#[test]
fn a_slot_is_never_removed() {
    let three = example("ha-private");
    let mut one = three.clone();
    one.control_plane.replicas = 1;
    let refused = reconcile(&desired(&one), &world(&desired(&three))).unwrap_err();
    assert_eq!(refused, PlanError::SlotRemoval { id: id("NetworkInterface/cp-2") });
    let more = planned(&desired(&three), &world(&desired(&one)));
    assert_eq!(more.count(Action::Create), more.changes.len() - more.count(Action::Update), "slots can be added");
}

#[test]
fn a_group_that_left_the_spec_goes_and_its_template_after_it() {
    let (desired, world) = production();
    let mut fewer = desired.clone();
    let gone = [id("LaunchTemplate/workers"), id("AutoscalingGroup/workers")];
    fewer.retain(|id, _| !gone.contains(id));
    let plan = planned(&fewer, &world);
    assert_eq!(actions(&plan), gone.clone().map(|id| (Action::Delete, id.to_string())));
    assert_eq!(change(&plan, "LaunchTemplate/workers").reason, "no longer part of the spec");
    assert_eq!(change(&plan, "LaunchTemplate/workers").depends_on, [gone[1].clone()]);
    assert_eq!(plan.unchanged, fewer.len());
}

/// A zone that leaves the spec: the group lets go of its subnet before the subnet goes.
#[test]
fn what_stops_needing_a_thing_lets_go_before_it_is_removed() {
    let (desired, mut world) = production();
    let left = id("Subnet/private-us-east-1d");
    let Resource::Subnet(mut subnet) = desired[&id("Subnet/private-us-east-1a")].clone() else { panic!("no subnet") };
    subnet.zone = "us-east-1d".into();
    world.resources.insert(left.clone(), Observed { resource: subnet.into(), physical: physical(&left, 900) });
    let Resource::AutoscalingGroup(group) = observed(&mut world, "AutoscalingGroup/workers") else { panic!("no group") };
    let Placement::Subnets(subnets) = &mut group.placement else { panic!("{:?}", group.placement) };
    subnets.push(Ref::own("private-us-east-1d"));
    let plan = planned(&desired, &world);
    let (letting_go, removal) =
        (making(&plan, &id("AutoscalingGroup/workers")).unwrap(), removing(&plan, "subnet-0900").unwrap());
    assert!(ancestors(&plan)[removal].contains(&letting_go));
}

#[test]
fn a_second_object_of_an_identity_goes_but_never_a_volume() {
    let (desired, mut world) = production();
    for (name, number) in [("ElasticIp/nat-us-east-1a", 900), ("Volume/cp-1", 901)] {
        let id = id(name);
        let resource = world.resources[&id].resource.clone();
        world.duplicates.push((id.clone(), Observed { resource, physical: physical(&id, number) }));
    }
    world.foreign_rules.push("nodes: tcp 80 from 0.0.0.0/0".into());
    let plan = planned(&desired, &world);
    let found: Vec<_> = plan.changes.iter().map(|change| (change.action, change.physical.as_deref())).collect();
    assert_eq!(found, [(Action::Delete, Some("elasticip-0900"))]);
    assert_eq!(
        plan.warnings,
        [
            "a security group holds a rule that is not kclust's: nodes: tcp 80 from 0.0.0.0/0",
            "two volumes are tagged Volume/cp-1; volume-0901 is left alone"
        ]
    );
    assert_eq!(plan.unchanged, desired.len(), "the first of the two is as it should be");
}

/// The group of a removal that was killed keeps its name while it goes.
#[test]
fn a_second_object_goes_before_the_first_one_is_made() {
    let (desired, mut world) = production();
    let id = id("AutoscalingGroup/workers");
    let going = world.resources.remove(&id).unwrap();
    world.duplicates.push((id.clone(), Observed { physical: physical(&id, 900), ..going }));
    let plan = planned(&desired, &world);
    let (made, removed) = (making(&plan, &id).unwrap(), removing(&plan, "autoscalinggroup-0900").unwrap());
    assert!(ancestors(&plan)[made].contains(&removed));
}

/// It goes with its role, as in a removal.
#[test]
fn an_inline_policy_of_others_stays_while_its_role_does() {
    let (desired, mut world) = production();
    let of_others = id("RolePolicy/nodes:audit");
    let Observed { mut resource, .. } = world.resources[&id("RolePolicy/nodes:kclust")].clone();
    let Resource::RolePolicy(policy) = &mut resource else { panic!("no policy") };
    policy.name = "audit".into();
    world.resources.insert(of_others.clone(), Observed { resource, physical: physical(&of_others, 900) });
    let plan = planned(&desired, &world);
    assert_eq!(plan.changes, []);
    assert_eq!(plan.warnings, ["a role has an inline policy that is not kclust's: rolepolicy-0900"]);
    assert_eq!(crate::plan::drift(&desired, &world, &Default::default()).changes, []);
    assert!(removing(&removal(&world), "rolepolicy-0900").is_some());
}

#[test]
fn a_tag_that_left_the_spec_is_removed_everywhere() {
    let before = example("ha-private");
    let mut after = before.clone();
    after.tags.remove("team");
    let plan = planned(&desired(&after), &world(&desired(&before)));
    assert_eq!(plan.count(Action::Update), plan.changes.len());
    for change in &plan.changes {
        let paths: Vec<&str> = change.fields.iter().map(|field| field.path.as_str()).collect();
        let path = if change.id.kind == Kind::LaunchTemplate { "instanceTags.team" } else { "tags.team" };
        assert_eq!(paths, [path], "{}", change.id);
        assert_eq!(change.reason, format!("differs from the spec in {path}"));
    }
    assert!(plan.changes.iter().any(|change| change.id.kind == Kind::Volume));
}

/// An update is told what there was; what it does not hear of it cannot remove.
#[test]
fn an_update_never_hears_of_the_tags_of_others() {
    let (desired, mut world) = production();
    let Resource::AutoscalingGroup(group) = observed(&mut world, "AutoscalingGroup/workers") else { panic!("no group") };
    group.max_size = 9;
    group.tags.extend([("cost-tool".into(), "1".into()), ("kclust.dev/of-old".into(), "1".into())]);
    let plan = planned(&desired, &world);
    let Work::Update { observed, .. } = &plan.steps[0].work else { panic!("{:?}", plan.steps) };
    let tags = observed.resource.tags().unwrap();
    assert!(!tags.contains_key("cost-tool") && tags.contains_key("kclust.dev/of-old") && tags.contains_key("Name"), "{tags:?}");
}

/// What an operator changes most often changes nothing else.
#[test]
fn a_larger_group_is_one_change() {
    let (_, world) = production();
    let larger = {
        let mut cluster = example("ha-private");
        cluster.node_groups[0].max_size = 20;
        desired(&cluster)
    };
    let plan = planned(&larger, &world);
    assert_eq!(actions(&plan), [(Action::Update, "AutoscalingGroup/workers".to_owned())]);
    assert_eq!(change(&plan, "AutoscalingGroup/workers").fields.len(), 1);
}

#[test]
fn another_key_is_another_key_pair_which_goes_when_no_template_names_it() {
    let (_, world) = production();
    let mut changed = example("ha-private");
    let ssh = changed.ssh.as_mut().unwrap();
    ssh.public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ops".into();
    let plan = planned(&desired(&changed), &world);
    let of = |action| plan.changes.iter().find(|change| change.id.kind == Kind::KeyPair && change.action == action).unwrap();
    let removal = removing(&plan, of(Action::Delete).physical.as_deref().unwrap()).unwrap();
    let before = ancestors(&plan);
    let templates = plan.steps.iter().enumerate().filter(|(_, step)| step.id.kind == Kind::LaunchTemplate);
    let made = making(&plan, &of(Action::Create).id).unwrap();
    for (template, step) in templates {
        assert!(before[template].contains(&made) && before[removal].contains(&template), "{}", step.id);
    }
}

/// Not asserted against a clock: `cargo test -- --nocapture plan_of_100` prints it.
#[test]
fn plan_of_100_groups() {
    let group =
        |n| format!("    - {{name: group-{n}, minSize: 0, maxSize: 9, instanceTypes: [m6i.large], labels: {{n: \"{n}\"}}}}\n");
    let groups: String = (0..100).map(group).collect();
    let text = format!(
        "apiVersion: kclust.dev/v1alpha1\nkind: Cluster\nmetadata:\n  name: big.example.com\nspec:\n  region: us-east-1\n  \
         network:\n    zones: [us-east-1a, us-east-1b, us-east-1c]\n  nodeGroups:\n{groups}"
    );
    let cluster = cluster(&text);
    let begun = std::time::Instant::now();
    let desired = build(&cluster, &facts(&cluster));
    println!("model of {} resources: {:?}", desired.len(), begun.elapsed());
    let world = world(&desired);
    let begun = std::time::Instant::now();
    let (everything, nothing) = (planned(&desired, &World::default()), planned(&desired, &world));
    println!("two plans: {:?}", begun.elapsed());
    assert_eq!(everything.steps.len(), desired.len());
    assert!(nothing.is_empty());
}
