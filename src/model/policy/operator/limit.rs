//! Scopes in IAM's words: resources and conditions.

use super::Ground;
use super::action::{Action, Part, Scope, ServiceRoleOf};
use crate::model::tags;
use crate::spec::{Image, Vpc};

/// Tag by which the AWS load-balancer controller knows what it made, on what has not the cluster's own.
const LOAD_BALANCER_CONTROLLER: &str = "elbv2.k8s.aws/cluster";
/// Tag of interfaces that the VPC network plugin made.
const NETWORK_PLUGIN: &str = "cluster.k8s.amazonaws.com/name";

/// An action on some resources, under some conditions: the smallest thing that a policy can allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Service and operation.
    pub action: &'static str,
    /// Patterns of ARNs.
    pub resources: Vec<String>,
    /// ARN of a thing that the action may be done to, for the policy simulator; `*` where the action is limited to nothing.
    pub example: String,
    pub conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    pub operator: &'static str,
    pub key: String,
    /// Any of them.
    pub values: Vec<String>,
}

fn equals(key: impl Into<String>, value: impl Into<String>) -> Condition {
    Condition { operator: "StringEquals", key: key.into(), values: vec![value.into()] }
}

/// What allows an action on everything that it takes.
pub(super) fn grants(action: Action, ground: &Ground<'_>) -> Vec<Grant> {
    action.scopes().iter().flat_map(|scope| ground.grants(action.name(), *scope)).collect()
}

impl Ground<'_> {
    fn grants(&self, action: &'static str, scope: Scope) -> Vec<Grant> {
        let grant = |resources: Vec<String>, conditions: Vec<Condition>| {
            let example = resources.first().map(|pattern| pattern.replace('*', "0")).unwrap_or_default();
            Grant { action, resources, example, conditions }
        };
        let ownership = tags::cluster(self.cluster.name.as_str());
        let owned = || equals(format!("aws:ResourceTag/{ownership}"), tags::OWNED);
        let requested = || equals(format!("aws:RequestTag/{ownership}"), tags::OWNED);
        match scope {
            Scope::Everything => vec![Grant { action, resources: vec!["*".into()], example: "*".into(), conditions: vec![] }],
            Scope::New(what) => {
                let resource = self.ec2(&format!("{what}/*"));
                let operation = action.split_once(':').map_or(action, |(_, operation)| operation);
                let tagging = Grant {
                    action: Action::CreateTags.name(),
                    ..grant(vec![resource.clone()], vec![equals("ec2:CreateAction", operation), requested()])
                };
                vec![grant(vec![resource], vec![requested()]), tagging]
            }
            // One pattern for all types: the action has its own types, and the tag is the limit.
            Scope::Owned(what) => {
                let what = if what == "*" { "vpc" } else { what };
                vec![Grant { example: self.ec2(&format!("{what}/0")), ..grant(vec![self.ec2("*/*")], vec![owned()]) }]
            }
            Scope::Network(what) => match &self.cluster.network.vpc {
                Vpc::Managed { .. } => self.grants(action, Scope::Owned(what)),
                Vpc::Existing { id, .. } if what == "vpc" => vec![grant(vec![self.ec2(&format!("vpc/{id}"))], vec![])],
                Vpc::Existing { subnets, .. } => {
                    vec![grant(subnets.iter().map(|subnet| self.ec2(&format!("subnet/{}", subnet.id))).collect(), vec![])]
                }
            },
            Scope::Launched(what) => {
                // Images are nobody's in particular: their ARNs have no account.
                let resource = if what == "image" { self.arn("ec2", "", "image/*") } else { self.ec2(&format!("{what}/*")) };
                let template = vec![self.ec2("launch-template/*")];
                vec![grant(
                    vec![resource],
                    vec![Condition { operator: "ArnLike", key: "ec2:LaunchTemplate".into(), values: template }],
                )]
            }
            Scope::Controllers(what) => {
                let key = if what == "network-interface" { NETWORK_PLUGIN } else { LOAD_BALANCER_CONTROLLER };
                let condition = equals(format!("aws:ResourceTag/{key}"), self.cluster.name.as_str());
                vec![grant(vec![self.ec2(&format!("{what}/*"))], vec![condition])]
            }
            Scope::NewGroup => vec![grant(vec![self.groups()], vec![requested()])],
            Scope::OwnedGroup => vec![grant(vec![self.groups()], vec![owned()])],
            Scope::Roles => vec![grant(vec![self.iam(&format!("role{}*", self.iam_path()))], vec![])],
            Scope::Profiles => vec![grant(vec![self.iam(&format!("instance-profile{}*", self.iam_path()))], vec![])],
            Scope::PassedRoles => {
                let service = if self.partition == "aws-cn" { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" };
                vec![grant(self.passed_roles(), vec![equals("iam:PassedToService", service)])]
            }
            Scope::ServiceRole(of) => {
                let (service, name) = match of {
                    ServiceRoleOf::AutoScaling => ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling"),
                    ServiceRoleOf::ElasticLoadBalancing => {
                        ("elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing")
                    }
                };
                let role = self.iam(&format!("role/aws-service-role/{service}/{name}"));
                vec![grant(vec![role], vec![equals("iam:AWSServiceName", service)])]
            }
            Scope::Balancer(part) => vec![grant(vec![self.balancer(part)], vec![])],
            Scope::NewBalancer(part) => vec![grant(vec![self.balancer(part)], vec![requested()])],
            Scope::TagsOfNew(part, call) => {
                vec![grant(vec![self.balancer(part)], vec![equals("elasticloadbalancing:CreateAction", call), requested()])]
            }
            Scope::MadeByControllers => {
                let all = vec![self.arn("elasticloadbalancing", self.account, "*/*")];
                let tagged = equals(format!("aws:ResourceTag/{LOAD_BALANCER_CONTROLLER}"), self.cluster.name.as_str());
                let grant = |condition| Grant {
                    example: self.arn("elasticloadbalancing", self.account, "loadbalancer/net/0/0"),
                    ..grant(all.clone(), vec![condition])
                };
                vec![grant(owned()), grant(tagged)]
            }
            Scope::Zone => vec![grant(vec![self.zone()], vec![])],
            Scope::Records => {
                let all_of = |key: &str, values: Vec<String>| Condition {
                    operator: "ForAllValues:StringEquals",
                    key: format!("route53:ChangeResourceRecordSets{key}"),
                    values,
                };
                let conditions = vec![
                    all_of("NormalizedRecordNames", self.cluster.api_name().into_iter().collect()),
                    all_of("RecordTypes", vec!["A".into()]),
                    all_of("Actions", vec!["UPSERT".into(), "DELETE".into()]),
                ];
                vec![grant(vec![self.zone()], conditions)]
            }
            Scope::Parameters => vec![grant(self.parameters(), vec![])],
            Scope::Principal => {
                vec![grant(vec![self.iam("role/*"), self.iam("user/${aws:username}")], vec![])]
            }
            Scope::Quotas => {
                let of = |service: &str| self.arn("servicequotas", self.account, &format!("{service}/*"));
                vec![grant(["ec2", "vpc", "elasticloadbalancing"].map(of).to_vec(), vec![])]
            }
            Scope::BucketItself | Scope::RootListing | Scope::ClusterListing | Scope::Objects => match self.state {
                Some(state) => state_grants(scope, state, self, grant),
                None => Vec::new(),
            },
        }
    }

    fn arn(&self, service: &str, account: &str, what: &str) -> String {
        format!("arn:{}:{service}:{}:{account}:{what}", self.partition, self.cluster.region)
    }

    fn ec2(&self, what: &str) -> String {
        self.arn("ec2", self.account, what)
    }

    fn iam(&self, what: &str) -> String {
        format!("arn:{}:iam::{}:{what}", self.partition, self.account)
    }

    fn groups(&self) -> String {
        self.arn("autoscaling", self.account, "autoScalingGroup:*:autoScalingGroupName/*")
    }

    fn iam_path(&self) -> String {
        crate::model::iam_path(self.cluster.region.as_str(), self.cluster.name.as_str())
    }

    fn balancer(&self, part: Part) -> String {
        let name = crate::model::load_balancer_name(self.cluster.region.as_str(), self.cluster.name.as_str());
        let what = match part {
            Part::LoadBalancer => "loadbalancer/net",
            Part::TargetGroup => "targetgroup",
            Part::Listener => "listener/net",
        };
        self.arn("elasticloadbalancing", self.account, &format!("{what}/{name}/*"))
    }

    /// A zone's id is known only where AWS was asked.
    fn zone(&self) -> String {
        format!("arn:{}:route53:::hostedzone/{}", self.partition, self.zone_id.unwrap_or("*"))
    }

    /// Roles of the cluster's own profiles, by their path. Which role is in a profile of somebody else only AWS knows; the console
    /// gives both one name.
    fn passed_roles(&self) -> Vec<String> {
        let iam = &self.cluster.iam;
        let profiles = [&iam.control_plane_profile, &iam.node_profile];
        let own = profiles.iter().any(|profile| profile.is_none()).then(|| self.iam(&format!("role{}*", self.iam_path())));
        let mut roles: Vec<String> = own.into_iter().collect();
        for profile in profiles.into_iter().flatten() {
            let role = profile.replace(":instance-profile/", ":role/");
            if !roles.contains(&role) {
                roles.push(role);
            }
        }
        roles
    }

    /// Parameters that images are looked up in. Those of AWS belong to no account.
    fn parameters(&self) -> Vec<String> {
        let groups = self.cluster.node_groups.iter().map(|group| &group.image);
        let mut found: Vec<String> = groups
            .chain([&self.cluster.control_plane.image])
            .filter_map(|image| match image {
                Image::Default => Some(self.arn("ssm", "", "parameter/aws/service/canonical/*")),
                Image::Parameter(path) if path.starts_with("/aws/") => Some(self.arn("ssm", "", &format!("parameter{path}"))),
                Image::Parameter(path) => {
                    Some(self.arn("ssm", self.account, &format!("parameter/{}", path.trim_start_matches('/'))))
                }
                Image::Id(_) | Image::Name { .. } => None,
            })
            .collect();
        found.sort();
        found.dedup();
        found
    }
}

fn state_grants(
    scope: Scope,
    state: &crate::cloud::facts::StateLocation,
    ground: &Ground<'_>,
    grant: impl Fn(Vec<String>, Vec<Condition>) -> Grant,
) -> Vec<Grant> {
    let bucket = format!("arn:{}:s3:::{}", ground.partition, state.bucket);
    let below = |prefix: String| Condition { operator: "StringLike", key: "s3:prefix".into(), values: vec![prefix] };
    match scope {
        // Clusters lie beside each other: the listing of their names shows no more than the names.
        Scope::RootListing => {
            let root = state.prefix.strip_suffix(ground.cluster.name.as_str()).unwrap_or_default();
            vec![grant(vec![bucket], vec![equals("s3:prefix", root)])]
        }
        Scope::ClusterListing => vec![grant(vec![bucket], vec![below(format!("{}/*", state.prefix))])],
        Scope::Objects => vec![grant(vec![format!("{bucket}/{}/*", state.prefix)], vec![])],
        _ => vec![grant(vec![bucket], vec![])],
    }
}
