//! Waiting until a cluster is healthy: Kubernetes is watched, AWS is asked little and seldom.
//!
//! Each tick earns four calls to AWS, and pages. A look at groups, instances and targets costs three; the fourth is for one question
//! more, which is what has been asked longest ago of all that could explain a check that is not content. To look at the whole world,
//! as for a plan, costs as much as seven ticks earn. It is looked at only where it was not as the spec wants it, and saved for: nothing
//! else is asked where nothing else is awaited, which makes it every 80 seconds, and the rest every third tick otherwise, which makes
//! it every two minutes.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout_at};

use crate::health::{self, Check, CheckStatus, KubernetesView, Report, Snapshot, Status};
use crate::ops::slots::slot_names;

use super::look::{Looker, STATUSES};
use super::{ApiFollower, Follows, ValidateOptions};

const TICK: Duration = Duration::from_secs(10);
/// Events come in swarms: what follows the first within this time is looked at together with it.
const SWARM: Duration = Duration::from_millis(500);
/// The client certificate outlives the waiting.
const SPARE: Duration = Duration::from_secs(15 * 60);

/// Calls that a tick earns.
const EARNED: u32 = 4;
/// Groups, instances and targets.
const LOOK: u32 = 3;
/// What a plan looks at, and the state that it begins with, with some room.
const WORLD: u32 = 28;
/// While it is saved for the world and other things are awaited, every so many ticks is for these.
const BETWEEN: u32 = 3;

/// Slots tell of etcd every minute: what is older has a successor, and would soon be taken for silence.
const AGED: SignedDuration = SignedDuration::from_mins(2);
/// Ticks until something that grows old is asked for once more, where nothing newer was found.
const AGAIN: u32 = 6;

/// What a plan looks at, and nothing else.
const ONLY_WORLD: [&str; 3] = ["resources", "dns", "api"];
/// What rests on the world too: targets and settings are things of it.
const RESTS_ON_WORLD: [&str; 5] = ["resources", "dns", "api", "targets", "addons"];

/// A question that costs one call.
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
    /// The keys of a cluster that had none yet.
    Keys,
}

pub(super) async fn wait(
    looker: &mut Looker<'_>,
    mut report: Report,
    patience: Duration,
    options: &ValidateOptions,
    follows: &dyn Follows,
) -> Report {
    let begun = Instant::now();
    let end = begun + patience;
    let mut asking = Asking::default();
    let mut follower: Option<Box<dyn ApiFollower>> = None;
    let mut ticks = interval_at(begun + TICK, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    follow(looker, &mut follower, patience).await;
    loop {
        looker.environment.operator.waiting(&waiting_for(&report));
        let changed = async {
            match &mut follower {
                Some(follower) => follower.changed().await,
                None => std::future::pending().await,
            }
        };
        let ticked = tokio::select! {
            () = sleep_until(end) => {
                return Report { waited_seconds: Some(patience.as_secs()), ..report };
            }
            _ = ticks.tick() => true,
            () = changed => false,
        };
        if ticked {
            asking.tick(looker, &report).await;
            look_for_ways(looker, &mut follower, &report).await;
            follow(looker, &mut follower, patience).await;
        } else if let Some(follower) = &mut follower {
            let swarm = Instant::now() + SWARM;
            while timeout_at(swarm, follower.changed()).await.is_ok() {}
            if let Some(view) = follower.watched() {
                looker.snapshot.kubernetes = view;
            }
        }
        looker.snapshot.now = looker.environment.clock.now();
        let now = health::check(&looker.snapshot, &options.scope);
        follows.changed(&differences(&report, &now));
        report = now;
        if report.status == Status::Healthy {
            return Report { waited_seconds: Some(begun.elapsed().as_secs()), ..report };
        }
    }
}

/// The ways to the API anew, where they were wanting.
async fn look_for_ways(looker: &mut Looker<'_>, follower: &mut Option<Box<dyn ApiFollower>>, report: &Report) {
    if ["certificates", "api", "dns"].iter().any(|name| is_open(report, name)) {
        let (endpoints, ()) = (looker.endpoints().await, looker.ask_dns_again().await);
        looker.snapshot.endpoints = endpoints;
        if !matches!(looker.snapshot.kubernetes, KubernetesView::Reachable { .. }) {
            *follower = None;
        }
    }
}

/// What the API says now.
async fn follow(looker: &mut Looker<'_>, follower: &mut Option<Box<dyn ApiFollower>>, patience: Duration) {
    if follower.is_none()
        && let (Some(pki), Some((host, name))) = (&looker.pki, looker.way(&looker.snapshot.endpoints))
    {
        *follower = looker.api.follow(&host, &name, pki, patience + SPARE);
    }
    if let Some(follower) = follower {
        looker.snapshot.kubernetes = follower.view().await;
    }
}

/// What is asked of AWS, and when.
#[derive(Default)]
struct Asking {
    ticks: u32,
    /// Calls that were earned and not spent.
    calls: u32,
    /// The tick at which something was asked last.
    asked: BTreeMap<Question, u32>,
}

impl Asking {
    async fn tick(&mut self, looker: &mut Looker<'_>, report: &Report) {
        self.ticks += 1;
        let awaits_world = awaits_world(&looker.snapshot, report);
        // Where there is nothing to save for, nothing is saved.
        self.calls = if awaits_world { self.calls + EARNED } else { EARNED };
        if let Some(question) = self.oldest(growing_old(looker, report)).filter(|question| self.is_due(question)) {
            self.ask(question, looker).await;
        }
        if awaits_world {
            if self.spend(WORLD + LOOK) {
                looker.observe_again().await;
                self.look(looker).await;
                return;
            }
            let only = report.checks.iter().filter(|check| is_failure(check)).all(|check| ONLY_WORLD.contains(&&*check.name));
            if only || !self.ticks.is_multiple_of(BETWEEN) {
                return;
            }
        }
        if self.spend(LOOK) {
            self.look(looker).await;
        }
        if self.calls > 0
            && let Some(question) = self.oldest(questions(looker, report))
        {
            self.ask(question, looker).await;
        }
    }

    fn spend(&mut self, calls: u32) -> bool {
        let left = self.calls.checked_sub(calls);
        self.calls = left.unwrap_or(self.calls);
        left.is_some()
    }

    async fn look(&self, looker: &mut Looker<'_>) {
        let answer = looker.ask_aws().await;
        looker.take_aws(answer);
    }

    fn last_asked(&self, question: &Question) -> u32 {
        self.asked.get(question).copied().unwrap_or_default()
    }

    fn oldest(&self, questions: Vec<Question>) -> Option<Question> {
        questions.into_iter().min_by_key(|question| self.last_asked(question))
    }

    fn is_due(&self, question: &Question) -> bool {
        self.asked.get(question).is_none_or(|tick| self.ticks - tick >= AGAIN)
    }

    async fn ask(&mut self, question: Question, looker: &mut Looker<'_>) {
        let (aws, store) = (looker.environment.aws, looker.store);
        match &question {
            Question::Activities(name) => {
                let failure = aws.last_failure(name).await;
                looker.take_failure(name, failure);
            }
            Question::Boot(instance) => looker.ask_boots(std::slice::from_ref(instance)).await,
            Question::Etcd(slot) => match &mut looker.snapshot.etcd {
                Ok(known) => {
                    if let Ok(found) = store.etcd_reports(std::slice::from_ref(slot)).await {
                        known.retain(|report| report.slot != *slot);
                        known.extend(found);
                    }
                }
                // One of them alone would make the others silent.
                unread => {
                    let slots = slot_names(&looker.snapshot.cluster);
                    *unread = store.etcd_reports(&slots).await.map_err(|error| error.to_string());
                }
            },
            Question::Addons => looker.snapshot.addons = store.addon_reports().await.map_err(|error| error.to_string()),
            Question::Backups => looker.snapshot.last_backup = looker.newest_backup().await,
            Question::Keys => looker.read_keys().await,
        }
        self.asked.insert(question, self.ticks);
        self.calls = self.calls.saturating_sub(1);
    }
}

/// Whether something is not content that only another look at the world can make so.
fn awaits_world(snapshot: &Snapshot, report: &Report) -> bool {
    let differs = snapshot.drift.as_ref().map_or(true, |drift| !drift.changes.is_empty());
    is_open(report, "resources") || differs && RESTS_ON_WORLD.iter().any(|name| is_open(report, name))
}

/// What is judged by its age, and what everything else waits for.
fn growing_old(looker: &Looker<'_>, report: &Report) -> Vec<Question> {
    let snapshot = &looker.snapshot;
    let now = looker.environment.clock.now();
    let judged = |name: &str| report.checks.iter().any(|check| check.name == name);
    let mut questions = Vec::new();
    if looker.pki.is_none() {
        questions.push(Question::Keys);
    }
    if judged("etcd") {
        let aged = snapshot.etcd.iter().flatten().filter(|report| now.duration_since(report.at) > AGED);
        questions.extend(aged.map(|report| Question::Etcd(report.slot.clone())));
    }
    let interval = SignedDuration::from_secs(snapshot.cluster.backups.interval.seconds().into());
    if judged("backups") && matches!(snapshot.last_backup, Ok(Some(taken)) if now.duration_since(taken) > interval) {
        questions.push(Question::Backups);
    }
    questions
}

/// What could explain, or change, a check that is not content.
fn questions(looker: &Looker<'_>, report: &Report) -> Vec<Question> {
    let snapshot = &looker.snapshot;
    let mut questions: Vec<Question> = looker.weak_groups().into_iter().map(Question::Activities).collect();
    let unjoined = snapshot.unjoined(looker.scope).into_iter().take(STATUSES);
    questions.extend(unjoined.map(|instance| Question::Boot(instance.to_owned())));
    if is_open(report, "etcd") {
        questions.extend(slot_names(&snapshot.cluster).into_iter().map(Question::Etcd));
    }
    if is_open(report, "addons") {
        questions.push(Question::Addons);
    }
    if is_open(report, "backups") {
        questions.push(Question::Backups);
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
