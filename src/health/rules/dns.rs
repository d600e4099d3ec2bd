//! The name of the API leads to it: the record in Route 53 is the one that the spec asks for.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::model::{DnsRecord, Kind, RecordValue, Resource};
use crate::plan::Action;
use crate::spec::DnsVisibility;

use super::super::report::{Check, Findings};
use super::super::{Delegation, DnsAnswer, DnsFailure, EndpointKind, Snapshot};
use super::count;
use super::resources::shown;

pub(super) const NAME: &str = "dns";
const ASK_ANOTHER: &str = "name a resolver that can be asked from here with --resolver";

pub(super) fn check(snapshot: &Snapshot) -> Check {
    let Some(name) = snapshot.cluster.api_name() else {
        return Check::skipped(NAME, "no hosted zone in the spec: the load balancer's own name is used");
    };
    let drift = match &snapshot.drift {
        Ok(drift) => drift,
        Err(reason) => return Check::unknown(NAME, format!("the record of {name} could not be looked at"), reason),
    };
    let mut findings = Findings::default();
    let mut missing = false;
    for change in drift.changes.iter().filter(|change| change.id.kind == Kind::DnsRecord) {
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
    let update = format!("`kclust update {}` puts the record right", snapshot.cluster.name);
    if missing {
        Check::failed(NAME, format!("{name} has no record"), findings).todo(update)
    } else if findings.is_empty() {
        answer(&name, snapshot)
    } else {
        Check::failed(NAME, format!("the record of {name} is not as specified"), findings).todo(update)
    }
}

/// The record is right: do name servers say the same?
fn answer(name: &str, snapshot: &Snapshot) -> Check {
    let points = format!("{name} points at {}", target(snapshot));
    // A proxy looks names up where it stands.
    let Some(dns) = &snapshot.dns else {
        return Check::ok(NAME, format!("{points} in Route 53; behind a proxy no name server was asked (--resolver names one)"));
    };
    let resolver = &dns.resolver;
    // Whatever this resolver does not say: a server of the cluster has answered by that name.
    let is_used = snapshot.endpoints.iter().any(|endpoint| endpoint.kind == EndpointKind::Name && endpoint.is_usable());
    let unsaid = |message: String, reason: &DnsFailure, todo: &str| match is_used {
        true => Check { evidence: vec![format!("{resolver}: {reason}")], ..Check::ok(NAME, format!("{name} leads to the API")) },
        false => Check::unknown(NAME, message, reason.to_string()).todo(todo),
    };
    let expected = match &dns.expected {
        Ok(expected) => expected,
        Err(reason) => {
            let message = format!("{points}, whose addresses {resolver} does not tell");
            return unsaid(message, reason, ASK_ANOTHER);
        }
    };
    let mut findings = Findings::default();
    let message = match &dns.addresses {
        // A load balancer shows some of its addresses, others each time.
        Ok(addresses) if addresses.iter().any(|address| expected.contains(address)) => {
            return Check::ok(NAME, format!("{points}, and {resolver} says so"));
        }
        Ok(addresses) => {
            findings.explain(format!("{name} is {} there, should be {}", list(addresses), list(expected)));
            format!("{resolver} answers something else than the record of {name}")
        }
        Err(DnsFailure::NoSuchName(reason)) if is_public(snapshot) => {
            findings.quote(format!("{resolver}: {reason}"));
            format!("{resolver} knows no address of {name}")
        }
        Err(reason @ DnsFailure::NoSuchName(_)) => {
            return unsaid(
                format!("{points}, in a private zone that {resolver} does not see"),
                reason,
                "ask from inside the VPC, or a resolver of it with --resolver",
            );
        }
        Err(reason @ DnsFailure::NotServed(_)) if is_public(snapshot) && !is_used => {
            return not_served(name, snapshot, dns, reason);
        }
        Err(reason @ (DnsFailure::NotServed(_) | DnsFailure::NoAnswer(_))) => {
            return unsaid(format!("{points}; what name servers say could not be found out"), reason, ASK_ANOTHER);
        }
    };
    let mut todo = "wait for the TTL of an old answer to pass; then look which server the resolver asks".to_owned();
    if let Some(Delegation { zone, answered, served_by }) = &dns.delegation {
        match (answered, served_by) {
            (Ok(answered), Ok(served_by)) if !same_servers(answered, served_by) => {
                let who = if answered.is_empty() { "nobody".to_owned() } else { answered.join(", ") };
                findings
                    .explain(format!("zone {zone} is delegated to {who}, and Route 53 serves it on {}", served_by.join(", ")));
                todo = format!(
                    "enter the name servers of Route 53 as NS records of {zone} where its parent zone or registration is kept"
                );
            }
            (Ok(_), Ok(_)) => findings.explain(format!("zone {zone} is delegated to Route 53")),
            (Err(reason), _) | (_, Err(reason)) => findings.quote(format!("delegation of {zone}: {reason}")),
        }
    }
    findings.concerns("DnsRecord/api");
    Check::failed(NAME, message, findings).todo(todo)
}

/// Whoever looks for the name is led to servers that do not have its zone.
fn not_served(name: &str, snapshot: &Snapshot, dns: &DnsAnswer, reason: &DnsFailure) -> Check {
    let mut findings = Findings::default();
    findings.concerns("DnsRecord/api");
    findings.quote(reason.to_string());
    let mut todo = format!(
        "look at the delegation of the zone of {name}, where its parent zone or registration is kept; then {ASK_ANOTHER}"
    );
    match &dns.delegation {
        Some(Delegation { zone, served_by: Ok(servers), .. }) => {
            let servers = servers.join(", ");
            findings.explain(format!(
                "so it is where zone {zone} is delegated to servers that do not have it, such as those of a zone that was deleted; Route \
                 53 serves it on {servers}"
            ));
            todo = format!(
                "compare with that the NS records of {zone} where its parent zone or registration is kept, and enter these and no others: \
                 {servers}"
            );
        }
        Some(Delegation { zone, served_by: Err(error), .. }) => findings.quote(format!("name servers of {zone}: {error}")),
        None => {}
    }
    let message = format!("{} finds no server that answers for {name}", dns.resolver);
    // It has answered for the load balancer: it is the zone that it does not get to. Otherwise it may serve nobody here.
    match load_balancer_is_known(snapshot) {
        true => Check::failed(NAME, message, findings).todo(todo),
        false => Check::undecided(NAME, message, findings).todo(todo),
    }
}

/// Whether what is expected is what the resolver said of another name.
fn load_balancer_is_known(snapshot: &Snapshot) -> bool {
    matches!(record(snapshot), Some(RecordValue::Alias(_)))
}

fn is_public(snapshot: &Snapshot) -> bool {
    snapshot.cluster.dns.as_ref().is_some_and(|dns| dns.visibility == DnsVisibility::Public)
}

fn same_servers(one: &[String], other: &[String]) -> bool {
    let plain = |names: &[String]| -> BTreeSet<String> {
        names.iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect()
    };
    plain(one) == plain(other)
}

fn list(addresses: &[Ipv4Addr]) -> String {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if addresses.is_empty() { "without address".to_owned() } else { addresses.join(", ") }
}

fn record(snapshot: &Snapshot) -> Option<&RecordValue> {
    snapshot.world.resources.values().find_map(|observed| match &observed.resource {
        Resource::DnsRecord(DnsRecord { value, .. }) => Some(value),
        _ => None,
    })
}

/// What the record points at, in words.
fn target(snapshot: &Snapshot) -> String {
    match record(snapshot) {
        Some(RecordValue::Addresses { addresses, .. }) => count(addresses.len(), "control plane"),
        Some(RecordValue::Alias(_) | RecordValue::Other(_)) | None => "the load balancer".to_owned(),
    }
}
