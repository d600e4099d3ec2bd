//! Things of somebody else that keep the cluster's network: they are named and not touched, the rest goes, and when they are gone
//! the same command finishes.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::{CLUSTER, REGION, held};
use crate::harness::{Account, Running};

const DELETE: [&str; 4] = ["delete", CLUSTER, "--yes", "-q"];

fn with_cluster() -> Account {
    let account = Account::new();
    account.kclust(&["create", "-f", "examples/minimal.yaml", "--yes", "-q"]).expect(0);
    account
}

fn put(account: &Account, make: &[&str]) -> Json {
    let make = json!(make);
    account.seed(&json!({ "what": "in-the-way", "region": REGION, "cluster": CLUSTER, "make": make, "cidr": cidr(account) }))
}

/// A range in the cluster's network that no subnet has.
fn cidr(account: &Account) -> String {
    let world = account.world();
    let vpcs = world["regions"][REGION]["vpcs"].as_object().unwrap();
    let vpc = vpcs.values().find(|vpc| !vpc["isDefault"].as_bool().unwrap()).unwrap();
    let network: Vec<&str> = vpc["cidr"].as_str().unwrap().split('.').collect();
    format!("{}.{}.255.0/28", network[0], network[1])
}

fn remove(account: &Account, made: &Json) {
    account.seed(&json!({ "what": "out-of-the-way", "region": REGION, "made": made }));
}

#[test]
fn every_kind_is_named_with_its_owner() {
    let account = with_cluster();
    let kinds = [
        ("interface", "NetworkInterface"),
        ("instance", "Instance"),
        ("security-group", "SecurityGroup"),
        ("rule", "SecurityGroup"),
        ("network-acl", "NetworkAcl"),
        ("route-table", "RouteTable"),
        ("subnet", "Subnet"),
        ("vpc-endpoint", "VpcEndpoint"),
        ("peering", "VpcPeeringConnection"),
        ("vpn-gateway", "VpnGateway"),
        ("load-balancer", "LoadBalancer"),
    ];
    let made = put(&account, &kinds.map(|(kind, _)| kind));
    let foreign = |what: &str| match what {
        "load-balancer" => "somebody-elses".to_owned(),
        what => made[what].as_str().unwrap().to_owned(),
    };
    let plan = account.kclust(&["delete", CLUSTER, "--dry-run", "-o", "json"]).expect(0).json();
    for (what, kind) in kinds {
        let named = plan["inTheWay"].as_array().unwrap().iter().find(|blocker| blocker["id"] == foreign(what));
        let named = named.unwrap_or_else(|| panic!("{what} is not named: {}", plan["inTheWay"]));
        assert_eq!(named["kind"], kind);
        let owner = named["owner"].as_str().unwrap();
        assert!(what == "load-balancer" || owner.contains("Name=somebody-elses"), "{what}: {owner}");
    }
    assert_eq!(plan["inTheWay"].as_array().unwrap().len(), kinds.len(), "{}", plan["inTheWay"]);

    let run = account.kclust(&DELETE).expect(1);
    assert_eq!(run.stdout, "");
    for (what, kind) in kinds {
        let line = format!("in the way: {kind}/{}", foreign(what));
        assert!(run.stderr.contains(&line), "{line:?} is missing in:\n{}", run.stderr);
    }
    for words in ["resources are left of cluster", "still there: ", "(vpc-", "have it removed, and run `kclust delete"] {
        assert!(run.stderr.contains(words), "{words:?} is missing in:\n{}", run.stderr);
    }
    let world = account.world();
    let here = &world["regions"][REGION];
    // What nothing holds is gone, whatever kind it is.
    for kind in ["autoScalingGroups", "launchTemplates", "targetGroups", "keyPairs"] {
        assert!(here[kind].is_null(), "{kind}: {}", here[kind]);
    }
    assert!(world["iam"]["roles"].is_null(), "{}", world["iam"]);

    remove(&account, &made);
    account.kclust(&DELETE).expect(0);
    let world = account.world();
    let tagged = format!("kubernetes.io/cluster/{CLUSTER}");
    assert!(!world["regions"].to_string().contains(&tagged), "{}", world["regions"]);
    assert_eq!(account.defects(), Vec::<Json>::new());
}

/// It comes while the cluster goes: it is found all the same, and not after the minutes that load balancers may take.
#[test]
fn one_that_comes_meanwhile_is_named() {
    let account = with_cluster();
    account.forget_calls();
    account.set_faults(&held());
    let begun = Instant::now();
    let running = Running::start(&mut account.command(&DELETE));
    while !account.calls().iter().any(|call| call["action"] == "DeleteAutoScalingGroup") {
        assert!(begun.elapsed().as_secs() < 120, "nothing was deleted");
        std::thread::sleep(Duration::from_millis(5));
    }
    let made = put(&account, &["interface-with-group"]);
    account.set_faults(&json!([]));
    let run = running.wait().expect(1);
    let interface = made["interface-with-group"].as_str().unwrap();
    let words = format!("in the way: NetworkInterface/{interface} \"in the nodes' group\" of account {}", account.id);
    assert!(run.stderr.contains(&words), "{words:?} is missing in:\n{}", run.stderr);
    remove(&account, &made);
    account.kclust(&DELETE).expect(0);
}

/// A rule of somebody else that names a group of the cluster is not revoked.
#[test]
fn rules_of_others_are_not_revoked() {
    let account = with_cluster();
    let made = put(&account, &["rule"]);
    let group = made["rule"].as_str().unwrap();
    let rules = || account.world()["regions"][REGION]["securityGroups"][group]["ingress"].clone();
    let before = rules();
    let run = account.kclust(&DELETE).expect(1);
    assert!(run.stderr.contains("which its rules name"), "{}", run.stderr);
    assert_eq!(rules(), before);
    remove(&account, &made);
    account.kclust(&DELETE).expect(0);
    assert_eq!(account.defects(), Vec::<Json>::new());
}
