//! Thousands of things of others cost nothing but the pages of listings that AWS does not filter.

use serde_json::{Value as Json, json};

use super::{REGION, assert_no_more};
use crate::harness::{Account, example};

const CLUSTER: &str = "prod.example.com";
const SPEC: &str = "examples/ha-private.yaml";
/// Roles come 100 to a page here as in AWS, hosted zones 100, load balancers and target groups 400.
const PAGED: [&str; 4] =
    ["GetAccountAuthorizationDetails", "ListHostedZonesByName", "DescribeLoadBalancers", "DescribeTargetGroups"];

#[test]
fn a_big_account() {
    let account = Account::new().with_zone("example.com");
    let changed = example("ha-private").replace("team: ml-platform", "team: others").replace("maxSize: ", "maxSize: 1");
    let changed = account.file("changed.yaml", &changed);
    let life = |account: &Account| {
        [
            account.calls_of(&["create", "-f", SPEC, "--yes", "-q"]),
            account.calls_of(&["update", CLUSTER, "--dry-run", "--detailed-exitcode"]),
            account.calls_of(&["update", "-f", &changed, "--yes", "-q"]),
            account.calls_of(&["delete", CLUSTER, "--yes", "-q"]),
        ]
    };
    let alone = life(&account);
    assert!(alone[2].keys().any(|(_, action)| action == "UpdateAutoScalingGroup"), "the update changes nothing");
    account.seed(&json!({
        "what": "many-foreign", "region": REGION, "roles": 1000, "vpcs": 200, "load_balancers": 60, "classic_load_balancers": 20,
        "target_groups": 60, "zones": 120, "templates": 60, "groups": 30, "volumes": 60, "key_pairs": 30,
    }));
    let before = account.possessions();
    let crowded = life(&account);
    for (alone, crowded) in alone.iter().zip(&crowded) {
        assert_no_more(alone, crowded, &PAGED);
        let pages: usize = crowded.iter().filter(|(call, _)| PAGED.contains(&call.1.as_str())).map(|(_, count)| count).sum();
        println!(
            "{} calls alone, {} in the crowd, {pages} of them pages",
            alone.values().sum::<usize>(),
            crowded.values().sum::<usize>()
        );
    }
    assert_eq!(account.possessions(), before);
    assert_eq!(account.defects(), Vec::<Json>::new());
}
