//! Manifests of Kubernetes objects, as far as they can be judged without a cluster.

use crate::diag::{Diagnostic, Diagnostics};
use crate::yaml::{self, Node, Value};

/// Whether `text` is a file of Kubernetes objects: YAML documents, each with `apiVersion` and `kind`.
///
/// # Errors
/// Everything that is wrong with it, by position. `file_name` is what diagnostics call it.
pub fn check_manifest(file_name: &str, text: &str) -> Result<(), Diagnostics> {
    let mut found = Vec::new();
    if let Some(documents) = yaml::parse(text, &mut found) {
        if documents.is_empty() {
            found.push(Diagnostic::error(0..0, "there is no object in it"));
        }
        for document in &documents {
            check_object(document, &mut found);
        }
    }
    if found.is_empty() { Ok(()) } else { Err(Diagnostics::new(file_name, text, found)) }
}

fn check_object(document: &Node, found: &mut Vec<Diagnostic>) {
    if !matches!(document.value, Value::Map(_)) {
        found.push(Diagnostic::error(document.span.clone(), "an object is a mapping (`key: value` lines)"));
        return;
    }
    for key in ["apiVersion", "kind"] {
        match document.get(key) {
            None => found.push(Diagnostic::error(document.span.clone(), format!("this object has no `{key}`"))),
            Some(node) if node.as_str().is_none_or(str::is_empty) => {
                found.push(Diagnostic::error(node.span.clone(), format!("`{key}` must be text")));
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_objects_are_accepted() {
        let text = "# nothing\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n---\napiVersion: v1\nkind: List\nitems: []\n";
        assert!(check_manifest("a.yaml", text).is_ok());
        assert!(check_manifest("a.json", r#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}"#).is_ok());
    }

    #[test]
    fn anything_else_is_refused_where_it_stands() {
        for (text, place, message) in [
            ("", "1:1", "no object"),
            ("# only a comment\n", "1:1", "no object"),
            ("apiVersion: v1\nkind: A\n---\nkind: B\n", "4:1", "no `apiVersion`"),
            ("apiVersion: v1\nkind: [A]\n", "2:7", "`kind` must be text"),
            ("apiVersion: v1\nkind: A\n---\n- 1\n", "4:3", "a mapping"),
            ("apiVersion: v1\n kind: A\n", "2:6", "not valid YAML"),
            ("<html>", "1:1", "a mapping"),
        ] {
            let found = check_manifest("a.yaml", text).unwrap_err();
            let finding = found.iter().next().unwrap();
            let (line, column) = found.position(finding);
            assert_eq!(format!("{line}:{column}"), place, "{text:?} {finding:?}");
            assert!(finding.message.contains(message), "{text:?} {finding:?}");
        }
    }
}
