//! Where a resource lives: AWS, or the state store for what nodes read from it.

use crate::cloud::{Cloud, CloudError, Creation, ErrorClass, Observed, Outputs, Physical, Readiness};
use crate::model::{Kind, Resource, ResourceId};
use crate::store::{ClusterStore, StoreError};

/// Both places, as one.
pub struct Provisioner<'a> {
    pub cloud: &'a dyn Cloud,
    pub store: &'a ClusterStore<'a>,
}

impl Provisioner<'_> {
    pub(super) async fn create(&self, creation: Creation<'_>, outputs: &Outputs) -> Result<Physical, CloudError> {
        match creation.resource {
            Resource::BootstrapObject(object) => {
                let content = object.content.clone().unwrap_or_default();
                self.store.put_bootstrap(&object.key, content.into_bytes()).await.map_err(store_error)?;
                Ok(Physical::new(object.key.clone()))
            }
            _ => self.cloud.create(creation, outputs).await,
        }
    }

    pub(super) async fn update(
        &self,
        id: &ResourceId,
        observed: &Observed,
        desired: &Resource,
        token: &str,
        outputs: &Outputs,
    ) -> Result<Physical, CloudError> {
        self.cloud.update(id, observed, desired, token, outputs).await
    }

    pub(super) async fn delete(&self, id: &ResourceId, observed: &Observed) -> Result<(), CloudError> {
        match id.kind {
            Kind::BootstrapObject => self.store.delete_bootstrap(&observed.physical.id).await.map_err(store_error),
            _ => self.cloud.delete(id, observed).await,
        }
    }

    pub(super) async fn readiness(&self, id: &ResourceId, physical: &Physical) -> Result<Readiness, CloudError> {
        match id.kind {
            Kind::BootstrapObject => Ok(Readiness::Ready),
            _ => self.cloud.readiness(id, physical).await,
        }
    }

    pub(super) async fn is_gone(&self, id: &ResourceId, observed: &Observed) -> Result<bool, CloudError> {
        match id.kind {
            Kind::BootstrapObject => Ok(true),
            _ => self.cloud.is_gone(id, observed).await,
        }
    }
}

fn store_error(error: StoreError) -> CloudError {
    match error {
        StoreError::Cloud { source, .. } => source,
        other => CloudError {
            class: ErrorClass::Other,
            operation: "state store".to_owned(),
            code: None,
            message: other.to_string(),
            request_id: None,
        },
    }
}
