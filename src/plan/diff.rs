//! Comparing two values of one kind, field by field.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Field, OnChange, Resource, Value};

use super::FieldChange;

/// A field that differs, and whether AWS can change it.
pub struct Difference {
    pub change: FieldChange,
    pub replaces: bool,
}

/// Whether a tag that was observed and is not desired is one that kclust set, and shall go. `user_tags` are the keys that the spec has or
/// had. Tags of others (cost tools, AWS itself, in-cluster controllers) are left alone.
pub fn is_managed_tag(key: &str, user_tags: &BTreeSet<String>) -> bool {
    key.starts_with("kclust.dev/")
        || key.starts_with("k8s.io/cluster-autoscaler/")
        || key.starts_with("kubernetes.io/role/")
        || user_tags.contains(key)
}

/// The fields in which `observed` differs from `desired`.
pub fn difference(desired: &Resource, observed: &Resource, user_tags: &BTreeSet<String>) -> Vec<Difference> {
    let observed_fields = observed.fields();
    let mut left: BTreeMap<&str, &Field> = observed_fields.iter().map(|field| (field.path.as_str(), field)).collect();
    let mut differences = Vec::new();
    for field in desired.fields() {
        let from = left.remove(field.path.as_str()).map_or(Value::Absent, |observed| observed.value.clone());
        if from != field.value {
            push(&mut differences, field.path, from, field.value, field.on_change);
        }
    }
    // What is left exists only as observed: a tag, or a field of the other variant of an enum.
    for field in left.into_values() {
        let foreign_tag = field.path.strip_prefix("tags.").is_some_and(|key| !is_managed_tag(key, user_tags));
        if !foreign_tag && field.value != Value::Absent {
            push(&mut differences, field.path.clone(), field.value.clone(), Value::Absent, field.on_change);
        }
    }
    differences
}

fn push(differences: &mut Vec<Difference>, path: String, from: Value, to: Value, on_change: OnChange) {
    let replaces = match on_change {
        OnChange::Update => false,
        OnChange::Replace => true,
        OnChange::Unmanaged(_) => return,
    };
    differences.push(Difference { change: FieldChange { path, from, to }, replaces });
}
