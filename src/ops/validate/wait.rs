//! Waiting until a cluster is healthy: Kubernetes is watched, AWS is asked little and seldom.
//!
//! Each tick costs AWS four calls, and pages: groups, instances, targets, and one question more. Which, is decided by what has been
//! asked longest ago of all that could explain a check that is not content.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout_at};

use crate::health::{self, Check, CheckStatus, KubernetesView, Report, Status};
use crate::ops::OpsError;
use crate::ops::slots::slot_names;

use super::look::{Looker, is_weak};
use super::{ApiFollower, Follows, ValidateOptions};

const TICK: Duration = Duration::from_secs(10);
/// Events come in swarms: what follows the first within this time is looked at together with it.
const SWARM: Duration = Duration::from_millis(500);
/// The client certificate outlives the waiting.
const SPARE: Duration = Duration::from_secs(15 * 60);

/// The one question more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    /// Why a group, by its name in AWS, is weak.
    Activities(String),
    /// Where the boot of an instance stands.
    Boot(String),
    /// What a slot says of etcd.
    Etcd(String),
    Addons,
    Backups,
    /// Everything that a plan looks at: dear, and only worth it when nothing else is left to wait for.
    World,
}

pub(super) async fn wait(
    looker: &mut Looker<'_>,
    mut report: Report,
    patience: Duration,
    options: &ValidateOptions,
    follows: &dyn Follows,
) -> Result<Report, OpsError> {
    let begun = Instant::now();
    let end = begun + patience;
    let mut asked: BTreeMap<Question, u32> = BTreeMap::new();
    let mut follower: Option<Box<dyn ApiFollower>> = None;
    let mut ticks = interval_at(begun + TICK, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look_at_api(looker, &mut follower, patience, &report, false).await;
    for tick in 1.. {
        looker.environment.operator.phase(&waiting_for(&report));
        let changed = async {
            match &mut follower {
                Some(follower) => follower.changed().await,
                None => std::future::pending().await,
            }
        };
        let ticked = tokio::select! {
            _ = sleep_until(end) => {
                return Ok(Report { waited_seconds: Some(patience.as_secs()), ..report });
            }
            _ = ticks.tick() => true,
            () = changed => false,
        };
        if ticked {
            let answer = looker.ask_aws().await;
            looker.take_aws(answer);
            ask_one_more(looker, &report, &mut asked, tick).await?;
        } else if let Some(follower) = &mut follower {
            let swarm = Instant::now() + SWARM;
            while timeout_at(swarm, follower.changed()).await.is_ok() {}
        }
        look_at_api(looker, &mut follower, patience, &report, ticked).await;
        let now = health::check(&looker.snapshot, &options.scope);
        follows.changed(&differences(&report, &now));
        report = now;
        if report.status == Status::Healthy {
            return Ok(Report { waited_seconds: Some(begun.elapsed().as_secs()), ..report });
        }
    }
    Ok(report)
}

/// The API through the watch; the ways to it anew where they were wanting.
async fn look_at_api(
    looker: &mut Looker<'_>,
    follower: &mut Option<Box<dyn ApiFollower>>,
    patience: Duration,
    report: &Report,
    ticked: bool,
) {
    let content = |name: &str| !is_open(report, name);
    if ticked && !(content("certificates") && content("api") && content("dns")) {
        let (endpoints, ()) = (looker.endpoints().await, looker.ask_dns_again().await);
        looker.snapshot.endpoints = endpoints;
        let reached = matches!(looker.snapshot.kubernetes, KubernetesView::Reachable { .. });
        if !reached {
            *follower = None;
        }
    }
    if follower.is_none()
        && let (Some(pki), Some((host, name))) = (&looker.pki, looker.way(&looker.snapshot.endpoints))
    {
        *follower = looker.api.follow(&host, &name, pki, patience + SPARE);
    }
    if let Some(follower) = follower {
        looker.snapshot.kubernetes = follower.view().await;
    }
}

async fn ask_one_more(
    looker: &mut Looker<'_>,
    report: &Report,
    asked: &mut BTreeMap<Question, u32>,
    tick: u32,
) -> Result<(), OpsError> {
    let questions = questions(looker, report);
    let Some(question) = questions.into_iter().min_by_key(|question| asked.get(question).copied().unwrap_or_default()) else {
        return Ok(());
    };
    let (aws, store) = (looker.environment.aws, looker.store);
    match &question {
        Question::Activities(name) => {
            if let Ok(failure) = aws.last_failure(name).await
                && let Some(group) = looker.snapshot.groups.iter_mut().flatten().find(|group| group.group_name == *name)
            {
                group.last_failure = Ok(failure);
            }
        }
        Question::Boot(instance) => {
            if let Ok(found) = store.node_statuses_of(std::slice::from_ref(instance)).await {
                looker.snapshot.statuses.extend(found);
            }
        }
        Question::Etcd(slot) => {
            if let (Ok(found), Ok(known)) = (store.etcd_reports(std::slice::from_ref(slot)).await, &mut looker.snapshot.etcd) {
                known.retain(|report| report.slot != *slot);
                known.extend(found);
            }
        }
        Question::Addons => looker.snapshot.addons = store.addon_reports().await.map_err(|error| error.to_string()),
        Question::Backups => {
            let found = store.snapshots().await.map(|found| found.first().map(|newest| newest.taken_at));
            looker.snapshot.last_backup = found.map_err(|error| error.to_string());
        }
        Question::World => looker.observe_again().await?,
    }
    asked.insert(question, tick);
    Ok(())
}

/// What could explain, or change, a check that is not content.
fn questions(looker: &Looker<'_>, report: &Report) -> Vec<Question> {
    let snapshot = &looker.snapshot;
    let mut questions: Vec<Question> = snapshot
        .groups
        .iter()
        .flatten()
        .filter(|group| is_weak(group))
        .map(|group| Question::Activities(group.group_name.clone()))
        .collect();
    questions.extend(snapshot.unjoined().into_iter().map(|instance| Question::Boot(instance.to_owned())));
    if is_open(report, "etcd") {
        questions.extend(slot_names(&snapshot.cluster).into_iter().map(Question::Etcd));
    }
    if is_open(report, "addons") {
        questions.push(Question::Addons);
    }
    if is_open(report, "backups") {
        questions.push(Question::Backups);
    }
    let of_world = ["resources", "dns"];
    let rest = report.checks.iter().any(|check| is_failure(check) && !of_world.contains(&check.name.as_str()));
    if !rest && of_world.iter().any(|name| is_open(report, name)) {
        questions.push(Question::World);
    }
    questions
}

fn is_failure(check: &Check) -> bool {
    matches!(check.status, CheckStatus::Failed | CheckStatus::Unknown)
}

/// It is there and not content; what was skipped may become so.
fn is_open(report: &Report, name: &str) -> bool {
    report.checks.iter().any(|check| check.name == name && !matches!(check.status, CheckStatus::Ok | CheckStatus::Warning))
}

/// `waiting for nodes (2 instances without a node), group/workers (…)`.
fn waiting_for(report: &Report) -> String {
    let open: Vec<String> = report
        .checks
        .iter()
        .filter(|check| is_failure(check))
        .map(|check| format!("{} ({})", check.name, check.message))
        .collect();
    format!("waiting for {}", open.join("; "))
}

/// What is said at length, such as for how long something has been so, is no change; nor is how well a thing is that is well.
fn differences<'a>(before: &Report, now: &'a Report) -> Vec<&'a Check> {
    fn brief(check: &Check) -> (&str, CheckStatus, &str, &[String]) {
        let message = if check.status == CheckStatus::Ok { "" } else { &check.message };
        (&check.name, check.status, message, &check.resources)
    }
    let same = |check: &Check| before.checks.iter().any(|known| brief(known) == brief(check));
    now.checks.iter().filter(|check| !same(check)).collect()
}
