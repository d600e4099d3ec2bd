//! What controllers inside the cluster made, before the cluster is deleted and while it is.

use serde_json::{Value as Json, json};

use super::{CLUSTER, REGION, held};
use crate::harness::{Account, Running};

fn of_region<'a>(world: &'a Json, kind: &str) -> &'a Json {
    &world["regions"][REGION][kind]
}

fn has(list: &Json, kind: &str, id: &Json) -> bool {
    list.as_array().unwrap().iter().any(|entry| entry["kind"] == kind && entry["id"] == *id)
}

#[test]
fn what_they_made_goes_and_data_stays() {
    let account = Account::new();
    let before = account.possessions();
    account.kclust(&["create", "-f", "examples/minimal.yaml", "--yes", "-q"]).expect(0);
    let make = ["classic-load-balancer", "network-load-balancer", "ingress", "interface", "snapshot", "karpenter"];
    let made = account.seed_controllers(&json!(make));
    let (volume, snapshot) = (&made["snapshot"]["volume"], &made["snapshot"]["snapshot"]);
    let living = account.world();

    let plan = account.kclust(&["delete", CLUSTER, "--dry-run", "-o", "json"]).expect(0).json();
    assert_eq!(account.world(), living, "a dry run changed something");
    assert!(has(&plan["kept"], "Volume", volume) && has(&plan["kept"], "Snapshot", snapshot), "{plan}");
    let kept = plan["kept"].as_array().unwrap().iter().find(|kept| kept["id"] == *volume).unwrap();
    let expected = json!({
        "kind": "Volume", "id": volume, "sizeGiB": 10, "zone": "us-east-1a", "claim": "default/data-web-0",
    });
    assert_eq!(*kept, expected);
    assert!(has(&plan["removedToo"], "ClassicLoadBalancer", &made["classic-load-balancer"]["name"]), "{plan}");
    assert!(has(&plan["removedToo"], "Instance", &made["karpenter"]["instance"]), "{plan}");
    assert_eq!(plan["inTheWay"], json!([]));
    let all = account.kclust(&["delete", CLUSTER, "--dry-run", "--delete-volumes"]).expect(0);
    assert!(all.stdout.contains("claim default/data-web-0) holds data, which is lost with it"), "{}", all.stdout);

    let deleted = account.kclust(&["delete", CLUSTER, "--yes", "-q", "-o", "json"]).expect(0).json();
    assert!(has(&deleted["kept"], "Volume", volume) && has(&deleted["kept"], "Snapshot", snapshot), "{deleted}");
    let mut after = account.possessions();
    let here = after["regions"][REGION].as_object_mut().unwrap();
    for (kind, id) in [("volumes", volume), ("snapshots", snapshot)] {
        let left: Vec<String> = here.remove(kind).unwrap().as_object().unwrap().keys().cloned().collect();
        assert_eq!(json!(left), json!([id]));
    }
    if here.is_empty() {
        after["regions"].as_object_mut().unwrap().remove(REGION);
    }
    assert_eq!(after, before);

    // The volume is found again without a state, and goes when that is asked for.
    let gone = ["delete", CLUSTER, "--region", REGION, "--yes", "-q"];
    account.kclust(&gone).expect(1);
    account.kclust(&[&gone[..], &["--delete-volumes"]].concat()).expect(0);
    let world = account.world();
    assert!(of_region(&world, "volumes").is_null() && !of_region(&world, "snapshots")[snapshot.as_str().unwrap()].is_null());
    assert_eq!(account.defects(), Vec::<Json>::new());
}

/// Controllers live until their machines end: what they make meanwhile goes in a later pass.
#[test]
fn what_they_make_meanwhile_goes_too() {
    let make = ["classic-load-balancer", "ingress", "interface", "volume"];
    for (service, action) in [("autoscaling", "DeleteAutoScalingGroup"), ("elbv2", "DeleteListener")] {
        let account = Account::new();
        let before = account.possessions();
        account.kclust(&["create", "-f", "examples/minimal.yaml", "--yes", "-q"]).expect(0);
        account.forget_calls();
        account.set_faults(&held());
        let mut command = account.command(&["delete", CLUSTER, "--yes", "-q", "--delete-volumes"]);
        let running = Running::start(&mut command);
        let begun = std::time::Instant::now();
        while !account.calls().iter().any(|call| call["service"] == service && call["action"] == action) {
            assert!(begun.elapsed().as_secs() < 120, "{action} was not called");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let made = account.seed_controllers(&json!(make));
        account.set_faults(&json!([]));
        running.wait().expect(0);
        assert!(made["volume"].is_string(), "nothing was made");
        assert_eq!(account.possessions(), before, "after {action}");
        assert_eq!(account.defects(), Vec::<Json>::new());
    }
}
