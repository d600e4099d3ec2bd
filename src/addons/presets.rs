//! Addons that need no more than their name.

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::bootstrap::render;
use crate::model::tags;
use crate::spec::{Cluster, Preset};

use super::charts::Chart;
use super::{Definition, manifest};

/// kubernetes-sigs/metrics-server, tag metrics-server-helm-chart-3.13.1, charts/metrics-server.
const METRICS_SERVER: Chart = Chart {
    name: "metrics-server",
    namespace: "kube-system",
    repository: "https://kubernetes-sigs.github.io/metrics-server",
    chart: "metrics-server",
    version: "3.13.1",
};

/// kubernetes-sigs/aws-ebs-csi-driver, tag helm-chart-aws-ebs-csi-driver-2.64.0, charts/aws-ebs-csi-driver and docs/install.md.
const EBS_CSI: Chart = Chart {
    name: "aws-ebs-csi-driver",
    namespace: "kube-system",
    repository: "https://kubernetes-sigs.github.io/aws-ebs-csi-driver",
    chart: "aws-ebs-csi-driver",
    version: "2.64.0",
};

/// kubernetes/autoscaler at 55c37cd5, cluster-autoscaler/charts/cluster-autoscaler.
const AUTOSCALER: Chart = Chart {
    name: "cluster-autoscaler",
    namespace: "kube-system",
    repository: "https://kubernetes.github.io/autoscaler",
    chart: "cluster-autoscaler",
    version: "9.59.0",
};

/// kubernetes-sigs/aws-load-balancer-controller v3.5.0, helm/aws-load-balancer-controller.
const LOAD_BALANCER: Chart = Chart {
    name: "aws-load-balancer-controller",
    namespace: "kube-system",
    repository: "https://aws.github.io/eks-charts",
    chart: "aws-load-balancer-controller",
    version: "3.5.0",
};

/// NVIDIA/k8s-device-plugin v0.20.0, deployments/helm/nvidia-device-plugin and README.md.
const NVIDIA: Chart = Chart {
    name: "nvidia-device-plugin",
    namespace: "nvidia-device-plugin",
    repository: "https://nvidia.github.io/k8s-device-plugin",
    chart: "nvidia-device-plugin",
    version: "0.20.0",
};

/// cert-manager/cert-manager v1.21.1, deploy/charts/cert-manager and its README.
const CERT_MANAGER: Chart = Chart {
    name: "cert-manager",
    namespace: "cert-manager",
    repository: "oci://quay.io/jetstack/charts",
    chart: "cert-manager",
    version: "v1.21.1",
};

/// What a preset consists of: most are one chart.
pub(super) fn definitions(preset: Preset, cluster: &Cluster) -> Vec<Definition> {
    match preset {
        // The kubelets' serving certificates are signed by themselves.
        Preset::MetricsServer => vec![METRICS_SERVER.with(&json!({ "args": ["--kubelet-insecure-tls"] }))],
        Preset::AwsEbsCsiDriver => vec![EBS_CSI.with(&ebs_csi(cluster)), host_network_of_ebs_csi()],
        Preset::ClusterAutoscaler => vec![AUTOSCALER.with(&cluster_autoscaler(cluster))],
        Preset::AwsLoadBalancerController => vec![LOAD_BALANCER.with(&load_balancer_controller(cluster))],
        Preset::NvidiaDevicePlugin => vec![NVIDIA.with(&nvidia_device_plugin(cluster))],
        Preset::CertManager => vec![CERT_MANAGER.with(&json!({
            "crds": { "enabled": true },
            // A job that the release would wait for: it fails while a new cluster has no workers yet.
            "startupapicheck": { "enabled": false },
        }))],
        Preset::Kubeflow => vec![kubeflow(cluster)],
    }
}

fn on_control_planes() -> Json {
    json!({ "node-role.kubernetes.io/control-plane": "" })
}

fn tolerates_control_planes() -> Json {
    json!([{ "key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule" }])
}

/// Copies of a controller on the network of the control planes: two on one machine would want the same ports.
fn replicas(cluster: &Cluster) -> u8 {
    cluster.control_plane.replicas.min(2)
}

/// Of such controllers: the old copy goes first, because the new one wants the same ports of the machine.
fn replaced_in_place() -> Json {
    json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 0, "maxUnavailable": 1 } })
}

fn ebs_csi(cluster: &Cluster) -> Json {
    json!({
        "controller": {
            "region": cluster.region.as_str(),
            // Tags volumes as the cluster's, as its role demands.
            "k8sTagClusterId": cluster.name.as_str(),
            "replicaCount": replicas(cluster),
            "updateStrategy": replaced_in_place(),
            "nodeSelector": on_control_planes(),
            "tolerations": tolerates_control_planes(),
        },
        // Instances do not answer its pods; what they need to know is in the node objects.
        "node": { "metadataSources": "kubernetes" },
        "storageClasses": [{
            "name": "gp3",
            "annotations": { "storageclass.kubernetes.io/is-default-class": "true" },
            "volumeBindingMode": "WaitForFirstConsumer",
            "allowVolumeExpansion": true,
            "parameters": { "type": "gp3", "encrypted": "true" },
        }],
    })
}

/// The chart has no value for it: it is put into the deployment that the chart has made.
fn host_network_of_ebs_csi() -> Definition {
    #[derive(Serialize)]
    struct HostNetwork<'a> {
        namespace: &'a str,
    }
    let text = render("aws-ebs-csi-driver-network.yaml", &HostNetwork { namespace: EBS_CSI.namespace });
    manifest("aws-ebs-csi-driver-network", text)
}

fn cluster_autoscaler(cluster: &Cluster) -> Json {
    json!({
        "cloudProvider": "aws",
        "awsRegion": cluster.region.as_str(),
        // Groups are found by their tags (`model/node_groups.rs`).
        "autoDiscovery": { "clusterName": cluster.name.as_str() },
        "image": { "tag": autoscaler_version(cluster) },
        "hostNetwork": true,
        "dnsPolicy": "Default",
        "updateStrategy": replaced_in_place(),
        "nodeSelector": on_control_planes(),
        "tolerations": tolerates_control_planes(),
        "extraArgs": { "balance-similar-node-groups": true, "expander": "least-waste" },
    })
}

/// The autoscaler's minor version follows that of Kubernetes, whose scheduler it contains (kubernetes/autoscaler, cluster-autoscaler
/// README, "Releases"; images: kops, pkg/model/components/clusterautoscaler.go at 268927e2). None for 1.37 is known yet.
fn autoscaler_version(cluster: &Cluster) -> &'static str {
    match cluster.kubernetes_version.minor {
        ..=35 => "v1.35.1",
        _ => "v1.36.0",
    }
}

fn load_balancer_controller(cluster: &Cluster) -> Json {
    let name = cluster.name.as_str();
    let ownership = tags::cluster(name);
    json!({
        "clusterName": name,
        "region": cluster.region.as_str(),
        "replicaCount": replicas(cluster),
        "hostNetwork": true,
        "dnsPolicy": "Default",
        "updateStrategy": replaced_in_place(),
        "nodeSelector": on_control_planes(),
        "tolerations": tolerates_control_planes(),
        // What it makes goes with the cluster: `kclust delete` finds it by this tag.
        "defaultTags": { ownership: tags::OWNED },
        // Otherwise every apply would make a new certificate.
        "keepTLSSecret": true,
        // It would stand in the way of every service while the controller is not there. Services choose it by their class,
        // `service.k8s.aws/nlb`.
        "enableServiceMutatorWebhook": false,
        // Their permissions would not fit into the role's policy.
        "enableShield": false,
        "enableWaf": false,
        "enableWafv2": false,
    })
}

fn nvidia_device_plugin(cluster: &Cluster) -> Json {
    let groups: Vec<&str> =
        cluster.node_groups.iter().filter(|group| group.gpu.is_some()).map(|group| group.name.as_str()).collect();
    let tolerations = json!([{ "operator": "Exists" }]);
    if groups.is_empty() {
        // Nodes that the user labels, as the chart has it.
        return json!({ "tolerations": tolerations });
    }
    let expression = json!({ "key": tags::GROUP, "operator": "In", "values": groups });
    json!({
        // Without feature discovery no node has the labels that the chart looks for.
        "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{ "matchExpressions": [expression] }],
        } } },
        "tolerations": tolerations,
    })
}

/// Kubeflow is neither a chart nor one manifest but a kustomization of a git repository: a job fetches it and applies it, again and
/// again until all of it is accepted, as its README says (kubeflow/manifests 26.03, "Install with a single command").
fn kubeflow(cluster: &Cluster) -> Definition {
    #[derive(Serialize)]
    struct Kubeflow<'a> {
        /// Tag of kubeflow/manifests.
        release: &'a str,
        /// The same, as a part of names.
        release_name: &'a str,
        git_image: &'a str,
        kubectl_image: String,
    }
    let kubeflow = Kubeflow {
        release: "26.03",
        release_name: "26-03",
        git_image: "docker.io/alpine/git:v2.47.2",
        kubectl_image: format!("registry.k8s.io/kubectl:v{}", cluster.kubernetes_version),
    };
    manifest(Preset::Kubeflow.as_str(), render("kubeflow.yaml", &kubeflow))
}
