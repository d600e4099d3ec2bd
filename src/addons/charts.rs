//! Helm charts of presets.

use serde_json::Value as Json;

use crate::model::ChartSource;

use super::{Content, Definition};

/// A chart and where its facts were looked up. Every version is pinned.
pub(super) struct Chart {
    pub(super) name: &'static str,
    pub(super) namespace: &'static str,
    pub(super) repository: &'static str,
    pub(super) chart: &'static str,
    pub(super) version: &'static str,
}

impl Chart {
    pub(super) fn with(&self, values: &Json) -> Definition {
        // Plain data can always be written as YAML.
        let values = serde_saphyr::to_string(values).expect("values are plain data");
        Definition {
            name: self.name.to_owned(),
            content: Content::Text(values),
            chart: Some(ChartSource {
                namespace: self.namespace.to_owned(),
                repository: self.repository.to_owned(),
                chart: self.chart.to_owned(),
                version: self.version.to_owned(),
            }),
        }
    }
}
