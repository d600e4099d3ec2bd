//! What running control planes follow without being replaced: how often they take a snapshot, and which addons they apply.

use std::fmt::Write as _;

use super::id::ResourceId;
use super::names::sha256;
use super::resource::{BootstrapObject, Kind};

/// Object `control-plane/settings` of the state. Control planes look at it every 15 seconds (`templates/boot/`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlPlaneSettings {
    pub backup_interval_seconds: u32,
    pub backup_retention_seconds: u32,
    /// In the order in which they are applied; names are unique.
    pub addons: Vec<AddonSetting>,
}

/// One addon, as control planes are told of it. What it applies is the [`BootstrapObject`] that `addon-<name>` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddonSetting {
    pub name: String,
    /// Hexadecimal SHA-256 of the manifest, or of the chart's values.
    pub sha256: String,
    /// `None` for a manifest.
    pub chart: Option<ChartSource>,
}

/// A chart, as Helm is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartSource {
    pub namespace: String,
    /// `https://…`, which is Helm's `--repo`, or `oci://…`, below which the chart lies.
    pub repository: String,
    pub chart: String,
    pub version: String,
}

/// Why a text is not one of [`ControlPlaneSettings`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingsError {
    /// A format that this version does not know.
    Newer { format: String },
    /// Somebody else wrote it.
    Unreadable,
}

/// First line of the object.
const FORMAT: &str = "format 1";

impl AddonSetting {
    /// Key of the addon's object, below the cluster's prefix.
    pub fn key(&self) -> String {
        BootstrapObject::key(&self.object_name(), &self.sha256, "yaml")
    }

    /// Logical name of the addon's object.
    pub fn object_name(&self) -> String {
        format!("addon-{}", self.name)
    }
}

/// What nodes apply, in the words of a plan: `chart metrics-server 3.13.1 from https://… into kube-system, values 44136fa355b3`.
impl std::fmt::Display for AddonSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name: _, sha256, chart } = self;
        let digest = sha256.get(..12).unwrap_or(sha256);
        match chart {
            None => write!(f, "manifest {digest}"),
            Some(ChartSource { namespace, repository, chart, version }) => {
                write!(f, "chart {chart} {version} from {repository} into {namespace}, values {digest}")
            }
        }
    }
}

impl ControlPlaneSettings {
    /// Name of the object in the area of the control planes, and logical name of the one resource of this kind.
    pub const FILE: &'static str = "settings";

    pub fn id() -> ResourceId {
        ResourceId::new(Kind::ControlPlaneSettings, Self::FILE)
    }

    /// The object: lines of words with one space between them.
    pub fn to_text(&self) -> String {
        let Self { backup_interval_seconds, backup_retention_seconds, addons } = self;
        let mut text =
            format!("{FORMAT}\nbackup-interval {backup_interval_seconds}\nbackup-retention {backup_retention_seconds}\n");
        for addon in addons {
            let AddonSetting { name, sha256, chart } = addon;
            let key = addon.key();
            // Writing into a string does not fail.
            let _ = match chart {
                None => writeln!(text, "addon {name} manifest {key} {sha256}"),
                Some(ChartSource { namespace, repository, chart, version }) => {
                    writeln!(text, "addon {name} chart {key} {sha256} {namespace} {repository} {chart} {version}")
                }
            };
        }
        text
    }

    /// Reads what [`Self::to_text`] writes.
    ///
    /// # Errors
    /// When anything in it is not as it would be written.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let mut lines = text.lines();
        match lines.next() {
            Some(FORMAT) => {}
            Some(first) if first.starts_with("format ") => return Err(SettingsError::Newer { format: first.to_owned() }),
            _ => return Err(SettingsError::Unreadable),
        }
        let mut settings = Self::none();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let read = match words.as_slice() {
                ["backup-interval", seconds] => seconds.parse().map(|seconds| settings.backup_interval_seconds = seconds).ok(),
                ["backup-retention", seconds] => seconds.parse().map(|seconds| settings.backup_retention_seconds = seconds).ok(),
                ["addon", name, "manifest", _, sha256] => {
                    settings.addons.push(AddonSetting { name: (*name).into(), sha256: (*sha256).into(), chart: None });
                    Some(())
                }
                ["addon", name, "chart", _, sha256, namespace, repository, chart, version] => {
                    let chart = ChartSource {
                        namespace: (*namespace).into(),
                        repository: (*repository).into(),
                        chart: (*chart).into(),
                        version: (*version).into(),
                    };
                    settings.addons.push(AddonSetting { name: (*name).into(), sha256: (*sha256).into(), chart: Some(chart) });
                    Some(())
                }
                _ => None,
            };
            read.ok_or(SettingsError::Unreadable)?;
        }
        // What is read must be what would be written: keys follow from names and digests, and lines have an order.
        if settings.to_text() == text { Ok(settings) } else { Err(SettingsError::Unreadable) }
    }

    /// Stands for an object that cannot be read: it says nothing.
    pub fn none() -> Self {
        Self { backup_interval_seconds: 0, backup_retention_seconds: 0, addons: Vec::new() }
    }
}

impl BootstrapObject {
    /// An object whose content is known. `name` and `extension` are parts of its key.
    pub fn new(name: &str, extension: &str, content: String) -> Self {
        let sha256 = sha256(&content);
        Self { key: Self::key(name, &sha256, extension), sha256, content: Some(content) }
    }

    /// Key below the cluster's prefix of the object that has this digest.
    pub fn key(name: &str, sha256: &str, extension: &str) -> String {
        format!("bootstrap/{name}-{sha256}.{extension}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> ControlPlaneSettings {
        let chart = ChartSource {
            namespace: "kube-system".into(),
            repository: "https://charts.example.com".into(),
            chart: "thing".into(),
            version: "v1.2.3".into(),
        };
        ControlPlaneSettings {
            backup_interval_seconds: 900,
            backup_retention_seconds: 1_209_600,
            addons: vec![
                AddonSetting { name: "first".into(), sha256: "a".repeat(64), chart: None },
                AddonSetting { name: "second".into(), sha256: "b".repeat(64), chart: Some(chart) },
            ],
        }
    }

    #[test]
    fn the_text_is_what_nodes_expect_and_is_read_back() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let text = format!(
            "format 1\nbackup-interval 900\nbackup-retention 1209600\n\
             addon first manifest bootstrap/addon-first-{a}.yaml {a}\n\
             addon second chart bootstrap/addon-second-{b}.yaml {b} kube-system https://charts.example.com thing v1.2.3\n"
        );
        assert_eq!(settings().to_text(), text);
        assert_eq!(ControlPlaneSettings::parse(&text), Ok(settings()));
    }

    #[test]
    fn what_others_wrote_is_not_taken_for_ours() {
        let text = settings().to_text();
        for (from, to) in [
            ("format 1\n", ""),
            ("900", "15m"),
            ("addon first", "addon  first"),
            ("addon-first", "other"),
            ("backup-interval 900\n", ""),
            ("chart", "kustomization"),
        ] {
            assert_eq!(ControlPlaneSettings::parse(&text.replacen(from, to, 1)), Err(SettingsError::Unreadable), "{to:?}");
        }
        let newer = SettingsError::Newer { format: "format 2".into() };
        assert_eq!(ControlPlaneSettings::parse(&text.replacen("format 1", "format 2", 1)), Err(newer));
    }
}
