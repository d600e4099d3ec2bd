//! Tags: by them a cluster's things are found, paid for, and told apart.

use super::limits::tags;
use crate::model::{Kind, Resource, tags as keys};
use crate::test_support::{EXAMPLES, desired, example, id};

#[test]
fn everything_taggable_says_whose_and_which_it_is() {
    for name in EXAMPLES {
        let mut cluster = example(name);
        cluster.tags.insert("team".to_owned(), "blue".to_owned());
        let owned = keys::cluster(cluster.name.as_str());
        for (id, resource) in desired(&cluster) {
            let all = tags(&resource);
            for tags in &all {
                assert_eq!(tags.get(&owned).map(String::as_str), Some("owned"), "{name}: {id}");
                assert_eq!(tags.get("team").map(String::as_str), Some("blue"), "{name}: {id}");
                assert!(tags["Name"].ends_with(&format!(".{}", cluster.name)), "{name}: {id}");
            }
            if let Some(own) = all.first() {
                assert_eq!(own[keys::ID], id.to_string(), "{name}");
            }
        }
    }
}

/// Instances and their root volumes are the group's: with a logical id they would be taken for resources of the plan.
#[test]
fn what_groups_launch_is_the_groups() {
    for name in EXAMPLES {
        for (id, resource) in desired(&example(name)) {
            if let Resource::LaunchTemplate(template) = resource {
                assert_eq!(template.instance_tags[keys::GROUP], id.name);
                assert!(!template.instance_tags.contains_key(keys::ID), "{id}");
            }
        }
    }
}

#[test]
fn subnets_tell_the_cloud_controller_what_they_are_for() {
    let roles = |example_name: &str, subnet: &str| -> Vec<String> {
        let desired = desired(&example(example_name));
        let Resource::Subnet(subnet) = &desired[&id(subnet)] else { panic!("{subnet}") };
        subnet.tags.keys().filter_map(|key| key.strip_prefix("kubernetes.io/role/")).map(str::to_owned).collect()
    };
    assert_eq!(roles("ha-private", "Subnet/private-us-east-1a"), ["internal-elb"]);
    assert_eq!(roles("ha-private", "Subnet/utility-us-east-1a"), ["elb"]);
    assert_eq!(roles("minimal", "Subnet/public-us-east-1a"), ["elb", "internal-elb"]);
}

/// A group at zero has no node that the autoscaler could look at.
#[test]
fn the_autoscaler_learns_of_nodes_that_do_not_exist_yet() {
    let desired = desired(&example("ml-spot-gpu"));
    let of = |name: &str| -> Vec<(String, String)> {
        let Resource::AutoscalingGroup(group) = &desired[&id(name)] else { panic!("{name}") };
        let prefix = "k8s.io/cluster-autoscaler/";
        group.tags.iter().filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone()))).collect()
    };
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        of("AutoscalingGroup/gpu"),
        [
            tag("enabled", "true"),
            tag("ml.example.com", "owned"),
            tag("node-template/resources/nvidia.com/gpu", "1"),
            tag("node-template/taint/nvidia.com/gpu", ":NoSchedule"),
        ]
    );
    assert_eq!(
        of("AutoscalingGroup/spot"),
        [
            tag("enabled", "true"),
            tag("ml.example.com", "owned"),
            tag("node-template/label/capacity", "spot"),
            tag("node-template/taint/capacity", "spot:NoSchedule"),
        ]
    );
    assert_eq!(of("AutoscalingGroup/cp-1"), [], "it never scales");
}

/// The documents say whom a machine belongs to by the tag that it carries.
#[test]
fn what_machines_may_change_is_limited_to_the_cluster() {
    let owned = "aws:ResourceTag/kubernetes.io/cluster/prod.example.com";
    let Resource::RolePolicy(policy) = &desired(&example("ha-private"))[&id("RolePolicy/control-plane:kclust")] else {
        panic!("no policy")
    };
    let document: serde_json::Value = serde_json::from_str(&policy.document).unwrap();
    for statement in document["Statement"].as_array().unwrap() {
        let actions: Vec<&str> = statement["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap()).collect();
        let removes = actions.iter().any(|action| {
            let verb = action.split_once(':').unwrap().1;
            !action.starts_with("s3:")
                && ["Delete", "Modify", "Attach", "Detach", "Revoke", "Terminate"].iter().any(|it| verb.starts_with(it))
        });
        if removes {
            assert_eq!(statement["Condition"]["StringEquals"][owned], "owned", "{statement:#}");
        }
        assert!(!actions.iter().any(|action| action.contains('*')), "{statement:#}");
    }
}

#[test]
fn a_kind_without_tags_is_part_of_something_that_has_them() {
    let untagged: Vec<Kind> = EXAMPLES
        .iter()
        .flat_map(|name| desired(&example(name)))
        .filter(|(_, resource)| tags(resource).is_empty())
        .filter(|(_, resource)| resource.references().is_empty())
        .map(|(id, _)| id.kind)
        .collect();
    // A record lies in the user's zone, a boot program in the state bucket.
    assert!(
        untagged.iter().all(|kind| matches!(kind, Kind::BootstrapObject | Kind::ControlPlaneSettings | Kind::DnsRecord)),
        "{untagged:?}"
    );
}
