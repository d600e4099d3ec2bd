//! The name of the API: its record, and what name servers say.

use std::net::Ipv4Addr;

use super::fixture::{after, endpoint, id, spoil_world};
use super::told::{failed, find, not_ok, ok, skipped, told};
use crate::health::{CertificateFault, CheckStatus, DnsAnswer, DnsFailure, EndpointKind, Report};
use crate::model::{RecordValue, Resource};
use crate::spec::DnsVisibility;

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
