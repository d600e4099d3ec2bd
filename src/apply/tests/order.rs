//! The ready queue: everything is done, in order, and as much at once as order and the bound allow.

use std::time::Duration;

use super::*;
use crate::model::Kind;
use crate::test_support::EXAMPLES;

/// About what AWS takes, from call to usable.
fn latency(kind: Kind, action: Action) -> Duration {
    Duration::from_millis(match (kind, action) {
        (_, Action::Update | Action::Replace) => 300,
        (Kind::NatGateway, Action::Create) => 110_000,
        (Kind::NatGateway, Action::Delete) => 45_000,
        (Kind::AutoscalingGroup, Action::Delete) => 60_000,
        (Kind::LoadBalancer, Action::Create) => 2_500,
        (Kind::AutoscalingGroup | Kind::VpcEndpoint, Action::Create) => 1_200,
        (Kind::InstanceProfile, Action::Create) => 2_000,
        (Kind::SecurityGroupRule | Kind::Route | Kind::RouteTableAssociation, _) => 250,
        (_, Action::Create) => 600,
        (_, Action::Delete) => 400,
    })
}

/// The longest way through a plan, each step as long as its call takes.
fn longest_path(plan: &Plan, latency: impl Fn(Kind, Action) -> Duration) -> Duration {
    fn end(plan: &Plan, step: usize, latency: &impl Fn(Kind, Action) -> Duration, ends: &mut Vec<Option<Duration>>) -> Duration {
        if let Some(end) = ends[step] {
            return end;
        }
        let begin = plan.steps[step].after.iter().map(|&before| end(plan, before, latency, ends)).max().unwrap_or_default();
        let step_end = match plan.steps[step].id.kind {
            // The state store's, which is not simulated.
            Kind::BootstrapObject | Kind::ControlPlaneSettings => begin,
            kind => begin + latency(kind, plan.steps[step].work.action()),
        };
        ends[step] = Some(step_end);
        step_end
    }
    let mut ends = vec![None; plan.steps.len()];
    (0..plan.steps.len()).map(|step| end(plan, step, &latency, &mut ends)).max().unwrap_or_default()
}

/// Most calls that were in flight at the same time.
fn most_at_once(log: &[Call]) -> usize {
    let overlaps = |at: &Call| log.iter().filter(|call| call.begin <= at.begin && call.end.unwrap() > at.begin).count();
    log.iter().map(overlaps).max().unwrap_or_default()
}

/// No call begins before those that its step waits for have ended.
fn assert_order(plan: &Plan, log: &[Call]) {
    let call = |step: usize| {
        let step = &plan.steps[step];
        log.iter().find(|call| call.id == step.id && call.action == step.work.action())
    };
    for (index, step) in plan.steps.iter().enumerate() {
        for &before in &step.after {
            if let (Some(later), Some(earlier)) = (call(index), call(before)) {
                assert!(earlier.end.unwrap() <= later.begin, "{} begins before {} ends", later.id, earlier.id);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_made_in_order_and_a_second_plan_is_empty() {
    for name in EXAMPLES {
        let desired = desired(&example(name));
        let scene = Scene::new(FakeCloud::default().latency(latency)).await;
        let (plan, watch) = (plan(&desired, &World::default()), Watch::default());
        let report = scene.run(&plan, Outputs::default(), &Stop::default(), &watch).await;
        assert!(report.is_complete() && report.failures.is_empty(), "{name}: {:?}", report.failures);
        assert_eq!((report.done, report.total), (desired.len(), desired.len()));
        assert!(report.skipped.is_empty() && report.not_done.is_empty());
        assert_order(&plan, &scene.cloud.log());
        let world = scene.world(&desired).await;
        assert!(super::plan(&desired, &world).is_empty(), "{name}");
        assert_eq!(world.outputs().0, report.outputs.0, "{name}: what the report knows is what exists");
        let last = watch.lines().pop().unwrap();
        assert!(last.ends_with(&format!("{0}/{0}", desired.len())), "{last}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_removed_in_order_and_nothing_is_left() {
    for name in EXAMPLES {
        let desired = desired(&example(name));
        let scene = Scene::new(FakeCloud::default().latency(latency)).await;
        assert!(scene.make(&desired).await.is_complete());
        let (world, made) = (scene.world(&desired).await, scene.cloud.log().len());
        let plan = removal_of(&world);
        let report = scene.run(&plan, world.outputs(), &Stop::default(), &Watch::default()).await;
        assert!(report.is_complete(), "{name}: {:?}", report.failures);
        assert!(report.outputs.0.is_empty(), "{:?}", report.outputs);
        assert_eq!(scene.world(&desired).await, World::default());
        assert_order(&plan, &scene.cloud.log()[made..]);
        let refused = scene.cloud.log().iter().filter(|call| call.attempt > 0).count();
        assert_eq!(refused, 0, "{name}: nothing had to be asked for twice");
    }
}

#[tokio::test(start_paused = true)]
async fn creation_takes_hardly_longer_than_its_longest_path() {
    for name in EXAMPLES {
        let desired = desired(&example(name));
        let scene = Scene::new(FakeCloud::default().latency(latency)).await;
        let plan = plan(&desired, &World::default());
        let report = scene.run(&plan, Outputs::default(), &Stop::default(), &Watch::default()).await;
        let least = longest_path(&plan, latency);
        println!("{name}: {} steps in {:?}, longest path {least:?}", plan.steps.len(), report.elapsed);
        assert!(report.elapsed >= least);
        assert!(report.elapsed.as_secs_f64() <= 1.1 * least.as_secs_f64(), "{name}: {:?} > 1.1 × {least:?}", report.elapsed);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_overlap_up_to_the_bound() {
    let desired = desired(&example("ha-private"));
    for bound in [1, 3, CONCURRENCY] {
        let scene = Scene::new(FakeCloud::default().latency(|_, _| Duration::from_secs(1))).await;
        let store = scene.store();
        let provisioner = Provisioner { cloud: &scene.cloud, store: &store };
        let plan = plan(&desired, &World::default());
        let (watch, stop) = (Watch::default(), Stop::default());
        let report = execute(&plan, OPERATION, Outputs::default(), &provisioner, &watch, &stop, bound).await;
        assert!(report.is_complete());
        assert_eq!(most_at_once(&scene.cloud.log()), bound);
    }
}

#[tokio::test(start_paused = true)]
async fn a_replaced_resource_goes_before_it_comes_again_and_its_users_follow() {
    let desired = desired(&example("ha-private"));
    let mut scene = Scene::new(FakeCloud::default()).await;
    assert!(scene.make(&desired).await.is_complete());
    scene.operation = "2026-01-02T00:00:00Z";
    let mut changed = desired.clone();
    let Some(Resource::LoadBalancer(balancer)) = changed.get_mut(&id("LoadBalancer/api")) else { panic!("no load balancer") };
    balancer.internet_facing = true;
    let before = scene.world(&desired).await;
    let made = scene.cloud.log().len();
    let report = scene.make(&changed).await;
    assert!(report.is_complete(), "{:?}", report.failures);
    let log: Vec<String> = scene.cloud.log()[made..].iter().map(|call| format!("{:?} {}", call.action, call.id)).collect();
    assert_eq!(
        log,
        [
            "Delete Listener/api",
            "Delete LoadBalancer/api",
            "Create LoadBalancer/api",
            "Create Listener/api",
            "Update DnsRecord/api"
        ]
    );
    let balancer = id("LoadBalancer/api");
    assert_ne!(report.outputs.get(&balancer), before.outputs().get(&balancer));
    assert_eq!(scene.world(&changed).await.outputs().0, report.outputs.0);
}

/// The removal of a second object leaves the identity to the first.
#[tokio::test(start_paused = true)]
async fn a_duplicate_goes_and_the_outputs_keep_the_first() {
    let desired = minimal();
    let mut world = crate::test_support::world(&desired);
    let volume = id("ElasticIp/cp-1");
    let second = Observed { physical: crate::test_support::physical(&volume, 900), ..world.resources[&volume].clone() };
    world.duplicates.push((volume.clone(), second));
    let scene = Scene::new(FakeCloud::with_world(&world)).await;
    let plan = plan(&desired, &world);
    let report = scene.run(&plan, world.outputs(), &Stop::default(), &Watch::default()).await;
    assert!(report.is_complete(), "{:?}", report.failures);
    assert_eq!(scene.cloud.world().duplicates, []);
    assert_eq!(report.outputs.get(&volume), world.outputs().get(&volume));
}
