//! Why AWS would keep a cluster's network: what somebody else put into it, and what is still on its way out.
//!
//! In the cluster's own VPC everything is looked at that keeps AWS from deleting it; in a shared one only what holds on to the
//! cluster's security groups. All by filters: what else the account holds costs nothing.

mod interfaces;
mod machines;
mod network;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Instance, InstanceStateName, SecurityGroup, Tag};

use super::Aws;
use super::facts::filter;
use super::leftovers::{self, Balancers, OF_GROUP, Place, balancers, has, is_of_cluster};
use crate::cloud::{Blocker, CloudError, Obstacles, Scope, World};
use crate::model::{Kind, ResourceId, tags};

/// Largest number of values in one filter.
const FILTER_VALUES: usize = 200;
/// Tags that an owner is described by, where there are many.
const TAGS_SHOWN: usize = 4;

pub(super) async fn find(aws: &Aws, scope: &Scope, world: &World) -> Result<Obstacles, CloudError> {
    let place = Place::find(aws, scope).await?;
    let (balancers, interfaces, instances, network::Parts { things, going }, referring, volumes) = tokio::try_join!(
        balancers(aws, scope, &place),
        interfaces::find(aws, &place),
        machines::in_vpcs(aws, &place.own_vpcs),
        network::find(aws, &place),
        referring(aws, scope, &place),
        machines::volumes(aws, &scope.cluster),
    )?;
    let outside = machines::outside(aws, &instances, machines::attached(&volumes, &interfaces)).await?;
    let view = View { groups: groups(world), place: &place, known: &scope.known, balancers: &balancers };
    let mut found = Obstacles { going, ..Obstacles::default() };
    for instance in &instances {
        view.instance(instance, instance.subnet_id().unwrap_or_default(), &mut found);
    }
    for (instance, held) in &outside {
        view.instance(instance, held, &mut found);
    }
    for interface in &interfaces {
        view.interface(interface, &mut found);
    }
    found.blockers.extend(view.load_balancers());
    found.blockers.extend(things.iter().filter_map(|thing| view.thing(thing)));
    for (group, named) in &referring {
        found.blockers.extend(view.referring(group, named));
    }
    found.blockers.sort();
    found.blockers.dedup_by(|one, other| one.kind == other.kind && one.id == other.id);
    found.going.sort();
    found.going.dedup();
    Ok(found)
}

/// What tells the cluster's things from those of others.
struct View<'a> {
    /// Names of the autoscaling groups that are removed, and with them their instances.
    groups: BTreeSet<&'a str>,
    place: &'a Place,
    known: &'a BTreeMap<String, ResourceId>,
    balancers: &'a Balancers,
}

/// Something in the cluster's VPC that has an id and tags and no story of its own.
struct Thing {
    kind: &'static str,
    id: String,
    account: Option<String>,
    tags: Vec<Tag>,
    /// Name or other description, beside the tag `Name`.
    description: Option<String>,
    keeps: String,
}

impl View<'_> {
    /// Whether kclust or a controller will remove it: by its tags, or because the state knows it.
    fn is_ours(&self, id: &str, found: &[Tag]) -> bool {
        self.known.contains_key(id) || is_of_cluster(found, &self.place.cluster)
    }

    /// Somebody else's thing; also one that carries the cluster's tag and that nobody knows as a part of the cluster.
    fn thing(&self, thing: &Thing) -> Option<Blocker> {
        let is_ours = match thing.kind {
            "SecurityGroup" => self.is_ours(&thing.id, &thing.tags),
            _ => {
                self.known.contains_key(&thing.id)
                    || (is_of_cluster(&thing.tags, &self.place.cluster) && has(&thing.tags, tags::ID))
            }
        };
        (!is_ours).then(|| Blocker {
            kind: thing.kind,
            id: thing.id.clone(),
            description: thing.description.clone(),
            owner: owner(thing.account.as_deref(), None, &thing.tags),
            keeps: thing.keeps.clone(),
        })
    }

    /// An instance of a group is ours only if the group is: it launches others in the place of those that end.
    fn instance(&self, instance: &Instance, keeps: &str, found: &mut Obstacles) {
        let Some(id) = instance.instance_id() else { return };
        if instance.state().and_then(|state| state.name()) == Some(&InstanceStateName::ShuttingDown) {
            found.going.push(format!("Instance/{id}, which shuts down"));
            return;
        }
        let is_ours = match leftovers::value(instance.tags(), OF_GROUP) {
            Some(group) => self.groups.contains(group),
            None => self.is_ours(id, instance.tags()),
        };
        if is_ours {
            return;
        }
        found.blockers.push(Blocker {
            kind: "Instance",
            id: id.to_owned(),
            description: leftovers::value(instance.tags(), "Name").map(str::to_owned),
            owner: owner(instance.network_interfaces().iter().find_map(|it| it.owner_id()), None, instance.tags()),
            keeps: keeps.to_owned(),
        });
    }

    fn load_balancers(&self) -> impl Iterator<Item = Blocker> {
        self.balancers.foreign.iter().map(|found| Blocker {
            kind: found.kind(),
            id: found.name.clone(),
            description: None,
            owner: owner(None, None, &[]),
            keeps: found.vpc.clone(),
        })
    }

    /// A group of somebody else with a rule that names groups of the cluster.
    fn referring(&self, group: &SecurityGroup, named: &[String]) -> Option<Blocker> {
        let id = group.group_id()?;
        if self.is_ours(id, group.tags()) {
            return None;
        }
        Some(Blocker {
            kind: "SecurityGroup",
            id: id.to_owned(),
            description: group.group_name.clone(),
            owner: owner(group.owner_id(), None, group.tags()),
            keeps: format!("{}, which its rules name", named.join(", ")),
        })
    }
}

/// Whom to ask about a thing.
fn owner(account: Option<&str>, requester: Option<&str>, found: &[Tag]) -> String {
    // Where AWS does not say, it lists those of one account only.
    let mut parts = vec![account.map_or_else(|| "this account".to_owned(), |account| format!("account {account}"))];
    parts.extend(requester.map(|requester| format!("requester {requester}")));
    let mut tags: Vec<String> =
        found.iter().filter_map(|tag| Some(format!("{}={}", tag.key()?, tag.value().unwrap_or_default()))).collect();
    tags.sort();
    tags.truncate(TAGS_SHOWN);
    if !tags.is_empty() {
        parts.push(format!("tags {}", tags.join(", ")));
    }
    parts.join(", ")
}

/// Names of a world's autoscaling groups, those that are being deleted among them.
fn groups(world: &World) -> BTreeSet<&str> {
    let all = world.resources.iter().chain(world.duplicates.iter().map(|(id, observed)| (id, observed)));
    all.filter(|(id, _)| id.kind == Kind::AutoscalingGroup).map(|(_, observed)| observed.physical.id.as_str()).collect()
}

/// Groups anywhere with rules that name groups of the cluster, and which; those of the cluster among them.
async fn referring(aws: &Aws, scope: &Scope, place: &Place) -> Result<Vec<(SecurityGroup, Vec<String>)>, CloudError> {
    let tagged = place.groups.iter().filter_map(|group| group.group_id.clone());
    let known = scope.known.keys().filter(|id| id.starts_with("sg-")).cloned();
    let mut own: Vec<String> = tagged.chain(known).collect();
    own.sort();
    own.dedup();
    let mut found = Vec::new();
    for own in own.chunks(FILTER_VALUES) {
        let by = |name: &str| leftovers::security_groups(aws, vec![filter(name, own.to_vec())]);
        let (ingress, egress) = tokio::try_join!(by("ip-permission.group-id"), by("egress.ip-permission.group-id"))?;
        for group in ingress.into_iter().chain(egress) {
            let permissions = group.ip_permissions().iter().chain(group.ip_permissions_egress());
            let pairs = permissions.flat_map(|permission| permission.user_id_group_pairs());
            let mut named: Vec<String> = pairs.filter_map(|pair| pair.group_id.clone()).filter(|id| own.contains(id)).collect();
            named.sort();
            named.dedup();
            found.push((group, named));
        }
    }
    Ok(found)
}
