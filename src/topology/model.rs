//! What there is to draw.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::cloud::facts::subnet_name;
use crate::cloud::{Facts, TargetState, World};
use crate::health::{KubernetesView, Role};
use crate::inventory::{Condition, Fleet, Group, Instance, ResourceRow, ResourceStatus, groups, instances};
use crate::model::{API, Kind, Resource, ResourceId};
use crate::spec::{ApiEndpoint, Cluster, DnsVisibility, Nat, Scheme, SubnetRole, Topology as Topologies, Vpc, Zone, carve};

use super::problems::Problem;

/// What was observed of a cluster.
pub struct Source<'a> {
    pub facts: &'a Facts,
    pub world: &'a World,
    pub resources: &'a [ResourceRow],
    pub fleet: &'a Fleet,
    /// Of the API's load balancer, or why they could not be asked.
    pub targets: &'a Result<Vec<TargetState>, String>,
    pub at: Timestamp,
}

/// How something is. Each has a mark of its own shape in the drawing; the colour says the same again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it should be.
    Ok,
    /// Nothing is wanted of it: scaled to zero, or on its way out.
    Idle,
    /// It could not be asked.
    Unknown,
    /// On its way, weaker than it should be, or another than the spec says.
    Warning,
    /// Missing or broken.
    Bad,
}

/// Something with an id that can be in order or not.
#[derive(Debug, Clone)]
pub struct Thing {
    /// Its kind and logical name; `None` for what is somebody else's.
    pub resource: Option<(&'static str, String)>,
    /// Id in AWS; `None` for what is missing.
    pub id: Option<String>,
    pub health: Health,
    /// Its health in words.
    pub word: String,
}

/// A cluster as it is drawn.
#[derive(Debug, Clone)]
pub struct Topology {
    pub cluster: String,
    pub region: String,
    pub version: String,
    pub at: Timestamp,
    /// Why Kubernetes has no say in the health of what is drawn.
    pub kubernetes: Option<String>,
    pub vpc: Network,
    pub internet_gateway: Option<Thing>,
    pub dns: Option<DnsName>,
    pub load_balancer: Option<LoadBalancer>,
    pub zones: Vec<ZoneColumn>,
    pub control_plane: String,
    pub slots: Vec<SlotBox>,
    pub groups: Vec<GroupRow>,
    /// Instances that no group launched.
    pub strays: usize,
    /// Resources that have no place in the picture and are not as specified.
    pub undrawn: Vec<Problem>,
}

#[derive(Debug, Clone)]
pub struct Network {
    pub id: Option<String>,
    pub cidrs: Vec<String>,
    /// Somebody else's.
    pub existing: bool,
    pub health: Health,
    pub word: String,
}

#[derive(Debug, Clone)]
pub struct DnsName {
    pub name: String,
    /// `public zone example.com`
    pub zone: String,
    pub thing: Thing,
}

#[derive(Debug, Clone)]
pub struct LoadBalancer {
    pub name: String,
    pub dns_name: Option<String>,
    pub internet_facing: bool,
    /// Its network interfaces stand in the subnets of the machines, not in public ones of their own.
    pub among_machines: bool,
    pub thing: Thing,
}

#[derive(Debug, Clone)]
pub struct ZoneColumn {
    pub name: String,
    /// Public subnets beside those of the machines.
    pub edge: Vec<SubnetBox>,
    pub machines: Option<SubnetBox>,
    pub nat: Option<NatBox>,
    /// Zone of the NAT gateway that serves this one.
    pub nat_elsewhere: Option<String>,
}

#[derive(Debug, Clone)]
pub struct SubnetBox {
    pub role: &'static str,
    pub public: bool,
    pub cidr: Option<String>,
    pub thing: Thing,
}

#[derive(Debug, Clone)]
pub struct NatBox {
    pub address: Option<String>,
    pub thing: Thing,
}

#[derive(Debug, Clone)]
pub struct SlotBox {
    pub name: String,
    /// Index of its zone.
    pub zone: usize,
    pub instance_type: String,
    pub address: Option<String>,
    pub instance: Option<String>,
    pub health: Health,
    pub word: String,
    pub detail: Option<String>,
}

#[derive(Debug, Clone)]
pub struct GroupRow {
    pub name: String,
    pub types: Vec<String>,
    pub running: usize,
    pub desired: Option<u32>,
    pub bounds: Option<(u32, u32)>,
    pub spot_percent: u8,
    pub outdated: usize,
    pub health: Health,
    pub word: String,
    pub problem: Option<String>,
    /// One for each zone; `None` where the group may not launch.
    pub cells: Vec<Option<Cell>>,
}

/// The instances of a group in a zone.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// How many are how, in the order of [`Health`].
    pub counts: BTreeMap<Health, usize>,
    /// `2 Ready, 1 booting`
    pub words: String,
}

impl Cell {
    pub fn total(&self) -> usize {
        self.counts.values().sum()
    }

    /// That of the worst, but not worse than weak while some are in order, or may be.
    pub fn health(&self) -> Health {
        let worst = self.counts.keys().next_back().copied().unwrap_or(Health::Idle);
        let some_may_work = self.counts.contains_key(&Health::Ok) || self.counts.contains_key(&Health::Unknown);
        if some_may_work { worst.min(Health::Warning) } else { worst }
    }
}

impl Topology {
    pub fn new(source: &Source<'_>) -> Self {
        let cluster = &source.fleet.cluster;
        let instances = instances(source.fleet);
        let groups = groups(source.fleet, &instances);
        let zones: Vec<String> = cluster.network.zones.iter().map(ToString::to_string).collect();
        Self {
            cluster: cluster.name.to_string(),
            region: cluster.region.to_string(),
            version: cluster.kubernetes_version.to_string(),
            at: source.at,
            kubernetes: match &source.fleet.kubernetes {
                KubernetesView::Reachable { .. } => None,
                KubernetesView::Unreachable { reason, .. }
                | KubernetesView::Refused { reason, .. }
                | KubernetesView::Skipped { reason } => Some(reason.clone()),
            },
            vpc: network(source),
            internet_gateway: thing(source, Kind::InternetGateway, "main"),
            dns: dns(source),
            load_balancer: load_balancer(source),
            zones: cluster.network.zones.iter().map(|zone| zone_column(source, zone)).collect(),
            control_plane: cluster.control_plane.instance_type.to_string(),
            slots: slots(source, &instances, &groups),
            groups: groups
                .iter()
                .filter(|group| group.role == Role::Node)
                .map(|group| group_row(group, &instances, &zones))
                .collect(),
            strays: instances.iter().filter(|instance| instance.group.is_none()).count(),
            undrawn: Vec::new(),
        }
        .with_undrawn(source.resources)
    }
}

/// A resource of the cluster; `None` where it shall have none and has none.
fn thing(source: &Source<'_>, kind: Kind, name: &str) -> Option<Thing> {
    let row = source.resources.iter().find(|row| row.kind == kind.as_str() && row.name == name)?;
    let (health, word) = resource_health(row.status);
    Some(Thing { resource: Some((row.kind, row.name.clone())), id: row.id.clone(), health, word: word.to_owned() })
}

pub(super) fn resource_health(status: ResourceStatus) -> (Health, &'static str) {
    match status {
        ResourceStatus::Ok => (Health::Ok, "as specified"),
        ResourceStatus::Drifted => (Health::Warning, "differs from the spec"),
        ResourceStatus::Surplus => (Health::Warning, "not in the spec"),
        ResourceStatus::Missing => (Health::Bad, "missing"),
    }
}

fn network(source: &Source<'_>) -> Network {
    match &source.fleet.cluster.network.vpc {
        Vpc::Managed { cidr, .. } => {
            let own = thing(source, Kind::Vpc, "main");
            Network {
                id: own.as_ref().and_then(|vpc| vpc.id.clone()),
                cidrs: vec![cidr.to_string()],
                existing: false,
                health: own.as_ref().map_or(Health::Bad, |vpc| vpc.health),
                word: own.map_or_else(|| "missing".to_owned(), |vpc| vpc.word),
            }
        }
        Vpc::Existing { id, .. } => {
            let known = source.facts.network.as_ref().and_then(|network| network.vpc.as_ref());
            Network {
                id: Some(id.clone()),
                cidrs: known.map(|vpc| vpc.cidrs.iter().map(ToString::to_string).collect()).unwrap_or_default(),
                existing: true,
                health: Health::Ok,
                word: "not managed by kclust".to_owned(),
            }
        }
    }
}

fn dns(source: &Source<'_>) -> Option<DnsName> {
    let cluster = &source.fleet.cluster;
    let zone = cluster.dns.as_ref()?;
    let visibility = match zone.visibility {
        DnsVisibility::Public => "public",
        DnsVisibility::Private => "private",
    };
    Some(DnsName {
        name: cluster.api_name()?,
        zone: format!("{visibility} zone {}", zone.zone),
        thing: thing(source, Kind::DnsRecord, API)?,
    })
}

fn load_balancer(source: &Source<'_>) -> Option<LoadBalancer> {
    let cluster = &source.fleet.cluster;
    if cluster.api.endpoint != ApiEndpoint::LoadBalancer {
        return None;
    }
    let mut own = thing(source, Kind::LoadBalancer, API)?;
    if own.health == Health::Ok {
        (own.health, own.word) = target_health(source.targets);
    }
    let observed = source.world.resources.get(&ResourceId::new(Kind::LoadBalancer, API));
    let name = observed.and_then(|observed| match &observed.resource {
        Resource::LoadBalancer(load_balancer) => Some(load_balancer.name.clone()),
        _ => None,
    });
    let internet_facing = cluster.api.scheme == Scheme::Public;
    Some(LoadBalancer {
        name: name.unwrap_or_else(|| crate::model::load_balancer_name(cluster.region.as_str(), cluster.name.as_str())),
        dns_name: observed.and_then(|observed| observed.physical.dns_name.clone()),
        internet_facing,
        among_machines: !internet_facing || cluster.network.topology == Topologies::Public,
        thing: own,
    })
}

fn target_health(targets: &Result<Vec<TargetState>, String>) -> (Health, String) {
    match targets {
        Err(_) => (Health::Unknown, "targets could not be asked".to_owned()),
        Ok(targets) => {
            let healthy = targets.iter().filter(|target| target.state == "healthy").count();
            let health = match healthy {
                0 => Health::Bad,
                all if all == targets.len() => Health::Ok,
                _ => Health::Warning,
            };
            (health, format!("{healthy} of {} targets healthy", targets.len()))
        }
    }
}

fn machine_role(cluster: &Cluster) -> SubnetRole {
    match cluster.network.topology {
        Topologies::Public => SubnetRole::Public,
        Topologies::Private => SubnetRole::Private,
    }
}

fn zone_column(source: &Source<'_>, zone: &Zone) -> ZoneColumn {
    let cluster = &source.fleet.cluster;
    let machines = machine_role(cluster);
    let subnets = subnets(source, zone);
    let private = cluster.network.topology == Topologies::Private;
    let nat = match cluster.network.vpc {
        Vpc::Managed { nat, .. } if private => Some(nat),
        Vpc::Managed { .. } | Vpc::Existing { .. } => None,
    };
    let first = &cluster.network.zones[0];
    let elsewhere = (nat == Some(Nat::Single) && zone != first).then(|| first.to_string());
    let own = thing(source, Kind::NatGateway, zone.as_str()).filter(|_| nat.is_some());
    let address = ResourceId::new(Kind::NatGateway, zone.as_str());
    let address = source.world.resources.get(&address).and_then(|observed| match &observed.resource {
        Resource::NatGateway(gateway) => gateway.address.target(),
        _ => None,
    });
    let address = address.and_then(|id| source.world.resources.get(&id)?.physical.public_address);
    let role = |(role, subnet): (SubnetRole, SubnetBox)| (role == machines).then_some(subnet);
    ZoneColumn {
        name: zone.to_string(),
        machines: subnets.clone().into_iter().find_map(role),
        edge: subnets.into_iter().filter(|(role, _)| *role != machines).map(|(_, subnet)| subnet).collect(),
        nat: own.map(|thing| NatBox { address: address.map(|address| address.to_string()), thing }),
        nat_elsewhere: elsewhere,
    }
}

fn subnets(source: &Source<'_>, zone: &Zone) -> Vec<(SubnetRole, SubnetBox)> {
    let cluster = &source.fleet.cluster;
    let describe = |role: SubnetRole, cidr: Option<String>, thing: Thing| {
        let (word, public) = match role {
            SubnetRole::Public => ("public", true),
            SubnetRole::Private => ("private", false),
            SubnetRole::Utility => ("utility", true),
        };
        (role, SubnetBox { role: word, public, cidr, thing })
    };
    match &cluster.network.vpc {
        Vpc::Managed { cidr, .. } => carve(*cidr, &cluster.network.zones, cluster.network.topology)
            .into_iter()
            .filter(|(_, of, _)| of == zone)
            .map(|(role, of, cidr)| {
                let missing = || Thing { resource: None, id: None, health: Health::Bad, word: "missing".to_owned() };
                let own = thing(source, Kind::Subnet, &subnet_name(role, of.as_str())).unwrap_or_else(missing);
                describe(role, Some(cidr.to_string()), own)
            })
            .collect(),
        Vpc::Existing { subnets, .. } => subnets
            .iter()
            .filter(|subnet| subnet.zone == *zone)
            .map(|subnet| {
                let known = source.facts.network.as_ref().and_then(|network| network.subnets.get(&subnet.id));
                let word = "not managed by kclust".to_owned();
                let foreign = Thing { resource: None, id: Some(subnet.id.clone()), health: Health::Ok, word };
                describe(subnet.role, known.map(|known| known.cidr.to_string()), foreign)
            })
            .collect(),
    }
}

fn slots(source: &Source<'_>, instances: &[Instance], groups: &[Group]) -> Vec<SlotBox> {
    let cluster = &source.fleet.cluster;
    let targets = source.targets.as_ref().ok().filter(|_| cluster.api.endpoint == ApiEndpoint::LoadBalancer);
    let slot_box = |slot: crate::spec::Slot| {
        let zone = cluster.network.zones.iter().position(|zone| *zone == slot.zone).unwrap_or_default();
        let address = source.facts.slot_addresses.get(&slot.name).map(ToString::to_string);
        let mut members: Vec<&Instance> =
            instances.iter().filter(|instance| instance.group.as_deref() == Some(&slot.name)).collect();
        // While one leaves and the next comes, the one that comes is the slot.
        members.sort_by_key(|instance| instance.condition == Condition::Terminating);
        let target = targets.and_then(|targets| targets.iter().find(|target| Some(&target.address) == address.as_ref()));
        let exists = groups.iter().any(|group| group.name == slot.name && group.desired.is_some());
        let (health, word, detail) = match members.first() {
            None if !exists => (Health::Bad, "no group".to_owned(), None),
            None => (Health::Bad, "no instance".to_owned(), None),
            Some(instance) => {
                let (health, word) = (condition_health(instance.condition), instance.condition.word());
                match target.filter(|target| target.state != "healthy") {
                    Some(target) if matches!(health, Health::Ok | Health::Unknown) => {
                        (Health::Warning, format!("target {}", target.state), target.reason.clone())
                    }
                    _ => (health, word.to_owned(), instance.detail.clone()),
                }
            }
        };
        SlotBox {
            name: slot.name,
            zone,
            instance_type: members
                .first()
                .map_or_else(|| cluster.control_plane.instance_type.to_string(), |instance| instance.instance_type.clone()),
            address,
            instance: members.first().map(|instance| instance.id.clone()),
            health,
            word,
            detail,
        }
    };
    cluster.slots().into_iter().map(slot_box).collect()
}

fn condition_health(condition: Condition) -> Health {
    match condition {
        Condition::Ready => Health::Ok,
        // A machine that hangs runs, too: nobody who knows was asked.
        Condition::Booted | Condition::Running => Health::Unknown,
        Condition::Terminating => Health::Idle,
        Condition::Pending | Condition::Booting | Condition::NotJoined => Health::Warning,
        Condition::NotReady | Condition::BootFailed | Condition::Stopped => Health::Bad,
    }
}

fn group_row(group: &Group, instances: &[Instance], zones: &[String]) -> GroupRow {
    let members: Vec<&Instance> = instances.iter().filter(|instance| instance.group.as_deref() == Some(&group.name)).collect();
    let cells = zones
        .iter()
        .map(|zone| {
            let here: Vec<&Instance> = members.iter().copied().filter(|instance| instance.zone == *zone).collect();
            // What runs where the group may launch no more is still there.
            (group.zones.contains(zone) || !here.is_empty()).then(|| cell(&here))
        })
        .collect();
    let worst = members.iter().map(|instance| condition_health(instance.condition)).max().unwrap_or(Health::Ok);
    let number = |of: Health| members.iter().filter(|instance| condition_health(instance.condition) == of).count();
    let (good, unknown) = (number(Health::Ok), number(Health::Unknown));
    let (health, word) = match group.desired {
        None => (Health::Bad, "no group".to_owned()),
        Some(0) if members.is_empty() => (Health::Idle, "scaled to zero".to_owned()),
        Some(desired) if good + unknown == 0 && desired > 0 => (Health::Bad, format!("none of {desired} works")),
        Some(desired) if group.running < desired as usize => (Health::Warning, format!("{} of {desired} run", group.running)),
        Some(desired) if matches!(worst, Health::Warning | Health::Bad) => {
            let not_asked = if unknown > 0 { format!(", {unknown} not asked") } else { String::new() };
            (Health::Warning, format!("{good} of {} work{not_asked}", members.len().max(desired as usize)))
        }
        Some(_) if unknown > 0 => (Health::Unknown, format!("{unknown} of {} could not be asked", members.len())),
        Some(_) => (Health::Ok, format!("{good} of {} work", members.len())),
    };
    GroupRow {
        name: group.name.clone(),
        types: group.instance_types.clone(),
        running: group.running,
        desired: group.desired,
        bounds: group.min.zip(group.max),
        spot_percent: group.spot_percent,
        outdated: group.outdated,
        health,
        word,
        problem: group.problem.clone().or_else(|| trouble(&members)),
        cells,
    }
}

/// The reason of the first instance in trouble that has one.
fn trouble(members: &[&Instance]) -> Option<String> {
    let mut worst: Vec<&&Instance> =
        members.iter().filter(|instance| condition_health(instance.condition) >= Health::Warning).collect();
    worst.sort_by_key(|instance| std::cmp::Reverse(condition_health(instance.condition)));
    let found = worst.into_iter().find(|instance| instance.detail.is_some())?;
    Some(format!("{} {}: {}", found.id, found.condition.word(), found.detail.as_deref()?))
}

fn cell(instances: &[&Instance]) -> Cell {
    let mut counts = BTreeMap::new();
    let mut words: BTreeMap<(Health, &str), usize> = BTreeMap::new();
    for instance in instances {
        let health = condition_health(instance.condition);
        *counts.entry(health).or_default() += 1;
        *words.entry((health, instance.condition.word())).or_default() += 1;
    }
    let words: Vec<String> = words.into_iter().map(|((_, word), count)| format!("{count} {word}")).collect();
    Cell { counts, words: words.join(", ") }
}
