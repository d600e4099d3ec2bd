//! `kclust get`: what the state says.

use crate::spec::{Cluster, ClusterName};
use crate::store::{ClusterStore, ObjectStore, clusters};

use super::begin::{no_such_cluster, recorded};
use super::error::OpsError;

/// Names of all clusters in the store.
pub async fn cluster_names(objects: &dyn ObjectStore) -> Result<Vec<ClusterName>, OpsError> {
    Ok(clusters(objects).await?)
}

/// The spec of a cluster as it was last applied, with every default filled in.
pub async fn cluster_spec(objects: &dyn ObjectStore, name: &ClusterName) -> Result<Cluster, OpsError> {
    match recorded(&ClusterStore::new(objects, name.clone()), objects.root()).await? {
        Some(recorded) => Ok(recorded.cluster),
        None => Err(no_such_cluster(objects, name).await),
    }
}
