//! IAM policy documents: what the machines of a cluster may do.

pub mod operator;
mod presets;

use serde_json::{Map, Value as Json, json};

use crate::cloud::Facts;
use crate::spec::{Cluster, Preset};

use super::tags;

/// The one form in which documents are written and compared: keys sorted, no white space. IAM stores what it is given, but other
/// tools that touch a policy may reorder it.
pub fn canonical(document: &Json) -> String {
    fn sorted(value: &Json) -> Json {
        match value {
            Json::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| key.as_str());
                Json::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect::<Map<_, _>>())
            }
            Json::Array(items) => Json::Array(items.iter().map(sorted).collect()),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.clone(),
        }
    }
    sorted(document).to_string()
}

/// EC2 instances may assume the role. The service's name is the same in all partitions but China's.
pub(super) fn trust(facts: &Facts) -> String {
    let service = if facts.partition == "aws-cn" { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" };
    canonical(&json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }],
    }))
}

fn document(statements: Vec<Json>) -> String {
    canonical(&json!({ "Version": "2012-10-17", "Statement": statements }))
}

fn allow(sid: &str, actions: &[&str], resources: Json) -> Json {
    json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources })
}

fn allow_if(sid: &str, actions: &[&str], resources: Json, condition: Json) -> Json {
    let mut statement = allow(sid, actions, resources);
    statement["Condition"] = condition;
    statement
}

/// Objects of the state bucket, by key pattern below the cluster's prefix.
fn objects(facts: &Facts, patterns: &[&str]) -> Json {
    patterns
        .iter()
        .map(|pattern| format!("arn:{}:s3:::{}/{}/{pattern}", facts.partition, facts.state.bucket, facts.state.prefix))
        .collect()
}

/// Without `s3:ListBucket` a missing key reads as 403, not as 404, and the boot program could not tell "not there" from "not allowed".
fn list_objects(facts: &Facts, patterns: &[&str]) -> Json {
    let prefixes: Json = patterns.iter().map(|pattern| format!("{}/{pattern}", facts.state.prefix)).collect();
    allow_if(
        "ListState",
        &["s3:ListBucket"],
        json!([format!("arn:{}:s3:::{}", facts.partition, facts.state.bucket)]),
        json!({ "StringLike": { "s3:prefix": prefixes } }),
    )
}

/// Images of the account's own registries.
fn pull_images() -> Json {
    allow(
        "PullImages",
        &[
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:DescribeRepositories",
            "ecr:GetAuthorizationToken",
            "ecr:GetDownloadUrlForLayer",
            "ecr:ListImages",
        ],
        json!("*"),
    )
}

/// Workers read the join credential and the boot program, but no addon, whose values may be confidential, and write their own status. They need no EC2 permission: provider id
/// and node name are set at boot.
///
/// That a worker writes its own status only cannot be said: `aws:userid` holds the instance id behind the role's, IAM variables
/// cannot be cut apart, and no condition key of `PutObject` holds the object's key. So nothing may be decided by a status; what
/// slots tell each other and the operator decides by lies under `control-plane/`.
pub(super) fn nodes(facts: &Facts) -> String {
    document(vec![
        allow(
            "ReadBootstrap",
            &["s3:GetObject"],
            objects(facts, &["bootstrap/boot-*", "nodes/bootstrap.kubeconfig", "assets/*"]),
        ),
        allow("WriteStatus", &["s3:PutObject"], objects(facts, &["nodes/status/*"])),
        list_objects(facts, &["bootstrap/*", "nodes/*"]),
        pull_images(),
    ])
}

/// Control planes read the cluster's state, keep the join credential fresh, attach their volume, and run the cloud controller
/// (the list of kubernetes/cloud-provider-aws, docs/prerequisites.md, less what creates volumes).
pub(super) fn control_plane(cluster: &Cluster, facts: &Facts) -> String {
    let name = cluster.name.as_str();
    let ownership = tags::cluster(name);
    let owned = json!({ "StringEquals": { format!("aws:ResourceTag/{ownership}"): tags::OWNED } });
    let requested = json!({ "StringEquals": { format!("aws:RequestTag/{ownership}"): tags::OWNED } });
    let mut statements = vec![
        allow(
            "ReadState",
            &["s3:GetObject"],
            objects(facts, &["pki/*", "bootstrap/*", "control-plane/*", "nodes/*", "assets/*", "backups/*", "cluster.yaml"]),
        ),
        allow("WriteState", &["s3:PutObject"], objects(facts, &["control-plane/*", "nodes/*", "backups/*"])),
        allow("DeleteState", &["s3:DeleteObject"], objects(facts, &["control-plane/*", "nodes/*", "backups/*"])),
        list_objects(facts, &["*"]),
        allow_if("AttachEtcdVolume", &["ec2:AttachVolume", "ec2:DetachVolume"], json!("*"), owned.clone()),
        allow_if("CompleteLifecycle", &["autoscaling:CompleteLifecycleAction"], json!("*"), owned.clone()),
        allow(
            "Describe",
            &[
                "autoscaling:DescribeAutoScalingGroups",
                "autoscaling:DescribeAutoScalingInstances",
                "autoscaling:DescribeTags",
                "ec2:DescribeAvailabilityZones",
                "ec2:DescribeInstances",
                "ec2:DescribeInstanceTopology",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeRegions",
                "ec2:DescribeRouteTables",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVolumes",
                "ec2:DescribeVpcs",
                "elasticloadbalancing:DescribeListeners",
                "elasticloadbalancing:DescribeLoadBalancerAttributes",
                "elasticloadbalancing:DescribeLoadBalancerPolicies",
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeTags",
                "elasticloadbalancing:DescribeTargetGroupAttributes",
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetHealth",
                "kms:DescribeKey",
            ],
            json!("*"),
        ),
        // What the cloud controller makes it must tag as the cluster's …
        allow_if(
            "CreateTagged",
            &[
                "ec2:CreateSecurityGroup",
                "elasticloadbalancing:CreateListener",
                "elasticloadbalancing:CreateLoadBalancer",
                "elasticloadbalancing:CreateTargetGroup",
            ],
            json!("*"),
            requested.clone(),
        ),
        // … the VPC of a new security group cannot carry a request tag.
        allow("CreateInVpc", &["ec2:CreateSecurityGroup"], json!([format!("arn:{}:ec2:*:*:vpc/*", facts.partition)])),
        allow_if(
            "TagOnCreate",
            &["ec2:CreateTags"],
            json!([format!("arn:{}:ec2:*:*:security-group/*", facts.partition)]),
            json!({ "StringEquals": { "ec2:CreateAction": "CreateSecurityGroup", format!("aws:RequestTag/{ownership}"): tags::OWNED } }),
        ),
        // … and tagging while creating is a permission of its own, judged before there is a resource with tags.
        allow_if(
            "TagBalancersOnCreate",
            &["elasticloadbalancing:AddTags"],
            json!("*"),
            json!({ "StringEquals": {
                "elasticloadbalancing:CreateAction": ["CreateListener", "CreateLoadBalancer", "CreateTargetGroup"],
                format!("aws:RequestTag/{ownership}"): tags::OWNED,
            } }),
        ),
        // … and may change only what is the cluster's.
        allow_if(
            "ChangeOwned",
            &[
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:DeleteSecurityGroup",
                "ec2:ModifyInstanceAttribute",
                "ec2:RevokeSecurityGroupIngress",
                "elasticloadbalancing:AddTags",
                "elasticloadbalancing:CreateListener",
                "elasticloadbalancing:CreateLoadBalancerListeners",
                "elasticloadbalancing:CreateLoadBalancerPolicy",
                "elasticloadbalancing:ConfigureHealthCheck",
                "elasticloadbalancing:DeleteListener",
                "elasticloadbalancing:DeleteLoadBalancer",
                "elasticloadbalancing:DeleteLoadBalancerListeners",
                "elasticloadbalancing:DeleteTargetGroup",
                "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
                "elasticloadbalancing:DeregisterTargets",
                "elasticloadbalancing:ModifyListener",
                "elasticloadbalancing:ModifyLoadBalancerAttributes",
                "elasticloadbalancing:ModifyTargetGroup",
                "elasticloadbalancing:ModifyTargetGroupAttributes",
                "elasticloadbalancing:RegisterInstancesWithLoadBalancer",
                "elasticloadbalancing:RegisterTargets",
                "elasticloadbalancing:SetLoadBalancerPoliciesForBackendServer",
                "elasticloadbalancing:SetLoadBalancerPoliciesOfListener",
            ],
            json!("*"),
            owned.clone(),
        ),
        pull_images(),
    ];
    if cluster.has_preset(Preset::AwsEbsCsiDriver) {
        statements.extend(presets::ebs_csi(facts, &ownership, &owned, &requested));
    }
    if cluster.has_preset(Preset::ClusterAutoscaler) {
        statements.extend(presets::cluster_autoscaler(&owned));
    }
    if cluster.has_preset(Preset::AwsLoadBalancerController) {
        statements.extend(presets::load_balancer_controller(facts, &ownership, &owned));
    }
    document(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let one = json!({ "b": [{ "y": 1, "x": 2 }], "a": "1" });
        let other: Json = serde_json::from_str(r#"{ "a":"1", "b":[ {"x":2,"y":1} ] }"#).unwrap();
        assert_eq!(canonical(&one), canonical(&other));
        assert_eq!(canonical(&one), r#"{"a":"1","b":[{"x":2,"y":1}]}"#);
    }
}
