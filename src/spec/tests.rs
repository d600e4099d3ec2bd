//! The room as its users see it: documents in, clusters or diagnostics out. Files under `tests/golden/spec` are rewritten with
//! `UPDATE_GOLDEN=1`; read the difference before keeping it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;
use proptest::prelude::*;

use super::*;

const EXAMPLES: [&str; 4] = ["minimal", "ha-private", "ml-spot-gpu", "existing-vpc"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn example(name: &str) -> String {
    fs::read_to_string(root().join(format!("examples/{name}.yaml"))).unwrap()
}

fn loaded(text: &str) -> Cluster {
    load("test.yaml", text).unwrap_or_else(|found| panic!("{}", found.render(false)))
}

/// The messages of what is wrong with `text`.
fn messages(text: &str) -> Vec<String> {
    match load("test.yaml", text) {
        Ok(_) => Vec::new(),
        Err(found) => found.iter().map(|finding| finding.message.clone()).collect(),
    }
}

/// `minimal.yaml` with further lines of `spec`.
fn minimal_with(lines: &str) -> String {
    let indented: String = lines.lines().map(|line| format!("  {line}\n")).collect();
    format!("{}{indented}", example("minimal"))
}

/// Compares `actual` with the file, or rewrites the file when asked to.
fn assert_golden(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(expected == actual, "{} differs; it would be:\n{actual}", path.display());
}

#[test]
fn bad_documents_read_well() {
    let folder = root().join("tests/golden/spec/bad");
    let mut cases: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    cases.sort();
    assert!(cases.len() >= 20, "only {} cases", cases.len());
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap();
        let Err(found) = load_bytes(name, &fs::read(&case).unwrap()) else { panic!("{name} was accepted") };
        assert_golden(&case.with_extension("txt"), &found.render(false));
    }
}

#[test]
fn the_schema_is_the_recorded_one() {
    let schema = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    assert_golden(&root().join("tests/golden/spec/schema.json"), &schema);
}

#[test]
fn the_schema_forbids_unknown_keys_everywhere() {
    fn objects<'a>(schema: &'a serde_json::Value, into: &mut Vec<&'a serde_json::Value>) {
        if schema.get("properties").is_some_and(serde_json::Value::is_object) && schema["type"] == "object" {
            into.push(schema);
        }
        match schema {
            serde_json::Value::Object(map) => map.values().for_each(|value| objects(value, into)),
            serde_json::Value::Array(items) => items.iter().for_each(|value| objects(value, into)),
            _ => {}
        }
    }
    let schema = json_schema();
    let mut found = Vec::new();
    objects(&schema, &mut found);
    assert!(found.len() > 12);
    for object in found {
        assert_eq!(object["additionalProperties"], false, "{object:#}");
    }
    assert!(!schema.to_string().contains("null"));
}

#[test]
fn the_defaults_mean_what_the_document_says() {
    let cluster = loaded(&example("minimal"));
    let yaml = to_yaml(&cluster);
    assert_golden(&root().join("tests/golden/spec/minimal-with-defaults.yaml"), &yaml);
    assert_eq!(cluster.control_plane.replicas, 1);
    assert_eq!(cluster.kubernetes_version.to_string(), defaults::KUBERNETES_VERSION);
    let nodes = 1u32 << (24 - cluster.network.pod_cidr.prefix_len());
    assert!(nodes >= 5_000, "the default pod range has room for {nodes} nodes");
    let ranges: Vec<Ipv4Net> =
        [defaults::VPC_CIDR, defaults::POD_CIDR, defaults::SERVICE_CIDR].iter().map(|text| text.parse().unwrap()).collect();
    for (index, range) in ranges.iter().enumerate() {
        assert!(ranges[..index].iter().all(|other| !range.contains(other) && !other.contains(range)), "{range}");
    }
}

#[test]
fn examples_survive_the_way_through_the_canonical_document() {
    for name in EXAMPLES {
        let cluster = loaded(&example(name));
        let yaml = to_yaml(&cluster);
        assert_eq!(loaded(&yaml), cluster, "{name}:\n{yaml}");
        assert_eq!(to_yaml(&loaded(&yaml)), yaml, "{name}");
    }
}

#[test]
fn every_kind_of_value_survives_the_way_through_the_canonical_document() {
    let text = minimal_with(
        r#"kubernetesVersion: v1.37
tags: {"on": "yes", a: "1.0", b: "null", c: "", d: "x: y", e: " = "}
ssh:
  publicKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHD5yCDcbrladm4uCu4FXhHJrmMsjGG/vgltnsnz2i4g a  b
iam: {nodeProfile: "arn:aws:iam::123456789012:instance-profile/a/b"}
controlPlane:
  replicas: 5
  image: ssm:/aws/service/canonical/ubuntu
  rootVolume: {sizeGiB: 100, type: io2, iops: 5000}
  etcdVolume: {iops: 6000, throughput: 500}
addons:
  - {name: own, manifest: ./own.yaml}
  - {name: other, manifest: "https://example.com/a.yaml", sha256: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
  - name: charted
    chart: charted
    repository: oci://example.com/charts
    version: v1.2.3
    namespace: other
    values: |
      # kept
      a: {b: [1, true]}
  - name: kubeflow
backups: {interval: 30m, retention: 90m}
assets:
  files: http://mirror:8080/x
  registries: {registry.k8s.io: ["https://a.example.com", "http://b:5000/k8s"], "docker.io": ["https://a.example.com"]}
  s3Endpoint: http://127.0.0.1:9000"#,
    );
    let cluster = loaded(&text);
    assert_eq!(cluster.tags["on"], "yes");
    assert_eq!(cluster.kubernetes_version.to_string(), "1.37.1");
    assert_eq!(cluster.addons.len(), 4);
    assert_eq!((cluster.backups.interval.seconds(), cluster.backups.retention.seconds()), (1800, 5400));
    assert_eq!(loaded(&to_yaml(&cluster)), cluster, "{}", to_yaml(&cluster));
}

#[test]
fn flags_mean_the_same_as_a_file() {
    let flags = CreateFlags { name: Some("dev.k8s.local".into()), zones: vec!["us-east-1a".into()], ..Default::default() };
    assert_eq!(load(FLAGS, &flags.to_document()).unwrap(), loaded(&example("minimal")));
}

#[test]
fn every_flag_reaches_the_cluster() {
    let text = |text: &str| Some(text.to_owned());
    let flags = CreateFlags {
        name: text("prod.example.com"),
        region: text("us-east-1"),
        zones: ["us-east-1a", "us-east-1b", "us-east-1c"].map(Into::into).into(),
        kubernetes_version: text("1.36.2"),
        topology: text("private"),
        cidr: text("10.20.0.0/16"),
        nat: text("single"),
        cni: text("calico"),
        endpoint: text("dns"),
        scheme: text("internal"),
        api_allowed_cidrs: vec!["10.0.0.0/8".into()],
        dns_zone: text("example.com"),
        dns_visibility: text("private"),
        ssh_public_key: text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHD5yCDcbrladm4uCu4FXhHJrmMsjGG/vgltnsnz2i4g"),
        control_plane_replicas: Some(5),
        control_plane_type: text("m6i.large"),
        node_type: vec!["m5.large".into(), "m6i.large".into()],
        node_min: Some(1),
        node_max: Some(9),
        tags: vec![("team: a".into(), "#1 \"x\"".into())],
    };
    let found = load(FLAGS, &flags.to_document()).unwrap_err();
    assert_eq!(found.errors(), 1, "{found}");
    assert!(found.render(false).contains("# --tag"), "{found}");

    let cluster = load(FLAGS, &CreateFlags { tags: vec![("team: a".into(), "1 : x".into())], ..flags }.to_document()).unwrap();
    let file = loaded(
        r#"
apiVersion: kclust.dev/v1alpha1
kind: Cluster
metadata: {name: prod.example.com}
spec:
  kubernetesVersion: 1.36.2
  tags: {"team: a": "1 : x"}
  network: {zones: [us-east-1a, us-east-1b, us-east-1c], topology: private, cidr: 10.20.0.0/16, nat: single, cni: calico}
  api: {endpoint: dns, scheme: internal, allowedCIDRs: [10.0.0.0/8]}
  dns: {zone: example.com, visibility: private}
  ssh: {publicKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHD5yCDcbrladm4uCu4FXhHJrmMsjGG/vgltnsnz2i4g}
  controlPlane: {replicas: 5, instanceType: m6i.large}
  nodeGroups: [{name: workers, minSize: 1, maxSize: 9, instanceTypes: [m5.large, m6i.large]}]
"#,
    );
    assert_eq!(cluster, file);
}

#[test]
fn wrong_flags_are_named() {
    let found = load(FLAGS, &CreateFlags::default().to_document()).unwrap_err();
    assert_golden(&root().join("tests/golden/spec/flags-none.txt"), &found.render(false));
    let flags = CreateFlags {
        name: Some("dev.k8s.local".into()),
        zones: vec!["us-east-1a".into(), "us-west-2a".into()],
        topology: Some("privat".into()),
        node_type: vec!["m6i.lrage".into()],
        control_plane_replicas: Some(2),
        ..Default::default()
    };
    let found = load(FLAGS, &flags.to_document()).unwrap_err();
    assert_golden(&root().join("tests/golden/spec/flags-wrong.txt"), &found.render(false));
}

#[test]
fn defaults_follow_from_what_is_given() {
    let spec = |network: &str, rest: &str| {
        loaded(&format!(
            "apiVersion: kclust.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: a.example.com}}\nspec:\n  network: {network}\n{rest}"
        ))
    };
    let dns = "  dns: {zone: example.com}\n  api: {endpoint: dns}\n";
    assert_eq!(spec("{zones: [us-east-1a, us-east-1b]}", "").control_plane.replicas, 1);
    assert_eq!(spec("{zones: [us-east-1a, us-east-1b, us-east-1c]}", "").control_plane.replicas, 3);
    assert_eq!(spec("{zones: [us-east-1a], topology: private}", "").api.scheme, Scheme::Public);
    assert_eq!(spec("{zones: [us-east-1a], topology: private}", dns).api.scheme, Scheme::Internal);
    assert_eq!(spec("{zones: [us-east-1a]}", dns).api.scheme, Scheme::Public);
    assert_eq!(spec("{zones: [eu-north-1b]}", "").region.as_str(), "eu-north-1");
    assert_eq!(spec("{zones: [us-east-1a]}", "  nodeGroups: []\n").node_groups, []);
    let sizes = |group: &str| {
        let cluster = spec("{zones: [us-east-1a]}", &format!("  nodeGroups: [{group}]\n"));
        (cluster.node_groups[0].min_size, cluster.node_groups[0].max_size)
    };
    assert_eq!(sizes("{name: a}"), (2, 2));
    assert_eq!(sizes("{name: a, minSize: 4}"), (4, 4));
    assert_eq!(sizes("{name: a, maxSize: 7}"), (2, 7));
    assert_eq!(sizes("{name: a, maxSize: 1}"), (1, 1));
    assert_eq!(sizes("{name: a, maxSize: 0}"), (0, 0));
}

#[test]
fn versions_are_read_however_they_are_written() {
    let version = |text: &str| loaded(&minimal_with(&format!("kubernetesVersion: {text}"))).kubernetes_version.to_string();
    assert_eq!(version("1.36"), "1.36.4");
    assert_eq!(version("\"1.35\""), "1.35.8");
    assert_eq!(version("v1.37"), "1.37.1");
    assert_eq!(version("1.36.2"), "1.36.2");
    assert_eq!(version("v1.36.99"), "1.36.99");
    for wrong in ["1", "1.34", "1.38.0", "2.36", "1.36.1.1", "1.036", "latest", "1.36.0-rc.1", "1.3e1"] {
        assert_eq!(messages(&minimal_with(&format!("kubernetesVersion: {wrong}"))).len(), 1, "{wrong}");
    }
}

#[test]
fn architectures_follow_from_names() {
    let of = |text: &str| Architecture::of(&InstanceType::parse(text).unwrap());
    for arm in [
        "a1.large",
        "m6g.large",
        "m7gd.large",
        "c6gn.large",
        "c7gn.16xlarge",
        "t4g.nano",
        "x2gd.metal",
        "im4gn.large",
        "is4gen.medium",
        "i4g.large",
        "g5g.xlarge",
        "hpc7g.4xlarge",
        "r8g.metal-48xl",
        "x8g.large",
        "p6e-gb200.36xlarge",
    ] {
        assert_eq!(of(arm), Architecture::Arm64, "{arm}");
    }
    for x86 in [
        "t3.large",
        "m6i.large",
        "m6a.large",
        "g4dn.xlarge",
        "g4ad.xlarge",
        "g5.xlarge",
        "g6e.xlarge",
        "gr6.4xlarge",
        "p4d.24xlarge",
        "p6-b200.48xlarge",
        "u-6tb1.metal",
        "u7in-16tb.224xlarge",
        "c7i-flex.large",
        "trn1.2xlarge",
        "inf2.xlarge",
        "z1d.large",
        "x2iedn.xlarge",
        "hpc6id.32xlarge",
    ] {
        assert_eq!(of(x86), Architecture::X86_64, "{x86}");
    }
}

#[test]
fn warnings_do_not_refuse() {
    let text = example("minimal").replace("zones: [us-east-1a]", "{zones: [us-east-1a], cidr: 198.51.0.0/16}");
    let text = text.replace("network:\n    {", "network: {");
    let (cluster, warnings) = load_with_warnings("f.yaml", &text).unwrap();
    assert!(matches!(cluster.network.vpc, Vpc::Managed { cidr, .. } if cidr.to_string() == "198.51.0.0/16"));
    assert_eq!((warnings.errors(), warnings.iter().count()), (0, 1));
    assert!(load_with_warnings("f.yaml", &example("ha-private")).unwrap().1.is_empty());
}

#[test]
fn aliases_repeat_what_they_name() {
    let text = "spec: &a 1\n";
    assert!(!messages(text).is_empty());
    let text = example("minimal").replace("[t3.large]", "&types [t3.large]") + "    - name: more\n      instanceTypes: *types\n";
    assert_eq!(loaded(&text).node_groups[1].instance_types, loaded(&text).node_groups[0].instance_types);
}

#[test]
fn nested_aliases_do_not_grow_without_bound() {
    let mut text = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        text += &format!("b{level}: &a{level} [{items}]\n");
    }
    assert!(messages(&text)[0].contains("too large"));
}

#[test]
fn one_cause_is_reported_once() {
    let once = |lines: &str| assert_eq!(messages(&minimal_with(lines)).len(), 1, "{:#?}", messages(&minimal_with(lines)));
    once("dns: example.com\napi: {endpoint: dns}");
    once("dns: {Zone: k8s.local}\napi: {endpoint: dns}");
    once("dns:\napi: {endpoint: dns}");
    once("addons: [metrics-server]");
    once("controlPlane: {replicas: 3, etcdVolume: 20}");
    once("kubernetesVersion: [1.36]");
    let text = example("minimal");
    assert_eq!(messages(&text.replace("zones: [us-east-1a]", "zones: us-east-1a")).len(), 1);
    assert_eq!(messages(&text.replace("name: dev.k8s.local", "nam: dev.k8s.local")).len(), 1);
    assert_eq!(messages(&text.replace("us-east-1a", "us-east-1")).len(), 1);
    assert_eq!(messages(&text.replace("region: us-east-1", "region: us-east")).len(), 1);
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let utf16: Vec<u8> = "apiVersion: x".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(load_bytes("f", &utf16).unwrap_err().render(false).contains("zero byte"));
    let found = load_bytes("f", b"apiVersion: x\nkind: \xff\n").unwrap_err();
    assert!(found.render(false).contains("f:2:7"), "{found}");
    let marked = format!("\u{feff}{}", example("minimal"));
    assert_eq!(load_bytes("f", marked.as_bytes()).unwrap().0, loaded(&example("minimal")));
}

#[test]
fn windows_line_ends_are_read() {
    assert_eq!(loaded(&example("ha-private").replace('\n', "\r\n")), loaded(&example("ha-private")));
}

#[test]
fn no_rendering_shows_a_private_key() {
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----";
    let block = |indent: &str| key.replace('\n', &format!("\n{indent}"));
    let documents = [
        minimal_with(&format!("ssh:\n  publicKey: |\n    {}", block("    "))),
        minimal_with(&format!("ssh:\n  publicKey: \"{}\"", key.replace('\n', "\\n"))),
        minimal_with(&format!("ssh:\n  publicKey: {}", block(" "))),
        minimal_with(&format!("ssh:\n  publickey: |\n    {}", block("    "))),
        minimal_with(&format!("ssh:\n  publicKey: [\"{}\"]", key.replace('\n', " "))),
        minimal_with(&format!("controlPlane:\n  replicas: |\n    {}", block("    "))),
        minimal_with(&format!("{}: 1", key.replace('\n', ""))),
        key.to_owned(),
    ];
    for text in documents {
        let shown = load("f.yaml", &text).unwrap_err().render(true);
        assert!(!shown.contains("c2VjcmV0"), "{shown}");
    }
}

/// Every line of a valid document is broken in turn: no document may panic, and each finding lies inside the text.
#[test]
fn broken_documents_are_answered() {
    for name in EXAMPLES {
        let text = example(name);
        let lines: Vec<&str> = text.lines().collect();
        for index in 0..lines.len() {
            for broken in ["", "  x", "- x", "\t", "x: [", "      - {a: b}", "spec: ~", "'"] {
                let mut changed = lines.clone();
                changed[index] = broken;
                let changed = changed.join("\n");
                if let Err(found) = load("f.yaml", &changed) {
                    assert!(found.errors() > 0, "{changed}");
                    assert!(found.iter().all(|finding| finding.span.end <= changed.len()), "{changed}");
                    assert!(!found.render(false).contains("error in kclust"), "{changed}");
                    assert!(!found.render(false).contains("cannot be read"), "{changed}\n{found}");
                }
            }
        }
    }
}

#[test]
fn every_value_of_the_wrong_type_is_found_where_it_stands() {
    let text = to_yaml(&loaded(&example("ha-private")));
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let Some((key, _)) = line.split_once(": ") else { continue };
        let mut changed = lines.clone();
        let replaced = format!("{key}: {{x: [1]}}");
        changed[index] = &replaced;
        let changed = changed.join("\n");
        let found = load("f.yaml", &changed).unwrap_err();
        let first: BTreeSet<usize> = found.iter().map(|finding| found.position(finding).0).collect();
        assert!(first.contains(&(index + 1)), "{replaced}\n{found}");
    }
}

fn zones(count: usize) -> Vec<Zone> {
    (0..count).map(|index| Zone::parse(format!("us-east-1{}", char::from(b'a' + index as u8))).unwrap()).collect()
}

fn topology() -> impl Strategy<Value = Topology> {
    prop_oneof![Just(Topology::Public), Just(Topology::Private)]
}

fn plain_text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 _.:/=+@~-]{0,20}"
}

proptest! {
    #[test]
    fn subnets_are_inside_disjoint_and_stay_where_they_are(
        address in any::<u32>(), prefix in 16u8..=22, count in 1usize..=MAX_ZONES, topology in topology(),
    ) {
        let cidr = Ipv4Net::new(address.into(), prefix).unwrap().trunc();
        let all = carve(cidr, &zones(count), topology);
        prop_assert_eq!(all.len(), count * if topology == Topology::Private { 2 } else { 1 });
        for (index, (_, _, subnet)) in all.iter().enumerate() {
            prop_assert!(cidr.contains(subnet) && subnet.trunc() == *subnet && subnet.prefix_len() <= 28);
            for (_, _, other) in &all[..index] {
                prop_assert!(!subnet.contains(other) && !other.contains(subnet));
            }
        }
        let fewer = carve(cidr, &zones(count - 1), topology);
        prop_assert_eq!(&all[..fewer.len()], fewer.as_slice());
    }

    #[test]
    fn tags_and_labels_survive_the_canonical_document(
        tags in proptest::collection::btree_map("[a-zA-Z0-9 _.:/=+@-]{1,20}", plain_text(), 0..6),
        labels in proptest::collection::btree_map("[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,8}[a-zA-Z0-9])?", "[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,8}[a-zA-Z0-9])?", 0..6),
    ) {
        let mut cluster = loaded(&example("minimal"));
        let reserved = |key: &str| ["aws:", "kubernetes.io/", "kclust.dev/", "name"].iter().any(|word| key.to_lowercase().starts_with(word));
        cluster.tags = tags
            .into_iter()
            .filter(|(key, _)| !reserved(key))
            .map(|(key, value)| (key, value.replace('~', "")))
            .collect::<BTreeMap<_, _>>();
        cluster.node_groups[0].labels = labels;
        let yaml = to_yaml(&cluster);
        prop_assert_eq!(loaded(&yaml), cluster);
    }

    #[test]
    fn text_blocks_survive_the_canonical_document(values in "a:( [a-z#:]{0,100}){1,3}\n{0,3}( {0,2}# [ a-z]{0,100}\n{0,2})?") {
        let mut cluster = loaded(&example("minimal"));
        let text = |text: &str| text.to_owned();
        cluster.addons = vec![Addon::Chart {
            name: text("a"),
            namespace: text("b"),
            repository: text("https://example.com"),
            chart: text("a"),
            version: text("1.0.0"),
            values: Some(values),
        }];
        let yaml = to_yaml(&cluster);
        match load("f", &yaml) {
            Ok(again) => prop_assert_eq!(again, cluster),
            Err(found) => prop_assert!(found.render(false).contains("`values` must be YAML"), "{}", found),
        }
    }

    #[test]
    fn any_text_is_answered(text in "[ a-zA-Z:\\-\\[\\]{}#&*!|>'\"%@`,?\n\t~0-9é]{0,200}") {
        if let Err(found) = load("f", &text) {
            prop_assert!(found.errors() > 0);
            found.render(true);
        }
    }
}

#[test]
fn subnets_of_the_default_range() {
    let carved = |topology| -> Vec<String> {
        carve(defaults::VPC_CIDR.parse().unwrap(), &zones(2), topology)
            .into_iter()
            .map(|(role, zone, net)| format!("{role:?} {zone} {net}"))
            .collect()
    };
    assert_eq!(carved(Topology::Public), ["Public us-east-1a 10.0.32.0/19", "Public us-east-1b 10.0.64.0/19"]);
    assert_eq!(
        carved(Topology::Private),
        [
            "Private us-east-1a 10.0.32.0/19",
            "Utility us-east-1a 10.0.0.0/22",
            "Private us-east-1b 10.0.64.0/19",
            "Utility us-east-1b 10.0.4.0/22",
        ]
    );
}
