//! What the API server presents, and the authorities in the state: signed by the cluster's CA, for the right names, and not about to end.

use jiff::SignedDuration;

use super::super::report::{Check, Findings};
use super::super::{CertificateFault, Endpoint, EndpointKind, Presented, Snapshot};
use super::{minute, since, span};

const NAME: &str = "certificates";

/// Whoever hears of it has still time to do something.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

pub(super) fn check(snapshot: &Snapshot) -> Check {
    let mut faults = Findings::default();
    let mut soon = Findings::default();
    let mut first = None;
    let authorities = snapshot.authorities.as_deref().unwrap_or_default();
    for (file, ends) in authorities {
        let left = since(*ends, snapshot.now);
        if left.is_negative() {
            faults.add(format!("pki/{file}"), format!("pki/{file} has been expired since {}", minute(*ends)));
            first = first.or(Some("renew the authorities: certificates of an expired authority are accepted by nobody"));
        } else if left < SOON {
            soon.add(format!("pki/{file}"), format!("pki/{file} ends in {}, at {}", span(left), minute(*ends)));
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
            first = first.or(Some(todo));
        } else {
            let left = since(certificate.not_after, snapshot.now);
            if left < SOON {
                let ends = minute(certificate.not_after);
                soon.add(&endpoint.host, format!("{} presents one that ends in {}, at {ends}", endpoint.host, span(left)));
            }
        }
    }
    if !faults.is_empty() {
        return Check::failed(NAME, "a certificate is not accepted", faults).todo(first.unwrap_or_default());
    }
    if !soon.is_empty() {
        return Check::warning(NAME, "a certificate ends soon", soon)
            .todo("reboot the control planes, one after the other: each makes its certificates anew when it starts");
    }
    match seen.iter().map(|certificate| certificate.not_after).min() {
        Some(ends) => Check::ok(NAME, format!("signed by the cluster's CA, valid for {}", span(since(ends, snapshot.now)))),
        None => Check::skipped(NAME, "because no API server could be reached (see api)"),
    }
}

fn explain(endpoint: &Endpoint, certificate: &Presented, fault: &CertificateFault) -> (String, &'static str) {
    let host = &endpoint.host;
    match fault {
        CertificateFault::Expired => (
            format!("{host} presents a certificate that has been expired since {}", minute(certificate.not_after)),
            "reboot the control planes, one after the other: each makes its certificates anew when it starts",
        ),
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
            "find out who answers there; where the name of the API was changed, reboot the control planes one after the other",
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
