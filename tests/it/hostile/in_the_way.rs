//! Things of somebody else that keep the cluster's network: they are named and not touched, the rest goes, and when they are gone
//! the same command finishes.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::{CLUSTER, REGION, held};
use crate::harness::{Account, Running};

const DELETE: [&str; 4] = ["delete", CLUSTER, "--yes", "-q"];

fn with_cluster() -> Account {
    let account = Account::new();
    account.kclust(&["create", "-f", "examples/minimal.yaml", "--yes", "-q"]).expect(0);
    account
}

fn put(account: &Account, make: &[&str]) -> Json {
    account.seed(&thing(account, make))
}

/// The seed.
fn thing(account: &Account, make: &[&str]) -> Json {
    json!({ "what": "in-the-way", "region": REGION, "cluster": CLUSTER, "make": make, "cidr": cidr(account) })
}

/// Entries of the world with these ids, whatever kind they are.
fn entries(account: &Account, made: &Json) -> Vec<Json> {
    let world = account.world();
    let kinds = world["regions"][REGION].as_object().unwrap();
    let ids = made.as_object().unwrap().values().filter_map(Json::as_str);
    ids.flat_map(|id| kinds.values().filter_map(move |things| things.get(id).cloned())).collect()
}

/// A range in the cluster's network that no subnet has.
fn cidr(account: &Account) -> String {
    let world = account.world();
    let vpcs = world["regions"][REGION]["vpcs"].as_object().unwrap();
    let vpc = vpcs.values().find(|vpc| !vpc["isDefault"].as_bool().unwrap()).unwrap();
    let network: Vec<&str> = vpc["cidr"].as_str().unwrap().split('.').collect();
    format!("{}.{}.255.0/28", network[0], network[1])
}

fn remove(account: &Account, made: &Json) {
    account.seed(&json!({ "what": "out-of-the-way", "region": REGION, "made": made }));
}

#[test]
fn every_kind_is_named_with_its_owner() {
    let account = with_cluster();
    let kinds = [
        ("interface", "NetworkInterface"),
        ("instance", "Instance"),
        ("security-group", "SecurityGroup"),
        ("rule", "SecurityGroup"),
        ("network-acl", "NetworkAcl"),
        ("route-table", "RouteTable"),
        ("subnet", "Subnet"),
        ("vpc-endpoint", "VpcEndpoint"),
        ("peering", "VpcPeeringConnection"),
        ("vpn-gateway", "VpnGateway"),
        ("load-balancer", "LoadBalancer"),
    ];
    let made = put(&account, &kinds.map(|(kind, _)| kind));
    let foreign = |what: &str| match what {
        "load-balancer" => "somebody-elses".to_owned(),
        what => made[what].as_str().unwrap().to_owned(),
    };
    let plan = account.kclust(&["delete", CLUSTER, "--dry-run", "-o", "json"]).expect(0).json();
    for (what, kind) in kinds {
        let named = plan["inTheWay"].as_array().unwrap().iter().find(|blocker| blocker["id"] == foreign(what));
        let named = named.unwrap_or_else(|| panic!("{what} is not named: {}", plan["inTheWay"]));
        assert_eq!(named["kind"], kind);
        let owner = named["owner"].as_str().unwrap();
        assert!(what == "load-balancer" || owner.contains("Name=somebody-elses"), "{what}: {owner}");
    }
    assert_eq!(plan["inTheWay"].as_array().unwrap().len(), kinds.len(), "{}", plan["inTheWay"]);

    let run = account.kclust(&DELETE).expect(1);
    assert_eq!(run.stdout, "");
    for (what, kind) in kinds {
        let line = format!("in the way: {kind}/{}", foreign(what));
        assert!(run.stderr.contains(&line), "{line:?} is missing in:\n{}", run.stderr);
    }
    for words in ["resources are left of cluster", "still there: ", "(vpc-", "have it removed, and run `kclust delete"] {
        assert!(run.stderr.contains(words), "{words:?} is missing in:\n{}", run.stderr);
    }
    let world = account.world();
    let here = &world["regions"][REGION];
    // What nothing holds is gone, whatever kind it is.
    for kind in ["autoScalingGroups", "launchTemplates", "targetGroups", "keyPairs"] {
        assert!(here[kind].is_null(), "{kind}: {}", here[kind]);
    }
    assert!(world["iam"]["roles"].is_null(), "{}", world["iam"]);

    remove(&account, &made);
    account.kclust(&DELETE).expect(0);
    let world = account.world();
    let tagged = format!("kubernetes.io/cluster/{CLUSTER}");
    assert!(!world["regions"].to_string().contains(&tagged), "{}", world["regions"]);
    assert_eq!(account.defects(), Vec::<Json>::new());
}

/// It comes while the cluster goes: it is found all the same, and not after the minutes that load balancers may take.
#[test]
fn one_that_comes_meanwhile_is_named() {
    let account = with_cluster();
    account.forget_calls();
    account.set_faults(&held());
    let begun = Instant::now();
    let running = Running::start(&mut account.command(&DELETE));
    while !account.calls().iter().any(|call| call["action"] == "DeleteAutoScalingGroup") {
        assert!(begun.elapsed().as_secs() < 120, "nothing was deleted");
        std::thread::sleep(Duration::from_millis(5));
    }
    let made = put(&account, &["interface-with-group"]);
    account.set_faults(&json!([]));
    let run = running.wait().expect(1);
    let interface = made["interface-with-group"].as_str().unwrap();
    let words = format!("in the way: NetworkInterface/{interface} \"in the nodes' group\" of account {}", account.id);
    assert!(run.stderr.contains(&words), "{words:?} is missing in:\n{}", run.stderr);
    remove(&account, &made);
    account.kclust(&DELETE).expect(0);
}

/// What is tagged for another cluster and lies in our network is touched neither by an update nor by a removal, which names it.
#[test]
fn things_of_another_cluster_in_our_network() {
    let account = with_cluster();
    let kinds = ["interface", "instance", "security-group", "load-balancer", "volume"];
    let mut seed = thing(&account, &kinds);
    seed["tags"] = json!({
        "Name": "of-another", "kubernetes.io/cluster/other.k8s.local": "owned", "node.k8s.amazonaws.com/instance_id": "i-1",
    });
    let made = account.seed(&seed);
    let before = entries(&account, &made);
    assert_eq!(before.len(), kinds.len(), "{before:#?}");

    let spec = crate::harness::example("minimal");
    let changed = spec.replace("maxSize: 2", "maxSize: 3");
    assert_ne!(changed, spec);
    let file = account.file("changed.yaml", &changed);
    account.kclust(&["update", "-f", &file, "--yes", "-q"]).expect(0);
    assert_eq!(entries(&account, &made), before);

    let plan = account.kclust(&["delete", CLUSTER, "--dry-run", "-o", "json"]).expect(0).json();
    assert_eq!((&plan["removedToo"], &plan["kept"]), (&json!([]), &json!([])));
    let run = account.kclust(&DELETE).expect(1);
    assert_eq!(entries(&account, &made), before);
    for (what, kind) in kinds.iter().zip(["NetworkInterface", "Instance", "SecurityGroup"]) {
        let line = format!("in the way: {kind}/{}", made[what].as_str().unwrap());
        assert!(run.stderr.contains(&line), "{line:?} is missing in:\n{}", run.stderr);
    }
    assert!(run.stderr.contains("in the way: LoadBalancer/somebody-elses"), "{}", run.stderr);
    remove(&account, &made);
    account.kclust(&DELETE).expect(0);
    assert_eq!(account.defects(), Vec::<Json>::new());
}

/// What holds on to something of the cluster from elsewhere is named, and the command ends as soon as nothing else goes.
#[test]
fn what_holds_on_from_elsewhere_is_named() {
    let account = with_cluster();
    let made = put(&account, &["auto-scaling-group", "holder"]);
    let world = account.world();
    let role = world["iam"]["roles"].as_object().unwrap().keys().find(|name| name.starts_with("nodes-")).unwrap();
    let statement = "%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3AListBucket%22%2C%22Resource%22%3A%22%2A%22%7D";
    let document = format!("%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B{statement}%5D%7D");
    let policy = format!("arn:aws:iam::{}:policy/audit", account.id);
    let iam = |body: &str| account.form("iam", "us-east-1", &format!("{body}&Version=2010-05-08"));
    iam(&format!("Action=CreatePolicy&PolicyName=audit&PolicyDocument={document}"));
    iam(&format!("Action=AttachRolePolicy&RoleName={role}&PolicyArn={policy}"));

    let (holder, volume) = (made["holder"]["instance"].as_str().unwrap(), made["holder"]["volume"].as_str().unwrap());
    let instances = world["regions"][REGION]["instances"].as_object().unwrap();
    let of_group = |instance: &Json| instance["tags"]["aws:autoscaling:groupName"] == "somebody-elses";
    let (machine, _) = instances.iter().find(|(_, instance)| of_group(instance)).expect("the group has launched one");
    let run = account.kclust(&DELETE).expect(1);
    for words in [
        format!("in the way: AttachedPolicy/{policy} \"audit\" of account {} keeps Role/{role}", account.id),
        format!("in the way: Instance/{holder}"),
        format!("keeps Volume/{volume}"),
        format!("in the way: Instance/{machine}"),
        "aws:autoscaling:groupName=somebody-elses".to_owned(),
        "AWS did not remove Role/nodes: iam:DeleteRole: DeleteConflict: ".to_owned(),
    ] {
        assert!(run.stderr.contains(&words), "{words:?} is missing in:\n{}", run.stderr);
    }
    iam(&format!("Action=DetachRolePolicy&RoleName={role}&PolicyArn={policy}"));
    remove(&account, &made);
    account.kclust(&DELETE).expect(0);
    assert_eq!(account.defects(), Vec::<Json>::new());
}

/// Things that lost the tags by which they are known are the cluster's by the ledger.
#[test]
fn what_lost_its_tags_goes_too() {
    let account = with_cluster();
    let world = account.world();
    let here = &world["regions"][REGION];
    let endpoint = here["vpcEndpoints"].as_object().unwrap().keys().next().unwrap();
    account.form("ec2", REGION, &format!("Action=DeleteTags&Version=2016-11-15&ResourceId.1={endpoint}"));
    for table in here["routeTables"].as_object().unwrap().keys() {
        // The routes that would show the endpoint are gone, as after a removal that was interrupted.
        let body = format!("Action=ModifyVpcEndpoint&Version=2016-11-15&VpcEndpointId={endpoint}&RemoveRouteTableId.1={table}");
        account.form("ec2", REGION, &body);
    }
    let group = here["autoScalingGroups"].as_object().unwrap().keys().next().unwrap();
    let tag = format!("Tags.member.1.ResourceId={group}&Tags.member.1.ResourceType=auto-scaling-group");
    let body = format!("Action=DeleteTags&Version=2011-01-01&{tag}&Tags.member.1.Key=kclust.dev%2Fid");
    account.form("autoscaling", REGION, &body);
    account.kclust(&DELETE).expect(0);
    let world = account.world();
    assert!(world["regions"][REGION]["vpcEndpoints"].is_null() && world["regions"][REGION]["autoScalingGroups"].is_null());
    assert_eq!(account.defects(), Vec::<Json>::new());
}

/// A rule of somebody else that names a group of the cluster is not revoked.
#[test]
fn rules_of_others_are_not_revoked() {
    let account = with_cluster();
    let made = put(&account, &["rule"]);
    let group = made["rule"].as_str().unwrap();
    let rules = || account.world()["regions"][REGION]["securityGroups"][group]["ingress"].clone();
    let before = rules();
    let run = account.kclust(&DELETE).expect(1);
    assert!(run.stderr.contains("which its rules name"), "{}", run.stderr);
    assert_eq!(rules(), before);
    remove(&account, &made);
    account.kclust(&DELETE).expect(0);
    assert_eq!(account.defects(), Vec::<Json>::new());
}
