//! Asking the slots to go back to a snapshot, and hearing that they did.
//!
//! `control-plane/restore` names an epoch, a snapshot and slots. Each of them that finds another epoch there than on its volume restores
//! the snapshot and then writes `control-plane/restored/EPOCH/SLOT`. A slot that was added later joins the others instead.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::backups::Lines;
use super::layout::Area;
use super::{ClusterStore, RequestId, StoreError, Version};

const RESTORE: &str = "restore";
const RESTORED: &str = "restored/";

/// What was asked for last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRequest {
    pub epoch: RequestId,
    /// Key of the snapshot below the cluster's prefix.
    pub key: String,
    /// The slots that the cluster had then, and their addresses: the members of the etcd cluster that they make.
    pub slots: BTreeMap<String, Ipv4Addr>,
    version: Version,
}

impl ClusterStore<'_> {
    /// The last request, done or not; `None` where none was ever made.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] beside those of the store.
    pub async fn read_restore(&self) -> Result<Option<RestoreRequest>, StoreError> {
        let Some(Lines { lines, version, .. }) = self.read_lines(RESTORE).await? else { return Ok(None) };
        let [epoch, key, slots] = lines.as_slice() else { return Err(self.unreadable(RESTORE)) };
        let epoch = RequestId::parse(epoch).ok_or_else(|| self.unreadable(RESTORE))?;
        let slots = slots.split(' ').map(|slot| {
            let (name, address) = slot.split_once('=')?;
            Some((name.to_owned(), address.parse().ok()?))
        });
        let slots = slots.collect::<Option<_>>().ok_or_else(|| self.unreadable(RESTORE))?;
        Ok(Some(RestoreRequest { epoch, key: key.clone(), slots, version }))
    }

    /// Asks these slots to restore the snapshot with this key, in the place of `previous` (`None`: no restore was ever asked for).
    ///
    /// # Errors
    /// [`StoreError::Changed`] when somebody else asked since `previous` was read.
    pub async fn request_restore(
        &self,
        epoch: &RequestId,
        key: &str,
        slots: &BTreeMap<String, Ipv4Addr>,
        previous: Option<&RestoreRequest>,
    ) -> Result<(), StoreError> {
        let slots: Vec<_> = slots.iter().map(|(name, address)| format!("{name}={address}")).collect();
        self.write_lines(RESTORE, &[epoch.as_str(), key, &slots.join(" ")], previous.map(|previous| &previous.version)).await
    }

    /// Names of the slots that have restored this epoch.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn restored_slots(&self, epoch: &RequestId) -> Result<BTreeSet<String>, StoreError> {
        let base = format!("{}{RESTORED}{epoch}/", self.keys.area(Area::ControlPlane));
        let keys = self.objects.list(&base).await?;
        Ok(keys.iter().filter_map(|key| key.strip_prefix(&base)).map(str::to_owned).collect())
    }
}
