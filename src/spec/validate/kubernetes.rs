//! Kubernetes' own words: versions, label and taint keys.

use std::ops::Range;

use semver::Version;

use crate::diag::Diagnostic;
use crate::spec::decode::Spanned;
use crate::spec::defaults;
use crate::spec::names::check_dns_name;

/// The version that is named: `1.36.2`, `v1.36.2`, or `1.36` for its newest known patch. A patch that is not known yet is accepted.
pub(super) fn version(text: Option<&Spanned<String>>, found: &mut Vec<Diagnostic>) -> Option<Version> {
    let newest = |minor| defaults::NEWEST_PATCHES.into_iter().find(|version| version.minor == minor);
    let Some(text) = text else {
        // The default is well-formed: a test reads it.
        return Version::parse(defaults::KUBERNETES_VERSION).ok();
    };
    let supported = || {
        let minors: Vec<String> = defaults::NEWEST_PATCHES.iter().map(|v| format!("{}.{}", v.major, v.minor)).collect();
        format!("supported are {}; the newest patches known are {}", minors.join(", "), {
            let all: Vec<String> = defaults::NEWEST_PATCHES.iter().map(Version::to_string).collect();
            all.join(", ")
        })
    };
    let mut wrong = |message: String| {
        found.push(Diagnostic::error(text.span.clone(), message).help(supported()));
        None
    };
    let plain = text.value.strip_prefix('v').unwrap_or(&text.value);
    let numbers: Option<Vec<u64>> = plain.split('.').map(number).collect();
    let (minor, version) = match numbers.as_deref() {
        Some([1, minor]) => (*minor, newest(*minor)),
        Some([1, minor, patch]) => (*minor, Some(Version::new(1, *minor, *patch))),
        _ => return wrong("`spec.kubernetesVersion` must be a version, such as 1.36 or 1.36.2".into()),
    };
    match version {
        Some(version) if newest(minor).is_some() => Some(version),
        _ => wrong(format!("Kubernetes 1.{minor} is not supported")),
    }
}

/// Digits without a leading zero.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if digits { text.parse().ok() } else { None }
}

/// Prefixes of labels that belong to Kubernetes.
const RESERVED: [&str; 2] = ["kubernetes.io", "k8s.io"];
/// What a kubelet may set on its own node among those: `kubelet/pkg/apis/well_known_labels.go`, which the kubelet itself and the
/// admission plugin NodeRestriction both go by.
const KUBELET_PREFIXES: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];
const KUBELET_LABELS: [&str; 11] = [
    "kubernetes.io/hostname",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// Checks a key that a kubelet sets as a label of its own node.
pub(super) fn label_key(key: &Spanned<String>, found: &mut Vec<Diagnostic>) -> bool {
    if !qualified_name(key, "a label", found) {
        return false;
    }
    let Some((prefix, _)) = key.value.split_once('/') else { return true };
    let under = |domain: &&str| prefix.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if !RESERVED.iter().any(under) || KUBELET_LABELS.contains(&key.value.as_str()) || KUBELET_PREFIXES.iter().any(under) {
        return true;
    }
    found.push(
        Diagnostic::error(key.span.clone(), format!("a node may not give itself the label `{}`", key.value))
            .help("the admission plugin NodeRestriction refuses it; use node.kubernetes.io/... or a prefix of your own"),
    );
    false
}

/// Checks a label or taint key: `[prefix/]name` (`IsQualifiedName` of apimachinery).
pub(super) fn qualified_name(key: &Spanned<String>, what: &str, found: &mut Vec<Diagnostic>) -> bool {
    let (prefix, name) = key.value.rsplit_once('/').map_or((None, key.value.as_str()), |(prefix, name)| (Some(prefix), name));
    let rule = match prefix.map(check_dns_name) {
        Some(Err(rule)) => Some(format!("the prefix of {what}'s key must be {rule}")),
        _ if !is_name(name) => Some(format!(
            "the name in {what}'s key must have 1 to 63 letters, digits, '-', '_' or '.', and begin and end with a letter or digit"
        )),
        _ => None,
    };
    refuse(rule, &key.span, found)
}

/// Checks the value of a label or taint: empty, or as a name (`IsValidLabelValue` of apimachinery).
pub(super) fn label_value(value: &Spanned<String>, what: &str, found: &mut Vec<Diagnostic>) -> bool {
    let rule = (!value.value.is_empty() && !is_name(&value.value)).then(|| {
        format!(
            "the value of {what} must have at most 63 letters, digits, '-', '_' or '.', and begin and end with a letter or digit"
        )
    });
    refuse(rule, &value.span, found)
}

fn refuse(rule: Option<String>, span: &Range<usize>, found: &mut Vec<Diagnostic>) -> bool {
    let right = rule.is_none();
    found.extend(rule.map(|message| Diagnostic::error(span.clone(), message)));
    right
}

fn is_name(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().last())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
