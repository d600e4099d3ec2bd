//! The instances of a cluster and its Kubernetes nodes, put together.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::spec::Cluster;

use super::{KubeNode, KubernetesView, Node, Role, Snapshot};

/// An instance, from whichever of EC2 and Auto Scaling could be asked.
pub(super) struct Machine<'a> {
    pub id: &'a str,
    /// Logical name of its group; `None` for an instance that no group launched.
    pub group: Option<&'a str>,
    pub zone: &'a str,
    /// Its state, in the words of EC2 or else of Auto Scaling.
    pub state: &'a str,
    pub launched_at: Option<Timestamp>,
    /// On its way out: nothing is expected of it any more.
    pub leaving: bool,
}

/// The cluster's instances by id; `None` when neither EC2 nor Auto Scaling could be asked.
pub(super) fn machines(snapshot: &Snapshot) -> Option<BTreeMap<&str, Machine<'_>>> {
    let (instances, groups) = (snapshot.instances.as_ref().ok(), snapshot.groups.as_ref().ok());
    if instances.is_none() && groups.is_none() {
        return None;
    }
    let mut machines: BTreeMap<&str, Machine<'_>> = instances
        .into_iter()
        .flatten()
        .map(|instance| {
            let machine = Machine {
                id: &instance.id,
                group: instance.group.as_deref(),
                zone: &instance.zone,
                state: &instance.state,
                launched_at: instance.launched_at,
                leaving: !matches!(instance.state.as_str(), "pending" | "running"),
            };
            (machine.id, machine)
        })
        .collect();
    for group in groups.into_iter().flatten() {
        for member in &group.instances {
            // Auto Scaling lists an instance for some seconds after EC2 has ended it.
            if instances.is_some() && !machines.contains_key(member.id.as_str()) {
                continue;
            }
            let machine = machines.entry(&member.id).or_insert(Machine {
                id: &member.id,
                group: None,
                zone: &member.zone,
                state: &member.lifecycle_state,
                launched_at: None,
                leaving: false,
            });
            machine.group = Some(&group.name);
            machine.leaving |= member.leaves();
        }
    }
    Some(machines)
}

/// Every machine once, in the order of [`super::Report::nodes`].
pub(super) fn nodes(snapshot: &Snapshot) -> Vec<Node> {
    let kube_nodes = match &snapshot.kubernetes {
        KubernetesView::Reachable { nodes, .. } => Some(nodes),
        KubernetesView::Unreachable { .. } | KubernetesView::Refused { .. } | KubernetesView::Skipped { .. } => None,
    };
    let mut of_instance: BTreeMap<&str, &KubeNode> = BTreeMap::new();
    let mut unmatched = Vec::new();
    let mut machines = machines(snapshot).unwrap_or_default();
    for node in kube_nodes.into_iter().flatten() {
        match node.instance_id().filter(|id| machines.contains_key(id) && !of_instance.contains_key(id)) {
            Some(id) => {
                of_instance.insert(id, node);
            }
            None => unmatched.push(node),
        }
    }
    machines.retain(|id, machine| !machine.leaving || of_instance.contains_key(id));
    let mut nodes: Vec<Node> = machines
        .into_values()
        .map(|machine| {
            let node = of_instance.get(machine.id);
            Node {
                name: node.map(|node| node.name.clone()),
                instance_id: Some(machine.id.to_owned()),
                group: machine.group.map(str::to_owned),
                role: role(&snapshot.cluster, machine.group, node.is_some_and(|node| node.control_plane)),
                zone: Some(machine.zone.to_owned()),
                ready: kube_nodes.map(|_| node.is_some_and(|node| node.not_ready.is_none())),
                version: node.map(|node| node.kubelet_version.clone()),
            }
        })
        .chain(unmatched.into_iter().map(|node| Node {
            name: Some(node.name.clone()),
            instance_id: node.instance_id().map(str::to_owned),
            group: None,
            role: role(&snapshot.cluster, None, node.control_plane),
            zone: node.zone.clone(),
            ready: Some(node.not_ready.is_none()),
            version: Some(node.kubelet_version.clone()),
        }))
        .collect();
    let order: BTreeMap<String, usize> = groups(&snapshot.cluster).into_iter().map(|(name, _)| name).zip(0..).collect();
    nodes.sort_by_cached_key(|node| {
        let group = node.group.as_ref().and_then(|group| order.get(group)).copied().unwrap_or(usize::MAX);
        (group, node.zone.clone(), node.instance_id.clone(), node.name.clone())
    });
    nodes
}

/// Logical name and least size of the groups that the cluster shall have: slots, then node groups.
pub(crate) fn groups(cluster: &Cluster) -> Vec<(String, u32)> {
    let slots = cluster.slots().into_iter().map(|slot| (slot.name, 1));
    slots.chain(cluster.node_groups.iter().map(|group| (group.name.to_string(), group.min_size))).collect()
}

fn role(cluster: &Cluster, group: Option<&str>, labelled: bool) -> Role {
    let slot = group.is_some_and(|group| cluster.slots().iter().any(|slot| slot.name == group));
    if slot || labelled { Role::ControlPlane } else { Role::Node }
}
