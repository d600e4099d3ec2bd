//! Flags of `create` → the same document that a file would hold.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::raw::{API_VERSION, KIND};

/// What the document made of flags is called in diagnostics.
pub const FLAGS: &str = "<flags>";

/// The flags of `create` that describe a cluster. What is not given stays out of the document and has the document's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreateFlags {
    pub name: Option<String>,
    pub region: Option<String>,
    pub zones: Vec<String>,
    pub kubernetes_version: Option<String>,
    pub topology: Option<String>,
    pub cidr: Option<String>,
    pub nat: Option<String>,
    pub cni: Option<String>,
    pub endpoint: Option<String>,
    pub scheme: Option<String>,
    pub api_allowed_cidrs: Vec<String>,
    pub dns_zone: Option<String>,
    pub dns_visibility: Option<String>,
    /// The key itself, not a path.
    pub ssh_public_key: Option<String>,
    pub control_plane_replicas: Option<u32>,
    pub control_plane_type: Option<String>,
    pub node_type: Vec<String>,
    pub node_min: Option<u32>,
    pub node_max: Option<u32>,
    pub tags: Vec<(String, String)>,
}

impl CreateFlags {
    /// The document, as YAML; load it under the name [`FLAGS`]. Each line names its flag in a comment, so that a diagnostic, which
    /// shows the line, says which flag is wrong.
    pub fn to_document(&self) -> String {
        let mut out = Document(String::new());
        out.line(0, "apiVersion", &json!(API_VERSION), None);
        out.line(0, "kind", &json!(KIND), None);
        // A block that lacks what it needs is written all the same, so that the finding stands beside the flag to give.
        match &self.name {
            None => out.line(0, "metadata", &json!({}), Some("NAME")),
            Some(name) => out.block(0, "metadata", &[("name", Some(json!(name)), "NAME")]),
        }
        out.open(0, "spec");
        out.given(1, "region", option(&self.region), "--region");
        out.given(1, "kubernetesVersion", option(&self.kubernetes_version), "--kubernetes-version");
        if !self.tags.is_empty() {
            out.open(1, "tags");
            for (key, value) in &self.tags {
                out.line(2, &json!(key).to_string(), &json!(value), Some("--tag"));
            }
        }
        let network = [
            ("zones", list(&self.zones), "--zones"),
            ("cidr", option(&self.cidr), "--cidr"),
            ("topology", option(&self.topology), "--topology"),
            ("nat", option(&self.nat), "--nat"),
            ("cni", option(&self.cni), "--cni"),
        ];
        if network.iter().all(|(_, value, _)| value.is_none()) {
            out.line(1, "network", &json!({}), Some("--zones"));
        } else {
            out.block(1, "network", &network);
        }
        out.block(
            1,
            "api",
            &[
                ("endpoint", option(&self.endpoint), "--endpoint"),
                ("scheme", option(&self.scheme), "--scheme"),
                ("allowedCIDRs", list(&self.api_allowed_cidrs), "--api-allowed-cidrs"),
            ],
        );
        out.block(
            1,
            "dns",
            &[("zone", option(&self.dns_zone), "--dns-zone"), ("visibility", option(&self.dns_visibility), "--dns-visibility")],
        );
        out.block(1, "ssh", &[("publicKey", option(&self.ssh_public_key), "--ssh-public-key")]);
        out.block(
            1,
            "controlPlane",
            &[
                ("replicas", self.control_plane_replicas.map(Value::from), "--control-plane-replicas"),
                ("instanceType", option(&self.control_plane_type), "--control-plane-type"),
            ],
        );
        let group = [
            ("instanceTypes", list(&self.node_type), "--node-type"),
            ("minSize", self.node_min.map(Value::from), "--node-min"),
            ("maxSize", self.node_max.map(Value::from), "--node-max"),
        ];
        if group.iter().any(|(_, value, _)| value.is_some()) {
            out.open(1, "nodeGroups");
            out.0.push_str("    - name: ");
            out.0.push_str(super::defaults::GROUP_NAME);
            out.0.push('\n');
            for (key, value, flag) in group {
                out.given(3, key, value, flag);
            }
        }
        out.0
    }
}

fn option(text: &Option<String>) -> Option<Value> {
    text.as_ref().map(|text| json!(text))
}

fn list(texts: &[String]) -> Option<Value> {
    (!texts.is_empty()).then(|| json!(texts))
}

/// YAML lines. Values are written as JSON, which YAML reads the same and which keeps each on one line.
struct Document(String);

impl Document {
    fn open(&mut self, depth: usize, key: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{:1$}{key}:", "", depth * 2);
    }

    fn line(&mut self, depth: usize, key: &str, value: &Value, flag: Option<&str>) {
        let comment = flag.map(|flag| format!("  # {flag}")).unwrap_or_default();
        let _ = writeln!(self.0, "{:1$}{key}: {value}{comment}", "", depth * 2);
    }

    fn given(&mut self, depth: usize, key: &str, value: Option<Value>, flag: &str) {
        if let Some(value) = value {
            self.line(depth, key, &value, Some(flag));
        }
    }

    /// A mapping of what is given; nothing when nothing is.
    fn block(&mut self, depth: usize, key: &str, entries: &[(&str, Option<Value>, &str)]) {
        if entries.iter().any(|(_, value, _)| value.is_some()) {
            self.open(depth, key);
            for (key, value, flag) in entries {
                self.given(depth + 1, key, value.clone(), flag);
            }
        }
    }
}
