//! Every way to fail → headline, causes, hint and exit code. The one place where errors become words.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::backups::{restore_command, slot_line};
use crate::access::{FilesError, KubeconfigError};
use crate::apply::{Failure, Report};
use crate::cloud::{CloudError, ErrorClass};
use crate::diag::Diagnostics;
use crate::health::UnreadState;
use crate::model::ResourceId;
use crate::ops::{Finding, OpsError, Severity, SlotState, Unanswered};
use crate::plan::{Action, Operation, PlanError, TextStyle};
use crate::store::{InvalidStoreUrl, LockError, StoreError};

/// Exit codes, as `kclust --help` lists them.
pub mod exit {
    pub const DONE: u8 = 0;
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const UNHEALTHY: u8 = 3;
    pub const UNKNOWN: u8 = 4;
    pub const LOCKED: u8 = 5;
    pub const CHANGES: u8 = 10;
    pub const INTERRUPTED: u8 = 130;
}

/// Why a command ends without its result.
#[derive(Debug)]
pub enum CliError {
    /// A spec that is not one; it renders itself.
    Spec(Diagnostics),
    /// Something about the command line.
    Usage {
        headline: String,
        hint: String,
    },
    /// A local file or stream.
    Io {
        headline: String,
        source: std::io::Error,
    },
    /// The configuration of kubectl.
    Kubeconfig(FilesError),
    Ops(OpsError),
}

impl From<FilesError> for CliError {
    fn from(error: FilesError) -> Self {
        Self::Kubeconfig(error)
    }
}

impl From<OpsError> for CliError {
    fn from(error: OpsError) -> Self {
        Self::Ops(error)
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Ops(error.into())
    }
}

impl From<InvalidStoreUrl> for CliError {
    fn from(error: InvalidStoreUrl) -> Self {
        let hint = "give s3://BUCKET[/PREFIX] or file:///DIR with --state or in KCLUST_STATE".to_owned();
        Self::Usage { headline: error.to_string(), hint }
    }
}

/// What is printed of an error.
#[derive(Default)]
struct Words {
    headline: String,
    causes: Vec<String>,
    hint: Option<String>,
}

impl Words {
    fn new(headline: impl Into<String>) -> Self {
        Self { headline: headline.into(), ..Self::default() }
    }

    fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn render(&self, style: TextStyle) -> String {
        let mut text = String::new();
        let (red, cyan) = (paint(AnsiColor::Red, style), paint(AnsiColor::Cyan, style));
        let _ = writeln!(text, "{red}error:{red:#} {}", self.headline);
        for cause in &self.causes {
            let _ = writeln!(text, "  {}", cause.replace('\n', "\n  "));
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "{cyan}hint:{cyan:#} {hint}");
        }
        text
    }
}

impl CliError {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Spec(_) | Self::Usage { .. } => exit::USAGE,
            Self::Kubeconfig(FilesError::Nowhere) => exit::USAGE,
            Self::Io { .. } | Self::Kubeconfig(_) => exit::FAILED,
            Self::Ops(error) => match error {
                OpsError::Lock(LockError::Held(_)) | OpsError::StateChanged { .. } => exit::LOCKED,
                OpsError::Interrupted { .. }
                | OpsError::RestoreUnfinished { why: Unanswered::Interrupted, .. }
                | OpsError::BackupUnanswered { why: Unanswered::Interrupted, .. } => exit::INTERRUPTED,
                OpsError::Preflight { findings, .. } if OpsError::is_about_the_spec(findings) => exit::USAGE,
                OpsError::Manifests(_)
                | OpsError::DifferentSpec { .. }
                | OpsError::NoSuchGroup { .. }
                | OpsError::StateNotReachable
                | OpsError::FixedFields { .. }
                | OpsError::OtherRegion { .. }
                | OpsError::UserDataTooLarge { .. }
                | OpsError::NotConfirmed
                | OpsError::NoSuchRevision { .. }
                | OpsError::NoSuchSnapshot { .. }
                | OpsError::EarlierCluster { .. }
                | OpsError::Plan(PlanError::Irreplaceable { .. } | PlanError::SlotRemoval { .. }) => exit::USAGE,
                OpsError::Cloud { .. }
                | OpsError::Preflight { .. }
                | OpsError::Store(_)
                | OpsError::Lock(LockError::Store(_))
                | OpsError::Plan(PlanError::Dangling { .. } | PlanError::Cycle(_))
                | OpsError::Pki(_)
                | OpsError::NoKeys { .. }
                | OpsError::UnusableKeys { .. }
                | OpsError::NoAddress { .. }
                | OpsError::OtherAuthority { .. }
                | OpsError::NoSuchCluster { .. }
                | OpsError::StateLost { .. }
                | OpsError::OtherAccount { .. }
                | OpsError::NotApplied { .. }
                | OpsError::LockLost { .. }
                | OpsError::Left { .. }
                | OpsError::RestoreOpen { .. }
                | OpsError::SlotsUnknown { .. }
                | OpsError::RestoreUnfinished { .. }
                | OpsError::BackupFailed { .. }
                | OpsError::BackupUnanswered { .. }
                | OpsError::StoredSpec { .. } => exit::FAILED,
            },
        }
    }

    /// The text for standard error.
    pub fn render(&self, style: TextStyle) -> String {
        match self.words() {
            Ok(words) => words.render(style),
            Err(diagnostics) => diagnostics.render(style.color),
        }
    }

    /// The same on one line, with the hint on a second.
    pub fn render_brief(&self, style: TextStyle) -> String {
        match self.words() {
            Ok(Words { headline, causes, hint }) => {
                let headline = [vec![headline], causes].concat().join(": ").replace("\n  ", ": ").replace('\n', ": ");
                Words { headline, causes: Vec::new(), hint }.render(style)
            }
            Err(diagnostics) => diagnostics.render(style.color),
        }
    }

    /// Why the state of a cluster says nothing of it; `None` where that is not the reason.
    pub fn unread_state(&self) -> Option<UnreadState> {
        let Self::Ops(error) = self else { return None };
        let damaged = match error {
            OpsError::Store(StoreError::Corrupt { .. } | StoreError::Lost { .. }) => true,
            OpsError::Store(StoreError::Cloud { .. } | StoreError::Io { .. } | StoreError::Newer { .. })
            | OpsError::Cloud { .. }
            | OpsError::StoredSpec { .. } => false,
            _ => return None,
        };
        let Words { headline: message, causes, hint: todo } = self.words().ok()?;
        Some(UnreadState { damaged, message, causes, todo })
    }

    /// A spec that is not one renders itself.
    fn words(&self) -> Result<Words, &Diagnostics> {
        Ok(match self {
            Self::Spec(diagnostics) => return Err(diagnostics),
            Self::Usage { headline, hint } => Words::new(headline).hint(hint),
            Self::Io { headline, source } => Words::new(headline).cause(source.to_string()),
            Self::Kubeconfig(error) => kubeconfig_words(error),
            Self::Ops(error) => ops_words(error),
        })
    }
}

fn paint(color: AnsiColor, style: TextStyle) -> Style {
    if style.color { Style::new().bold().fg_color(Some(color.into())) } else { Style::new() }
}

fn kubeconfig_words(error: &FilesError) -> Words {
    let words = Words::new(error.to_string());
    match error {
        FilesError::Nowhere => words.hint("name one with --out"),
        FilesError::Io { source, .. } => words.cause(source.to_string()),
        FilesError::NotAFile { .. } => words.hint("name a file with --out, or in KUBECONFIG"),
        FilesError::Locked { lock, .. } => words.hint(format!(
            "run the command again; if no program is at work there, one was ended before it could remove {}: remove it",
            lock.display()
        )),
        FilesError::Content { source: KubeconfigError::NotText | KubeconfigError::Malformed { .. }, .. } => {
            words.hint("nothing was changed; put the file right, or name another one with --out")
        }
        FilesError::Content { source: KubeconfigError::Unusual { .. }, .. } => {
            words.hint("nothing was changed; take its anchors and aliases out, or name another file with --out")
        }
        FilesError::OtherCluster { .. } => words.hint(
            "nothing was changed; write under another name with --context, into another file with --out, or over it with --force",
        ),
    }
}

fn ops_words(error: &OpsError) -> Words {
    match error {
        OpsError::Cloud { source, .. } => cloud_words(Words::new(error.to_string()), source),
        OpsError::Store(source) | OpsError::Lock(LockError::Store(source)) => store_words(source),
        OpsError::Lock(LockError::Held(held)) => Words::new(held.to_string()).hint(held.hint()),
        OpsError::Plan(problem) => plan_words(problem),
        OpsError::Pki(source) => Words::new(error.to_string()).cause(source.to_string()),
        OpsError::NoKeys { cluster } => {
            Words::new(error.to_string()).hint(format!("they are made by `kclust create`; is {cluster} finished?"))
        }
        OpsError::UnusableKeys { source, .. } => {
            Words::new(error.to_string()).cause(source.to_string()).hint("they lie in pki/bundle.json of the state")
        }
        OpsError::NoAddress { cluster } => Words::new(error.to_string())
            .hint(format!("its load balancer does not exist: `kclust validate {cluster}` tells what is missing")),
        OpsError::OtherAuthority { cluster } => Words::new(error.to_string())
            .hint(format!("is it of an earlier cluster of that name? `kclust kubeconfig {cluster}` brings it up to date")),
        OpsError::Preflight { findings, .. } => {
            let words = findings.iter().fold(Words::new(error.to_string()), |words, finding| {
                let Finding { severity, place, message, hint } = finding;
                let uncertain = if *severity == Severity::Uncertain { "uncertain: " } else { "" };
                words.cause(format!("{uncertain}{place}: {message}\n  {hint}"))
            });
            // What the spec says is put right in the spec; for the account others may be asked first.
            match OpsError::is_about_the_spec(findings) {
                true => words,
                false => words.hint("then run the same command again"),
            }
        }
        OpsError::Manifests(problems) => {
            let lines = problems.iter().map(|problem| format!("{problem}\n  {}", problem.hint));
            Words { headline: error.to_string(), causes: lines.collect(), hint: None }
        }
        OpsError::NoSuchCluster { known, .. } => {
            let words = Words::new(error.to_string());
            match known.is_empty() {
                true => words.hint("it holds no clusters; is --state or KCLUST_STATE right?"),
                false => words.hint(format!("it holds {}", known.join(", "))),
            }
        }
        OpsError::NoSuchGroup { known, .. } => Words::new(error.to_string()).hint(format!("it has {}", known.join(", "))),
        OpsError::DifferentSpec { cluster, differences } => {
            let words = differences.iter().fold(Words::new(error.to_string()), |words, line| words.cause(line));
            words.hint(format!("to change the cluster, run `kclust update {cluster} -f FILE`"))
        }
        OpsError::StateLost { cluster, region, .. } => Words::new(error.to_string())
            .cause("Their keys and their spec were in a state store that is gone or lies elsewhere.")
            .hint(format!(
                "name the right store with --state; if it is lost, `kclust delete {cluster} --region {region}` removes them by their tags"
            )),
        OpsError::OtherAccount { .. } => {
            Words::new(error.to_string()).hint("choose the right credentials, with AWS_PROFILE for example")
        }
        OpsError::OtherRegion { .. } => Words::new(error.to_string()).hint("a cluster cannot move; make another one"),
        OpsError::FixedFields { fields, .. } => {
            let words = fields.iter().fold(Words::new(error.to_string()), |words, (path, from, to)| {
                words.cause(format!("{path}: {from}, would become {to}"))
            });
            words.hint("running nodes and pods rely on them; to change them, make another cluster and move the workloads")
        }
        OpsError::StateNotReachable => Words::new(error.to_string())
            .cause("Instances read their boot program and their keys from the state store.")
            .hint("use --state s3://BUCKET[/PREFIX]; a file:// store serves --dry-run and `kclust render`"),
        OpsError::UserDataTooLarge { .. } => {
            Words::new(error.to_string()).hint("shorten labels, taints or the list of mirrors in the spec")
        }
        OpsError::StateChanged { .. } => {
            Words::new(error.to_string()).hint("nothing was changed; run the command again to see a new plan")
        }
        OpsError::NotConfirmed => Words::new("nothing was changed: there is no terminal to confirm the plan on")
            .hint("add --yes to carry it out, or --dry-run to only look"),
        OpsError::NotApplied { cluster, operation, report } => report_words(error.to_string(), cluster, *operation, report),
        OpsError::Interrupted { cluster, operation, report } => report_words(error.to_string(), cluster, *operation, report),
        OpsError::LockLost { cluster, report, .. } => {
            let words = match report.total {
                0 => Words::new(error.to_string()),
                _ => report_words(error.to_string(), cluster, Operation::Update, report),
            };
            words.hint("nothing more was changed; look who else works on the cluster before running the command again")
        }
        OpsError::Left { left, cluster, blockers, refused, keep_coming } => {
            let mut words = Words::new(error.to_string()).cause(format!("still there: {}", list(left)));
            for blocker in blockers {
                words = words.cause(format!("in the way: {blocker}"));
            }
            for refusal in refused.iter().take(SHOWN) {
                words = words.cause(format!("AWS did not remove {refusal}"));
            }
            if !keep_coming.is_empty() {
                words = words.cause(format!("new ones came in pass after pass: {}", keep_coming.join(", ")));
            }
            words.hint(match (blockers.is_empty(), keep_coming.is_empty(), refused.is_empty()) {
                (false, _, _) => format!(
                    "what is in the way belongs to somebody else and is not touched: have it removed, and run `kclust delete \
                     {cluster}` again to finish"
                ),
                (true, false, _) => format!(
                    "a controller that runs elsewhere makes them for {cluster}: end it, and run `kclust delete {cluster}` again \
                     to finish"
                ),
                (true, true, false) => {
                    format!("change what keeps AWS from it, and run `kclust delete {cluster}` again to finish")
                }
                (true, true, true) => format!("nothing tells what holds on to them; run `kclust delete {cluster}` again"),
            })
        }
        OpsError::NoSuchRevision { cluster, known, .. } => {
            let known = match (known.first(), known.last()) {
                (Some(first), Some(last)) if first != last => format!("its revisions are {first} to {last}"),
                _ => format!("its only revision is {}", list(known)),
            };
            Words::new(error.to_string()).hint(format!("{known}; `kclust get history {cluster}` lists them"))
        }
        OpsError::NoSuchSnapshot { cluster, newest, .. } => {
            if newest.is_empty() {
                return Words::new(format!("cluster {cluster} has no snapshots yet"))
                    .hint(format!("`kclust backup {cluster}` takes one"));
            }
            let words = newest.iter().fold(Words::new(error.to_string()), |words, name| words.cause(name));
            words.hint(format!("above are the newest ones; `kclust get backups {cluster}` lists all"))
        }
        OpsError::EarlierCluster { .. } => Words::new(error.to_string())
            .cause("Its Secrets were encrypted with keys that are gone, and the API server could not read them.")
            .hint("choose a newer snapshot; --force restores this one nevertheless"),
        OpsError::SlotsUnknown { cluster, .. } => Words::new(error.to_string())
            .cause("They are in facts.json, from which each slot learns who the members of the restored etcd are.")
            .hint(format!("bring cluster and state together first: kclust update {cluster}")),
        OpsError::RestoreOpen { cluster, key, missing } => {
            Words::new(error.to_string()).cause(format!("not done yet on {}", missing.join(", "))).hint(format!(
                "let it finish with `{}`; --force begins with another snapshot nevertheless",
                restore_command(cluster, key)
            ))
        }
        OpsError::RestoreUnfinished { cluster, key, why, slots } => {
            let words = slot_words(unanswered_words(error.to_string(), why), slots);
            words.hint(format!(
                "the control planes go on by themselves; to wait for them again, run `{}`",
                restore_command(cluster, key)
            ))
        }
        OpsError::BackupFailed { cluster, slots, .. } => slot_words(Words::new(error.to_string()), slots)
            .hint(format!("earlier snapshots are listed by `kclust get backups {cluster}`")),
        OpsError::BackupUnanswered { cluster, why, slots } => {
            let words = slot_words(unanswered_words(error.to_string(), why), slots);
            words.hint(format!(
                "a control plane that leads etcd answers as soon as it can: `kclust get backups {cluster}` then lists the \
                 snapshot; `kclust validate {cluster}` tells whether they work"
            ))
        }
        OpsError::StoredSpec { cluster, problem } => Words::new(error.to_string()).cause(problem.trim_end()).hint(format!(
            "another version of kclust wrote it: use that one, or go back to a spec that this one can read: `kclust get history \
                 {cluster}` lists them, and `kclust update {cluster} --from-history N` brings one back"
        )),
    }
}

fn unanswered_words(headline: String, why: &Unanswered) -> Words {
    let words = Words::new(headline);
    match why {
        Unanswered::OutOfSight { source } => store_words(source).causes.into_iter().fold(words, Words::cause),
        Unanswered::TimedOut { .. } | Unanswered::Interrupted | Unanswered::LockLost { .. } => words,
    }
}

/// What the control planes told last: why they have not answered is there.
fn slot_words(words: Words, slots: &[SlotState]) -> Words {
    slots.iter().fold(words, |words, state| words.cause(slot_line(state)))
}

fn plan_words(problem: &PlanError) -> Words {
    let words = Words::new(problem.to_string());
    match problem {
        PlanError::Irreplaceable { .. } => {
            words.hint("machines depend on it: go back to the old value, or make a new cluster and move the workloads")
        }
        PlanError::SlotRemoval { .. } => {
            words.hint("kclust does not remove control planes yet: keep `controlPlane.replicas` and the zones as they are")
        }
        PlanError::Dangling { .. } | PlanError::Cycle(_) => {
            words.hint("this is a mistake in kclust; please report it with the spec")
        }
    }
}

fn store_words(error: &StoreError) -> Words {
    let words = Words::new(error.to_string());
    let words = match error {
        StoreError::Cloud { source, .. } => cloud_words(words, source),
        StoreError::Io { source, .. } => words.cause(source.to_string()),
        _ => words,
    };
    match error.hint() {
        Some(hint) => words.hint(hint),
        None => words,
    }
}

/// AWS's answer, and what usually helps.
fn cloud_words(words: Words, error: &CloudError) -> Words {
    let words = words.cause(error.to_string());
    match cloud_hint(error) {
        Some(hint) => words.hint(hint),
        None => words,
    }
}

fn cloud_hint(error: &CloudError) -> Option<String> {
    Some(match error.class {
        ErrorClass::Credentials => {
            "set credentials as for the AWS CLI (AWS_PROFILE, `aws sso login`, or AWS_ACCESS_KEY_ID and its secret) and run the \
             command again"
                .into()
        }
        ErrorClass::Denied => needs_permission(&error.operation),
        ErrorClass::Quota => {
            "ask for a higher limit in Service Quotas, or free what is not in use; then run the command again".into()
        }
        ErrorClass::Unreachable => "check the network, the region, and AWS_ENDPOINT_URL if it is set".into(),
        ErrorClass::Throttled => "somebody else uses up the account's request rate; run the command again later".into(),
        ErrorClass::Transport => "run the command again: it takes up where it was".into(),
        ErrorClass::NotFound
        | ErrorClass::AlreadyExists
        | ErrorClass::InUse
        | ErrorClass::NotYet
        | ErrorClass::Invalid
        | ErrorClass::Conflict
        | ErrorClass::Other => return None,
    })
}

/// What failed and why, what was skipped, what exists, and how to go on.
fn report_words(headline: String, cluster: &str, operation: Operation, report: &Report) -> Words {
    let mut words = Words::new(headline);
    let groups = alike(&report.failures);
    for alike in &groups {
        let Failure { action, error, .. } = alike[0];
        let verb = match action {
            Action::Create => "create",
            Action::Update => "update",
            Action::Replace => "replace",
            Action::Delete => "delete",
        };
        let ids: Vec<&ResourceId> = alike.iter().map(|failure| &failure.id).collect();
        words = words.cause(format!("could not {verb} {}\n  {error}", list(&ids)));
    }
    if !report.skipped.is_empty() {
        words = words.cause(format!("not tried, because they need what failed: {}", list(&report.skipped)));
    }
    if !report.not_done.is_empty() {
        words = words.cause(format!("not done: {}", list(&report.not_done)));
    }
    words =
        words.cause(format!("done: {} of {} steps; {} resources exist now", report.done, report.total, report.outputs.0.len()));
    let again = match operation {
        Operation::Create => format!("run the same command again to go on, or `kclust delete {cluster}` to remove what exists"),
        Operation::Update | Operation::Delete => "run the same command again to go on".to_owned(),
    };
    let mut hints: Vec<String> = Vec::new();
    let denied: BTreeSet<&str> =
        report.failures.iter().filter(is_denied).map(|failure| failure.error.operation.as_str()).collect();
    if !denied.is_empty() {
        hints.push(needs_permission(&denied.into_iter().collect::<Vec<_>>().join(", ")));
    }
    for hint in groups.iter().filter(|alike| !is_denied(&alike[0])).filter_map(|alike| cloud_hint(&alike[0].error)) {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    hints.push(again);
    words.hint(hints.join("; "))
}

fn is_denied(failure: &&Failure) -> bool {
    failure.error.class == ErrorClass::Denied
}

fn needs_permission(actions: &str) -> String {
    format!("the identity in use needs permission for {actions}")
}

/// Failures with one cause together: a permission that is missing is missing for all resources of a kind.
fn alike(failures: &[Failure]) -> Vec<Vec<&Failure>> {
    let cause = |failure: &Failure| {
        let CloudError { operation, code, message, .. } = &failure.error;
        (failure.action, operation.clone(), code.clone(), message.clone())
    };
    let mut sorted: Vec<&Failure> = failures.iter().collect();
    sorted.sort_by_key(|failure| &failure.id);
    let mut groups: Vec<Vec<&Failure>> = Vec::new();
    for failure in sorted {
        match groups.iter_mut().find(|group| cause(group[0]) == cause(failure)) {
            Some(group) => group.push(failure),
            None => groups.push(vec![failure]),
        }
    }
    groups
}

/// How much of a long list is shown.
const SHOWN: usize = 8;

/// The first few of many.
fn list<T: ToString>(items: &[T]) -> String {
    let shown: Vec<String> = items.iter().take(SHOWN).map(ToString::to_string).collect();
    match items.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}
