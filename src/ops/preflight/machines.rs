//! Whether the instance types can be had where they shall run.

use std::collections::{BTreeMap, BTreeSet};

use super::needs::zones_of;
use super::{Finding, Severity, path_of_group, types_of};
use crate::cloud::Facts;
use crate::model::{AutoscalingGroup, Desired, Resource};
use crate::ops::Environment;
use crate::plan::{Plan, Work};
use crate::spec::Cluster;

pub(super) async fn check(
    environment: &Environment<'_>,
    cluster: &Cluster,
    facts: &Facts,
    desired: &Desired,
    plan: &Plan,
) -> Vec<Finding> {
    let groups: Vec<(&str, &AutoscalingGroup)> =
        plan.steps
            .iter()
            .filter_map(|step| match &step.work {
                Work::Create(Resource::AutoscalingGroup(group))
                | Work::Update { desired: Resource::AutoscalingGroup(group), .. } => Some((step.id.name.as_str(), group)),
                _ => None,
            })
            .collect();
    // A type that the region does not have is a problem already.
    let known = |name: &&str| facts.instance_types.get(*name).is_some_and(|found| found.vcpus > 0);
    let types: BTreeSet<&str> = groups.iter().flat_map(|(_, group)| types_of(group, desired)).filter(known).collect();
    if types.is_empty() {
        return Vec::new();
    }
    let types: Vec<String> = types.into_iter().map(str::to_owned).collect();
    let offered = match environment.aws.offered(&types).await {
        Ok(offered) => offered,
        Err(error) => return vec![Finding::unanswered("spec.network.zones", "where the instance types can be had", &error)],
    };
    let judged = groups.iter().filter_map(|(name, group)| {
        let types: Vec<&str> = types_of(group, desired).into_iter().filter(known).collect();
        judge(cluster, name, &types, &zones_of(group, desired, facts), &offered)
    });
    judged.collect()
}

/// A group needs one of its types in one of its zones; it is told of zones where it will have no machines.
fn judge(
    cluster: &Cluster,
    group: &str,
    types: &[&str],
    zones: &[String],
    offered: &BTreeMap<String, BTreeSet<String>>,
) -> Option<Finding> {
    let is_offered = |zone: &&String| types.iter().any(|name| offered.get(*name).is_some_and(|zones| zones.contains(*zone)));
    let (with, without): (Vec<&String>, Vec<&String>) = zones.iter().partition(is_offered);
    if without.is_empty() || types.is_empty() {
        return None;
    }
    let list = |zones: &[&String]| zones.iter().map(|zone| zone.as_str()).collect::<Vec<_>>().join(", ");
    let elsewhere: BTreeSet<&str> = types.iter().filter_map(|name| offered.get(*name)).flatten().map(String::as_str).collect();
    let elsewhere = elsewhere.into_iter().collect::<Vec<_>>().join(", ");
    let severity = if with.is_empty() { Severity::Spec } else { Severity::Uncertain };
    let message = format!("{} cannot be had in {}", types.join(", "), list(&without));
    let hint = match with.is_empty() {
        true if elsewhere.is_empty() => "choose another instance type".to_owned(),
        true => format!("choose another instance type, or zones out of {elsewhere}"),
        false => format!("machines of {group} will run in {} only", list(&with)),
    };
    Some(Finding::new(severity, path_of_group(cluster, group), message, hint))
}
