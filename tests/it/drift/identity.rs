//! The tags that say which of the cluster's resources a thing is, taken away. The state knows its id: it is tagged again, as the
//! plan says, and a removal finds it. Where the state does not help, it is told, and nothing is made in its place.

use serde_json::Value as Json;

use super::Cluster;
use crate::harness::Account;

const ID: &str = "kclust.dev/id";

fn lose_id(c: &Cluster, name: &str) {
    match name.split_once('/').unwrap().0 {
        "Role" => drop(c.run(c.iam.untag_role().role_name(c.id(name)).tag_keys(ID).send())),
        "AutoscalingGroup" => {
            let tag = aws_sdk_autoscaling::types::Tag::builder().resource_type("auto-scaling-group").resource_id(c.id(name));
            c.run(c.autoscaling.delete_tags().tags(tag.key(ID).build()).send());
        }
        _ => c.untag(name, ID),
    }
}

/// What must not become more: everything but the versions of templates and the log of the state.
fn things(c: &Cluster) -> Json {
    let world = c.account.world();
    let kinds = world["regions"][&c.region].as_object().unwrap().iter();
    let counts = kinds.filter(|(kind, _)| *kind != "instances").map(|(kind, things)| {
        let ids: Vec<&String> = things.as_object().unwrap().keys().collect();
        (kind.clone(), serde_json::to_value(ids).unwrap())
    });
    Json::Object(counts.collect())
}

#[test]
fn things_that_lost_their_id_are_not_made_twice() {
    let cluster = Cluster::of_example("ha-private", "prod.example.com", "us-east-1");
    let c = &cluster;
    let pair = c.full_name("KeyPair/ssh-");
    let cases = [
        "Vpc/main",
        "Subnet/private-us-east-1a",
        "ElasticIp/nat-us-east-1a",
        "SecurityGroup/control-plane",
        "InternetGateway/main",
        "NatGateway/us-east-1a",
        "RouteTable/private-us-east-1a",
        pair.as_str(),
        "NetworkInterface/cp-1",
        "AutoscalingGroup/workers",
        "Volume/cp-1",
        "Role/nodes",
    ];
    for name in cases {
        let before = things(c);
        lose_id(c, name);
        c.update(&["--yes"]).expect(0);
        assert_eq!(things(c), before, "{name}: something was made or removed");
        c.settled();
    }
}

/// Route tables do not say what service an endpoint leads to.
#[test]
fn an_endpoint_of_another_service_is_not_taken_for_the_clusters() {
    let cluster = Cluster::of_example("ha-private", "prod.example.com", "us-east-1");
    let c = &cluster;
    c.run(c.ec2.delete_vpc_endpoints().vpc_endpoint_ids(c.id("VpcEndpoint/s3")).send());
    let other = c.ec2.create_vpc_endpoint().vpc_id(c.id("Vpc/main")).service_name("com.amazonaws.us-east-1.dynamodb");
    let other = c.run(other.route_table_ids(c.id("RouteTable/private-us-east-1a")).send());
    let other = other.vpc_endpoint.and_then(|endpoint| endpoint.vpc_endpoint_id).unwrap();
    let endpoint = |c: &Cluster| c.account.world()["regions"][&c.region]["vpcEndpoints"][&other].clone();
    let before = endpoint(c);
    assert!(before.is_object());
    c.put_right_all(&["create VpcEndpoint/s3"]);
    assert_eq!(endpoint(c), before);
}

/// Neither the tag of kclust nor that of the cluster: what is planned is to set them again, and what is removed is all of it.
#[test]
fn things_that_lost_all_tags_are_the_clusters_still() {
    let account = Account::new().with_zone("example.com");
    let before = account.world();
    let cluster = Cluster::of_file(account, "examples/ha-private.yaml", "prod.example.com", "us-east-1");
    let c = &cluster;
    let lost = ["Vpc/main", "Subnet/private-us-east-1b", "RouteTable/private-us-east-1b", "NatGateway/us-east-1b"];
    let lose = || {
        for name in lost {
            c.untag(name, ID);
            c.untag(name, "kubernetes.io/cluster/prod.example.com");
        }
    };
    lose();
    c.put_right_all(&lost.map(|name| format!("update {name}")).iter().map(String::as_str).collect::<Vec<_>>());
    lose();
    // One that somebody gave to another cluster is that one's.
    c.tag("NatGateway/us-east-1b", "kubernetes.io/cluster/other.example.com", "owned");
    assert!(super::titles(&c.plan()).contains(&"create NatGateway/us-east-1b".to_owned()));
    c.untag("NatGateway/us-east-1b", "kubernetes.io/cluster/other.example.com");
    c.account.kclust(&["delete", "prod.example.com", "--yes", "-q"]).expect(0);
    let after = c.account.world();
    assert_eq!(after["regions"], before["regions"]);
    assert_eq!(c.account.defects(), Vec::<Json>::new());
}
