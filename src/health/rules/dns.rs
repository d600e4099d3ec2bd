//! The name of the API leads to it: the record in Route 53 is the one that the spec asks for.

use crate::model::{DnsRecord, Kind, RecordValue, Resource};
use crate::plan::Action;

use super::super::Snapshot;
use super::super::report::{Check, Findings};
use super::count;
use super::resources::shown;

const NAME: &str = "dns";

pub(super) fn check(snapshot: &Snapshot) -> Check {
    let Some(name) = snapshot.cluster.api_name() else {
        return Check::skipped(NAME, "no hosted zone in the spec: the load balancer's own name is used");
    };
    let mut findings = Findings::default();
    let mut missing = false;
    for change in snapshot.plan.changes.iter().filter(|change| change.id.kind == Kind::DnsRecord) {
        let id = change.id.to_string();
        match change.action {
            Action::Create => {
                missing = true;
                findings.concerns(id);
            }
            Action::Update | Action::Replace => {
                for field in change.fields.iter().filter(|field| field.from != field.to) {
                    let (is, should) = (shown(&field.from), shown(&field.to));
                    findings.add(&id, format!("{} is {is}, should be {should}", field.path));
                }
            }
            Action::Delete => findings.add(&id, format!("{id}: {}", change.reason)),
        }
    }
    if missing {
        Check::failed(NAME, format!("{name} has no record"), findings)
    } else if findings.is_empty() {
        Check::ok(NAME, format!("{name} points at {}", target(snapshot)))
    } else {
        Check::failed(NAME, format!("the record of {name} is not as specified"), findings)
    }
}

/// What the record points at, in words.
fn target(snapshot: &Snapshot) -> String {
    let record = snapshot.world.resources.values().find_map(|observed| match &observed.resource {
        Resource::DnsRecord(DnsRecord { value, .. }) => Some(value),
        _ => None,
    });
    match record {
        Some(RecordValue::Addresses { addresses, .. }) => count(addresses.len(), "control plane"),
        Some(RecordValue::Alias(_) | RecordValue::Other(_)) | None => "the load balancer".to_owned(),
    }
}
