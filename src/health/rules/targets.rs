//! The load balancer sends requests to every control plane.

use crate::cloud::TargetState;
use crate::model::{Kind, Resource, ResourceId};
use crate::spec::ApiEndpoint;

use super::super::Snapshot;
use super::super::report::{Check, Findings};
use super::count;

pub(super) const NAME: &str = "targets";

pub(super) fn check(snapshot: &Snapshot) -> Check {
    match snapshot.cluster.api.endpoint {
        ApiEndpoint::Dns => return Check::skipped(NAME, "the API has no load balancer"),
        ApiEndpoint::LoadBalancer => {}
    }
    if let Err(reason) = &snapshot.drift {
        return Check::unknown(NAME, "the target group could not be looked at", reason);
    }
    if !snapshot.world.resources.keys().any(|id| id.kind == Kind::TargetGroup) {
        let mut findings = Findings::default();
        findings.concerns(ResourceId::new(Kind::TargetGroup, "api").to_string());
        return Check::failed(NAME, "the target group does not exist", findings)
            .todo(format!("`kclust update {}` makes it again", snapshot.cluster.name));
    }
    let targets = match &snapshot.targets {
        Ok(targets) => targets,
        Err(reason) => return Check::unknown(NAME, "the health of the targets could not be looked at", reason),
    };
    let slots = snapshot.cluster.slots();
    let mut findings = Findings::default();
    let mut healthy = 0;
    for slot in &slots {
        let id = ResourceId::new(Kind::Target, slot.name.as_str());
        match registered(snapshot, &id, targets) {
            None => findings.add(id.to_string(), format!("{}: not registered", slot.name)),
            Some(target) if target.state == "healthy" => healthy += 1,
            Some(TargetState { address, state, reason }) => {
                let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
                findings.add(id.to_string(), format!("{} ({address}): {state}{reason}", slot.name));
            }
        }
    }
    let message = format!("{healthy} of {} healthy", count(slots.len(), "target"));
    if findings.is_empty() {
        return Check::ok(NAME, message);
    }
    Check::failed(NAME, message, findings).todo(
        "look on the control planes whether the API server runs (`journalctl -u kclust-boot`, `crictl ps`), and whether the security \
         groups let the load balancer reach port 6443",
    )
}

/// The state of a slot's target. AWS knows it by the address, which the target that was observed tells.
fn registered<'a>(snapshot: &Snapshot, id: &ResourceId, targets: &'a [TargetState]) -> Option<&'a TargetState> {
    let Resource::Target(target) = &snapshot.world.resources.get(id)?.resource else { return None };
    let address = target.address.to_string();
    targets.iter().find(|target| target.address == address)
}
