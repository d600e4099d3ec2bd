//! What control planes tell of etcd and of the addons.

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::layout::Area;
use super::state::CONCURRENCY;
use super::{ClusterStore, StoreError};

const ADDONS: &str = "addons.json";
const ETCD: &str = "etcd/";
const CERTIFICATES: &str = "certificates/";

/// What came of an addon: an entry of `control-plane/addons.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AddonReport {
    pub name: String,
    /// Of what was applied, or could not be.
    pub sha256: String,
    /// `applied` or `failed`.
    pub state: String,
    pub error: Option<String>,
}

/// What the etcd member of a slot says: `control-plane/etcd/SLOT.json`, written every minute. The parts are answers of `etcdctl`,
/// absent where it had none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EtcdReport {
    /// The slot; from the object's name.
    #[serde(skip)]
    pub slot: String,
    pub at: Timestamp,
    pub status: Option<Vec<EndpointStatus>>,
    pub members: Option<MemberList>,
    pub alarms: Option<AlarmList>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EndpointStatus {
    #[serde(rename = "Status")]
    pub status: MemberStatus,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MemberStatus {
    /// Member id; 0 or absent: there is none, and no quorum.
    #[serde(default)]
    pub leader: u64,
    /// Bytes of the database file.
    #[serde(default, rename = "dbSize")]
    pub db_size: u64,
    /// Size at which etcd refuses to write.
    #[serde(default, rename = "dbSizeQuota")]
    pub db_size_quota: u64,
    #[serde(default)]
    pub errors: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MemberList {
    #[serde(default)]
    pub members: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Member {
    #[serde(rename = "ID")]
    pub id: u64,
    /// The slot's; empty for a member that has never started.
    #[serde(default)]
    pub name: String,
    #[serde(default, rename = "isLearner")]
    pub learner: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct AlarmList {
    #[serde(default)]
    pub alarms: Vec<Alarm>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Alarm {
    /// 1: no space; 2: corrupt data (`etcdserverpb.AlarmType`).
    #[serde(default)]
    pub alarm: u32,
}

/// Of the certificates of a slot the one that ends first: `control-plane/certificates/SLOT.json`, written when the slot has looked at
/// them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CertificateReport {
    /// The slot; from the object's name.
    #[serde(skip)]
    pub slot: String,
    /// As kubeadm names it: `apiserver`, `etcd-peer`.
    pub name: String,
    pub ends: Timestamp,
}

impl ClusterStore<'_> {
    /// What came of the addons; `None` when no control plane has told yet, or nothing that can be read.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn addon_reports(&self) -> Result<Option<Vec<AddonReport>>, StoreError> {
        self.report(ADDONS).await
    }

    /// The last word of each slot about etcd. What cannot be read is left out.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn etcd_reports(&self, slots: &[String]) -> Result<Vec<EtcdReport>, StoreError> {
        let reports = self.reports_of_slots(ETCD, slots).await?;
        Ok(reports.into_iter().map(|(slot, report)| EtcdReport { slot, ..report }).collect())
    }

    /// What each slot told of its certificates. What cannot be read is left out.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn certificate_reports(&self, slots: &[String]) -> Result<Vec<CertificateReport>, StoreError> {
        let reports = self.reports_of_slots(CERTIFICATES, slots).await?;
        Ok(reports.into_iter().map(|(slot, report)| CertificateReport { slot, ..report }).collect())
    }

    async fn reports_of_slots<T: DeserializeOwned>(
        &self,
        folder: &str,
        slots: &[String],
    ) -> Result<Vec<(String, T)>, StoreError> {
        let reports = stream::iter(slots.to_vec())
            .map(|slot| async move {
                let report = self.report(&format!("{folder}{slot}.json")).await?;
                Ok::<_, StoreError>(report.map(|report| (slot, report)))
            })
            .buffered(CONCURRENCY);
        reports.try_filter_map(|report| async move { Ok(report) }).try_collect().await
    }

    async fn report<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let bytes = self.read_file(Area::ControlPlane, name).await?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }
}
