//! Addons: what each applies, and the settings that name them all to the control planes.

use crate::addons;

use super::build::Builder;
use super::resource::BootstrapObject;
use super::settings::{AddonSetting, ControlPlaneSettings};

pub(super) fn add(builder: &mut Builder<'_>) {
    let mut settings = ControlPlaneSettings {
        backup_interval_seconds: builder.cluster.backups.interval.seconds(),
        backup_retention_seconds: builder.cluster.backups.retention.seconds(),
        addons: Vec::new(),
    };
    for addon in addons::definitions(builder.cluster, builder.facts) {
        let (sha256, content) = match addon.content {
            addons::Content::Text(text) => (super::sha256(&text), Some(text)),
            addons::Content::Recorded { sha256 } => (sha256, None),
        };
        let setting = AddonSetting { name: addon.name, sha256: sha256.clone(), chart: addon.chart };
        builder.add(setting.object_name(), BootstrapObject { key: setting.key(), sha256, content });
        settings.addons.push(setting);
    }
    builder.add(ControlPlaneSettings::FILE, settings);
}
