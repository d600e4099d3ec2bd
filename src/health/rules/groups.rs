//! Every autoscaling group has the instances that it wants, and would replace one that is lost.

use crate::cloud::GroupStatus;
use crate::cloud::status::GroupInstance;
use crate::model::{Kind, ResourceId};

use super::super::Snapshot;
use super::super::machines;
use super::super::report::{Check, Findings};
use super::count;

/// Without one of these an instance that is lost is not noticed, not ended or not replaced. The others that can be suspended
/// (`AZRebalance`, `AlarmNotification`, `ScheduledActions`, `AddToLoadBalancer`, `InstanceRefresh`) do not mend anything.
const HEALING: [&str; 4] = ["Launch", "Terminate", "HealthCheck", "ReplaceUnhealthy"];

pub(super) fn check(snapshot: &Snapshot) -> Vec<Check> {
    let groups = match &snapshot.groups {
        Ok(groups) => groups,
        Err(reason) => return vec![Check::unknown("groups", "the autoscaling groups could not be looked at", reason)],
    };
    machines::groups(&snapshot.cluster)
        .into_iter()
        .map(|(name, least)| {
            let status = groups.iter().find(|group| group.name == name);
            let check = format!("group/{name}");
            let id = ResourceId::new(Kind::AutoscalingGroup, name).to_string();
            match status {
                Some(status) => strength(check, id, status, least.max(status.desired_capacity) as usize),
                None => {
                    let mut findings = Findings::default();
                    findings.concerns(id);
                    Check::failed(check, "the autoscaling group does not exist", findings)
                }
            }
        })
        .collect()
}

fn strength(check: String, id: String, group: &GroupStatus, wanted: usize) -> Check {
    let serving = group.instances.iter().filter(|instance| serves(instance)).count();
    let suspended: Vec<&str> =
        group.suspended_processes.iter().map(String::as_str).filter(|process| HEALING.contains(process)).collect();
    let mut message = match (serving, wanted) {
        (0, 0) => "scaled to zero".to_owned(),
        _ if serving > wanted => format!("{} in service, {wanted} wanted", count(serving, "instance")),
        _ => format!("{serving} of {} in service", count(wanted, "instance")),
    };
    if serving >= wanted && suspended.is_empty() {
        return Check::ok(check, message);
    }
    let mut findings = Findings::default();
    findings.concerns(id);
    if serving < wanted {
        explain_weakness(group, wanted, &mut findings);
    }
    if !suspended.is_empty() {
        message = format!("{message}, {} suspended", suspended.join(", "));
        let name = &group.group_name;
        findings.explain(format!(
            "while these processes are suspended, a lost instance is not replaced; to resume them: \
             aws autoscaling resume-processes --auto-scaling-group-name {name}"
        ));
    }
    Check::failed(check, message, findings)
}

/// An instance in service can be known to be ill, until the group has replaced it.
fn serves(instance: &GroupInstance) -> bool {
    instance.lifecycle_state == "InService" && instance.health_status.eq_ignore_ascii_case("Healthy")
}

fn explain_weakness(group: &GroupStatus, wanted: usize, findings: &mut Findings) {
    if let Some(failure) = &group.last_failure {
        findings.explain(failure.trim());
    }
    for instance in group.instances.iter().filter(|instance| !serves(instance)) {
        let GroupInstance { id, zone, lifecycle_state, health_status, .. } = instance;
        findings.add(id, format!("{id} in {zone}: {lifecycle_state}, {health_status}"));
    }
    if group.last_failure.is_none() && group.suspended_processes.is_empty() && group.instances.len() < wanted {
        findings.explain("no scaling activity has failed: AWS is still launching instances");
    }
}
