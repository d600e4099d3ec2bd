//! Taking up an interrupted operation: whatever happened and whenever, running again converges, with nothing twice.

use std::time::Duration;

use super::*;
use crate::cloud::ErrorClass;
use crate::test_support::fake_cloud::is_stored;

/// Nothing is missing, nothing there twice, and nothing to do.
async fn assert_converged(scene: &Scene, desired: &Desired, what: &str) {
    let world = scene.world(desired).await;
    assert!(world.duplicates.is_empty(), "{what}: {:?}", world.duplicates);
    let plan = plan(desired, &world);
    assert!(plan.is_empty(), "{what}: {}", plan.summary());
}

/// Calls of an undisturbed creation.
async fn calls_of(desired: &Desired) -> usize {
    let scene = Scene::new(FakeCloud::default()).await;
    assert!(scene.make(desired).await.is_complete());
    scene.cloud.log().len()
}

fn latency() -> impl Fn(crate::model::Kind, Action) -> Duration {
    |kind, _| Duration::from_millis(200 + 37 * (kind as u64))
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_is_stopped_at_any_call_converges() {
    let desired = minimal();
    for k in 0..calls_of(&desired).await {
        let stop = Stop::default();
        let request = stop.clone();
        let cloud = FakeCloud::default().latency(latency()).script(move |call| {
            if call.number == k {
                request.request();
            }
            Fate::Arrives
        });
        let scene = Scene::new(cloud).await;
        let report = scene.run(&plan(&desired, &World::default()), Outputs::default(), &stop, &Watch::default()).await;
        assert_eq!(report.outputs.0, scene.world(&desired).await.outputs().0, "stopped at call {k}");
        assert!(scene.make(&desired).await.is_complete(), "stopped at call {k}");
        assert_converged(&scene, &desired, &format!("stopped at call {k}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_at_any_call_makes_nothing_twice() {
    let desired = minimal();
    for k in 0..calls_of(&desired).await {
        let cloud = FakeCloud::default().latency(latency()).script(move |call| match call.number == k {
            true => Fate::AnswerLost,
            false => Fate::Arrives,
        });
        let scene = Scene::new(cloud).await;
        let report = scene.make(&desired).await;
        assert!(report.is_complete(), "lost answer of call {k}: {:?}", report.failures);
        assert_converged(&scene, &desired, &format!("lost answer of call {k}")).await;
        let repeated: Vec<Call> = scene.cloud.log().into_iter().filter(|call| call.attempt > 0).collect();
        assert!(repeated.len() == 1 && repeated[0].retry, "it is told that an earlier attempt may have taken effect");
    }
}

/// Runs a plan until a call took effect that never returns, and is then no more.
async fn killed(scene: &Scene, plan: &Plan, outputs: Outputs) {
    let (stop, watch) = (Stop::default(), Watch::default());
    tokio::select! {
        report = scene.run(plan, outputs, &stop, &watch) => panic!("it ended: {report:?}"),
        () = scene.cloud.killed() => {}
    }
}

fn kill_at(k: usize) -> impl Fn(&Call) -> Fate + Send + Sync {
    move |call| if call.number == k { Fate::NeverReturns } else { Fate::Arrives }
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_is_killed_at_any_call_converges() {
    let desired = minimal();
    for k in 0..calls_of(&desired).await {
        let scene = Scene::new(FakeCloud::default().latency(latency()).script(kill_at(k))).await;
        killed(&scene, &plan(&desired, &World::default()), Outputs::default()).await;
        let report = scene.make(&desired).await;
        assert!(report.is_complete(), "killed at call {k}: {:?}", report.failures);
        assert_converged(&scene, &desired, &format!("killed at call {k}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_is_killed_at_any_call_leaves_nothing_in_the_end() {
    let desired = minimal();
    let world = crate::test_support::world(&desired);
    // The rest is the state store's.
    for k in 0..world.resources.keys().filter(|id| !is_stored(id.kind)).count() {
        let scene = Scene::new(FakeCloud::with_world(&world).latency(latency()).script(kill_at(k))).await;
        killed(&scene, &removal_of(&world), world.outputs()).await;
        let left = scene.world(&desired).await;
        let report = scene.run(&removal_of(&left), left.outputs(), &Stop::default(), &Watch::default()).await;
        assert!(report.is_complete(), "killed at call {k}: {:?}", report.failures);
        assert_eq!(scene.world(&desired).await, World::default(), "killed at call {k}");
    }
}

/// Tokens of a creation in an operation, by resource.
async fn tokens(desired: &Desired, operation: &str) -> Vec<(ResourceId, String)> {
    let scene = Scene::new(FakeCloud::default()).await;
    let store = scene.store();
    let provisioner = Provisioner { cloud: &scene.cloud, store: &store };
    let (plan, watch, stop) = (plan(desired, &World::default()), Watch::default(), Stop::default());
    execute(&plan, operation, Outputs::default(), &provisioner, &watch, &stop, CONCURRENCY).await;
    let mut tokens: Vec<_> = scene.cloud.log().into_iter().map(|call| (call.id, call.token)).collect();
    tokens.sort();
    tokens
}

#[tokio::test(start_paused = true)]
async fn client_tokens_tell_operations_and_contents_apart() {
    let desired = minimal();
    let first = tokens(&desired, OPERATION).await;
    assert_eq!(first, tokens(&desired, OPERATION).await, "another process that takes the operation up has the same");
    let distinct: BTreeSet<&String> = first.iter().map(|(_, token)| token).collect();
    assert_eq!(distinct.len(), first.len());
    assert!(first.iter().all(|(_, token)| (1..=64).contains(&token.len()) && token.is_ascii()), "{first:?}");
    let later = tokens(&desired, "2026-01-02T00:00:00Z").await;
    assert!(later.iter().all(|(_, token)| !distinct.contains(token)), "AWS remembers the tokens of yesterday");

    let mut changed = desired.clone();
    let Some(Resource::Volume(volume)) = changed.get_mut(&id("Volume/cp-1")) else { panic!("no volume") };
    volume.disk.size_gib += 1;
    let differing: Vec<ResourceId> = tokens(&changed, OPERATION)
        .await
        .into_iter()
        .zip(first)
        .filter(|(changed, first)| changed.1 != first.1)
        .map(|(changed, _)| changed.0)
        .collect();
    assert_eq!(names(&differing), ["Volume/cp-1"]);
}

#[tokio::test(start_paused = true)]
async fn all_attempts_of_a_step_have_one_token() {
    let desired = part(&minimal(), &["Volume/cp-1"]);
    let cloud =
        FakeCloud::default().script(|call| if call.attempt < 3 { Fate::Refused(ErrorClass::Transport) } else { Fate::Arrives });
    let scene = Scene::new(cloud).await;
    assert!(scene.make(&desired).await.is_complete());
    let tokens: BTreeSet<String> = scene.cloud.log().into_iter().map(|call| call.token).collect();
    assert_eq!((scene.cloud.log().len(), tokens.len()), (4, 1));
}
