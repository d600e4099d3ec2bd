//! Each rule with what it is content with and what it objects to.

use jiff::SignedDuration;

use super::fixture::{API, MACHINES, after, endpoint, group, id, instance, nobody_answers, node, nodes, now, spoil_world};
use super::told::{failed, find, not_ok, ok, skipped, told, unknown};
use crate::cloud::{GroupStatus, InstanceStatus, Observed, Physical, World};
use crate::health::{CertificateFault, CheckStatus, EndpointKind, KubernetesView, Report, Role, Scope, Snapshot, Status, check};
use crate::model::{Kind, Resource};

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
