//! How many AWS calls a plan costs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use crate::harness::{Account, example};

/// Calls by service and action.
type Calls = BTreeMap<(String, String), usize>;

const CLUSTER: &str = "prod.example.com";
const REGION: &str = "us-east-1";
const BUDGET: usize = 20;

/// Calls of a plan that finds nothing to do.
fn plan(account: &Account) -> Calls {
    account.forget_calls();
    account.kclust(&["update", CLUSTER, "--dry-run", "--detailed-exitcode"]).expect(0);
    let mut calls = Calls::new();
    for call in account.calls() {
        let part = |name: &str| call[name].as_str().unwrap().to_owned();
        *calls.entry((part("service"), part("action"))).or_default() += 1;
    }
    calls
}

/// What observation costs: the state store and the question whose credentials these are come with every command.
fn observation(calls: &Calls) -> usize {
    calls.iter().filter(|((service, _), _)| service != "s3" && service != "sts").map(|(_, count)| count).sum()
}

fn table(title: &str, calls: &Calls) -> String {
    let total: usize = calls.values().sum();
    let mut table = format!("{title}: {} calls to observe, {total} in all\n", observation(calls));
    for ((service, action), count) in calls {
        let _ = writeln!(table, "{count:4}  {service}:{action}");
    }
    table
}

/// Nothing is asked more often than in the small case, but for the pages of these listings.
#[track_caller]
fn assert_no_more(small: &Calls, large: &Calls, paged: &[&str]) {
    for (call, count) in large {
        let allowed = small.get(call).copied().unwrap_or_default();
        assert!(*count <= allowed || paged.contains(&call.1.as_str()), "{call:?}: {count} calls, not {allowed}");
    }
}

/// The spec with more node groups.
fn with_groups(count: usize) -> String {
    let mut groups = String::from("  nodeGroups:\n");
    for number in 0..count {
        let _ = write!(
            groups,
            "    - name: group-{number}\n      minSize: 0\n      maxSize: 3\n      instanceTypes: [m6i.large]\n      labels: {{n: \"{number}\"}}\n"
        );
    }
    example("ha-private").replace("  nodeGroups:\n", &groups)
}

/// The spec with more rules.
fn with_rules() -> String {
    let cidrs: Vec<String> = (0..40).map(|number| format!("192.0.2.{}/32", number + 1)).collect();
    let spec = example("ha-private");
    let changed = spec.replace("allowedCIDRs: [10.0.0.0/8, 203.0.113.0/24]", &format!("allowedCIDRs: [{}]", cidrs.join(", ")));
    assert_ne!(changed, spec);
    changed
}

#[test]
fn observation_is_within_budget_and_does_not_grow() {
    let account = Account::new().with_zone("example.com");
    account.kclust(&["create", "-f", "examples/ha-private.yaml", "--yes"]).expect(0);
    let small = plan(&account);
    println!("{}", table("ha-private", &small));
    assert!(observation(&small) <= BUDGET, "{}", table("ha-private", &small));
    assert!(small.iter().all(|((service, _), count)| service == "s3" || *count == 1), "{}", table("ha-private", &small));

    // Things of others: roles can be listed only all together, a thousand to a page.
    account.seed(&json!({ "what": "decoys", "region": REGION, "cluster": CLUSTER }));
    account.seed(&json!({ "what": "many-foreign", "region": REGION, "roles": 300, "vpcs": 20 }));
    let crowded = plan(&account);
    println!("{}", table("among 300 roles and 20 networks of others", &crowded));
    assert_no_more(&small, &crowded, &["GetAccountAuthorizationDetails"]);
    assert!(crowded[&("iam".to_owned(), "GetAccountAuthorizationDetails".to_owned())] <= 4);

    let file = account.file("rules.yaml", &with_rules());
    account.kclust(&["update", "-f", &file, "--yes"]).expect(0);
    let ruled = plan(&account);
    println!("{}", table("with 40 more rules", &ruled));
    assert_no_more(&crowded, &ruled, &[]);
}

#[test]
fn forty_node_groups_cost_what_one_does() {
    let account = Account::new().with_zone("example.com");
    account.kclust(&["create", "-f", "examples/ha-private.yaml", "--yes"]).expect(0);
    let small = plan(&account);
    let file = account.file("groups.yaml", &with_groups(40));
    account.kclust(&["update", "-f", &file, "--yes"]).expect(0);
    let large = plan(&account);
    println!("{}", table("with 41 node groups", &large));
    assert_no_more(&small, &large, &[]);
    assert!(observation(&large) <= BUDGET);
    account.kclust(&["delete", CLUSTER, "--yes"]).expect(0);
}
