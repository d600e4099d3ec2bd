//! Clusters that a careless search would take for one another.

use serde_json::{Value as Json, json};

use super::minimal;
use crate::harness::{Account, example};

fn create(account: &Account, name: &str) {
    let file = account.file(&format!("{name}.yaml"), &minimal(name));
    account.kclust(&["create", "-f", &file, "--yes", "-q"]).expect(0);
}

/// Names of which one is the beginning or the end of the other, with all separators: what one of the clusters goes through does
/// not show in any of the others.
#[test]
fn names_within_names() {
    let account = Account::new();
    for neighbour in ["aa.example.com", "a.example.com.evil", "a.example", "a-example.com"] {
        create(&account, neighbour);
    }
    let before = account.possessions();
    create(&account, "a.example.com");
    let spec = minimal("a.example.com");
    let changed = spec.replace("maxSize: 2", "maxSize: 3").replace("minSize: 2", "minSize: 1");
    assert_ne!(changed, spec, "the update changes nothing");
    let file = account.file("changed.yaml", &changed);
    account.kclust(&["update", "-f", &file, "--yes", "-q"]).expect(0);
    account.kclust(&["delete", "a.example.com", "--yes", "-q"]).expect(0);
    assert_eq!(account.possessions(), before);
    account.kclust(&["update", "a.example.com.evil", "--dry-run", "--detailed-exitcode"]).expect(0);
    assert_eq!(account.defects(), Vec::<Json>::new());
}

/// Two clusters in one network of somebody else, with what their controllers made, among load balancers of others: the removal of
/// one takes what is its own and nothing else, and does not look at each load balancer.
#[test]
fn a_shared_network() {
    const TEAM_A: &str = "team-a.internal.example.com";
    const TEAM_B: &str = "team-b.internal.example.com";
    let account = Account::new();
    let network = account.seed(&json!({ "what": "existing-vpc" }));
    let (vpc, subnets) = (&network["vpc"], &network["subnets"]);
    let spec = example("existing-vpc").replace("123456789012", &account.id);
    let create = |name: &str| {
        let file = account.file(&format!("{name}.yaml"), &spec.replace(TEAM_A, name));
        account.kclust(&["create", "-f", &file, "--yes", "-q"]).expect(0);
    };
    let make = ["classic-load-balancer", "network-load-balancer", "ingress", "interface", "karpenter"];
    let controllers = |name: &str| {
        let place = json!({
            "what": "controllers", "region": "eu-west-1", "cluster": name, "vpc": vpc, "subnets": subnets, "make": make,
        });
        account.seed(&place);
    };
    create(TEAM_B);
    controllers(TEAM_B);
    let before = account.possessions();
    create(TEAM_A);
    controllers(TEAM_A);
    let living = account.possessions();
    let alone = account.calls_of(&["delete", TEAM_A, "--dry-run"]);
    account.seed(&json!({
        "what": "many-foreign", "region": "eu-west-1", "vpc": vpc, "subnets": subnets,
        "load_balancers": 60, "classic_load_balancers": 20, "target_groups": 60,
    }));
    let crowded = account.calls_of(&["delete", TEAM_A, "--dry-run"]);
    super::assert_no_more(&alone, &crowded, &[]);

    let with_crowd = account.possessions();
    account.kclust(&["delete", TEAM_A, "--yes", "-q"]).expect(0);
    // What went is what came with the cluster.
    let after = account.possessions();
    let kinds = with_crowd["regions"]["eu-west-1"].as_object().unwrap();
    for (kind, things) in kinds {
        for (id, thing) in things.as_object().unwrap() {
            let (was, is) = (before["regions"]["eu-west-1"][kind].get(id), after["regions"]["eu-west-1"][kind].get(id));
            let came_with_it = was.is_none() && living["regions"]["eu-west-1"][kind].get(id).is_some();
            assert_eq!(is.is_none(), came_with_it, "{kind}/{id}");
            assert!(is.is_none_or(|is| is == thing), "{kind}/{id} was changed");
        }
    }
    assert_eq!((&after["iam"], &after["route53"]), (&before["iam"], &before["route53"]));
    account.kclust(&["update", TEAM_B, "--dry-run", "--detailed-exitcode"]).expect(0);
    assert_eq!(account.defects(), Vec::<Json>::new());
}
