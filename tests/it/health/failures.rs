//! What goes wrong is named: the cause is the first check that fails, and nothing else does.

use std::io::Write as _;

use aws_sdk_elasticloadbalancingv2::types::TargetDescription;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::{Healthy, names, says, words_of};
use crate::kubernetes_api::Certificate;

impl Healthy {
    /// Ends an instance of a group that cannot launch another, because of what AWS says.
    fn cannot_launch(&self, group: &str, message: &str) {
        let fault = json!([{ "service": "autoscaling", "action": "LaunchInstance", "message": message }]);
        self.account().set_faults(&fault);
        self.end(&self.instance_of(group));
    }

    /// Ends an instance, and removes its node.
    pub fn end(&self, instance: &str) {
        self.cluster.run(self.cluster.ec2.terminate_instances().instance_ids(instance).send());
        self.api.objects().remove("Node", |node| node["metadata"]["name"] == instance);
        self.api.objects().remove("Pod", |pod| pod["spec"]["nodeName"] == instance);
        self.api.objects().edit("DaemonSet", |set| {
            if ["cilium", "kube-proxy"].iter().any(|everywhere| set["metadata"]["name"] == *everywhere) {
                for count in ["desiredNumberScheduled", "numberAvailable"] {
                    set["status"][count] = json!(set["status"][count].as_u64().unwrap() - 1);
                }
            }
        });
    }

    fn edit_node(&self, name: &str, change: impl Fn(&mut Json)) {
        self.api.objects().edit("Node", |node| {
            if node["metadata"]["name"] == name {
                change(node);
            }
        });
    }

    /// The condition `Ready` of a node.
    fn is_not_ready(&self, name: &str, status: &str, reason: &str, message: &str) {
        self.edit_node(name, |node| {
            let conditions = node["status"]["conditions"].as_array_mut().unwrap();
            let ready = conditions.iter_mut().find(|condition| condition["type"] == "Ready").unwrap();
            (ready["status"], ready["reason"], ready["message"]) = (json!(status), json!(reason), json!(message));
        });
    }

    /// One pod of a deployment or daemon set less.
    fn lacks_a_pod(&self, kind: &str, name: &str) {
        self.api.objects().edit(kind, |owner| {
            if owner["metadata"]["name"] == name {
                let field = if kind == "DaemonSet" { "numberAvailable" } else { "availableReplicas" };
                owner["status"][field] = json!(owner["status"][field].as_u64().unwrap() - 1);
            }
        });
    }
}

#[test]
fn no_capacity() {
    let cluster = Healthy::minimal();
    let message = "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient \
                   t3.large capacity in the Availability Zone you requested (us-east-1a). Launching EC2 instance failed.";
    cluster.cannot_launch("workers", message);
    let report = cluster.fails(&["group/workers"]);
    says(
        &report,
        "group/workers",
        &["1 of 2 instances in service", "AWS has no capacity", message, "add instance types or zones"],
    );
}

#[test]
fn a_bad_image() {
    let cluster = Healthy::minimal();
    let message = "The image id '[ami-0123456789abcdef0]' does not exist. Launching EC2 instance failed.";
    cluster.cannot_launch("workers", message);
    let report = cluster.fails(&["group/workers"]);
    says(&report, "group/workers", &["the image of the launch template cannot be used", message]);
}

#[test]
fn a_quota_that_is_used_up() {
    let cluster = Healthy::minimal();
    let message = "You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket that the \
                   specified instance type belongs to. Launching EC2 instance failed.";
    cluster.cannot_launch("workers", message);
    says(&cluster.fails(&["group/workers"]), "group/workers", &["a quota of the account is used up", "Service Quotas"]);
}

#[test]
fn a_rule_that_is_missing() {
    let cluster = Healthy::minimal();
    let c = &cluster.cluster;
    let rule = c.rule_id("SecurityGroup/nodes", "kclust: kubelet from control-plane");
    let call = c.ec2.revoke_security_group_ingress().group_id(c.id("SecurityGroup/nodes"));
    c.run(call.security_group_rule_ids(rule).send());
    let report = cluster.fails(&["resources"]);
    says(
        &report,
        "resources",
        &["1 resource is missing", "SecurityGroupRule/nodes:kubelet from control-plane: missing", "kclust update dev.k8s.local"],
    );
}

#[test]
fn an_instance_profile_that_is_missing() {
    let cluster = Healthy::minimal();
    let c = &cluster.cluster;
    let (profile, role) = (c.id("InstanceProfile/nodes"), c.id("Role/nodes"));
    c.run(c.iam.remove_role_from_instance_profile().instance_profile_name(&profile).role_name(role).send());
    c.run(c.iam.delete_instance_profile().instance_profile_name(profile).send());
    cluster.cannot_launch("workers", "Invalid IAM Instance Profile name. Launching EC2 instance failed.");
    let report = cluster.fails(&["resources", "group/workers"]);
    says(&report, "resources", &["InstanceProfile/nodes: missing"]);
    says(&report, "group/workers", &["the instance profile of the launch template cannot be used"]);
}

/// Also where `update` refuses to change it: that is the finding, not the end of the command.
#[test]
fn drift_that_update_refuses() {
    let cluster = Healthy::minimal();
    let c = &cluster.cluster;
    let volume = c.id("Volume/cp-1");
    c.run(c.ec2.modify_volume().volume_id(&volume).size(40).send());
    let size = c.run(c.ec2.describe_volumes().volume_ids(volume).send()).volumes.unwrap()[0].size;
    assert_eq!(size, Some(40));
    c.account.kclust(&["update", &c.name, "--dry-run"]).expect(2);
    let report = cluster.fails(&["resources"]);
    says(&report, "resources", &["Volume/cp-1: sizeGiB is 40, should be", "`kclust update` refuses", "change it back by hand"]);
}

/// Another version of kclust has other templates: nobody has touched the cluster.
#[test]
fn a_cluster_that_another_version_of_kclust_made() {
    let cluster = Healthy::minimal();
    let c = &cluster.cluster;
    let key = format!("{}/cluster.yaml", c.name);
    let text = c.account.state_object(&key);
    let version = format!("\"kclust\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let older = text.replacen(&version, "\"kclust\":\"0.0.9\"", 1);
    assert_ne!(text, older);
    let template = c.ec2.create_launch_template_version().launch_template_id(c.id("LaunchTemplate/workers"));
    let text = format!("#!/bin/sh\n# {}\n", cluster.load_balancer());
    let mut compressed = GzEncoder::new(Vec::new(), Compression::default());
    compressed.write_all(text.as_bytes()).unwrap();
    let compressed = compressed.finish().unwrap();
    let data = aws_sdk_ec2::types::RequestLaunchTemplateData::builder().user_data(STANDARD.encode(compressed)).build();
    let made = c.run(template.source_version("$Default").launch_template_data(data).send());
    let number = made.launch_template_version().unwrap().version_number().unwrap().to_string();
    let default = c.ec2.modify_launch_template().launch_template_id(c.id("LaunchTemplate/workers"));
    c.run(default.default_version(number).send());
    says(&cluster.fails(&["resources"]), "resources", &["LaunchTemplate/workers: userData is"]);

    c.account.put_state_object(&key, &older);
    let report = cluster.validate(&[]).expect(0).json();
    assert_eq!(names(&report, "warning"), ["resources"], "{report:#}");
    says(&report, "resources", &["applied by kclust 0.0.9", "LaunchTemplate/workers", "kclust update dev.k8s.local"]);

    c.account.kclust(&["update", &c.name, "--yes", "-q"]).expect(0);
    assert!(c.account.state_object(&key).contains(&version), "it is this version's now");
    assert!(names(&cluster.validate(&[]).expect(0).json(), "warning").is_empty());
}

#[test]
fn a_target_that_is_not_healthy() {
    let cluster = Healthy::ha();
    let c = &cluster.cluster;
    let interfaces = c.run(c.ec2.describe_network_interfaces().network_interface_ids(c.id("NetworkInterface/cp-2")).send());
    let address = interfaces.network_interfaces()[0].private_ip_address().unwrap();
    // Its interface belongs to no instance any more: nothing answers the health check.
    cluster
        .cannot_launch("cp-2", "We currently do not have sufficient m6i.large capacity in the Availability Zone you requested.");
    let report = cluster.fails(&["group/cp-2", "targets"]);
    let words = format!("cp-2 ({address}): unhealthy: Health checks failed");
    says(&report, "targets", &["2 of 3 targets healthy", &words, "port 6443"]);
}

#[test]
fn a_target_that_is_not_registered() {
    let cluster = Healthy::ha();
    let c = &cluster.cluster;
    let interfaces = c.run(c.ec2.describe_network_interfaces().network_interface_ids(c.id("NetworkInterface/cp-2")).send());
    let address = interfaces.network_interfaces()[0].private_ip_address().unwrap().to_owned();
    let target = TargetDescription::builder().id(&address).port(6443).build();
    c.run(c.elbv2.deregister_targets().target_group_arn(c.id("TargetGroup/api")).targets(target).send());
    let report = cluster.fails(&["resources", "targets"]);
    says(&report, "targets", &["2 of 3 targets healthy", "cp-2: not registered", "port 6443"]);
}

#[test]
fn an_instance_that_is_no_node() {
    let cluster = Healthy::minimal();
    let worker = cluster.instance_of("workers");
    cluster.api.objects().remove("Node", |node| node["metadata"]["name"] == worker.as_str());
    let error = "https://registry.example.com: connection timed out; again in 30 s";
    cluster.boot_says(&worker, "workers", "installing the node's programs", Some(error));
    let report = cluster.fails(&["nodes"]);
    says(
        &report,
        "nodes",
        &[
            "1 instance without a node",
            &worker,
            "its boot stands at \\\"installing the node's programs\\\"",
            "for 4 min",
            error,
            "kclust-boot",
        ],
    );
}

/// Its node stays until the cloud controller has seen it. The one that takes its place is what is missing.
#[test]
fn an_instance_that_has_just_been_ended() {
    let cluster = Healthy::minimal();
    let worker = cluster.instance_of("workers");
    let c = &cluster.cluster;
    c.run(c.ec2.terminate_instances().instance_ids(&worker).send());
    let report = cluster.fails(&["nodes"]);
    says(&report, "nodes", &["\"1 instance without a node\""]);
    assert!(!words_of(&report, "nodes").contains(&worker), "{report:#}");
}

#[test]
fn an_instance_that_says_nothing() {
    let cluster = Healthy::minimal();
    let worker = cluster.instance_of("workers");
    cluster.api.objects().remove("Node", |node| node["metadata"]["name"] == worker.as_str());
    says(&cluster.fails(&["nodes"]), "nodes", &["it has told nothing", "get-console-output"]);
}

#[test]
fn a_pod_network_that_is_not_ready() {
    let cluster = Healthy::minimal();
    let worker = cluster.instance_of("workers");
    let message = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns \
                   error: cni plugin not initialized";
    cluster.is_not_ready(&worker, "False", "KubeletNotReady", message);
    cluster.lacks_a_pod("DaemonSet", "cilium");
    cluster.break_pod("cilium", &worker, "ImagePullBackOff", "Back-off pulling image \"quay.io/cilium/cilium:v1.20.0\"");
    let report = cluster.fails(&["nodes"]);
    says(
        &report,
        "nodes",
        &[
            "1 node not Ready",
            "the pod network (CNI) is not ready there",
            "cni plugin not initialized",
            "ImagePullBackOff",
            "quay.io",
        ],
    );
}

impl Healthy {
    /// A pod of an owner on a node whose container waits.
    fn break_pod(&self, owner: &str, node: &str, reason: &str, message: &str) {
        let mut broken = 0;
        self.api.objects().edit("Pod", |pod| {
            if pod["metadata"]["labels"]["app"] == owner && pod["spec"]["nodeName"] == node {
                broken += 1;
                let waiting = json!({ "waiting": { "reason": reason, "message": message } });
                let status = &mut pod["status"];
                status["conditions"][1]["status"] = json!("False");
                status["containerStatuses"][0]["ready"] = json!(false);
                status["containerStatuses"][0]["restartCount"] = json!(7);
                status["containerStatuses"][0]["state"] = waiting;
            }
        });
        assert_eq!(broken, 1);
    }
}

#[test]
fn a_certificate_that_has_expired() {
    let cluster = Healthy::minimal();
    let certificate = |hours: i64| Certificate { valid_for: time::Duration::hours(hours), ..Certificate::default() };
    cluster.api.behave(|behaviour| behaviour.certificate = certificate(-72));
    let report = cluster.fails(&["certificates"]);
    says(&report, "certificates", &["has been expired since", "reboot them"]);
    says(&report, "api", &["skipped", "because of what `certificates` says"]);
    says(&report, "nodes", &["skipped"]);

    cluster.api.behave(|behaviour| behaviour.certificate = certificate(12 * 24 + 12));
    let report = cluster.validate(&[]).expect(0).json();
    assert_eq!(names(&report, "warning"), ["certificates"]);
    says(&report, "certificates", &["ends in 12 days"]);
}

#[test]
fn a_certificate_of_another_authority() {
    let cluster = Healthy::minimal();
    cluster.api.behave(|behaviour| behaviour.certificate.foreign = true);
    let report = cluster.fails(&["certificates"]);
    says(&report, "certificates", &["not signed by this cluster's CA, but by another", "another cluster of that name"]);
}

#[test]
fn a_certificate_for_another_name() {
    let cluster = Healthy::minimal();
    cluster.api.behave(|behaviour| behaviour.certificate.names = Some(vec!["api.old.example.com".to_owned()]));
    says(&cluster.fails(&["certificates"]), "certificates", &["for other names: api.old.example.com"]);
}

#[test]
fn etcd_without_a_quorum() {
    let cluster = Healthy::ha();
    let old = Timestamp::now() - SignedDuration::from_mins(30);
    for slot in ["cp-1", "cp-2"] {
        cluster.put(
            &format!("control-plane/etcd/{slot}.json"),
            &json!({ "at": old, "status": null, "members": null, "alarms": null }),
        );
    }
    cluster.etcd_says("cp-3", &[], None, json!({ "errors": ["etcdserver: no leader"] }));
    cluster.api.behave(|behaviour| {
        behaviour.every_host.error = Some((500, "etcdserver: request timed out".to_owned()));
        behaviour.failing = vec!["etcd".to_owned()];
    });
    let report = cluster.fails(&["etcd"]);
    says(
        &report,
        "etcd",
        &[
            "etcd has no leader",
            "cp-1: has told nothing for 30 min",
            "cp-3: its member has no leader",
            "etcdserver: no leader",
            "kclust restore",
        ],
    );
    says(&report, "api", &["because of what `etcd` says"]);
}

#[test]
fn etcd_whose_members_are_not_the_slots() {
    let cluster = Healthy::ha();
    let members = ["cp-1", "cp-2", "stranger"].map(str::to_owned);
    for slot in ["cp-1", "cp-2", "cp-3"] {
        cluster.etcd_says(slot, &members, Some(2), json!({}));
    }
    says(
        &cluster.fails(&["etcd"]),
        "etcd",
        &["2 of 3 members, leader cp-2", "cp-3 is not a member", "a member is no slot: stranger"],
    );
}

#[test]
fn etcd_that_is_full() {
    let cluster = Healthy::minimal();
    cluster.etcd_says("cp-1", &["cp-1".to_owned()], Some(1), json!({ "dbSize": 4_000_000_000_u64 }));
    let report = cluster.validate(&[]).expect(0).json();
    assert_eq!(names(&report, "warning"), ["etcd"]);
    says(&report, "etcd", &["3815 MiB of 4096 MiB"]);
}

#[test]
fn pods_that_no_node_takes() {
    let cluster = Healthy::minimal();
    let message = "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available";
    cluster.lacks_a_pod("Deployment", "coredns");
    let mut pending = 0;
    cluster.api.objects().edit("Pod", |pod| {
        if pod["metadata"]["name"] == "coredns-0" {
            pending += 1;
            pod["spec"]["nodeName"] = Json::Null;
            pod["status"] = json!({ "phase": "Pending", "conditions": [
                { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message }] });
        }
    });
    assert_eq!(pending, 1);
    let report = cluster.fails(&["pods"]);
    says(
        &report,
        "pods",
        &["Deployment/coredns: 1 of 2 available", "kube-system/coredns-0: not scheduled", message, "no node takes it"],
    );
}

/// There is no pod of it that could be in trouble.
#[test]
fn what_every_cluster_has_and_this_one_has_not() {
    let cluster = Healthy::minimal();
    cluster.api.objects().remove("Deployment", |owner| owner["metadata"]["name"] == "coredns");
    says(&cluster.fails(&["pods"]), "pods", &["Deployment/coredns: does not exist", "kubeadm init phase addon"]);
}

#[test]
fn a_container_that_ends_again_and_again() {
    let cluster = Healthy::minimal();
    let slot = cluster.instance_of("cp-1");
    cluster.lacks_a_pod("DaemonSet", "aws-cloud-controller-manager");
    cluster.break_pod("aws-cloud-controller-manager", &slot, "CrashLoopBackOff", "back-off 5m0s restarting failed container");
    let report = cluster.fails(&["pods"]);
    says(
        &report,
        "pods",
        &[
            "DaemonSet/aws-cloud-controller-manager: 0 of 1 available",
            "container main: CrashLoopBackOff",
            "7 restarts",
            "logs --previous",
        ],
    );
}

#[test]
fn versions_that_do_not_go_together() {
    let cluster = Healthy::minimal();
    let worker = cluster.instance_of("workers");
    cluster.edit_node(&worker, |node| node["status"]["nodeInfo"]["kubeletVersion"] = json!("v1.37.0"));
    let report = cluster.fails(&["versions"]);
    says(&report, "versions", &[&worker, "kubelet v1.37.0", "newer than the API server", "bring them to one version"]);
}

#[test]
fn a_kubelet_that_is_silent() {
    let cluster = Healthy::minimal();
    let worker = cluster.instance_of("workers");
    cluster.is_not_ready(&worker, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.");
    let report = cluster.fails(&["nodes"]);
    says(&report, "nodes", &["1 node not Ready", "Kubelet stopped posting node status", "its kubelet is silent"]);
}

/// A control plane and two of three workers, in three zones. Their groups launch others, which have to boot first.
#[test]
fn half_of_the_nodes_gone() {
    let cluster = Healthy::ha();
    let before = cluster.instances();
    let worker =
        |zone: &str| before.iter().find(|instance| instance.group == "workers" && instance.zone.ends_with(zone)).unwrap();
    let slot = before.iter().find(|instance| instance.group == "cp-1").unwrap();
    let gone = [slot, worker("b"), worker("c")];
    for instance in gone {
        cluster.is_not_ready(&instance.id, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.");
    }
    let c = &cluster.cluster;
    let ids = gone.map(|instance| instance.id.clone());
    c.run(c.ec2.terminate_instances().set_instance_ids(Some(ids.to_vec())).send());
    let report = cluster.fails(&["nodes"]);
    let launched: Vec<_> = cluster.instances().into_iter().filter(|now| before.iter().all(|known| known.id != now.id)).collect();
    assert_eq!(launched.len(), 3);
    says(&report, "nodes", &["\"3 instances without a node\"", "get-console-output"]);
    for instance in &launched {
        says(&report, "nodes", &[&format!("{} ({}): ", instance.id, instance.group)]);
    }
    assert!(ids.iter().all(|id| !words_of(&report, "nodes").contains(id)), "{report:#}");
}

#[test]
fn an_addon_that_cannot_be_applied() {
    let cluster = Healthy::ha();
    cluster.addons_are(|name| match name {
        "metrics-server" => json!({ "state": "failed", "error": "Error: chart \"metrics-server\" not found" }),
        _ => json!({ "state": "applied", "error": null }),
    });
    says(&cluster.fails(&["addons"]), "addons", &["metrics-server could not be applied", "Error: chart", "kclust-addons"]);
}

/// It is of an earlier cluster of that name, and `restore` refuses it.
#[test]
fn a_snapshot_that_is_older_than_the_cluster() {
    let cluster = Healthy::minimal();
    let taken = (Timestamp::now() - SignedDuration::from_mins(30)).strftime("%Y%m%dT%H%M%SZ").to_string();
    let key = format!("{}/backups/etcd/{taken}-r1.db.zst", cluster.cluster.name);
    cluster.account().put_state_object(&key, "snapshot");
    says(&cluster.validate(&[]).expect(0).json(), "backups", &["no snapshot yet: the control planes are young"]);
    let c = &cluster.cluster;
    c.account.kclust(&["restore", &c.name, "--from", "latest", "--yes"]).expect(2);
}

#[test]
fn processes_that_are_suspended() {
    let cluster = Healthy::minimal();
    let c = &cluster.cluster;
    let group = c.id("AutoscalingGroup/workers");
    c.run(c.autoscaling.suspend_processes().auto_scaling_group_name(group).scaling_processes("Launch").send());
    says(&cluster.fails(&["group/workers"]), "group/workers", &["Launch suspended", "resume-processes"]);
}
