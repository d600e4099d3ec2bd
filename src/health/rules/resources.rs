//! Everything that the spec asks for exists, as the spec describes it, and nothing else.

use std::fmt;

use crate::model::{Kind, Value};
use crate::plan::{self, Action, Change};

use super::super::Snapshot;
use super::super::report::{Check, Findings};
use super::{Scope, count};

pub(super) const NAME: &str = "resources";
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) fn check(snapshot: &Snapshot, scope: &Scope) -> Check {
    let seen = match &snapshot.drift {
        Ok(seen) => seen,
        Err(reason) => {
            return Check::unknown(NAME, "the resources could not be looked at", reason)
                .todo("look again; what AWS denies, the policy that `kclust iam-policy` prints allows");
        }
    };
    let mut drift = Drift::default();
    if let Some(reason) = &snapshot.not_seen_again {
        drift.findings.quote(format!("as they were before they could not be looked at again: {reason}"));
    }
    for change in relevant(seen, snapshot, scope) {
        drift.add(change);
        if seen.refused.contains(&change.id) {
            drift.refused += 1;
            let words = format!("{}: machines depend on it, and `kclust update` refuses to change it", change.id);
            drift.findings.explain(words);
        }
    }
    // The plan leaves these alone, because either may hold the data of an etcd member. A person has to decide.
    let volumes = snapshot.world.duplicates.iter().filter(|(id, _)| id.kind == Kind::Volume && scope.holds(Some(&id.name)));
    for (id, observed) in volumes {
        drift.superfluous += 1;
        drift.findings.add(id.to_string(), format!("{id} ({}): a second volume of this identity", observed.physical.id));
    }
    if drift.findings.is_empty() {
        return Check::ok(NAME, format!("{} as specified", count(seen.unchanged, "resource")));
    }
    let cluster = &snapshot.cluster.name;
    if snapshot.applied_by != VERSION && drift.superfluous == 0 && relevant(seen, snapshot, scope).all(is_of_templates) {
        return of_another_version(snapshot, relevant(seen, snapshot, scope));
    }
    let message = drift.to_string();
    let todo = match (drift.refused, drift.missing + drift.different + drift.superfluous) {
        (0, _) => format!("`kclust update {cluster}` puts it right, and shows first what it does"),
        (refused, all) if refused == all => "change it back by hand, to what it should be".to_owned(),
        _ => format!("change back by hand what `kclust update {cluster}` refuses; it then puts the rest right"),
    };
    Check::failed(NAME, message, drift.findings).todo(todo)
}

/// Whether no more differs than what kclust itself brings: the boot program, what starts it, and the addons as it pins them.
fn is_of_templates(change: &Change) -> bool {
    match (change.id.kind, change.action) {
        (Kind::BootstrapObject, Action::Create) => true,
        (Kind::LaunchTemplate, Action::Update) => change.fields.iter().all(|field| field.path == "userData"),
        (Kind::ControlPlaneSettings, Action::Update) => change.fields.iter().all(|field| {
            field.path.starts_with("addons.") && ![&field.from, &field.to].into_iter().any(|value| *value == Value::Absent)
        }),
        _ => false,
    }
}

/// Nobody has touched the cluster: what is desired changed with the program that looks.
fn of_another_version<'a>(snapshot: &Snapshot, changes: impl Iterator<Item = &'a Change>) -> Check {
    let mut findings = Findings::default();
    changes.for_each(|change| findings.add(change.id.to_string(), format!("{} is not as {VERSION} makes it", change.id)));
    let resources = count(findings.count(), "resource");
    let message = format!("applied by kclust {}; this is {VERSION}, whose update would change {resources}", snapshot.applied_by);
    Check::warning(NAME, message, findings).todo(format!(
        "nothing has to be done: `kclust update {}` brings what this version has, and shows it first",
        snapshot.cluster.name
    ))
}

/// All but the API's record, which has a check of its own.
fn relevant<'a>(seen: &'a plan::Drift, snapshot: &Snapshot, scope: &'a Scope) -> impl Iterator<Item = &'a Change> {
    let own_check = snapshot.cluster.dns.is_some();
    let changes = seen.changes.iter().filter(move |change| !(own_check && change.id.kind == Kind::DnsRecord));
    // Resources of a slot or node group have its name.
    changes.filter(|change| scope.holds(Some(&change.id.name)))
}

#[derive(Default)]
struct Drift {
    missing: usize,
    different: usize,
    superfluous: usize,
    refused: usize,
    findings: Findings,
}

impl Drift {
    fn add(&mut self, change: &Change) {
        let id = &change.id;
        match change.action {
            Action::Create => {
                self.missing += 1;
                self.findings.add(id.to_string(), format!("{id}: missing"));
            }
            Action::Update | Action::Replace => {
                // A field that stays as it is: the plan touches it because what it points at is replaced. That is the finding, not this.
                let mut fields = change.fields.iter().filter(|field| field.from != field.to).peekable();
                self.different += usize::from(fields.peek().is_some());
                for field in fields {
                    let (is, should) = (shown(&field.from), shown(&field.to));
                    self.findings.add(id.to_string(), format!("{id}: {} is {is}, should be {should}", field.path));
                }
            }
            Action::Delete => {
                self.superfluous += 1;
                let physical = change.physical.as_deref().unwrap_or("without id");
                self.findings.add(id.to_string(), format!("{id} ({physical}): {}", change.reason));
            }
        }
    }
}

/// `1 resource is missing, 2 differ, 1 is superfluous`.
impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            (self.missing, "is missing", "are missing"),
            (self.different, "differs", "differ"),
            (self.superfluous, "is superfluous", "are superfluous"),
        ];
        let mut first = true;
        for (number, one, many) in kinds.into_iter().filter(|(number, ..)| *number > 0) {
            let words = if number == 1 { one } else { many };
            match std::mem::take(&mut first) {
                true => write!(f, "{} {words}", count(number, "resource"))?,
                false => write!(f, ", {number} {words}")?,
            }
        }
        Ok(())
    }
}

pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Absent => "absent".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Reference(..) | Value::List(_) | Value::Content { .. } => {
            value.to_string()
        }
    }
}
