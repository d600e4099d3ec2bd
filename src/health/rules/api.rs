//! The Kubernetes API answers: by its name, and by its load balancer.

use crate::model::{API, CONTROL_PLANE, Kind, ResourceId};

use super::super::report::{Check, Findings};
use super::super::{Endpoint, EndpointKind, KubernetesView, Snapshot};
use super::{count, has_failed, is_slot, is_unknown};

pub(super) const NAME: &str = "api";

const NOT_KNOWN: &str = "compare the clocks of this machine and of the control planes, and the authority that the API server trusts \
     (`--client-ca-file`) with pki/ca.crt of the state";
const NOT_ALLOWED: &str = "validate asks as the group `kubeadm:cluster-admins`: the ClusterRoleBinding of that name gives it the role \
     `cluster-admin`, and `kubectl get clusterrolebinding kubeadm:cluster-admins` shows whether it still does";

/// `before` are the checks that can be the reason why it does not.
pub(super) fn check(snapshot: &Snapshot, before: &[Check]) -> Check {
    let because = |names: &[&str], reason: &str| {
        let name = names.iter().find(|name| has_failed(before, name) && explains(name, snapshot, before))?;
        let skipped = Check::skipped(NAME, format!("because of what `{name}` says"));
        Some(Check { evidence: vec![reason.to_owned()], ..skipped })
    };
    match &snapshot.kubernetes {
        KubernetesView::Reachable { address, version, system, .. } => {
            if let Some(check) = not_ready(&system.failing, before) {
                return check;
            }
            let mut findings = Findings::default();
            let mut refused = false;
            for endpoint in &snapshot.endpoints {
                let Err(reason) = &endpoint.certificate else { continue };
                let (way, known) = match endpoint.kind {
                    EndpointKind::Name => ("its name", has_failed(before, "dns") || is_unknown(before, "dns")),
                    EndpointKind::LoadBalancer => ("the load balancer", has_failed(before, "targets")),
                };
                if !known {
                    refused |= is_refusal(reason);
                    findings.add(&endpoint.host, format!("not reached by {way}, {}: {reason}", endpoint.host));
                }
            }
            if let (true, Err(reason)) = (findings.is_empty(), &system.failing) {
                return Check::unknown(
                    NAME,
                    format!("{address} answers ({version}), but does not tell whether it is ready"),
                    reason,
                );
            }
            if findings.is_empty() {
                return Check::ok(NAME, format!("{address} answers: {version}"));
            }
            if !refused {
                let todo = "the way may be closed only from here: try it from where clients of the cluster are (VPN, proxy)";
                return Check::warning(NAME, format!("{address} answers ({version}), but not by every way from here"), findings)
                    .todo(todo);
            }
            Check::failed(NAME, format!("{address} answers ({version}), but not by every way"), findings)
                .todo("look at `dns` and `targets`, and at the security groups of the load balancer")
        }
        KubernetesView::Unreachable { reason, .. } if let Some(group) = lost_slots(snapshot, before) => {
            let skipped = Check::skipped(NAME, format!("because of what `{group}` says"));
            Check { evidence: vec![reason.clone()], ..skipped }
        }
        // Whoever shakes hands can be reached.
        KubernetesView::Unreachable { address, reason } if snapshot.endpoints.iter().any(Endpoint::is_usable) => {
            because(&["etcd"], reason).unwrap_or_else(|| {
                Check::unknown(NAME, format!("{address} accepts connections and does not answer in time"), reason).todo(
                "look at the load of the control planes: of the API server and of etcd below it (`crictl stats`, `crictl logs`), \
                     and at who asks it for so much",
            )
            })
        }
        // Not a failure: the way to it may be closed only from here.
        KubernetesView::Unreachable { address, reason } => {
            because(&["dns", "certificates", "etcd", "targets", "resources"], reason).unwrap_or_else(|| {
                Check::unknown(NAME, format!("{address} could not be reached from here"), reason).todo(
                "ask from where the API can be reached (VPN, bastion), or name a proxy in HTTPS_PROXY; `api.allowedCIDRs` of the \
                     spec says who may",
            )
            })
        }
        // It works, and does not know who asks, or does not let him look.
        KubernetesView::Refused { address, reason, status: Some(status @ (401 | 403)) } => because(&["certificates"], reason)
            .unwrap_or_else(|| {
                let todo = if *status == 401 { NOT_KNOWN } else { NOT_ALLOWED };
                Check::unknown(NAME, format!("{address} answers, but not to kclust"), reason).todo(todo)
            }),
        KubernetesView::Refused { address, reason, .. } => because(&["certificates", "etcd"], reason).unwrap_or_else(|| {
            let mut findings = Findings::default();
            findings.explain(reason);
            Check::failed(NAME, format!("{address} answers, but not as it should"), findings)
                .todo("look at the API server on the control planes: `crictl logs` of kube-apiserver, and of etcd below it")
        }),
        // Whatever the reason, a cluster whose API nobody asked is not known to be healthy.
        KubernetesView::Skipped { reason } => {
            because(&["resources"], reason).unwrap_or_else(|| Check::unknown(NAME, "the API was not asked", reason))
        }
    }
}

/// The first of the control planes' groups, where none of them has an instance in service.
fn lost_slots(snapshot: &Snapshot, before: &[Check]) -> Option<String> {
    let groups = snapshot.groups.as_ref().ok()?;
    let mut names = snapshot.cluster.slots().into_iter().map(|slot| slot.name).peekable();
    let first = format!("group/{}", names.peek()?);
    let is_lost = |name: String| {
        has_failed(before, &format!("group/{name}")) && !groups.iter().any(|group| group.name == name && group.serving() > 0)
    };
    names.all(is_lost).then_some(first)
}

/// Whether somebody at the end of the way turned it down. Silence, a name that is not seen, or a proxy that says no may be only so
/// from here.
fn is_refusal(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    !reason.contains("proxy") && ["connection refused", "connection reset"].iter().any(|words| reason.contains(words))
}

/// Whether a resource leads to the API, or makes it.
pub(in super::super) fn is_on_the_way(id: &ResourceId, snapshot: &Snapshot) -> bool {
    let guards = |group: &str| group == API || group == CONTROL_PLANE;
    match id.kind {
        Kind::InternetGateway
        | Kind::Route
        | Kind::RouteTableAssociation
        | Kind::LoadBalancer
        | Kind::Listener
        | Kind::TargetGroup
        | Kind::Target => true,
        Kind::NetworkInterface | Kind::AutoscalingGroup => is_slot(&id.name, snapshot),
        Kind::SecurityGroup => guards(&id.name),
        // `control-plane:API from api`, `api:everything out`.
        Kind::SecurityGroupRule => id
            .name
            .split_once(':')
            .is_some_and(|(group, rule)| guards(group) && (rule.starts_with("API") || rule.starts_with("everything out"))),
        _ => false,
    }
}

/// Whether a check that has failed can be why the API does not answer.
fn explains(name: &str, snapshot: &Snapshot, before: &[Check]) -> bool {
    match name {
        // The load balancer leaves out what is not healthy, and leads to the rest.
        "targets" => !snapshot.targets.iter().flatten().any(|target| target.state == "healthy"),
        "resources" => {
            let resources = before.iter().filter(|check| check.name == name).flat_map(|check| &check.resources);
            resources.filter_map(|id| ResourceId::parse(id)).any(|id| is_on_the_way(&id, snapshot))
        }
        _ => true,
    }
}

/// What fails of `/readyz`.
fn not_ready(failing: &Result<Vec<String>, String>, before: &[Check]) -> Option<Check> {
    let failing = failing.as_ref().ok().filter(|failing| !failing.is_empty())?;
    if has_failed(before, "etcd") && failing.iter().all(|check| check.starts_with("etcd")) {
        return Some(Check::skipped(NAME, "because of what `etcd` says"));
    }
    let mut findings = Findings::default();
    for check in failing {
        findings.explain(format!("/readyz: {check} fails"));
    }
    let verb = if failing.len() == 1 { "fails" } else { "fail" };
    Some(
        Check::failed(NAME, format!("{} of /readyz {verb}", count(failing.len(), "check")), findings)
            .todo("the log of the API server has the reasons: `crictl logs` of kube-apiserver on a control plane"),
    )
}
