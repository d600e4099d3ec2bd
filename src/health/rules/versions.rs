//! What runs keeps to the version skew policy of Kubernetes, and to the version of the spec.
//!
//! What breaks the policy has failed. What keeps to it and is not on the version of the spec is a warning only: every update goes
//! through that, machine by machine.

use std::collections::BTreeMap;
use std::fmt::Display;

use semver::Version;

use super::super::machines::machines;
use super::super::report::{Check, Findings};
use super::super::{KubeNode, Snapshot, System};
use super::{Scope, answered, count};

pub(super) const NAME: &str = "versions";

// <https://kubernetes.io/releases/version-skew-policy/>, in minor versions.

/// Between API servers.
const API_SERVERS: u64 = 1;
/// That a kubelet or kube-proxy may be older than the API server, and a kube-proxy older or newer than the kubelet beside it.
const NODES: u64 = 3;
/// That a controller manager or scheduler may be older than the API server.
const CONTROLLERS: u64 = 1;

pub(super) fn check(snapshot: &Snapshot, scope: &Scope) -> Check {
    let answered = match answered(&snapshot.kubernetes, NAME) {
        Ok(answered) => answered,
        Err(skipped) => return skipped,
    };
    let machines = machines(snapshot).unwrap_or_default();
    let group = |node: &KubeNode| machines.get(node.instance_id()?).and_then(|machine| machine.group);
    let nodes: Vec<&KubeNode> = answered.nodes.iter().filter(|node| scope.holds(group(node))).collect();
    let wanted = &snapshot.cluster.kubernetes_version;
    let servers = Servers::of(answered.version, answered.system);
    let mut found = Found { wanted: wanted.clone(), broken: Findings::default(), different: Findings::default() };
    found.servers(&servers, answered.version);
    found.controllers(&servers, answered.system);
    let proxy = answered.system.workloads.iter().flatten().find(|workload| workload.name == "DaemonSet/kube-proxy");
    let proxy = proxy.and_then(|proxy| parse(proxy.version.as_deref()?));
    if let Some(proxy) = &proxy {
        found.member("kube-proxy", "kube-proxy", proxy, servers.on_nodes(proxy, None));
    }
    let mut behind = 0;
    for node in &nodes {
        let what = format!("{}: kubelet", node.name);
        let Some(kubelet) = parse(&node.kubelet_version) else {
            let words = format!("{what} {}, which is no version", node.kubelet_version);
            found.broken.add(&node.name, words);
            continue;
        };
        let beside = proxy.as_ref().filter(|proxy| minor(proxy).abs_diff(minor(&kubelet)) > NODES);
        let fault = servers
            .on_nodes(&kubelet, servers.by_node.get(&node.name))
            .or_else(|| beside.map(|proxy| format!("more than {NODES} minor versions from kube-proxy {proxy}")));
        behind += usize::from(fault.is_none() && kubelet != *wanted);
        found.member(&node.name, what, &kubelet, fault);
    }
    if !found.broken.is_empty() {
        let message = "versions that do not go together";
        return Check::failed(NAME, message, found.broken.and(found.different)).todo(
            "bring them to one version, control planes first and one at a time: instances that were launched before the last update run \
             the version of then",
        );
    }
    if found.different.is_empty() {
        return Check::ok(NAME, format!("API server and {} run {wanted}", count(nodes.len(), "node")));
    }
    let message = match behind {
        0 => format!("not everything runs {wanted}"),
        behind => format!("{behind} of {} not on {wanted}", count(nodes.len(), "node")),
    };
    Check::warning(NAME, message, found.different).todo(
        "instances that were launched before the last update run the version of then: replace them, control planes first and one at a time",
    )
}

/// What is found, of what is looked at.
struct Found {
    wanted: Version,
    broken: Findings,
    different: Findings,
}

impl Found {
    /// `fault` is how it breaks the policy.
    fn member(&mut self, resource: &str, what: impl Display, version: &Version, fault: Option<String>) {
        match fault {
            Some(fault) => self.broken.add(resource, format!("{what} v{version}, {fault}")),
            None if *version != self.wanted => {
                self.different.add(resource, format!("{what} v{version}, the spec says {}", self.wanted));
            }
            None => {}
        }
    }

    fn servers(&mut self, servers: &Servers, told: &str) {
        let (Some(oldest), Some(newest)) = (&servers.oldest, &servers.newest) else {
            return self.broken.explain(format!("API server: {told}, which is no version"));
        };
        if minor(newest) > minor(oldest) + API_SERVERS {
            self.broken.explain(format!("API servers v{oldest} and v{newest}: more than {API_SERVERS} minor version apart"));
        }
        for version in [Some(oldest), Some(newest).filter(|newest| *newest != oldest)].into_iter().flatten() {
            if *version != self.wanted {
                self.different.explain(format!("API server: v{version}, the spec says {}", self.wanted));
            }
        }
    }

    /// kubeadm lets them speak with the API server beside them.
    fn controllers(&mut self, servers: &Servers, system: &System) {
        let controllers = ["kube-controller-manager", "kube-scheduler"];
        for pod in system.control_plane.iter().flatten().filter(|pod| controllers.contains(&pod.component.as_str())) {
            let (Some(node), Some(version)) = (&pod.node, pod.version.as_deref().and_then(parse)) else { continue };
            let Some(server) = servers.by_node.get(node).or(servers.oldest.as_ref()) else { continue };
            let fault = match minor(&version) {
                ours if ours > minor(server) => Some("which is newer than the API server".to_owned()),
                ours if ours + CONTROLLERS < minor(server) => {
                    Some(format!("more than {CONTROLLERS} minor version older than the API server"))
                }
                _ => None,
            };
            self.member(&format!("{}-{node}", pod.component), format!("{node}: {}", pod.component), &version, fault);
        }
    }
}

/// The API servers: all of which pods tell, and at least the one that answered.
struct Servers {
    by_node: BTreeMap<String, Version>,
    oldest: Option<Version>,
    newest: Option<Version>,
}

impl Servers {
    fn of(answered: &str, system: &System) -> Self {
        let pods = system.control_plane.iter().flatten().filter(|pod| pod.component == "kube-apiserver");
        let by_node: BTreeMap<String, Version> =
            pods.filter_map(|pod| Some((pod.node.clone()?, parse(pod.version.as_deref()?)?))).collect();
        let mut versions: Vec<Version> = by_node.values().cloned().chain(parse(answered)).collect();
        versions.sort();
        Self { by_node, oldest: versions.first().cloned(), newest: versions.last().cloned() }
    }

    /// How a kubelet or kube-proxy of that version breaks the policy: it may speak with any of them, but for the kubelet of a control
    /// plane, to which kubeadm gives the one `beside` it (`ControlPlaneKubeletLocalMode`).
    fn on_nodes(&self, version: &Version, beside: Option<&Version>) -> Option<String> {
        let (oldest, newest) = (beside.or(self.oldest.as_ref())?, beside.or(self.newest.as_ref())?);
        if minor(version) > minor(oldest) {
            return Some("which is newer than the API server".to_owned());
        }
        let too_old = minor(version) + NODES < minor(newest);
        too_old.then(|| format!("more than {NODES} minor versions older than the API server"))
    }
}

/// Kubernetes has had one major version only.
fn minor(version: &Version) -> u64 {
    version.minor
}

/// `v1.36.2`; what vendors append after `-` or `+` is left out.
fn parse(text: &str) -> Option<Version> {
    let version = Version::parse(text.strip_prefix('v')?).ok()?;
    Some(Version::new(version.major, version.minor, version.patch))
}
