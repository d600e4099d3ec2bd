//! The common middle of `create` and `update`: facts, model, world, plan; and `validate`'s first half.

use std::collections::BTreeSet;

use crate::bootstrap;
use crate::cloud::{Facts, World};
use crate::model::{Desired, Resource, build};
use crate::plan::{self, Context, Operation, Plan};
use crate::spec::Cluster;
use crate::store::ClusterStore;

use super::Environment;
use super::begin::{Recorded, scope};
use super::error::OpsError;
use super::facts;
use super::manifests::{self, Reading};

/// Everything that is known before the operator is asked.
pub(super) struct Prepared {
    pub(super) facts: Facts,
    pub(super) world: World,
    pub(super) plan: Plan,
}

/// What is and what shall be.
pub(super) struct Compared {
    pub(super) facts: Facts,
    pub(super) world: World,
    pub(super) desired: Desired,
    /// Keys of the user's tags, in the spec as it is and as it was last applied.
    pub(super) user_tags: BTreeSet<String>,
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
    let Compared { facts, world, desired, user_tags } = compare(environment, store, cluster, recorded, reading).await?;
    let context = Context { cluster: cluster.name.as_str(), operation, user_tags };
    let plan = plan::reconcile(&context, &desired, &world)?;
    Ok(Prepared { facts, world, plan })
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
    let mut facts = facts::resolve(environment, cluster, known, reading).await?;
    facts.user_tags.extend(recorded.iter().flat_map(|recorded| recorded.cluster.tags.keys().cloned()));
    let mut desired = build(cluster, &facts);
    check_user_data(desired.values())?;
    let world = environment.observe(&scope(cluster, &facts, &desired, recorded), store, &desired).await?;
    let lost = manifests::lost(cluster, &desired, &world);
    if !lost.is_empty() && reading != Reading::Never {
        manifests::restore(environment.manifests, cluster, &mut facts, &lost, reading).await?;
        desired = build(cluster, &facts);
    }
    let user_tags = facts.user_tags.clone();
    Ok(Compared { facts, world, desired, user_tags })
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
