//! What the Kubernetes API said of the cluster.

use jiff::Timestamp;

/// The answer of the API, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KubernetesView {
    Reachable {
        /// `https://<name>:<port>`, as asked.
        address: String,
        /// `gitVersion` of `/version`: `v1.36.2`.
        version: String,
        nodes: Vec<KubeNode>,
        system: System,
    },
    /// Nothing that speaks for the API answered: no route, no such name, a time-out. The API may be well and the way to it closed, as it
    /// is from outside for an internal endpoint.
    Unreachable { address: String, reason: String },
    /// Something answered, but not as this cluster's API does when it is well: a certificate of another authority, 401, 503, …
    Refused {
        address: String,
        reason: String,
        /// Of HTTP, where it came to that.
        status: Option<u16>,
    },
    /// It was not asked: it has no address, or there is no certificate to ask with.
    Skipped { reason: String },
}

/// A `Node` object, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeNode {
    pub name: String,
    /// `spec.providerID`: `aws:///<zone>/<instance id>`.
    pub provider_id: Option<String>,
    /// Whether it has the label `node-role.kubernetes.io/control-plane`.
    pub control_plane: bool,
    /// Label `topology.kubernetes.io/zone`.
    pub zone: Option<String>,
    /// `None` when the condition `Ready` is `True` and the node has its network; else why not.
    pub not_ready: Option<String>,
    /// Other conditions that are true and should not be, such as `DiskPressure`, each with its reason and message.
    pub pressures: Vec<String>,
    /// `status.nodeInfo.kubeletVersion`.
    pub kubelet_version: String,
}

/// What the cluster itself runs, and what the API server says of itself. Each part is the reason why, where it was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// Checks of `/readyz` that fail.
    pub failing: Result<Vec<String>, String>,
    /// Deployments and daemon sets of `kube-system` and of the pod network.
    pub workloads: Result<Vec<Workload>, String>,
    /// Static pods of the control planes.
    pub control_plane: Result<Vec<StaticPod>, String>,
    /// Pods of all namespaces that are pending and in trouble: most of them have no node yet.
    pub pending: Result<Vec<Pod>, String>,
}

impl System {
    /// Of an API that was asked for its nodes only.
    pub fn not_asked() -> Self {
        const REASON: &str = "it was asked for its nodes only";
        let reason = || REASON.to_owned();
        Self { failing: Err(reason()), workloads: Err(reason()), control_plane: Err(reason()), pending: Err(reason()) }
    }
}

/// A deployment or daemon set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// `DaemonSet/cilium`.
    pub name: String,
    pub wanted: u32,
    pub available: u32,
    /// Its pods are of a class that the cluster cannot do without.
    pub critical: bool,
    /// Tag of the image of its first container.
    pub version: Option<String>,
    /// When it, or a pod of it, was made, deleted or otherwise changed, as far as that is known.
    pub changed_at: Option<Timestamp>,
    /// Its pods that are in trouble; `None` where nobody has looked, because none is missing or too many workloads are weak.
    pub troubled: Option<Vec<Pod>>,
}

/// A pod that a kubelet runs from a file on its control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticPod {
    /// Label `component`: `kube-apiserver`, …
    pub component: String,
    pub node: Option<String>,
    /// Tag of its image.
    pub version: Option<String>,
    pub trouble: Option<Pod>,
}

/// A pod in trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    pub namespace: String,
    pub name: String,
    pub node: Option<String>,
    pub created_at: Option<Timestamp>,
    /// A class of pods that the cluster cannot do without: `system-cluster-critical` or `system-node-critical`.
    pub critical: bool,
    /// In the words of the kubelet or the scheduler: `container cilium-agent: ImagePullBackOff: …`.
    pub trouble: String,
}

impl KubeNode {
    /// The instance that the provider id names. The AWS cloud provider writes `aws:///<zone>/<id>` and accepts `aws:///<id>` and `<id>`
    /// (cloud-provider-aws, `KubernetesInstanceID.MapToAWSInstanceID`).
    pub fn instance_id(&self) -> Option<&str> {
        let provider_id = self.provider_id.as_deref()?;
        let path = provider_id.strip_prefix("aws://").unwrap_or(provider_id);
        path.rsplit('/').next().filter(|id| id.starts_with("i-"))
    }
}
