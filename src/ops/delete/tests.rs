//! Removals that something holds up, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::*;
use crate::apply::Stop;
use crate::cloud::{Blocker, ErrorClass, Identity};
use crate::ops::{Approval, Ending, Operator, RestorePlan, StateRoot};
use crate::plan::Plan;
use crate::spec::to_yaml;
use crate::store::memory::MemoryStore;
use crate::store::{Clock, Condition, ObjectStore};
use crate::test_support::fake_cloud::{FakeCloud, Fate};
use crate::test_support::nobody::Nobody;
use crate::test_support::{desired, example, facts, world};

/// Says yes, and nothing else; his clock stands still.
struct Somebody;

impl Clock for Somebody {
    fn now(&self) -> Timestamp {
        "2026-11-26T22:20:00Z".parse().unwrap()
    }
}

impl Operator for Somebody {
    fn phase(&self, _text: &str) {}

    fn waiting(&self, _text: &str) {}

    fn note(&self, _text: &str) {}

    fn approve(&self, _plan: &Plan) -> Approval {
        Approval::Yes
    }

    fn approve_restore(&self, _plan: &RestorePlan) -> Approval {
        unreachable!("nothing is restored")
    }

    fn begin_work(&self) {}
}

fn cloud() -> FakeCloud {
    FakeCloud::with_world(&world(&desired(&example("minimal"))))
}

/// Removes the cluster of the example `minimal`. Returns how that ended, and how long it took.
async fn run(cloud: &FakeCloud) -> (Result<Ending, OpsError>, Duration) {
    let cluster = example("minimal");
    let objects = Arc::new(MemoryStore::new());
    let store = ClusterStore::new(objects.as_ref(), cluster.name.clone());
    store.write_facts(&facts(&cluster), Condition::Absent).await.unwrap();
    let (operation, at) = (crate::store::Operation::Create, Somebody.now());
    store.write_spec(&to_yaml(&cluster), None, operation, "test", at).await.unwrap();
    let environment = Environment {
        aws: cloud,
        identity: Identity { account: "123456789012".into(), arn: "arn:aws:iam::123456789012:user/test".into() },
        objects: Arc::clone(&objects) as Arc<dyn ObjectStore>,
        state_root: StateRoot::S3 { bucket: "memory".into(), prefix: String::new(), region: "us-east-1".into() },
        clock: Arc::new(Somebody),
        manifests: &Nobody,
        observer: &Nobody,
        operator: &Somebody,
        stop: &Stop::default(),
    };
    let begun = Instant::now();
    (delete(&environment, &cluster.name, DeleteOptions::default()).await, begun.elapsed())
}

fn interface(number: usize) -> Leftover {
    Leftover::NetworkInterface { id: format!("eni-{number}"), description: String::new() }
}

fn balancer(name: &str) -> Leftover {
    Leftover::ClassicLoadBalancer { name: name.to_owned() }
}

#[tokio::test(start_paused = true)]
async fn what_fails_for_a_moment_is_tried_again_in_the_next_pass() {
    use ErrorClass::{Conflict, InUse, NotYet, Throttled, Transport};
    for class in [NotYet, Conflict, Throttled, Transport, InUse] {
        let cloud = cloud()
            .controllers(|_| vec![balancer("web"), interface(1)])
            .leftover_script(move |_, attempt| (attempt < 3).then_some(class));
        let (ended, elapsed) = run(&cloud).await;
        assert!(matches!(ended, Ok(Ending::Applied(_))), "{class:?}: {ended:?}");
        assert!(elapsed < Duration::from_secs(60), "{class:?}: {elapsed:?}");
        assert!(cloud.world().resources.is_empty(), "{class:?}");
    }
    let denied = cloud().controllers(|_| vec![interface(1)]).leftover_script(|_, _| Some(ErrorClass::Denied));
    assert!(matches!(run(&denied).await.0, Err(OpsError::Cloud { .. })), "a missing permission does not pass");
}

#[tokio::test(start_paused = true)]
async fn what_comes_anew_in_each_pass_ends_the_removal_and_keeps_nothing_from_it() {
    let cloud = cloud().controllers(|look| vec![interface(look)]);
    let (ended, elapsed) = run(&cloud).await;
    let Err(OpsError::Left { left, keep_coming, .. }) = ended else { panic!("{ended:?}") };
    assert_eq!(keep_coming, ["NetworkInterface"]);
    assert!(left.len() == 1 && left[0].starts_with("NetworkInterface/eni-"), "{left:?}");
    assert!(cloud.world().resources.is_empty(), "the cluster's own things went meanwhile");
    assert!(elapsed < Duration::from_secs(10 * 60), "{elapsed:?}");
}

/// Controllers live until their machines end.
#[tokio::test(start_paused = true)]
async fn what_comes_for_a_while_goes_too() {
    let cloud = cloud().controllers(|look| if look < 6 { vec![interface(look), interface(100 + look)] } else { Vec::new() });
    let (ended, _) = run(&cloud).await;
    assert!(matches!(ended, Ok(Ending::Applied(_))), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn what_aws_keeps_for_no_reason_that_is_known_is_told_in_its_words_and_soon() {
    let cloud = cloud().script(|call| match call.is(crate::plan::Action::Delete, "Role/nodes") {
        true => Fate::Refused(ErrorClass::InUse),
        false => Fate::Arrives,
    });
    let (ended, elapsed) = run(&cloud).await;
    let Err(OpsError::Left { refused, keep_coming, left, .. }) = ended else { panic!("{ended:?}") };
    assert_eq!(refused, ["Role/nodes: Delete Role/nodes: scripted"]);
    assert!(keep_coming.is_empty() && left.iter().any(|name| name.starts_with("Role/nodes")), "{left:?}");
    assert!(elapsed < Duration::from_secs(90), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_out_is_waited_for_but_not_for_ever() {
    let going = Obstacles { blockers: Vec::new(), going: vec!["an interface".to_owned()] };
    let cloud = cloud()
        .script(|call| match call.is(crate::plan::Action::Delete, "Vpc/main") {
            true => Fate::Refused(ErrorClass::InUse),
            false => Fate::Arrives,
        })
        .obstacles(going);
    let (ended, elapsed) = run(&cloud).await;
    assert!(matches!(ended, Err(OpsError::Left { .. })), "{ended:?}");
    let minutes = elapsed.as_secs() / 60;
    assert!((20..25).contains(&minutes), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn what_others_attached_is_in_the_way() {
    let policy = Blocker {
        kind: "Policy",
        id: "arn:aws:iam::123456789012:policy/audit".into(),
        description: None,
        owner: "account 123456789012".into(),
        keeps: "nodes".into(),
    };
    let cloud = cloud().held(vec![policy.clone()]).script(|call| match call.is(crate::plan::Action::Delete, "Role/nodes") {
        true => Fate::Refused(ErrorClass::InUse),
        false => Fate::Arrives,
    });
    let (ended, elapsed) = run(&cloud).await;
    let Err(OpsError::Left { blockers, .. }) = ended else { panic!("{ended:?}") };
    assert_eq!(blockers, [policy]);
    assert!(elapsed < Duration::from_secs(60), "{elapsed:?}");
}
