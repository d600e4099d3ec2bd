//! Each group once: what the spec asks for, what Auto Scaling has, and what its instances are.

use serde::Serialize;

use crate::cloud::GroupStatus;
use crate::health::Role;
use crate::spec::{Cluster, Purchase};

use super::{Condition, Fleet, Instance};

/// A control-plane slot or a node group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    pub name: String,
    pub role: Role,
    /// In the order of preference. Empty for a group that left the spec.
    pub instance_types: Vec<String>,
    /// Sizes as they are in AWS; `None` where the group does not exist.
    pub min: Option<u32>,
    pub desired: Option<u32>,
    pub max: Option<u32>,
    /// Instances that run and are not on their way out.
    pub running: usize,
    /// Of these, nodes that are Ready; `None` when the Kubernetes API could not be asked.
    pub ready: Option<usize>,
    /// Version of the launch template that the next launch uses.
    pub template_version: Option<u64>,
    /// Instances of another version.
    pub outdated: usize,
    /// In the order of the spec.
    pub zones: Vec<String>,
    /// Share of spot instances beyond the on-demand base, in percent; 0 for a group that buys on demand.
    pub spot_percent: u8,
    /// Name of the autoscaling group in AWS.
    pub autoscaling_group: Option<String>,
    /// AWS's reason, where the group is weaker than it wants to be and a scaling activity has failed; or why AWS could not be asked.
    pub problem: Option<String>,
}

/// Slots, then the node groups in the order of the spec, last what left the spec and still is there.
pub fn groups(fleet: &Fleet, instances: &[Instance]) -> Vec<Group> {
    let mut groups = of_spec(&fleet.cluster);
    for status in &fleet.groups {
        match groups.iter_mut().find(|group| group.name == status.name) {
            Some(group) => observe(group, status),
            None => {
                let mut group = blank(status.name.clone(), Role::Node);
                observe(&mut group, status);
                group.zones = zones_of(&status.name, instances);
                groups.push(group);
            }
        }
    }
    for group in &mut groups {
        let members = || instances.iter().filter(|instance| instance.group.as_deref() == Some(&group.name));
        let runs = |instance: &&Instance| instance.state == "running" && instance.condition != Condition::Terminating;
        group.running = members().filter(runs).count();
        // Of a group without instances nothing needs to be asked.
        group.ready = members()
            .filter(runs)
            .map(|instance| instance.ready)
            .try_fold(0, |sum, ready| ready.map(|ready| sum + usize::from(ready)));
        group.outdated = members().filter(|instance| instance.template_current == Some(false)).count();
        group.template_version = fleet.template_versions.get(&group.name).copied();
    }
    groups
}

fn of_spec(cluster: &Cluster) -> Vec<Group> {
    let slots = cluster.slots().into_iter().map(|slot| Group {
        instance_types: vec![cluster.control_plane.instance_type.to_string()],
        zones: vec![slot.zone.to_string()],
        ..blank(slot.name, Role::ControlPlane)
    });
    let node_groups = cluster.node_groups.iter().map(|group| Group {
        instance_types: group.instance_types.iter().map(ToString::to_string).collect(),
        zones: group.zones.iter().map(ToString::to_string).collect(),
        spot_percent: match group.purchase {
            Purchase::OnDemand => 0,
            Purchase::Mixed { on_demand_percent_above_base, .. } => 100_u8.saturating_sub(on_demand_percent_above_base),
        },
        ..blank(group.name.to_string(), Role::Node)
    });
    slots.chain(node_groups).collect()
}

fn blank(name: String, role: Role) -> Group {
    Group {
        name,
        role,
        instance_types: Vec::new(),
        min: None,
        desired: None,
        max: None,
        running: 0,
        ready: None,
        template_version: None,
        outdated: 0,
        zones: Vec::new(),
        spot_percent: 0,
        autoscaling_group: None,
        problem: None,
    }
}

fn observe(group: &mut Group, status: &GroupStatus) {
    group.min = Some(status.min_size);
    group.desired = Some(status.desired_capacity);
    group.max = Some(status.max_size);
    group.autoscaling_group = Some(status.group_name.clone());
    group.problem = match &status.last_failure {
        Ok(reason) => reason.clone(),
        Err(reason) if reason == GroupStatus::NOT_ASKED => None,
        Err(reason) => Some(format!("why it is weak could not be asked: {reason}")),
    };
}

fn zones_of(group: &str, instances: &[Instance]) -> Vec<String> {
    let mut zones: Vec<String> = instances
        .iter()
        .filter(|instance| instance.group.as_deref() == Some(group))
        .map(|instance| instance.zone.clone())
        .collect();
    zones.sort();
    zones.dedup();
    zones
}
