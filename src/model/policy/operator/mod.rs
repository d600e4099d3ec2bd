//! What whoever runs kclust must be allowed to do: the policy to print, and the questions to ask before a plan is carried out. Both
//! come from the same two tables: `kinds.rs` (what is done to a kind of thing takes which actions) and `action.rs` (what an action can
//! be limited to).

mod action;
mod document;
mod kinds;
mod limit;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::cloud::facts::StateLocation;
use crate::model::{Desired, Kind, Resource};
use crate::spec::{Cluster, DnsVisibility, Image, Vpc};

use action::Action;
pub use document::{MANAGED_POLICY_LIMIT, characters, document, parts};
pub use limit::{Condition, Grant};

/// Whose permissions, and where.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    pub cluster: &'a Cluster,
    pub partition: &'a str,
    /// Twelve digits; `*` where it is not known.
    pub account: &'a str,
    /// Id of the hosted zone, where it is known.
    pub zone_id: Option<&'a str>,
    /// Where the state lies, if in a bucket.
    pub state: Option<&'a StateLocation>,
}

/// What is done to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Create,
    Update,
    Delete,
}

/// All that `create`, `update`, `validate`, `backup`, `restore`, `get` and `delete` of a cluster take.
pub fn everything(ground: &Ground<'_>, desired: &Desired) -> Vec<Grant> {
    let kinds: BTreeSet<Kind> = desired.keys().map(|id| id.kind).collect();
    let mut actions: BTreeSet<Action> = BTreeSet::new();
    for kind in Kind::ALL {
        actions.extend(kinds::observe(*kind).always);
    }
    for kind in kinds {
        actions.extend(kinds::observe(kind).details);
    }
    for (resource, verb) in desired.values().flat_map(|resource| VERBS.map(|verb| (resource, verb))) {
        actions.extend(of(resource, verb));
    }
    actions.extend(facts(ground.cluster));
    actions.extend([STATUS, LEFTOVERS, PREFLIGHT, STATE].concat());
    granted(ground, actions)
}

/// What some steps take, for the questions before they are taken.
pub fn of_steps<'a>(ground: &Ground<'_>, steps: impl IntoIterator<Item = (&'a Resource, Verb)>) -> Vec<Grant> {
    granted(ground, steps.into_iter().flat_map(|(resource, verb)| of(resource, verb)).copied().collect())
}

const VERBS: [Verb; 3] = [Verb::Create, Verb::Update, Verb::Delete];

fn of(resource: &Resource, verb: Verb) -> &'static [Action] {
    match verb {
        Verb::Create => kinds::create(resource),
        Verb::Update => kinds::update(resource),
        Verb::Delete => kinds::delete(resource),
    }
}

fn granted(ground: &Ground<'_>, mut actions: BTreeSet<Action>) -> Vec<Grant> {
    let implied: Vec<Action> = actions.iter().flat_map(|action| action.implied()).copied().collect();
    let twice: Vec<Action> = implied.iter().flat_map(|action| action.implied()).copied().collect();
    actions.extend(implied);
    actions.extend(twice);
    actions.into_iter().flat_map(|action| limit::grants(action, ground)).collect()
}

/// Which roles are taken for those of the profiles that the spec names, in words.
pub fn assumed_roles(ground: &Ground<'_>) -> Vec<String> {
    let iam = &ground.cluster.iam;
    let named = [("iam.controlPlaneProfile", &iam.control_plane_profile), ("iam.nodeProfile", &iam.node_profile)];
    let assumed = named.into_iter().filter_map(|(path, profile)| {
        let name = profile.as_ref()?.rsplit('/').next()?;
        Some(format!("spec.{path}: its role is taken to have the profile's name, {name}; correct iam:PassRole where it has not"))
    });
    assumed.collect()
}

/// `ops/facts.rs`.
fn facts(cluster: &Cluster) -> Vec<Action> {
    let mut actions = vec![Action::DescribeAvailabilityZones, Action::DescribeInstanceTypes, Action::DescribeImages];
    let mut images = cluster.node_groups.iter().map(|group| &group.image).chain([&cluster.control_plane.image]);
    if images.any(|image| matches!(image, Image::Default | Image::Parameter(_))) {
        actions.push(Action::GetParameter);
    }
    if let Some(dns) = &cluster.dns {
        actions.push(Action::ListHostedZonesByName);
        if dns.visibility == DnsVisibility::Private && matches!(cluster.network.vpc, Vpc::Existing { .. }) {
            actions.push(Action::GetHostedZone);
        }
    }
    actions
}

/// `validate`.
const STATUS: &[Action] = &[Action::DescribeInstances, Action::DescribeScalingActivities, Action::DescribeTargetHealth];

/// `delete`: what controllers in the cluster made, what an interrupted run left half-made, and what of others is in the way.
const LEFTOVERS: &[Action] = &[
    Action::DescribeBalancerTags,
    Action::DescribeInstances,
    Action::DescribeLaunchTemplates,
    Action::ListInstanceProfiles,
    Action::DescribeNetworkAcls,
    Action::DescribeSnapshots,
    Action::DescribeVpcPeeringConnections,
    Action::DescribeVpnGateways,
    Action::DeleteLoadBalancer,
    Action::DeleteTargetGroup,
    Action::DeleteSecurityGroup,
    Action::DeleteNetworkInterface,
    Action::RevokeSecurityGroupIngress,
    Action::RevokeSecurityGroupEgress,
    Action::TerminateInstances,
    Action::DeleteVolume,
];

/// `ops/preflight`.
const PREFLIGHT: &[Action] = &[
    Action::DescribeGroupLimits,
    Action::DescribeInstanceTypeOfferings,
    Action::GetAccountSummary,
    Action::GetRole,
    Action::GetDefaultQuota,
    Action::GetServiceQuota,
    Action::SimulatePrincipalPolicy,
];

/// The documents of the cluster, and the bucket where there is none yet.
const STATE: &[Action] = &[
    Action::ListBucket,
    Action::ListBucketVersions,
    Action::GetObject,
    Action::GetObjectVersion,
    Action::PutObject,
    Action::DeleteObject,
    Action::DeleteObjectVersion,
    Action::CreateBucket,
    Action::GetBucketTagging,
    Action::PutBucketTagging,
    Action::PutBucketPublicAccessBlock,
    Action::PutBucketVersioning,
    Action::PutEncryptionConfiguration,
    Action::PutBucketPolicy,
    Action::PutLifecycleConfiguration,
];
