//! What each example consists of, and what not.

use std::collections::BTreeMap;

use crate::model::{
    Desired, Kind, LaunchNetwork, Placement, RecordAddress, RecordValue, Ref, Resource, ResourceId, build, fixed_addresses,
};
use crate::spec::{Cluster, ExistingSubnet, Nat, Scheme, SubnetRole, Vpc};
use crate::test_support::{EXAMPLES, desired, example, facts, id};

fn counts(desired: &Desired) -> BTreeMap<Kind, usize> {
    let mut counts = BTreeMap::new();
    desired.keys().for_each(|id| *counts.entry(id.kind).or_default() += 1);
    counts
}

fn count(desired: &Desired, kind: Kind) -> usize {
    counts(desired).get(&kind).copied().unwrap_or_default()
}

fn template<'a>(desired: &'a Desired, name: &str) -> &'a crate::model::LaunchTemplate {
    match &desired[&ResourceId::new(Kind::LaunchTemplate, name)] {
        Resource::LaunchTemplate(template) => template,
        other => panic!("{other:?}"),
    }
}

fn group<'a>(desired: &'a Desired, name: &str) -> &'a crate::model::AutoscalingGroup {
    match &desired[&ResourceId::new(Kind::AutoscalingGroup, name)] {
        Resource::AutoscalingGroup(group) => group,
        other => panic!("{other:?}"),
    }
}

fn ha(change: impl FnOnce(&mut Cluster)) -> Desired {
    let mut cluster = example("ha-private");
    change(&mut cluster);
    desired(&cluster)
}

#[test]
fn every_reference_resolves() {
    for name in EXAMPLES {
        let cluster = example(name);
        let desired = build(&cluster, &facts(&cluster));
        for (id, resource) in &desired {
            assert_eq!(id.kind, resource.kind());
            for target in resource.references() {
                assert!(desired.contains_key(&target), "{name}: {id} refers to {target}");
            }
        }
    }
}

#[test]
fn the_same_spec_makes_the_same_model() {
    for name in EXAMPLES {
        let cluster = example(name);
        assert_eq!(build(&cluster, &facts(&cluster)), build(&cluster, &facts(&cluster)), "{name}");
    }
}

#[test]
fn the_smallest_cluster_is_one_slot_behind_a_load_balancer() {
    let desired = desired(&example("minimal"));
    let wanted = [
        (Kind::Subnet, 1),
        (Kind::ElasticIp, 1),
        (Kind::NatGateway, 0),
        (Kind::LoadBalancer, 1),
        (Kind::Target, 1),
        (Kind::NetworkInterface, 1),
        (Kind::Volume, 1),
        (Kind::KeyPair, 0),
        (Kind::AutoscalingGroup, 2),
        (Kind::DnsRecord, 0),
    ];
    for (kind, number) in wanted {
        assert_eq!(count(&desired, kind), number, "{kind}");
    }
    let Resource::ElasticIp(address) = &desired[&id("ElasticIp/cp-1")] else { panic!("no address") };
    assert_eq!(address.network_interface, Some(Ref::own("cp-1")));
    assert_eq!(template(&desired, "cp-1").user_data.api_name_of, Some(Ref::own("api")), "the name is the load balancer's own");
}

#[test]
fn in_a_private_network_nothing_but_gateways_is_public() {
    let desired = desired(&example("ha-private"));
    assert_eq!((count(&desired, Kind::Subnet), count(&desired, Kind::NatGateway), count(&desired, Kind::ElasticIp)), (6, 3, 3));
    for resource in desired.values() {
        match resource {
            Resource::Subnet(subnet) => assert!(!subnet.map_public_ip),
            Resource::ElasticIp(address) => assert_eq!(address.network_interface, None),
            Resource::LaunchTemplate(template) => {
                assert!(!matches!(template.network, LaunchNetwork::Groups { public_ip: true, .. }));
            }
            Resource::LoadBalancer(balancer) => assert!(!balancer.internet_facing && balancer.subnets.len() == 3),
            _ => {}
        }
    }
    for slot in ["cp-1", "cp-2", "cp-3"] {
        assert_eq!(template(&desired, slot).user_data.api_name_of, None, "the name is of the hosted zone");
        assert_eq!(template(&desired, slot).network, LaunchNetwork::Interface(Ref::own(slot)));
        let group = group(&desired, slot);
        assert_eq!((group.min_size, group.max_size), (1, 1));
        let Resource::Volume(volume) = &desired[&ResourceId::new(Kind::Volume, slot)] else { panic!("no volume") };
        assert_eq!(group.placement, Placement::Zones(vec![volume.zone.clone()]), "an instance attaches volumes of its zone only");
    }
}

#[test]
fn one_nat_gateway_serves_all_zones_when_asked_for() {
    let desired = ha(|cluster| {
        let Vpc::Managed { nat, .. } = &mut cluster.network.vpc else { panic!("not managed") };
        *nat = Nat::Single;
    });
    assert_eq!((count(&desired, Kind::NatGateway), count(&desired, Kind::ElasticIp)), (1, 1));
    let routes = desired.values().filter(|resource| {
        matches!(resource, Resource::Route(route) if matches!(&route.target, crate::model::RouteTarget::NatGateway(gateway) if *gateway == Ref::own("us-east-1a")))
    });
    assert_eq!(routes.count(), 3);
}

/// Slots outnumber zones: each still has an address of its own, in its zone's subnet.
#[test]
fn seven_slots_fit_in_three_zones() {
    let mut cluster = example("ha-private");
    cluster.control_plane.replicas = 7;
    let desired = desired(&cluster);
    let mut addresses: Vec<_> = fixed_addresses(&cluster).into_iter().map(|(_, address)| address).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!((addresses.len(), count(&desired, Kind::NetworkInterface), count(&desired, Kind::Target)), (7, 7, 7));
    for resource in desired.values() {
        let Resource::NetworkInterface(interface) = resource else { continue };
        let Resource::Subnet(subnet) = &desired[&interface.subnet.target().unwrap()] else { panic!("no subnet") };
        assert!(subnet.cidr.contains(&interface.address), "{} in {}", interface.address, subnet.cidr);
    }
}

#[test]
fn addresses_stay_when_zones_and_slots_are_added() {
    let three = example("ha-private");
    let mut more = three.clone();
    more.control_plane.replicas = 5;
    more.network.zones.push(crate::spec::Zone::parse("us-east-1d").unwrap());
    let of = |cluster| fixed_addresses(cluster).into_iter().collect::<BTreeMap<_, _>>();
    let (before, after) = (of(&three), of(&more));
    assert!(before.iter().all(|(slot, address)| after[slot] == *address), "{before:?} {after:?}");
}

#[test]
fn the_machine_learning_cluster_has_records_instead_of_a_load_balancer() {
    let desired = desired(&example("ml-spot-gpu"));
    for kind in [Kind::LoadBalancer, Kind::TargetGroup, Kind::Listener, Kind::Target] {
        assert_eq!(count(&desired, kind), 0, "{kind}");
    }
    assert!(!desired.contains_key(&id("SecurityGroup/api")));
    let Resource::DnsRecord(record) = &desired[&id("DnsRecord/api")] else { panic!("no record") };
    assert_eq!(record.name, "api.ml.example.com");
    let addresses = vec![RecordAddress::Elastic(Ref::own("cp-1"))];
    assert_eq!(record.value, RecordValue::Addresses { addresses, ttl_seconds: 60 });
}

#[test]
fn spot_groups_have_a_policy_and_plain_ones_none() {
    let desired = desired(&example("ml-spot-gpu"));
    let spot = group(&desired, "spot");
    let mixed = spot.mixed_instances.as_ref().unwrap();
    assert_eq!(mixed.instance_types, ["m6i.xlarge", "m6a.xlarge", "m5.xlarge", "m5a.xlarge"], "in the order of preference");
    assert_eq!((mixed.on_demand_base, mixed.on_demand_percent_above_base), (0, 0));
    assert_eq!(mixed.spot_allocation, "price-capacity-optimized");
    assert!(spot.capacity_rebalance);
    let general = group(&desired, "general");
    assert_eq!((&general.mixed_instances, general.capacity_rebalance), (&None, false));
    assert_eq!(template(&desired, "arm").image, "ami-arm64");
    assert_eq!(template(&desired, "general").image, "ami-amd64");
    assert_eq!(group(&desired, "arm").placement, Placement::Subnets(vec![Ref::own("public-us-west-2b")]));
}

#[test]
fn several_types_on_demand_are_a_policy_without_spot() {
    let desired = ha(|cluster| {
        let second = crate::spec::InstanceType::parse("m6a.xlarge").unwrap();
        cluster.node_groups[0].instance_types.push(second);
    });
    let mixed = group(&desired, "workers").mixed_instances.as_ref().unwrap();
    assert_eq!(mixed.on_demand_percent_above_base, 100);
}

#[test]
fn nothing_of_somebody_elses_network_is_built() {
    let desired = desired(&example("existing-vpc"));
    let network = [
        Kind::Vpc,
        Kind::InternetGateway,
        Kind::Subnet,
        Kind::ElasticIp,
        Kind::NatGateway,
        Kind::RouteTable,
        Kind::Route,
        Kind::RouteTableAssociation,
        Kind::VpcEndpoint,
    ];
    let own_profiles = [Kind::Role, Kind::RolePolicy, Kind::InstanceProfile];
    for kind in network.into_iter().chain(own_profiles) {
        assert_eq!(count(&desired, kind), 0, "{kind}");
    }
    let Resource::SecurityGroup(nodes) = &desired[&id("SecurityGroup/nodes")] else { panic!("no group") };
    assert_eq!(nodes.vpc, Ref::foreign("vpc-0123456789abcdef0"));
    let Resource::NetworkInterface(interface) = &desired[&id("NetworkInterface/cp-2")] else { panic!("no interface") };
    assert_eq!(interface.subnet, Ref::foreign("subnet-0aaaaaaaaaaaaaaa2"));
    assert_eq!(template(&desired, "workers").instance_profile.arn(), "arn:aws:iam::123456789012:instance-profile/k8s-node");
}

#[test]
fn machines_are_closed_to_the_world_and_disks_to_readers() {
    for name in EXAMPLES {
        for (id, resource) in desired(&example(name)) {
            match resource {
                Resource::LaunchTemplate(template) => {
                    assert!(template.root_disk.encrypted && template.metadata_tokens_required, "{id}");
                    assert_eq!(template.metadata_hop_limit, 1, "{id}");
                }
                Resource::Volume(volume) => assert!(volume.disk.encrypted, "{id}"),
                Resource::SecurityGroupRule(rule) if rule.direction == crate::model::Direction::Ingress => {
                    let from_anywhere = matches!(rule.peer, crate::model::Peer::Cidr(cidr) if cidr.prefix_len() == 0);
                    assert!(!from_anywhere || rule.ports == Some((6443, 6443)), "{name}: {id}");
                    assert!(rule.group != Ref::own("nodes") || !from_anywhere, "{name}: {id}");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn ids_survive_the_way_through_text() {
    for name in EXAMPLES {
        for id in desired(&example(name)).keys() {
            assert_eq!(ResourceId::parse(&id.to_string()).as_ref(), Some(id));
        }
    }
    for wrong in ["", "Vpc", "vpc/main", "Nothing/main"] {
        assert_eq!(ResourceId::parse(wrong), None, "{wrong}");
    }
}

/// Whoever owns the network calls its public subnets `utility`, as the spec does.
#[test]
fn a_public_load_balancer_in_somebody_else_s_private_network_stands_in_its_utility_subnets() {
    let mut cluster = example("existing-vpc");
    cluster.api.scheme = Scheme::Public;
    let zones = cluster.network.zones.clone();
    let Vpc::Existing { subnets, .. } = &mut cluster.network.vpc else { panic!() };
    subnets.extend((1..).zip(zones).map(|(number, zone)| ExistingSubnet {
        id: format!("subnet-0bbbbbbbbbbbbbbb{number}"),
        zone,
        role: SubnetRole::Utility,
    }));
    let Resource::LoadBalancer(load_balancer) = &desired(&cluster)[&id("LoadBalancer/api")] else { panic!() };
    let expected = [1, 2, 3].map(|number| Ref::foreign(format!("subnet-0bbbbbbbbbbbbbbb{number}")));
    assert_eq!(load_balancer.subnets, expected);
}
