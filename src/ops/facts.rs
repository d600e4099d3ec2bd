//! Finding out what a model needs to know, once, and remembering it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

use crate::cloud::facts::StateLocation;
use crate::cloud::{CloudError, ExistingNetwork, Facts};
use crate::model::fixed_addresses;
use crate::spec::{Addon, Cluster, DnsVisibility, Image, InstanceType, SubnetRole, Topology, Vpc};

use super::error::OpsError;
use super::manifests::{self, Reading};
use super::render::{made_up_facts, unread};
use super::{Aws, Environment, StateRoot};

/// Something that the spec names and that cannot be had, with where it is named and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactProblem {
    /// Path in the spec.
    pub path: String,
    pub message: String,
    pub hint: String,
}

impl fmt::Display for FactProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Facts for `cluster`, and what could not be found out. With problems the facts are complete all the same, so that a model can be made
/// to see what else is wrong: what is missing is made up.
pub(super) struct Resolved {
    pub(super) facts: Facts,
    pub(super) problems: Vec<FactProblem>,
}

/// Facts for `cluster`: what is `known` stays as it is, the rest is asked for.
pub(super) async fn resolve(
    environment: &Environment<'_>,
    cluster: &Cluster,
    known: Option<&Facts>,
    reading: Reading,
) -> Result<Resolved, OpsError> {
    let identity = &environment.identity;
    let mut problems = Vec::new();
    let aws = environment.aws;
    let action = "look up what the spec names";
    if known.is_none() {
        check_zones(aws, cluster, &mut problems).await.map_err(OpsError::cloud(action))?;
    }
    let instance_types = instance_types(aws, cluster, known, &mut problems).await.map_err(OpsError::cloud(action))?;
    let mut facts = Facts {
        account: identity.account.clone(),
        partition: identity.partition().to_owned(),
        cluster_uid: known.map_or_else(|| format!("{:032x}", rand::random::<u128>()), |facts| facts.cluster_uid.clone()),
        images: BTreeMap::new(),
        instance_types,
        hosted_zone: None,
        network: None,
        slot_addresses: BTreeMap::new(),
        manifests: BTreeMap::new(),
        user_tags: known.iter().flat_map(|facts| &facts.user_tags).chain(cluster.tags.keys()).cloned().collect(),
        state: state_location(&environment.state_root, cluster),
    };
    facts.images = images(aws, cluster, &facts, known, &mut problems).await.map_err(OpsError::cloud(action))?;
    facts.hosted_zone = hosted_zone(aws, cluster, known, &mut problems).await.map_err(OpsError::cloud(action))?;
    facts.network = network(aws, cluster, known, &mut problems).await.map_err(OpsError::cloud(action))?;
    facts.slot_addresses = slot_addresses(cluster, facts.network.as_ref(), known, &mut problems);
    facts.manifests = manifests::resolve(environment.manifests, cluster, known, reading, &mut problems).await;
    if !problems.is_empty() {
        complete(&mut facts, cluster, &environment.state_root);
    }
    Ok(Resolved { facts, problems })
}

/// Puts made-up facts where there are none.
fn complete(facts: &mut Facts, cluster: &Cluster, root: &StateRoot) {
    let made_up = made_up_facts(cluster, root);
    for (name, instance_type) in made_up.instance_types {
        facts.instance_types.entry(name).or_insert(instance_type);
    }
    for (key, image) in made_up.images {
        facts.images.entry(key).or_insert(image);
    }
    for (name, address) in made_up.slot_addresses {
        facts.slot_addresses.entry(name).or_insert(address);
    }
    for addon in &cluster.addons {
        if let Addon::Manifest { name, source, sha256 } = addon {
            facts.manifests.entry(name.clone()).or_insert_with(|| unread(source, sha256.as_ref()));
        }
    }
    facts.hosted_zone = facts.hosted_zone.take().or(made_up.hosted_zone);
    let made_up_subnets = made_up.network.map(|network| network.subnets).unwrap_or_default();
    if let Some(network) = &mut facts.network {
        for (id, subnet) in made_up_subnets {
            network.subnets.entry(id).or_insert(subnet);
        }
    }
}

/// Where nodes will read the state. A directory has no such place: what is rendered from it names none.
pub(super) fn state_location(root: &StateRoot, cluster: &Cluster) -> StateLocation {
    let name = cluster.name.as_str();
    match root {
        StateRoot::S3 { bucket, prefix, region } => StateLocation {
            bucket: bucket.clone(),
            prefix: if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") },
            region: region.clone(),
        },
        StateRoot::Directory => {
            StateLocation { bucket: "no-bucket".to_owned(), prefix: name.to_owned(), region: cluster.region.to_string() }
        }
    }
}

async fn check_zones(aws: &dyn Aws, cluster: &Cluster, problems: &mut Vec<FactProblem>) -> Result<(), CloudError> {
    let zones = aws.zones().await?;
    for (index, zone) in cluster.network.zones.iter().enumerate() {
        if !zones.iter().any(|known| known == zone.as_str()) {
            problems.push(FactProblem {
                path: format!("spec.network.zones[{index}]"),
                message: format!("there is no zone {zone} for this account"),
                hint: format!("the zones of {} are {}", cluster.region, zones.join(", ")),
            });
        }
    }
    Ok(())
}

/// Instance types of the spec, and where each is named first.
fn named_types(cluster: &Cluster) -> Vec<(String, &InstanceType)> {
    let mut named = vec![("spec.controlPlane.instanceType".to_owned(), &cluster.control_plane.instance_type)];
    for (group, spec) in cluster.node_groups.iter().enumerate() {
        for (index, instance_type) in spec.instance_types.iter().enumerate() {
            named.push((format!("spec.nodeGroups[{group}].instanceTypes[{index}]"), instance_type));
        }
    }
    let mut seen = BTreeSet::new();
    named.retain(|(_, instance_type)| seen.insert(*instance_type));
    named
}

async fn instance_types(
    aws: &dyn Aws,
    cluster: &Cluster,
    known: Option<&Facts>,
    problems: &mut Vec<FactProblem>,
) -> Result<BTreeMap<String, crate::cloud::InstanceTypeFacts>, CloudError> {
    let named = named_types(cluster);
    let mut found: BTreeMap<_, _> = known
        .into_iter()
        .flat_map(|facts| &facts.instance_types)
        .filter(|(name, _)| named.iter().any(|(_, named)| named.as_str() == *name))
        .map(|(name, facts)| (name.clone(), facts.clone()))
        .collect();
    let unknown: Vec<InstanceType> =
        named.iter().filter(|(_, name)| !found.contains_key(name.as_str())).map(|(_, name)| (*name).clone()).collect();
    if !unknown.is_empty() {
        found.extend(aws.instance_types(&unknown).await?.into_iter().map(|facts| (facts.name.clone(), facts)));
    }
    for (path, name) in named {
        if !found.contains_key(name.as_str()) {
            problems.push(FactProblem {
                path,
                message: format!("there is no instance type {name} in {}", cluster.region),
                hint: "see `aws ec2 describe-instance-type-offerings`".to_owned(),
            });
        }
    }
    Ok(found)
}

async fn images(
    aws: &dyn Aws,
    cluster: &Cluster,
    facts: &Facts,
    known: Option<&Facts>,
    problems: &mut Vec<FactProblem>,
) -> Result<BTreeMap<String, crate::cloud::ResolvedImage>, CloudError> {
    let control_plane = &cluster.control_plane;
    let mut named: Vec<(String, &Image, &InstanceType)> =
        vec![("spec.controlPlane.image".to_owned(), &control_plane.image, &control_plane.instance_type)];
    for (index, group) in cluster.node_groups.iter().enumerate() {
        named.push((format!("spec.nodeGroups[{index}].image"), &group.image, &group.instance_types[0]));
    }
    let mut images = BTreeMap::new();
    for (path, image, instance_type) in named {
        // An unknown type is a problem already.
        let Some(architecture) = facts.instance_type(instance_type).map(|facts| facts.architecture) else { continue };
        let key = Facts::image_key(image, architecture);
        if images.contains_key(&key) {
            continue;
        }
        let resolved = match known.and_then(|facts| facts.images.get(&key)) {
            Some(resolved) => Some(resolved.clone()),
            None => aws.image(image, architecture).await?,
        };
        match resolved {
            Some(resolved) if resolved.architecture == architecture => {
                images.insert(key, resolved);
            }
            Some(resolved) => problems.push(FactProblem {
                path,
                message: format!(
                    "image {} is for {}, but {instance_type} is {}",
                    resolved.id,
                    resolved.architecture.ec2(),
                    architecture.ec2()
                ),
                hint: "name an image for the architecture of the instance type".to_owned(),
            }),
            None => problems.push(FactProblem {
                path,
                message: format!("there is no image {} in {}", key.split(' ').next().unwrap_or(&key), cluster.region),
                hint: "name an image as ami-ID, ssm:/path or owner/name-pattern; images differ from region to region".to_owned(),
            }),
        }
    }
    Ok(images)
}

async fn hosted_zone(
    aws: &dyn Aws,
    cluster: &Cluster,
    known: Option<&Facts>,
    problems: &mut Vec<FactProblem>,
) -> Result<Option<crate::cloud::HostedZone>, CloudError> {
    let Some(dns) = &cluster.dns else { return Ok(None) };
    let private = dns.visibility == DnsVisibility::Private;
    if let Some(zone) = known.and_then(|facts| facts.hosted_zone.as_ref())
        && zone.name == dns.zone
        && zone.private == private
    {
        return Ok(Some(zone.clone()));
    }
    let vpc = match &cluster.network.vpc {
        Vpc::Existing { id, .. } if private => Some(id.as_str()),
        Vpc::Existing { .. } | Vpc::Managed { .. } => None,
    };
    let mut zones = aws.hosted_zones(&dns.zone, private, vpc).await?;
    let visibility = if private { "private" } else { "public" };
    let problem = |message, hint: &str| FactProblem { path: "spec.dns.zone".to_owned(), message, hint: hint.to_owned() };
    match zones.len() {
        1 => return Ok(zones.pop()),
        0 => problems.push(problem(
            format!("there is no {visibility} hosted zone {} for this account", dns.zone),
            "make the zone in Route 53 and delegate to it, or leave `dns` out: the load balancer's own name then serves",
        )),
        count => problems.push(problem(
            format!("there are {count} {visibility} hosted zones {}", dns.zone),
            "kclust cannot tell which one is meant: remove those that are not in use",
        )),
    }
    Ok(None)
}

async fn network(
    aws: &dyn Aws,
    cluster: &Cluster,
    known: Option<&Facts>,
    problems: &mut Vec<FactProblem>,
) -> Result<Option<ExistingNetwork>, CloudError> {
    let Vpc::Existing { id, subnets } = &cluster.network.vpc else { return Ok(None) };
    if let Some(network) = known.and_then(|facts| facts.network.as_ref())
        && network.vpc.as_ref().is_some_and(|vpc| vpc.id == *id)
        && subnets.iter().all(|subnet| network.subnets.contains_key(&subnet.id))
    {
        return Ok(Some(network.clone()));
    }
    let ids: Vec<String> = subnets.iter().map(|subnet| subnet.id.clone()).collect();
    let network = aws.existing_network(id, &ids).await?;
    let mut problem = |path: String, message: String, hint: &str| {
        problems.push(FactProblem { path, message, hint: hint.to_owned() });
    };
    if network.vpc.is_none() {
        problem("spec.network.vpcID".into(), format!("there is no VPC {id} in {}", cluster.region), "check account and region");
    }
    // Of a network that kclust makes the spec knows the range. Addresses of pods and services that are also those of machines, of this
    // cluster or of others in the VPC, lead nowhere.
    for (path, range) in
        [("spec.network.podCIDR", cluster.network.pod_cidr), ("spec.network.serviceCIDR", cluster.network.service_cidr)]
    {
        let taken = network.vpc.iter().flat_map(|vpc| &vpc.cidrs).find(|cidr| cidr.contains(&range) || range.contains(*cidr));
        if let Some(cidr) = taken {
            problem(path.into(), format!("{range} overlaps {cidr} of {id}"), "choose a range that is in use nowhere in the VPC");
        }
    }
    for (index, subnet) in subnets.iter().enumerate() {
        let path = format!("spec.network.subnets[{index}]");
        match network.subnets.get(&subnet.id) {
            None => problem(path, format!("there is no subnet {} in {}", subnet.id, cluster.region), "check account and region"),
            Some(found) if found.vpc != *id => {
                problem(path, format!("subnet {} is in {}, not in {id}", subnet.id, found.vpc), "name a subnet of the VPC");
            }
            Some(found) if found.zone != subnet.zone.as_str() => {
                problem(path, format!("subnet {} is in {}, not in {}", subnet.id, found.zone, subnet.zone), "correct its zone");
            }
            Some(_) => {}
        }
    }
    Ok(Some(network))
}

/// Fixed addresses: as recorded; else as the model places them in its own network; else the first that are free in the subnets
/// that exist.
fn slot_addresses(
    cluster: &Cluster,
    network: Option<&ExistingNetwork>,
    known: Option<&Facts>,
    problems: &mut Vec<FactProblem>,
) -> BTreeMap<String, Ipv4Addr> {
    let mut addresses: BTreeMap<String, Ipv4Addr> = fixed_addresses(cluster).into_iter().collect();
    let recorded = known.map(|facts| facts.slot_addresses.clone()).unwrap_or_default();
    let (Vpc::Existing { subnets, .. }, Some(network)) = (&cluster.network.vpc, network) else {
        for (name, address) in recorded {
            if let Some(planned) = addresses.get_mut(&name) {
                *planned = address;
            }
        }
        return addresses;
    };
    let role = match cluster.network.topology {
        Topology::Public => SubnetRole::Public,
        Topology::Private => SubnetRole::Private,
    };
    for slot in cluster.slots() {
        if let Some(address) = recorded.get(&slot.name) {
            addresses.insert(slot.name, *address);
            continue;
        }
        // A subnet that is not there is a problem already.
        let Some(subnet) = subnets.iter().find(|subnet| subnet.role == role && subnet.zone == slot.zone) else { continue };
        let Some(found) = network.subnets.get(&subnet.id) else { continue };
        let taken: BTreeSet<&Ipv4Addr> = found.used_addresses.iter().chain(addresses.values()).chain(recorded.values()).collect();
        // AWS keeps the first four addresses of a subnet and the last, which `hosts` leaves out together with the first.
        match found.cidr.hosts().skip(3).find(|address| !taken.contains(address)) {
            Some(address) => {
                addresses.insert(slot.name, address);
            }
            None => problems.push(FactProblem {
                path: "spec.network.subnets".to_owned(),
                message: format!("subnet {} has no free address for {}", subnet.id, slot.name),
                hint: "free an address or name another subnet".to_owned(),
            }),
        }
    }
    addresses
}
