//! Each instance once: what EC2, its autoscaling group, its own boot program and the Kubernetes API say of it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde::Serialize;

use crate::cloud::status::GroupInstance;
use crate::cloud::{GroupStatus, InstanceStatus};
use crate::health::{KubeNode, KubernetesView, Role};

use super::Fleet;

/// An instance of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    pub id: String,
    /// Logical name of its slot or node group; `None` for an instance that no group launched, such as Karpenter's.
    pub group: Option<String>,
    pub role: Role,
    pub zone: String,
    #[serde(rename = "type")]
    pub instance_type: String,
    pub purchase: Purchase,
    pub launched_at: Option<Timestamp>,
    pub private_address: Option<Ipv4Addr>,
    /// Version of the launch template that it was launched from.
    pub template_version: Option<u64>,
    /// Whether that is what its group launches now; `None` when it is not known.
    pub template_current: Option<bool>,
    /// State in EC2: `pending`, `running`, `stopping`, `stopped`, `shutting-down`.
    pub state: String,
    /// Where it stands on the way from its launch to its end, all taken together.
    pub condition: Condition,
    /// Why, in one line, where there is something to say: the step of the boot, its error, the kubelet's reason.
    pub detail: Option<String>,
    /// What it told last of its boot; not asked for when it is a Ready node.
    pub boot: Option<Boot>,
    /// Name of its Kubernetes node; `None` when there is none, or the API could not be asked.
    pub node: Option<String>,
    /// Whether there is a node and its condition `Ready` is true; `None` when the API could not be asked.
    pub ready: Option<bool>,
    /// Version of its kubelet.
    pub kubelet_version: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purchase {
    OnDemand,
    Spot,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Boot {
    pub step: String,
    /// RFC 3339 time at which the step began.
    pub since: String,
    pub error: Option<String>,
}

/// Where an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// A node, and Ready.
    Ready,
    /// It runs and is through with its boot; whether its node is Ready could not be asked.
    Booted,
    /// It runs, and nobody says more.
    Running,
    /// EC2 starts it.
    Pending,
    /// Its boot program is at work.
    Booting,
    /// It runs, and is not a node.
    NotJoined,
    /// A node that is not Ready.
    NotReady,
    /// Its boot program met an error.
    BootFailed,
    /// EC2 stops it, or has.
    Stopped,
    /// On its way out.
    Terminating,
}

impl Condition {
    /// As people read it; Kubernetes' own words where it has some.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Booted => "booted",
            Self::Running => "running",
            Self::Pending => "pending",
            Self::Booting => "booting",
            Self::NotJoined => "not joined",
            Self::NotReady => "NotReady",
            Self::BootFailed => "boot failed",
            Self::Stopped => "stopped",
            Self::Terminating => "terminating",
        }
    }

    /// How much it needs a look: what has failed first, what is well last.
    pub fn urgency(self) -> u8 {
        match self {
            Self::NotReady | Self::BootFailed | Self::Stopped => 3,
            Self::Pending | Self::Booting | Self::NotJoined | Self::Terminating => 2,
            Self::Booted | Self::Running => 1,
            Self::Ready => 0,
        }
    }
}

/// The last word of the boot program.
const BOOTED: &str = "done";

/// All instances: control planes first, then the node groups in the order of the spec, last what no group launched; the newest
/// last in each.
pub fn instances(fleet: &Fleet) -> Vec<Instance> {
    let members: BTreeMap<&str, (&GroupStatus, &GroupInstance)> = fleet
        .groups
        .iter()
        .flat_map(|group| group.instances.iter().map(move |member| (member.id.as_str(), (group, member))))
        .collect();
    let nodes: Option<BTreeMap<&str, &KubeNode>> = match &fleet.kubernetes {
        KubernetesView::Reachable { nodes, .. } => {
            Some(nodes.iter().filter_map(|node| Some((node.instance_id()?, node))).collect())
        }
        KubernetesView::Unreachable { .. } | KubernetesView::Refused { .. } | KubernetesView::Skipped { .. } => None,
    };
    let slots: Vec<String> = fleet.cluster.slots().into_iter().map(|slot| slot.name).collect();
    let order: BTreeMap<&str, usize> = slots
        .iter()
        .map(String::as_str)
        .chain(fleet.cluster.node_groups.iter().map(|group| group.name.as_str()))
        .zip(0..)
        .collect();
    let mut instances: Vec<Instance> = fleet
        .instances
        .iter()
        .map(|instance| {
            let member = members.get(instance.id.as_str()).copied();
            let node = nodes.as_ref().map(|nodes| nodes.get(instance.id.as_str()).copied());
            let is_slot = |group: &str| slots.iter().any(|slot| slot == group);
            merge(fleet, instance, member, node, is_slot)
        })
        .collect();
    // Within a group by address, as kubectl orders nodes, whose names hold it. Machines of one launch have the same age, and ids say nothing.
    instances.sort_by_cached_key(|instance| {
        let group = instance.group.as_deref().and_then(|group| order.get(group)).copied().unwrap_or(usize::MAX);
        (group, instance.group.clone(), instance.private_address, instance.id.clone())
    });
    instances
}

/// `node`: `None` when the API could not be asked, `Some(None)` when there is no such node.
fn merge(
    fleet: &Fleet,
    instance: &InstanceStatus,
    member: Option<(&GroupStatus, &GroupInstance)>,
    node: Option<Option<&KubeNode>>,
    is_slot: impl Fn(&str) -> bool,
) -> Instance {
    let group = member.map(|(group, _)| group.name.clone()).or_else(|| instance.group.clone());
    let told = fleet.boots.get(&instance.id);
    let boot = told.and_then(|told| told.as_ref().ok()).map(|status| Boot {
        step: status.step.clone(),
        since: status.since.clone(),
        error: status.error.clone().filter(|error| !error.is_empty()),
    });
    let template_version = member.and_then(|(_, member)| member.launch_template_version.as_ref()?.parse().ok());
    let default = group.as_ref().and_then(|group| fleet.template_versions.get(group)).copied();
    let leaving = member.is_some_and(|(_, member)| member.leaves());
    let (condition, detail) = condition(&instance.state, leaving, node, boot.as_ref());
    let unread = told.and_then(|told| told.as_ref().err());
    let detail = detail.or_else(|| Some(format!("how its boot stands could not be read: {}", unread?)));
    let found = node.flatten();
    let control_plane = group.as_deref().is_some_and(is_slot) || found.is_some_and(|node| node.control_plane);
    Instance {
        id: instance.id.clone(),
        role: if control_plane { Role::ControlPlane } else { Role::Node },
        group,
        zone: instance.zone.clone(),
        instance_type: instance.instance_type.clone(),
        purchase: if instance.spot { Purchase::Spot } else { Purchase::OnDemand },
        launched_at: instance.launched_at,
        private_address: instance.private_address,
        template_version,
        template_current: template_version.zip(default).map(|(version, default)| version == default),
        state: instance.state.clone(),
        condition,
        detail,
        boot,
        node: found.map(|node| node.name.clone()),
        ready: node.map(|node| node.is_some_and(|node| node.not_ready.is_none())),
        kubelet_version: found.map(|node| node.kubelet_version.clone()),
    }
}

fn condition(state: &str, leaving: bool, node: Option<Option<&KubeNode>>, boot: Option<&Boot>) -> (Condition, Option<String>) {
    match state {
        "shutting-down" => return (Condition::Terminating, None),
        "stopping" | "stopped" => return (Condition::Stopped, None),
        "pending" => return (Condition::Pending, None),
        _ if leaving => return (Condition::Terminating, boot.map(|boot| boot.step.clone()).filter(|step| step != BOOTED)),
        _ => {}
    }
    if let Some(Some(node)) = node {
        return match &node.not_ready {
            None => (Condition::Ready, None),
            Some(reason) => (Condition::NotReady, Some(reason.clone())),
        };
    }
    match boot {
        Some(Boot { step, error: Some(error), .. }) => (Condition::BootFailed, Some(format!("{step}: {error}"))),
        Some(boot) if boot.step != BOOTED => (Condition::Booting, Some(boot.step.clone())),
        Some(_) if node.is_none() => (Condition::Booted, None),
        _ if node.is_some() => (Condition::NotJoined, None),
        _ => (Condition::Running, None),
    }
}
