//! The API's endpoint: a network load balancer, or records that point at the slots; and its name.

use std::collections::BTreeSet;

use crate::spec::{ApiEndpoint, Scheme, SubnetRole, Topology};

use super::build::Builder;
use super::id::Ref;
use super::names::{COMMON_LIMIT, ELB_LIMIT, aws_name};
use super::network;
use super::resource::{
    DnsRecord, HealthCheck, KeyPair, Kind, Listener, LoadBalancer, RecordAddress, RecordValue, Target, TargetGroup,
};
use super::security::{API, API_PORT};

/// Time to live of A records that point at slots: their addresses never change.
const ADDRESS_TTL_SECONDS: u32 = 60;

/// Name in AWS of the API's load balancer and of its target group.
pub fn load_balancer_name(region: &str, cluster: &str) -> String {
    aws_name(region, cluster, API, ELB_LIMIT)
}

pub(super) fn add(builder: &mut Builder<'_>) {
    add_key_pair(builder);
    let value = match builder.cluster.api.endpoint {
        ApiEndpoint::LoadBalancer => {
            add_load_balancer(builder);
            RecordValue::Alias(Ref::own(API))
        }
        ApiEndpoint::Dns => RecordValue::Addresses { addresses: slot_addresses(builder), ttl_seconds: ADDRESS_TTL_SECONDS },
    };
    if let (Some(name), Some(zone)) = (builder.cluster.api_name(), builder.facts.hosted_zone.as_ref()) {
        builder.add(API, DnsRecord { zone_id: zone.id.clone(), name, value });
    }
}

fn slot_addresses(builder: &Builder<'_>) -> Vec<RecordAddress> {
    let public = builder.cluster.api.scheme == Scheme::Public && network::machines_are_public(builder);
    let mut addresses: Vec<RecordAddress> = builder
        .cluster
        .slots()
        .iter()
        .map(|slot| match public {
            true => RecordAddress::Elastic(Ref::own(&*slot.name)),
            false => RecordAddress::Fixed(builder.facts.slot_addresses[&slot.name]),
        })
        .collect();
    addresses.sort();
    addresses
}

fn add_load_balancer(builder: &mut Builder<'_>) {
    let cluster = builder.cluster;
    let role = match (cluster.api.scheme, cluster.network.topology) {
        (_, Topology::Public) => SubnetRole::Public,
        (Scheme::Internal, Topology::Private) => SubnetRole::Private,
        (Scheme::Public, Topology::Private) => SubnetRole::Utility,
    };
    let subnets: BTreeSet<_> = cluster.network.zones.iter().filter_map(|zone| network::subnet(builder, role, zone)).collect();
    let name = load_balancer_name(cluster.region.as_str(), cluster.name.as_str());
    builder.add(
        API,
        LoadBalancer {
            name: name.clone(),
            internet_facing: cluster.api.scheme == Scheme::Public,
            subnets: subnets.into_iter().collect(),
            security_groups: vec![Ref::own(API)],
            tags: builder.tags(Kind::LoadBalancer, API),
        },
    );
    builder.add(
        API,
        TargetGroup {
            name,
            vpc: network::vpc(builder),
            port: API_PORT,
            health_check: HealthCheck {
                protocol: "HTTPS".to_owned(),
                // /readyz stays 200 on a member that is cut off from the quorum; /healthz contains the check of etcd.
                path: "/healthz".to_owned(),
                port: API_PORT,
                interval_seconds: 10,
                timeout_seconds: 5,
                healthy_threshold: 2,
                unhealthy_threshold: 2,
            },
            preserve_client_ip: false,
            cross_zone: true,
            // A slot that ends has moved its leadership by then: long-lived watches may be cut.
            deregistration_delay_seconds: 30,
            tags: builder.tags(Kind::TargetGroup, API),
        },
    );
    let tags = builder.tags(Kind::Listener, API);
    builder.add(API, Listener { load_balancer: Ref::own(API), port: API_PORT, target_group: Ref::own(API), tags });
    for slot in cluster.slots() {
        let address = builder.facts.slot_addresses[&slot.name];
        builder.add(slot.name, Target { target_group: Ref::own(API), address, port: API_PORT });
    }
}

fn add_key_pair(builder: &mut Builder<'_>) {
    let Some(ssh) = &builder.cluster.ssh else { return };
    let name = key_pair_name(&ssh.public_key);
    let key_pair = KeyPair {
        name: builder.aws_name(&name, COMMON_LIMIT),
        public_key: ssh.public_key.clone(),
        tags: builder.tags(Kind::KeyPair, &name),
    };
    builder.add(name, key_pair);
}

/// The key pair of the machines, when the spec has an SSH key.
pub(super) fn key_pair(builder: &Builder<'_>) -> Option<Ref<KeyPair>> {
    builder.cluster.ssh.as_ref().map(|ssh| Ref::own(key_pair_name(&ssh.public_key)))
}

/// `ssh-<hash>`: a key pair cannot be changed, so another key is another key pair. The comment of the key does not count.
fn key_pair_name(public_key: &str) -> String {
    use sha2::{Digest, Sha256};
    let key: Vec<&str> = public_key.split_whitespace().take(2).collect();
    let hash: String = Sha256::digest(key.join(" ").as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("ssh-{hash}")
}
