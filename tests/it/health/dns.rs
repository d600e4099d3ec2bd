//! The name of the API, and the zone that it lies in.

use super::name_server::NameServer;
use super::{Healthy, names, says, words_of};
use crate::harness::run;

#[test]
fn a_name_that_leads_elsewhere() {
    let cluster = Healthy::ha();
    let balancer = cluster.load_balancer();
    let server = NameServer::start(&[("api.prod.example.com", "192.0.2.1"), (&balancer, "198.51.100.7")]);
    let options = ["--resolver", &server.address()];
    let report = cluster.validate(&options).expect(3).json();
    assert_eq!(names(&report, "failed"), ["dns"], "{report:#}");
    says(&report, "dns", &["answers something else", "api.prod.example.com is 192.0.2.1 there, should be 198.51.100.7"]);
    let right = NameServer::start(&[("api.prod.example.com", "198.51.100.7"), (&balancer, "198.51.100.7")]);
    let report = cluster.validate(&["--resolver", &right.address()]).expect(0).json();
    says(&report, "dns", &["points at the load balancer, and 127.0.0.1:"]);
}

#[test]
fn a_zone_that_is_not_delegated() {
    let cluster = Healthy::ha();
    let balancer = cluster.load_balancer();
    let server = NameServer::start(&[(&balancer, "198.51.100.7")])
        .delegating("example.com", &["ns1.elsewhere.example", "ns2.elsewhere.example"]);
    cluster.api.behave(|behaviour| behaviour.hosts.entry("api.prod.example.com".to_owned()).or_default().down = true);
    let report = cluster.validate(&["--resolver", &server.address()]).expect(3).json();
    assert_eq!(names(&report, "failed"), ["dns"], "{report:#}");
    says(
        &report,
        "dns",
        &["knows no address of api.prod.example.com", "example.com is delegated to ns1.elsewhere.example", "as NS records"],
    );
    // The load balancer still leads there.
    assert!(names(&report, "ok").contains(&"nodes".to_owned()), "{report:#}");
}

/// The zone was made anew, and the registration lists the servers of the old one: they refuse, and resolvers say SERVFAIL.
#[test]
fn a_zone_that_is_delegated_to_servers_that_do_not_have_it() {
    let cluster = Healthy::ha();
    let c = &cluster.cluster;
    let zones = c.run(c.route53.list_hosted_zones_by_name().dns_name("example.com").send());
    let zone = c.run(c.route53.get_hosted_zone().id(zones.hosted_zones()[0].id()).send());
    let servers = zone.delegation_set().unwrap().name_servers().to_vec();
    assert!(!servers.is_empty());
    let server = NameServer::start(&[(&cluster.load_balancer(), "198.51.100.7")]).lame_in("example.com");
    cluster.api.behave(|behaviour| behaviour.hosts.entry("api.prod.example.com".to_owned()).or_default().down = true);
    let report = cluster.validate(&["--resolver", &server.address()]).expect(3).json();
    assert_eq!(names(&report, "failed"), ["dns"], "{report:#}");
    let mut words =
        vec!["finds no server that answers for api.prod.example.com", "answers SERVFAIL", "the NS records of example.com"];
    words.extend(servers.iter().map(String::as_str));
    says(&report, "dns", &words);
}

/// It is the proxy of the API's own name that counts.
#[test]
fn a_name_that_only_the_proxy_looks_up() {
    let cluster = Healthy::ha();
    let unasked = "behind a proxy no name server was asked";
    says(&cluster.validate(&[]).expect(0).json(), "dns", &[unasked]);
    let report = run(cluster.command(&["-o", "json"]).env("NO_PROXY", ".example.com")).json();
    assert!(!words_of(&report, "dns").contains(unasked), "{report:#}");
}

impl Healthy {
    pub fn load_balancer(&self) -> String {
        let c = &self.cluster;
        let found = c.run(c.elbv2.describe_load_balancers().load_balancer_arns(c.id("LoadBalancer/api")).send());
        found.load_balancers()[0].dns_name().unwrap().to_owned()
    }
}
