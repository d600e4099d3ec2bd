//! For each kind, copies of a resource that differ from it in one field each, by the path that the field has in a plan.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::model::{
    Direction, Disk, InstanceProfileRef, LaunchNetwork, Peer, Placement, RecordAddress, RecordValue, Ref, Resource, RouteTarget,
    Tags,
};

/// Stands for all paths that begin with `tags.`, of which resources have as many as they have tags.
pub const TAGS: &str = "tags.*";
pub const INSTANCE_TAGS: &str = "instanceTags.*";
/// The addon that every cluster has, for all of them.
pub const ADDON: &str = "addons.aws-cloud-controller-manager";
/// The tag that mutants change.
pub const CHANGED_TAG: &str = "Name";

pub type Mutant = (&'static str, Resource);

fn change<T: Clone + Into<Resource>>(resource: &T, changes: &[(&'static str, fn(&mut T))]) -> Vec<Mutant> {
    changes
        .iter()
        .map(|(path, change)| {
            let mut changed = resource.clone();
            change(&mut changed);
            (*path, changed.into())
        })
        .collect()
}

fn other(text: &mut String) {
    text.push('x');
}

fn more<N: std::ops::AddAssign + From<u8>>(number: &mut N) {
    *number += 1.into();
}

fn elsewhere<T: crate::model::ResourceKind>() -> Ref<T> {
    Ref::foreign("somebody-elses")
}

fn tag(tags: &mut Tags) {
    tags.insert(CHANGED_TAG.to_owned(), "changed".to_owned());
}

fn net() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 0), 24)
}

fn performance(number: &mut Option<u32>) {
    *number = Some(number.unwrap_or_default() + 1);
}

/// Changes of a disk; the prefix is part of each path.
macro_rules! disk {
    ($prefix:literal) => {{
        let changes: [(&'static str, fn(&mut Disk)); 5] = [
            (concat!($prefix, "sizeGiB"), |disk| more(&mut disk.size_gib)),
            (concat!($prefix, "volumeType"), |disk| other(&mut disk.volume_type)),
            (concat!($prefix, "iops"), |disk| performance(&mut disk.iops)),
            (concat!($prefix, "throughput"), |disk| performance(&mut disk.throughput)),
            (concat!($prefix, "encrypted"), |disk| disk.encrypted = !disk.encrypted),
        ];
        changes
    }};
}

fn change_disk<T: Clone + Into<Resource>>(
    resource: &T,
    of: fn(&mut T) -> &mut Disk,
    changes: [(&'static str, fn(&mut Disk)); 5],
) -> Vec<Mutant> {
    changes
        .into_iter()
        .map(|(path, change)| {
            let mut changed = resource.clone();
            change(of(&mut changed));
            (path, changed.into())
        })
        .collect()
}

/// All mutants of a resource. Fields of a variant that it does not have are missing.
pub fn mutants(resource: &Resource) -> Vec<Mutant> {
    match resource {
        Resource::Vpc(it) => change(
            it,
            &[
                ("cidr", |it| it.cidr = net()),
                ("dnsHostnames", |it| it.dns_hostnames = !it.dns_hostnames),
                (TAGS, |it| tag(&mut it.tags)),
            ],
        ),
        Resource::InternetGateway(it) => change(it, &[("vpc", |it| it.vpc = Ref::Nothing), (TAGS, |it| tag(&mut it.tags))]),
        Resource::Subnet(it) => change(
            it,
            &[
                ("vpc", |it| it.vpc = elsewhere()),
                ("zone", |it| other(&mut it.zone)),
                ("cidr", |it| it.cidr = net()),
                ("mapPublicIp", |it| it.map_public_ip = !it.map_public_ip),
                (TAGS, |it| tag(&mut it.tags)),
            ],
        ),
        Resource::ElasticIp(it) => {
            change(it, &[("networkInterface", |it| it.network_interface = Some(elsewhere())), (TAGS, |it| tag(&mut it.tags))])
        }
        Resource::NatGateway(it) => change(
            it,
            &[
                ("subnet", |it| it.subnet = elsewhere()),
                ("address", |it| it.address = elsewhere()),
                (TAGS, |it| tag(&mut it.tags)),
            ],
        ),
        Resource::RouteTable(it) => change(it, &[("vpc", |it| it.vpc = elsewhere()), (TAGS, |it| tag(&mut it.tags))]),
        Resource::Route(it) => change(
            it,
            &[
                ("table", |it| it.table = elsewhere()),
                ("destination", |it| it.destination = net()),
                ("target", |it| it.target = RouteTarget::Other("eni-1".into())),
            ],
        ),
        Resource::RouteTableAssociation(it) => {
            change(it, &[("subnet", |it| it.subnet = elsewhere()), ("table", |it| it.table = elsewhere())])
        }
        Resource::VpcEndpoint(it) => change(
            it,
            &[
                ("vpc", |it| it.vpc = elsewhere()),
                ("service", |it| other(&mut it.service)),
                ("routeTables", |it| it.route_tables.push(elsewhere())),
                (TAGS, |it| tag(&mut it.tags)),
            ],
        ),
        Resource::SecurityGroup(it) => change(
            it,
            &[
                ("vpc", |it| it.vpc = elsewhere()),
                ("name", |it| other(&mut it.name)),
                ("description", |it| other(&mut it.description)),
                (TAGS, |it| tag(&mut it.tags)),
            ],
        ),
        Resource::SecurityGroupRule(it) => change(
            it,
            &[
                ("group", |it| it.group = elsewhere()),
                ("direction", |it| {
                    it.direction = if it.direction == Direction::Ingress { Direction::Egress } else { Direction::Ingress };
                }),
                ("protocol", |it| other(&mut it.protocol)),
                ("ports", |it| it.ports = Some((1, it.ports.map_or(1, |(_, last)| last)))),
                ("peer", |it| it.peer = Peer::Cidr(net())),
                ("description", |it| other(&mut it.description)),
                (TAGS, |it| tag(&mut it.tags)),
            ],
        ),
        Resource::Role(it) => change(
            it,
            &[
                ("name", |it| other(&mut it.name)),
                ("path", |it| other(&mut it.path)),
                ("trustPolicy", |it| other(&mut it.trust_policy)),
                (TAGS, |it| tag(&mut it.tags)),
            ],
        ),
        Resource::RolePolicy(it) => change(
            it,
            &[
                ("role", |it| it.role = elsewhere()),
                ("name", |it| other(&mut it.name)),
                ("document", |it| other(&mut it.document)),
            ],
        ),
        Resource::InstanceProfile(it) => change(
            it,
            &[
                ("name", |it| other(&mut it.name)),
                ("path", |it| other(&mut it.path)),
                ("role", |it| it.role = Ref::Nothing),
                (TAGS, |it| tag(&mut it.tags)),
            ],
        ),
        Resource::KeyPair(it) => change(
            it,
            &[("name", |it| other(&mut it.name)), ("publicKey", |it| other(&mut it.public_key)), (TAGS, |it| tag(&mut it.tags))],
        ),
        Resource::LoadBalancer(it) => change(
            it,
            &[
                ("name", |it| other(&mut it.name)),
                ("internetFacing", |it| it.internet_facing = !it.internet_facing),
                ("subnets", |it| it.subnets.push(elsewhere())),
                ("securityGroups", |it| it.security_groups.clear()),
                (TAGS, |it| tag(&mut it.tags)),
            ],
        ),
        Resource::TargetGroup(it) => change(
            it,
            &[
                ("name", |it| other(&mut it.name)),
                ("vpc", |it| it.vpc = elsewhere()),
                ("port", |it| more(&mut it.port)),
                ("healthCheck.protocol", |it| other(&mut it.health_check.protocol)),
                ("healthCheck.path", |it| other(&mut it.health_check.path)),
                ("healthCheck.port", |it| more(&mut it.health_check.port)),
                ("healthCheck.intervalSeconds", |it| more(&mut it.health_check.interval_seconds)),
                ("healthCheck.timeoutSeconds", |it| more(&mut it.health_check.timeout_seconds)),
                ("healthCheck.healthyThreshold", |it| more(&mut it.health_check.healthy_threshold)),
                ("healthCheck.unhealthyThreshold", |it| more(&mut it.health_check.unhealthy_threshold)),
                ("preserveClientIp", |it| it.preserve_client_ip = !it.preserve_client_ip),
                ("crossZone", |it| it.cross_zone = !it.cross_zone),
                ("deregistrationDelaySeconds", |it| more(&mut it.deregistration_delay_seconds)),
                (TAGS, |it| tag(&mut it.tags)),
            ],
        ),
        Resource::Listener(it) => change(
            it,
            &[
                ("loadBalancer", |it| it.load_balancer = elsewhere()),
                ("port", |it| more(&mut it.port)),
                ("targetGroup", |it| it.target_group = elsewhere()),
                (TAGS, |it| tag(&mut it.tags)),
            ],
        ),
        Resource::Target(it) => change(
            it,
            &[
                ("targetGroup", |it| it.target_group = elsewhere()),
                ("address", |it| it.address = Ipv4Addr::LOCALHOST),
                ("port", |it| more(&mut it.port)),
            ],
        ),
        Resource::NetworkInterface(it) => change(
            it,
            &[
                ("subnet", |it| it.subnet = elsewhere()),
                ("address", |it| it.address = Ipv4Addr::LOCALHOST),
                ("securityGroups", |it| it.security_groups.clear()),
                ("description", |it| other(&mut it.description)),
                ("sourceDestCheck", |it| it.source_dest_check = !it.source_dest_check),
                (TAGS, |it| tag(&mut it.tags)),
            ],
        ),
        Resource::Volume(it) => {
            let mut mutants = change(it, &[("zone", |it| other(&mut it.zone)), (TAGS, |it| tag(&mut it.tags))]);
            mutants.extend(change_disk(it, |it| &mut it.disk, disk!("")));
            mutants
        }
        Resource::BootstrapObject(it) => change(it, &[("key", |it| other(&mut it.key)), ("sha256", |it| other(&mut it.sha256))]),
        Resource::ControlPlaneSettings(it) => change(
            it,
            &[
                ("backupIntervalSeconds", |it| it.backup_interval_seconds += 1),
                ("backupRetentionSeconds", |it| it.backup_retention_seconds += 1),
                ("addonOrder", |it| it.addons.reverse()),
                (ADDON, |it| it.addons[0].sha256.insert(0, '0')),
                (ADDON, |it| it.addons[0].chart = it.addons[1].chart.clone()),
            ],
        ),
        Resource::LaunchTemplate(it) => {
            let mut mutants = change(
                it,
                &[
                    ("name", |it| other(&mut it.name)),
                    ("image", |it| other(&mut it.image)),
                    ("instanceType", |it| other(&mut it.instance_type)),
                    ("keyPair", |it| it.key_pair = Some(elsewhere())),
                    ("instanceProfile", |it| it.instance_profile = InstanceProfileRef::Foreign { arn: "arn:other".into() }),
                    ("rootDevice", |it| other(&mut it.root_device)),
                    ("metadataHopLimit", |it| more(&mut it.metadata_hop_limit)),
                    ("metadataTokensRequired", |it| it.metadata_tokens_required = !it.metadata_tokens_required),
                    ("userData", |it| other(&mut it.user_data.text)),
                    ("userData.apiName", |it| it.user_data.api_name_of = Some(elsewhere())),
                    (INSTANCE_TAGS, |it| tag(&mut it.instance_tags)),
                    (TAGS, |it| tag(&mut it.tags)),
                ],
            );
            mutants.extend(match it.network {
                LaunchNetwork::Interface(_) => {
                    change(it, &[("networkInterface", |it| it.network = LaunchNetwork::Interface(elsewhere()))])
                }
                LaunchNetwork::Groups { .. } => change(
                    it,
                    &[
                        ("securityGroups", |it| {
                            if let LaunchNetwork::Groups { security_groups, .. } = &mut it.network {
                                security_groups.clear();
                            }
                        }),
                        ("publicIp", |it| {
                            if let LaunchNetwork::Groups { public_ip, .. } = &mut it.network {
                                *public_ip = !*public_ip;
                            }
                        }),
                    ],
                ),
            });
            mutants.extend(change_disk(it, |it| &mut it.root_disk, disk!("rootDisk.")));
            mutants
        }
        Resource::AutoscalingGroup(it) => {
            let mut mutants = change(
                it,
                &[
                    ("name", |it| other(&mut it.name)),
                    ("minSize", |it| more(&mut it.min_size)),
                    ("maxSize", |it| more(&mut it.max_size)),
                    ("launchTemplate", |it| it.launch_template = elsewhere()),
                    ("launchTemplateVersion", |it| it.launch_template_version = "1".into()),
                    ("capacityRebalance", |it| it.capacity_rebalance = !it.capacity_rebalance),
                    ("healthCheckType", |it| other(&mut it.health_check_type)),
                    ("healthCheckGraceSeconds", |it| more(&mut it.health_check_grace_seconds)),
                    (TAGS, |it| tag(&mut it.tags)),
                ],
            );
            mutants.extend(match it.placement {
                Placement::Zones(_) => change(it, &[("zones", |it| it.placement = Placement::Zones(Vec::new()))]),
                Placement::Subnets(_) => change(it, &[("subnets", |it| it.placement = Placement::Subnets(Vec::new()))]),
            });
            if it.termination_hook.is_some() {
                mutants.extend(change(
                    it,
                    &[
                        ("terminationHook.name", |it| other(&mut it.termination_hook.as_mut().unwrap().name)),
                        ("terminationHook.heartbeatSeconds", |it| {
                            more(&mut it.termination_hook.as_mut().unwrap().heartbeat_seconds);
                        }),
                    ],
                ));
            }
            if it.mixed_instances.is_some() {
                mutants.extend(change(
                    it,
                    &[
                        ("mixedInstances.instanceTypes", |it| it.mixed_instances.as_mut().unwrap().instance_types.reverse()),
                        ("mixedInstances.onDemandBase", |it| more(&mut it.mixed_instances.as_mut().unwrap().on_demand_base)),
                        ("mixedInstances.onDemandPercentAboveBase", |it| {
                            more(&mut it.mixed_instances.as_mut().unwrap().on_demand_percent_above_base);
                        }),
                        ("mixedInstances.spotAllocation", |it| {
                            other(&mut it.mixed_instances.as_mut().unwrap().spot_allocation);
                        }),
                    ],
                ));
            }
            mutants
        }
        Resource::DnsRecord(it) => {
            let mut mutants = change(it, &[("zoneId", |it| other(&mut it.zone_id)), ("name", |it| other(&mut it.name))]);
            mutants.extend(match it.value {
                RecordValue::Alias(_) | RecordValue::Other(_) => {
                    change(it, &[("value", |it| it.value = RecordValue::Other("CNAME elsewhere".into()))])
                }
                RecordValue::Addresses { .. } => change(
                    it,
                    &[
                        ("value", |it| {
                            if let RecordValue::Addresses { addresses, .. } = &mut it.value {
                                addresses.push(RecordAddress::Fixed(Ipv4Addr::LOCALHOST));
                            }
                        }),
                        ("ttlSeconds", |it| {
                            if let RecordValue::Addresses { ttl_seconds, .. } = &mut it.value {
                                more(ttl_seconds);
                            }
                        }),
                    ],
                ),
            });
            mutants
        }
    }
}
