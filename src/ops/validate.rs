//! `kclust validate`: is the cluster what the spec says, and does it work?

use async_trait::async_trait;

use crate::health::{self, KubernetesView, Report, Snapshot};
use crate::model::{API, Kind, ResourceId};
use crate::pki::ClusterPki;
use crate::plan::Operation;
use crate::spec::ClusterName;

use super::Environment;
use super::error::OpsError;
use super::fleet::groups_with_reasons;
use super::manifests::Reading;
use super::reconcile::prepare;

/// Asks the Kubernetes API of a cluster.
#[async_trait]
pub trait ApiProbe: Send + Sync {
    /// `address` is a name without port. Never fails: not reaching the API is an answer.
    async fn probe(&self, address: &str, pki: &ClusterPki) -> KubernetesView;
}

/// Looks at a cluster and changes nothing.
pub async fn validate(environment: &Environment<'_>, name: &ClusterName, api: &dyn ApiProbe) -> Result<Report, OpsError> {
    let (store, recorded) = environment.existing(name).await?;
    let cluster = recorded.cluster.clone();
    let prepared =
        prepare(environment, &store, Operation::Update, &cluster, Some(&recorded), Reading::Never).await?.complete()?;
    environment.operator.phase("asking for groups, instances and targets");
    let target_group = prepared.world.resources.get(&ResourceId::new(Kind::TargetGroup, API));
    let targets = async {
        match target_group {
            Some(group) => environment.aws.target_health(&group.physical.id).await,
            None => Ok(Vec::new()),
        }
    };
    let (groups, instances, targets, kubernetes) =
        tokio::join!(groups_with_reasons(environment.aws, &cluster), environment.aws.instances(&cluster), targets, async {
            match (health::api_address(&cluster, &prepared.world), store.read_pki().await) {
                (None, _) => KubernetesView::Skipped { reason: "the API has no address yet".to_owned() },
                (Some(_), Err(error)) => KubernetesView::Skipped { reason: error.to_string() },
                (Some(_), Ok(None)) => KubernetesView::Skipped { reason: "the state holds no keys of the cluster".to_owned() },
                (Some(address), Ok(Some(files))) => match ClusterPki::from_files(&files.0) {
                    Ok(pki) => api.probe(&address, &pki).await,
                    Err(error) => KubernetesView::Skipped { reason: error.to_string() },
                },
            }
        },);
    let snapshot = Snapshot {
        cluster,
        plan: prepared.plan,
        world: prepared.world,
        groups: groups.map_err(|error| error.to_string()),
        instances: instances.map_err(|error| error.to_string()),
        targets: targets.map_err(|error| error.to_string()),
        kubernetes,
    };
    Ok(health::check(&snapshot))
}
