//! The common middle of `create` and `update`: facts, model, world, plan; and `validate`'s first half.

use crate::bootstrap;
use crate::cloud::{Facts, World};
use crate::model::{Desired, Resource, build};
use crate::plan::{self, Context, Drift, Operation, Plan};
use crate::spec::Cluster;
use crate::store::ClusterStore;

use super::begin::{Recorded, scope};
use super::error::OpsError;
use super::facts::{self, FactProblem, Resolved};
use super::manifests::{self, Reading};
use super::preflight::Finding;
use super::{Environment, api_record};

/// Everything that is known before the operator is asked.
pub(super) struct Prepared {
    pub(super) facts: Facts,
    /// What the spec names and cannot be had. The plan is made all the same, to see what else stands in its way.
    pub(super) problems: Vec<FactProblem>,
    /// Whether facts were found out by an earlier command.
    pub(super) recorded_facts: bool,
    pub(super) desired: Desired,
    pub(super) world: World,
    pub(super) plan: Plan,
}

/// What is and what shall be.
pub(super) struct Compared {
    pub(super) facts: Facts,
    /// What the spec names and cannot be had: something was made up in its place.
    problems: Vec<FactProblem>,
    recorded_facts: bool,
    pub(super) desired: Desired,
    pub(super) world: World,
}

impl Compared {
    /// How the world differs from the spec, for who only looks: with what was made up there is nothing to be seen.
    ///
    /// # Errors
    /// [`OpsError::Preflight`] when something that the spec names cannot be had.
    pub(super) fn drift(&self, cluster: &Cluster) -> Result<Drift, OpsError> {
        if self.problems.is_empty() {
            return Ok(plan::drift(&self.desired, &self.world, &self.facts.user_tags));
        }
        let findings = self.problems.iter().cloned().map(Finding::from).collect();
        Err(OpsError::Preflight { cluster: cluster.name.to_string(), operation: Operation::Update, findings })
    }
}

/// Makes the plan that turns what is into `cluster`. `reading` says which manifests of the user are read for it.
pub(super) async fn prepare(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    operation: Operation,
    cluster: &Cluster,
    recorded: Option<&Recorded>,
    reading: Reading,
) -> Result<Prepared, OpsError> {
    let compared = compare(environment, store, cluster, recorded, reading).await?;
    let Compared { facts, problems, recorded_facts, desired, world } = compared;
    let context = Context { cluster: cluster.name.as_str(), operation, user_tags: facts.user_tags.clone() };
    let plan = plan::reconcile(&context, &desired, &world)?;
    Ok(Prepared { facts, problems, recorded_facts, desired, world, plan })
}

/// Looks at the world, and works out what it shall be.
pub(super) async fn compare(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    cluster: &Cluster,
    recorded: Option<&Recorded>,
    reading: Reading,
) -> Result<Compared, OpsError> {
    let identity = &environment.identity;
    let known = recorded.map(|recorded| &recorded.facts.value);
    if let Some(known) = known
        && known.account != identity.account
    {
        let (owner, account) = (known.account.clone(), identity.account.clone());
        return Err(OpsError::OtherAccount { cluster: cluster.name.to_string(), owner, account });
    }
    let Resolved { mut facts, mut problems } = facts::resolve(environment, cluster, known, reading).await?;
    facts.user_tags.extend(recorded.iter().flat_map(|recorded| recorded.cluster.tags.keys().cloned()));
    let mut desired = build(cluster, &facts);
    check_user_data(desired.values())?;
    // What was made up is nothing to look for; without state there is nothing to be found either.
    let scope = scope(cluster, &facts, &desired, recorded);
    let world = match recorded {
        None if !problems.is_empty() => World::default(),
        _ => environment.observe(&scope, store, &desired).await?,
    };
    if recorded.is_none() {
        let of_others = api_record::of_others(&world, &Desired::new(), &scope);
        // Nothing can have been made: the spec is written before the first resource. A plan would compare what is there with facts
        // that were found out anew.
        if world.resources.len() > of_others.len() {
            return Err(OpsError::StateLost {
                cluster: cluster.name.to_string(),
                region: cluster.region.to_string(),
                root: environment.objects.root().to_owned(),
                count: world.resources.len(),
            });
        }
        problems.extend(of_others.into_iter().map(|(_, record)| FactProblem {
            path: "spec.dns.zone".to_owned(),
            message: format!("{} is there already, and is somebody else's", api_record::describe(record)),
            hint: "remove it if nobody needs it, or choose another zone or cluster name".to_owned(),
        }));
    }
    let lost = manifests::lost(cluster, &desired, &world);
    if !lost.is_empty() && problems.is_empty() && reading != Reading::Never {
        manifests::restore(environment.manifests, cluster, &mut facts, &lost, reading).await?;
        desired = build(cluster, &facts);
    }
    Ok(Compared { facts, problems, recorded_facts: known.is_some(), desired, world })
}

/// EC2 refuses larger user-data when the launch template is made; here it is told before anything is.
fn check_user_data<'a>(resources: impl Iterator<Item = &'a Resource>) -> Result<(), OpsError> {
    /// Longest DNS name that AWS gives a load balancer, for the place that its name will take.
    const LONGEST_NAME: &str = "api-nnnnnnnnnnnnnnnnnnnnnnnnnnnn-0123456789abcdef.elb.ap-southeast-99.amazonaws.com.cn";
    for resource in resources {
        if let Resource::LaunchTemplate(template) = resource {
            let bytes = bootstrap::compress(&bootstrap::with_api_name(&template.user_data.text, LONGEST_NAME)).len();
            if bytes > bootstrap::LIMIT {
                return Err(OpsError::UserDataTooLarge { name: template.name.clone(), bytes, limit: bootstrap::LIMIT });
            }
        }
    }
    Ok(())
}
