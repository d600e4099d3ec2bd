//! The policy that `kclust iam-policy` prints: with it every command works, and nothing of it is left over.

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancerTypeEnum, ProtocolEnum, TargetTypeEnum};
use serde_json::{Value as Json, json};

use super::{Cluster, deletions, fields};
use crate::harness::{Account, Run};

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
    for (name, pairs) in [("k8s-elb-a-service", &of_cloud_controller), ("k8s-another", &of_balancer_controller)] {
        let group = c.ec2.create_security_group().group_name(name).description(name).vpc_id(c.id("Vpc/main"));
        let made = c.run(group.tag_specifications(specification(ResourceType::SecurityGroup, pairs)).send());
        // The nodes let its load balancer in, and may reach it.
        let peer = aws_sdk_ec2::types::UserIdGroupPair::builder().group_id(made.group_id().unwrap()).build();
        let permission = aws_sdk_ec2::types::IpPermission::builder().ip_protocol("tcp").from_port(80).to_port(80);
        let permission = permission.user_id_group_pairs(peer).build();
        let nodes = c.id("SecurityGroup/nodes");
        c.run(c.ec2.authorize_security_group_ingress().group_id(&nodes).ip_permissions(permission.clone()).send());
        c.run(c.ec2.authorize_security_group_egress().group_id(&nodes).ip_permissions(permission).send());
    }
    let interface = c.ec2.create_network_interface().subnet_id(&subnet);
    c.run(interface.tag_specifications(specification(ResourceType::NetworkInterface, &of_network_plugin)).send());
    let machine = c.ec2.run_instances().image_id(fields::other_image(c)).instance_type("t3.small".into()).subnet_id(&subnet);
    let machine = machine.min_count(1).max_count(1);
    c.run(machine.tag_specifications(specification(ResourceType::Instance, &of_cloud_controller)).send());
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
    account.kclust(&["validate"]).expect(4).was_denied_nothing();
    account.kclust(&["backup", "--timeout", "1s"]).expect(1).was_denied_nothing();
    account.kclust(&["restore", "--from", "latest", "--dry-run"]).expect(2).was_denied_nothing();
    for what in ["clusters", "spec", "backups"] {
        account.kclust(&["get", what]).expect(0).was_denied_nothing();
    }
    leave_things_of_controllers(&cluster);
    account.kclust(&["delete", NAME, "--yes", "--delete-backups"]).expect(0).was_denied_nothing();
    assert_eq!(account.unused_permissions(), Vec::<String>::new());
    assert_eq!(account.defects(), Vec::<Json>::new());
}
