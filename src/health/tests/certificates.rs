//! Certificates and authorities that end.

use jiff::SignedDuration;

use super::fixture::{after, certificate_report, now};
use super::told::{find, told};
use crate::health::{CheckStatus, Report, Status};

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
    assert!(!todo(&expired).contains("reboot them"), "{}", todo(&expired));
    let both = after(|snapshot| {
        snapshot.authorities = Ok(vec![("ca.crt".into(), now() + SignedDuration::from_hours(24 * 29))]);
        let certificate = snapshot.endpoints[0].certificate.as_mut().unwrap();
        certificate.not_after = now() + SignedDuration::from_hours(24);
    });
    assert!(todo(&both).contains("new authority") && todo(&both).contains("; reboot them"), "{}", todo(&both));
}

/// Which API server answers is chance: each control plane tells of its own certificates.
#[test]
fn a_slot_that_does_not_renew_is_a_warning() {
    let with = |days: i64| {
        after(move |snapshot| {
            let slots = [("cp-1", 300), ("cp-2", days), ("cp-3", 300)];
            snapshot.slot_certificates = Ok(slots.map(|(slot, days)| certificate_report(slot, days)).into());
        })
    };
    assert_eq!(find(&with(31), "certificates").status, CheckStatus::Ok);
    for (days, cause) in [
        (29, "apiserver of cp-2 ends in 29 days, at 2026-12-26 12:00 UTC"),
        (-2, "apiserver of cp-2 has been expired since 2026-11-25 12:00 UTC"),
    ] {
        let report = with(days);
        let check = find(&report, "certificates");
        assert_eq!((check.status, check.cause.as_deref()), (CheckStatus::Warning, Some(cause)));
        assert!(check.todo.as_ref().unwrap().contains("journalctl -u kclust-tend"), "{:?}", check.todo);
    }
    let unread = after(|snapshot| snapshot.slot_certificates = Err("s3:GetObject: denied".into()));
    assert_eq!(told(&unread, "certificates").0, CheckStatus::Unknown);
}
