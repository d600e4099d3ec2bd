//! Addons: `Cluster` and facts → what the control planes apply, in order. Pure.
//!
//! First the cloud controller, without which no node is ready for pods, then the pod network, then what the spec lists. Each is a
//! manifest or a Helm chart; of the charts only names, versions and values are here, and Helm fetches them on a control plane.
//!
//! Instance metadata answers with a hop limit of 1: a pod that needs AWS credentials stands on the network of a control plane, whose
//! role has the permissions (`model/policy.rs`).

mod charts;
mod network;
mod presets;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::bootstrap::render;
use crate::cloud::Facts;
use crate::model::ChartSource;
use crate::spec::{Addon, Cluster};

/// One addon, as control planes apply it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// A DNS label, unique in the cluster.
    pub name: String,
    /// A manifest, or the values of the chart.
    pub content: Content,
    pub chart: Option<ChartSource>,
}

/// The text that is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Text(String),
    /// A manifest of the user that the state holds: its hexadecimal SHA-256.
    Recorded {
        sha256: String,
    },
}

/// All addons of a cluster, in the order in which they are applied.
///
/// `facts` hold the manifests that the spec names (`ops::manifests` makes sure of it).
pub fn definitions(cluster: &Cluster, facts: &Facts) -> Vec<Definition> {
    let mut definitions = vec![cloud_controller(cluster)];
    definitions.extend(network::definition(cluster));
    for addon in &cluster.addons {
        match addon {
            Addon::Preset(preset) => definitions.extend(presets::definitions(*preset, cluster)),
            Addon::Manifest { name, .. } => {
                let resolved = facts.manifests.get(name).expect("facts are resolved for every manifest of the spec");
                let content = match &resolved.content {
                    Some(text) => Content::Text(text.clone()),
                    None => Content::Recorded { sha256: resolved.sha256.clone() },
                };
                definitions.push(Definition { name: name.clone(), content, chart: None });
            }
            Addon::Chart { name, namespace, repository, chart, version, values } => definitions.push(Definition {
                name: name.clone(),
                content: Content::Text(values.clone().unwrap_or_else(|| "{}\n".to_owned())),
                chart: Some(ChartSource {
                    namespace: namespace.clone(),
                    repository: repository.clone(),
                    chart: chart.clone(),
                    version: version.clone(),
                }),
            }),
        }
    }
    definitions
}

fn manifest(name: &str, text: String) -> Definition {
    Definition { name: name.to_owned(), content: Content::Text(text), chart: None }
}

/// The controller that makes nodes of EC2 instances and load balancers of services.
fn cloud_controller(cluster: &Cluster) -> Definition {
    #[derive(Serialize)]
    struct CloudController<'a> {
        cluster: &'a str,
        image: String,
    }
    let image = format!("registry.k8s.io/provider-aws/cloud-controller-manager:{}", cloud_controller_version(cluster));
    let text = render("aws-cloud-controller-manager.yaml", &CloudController { cluster: cluster.name.as_str(), image });
    manifest("aws-cloud-controller-manager", text)
}

/// The release for the cluster's Kubernetes (tags of kubernetes/cloud-provider-aws at 63ec440c). There is none for 1.37 yet: a
/// cloud controller may be one minor version older than the API server (kubernetes.io, "Version Skew Policy").
fn cloud_controller_version(cluster: &Cluster) -> &'static str {
    match cluster.kubernetes_version.minor {
        ..=35 => "v1.35.0",
        _ => "v1.36.0",
    }
}
