//! What the API server presents, what control planes tell of their certificates, and the authorities in the state: signed by the cluster's
//! CA, for the right names, and not about to end.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::super::report::{Check, Findings};
use super::super::{CertificateFault, Endpoint, EndpointKind, Presented, Snapshot};
use super::{minute, since, span};

pub(super) const NAME: &str = "certificates";

/// Whoever hears of it has still time to do something.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Three months before the end control planes do that by themselves, which has failed here.
const REBOOT: &str = "`journalctl -u kclust-tend` on the control planes says why they did not renew it; reboot them, one after the other: \
                      each renews its certificates when it starts";
/// Reboots do not help there: certificates are signed by the authority that the state has.
const NEW_AUTHORITY: &str = "give the cluster a new authority before it ends (kubernetes.io, \"Manual Rotation of CA Certificates\"): a reboot does not renew it";

pub(super) fn check(snapshot: &Snapshot) -> Check {
    let (mut faults, mut soon) = (Findings::default(), Findings::default());
    let (mut mend, mut prepare) = (Vec::new(), Vec::new());
    let authorities = snapshot.authorities.as_deref().unwrap_or_default();
    for (file, ends) in authorities {
        let left = since(*ends, snapshot.now);
        if left.is_negative() {
            faults.add(format!("pki/{file}"), format!("pki/{file} has been expired since {}", minute(*ends)));
            mend.push(NEW_AUTHORITY);
        } else if left < SOON {
            soon.add(format!("pki/{file}"), format!("pki/{file} ends in {}, at {}", span(left), minute(*ends)));
            prepare.push(NEW_AUTHORITY);
        }
    }
    let mut presented = snapshot.endpoints.iter().filter_map(|endpoint| Some((endpoint, endpoint.certificate.as_ref().ok()?)));
    let mut seen: Vec<&Presented> = Vec::new();
    for (endpoint, certificate) in presented.by_ref() {
        // By both ways one comes to the same servers.
        if seen.contains(&certificate) {
            continue;
        }
        seen.push(certificate);
        if let Some(fault) = &certificate.fault {
            let (line, todo) = explain(endpoint, certificate, fault);
            faults.add(&endpoint.host, line);
            faults.quote(described(endpoint, certificate));
            mend.push(todo);
        } else {
            let left = since(certificate.not_after, snapshot.now);
            if left < SOON {
                let ends = minute(certificate.not_after);
                soon.add(&endpoint.host, format!("{} presents one that ends in {}, at {ends}", endpoint.host, span(left)));
                prepare.push(REBOOT);
            }
        }
    }
    for report in snapshot.slot_certificates.as_deref().unwrap_or_default() {
        let left = since(report.ends, snapshot.now);
        if left < SOON {
            let (slot, name, ends) = (&report.slot, &report.name, minute(report.ends));
            soon.add(
                slot,
                match left.is_negative() {
                    true => format!("{name} of {slot} has been expired since {ends}"),
                    false => format!("{name} of {slot} ends in {}, at {ends}", span(left)),
                },
            );
            prepare.push(REBOOT);
        }
    }
    if !faults.is_empty() {
        return Check::failed(NAME, "a certificate is not accepted", faults).todo(each(mend));
    }
    if !soon.is_empty() {
        return Check::warning(NAME, "a certificate ends soon", soon).todo(each(prepare));
    }
    if let Err(reason) = &snapshot.slot_certificates {
        return Check::unknown(NAME, "what control planes tell of their certificates could not be read", reason);
    }
    match seen.iter().map(|certificate| certificate.not_after).min() {
        Some(ends) => Check::ok(NAME, format!("signed by the cluster's CA, valid for {}", span(since(ends, snapshot.now)))),
        None => Check::skipped(NAME, "because no API server could be reached (see api)"),
    }
}

/// What to do about each finding, once.
fn each(mut todo: Vec<&str>) -> String {
    let mut seen = BTreeSet::new();
    todo.retain(|words| seen.insert(*words));
    todo.join("; ")
}

fn explain(endpoint: &Endpoint, certificate: &Presented, fault: &CertificateFault) -> (String, &'static str) {
    let host = &endpoint.host;
    match fault {
        CertificateFault::Expired => {
            (format!("{host} presents a certificate that has been expired since {}", minute(certificate.not_after)), REBOOT)
        }
        CertificateFault::NotYetValid => (
            format!("{host} presents a certificate that is valid from {} on", minute(certificate.not_before)),
            "look at the clocks: of this machine, and of the control planes",
        ),
        CertificateFault::Foreign => (
            format!("{host} presents a certificate that is not signed by this cluster's CA, but by {}", certificate.issuer),
            "find out who answers there: another cluster of that name, or a proxy that opens TLS; or the control planes have keys \
             that are not those of the state",
        ),
        CertificateFault::OtherName => (
            format!("{host} presents a certificate for other names: {}", certificate.names.join(", ")),
            "find out who answers there; where the name of the API was changed, terminate the control planes one after the other: each \
             has a successor with certificates for the new name",
        ),
        CertificateFault::Other(reason) => {
            (format!("the certificate of {host} is not accepted: {reason}"), "find out who answers there")
        }
    }
}

fn described(endpoint: &Endpoint, certificate: &Presented) -> String {
    let Presented { names, issuer, not_before, not_after, .. } = certificate;
    let way = match endpoint.kind {
        EndpointKind::Name => "by name",
        EndpointKind::LoadBalancer => "by the load balancer",
    };
    let (from, to, names) = (minute(*not_before), minute(*not_after), names.join(", "));
    format!("{way}: issued by {issuer}, valid from {from} to {to}, for {names}")
}
