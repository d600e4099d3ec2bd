//! Each rule with what it is content with and what it objects to.

use std::net::Ipv4Addr;

use jiff::SignedDuration;

use super::fixture::{API, MACHINES, after, endpoint, group, id, instance, node, nodes, now, spoil_world};
use super::told::{failed, find, not_ok, ok, skipped, told, unknown};
use crate::cloud::{GroupStatus, InstanceStatus, Observed, Physical, World};
use crate::health::{
    CertificateFault, CheckStatus, DnsAnswer, DnsFailure, EndpointKind, KubernetesView, Report, Role, Scope, Snapshot, Status,
    api_address, api_url, check,
};
use crate::model::{Kind, RecordValue, Resource};
use crate::spec::DnsVisibility;

#[test]
fn a_healthy_cluster_passes_every_check() {
    let report = after(|_| {});
    assert_eq!(not_ok(&report), Vec::<&str>::new());
    assert_eq!(told(&report, "resources"), ok("13 resources as specified"));
    assert_eq!(told(&report, "group/cp-1"), ok("1 of 1 instance in service"));
    assert_eq!(told(&report, "group/workers"), ok("3 of 3 instances in service"));
    assert_eq!(told(&report, "targets"), ok("3 of 3 targets healthy"));
    assert_eq!(
        told(&report, "dns"),
        ok(
            "api.prod.example.com points at the load balancer in Route 53; behind a proxy no name server was asked (--resolver names one)"
        )
    );
    assert_eq!(told(&report, "api"), ok("https://api.prod.example.com:6443 answers: v1.36.2"));
    assert_eq!(told(&report, "nodes"), ok("6 nodes Ready"));
    assert_eq!(told(&report, "versions"), ok("API server and 6 nodes run 1.36.2"));
    assert_eq!((report.status, report.status.exit_code()), (Status::Healthy, 0));
}

#[test]
fn a_failure_outweighs_what_is_unknown() {
    let unreachable = |snapshot: &mut Snapshot| {
        nobody_answers(snapshot);
        snapshot.kubernetes = KubernetesView::Unreachable { address: API.into(), reason: "connection refused".into() };
    };
    let report = after(unreachable);
    assert_eq!((report.status, report.status.exit_code()), (Status::Unknown, 4));
    let report = after(|snapshot| {
        unreachable(snapshot);
        spoil_world(snapshot, |world| drop(world.resources.remove(&id("Volume/cp-1"))));
    });
    assert_eq!((report.status, report.status.exit_code()), (Status::Unhealthy, 3));
}

#[test]
fn drift_is_named_field_by_field() {
    let report = after(|snapshot| {
        spoil_world(snapshot, |world| {
            let rule = world.resources.get_mut(&id("SecurityGroupRule/control-plane:API from nodes")).unwrap();
            let Resource::SecurityGroupRule(rule) = &mut rule.resource else { panic!() };
            rule.ports = Some((6444, 6444));
            rule.protocol = "udp".into();
            world.resources.remove(&id("Volume/cp-2"));
            let group = world.resources[&id("SecurityGroup/control-plane")].clone();
            world.resources.insert(id("SecurityGroup/old"), Observed { physical: Physical::new("sg-9"), ..group });
        });
    });
    assert_eq!(
        told(&report, "resources"),
        failed(
            "1 resource is missing, 1 differs, 1 is superfluous",
            &[
                "SecurityGroup/old (sg-9): no longer part of the spec",
                "SecurityGroupRule/control-plane:API from nodes: protocol is udp, should be tcp",
                "SecurityGroupRule/control-plane:API from nodes: ports is [6444, 6444], should be [6443, 6443]",
                "Volume/cp-2: missing",
            ],
            &["SecurityGroup/old", "SecurityGroupRule/control-plane:API from nodes", "Volume/cp-2"],
        )
    );
    assert_eq!(not_ok(&report), ["resources"]);
}

#[test]
fn what_only_follows_from_a_replacement_is_no_drift_of_its_own() {
    let report = after(|snapshot| {
        spoil_world(snapshot, |world| {
            let balancer = world.resources.get_mut(&id("LoadBalancer/api")).unwrap();
            let Resource::LoadBalancer(balancer) = &mut balancer.resource else { panic!() };
            balancer.internet_facing = true;
        });
    });
    let (_, message, cause, resources) = told(&report, "resources");
    assert_eq!(message, "1 resource differs");
    assert_eq!(cause.len(), 1, "{cause:?}");
    assert_eq!(resources, ["LoadBalancer/api"]);
    // Listener and record refer to the load balancer and would be made again with it, but they are right as they are.
    assert_eq!(find(&report, "dns").status, CheckStatus::Ok);
}

#[test]
fn a_second_volume_of_a_slot_is_reported_though_the_plan_leaves_it_alone() {
    let report = after(|snapshot| {
        spoil_world(snapshot, |world| {
            let volume = world.resources[&id("Volume/cp-1")].clone();
            world.duplicates.push((id("Volume/cp-1"), Observed { physical: Physical::new("vol-2"), ..volume }));
        });
    });
    assert_eq!(
        told(&report, "resources"),
        failed("1 resource is superfluous", &["Volume/cp-1 (vol-2): a second volume of this identity"], &["Volume/cp-1"])
    );
}

#[test]
fn long_lists_are_cut_but_every_resource_is_named() {
    let report = after(|snapshot| {
        spoil_world(snapshot, |world| world.resources.clear());
    });
    let (_, message, cause, resources) = told(&report, "resources");
    assert_eq!(message, "12 resources are missing", "all but the record, which has its own check");
    assert_eq!((cause.len(), *cause.last().unwrap(), resources.len()), (11, "and 2 more", 12));
    let report = after(|snapshot| nodes(snapshot).clear());
    assert_eq!(find(&report, "nodes").resources.len(), 6);
    let report = after(|snapshot| {
        nodes(snapshot).clear();
        let more = (0..7).map(|number| instance(&format!("i-9{number}"), "workers", "us-east-1a"));
        snapshot.instances.as_mut().unwrap().extend(more);
    });
    let (_, message, cause, resources) = told(&report, "nodes");
    assert_eq!(message, "13 instances without a node");
    assert_eq!((cause.len(), *cause.last().unwrap(), resources.len()), (11, "and 3 more", 13));
}

#[test]
fn a_weak_group_tells_what_aws_says() {
    let capacity = "We currently do not have sufficient m6i.xlarge capacity in the Availability Zone you requested (us-east-1c).";
    let report = after(|snapshot| {
        let workers = &mut snapshot.groups.as_mut().unwrap()[3];
        workers.instances[0].lifecycle_state = "Pending".into();
        workers.instances[1].health_status = "Unhealthy".into();
        workers.instances.pop();
        workers.last_failure = Ok(Some(capacity.replacen(' ', "\n ", 1)));
    });
    assert_eq!(
        told(&report, "group/workers"),
        failed(
            "0 of 3 instances in service",
            &[
                "AWS has no capacity for the instance types in the zone",
                "i-0b1 in us-east-1a: Pending, Healthy",
                "i-0b2 in us-east-1b: InService, Unhealthy"
            ],
            &["AutoscalingGroup/workers", "i-0b1", "i-0b2"],
        )
    );
    assert_eq!(find(&report, "group/workers").evidence, [format!("Auto Scaling: {capacity}")]);
    let report = after(|snapshot| drop(snapshot.groups.as_mut().unwrap()[3].instances.pop()));
    assert_eq!(
        told(&report, "group/workers"),
        failed(
            "2 of 3 instances in service",
            &["no scaling activity has failed: AWS is still launching instances"],
            &["AutoscalingGroup/workers"],
        )
    );
}

#[test]
fn a_group_that_cannot_heal_is_not_well_though_it_is_at_strength() {
    let report = after(|snapshot| {
        snapshot.groups.as_mut().unwrap()[0].suspended_processes = vec!["AZRebalance".into(), "Launch".into()];
    });
    let (status, message, cause, _) = told(&report, "group/cp-1");
    assert_eq!((status, message), (CheckStatus::Failed, "1 of 1 instance in service, Launch suspended"));
    assert_eq!(cause, ["while these processes are suspended, a lost instance is not replaced"]);
    let todo = find(&report, "group/cp-1").todo.as_deref().unwrap();
    assert!(todo.ends_with("resume-processes --auto-scaling-group-name cp-1-prod-example-com-0123abcd"), "{todo}");
    let report = after(|snapshot| snapshot.groups.as_mut().unwrap()[0].suspended_processes = vec!["AZRebalance".into()]);
    assert_eq!(not_ok(&report), Vec::<&str>::new());
}

#[test]
fn groups_above_strength_and_at_zero_are_well() {
    let report = after(|snapshot| {
        let groups = snapshot.groups.as_mut().unwrap();
        groups[3].desired_capacity = 2;
        snapshot.cluster.node_groups[0].min_size = 0;
    });
    assert_eq!(told(&report, "group/workers"), ok("3 instances in service, 2 wanted"));
    let to_zero = |snapshot: &mut Snapshot| {
        let groups = snapshot.groups.as_mut().unwrap();
        groups[3] = GroupStatus { name: "workers".into(), ..group("none") };
    };
    let report = after(|snapshot| {
        to_zero(snapshot);
        snapshot.cluster.node_groups[0].min_size = 0;
    });
    assert_eq!(told(&report, "group/workers"), ok("scaled to zero"));
    let report = after(to_zero);
    let (status, message, ..) = told(&report, "group/workers");
    assert_eq!((status, message), (CheckStatus::Failed, "0 of 3 instances in service"), "the spec wants three");
}

#[test]
fn a_group_that_is_missing_and_groups_that_cannot_be_seen_differ() {
    let report = after(|snapshot| drop(snapshot.groups.as_mut().unwrap().remove(1)));
    assert_eq!(told(&report, "group/cp-2"), failed("the autoscaling group does not exist", &[], &["AutoscalingGroup/cp-2"]));
    let denied = "autoscaling:DescribeAutoScalingGroups: AccessDenied: not authorized";
    let report = after(|snapshot| snapshot.groups = Err(denied.into()));
    assert_eq!(told(&report, "groups"), unknown("the autoscaling groups could not be looked at", denied));
    assert_eq!(not_ok(&report), ["groups"]);
    assert_eq!(report.status, Status::Unknown);
}

#[test]
fn targets_are_told_with_their_reason() {
    let report = after(|snapshot| {
        let targets = snapshot.targets.as_mut().unwrap();
        targets[1].state = "unhealthy".into();
        targets[1].reason = Some("Health checks failed".into());
        targets.pop();
    });
    assert_eq!(
        told(&report, "targets"),
        failed(
            "1 of 3 targets healthy",
            &["cp-2 (10.20.32.11): unhealthy: Health checks failed", "cp-3: not registered"],
            &["Target/cp-2", "Target/cp-3"],
        )
    );
    let report = after(|snapshot| snapshot.targets = Err("elasticloadbalancing:DescribeTargetHealth: Throttling".into()));
    assert_eq!(
        told(&report, "targets"),
        unknown("the health of the targets could not be looked at", "elasticloadbalancing:DescribeTargetHealth: Throttling")
    );
    let report = after(|snapshot| spoil_world(snapshot, |world| world.resources.retain(|id, _| id.kind != Kind::TargetGroup)));
    assert_eq!(told(&report, "targets"), failed("the target group does not exist", &[], &["TargetGroup/api"]));
}

#[test]
fn an_endpoint_of_records_has_no_targets() {
    let report = after(|snapshot| snapshot.cluster.api.endpoint = crate::spec::ApiEndpoint::Dns);
    assert_eq!(told(&report, "targets"), skipped("the API has no load balancer"));
}

#[test]
fn a_record_that_is_missing_or_points_elsewhere_is_wrong() {
    let report = after(|snapshot| spoil_world(snapshot, |world| drop(world.resources.remove(&id("DnsRecord/api")))));
    assert_eq!(told(&report, "dns"), failed("api.prod.example.com has no record", &[], &["DnsRecord/api"]));
    let report = after(|snapshot| {
        spoil_world(snapshot, |world| {
            let record = world.resources.get_mut(&id("DnsRecord/api")).unwrap();
            let Resource::DnsRecord(record) = &mut record.resource else { panic!() };
            record.value = RecordValue::Other("CNAME old.example.com".into());
        });
    });
    let (status, message, cause, resources) = told(&report, "dns");
    assert_eq!((status, message), (CheckStatus::Failed, "the record of api.prod.example.com is not as specified"));
    assert!(cause.iter().any(|line| line.contains("is CNAME old.example.com, should be LoadBalancer/api")), "{cause:?}");
    assert_eq!(resources, ["DnsRecord/api"]);
    assert_eq!(not_ok(&report), ["dns"], "the same fault is not told twice");
}

#[test]
fn without_a_zone_there_is_no_record_to_check() {
    let report = after(|snapshot| snapshot.cluster.dns = None);
    assert_eq!(told(&report, "dns"), skipped("no hosted zone in the spec: the load balancer's own name is used"));
}

#[test]
fn an_api_out_of_reach_is_unknown_and_one_that_refuses_is_wrong() {
    let address = || API.to_owned();
    let reason = "api.prod.example.com does not resolve: Name or service not known";
    let report = after(|snapshot| {
        nobody_answers(snapshot);
        snapshot.kubernetes = KubernetesView::Unreachable { address: address(), reason: reason.into() };
    });
    assert_eq!(told(&report, "api"), unknown("https://api.prod.example.com:6443 could not be reached from here", reason));
    assert_eq!(told(&report, "nodes"), skipped("because the API is not reachable (see api)"));
    assert_eq!(told(&report, "versions"), skipped("because the API is not reachable (see api)"));
    assert!(report.nodes.iter().all(|node| node.name.is_none() && node.ready.is_none() && node.version.is_none()));
    assert_eq!(report.nodes.len(), MACHINES.len());
    let report = after(|snapshot| {
        snapshot.kubernetes = refused(503);
    });
    assert_eq!(
        told(&report, "api"),
        failed("https://api.prod.example.com:6443 answers, but not as it should", &["HTTP 503"], &[])
    );
    assert_eq!(told(&report, "nodes"), skipped("because the API does not answer as it should (see api)"));
    let report = after(|snapshot| snapshot.kubernetes = KubernetesView::Skipped { reason: "the API has no address".into() });
    assert_eq!(told(&report, "api"), unknown("the API was not asked", "the API has no address"));
    assert_eq!(report.status, Status::Unknown);
    assert_eq!(told(&report, "nodes"), skipped("because the API was not asked (see api)"));
}

fn refused(status: u16) -> KubernetesView {
    KubernetesView::Refused { address: API.into(), reason: format!("HTTP {status}"), status: Some(status) }
}

/// No handshake, by any way.
fn nobody_answers(snapshot: &mut Snapshot) {
    snapshot.endpoints.iter_mut().for_each(|endpoint| endpoint.certificate = Err("no answer within 5 s".into()));
}

/// Its certificate was seen a moment ago: it is not the way that is closed.
#[test]
fn an_api_that_shakes_hands_and_says_no_more_is_busy() {
    let with = |change: fn(&mut Snapshot)| {
        after(move |snapshot| {
            snapshot.kubernetes = KubernetesView::Unreachable { address: API.into(), reason: "no answer within 15 s".into() };
            change(snapshot);
        })
    };
    let report = with(|_| {});
    let words = "https://api.prod.example.com:6443 accepts connections and does not answer in time";
    assert_eq!(told(&report, "api"), unknown(words, "no answer within 15 s"));
    let todo = |report: &Report| find(report, "api").todo.clone().unwrap();
    assert!(todo(&report).contains("load") && !todo(&report).contains("VPN"), "{}", todo(&report));
    assert!(todo(&with(nobody_answers)).contains("VPN"));
}

/// Somebody else's clock, authority or ClusterRoleBinding is no illness of the cluster.
#[test]
fn whoever_is_not_let_in_does_not_know() {
    for (status, word) in [(401, "clocks"), (403, "ClusterRoleBinding")] {
        let report = after(|snapshot| snapshot.kubernetes = refused(status));
        let words = "https://api.prod.example.com:6443 answers, but not to kclust";
        assert_eq!(told(&report, "api"), unknown(words, &format!("HTTP {status}")));
        assert!(find(&report, "api").todo.as_ref().unwrap().contains(word));
        assert_eq!(report.status.exit_code(), 4);
    }
    assert_eq!(find(&after(|snapshot| snapshot.kubernetes = refused(500)), "api").status, CheckStatus::Failed);
}

/// Without a load balancer there are no targets that could say it.
#[test]
fn control_planes_that_are_all_lost_are_why_the_api_does_not_answer() {
    let without = |slots: usize| {
        after(move |snapshot| {
            snapshot.cluster.api.endpoint = crate::spec::ApiEndpoint::Dns;
            nobody_answers(snapshot);
            snapshot.kubernetes = KubernetesView::Unreachable { address: API.into(), reason: "timed out".into() };
            snapshot.groups.as_mut().unwrap()[..slots].iter_mut().for_each(|group| group.instances.clear());
        })
    };
    assert_eq!(told(&without(3), "api"), skipped("because of what `group/cp-1` says"));
    assert_eq!(find(&without(3), "api").evidence, ["timed out"]);
    assert_eq!(find(&without(2), "api").status, CheckStatus::Unknown);
}

/// Nobody has touched the cluster: kclust is another one.
#[test]
fn what_another_version_of_kclust_made_is_no_damage() {
    let with = |applied_by: &'static str, change: fn(&mut World)| {
        after(move |snapshot| {
            spoil_world(snapshot, change);
            // The control planes have applied what the settings name.
            snapshot.addons.as_mut().unwrap().as_mut().unwrap().iter_mut().for_each(|addon| addon.sha256 = "cd".repeat(32));
            snapshot.applied_by = applied_by.into();
        })
    };
    let older: fn(&mut World) = |world| {
        let settings = world.resources.get_mut(&id("ControlPlaneSettings/settings")).unwrap();
        let Resource::ControlPlaneSettings(settings) = &mut settings.resource else { panic!() };
        settings.addons[0].sha256 = "cd".repeat(32);
    };
    let status = |report: Report| find(&report, "resources").status;
    let report = with("0.0.9", older);
    let check = find(&report, "resources");
    assert_eq!((check.status, report.status), (CheckStatus::Warning, Status::Healthy));
    assert!(check.message.starts_with("applied by kclust 0.0.9; this is "), "{}", check.message);
    assert_eq!(check.resources, ["ControlPlaneSettings/settings"]);
    assert_eq!(status(with(env!("CARGO_PKG_VERSION"), older)), CheckStatus::Failed);
    // What no template makes is missed whoever looks.
    let damaged: fn(&mut World) = |world| drop(world.resources.remove(&id("Volume/cp-1")));
    assert_eq!(status(with("0.0.9", damaged)), CheckStatus::Failed);
}

#[test]
fn instances_and_nodes_are_matched_by_provider_id() {
    let report = after(|snapshot| {
        snapshot.instances.as_mut().unwrap()[5].state = "pending".into();
        snapshot.asked.insert(MACHINES[5].0.into());
        let nodes = nodes(snapshot);
        nodes[0].name = "ip-10-20-32-10.ec2.internal".into();
        nodes[3].not_ready = Some("NodeStatusUnknown: Kubelet stopped posting node status.".into());
        nodes[5] = node("i-0c1", "workers", "us-east-1c");
        let mut bare = node("bare", "workers", "us-east-1c");
        bare.provider_id = None;
        nodes.push(bare);
        let mut other = node("metal", "workers", "us-east-1c");
        other.provider_id = Some("metal://7".into());
        nodes.push(other);
    });
    assert_eq!(
        told(&report, "nodes"),
        failed(
            "1 node not Ready, 1 instance without a node, 3 nodes without an instance",
            &[
                "i-0b3 (workers): pending for 24 h, but not a node, and it has told nothing",
                "i-0b1 (workers): NodeStatusUnknown: Kubelet stopped posting node status.",
                "i-0c1: i-0c1 is not an instance of the cluster",
                "bare: no provider id",
                "metal: provider id metal://7 names no instance",
            ],
            &["i-0b3", "i-0b1", "i-0c1", "bare", "metal"],
        )
    );
    let first = &report.nodes[0];
    assert_eq!((first.name.as_deref(), first.instance_id.as_deref()), (Some("ip-10-20-32-10.ec2.internal"), Some("i-0a1")));
    assert_eq!(first.role, Role::ControlPlane);
    assert_eq!(report.nodes.iter().filter(|node| node.ready == Some(false)).count(), 2);
    assert_eq!(report.nodes.len(), 9);
}

#[test]
fn instances_on_their_way_out_owe_nothing() {
    let report = after(|snapshot| {
        snapshot.instances.as_mut().unwrap().push(instance("i-0d1", "workers", "us-east-1a"));
        let mut leaving = group("workers").instances.remove(0);
        leaving.id = "i-0d1".into();
        leaving.lifecycle_state = "Terminating:Wait".into();
        snapshot.groups.as_mut().unwrap()[3].instances.push(leaving);
        let mut ended = instance("i-0d2", "workers", "us-east-1a");
        ended.state = "shutting-down".into();
        snapshot.instances.as_mut().unwrap().push(ended);
        let mut node = node("i-0d2", "workers", "us-east-1a");
        node.not_ready = Some("NodeStatusUnknown".into());
        nodes(snapshot).push(node);
    });
    assert_eq!(not_ok(&report), Vec::<&str>::new());
    // Auto Scaling lists an instance for a while after EC2 has ended it.
    let ended = after(|snapshot| {
        let mut member = group("workers").instances.remove(0);
        member.id = "i-0d3".into();
        snapshot.groups.as_mut().unwrap()[3].instances.push(member);
    });
    assert_eq!(told(&ended, "nodes"), ok("6 nodes Ready"));
    let named: Vec<_> = report.nodes.iter().filter_map(|node| node.instance_id.as_deref()).collect();
    assert!(!named.contains(&"i-0d1") && named.contains(&"i-0d2"), "{named:?}");
}

#[test]
fn an_instance_that_no_group_launched_may_join_but_need_not() {
    let report = after(|snapshot| {
        for id in ["i-0e1", "i-0e2"] {
            let mut instance = instance(id, "", "us-east-1a");
            instance.group = None;
            snapshot.instances.as_mut().unwrap().push(instance);
        }
        nodes(snapshot).push(node("i-0e1", "", "us-east-1a"));
    });
    assert_eq!(told(&report, "nodes"), ok("7 nodes Ready"));
}

#[test]
fn one_list_of_instances_is_enough_and_none_is_not() {
    let report = after(|snapshot| snapshot.instances = Err("ec2:DescribeInstances: denied".into()));
    assert_eq!(told(&report, "nodes"), ok("6 nodes Ready"));
    assert_eq!(report.nodes[3].group.as_deref(), Some("workers"));
    let blind = |snapshot: &mut Snapshot| {
        snapshot.instances = Err("ec2:DescribeInstances: denied".into());
        snapshot.groups = Err("autoscaling:DescribeAutoScalingGroups: denied".into());
    };
    let report = after(blind);
    assert_eq!(
        told(&report, "nodes"),
        unknown("6 nodes Ready, but the instances could not be listed", "ec2:DescribeInstances: denied")
    );
    assert_eq!(report.nodes.len(), 6);
    let report = after(|snapshot| {
        blind(snapshot);
        nodes(snapshot)[0].not_ready = Some("KubeletNotReady".into());
    });
    assert_eq!(told(&report, "nodes"), failed("1 node not Ready", &["i-0a1: KubeletNotReady"], &["i-0a1"]));
}

#[test]
fn the_api_is_asked_by_the_name_of_the_zone_or_of_the_load_balancer() {
    let mut snapshot = super::fixture::healthy();
    assert_eq!(api_address(&snapshot.cluster, &snapshot.world).as_deref(), Some("api.prod.example.com"));
    snapshot.cluster.dns = None;
    let name = api_address(&snapshot.cluster, &snapshot.world).unwrap();
    assert_eq!(api_url(&name), "https://api-1234.elb.us-east-1.amazonaws.com:6443");
    spoil_world(&mut snapshot, |world| drop(world.resources.remove(&id("LoadBalancer/api"))));
    assert_eq!(api_address(&snapshot.cluster, &snapshot.world), None);
}

#[test]
fn what_update_refuses_is_told_apart() {
    let report = after(|snapshot| {
        spoil_world(snapshot, |world| {
            let volume = world.resources.get_mut(&id("Volume/cp-1")).unwrap();
            let Resource::Volume(volume) = &mut volume.resource else { panic!() };
            volume.disk.size_gib = 40;
        });
    });
    let (_, message, cause, resources) = told(&report, "resources");
    assert_eq!((message, resources), ("1 resource differs", vec!["Volume/cp-1"]));
    assert_eq!(cause[0], "Volume/cp-1: sizeGiB is 40, should be 20");
    assert!(cause[1].contains("`kclust update` refuses"), "{cause:?}");
    assert_eq!(find(&report, "resources").todo.as_deref(), Some("change it back by hand, to what it should be"));
}

#[test]
fn a_cause_is_said_once_and_its_echoes_are_skipped() {
    let report = after(|snapshot| {
        snapshot.endpoints = vec![endpoint(EndpointKind::Name, "api.prod.example.com", Some(CertificateFault::Expired))];
        let reason = "its certificate is not valid".into();
        snapshot.kubernetes = KubernetesView::Refused { address: API.into(), reason, status: None };
    });
    let failed: Vec<&str> =
        report.checks.iter().filter(|check| check.status == CheckStatus::Failed).map(|check| check.name.as_str()).collect();
    assert_eq!(failed, ["certificates"]);
    assert_eq!(told(&report, "api"), skipped("because of what `certificates` says"));
    assert_eq!(told(&report, "pods"), skipped("because the API does not answer as it should (see api)"));
}

#[test]
fn authorities_that_end_soon_are_a_warning() {
    let with = |days: i64| {
        after(move |snapshot| {
            snapshot.authorities = Ok(vec![("etcd/ca.crt".into(), now() + SignedDuration::from_hours(24 * days))]);
        })
    };
    assert_eq!(find(&with(31), "certificates").status, CheckStatus::Ok);
    let report = with(29);
    let check = find(&report, "certificates");
    assert_eq!((check.status, report.status), (CheckStatus::Warning, Status::Healthy));
    assert_eq!(check.cause.as_deref(), Some("pki/etcd/ca.crt ends in 29 days, at 2026-12-26 12:00 UTC"));
    // What renews certificates does not renew who signs them.
    let todo = |report: &Report| find(report, "certificates").todo.clone().unwrap();
    assert!(todo(&report).starts_with("give the cluster a new authority"), "{}", todo(&report));
    let expired = with(-1);
    assert_eq!(find(&expired, "certificates").status, CheckStatus::Failed);
    assert!(!todo(&expired).contains("reboot the control planes"), "{}", todo(&expired));
    let both = after(|snapshot| {
        snapshot.authorities = Ok(vec![("ca.crt".into(), now() + SignedDuration::from_hours(24 * 29))]);
        let certificate = snapshot.endpoints[0].certificate.as_mut().unwrap();
        certificate.not_after = now() + SignedDuration::from_hours(24);
    });
    assert!(todo(&both).contains("new authority") && todo(&both).contains("; reboot the control planes"), "{}", todo(&both));
}

#[test]
fn name_servers_are_compared_with_the_plan() {
    let with = |addresses: Result<Vec<Ipv4Addr>, DnsFailure>, visibility: DnsVisibility| {
        after(move |snapshot| {
            snapshot.cluster.dns.as_mut().unwrap().visibility = visibility;
            // Nobody has come to the API by that name.
            snapshot.endpoints.remove(0);
            let expected = Ok(vec![Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)]);
            snapshot.dns = Some(DnsAnswer { resolver: "10.0.0.2:53".into(), addresses, expected, delegation: None });
        })
    };
    let status = |report: Report| find(&report, "dns").status;
    use DnsVisibility::{Private, Public};
    assert_eq!(status(with(Ok(vec![Ipv4Addr::new(10, 0, 0, 2)]), Public)), CheckStatus::Ok);
    assert_eq!(status(with(Ok(vec![Ipv4Addr::new(192, 0, 2, 1)]), Public)), CheckStatus::Failed);
    let none = || DnsFailure::NoSuchName("it does not exist".into());
    assert_eq!(status(with(Err(none()), Public)), CheckStatus::Failed);
    assert_eq!(status(with(Err(none()), Private)), CheckStatus::Unknown, "who asks may stand outside");
    assert_eq!(status(with(Err(DnsFailure::NoAnswer("silent".into())), Public)), CheckStatus::Unknown);
    let not_served = || DnsFailure::NotServed("10.0.0.2:53 answers SERVFAIL for api.prod.example.com".into());
    assert_eq!(status(with(Err(not_served()), Private)), CheckStatus::Unknown);
    let report = with(Err(not_served()), Public);
    assert_eq!(told(&report, "dns").1, "10.0.0.2:53 finds no server that answers for api.prod.example.com");
    assert_eq!(status(report), CheckStatus::Failed, "it has answered for the load balancer");
}

/// What a resolver does not say is no question where the API has just answered by that name.
#[test]
fn a_name_by_which_the_api_answers_leads_there() {
    let with = |addresses: DnsFailure, fault: Option<CertificateFault>| {
        after(move |snapshot| {
            snapshot.cluster.dns.as_mut().unwrap().visibility = DnsVisibility::Private;
            snapshot.endpoints[0] = endpoint(EndpointKind::Name, "api.prod.example.com", fault);
            let expected = Ok(vec![Ipv4Addr::new(10, 0, 0, 1)]);
            let addresses = Err(addresses);
            snapshot.dns = Some(DnsAnswer { resolver: "10.0.0.2:53".into(), addresses, expected, delegation: None });
        })
    };
    for silence in [DnsFailure::NoAnswer("it does not answer".into()), DnsFailure::NoSuchName("it does not answer".into())] {
        let report = with(silence.clone(), None);
        assert_eq!(told(&report, "dns"), ok("api.prod.example.com leads to the API"));
        assert_eq!(find(&report, "dns").evidence, ["10.0.0.2:53: it does not answer"]);
        assert_eq!(find(&with(silence, Some(CertificateFault::Foreign)), "dns").status, CheckStatus::Unknown);
    }
}

#[test]
fn a_way_that_is_not_seen_from_here_has_not_failed() {
    let with = |way: usize, reason: &str| {
        let reason = reason.to_owned();
        after(move |snapshot| snapshot.endpoints[way].certificate = Err(reason))
    };
    for silence in
        ["no answer within 5 s", "failed to lookup address information", "the proxy does not reach it: connection refused"]
    {
        for way in [0, 1] {
            let report = with(way, silence);
            let (status, message, cause, _) = told(&report, "api");
            assert_eq!((status, cause.len()), (CheckStatus::Warning, 1), "{message}");
            assert!(message.ends_with("not by every way from here"), "{message}");
        }
    }
    for refusal in ["Connection refused (os error 111)", "Connection reset by peer (os error 104)"] {
        assert_eq!(find(&with(1, refusal), "api").status, CheckStatus::Failed);
    }
    // A private zone that the resolver does not see.
    let report = after(|snapshot| {
        snapshot.cluster.dns.as_mut().unwrap().visibility = DnsVisibility::Private;
        let silence = || DnsFailure::NoSuchName("it does not exist".into());
        let expected = Ok(vec![Ipv4Addr::new(10, 0, 0, 1)]);
        snapshot.dns = Some(DnsAnswer { resolver: "10.0.0.2:53".into(), addresses: Err(silence()), expected, delegation: None });
        snapshot.endpoints[0].certificate = Err("Connection refused (os error 111)".into());
    });
    assert_eq!([find(&report, "dns").status, find(&report, "api").status], [CheckStatus::Unknown, CheckStatus::Ok]);
}

/// An operator outside the VPN is not told that a worker group or a volume keeps him from the API.
#[test]
fn only_what_is_on_the_way_explains_that_the_api_is_not_reached() {
    let with = |id_of_missing: &'static str| {
        after(move |snapshot| {
            spoil_world(snapshot, |world| drop(world.resources.remove(&id(id_of_missing))));
            nobody_answers(snapshot);
            snapshot.kubernetes = KubernetesView::Unreachable { address: API.into(), reason: "timed out".into() };
        })
    };
    assert_eq!(find(&with("Volume/cp-1"), "api").status, CheckStatus::Unknown);
    assert_eq!(find(&with("SecurityGroupRule/control-plane:API from nodes"), "api").status, CheckStatus::Skipped);
    let snapshot = super::fixture::healthy();
    for (name, expected) in [
        ("AutoscalingGroup/workers", false),
        ("AutoscalingGroup/cp-1", true),
        ("NetworkInterface/cp-2", true),
        ("SecurityGroup/nodes", false),
        ("SecurityGroup/api", true),
        ("SecurityGroupRule/nodes:kubelet from control-plane", false),
        ("SecurityGroupRule/control-plane:etcd from control-plane", false),
        ("SecurityGroupRule/api:everything out", true),
    ] {
        assert_eq!(crate::health::rules::is_on_the_way(&id(name), &snapshot), expected, "{name}");
    }
}

#[test]
fn a_scope_holds_volumes_too() {
    let mut snapshot = super::fixture::healthy();
    spoil_world(&mut snapshot, |world| {
        let volume = world.resources[&id("Volume/cp-1")].clone();
        world.duplicates.push((id("Volume/cp-1"), Observed { physical: Physical::new("vol-2"), ..volume }));
    });
    let of = |group: &str| check(&snapshot, &Scope { groups: vec![group.into()], ..Scope::default() });
    assert_eq!(find(&of("workers"), "resources").status, CheckStatus::Ok);
    assert_eq!(find(&of("cp-1"), "resources").status, CheckStatus::Failed);
}

#[test]
fn backups_are_as_recent_as_the_spec_wants_them() {
    let with = |taken: Option<SignedDuration>| after(move |snapshot| snapshot.last_backup = Ok(taken.map(|age| now() - age)));
    // The example has one every 15 minutes; a slot may be late, and a leader may be elected meanwhile.
    assert_eq!(find(&with(Some(SignedDuration::from_mins(39))), "backups").status, CheckStatus::Ok);
    let report = with(Some(SignedDuration::from_mins(41)));
    let (status, message, ..) = told(&report, "backups");
    assert_eq!((status, message), (CheckStatus::Failed, "the newest snapshot was taken 41 min ago"));
    assert_eq!(find(&with(None), "backups").status, CheckStatus::Failed, "the control planes are a day old");
    let young = after(|snapshot| {
        snapshot.last_backup = Ok(None);
        snapshot.instances.as_mut().unwrap().iter_mut().for_each(|instance| instance.launched_at = Some(now()));
    });
    assert_eq!(told(&young, "backups"), ok("no snapshot yet: the control planes are young"));
    let without = |instances: Result<Vec<InstanceStatus>, String>| {
        after(|snapshot| (snapshot.last_backup, snapshot.instances) = (Ok(None), instances))
    };
    let denied = without(Err("ec2:DescribeInstances: denied".into()));
    let words = "no snapshot yet, and the control planes could not be looked at";
    assert_eq!(told(&denied, "backups"), unknown(words, "ec2:DescribeInstances: denied"));
    let mut ended = instance("i-0a1", "cp-1", "us-east-1a");
    ended.state = "terminated".into();
    let none = without(Ok(vec![ended]));
    assert_eq!(told(&none, "backups"), skipped("there is no control plane to take a snapshot (see group)"));
}
