//! Auto Scaling groups between the model's form and that of the API. Pure.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::builders::TagBuilder;
use aws_sdk_autoscaling::types::{
    AutoScalingGroup as SdkGroup, InstancesDistribution, LaunchTemplate as SdkLaunchTemplate, LaunchTemplateOverrides,
    LaunchTemplateSpecification, LifecycleHookSpecification, MixedInstancesPolicy, Tag, TagDescription,
};

use crate::aws::reference::{Ids, resolve, resolve_all};
use crate::cloud::{CloudError, Observed, Outputs, Physical};
use crate::model::{AutoscalingGroup, Kind, MixedInstances, Placement, ResourceId, Tags, TerminationHook, tags};

const RESOURCE_TYPE: &str = "auto-scaling-group";
const DEFAULT_VERSION: &str = "$Default";
/// AWS's own tags: they can be neither written nor deleted.
const RESERVED_TAGS: &str = "aws:";

/// Sizes and periods go to AWS as `i32` and are far below its limit.
pub(super) fn to_i32(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn to_u32(number: Option<i32>) -> u32 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
}

pub(super) fn tag(group: &str, key: &str) -> TagBuilder {
    Tag::builder().resource_type(RESOURCE_TYPE).resource_id(group).key(key)
}

/// Not propagated: the launch template tags instances and volumes, and a tag given twice would have to agree.
pub(super) fn to_sdk_tags(group: &str, wanted: &Tags) -> Vec<Tag> {
    wanted.iter().map(|(key, value)| tag(group, key).value(value).propagate_at_launch(false).build()).collect()
}

pub(super) fn from_sdk_tags(found: &[TagDescription]) -> Tags {
    found
        .iter()
        .filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default())))
        .filter(|(key, _)| !key.starts_with(RESERVED_TAGS))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Hooks that a group is made with: one that is added afterwards would miss an instance that ends before.
pub(super) fn to_sdk_hooks(hook: Option<&TerminationHook>) -> Option<Vec<LifecycleHookSpecification>> {
    let hook = LifecycleHookSpecification::builder()
        .lifecycle_hook_name(&hook?.name)
        .lifecycle_transition("autoscaling:EC2_INSTANCE_TERMINATING")
        .heartbeat_timeout(to_i32(hook?.heartbeat_seconds))
        .default_result("CONTINUE");
    Some(vec![hook.build()])
}

/// What a group launches from: one of the two.
pub(super) struct Launch {
    pub(super) template: Option<LaunchTemplateSpecification>,
    pub(super) policy: Option<MixedInstancesPolicy>,
}

pub(super) fn launch(operation: &'static str, group: &AutoscalingGroup, outputs: &Outputs) -> Result<Launch, CloudError> {
    let specification = LaunchTemplateSpecification::builder()
        .launch_template_id(resolve(operation, outputs, &group.launch_template)?)
        .version(&group.launch_template_version)
        .build();
    Ok(match &group.mixed_instances {
        None => Launch { template: Some(specification), policy: None },
        Some(mixed) => Launch { template: None, policy: Some(policy(specification, mixed)) },
    })
}

fn policy(specification: LaunchTemplateSpecification, mixed: &MixedInstances) -> MixedInstancesPolicy {
    let overrides = mixed.instance_types.iter().map(|name| LaunchTemplateOverrides::builder().instance_type(name).build());
    let template = SdkLaunchTemplate::builder()
        .launch_template_specification(specification)
        .set_overrides(Some(overrides.collect()))
        .build();
    let distribution = InstancesDistribution::builder()
        .on_demand_base_capacity(to_i32(mixed.on_demand_base))
        .on_demand_percentage_above_base_capacity(to_i32(mixed.on_demand_percent_above_base))
        .spot_allocation_strategy(&mixed.spot_allocation)
        .build();
    MixedInstancesPolicy::builder().launch_template(template).instances_distribution(distribution).build()
}

/// `AvailabilityZones` and `VPCZoneIdentifier`, of which a group has one.
pub(super) type SdkPlacement = (Option<Vec<String>>, Option<String>);

pub(super) fn placement(operation: &'static str, placement: &Placement, outputs: &Outputs) -> Result<SdkPlacement, CloudError> {
    Ok(match placement {
        Placement::Zones(zones) => (Some(zones.clone()), None),
        Placement::Subnets(subnets) => (None, Some(resolve_all(operation, outputs, subnets)?.join(","))),
    })
}

/// The group as a resource, if it is the cluster's.
pub(super) fn observed(
    group: &SdkGroup,
    ownership: &str,
    known: &BTreeMap<String, ResourceId>,
    ids: &Ids,
) -> Option<(ResourceId, Observed)> {
    let tags = from_sdk_tags(group.tags());
    if tags.get(ownership).map(String::as_str) != Some(tags::OWNED) {
        return None;
    }
    let name = group.auto_scaling_group_name()?;
    // One that lost the tag is the one that the state knows by its name.
    let id = match tags.get(tags::ID) {
        Some(tag) => ResourceId::parse(tag),
        None => known.get(name).cloned(),
    };
    let id = id.filter(|id| id.kind == Kind::AutoscalingGroup)?;
    let policy = group.mixed_instances_policy();
    let of_policy = policy.and_then(|policy| policy.launch_template()?.launch_template_specification());
    let template = group.launch_template().or(of_policy);
    let resource = AutoscalingGroup {
        name: name.to_owned(),
        min_size: to_u32(group.min_size()),
        max_size: to_u32(group.max_size()),
        placement: observed_placement(group, ids),
        launch_template: ids.reference(template.and_then(LaunchTemplateSpecification::launch_template_id)),
        launch_template_version: template.and_then(LaunchTemplateSpecification::version).unwrap_or(DEFAULT_VERSION).to_owned(),
        mixed_instances: policy.map(mixed_instances),
        capacity_rebalance: group.capacity_rebalance().unwrap_or_default(),
        health_check_type: group.health_check_type().unwrap_or_default().to_owned(),
        health_check_grace_seconds: to_u32(group.health_check_grace_period()),
        // Groups are described without their hooks.
        termination_hook: None,
        tags,
    };
    Some((id, Observed { resource: resource.into(), physical: Physical::new(name) }))
}

/// AWS always returns the zones, also where they follow from the subnets.
fn observed_placement(group: &SdkGroup, ids: &Ids) -> Placement {
    match group.vpc_zone_identifier().unwrap_or_default() {
        "" => {
            let mut zones = group.availability_zones().to_vec();
            zones.sort();
            Placement::Zones(zones)
        }
        subnets => Placement::Subnets(ids.references(subnets.split(',').map(str::trim))),
    }
}

fn mixed_instances(policy: &MixedInstancesPolicy) -> MixedInstances {
    let overrides = policy.launch_template().map(SdkLaunchTemplate::overrides).unwrap_or_default();
    let distribution = policy.instances_distribution();
    MixedInstances {
        instance_types: overrides.iter().filter_map(|it| it.instance_type().map(str::to_owned)).collect(),
        on_demand_base: to_u32(distribution.and_then(InstancesDistribution::on_demand_base_capacity)),
        on_demand_percent_above_base: to_u32(
            distribution.and_then(InstancesDistribution::on_demand_percentage_above_base_capacity),
        ),
        spot_allocation: distribution.and_then(InstancesDistribution::spot_allocation_strategy).unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Ref;

    const OPERATION: &str = "autoscaling:CreateAutoScalingGroup";

    fn known() -> Vec<(&'static str, ResourceId)> {
        vec![
            ("lt-1", ResourceId::new(Kind::LaunchTemplate, "workers")),
            ("subnet-1", ResourceId::new(Kind::Subnet, "private-a")),
            ("subnet-2", ResourceId::new(Kind::Subnet, "private-b")),
        ]
    }

    fn outputs() -> Outputs {
        Outputs(known().into_iter().map(|(physical, id)| (id, Physical::new(physical))).collect())
    }

    fn ids() -> Ids {
        Ids(known().into_iter().map(|(physical, id)| (physical.to_owned(), id)).collect())
    }

    fn example() -> AutoscalingGroup {
        let ownership = tags::cluster("demo");
        let tags = [(ownership.as_str(), "owned"), (tags::ID, "AutoscalingGroup/workers"), ("team", "ml")];
        AutoscalingGroup {
            name: "workers.demo".to_owned(),
            min_size: 1,
            max_size: 10,
            placement: Placement::Subnets(vec![Ref::own("private-a"), Ref::own("private-b")]),
            launch_template: Ref::own("workers"),
            launch_template_version: "$Default".to_owned(),
            mixed_instances: None,
            capacity_rebalance: false,
            health_check_type: "EC2".to_owned(),
            health_check_grace_seconds: 300,
            termination_hook: None,
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        }
    }

    /// What `DescribeAutoScalingGroups` would return for a group made from this.
    fn described(group: &AutoscalingGroup) -> SdkGroup {
        let launch = launch(OPERATION, group, &outputs()).expect("references resolve");
        let (zones, subnets) = placement(OPERATION, &group.placement, &outputs()).expect("references resolve");
        let tags = to_sdk_tags(&group.name, &group.tags).into_iter().map(|tag| {
            TagDescription::builder()
                .set_key(tag.key)
                .set_value(tag.value)
                .set_propagate_at_launch(tag.propagate_at_launch)
                .build()
        });
        SdkGroup::builder()
            .auto_scaling_group_name(&group.name)
            .min_size(to_i32(group.min_size))
            .max_size(to_i32(group.max_size))
            .set_launch_template(launch.template)
            .set_mixed_instances_policy(launch.policy)
            .set_availability_zones(Some(zones.unwrap_or_else(|| vec!["us-east-1b".to_owned(), "us-east-1a".to_owned()])))
            .set_vpc_zone_identifier(Some(subnets.unwrap_or_default()))
            .capacity_rebalance(group.capacity_rebalance)
            .health_check_type(&group.health_check_type)
            .health_check_grace_period(to_i32(group.health_check_grace_seconds))
            .set_tags(Some(tags.collect()))
            .build()
    }

    #[track_caller]
    fn assert_round_trip(group: AutoscalingGroup) {
        let (id, observed) =
            observed(&described(&group), &tags::cluster("demo"), &BTreeMap::new(), &ids()).expect("the group is the cluster's");
        assert_eq!(id.to_string(), "AutoscalingGroup/workers");
        assert_eq!(observed.physical.id, group.name);
        assert_eq!(observed.resource, group.into());
    }

    #[test]
    fn a_group_in_subnets_is_observed_as_it_was_made() {
        assert_round_trip(example());
    }

    #[test]
    fn a_group_in_a_zone_is_observed_as_it_was_made() {
        assert_round_trip(AutoscalingGroup { placement: Placement::Zones(vec!["us-east-1a".to_owned()]), ..example() });
    }

    #[test]
    fn a_group_of_several_types_is_observed_as_it_was_made() {
        let mixed = MixedInstances {
            instance_types: vec!["m6i.large".to_owned(), "m5.large".to_owned()],
            on_demand_base: 1,
            on_demand_percent_above_base: 0,
            spot_allocation: "price-capacity-optimized".to_owned(),
        };
        assert_round_trip(AutoscalingGroup { mixed_instances: Some(mixed), capacity_rebalance: true, ..example() });
    }

    #[test]
    fn an_instance_that_ends_is_held_as_long_as_the_hook_says() {
        assert_eq!(to_sdk_hooks(None), None);
        let hook = TerminationHook { name: "kclust-end".to_owned(), heartbeat_seconds: 120 };
        let sent = to_sdk_hooks(Some(&hook)).expect("one hook").remove(0);
        assert_eq!(sent.lifecycle_hook_name(), Some("kclust-end"));
        assert_eq!(sent.lifecycle_transition(), Some("autoscaling:EC2_INSTANCE_TERMINATING"));
        assert_eq!((sent.heartbeat_timeout(), sent.default_result()), (Some(120), Some("CONTINUE")));
    }

    #[test]
    fn no_tag_is_propagated() {
        let group = example();
        assert!(to_sdk_tags(&group.name, &group.tags).iter().all(|tag| tag.propagate_at_launch == Some(false)));
    }

    #[test]
    fn a_group_of_another_cluster_is_not_ours() {
        let nothing = BTreeMap::new();
        assert!(observed(&described(&example()), &tags::cluster("demo2"), &nothing, &ids()).is_none());
    }
}
