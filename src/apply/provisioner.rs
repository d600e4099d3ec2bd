//! Where a resource lives: AWS, or the state store for what nodes read from it.

use crate::cloud::{Cloud, CloudError, Creation, ErrorClass, Observed, Outputs, Physical, Readiness};
use crate::model::{ControlPlaneSettings, Kind, Resource, ResourceId};
use crate::store::{Area, ClusterStore, StoreError};

/// Both places, as one.
pub struct Provisioner<'a> {
    pub cloud: &'a dyn Cloud,
    pub store: &'a ClusterStore<'a>,
}

impl Provisioner<'_> {
    pub(super) async fn create(&self, creation: Creation<'_>, outputs: &Outputs) -> Result<Physical, CloudError> {
        match creation.resource {
            Resource::BootstrapObject(object) => {
                let Some(content) = object.content.clone() else {
                    return Err(failure(format!("the content of {} is not known", object.key)));
                };
                self.store.put_bootstrap(&object.key, content.into_bytes()).await.map_err(store_error)?;
                Ok(Physical::new(object.key.clone()))
            }
            Resource::ControlPlaneSettings(settings) => self.put_settings(settings).await,
            _ => self.cloud.create(creation, outputs).await,
        }
    }

    pub(super) async fn update(
        &self,
        id: &ResourceId,
        observed: &Observed,
        desired: &Resource,
        outputs: &Outputs,
    ) -> Result<Physical, CloudError> {
        match desired {
            Resource::ControlPlaneSettings(settings) => self.put_settings(settings).await,
            _ => self.cloud.update(id, observed, desired, outputs).await,
        }
    }

    async fn put_settings(&self, settings: &ControlPlaneSettings) -> Result<Physical, CloudError> {
        let (area, name) = (Area::ControlPlane, ControlPlaneSettings::FILE);
        self.store.put_file(area, name, settings.to_text().into_bytes()).await.map_err(store_error)?;
        Ok(Physical::new(format!("{}{name}", area.path())))
    }

    pub(super) async fn delete(&self, id: &ResourceId, observed: &Observed) -> Result<(), CloudError> {
        match id.kind {
            Kind::BootstrapObject => self.store.delete_bootstrap(&observed.physical.id).await.map_err(store_error),
            Kind::ControlPlaneSettings => {
                self.store.delete_file(Area::ControlPlane, ControlPlaneSettings::FILE).await.map_err(store_error)
            }
            _ => self.cloud.delete(id, observed).await,
        }
    }

    pub(super) async fn readiness(&self, id: &ResourceId, physical: &Physical) -> Result<Readiness, CloudError> {
        match id.kind {
            Kind::BootstrapObject | Kind::ControlPlaneSettings => Ok(Readiness::Ready),
            _ => self.cloud.readiness(id, physical).await,
        }
    }

    pub(super) async fn is_gone(&self, id: &ResourceId, observed: &Observed) -> Result<bool, CloudError> {
        match id.kind {
            Kind::BootstrapObject | Kind::ControlPlaneSettings => Ok(true),
            _ => self.cloud.is_gone(id, observed).await,
        }
    }
}

fn store_error(error: StoreError) -> CloudError {
    match error {
        StoreError::Cloud { source, .. } => source,
        other => failure(other.to_string()),
    }
}

fn failure(message: String) -> CloudError {
    CloudError { class: ErrorClass::Other, operation: "state store".to_owned(), code: None, message, request_id: None }
}
