//! What of a cluster is not as it should be, in words.

use std::collections::BTreeSet;

use crate::inventory::{ResourceRow, ResourceStatus};
use crate::model::Kind;

use super::model::{Health, Thing, Topology, resource_health};

/// Something that is not as it should be.
#[derive(Debug, Clone)]
pub struct Problem {
    pub health: Health,
    pub what: String,
    /// The reason that AWS, Kubernetes or the machine gives.
    pub why: Option<String>,
}

impl Topology {
    /// What is not as it should be: of all that is drawn from the outside in, then the rest.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut look = |health: Health, what: String, why: Option<String>| {
            if matches!(health, Health::Warning | Health::Bad) {
                problems.push(Problem { health, what, why });
            }
        };
        if let Some(dns) = &self.dns {
            look(dns.thing.health, format!("DNS record {}: {}", dns.name, dns.thing.word), None);
        }
        look(self.vpc.health, format!("VPC: {}", self.vpc.word), None);
        if let Some(gateway) = &self.internet_gateway {
            look(gateway.health, format!("Internet gateway: {}", gateway.word), None);
        }
        for zone in &self.zones {
            for subnet in zone.edge.iter().chain(&zone.machines) {
                look(subnet.thing.health, format!("{} subnet in {}: {}", subnet.role, zone.name, subnet.thing.word), None);
            }
            if let Some(nat) = &zone.nat {
                look(nat.thing.health, format!("NAT gateway in {}: {}", zone.name, nat.thing.word), None);
            }
        }
        if let Some(load_balancer) = &self.load_balancer {
            look(load_balancer.thing.health, format!("Load balancer: {}", load_balancer.thing.word), None);
        }
        for slot in &self.slots {
            look(slot.health, format!("Control plane {}: {}", slot.name, slot.word), slot.detail.clone());
        }
        for group in &self.groups {
            look(group.health, format!("Node group {}: {}", group.name, group.word), group.problem.clone());
        }
        problems.extend(self.undrawn.iter().cloned());
        problems
    }

    /// How many of the things that are drawn nobody could be asked about.
    pub fn unknown(&self) -> usize {
        let balancer = self.load_balancer.iter().map(|balancer| balancer.thing.health);
        let slots = self.slots.iter().map(|slot| slot.health);
        let groups = self.groups.iter().map(|group| group.health);
        balancer.chain(slots).chain(groups).filter(|health| *health == Health::Unknown).count()
    }

    /// Notes what the picture has no place for.
    pub(super) fn with_undrawn(mut self, resources: &[ResourceRow]) -> Self {
        let things = self.dns.iter().map(|dns| &dns.thing).chain(&self.internet_gateway);
        let things = things.chain(self.load_balancer.iter().map(|balancer| &balancer.thing));
        let things = things.chain(self.zones.iter().flat_map(|zone| {
            let subnets = zone.edge.iter().chain(&zone.machines).map(|subnet| &subnet.thing);
            subnets.chain(zone.nat.iter().map(|nat| &nat.thing))
        }));
        // With the id: a duplicate has the name of the one that is drawn.
        let named = |thing: &Thing| thing.resource.clone().map(|(kind, name)| (kind, name, thing.id.clone()));
        let mut drawn: BTreeSet<_> = things.filter_map(named).collect();
        drawn.insert((Kind::Vpc.as_str(), "main".to_owned(), self.vpc.id.clone()));
        // Slots and node groups are drawn, and say that they are missing; how they differ from the spec, they do not.
        let is_told = |row: &ResourceRow| match row.status {
            ResourceStatus::Ok => true,
            ResourceStatus::Missing => row.kind == Kind::AutoscalingGroup.as_str(),
            ResourceStatus::Drifted | ResourceStatus::Surplus => false,
        };
        let is_drawn = |row: &ResourceRow| drawn.contains(&(row.kind, row.name.clone(), row.id.clone()));
        let problem = |row: &ResourceRow| {
            let (health, word) = resource_health(row.status);
            let fields: Vec<&str> = row.differences.iter().map(|field| field.path.as_str()).collect();
            let why = Some(fields.join(", ")).filter(|fields| !fields.is_empty());
            Problem { health, what: format!("{} {}: {word}", row.kind, row.name), why }
        };
        let undrawn = resources.iter().filter(|row| !is_told(row) && !is_drawn(row)).map(problem).collect();
        self.undrawn = undrawn;
        self
    }
}
