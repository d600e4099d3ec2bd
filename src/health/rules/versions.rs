//! API server and kubelets run the version of the spec, and versions that work together.

use semver::Version;

use super::super::machines::machines;
use super::super::report::{Check, Findings};
use super::super::{KubeNode, Snapshot};
use super::{Scope, answered, count};

const NAME: &str = "versions";

/// A kubelet may be this many minor versions older than the API server, and never newer
/// (<https://kubernetes.io/releases/version-skew-policy/#kubelet>).
const OLDEST_KUBELET: u64 = 3;

pub(super) fn check(snapshot: &Snapshot, scope: &Scope) -> Check {
    let (server, nodes) = match answered(&snapshot.kubernetes, NAME) {
        Ok(answered) => (answered.version, answered.nodes),
        Err(skipped) => return skipped,
    };
    let machines = machines(snapshot).unwrap_or_default();
    let group = |node: &KubeNode| machines.get(node.instance_id()?).and_then(|machine| machine.group);
    let nodes: Vec<&KubeNode> = nodes.iter().filter(|node| scope.holds(group(node))).collect();
    let wanted = &snapshot.cluster.kubernetes_version;
    let server_version = parse(server);
    let mut findings = Findings::default();
    let server_differs = server_version.as_ref() != Some(wanted);
    if server_differs {
        findings.explain(format!("API server: {server}, the spec says {wanted}"));
    }
    let mut different = 0;
    for node in &nodes {
        if let Some(fault) = fault(node, server_version.as_ref(), wanted) {
            different += 1;
            findings.add(&node.name, format!("{}: kubelet {}, {fault}", node.name, node.kubelet_version));
        }
    }
    let message = match (server_differs, different) {
        (false, 0) => return Check::ok(NAME, format!("API server and {} run {wanted}", count(nodes.len(), "node"))),
        (true, 0) => format!("the API server does not run {wanted}"),
        (false, _) => format!("{different} of {} not on {wanted}", count(nodes.len(), "node")),
        (true, _) => format!("the API server and {different} of {} not on {wanted}", count(nodes.len(), "node")),
    };
    Check::failed(NAME, message, findings).todo(
        "instances that were launched before the last update run the version of then: replace them, control planes first and one at a time",
    )
}

/// What is wrong with the kubelet of a node: the worst of it.
fn fault(node: &KubeNode, server: Option<&Version>, wanted: &Version) -> Option<String> {
    let Some(kubelet) = parse(&node.kubelet_version) else { return Some("which is no version".to_owned()) };
    if let Some(server) = server {
        let (kubelet, server) = ((kubelet.major, kubelet.minor), (server.major, server.minor));
        if kubelet > server {
            return Some("which is newer than the API server".to_owned());
        }
        if kubelet.0 < server.0 || kubelet.1 + OLDEST_KUBELET < server.1 {
            return Some(format!("more than {OLDEST_KUBELET} minor versions older than the API server"));
        }
    }
    (kubelet != *wanted).then(|| format!("the spec says {wanted}"))
}

/// `v1.36.2`; what vendors append after `-` or `+` is left out.
fn parse(text: &str) -> Option<Version> {
    let version = Version::parse(text.strip_prefix('v')?).ok()?;
    Some(Version::new(version.major, version.minor, version.patch))
}
