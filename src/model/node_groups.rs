//! Worker groups: a launch template and an autoscaling group each.

use std::collections::BTreeSet;

use crate::bootstrap;
use crate::spec::{NodeGroup, Purchase};

use super::build::Builder;
use super::id::Ref;
use super::names::COMMON_LIMIT;
use super::resource::{AutoscalingGroup, BootstrapObject, Kind, LaunchNetwork, LaunchTemplate, MixedInstances, Placement, Tags};
use super::security::NODES;
use super::slots::disk;
use super::{api, iam, network};

/// `CreateOrUpdateTags`: `Key`.
const LONGEST_TAG_KEY: usize = 128;

pub(super) fn add(builder: &mut Builder<'_>, boot: &BootstrapObject) {
    for group in &builder.cluster.node_groups {
        let name = group.name.as_str();
        let first_type = &group.instance_types[0];
        let image = builder.image(&group.image, first_type).clone();
        let template = LaunchTemplate {
            name: builder.aws_name(name, COMMON_LIMIT),
            image: image.id,
            instance_type: first_type.to_string(),
            key_pair: api::key_pair(builder),
            instance_profile: iam::node_profile(builder),
            network: LaunchNetwork::Groups {
                security_groups: vec![Ref::own(NODES)],
                public_ip: network::machines_are_public(builder),
            },
            root_device: image.root_device,
            root_disk: disk(&group.root_volume),
            metadata_hop_limit: 1,
            metadata_tokens_required: true,
            user_data: bootstrap::worker_user_data(builder.cluster, builder.facts, group, boot),
            instance_tags: builder.instance_tags(name),
            tags: builder.tags(Kind::LaunchTemplate, name),
        };
        builder.add(name, template);
        let autoscaling_group = autoscaling_group(builder, group);
        builder.add(name, autoscaling_group);
    }
}

fn autoscaling_group(builder: &Builder<'_>, group: &NodeGroup) -> AutoscalingGroup {
    let name = group.name.as_str();
    let role = network::machine_role(builder);
    let subnets: BTreeSet<_> = group.zones.iter().filter_map(|zone| network::subnet(builder, role, zone)).collect();
    let mut tags = builder.tags(Kind::AutoscalingGroup, name);
    tags.extend(builder.instance_tags(name));
    tags.extend(autoscaler_tags(builder, group));
    AutoscalingGroup {
        name: builder.aws_name(name, COMMON_LIMIT),
        min_size: group.min_size,
        max_size: group.max_size,
        placement: Placement::Subnets(subnets.into_iter().collect()),
        launch_template: Ref::own(name),
        launch_template_version: "$Default".to_owned(),
        mixed_instances: mixed_instances(group),
        // Replace a spot instance when AWS announces that it will take it back, not after.
        capacity_rebalance: matches!(group.purchase, Purchase::Mixed { .. }),
        health_check_type: "EC2".to_owned(),
        health_check_grace_seconds: 0,
        termination_hook: None,
        tags,
    }
}

/// Several types, or anything but on-demand, make a policy.
fn mixed_instances(group: &NodeGroup) -> Option<MixedInstances> {
    let instance_types: Vec<String> = group.instance_types.iter().map(ToString::to_string).collect();
    match &group.purchase {
        Purchase::OnDemand if instance_types.len() == 1 => None,
        Purchase::OnDemand => Some(MixedInstances {
            instance_types,
            on_demand_base: 0,
            on_demand_percent_above_base: 100,
            spot_allocation: crate::spec::SpotAllocation::PriceCapacityOptimized.as_str().to_owned(),
        }),
        Purchase::Mixed { on_demand_base, on_demand_percent_above_base, spot_allocation } => Some(MixedInstances {
            instance_types,
            on_demand_base: *on_demand_base,
            on_demand_percent_above_base: (*on_demand_percent_above_base).into(),
            spot_allocation: spot_allocation.as_str().to_owned(),
        }),
    }
}

/// How the cluster autoscaler finds a group, and what it needs to know of nodes that do not exist yet
/// (kubernetes/autoscaler, cloudprovider/aws, "Auto-Discovery Setup").
fn autoscaler_tags(builder: &Builder<'_>, group: &NodeGroup) -> Tags {
    const PREFIX: &str = "k8s.io/cluster-autoscaler";
    let mut tags = Tags::new();
    tags.insert(format!("{PREFIX}/enabled"), "true".to_owned());
    tags.insert(format!("{PREFIX}/{}", builder.cluster.name), "owned".to_owned());
    for (key, value) in &group.labels {
        tags.insert(format!("{PREFIX}/node-template/label/{key}"), value.clone());
    }
    for taint in &group.taints {
        let value = format!("{}:{}", taint.value.as_deref().unwrap_or_default(), taint.effect.as_str());
        tags.insert(format!("{PREFIX}/node-template/taint/{}", taint.key), value);
    }
    // A label's key may be longer than AWS lets a tag's be. Without the tag a group starts from zero only for pods that do not ask
    // for the label.
    tags.retain(|key, _| key.len() <= LONGEST_TAG_KEY);
    let gpus = builder.instance_type(&group.instance_types[0]).gpus;
    if group.gpu.is_some() && gpus > 0 {
        tags.insert(format!("{PREFIX}/node-template/resources/nvidia.com/gpu"), gpus.to_string());
    }
    tags
}
