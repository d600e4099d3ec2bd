//! Every instance is a node, every node is an instance, and every node is Ready.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::store::NodeStatus;

use super::super::machines::{Machine, machines};
use super::super::report::{Check, Findings};
use super::super::{KubeNode, Pod, Snapshot, System};
use super::{BOOT_TIME, Scope, answered, count, groups, is_slot, since, span};

pub(super) const NAME: &str = "nodes";

/// How the kubelet says that there is no pod network.
const NO_NETWORK: [&str; 4] = ["NetworkPluginNotReady", "cni plugin not initialized", "NetworkReady=false", "NetworkUnavailable"];

pub(super) fn check(snapshot: &Snapshot, scope: &Scope) -> Check {
    let answered = match answered(&snapshot.kubernetes, NAME) {
        Ok(answered) => answered,
        Err(skipped) => return told_by_the_machines(skipped, snapshot),
    };
    let machines = machines(snapshot);
    // Nodes that are Ready, by group.
    let mut by_group: BTreeMap<&str, usize> = BTreeMap::new();
    for node in answered.nodes.iter().filter(|node| node.not_ready.is_none()) {
        let machine = node.instance_id().and_then(|id| machines.as_ref()?.get(id));
        if let Some(group) = machine.filter(|machine| !machine.leaving).and_then(|machine| machine.group) {
            *by_group.entry(group).or_default() += 1;
        }
    }
    let mut finding = Finding::of(answered.system, snapshot);
    let joined: BTreeSet<&str> = answered.nodes.iter().filter_map(KubeNode::instance_id).collect();
    // The oldest first, as they are asked for their last word: they should be there already.
    let mut in_order: Vec<&Machine<'_>> = machines.iter().flat_map(|machines| machines.values()).collect();
    in_order.sort_by_key(|machine| (machine.launched_at, machine.id));
    for machine in in_order {
        // What no group launched is somebody else's, such as Karpenter's: it joins when it likes.
        let Some(group) = machine.group else { continue };
        if machine.leaving || joined.contains(machine.id) || !scope.holds(machine.group) {
            continue;
        }
        if is_spare(machine, group, &by_group, snapshot) {
            finding.booting += 1;
        } else {
            finding.absent(machine, group, snapshot);
        }
    }
    let mut ready = 0;
    for node in answered.nodes {
        let machine = node.instance_id().and_then(|id| machines.as_ref()?.get(id));
        if machine.is_some_and(|machine| machine.leaving) || !scope.holds(machine.and_then(|machine| machine.group)) {
            continue;
        }
        match &node.not_ready {
            None => ready += 1,
            Some(_)
                if machine.is_some_and(|machine| is_spare(machine, machine.group.unwrap_or_default(), &by_group, snapshot)) =>
            {
                finding.booting += 1;
            }
            Some(reason) => finding.unready(node, reason, machine, snapshot),
        }
        // Auto Scaling alone does not know the instances of others.
        if machine.is_none() && snapshot.instances.is_ok() {
            finding.strange(node);
        }
        let is_pressure = |words: &String| words.split(':').next().is_some_and(|kind| kind.ends_with("Pressure"));
        match node.pressures.iter().all(is_pressure) {
            _ if node.pressures.is_empty() => {}
            true => finding.pressed += 1,
            false => finding.ill += 1,
        }
        for pressure in &node.pressures {
            finding.findings.add(&node.name, format!("{}: {pressure}", node.name));
        }
    }
    // What groups miss is tolerated out of the same number.
    let tolerated =
        finding.missing() == 0 || finding.slots == 0 && finding.more + groups::missing(snapshot, scope) <= scope.allow_unready;
    let well = tolerated && finding.strange == 0;
    if well && finding.pressed + finding.ill == 0 {
        return finding.pass(ready, machines.is_none(), snapshot);
    }
    let message = finding.message();
    let todo = finding
        .todo
        .unwrap_or("`kubectl describe node` tells more; a worker that stays away can be ended: its group replaces it");
    if well {
        return Check::warning(NAME, message, finding.findings).todo(todo);
    }
    Check::failed(NAME, message, finding.findings).todo(todo)
}

#[derive(Default)]
struct Finding<'a> {
    unready: usize,
    absent: usize,
    strange: usize,
    pressed: usize,
    /// Have a condition that is no pressure, and a problem.
    ill: usize,
    /// Of those that are unready or absent: control planes.
    slots: usize,
    /// Of those: whose group has them in service, and misses nothing.
    more: usize,
    /// Not there yet, and not missed.
    booting: usize,
    /// Instances that their groups miss already.
    missed: BTreeSet<&'a str>,
    /// Pods in trouble, by node.
    troubled: BTreeMap<&'a str, Vec<&'a Pod>>,
    findings: Findings,
    todo: Option<&'static str>,
}

impl<'a> Finding<'a> {
    fn of(system: &'a System, snapshot: &'a Snapshot) -> Self {
        let members = snapshot.groups.iter().flatten().flat_map(|group| &group.instances);
        let mut troubled: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
        for pod in system.workloads.iter().flatten().flat_map(|workload| workload.troubled.iter().flatten()) {
            if let Some(node) = &pod.node {
                troubled.entry(node).or_default().push(pod);
            }
        }
        let missed = members.filter(|member| !member.serves()).map(|member| member.id.as_str()).collect();
        Self { missed, troubled, ..Self::default() }
    }

    fn missing(&self) -> usize {
        self.unready + self.absent
    }

    fn absent(&mut self, machine: &Machine<'_>, group: &str, snapshot: &Snapshot) {
        self.absent += 1;
        self.more += usize::from(!self.missed.contains(machine.id));
        self.slots += usize::from(is_slot(group, snapshot));
        let id = machine.id;
        let age =
            machine.launched_at.map_or_else(String::new, |launched| format!(" for {}", span(since(snapshot.now, launched))));
        if let Some(reason) = snapshot.unread.get(id) {
            self.findings.quote(format!("{id}: what it told of its boot could not be read: {reason}"));
        }
        let line = match snapshot.statuses.get(id) {
            Some(status) => {
                self.findings.quote(format!("{id}: {}", boot_words(status, snapshot.now)));
                self.todo = self.todo.or(Some("`journalctl -u kclust-boot` on the instance has the whole story"));
                format!("{id} ({group}): {}{age}, but not a node: its boot stands at \"{}\"", machine.state, status.step)
            }
            None if !snapshot.asked.contains(id) => format!("{id} ({group}): {}{age}, but not a node", machine.state),
            None => {
                self.todo = self.todo.or(Some(
                    "it has told nothing: `aws ec2 get-console-output --instance-id ID` shows how far it came; it needs a way to S3",
                ));
                format!("{id} ({group}): {}{age}, but not a node, and it has told nothing", machine.state)
            }
        };
        self.findings.add(id, line);
    }

    fn unready(&mut self, node: &KubeNode, reason: &str, machine: Option<&Machine<'_>>, snapshot: &Snapshot) {
        self.unready += 1;
        self.more += usize::from(!machine.is_some_and(|machine| self.missed.contains(machine.id)));
        let group = machine.and_then(|machine| machine.group);
        self.slots += usize::from(group.is_some_and(|group| is_slot(group, snapshot)));
        let group = group.map_or_else(String::new, |group| format!(" ({group})"));
        if NO_NETWORK.iter().any(|words| reason.contains(words)) {
            self.findings.add(&node.name, format!("{}{group}: the pod network (CNI) is not ready there", node.name));
            self.findings.quote(format!("{}: {reason}", node.name));
            for pod in self.troubled.get(node.name.as_str()).into_iter().flatten() {
                self.findings.quote(format!("{}/{} on {}: {}", pod.namespace, pod.name, node.name, pod.trouble));
            }
            self.todo = Some("look at the pods of the network addon in kube-system, and at `addons`");
        } else {
            self.findings.add(&node.name, format!("{}{group}: {reason}", node.name));
            if reason.contains("NodeStatusUnknown") || reason.contains("stopped posting") {
                self.todo = self.todo.or(Some(
                    "its kubelet is silent: look whether the instance runs and reaches the API (`journalctl -u kubelet`), or end it: \
                     its group replaces it",
                ));
            }
        }
    }

    fn strange(&mut self, node: &KubeNode) {
        self.strange += 1;
        let why = match (node.instance_id(), &node.provider_id) {
            (Some(instance), _) => format!("{instance} is not an instance of the cluster"),
            (None, Some(provider_id)) => format!("provider id {provider_id} names no instance"),
            (None, None) => "no provider id".to_owned(),
        };
        self.findings.add(&node.name, format!("{}: {why}", node.name));
        self.todo = self.todo.or(Some("`kubectl delete node` removes what is left of an instance that is gone"));
    }

    fn message(&self) -> String {
        let parts: Vec<String> = [
            (self.unready, count(self.unready, "node"), "not Ready"),
            (self.absent, count(self.absent, "instance"), "without a node"),
            (self.strange, count(self.strange, "node"), "without an instance"),
            (self.pressed, count(self.pressed, "node"), "under pressure"),
            (self.ill, count(self.ill, "node"), "with a problem"),
        ]
        .into_iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(_, what, words)| format!("{what} {words}"))
        .collect();
        parts.join(", ")
    }

    /// Nothing is wrong, or no more than is tolerated.
    fn pass(&self, ready: usize, blind: bool, snapshot: &Snapshot) -> Check {
        let mut message = format!("{} Ready", count(ready, "node"));
        if self.booting > 0 {
            message = format!("{message}, {} booting", self.booting);
        }
        if self.missing() > 0 {
            message = format!("{message}, {} not Ready tolerated", self.missing());
        }
        match &snapshot.instances {
            Err(reason) if blind => Check::unknown(NAME, format!("{message}, but the instances could not be listed"), reason),
            _ => Check::ok(NAME, message),
        }
    }
}

/// A young worker that its group has beyond what the spec wants at least: a group that scales up and down all day always has some.
fn is_spare(machine: &Machine<'_>, group: &str, ready: &BTreeMap<&str, usize>, snapshot: &Snapshot) -> bool {
    if is_slot(group, snapshot) || machine.launched_at.is_none_or(|launched| since(snapshot.now, launched) >= BOOT_TIME) {
        return false;
    }
    let least = snapshot.cluster.node_groups.iter().find(|spec| spec.name.as_str() == group).map_or(0, |spec| spec.min_size);
    ready.get(group).copied().unwrap_or_default() >= least as usize
}

/// Where a boot stands, in the machine's own words.
pub(super) fn boot_words(status: &NodeStatus, now: Timestamp) -> String {
    let since =
        status.since.parse::<Timestamp>().map_or_else(|_| String::new(), |began| format!(" for {}", span(since(now, began))));
    let error = status.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("\"{}\"{since}{error}", status.step)
}

/// What the control planes say while nobody can ask the API.
fn told_by_the_machines(mut skipped: Check, snapshot: &Snapshot) -> Check {
    let unfinished = snapshot.statuses.iter().filter(|(_, status)| status.step != "done");
    for (instance, status) in unfinished {
        skipped.evidence.push(format!("{instance} ({}): {}", status.group, boot_words(status, snapshot.now)));
    }
    for (instance, reason) in &snapshot.unread {
        skipped.evidence.push(format!("{instance}: what it told of its boot could not be read: {reason}"));
    }
    skipped
}
