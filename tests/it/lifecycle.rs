//! From nothing to nothing, for each example: the account holds after it what it held before.

use serde_json::{Value as Json, json};

use crate::harness::Account;

/// Creates, plans again, deletes; with things of others in the same account and network.
fn lives_and_dies(account: &Account, example: &str, cluster: &str, region: &str) {
    let spec = format!("examples/{example}.yaml");
    account.seed(&json!({ "what": "decoys", "region": region, "cluster": cluster }));
    let before = account.world();

    let dry = account.kclust(&["create", "-f", &spec, "--dry-run", "-o", "json"]).expect(0);
    assert_eq!(account.world(), before, "a dry run changed something");
    let planned = dry.json();

    account.kclust(&["create", "-f", &spec, "--yes"]).expect(0);
    let again = account.kclust(&["create", "-f", &spec, "--dry-run", "--detailed-exitcode", "-o", "json"]).expect(0).json();
    assert_eq!(again["changes"], json!([]), "a second plan is not empty");
    assert_eq!(again["summary"]["unchanged"], planned["summary"]["create"]);
    account.kclust(&["create", "-f", &spec]).expect(0);
    account.kclust(&["update", cluster, "--dry-run", "--detailed-exitcode"]).expect(0);

    let removal = account.kclust(&["delete", cluster, "--dry-run", "-o", "json"]).expect(0).json();
    assert_eq!(removal["warnings"], json!([]), "something of the cluster's own is taken for somebody else's");
    account.kclust(&["delete", cluster, "--yes", "--delete-backups"]).expect(0);
    assert_eq!(without_state(account.world()), without_state(before));
    assert_eq!(account.defects(), Vec::<Json>::new());
    account.kclust(&["delete", cluster, "--yes", "--region", region]).expect(1);
    account.kclust(&["delete", cluster, "--yes", "--ignore-not-found", "--region", region]).expect(0);
}

/// The state bucket itself stays: it may hold other clusters. It must be empty.
fn without_state(mut world: Json) -> Json {
    fn prune(value: &mut Json) {
        if let Json::Object(map) = value {
            map.retain(|key, _| !key.starts_with("kclust-state-"));
            map.values_mut().for_each(prune);
        }
    }
    prune(&mut world);
    world
}

#[test]
fn minimal() {
    lives_and_dies(&Account::new(), "minimal", "dev.k8s.local", "us-east-1");
}

#[test]
fn ha_private() {
    lives_and_dies(&Account::new().with_zone("example.com"), "ha-private", "prod.example.com", "us-east-1");
}

#[test]
fn ml_spot_gpu() {
    lives_and_dies(&Account::new().with_zone("example.com"), "ml-spot-gpu", "ml.example.com", "us-west-2");
}

/// A slot hands over what it holds before its instance ends; a worker has nothing to hand over.
#[test]
fn instances_of_slots_are_held_when_they_end() {
    let account = Account::new();
    account.kclust(&["create", "-f", "examples/minimal.yaml", "--yes", "-q"]).expect(0);
    let world = account.world();
    let groups = world["regions"]["us-east-1"]["autoScalingGroups"].as_object().unwrap();
    let hooks: Vec<_> = groups.iter().map(|(name, group)| (name.as_str(), group["hooks"].clone())).collect();
    let (slot, workers) = ("cp-1-dev-k8s-local-8fbf0edd", "workers-dev-k8s-local-8fbf0edd");
    assert_eq!(hooks, [(slot, json!(["kclust-end"])), (workers, json!([]))]);
    account.kclust(&["delete", "dev.k8s.local", "--yes", "-q"]).expect(0);
}
