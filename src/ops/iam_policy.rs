//! `kclust iam-policy`: what whoever works on a cluster must be allowed to do.

use serde_json::Value as Json;

use crate::cloud::Facts;
use crate::model::build;
use crate::model::policy::operator::{self, Ground};
use crate::spec::{Cluster, ClusterName};
use crate::store::{ClusterStore, ObjectStore};

use super::StateRoot;
use super::begin::{no_such_cluster, recorded};
use super::error::OpsError;
use super::render::made_up_facts;

/// The permissions that a cluster takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorPolicy {
    pub cluster: ClusterName,
    /// All of it.
    pub document: Json,
    /// The same, in documents that each fit into a managed policy.
    pub parts: Vec<Json>,
    /// What the policy takes for granted because only AWS knows it.
    pub assumptions: Vec<String>,
}

impl OperatorPolicy {
    /// Whether one managed policy holds it.
    pub fn fits_one(&self) -> bool {
        self.parts.len() <= 1
    }
}

/// The policy for a spec. AWS is not asked: the account and the id of the hosted zone are `*`.
pub fn policy_of_spec(cluster: &Cluster, root: &StateRoot) -> OperatorPolicy {
    let facts = made_up_facts(cluster, root);
    let ground = Ground { account: "*", zone_id: None, ..ground(cluster, &facts, root) };
    policy(&ground, &facts)
}

/// The policy for a cluster in the state, for its spec as last applied.
pub async fn policy_of_cluster(
    objects: &dyn ObjectStore,
    root: &StateRoot,
    name: &ClusterName,
) -> Result<OperatorPolicy, OpsError> {
    let Some(recorded) = recorded(&ClusterStore::new(objects, name.clone()), objects.root()).await? else {
        return Err(no_such_cluster(objects, name).await);
    };
    let facts = &recorded.facts.value;
    Ok(policy(&ground(&recorded.cluster, facts, root), facts))
}

/// Where the actions of a cluster take place.
pub(super) fn ground<'a>(cluster: &'a Cluster, facts: &'a Facts, root: &StateRoot) -> Ground<'a> {
    Ground {
        cluster,
        partition: &facts.partition,
        account: &facts.account,
        zone_id: facts.hosted_zone.as_ref().map(|zone| zone.id.as_str()),
        state: match root {
            StateRoot::S3 { .. } => Some(&facts.state),
            StateRoot::Directory => None,
        },
    }
}

fn policy(ground: &Ground<'_>, facts: &Facts) -> OperatorPolicy {
    let grants = operator::everything(ground, &build(ground.cluster, facts));
    OperatorPolicy {
        cluster: ground.cluster.name.clone(),
        document: operator::document(&grants),
        parts: operator::parts(&grants),
        assumptions: operator::assumed_roles(ground),
    }
}
