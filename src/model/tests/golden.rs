//! All resources of each example, and what its machines may do, for a person to read.

use std::fmt::Write;

use crate::model::{Desired, Resource, Value};
use crate::test_support::{EXAMPLES, desired, example, golden};

/// Each resource with its fields. What templates render shows as there or not; policies have files of their own.
fn listing(desired: &Desired) -> String {
    let mut text = String::new();
    for (id, resource) in desired {
        writeln!(text, "{id}").unwrap();
        for field in resource.fields() {
            let value = match (&field.value, field.path.as_str()) {
                (Value::Absent, _) => continue,
                (Value::Content(_), _) => "(content)".to_owned(),
                (_, "document" | "trustPolicy") => "(policy)".to_owned(),
                (value, _) => value.to_string(),
            };
            writeln!(text, "  {}: {value}", field.path).unwrap();
        }
    }
    text
}

#[test]
fn resources() {
    for name in EXAMPLES {
        golden(&format!("model/{name}.txt"), &listing(&desired(&example(name))));
    }
}

#[test]
fn policies() {
    let mut count = 0;
    for name in EXAMPLES {
        for (id, resource) in desired(&example(name)) {
            let (file, document) = match resource {
                Resource::RolePolicy(policy) => (id.name.replace(':', "-"), policy.document),
                Resource::Role(role) => (format!("{}-trust", id.name), role.trust_policy),
                _ => continue,
            };
            let document: serde_json::Value = serde_json::from_str(&document).unwrap();
            golden(&format!("model/{name}-iam/{file}.json"), &format!("{document:#}\n"));
            count += 1;
        }
    }
    assert_eq!(count, 12, "two roles and their policies, but for the cluster that brings its own profiles");
}
