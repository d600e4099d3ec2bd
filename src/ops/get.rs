//! `kclust get`: what the state says, and what is there.

use futures_util::{StreamExt, stream};

use crate::cloud::{Facts, World};
use crate::plan::Drift;
use crate::spec::{Cluster, ClusterName};
use crate::store::{ClusterStore, ObjectStore, Revision, clusters};

use super::Environment;
use super::begin::{no_such_cluster, recorded};
use super::error::OpsError;
use super::manifests::Reading;
use super::reconcile::compare;

/// Clusters whose specs are read at the same time.
const CONCURRENCY: usize = 16;

/// Names of all clusters in the store.
pub async fn cluster_names(objects: &dyn ObjectStore) -> Result<Vec<ClusterName>, OpsError> {
    Ok(clusters(objects).await?)
}

/// A cluster in the store.
pub struct ClusterEntry {
    pub name: ClusterName,
    /// Its spec and when it was applied, or why that cannot be read: one that is damaged does not hide the others.
    pub applied: Result<(Cluster, Revision), OpsError>,
}

/// All clusters in the store, by name.
pub async fn cluster_entries(objects: &dyn ObjectStore) -> Result<Vec<ClusterEntry>, OpsError> {
    let entries = stream::iter(clusters(objects).await?).map(|name| async move {
        match recorded(&ClusterStore::new(objects, name.clone()), objects.root()).await {
            Ok(recorded) => recorded.map(|it| ClusterEntry { name, applied: Ok((it.cluster, it.applied.revision)) }),
            Err(error) => Some(ClusterEntry { name, applied: Err(error) }),
        }
    });
    // One that was deleted since the names were listed is none.
    Ok(entries.buffered(CONCURRENCY).filter_map(std::future::ready).collect().await)
}

/// The spec of a cluster as it was last applied, with every default filled in.
pub async fn cluster_spec(objects: &dyn ObjectStore, name: &ClusterName) -> Result<Cluster, OpsError> {
    match recorded(&ClusterStore::new(objects, name.clone()), objects.root()).await? {
        Some(recorded) => Ok(recorded.cluster),
        None => Err(no_such_cluster(objects, name).await),
    }
}

/// The resources of a cluster, and what of them differs from the spec.
pub struct Observation {
    pub cluster: Cluster,
    pub facts: Facts,
    pub world: World,
    /// How the world differs from the spec.
    pub drift: Drift,
}

/// Observes a cluster that the state knows.
pub async fn observation(environment: &Environment<'_>, name: &ClusterName) -> Result<Observation, OpsError> {
    let (store, recorded) = environment.existing(name).await?;
    let cluster = recorded.cluster.clone();
    let compared = compare(environment, &store, &cluster, Some(&recorded), Reading::Never).await?;
    let drift = compared.drift(&cluster)?;
    Ok(Observation { cluster, facts: compared.facts, world: compared.world, drift })
}
