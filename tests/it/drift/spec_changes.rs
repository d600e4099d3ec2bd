//! `update -f`: what the operator changes in the spec happens, and afterwards nothing is left to do.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{Cluster, titles};
use crate::harness::example;

/// A cluster and the spec that it shall follow.
struct Changing {
    cluster: Cluster,
    spec: String,
}

impl Changing {
    fn of_example(name: &str, cluster: &str, region: &str) -> Self {
        Self { cluster: Cluster::of_example(name, cluster, region), spec: example(name) }
    }

    fn edited(&self, edits: &[(&str, &str)]) -> String {
        edits.iter().fold(self.spec.clone(), |spec, (from, to)| {
            assert!(spec.contains(from), "the spec does not say {from:?}");
            spec.replace(from, to)
        })
    }

    /// Changes the spec, sees the plan, carries it out.
    #[track_caller]
    fn change(&mut self, edits: &[(&str, &str)], expected: &[&str]) -> Json {
        self.spec = self.edited(edits);
        let file = self.cluster.account.file("changed.yaml", &self.spec);
        let file = ["-f", &file];
        let plan = self.cluster.update(&[&file[..], &["--dry-run", "-o", "json"]].concat()).expect(0).json();
        let expected: BTreeSet<&str> = expected.iter().copied().collect();
        let found = titles(&plan);
        let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
        let missing: Vec<_> = expected.difference(&found).collect();
        let surplus: Vec<_> = found.difference(&expected).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "not planned: {missing:#?}\nplanned as well: {surplus:#?}");
        let applied = self.cluster.update(&[&file[..], &["--yes", "-o", "json"]].concat()).expect(0).json();
        self.cluster.remember(&applied);
        let again = self.cluster.update(&[&file[..], &["--dry-run", "--detailed-exitcode"]].concat());
        assert_eq!(again.code, 0, "the plan is not empty:\n{}{}", again.stdout, again.stderr);
        self.cluster.settled();
        plan
    }

    /// A change that is not made, and why.
    #[track_caller]
    fn refuse(&self, edits: &[(&str, &str)], words: &[&str]) {
        let file = self.cluster.account.file("refused.yaml", &self.edited(edits));
        let before = self.cluster.account.world();
        let run = self.cluster.update(&["-f", &file, "--yes"]).expect(2);
        for word in words {
            assert!(run.stderr.contains(word), "nothing of {word:?} in:\n{}", run.stderr);
        }
        assert_eq!(self.cluster.account.world(), before, "something was changed");
        self.cluster.settled();
    }
}

/// The fields of a change in a plan: path, from, to.
fn fields(plan: &Json, kind: &str, name: &str) -> Vec<(String, Json, Json)> {
    let changes = plan["changes"].as_array().unwrap();
    let change = changes.iter().find(|change| change["kind"] == kind && change["name"] == name).unwrap();
    let fields = change["fields"].as_array().unwrap().iter();
    fields.map(|field| (field["path"].as_str().unwrap().to_owned(), field["from"].clone(), field["to"].clone())).collect()
}

const NEW_GROUP: &str = "    - name: batch
      minSize: 0
      maxSize: 2
      instanceTypes: [c6i.large, c5.large]
  addons:";

const NEW_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJl3UB7cVMCkPYGd7YvzvjKSbVvWWfSGfYH6TTlcFSu ops@example.com";

#[test]
fn node_groups() {
    let mut c = Changing::of_example("ha-private", "prod.example.com", "us-east-1");
    c.change(&[("  addons:", NEW_GROUP)], &["create AutoscalingGroup/batch", "create LaunchTemplate/batch"]);
    let plan = c.change(&[("minSize: 3", "minSize: 4"), ("maxSize: 12", "maxSize: 13")], &["update AutoscalingGroup/workers"]);
    let expected = [("minSize".to_owned(), 3.into(), 4.into()), ("maxSize".to_owned(), 12.into(), 13.into())];
    assert_eq!(fields(&plan, "AutoscalingGroup", "workers"), expected);
    let plan = c.change(&[("[m6i.xlarge]", "[m6i.2xlarge]")], &["update LaunchTemplate/workers"]);
    let expected = [("instanceType".to_owned(), "m6i.xlarge".into(), "m6i.2xlarge".into())];
    assert_eq!(fields(&plan, "LaunchTemplate", "workers"), expected);
    // From one type to several and back.
    c.change(&[("[m6i.2xlarge]", "[m6i.2xlarge, m5.2xlarge]")], &["update AutoscalingGroup/workers"]);
    c.change(&[("[m6i.2xlarge, m5.2xlarge]", "[m6i.2xlarge]")], &["update AutoscalingGroup/workers"]);
    c.change(
        &[("labels: {pool: general}", "labels: {pool: special}\n      taints: [{key: a, value: b, effect: NoSchedule}]")],
        &["update AutoscalingGroup/workers", "update LaunchTemplate/workers"],
    );
    c.change(
        &[("labels: {pool: special}\n      taints: [{key: a, value: b, effect: NoSchedule}]\n", "zones: [us-east-1a]\n")],
        &["update AutoscalingGroup/workers", "update LaunchTemplate/workers"],
    );
    let group = &c.cluster.account.world()["regions"]["us-east-1"]["autoScalingGroups"][c.cluster.id("AutoscalingGroup/workers")];
    let tags = group["tags"].as_object().unwrap();
    assert!(tags.keys().all(|key| !key.contains("node-template")), "{tags:?}");
    c.change(&[("sizeGiB: 100", "sizeGiB: 120")], &["update LaunchTemplate/workers"]);
    c.change(&[(NEW_GROUP, "  addons:")], &["delete AutoscalingGroup/batch", "delete LaunchTemplate/batch"]);
}

#[test]
fn access() {
    let mut c = Changing::of_example("ha-private", "prod.example.com", "us-east-1");
    c.change(
        &[("203.0.113.0/24]", "198.51.100.0/24]")],
        &["create SecurityGroupRule/api:API from 198.51.100.0/24", "delete SecurityGroupRule/api:API from 203.0.113.0/24"],
    );
    let old_name = c.cluster.full_name("KeyPair/ssh-");
    let old_key = c.spec.lines().find_map(|line| line.trim().strip_prefix("publicKey: ")).unwrap().to_owned();
    // The new key's name holds its hash.
    let changed = c.edited(&[(&old_key, NEW_KEY)]);
    let file = c.cluster.account.file("key.yaml", &changed);
    let plan = c.cluster.update(&["-f", &file, "--dry-run", "-o", "json"]).expect(0).json();
    let new_name = titles(&plan).into_iter().find_map(|title| title.strip_prefix("create KeyPair/").map(str::to_owned));
    let (created, deleted) = (format!("create KeyPair/{}", new_name.unwrap()), format!("delete {old_name}"));
    let templates = [
        "update LaunchTemplate/cp-1",
        "update LaunchTemplate/cp-2",
        "update LaunchTemplate/cp-3",
        "update LaunchTemplate/workers",
    ];
    let plan = c.change(&[(&old_key, NEW_KEY)], &[&templates[..], &[&created, &deleted]].concat());
    let changes = plan["changes"].as_array().unwrap();
    let removal = changes.iter().find(|change| change["action"] == "delete").unwrap();
    assert_eq!(removal["dependsOn"].as_array().unwrap().len(), 4, "the templates let go of the key first: {removal}");

    let ssh = format!("  ssh:\n    publicKey: {NEW_KEY}\n    allowedCIDRs: [10.0.0.0/8]\n");
    c.change(
        &[(&ssh, "")],
        &[
            &templates[..],
            &[
                &created.replace("create", "delete"),
                "delete SecurityGroupRule/control-plane:SSH from 10.0.0.0/8",
                "delete SecurityGroupRule/nodes:SSH from 10.0.0.0/8",
            ],
        ]
        .concat(),
    );
}

#[test]
fn network() {
    let mut c = Changing::of_example("ha-private", "prod.example.com", "us-east-1");
    let single = [
        "delete ElasticIp/nat-us-east-1b",
        "delete ElasticIp/nat-us-east-1c",
        "delete NatGateway/us-east-1b",
        "delete NatGateway/us-east-1c",
        "update Route/private-us-east-1b:0.0.0.0/0",
        "update Route/private-us-east-1c:0.0.0.0/0",
    ];
    c.change(&[("nat: perZone ", "nat: single ")], &single);
    c.change(
        &[("nat: single ", "nat: perZone ")],
        &single.map(|title| title.replace("delete", "create")).each_ref().map(|title| &**title),
    );
    // A zone more: its subnets beside the others, and everything that spreads over the zones.
    c.change(
        &[("us-east-1c]", "us-east-1c, us-east-1d]")],
        &[
            "create ElasticIp/nat-us-east-1d",
            "create NatGateway/us-east-1d",
            "create Route/private-us-east-1d:0.0.0.0/0",
            "create RouteTable/private-us-east-1d",
            "create RouteTableAssociation/private-us-east-1d",
            "create RouteTableAssociation/utility-us-east-1d",
            "create Subnet/private-us-east-1d",
            "create Subnet/utility-us-east-1d",
            "update AutoscalingGroup/workers",
            "update LoadBalancer/api",
            "update VpcEndpoint/s3",
        ],
    );
    c.refuse(&[("cidr: 10.20.0.0/16", "cidr: 10.21.0.0/16")], &["Vpc/main", "cidr", "10.20.0.0/16", "10.21.0.0/16"]);
    // No resource holds these, and no plan would show them.
    let told_at_boot = [("podCIDR: 100.64.0.0/13", "podCIDR: 100.96.0.0/11"), ("cni: cilium ", "cni: calico ")];
    c.refuse(&told_at_boot, &["spec.network.podCIDR", "100.96.0.0/11", "spec.network.cni", "calico"]);
    c.refuse(&[("topology: private", "topology: public")], &["NetworkInterface/cp-1", "cannot be changed"]);
    c.refuse(&[("[us-east-1a, us-east-1b,", "[us-east-1b, us-east-1a,")], &["Subnet/", "cannot be changed"]);
}

#[test]
fn api() {
    let mut c = Changing::of_example("ha-private", "prod.example.com", "us-east-1");
    let replaced = ["replace LoadBalancer/api", "replace Listener/api", "update DnsRecord/api"];
    let before = c.cluster.id("LoadBalancer/api");
    c.change(&[("scheme: internal ", "scheme: public ")], &replaced);
    assert_ne!(c.cluster.id("LoadBalancer/api"), before);
    c.change(&[("scheme: public ", "scheme: internal ")], &replaced);
    c.change(
        &[("endpoint: loadBalancer ", "endpoint: dns ")],
        &[
            "create SecurityGroupRule/control-plane:API from 10.0.0.0/8",
            "create SecurityGroupRule/control-plane:API from 203.0.113.0/24",
            "delete Listener/api",
            "delete LoadBalancer/api",
            "delete SecurityGroup/api",
            "delete SecurityGroupRule/api:API from 10.0.0.0/8",
            "delete SecurityGroupRule/api:API from 203.0.113.0/24",
            "delete SecurityGroupRule/api:API from control-plane",
            "delete SecurityGroupRule/api:API from nodes",
            "delete SecurityGroupRule/api:everything out",
            "delete SecurityGroupRule/control-plane:API from api",
            "delete Target/cp-1",
            "delete Target/cp-2",
            "delete Target/cp-3",
            "delete TargetGroup/api",
            "update DnsRecord/api",
        ],
    );
}

/// Where nodes know the API by the load balancer's own name, another one would cut all of them off.
#[test]
fn scheme_of_an_api_without_a_zone_stays() {
    let c = Changing::of_example("minimal", "dev.k8s.local", "us-east-1");
    c.refuse(&[("  nodeGroups:", "  api: {scheme: internal}\n  nodeGroups:")], &["LoadBalancer/api", "cannot be changed"]);
}

#[test]
fn control_plane() {
    let mut c = Changing::of_example("ha-private", "prod.example.com", "us-east-1");
    let templates = [
        "update LaunchTemplate/cp-1",
        "update LaunchTemplate/cp-2",
        "update LaunchTemplate/cp-3",
        "update LaunchTemplate/workers",
    ];
    let version = "kubernetesVersion: 1.36.2";
    // Machines that still run ask for the earlier boot program, which therefore stays.
    c.change(&[(version, "kubernetesVersion: 1.36.3")], &[&templates[..], &["create BootstrapObject/boot"]].concat());
    c.change(&[("instanceType: m6i.large", "instanceType: m6i.xlarge")], &templates[..3]);
    c.change(
        &[("etcdVolume: {sizeGiB: 20, type: gp3}", "etcdVolume: {sizeGiB: 30, type: gp3, iops: 4000}")],
        &["update Volume/cp-1", "update Volume/cp-2", "update Volume/cp-3"],
    );
    c.refuse(&[("replicas: 3", "replicas: 1")], &["etcd", "cp-2", "replicas"]);
    c.refuse(&[("region: us-east-1", "region: us-east-2"), ("us-east-1", "us-east-2")], &["us-east-1"]);
}

#[test]
fn tags() {
    let mut c = Changing::of_example("ha-private", "prod.example.com", "us-east-1");
    let file = c.cluster.account.file(
        "tags.yaml",
        &c.edited(&[("team: ml-platform", "team: others"), ("    cost-center: \"4711\"\n", "    stage: test\n")]),
    );
    let plan = c.cluster.update(&["-f", &file, "--dry-run", "-o", "json"]).expect(0).json();
    let changed = titles(&plan);
    let changed: Vec<&str> = changed.iter().map(String::as_str).collect();
    let edits = [("team: ml-platform", "team: others"), ("    cost-center: \"4711\"\n", "    stage: test\n")];
    c.change(&edits, &changed);
    let world = c.cluster.account.world();
    let mut left = Vec::new();
    find_tag(&world["regions"], "cost-center", String::new(), &mut left);
    find_tag(&world["iam"], "cost-center", "/iam".to_owned(), &mut left);
    // What AWS shows without its tags keeps those that it was made with (`OnChange::Unmanaged`); machines keep theirs until they
    // are replaced.
    let kept: BTreeSet<&str> = left.iter().map(|path| path.split('/').nth(2).unwrap_or(path.as_str())).collect();
    let known = [
        "instanceProfiles",
        "instances",
        "launchTemplates",
        "loadBalancers",
        "networkInterfaces",
        "securityGroups",
        "targetGroups",
        "volumes",
        "vpcEndpoints",
    ];
    let unknown: Vec<_> = kept.iter().filter(|kind| !known.contains(kind)).collect();
    assert!(unknown.is_empty(), "{left:#?}");
    assert!(left.iter().all(|path| !path.contains("securityGroups") || path.contains("gress")), "{left:#?}");
}

fn find_tag(value: &Json, key: &str, path: String, found: &mut Vec<String>) {
    match value {
        Json::Object(map) => {
            for (name, inner) in map {
                if name == "tags" && inner.get(key).is_some() {
                    found.push(path.clone());
                }
                find_tag(inner, key, format!("{path}/{name}"), found);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| find_tag(item, key, path.clone(), found)),
        _ => {}
    }
}
