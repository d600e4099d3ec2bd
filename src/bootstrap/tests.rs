//! What nodes are given, for each example spec. Goldens lie in `tests/golden/bootstrap/`; `UPDATE_GOLDEN=1` writes them; read the
//! difference before keeping it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::tool_tests::run;
use super::*;
use crate::cloud::facts::StateLocation;
use crate::spec::{Assets, ClusterName};

pub(super) const EXAMPLES: [&str; 4] = ["minimal", "ha-private", "existing-vpc", "ml-spot-gpu"];

/// `DESIGN.md` of user-data: most bytes after compression.
const WORKER_BUDGET: usize = 8 * 1024;
const SLOT_BUDGET: usize = 14 * 1024;

pub(super) fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(super) fn example(name: &str) -> Cluster {
    let file = format!("examples/{name}.yaml");
    let text = std::fs::read_to_string(root(&file)).unwrap();
    crate::spec::load(&file, &text).unwrap_or_else(|_| panic!("{file} is valid"))
}

pub(super) fn facts(cluster: &Cluster) -> Facts {
    let address = |index: u8| Ipv4Addr::new(10, 0, 32 * index, 10);
    Facts {
        account: "123456789012".into(),
        partition: "aws".into(),
        cluster_uid: "0123456789abcdef0123456789abcdef".into(),
        images: BTreeMap::new(),
        instance_types: BTreeMap::new(),
        hosted_zone: None,
        network: None,
        manifests: BTreeMap::new(),
        user_tags: Default::default(),
        slot_addresses: cluster.slots().into_iter().map(|slot| (slot.name, address(slot.index))).collect(),
        state: StateLocation {
            bucket: "kclust-state".into(),
            prefix: format!("team/{}", cluster.name),
            region: cluster.region.to_string(),
        },
    }
}

/// User-data of all slots and node groups, with their names.
pub(super) fn all_user_data(cluster: &Cluster) -> Vec<(String, crate::model::UserData, usize)> {
    let facts = facts(cluster);
    let boot = boot_program(cluster);
    let slots =
        cluster.slots().into_iter().map(|slot| (slot.name.clone(), slot_user_data(cluster, &facts, &slot, &boot), SLOT_BUDGET));
    let groups = cluster
        .node_groups
        .iter()
        .map(|group| (group.name.to_string(), worker_user_data(cluster, &facts, group, &boot), WORKER_BUDGET));
    slots.chain(groups).collect()
}

fn golden(name: &str, content: &str) {
    let path = root("tests/golden/bootstrap").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(content == wanted, "{} differs; UPDATE_GOLDEN=1 writes it anew:\n{content}", path.display());
}

/// Documents of a YAML stream.
pub(super) fn documents(text: &str) -> Vec<serde_json::Value> {
    serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

pub(super) fn document(text: &str, kind: &str) -> serde_json::Value {
    documents(text).into_iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in\n{text}"))
}

/// Content of the file that a script writes with `put MODE PATH <<'KCLUST_END'`.
pub(super) fn written_file<'a>(script: &'a str, path: &str) -> &'a str {
    written_files(script).iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path} is not written")).content
}

/// A file that a script writes so.
pub(super) struct Written<'a> {
    pub mode: &'a str,
    pub path: &'a str,
    pub content: &'a str,
}

/// All files that a script writes so.
pub(super) fn written_files(script: &str) -> Vec<Written<'_>> {
    const BEGIN: &str = "' <<'KCLUST_END'\n";
    let files = script.match_indices(BEGIN).map(|(at, _)| {
        let (before, path) = script[..at].rsplit_once('\'').unwrap();
        let mode = before.trim_end().rsplit_once(' ').unwrap().1;
        Written { mode, path, content: script[at + BEGIN.len()..].split_once("KCLUST_END\n").unwrap().0 }
    });
    files.collect()
}

#[test]
fn what_nodes_are_given_is_what_it_was() {
    for name in EXAMPLES {
        let cluster = example(name);
        let boot = boot_program(&cluster);
        for (path, content) in all_artefacts(&cluster, &facts(&cluster)) {
            if path != boot.key {
                // Otherwise every change of the boot program would be one of every golden.
                golden(&format!("{name}/{path}"), &content.replace(&boot.sha256, "SHA256-OF-THE-BOOT-PROGRAM"));
            }
        }
    }
}

#[test]
fn the_boot_program_is_what_it_was() {
    let cluster = example("minimal");
    golden("boot.sh", &boot_program(&cluster).content.unwrap());
}

#[test]
fn artefacts_have_names_of_their_own_and_include_the_boot_program() {
    let cluster = example("ml-spot-gpu");
    let artefacts = all_artefacts(&cluster, &facts(&cluster));
    let paths: std::collections::BTreeSet<_> = artefacts.iter().map(|(path, _)| path).collect();
    assert_eq!(paths.len(), artefacts.len());
    assert_eq!(artefacts.len(), 2 * (1 + 4) + 1);
    assert!(paths.iter().any(|path| path.starts_with("bootstrap/boot-")));
}

#[test]
fn user_data_fits_its_budget_even_with_long_names_and_seven_slots() {
    let mut largest = example("ha-private");
    largest.control_plane.replicas = 7;
    largest.name = ClusterName::parse(format!("{}.{}", "n".repeat(40), "example".repeat(3))).unwrap();
    for cluster in EXAMPLES.map(example).iter().chain([&largest]) {
        for (node, user_data, budget) in all_user_data(cluster) {
            let size = compress(&user_data.text).len();
            println!("{} {node}: {size} bytes of {} compressed", cluster.name, user_data.text.len());
            assert!(size < budget && budget < LIMIT, "{} {node} has {size} bytes", cluster.name);
        }
    }
}

#[test]
fn no_secret_is_in_what_anybody_can_read() {
    for name in EXAMPLES {
        let cluster = example(name);
        for (path, content) in all_artefacts(&cluster, &facts(&cluster)) {
            for word in ["PRIVATE KEY", "BEGIN CERTIFICATE", "client-key-data", "aws_secret_access_key", "password"] {
                assert!(!content.contains(word), "{name} {path} contains {word}");
            }
        }
    }
}

#[test]
fn the_load_balancers_name_stands_in_user_data_only_and_only_without_a_zone() {
    for name in EXAMPLES {
        let cluster = example(name);
        let boot = boot_program(&cluster).content.unwrap();
        assert!(!boot.contains(crate::model::UserData::API_NAME));
        for (node, user_data, _) in all_user_data(&cluster) {
            let own_name = cluster.dns.is_none();
            assert_eq!(own_name, name == "minimal");
            assert_eq!(user_data.text.contains(crate::model::UserData::API_NAME), own_name, "{name} {node}");
            assert_eq!(user_data.api_name_of.is_some(), own_name, "{name} {node}");
            let named = with_api_name(&user_data.text, "api-1234.elb.us-east-1.amazonaws.com");
            assert!(!named.contains(crate::model::UserData::API_NAME));
        }
    }
}

#[test]
fn no_two_functions_of_the_boot_program_have_one_name() {
    let cluster = example("minimal");
    let program = format!("{}{}", boot_program(&cluster).content.unwrap(), include_str!("../../templates/aws.sh"));
    let names: Vec<_> = program.lines().filter_map(|line| line.split_once("() {")).map(|(name, _)| name).collect();
    let unique: std::collections::BTreeSet<_> = names.iter().collect();
    assert!(names.len() > 50 && names.len() == unique.len(), "{names:?}");
}

#[test]
fn the_boot_programs_key_holds_its_hash() {
    let cluster = example("minimal");
    let boot = boot_program(&cluster);
    assert_eq!(boot, boot_program(&cluster));
    assert_eq!(boot.key, format!("bootstrap/boot-{}.sh", boot.sha256));
    if let Some((_, output)) = run("sha256sum", &[], boot.content.as_deref().unwrap().as_bytes()) {
        assert!(output.starts_with(&boot.sha256), "{output}");
    }
    let (_, user_data, _) = all_user_data(&cluster).remove(0);
    assert!(user_data.text.contains(&format!("BOOT_KEY='{}'", boot.key)));
    assert!(user_data.text.contains(&format!("BOOT_SHA256='{}'", boot.sha256)));
}

#[test]
fn compression_can_be_undone_and_is_always_the_same() {
    let text = "#cloud-boothook\n".repeat(1000);
    assert_eq!(decompress(&compress(&text)).as_deref(), Some(text.as_str()));
    assert_eq!(compress(&text), compress(&text));
    // The time stamp of RFC 1952.
    assert_eq!(compress(&text)[4..8], [0; 4]);
    assert_eq!(decompress(b"#!/bin/bash\n"), None);
    assert_eq!(decompress(&compress(&"x".repeat(2 << 20))), None);
}

#[test]
fn certificates_name_the_api_and_every_slot() {
    let cluster = example("ha-private");
    let text = kubeadm::cluster_configuration(&cluster, &facts(&cluster));
    let configuration = document(&text, "ClusterConfiguration");
    let names: Vec<_> =
        configuration["apiServer"]["certSANs"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for name in ["api.prod.example.com", "127.0.0.1", "172.20.0.1", "10.0.0.10", "10.0.32.10", "10.0.64.10"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert_eq!(configuration["controlPlaneEndpoint"], "api.prod.example.com:6443");
    assert_eq!(configuration["kubernetesVersion"], "v1.36.2");
    assert_eq!(document(&text, "KubeletConfiguration")["clusterDNS"][0], "172.20.0.10");
}

#[test]
fn what_all_slots_share_is_the_same_for_all_and_has_nothing_of_an_instance() {
    let cluster = example("ha-private");
    let shared: std::collections::BTreeSet<_> = all_user_data(&cluster)
        .iter()
        .filter(|(node, ..)| node.starts_with("cp-"))
        .map(|(_, user_data, _)| written_file(&user_data.text, "/etc/kclust/cluster.yaml").to_owned())
        .collect();
    assert_eq!(shared.len(), 1);
    assert!(!shared.first().unwrap().contains('@'));
    // One-shot flags of etcd would be uploaded with it.
    assert!(!shared.first().unwrap().contains("initial-cluster"));
}

#[test]
fn labels_and_taints_of_a_group_reach_kubeadm() {
    let cluster = example("ml-spot-gpu");
    let group = |name: &str| cluster.node_groups.iter().find(|group| group.name.as_str() == name).unwrap();
    let registration =
        |name: &str| document(&kubeadm::join_configuration(group(name)), "JoinConfiguration")["nodeRegistration"].clone();
    let spot = registration("spot");
    assert_eq!(spot["taints"], serde_json::json!([{"key": "capacity", "value": "spot", "effect": "NoSchedule"}]));
    let labels = spot["kubeletExtraArgs"].as_array().unwrap().iter().find(|argument| argument["name"] == "node-labels").unwrap();
    assert_eq!(labels["value"], "kclust.dev/group=spot,capacity=spot");
    assert_eq!(registration("gpu")["taints"], serde_json::json!([{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]));
    // Not null: kubeadm would then put its own taints there.
    assert_eq!(registration("general")["taints"], serde_json::json!([]));
}

#[test]
fn values_that_look_like_something_else_stay_strings() {
    let mut cluster = example("minimal");
    let group = &mut cluster.node_groups[0];
    group.labels = BTreeMap::from([("a".into(), "true".into()), ("b".into(), "1e3".into())]);
    group.taints =
        vec![crate::spec::Taint { key: "n".into(), value: Some("0".into()), effect: crate::spec::TaintEffect::NoExecute }];
    let registration = document(&kubeadm::join_configuration(group), "JoinConfiguration")["nodeRegistration"].clone();
    assert_eq!(registration["taints"][0]["value"], "0");
    assert_eq!(registration["taints"][0]["key"], "n");
}

#[test]
fn all_documents_on_a_node_are_well_formed() {
    let mut cluster = example("minimal");
    cluster.assets = assets();
    let boot = boot_program(&cluster).content.unwrap();
    for name in ["admission", "audit-policy", "authentication"] {
        assert_eq!(documents(written_file(&boot, &format!("/etc/kubernetes/apiserver/{name}.yaml"))).len(), 1);
    }
    // The group of the binding is the one that kclust writes into certificates.
    let binding = document(written_file(&boot, "/etc/kclust/admins.yaml"), "ClusterRoleBinding");
    assert_eq!(binding["subjects"][0]["name"], crate::pki::ADMINS);
    assert_eq!(binding["roleRef"]["name"], "cluster-admin");
    for name in EXAMPLES {
        let cluster = example(name);
        for (path, content) in all_artefacts(&cluster, &facts(&cluster)) {
            if path.ends_with("/kubeadm.yaml") {
                assert!(documents(&content).iter().all(|document| document["apiVersion"].is_string()), "{name} {path}");
            }
        }
    }
}

pub(super) fn assets() -> Assets {
    Assets {
        files: Some("https://mirror.example.com/files/".into()),
        registries: BTreeMap::from([
            ("registry.k8s.io".into(), vec!["https://mirror.example.com".into(), "https://other.example.com/v2/k8s".into()]),
            ("docker.io".into(), vec!["https://mirror.example.com/".into()]),
        ]),
        s3_endpoint: Some("http://s3.example.com:9000/".into()),
    }
}

#[test]
fn mirrors_of_the_spec_are_used() {
    let mut cluster = example("minimal");
    cluster.assets = assets();
    let boot = boot_program(&cluster).content.unwrap();
    assert!(boot.contains("FILES_URL='https://mirror.example.com/files'\n"));
    // A mirror's own checksums count.
    assert!(!boot.contains("[kubelet-amd64]="));
    golden("mirrors/registry.k8s.io.toml", written_file(&boot, "/etc/containerd/certs.d/registry.k8s.io/hosts.toml"));
    golden("mirrors/docker.io.toml", written_file(&boot, "/etc/containerd/certs.d/docker.io/hosts.toml"));
    for (_, user_data, _) in all_user_data(&cluster) {
        assert!(user_data.text.contains("S3_URL='http://s3.example.com:9000/kclust-state'\n"));
    }
}

#[test]
fn s3_is_addressed_by_virtual_host_where_the_certificate_allows_it() {
    let cluster = example("minimal");
    let url = |bucket: &str, partition: &str| {
        let mut facts = facts(&cluster);
        facts.state.bucket = bucket.into();
        facts.partition = partition.into();
        let boot = boot_program(&cluster);
        let text = slot_user_data(&cluster, &facts, &cluster.slots()[0], &boot).text;
        text.lines().find_map(|line| line.strip_prefix("S3_URL=")).unwrap().to_owned()
    };
    assert_eq!(url("state", "aws"), "'https://state.s3.us-east-1.amazonaws.com'");
    assert_eq!(url("state.example.com", "aws"), "'https://s3.us-east-1.amazonaws.com/state.example.com'");
    assert_eq!(url("state", "aws-cn"), "'https://state.s3.us-east-1.amazonaws.com.cn'");
}
