//! Creation in order: whatever exists already, what a step needs is there when it begins.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::{ancestors, making, planned, reconcile};
use crate::cloud::World;
use crate::model::{Desired, Kind, ResourceId};
use crate::plan::planner::check_cycles;
use crate::plan::{Action, Plan, PlanError, Step, Work};
use crate::test_support::{EXAMPLES, desired, example, id, world};

static DESIRED: LazyLock<Vec<Desired>> = LazyLock::new(|| EXAMPLES.iter().map(|name| desired(&example(name))).collect());

/// Each reference of what a plan makes is made before, or there already.
fn assert_references_come_first(plan: &Plan, world: &World) {
    let before = ancestors(plan);
    for (index, step) in plan.steps.iter().enumerate() {
        let (Work::Create(resource) | Work::Update { desired: resource, .. }) = &step.work else { continue };
        for target in resource.references() {
            match making(plan, &target) {
                Some(making) => assert!(before[index].contains(&making), "{} begins before {target} is made", step.id),
                None => assert!(world.resources.contains_key(&target), "{} needs {target}, which nothing makes", step.id),
            }
        }
    }
}

/// What is left of a world when only some of its resources exist: none without what it refers to, as AWS would have it.
fn half_made(desired: &Desired, exists: impl Fn(&ResourceId) -> bool) -> World {
    fn is_there(id: &ResourceId, desired: &Desired, exists: &impl Fn(&ResourceId) -> bool) -> bool {
        exists(id) && desired[id].references().iter().all(|target| is_there(target, desired, exists))
    }
    let mut world = world(desired);
    world.resources.retain(|id, _| is_there(id, desired, &exists));
    world
}

#[test]
fn an_empty_world_gets_everything() {
    for desired in DESIRED.iter() {
        let plan = planned(desired, &World::default());
        assert_eq!(plan.steps.len(), desired.len());
        assert_eq!((plan.count(Action::Create), plan.unchanged), (desired.len(), 0));
        let ids: Vec<&ResourceId> = plan.changes.iter().map(|change| &change.id).collect();
        assert!(ids.into_iter().eq(desired.keys()), "the changes are in the order of kinds and names");
        assert_references_come_first(&plan, &World::default());
    }
}

#[test]
fn a_world_that_is_as_desired_gets_nothing() {
    for desired in DESIRED.iter() {
        let plan = planned(desired, &world(desired));
        assert!(plan.is_empty() && plan.steps.is_empty(), "{:?}", plan.changes);
        assert_eq!(plan.unchanged, desired.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_half_made_cluster_gets_the_rest(example in 0..EXAMPLES.len(), mask in proptest::collection::vec(any::<bool>(), 256)) {
        let desired = &DESIRED[example];
        let position = |id: &ResourceId| desired.keys().position(|known| known == id).unwrap();
        let world = half_made(desired, |id| mask[position(id) % mask.len()]);
        let plan = planned(desired, &world);
        prop_assert_eq!(plan.count(Action::Create), desired.len() - world.resources.len());
        prop_assert_eq!(plan.unchanged, world.resources.len());
        prop_assert_eq!(plan.changes.len(), plan.steps.len());
        assert_references_come_first(&plan, &world);
    }
}

#[test]
fn planning_again_gives_the_same_bytes() {
    for desired in DESIRED.iter() {
        let world = half_made(desired, |id| id.kind < Kind::SecurityGroup);
        let (one, other) = (planned(desired, &world), planned(desired, &world));
        assert_eq!(one.to_json().to_string(), other.to_json().to_string());
        let order = |plan: &Plan| plan.steps.iter().map(|step| (step.id.clone(), step.after.clone())).collect::<Vec<_>>();
        assert_eq!(order(&one), order(&other));
    }
}

#[test]
fn a_change_lists_what_must_be_done_before_it() {
    let desired = &DESIRED[0];
    let plan = planned(desired, &half_made(desired, |id| id.kind == Kind::Vpc));
    let change = plan.changes.iter().find(|change| change.id == id("Subnet/public-us-east-1a")).unwrap();
    assert_eq!(change.depends_on, [], "the VPC is there");
    let change = plan.changes.iter().find(|change| change.id == id("NetworkInterface/cp-1")).unwrap();
    assert_eq!(change.depends_on, [id("Subnet/public-us-east-1a"), id("SecurityGroup/control-plane")]);
}

/// What AWS or the machines need beyond what a resource refers to. Each pair: what begins, what is done by then.
#[test]
fn needs_that_are_no_references() {
    let ha = [
        ("NatGateway/us-east-1a", "InternetGateway/main"),
        ("NatGateway/us-east-1a", "Route/public:0.0.0.0/0"),
        ("NatGateway/us-east-1a", "RouteTableAssociation/utility-us-east-1a"),
        ("LoadBalancer/api", "NetworkInterface/cp-1"),
        ("LaunchTemplate/cp-1", "BootstrapObject/boot"),
        ("LaunchTemplate/workers", "BootstrapObject/boot"),
        ("LaunchTemplate/workers", "InstanceProfile/nodes"),
        ("AutoscalingGroup/cp-1", "Volume/cp-1"),
        ("AutoscalingGroup/cp-1", "RolePolicy/control-plane:kclust"),
        ("AutoscalingGroup/cp-1", "SecurityGroupRule/control-plane:etcd from control-plane"),
        ("AutoscalingGroup/cp-1", "RouteTableAssociation/private-us-east-1a"),
        ("AutoscalingGroup/workers", "RolePolicy/nodes:kclust"),
        ("AutoscalingGroup/workers", "SecurityGroupRule/nodes:everything out"),
        ("AutoscalingGroup/workers", "RouteTableAssociation/private-us-east-1b"),
        ("AutoscalingGroup/workers", "NetworkInterface/cp-3"),
        ("AutoscalingGroup/workers", "VpcEndpoint/s3"),
    ];
    let minimal = [
        ("ElasticIp/cp-1", "InternetGateway/main"),
        ("LoadBalancer/api", "InternetGateway/main"),
        ("AutoscalingGroup/cp-1", "ElasticIp/cp-1"),
        ("AutoscalingGroup/cp-1", "InternetGateway/main"),
        ("AutoscalingGroup/cp-1", "RouteTableAssociation/public-us-east-1a"),
    ];
    for (desired, pairs) in [(&DESIRED[1], &ha[..]), (&DESIRED[0], &minimal[..])] {
        let plan = planned(desired, &World::default());
        let before = ancestors(&plan);
        for (later, earlier) in pairs {
            let (later_step, earlier_step) = (making(&plan, &id(later)).unwrap(), making(&plan, &id(earlier)).unwrap());
            assert!(before[later_step].contains(&earlier_step), "{later} waits for {earlier}");
        }
    }
}

/// A machine may boot while its NAT gateway is made: two minutes that nobody has to wait.
#[test]
fn no_machine_waits_for_a_nat_gateway_or_a_load_balancer_becoming_active() {
    let plan = planned(&DESIRED[1], &World::default());
    let before = ancestors(&plan);
    let groups = plan.steps.iter().enumerate().filter(|(_, step)| step.id.kind == Kind::AutoscalingGroup);
    for (group, step) in groups {
        let waits = before[group].iter().find(|&&earlier| {
            matches!(plan.steps[earlier].id.kind, Kind::NatGateway | Kind::Listener | Kind::Target | Kind::DnsRecord)
        });
        assert_eq!(waits.map(|&earlier| &plan.steps[earlier].id), None, "{}", step.id);
    }
}

#[test]
fn a_reference_that_leads_nowhere_is_an_error() {
    let mut desired = DESIRED[0].clone();
    desired.remove(&id("Vpc/main"));
    let Err(PlanError::Dangling { to, .. }) = reconcile(&desired, &World::default()) else { panic!("it is accepted") };
    assert_eq!(to, id("Vpc/main"));
}

/// No references of today's kinds make one; the next kind may.
#[test]
fn a_circle_is_an_error_that_names_it() {
    let ids = ["Vpc/first", "Vpc/a", "Vpc/b", "Vpc/c", "Vpc/behind"];
    let after = [vec![], vec![0, 3], vec![1], vec![2], vec![3]];
    let resource = &DESIRED[0][&id("Vpc/main")];
    let steps: Vec<Step> = ids
        .into_iter()
        .zip(after)
        .map(|(name, after)| Step { id: id(name), work: Work::Create(resource.clone()), after })
        .collect();
    assert_eq!(check_cycles(&steps), Err(PlanError::Cycle(["Vpc/b", "Vpc/c", "Vpc/a"].map(id).into())));
    assert_eq!(check_cycles(&steps[..1]), Ok(()));
}
