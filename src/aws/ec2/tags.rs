//! Tags and the filters that find what carries them.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};

use crate::aws::error::translate;
use crate::cloud::CloudError;
use crate::model::{Kind, ResourceId, Tags, tags};

/// AWS's own tags: they can be neither written nor deleted.
const RESERVED: &str = "aws:";

pub(super) fn to_sdk(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| tag(key, value)).collect()
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

pub(super) fn from_sdk(tags: &[Tag]) -> Tags {
    tags.iter()
        .filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default())))
        .filter(|(key, _)| !key.starts_with(RESERVED))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Tags of a thing from its first moment on: a crash between creating and tagging would leave an orphan.
pub(super) fn specification(resource_type: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(resource_type).set_tags(Some(to_sdk(tags))).build()
}

/// The logical id that a thing carries, if it is of this kind and the cluster's. AWS filters by the same tags; checking them
/// again costs nothing and keeps a filter that an endpoint ignores from adding somebody else's things to the world.
pub(super) fn logical_id(kind: Kind, sdk_tags: &[Tag], ownership: &str) -> Option<ResourceId> {
    let value = |wanted: &str| sdk_tags.iter().find(|tag| tag.key() == Some(wanted)).and_then(Tag::value);
    if value(ownership) != Some(tags::OWNED) {
        return None;
    }
    ResourceId::parse(value(tags::ID)?).filter(|id| id.kind == kind)
}

pub(super) fn filter(name: impl Into<String>, value: impl Into<String>) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// Finds what kclust made for a cluster. The second filter leaves out what controllers in the cluster made and tagged as its own.
pub(super) fn of_cluster(ownership: &str) -> Vec<Filter> {
    vec![filter(format!("tag:{ownership}"), tags::OWNED), filter("tag-key", tags::ID)]
}

/// Finds the thing that was made with these tags.
pub(super) fn of_resource(tags: &Tags) -> Vec<Filter> {
    let ownership = tags::cluster("");
    let identity = tags.iter().filter(|(key, _)| key.starts_with(&ownership) || *key == tags::ID);
    identity.map(|(key, value)| filter(format!("tag:{key}"), value)).collect()
}

/// Changes the tags of a thing from those observed to those desired. Keys in neither are left alone.
pub(super) async fn update(client: &Client, id: &str, observed: &Tags, desired: &Tags) -> Result<(), CloudError> {
    let changed: Vec<Tag> =
        desired.iter().filter(|(key, value)| observed.get(*key) != Some(*value)).map(|(key, value)| tag(key, value)).collect();
    if !changed.is_empty() {
        let call = client.create_tags().resources(id).set_tags(Some(changed));
        call.send().await.map_err(|error| translate("ec2:CreateTags", error))?;
    }
    // Without a value a tag is deleted whatever its value is.
    let gone: Vec<Tag> =
        observed.keys().filter(|key| !desired.contains_key(*key)).map(|key| Tag::builder().key(key).build()).collect();
    if !gone.is_empty() {
        let call = client.delete_tags().resources(id).set_tags(Some(gone));
        call.send().await.map_err(|error| translate("ec2:DeleteTags", error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Tags {
        let ownership = tags::cluster("demo");
        let tags = [(ownership.as_str(), "owned"), (tags::ID, "Vpc/main"), ("team", "ml")];
        tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn tags_round_trip_without_those_of_aws() {
        let mut sdk_tags = to_sdk(&example());
        sdk_tags.push(tag("aws:cloudformation:stack-name", "other"));
        assert_eq!(from_sdk(&sdk_tags), example());
    }

    #[test]
    fn a_thing_is_ours_only_with_both_tags_and_the_right_kind() {
        let ownership = tags::cluster("demo");
        assert_eq!(logical_id(Kind::Vpc, &to_sdk(&example()), &ownership), Some(ResourceId::new(Kind::Vpc, "main")));
        assert_eq!(logical_id(Kind::Subnet, &to_sdk(&example()), &ownership), None);
        assert_eq!(logical_id(Kind::Vpc, &to_sdk(&example()), &tags::cluster("demo2")), None);
        assert_eq!(logical_id(Kind::Vpc, &[tag(tags::ID, "Vpc/main")], &ownership), None);
    }

    #[test]
    fn a_thing_is_found_by_cluster_and_id_and_not_by_the_users_tags() {
        let names: Vec<_> = of_resource(&example()).into_iter().filter_map(|filter| filter.name).collect();
        assert_eq!(names, ["tag:kclust.dev/id", "tag:kubernetes.io/cluster/demo"]);
    }
}
