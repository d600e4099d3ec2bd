//! What AWS accepts: lengths, characters, and no name twice.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::model::names::{COMMON_LIMIT, ELB_LIMIT, ROLE_LIMIT, aws_name};
use crate::model::{Desired, Kind, Peer, Resource, Tags};
use crate::spec::{Addon, Cluster, ClusterName, GroupName, Preset, TaintEffect};
use crate::test_support::{EXAMPLES, desired, example};

/// Name in AWS, its greatest length, and characters that it may have beside letters, digits and `-`.
fn name(resource: &Resource) -> Option<(&str, usize, &'static str)> {
    match resource {
        Resource::SecurityGroup(it) => Some((&it.name, 255, " ._:/()#,@[]+=&;{}!$*")),
        Resource::Role(it) => Some((&it.name, 64, "_+=,.@")),
        Resource::InstanceProfile(it) => Some((&it.name, 128, "_+=,.@")),
        Resource::RolePolicy(it) => Some((&it.name, 128, "_+=,.@")),
        Resource::KeyPair(it) => Some((&it.name, 255, "_.")),
        Resource::LoadBalancer(it) => Some((&it.name, 32, "")),
        Resource::TargetGroup(it) => Some((&it.name, 32, "")),
        Resource::LaunchTemplate(it) => Some((&it.name, 128, "().-/_")),
        Resource::AutoscalingGroup(it) => Some((&it.name, 255, "._/")),
        Resource::Vpc(_)
        | Resource::InternetGateway(_)
        | Resource::Subnet(_)
        | Resource::ElasticIp(_)
        | Resource::NatGateway(_)
        | Resource::RouteTable(_)
        | Resource::Route(_)
        | Resource::RouteTableAssociation(_)
        | Resource::VpcEndpoint(_)
        | Resource::SecurityGroupRule(_)
        | Resource::Listener(_)
        | Resource::Target(_)
        | Resource::NetworkInterface(_)
        | Resource::Volume(_)
        | Resource::BootstrapObject(_)
        | Resource::ControlPlaneSettings(_)
        | Resource::DnsRecord(_) => None,
    }
}

/// The tags of a resource, and those that it gives on.
pub(super) fn tags(resource: &Resource) -> Vec<&Tags> {
    let given_on = match resource {
        Resource::LaunchTemplate(template) => Some(&template.instance_tags),
        _ => None,
    };
    resource.tags().into_iter().chain(given_on).collect()
}

fn assert_within(text: &str, limit: usize, others: &str, what: &str) {
    assert!((1..=limit).contains(&text.chars().count()), "{what}: {text:?} has {} of {limit} characters", text.chars().count());
    let wrong = text.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '-' || others.contains(*c)));
    assert_eq!(wrong, None, "{what}: {text:?}");
}

fn assert_accepted(desired: &Desired) {
    for (id, resource) in desired {
        if let Some((name, limit, others)) = name(resource) {
            assert_within(name, limit, others, &id.to_string());
            assert!(!name.ends_with('-') && !name.starts_with("sg-") && !name.starts_with("internal-"), "{id}: {name}");
        }
        match resource {
            Resource::SecurityGroup(it) => assert_within(&it.description, 255, " ._:/()#,@[]+=&;{}!$*", &id.to_string()),
            Resource::SecurityGroupRule(it) => assert_within(&it.description, 255, " ._:/()#,@[]+=&;{}!$*", &id.to_string()),
            Resource::NetworkInterface(it) => assert!(it.description.len() <= 255),
            Resource::Role(it) => {
                assert_within(&it.path, 512, "/_.", &id.to_string());
                assert!(it.path.starts_with('/') && it.path.ends_with('/') && it.trust_policy.len() <= 2048);
            }
            // The limit is for all inline policies of a role, of which it has one.
            Resource::RolePolicy(it) => assert!(it.document.len() <= 10_240, "{id}: {}", it.document.len()),
            _ => {}
        }
        for tags in tags(resource) {
            assert!(tags.len() <= 50, "{id} has {} tags", tags.len());
            for (key, value) in tags {
                assert_within(key, 128, " _.:/=+@", &id.to_string());
                assert!(!key.starts_with("aws:") && value.chars().count() <= 256, "{id}: {key}: {value}");
            }
        }
    }
}

/// A cluster with the longest names that a spec can have, and with all addons.
fn long(example_name: &str) -> Cluster {
    let mut cluster = example(example_name);
    cluster.name = ClusterName::parse(format!("{}.example.com", "c".repeat(51))).unwrap();
    cluster.addons = Preset::ALL.map(Addon::Preset).to_vec();
    for (index, group) in cluster.node_groups.iter_mut().enumerate() {
        group.name = GroupName::parse(format!("{}-{index}", "g".repeat(61))).unwrap();
        group.labels.insert(format!("{}.com/{}", "l".repeat(60), "n".repeat(63)), "v".repeat(63));
        group.taints.push(crate::spec::Taint {
            key: format!("{}.com/{}", "t".repeat(60), "n".repeat(63)),
            value: Some("v".repeat(63)),
            effect: TaintEffect::PreferNoSchedule,
        });
    }
    cluster
}

#[test]
fn aws_accepts_what_the_longest_names_lead_to() {
    for name in EXAMPLES {
        assert_accepted(&desired(&example(name)));
        assert_accepted(&desired(&long(name)));
    }
}

/// Names that AWS wants to be unique, by the scope in which it does.
fn unique_names(desired: &Desired) -> Vec<(Kind, String)> {
    desired
        .values()
        .flat_map(|resource| {
            let kind = resource.kind();
            let own = match resource {
                Resource::RolePolicy(_) => None,
                resource => name(resource).map(|(name, ..)| name.to_owned()),
            };
            let path = match resource {
                Resource::Role(role) => Some((Kind::RolePolicy, role.path.clone())),
                _ => None,
            };
            own.map(|name| (kind, name)).into_iter().chain(path.filter(|(_, path)| path.contains("nodes")))
        })
        .collect()
}

#[test]
fn no_two_resources_of_a_cluster_have_one_name() {
    for example_name in EXAMPLES {
        let names = unique_names(&desired(&example(example_name)));
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{example_name}: {names:?}");
    }
}

/// `a-b` of cluster `c` reads like `a` of cluster `b-c`, and a dot becomes a dash.
#[test]
fn clusters_whose_names_are_alike_share_no_name() {
    let alike = ["ml", "ml-a", "ml.a", "a.ml", "general", "general.ml", "ml-general", "internal-ml", "cp-1.ml"];
    let mut owners: BTreeMap<(Kind, String), &str> = BTreeMap::new();
    for cluster_name in alike {
        let mut cluster = example("ml-spot-gpu");
        cluster.name = ClusterName::parse(cluster_name).unwrap();
        cluster.node_groups[1].name = GroupName::parse("general-ml").unwrap();
        cluster.node_groups[2].name = GroupName::parse("a").unwrap();
        for name in unique_names(&desired(&cluster)) {
            if let Some(other) = owners.insert(name.clone(), cluster_name) {
                assert_eq!(other, cluster_name, "{name:?}");
            }
        }
    }
}

/// EC2 refuses the second of two equal permissions (`InvalidPermission.Duplicate`), whatever their descriptions say.
#[test]
fn no_two_rules_of_a_group_permit_the_same() {
    for example_name in EXAMPLES {
        let mut seen = BTreeMap::new();
        for (id, resource) in desired(&example(example_name)) {
            let Resource::SecurityGroupRule(rule) = resource else { continue };
            let peer = match &rule.peer {
                Peer::Cidr(cidr) => cidr.to_string(),
                Peer::Group(group) => group.to_string(),
            };
            let permission = (rule.group, rule.direction, rule.protocol, rule.ports, peer);
            if let Some(other) = seen.insert(permission, id.clone()) {
                panic!("{example_name}: {id} permits what {other} does");
            }
        }
    }
}

fn cluster_name() -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?){0,2}"
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_name_keeps_to_its_limit(cluster in cluster_name(), group in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?") {
        for (what, limit) in [("api", ELB_LIMIT), ("control-plane", ROLE_LIMIT), (group.as_str(), COMMON_LIMIT)] {
            let name = aws_name("ap-southeast-1", &cluster, what, limit);
            prop_assert!(name.len() <= limit && name.starts_with(what), "{}", name);
            prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{}", name);
            prop_assert!(!name.ends_with('-'));
        }
    }

    #[test]
    fn two_clusters_never_share_a_name(one in cluster_name(), other in cluster_name(), what in "[a-z]{1,5}(-[a-z]{1,5})?") {
        prop_assume!(one != other);
        let name = |region, cluster| aws_name(region, cluster, &what, ELB_LIMIT);
        prop_assert_ne!(name("us-east-1", &one), name("us-east-1", &other));
        // Roles belong to an account, not to a region.
        prop_assert_ne!(name("us-east-1", &one), name("us-east-2", &one));
    }
}
