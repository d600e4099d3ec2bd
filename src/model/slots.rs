//! Control-plane slots: what stays (interface, address, volume) and what comes and goes (launch template, group of one).

use std::net::Ipv4Addr;

use crate::bootstrap;
use crate::cloud::facts::subnet_name;
use crate::spec::{Cluster, Slot, SubnetRole, Topology, VolumeSpec, VolumeType, Vpc as VpcSpec, carve};

use super::build::Builder;
use super::id::Ref;
use super::names::{COMMON_LIMIT, aws_name};
use super::resource::{
    AutoscalingGroup, BootstrapObject, Disk, ElasticIp, Kind, LaunchNetwork, LaunchTemplate, NetworkInterface, Placement,
    TerminationHook, Volume,
};
use super::security::CONTROL_PLANE;
use super::{api, iam, network};

/// First host number of a slot in its subnet. AWS keeps the first four addresses of a subnet and the last.
const FIRST_SLOT_HOST: u32 = 10;

/// The hook by which a slot hears that its instance ends. The same name stands in the boot program.
const END_HOOK: &str = "kclust-end";
/// Time to hand etcd's leadership over, stop, and give the volume back. An instance that hangs holds up its successor no longer.
const END_HOOK_SECONDS: u32 = 120;

/// The fixed addresses of the slots in a network that kclust makes: name and address, in order.
///
/// Empty for an existing network, where only its owner knows what is free.
pub fn fixed_addresses(cluster: &Cluster) -> Vec<(String, Ipv4Addr)> {
    let VpcSpec::Managed { cidr, .. } = cluster.network.vpc else { return Vec::new() };
    let role = match cluster.network.topology {
        Topology::Public => SubnetRole::Public,
        Topology::Private => SubnetRole::Private,
    };
    let subnets = carve(cidr, &cluster.network.zones, cluster.network.topology);
    cluster
        .slots()
        .into_iter()
        .filter_map(|slot| {
            let (_, _, subnet) = subnets.iter().find(|(of, zone, _)| *of == role && *zone == slot.zone)?;
            let address = u32::from(subnet.network()) + FIRST_SLOT_HOST + u32::from(slot.index);
            Some((slot.name, Ipv4Addr::from(address)))
        })
        .collect()
}

/// Name in AWS of a slot's autoscaling group.
pub fn slot_group_name(cluster: &Cluster, slot: &str) -> String {
    aws_name(cluster.region.as_str(), cluster.name.as_str(), slot, COMMON_LIMIT)
}

pub(super) fn add(builder: &mut Builder<'_>, boot: &BootstrapObject) {
    for slot in builder.cluster.slots() {
        add_slot(builder, &slot, boot);
    }
}

fn add_slot(builder: &mut Builder<'_>, slot: &Slot, boot: &BootstrapObject) {
    let name = slot.name.as_str();
    let cluster = builder.cluster;
    let role = network::machine_role(builder);
    let subnet = network::subnet(builder, role, &slot.zone).unwrap_or_else(|| Ref::own(subnet_name(role, slot.zone.as_str())));
    builder.add(
        name,
        NetworkInterface {
            subnet,
            address: builder.facts.slot_addresses[name],
            security_groups: vec![Ref::own(CONTROL_PLANE)],
            description: format!("{} of cluster {}", slot.name, cluster.name),
            source_dest_check: true,
            tags: builder.tags(Kind::NetworkInterface, name),
        },
    );
    if network::machines_are_public(builder) {
        // An interface that exists before its instance gets no public address by itself.
        let tags = builder.tags(Kind::ElasticIp, name);
        builder.add(name, ElasticIp { network_interface: Some(Ref::own(name)), tags });
    }
    let mut tags = builder.tags(Kind::Volume, name);
    tags.extend(builder.instance_tags(name));
    builder.add(name, Volume { zone: slot.zone.to_string(), disk: disk(&cluster.control_plane.etcd_volume), tags });
    let image = builder.image(&cluster.control_plane.image, &cluster.control_plane.instance_type).clone();
    builder.add(
        name,
        LaunchTemplate {
            name: builder.aws_name(name, COMMON_LIMIT),
            image: image.id,
            instance_type: cluster.control_plane.instance_type.to_string(),
            key_pair: api::key_pair(builder),
            instance_profile: iam::control_plane_profile(builder),
            network: LaunchNetwork::Interface(Ref::own(name)),
            root_device: image.root_device,
            root_disk: disk(&cluster.control_plane.root_volume),
            metadata_hop_limit: 1,
            metadata_tokens_required: true,
            user_data: bootstrap::slot_user_data(cluster, builder.facts, slot, boot),
            instance_tags: builder.instance_tags(name),
            tags: builder.tags(Kind::LaunchTemplate, name),
        },
    );
    let mut tags = builder.tags(Kind::AutoscalingGroup, name);
    tags.extend(builder.instance_tags(name));
    builder.add(
        name,
        AutoscalingGroup {
            name: slot_group_name(cluster, name),
            min_size: 1,
            max_size: 1,
            placement: Placement::Zones(vec![slot.zone.to_string()]),
            launch_template: Ref::own(name),
            launch_template_version: "$Default".to_owned(),
            mixed_instances: None,
            capacity_rebalance: false,
            health_check_type: "EC2".to_owned(),
            health_check_grace_seconds: 0,
            termination_hook: Some(TerminationHook { name: END_HOOK.to_owned(), heartbeat_seconds: END_HOOK_SECONDS }),
            tags,
        },
    );
}

/// The volume as AWS will report it: gp3 always has IOPS and throughput (3000 and 125 MiB/s unless more is paid for).
pub(super) fn disk(spec: &VolumeSpec) -> Disk {
    let (iops, throughput) = match spec.volume_type {
        VolumeType::Gp3 => (Some(spec.iops.unwrap_or(3000)), Some(spec.throughput.unwrap_or(125))),
        VolumeType::Gp2 => (None, None),
        VolumeType::Io1 | VolumeType::Io2 => (spec.iops, None),
    };
    Disk { size_gib: spec.size_gib, volume_type: spec.volume_type.as_str().to_owned(), iops, throughput, encrypted: true }
}
