//! What control planes apply, for the example clusters and for all presets. Goldens lie in `tests/golden/addons/`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::*;
use crate::cloud::ResolvedManifest;
use crate::spec::{Cni, Preset, check_manifest};
use crate::test_support::{EXAMPLES, example, facts, golden};

fn names(cluster: &Cluster) -> Vec<String> {
    definitions(cluster, &facts(cluster)).into_iter().map(|addon| addon.name).collect()
}

fn text(definition: &Definition) -> &str {
    match &definition.content {
        Content::Text(text) => text,
        Content::Recorded { .. } => panic!("{} is not known", definition.name),
    }
}

/// A cluster with every preset, and with a pod network of choice.
fn all_presets(cni: Cni) -> Cluster {
    let mut cluster = example("ml-spot-gpu");
    cluster.network.cni = cni;
    cluster.addons = Preset::ALL.map(Addon::Preset).to_vec();
    cluster
}

/// Values of a chart, or the objects of a manifest.
fn read(definition: &Definition) -> Vec<Json> {
    serde_saphyr::from_multiple(text(definition)).unwrap_or_else(|error| panic!("{}: {error}", definition.name))
}

fn values(cluster: &Cluster, name: &str) -> Json {
    let all = definitions(cluster, &facts(cluster));
    let addon = all.iter().find(|addon| addon.name == name).unwrap_or_else(|| panic!("there is no {name}"));
    read(addon).remove(0)
}

#[test]
fn what_is_applied_is_golden() {
    let three = example("ha-private");
    for cni in [Cni::Cilium, Cni::Calico, Cni::Flannel] {
        let cluster = all_presets(cni);
        for definition in definitions(&cluster, &facts(&cluster)) {
            golden(&format!("addons/{}.yaml", definition.name), text(&definition));
        }
    }
    // Where there are several control planes, controllers are too.
    assert_eq!(values(&three, "cilium")["operator"]["replicas"], 2);
    assert_eq!(values(&example("minimal"), "cilium")["operator"]["replicas"], 1);
}

#[test]
fn the_cloud_controller_and_the_network_come_first_and_the_rest_in_the_order_of_the_spec() {
    let network = |cni| names(&all_presets(cni))[..3].join(" ");
    assert_eq!(network(Cni::Cilium), "aws-cloud-controller-manager cilium metrics-server");
    assert_eq!(network(Cni::Calico), "aws-cloud-controller-manager calico metrics-server");
    assert_eq!(network(Cni::Flannel), "aws-cloud-controller-manager flannel metrics-server");
    assert_eq!(network(Cni::None), "aws-cloud-controller-manager metrics-server aws-ebs-csi-driver");
    let listed = ["metrics-server", "cluster-autoscaler", "nvidia-device-plugin", "kubeflow"];
    assert_eq!(names(&example("ml-spot-gpu"))[2..], listed);
}

#[test]
fn manifests_are_objects_and_values_are_mappings() {
    for cluster in EXAMPLES.map(example).into_iter().chain([all_presets(Cni::Flannel), all_presets(Cni::Cilium)]) {
        for definition in definitions(&cluster, &facts(&cluster)) {
            match definition.chart {
                None => check_manifest(&definition.name, text(&definition)).unwrap_or_else(|found| panic!("{found}")),
                Some(_) => assert!(read(&definition).iter().all(Json::is_object), "{}", definition.name),
            }
        }
    }
}

/// Instance metadata is one hop away from the host, and two from a pod.
#[test]
fn what_needs_credentials_stands_on_the_network_of_a_control_plane() {
    let cluster = all_presets(Cni::Cilium);
    for name in ["cluster-autoscaler", "aws-load-balancer-controller"] {
        let values = values(&cluster, name);
        assert_eq!(values["hostNetwork"], true, "{name}");
        assert_eq!(values["nodeSelector"]["node-role.kubernetes.io/control-plane"], "", "{name}");
        assert_eq!(values["tolerations"][0]["key"], "node-role.kubernetes.io/control-plane", "{name}");
    }
    let controller = &values(&cluster, "aws-ebs-csi-driver")["controller"];
    assert_eq!(controller["nodeSelector"]["node-role.kubernetes.io/control-plane"], "");
    let network = values(&cluster, "aws-ebs-csi-driver-network");
    assert_eq!(network["spec"]["template"]["spec"]["hostNetwork"], true);
    let place = |name: &str| names(&cluster).iter().position(|known| known == name).unwrap();
    assert_eq!(place("aws-ebs-csi-driver-network"), place("aws-ebs-csi-driver") + 1, "the chart makes what is changed");
}

#[test]
fn versions_follow_kubernetes() {
    let image = |minor| {
        let mut cluster = example("minimal");
        cluster.kubernetes_version.minor = minor;
        let controller = definitions(&cluster, &facts(&cluster)).remove(0);
        let daemon_set = read(&controller).into_iter().find(|object| object["kind"] == "DaemonSet").unwrap();
        daemon_set["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().rsplit(':').next().unwrap().to_owned()
    };
    assert_eq!([35, 36, 37].map(image), ["v1.35.0", "v1.36.0", "v1.36.0"]);
}

#[test]
fn gpu_nodes_are_found_by_their_group() {
    let affinity = |cluster: &Cluster| values(cluster, "nvidia-device-plugin").get("affinity").map(ToString::to_string);
    let mut cluster = all_presets(Cni::Cilium);
    assert!(affinity(&cluster).unwrap().contains(r#""key":"kclust.dev/group","operator":"In","values":["gpu"]"#));
    cluster.node_groups.retain(|group| group.gpu.is_none());
    assert_eq!(affinity(&cluster), None);
}

#[test]
fn addons_of_the_user_are_applied_as_they_are() {
    let mut cluster = example("minimal");
    let chart = |values: Option<&str>| Addon::Chart {
        name: "chart".into(),
        namespace: "ns".into(),
        repository: "https://charts.example.com".into(),
        chart: "thing".into(),
        version: "1.2.3".into(),
        values: values.map(str::to_owned),
    };
    cluster.addons = vec![Addon::Manifest { name: "own".into(), source: "own.yaml".into(), sha256: None }, chart(None)];
    let mut facts = facts(&cluster);
    let mut manifest =
        ResolvedManifest { source: "own.yaml".into(), pinned: None, sha256: "a".repeat(64), content: Some("kind: A\n".into()) };
    facts.manifests = BTreeMap::from([("own".to_owned(), manifest.clone())]);
    let known = definitions(&cluster, &facts);
    assert_eq!(known[2].content, Content::Text("kind: A\n".into()));
    assert_eq!(known[3].content, Content::Text("{}\n".into()));
    assert_eq!(known[3].chart.as_ref().unwrap().namespace, "ns");
    // Not read again, but known by its digest.
    manifest.content = None;
    facts.manifests.insert("own".to_owned(), manifest);
    assert_eq!(definitions(&cluster, &facts)[2].content, Content::Recorded { sha256: "a".repeat(64) });
    cluster.addons = vec![chart(Some("a: 1\n"))];
    assert_eq!(definitions(&cluster, &facts)[2].content, Content::Text("a: 1\n".into()));
}
