//! Comparing: nothing that is the same shows, and everything that differs does.

use std::collections::{BTreeMap, BTreeSet};

use super::mutants::{ADDON, CHANGED_TAG, INSTANCE_TAGS, TAGS, mutants};
use crate::model::{Field, Kind, OnChange, RecordAddress, RecordValue, Ref, Resource, Value};
use crate::plan::{Difference, difference};
use crate::test_support::{EXAMPLES, as_observed, desired, example, id};

/// The resources of all examples, with the example that they are of.
fn all() -> Vec<(String, Resource)> {
    EXAMPLES
        .iter()
        .flat_map(|name| desired(&example(name)).into_iter().map(move |(id, resource)| (format!("{name}: {id}"), resource)))
        .collect()
}

/// `tags.*` for each path of a tag.
fn general(path: &str) -> &str {
    match path {
        _ if path.starts_with("tags.") => TAGS,
        _ if path.starts_with("instanceTags.") => INSTANCE_TAGS,
        _ if path.starts_with("addons.") => ADDON,
        path => path,
    }
}

fn field<'a>(fields: &'a [Field], path: &str) -> Option<&'a Field> {
    let exact = path.replace('*', CHANGED_TAG);
    fields.iter().find(|field| field.path == exact)
}

fn paths(differences: &[Difference]) -> Vec<&str> {
    differences.iter().map(|difference| difference.change.path.as_str()).collect()
}

#[test]
fn a_resource_does_not_differ_from_itself_nor_from_how_it_is_observed() {
    for (name, resource) in all() {
        let none = BTreeSet::new();
        assert_eq!(paths(&difference(&resource, &resource, &none)), [""; 0], "{name}");
        assert_eq!(paths(&difference(&resource, &as_observed(&resource), &none)), [""; 0], "{name}");
    }
}

#[test]
fn every_field_that_is_changed_in_the_world_is_the_one_change_that_shows() {
    for (name, resource) in all() {
        let fields = resource.fields();
        for (path, mutant) in mutants(&as_observed(&resource)) {
            let found = difference(&resource, &mutant, &BTreeSet::new());
            let wanted = field(&fields, path).unwrap_or_else(|| panic!("{name} has no field {path}"));
            if matches!(wanted.on_change, OnChange::Unmanaged(_)) {
                assert_eq!(paths(&found), [""; 0], "{name}: {path} is not managed");
                continue;
            }
            assert_eq!(paths(&found), [wanted.path.as_str()], "{name}: {path}");
            assert_eq!(found[0].change.to, wanted.value, "{name}: {path}");
            let changed = field(&mutant.fields(), path).map_or(Value::Absent, |field| field.value.clone());
            assert_eq!(found[0].change.from, changed, "{name}: {path}");
            assert_eq!(found[0].replaces, wanted.on_change == OnChange::Replace, "{name}: {path}");
        }
    }
}

#[test]
fn the_mutants_leave_no_field_out() {
    let mut fields: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    let mut mutated: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    for (_, resource) in all() {
        let paths = resource.fields().into_iter().map(|field| general(&field.path).to_owned());
        fields.entry(resource.kind()).or_default().extend(paths);
        let paths = mutants(&resource).into_iter().map(|(path, _)| path.to_owned());
        mutated.entry(resource.kind()).or_default().extend(paths);
    }
    assert_eq!(fields.len(), Kind::ALL.len(), "the examples have a resource of every kind");
    assert_eq!(mutated, fields);
}

/// A resource whose tags are looked at, with one more. `None` for others.
fn with_tag(resource: &Resource, key: &str) -> Option<Resource> {
    let mut tagged = resource.clone();
    tagged.tags_mut()?.insert(key.to_owned(), "value".to_owned());
    let added = tagged.fields().into_iter().find(|field| field.path == format!("tags.{key}"))?;
    (added.on_change == OnChange::Update).then_some(tagged)
}

#[test]
fn tags_of_others_are_left_alone_and_those_that_were_the_users_go() {
    let user_tags = BTreeSet::from(["team".to_owned()]);
    let foreign = ["aws:autoscaling:groupName", "cost-tool", "kubernetes.io/cluster/other.example.com", "Team"];
    let managed = [
        "team",
        "kclust.dev/group-of-old",
        "k8s.io/cluster-autoscaler/node-template/label/pool-of-old",
        "kubernetes.io/role/elb-of-old",
    ];
    for (name, resource) in all() {
        for key in foreign {
            let Some(observed) = with_tag(&resource, key) else { continue };
            assert_eq!(paths(&difference(&resource, &observed, &user_tags)), [""; 0], "{name}");
        }
        for key in managed.iter().filter(|key| !(**key == "team" && name.starts_with("ha-private"))) {
            let Some(observed) = with_tag(&resource, key) else { continue };
            let found = difference(&resource, &observed, &user_tags);
            assert_eq!(paths(&found), [format!("tags.{key}")], "{name}");
            assert_eq!((&found[0].change.to, found[0].replaces), (&Value::Absent, false), "{name}");
        }
    }
}

/// Neither side has all fields of the other.
#[test]
fn a_record_of_another_form_shows_all_that_differs() {
    let desired = desired(&example("ha-private"));
    let alias = &desired[&id("DnsRecord/api")];
    let Resource::DnsRecord(mut addresses) = alias.clone() else { panic!("{alias:?}") };
    let elastic = RecordAddress::Elastic(Ref::own("cp-1"));
    addresses.value = RecordValue::Addresses { addresses: vec![elastic], ttl_seconds: 60 };
    let addresses = Resource::from(addresses);
    let none = BTreeSet::new();
    assert_eq!(paths(&difference(alias, &addresses, &none)), ["value", "ttlSeconds"]);
    assert_eq!(paths(&difference(&addresses, alias, &none)), ["value", "ttlSeconds"]);
}
