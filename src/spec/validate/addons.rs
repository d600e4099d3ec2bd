//! Addons, and the places that software is fetched from.

use std::collections::BTreeMap;
use std::ops::Range;

use super::words::{is_authority, twice, url};
use crate::diag::Diagnostic;
use crate::spec::cluster::{Addon, Assets, Cni, Preset};
use crate::spec::decode::Spanned;
use crate::spec::names::check_dns_label;
use crate::spec::raw::{RawAddon, RawAssets};
use crate::yaml;

/// What is installed beside what the spec lists, under these names.
const OWN: [&str; 2] = ["aws-cloud-controller-manager", "aws-ebs-csi-driver-network"];

/// Longest name of a Helm release (helm.sh/helm, pkg/chart/v2/util: `ValidateReleaseName`).
const LONGEST_RELEASE: usize = 53;

pub(super) fn addons(raw: &[RawAddon], cni: Option<Cni>, found: &mut Vec<Diagnostic>) -> Vec<Addon> {
    let mut names: BTreeMap<&str, &Range<usize>> = BTreeMap::new();
    let mut addons = Vec::new();
    for raw in raw {
        let Some(name) = &raw.name else { continue };
        if let Some(first) = names.get(name.value.as_str()) {
            found.push(twice(name, first));
            continue;
        }
        names.insert(&name.value, &name.span);
        if let Err(rule) = check_dns_label(&name.value) {
            found.push(Diagnostic::error(name.span.clone(), format!("the name of an addon must be {rule}")));
            continue;
        }
        if let Some(finding) = taken(name, cni) {
            found.push(finding);
            continue;
        }
        addons.extend(addon(raw, name, found));
    }
    addons
}

/// What is installed without being listed keeps its name.
fn taken(name: &Spanned<String>, cni: Option<Cni>) -> Option<Diagnostic> {
    let wrong = |message: String| Diagnostic::error(name.span.clone(), message);
    match name.value.as_str() {
        own if OWN.contains(&own) => Some(wrong(format!("`{own}` is installed where it is needed; leave it out"))),
        chosen if cni.and_then(Cni::addon) == Some(chosen) => {
            Some(wrong(format!("`{chosen}` is installed because of `spec.network.cni`; leave it out")))
        }
        _ => None,
    }
}

fn addon(raw: &RawAddon, name: &Spanned<String>, found: &mut Vec<Diagnostic>) -> Option<Addon> {
    let chart_keys = [
        ("chart", &raw.chart),
        ("repository", &raw.repository),
        ("version", &raw.version),
        ("values", &raw.values),
        ("namespace", &raw.namespace),
    ];
    let chart_key = chart_keys.iter().find_map(|(key, text)| text.as_ref().map(|text| (*key, text)));
    match (&raw.manifest, chart_key) {
        (Some(manifest), None) => manifest_addon(name, manifest, raw.sha256.as_ref(), found),
        (Some(manifest), Some((key, text))) => {
            let message = format!("addon `{}` has both `manifest` and `{key}`: it is a manifest or a chart", name.value);
            found.push(Diagnostic::error(text.span.clone(), message).related(manifest.span.clone(), "the manifest"));
            None
        }
        (None, Some((key, text))) => {
            stray_sha256(raw, found);
            let missing: Vec<&str> = chart_keys[..3].iter().filter(|(_, text)| text.is_none()).map(|(key, _)| *key).collect();
            if !missing.is_empty() {
                let message = format!("addon `{}` has `{key}`, and a chart needs `{}` too", name.value, missing.join("`, `"));
                found.push(Diagnostic::error(text.span.clone(), message));
            }
            chart_addon(name, raw, found)
        }
        (None, None) => {
            stray_sha256(raw, found);
            preset(name, found)
        }
    }
}

fn stray_sha256(raw: &RawAddon, found: &mut Vec<Diagnostic>) {
    if let Some(text) = &raw.sha256 {
        found.push(Diagnostic::error(text.span.clone(), "`sha256` goes with `manifest`"));
    }
}

fn preset(name: &Spanned<String>, found: &mut Vec<Diagnostic>) -> Option<Addon> {
    if let Some(preset) = Preset::ALL.into_iter().find(|preset| preset.as_str() == name.value) {
        return Some(Addon::Preset(preset));
    }
    let known = Preset::ALL.map(Preset::as_str);
    let finding = match name.value.as_str() {
        cni @ ("cilium" | "calico" | "flannel") => {
            Diagnostic::error(name.span.clone(), format!("`{cni}` is a pod network: choose it with `spec.network.cni`"))
        }
        other => Diagnostic::error(name.span.clone(), format!("no addon is known as `{other}`"))
            .did_you_mean(other, known)
            .help(format!("known are {}; any other needs `manifest` or `chart`", known.join(", "))),
    };
    found.push(finding);
    None
}

fn manifest_addon(
    name: &Spanned<String>,
    manifest: &Spanned<String>,
    sha256: Option<&Spanned<String>>,
    found: &mut Vec<Diagnostic>,
) -> Option<Addon> {
    let before = found.len();
    if let Some(sum) = sha256
        && (sum.value.len() != 64 || !sum.value.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
    {
        found.push(Diagnostic::error(sum.span.clone(), "`sha256` must be 64 hexadecimal digits in lower case"));
    }
    if manifest.value.contains("://") {
        url(manifest, "`manifest`", &["https", "http"], found);
        if manifest.value.starts_with("http://") && sha256.is_none() {
            let message = "a manifest fetched without TLS needs `sha256`";
            found.push(Diagnostic::error(manifest.span.clone(), message).help("use https://, or add `sha256`"));
        }
    } else if manifest.value.trim().is_empty() {
        found.push(Diagnostic::error(manifest.span.clone(), "`manifest` must be an address or a file"));
    }
    (found.len() == before).then(|| Addon::Manifest {
        name: name.value.clone(),
        source: manifest.value.clone(),
        sha256: sha256.map(|sum| sum.value.clone()),
    })
}

fn chart_addon(name: &Spanned<String>, raw: &RawAddon, found: &mut Vec<Diagnostic>) -> Option<Addon> {
    let (chart, version) = (raw.chart.as_ref(), raw.version.as_ref());
    let repository = raw.repository.as_ref().and_then(|text| url(text, "`repository`", &["https", "oci"], found));
    let before = found.len();
    if name.value.len() > LONGEST_RELEASE {
        let message = format!("the name of a chart addon must have at most {LONGEST_RELEASE} characters: Helm releases do");
        found.push(Diagnostic::error(name.span.clone(), message));
    }
    if let Some(chart) = chart.filter(|chart| check_dns_label(&chart.value).is_err()) {
        let message = "`chart` must be the chart's name in the repository, such as cert-manager";
        found.push(Diagnostic::error(chart.span.clone(), message));
    }
    // Helm charts have semantic versions; a leading `v` is common.
    if let Some(text) = version
        && semver::Version::parse(text.value.strip_prefix('v').unwrap_or(&text.value)).is_err()
    {
        let message = "`version` must be one version of the chart, such as 1.2.3";
        found.push(Diagnostic::error(text.span.clone(), message));
    }
    if let Some(namespace) = &raw.namespace
        && let Err(rule) = check_dns_label(&namespace.value)
    {
        found.push(Diagnostic::error(namespace.span.clone(), format!("`namespace` must be {rule}")));
    }
    if let Some(values) = &raw.values {
        let documents = yaml::parse(&values.value, &mut Vec::new());
        if !documents.is_some_and(|documents| matches!(documents.as_slice(), [yaml::Node { value: yaml::Value::Map(_), .. }])) {
            found.push(Diagnostic::error(values.span.clone(), "`values` must be YAML, and a mapping"));
        }
    }
    if found.len() > before {
        return None;
    }
    Some(Addon::Chart {
        name: name.value.clone(),
        namespace: raw.namespace.as_ref().unwrap_or(name).value.clone(),
        repository: repository?,
        chart: chart?.value.clone(),
        version: version?.value.clone(),
        values: raw.values.as_ref().map(|values| values.value.clone()),
    })
}

pub(super) fn assets(raw: Option<&RawAssets>, found: &mut Vec<Diagnostic>) -> Assets {
    let Some(raw) = raw else { return Assets::default() };
    let http = ["https", "http"];
    let files = raw.files.as_ref().and_then(|text| url(text, "`spec.assets.files`", &http, found));
    let s3_endpoint = raw.s3_endpoint.as_ref().and_then(|text| url(text, "`spec.assets.s3Endpoint`", &http, found));
    let mut registries = BTreeMap::new();
    for (host, mirrors) in raw.registries.iter().flat_map(|entries| &entries.0) {
        if !is_authority(&host.value) {
            let message = "a registry must be named by its host, such as registry.k8s.io";
            found.push(Diagnostic::error(host.span.clone(), message));
        }
        if mirrors.is_empty() {
            found.push(Diagnostic::error(host.span.clone(), format!("registry `{}` has no mirror", host.value)));
        }
        let mirrors = mirrors.iter().filter_map(|text| url(text, "a mirror of a registry", &http, found)).collect();
        registries.insert(host.value.clone(), mirrors);
    }
    Assets { files, registries, s3_endpoint }
}
