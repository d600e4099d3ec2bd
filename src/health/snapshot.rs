//! Everything that the rules look at.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use jiff::Timestamp;

use crate::cloud::{GroupStatus, InstanceStatus, TargetState, World};
use crate::model::{API_PORT, Kind};
use crate::plan::Drift;
use crate::spec::Cluster;
use crate::store::{AddonReport, CertificateReport, EtcdReport, NodeStatus};

use super::{KubeNode, KubernetesView, Scope};

/// One observation of a cluster. What could not be observed is the reason why, in words.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub cluster: Cluster,
    pub now: Timestamp,
    /// Whose account and which state were read, in words.
    pub source: String,
    /// The version of kclust that applied the spec.
    pub applied_by: String,
    /// How the world differs from the spec. Where it was never seen, `world` is empty and says nothing.
    pub drift: Result<Drift, String>,
    pub world: World,
    /// Why the world could not be looked at again: `drift` and `world` are as they were before.
    pub not_seen_again: Option<String>,
    pub groups: Result<Vec<GroupStatus>, String>,
    pub instances: Result<Vec<InstanceStatus>, String>,
    /// Targets of the API's load balancer; empty where it has none.
    pub targets: Result<Vec<TargetState>, String>,
    /// The ways to the API: by its name, and by its load balancer where that is another name.
    pub endpoints: Vec<Endpoint>,
    /// `None` where the API has no record, or it was not asked for.
    pub dns: Option<DnsAnswer>,
    pub kubernetes: KubernetesView,
    /// The last word of instances that are not nodes yet, or of the control planes when the API cannot be asked.
    pub statuses: BTreeMap<String, NodeStatus>,
    /// Instances whose last word was looked for: those that are not in `statuses` have told nothing.
    pub asked: BTreeSet<String>,
    /// Why the last word of an instance could not be read.
    pub unread: BTreeMap<String, String>,
    /// The cluster's own authorities, by file name, and until when they are valid.
    pub authorities: Result<Vec<(String, Timestamp)>, String>,
    pub etcd: Result<Vec<EtcdReport>, String>,
    pub slot_certificates: Result<Vec<CertificateReport>, String>,
    /// `None`: no control plane has told anything.
    pub addons: Result<Option<Vec<AddonReport>>, String>,
    /// When the newest snapshot of etcd was taken.
    pub last_backup: Result<Option<Timestamp>, String>,
}

/// A way to the API, and the certificate that was found there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub kind: EndpointKind,
    pub host: String,
    /// Or why nothing answered the handshake.
    pub certificate: Result<Presented, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointKind {
    Name,
    LoadBalancer,
}

/// The certificate that an API server presents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// DNS names and addresses that it is for.
    pub names: Vec<String>,
    /// The common name of who signed it.
    pub issuer: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// Why a client of the cluster does not accept it.
    pub fault: Option<CertificateFault>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateFault {
    Expired,
    NotYetValid,
    /// Another authority than the cluster's signed it.
    Foreign,
    /// It is not for the name that it was asked by.
    OtherName,
    /// In the words of the TLS library.
    Other(String),
}

/// What name servers answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsAnswer {
    /// Who was asked.
    pub resolver: String,
    pub addresses: Result<Vec<Ipv4Addr>, DnsFailure>,
    /// What the record points at: the control planes, or the addresses of the load balancer by the same resolver.
    pub expected: Result<Vec<Ipv4Addr>, DnsFailure>,
    /// Asked for only where the answer is not as expected: to whom the zone is delegated, and who serves it.
    pub delegation: Option<Delegation>,
}

/// Why a name server gives no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsFailure {
    /// It knows that there is none.
    NoSuchName(String),
    /// It says that it could not find out (SERVFAIL), or that it does not serve the name (REFUSED): so it is where a zone is delegated to
    /// servers that do not have it.
    NotServed(String),
    /// It does not know, or does not say.
    NoAnswer(String),
}

impl std::fmt::Display for DnsFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSuchName(words) | Self::NotServed(words) | Self::NoAnswer(words) => f.write_str(words),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    pub zone: String,
    pub answered: Result<Vec<String>, String>,
    pub served_by: Result<Vec<String>, String>,
}

impl Snapshot {
    /// Instances whose own word matters, of those that `scope` has: those that are no nodes; where nobody knows that, the control
    /// planes. The oldest first: they should be there already.
    pub fn unjoined(&self, scope: &Scope) -> Vec<&str> {
        let nodes = match &self.kubernetes {
            KubernetesView::Reachable { nodes, .. } => Some(nodes),
            KubernetesView::Unreachable { .. } | KubernetesView::Refused { .. } | KubernetesView::Skipped { .. } => None,
        };
        let joined: BTreeSet<&str> = nodes.into_iter().flatten().filter_map(KubeNode::instance_id).collect();
        let slots = self.cluster.slots();
        let is_slot = |group: &str| slots.iter().any(|slot| slot.name == group);
        let instances = self.instances.iter().flatten().filter(|instance| {
            matches!(instance.state.as_str(), "pending" | "running") && scope.holds(instance.group.as_deref())
        });
        let mut unjoined: Vec<&InstanceStatus> = instances
            .filter(|instance| match (&instance.group, nodes) {
                (Some(_), Some(_)) => !joined.contains(instance.id.as_str()),
                (Some(group), None) => is_slot(group),
                (None, _) => false,
            })
            .collect();
        unjoined.sort_by_key(|instance| (instance.launched_at, instance.id.as_str()));
        unjoined.into_iter().map(|instance| instance.id.as_str()).collect()
    }
}

impl Endpoint {
    /// Whether a client of the cluster would go on and speak with it.
    pub fn is_usable(&self) -> bool {
        self.certificate.as_ref().is_ok_and(|presented| presented.fault.is_none())
    }
}

/// The name of the API, without port: that of the spec's DNS zone, or else the load balancer's own. `None` when there is neither,
/// because the load balancer does not exist.
pub fn api_address(cluster: &Cluster, world: &World) -> Option<String> {
    cluster.api_name().or_else(|| load_balancer_address(world))
}

/// The load balancer's own name.
pub fn load_balancer_address(world: &World) -> Option<String> {
    let mut load_balancers = world.resources.iter().filter(|(id, _)| id.kind == Kind::LoadBalancer);
    load_balancers.find_map(|(_, observed)| observed.physical.dns_name.clone())
}

/// Where an API of that name is asked: `https://<name>:6443`.
pub fn api_url(name: &str) -> String {
    format!("https://{name}:{API_PORT}")
}
