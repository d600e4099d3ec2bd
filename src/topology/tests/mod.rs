//! Pictures of the examples, and what holds for pictures of any cluster. Golden files lie in `tests/golden/topology/`.

mod golden;
mod random;
mod sound;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::{Source, Topology};
use crate::cloud::facts::{ExistingSubnetFacts, ExistingVpc};
use crate::cloud::{ExistingNetwork, Facts, TargetState, World};
use crate::inventory::{Console, Fleet, resources};
use crate::model::{Kind, build};
use crate::plan::drift;
use crate::spec::{Cluster, Vpc};
use crate::test_support;

/// An observation, to spoil.
struct Observed {
    facts: Facts,
    world: World,
    fleet: Fleet,
    targets: Result<Vec<TargetState>, String>,
}

/// A cluster in perfect health, with ids of the length of AWS's.
fn healthy(cluster: &Cluster) -> Observed {
    let mut facts = test_support::facts(cluster);
    if let Vpc::Existing { id, subnets } = &cluster.network.vpc {
        let describe = |(index, subnet): (u8, &crate::spec::ExistingSubnet)| {
            let cidr = format!("10.1.{index}.0/24").parse().unwrap();
            let zone = subnet.zone.to_string();
            (subnet.id.clone(), ExistingSubnetFacts { vpc: id.clone(), zone, cidr, used_addresses: Vec::new() })
        };
        facts.network = Some(ExistingNetwork {
            vpc: Some(ExistingVpc {
                id: id.clone(),
                cidrs: vec!["10.1.0.0/16".parse().unwrap(), "100.64.0.0/16".parse().unwrap()],
            }),
            subnets: (0..).zip(subnets).map(describe).collect(),
        });
    }
    let mut world = test_support::world(&build(cluster, &facts));
    for (number, (id, observed)) in world.resources.iter_mut().enumerate() {
        let prefix = match id.kind {
            Kind::Vpc => "vpc",
            Kind::InternetGateway => "igw",
            Kind::Subnet => "subnet",
            Kind::NatGateway => "nat",
            _ => continue,
        };
        observed.physical.id = format!("{prefix}-{:017x}", 0x0b20_0000_0000_0000_u64 + number as u64);
    }
    for (id, observed) in &mut world.resources {
        if id.kind == Kind::LoadBalancer {
            observed.physical.dns_name = Some(format!("api-0123456789abcdef.elb.{}.amazonaws.com", cluster.region));
        }
    }
    let targets = facts.slot_addresses.values().map(|address| target(*address, "healthy")).collect();
    Observed { facts, world, fleet: test_support::fleet(cluster), targets: Ok(targets) }
}

fn target(address: Ipv4Addr, state: &str) -> TargetState {
    TargetState { address: address.to_string(), state: state.to_owned(), reason: None }
}

fn topology(observed: &Observed) -> Topology {
    let Observed { facts, world, fleet, targets } = observed;
    let drift = drift(&build(&fleet.cluster, facts), world, &BTreeSet::new());
    let console = Console::new(facts, fleet.cluster.region.as_str(), true);
    let resources = resources(world, &drift, &console);
    let at = "2026-11-27T02:30:00Z".parse().unwrap();
    Topology::new(&Source { facts, world, resources: &resources, fleet, targets, at })
}
