//! Lists in pages, of no more than what is looked at: a whole `Pod` or `Node` costs ten times the memory.

use ::kube::api::ListParams;
use ::kube::core::Request;
use ::kube::{Client, Error};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::health::KubeNode;

use super::patiently;

/// Objects on a page. A node object has some 10 KiB, mostly its list of images.
const PAGE: u32 = 500;

/// The items, and the version of the list, from which a watch goes on.
pub(super) struct Listed<T> {
    pub(super) items: Vec<T>,
    pub(super) version: String,
}

#[derive(Deserialize)]
struct Page<T> {
    metadata: PageMetadata,
    #[serde(default = "Vec::new")]
    items: Vec<T>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct PageMetadata {
    #[serde(default)]
    resource_version: String,
    #[serde(default, rename = "continue")]
    next: String,
}

/// All objects below `path` that the selectors of `params` choose.
pub(super) async fn list<T, U>(
    client: &Client,
    path: &str,
    params: ListParams,
    read: impl Fn(T) -> Option<U>,
) -> Result<Listed<U>, Error>
where
    T: DeserializeOwned,
{
    let mut params = params.limit(PAGE);
    let mut listed = Listed { items: Vec::new(), version: String::new() };
    loop {
        let request = Request::new(path).list(&params).map_err(Error::BuildRequest)?;
        let page: Page<T> = patiently(|| client.request(request.clone())).await?;
        listed.items.extend(page.items.into_iter().filter_map(&read));
        listed.version = page.metadata.resource_version;
        if page.metadata.next.is_empty() {
            return Ok(listed);
        }
        params = params.continue_token(&page.metadata.next);
    }
}

/// Of a node that is true while pods that are put there cannot speak with others: the scheduler leaves it out, as one that is not Ready.
const NO_NETWORK: &str = "NetworkUnavailable";

/// Conditions that are a problem when they are true: those of the kubelet, then those of node-problem-detector, which takes the log of the
/// kernel at its word and can be wrong. Others set conditions that are true when all is well (the node monitoring agent of AWS:
/// `KernelReady`, `StorageReady`).
const PROBLEMS: [&str; 12] = [
    "MemoryPressure",
    "DiskPressure",
    "PIDPressure",
    "KernelDeadlock",
    "ReadonlyFilesystem",
    "FrequentKubeletRestart",
    "FrequentDockerRestart",
    "FrequentContainerdRestart",
    "FrequentUnregisterNetDevice",
    "KubeletUnhealthy",
    "ContainerRuntimeUnhealthy",
    "CorruptDockerOverlay2",
];

pub(super) const NODES: &str = "/api/v1/nodes";

pub(super) async fn nodes(client: &Client) -> Result<Listed<KubeNode>, Error> {
    list(client, NODES, ListParams::default(), |node: Node| Some(node.into())).await
}

/// Checks of `/readyz` that fail. It names each of them when it fails, as it does with `?verbose`.
pub(super) async fn failing_checks(client: &Client) -> Result<Vec<String>, Error> {
    let request = Request::new("/readyz").list(&ListParams::default()).map_err(Error::BuildRequest)?;
    let text = match patiently(|| client.request_text(request.clone())).await {
        Ok(text) => text,
        // The lines are the message of an error that is no `Status` object.
        Err(Error::Api(status)) if status.message.contains("[-]") => status.message.clone(),
        Err(error) => return Err(error),
    };
    let failing = text.lines().filter_map(|line| line.trim().strip_prefix("[-]"));
    Ok(failing.map(|line| line.split_whitespace().next().unwrap_or(line).to_owned()).collect())
}

#[derive(Clone, Deserialize)]
pub(super) struct Node {
    metadata: Metadata,
    #[serde(default)]
    spec: NodeSpec,
    #[serde(default)]
    status: NodeStatus,
}

#[derive(Clone, Deserialize)]
struct Metadata {
    name: String,
    #[serde(default, rename = "resourceVersion")]
    version: String,
    #[serde(default)]
    labels: NodeLabels,
}

#[derive(Clone, Deserialize, Default)]
struct NodeLabels {
    #[serde(rename = "node-role.kubernetes.io/control-plane")]
    control_plane: Option<String>,
    #[serde(rename = "topology.kubernetes.io/zone")]
    zone: Option<String>,
}

#[derive(Clone, Deserialize, Default)]
struct NodeSpec {
    #[serde(rename = "providerID")]
    provider_id: Option<String>,
}

#[derive(Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct NodeStatus {
    #[serde(default)]
    conditions: Vec<Condition>,
    #[serde(default)]
    node_info: NodeInfo,
}

#[derive(Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct NodeInfo {
    #[serde(default)]
    kubelet_version: String,
}

#[derive(Clone, Deserialize)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
}

impl Condition {
    /// Reason and message, or what the condition is.
    pub(super) fn words(&self) -> String {
        let words: Vec<&str> =
            [&self.reason, &self.message].into_iter().flatten().map(String::as_str).filter(|text| !text.is_empty()).collect();
        if words.is_empty() { format!("{} is {}", self.kind, self.status) } else { words.join(": ") }
    }
}

impl Node {
    pub(super) fn key(&self) -> String {
        self.metadata.name.clone()
    }

    pub(super) fn version(&self) -> String {
        self.metadata.version.clone()
    }
}

impl From<Node> for KubeNode {
    fn from(node: Node) -> Self {
        let Node { metadata, spec, status } = node;
        let condition = |kind: &str| status.conditions.iter().find(|condition| condition.kind == kind);
        let ready = condition("Ready");
        let not_ready = match ready {
            None => Some("the kubelet has not reported yet".to_owned()),
            Some(ready) if ready.status == "True" => condition(NO_NETWORK)
                .filter(|network| network.status == "True")
                .map(|network| format!("{NO_NETWORK}: {}", network.words())),
            Some(ready) => Some(ready.words()),
        };
        // Of a node that is silent all conditions are `Unknown`: `Ready` says so already.
        let others = status
            .conditions
            .iter()
            .filter(|condition| PROBLEMS.contains(&condition.kind.as_str()) && condition.status == "True");
        Self {
            pressures: others.map(|condition| format!("{}: {}", condition.kind, condition.words())).collect(),
            name: metadata.name,
            provider_id: spec.provider_id,
            control_plane: metadata.labels.control_plane.is_some(),
            zone: metadata.labels.zone,
            not_ready,
            kubelet_version: status.node_info.kubelet_version,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{KubeNode, Node};

    #[test]
    fn only_conditions_that_name_a_problem_are_one() {
        let condition = |kind: &str, status: &str| json!({ "type": kind, "status": status, "reason": "Because" });
        let node: Node = serde_json::from_value(json!({
            "metadata": { "name": "i-1" },
            "status": { "conditions": [
                condition("MemoryPressure", "False"),
                condition("DiskPressure", "True"),
                condition("KernelDeadlock", "True"),
                condition("KernelReady", "True"),
                condition("StorageReady", "True"),
                condition("Ready", "True"),
            ] },
        }))
        .unwrap();
        let node = KubeNode::from(node);
        assert_eq!(node.pressures, ["DiskPressure: Because", "KernelDeadlock: Because"]);
        assert_eq!(node.not_ready, None);
    }

    #[test]
    fn a_node_without_network_is_not_ready_whatever_its_kubelet_says() {
        let with = |status: &str| {
            let node: Node = serde_json::from_value(json!({
                "metadata": { "name": "i-1" },
                "status": { "conditions": [
                    { "type": "NetworkUnavailable", "status": status, "reason": "NoRouteCreated" },
                    { "type": "Ready", "status": "True", "reason": "KubeletReady" },
                ] },
            }))
            .unwrap();
            KubeNode::from(node)
        };
        assert_eq!(with("True").not_ready.as_deref(), Some("NetworkUnavailable: NoRouteCreated"));
        assert_eq!((with("False").not_ready, with("Unknown").not_ready), (None, None));
        assert_eq!(with("True").pressures, [""; 0], "it is said once");
    }
}
