//! The policy that `kclust iam-policy` prints: with it every command works, and nothing of it is left over.

use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, ResourceType, Tag, TagSpecification, UserIdGroupPair};
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancerTypeEnum, ProtocolEnum, TargetTypeEnum};
use serde_json::{Value as Json, json};

use super::{Cluster, deletions, fields};
use crate::harness::{Account, Run, example};

impl Account {
    /// From here on kclust may do what the policy of this spec says, and no more.
    fn restricted_to(&self, file: &str) {
        let policy = self.kclust(&["iam-policy", "-f", file]).expect(0).json();
        self.set_permissions(&json!([policy]));
    }
}

impl Run {
    #[track_caller]
    fn was_denied_nothing(self) -> Self {
        assert!(!self.stderr.contains("not authorized"), "{}", self.stderr);
        self
    }
}

fn tags(pairs: &[(&str, &str)]) -> Vec<Tag> {
    pairs.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect()
}

/// What controllers in the cluster make, with the tags of the cloud controller, the load-balancer controller and the network plugin.
fn leave_things_of_controllers(c: &Cluster) {
    let ownership = format!("kubernetes.io/cluster/{}", c.name);
    let of_cloud_controller = [(ownership.as_str(), "owned")];
    let of_balancer_controller = [("elbv2.k8s.aws/cluster", c.name.as_str())];
    let of_network_plugin = [("cluster.k8s.amazonaws.com/name", c.name.as_str())];
    let subnet = c.id("Subnet/private-us-east-1a");
    for (name, pairs) in [("a-service", &of_cloud_controller), ("another", &of_balancer_controller)] {
        let tags = || {
            pairs.iter().map(|(key, value)| aws_sdk_elasticloadbalancingv2::types::Tag::builder().key(*key).value(*value).build())
        };
        let balancer = c.elbv2.create_load_balancer().name(name).r#type(LoadBalancerTypeEnum::Network).subnets(&subnet);
        c.run(balancer.set_tags(Some(tags().collect())).send());
        let group = c.elbv2.create_target_group().name(name).protocol(ProtocolEnum::Tcp).port(80).vpc_id(c.id("Vpc/main"));
        c.run(group.target_type(TargetTypeEnum::Ip).set_tags(Some(tags().collect())).send());
    }
    let specification = |what: ResourceType, pairs: &[(&str, &str)]| {
        TagSpecification::builder().resource_type(what).set_tags(Some(tags(pairs))).build()
    };
    let mut others: Vec<String> = Vec::new();
    for (name, pairs) in [("k8s-elb-a-service", &of_cloud_controller), ("k8s-another", &of_balancer_controller)] {
        let group = c.ec2.create_security_group().group_name(name).description(name).vpc_id(c.id("Vpc/main"));
        let made = c.run(group.tag_specifications(specification(ResourceType::SecurityGroup, pairs)).send());
        // The nodes let its load balancer in, and may reach it.
        let peer = UserIdGroupPair::builder().group_id(made.group_id().unwrap()).build();
        let permission = IpPermission::builder().ip_protocol("tcp").from_port(80).to_port(80);
        let permission = permission.user_id_group_pairs(peer).build();
        let nodes = c.id("SecurityGroup/nodes");
        c.run(c.ec2.authorize_security_group_ingress().group_id(&nodes).ip_permissions(permission.clone()).send());
        c.run(c.ec2.authorize_security_group_egress().group_id(&nodes).ip_permissions(permission).send());
        others.push(made.group_id().unwrap().to_owned());
    }
    // Each lets the other in: neither can go first.
    for (group, peer) in [(&others[0], &others[1]), (&others[1], &others[0])] {
        let peer = UserIdGroupPair::builder().group_id(peer).build();
        let permission = IpPermission::builder().ip_protocol("tcp").from_port(81).to_port(81).user_id_group_pairs(peer).build();
        c.run(c.ec2.authorize_security_group_ingress().group_id(group).ip_permissions(permission.clone()).send());
        c.run(c.ec2.authorize_security_group_egress().group_id(group).ip_permissions(permission).send());
    }
    let interface = c.ec2.create_network_interface().subnet_id(&subnet);
    c.run(interface.tag_specifications(specification(ResourceType::NetworkInterface, &of_network_plugin)).send());
    let machine = c.ec2.run_instances().image_id(fields::other_image(c)).instance_type("t3.small".into()).subnet_id(&subnet);
    let machine = machine.min_count(1).max_count(1);
    c.run(machine.tag_specifications(specification(ResourceType::Instance, &of_cloud_controller)).send());
}

/// The rule is there, and is not known as the cluster's.
fn describe_a_rule_anew(c: &Cluster) {
    let range = IpRange::builder().cidr_ip("10.0.0.0/8").description("mine").build();
    let ssh = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).ip_ranges(range).build();
    let group = c.id("SecurityGroup/nodes");
    c.run(c.ec2.update_security_group_rule_descriptions_ingress().group_id(group).ip_permissions(ssh).send());
    c.put_right_all(&["create SecurityGroupRule/nodes:SSH from 10.0.0.0/8"]);
}

fn give_the_address_of_a_gateway_to_a_machine(c: &Cluster) {
    deletions::delete_nat_gateway(c);
    let call = c.ec2.associate_address().allocation_id(c.id("ElasticIp/nat-us-east-1a"));
    c.run(call.network_interface_id(c.id("NetworkInterface/cp-1")).send());
    c.put_right_all(&[
        "create NatGateway/us-east-1a",
        "update ElasticIp/nat-us-east-1a",
        "update Route/private-us-east-1a:0.0.0.0/0",
    ]);
}

/// No other one can be launched: `validate` asks why.
fn end_a_machine(c: &Cluster) {
    let group = Filter::builder().name("tag:kclust.dev/group").values("workers").build();
    let found = c.run(c.ec2.describe_instances().filters(group).send()).reservations.unwrap();
    let machine = found.iter().flat_map(|reservation| reservation.instances()).find_map(|machine| machine.instance_id());
    c.run(c.ec2.terminate_instances().instance_ids(machine.unwrap()).send());
}

/// Answers that are lost once: what was made is looked for, by calls that nobody makes otherwise.
fn lose_answers(account: &Account) {
    let lost = [("iam", "CreateInstanceProfile"), ("iam", "CreateRole"), ("ec2", "CreateRoute"), ("ec2", "ImportKeyPair")];
    let rule = |(service, action): (&str, &str)| json!({ "service": service, "action": action, "where": "after", "status": 500, "code": "InternalError", "times": 1 });
    account.set_faults(&lost.into_iter().map(rule).collect());
}

#[test]
fn the_policy_lacks_nothing_and_has_nothing_to_spare() {
    const FILE: &str = "examples/ha-private.yaml";
    const NAME: &str = "prod.example.com";
    let account = Account::new().with_zone("example.com");
    account.restricted_to(FILE);
    lose_answers(&account);
    let cluster = Cluster::of_file(account, FILE, NAME, "us-east-1");
    let account = &cluster.account;
    fields::put_right(&cluster, fields::private_cases());
    fields::put_right(&cluster, fields::tag_cases());
    deletions::put_right(&cluster, deletions::single());
    deletions::put_right(&cluster, deletions::with_dependents());
    deletions::put_right(&cluster, deletions::of_the_api());
    // A tag that the spec does not have any more, and one that it did not have.
    let tags = example("ha-private").replace("cost-center: \"4711\"", "stage: live");
    let file = account.file("tags.yaml", &tags);
    account.kclust(&["update", "-f", &file, "--yes"]).expect(0);
    describe_a_rule_anew(&cluster);
    give_the_address_of_a_gateway_to_a_machine(&cluster);
    account.set_faults(&json!([{ "service": "autoscaling", "action": "LaunchInstance", "message": "no capacity" }]));
    end_a_machine(&cluster);
    account.kclust(&["validate"]).expect(3).was_denied_nothing();
    account.set_faults(&json!([]));
    account.kclust(&["backup", "--timeout", "1s"]).expect(1).was_denied_nothing();
    account.kclust(&["restore", "--from", "latest", "--dry-run"]).expect(2).was_denied_nothing();
    // Of what is damaged, the last version that is not is named.
    let keys = cluster.state_object("pki/bundle.json");
    cluster.put_state_object("pki/bundle.json", "{");
    let kubeconfig = account.directory.path().join("kubeconfig").display().to_string();
    let run = account.kclust(&["kubeconfig", "--out", &kubeconfig]).expect(1).was_denied_nothing();
    assert!(run.stderr.contains("aws s3api copy-object"), "{}", run.stderr);
    cluster.put_state_object("pki/bundle.json", &keys);
    account.kclust(&["kubeconfig", "--out", &kubeconfig]).expect(0).was_denied_nothing();
    for what in ["clusters", "spec", "groups", "instances", "resources", "history", "backups"] {
        account.kclust(&["get", what]).expect(0).was_denied_nothing();
    }
    leave_things_of_controllers(&cluster);
    account.kclust(&["delete", NAME, "--yes", "--delete-backups"]).expect(0).was_denied_nothing();
    // Over plain HTTP, which only the emulator speaks, a bucket that refuses plain HTTP would be of no use.
    let unused = account.unused_permissions();
    let unused: Vec<&String> = unused.iter().filter(|one| !one.starts_with("s3:PutBucketPolicy on ")).collect();
    assert_eq!(unused, Vec::<&String>::new());
    assert_eq!(account.defects(), Vec::<Json>::new());
}
