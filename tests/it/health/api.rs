//! An API that does not answer as it should.

use std::time::Duration;

use super::{Healthy, names, says};

#[test]
fn one_that_reports_errors() {
    let cluster = Healthy::minimal();
    cluster.api.behave(|behaviour| behaviour.every_host.error = Some((503, "apiserver is shutting down".to_owned())));
    let report = cluster.fails(&["api"]);
    says(&report, "api", &["answers, but not as it should", "HTTP 503", "apiserver is shutting down", "crictl logs"]);
    says(&report, "nodes", &["because the API does not answer as it should (see api)"]);
}

#[test]
fn one_whose_checks_fail() {
    let cluster = Healthy::minimal();
    cluster.api.behave(|behaviour| behaviour.failing = vec!["poststarthook/rbac/bootstrap-roles".to_owned()]);
    says(&cluster.fails(&["api"]), "api", &["1 check of /readyz fails", "/readyz: poststarthook/rbac/bootstrap-roles fails"]);
}

/// What cannot be known is said to be unknown: the API may be well.
#[test]
fn one_that_is_slow() {
    let cluster = Healthy::minimal();
    cluster.api.behave(|behaviour| behaviour.every_host.slow = Duration::from_secs(60));
    let report = cluster.validate(&[]).expect(4).json();
    assert_eq!((names(&report, "failed"), names(&report, "unknown")), (vec![], vec!["api".to_owned()]), "{report:#}");
    says(&report, "api", &["accepts connections and does not answer in time", "no answer within 15 s", "look at the load"]);
}

/// Somebody took the ClusterRoleBinding away: nothing is known, and nothing is wrong for anybody else.
#[test]
fn one_that_lets_nobody_look() {
    let cluster = Healthy::minimal();
    let words = "nodes is forbidden: User \"kclust-validate\" cannot list resource \"nodes\"";
    for (status, todo) in [(403, "ClusterRoleBinding"), (401, "clocks")] {
        cluster.api.behave(|behaviour| behaviour.every_host.error = Some((status, words.to_owned())));
        let report = cluster.validate(&[]).expect(4).json();
        assert_eq!((names(&report, "failed"), names(&report, "unknown")), (vec![], vec!["api".to_owned()]), "{report:#}");
        let status = format!("HTTP {status}");
        says(&report, "api", &["answers, but not to kclust", &status, "cannot list resource", todo]);
    }
}

#[test]
fn one_that_the_proxy_does_not_reach() {
    let cluster = Healthy::minimal();
    cluster.api.behave(|behaviour| behaviour.every_host.down = true);
    let report = cluster.validate(&[]).expect(4).json();
    assert_eq!((names(&report, "failed"), names(&report, "unknown")), (vec![], vec!["api".to_owned()]), "{report:#}");
    says(&report, "api", &["could not be reached from here", "HTTPS_PROXY"]);
}

#[test]
fn one_way_of_two() {
    let cluster = Healthy::ha();
    cluster.api.behave(|behaviour| behaviour.hosts.entry("api.prod.example.com".to_owned()).or_default().down = true);
    // That the proxy does not reach it by its name may be so from here only.
    let report = cluster.validate(&[]).expect(0).json();
    assert_eq!(names(&report, "warning"), ["api"]);
    says(
        &report,
        "api",
        &["not by every way from here", "not reached by its name, api.prod.example.com", "the proxy does not reach"],
    );
    assert!(names(&report, "ok").contains(&"nodes".to_owned()), "{report:#}");
}
