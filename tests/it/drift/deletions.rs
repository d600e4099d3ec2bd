//! Each kind, deleted by somebody: made again with all that went with it. Where AWS does not let anybody delete it, that is shown.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types::TargetDescription;
use aws_sdk_route53::types::ChangeAction;
use kclust::model::Kind;
use serde_json::Value as Json;

use super::Cluster;
use super::fields::change_record;

/// Something deleted, and what `update` makes of it.
pub(super) struct Deletion {
    kind: Kind,
    meddle: fn(&Cluster),
    expected: &'static [&'static str],
}

fn deletion(kind: Kind, expected: &'static [&'static str], meddle: fn(&Cluster)) -> Deletion {
    Deletion { kind, meddle, expected }
}

pub(super) fn put_right(cluster: &Cluster, deletions: Vec<Deletion>) {
    for deletion in &deletions {
        (deletion.meddle)(cluster);
    }
    let expected: BTreeSet<&str> = deletions.iter().flat_map(|deletion| deletion.expected).copied().collect();
    cluster.put_right_all(&expected.into_iter().collect::<Vec<_>>());
}

fn disassociate(c: &Cluster, subnet: &str) {
    let association = c.id(&format!("RouteTableAssociation/{subnet}"));
    c.run(c.ec2.disassociate_route_table().association_id(association).send());
}

pub(super) fn delete_nat_gateway(c: &Cluster) {
    c.run(c.ec2.delete_nat_gateway().nat_gateway_id(c.id("NatGateway/us-east-1a")).send());
}

fn deregister(c: &Cluster, slot: &str) {
    let call = c.ec2.describe_network_interfaces().network_interface_ids(c.id(&format!("NetworkInterface/{slot}")));
    let address = c.run(call.send()).network_interfaces.unwrap().remove(0).private_ip_address.unwrap();
    let target = TargetDescription::builder().id(address).port(6443).build();
    c.run(c.elbv2.deregister_targets().target_group_arn(c.id("TargetGroup/api")).targets(target).send());
}

fn delete_record(c: &Cluster) {
    let zone = c.id("DnsRecord/api").split('/').next().unwrap().to_owned();
    let name = format!("api.{}", c.name);
    let records = c.run(c.route53.list_resource_record_sets().hosted_zone_id(zone).start_record_name(&name).send());
    change_record(c, ChangeAction::Delete, records.resource_record_sets.into_iter().next().unwrap());
}

fn delete_state_object(c: &Cluster, resource: &str) {
    let bucket = c.account.state().replace("s3://", "");
    let key = format!("{}/{}", c.name, c.id(resource));
    c.run(c.s3.head_object().bucket(&bucket).key(&key).send());
    c.run(c.s3.delete_object().bucket(bucket).key(key).send());
}

fn delete_profile(c: &Cluster, name: &str) {
    let (profile, role) = (c.id(&format!("InstanceProfile/{name}")), c.id(&format!("Role/{name}")));
    c.run(c.iam.remove_role_from_instance_profile().instance_profile_name(&profile).role_name(role).send());
    c.run(c.iam.delete_instance_profile().instance_profile_name(profile).send());
}

/// Deletes something of most kinds of an `ha-private`.
pub fn delete_of_most_kinds(cluster: &Cluster) {
    for deletion in single() {
        (deletion.meddle)(cluster);
    }
}

/// On `ha-private`; each alone, in one go.
pub(super) fn single() -> Vec<Deletion> {
    vec![
        // The route leads nowhere then.
        deletion(
            Kind::NatGateway,
            &["create NatGateway/us-east-1a", "update Route/private-us-east-1a:0.0.0.0/0"],
            delete_nat_gateway,
        ),
        deletion(Kind::Route, &["create Route/private-us-east-1b:0.0.0.0/0"], |c| {
            let call = c.ec2.delete_route().route_table_id(c.id("RouteTable/private-us-east-1b"));
            c.run(call.destination_cidr_block("0.0.0.0/0").send());
        }),
        deletion(Kind::RouteTableAssociation, &["create RouteTableAssociation/private-us-east-1c"], |c| {
            disassociate(c, "private-us-east-1c");
        }),
        deletion(Kind::VpcEndpoint, &["create VpcEndpoint/s3"], |c| {
            c.run(c.ec2.delete_vpc_endpoints().vpc_endpoint_ids(c.id("VpcEndpoint/s3")).send());
        }),
        deletion(Kind::SecurityGroupRule, &["create SecurityGroupRule/control-plane:etcd from control-plane"], |c| {
            let rule = c.rule_id("SecurityGroup/control-plane", "kclust: etcd from control-plane");
            let call = c.ec2.revoke_security_group_ingress().group_id(c.id("SecurityGroup/control-plane"));
            c.run(call.security_group_rule_ids(rule).send());
        }),
        deletion(Kind::RolePolicy, &["create RolePolicy/control-plane:kclust"], |c| {
            c.run(c.iam.delete_role_policy().role_name(c.id("Role/control-plane")).policy_name("kclust").send());
        }),
        deletion(Kind::InstanceProfile, &["create InstanceProfile/control-plane"], |c| delete_profile(c, "control-plane")),
        // One that holds no role is of no use, and not to be seen among the roles.
        deletion(Kind::InstanceProfile, &["create InstanceProfile/nodes"], |c| {
            let call = c.iam.remove_role_from_instance_profile().instance_profile_name(c.id("InstanceProfile/nodes"));
            c.run(call.role_name(c.id("Role/nodes")).send());
        }),
        deletion(Kind::Target, &["create Target/cp-2"], |c| deregister(c, "cp-2")),
        deletion(Kind::Listener, &["create Listener/api"], |c| {
            c.run(c.elbv2.delete_listener().listener_arn(c.id("Listener/api")).send());
        }),
        deletion(Kind::DnsRecord, &["create DnsRecord/api"], delete_record),
        deletion(Kind::BootstrapObject, &["create BootstrapObject/boot"], |c| delete_state_object(c, "BootstrapObject/boot")),
        deletion(Kind::ControlPlaneSettings, &["create ControlPlaneSettings/settings"], |c| {
            delete_state_object(c, "ControlPlaneSettings/settings");
        }),
        deletion(Kind::LaunchTemplate, &["create LaunchTemplate/workers", "update AutoscalingGroup/workers"], |c| {
            c.run(c.ec2.delete_launch_template().launch_template_id(c.id("LaunchTemplate/workers")).send());
        }),
        deletion(Kind::AutoscalingGroup, &["create AutoscalingGroup/cp-3"], |c| {
            let call = c.autoscaling.delete_auto_scaling_group().auto_scaling_group_name(c.id("AutoscalingGroup/cp-3"));
            c.run(call.force_delete(true).send());
        }),
    ]
}

/// On `ha-private`: things with parts, and with others that refer to them.
pub(super) fn with_dependents() -> Vec<Deletion> {
    vec![
        deletion(
            Kind::RouteTable,
            &[
                "create RouteTable/private-us-east-1a",
                "create Route/private-us-east-1a:0.0.0.0/0",
                "create RouteTableAssociation/private-us-east-1a",
                "update VpcEndpoint/s3",
            ],
            |c| {
                disassociate(c, "private-us-east-1a");
                c.run(c.ec2.delete_route_table().route_table_id(c.id("RouteTable/private-us-east-1a")).send());
            },
        ),
        deletion(
            Kind::TargetGroup,
            &["create Listener/api", "create Target/cp-1", "create Target/cp-2", "create Target/cp-3", "create TargetGroup/api"],
            |c| {
                c.run(c.elbv2.delete_listener().listener_arn(c.id("Listener/api")).send());
                c.run(c.elbv2.delete_target_group().target_group_arn(c.id("TargetGroup/api")).send());
            },
        ),
        deletion(Kind::Role, &["create Role/nodes", "create RolePolicy/nodes:kclust", "create InstanceProfile/nodes"], |c| {
            let role = c.id("Role/nodes");
            delete_profile(c, "nodes");
            c.run(c.iam.delete_role_policy().role_name(&role).policy_name("kclust").send());
            c.run(c.iam.delete_role().role_name(role).send());
        }),
        // The templates name it by its name, which another one will have: they are written anew.
        deletion(
            Kind::KeyPair,
            &[
                "create KeyPair/ssh-…",
                "update LaunchTemplate/cp-1",
                "update LaunchTemplate/cp-2",
                "update LaunchTemplate/cp-3",
                "update LaunchTemplate/workers",
            ],
            |c| {
                let pair = c.full_name("KeyPair/ssh-");
                c.run(c.ec2.delete_key_pair().key_name(c.id(&pair)).send());
            },
        ),
    ]
}

/// On `ha-private`: the load balancer, and the security group that nothing holds any more.
pub(super) fn of_the_api() -> Vec<Deletion> {
    vec![
        deletion(Kind::LoadBalancer, &["create LoadBalancer/api", "create Listener/api", "update DnsRecord/api"], |c| {
            c.run(c.elbv2.delete_load_balancer().load_balancer_arn(c.id("LoadBalancer/api")).send());
        }),
        deletion(
            Kind::SecurityGroup,
            &[
                "create SecurityGroup/api",
                "create SecurityGroupRule/api:API from 10.0.0.0/8",
                "create SecurityGroupRule/api:API from 203.0.113.0/24",
                "create SecurityGroupRule/api:API from control-plane",
                "create SecurityGroupRule/api:API from nodes",
                "create SecurityGroupRule/api:everything out",
                "create SecurityGroupRule/control-plane:API from api",
            ],
            |c| {
                let rule = c.rule_id("SecurityGroup/control-plane", "kclust: API from api");
                let call = c.ec2.revoke_security_group_ingress().group_id(c.id("SecurityGroup/control-plane"));
                c.run(call.security_group_rule_ids(rule).send());
                c.run(c.ec2.delete_security_group().group_id(c.id("SecurityGroup/api")).send());
            },
        ),
    ]
}

/// On `ml-spot-gpu`: the address of a slot, to which the record leads.
pub(super) fn of_a_slot() -> Vec<Deletion> {
    vec![
        deletion(Kind::ElasticIp, &["create ElasticIp/cp-1", "update DnsRecord/api"], |c| {
            let call = c.ec2.describe_addresses().allocation_ids(c.id("ElasticIp/cp-1"));
            let association = c.run(call.send()).addresses.unwrap().remove(0).association_id.unwrap();
            c.run(c.ec2.disassociate_address().association_id(association).send());
            c.run(c.ec2.release_address().allocation_id(c.id("ElasticIp/cp-1")).send());
        }),
        // In the emulator the machine did not come to attach it.
        deletion(Kind::Volume, &["create Volume/cp-1"], |c| {
            c.run(c.ec2.delete_volume().volume_id(c.id("Volume/cp-1")).send());
        }),
    ]
}

/// What nobody can delete while the cluster lives, and the code that AWS refuses it with.
type Refusal = (Kind, &'static str, fn(&Cluster) -> String);

const REFUSED: &[Refusal] = &[
    (Kind::Vpc, "DependencyViolation", |c| c.refused(c.ec2.delete_vpc().vpc_id(c.id("Vpc/main")).send())),
    (Kind::InternetGateway, "DependencyViolation", |c| {
        let gateway = c.id("InternetGateway/main");
        let detached = c.refused(c.ec2.detach_internet_gateway().internet_gateway_id(&gateway).vpc_id(c.id("Vpc/main")).send());
        assert!(detached.contains("DependencyViolation"), "{detached}");
        c.refused(c.ec2.delete_internet_gateway().internet_gateway_id(gateway).send())
    }),
    (Kind::Subnet, "DependencyViolation", |c| {
        c.refused(c.ec2.delete_subnet().subnet_id(c.id("Subnet/private-us-east-1a")).send())
    }),
    (Kind::NetworkInterface, "currently in use", |c| {
        c.refused(c.ec2.delete_network_interface().network_interface_id(c.id("NetworkInterface/cp-1")).send())
    }),
    (Kind::SecurityGroup, "DependencyViolation", |c| {
        c.refused(c.ec2.delete_security_group().group_id(c.id("SecurityGroup/nodes")).send())
    }),
];

#[test]
fn what_was_deleted_in_a_private_cluster_is_made_again() {
    let cluster = Cluster::of_example("ha-private", "prod.example.com", "us-east-1");
    for (kind, code, attempt) in REFUSED {
        let answer = attempt(&cluster);
        assert!(answer.contains(code), "{kind}: {answer}");
    }
    cluster.settled();
    put_right(&cluster, single());
    put_right(&cluster, with_dependents());
    put_right(&cluster, of_the_api());
}

#[test]
fn what_was_deleted_of_a_slot_is_made_again() {
    let cluster = Cluster::of_example("ml-spot-gpu", "ml.example.com", "us-west-2");
    put_right(&cluster, of_a_slot());
}

/// Where the nodes know the API by the load balancer's own name, they are told the new one.
#[test]
fn another_load_balancer_has_another_name() {
    let cluster = Cluster::of_example("minimal", "dev.k8s.local", "us-east-1");
    let c = &cluster;
    c.run(c.elbv2.delete_load_balancer().load_balancer_arn(c.id("LoadBalancer/api")).send());
    c.put_right_all(&[
        "create LoadBalancer/api",
        "create Listener/api",
        "update LaunchTemplate/cp-1",
        "update LaunchTemplate/workers",
    ]);
    let templates = &c.account.world()["regions"]["us-east-1"]["launchTemplates"];
    let versions: Vec<&Json> = templates.as_object().unwrap().values().map(|template| &template["default"]).collect();
    assert!(versions.iter().all(|version| **version == 2), "{versions:?}");
}

#[test]
fn every_kind_can_be_deleted_or_is_held() {
    let deletions = [single(), with_dependents(), of_the_api(), of_a_slot()];
    let mut kinds: BTreeSet<Kind> = deletions.iter().flatten().map(|deletion| deletion.kind).collect();
    kinds.extend(REFUSED.iter().map(|(kind, ..)| *kind));
    assert_eq!(kinds, Kind::ALL.iter().copied().collect());
}
