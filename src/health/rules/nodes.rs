//! Every instance is a node, every node is an instance, and every node is Ready.

use std::collections::BTreeSet;

use super::super::Snapshot;
use super::super::machines::machines;
use super::super::report::{Check, Findings};
use super::{answered, count};

const NAME: &str = "nodes";

pub(super) fn check(snapshot: &Snapshot) -> Check {
    let nodes = match answered(&snapshot.kubernetes, NAME) {
        Ok((_, nodes)) => nodes,
        Err(skipped) => return skipped,
    };
    let machines = machines(snapshot);
    let mut findings = Findings::default();
    let joined: BTreeSet<&str> = nodes.iter().filter_map(|node| node.instance_id()).collect();
    let mut absent = 0;
    for machine in machines.iter().flat_map(|machines| machines.values()) {
        // What no group launched is somebody else's, such as Karpenter's: it joins when it likes.
        let Some(group) = machine.group else { continue };
        if !machine.leaving && !joined.contains(machine.id) {
            absent += 1;
            findings.add(machine.id, format!("{} ({group}): {}, but not a node", machine.id, machine.state));
        }
    }
    let (mut unready, mut strange) = (0, 0);
    for node in nodes {
        let machine = node.instance_id().and_then(|id| machines.as_ref()?.get(id));
        if machine.is_some_and(|machine| machine.leaving) {
            continue;
        }
        if let Some(reason) = &node.not_ready {
            unready += 1;
            let group = machine.and_then(|machine| machine.group).map_or_else(String::new, |group| format!(" ({group})"));
            findings.add(&node.name, format!("{}{group}: {reason}", node.name));
        }
        // Auto Scaling alone does not know the instances of others.
        if machine.is_none() && snapshot.instances.is_ok() {
            strange += 1;
            let why = match (node.instance_id(), &node.provider_id) {
                (Some(instance), _) => format!("{instance} is not an instance of the cluster"),
                (None, Some(provider_id)) => format!("provider id {provider_id} names no instance"),
                (None, None) => "no provider id".to_owned(),
            };
            findings.add(&node.name, format!("{}: {why}", node.name));
        }
    }
    if !findings.is_empty() {
        let parts: Vec<String> = [
            (unready, count(unready, "node"), "not Ready"),
            (absent, count(absent, "instance"), "without a node"),
            (strange, count(strange, "node"), "without an instance"),
        ]
        .into_iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(_, what, words)| format!("{what} {words}"))
        .collect();
        return Check::failed(NAME, parts.join(", "), findings);
    }
    match (machines, &snapshot.instances) {
        (None, Err(reason)) => {
            Check::unknown(NAME, format!("{} Ready, but the instances could not be listed", count(nodes.len(), "node")), reason)
        }
        _ => Check::ok(NAME, format!("{} Ready", count(nodes.len(), "node"))),
    }
}
