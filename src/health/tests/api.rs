//! An API that does not answer, and why.

use std::net::Ipv4Addr;

use super::fixture::{API, MACHINES, after, id, nobody_answers, spoil_world};
use super::told::{failed, find, skipped, told, unknown};
use crate::health::{CheckStatus, DnsAnswer, DnsFailure, KubernetesView, Report, Snapshot, Status, api_address, api_url};
use crate::spec::DnsVisibility;

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
