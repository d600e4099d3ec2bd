//! Text → [`Cluster`]: parse, check the shape, decode, validate. Every finding of every stage is reported in one go.

use super::cluster::Cluster;
use super::raw::{API_VERSION, KIND, RawCluster};
use super::{decode, schema, shape, validate};
use crate::diag::{Diagnostic, Diagnostics, Severity};
use crate::yaml::{self, Node, Value};

/// Reads a document. `file_name` is what diagnostics call it.
///
/// # Errors
/// Everything that is wrong with it, by position.
pub fn load(file_name: &str, text: &str) -> Result<Cluster, Diagnostics> {
    load_with_warnings(file_name, text).map(|(cluster, _)| cluster)
}

/// Reads the bytes of a file.
///
/// # Errors
/// As [`load`], and where the file is not UTF-8.
pub fn load_bytes(file_name: &str, bytes: &[u8]) -> Result<(Cluster, Diagnostics), Diagnostics> {
    match std::str::from_utf8(bytes) {
        Ok(text) => load_with_warnings(file_name, text),
        Err(error) => {
            let text = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
            let at = text.len();
            let finding = Diagnostic::error(at..at, "the file is not UTF-8 from here on").help("save it as UTF-8");
            Err(Diagnostics::new(file_name, &text, vec![finding]))
        }
    }
}

/// Reads a document, and what its author may want to know though it is accepted.
///
/// # Errors
/// As [`load`]; the warnings are among the findings then.
pub fn load_with_warnings(file_name: &str, text: &str) -> Result<(Cluster, Diagnostics), Diagnostics> {
    let mut found = Vec::new();
    let cluster = read(text, &mut found);
    let failed = found.iter().any(|finding| finding.severity == Severity::Error);
    let findings = Diagnostics::new(file_name, text, found);
    match cluster {
        Some(cluster) if !failed => Ok((cluster, findings)),
        _ => Err(findings),
    }
}

/// `None` only with an error among `found`.
fn read(text: &str, found: &mut Vec<Diagnostic>) -> Option<Cluster> {
    let mut root = document(text, found)?;
    let recognized = recognize(&root, found);
    if !recognized {
        return None;
    }
    shape::check(&mut root, &schema::json_schema(), found);
    let raw: RawCluster = match decode::decode(&root) {
        Ok(raw) => raw,
        Err(error) => {
            found.push(Diagnostic::error(0..0, format!("the document cannot be read: {error}")));
            return None;
        }
    };
    let cluster = validate::validate(&raw, found);
    if cluster.is_none() && found.is_empty() {
        found.push(Diagnostic::error(0..0, "the document cannot be read; this is an error in kclust"));
    }
    cluster
}

/// The one document of the text.
fn document(text: &str, found: &mut Vec<Diagnostic>) -> Option<Node> {
    if let Some(at) = text.find('\0') {
        found.push(Diagnostic::error(at..at, "this is not a text file: it has a zero byte here").help("save it as UTF-8"));
        return None;
    }
    let documents = yaml::parse(text, found)?;
    if let Some(kops) = documents.iter().filter_map(|node| node.get("apiVersion")).find(|node| is_kops(node)) {
        found.clear();
        found.push(
            Diagnostic::error(kops.span.clone(), "this is a kops manifest; reading kops manifests is not supported yet")
                .help(format!("write a document of `apiVersion: {API_VERSION}`; `kclust schema` describes it")),
        );
        return None;
    }
    let mut documents = documents.into_iter();
    let Some(first) = documents.next() else {
        found.push(
            Diagnostic::error(0..0, "the file holds no document")
                .help(format!("a cluster begins with `apiVersion: {API_VERSION}` and `kind: {KIND}`")),
        );
        return None;
    };
    for further in documents {
        found.push(
            Diagnostic::error(further.span.clone(), "a second document begins here, and a file describes one cluster")
                .help("put each cluster into a file of its own"),
        );
    }
    if !matches!(first.value, Value::Map(_)) {
        let message = "a cluster is a mapping of `apiVersion`, `kind`, `metadata` and `spec`";
        found.push(Diagnostic::error(first.span.clone(), message));
        return None;
    }
    Some(first)
}

fn is_kops(api_version: &Node) -> bool {
    api_version.as_str().is_some_and(|text| text.starts_with("kops.k8s.io/") || text.starts_with("kops/"))
}

/// Whether the document is meant for kclust at all. Of any other, only that is reported.
fn recognize(root: &Node, found: &mut Vec<Diagnostic>) -> bool {
    let (api_version, kind) = (root.get("apiVersion"), root.get("kind"));
    if api_version.is_none() && kind.is_none() && root.get("spec").is_none() && root.get("metadata").is_none() {
        found.push(
            Diagnostic::error(root.span.clone(), "this does not look like a cluster")
                .help(format!("a cluster begins with `apiVersion: {API_VERSION}` and `kind: {KIND}`")),
        );
        return false;
    }
    let mut ours = true;
    for (key, node, expected) in [("apiVersion", api_version, API_VERSION), ("kind", kind, KIND)] {
        let Some((node, text)) = node.and_then(|node| Some((node, node.as_str()?))) else { continue };
        if text != expected {
            let message = format!("`{key}` must be `{expected}`");
            found.push(Diagnostic::error(node.span.clone(), message).did_you_mean(text, [expected]));
            let group = API_VERSION.split('/').next().unwrap_or_default();
            // Another version of the format still deserves to be checked; another program's document does not.
            ours &= key == "kind" || text.split('/').next() == Some(group);
        }
    }
    ours
}
