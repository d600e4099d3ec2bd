//! What a lock says: who holds it, where, for what, and until when.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::documents::{self, FORMAT_VERSION};
use super::{ProcessId, StoreError};

/// Beyond a lock's time to live: S3 tells times to the second, and its machines' clocks differ a little.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// Who takes a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// Random: tells one's own lock from every other one after an answer was lost.
    pub id: String,
    pub user: String,
    pub host: String,
    /// ARN of the AWS identity, where there is one.
    pub principal: Option<String>,
    pub pid: u32,
    pub process: Option<ProcessId>,
    /// The command, such as `update`.
    pub operation: String,
    /// Version of kclust.
    pub kclust: String,
}

impl Holder {
    /// This process, doing `operation` as the AWS identity `principal`.
    pub fn this_process(operation: impl Into<String>, principal: Option<String>) -> Self {
        Self {
            id: format!("{:032x}", rand::random::<u128>()),
            user: user(),
            host: host(),
            principal,
            pid: std::process::id(),
            process: ProcessId::current(),
            operation: operation.into(),
            kclust: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// `user@host`.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.host)
    }
}

fn user() -> String {
    let variable = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    known(variable.or_else(|| answer_of("id", "-un")))
}

fn host() -> String {
    known(std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| answer_of("uname", "-n")))
}

fn answer_of(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

fn known(name: Option<String>) -> String {
    match name.as_deref().map(str::trim) {
        None | Some("") => "unknown".into(),
        Some(name) => name.into(),
    }
}

/// The content of a lock object. Its times are the holder's and for people to read; whether a lock has run out is judged by the
/// age of the object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockRecord {
    pub(super) format_version: u32,
    #[serde(flatten)]
    pub holder: Holder,
    /// When it was taken.
    pub since: Timestamp,
    /// When it runs out, unless it is renewed.
    pub expires: Timestamp,
    pub(super) ttl_seconds: u64,
}

impl LockRecord {
    pub(super) fn new(holder: Holder, now: Timestamp, ttl: Duration) -> Self {
        let record = Self { format_version: FORMAT_VERSION, holder, since: now, expires: now, ttl_seconds: ttl.as_secs() };
        record.renewed(now)
    }

    pub(super) fn renewed(&self, now: Timestamp) -> Self {
        // Saturating: a clock at the end of time is no reason to fail.
        let expires = now.saturating_add(SignedDuration::try_from(self.ttl()).unwrap_or(SignedDuration::MAX));
        Self { expires: expires.unwrap_or(Timestamp::MAX), ..self.clone() }
    }

    pub(super) fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl_seconds)
    }

    /// How long its holder may still be at work, for an object of that age; `None` when others may take the lock over.
    pub(super) fn time_left(&self, age: Duration) -> Option<Duration> {
        let has_ended = self.holder.process.as_ref().is_some_and(ProcessId::has_ended);
        let left = self.ttl().saturating_add(GRACE).checked_sub(age);
        left.filter(|_| !has_ended)
    }

    /// # Errors
    /// [`StoreError::Corrupt`] or [`StoreError::Newer`]: then nobody knows who holds it, and it is left alone.
    pub(super) fn parse(location: &str, bytes: &[u8]) -> Result<Self, StoreError> {
        let hint = match location.strip_prefix("file://") {
            Some(path) => format!("make sure that nobody works on this cluster, then remove it: rm {path}"),
            None => format!("make sure that nobody works on this cluster, then remove it: aws s3 rm {location}"),
        };
        let corrupt = |reason: String| StoreError::Corrupt { location: location.to_owned(), reason, hint: hint.clone() };
        let value = documents::parse_versioned(location, bytes).map_err(|error| match error {
            StoreError::Corrupt { reason, .. } => corrupt(reason),
            other => other,
        })?;
        serde_json::from_value(value).map_err(|error| corrupt(error.to_string()))
    }
}

/// A lock that somebody else holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub cluster: String,
    pub record: LockRecord,
    /// Since it was taken or renewed.
    pub age: Duration,
    /// Until it will be taken over, if it is not renewed.
    pub remaining: Duration,
}

impl Held {
    /// What to do about it.
    pub fn hint(&self) -> String {
        format!(
            "wait until that command has finished, then run this one again. Should it have died, its lock will be taken over by \
             the next command in {}",
            seconds(self.remaining)
        )
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LockRecord { holder, since, expires, .. } = &self.record;
        write!(f, "{} is locked: {holder} runs `kclust {}`", self.cluster, holder.operation)?;
        if let Some(principal) = &holder.principal {
            write!(f, " as {principal}")?;
        }
        write!(
            f,
            " (process {}) since {}; renewed {} ago, held until {} and renewed while it runs",
            holder.pid,
            since.strftime("%F %T UTC"),
            seconds(self.age),
            expires.strftime("%T UTC"),
        )
    }
}

/// Whole seconds, or minutes and seconds, rounded up.
fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_described() {
        let holder = Holder::this_process("create", None);
        assert_eq!(holder.pid, std::process::id());
        assert_eq!(holder.id.len(), 32);
        assert_ne!(holder.id, Holder::this_process("create", None).id);
        assert!(!holder.user.is_empty() && !holder.host.is_empty());
        assert_eq!(holder.to_string(), format!("{}@{}", holder.user, holder.host));
    }

    #[test]
    fn durations_are_rounded_up() {
        for (millis, text) in
            [(0, "0 s"), (1, "1 s"), (59_000, "59 s"), (59_001, "1 min"), (61_000, "1 min 1 s"), (600_000, "10 min")]
        {
            assert_eq!(seconds(Duration::from_millis(millis)), text);
        }
    }
}
