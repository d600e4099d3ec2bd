//! Load balancers of all generations and their target groups, as controllers make them.
//!
//! Elastic Load Balancing lists whole regions, 400 to a page, and shows tags of twenty things a call. So that load balancers of
//! others cost no calls beyond the pages, tags are asked for only where nothing else tells: everything in the cluster's own VPC;
//! in a shared one what wears a group of the cluster's, and what has a name that controllers give and no group of another
//! cluster's. What remains to be asked in vain there are network load balancers without groups of other Kubernetes clusters in
//! the same VPC, at a call for twenty.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancing::types::LoadBalancerDescription;
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, TargetGroup};

use super::place::security_groups;
use super::{LOAD_BALANCER_CONTROLLER, Place};
use crate::aws::Aws;
use crate::aws::error::translate;
use crate::aws::facts::filter;
use crate::cloud::{CloudError, ErrorClass, Leftover, Scope};
use crate::model::tags;

/// `DescribeTags` takes so many names or ARNs.
const TAGS_PAGE: usize = 20;

type KeyedTags = (String, BTreeMap<String, String>);

/// What is known of load balancers in the cluster's VPCs.
#[derive(Debug, Default)]
pub(in crate::aws) struct Balancers {
    /// Made by controllers of the cluster.
    pub(in crate::aws) leftovers: Vec<Leftover>,
    /// In the cluster's own VPC, and neither the cluster's nor its controllers'.
    pub(in crate::aws) foreign: Vec<Balancer>,
    /// How the interfaces of the cluster's and its controllers' are described, without `ELB `.
    pub(in crate::aws) own_handles: BTreeSet<String>,
    /// The same of all that exist in the VPCs.
    pub(in crate::aws) handles: BTreeSet<String>,
}

/// One of either generation.
#[derive(Debug, Clone)]
pub(in crate::aws) struct Balancer {
    /// Empty for a classic one.
    arn: String,
    pub(in crate::aws) name: String,
    pub(in crate::aws) vpc: String,
    groups: Vec<String>,
}

impl Balancer {
    /// What its calls take.
    fn key(&self) -> &str {
        if self.arn.is_empty() { &self.name } else { &self.arn }
    }

    /// What its interfaces are described by, after `ELB `: `net/NAME/ID`, or the name of a classic one.
    fn handle(&self) -> &str {
        self.arn.split_once(":loadbalancer/").map_or(&self.name, |(_, handle)| handle)
    }

    pub(in crate::aws) fn kind(&self) -> &'static str {
        if self.arn.is_empty() { "ClassicLoadBalancer" } else { "LoadBalancer" }
    }

    fn leftover(&self) -> Leftover {
        match self.arn.is_empty() {
            true => Leftover::ClassicLoadBalancer { name: self.name.clone() },
            false => Leftover::LoadBalancer { arn: self.arn.clone(), name: self.name.clone() },
        }
    }
}

/// Finds them, and the target groups.
pub(in crate::aws) async fn balancers(aws: &Aws, scope: &Scope, place: &Place) -> Result<Balancers, CloudError> {
    if place.vpcs().is_empty() {
        return Ok(Balancers::default());
    }
    let (load_balancers, classic, groups) = tokio::try_join!(load_balancers(aws), classic(aws), target_groups(aws))?;
    let here = |found: &Balancer| place.is_in(Some(&found.vpc));
    let load_balancers: Vec<Balancer> = load_balancers.iter().filter_map(read).filter(here).collect();
    let classic: Vec<Balancer> = classic.iter().filter_map(read_classic).filter(here).collect();
    let (own, load_balancers): (Vec<_>, Vec<_>) =
        load_balancers.into_iter().partition(|found| scope.load_balancer_name.as_deref() == Some(&found.name));
    let mut result = Balancers {
        own_handles: own.iter().map(|found| found.handle().to_owned()).collect(),
        handles: own.iter().chain(&load_balancers).chain(&classic).map(|found| found.handle().to_owned()).collect(),
        ..Balancers::default()
    };
    let all: Vec<&Balancer> = load_balancers.iter().chain(&classic).collect();
    let others = groups_of_other_clusters(aws, place, &all).await?;
    let asked = |found: &&Balancer| may_be_ours(found, place, &others);
    let keys = |found: &[Balancer]| found.iter().filter(asked).map(|found| found.key().to_owned()).collect();
    let (tagged, tagged_classic) = tokio::try_join!(
        all_tags(aws, Generation::Second, keys(&load_balancers)),
        all_tags(aws, Generation::Classic, keys(&classic)),
    )?;
    let ours = |key: &str, tagged: &BTreeMap<String, BTreeMap<String, String>>| {
        tagged.get(key).is_some_and(|tags| is_of_controller(tags, &place.cluster))
    };
    let mut own_arns: BTreeSet<String> = BTreeSet::new();
    for found in all {
        if ours(found.key(), if found.arn.is_empty() { &tagged_classic } else { &tagged }) {
            result.own_handles.insert(found.handle().to_owned());
            result.leftovers.push(found.leftover());
            own_arns.insert(found.arn.clone());
        } else if place.is_own(Some(&found.vpc)) {
            result.foreign.push(found.clone());
        }
    }
    let groups: Vec<&TargetGroup> = groups
        .iter()
        .filter(|group| group.target_group_name.as_deref() != scope.target_group_name.as_deref())
        .filter(|group| group_may_be_ours(group, place, &own_arns))
        .collect();
    let arns = groups.iter().filter_map(|group| group.target_group_arn.clone()).collect();
    let tagged = all_tags(aws, Generation::Second, arns).await?;
    for group in groups {
        let (Some(arn), name) = (group.target_group_arn.clone(), group.target_group_name.clone()) else { continue };
        if ours(&arn, &tagged) {
            result.leftovers.push(Leftover::TargetGroup { arn, name: name.unwrap_or_default() });
        }
    }
    Ok(result)
}

fn may_be_ours(found: &Balancer, place: &Place, others: &BTreeSet<String>) -> bool {
    place.is_own(Some(&found.vpc))
        || found.groups.iter().any(|group| place.has_group(group))
        || (is_name_of_controllers(&found.name) && !found.groups.iter().any(|group| others.contains(group)))
}

/// Target groups have no security groups: in a shared VPC the load balancer tells, or where it is gone the name.
fn group_may_be_ours(group: &TargetGroup, place: &Place, own_balancers: &BTreeSet<String>) -> bool {
    let attached = group.load_balancer_arns();
    place.is_own(group.vpc_id())
        || (place.is_in(group.vpc_id())
            && match attached {
                [] => group.target_group_name().is_some_and(is_name_of_controllers),
                attached => attached.iter().any(|arn| own_balancers.contains(arn)),
            })
}

/// `a` and the digits of a Service's UID (cloud controller), or `k8s-` and more (AWS Load Balancer Controller, and target groups
/// of both).
fn is_name_of_controllers(name: &str) -> bool {
    let of_cloud_controller = || {
        name.len() == 32 && name.starts_with('a') && name.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    };
    name.starts_with("k8s-") || of_cloud_controller()
}

/// Security groups of other Kubernetes clusters in a shared VPC; asked for only where they would tell something.
async fn groups_of_other_clusters(aws: &Aws, place: &Place, found: &[&Balancer]) -> Result<BTreeSet<String>, CloudError> {
    let undecided = |found: &&Balancer| {
        !place.is_own(Some(&found.vpc))
            && is_name_of_controllers(&found.name)
            && !found.groups.is_empty()
            && !found.groups.iter().any(|group| place.has_group(group))
    };
    if !found.iter().any(undecided) {
        return Ok(BTreeSet::new());
    }
    let of_kubernetes = filter("tag-key", [tags::cluster("*"), LOAD_BALANCER_CONTROLLER.to_owned()]);
    let groups = security_groups(aws, vec![filter("vpc-id", place.shared_vpcs.clone()), of_kubernetes]).await?;
    Ok(groups.into_iter().filter_map(|group| group.group_id).filter(|id| !place.has_group(id)).collect())
}

async fn load_balancers(aws: &Aws) -> Result<Vec<LoadBalancer>, CloudError> {
    let pages = aws.elbv2.describe_load_balancers().into_paginator().items().send();
    let all: Result<Vec<_>, _> = pages.collect().await;
    all.map_err(|error| translate("elasticloadbalancing:DescribeLoadBalancers", error))
}

async fn classic(aws: &Aws) -> Result<Vec<LoadBalancerDescription>, CloudError> {
    let pages = aws.elb.describe_load_balancers().into_paginator().items().send();
    let all: Result<Vec<_>, _> = pages.collect().await;
    all.map_err(|error| translate("elasticloadbalancing:DescribeLoadBalancers", error))
}

async fn target_groups(aws: &Aws) -> Result<Vec<TargetGroup>, CloudError> {
    let pages = aws.elbv2.describe_target_groups().into_paginator().items().send();
    let all: Result<Vec<_>, _> = pages.collect().await;
    all.map_err(|error| translate("elasticloadbalancing:DescribeTargetGroups", error))
}

fn read(found: &LoadBalancer) -> Option<Balancer> {
    Some(Balancer {
        arn: found.load_balancer_arn.clone()?,
        name: found.load_balancer_name.clone()?,
        vpc: found.vpc_id.clone()?,
        groups: found.security_groups().to_vec(),
    })
}

fn read_classic(found: &LoadBalancerDescription) -> Option<Balancer> {
    Some(Balancer {
        arn: String::new(),
        name: found.load_balancer_name.clone()?,
        vpc: found.vpc_id.clone()?,
        groups: found.security_groups().to_vec(),
    })
}

/// Which API a thing is described by.
#[derive(Debug, Clone, Copy)]
enum Generation {
    /// By name.
    Classic,
    /// By ARN.
    Second,
}

/// Tags of all these things, twenty a call.
async fn all_tags(
    aws: &Aws,
    generation: Generation,
    keys: Vec<String>,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, CloudError> {
    let mut all = BTreeMap::new();
    for page in keys.chunks(TAGS_PAGE) {
        match tags_page(aws, generation, page.to_vec()).await {
            Ok(found) => all.extend(found),
            // One of them went in the meantime, and took the answer about the others with it.
            Err(error) if error.class == ErrorClass::NotFound => {
                for key in page {
                    match tags_page(aws, generation, vec![key.clone()]).await {
                        Ok(found) => all.extend(found),
                        Err(error) if error.class == ErrorClass::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

async fn tags_page(aws: &Aws, generation: Generation, keys: Vec<String>) -> Result<Vec<KeyedTags>, CloudError> {
    match generation {
        Generation::Classic => tags_of_classic(aws, keys).await,
        Generation::Second => tags_of(aws, keys).await,
    }
}

async fn tags_of(aws: &Aws, arns: Vec<String>) -> Result<Vec<KeyedTags>, CloudError> {
    let answer = aws.elbv2.describe_tags().set_resource_arns(Some(arns)).send().await;
    let answer = answer.map_err(|error| translate("elasticloadbalancing:DescribeTags", error))?;
    let read = |described: &aws_sdk_elasticloadbalancingv2::types::TagDescription| {
        let tags = described.tags().iter().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default())));
        Some((described.resource_arn.clone()?, tags.collect()))
    };
    Ok(answer.tag_descriptions().iter().filter_map(read).collect())
}

async fn tags_of_classic(aws: &Aws, names: Vec<String>) -> Result<Vec<KeyedTags>, CloudError> {
    let answer = aws.elb.describe_tags().set_load_balancer_names(Some(names)).send().await;
    let answer = answer.map_err(|error| translate("elasticloadbalancing:DescribeTags", error))?;
    let read = |described: &aws_sdk_elasticloadbalancing::types::TagDescription| {
        let tags = described.tags().iter().map(|tag| (tag.key.clone(), tag.value.clone().unwrap_or_default()));
        Some((described.load_balancer_name.clone()?, tags.collect()))
    };
    Ok(answer.tag_descriptions().iter().filter_map(read).collect())
}

fn is_of_controller(found: &BTreeMap<String, String>, cluster: &str) -> bool {
    let is = |key: &str, wanted: &str| found.get(key).is_some_and(|value| value == wanted);
    !found.contains_key(tags::ID) && (is(&tags::cluster(cluster), tags::OWNED) || is(LOAD_BALANCER_CONTROLLER, cluster))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::SecurityGroup;

    use super::super::tests::place;
    use super::*;

    #[test]
    fn load_balancers_are_a_controllers_when_their_tags_say_so() {
        const OWNED: (&str, &str) = ("kubernetes.io/cluster/demo", "owned");
        let is_ours = |pairs: &[(&str, &str)]| {
            is_of_controller(&pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(), "demo")
        };
        assert!(is_ours(&[OWNED]));
        assert!(is_ours(&[(LOAD_BALANCER_CONTROLLER, "demo")]));
        assert!(!is_ours(&[("kubernetes.io/cluster/demo", "shared")]));
        assert!(!is_ours(&[(LOAD_BALANCER_CONTROLLER, "demo2")]));
        assert!(!is_ours(&[OWNED, (tags::ID, "LoadBalancer/api")]));
    }

    #[test]
    fn in_a_shared_vpc_few_are_asked_for_their_tags() {
        let mut shared = place(&[], &["vpc-1"]);
        shared.groups.push(SecurityGroup::builder().group_id("sg-own").build());
        let others = BTreeSet::from(["sg-other".to_owned()]);
        let asked = |name: &str, groups: &[&str]| {
            let groups = groups.iter().map(|group| (*group).to_owned()).collect();
            let found = Balancer { arn: "arn".into(), name: name.into(), vpc: "vpc-1".into(), groups };
            may_be_ours(&found, &shared, &others)
        };
        let of_service = "a0123456789abcdef0123456789abcde";
        assert!(asked("any", &["sg-own"]));
        assert!(asked(of_service, &[]), "its groups do not tell");
        assert!(asked("k8s-default-web-0123456789", &["sg-of-a-user"]));
        assert!(!asked("k8s-default-web-0123456789", &["sg-other"]));
        assert!(!asked("website", &[]));
        assert!(!asked("website", &["sg-of-a-user"]));
    }

    #[test]
    fn interfaces_name_their_load_balancer() {
        let arn = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/net/web/50dc6c495c0c9188";
        let groups = Vec::new;
        let network = Balancer { arn: arn.into(), name: "web".into(), vpc: String::new(), groups: groups() };
        assert_eq!(network.handle(), "net/web/50dc6c495c0c9188");
        let classic = Balancer { arn: String::new(), name: "a1".into(), vpc: String::new(), groups: groups() };
        assert_eq!((classic.handle(), classic.key()), ("a1", "a1"));
    }
}
