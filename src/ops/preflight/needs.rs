//! What a plan takes of each quota. Pure.

use std::collections::BTreeMap;

use super::types_of;
use crate::cloud::{Facts, Family, Quota};
use crate::model::{AutoscalingGroup, Desired, Placement, Ref, Resource, Subnet};
use crate::plan::{Plan, Work};

/// What comes on top of what there is. What a plan removes and makes again is counted once.
pub(super) fn needs(plan: &Plan, desired: &Desired, facts: &Facts) -> BTreeMap<Quota, u64> {
    let mut needs = BTreeMap::new();
    for step in &plan.steps {
        match &step.work {
            Work::Create(resource) => {
                let replaced = plan.steps.iter().any(|other| other.id == step.id && matches!(other.work, Work::Delete(_)));
                if !replaced {
                    add_new(&mut needs, resource, desired, facts);
                }
            }
            Work::Update { observed, desired: resource } => {
                if let (Resource::AutoscalingGroup(from), Resource::AutoscalingGroup(to)) = (&observed.resource, resource) {
                    add_machines(&mut needs, to, to.min_size.saturating_sub(from.min_size), desired, facts);
                }
            }
            Work::Delete(_) => {}
        }
    }
    needs
}

fn add_new(needs: &mut BTreeMap<Quota, u64>, resource: &Resource, desired: &Desired, facts: &Facts) {
    let quota = match resource {
        Resource::Vpc(_) => Quota::Vpcs,
        Resource::ElasticIp(_) => Quota::Addresses,
        Resource::NatGateway(gateway) => {
            let subnet = gateway.subnet.target().and_then(|id| desired.get(&id));
            let Some(Resource::Subnet(subnet)) = subnet else { return };
            Quota::NatGateways { zone: subnet.zone.clone() }
        }
        Resource::LoadBalancer(_) => Quota::NetworkLoadBalancers,
        Resource::Role(_) => Quota::Roles,
        Resource::AutoscalingGroup(group) => {
            add_machines(needs, group, group.min_size, desired, facts);
            Quota::AutoscalingGroups
        }
        _ => return,
    };
    *needs.entry(quota).or_default() += 1;
}

/// The machines that a group launches at once. Where it may choose between types, the smallest: more may be needed, less may not.
fn add_machines(needs: &mut BTreeMap<Quota, u64>, group: &AutoscalingGroup, count: u32, desired: &Desired, facts: &Facts) {
    let sizes = types_of(group, desired).into_iter().filter_map(|name| Some((facts.instance_types.get(name)?.vcpus, name)));
    let Some((vcpus, name)) = sizes.min() else { return };
    let Some(family) = Family::of(name) else { return };
    let on_demand = match &group.mixed_instances {
        None => count,
        Some(mixed) => {
            let above = count.saturating_sub(mixed.on_demand_base);
            count.min(mixed.on_demand_base) + (above * mixed.on_demand_percent_above_base).div_ceil(100)
        }
    };
    for (machines, spot) in [(on_demand, false), (count - on_demand, true)] {
        if machines > 0 && vcpus > 0 {
            *needs.entry(Quota::Vcpus { family, spot }).or_default() += u64::from(machines) * u64::from(vcpus);
        }
    }
}

/// Zones that a group may launch in.
pub(super) fn zones_of(group: &AutoscalingGroup, desired: &Desired, facts: &Facts) -> Vec<String> {
    match &group.placement {
        Placement::Zones(zones) => zones.clone(),
        Placement::Subnets(subnets) => {
            let zone = |subnet: &Ref<Subnet>| match subnet {
                Ref::Foreign(id) => Some(facts.network.as_ref()?.subnets.get(id)?.zone.clone()),
                own => match desired.get(&own.target()?)? {
                    Resource::Subnet(subnet) => Some(subnet.zone.clone()),
                    _ => None,
                },
            };
            subnets.iter().filter_map(zone).collect()
        }
    }
}
