//! etcd has a quorum and a leader, its members are the slots, and it has room.
//!
//! Only the slots can ask it; each writes every minute what its own member answers.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::store::{EtcdReport, MemberStatus};

use super::super::report::{Check, Findings};
use super::super::{KubernetesView, Snapshot};
use super::{BOOT_TIME, count, is_slot, since, span};

pub(super) const NAME: &str = "etcd";

/// A report that is older is of a slot that is gone, or cannot write any more.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// Part of the quota from which on a person should know.
const FULL_PERCENT: u64 = 80;

const TELL_NOTHING: &str =
    "see whether the machine runs (`group`, `nodes`) and reaches S3: `journalctl -u kclust-tend` there says why it tells nothing";

pub(super) fn check(snapshot: &Snapshot) -> Check {
    let reports = match &snapshot.etcd {
        Ok(reports) => reports,
        Err(reason) => return Check::unknown(NAME, "the reports of the control planes could not be read", reason),
    };
    let fresh: Vec<&EtcdReport> = reports.iter().filter(|report| since(snapshot.now, report.at) < FRESH).collect();
    if fresh.is_empty() {
        return without_reports(snapshot, reports);
    }
    let slots: Vec<String> = snapshot.cluster.slots().into_iter().map(|slot| slot.name).collect();
    let mut findings = Findings::default();
    let mut silent = Findings::default();
    for slot in &slots {
        let report = reports.iter().find(|report| report.slot == *slot);
        match trouble(report, snapshot) {
            Some(Trouble::Silent(words)) => silent.add(slot, format!("{slot}: {words}")),
            Some(Trouble::Said(words)) => findings.add(slot, format!("{slot}: {words}")),
            None => {}
        }
    }
    let said = || fresh.iter().filter_map(|report| status(report));
    let api_reads_it = matches!(failing(snapshot), Some(Ok(failing)) if failing.is_empty());
    if said().all(|status| status.leader == 0) && !api_reads_it {
        // A member that has lost its leader says so. Where none answers, that is known only if none is silent.
        if said().next().is_some() || silent.is_empty() {
            return without_leader(&fresh, findings.and(silent), snapshot);
        }
        return Check::undecided(NAME, "no member of etcd has told whether there is a leader", findings.and(silent)).todo(
            "look on the control planes whether etcd runs (`crictl ps`) and whether they reach S3 (`journalctl -u kclust-tend`)",
        );
    }
    judge(&fresh, &slots, findings, silent, snapshot)
}

/// No quorum, by the word of a member or because none answers.
fn without_leader(fresh: &[&EtcdReport], mut findings: Findings, snapshot: &Snapshot) -> Check {
    for report in fresh {
        let errors = status(report).into_iter().flat_map(|status| &status.errors);
        errors.for_each(|error| findings.quote(format!("{}: {error}", report.slot)));
    }
    Check::failed(NAME, "etcd has no leader: there is no quorum, and nothing can be read or written", findings).todo(format!(
        "bring back the control planes that are missing: with their volumes they take up where they were. Where volumes are lost, \
         `kclust restore {} --from latest`",
        snapshot.cluster.name
    ))
}

/// There is a leader; or nobody says that there is none, and the API server reads etcd.
fn judge(fresh: &[&EtcdReport], slots: &[String], mut findings: Findings, silent: Findings, snapshot: &Snapshot) -> Check {
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
    let mut words = match list {
        Some(_) => {
            let slots_in = slots.iter().filter(|slot| members.contains(slot.as_str())).count();
            format!("{slots_in} of {}", count(slots.len(), "member"))
        }
        None => "the members are not known".to_owned(),
    };
    let statuses = || fresh.iter().filter_map(|report| status(report));
    if let Some(leader) = statuses().map(|status| status.leader).find(|leader| *leader != 0) {
        let name = list.and_then(|list| list.iter().find(|member| member.id == leader));
        words = format!("{words}, leader {}", name.map_or("elected", |member| member.name.as_str()));
    }
    let largest = statuses().max_by_key(|status| status.db_size);
    if let Some(status) = largest {
        words = format!("{words}, database {}", mebibytes(status.db_size));
    }
    if !findings.is_empty() {
        return Check::failed(NAME, words, findings.and(silent)).todo(todo);
    }
    if list.is_none() {
        findings.explain("no control plane could list the members");
        return Check::undecided(NAME, words, findings.and(silent)).todo("`etcdctl member list` on a control plane says why");
    }
    if fresh.iter().all(|report| report.alarms.is_none()) {
        findings.explain("no control plane could list the alarms");
        return Check::undecided(NAME, words, findings.and(silent)).todo("`etcdctl alarm list` on a control plane says why");
    }
    if let Some(status) = largest.filter(|status| status.db_size * 100 >= status.db_size_quota * FULL_PERCENT) {
        let (size, quota) = (mebibytes(status.db_size), mebibytes(status.db_size_quota));
        findings.explain(format!("the database has {size} of {quota}"));
        return Check::warning(NAME, words, findings.and(silent))
            .todo("find out what fills it (events, large ConfigMaps), and defragment it; at the quota etcd refuses to write");
    }
    if !silent.is_empty() {
        return Check::warning(NAME, words, silent).todo(TELL_NOTHING);
    }
    let told = format!("{words} (told {} ago)", span(snapshot.now.duration_since(newest(fresh))));
    Check::ok(NAME, told)
}

fn newest(reports: &[&EtcdReport]) -> jiff::Timestamp {
    reports.iter().map(|report| report.at).max().unwrap_or_default()
}

enum Trouble {
    /// What it would say is not known.
    Silent(String),
    Said(&'static str),
}

/// What is wrong with the report of a slot.
fn trouble(report: Option<&EtcdReport>, snapshot: &Snapshot) -> Option<Trouble> {
    let Some(report) = report else { return Some(Trouble::Silent("has told nothing".to_owned())) };
    let age = since(snapshot.now, report.at);
    if age >= FRESH {
        return Some(Trouble::Silent(format!("has told nothing for {}", span(age))));
    }
    match status(report) {
        None => Some(Trouble::Said("its member does not answer")),
        Some(status) if status.leader == 0 => Some(Trouble::Said("its member has no leader")),
        Some(_) => None,
    }
}

/// Checks of `/readyz` about etcd that fail; `None` where nobody could ask.
fn failing(snapshot: &Snapshot) -> Option<Result<Vec<&str>, &str>> {
    let KubernetesView::Reachable { system, .. } = &snapshot.kubernetes else { return None };
    let of_etcd = match &system.failing {
        Ok(failing) => Ok(failing.iter().map(String::as_str).filter(|check| check.starts_with("etcd")).collect()),
        Err(reason) => Err(reason.as_str()),
    };
    Some(of_etcd)
}

/// Whether no control plane has been there for as long as a boot takes: none can have told anything yet.
fn are_young(snapshot: &Snapshot) -> bool {
    let slots = snapshot.instances.iter().flatten().filter(|instance| {
        let runs = matches!(instance.state.as_str(), "pending" | "running");
        runs && instance.group.as_deref().is_some_and(|group| is_slot(group, snapshot))
    });
    let oldest = slots.filter_map(|instance| instance.launched_at).min();
    oldest.is_some_and(|launched| since(snapshot.now, launched) < BOOT_TIME)
}

/// What the API server says of it, where the slots say nothing.
fn without_reports(snapshot: &Snapshot, reports: &[EtcdReport]) -> Check {
    let silent =
        if reports.is_empty() { "no control plane has told more yet" } else { "no control plane has told more for some time" };
    match failing(snapshot) {
        Some(Ok(failing)) if failing.is_empty() && are_young(snapshot) => {
            Check::ok(NAME, format!("the API server reads it; {silent}: the control planes are young"))
        }
        Some(Ok(failing)) if failing.is_empty() => {
            let mut findings = Findings::default();
            findings.explain("whether it has all its members, room and no alarm is not known");
            Check::warning(NAME, format!("the API server reads it; {silent}"), findings).todo(TELL_NOTHING)
        }
        Some(Ok(failing)) => {
            let mut findings = Findings::default();
            findings.quote(format!("/readyz: {} fails", failing.join(", ")));
            Check::failed(NAME, "the API server cannot use etcd", findings)
                .todo("look at etcd on the control planes: `crictl logs` of etcd")
        }
        Some(Err(reason)) => Check::unknown(NAME, silent, reason),
        None => Check::skipped(NAME, "because no control plane has told of it, and the API cannot be asked (see api)"),
    }
}

fn status(report: &EtcdReport) -> Option<&MemberStatus> {
    report.status.as_ref()?.first().map(|endpoint| &endpoint.status)
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
