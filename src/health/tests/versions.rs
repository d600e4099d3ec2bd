//! The version skew policy of Kubernetes, and the version of the spec.

use super::fixture::{after, nodes, running, system};
use super::told::{find, not_ok, ok, told};
use crate::health::{CheckStatus, KubernetesView, Report, Snapshot};

use CheckStatus::{Failed, Ok as Fine, Warning};

fn answers(snapshot: &mut Snapshot, told: &str) {
    let KubernetesView::Reachable { version, .. } = &mut snapshot.kubernetes else { panic!() };
    *version = told.into();
}

/// A component of one control plane.
fn component(snapshot: &mut Snapshot, name: &str, node: &str, version: &str) {
    let pods = system(snapshot).control_plane.as_mut().unwrap();
    let pod = pods.iter_mut().find(|pod| pod.component == name && pod.node.as_deref() == Some(node)).unwrap();
    pod.version = Some(version.into());
}

fn status_and_cause(report: &Report) -> (CheckStatus, Vec<&str>) {
    let (status, _, cause, _) = told(report, "versions");
    (status, cause)
}

#[test]
fn kubelets_are_not_newer_than_the_api_server_and_at_most_three_versions_older() {
    for (kubelet, status, line) in [
        ("v1.37.0", Failed, "i-0b2: kubelet v1.37.0, which is newer than the API server"),
        ("v1.36.3", Warning, "i-0b2: kubelet v1.36.3, the spec says 1.36.2"),
        ("v1.33.9", Warning, "i-0b2: kubelet v1.33.9, the spec says 1.36.2"),
        ("v1.32.9", Failed, "i-0b2: kubelet v1.32.9, more than 3 minor versions older than the API server"),
        ("unknown", Failed, "i-0b2: kubelet unknown, which is no version"),
    ] {
        let report = after(|snapshot| nodes(snapshot)[4].kubelet_version = kubelet.into());
        assert_eq!(status_and_cause(&report), (status, vec![line]));
        assert_eq!((not_ok(&report), &find(&report, "versions").resources[..]), (vec!["versions"], &["i-0b2".to_owned()][..]));
    }
    let suffixed = after(|snapshot| {
        answers(snapshot, "v1.36.2-custom.1+build");
        nodes(snapshot)[4].kubelet_version = "v1.36.2+x".into();
    });
    assert_eq!(told(&suffixed, "versions"), ok("API server and 6 nodes run 1.36.2"));
}

/// Each machine of a rolling update has its turn; the cluster is well meanwhile.
#[test]
fn an_update_on_its_way_is_a_warning() {
    let report = after(|snapshot| {
        for name in ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
            component(snapshot, name, "i-0a2", "v1.35.7");
            component(snapshot, name, "i-0a3", "v1.35.7");
        }
        running(snapshot, "DaemonSet/kube-proxy").version = Some("v1.35.7".into());
        nodes(snapshot)[1..].iter_mut().for_each(|node| node.kubelet_version = "v1.35.7".into());
        nodes(snapshot)[0].kubelet_version = "v1.35.7".into();
    });
    let (status, message, cause, _) = told(&report, "versions");
    assert_eq!((status, message), (Warning, "6 of 6 nodes not on 1.36.2"));
    assert_eq!(cause[0], "API server: v1.35.7, the spec says 1.36.2");
}

#[test]
fn api_servers_are_at_most_one_version_apart_and_the_oldest_binds_the_kubelets() {
    let with = |version: &'static str| after(move |snapshot| component(snapshot, "kube-apiserver", "i-0a3", version));
    let report = with("v1.34.9");
    let (status, cause) = status_and_cause(&report);
    assert_eq!((status, cause[0]), (Failed, "API servers v1.34.9 and v1.36.2: more than 1 minor version apart"));
    let report = with("v1.35.7");
    let (status, cause) = status_and_cause(&report);
    assert_eq!(status, Failed, "kubelets of 1.36 may come to the API server of 1.35: {cause:?}");
    assert!(cause.contains(&"i-0b1: kubelet v1.36.2, which is newer than the API server"), "{cause:?}");
}

#[test]
fn controllers_are_not_newer_than_the_api_server_beside_them_and_at_most_one_version_older() {
    let with = |version: &'static str| after(move |snapshot| component(snapshot, "kube-scheduler", "i-0a1", version));
    for (version, status, line) in [
        ("v1.35.7", Warning, "i-0a1: kube-scheduler v1.35.7, the spec says 1.36.2"),
        ("v1.34.9", Failed, "i-0a1: kube-scheduler v1.34.9, more than 1 minor version older than the API server"),
        ("v1.37.0", Failed, "i-0a1: kube-scheduler v1.37.0, which is newer than the API server"),
    ] {
        assert_eq!(status_and_cause(&with(version)), (status, vec![line]));
    }
    assert_eq!(find(&with("sha-0123"), "versions").status, Fine, "a tag of one's own tells no version");
}

#[test]
fn kube_proxy_goes_with_the_api_server_and_with_the_kubelets() {
    let with =
        |version: &'static str| after(move |snapshot| running(snapshot, "DaemonSet/kube-proxy").version = Some(version.into()));
    for (version, status, line) in [
        ("v1.34.9", Warning, "kube-proxy v1.34.9, the spec says 1.36.2"),
        ("v1.37.0", Failed, "kube-proxy v1.37.0, which is newer than the API server"),
    ] {
        assert_eq!(status_and_cause(&with(version)), (status, vec![line]));
    }
    let too_old = with("v1.32.0");
    let (status, cause) = status_and_cause(&too_old);
    assert_eq!((status, cause[0]), (Failed, "kube-proxy v1.32.0, more than 3 minor versions older than the API server"));
    assert_eq!(cause[1], "i-0a1: kubelet v1.36.2, more than 3 minor versions from kube-proxy 1.32.0");
}

#[test]
fn a_server_of_another_version_than_the_spec_is_a_warning() {
    let report = after(|snapshot| {
        answers(snapshot, "v1.36.3");
        system(snapshot).control_plane = Err("pods is forbidden".into());
    });
    let (status, message, cause, _) = told(&report, "versions");
    assert_eq!((status, message), (Warning, "not everything runs 1.36.2"));
    assert_eq!(cause, ["API server: v1.36.3, the spec says 1.36.2"]);
}
