//! What slots tell of etcd, and what their silence means: nothing.

use jiff::SignedDuration;

use super::fixture::{API, after, now, system};
use super::told::{find, told};
use crate::health::{Check, CheckStatus, KubernetesView, Report, Snapshot};
use crate::store::EtcdReport;

fn reports(snapshot: &mut Snapshot) -> &mut Vec<EtcdReport> {
    snapshot.etcd.as_mut().unwrap()
}

fn is_old(report: &mut EtcdReport) {
    report.at = now() - SignedDuration::from_mins(30);
}

fn has_no_leader(report: &mut EtcdReport) {
    report.status.as_mut().unwrap()[0].status.leader = 0;
}

fn api_is_silent(snapshot: &mut Snapshot) {
    snapshot.kubernetes = KubernetesView::Unreachable { address: API.into(), reason: "timed out".into() };
}

fn etcd(report: &Report) -> &Check {
    find(report, "etcd")
}

#[test]
fn a_slot_that_tells_nothing_has_not_failed() {
    for spoil in
        [|reports: &mut Vec<EtcdReport>| is_old(&mut reports[0]), |reports: &mut Vec<EtcdReport>| drop(reports.remove(0))]
    {
        let report = after(|snapshot| spoil(reports(snapshot)));
        let (status, message, cause, resources) = told(&report, "etcd");
        assert_eq!((status, message), (CheckStatus::Warning, "3 of 3 members, leader cp-2, database 24 MiB"));
        assert!(cause[0].starts_with("cp-1: has told nothing"), "{cause:?}");
        assert_eq!(resources, ["cp-1"]);
    }
}

/// The only report that is young knows nothing. To restore a snapshot now would lose what etcd has.
#[test]
fn no_answer_is_not_no_leader() {
    let only_one_fresh = |snapshot: &mut Snapshot| {
        let reports = reports(snapshot);
        reports[..2].iter_mut().for_each(is_old);
        (reports[2].status, reports[2].members) = (None, None);
    };
    let report = after(only_one_fresh);
    let check = etcd(&report);
    assert_eq!((check.status, check.message.as_str()), (CheckStatus::Failed, "the members are not known"));
    assert!(check.cause.as_ref().unwrap().starts_with("cp-3: its member does not answer"), "{check:?}");
    assert!(!check.todo.as_ref().unwrap().contains("restore"));
    let report = after(|snapshot| {
        only_one_fresh(snapshot);
        api_is_silent(snapshot);
    });
    let check = etcd(&report);
    assert_eq!(check.status, CheckStatus::Unknown);
    assert_eq!(check.message, "no member of etcd has told whether there is a leader");
    assert_eq!(check.cause.as_ref().unwrap().lines().count(), 3);
    assert!(!check.todo.as_ref().unwrap().contains("restore"));
}

#[test]
fn without_a_leader_the_way_back_is_told() {
    let report = after(|snapshot| {
        reports(snapshot).iter_mut().for_each(has_no_leader);
        system(snapshot).failing = Ok(vec!["etcd".into()]);
    });
    let check = etcd(&report);
    assert_eq!(check.message, "etcd has no leader: there is no quorum, and nothing can be read or written");
    assert!(check.todo.as_ref().unwrap().contains("kclust restore prod.example.com --from latest"));
    let nobody_answers = after(|snapshot| {
        reports(snapshot).iter_mut().for_each(|report| report.status = None);
        api_is_silent(snapshot);
    });
    assert_eq!(etcd(&nobody_answers).message, check.message);
}

#[test]
fn one_member_that_is_cut_off_is_not_the_end_of_the_quorum() {
    let report = after(|snapshot| {
        reports(snapshot)[..2].iter_mut().for_each(is_old);
        has_no_leader(&mut reports(snapshot)[2]);
    });
    let check = etcd(&report);
    assert_eq!((check.status, check.message.as_str()), (CheckStatus::Failed, "3 of 3 members, database 24 MiB"));
    assert!(check.cause.as_ref().unwrap().starts_with("cp-3: its member has no leader"), "{check:?}");
    assert!(!check.todo.as_ref().unwrap().contains("restore"));
}

#[test]
fn members_that_nobody_could_list_are_not_known() {
    let report = after(|snapshot| reports(snapshot).iter_mut().for_each(|report| report.members = None));
    let check = etcd(&report);
    assert_eq!(check.status, CheckStatus::Unknown);
    assert_eq!(check.message, "the members are not known, leader elected, database 24 MiB");
}

#[test]
fn a_database_is_full_by_its_own_quota() {
    let with = |size: u64| {
        after(move |snapshot| {
            let status = &mut reports(snapshot)[1].status.as_mut().unwrap()[0].status;
            (status.db_size, status.db_size_quota) = (size << 20, 4 << 30);
        })
    };
    assert_eq!(etcd(&with(3000)).status, CheckStatus::Ok);
    let report = with(3400);
    assert_eq!(etcd(&report).status, CheckStatus::Warning);
    assert_eq!(etcd(&report).cause.as_deref(), Some("the database has 3400 MiB of 4096 MiB"));
}

#[test]
fn alarms_that_nobody_could_list_are_not_known() {
    let with = |deaf: usize| after(move |snapshot| reports(snapshot)[..deaf].iter_mut().for_each(|report| report.alarms = None));
    assert_eq!(etcd(&with(2)).status, CheckStatus::Ok, "an alarm is one of the whole cluster");
    let report = with(3);
    let check = etcd(&report);
    assert_eq!((check.status, check.cause.as_deref()), (CheckStatus::Unknown, Some("no control plane could list the alarms")));
}

/// That the API server reads it says nothing of a member that is missing, of room, or of alarms.
#[test]
fn the_silence_of_all_slots_is_no_better_than_that_of_one() {
    for spoil in
        [|reports: &mut Vec<EtcdReport>| reports.iter_mut().for_each(is_old), |reports: &mut Vec<EtcdReport>| reports.clear()]
    {
        let silent = |age: SignedDuration| {
            after(move |snapshot| {
                spoil(reports(snapshot));
                snapshot.instances.as_mut().unwrap().iter_mut().for_each(|instance| instance.launched_at = Some(now() - age));
            })
        };
        let report = silent(SignedDuration::from_mins(11));
        let check = etcd(&report);
        assert_eq!(check.status, CheckStatus::Warning, "{check:?}");
        assert!(check.cause.as_ref().unwrap().contains("is not known") && check.todo.is_some(), "{check:?}");
        assert_eq!(etcd(&silent(SignedDuration::from_mins(9))).status, CheckStatus::Ok, "they are about to tell");
    }
    let unseen = after(|snapshot| {
        reports(snapshot).clear();
        snapshot.instances = Err("ec2:DescribeInstances: denied".into());
    });
    assert_eq!(etcd(&unseen).status, CheckStatus::Warning, "nobody knows that they are young");
}
