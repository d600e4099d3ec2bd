//! Snapshots of etcd, and asking the slots for one.
//!
//! A slot that leads etcd writes them below `backups/etcd/`: on a schedule, and when `control-plane/backup-request` holds an id that
//! `control-plane/backup-answer` does not.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::layout::Area;
use super::{ClusterStore, Condition, StoreError, Version};

/// Time in names of objects: UTC, to the second.
const TIME: &str = "%Y%m%dT%H%M%SZ";
/// Ends of the names of snapshots: how they are compressed depends on the image of the slot.
const ENDS: [&str; 2] = ["db.zst", "db.gz"];

const REQUEST: &str = "backup-request";
const ANSWER: &str = "backup-answer";
/// Begins the second line of an answer that is none.
const ERROR: &str = "error: ";

/// A snapshot of etcd in the state store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdSnapshot {
    /// Below the cluster's prefix: `backups/etcd/20261126T221500Z-r12345.db.zst`.
    pub key: String,
    pub taken_at: Timestamp,
    /// Revision of etcd's data.
    pub revision: u64,
    /// Size of the object, which is compressed.
    pub bytes: u64,
}

impl EtcdSnapshot {
    /// Reads a name below `backups/etcd/`; `None` for one that slots do not give.
    fn parse(name: &str, bytes: u64) -> Option<Self> {
        let (time, rest) = name.split_once("-r")?;
        let (revision, end) = rest.split_once('.')?;
        let digits = !revision.is_empty() && revision.bytes().all(|b| b.is_ascii_digit());
        let (true, true) = (digits, ENDS.contains(&end)) else { return None };
        let key = format!("{}{name}", Area::EtcdBackups.path());
        Some(Self { key, taken_at: parse_time(time)?, revision: revision.parse().ok()?, bytes })
    }

    /// The last part of the key.
    pub fn file_name(&self) -> &str {
        self.key.strip_prefix(Area::EtcdBackups.path()).unwrap_or(&self.key)
    }
}

fn parse_time(text: &str) -> Option<Timestamp> {
    Some(DateTime::strptime(TIME, text).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Names a request to the slots: when it was made, and a random number, such as `20261126T221500Z-0a1b2c3d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    pub fn new(at: Timestamp, random: u32) -> Self {
        Self(format!("{}-{random:08x}", at.strftime(TIME)))
    }

    /// `None` for anything that [`Self::new`] does not make.
    pub fn parse(text: &str) -> Option<Self> {
        let (time, random) = text.split_once('-')?;
        let hexadecimal = random.len() == 8 && random.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (hexadecimal && parse_time(time).is_some()).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was asked for last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRequest {
    pub id: RequestId,
    /// Since it was made, by the store's clock.
    pub age: Duration,
    version: Version,
}

/// What the slots answered last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupAnswer {
    /// Of the request.
    pub id: RequestId,
    /// Key of the snapshot below the cluster's prefix, or why there is none.
    pub outcome: Result<String, String>,
}

/// A small text object, by its lines.
pub(super) struct Lines {
    pub(super) lines: Vec<String>,
    pub(super) version: Version,
    pub(super) age: Duration,
}

impl ClusterStore<'_> {
    /// The snapshots of the cluster, the newest first. Whatever else lies beside them is left out.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn snapshots(&self) -> Result<Vec<EtcdSnapshot>, StoreError> {
        let base = self.keys.area(Area::EtcdBackups);
        let entries = self.objects.entries(&base).await?;
        let parsed = entries.iter().filter_map(|entry| EtcdSnapshot::parse(entry.key.strip_prefix(&base)?, entry.bytes));
        let mut snapshots: Vec<EtcdSnapshot> = parsed.collect();
        snapshots.sort_by(|a, b| (b.taken_at, b.revision).cmp(&(a.taken_at, a.revision)));
        Ok(snapshots)
    }

    /// # Errors
    /// [`StoreError::Corrupt`] beside those of the store.
    pub async fn read_backup_request(&self) -> Result<Option<BackupRequest>, StoreError> {
        let Some(Lines { lines, version, age }) = self.read_lines(REQUEST).await? else { return Ok(None) };
        let [id] = lines.as_slice() else { return Err(self.unreadable(REQUEST)) };
        let id = RequestId::parse(id).ok_or_else(|| self.unreadable(REQUEST))?;
        Ok(Some(BackupRequest { id, age, version }))
    }

    /// # Errors
    /// [`StoreError::Corrupt`] beside those of the store.
    pub async fn read_backup_answer(&self) -> Result<Option<BackupAnswer>, StoreError> {
        let Some(Lines { lines, .. }) = self.read_lines(ANSWER).await? else { return Ok(None) };
        let [id, outcome] = lines.as_slice() else { return Err(self.unreadable(ANSWER)) };
        let id = RequestId::parse(id).ok_or_else(|| self.unreadable(ANSWER))?;
        let outcome = match outcome.strip_prefix(ERROR) {
            Some(text) => Err(text.to_owned()),
            None => Ok(outcome.clone()),
        };
        Ok(Some(BackupAnswer { id, outcome }))
    }

    /// Asks for a snapshot, in the place of `previous` (`None`: nobody has asked yet).
    ///
    /// # Errors
    /// [`StoreError::Changed`] when somebody else asked since `previous` was read.
    pub async fn request_backup(&self, id: &RequestId, previous: Option<&BackupRequest>) -> Result<(), StoreError> {
        self.write_lines(REQUEST, &[id.as_str()], previous.map(|previous| &previous.version)).await
    }

    /// A text object of the control planes; `None` where there is none.
    pub(super) async fn read_lines(&self, name: &str) -> Result<Option<Lines>, StoreError> {
        let Some(object) = self.objects.get(&self.keys.file(Area::ControlPlane, name)?).await? else { return Ok(None) };
        let text = String::from_utf8(object.bytes).map_err(|_| self.unreadable(name))?;
        let lines = text.lines().map(|line| line.trim_end().to_owned()).collect();
        Ok(Some(Lines { lines, version: object.version, age: object.age }))
    }

    pub(super) async fn write_lines(&self, name: &str, lines: &[&str], previous: Option<&Version>) -> Result<(), StoreError> {
        let condition = previous.map_or(Condition::Absent, |version| Condition::Unchanged(version.clone()));
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.write(&self.keys.file(Area::ControlPlane, name)?, text.into_bytes(), condition).await.map(drop)
    }

    /// An object of the control planes is not what it should be.
    pub(super) fn unreadable(&self, name: &str) -> StoreError {
        StoreError::Corrupt {
            location: self.location(&format!("{}{name}", self.keys.area(Area::ControlPlane))),
            reason: "it is not of the form that kclust and the control planes write".into(),
            hint: "look who wrote it; where nobody waits for it any more, remove the object and run the command again".into(),
        }
    }
}
