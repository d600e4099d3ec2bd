//! Every autoscaling group has the instances that it wants, and would replace one that is lost.

use crate::cloud::GroupStatus;
use crate::cloud::status::GroupInstance;
use crate::model::{Kind, ResourceId};

use super::super::Snapshot;
use super::super::machines;
use super::super::report::{Check, Findings};
use super::launching::reason;
use super::{BOOT_TIME, Scope, count, is_slot, since};

/// Without one of these an instance that is lost is not noticed, not ended or not replaced. The others that can be suspended
/// (`AZRebalance`, `AlarmNotification`, `ScheduledActions`, `AddToLoadBalancer`, `InstanceRefresh`) do not mend anything.
const HEALING: [&str; 4] = ["Launch", "Terminate", "HealthCheck", "ReplaceUnhealthy"];

pub(super) fn check(snapshot: &Snapshot, scope: &Scope) -> Vec<Check> {
    let groups = match &snapshot.groups {
        Ok(groups) => groups,
        Err(reason) => return vec![Check::unknown("groups", "the autoscaling groups could not be looked at", reason)],
    };
    let tolerated = missing(snapshot, scope) <= scope.allow_unready;
    machines::groups(&snapshot.cluster)
        .into_iter()
        .filter(|(name, _)| scope.holds(Some(name)))
        .map(|(name, least)| {
            let status = groups.iter().find(|group| group.name == name);
            let check = format!("group/{name}");
            let id = ResourceId::new(Kind::AutoscalingGroup, name).to_string();
            match status {
                Some(status) => strength(check, id, status, least as usize, snapshot, tolerated),
                None => {
                    let mut findings = Findings::default();
                    findings.concerns(id);
                    Check::failed(check, "the autoscaling group does not exist", findings)
                        .todo(format!("`kclust update {}` makes it again", snapshot.cluster.name))
                }
            }
        })
        .collect()
}

/// Workers that groups miss, and that count against what is tolerated.
pub(super) fn missing(snapshot: &Snapshot, scope: &Scope) -> usize {
    let groups = snapshot.groups.as_deref().unwrap_or_default();
    let workers = machines::groups(&snapshot.cluster).into_iter().filter(|(name, _)| scope.holds(Some(name)));
    let numbers = workers.filter_map(|(name, least)| {
        let group = groups.iter().find(|group| group.name == name && !is_slot(&name, snapshot))?;
        let serving = group.serving();
        let coming = matches!(in_progress(group, snapshot, serving, least as usize), Some(Ok(_)));
        Some(if coming { 0 } else { wanted(group, least as usize).saturating_sub(serving) })
    });
    numbers.sum()
}

fn wanted(group: &GroupStatus, least: usize) -> usize {
    least.max(group.desired_capacity as usize)
}

fn strength(check: String, id: String, group: &GroupStatus, least: usize, snapshot: &Snapshot, tolerated: bool) -> Check {
    let wanted = wanted(group, least);
    let serving = group.serving();
    let suspended: Vec<&str> =
        group.suspended_processes.iter().map(String::as_str).filter(|process| HEALING.contains(process)).collect();
    let mut message = match (serving, wanted) {
        (0, 0) => "scaled to zero".to_owned(),
        _ if serving > wanted => format!("{} in service, {wanted} wanted", count(serving, "instance")),
        _ => format!("{serving} of {} in service", count(wanted, "instance")),
    };
    let short = wanted.saturating_sub(serving);
    if short > 0 && suspended.is_empty() {
        let coming = in_progress(group, snapshot, serving, least);
        if let Some(Ok(coming)) = coming {
            return Check::ok(check, format!("{message}, {coming}"));
        }
        if tolerated && !is_slot(&group.name, snapshot) {
            return Check::ok(check, format!("{message}, {short} missing tolerated"));
        }
        if let Some(Err(reason)) = coming {
            return Check::unknown(check, format!("{message}; whether the rest is being launched is not known"), reason);
        }
    }
    if short == 0 && suspended.is_empty() {
        return Check::ok(check, message);
    }
    let mut findings = Findings::default();
    findings.concerns(id);
    let mut todo = None;
    if short > 0 {
        todo = explain_weakness(group, least, snapshot, &mut findings);
    }
    if !suspended.is_empty() {
        message = format!("{message}, {} suspended", suspended.join(", "));
        findings.explain("while these processes are suspended, a lost instance is not replaced");
        todo = Some(format!("resume them: aws autoscaling resume-processes --auto-scaling-group-name {}", group.group_name));
    }
    let failed = Check::failed(check, message, findings);
    match todo {
        Some(todo) => failed.todo(todo),
        None => failed,
    }
}

/// A group that scales up, or replaces an instance, while it has what the spec wants at least: why it is not at strength, if nothing
/// speaks against its getting there. That it tries to launch instances is not known where nobody could ask it.
fn in_progress<'a>(group: &'a GroupStatus, snapshot: &Snapshot, serving: usize, least: usize) -> Option<Result<String, &'a str>> {
    if serving < least || matches!(group.last_failure, Ok(Some(_))) {
        return None;
    }
    let young = |instance: &&GroupInstance| {
        let status = snapshot.instances.as_ref().ok()?.iter().find(|status| status.id == instance.id)?;
        Some(since(snapshot.now, status.launched_at?) < BOOT_TIME)
    };
    // One that is not in service for longer than a boot takes is no scaling any more.
    let stuck = group.instances.iter().filter(|instance| !instance.serves() && !instance.leaves());
    if stuck.clone().any(|instance| young(&instance) == Some(false)) {
        return None;
    }
    let coming = stuck.count();
    let asked = (group.desired_capacity as usize).saturating_sub(serving + coming);
    if let (1.., Err(reason)) = (asked, &group.last_failure) {
        return Some(Err(reason));
    }
    let words = [(coming, "booting"), (asked, "being launched")];
    let words: Vec<String> =
        words.iter().filter(|(number, _)| *number > 0).map(|(number, words)| format!("{number} {words}")).collect();
    Some(words.join(", ")).filter(|words| !words.is_empty()).map(Ok)
}

/// Gives what to do.
fn explain_weakness(group: &GroupStatus, least: usize, snapshot: &Snapshot, findings: &mut Findings) -> Option<String> {
    let mut todo = None;
    if let Ok(Some(failure)) = &group.last_failure {
        match reason(failure) {
            Some(reason) => {
                findings.explain(reason.cause);
                todo = Some(reason.todo.to_owned());
            }
            None => findings.explain("AWS could not launch an instance"),
        }
        findings.quote(format!("Auto Scaling: {}", failure.trim()));
    }
    for instance in group.instances.iter().filter(|instance| !instance.serves()) {
        let GroupInstance { id, zone, lifecycle_state, health_status, .. } = instance;
        findings.add(id, format!("{id} in {zone}: {lifecycle_state}, {health_status}"));
        if let Some(status) = snapshot.statuses.get(id) {
            findings.quote(format!("{id}: {}", super::nodes::boot_words(status, snapshot.now)));
        }
    }
    let desired = group.desired_capacity as usize;
    if desired < least {
        findings.explain(format!("its desired capacity is {desired}, below minSize {least} of the spec (see resources)"));
        todo = Some(format!("`kclust update {}` gives the group the size that the spec wants", snapshot.cluster.name));
    }
    if group.instances.len() < desired && group.suspended_processes.is_empty() {
        match &group.last_failure {
            Ok(None) => {
                findings.explain("no scaling activity has failed: AWS is still launching instances");
                todo = todo.or_else(|| Some("wait: `kclust validate --wait 15m` tells when it is there".to_owned()));
            }
            Ok(Some(_)) => {}
            Err(reason) => findings.quote(format!("whether launches fail is not known: {reason}")),
        }
    }
    todo
}
