//! What the machines of a cluster may do and what not, judged by a small evaluator of the policies that they are given.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::model::{Resource, build, tags};
use crate::spec::ClusterName;
use crate::test_support::{example, facts, id};

const BUCKET: &str = "arn:aws:s3:::kclust-state";

/// A call as IAM sees it: action, resource, and the keys of its context.
struct Request {
    action: &'static str,
    resource: String,
    context: BTreeMap<String, String>,
}

/// `*` stands for any text, `?` for any character. Actions are compared without regard to case, resources and values with it.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some(b'*'), _) => matches(&pattern[1..], text) || (!text.is_empty() && matches(pattern, &text[1..])),
        (Some(b'?'), Some(_)) => matches(&pattern[1..], &text[1..]),
        (Some(wanted), Some(found)) => wanted == found && matches(&pattern[1..], &text[1..]),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// The strings of a field that may hold one or several.
fn strings(value: &Json) -> Vec<&str> {
    match value {
        Json::String(text) => vec![text],
        Json::Array(items) => items.iter().map(|item| item.as_str().expect("a list of strings")).collect(),
        other => panic!("{other} is neither a string nor a list"),
    }
}

/// Whether a condition block holds. A key that the call does not have fails it.
fn holds(conditions: &Json, context: &BTreeMap<String, String>) -> bool {
    let blocks = conditions.as_object().expect("a map of operators");
    blocks.iter().all(|(operator, keys)| {
        keys.as_object().expect("a map of keys").iter().all(|(key, allowed)| {
            let Some(value) = context.get(key) else { return false };
            strings(allowed).iter().any(|allowed| match operator.as_str() {
                "StringEquals" => allowed == value,
                "StringLike" => matches(allowed.as_bytes(), value.as_bytes()),
                other => panic!("the evaluator does not know {other}"),
            })
        })
    })
}

/// IAM's rule: denied unless a statement allows it, and whatever allows it where one denies it.
fn allowed(policy: &Json, request: &Request) -> bool {
    let (mut allow, mut deny) = (false, false);
    for statement in policy["Statement"].as_array().expect("a list of statements") {
        let known = ["Sid", "Effect", "Action", "Resource", "Condition"];
        assert!(statement.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{statement}");
        let action = request.action.to_lowercase();
        let of_action = |pattern: &&str| matches(pattern.to_lowercase().as_bytes(), action.as_bytes());
        let of_resource = |pattern: &&str| matches(pattern.as_bytes(), request.resource.as_bytes());
        let applies = strings(&statement["Action"]).iter().any(of_action)
            && strings(&statement["Resource"]).iter().any(of_resource)
            && statement.get("Condition").is_none_or(|conditions| holds(conditions, &request.context));
        match statement["Effect"].as_str() {
            Some("Allow") => allow |= applies,
            Some("Deny") => deny |= applies,
            other => panic!("{other:?}"),
        }
    }
    allow && !deny
}

fn policy(name: &str, role: &str) -> Json {
    let mut cluster = example("ml-spot-gpu");
    cluster.name = ClusterName::parse(name).unwrap();
    let facts = facts(&cluster);
    match &build(&cluster, &facts)[&id(&format!("RolePolicy/{role}:kclust"))] {
        Resource::RolePolicy(policy) => serde_json::from_str(&policy.document).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn request(action: &'static str, resource: String, context: &[(&str, &str)]) -> Request {
    let context = context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Request { action, resource, context }
}

/// A call on an object of the bucket that lies under `team/`.
fn object(action: &'static str, key: &str) -> Request {
    request(action, format!("{BUCKET}/team/{key}"), &[])
}

fn listing(prefix: &str) -> Request {
    request("s3:ListBucket", BUCKET.to_owned(), &[("s3:prefix", &format!("team/{prefix}"))])
}

/// A call on something that has the ownership tag of a cluster.
fn tagged(action: &'static str, what: &str, owner: &str) -> Request {
    let service = action.split(':').next().unwrap();
    let resource = format!("arn:aws:{service}:us-west-2:123456789012:{what}/x");
    request(action, resource, &[(&format!("aws:ResourceTag/{}", tags::cluster(owner)), tags::OWNED)])
}

#[track_caller]
fn assert_allowed(role: &str, expected: bool, requests: impl IntoIterator<Item = Request>) {
    let policy = policy("prod", role);
    for request in requests {
        let Request { action, resource, context } = &request;
        assert_eq!(allowed(&policy, &request), expected, "{role}: {action} {resource} {context:?}");
    }
}

/// Clusters whose names begin as that of `prod`, or end so.
const OTHERS: [&str; 5] = ["prod-2", "prod.x", "pro", "x.prod", "other"];

/// A key of every part of a cluster's state.
const PARTS: [&str; 14] = [
    "cluster.yaml",
    "facts.json",
    "ledger.json",
    "lock",
    "history/000001-20261126T221500Z.yaml",
    "pki/ca.key",
    "bootstrap/boot-1.sh",
    "nodes/bootstrap.kubeconfig",
    "nodes/status/i-1.json",
    "control-plane/restore",
    "control-plane/restored/20261126T221500Z-00000000/cp-1",
    "bootstrap/addon-own-1.yaml",
    "assets/a",
    "backups/etcd/20261126T221500Z-r1.db.zst",
];

const OBJECT_ACTIONS: [&str; 5] =
    ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:GetObjectVersion", "s3:DeleteObjectVersion"];

/// Every call on every part of the state that is not listed.
fn all_but(listed: &[(&str, &[&str])]) -> Vec<Request> {
    let calls = OBJECT_ACTIONS.into_iter().flat_map(|action| PARTS.into_iter().map(move |key| (action, key)));
    let is_listed = |action: &str, key: &str| listed.iter().any(|(of, keys)| *of == action && keys.contains(&key));
    calls.filter(|(action, key)| !is_listed(action, key)).map(|(action, key)| object(action, &format!("prod/{key}"))).collect()
}

fn listed(list: &[(&'static str, &[&str])]) -> Vec<Request> {
    list.iter().flat_map(|(action, keys)| keys.iter().map(|key| object(action, &format!("prod/{key}")))).collect()
}

#[test]
fn a_worker_reads_what_it_boots_from_and_writes_its_status_and_that_is_all() {
    let may: &[(&str, &[&str])] = &[
        ("s3:GetObject", &["bootstrap/boot-1.sh", "nodes/bootstrap.kubeconfig", "assets/a"]),
        ("s3:PutObject", &["nodes/status/i-1.json"]),
    ];
    assert_allowed("nodes", true, listed(may));
    assert_allowed("nodes", false, all_but(may));
    assert_allowed("nodes", true, ["prod/bootstrap/boot-1.sh", "prod/nodes/bootstrap.kubeconfig"].map(listing));
    let closed = ["", "prod", "prod/", "prod/pki/", "prod/control-plane/", "prod/backups/etcd/", "prod/history/"];
    assert_allowed("nodes", false, closed.map(listing));
    assert_allowed("nodes", false, [request("s3:ListBucket", BUCKET.to_owned(), &[])]);
}

#[test]
fn a_control_plane_reads_the_state_and_writes_what_is_its_own_part() {
    let written: &[&str] = &[
        "nodes/bootstrap.kubeconfig",
        "nodes/status/i-1.json",
        "control-plane/restore",
        "control-plane/restored/20261126T221500Z-00000000/cp-1",
        "backups/etcd/20261126T221500Z-r1.db.zst",
    ];
    let read =
        [written, &["cluster.yaml", "pki/ca.key", "bootstrap/boot-1.sh", "bootstrap/addon-own-1.yaml", "assets/a"]].concat();
    let may: &[(&str, &[&str])] = &[("s3:GetObject", &read), ("s3:PutObject", written), ("s3:DeleteObject", written)];
    assert_allowed("control-plane", true, listed(may));
    assert_allowed("control-plane", false, all_but(may));
    assert_allowed("control-plane", true, ["prod/", "prod/backups/etcd/", "prod/control-plane/restored/"].map(listing));
    assert_allowed("control-plane", false, ["", "prod"].map(listing));
    assert_allowed("control-plane", false, [request("s3:ListBucket", BUCKET.to_owned(), &[])]);
}

#[test]
fn nobody_reaches_into_the_state_of_another_cluster() {
    for role in ["nodes", "control-plane"] {
        for other in OTHERS {
            for action in OBJECT_ACTIONS {
                assert_allowed(role, false, PARTS.map(|key| object(action, &format!("{other}/{key}"))));
            }
            assert_allowed(
                role,
                false,
                ["", "/", "/bootstrap/", "/nodes/", "/backups/etcd/"].map(|end| listing(&format!("{other}{end}"))),
            );
        }
        // Nor in another bucket.
        let elsewhere = "arn:aws:s3:::kclust-state-2/team/prod/nodes/status/i-1.json";
        assert_allowed(role, false, OBJECT_ACTIONS.map(|action| request(action, elsewhere.to_owned(), &[])));
    }
}

/// Actions that change something of AWS, and what they change.
const CHANGES: [(&str, &str); 9] = [
    ("ec2:AttachVolume", "volume"),
    ("ec2:DetachVolume", "volume"),
    ("ec2:AttachVolume", "instance"),
    ("ec2:ModifyVolume", "volume"),
    ("ec2:DeleteVolume", "volume"),
    ("ec2:DeleteSecurityGroup", "security-group"),
    ("autoscaling:CompleteLifecycleAction", "autoScalingGroup"),
    ("autoscaling:SetDesiredCapacity", "autoScalingGroup"),
    ("elasticloadbalancing:DeleteLoadBalancer", "loadbalancer"),
];

#[test]
fn a_control_plane_changes_nothing_of_another_cluster() {
    let slot = [
        tagged("ec2:AttachVolume", "volume", "prod"),
        tagged("ec2:AttachVolume", "instance", "prod"),
        tagged("ec2:DetachVolume", "volume", "prod"),
        tagged("ec2:DetachVolume", "instance", "prod"),
        tagged("autoscaling:CompleteLifecycleAction", "autoScalingGroup", "prod"),
    ];
    assert_allowed("control-plane", true, slot);
    for (action, what) in CHANGES {
        assert_allowed("control-plane", false, OTHERS.map(|owner| tagged(action, what, owner)));
        let untagged = format!("arn:aws:{}:us-west-2:123456789012:{what}/x", action.split(':').next().unwrap());
        assert_allowed("control-plane", false, [request(action, untagged, &[])]);
        assert_allowed("nodes", false, ["prod", "other"].map(|owner| tagged(action, what, owner)));
    }
    // To give another's volume the own tag would be a way around.
    let tag = format!("aws:RequestTag/{}", tags::cluster("prod"));
    let volume = "arn:aws:ec2:us-west-2:123456789012:volume/x".to_owned();
    assert_allowed("control-plane", false, [request("ec2:CreateTags", volume, &[(tag.as_str(), tags::OWNED)])]);
}

#[test]
fn no_machine_changes_permissions_or_launches_machines() {
    let actions = [
        "iam:PassRole",
        "iam:PutRolePolicy",
        "ec2:RunInstances",
        "ec2:TerminateInstances",
        "ec2:CreateLaunchTemplateVersion",
        "s3:PutBucketPolicy",
        "sts:AssumeRole",
        "autoscaling:UpdateAutoScalingGroup",
    ];
    for role in ["nodes", "control-plane"] {
        assert_allowed(role, false, actions.map(|action| tagged(action, "anything", "prod")));
    }
}

#[test]
fn the_evaluator_denies_what_a_statement_denies() {
    let statement =
        |effect: &str, resource: &str| serde_json::json!({ "Effect": effect, "Action": "s3:*", "Resource": resource });
    let policy = serde_json::json!({ "Statement": [statement("Allow", "*"), statement("Deny", "arn:aws:s3:::a/?/*")] });
    let get = |resource: &str| allowed(&policy, &request("s3:GetObject", resource.to_owned(), &[]));
    assert!(get("arn:aws:s3:::a/12/x") && !get("arn:aws:s3:::a/1/x") && !get("arn:aws:s3:::a/1/"));
}
