//! What `validate` says: its JSON document is these structs.

use serde::Serialize;

/// The answer to "is the cluster healthy?", with everything it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub cluster: String,
    pub status: Status,
    pub checks: Vec<Check>,
    /// Control planes first, then the node groups in the order of the spec; last the nodes that belong to none of them.
    pub nodes: Vec<Node>,
    /// How long it was waited for the cluster to be healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited_seconds: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// No check failed, and none that was made is undecided.
    Healthy,
    /// At least one check failed.
    Unhealthy,
    /// No check failed, but something could not be found out.
    Unknown,
}

impl Status {
    /// The exit code of `validate`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Unhealthy => 3,
            Self::Unknown => 4,
        }
    }
}

/// One question that was asked, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Fixed words, but for `group/<name>`.
    pub name: String,
    pub status: CheckStatus,
    /// One sentence.
    pub message: String,
    /// Why, one finding on each line.
    pub cause: Option<String>,
    /// What that rests on, in the words of AWS, Kubernetes or the machines.
    pub evidence: Vec<String>,
    /// What to do about it.
    pub todo: Option<String>,
    /// What it is about: logical ids (`Subnet/public-us-east-1a`), instance ids, node names. All of them, also where `cause` is cut.
    pub resources: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    Ok,
    /// Nothing is wrong yet.
    Warning,
    Failed,
    /// It could not be found out.
    Unknown,
    /// There is nothing to find out, or it rests on something that another check already says is missing.
    Skipped,
}

impl Check {
    pub(super) fn ok(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(name, CheckStatus::Ok, message, None)
    }

    pub(super) fn unknown(name: impl Into<String>, message: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::new(name, CheckStatus::Unknown, message, Some(cause.into()))
    }

    pub(super) fn skipped(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(name, CheckStatus::Skipped, message, None)
    }

    pub(super) fn failed(name: impl Into<String>, message: impl Into<String>, findings: Findings) -> Self {
        let cause = findings.cause();
        let (evidence, resources) = (findings.evidence, findings.resources);
        Self { evidence, resources, ..Self::new(name, CheckStatus::Failed, message, cause) }
    }

    pub(super) fn warning(name: impl Into<String>, message: impl Into<String>, findings: Findings) -> Self {
        Self { status: CheckStatus::Warning, ..Self::failed(name, message, findings) }
    }

    /// Unknown, with more than one reason.
    pub(super) fn undecided(name: impl Into<String>, message: impl Into<String>, findings: Findings) -> Self {
        Self { status: CheckStatus::Unknown, ..Self::failed(name, message, findings) }
    }

    /// Adds what to do about it.
    pub(super) fn todo(self, todo: impl Into<String>) -> Self {
        Self { todo: Some(todo.into()), ..self }
    }

    fn new(name: impl Into<String>, status: CheckStatus, message: impl Into<String>, cause: Option<String>) -> Self {
        Self {
            name: name.into(),
            status,
            message: message.into(),
            cause,
            evidence: Vec::new(),
            todo: None,
            resources: Vec::new(),
        }
    }
}

/// What a rule found wrong.
#[derive(Default)]
pub(super) struct Findings {
    lines: Vec<String>,
    evidence: Vec<String>,
    resources: Vec<String>,
}

/// Lines of a cause: as many as a person reads before he looks for the common reason. All resources are named beside them.
const SHOWN: usize = 10;

impl Findings {
    /// A line about a resource.
    pub(super) fn add(&mut self, resource: impl Into<String>, line: impl Into<String>) {
        self.concerns(resource);
        self.explain(line);
    }

    /// A line about nothing in particular.
    pub(super) fn explain(&mut self, line: impl Into<String>) {
        // What AWS and kubelets say can have line breaks; a finding has none.
        let words: Vec<String> = line.into().split_whitespace().map(str::to_owned).collect();
        self.lines.push(words.join(" "));
    }

    /// What somebody said, word for word.
    pub(super) fn quote(&mut self, line: impl Into<String>) {
        let words: Vec<String> = line.into().split_whitespace().map(str::to_owned).collect();
        let line = words.join(" ");
        if self.evidence.len() < SHOWN && !self.evidence.contains(&line) {
            self.evidence.push(line);
        }
    }

    /// A resource that needs no line of its own.
    pub(super) fn concerns(&mut self, resource: impl Into<String>) {
        let resource = resource.into();
        // Lines about one resource follow each other, so that looking at the last is enough to name each once.
        if self.resources.last() != Some(&resource) {
            self.resources.push(resource);
        }
    }

    /// These, and then those.
    pub(super) fn and(mut self, those: Self) -> Self {
        self.lines.extend(those.lines);
        self.evidence.extend(those.evidence);
        self.resources.extend(those.resources);
        self
    }

    /// Resources that are concerned.
    pub(super) fn count(&self) -> usize {
        self.resources.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.resources.is_empty()
    }

    fn cause(&self) -> Option<String> {
        if self.lines.is_empty() {
            return None;
        }
        let mut shown: Vec<String> = self.lines.iter().take(SHOWN).cloned().collect();
        if let Some(more) = self.lines.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            shown.push(format!("and {more} more"));
        }
        Some(shown.join("\n"))
    }
}

/// A machine of the cluster: an instance, a Kubernetes node, or (as it should be) both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Name of the Kubernetes node; `None` when there is none, or the API could not be asked.
    pub name: Option<String>,
    /// `None` for a node that names no instance.
    pub instance_id: Option<String>,
    /// Logical name of the slot or node group.
    pub group: Option<String>,
    pub role: Role,
    pub zone: Option<String>,
    /// Whether there is a node and its `Ready` condition is true; `None` when the API could not be asked.
    pub ready: Option<bool>,
    /// Version of the kubelet, as the node reports it: `v1.36.2`.
    pub version: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    ControlPlane,
    Node,
}

impl Report {
    pub(super) fn new(cluster: impl Into<String>, checks: Vec<Check>, nodes: Vec<Node>) -> Self {
        let any = |status| checks.iter().any(|check| check.status == status);
        let status = if any(CheckStatus::Failed) {
            Status::Unhealthy
        } else if any(CheckStatus::Unknown) {
            Status::Unknown
        } else {
            Status::Healthy
        };
        Self { cluster: cluster.into(), status, checks, nodes, waited_seconds: None }
    }
}
