//! Removal in order: nothing goes while something that needs it is there.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::{ancestors, removal, removing};
use crate::cloud::{Observed, World};
use crate::model::{Kind, Ref, Resource, ResourceId};
use crate::plan::{Action, Plan};
use crate::test_support::{EXAMPLES, desired, example, id, physical, world};

static WORLDS: LazyLock<Vec<World>> = LazyLock::new(|| EXAMPLES.iter().map(|name| world(&desired(&example(name)))).collect());

fn objects(world: &World) -> impl Iterator<Item = (&ResourceId, &Observed)> {
    world.resources.iter().chain(world.duplicates.iter().map(|(id, observed)| (id, observed)))
}

fn assert_no_dependent_outlives(plan: &Plan, world: &World) {
    let before = ancestors(plan);
    for (user, observed) in objects(world) {
        let user_goes = removing(plan, &observed.physical.id).unwrap_or_else(|| panic!("{user} is left"));
        for target in observed.resource.references() {
            let Some(used) = world.resources.get(&target) else { continue };
            let target_goes = removing(plan, &used.physical.id).unwrap();
            assert!(before[target_goes].contains(&user_goes), "{target} goes while {user} is there");
        }
    }
}

#[test]
fn everything_goes_and_each_before_what_it_needs() {
    for world in WORLDS.iter() {
        let plan = removal(world);
        assert_eq!((plan.count(Action::Delete), plan.steps.len()), (world.resources.len(), world.resources.len()));
        assert!(plan.changes.iter().all(|change| change.reason == "owned by the cluster" && change.physical.is_some()));
        assert_no_dependent_outlives(&plan, world);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Also where an earlier removal ended half-way, or somebody removed things by hand.
    #[test]
    fn what_is_left_goes_in_order(example in 0..EXAMPLES.len(), mask in proptest::collection::vec(any::<bool>(), 256)) {
        let mut world = WORLDS[example].clone();
        let mut position = 0;
        world.resources.retain(|_, _| {
            position += 1;
            mask[position % mask.len()]
        });
        let plan = removal(&world);
        prop_assert_eq!(plan.steps.len(), world.resources.len());
        assert_no_dependent_outlives(&plan, &world);
    }
}

/// AWS refuses the other order, though no reference says so. Each pair: what goes first, what goes after it.
#[test]
fn order_that_no_reference_imposes() {
    let pairs = [
        ("NatGateway/us-east-1a", "InternetGateway/main"),
        ("AutoscalingGroup/cp-1", "Volume/cp-1"),
        ("AutoscalingGroup/workers", "InternetGateway/main"),
        ("AutoscalingGroup/workers", "InstanceProfile/nodes"),
        ("AutoscalingGroup/cp-3", "NetworkInterface/cp-3"),
        ("LoadBalancer/api", "NetworkInterface/cp-2"),
    ];
    let mut without_routes = WORLDS[1].clone();
    without_routes.resources.retain(|id, _| !matches!(id.kind, Kind::Route | Kind::RouteTableAssociation));
    for world in [&WORLDS[1], &without_routes] {
        let plan = removal(world);
        let before = ancestors(&plan);
        let step = |name: &str| removing(&plan, &world.resources[&id(name)].physical.id).unwrap();
        for (first, second) in pairs {
            assert!(before[step(second)].contains(&step(first)), "{first} goes before {second}");
        }
    }
}

#[test]
fn second_objects_go_too_before_what_they_need() {
    let mut world = WORLDS[0].clone();
    for (name, number) in [("Subnet/public-us-east-1a", 900), ("SecurityGroup/nodes", 901), ("Volume/cp-1", 902)] {
        let id = id(name);
        let resource = world.resources[&id].resource.clone();
        world.duplicates.push((id.clone(), Observed { resource, physical: physical(&id, number) }));
    }
    let plan = removal(&world);
    assert_eq!(plan.count(Action::Delete), world.resources.len() + 3);
    assert_no_dependent_outlives(&plan, &world);
    let vpc = plan.changes.iter().find(|change| change.id == id("Vpc/main")).unwrap();
    assert!(vpc.depends_on.contains(&id("Subnet/public-us-east-1a")));
}

/// A gateway that somebody detached, a profile without a role: what is left of an interrupted removal refers to nothing.
#[test]
fn what_is_half_gone_already_goes() {
    let mut world = WORLDS[1].clone();
    for (name, observed) in [("InternetGateway/main", "vpc"), ("InstanceProfile/nodes", "role")] {
        match &mut world.resources.get_mut(&id(name)).unwrap().resource {
            Resource::InternetGateway(gateway) => gateway.vpc = Ref::Nothing,
            Resource::InstanceProfile(profile) => profile.role = Ref::Nothing,
            other => panic!("{observed}: {other:?}"),
        }
    }
    assert_no_dependent_outlives(&removal(&world), &world);
}

#[test]
fn an_empty_world_is_gone_already() {
    let plan = removal(&World::default());
    assert!(plan.is_empty() && plan.steps.is_empty());
}
