//! The tag that says which of the cluster's resources a thing is, taken away. A thing without it is not seen: what would be made
//! in its place AWS refuses, or the plan does; where AWS knows it by a name it is tagged again.

use serde_json::Value as Json;

use super::Cluster;

const ID: &str = "kclust.dev/id";

/// What becomes of a cluster one of whose things lost its id.
enum Outcome {
    /// The same thing has the tag again.
    Tagged,
    /// There is no plan: exit code 2, and nothing was changed.
    NoPlan,
    /// It is told, exit code 1, and no second one was made.
    Refused,
}

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

fn regain_id(c: &Cluster, name: &str) {
    match name.split_once('/').unwrap().0 {
        "Role" => c.tag_role(name, ID, name),
        "AutoscalingGroup" => c.tag_group(name, ID, name),
        _ => c.tag(name, ID, name),
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
        ("Vpc/main", Outcome::Refused),
        ("Subnet/private-us-east-1a", Outcome::NoPlan),
        ("ElasticIp/nat-us-east-1a", Outcome::NoPlan),
        ("SecurityGroup/control-plane", Outcome::Refused),
        ("InternetGateway/main", Outcome::Refused),
        ("NatGateway/us-east-1a", Outcome::Refused),
        (pair.as_str(), Outcome::Refused),
        ("NetworkInterface/cp-1", Outcome::Tagged),
        ("AutoscalingGroup/workers", Outcome::Refused),
        ("Volume/cp-1", Outcome::Tagged),
        ("Role/nodes", Outcome::Tagged),
    ];
    for (name, outcome) in cases {
        let before = things(c);
        lose_id(c, name);
        let run = c.update(&["--yes"]);
        let code = match outcome {
            Outcome::Tagged => 0,
            Outcome::NoPlan => 2,
            Outcome::Refused => 1,
        };
        assert_eq!(run.code, code, "{name}:\n{}{}", run.stdout, run.stderr);
        assert_eq!(things(c), before, "{name}: something was made or removed:\n{}", run.stderr);
        if !matches!(outcome, Outcome::Tagged) {
            assert!(run.stderr.contains("error:"), "{name}:\n{}", run.stderr);
            regain_id(c, name);
            // What came before the failure was done: it is undone.
            c.apply();
        }
        c.settled();
    }
}
