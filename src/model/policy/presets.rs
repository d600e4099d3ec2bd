//! What the controllers of presets may do beyond the rest of the control plane.

use serde_json::{Value as Json, json};

use crate::cloud::Facts;

use super::super::tags;
use super::{allow, allow_if};

/// kubernetes-sigs/aws-ebs-csi-driver, docs/example-iam-policy.json, limited to the cluster's tag.
pub(super) fn ebs_csi(facts: &Facts, ownership: &str, owned: &Json, requested: &Json) -> Vec<Json> {
    let arn = |what: &str| format!("arn:{}:ec2:*:*:{what}/*", facts.partition);
    vec![
        allow(
            "EbsDescribe",
            &[
                "ec2:DescribeInstances",
                "ec2:DescribeSnapshots",
                "ec2:DescribeTags",
                "ec2:DescribeVolumesModifications",
                "ec2:DescribeVolumeStatus",
            ],
            json!("*"),
        ),
        allow_if(
            "EbsCreate",
            &["ec2:CreateVolume", "ec2:CreateSnapshot"],
            json!([arn("volume"), arn("snapshot")]),
            requested.clone(),
        ),
        // A volume made of a snapshot needs the right to the snapshot too, and the request says nothing of its tags
        // (kubernetes-sigs/aws-ebs-csi-driver#2190).
        allow_if("EbsFromSnapshot", &["ec2:CreateVolume"], json!([arn("snapshot")]), owned.clone()),
        allow_if("EbsSource", &["ec2:CreateSnapshot"], json!([arn("volume")]), owned.clone()),
        allow_if(
            "EbsTagOnCreate",
            &["ec2:CreateTags"],
            json!([arn("volume"), arn("snapshot")]),
            json!({ "StringEquals": { "ec2:CreateAction": ["CreateVolume", "CreateSnapshot"], format!("aws:RequestTag/{ownership}"): tags::OWNED } }),
        ),
        allow_if("EbsChangeOwned", &["ec2:DeleteVolume", "ec2:DeleteSnapshot", "ec2:ModifyVolume"], json!("*"), owned.clone()),
    ]
}

/// kubernetes/autoscaler, cluster-autoscaler/cloudprovider/aws/README.md.
pub(super) fn cluster_autoscaler(owned: &Json) -> Vec<Json> {
    vec![
        allow(
            "AutoscalerDescribe",
            &[
                "autoscaling:DescribeLaunchConfigurations",
                "autoscaling:DescribeScalingActivities",
                "ec2:DescribeImages",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeLaunchTemplateVersions",
                "ec2:GetInstanceTypesFromInstanceRequirements",
            ],
            json!("*"),
        ),
        allow_if(
            "AutoscalerScale",
            &["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"],
            json!("*"),
            owned.clone(),
        ),
    ]
}

/// kubernetes-sigs/aws-load-balancer-controller v3.5.0, docs/install/iam_policy.json, less what the cloud controller may do already. The
/// controller tags all that it makes as the cluster's (`addons/presets.rs`), so that everything can be limited to that tag, also
/// where the documented policy has no limit. Without what Shield and WAF take, which the chart's values switch off: the policies of a
/// role hold 10,240 characters. What it looks at is shortened for the same reason.
pub(super) fn load_balancer_controller(facts: &Facts, ownership: &str, owned: &Json) -> Vec<Json> {
    // Tags of what is the cluster's may change, but not whose it is.
    let mut retagged = owned.clone();
    retagged["Null"] = json!({ format!("aws:RequestTag/{ownership}"): "true" });
    vec![
        allow_if(
            "BalancerServiceRole",
            &["iam:CreateServiceLinkedRole"],
            json!("*"),
            json!({ "StringEquals": { "iam:AWSServiceName": "elasticloadbalancing.amazonaws.com" } }),
        ),
        allow(
            "BalancerDescribe",
            &[
                "acm:DescribeCertificate",
                "acm:ListCertificates",
                "cognito-idp:DescribeUserPoolClient",
                "ec2:Describe*",
                "ec2:GetCoipPoolUsage",
                "ec2:GetSecurityGroupsForVpc",
                "elasticloadbalancing:Describe*",
                "iam:GetServerCertificate",
                "iam:ListServerCertificates",
            ],
            json!("*"),
        ),
        allow_if(
            "BalancerTagGroups",
            &["ec2:CreateTags", "ec2:DeleteTags"],
            json!([format!("arn:{}:ec2:*:*:security-group/*", facts.partition)]),
            retagged,
        ),
        allow_if(
            "BalancerChangeOwned",
            &[
                "elasticloadbalancing:AddListenerCertificates",
                "elasticloadbalancing:CreateRule",
                "elasticloadbalancing:DeleteRule",
                "elasticloadbalancing:ModifyCapacityReservation",
                "elasticloadbalancing:ModifyIpPools",
                "elasticloadbalancing:ModifyListenerAttributes",
                "elasticloadbalancing:ModifyRule",
                "elasticloadbalancing:RemoveListenerCertificates",
                "elasticloadbalancing:RemoveTags",
                "elasticloadbalancing:SetIpAddressType",
                "elasticloadbalancing:SetRulePriorities",
                "elasticloadbalancing:SetSecurityGroups",
                "elasticloadbalancing:SetSubnets",
            ],
            json!("*"),
            owned.clone(),
        ),
        allow_if(
            "BalancerTagRules",
            &["elasticloadbalancing:AddTags"],
            json!("*"),
            json!({ "StringEquals": {
                "elasticloadbalancing:CreateAction": "CreateRule",
                format!("aws:RequestTag/{ownership}"): tags::OWNED,
            } }),
        ),
    ]
}
