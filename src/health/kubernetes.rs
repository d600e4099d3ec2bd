//! What the Kubernetes API said of the cluster.

/// The answer of the API, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KubernetesView {
    Reachable {
        /// `https://<name>:<port>`, as asked.
        address: String,
        /// `gitVersion` of `/version`: `v1.36.2`.
        version: String,
        nodes: Vec<KubeNode>,
    },
    /// Nothing that speaks for the API answered: no route, no such name, a time-out. The API may be well and the way to it closed, as it
    /// is from outside for an internal endpoint.
    Unreachable { address: String, reason: String },
    /// Something answered, but not as this cluster's API does when it is well: a certificate of another authority, 401, 503, …
    Refused { address: String, reason: String },
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
    /// `None` when the condition `Ready` is `True`; else its reason and message.
    pub not_ready: Option<String>,
    /// `status.nodeInfo.kubeletVersion`.
    pub kubelet_version: String,
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
