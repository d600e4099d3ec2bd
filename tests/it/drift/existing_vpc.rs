//! In somebody else's network: nothing of it is changed, whatever happens to the cluster.

use serde_json::{Value as Json, json};

use super::Cluster;
use crate::harness::{Account, example};

const NAME: &str = "team-a.internal.example.com";
const REGION: &str = "eu-west-1";

/// What is shared with others.
fn shared(world: &Json, network: &Json) -> Json {
    let of_region = |kind: &str| {
        let things = world["regions"][REGION][kind].as_object().cloned().unwrap_or_default();
        let things = things.into_iter().filter(|(id, thing)| {
            let names = |value: &Json| *value == network["vpc"] || network["subnets"].as_array().unwrap().contains(value);
            names(&json!(id)) || names(&thing["vpc"])
        });
        Json::Object(things.collect())
    };
    let everything = |kind: &str| world["regions"][REGION][kind].clone();
    json!({
        "vpcs": of_region("vpcs"),
        "subnets": of_region("subnets"),
        "routeTables": of_region("routeTables"),
        "internetGateways": everything("internetGateways"),
        "natGateways": everything("natGateways"),
        "addresses": everything("addresses"),
        "vpcEndpoints": everything("vpcEndpoints"),
        "iam": world["iam"],
    })
}

fn records(world: &Json, zone: &Json) -> Json {
    world["route53"][zone.as_str().unwrap()]["records"].clone()
}

#[test]
fn existing_vpc() {
    let account = Account::new();
    let network = account.seed(&json!({ "what": "existing-vpc" }));
    let spec = example("existing-vpc").replace("123456789012", &account.id);
    let file = account.file("existing-vpc.yaml", &spec);
    let before = account.world();
    let cluster = Cluster::of_file(account, &file, NAME, REGION);

    let living = cluster.account.world();
    assert_eq!(shared(&living, &network), shared(&before, &network));
    let of_region = |kind: &str| living["regions"][REGION][kind].as_object().map_or(0, serde_json::Map::len);
    assert_eq!(of_region("securityGroups"), before["regions"][REGION]["securityGroups"].as_object().map_or(0, |it| it.len()) + 3);
    assert_eq!(of_region("loadBalancers"), 1);
    assert!(records(&living, &network["zone"]).to_string().contains("api.team-a.internal.example.com"));

    // Drift is found here too: groups and the load balancer are in a network that carries none of the cluster's tags.
    let group = cluster.id("SecurityGroup/nodes");
    let interfaces = cluster.ec2.modify_network_interface_attribute().network_interface_id(cluster.id("NetworkInterface/cp-2"));
    cluster.run(interfaces.groups(group).send());
    cluster.run(cluster.elbv2.delete_load_balancer().load_balancer_arn(cluster.id("LoadBalancer/api")).send());
    cluster.put_right_all(&[
        "create Listener/api",
        "create LoadBalancer/api",
        "update DnsRecord/api",
        "update NetworkInterface/cp-2",
    ]);
    assert_eq!(shared(&cluster.account.world(), &network), shared(&before, &network));

    cluster.account.kclust(&["delete", NAME, "--yes", "--delete-backups"]).expect(0);
    let after = cluster.account.world();
    assert_eq!(after["regions"][REGION], before["regions"][REGION]);
    assert_eq!(after["iam"], before["iam"]);
    assert_eq!(after["route53"], before["route53"]);
    assert_eq!(cluster.account.defects(), Vec::<Json>::new());
}
