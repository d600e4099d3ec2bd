//! What `kube-system` cannot do without runs: from the deployment or daemon set down to the reason of a container.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::super::report::{Check, Findings};
use super::super::{Pod, Snapshot};
use super::{answered, count, since};

const NAME: &str = "pods";

/// A pod that is younger is starting.
const STARTING: SignedDuration = SignedDuration::from_mins(5);

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
    // What runs on a node that is not Ready is no finding of its own.
    let unready: BTreeSet<&str> =
        answered.nodes.iter().filter(|node| node.not_ready.is_some()).map(|node| node.name.as_str()).collect();
    let on_unready = |pod: &Pod| pod.node.as_deref().is_some_and(|node| unready.contains(node));
    let is_young = |pod: &Pod| pod.created_at.is_some_and(|created| since(snapshot.now, created) < STARTING);
    let is_trouble = |pod: &&Pod| !on_unready(pod) && !is_young(pod);
    let mut findings = Findings::default();
    let mut todo = None;
    let mut broken = 0;
    for workload in workloads.iter().filter(|workload| workload.available < workload.wanted) {
        let troubled: Vec<&Pod> = workload.troubled.iter().filter(is_trouble).collect();
        if troubled.is_empty() && !workload.troubled.is_empty() {
            continue;
        }
        broken += 1;
        let (available, wanted) = (workload.available, workload.wanted);
        findings.add(&workload.name, format!("{}: {available} of {wanted} available", workload.name));
        for pod in troubled {
            quote(pod, &mut findings);
            todo = todo.or_else(|| mend(&pod.trouble));
        }
    }
    let critical = |pod: &&Pod| pod.critical || pod.namespace == "kube-system";
    for pod in control_plane.iter().chain(pending.iter().filter(critical)).filter(is_trouble) {
        let known = findings.names(&pod.name);
        if !known && !workloads.iter().any(|workload| workload.troubled.iter().any(|other| other.name == pod.name)) {
            broken += 1;
            findings.add(&pod.name, format!("{}/{}: {}", pod.namespace, pod.name, pod.trouble));
            todo = todo.or_else(|| mend(&pod.trouble));
        }
    }
    if !findings.is_empty() {
        let todo = todo.unwrap_or("`kubectl --namespace kube-system describe pod` and `kubectl logs` tell more");
        return Check::failed(NAME, format!("{} of kube-system not running", count(broken, "part")), findings).todo(todo);
    }
    let waiting: Vec<&Pod> = pending.iter().filter(|pod| !critical(pod)).filter(is_trouble).collect();
    if !waiting.is_empty() {
        waiting.iter().for_each(|pod| findings.add(&pod.name, format!("{}/{}: {}", pod.namespace, pod.name, pod.trouble)));
        return Check::warning(NAME, format!("{} wait for a node", count(waiting.len(), "pod of users")), findings)
            .todo("more or larger nodes (`maxSize` of a node group), or pods that ask for less");
    }
    Check::ok(NAME, format!("{} of kube-system available", count(workloads.len(), "workload")))
}

fn quote(pod: &Pod, findings: &mut Findings) {
    let node = pod.node.as_deref().map_or_else(String::new, |node| format!(" on {node}"));
    findings.concerns(&pod.name);
    findings.quote(format!("{}/{}{node}: {}", pod.namespace, pod.name, pod.trouble));
}

/// What usually helps against what a kubelet or the scheduler says.
fn mend(trouble: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| trouble.contains(word));
    if says(&["ImagePullBackOff", "ErrImagePull", "InvalidImageName"]) {
        Some("the image cannot be pulled: look at the way to its registry, and at `assets.registries` of the spec")
    } else if says(&["CrashLoopBackOff", "Error", "OOMKilled"]) {
        Some("its container ends again and again: `kubectl --namespace kube-system logs --previous POD` says why")
    } else if says(&["Insufficient", "nodes are available", "untolerated taint"]) {
        Some("no node takes it: see `nodes`; more or larger nodes help where CPU or memory is short")
    } else {
        None
    }
}
