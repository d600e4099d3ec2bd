use serde_json::Value as Json;

use super::*;
use crate::model::{build, iam_path, load_balancer_name};
use crate::test_support::{EXAMPLES, example, facts, golden};

fn grants_of(name: &str) -> Vec<Grant> {
    let cluster = example(name);
    let facts = facts(&cluster);
    let ground = Ground {
        cluster: &cluster,
        partition: &facts.partition,
        account: &facts.account,
        zone_id: facts.hosted_zone.as_ref().map(|zone| zone.id.as_str()),
        state: Some(&facts.state),
    };
    everything(&ground, &build(&cluster, &facts))
}

fn statements_of(document: &Json) -> Vec<Json> {
    document["Statement"].as_array().unwrap().clone()
}

#[test]
fn the_policies_of_the_examples_are_as_reviewed() {
    for name in EXAMPLES {
        golden(&format!("model/operator-policies/{name}.json"), &format!("{:#}\n", document(&grants_of(name))));
    }
}

#[test]
fn parts_fit_into_managed_policies_and_say_the_same_together() {
    for name in EXAMPLES {
        let grants = grants_of(name);
        let parts = parts(&grants);
        assert!(parts.iter().all(|part| characters(part) <= MANAGED_POLICY_LIMIT), "{name}");
        // At most 10 can be attached.
        assert!(parts.len() <= 4, "{name}: {}", parts.len());
        let mut together: Vec<String> = parts.iter().flat_map(statements_of).map(|statement| statement.to_string()).collect();
        let mut whole: Vec<String> = statements_of(&document(&grants)).iter().map(ToString::to_string).collect();
        together.sort();
        whole.sort();
        assert_eq!(together, whole, "{name}");
    }
}

/// What is not limited only looks; what changes something is limited by resource or by a tag.
#[test]
fn nothing_changes_without_a_limit() {
    let looks = |action: &str| {
        let operation = action.split_once(':').unwrap().1;
        ["Describe", "List", "Get"].iter().any(|start| operation.starts_with(start))
    };
    for name in EXAMPLES {
        let cluster = example(name);
        let (region, cluster_name) = (cluster.region.as_str(), cluster.name.as_str());
        let own = [load_balancer_name(region, cluster_name), iam_path(region, cluster_name), facts(&cluster).state.bucket];
        for grant in grants_of(name) {
            // Whose policies are asked about is not known beforehand.
            if looks(grant.action) || grant.action == "iam:SimulatePrincipalPolicy" {
                continue;
            }
            for resource in &grant.resources {
                let named = !resource.ends_with('*') || own.iter().any(|own| resource.contains(own));
                assert!(named || !grant.conditions.is_empty(), "{name}: {grant:?}");
            }
        }
    }
}

#[test]
fn a_plan_takes_no_more_than_its_steps() {
    let cluster = example("minimal");
    let facts = facts(&cluster);
    let ground = Ground { cluster: &cluster, partition: "aws", account: "123456789012", zone_id: None, state: None };
    let desired = build(&cluster, &facts);
    let vpc = desired.values().find(|resource| resource.kind() == Kind::Vpc).unwrap();
    let actions: BTreeSet<&str> = of_steps(&ground, [(vpc, Verb::Create)]).iter().map(|grant| grant.action).collect();
    assert_eq!(actions, BTreeSet::from(["ec2:CreateTags", "ec2:CreateVpc", "ec2:ModifyVpcAttribute"]));
    let group = desired.values().find(|resource| resource.kind() == Kind::AutoscalingGroup).unwrap();
    let actions: BTreeSet<&str> = of_steps(&ground, [(group, Verb::Create)]).iter().map(|grant| grant.action).collect();
    // What AWS asks for in the same call.
    for implied in ["ec2:RunInstances", "ec2:CreateTags", "iam:PassRole", "iam:CreateServiceLinkedRole"] {
        assert!(actions.contains(implied), "{implied}: {actions:?}");
    }
    assert!(of_steps(&ground, [(group, Verb::Delete)]).iter().all(|grant| grant.action == "autoscaling:DeleteAutoScalingGroup"));
}

#[test]
fn in_a_network_of_somebody_else_its_parts_are_named() {
    let grants = grants_of("existing-vpc");
    let of = |action: &str| -> Vec<String> {
        let of_action = grants.iter().filter(|grant| grant.action == action && grant.conditions.is_empty());
        of_action.flat_map(|grant| grant.resources.clone()).collect()
    };
    assert_eq!(of("ec2:CreateSecurityGroup"), ["arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-0123456789abcdef0"]);
    assert_eq!(of("ec2:CreateNetworkInterface").len(), 3);
    // Roles of profiles that exist are passed and not touched.
    assert!(grants.iter().all(|grant| grant.action != "iam:PutRolePolicy" && grant.action != "ec2:DeleteVpc"));
    let passed: Vec<&Grant> = grants.iter().filter(|grant| grant.action == "iam:PassRole").collect();
    assert_eq!(
        passed[0].resources,
        ["arn:aws:iam::123456789012:role/k8s-control-plane", "arn:aws:iam::123456789012:role/k8s-node"]
    );
}
