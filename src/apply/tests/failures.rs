//! What fails, what is tried again, and what goes on meanwhile.

use super::*;
use crate::cloud::ErrorClass;

const ALL: [ErrorClass; 13] = [
    ErrorClass::NotFound,
    ErrorClass::AlreadyExists,
    ErrorClass::InUse,
    ErrorClass::NotYet,
    ErrorClass::Throttled,
    ErrorClass::Denied,
    ErrorClass::Credentials,
    ErrorClass::Quota,
    ErrorClass::Invalid,
    ErrorClass::Transport,
    ErrorClass::Unreachable,
    ErrorClass::Conflict,
    ErrorClass::Other,
];

#[tokio::test(start_paused = true)]
async fn a_failure_stops_what_needs_it_and_nothing_else() {
    let desired = minimal();
    let cloud = FakeCloud::default().script(only(Action::Create, "Role/nodes", |_| Fate::Refused(ErrorClass::Denied)));
    let scene = Scene::new(cloud).await;
    let watch = Watch::default();
    let plan = plan(&desired, &World::default());
    let report = scene.run(&plan, Outputs::default(), &Stop::default(), &watch).await;
    assert_eq!(report.failures.len(), 1, "the root cause, once");
    assert_eq!((&report.failures[0].id, report.failures[0].action), (&id("Role/nodes"), Action::Create));
    assert_eq!(report.failures[0].error.class, ErrorClass::Denied);
    let skipped = ["RolePolicy/nodes:kclust", "InstanceProfile/nodes", "LaunchTemplate/workers", "AutoscalingGroup/workers"];
    assert_eq!(names(&report.skipped), skipped);
    assert_eq!((report.done, report.total), (desired.len() - 5, desired.len()));
    assert!(report.not_done.is_empty() && !report.is_complete());
    assert!(scene.cloud.world().resources.contains_key(&id("AutoscalingGroup/cp-1")), "the control plane goes on");
    assert_eq!(watch.of("Role/nodes"), ["started Role/nodes Create", "failed Role/nodes Create Denied"]);
    assert!(skipped.iter().all(|id| watch.of(id).is_empty()), "what is skipped is not begun");
    // Once the operator has the permission, the same command does the rest.
    let healed = FakeCloud::with_world(&scene.cloud.world());
    let scene = Scene { cloud: healed, ..scene };
    let report = scene.make(&desired).await;
    assert_eq!((report.done, report.is_complete()), (5, true));
}

#[tokio::test(start_paused = true)]
async fn a_step_with_two_failed_needs_is_skipped_once() {
    let cloud = FakeCloud::default().script(|call| match call.id.to_string().as_str() {
        "Role/nodes" | "SecurityGroup/nodes" => Fate::Refused(ErrorClass::Quota),
        _ => Fate::Arrives,
    });
    let scene = Scene::new(cloud).await;
    let report = scene.make(&minimal()).await;
    let failed: BTreeSet<String> = report.failures.iter().map(|failure| failure.id.to_string()).collect();
    assert_eq!(failed, BTreeSet::from(["Role/nodes".to_owned(), "SecurityGroup/nodes".to_owned()]));
    let distinct: BTreeSet<_> = report.skipped.iter().collect();
    assert_eq!(distinct.len(), report.skipped.len());
    assert_eq!(report.done + report.failures.len() + report.skipped.len(), report.total);
}

/// Whether a creation and a removal that fail twice with a class succeed after all.
#[tokio::test(start_paused = true)]
async fn passing_errors_are_tried_again_and_others_are_not() {
    let desired = part(&minimal(), &["Vpc/main"]);
    for class in ALL {
        let twice = move |call: &Call| if call.attempt < 2 { Fate::Refused(class) } else { Fate::Arrives };
        let scene = Scene::new(FakeCloud::default().script(twice)).await;
        let report = scene.make(&desired).await;
        let passing = matches!(
            class,
            ErrorClass::NotYet
                | ErrorClass::Throttled
                | ErrorClass::Transport
                | ErrorClass::Conflict
                | ErrorClass::NotFound
                | ErrorClass::InUse
        );
        assert_eq!(report.is_complete(), passing, "{class:?}");
        let retries: Vec<bool> = calls(&scene.cloud.log(), Action::Create, "Vpc/main").iter().map(|call| call.retry).collect();
        assert_eq!(retries, if passing { vec![false, true, true] } else { vec![false] }, "{class:?}");

        let world = crate::test_support::world(&desired);
        let scene = Scene::new(FakeCloud::with_world(&world).script(twice)).await;
        let report = scene.run(&removal_of(&world), world.outputs(), &Stop::default(), &Watch::default()).await;
        // What is not found is gone: once is enough.
        let attempts = match class {
            ErrorClass::NotFound => 1,
            _ if passing => 3,
            _ => 1,
        };
        assert_eq!(scene.cloud.log().len(), attempts, "{class:?}");
        assert_eq!(report.is_complete(), passing, "{class:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn patience_ends() {
    let desired = part(&minimal(), &["Vpc/main"]);
    for (class, create, delete) in
        [(ErrorClass::NotYet, 180, 180), (ErrorClass::Throttled, 180, 180), (ErrorClass::InUse, 180, 10)]
    {
        // A removal that something holds up is looked at again, by `ops::delete`.
        let always = move |_: &Call| Fate::Refused(class);
        let scene = Scene::new(FakeCloud::default().script(always)).await;
        let report = scene.make(&desired).await;
        assert_eq!(report.failures[0].error.class, class);
        assert!((create..create + 6).contains(&report.elapsed.as_secs()), "{class:?}: {:?}", report.elapsed);

        let world = crate::test_support::world(&desired);
        let scene = Scene::new(FakeCloud::with_world(&world).script(always)).await;
        let report = scene.run(&removal_of(&world), world.outputs(), &Stop::default(), &Watch::default()).await;
        assert!((delete..delete + 6).contains(&report.elapsed.as_secs()), "{class:?}: {:?}", report.elapsed);
        assert_eq!(report.outputs.0, world.outputs().0, "it is still there");
    }
}

/// Interfaces and machines take minutes to go; what holds on to a role does not go at all.
#[tokio::test(start_paused = true)]
async fn an_update_waits_longer_for_a_network_than_for_a_role() {
    for (name, limit) in [("Role/nodes", 180), ("Vpc/main", 20 * 60)] {
        let world = crate::test_support::world(&part(&minimal(), &[name]));
        let scene = Scene::new(FakeCloud::with_world(&world).script(|_| Fate::Refused(ErrorClass::InUse))).await;
        let plan = removal(&context(Operation::Update), &world).unwrap();
        let report = scene.run(&plan, world.outputs(), &Stop::default(), &Watch::default()).await;
        assert_eq!(report.failures.len(), 1, "{name}");
        assert!((limit..limit + 6).contains(&report.elapsed.as_secs()), "{name}: {:?}", report.elapsed);
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_are_told_and_pauses_grow() {
    let desired = part(&minimal(), &["Vpc/main"]);
    let cloud =
        FakeCloud::default().script(|call| if call.attempt < 7 { Fate::Refused(ErrorClass::NotYet) } else { Fate::Arrives });
    let scene = Scene::new(cloud).await;
    let watch = Watch::default();
    scene.run(&plan(&desired, &World::default()), Outputs::default(), &Stop::default(), &watch).await;
    assert_eq!(
        watch.lines(),
        [
            "started Vpc/main Create",
            "retrying Vpc/main NotYet 250 ms",
            "retrying Vpc/main NotYet 500 ms",
            "retrying Vpc/main NotYet 1000 ms",
            "retrying Vpc/main NotYet 2000 ms",
            "retrying Vpc/main NotYet 4000 ms",
            "retrying Vpc/main NotYet 5000 ms",
            "retrying Vpc/main NotYet 5000 ms",
            "finished Vpc/main Create 17750 ms 1/1",
        ]
    );
}

/// Expired credentials, a lost network: the rest would fail the same way, call by call.
#[tokio::test(start_paused = true)]
async fn a_failure_that_concerns_every_call_ends_it_and_is_told_once() {
    for class in [ErrorClass::Credentials, ErrorClass::Unreachable] {
        let cloud = FakeCloud::default()
            .latency(|_, _| std::time::Duration::from_secs(1))
            .script(move |call| if call.number < 10 { Fate::Arrives } else { Fate::Refused(class) });
        let scene = Scene::new(cloud).await;
        let desired = minimal();
        let report = scene.make(&desired).await;
        assert_eq!(report.failures.len(), 1, "{class:?}: {:?}", report.failures);
        assert!(scene.cloud.log().len() <= 10 + CONCURRENCY, "{class:?}: only what was in flight is lost");
        assert_eq!(report.done + 1 + report.skipped.len() + report.not_done.len(), report.total);
        let known = FakeCloud::with_world(&scene.cloud.world());
        assert!(Scene { cloud: known, ..scene }.make(&desired).await.is_complete());
    }
}

/// A boot program that cannot be written is a failure like any other, and a machine that needs it is not launched.
#[tokio::test(start_paused = true)]
async fn the_state_store_fails_like_the_cloud() {
    let desired = minimal();
    let scene = Scene::new(FakeCloud::default()).await;
    std::fs::remove_dir_all(scene.directory.path()).unwrap();
    let report = scene.make(&desired).await;
    assert!(report.failures.iter().any(|failure| failure.id == id("BootstrapObject/boot")));
    assert!(report.skipped.contains(&id("AutoscalingGroup/cp-1")) && report.skipped.contains(&id("LaunchTemplate/workers")));
    assert!(scene.cloud.world().resources.contains_key(&id("LoadBalancer/api")));
}
