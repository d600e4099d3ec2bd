//! There is a snapshot of etcd that is not older than the spec wants it.

use jiff::SignedDuration;

use crate::cloud::InstanceStatus;

use super::super::Snapshot;
use super::super::report::{Check, Findings};
use super::{is_slot, minute, since, span};

pub(super) const NAME: &str = "backups";

/// For a slot to take one, and for a leader to be elected first.
const GRACE: SignedDuration = SignedDuration::from_mins(10);

pub(super) fn check(snapshot: &Snapshot) -> Check {
    let interval = SignedDuration::from_secs(snapshot.cluster.backups.interval.seconds().into());
    let late = interval + interval + GRACE;
    let newest = match &snapshot.last_backup {
        Ok(newest) => newest,
        Err(reason) => return Check::unknown(NAME, "the snapshots could not be listed", reason),
    };
    let mut findings = Findings::default();
    let todo = format!(
        "the control plane that leads etcd takes them: `journalctl -u kclust-tend` there says why not; `kclust backup {}` tries at once",
        snapshot.cluster.name
    );
    match newest {
        Some(taken) => {
            let age = since(snapshot.now, *taken);
            if age < late {
                return Check::ok(NAME, format!("the newest snapshot was taken {} ago", span(age)));
            }
            findings.explain(format!("the spec wants one every {}", snapshot.cluster.backups.interval));
            findings.quote(format!("newest snapshot: {}", minute(*taken)));
            Check::failed(NAME, format!("the newest snapshot was taken {} ago", span(age)), findings).todo(todo)
        }
        None => {
            let instances = match &snapshot.instances {
                Ok(instances) => instances,
                Err(reason) => {
                    return Check::unknown(NAME, "no snapshot yet, and the control planes could not be looked at", reason);
                }
            };
            let control_planes: Vec<&InstanceStatus> = instances
                .iter()
                .filter(|instance| matches!(instance.state.as_str(), "pending" | "running"))
                .filter(|instance| instance.group.as_deref().is_some_and(|group| is_slot(group, snapshot)))
                .collect();
            if control_planes.is_empty() {
                return Check::skipped(NAME, "there is no control plane to take a snapshot (see group)");
            }
            match control_planes.iter().filter_map(|instance| instance.launched_at).min() {
                Some(launched) if since(snapshot.now, launched) >= late => {
                    findings.explain(format!("the spec wants one every {}", snapshot.cluster.backups.interval));
                    Check::failed(NAME, "there is no snapshot", findings).todo(todo)
                }
                _ => Check::ok(NAME, "no snapshot yet: the control planes are young"),
            }
        }
    }
}
