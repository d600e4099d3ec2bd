//! Waiting for what a call began, and being told to stop.

use std::time::Duration;

use super::*;
use crate::cloud::ErrorClass;

fn with_gateway() -> Desired {
    part(&desired(&example("ha-private")), &["Route/private-us-east-1a:0.0.0.0/0"])
}

const GATEWAY: &str = "NatGateway/us-east-1a";
const ROUTE: &str = "Route/private-us-east-1a:0.0.0.0/0";

#[tokio::test(start_paused = true)]
async fn what_is_not_ready_is_waited_for_before_anything_uses_it() {
    let desired = with_gateway();
    let scene = Scene::new(FakeCloud::default().pending(GATEWAY, 4)).await;
    let watch = Watch::default();
    let report = scene.run(&plan(&desired, &World::default()), Outputs::default(), &Stop::default(), &watch).await;
    assert!(report.is_complete(), "{:?}", report.failures);
    assert_eq!(
        watch.of(GATEWAY)[..5],
        [
            format!("started {GATEWAY} Create"),
            format!("waiting {GATEWAY} still pending 0 ms"),
            format!("waiting {GATEWAY} still pending 250 ms"),
            format!("waiting {GATEWAY} still pending 750 ms"),
            format!("waiting {GATEWAY} still pending 1750 ms"),
        ]
    );
    let log = scene.cloud.log();
    let (made, used) = (&calls(&log, Action::Create, GATEWAY)[0], &calls(&log, Action::Create, ROUTE)[0]);
    assert_eq!(used.begin - made.end.unwrap(), Duration::from_millis(3750));
}

#[tokio::test(start_paused = true)]
async fn what_will_never_be_ready_fails_at_once_with_the_reason() {
    let desired = with_gateway();
    let scene = Scene::new(FakeCloud::default().never_ready(GATEWAY, "Gateway.NotAttached: no gateway")).await;
    let report = scene.make(&desired).await;
    assert_eq!(report.failures.len(), 1);
    let wanted = "waiting for NatGateway/us-east-1a: failed: Gateway.NotAttached: no gateway";
    assert_eq!(report.failures[0].error.to_string(), wanted);
    assert_eq!(names(&report.skipped), [ROUTE]);
    assert!(report.elapsed < Duration::from_secs(1));
    assert!(report.outputs.get(&id(GATEWAY)).is_some(), "it exists, and costs money");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_readiness_ends() {
    let desired = with_gateway();
    let scene = Scene::new(FakeCloud::default().pending(GATEWAY, usize::MAX)).await;
    let report = scene.make(&desired).await;
    let error = report.failures[0].error.to_string();
    assert_eq!(error, "waiting for NatGateway/us-east-1a: timed out: not ready after 900 s: still pending");
    assert!((900..906).contains(&report.elapsed.as_secs()), "{:?}", report.elapsed);
}

#[tokio::test(start_paused = true)]
async fn what_lingers_is_waited_for_before_what_it_needs_goes() {
    let world = crate::test_support::world(&with_gateway());
    let scene = Scene::new(FakeCloud::with_world(&world).lingers(GATEWAY, 6)).await;
    let watch = Watch::default();
    let report = scene.run(&removal_of(&world), world.outputs(), &Stop::default(), &watch).await;
    assert!(report.is_complete(), "{:?}", report.failures);
    let log = scene.cloud.log();
    let (gone, next) = (&calls(&log, Action::Delete, GATEWAY)[0], &calls(&log, Action::Delete, "ElasticIp/nat-us-east-1a")[0]);
    assert!(next.begin - gone.end.unwrap() >= Duration::from_millis(250 + 500 + 1000 + 2000 + 4000 + 5000));
    assert_eq!(next.attempt, 0);
    assert_eq!(watch.of(GATEWAY).iter().filter(|line| line.starts_with("waiting")).count(), 6);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_something_to_go_ends() {
    let world = crate::test_support::world(&part(&minimal(), &["Vpc/main"]));
    let scene = Scene::new(FakeCloud::with_world(&world).lingers("Vpc/main", usize::MAX)).await;
    let report = scene.run(&removal_of(&world), world.outputs(), &Stop::default(), &Watch::default()).await;
    assert_eq!(report.failures[0].error.to_string(), "waiting for Vpc/main: timed out: still there after 1200 s");
    assert!(report.outputs.get(&id("Vpc/main")).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_calls_end_and_begins_nothing() {
    let desired = minimal();
    let stop = Stop::default();
    let request = stop.clone();
    let cloud = FakeCloud::default().latency(|_, _| Duration::from_secs(2)).script(only(
        Action::Create,
        "Subnet/public-us-east-1a",
        move |_| {
            request.request();
            Fate::Arrives
        },
    ));
    let scene = Scene::new(cloud).await;
    let watch = Watch::default();
    let report = scene.run(&plan(&desired, &World::default()), Outputs::default(), &stop, &watch).await;
    assert!(report.failures.is_empty() && report.skipped.is_empty());
    assert_eq!(report.done + report.not_done.len(), report.total);
    assert!(scene.cloud.log().iter().all(|call| call.end.is_some()), "no call is cut off");
    assert_eq!(scene.world(&desired).await.outputs().0, report.outputs.0);
    assert!(report.outputs.get(&id("Subnet/public-us-east-1a")).is_some());
    let lines = watch.lines();
    let stopping: Vec<usize> = (0..lines.len()).filter(|&line| lines[line].starts_with("stopping ")).collect();
    assert_eq!(stopping.len(), 1, "{lines:?}");
    assert!(lines[stopping[0]..].iter().all(|line| !line.starts_with("started")), "{lines:?}");
    assert!(report.not_done.is_sorted(), "{:?}", report.not_done);
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_beginning_does_nothing() {
    let (desired, stop) = (minimal(), Stop::default());
    stop.request();
    let scene = Scene::new(FakeCloud::default()).await;
    let report = scene.run(&plan(&desired, &World::default()), Outputs::default(), &stop, &Watch::default()).await;
    assert_eq!((report.done, report.not_done.len()), (0, desired.len()));
    assert_eq!(scene.cloud.log().len(), 0);
}

/// Runs until the stop, which comes after `delay`.
async fn stopped_after(scene: &Scene, plan: &Plan, outputs: Outputs, delay: Duration) -> Report {
    let (stop, watch) = (Stop::default(), Watch::default());
    let request = async {
        tokio::time::sleep(delay).await;
        stop.request();
        std::future::pending::<Report>().await
    };
    tokio::select! {
        report = scene.run(plan, outputs, &stop, &watch) => report,
        report = request => report,
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_cuts_waits_short_and_what_was_made_is_known() {
    let desired = with_gateway();
    let scene = Scene::new(FakeCloud::default().pending(GATEWAY, usize::MAX)).await;
    let report = stopped_after(&scene, &plan(&desired, &World::default()), Outputs::default(), Duration::from_secs(60)).await;
    assert_eq!(report.elapsed.as_secs(), 60);
    assert_eq!(names(&report.not_done), [GATEWAY, ROUTE]);
    assert_eq!(scene.world(&desired).await.outputs().0, report.outputs.0, "the gateway exists, though it was not waited for");

    let world = crate::test_support::world(&desired);
    let scene = Scene::new(FakeCloud::with_world(&world).lingers(GATEWAY, usize::MAX)).await;
    let report = stopped_after(&scene, &removal_of(&world), world.outputs(), Duration::from_secs(60)).await;
    assert_eq!(report.elapsed.as_secs(), 60);
    assert!(report.not_done.contains(&id(GATEWAY)) && report.outputs.get(&id(GATEWAY)).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stop_cuts_the_pause_between_attempts_short() {
    let desired = part(&minimal(), &["Vpc/main"]);
    let scene = Scene::new(FakeCloud::default().script(|_| Fate::Refused(ErrorClass::Throttled))).await;
    let report = stopped_after(&scene, &plan(&desired, &World::default()), Outputs::default(), Duration::from_secs(33)).await;
    assert_eq!(report.elapsed.as_secs(), 33);
    assert_eq!((names(&report.not_done), report.failures.len()), (vec!["Vpc/main".to_owned()], 0));
}
