//! References between resources and the ids that AWS knows them by, in both directions.

use std::collections::BTreeMap;

use super::error::unresolved;
use crate::cloud::{CloudError, Outputs, Physical};
use crate::model::{Ref, ResourceId, ResourceKind};

/// The cluster's observed things: physical id → logical id. Duplicates are left out, so that what refers to one is seen to differ
/// from what is desired and is moved to the right one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ids(pub(crate) BTreeMap<String, ResourceId>);

impl Ids {
    pub(crate) fn get(&self, physical_id: &str) -> Option<&ResourceId> {
        self.0.get(physical_id)
    }

    /// Logical name of a thing of this kind that is the cluster's.
    pub(crate) fn name<T: ResourceKind>(&self, physical_id: &str) -> Option<&str> {
        self.get(physical_id).filter(|id| id.kind == T::KIND).map(|id| id.name.as_str())
    }

    /// What an observed id refers to.
    pub(crate) fn reference<T: ResourceKind>(&self, physical_id: Option<&str>) -> Ref<T> {
        match physical_id {
            None | Some("") => Ref::Nothing,
            Some(physical_id) => match self.name::<T>(physical_id) {
                Some(name) => Ref::own(name),
                None => Ref::foreign(physical_id),
            },
        }
    }

    /// What observed ids refer to, in the order of the model.
    pub(crate) fn references<'a, T: ResourceKind>(&self, physical_ids: impl IntoIterator<Item = &'a str>) -> Vec<Ref<T>> {
        let mut references: Vec<_> = physical_ids.into_iter().map(|id| self.reference(Some(id))).collect();
        references.sort();
        references.dedup();
        references
    }
}

/// The physical id that a reference stands for.
pub(crate) fn resolve<T: ResourceKind>(
    operation: &'static str,
    outputs: &Outputs,
    reference: &Ref<T>,
) -> Result<String, CloudError> {
    match reference {
        Ref::Foreign(id) => Ok(id.clone()),
        Ref::Own(..) | Ref::Nothing => resolve_own(operation, outputs, reference).map(|physical| physical.id.clone()),
    }
}

/// What AWS gave the resource of the cluster that a reference names.
pub(crate) fn resolve_own<'a, T: ResourceKind>(
    operation: &'static str,
    outputs: &'a Outputs,
    reference: &Ref<T>,
) -> Result<&'a Physical, CloudError> {
    let target = reference.target();
    target.and_then(|id| outputs.get(&id)).ok_or_else(|| unresolved(operation, &reference.to_string()))
}

pub(crate) fn resolve_all<T: ResourceKind>(
    operation: &'static str,
    outputs: &Outputs,
    references: &[Ref<T>],
) -> Result<Vec<String>, CloudError> {
    references.iter().map(|reference| resolve(operation, outputs, reference)).collect()
}
