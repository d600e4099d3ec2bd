//! What the cluster cannot do without runs: from the deployment or daemon set down to the reason of a container.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::spec::{Cluster, Cni};

use super::super::machines::machines;
use super::super::report::{Check, Findings};
use super::super::{KubeNode, Pod, Snapshot, StaticPod, Workload};
use super::{Answered, BOOT_TIME, addons, answered, count, is_slot, since};

pub(super) const NAME: &str = "pods";

/// A pod that is younger is starting.
const STARTING: SignedDuration = SignedDuration::from_mins(5);

/// What a kubelet runs from files on every control plane.
const COMPONENTS: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];

pub(super) fn check(snapshot: &Snapshot) -> Check {
    let answered = match answered(&snapshot.kubernetes, NAME) {
        Ok(answered) => answered,
        Err(skipped) => return skipped,
    };
    if !answered.nodes.is_empty() && answered.nodes.iter().all(|node| node.not_ready.is_some()) {
        return Check::skipped(NAME, "because no node is Ready (see nodes)");
    }
    let system = answered.system;
    let (workloads, control_plane, pending) = match (&system.workloads, &system.control_plane, &system.pending) {
        (Ok(workloads), Ok(control_plane), Ok(pending)) => (workloads, control_plane, pending),
        (Err(reason), ..) | (_, Err(reason), _) | (.., Err(reason)) => {
            return Check::unknown(NAME, "the pods could not be listed", reason);
        }
    };
    let unready = answered.nodes.iter().filter(|node| node.not_ready.is_some()).map(|node| node.name.as_str()).collect();
    let joining = joining(&answered, snapshot);
    let mut running = Running { now: snapshot.now, unready, joining, ..Running::default() };
    for workload in workloads {
        let is_expected = expected(&snapshot.cluster).iter().any(|expected| expected.name == workload.name);
        running.workload(workload, is_expected || is_of_addon(workload, snapshot));
    }
    for expected in expected(&snapshot.cluster) {
        let exists = workloads.iter().any(|workload| workload.name == expected.name);
        if !exists && !expected.awaits_its_addon(snapshot) {
            running.broken(expected.name, format!("{}: does not exist", expected.name), Some(expected.mend));
        }
    }
    for (node, component) in missing_components(&answered, control_plane, snapshot) {
        let mend = "look at its manifest in /etc/kubernetes/manifests on that control plane, and at `journalctl -u kubelet`";
        running.broken(&format!("{component}-{node}"), format!("{component}: no pod on {node}"), Some(mend));
    }
    let of_workloads: BTreeSet<&str> =
        workloads.iter().flat_map(|workload| workload.troubled.iter().flatten()).map(|pod| pod.name.as_str()).collect();
    let mut seen = of_workloads;
    let of_system = |pod: &&Pod| pod.critical || pod.namespace == "kube-system";
    for pod in control_plane.iter().filter_map(|pod| pod.trouble.as_ref()).chain(pending.iter().filter(of_system)) {
        if seen.insert(&pod.name) && running.is_trouble(pod) {
            let line = format!("{}/{}: {}", pod.namespace, pod.name, pod.trouble);
            match pod.critical {
                true => running.broken(&pod.name, line, mend(&pod.trouble)),
                false => running.weak(&pod.name, line),
            }
        }
    }
    const MORE: &str = "`kubectl --namespace kube-system describe pod` and `kubectl logs` tell more";
    if running.broken > 0 {
        let message = format!("{} of the system not running", count(running.broken, "part"));
        return Check::failed(NAME, message, running.findings).todo(running.todo.unwrap_or(MORE));
    }
    if !running.unseen.is_empty() {
        let message =
            format!("{} without all of their pods, at which nobody has looked", count(running.unseen.count(), "workload"));
        return Check::undecided(NAME, message, running.unseen).todo(MORE);
    }
    if running.weak > 0 {
        let message = format!("{} of kube-system not running that the cluster can do without", count(running.weak, "part"));
        return Check::warning(NAME, message, running.spared).todo(running.todo.unwrap_or(MORE));
    }
    // What is on a node is its owner's affair.
    let waiting: Vec<&Pod> =
        pending.iter().filter(|pod| pod.node.is_none() && !of_system(pod) && running.is_trouble(pod)).collect();
    if !waiting.is_empty() {
        let mut findings = Findings::default();
        waiting.iter().for_each(|pod| findings.add(&pod.name, format!("{}/{}: {}", pod.namespace, pod.name, pod.trouble)));
        return Check::warning(NAME, format!("{} wait for a node", count(waiting.len(), "pod of users")), findings)
            .todo("more or larger nodes (`maxSize` of a node group), or pods that ask for less");
    }
    let starting = if running.starting > 0 { format!(", {} starting", running.starting) } else { String::new() };
    Check::ok(NAME, format!("{} available{starting}", count(workloads.len() - running.starting, "system workload")))
}

/// What is found while it is looked at what runs.
#[derive(Default)]
struct Running<'a> {
    now: Timestamp,
    /// What runs on a node that is not Ready is no finding of its own.
    unready: BTreeSet<&'a str>,
    /// Nodes that are not Ready, or have been there for less than a boot takes: a daemon set may lack a pod on each of them.
    joining: u32,
    broken: usize,
    /// Of what the cluster can do without.
    weak: usize,
    /// Workloads that lack pods, none of which is missed yet.
    starting: usize,
    findings: Findings,
    /// Workloads at whose pods nobody has looked.
    unseen: Findings,
    /// Of what the cluster can do without.
    spared: Findings,
    todo: Option<&'static str>,
}

impl Running<'_> {
    fn workload(&mut self, workload: &Workload, expected: bool) {
        let Workload { name, wanted, available, critical, changed_at, troubled, .. } = workload;
        let is_young = changed_at.is_some_and(|changed| since(self.now, changed) < STARTING);
        if expected && *wanted == 0 && !is_young {
            let mend = "a deployment: `kubectl --namespace kube-system scale`; a daemon set: see which nodes it selects";
            return self.broken(name, format!("{name}: wants no pods"), Some(mend));
        }
        if available >= wanted {
            return;
        }
        let missed: Vec<&Pod> = troubled.iter().flatten().filter(|pod| self.is_trouble(pod)).collect();
        let is_calm = match troubled {
            // Between two looks its pods have become Ready, or are being made.
            Some(troubled) if troubled.is_empty() => is_young,
            Some(_) => missed.is_empty(),
            None => name.starts_with("DaemonSet/") && wanted - available <= self.joining,
        };
        if is_calm {
            self.starting += 1;
            return;
        }
        let line = format!("{name}: {available} of {wanted} available");
        let matters = expected || *critical;
        if troubled.is_none() && matters {
            return self.unseen.add(name, line);
        }
        match matters {
            true => self.broken(name, line, None),
            false => self.weak(name, line),
        }
        let findings = if matters { &mut self.findings } else { &mut self.spared };
        for pod in missed {
            let node = pod.node.as_deref().map_or_else(String::new, |node| format!(" on {node}"));
            findings.concerns(&pod.name);
            findings.quote(format!("{}/{}{node}: {}", pod.namespace, pod.name, pod.trouble));
            self.todo = self.todo.or_else(|| mend(&pod.trouble));
        }
    }

    fn weak(&mut self, name: &str, line: String) {
        self.weak += 1;
        self.spared.add(name, line);
    }

    fn broken(&mut self, name: &str, line: String, mend: Option<&'static str>) {
        self.broken += 1;
        self.findings.add(name, line);
        self.todo = self.todo.or(mend);
    }

    /// Whether a pod in trouble is a finding.
    fn is_trouble(&self, pod: &Pod) -> bool {
        let on_unready = pod.node.as_deref().is_some_and(|node| self.unready.contains(node));
        !on_unready && pod.created_at.is_none_or(|created| since(self.now, created) >= STARTING)
    }
}

/// A workload that every cluster of the spec has.
struct Expected {
    name: &'static str,
    /// What installs it, where that is not kubeadm.
    addon: Option<&'static str>,
    mend: &'static str,
}

impl Expected {
    /// That it is not there yet is what `addons` says.
    fn awaits_its_addon(&self, snapshot: &Snapshot) -> bool {
        let (Some(addon), Ok(Some(reports))) = (self.addon, &snapshot.addons) else { return false };
        !reports.iter().any(|report| report.name == addon && report.state == "applied")
    }
}

/// Whether kclust applies it for an addon of the spec: charts name what they make after themselves.
fn is_of_addon(workload: &Workload, snapshot: &Snapshot) -> bool {
    let name = workload.name.split_once('/').map_or("", |(_, name)| name);
    let addons = addons::settings(snapshot).into_iter().flat_map(|settings| &settings.addons);
    addons.into_iter().any(|addon| name.starts_with(addon.name.as_str()))
}

fn expected(cluster: &Cluster) -> Vec<Expected> {
    let by_kubeadm = |name| Expected {
        name,
        addon: None,
        mend: "`kubeadm init phase addon` on a control plane installs what kubeadm brings: CoreDNS and kube-proxy",
    };
    let by_addon = |name, addon| Expected {
        name,
        addon: Some(addon),
        mend: "control planes apply addons when these change: `journalctl -u kclust-addons` there says what they did",
    };
    let mut expected = vec![
        by_kubeadm("Deployment/coredns"),
        by_addon("DaemonSet/aws-cloud-controller-manager", "aws-cloud-controller-manager"),
    ];
    let network = match cluster.network.cni {
        Cni::Cilium => Some("DaemonSet/cilium"),
        Cni::Calico => Some("DaemonSet/calico-node"),
        Cni::Flannel => Some("DaemonSet/kube-flannel-ds"),
        // Somebody else's, which may do without kube-proxy.
        Cni::None => None,
    };
    if let (Some(name), Some(addon)) = (network, cluster.network.cni.addon()) {
        expected.extend([by_kubeadm("DaemonSet/kube-proxy"), by_addon(name, addon)]);
    }
    expected
}

fn joining(answered: &Answered<'_>, snapshot: &Snapshot) -> u32 {
    let machines = machines(snapshot).unwrap_or_default();
    let is_young = |node: &KubeNode| {
        let launched = node.instance_id().and_then(|id| machines.get(id)?.launched_at);
        launched.is_some_and(|launched| since(snapshot.now, launched) < BOOT_TIME)
    };
    let joining = answered.nodes.iter().filter(|node| node.not_ready.is_some() || is_young(node)).count();
    u32::try_from(joining).unwrap_or(u32::MAX)
}

/// Control planes that are Ready and lack a component.
fn missing_components<'a>(
    answered: &Answered<'a>,
    control_plane: &[StaticPod],
    snapshot: &Snapshot,
) -> Vec<(&'a str, &'static str)> {
    let running: BTreeSet<(&str, &str)> =
        control_plane.iter().filter_map(|pod| Some((pod.node.as_deref()?, pod.component.as_str()))).collect();
    let machines = machines(snapshot).unwrap_or_default();
    let is_settled_slot = |node: &&KubeNode| {
        let Some(machine) = node.instance_id().and_then(|id| machines.get(id)) else { return false };
        let is_young = machine.launched_at.is_some_and(|launched| since(snapshot.now, launched) < BOOT_TIME);
        !machine.leaving && !is_young && machine.group.is_some_and(|group| is_slot(group, snapshot))
    };
    let control_planes = answered.nodes.iter().filter(|node| node.not_ready.is_none()).filter(is_settled_slot);
    control_planes
        .flat_map(|node| COMPONENTS.map(|component| (node.name.as_str(), component)))
        .filter(|missing| !running.contains(missing))
        .collect()
}

/// What usually helps against what a kubelet or the scheduler says.
fn mend(trouble: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| trouble.contains(word));
    if says(&["ImagePullBackOff", "ErrImagePull", "InvalidImageName"]) {
        Some("the image cannot be pulled: look at the way to its registry, and at `assets.registries` of the spec")
    } else if says(&["CreateContainerConfigError", "CreateContainerError", "RunContainerError"]) {
        Some("its container cannot be made: `kubectl describe pod` names what is missing, such as a ConfigMap or a Secret")
    } else if says(&["CrashLoopBackOff", "Error (exit code", "OOMKilled"]) {
        Some("its container ends again and again: `kubectl --namespace kube-system logs --previous POD` says why")
    } else if says(&["Insufficient", "nodes are available", "untolerated taint"]) {
        Some("no node takes it: see `nodes`; more or larger nodes help where CPU or memory is short")
    } else {
        None
    }
}
