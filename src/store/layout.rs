//! Where things lie in the store. Keys start with the cluster's name; nodes address the same keys below
//! `StateLocation::prefix`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::spec::ClusterName;

use super::StoreError;

/// Parts of a cluster's state that hold plain files, read or written by nodes too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// What workers may read and write: the discovery kubeconfig, `status/<instance id>.json`.
    Nodes,
    /// Markers and locks of the control planes among themselves, and the settings that they follow.
    ControlPlane,
    /// Snapshots of etcd.
    EtcdBackups,
}

impl Area {
    /// Path below the cluster's prefix, with the slash at its end.
    pub fn path(self) -> &'static str {
        match self {
            Self::Nodes => "nodes/",
            Self::ControlPlane => "control-plane/",
            Self::EtcdBackups => "backups/etcd/",
        }
    }
}

/// Path of what nodes read when they boot, below the cluster's prefix. Its keys hold the hash of their content.
pub const BOOTSTRAP: &str = "bootstrap/";

/// Path of the private and public keys below the cluster's prefix: for control planes and operators only.
pub const PKI: &str = "pki/";

/// What stays of a cluster that was deleted with its backups kept.
const BACKUPS: &str = "backups/";

/// Keys of one cluster, relative to the root of the store.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub fn of(cluster: &ClusterName) -> Self {
        Self { prefix: format!("{cluster}/") }
    }

    /// The prefix of all, with the slash at its end: without it `prod` would also mean `prod-2`.
    pub fn all(&self) -> String {
        self.prefix.clone()
    }

    /// The spec as applied.
    pub fn spec(&self) -> String {
        self.below("cluster.yaml")
    }

    pub fn facts(&self) -> String {
        self.below("facts.json")
    }

    /// The copy of the facts that is kept beside the specs: without them a cluster's machines cannot be described.
    pub fn facts_copy(&self) -> String {
        format!("{}facts.json", self.history())
    }

    pub fn ledger(&self) -> String {
        self.below("ledger.json")
    }

    pub fn lock(&self) -> String {
        self.below("lock")
    }

    pub fn backups(&self) -> String {
        self.below(BACKUPS)
    }

    pub fn history(&self) -> String {
        self.below("history/")
    }

    /// Sorts by sequence, and tells the time to who looks at the bucket: `history/000007-20260930T101112Z.yaml`.
    pub fn revision(&self, sequence: u32, at: Timestamp) -> String {
        format!("{}{sequence:06}-{}.yaml", self.history(), at.strftime("%Y%m%dT%H%M%SZ"))
    }

    /// The sequence number in a key that [`Self::revision`] made.
    pub fn sequence(&self, key: &str) -> Option<u32> {
        key.strip_prefix(&self.history())?.split_once('-')?.0.parse().ok()
    }

    /// The time in a key that [`Self::revision`] made.
    pub fn revision_time(&self, key: &str) -> Option<Timestamp> {
        let time = key.strip_prefix(&self.history())?.split_once('-')?.1.strip_suffix(".yaml")?;
        let time = DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok()?;
        time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    }

    /// All keys and certificates as one object: the one that decides.
    pub fn pki_bundle(&self) -> String {
        self.below("pki/bundle.json")
    }

    /// Says that the single files are those of the bundle.
    pub fn pki_complete(&self) -> String {
        self.below("pki/complete")
    }

    /// One file of the bundle, for nodes.
    pub fn pki_file(&self, name: &str) -> String {
        format!("{}{PKI}{name}", self.prefix)
    }

    /// # Errors
    /// When `name` could leave its area.
    pub fn file(&self, area: Area, name: &str) -> Result<String, StoreError> {
        check_key(name)?;
        Ok(format!("{}{}{name}", self.prefix, area.path()))
    }

    /// # Errors
    /// When `key` is not one below [`BOOTSTRAP`].
    pub fn bootstrap(&self, key: &str) -> Result<String, StoreError> {
        check_key(key)?;
        match key.strip_prefix(BOOTSTRAP) {
            Some(_) => Ok(self.below(key)),
            None => Err(StoreError::BadKey { key: key.to_owned() }),
        }
    }

    pub fn area(&self, area: Area) -> String {
        self.below(area.path())
    }

    fn below(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

/// # Errors
/// [`StoreError::BadKey`]
pub(crate) fn check_key(key: &str) -> Result<(), StoreError> {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let fits = key.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && part.chars().all(safe));
    if fits { Ok(()) } else { Err(StoreError::BadKey { key: key.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_sort_by_number_and_are_read_back() {
        let keys = Keys::of(&ClusterName::parse("prod.example.com").unwrap());
        let at: Timestamp = "2026-09-30T10:11:12.5Z".parse().unwrap();
        assert_eq!(keys.revision(7, at), "prod.example.com/history/000007-20260930T101112Z.yaml");
        assert!(keys.revision(9, at) < keys.revision(10, at));
        assert_eq!(keys.sequence(&keys.revision(1234, at)), Some(1234));
        assert_eq!(keys.revision_time(&keys.revision(7, at)), Some("2026-09-30T10:11:12Z".parse().unwrap()));
        assert_eq!(keys.sequence("prod.example.com/history/notes.txt"), None);
        assert_eq!(keys.sequence(&keys.facts_copy()), None);
    }

    #[test]
    fn files_stay_in_their_area() {
        let keys = Keys::of(&ClusterName::parse("prod").unwrap());
        assert_eq!(keys.file(Area::Nodes, "status/i-0abc.json").unwrap(), "prod/nodes/status/i-0abc.json");
        for name in ["../pki/ca.key", "a//b", "", "/etc/passwd", "a b", "a/.", "a\\b"] {
            assert!(keys.file(Area::ControlPlane, name).is_err(), "{name}");
            assert!(keys.bootstrap(&format!("bootstrap/{name}")).is_err(), "{name}");
        }
        assert_eq!(keys.bootstrap("bootstrap/boot-1.sh").unwrap(), "prod/bootstrap/boot-1.sh");
        assert!(keys.bootstrap("pki/ca.key").is_err());
    }
}
