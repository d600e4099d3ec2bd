//! The control planes have applied what the spec names as addons.

use crate::model::{ControlPlaneSettings, Resource};

use super::super::Snapshot;
use super::super::report::{Check, Findings};
use super::{answered, count};

pub(super) const NAME: &str = "addons";

pub(super) fn check(snapshot: &Snapshot) -> Check {
    if snapshot.drift.is_err() {
        return Check::skipped(NAME, "because the settings could not be looked at (see resources)");
    }
    let Some(settings) = settings(snapshot) else {
        return Check::skipped(NAME, "because the settings are missing (see resources)");
    };
    if settings.addons.is_empty() {
        return Check::skipped(NAME, "the spec has none");
    }
    let reports = match &snapshot.addons {
        Ok(Some(reports)) => reports,
        Ok(None) => {
            return match answered(&snapshot.kubernetes, NAME) {
                Ok(_) => Check::unknown(NAME, "no control plane has told of them", "control-plane/addons.json is missing"),
                Err(skipped) => skipped,
            };
        }
        Err(reason) => return Check::unknown(NAME, "what the control planes told of them could not be read", reason),
    };
    let mut findings = Findings::default();
    let mut failed = 0;
    for addon in &settings.addons {
        match reports.iter().find(|report| report.name == addon.name) {
            Some(report) if report.state == "failed" => {
                failed += 1;
                findings.add(&addon.name, format!("{} could not be applied", addon.name));
                findings.quote(format!("{}: {}", addon.name, report.error.as_deref().unwrap_or("no reason given")));
            }
            Some(report) if report.sha256 == addon.sha256 => {}
            Some(_) => findings.add(&addon.name, format!("{} was changed, and is not applied anew yet", addon.name)),
            None => findings.add(&addon.name, format!("{} is not applied yet", addon.name)),
        }
    }
    if findings.is_empty() {
        return Check::ok(NAME, format!("{} applied", count(settings.addons.len(), "addon")));
    }
    let applied = settings.addons.len() - findings.count();
    let todo = match failed {
        0 => "wait a minute: a control plane looks at its settings every 15 seconds; then `journalctl -u kclust-addons` there",
        _ => "a control plane tries again every few minutes: `journalctl -u kclust-addons` there says more",
    };
    Check::failed(NAME, format!("{applied} of {} applied", count(settings.addons.len(), "addon")), findings).todo(todo)
}

/// What control planes are told to apply.
pub(super) fn settings(snapshot: &Snapshot) -> Option<&ControlPlaneSettings> {
    snapshot.world.resources.values().find_map(|observed| match &observed.resource {
        Resource::ControlPlaneSettings(settings) => Some(settings),
        _ => None,
    })
}
