//! What the cluster itself runs: what is missed, what is starting, and what is nobody's concern.

use jiff::SignedDuration;

use super::fixture::{after, healthy, nodes, now, running, system};
use super::told::{failed, find, ok, told};
use crate::health::{CheckStatus, Pod, Report, Scope, Snapshot, Workload, check};
use crate::spec::Cni;

fn pod(name: &str, node: Option<&str>, age: SignedDuration, trouble: &str) -> Pod {
    Pod {
        namespace: "kube-system".into(),
        name: name.into(),
        node: node.map(str::to_owned),
        created_at: Some(now() - age),
        critical: true,
        trouble: trouble.into(),
    }
}

const OLD: SignedDuration = SignedDuration::from_mins(6);
const YOUNG: SignedDuration = SignedDuration::from_mins(4);

/// One pod of Cilium is missing; of its pods these are in trouble.
fn without_a_pod(troubled: Option<Vec<Pod>>) -> impl FnOnce(&mut Snapshot) {
    move |snapshot| {
        let cilium = running(snapshot, "DaemonSet/cilium");
        (cilium.available, cilium.troubled) = (5, troubled);
    }
}

#[test]
fn pods_in_trouble_are_told_but_for_those_that_start() {
    let trouble = "container cilium-agent: CrashLoopBackOff";
    let with = |age| after(without_a_pod(Some(vec![pod("cilium-x", Some("i-0b1"), age, trouble)])));
    assert_eq!(told(&with(YOUNG), "pods"), ok("3 system workloads available, 1 starting"));
    let report = with(OLD);
    assert_eq!(
        told(&report, "pods"),
        failed("1 part of the system not running", &["DaemonSet/cilium: 5 of 6 available"], &["DaemonSet/cilium", "cilium-x"])
    );
    assert_eq!(find(&report, "pods").evidence, ["kube-system/cilium-x on i-0b1: container cilium-agent: CrashLoopBackOff"]);
}

#[test]
fn what_every_cluster_has_must_be_there() {
    for (name, mend) in [
        ("Deployment/coredns", "kubeadm init phase addon"),
        ("DaemonSet/kube-proxy", "kubeadm init phase addon"),
        ("DaemonSet/cilium", "kclust-addons"),
        ("DaemonSet/aws-cloud-controller-manager", "kclust-addons"),
    ] {
        let report = after(|snapshot| {
            system(snapshot).workloads.as_mut().unwrap().retain(|workload| workload.name != name);
        });
        let line = format!("{name}: does not exist");
        assert_eq!(told(&report, "pods"), failed("1 part of the system not running", &[&line], &[name]));
        assert!(find(&report, "pods").todo.as_ref().unwrap().contains(mend), "{name}");
        let report = after(|snapshot| {
            let workload = running(snapshot, name);
            (workload.wanted, workload.available) = (0, 0);
        });
        let line = format!("{name}: wants no pods");
        assert_eq!(told(&report, "pods"), failed("1 part of the system not running", &[&line], &[name]));
    }
}

#[test]
fn a_network_of_somebody_else_may_do_without_kube_proxy() {
    let report = after(|snapshot| {
        snapshot.cluster.network.cni = Cni::None;
        let ours = |name: &str| name.ends_with("coredns") || name.ends_with("manager");
        system(snapshot).workloads.as_mut().unwrap().retain(|workload| ours(&workload.name));
    });
    assert_eq!(told(&report, "pods"), ok("2 system workloads available"));
}

#[test]
fn what_an_addon_has_yet_to_bring_is_told_once() {
    let report = after(|snapshot| {
        system(snapshot).workloads.as_mut().unwrap().retain(|workload| workload.name != "DaemonSet/cilium");
        snapshot.addons.as_mut().unwrap().as_mut().unwrap().retain(|report| report.name != "cilium");
    });
    assert_eq!(find(&report, "pods").status, CheckStatus::Ok);
}

#[test]
fn every_control_plane_that_is_ready_runs_every_component() {
    let without_scheduler = |snapshot: &mut Snapshot| {
        let pods = system(snapshot).control_plane.as_mut().unwrap();
        pods.retain(|pod| pod.component != "kube-scheduler" || pod.node.as_deref() != Some("i-0a2"));
    };
    let report = after(without_scheduler);
    assert_eq!(
        told(&report, "pods"),
        failed("1 part of the system not running", &["kube-scheduler: no pod on i-0a2"], &["kube-scheduler-i-0a2"])
    );
    assert!(find(&report, "pods").todo.as_ref().unwrap().contains("/etc/kubernetes/manifests"));
    let report = after(|snapshot| {
        without_scheduler(snapshot);
        nodes(snapshot)[1].not_ready = Some("NodeStatusUnknown".into());
    });
    assert_eq!(find(&report, "pods").status, CheckStatus::Ok, "nodes says it");
    let report = after(|snapshot| {
        without_scheduler(snapshot);
        snapshot.instances.as_mut().unwrap()[1].launched_at = Some(now() - YOUNG);
    });
    assert_eq!(find(&report, "pods").status, CheckStatus::Ok, "it has just joined");
}

#[test]
fn between_two_looks_pods_become_ready() {
    let with = |changed: SignedDuration| {
        after(move |snapshot| {
            without_a_pod(Some(Vec::new()))(snapshot);
            running(snapshot, "DaemonSet/cilium").changed_at = Some(now() - changed);
        })
    };
    assert_eq!(told(&with(YOUNG), "pods"), ok("3 system workloads available, 1 starting"));
    assert_eq!(find(&with(OLD), "pods").status, CheckStatus::Failed, "nobody makes the pod that is missing");
}

/// A node joins, and thirteen daemon sets lack a pod there: more than are looked at.
#[test]
fn workloads_at_which_nobody_has_looked_are_not_known() {
    let report = after(without_a_pod(None));
    let (status, message, cause, _) = told(&report, "pods");
    assert_eq!((status, message), (CheckStatus::Unknown, "1 workload without all of their pods, at which nobody has looked"));
    assert_eq!(cause, ["DaemonSet/cilium: 5 of 6 available"]);
    let joining = |age: SignedDuration, lacking: u32| {
        after(move |snapshot| {
            without_a_pod(None)(snapshot);
            running(snapshot, "DaemonSet/cilium").available = 6 - lacking;
            snapshot.instances.as_mut().unwrap()[5].launched_at = Some(now() - age);
        })
    };
    assert_eq!(told(&joining(YOUNG, 1), "pods"), ok("3 system workloads available, 1 starting"));
    assert_eq!(find(&joining(YOUNG, 2), "pods").status, CheckStatus::Unknown, "one node does not account for two pods");
    assert_eq!(find(&joining(SignedDuration::from_mins(11), 1), "pods").status, CheckStatus::Unknown);
}

/// Somebody's agent in kube-system does not decide whether the cluster is well.
#[test]
fn what_the_cluster_can_do_without_is_a_warning() {
    let with = |name: &'static str, critical: bool| {
        after(move |snapshot| {
            let troubled = vec![pod("agent-x", Some("i-0b1"), OLD, "container main: CrashLoopBackOff")];
            let like = running(snapshot, "DaemonSet/cilium").clone();
            let workload = Workload { name: name.into(), available: 5, critical, troubled: Some(troubled), ..like };
            system(snapshot).workloads.as_mut().unwrap().push(workload);
        })
    };
    let report = with("DaemonSet/agent", false);
    let (status, message, cause, resources) = told(&report, "pods");
    assert_eq!((status, message), (CheckStatus::Warning, "1 part of kube-system not running that the cluster can do without"));
    assert_eq!((cause, resources), (vec!["DaemonSet/agent: 5 of 6 available"], vec!["DaemonSet/agent", "agent-x"]));
    assert!(find(&report, "pods").todo.as_ref().unwrap().contains("logs --previous"));
    assert_eq!(find(&with("DaemonSet/agent", true), "pods").status, CheckStatus::Failed, "its class says that it is needed");
    assert_eq!(find(&with("Deployment/metrics-server", false), "pods").status, CheckStatus::Failed, "an addon of the spec");
    let pending = |critical| {
        after(move |snapshot| {
            system(snapshot).pending = Ok(vec![Pod { critical, ..pod("agent-x", None, OLD, "not scheduled: Unschedulable") }]);
        })
    };
    assert_eq!(find(&pending(false), "pods").status, CheckStatus::Warning);
    assert_eq!(find(&pending(true), "pods").status, CheckStatus::Failed);
}

#[test]
fn pods_of_users_that_have_a_node_are_their_own_affair() {
    let user = |node, trouble: &str| Pod { namespace: "shop".into(), critical: false, ..pod("web-0", node, OLD, trouble) };
    let with = |pod: Pod| after(|snapshot| system(snapshot).pending = Ok(vec![pod]));
    let report = with(user(None, "not scheduled: Unschedulable: 0/6 nodes are available"));
    let (status, message, cause, _) = told(&report, "pods");
    assert_eq!((status, message), (CheckStatus::Warning, "1 pod of users wait for a node"));
    assert_eq!(cause, ["shop/web-0: not scheduled: Unschedulable: 0/6 nodes are available"]);
    let report = with(user(Some("i-0b1"), "container main: ImagePullBackOff"));
    assert_eq!(told(&report, "pods"), ok("4 system workloads available"));
}

#[test]
fn what_helps_fits_what_the_kubelet_says() {
    let todo = |trouble: &str| {
        let report: Report = after(without_a_pod(Some(vec![pod("cilium-x", None, OLD, trouble)])));
        find(&report, "pods").todo.clone().unwrap()
    };
    assert!(todo("container main: CreateContainerConfigError: configmap \"a\" not found").contains("cannot be made"));
    assert!(todo("container main: Error (exit code 1), 3 restarts").contains("again and again"));
    assert!(todo("container main: ImagePullBackOff: Error response").contains("cannot be pulled"));
}

/// Half of a large cluster in trouble is judged in less than a blink: 2,500 pods of one daemon set.
#[test]
fn many_pods_in_trouble_are_judged_at_once() {
    let mut snapshot = healthy();
    let many: Vec<Pod> = (0..20_000).map(|number| pod(&format!("cilium-{number}"), Some("i-0b1"), OLD, "not ready")).collect();
    without_a_pod(Some(many.clone()))(&mut snapshot);
    system(&mut snapshot).pending = Ok(many);
    let report = check(&snapshot, &Scope::default());
    assert_eq!(find(&report, "pods").resources.len(), 20_001);
}
