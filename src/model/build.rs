//! `Cluster` and facts → desired resources. Each concern adds its own to a [`Builder`].

use std::collections::BTreeMap;

use crate::bootstrap;
use crate::cloud::{Facts, InstanceTypeFacts, ResolvedImage};
use crate::spec::{Cluster, Image, InstanceType};

use super::id::ResourceId;
use super::names::{self, aws_name};
use super::resource::{Kind, Resource, Tags};
use super::{addons, api, iam, network, node_groups, security, slots, tags};

/// Everything that a cluster shall consist of.
pub type Desired = BTreeMap<ResourceId, Resource>;

/// All resources of a cluster.
///
/// `facts` hold what the spec asks for: an image for each image source and architecture, the instance types, the addresses of the
/// slots, the hosted zone and the existing network where the spec names them (`ops::facts` makes sure of it).
pub fn build(cluster: &Cluster, facts: &Facts) -> Desired {
    let mut builder = Builder { cluster, facts, resources: BTreeMap::new() };
    network::add(&mut builder);
    security::add(&mut builder);
    iam::add(&mut builder);
    api::add(&mut builder);
    addons::add(&mut builder);
    let boot = bootstrap::boot_program(cluster);
    // Its key holds its hash: another program is another object, and the earlier one stays beside it.
    builder.add("boot", boot.clone());
    slots::add(&mut builder, &boot);
    node_groups::add(&mut builder, &boot);
    builder.resources
}

pub(super) struct Builder<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) facts: &'a Facts,
    resources: Desired,
}

impl Builder<'_> {
    pub(super) fn add(&mut self, name: impl Into<String>, resource: impl Into<Resource>) {
        let resource = resource.into();
        let id = ResourceId::new(resource.kind(), name);
        let earlier = self.resources.insert(id.clone(), resource);
        debug_assert!(earlier.is_none(), "{id} is built twice");
    }

    /// Tags of a resource: the user's, whose cluster it is, and which of its resources.
    pub(super) fn tags(&self, kind: Kind, name: &str) -> Tags {
        let mut tags = self.shared_tags(name);
        tags.insert(tags::ID.to_owned(), ResourceId::new(kind, name).to_string());
        tags
    }

    /// Tags of what a group launches: instances and their volumes are the group's, not resources of the plan.
    pub(super) fn instance_tags(&self, group: &str) -> Tags {
        let mut tags = self.shared_tags(group);
        tags.insert(tags::GROUP.to_owned(), group.to_owned());
        tags
    }

    fn shared_tags(&self, name: &str) -> Tags {
        let mut tags = self.cluster.tags.clone();
        tags.insert("Name".to_owned(), format!("{name}.{}", self.cluster.name));
        tags.insert(tags::cluster(self.cluster.name.as_str()), tags::OWNED.to_owned());
        tags
    }

    pub(super) fn aws_name(&self, what: &str, limit: usize) -> String {
        aws_name(self.cluster.region.as_str(), self.cluster.name.as_str(), what, limit)
    }

    pub(super) fn iam_path(&self) -> String {
        names::iam_path(self.cluster.region.as_str(), self.cluster.name.as_str())
    }

    /// What AWS says about an instance type of the spec.
    pub(super) fn instance_type(&self, name: &InstanceType) -> &InstanceTypeFacts {
        self.facts.instance_type(name).expect("facts are resolved for every instance type of the spec")
    }

    /// The image of the spec for the architecture of an instance type.
    pub(super) fn image(&self, image: &Image, instance_type: &InstanceType) -> &ResolvedImage {
        let architecture = self.instance_type(instance_type).architecture;
        self.facts.image(image, architecture).expect("facts are resolved for every image of the spec")
    }
}
