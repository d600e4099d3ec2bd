//! etcd has a quorum and a leader, its members are the slots, and it has room.
//!
//! Only the slots can ask it; each writes every minute what its own member answers.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::store::{EtcdReport, MemberStatus};

use super::super::report::{Check, Findings};
use super::super::{KubernetesView, Snapshot};
use super::{count, since, span};

const NAME: &str = "etcd";

/// A report that is older is of a slot that is gone, or cannot write any more.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// Part of the quota from which on a person should know.
const FULL_PERCENT: u64 = 80;
/// `--quota-backend-bytes` where the member does not tell it (before etcd 3.6).
const DEFAULT_QUOTA: u64 = 2 << 30;

pub(super) fn check(snapshot: &Snapshot) -> Check {
    let reports = match &snapshot.etcd {
        Ok(reports) => reports,
        Err(reason) => return Check::unknown(NAME, "the reports of the control planes could not be read", reason),
    };
    let fresh: Vec<&EtcdReport> = reports.iter().filter(|report| since(snapshot.now, report.at) < FRESH).collect();
    if fresh.is_empty() {
        return without_reports(snapshot, reports);
    }
    let with_leader = fresh.iter().filter(|report| status(report).is_some_and(|status| status.leader != 0)).count();
    let mut findings = Findings::default();
    let slots: Vec<String> = snapshot.cluster.slots().into_iter().map(|slot| slot.name).collect();
    for slot in &slots {
        let report = reports.iter().find(|report| report.slot == *slot);
        if let Some(words) = trouble(report, snapshot) {
            findings.add(slot, format!("{slot}: {words}"));
        }
    }
    if with_leader == 0 {
        for report in &fresh {
            status(report)
                .into_iter()
                .flat_map(|status| &status.errors)
                .for_each(|error| findings.quote(format!("{}: {error}", report.slot)));
        }
        return Check::failed(NAME, "etcd has no leader: there is no quorum, and nothing can be read or written", findings).todo(format!(
            "bring back the control planes that are missing: with their volumes they take up where they were. Where volumes are lost, \
             `kclust restore {} --from latest`",
            snapshot.cluster.name
        ));
    }
    judge(&fresh, &slots, findings, snapshot)
}

fn judge(fresh: &[&EtcdReport], slots: &[String], mut findings: Findings, snapshot: &Snapshot) -> Check {
    let mut todo = "look at etcd on that control plane: `crictl logs` of etcd, `journalctl -u kclust-boot`";
    let list = fresh.iter().find_map(|report| report.members.as_ref()).map(|list| &list.members);
    let members: BTreeSet<&str> = list.into_iter().flatten().map(|member| member.name.as_str()).collect();
    if list.is_some() {
        for slot in slots.iter().filter(|slot| !members.contains(slot.as_str())) {
            findings.add(slot, format!("{slot} is not a member"));
        }
        for member in members.iter().filter(|member| !slots.iter().any(|slot| slot == *member)) {
            let name = if member.is_empty() { "one that has never started" } else { member };
            findings.add(*member, format!("a member is no slot: {name}"));
            todo = "remove it with `etcdctl member remove` on a control plane, unless it is about to start";
        }
        for member in list.into_iter().flatten().filter(|member| member.learner) {
            findings.add(&member.name, format!("{} is a learner, and has no vote yet", member.name));
        }
    }
    let alarms: BTreeSet<u32> =
        fresh.iter().filter_map(|report| report.alarms.as_ref()).flat_map(|list| &list.alarms).map(|alarm| alarm.alarm).collect();
    for alarm in alarms {
        let (words, mend) = match alarm {
            1 => (
                "NOSPACE: the database is full, and etcd refuses to write",
                "compact and defragment it, then `etcdctl alarm disarm`",
            ),
            2 => {
                ("CORRUPT: the data of a member differs from that of the others", "replace the volume of the member that differs")
            }
            _ => ("an alarm that this version does not know", "`etcdctl alarm list` on a control plane names it"),
        };
        findings.explain(format!("alarm {words}"));
        todo = mend;
    }
    let leader = fresh.iter().filter_map(|report| status(report)).map(|status| status.leader).find(|leader| *leader != 0);
    let leader =
        leader.and_then(|id| list?.iter().find(|member| member.id == id)).map_or("elected", |member| member.name.as_str());
    let largest = fresh.iter().filter_map(|report| status(report)).max_by_key(|status| status.db_size);
    let size = largest.map_or(0, |status| status.db_size);
    let quota = largest.map(|status| status.db_size_quota).filter(|quota| *quota > 0).unwrap_or(DEFAULT_QUOTA);
    let words = format!(
        "{} of {}, leader {leader}, database {}",
        slots.iter().filter(|slot| members.contains(slot.as_str())).count(),
        count(slots.len(), "member"),
        mebibytes(size)
    );
    if !findings.is_empty() {
        return Check::failed(NAME, words, findings).todo(todo);
    }
    if size * 100 >= quota * FULL_PERCENT {
        findings.explain(format!("the database has {} of {}", mebibytes(size), mebibytes(quota)));
        return Check::warning(NAME, words, findings)
            .todo("find out what fills it (events, large ConfigMaps), and defragment it; at the quota etcd refuses to write");
    }
    let told = format!("{words} (told {} ago)", span(snapshot.now.duration_since(newest(fresh))));
    Check::ok(NAME, told)
}

fn newest(reports: &[&EtcdReport]) -> jiff::Timestamp {
    reports.iter().map(|report| report.at).max().unwrap_or_default()
}

/// What is wrong with the report of a slot.
fn trouble(report: Option<&EtcdReport>, snapshot: &Snapshot) -> Option<String> {
    let Some(report) = report else { return Some("has told nothing".to_owned()) };
    let age = since(snapshot.now, report.at);
    if age >= FRESH {
        return Some(format!("has told nothing for {}", span(age)));
    }
    match status(report) {
        None => Some("its member does not answer".to_owned()),
        Some(status) if status.leader == 0 => Some("its member has no leader".to_owned()),
        Some(_) => None,
    }
}

/// What the API server says of it, where the slots say nothing: older boot programs do not.
fn without_reports(snapshot: &Snapshot, reports: &[EtcdReport]) -> Check {
    let silent =
        if reports.is_empty() { "no control plane has told more yet" } else { "no control plane has told more for some time" };
    match &snapshot.kubernetes {
        KubernetesView::Reachable { system, .. } => match &system.failing {
            Ok(failing) if failing.iter().any(|check| check.starts_with("etcd")) => {
                let mut findings = Findings::default();
                findings.quote(format!("/readyz: {} fails", failing.join(", ")));
                Check::failed(NAME, "the API server cannot use etcd", findings)
                    .todo("look at etcd on the control planes: `crictl logs` of etcd")
            }
            Ok(_) => Check::ok(NAME, format!("the API server reads it; {silent}")),
            Err(reason) => Check::unknown(NAME, silent, reason),
        },
        KubernetesView::Unreachable { .. } | KubernetesView::Refused { .. } | KubernetesView::Skipped { .. } => {
            Check::skipped(NAME, "because no control plane has told of it, and the API cannot be asked (see api)")
        }
    }
}

fn status(report: &EtcdReport) -> Option<&MemberStatus> {
    report.status.as_ref()?.first().map(|endpoint| &endpoint.status)
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
