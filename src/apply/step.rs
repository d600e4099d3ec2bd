//! One step: the call, its retries, and the wait for what it began.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::cloud::{CloudError, Creation, ErrorClass, Outputs, Physical, Readiness};
use crate::model::{Kind, Resource, ResourceId};
use crate::plan::{Action, Operation, Step, Work};

use super::deadline::{CONSISTENCY, GONE, HELD, pause, ready};
use super::events::{Event, Observer};
use super::provisioner::Provisioner;
use super::stop::Stop;

/// Longest pause between two attempts, and between two looks at something that takes its time.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How a step ended.
pub(super) enum Outcome {
    /// The resource exists as desired.
    Made(Physical),
    /// The resource is gone.
    Removed,
    /// The wait for what a call began was cut short by an interruption, or it was not tried again. `made` exists all the same.
    Interrupted { made: Option<Physical> },
    /// As with an interruption, `made` may exist: a resource that never became ready.
    Failed { error: CloudError, made: Option<Physical> },
}

impl Work {
    pub(super) fn action(&self) -> Action {
        match self {
            Self::Create(_) => Action::Create,
            Self::Update { .. } => Action::Update,
            Self::Delete(_) => Action::Delete,
        }
    }
}

pub(super) struct Runner<'a> {
    provisioner: &'a Provisioner<'a>,
    observer: &'a dyn Observer,
    stop: &'a Stop,
    /// See [`super::execute`].
    operation_id: &'a str,
    /// How long a removal is tried again while something holds on to the thing.
    held: Duration,
    /// One for each call that may be in flight. Whoever waits for AWS holds none: a hundred groups that end their machines do not
    /// stand in each other's way.
    permits: Semaphore,
    concurrency: usize,
    nothing_new: AtomicBool,
}

impl<'a> Runner<'a> {
    pub(super) fn new(
        provisioner: &'a Provisioner<'a>,
        observer: &'a dyn Observer,
        stop: &'a Stop,
        operation: (Operation, &'a str),
        concurrency: usize,
    ) -> Self {
        let (operation, operation_id) = operation;
        let held = match operation {
            Operation::Delete => HELD,
            Operation::Create | Operation::Update => GONE,
        };
        let (permits, nothing_new) = (Semaphore::new(concurrency), AtomicBool::new(false));
        Self { provisioner, observer, stop, operation_id, held, permits, concurrency, nothing_new }
    }

    pub(super) fn calls_in_flight(&self) -> usize {
        self.concurrency - self.permits.available_permits()
    }

    /// Steps that have not begun shall not begin.
    pub(super) fn begin_nothing_new(&self) {
        self.nothing_new.store(true, Ordering::Relaxed);
    }

    /// Makes a call when its turn has come.
    async fn call<T>(&self, call: impl Future<Output = T>) -> T {
        // It fails only when the semaphore is closed, which nobody does.
        let _permit = self.permits.acquire().await;
        call.await
    }

    /// Carries a step out. Returns how long that took from its first call on, and how it ended.
    pub(super) async fn run(&self, step: &Step, outputs: &Outputs) -> (Duration, Outcome) {
        let permit = self.permits.acquire().await;
        if self.stop.is_requested() || self.nothing_new.load(Ordering::Relaxed) {
            return (Duration::ZERO, Outcome::Interrupted { made: None });
        }
        let begun = Instant::now();
        self.observer.on(Event::Started { id: &step.id, action: step.work.action() });
        let first = self.attempt(step, outputs, false).await;
        drop(permit);
        let outcome = self.finish(step, outputs, begun, first).await;
        (begun.elapsed(), outcome)
    }

    /// One try of a step's call: what it made, or nothing where it removed.
    async fn attempt(&self, step: &Step, outputs: &Outputs, retry: bool) -> Result<Option<Physical>, CloudError> {
        match &step.work {
            Work::Create(resource) => {
                let token = client_token(self.operation_id, &step.id, resource);
                let creation = Creation { id: &step.id, resource, token: &token, retry };
                self.provisioner.create(creation, outputs).await.map(Some)
            }
            Work::Update { observed, desired } => self.provisioner.update(&step.id, observed, desired, outputs).await.map(Some),
            Work::Delete(observed) => match self.provisioner.delete(&step.id, observed).await {
                Err(error) if error.class == ErrorClass::NotFound => Ok(None),
                other => other.map(|()| None),
            },
        }
    }

    /// What follows the first try: further ones where they may help, and the wait for what the call began.
    async fn finish(
        &self,
        step: &Step,
        outputs: &Outputs,
        begun: Instant,
        first: Result<Option<Physical>, CloudError>,
    ) -> Outcome {
        let mut result = first;
        let mut attempt = 0;
        loop {
            let error = match result {
                Ok(Some(physical)) => return self.wait_until_ready(&step.id, physical, begun).await,
                Ok(None) => return self.wait_until_gone(step, begun).await,
                Err(error) => error,
            };
            let Some(patience) = self.patience(step, &error) else { return Outcome::Failed { error, made: None } };
            if begun.elapsed() >= patience {
                return Outcome::Failed { error, made: None };
            }
            let pause = pause(attempt, LONGEST_PAUSE);
            attempt += 1;
            self.observer.on(Event::Retrying { id: &step.id, error: &error, pause });
            if !self.sleep(pause).await || self.stop.is_requested() {
                return Outcome::Interrupted { made: None };
            }
            // A creation may be several calls, of which the first took effect; or its answer was lost.
            result = self.call(self.attempt(step, outputs, true)).await;
        }
    }

    async fn wait_until_ready(&self, id: &ResourceId, physical: Physical, begun: Instant) -> Outcome {
        let failed = |error, made| Outcome::Failed { error, made: Some(made) };
        let limit = ready(id.kind);
        let mut attempt = 0;
        loop {
            let reason = match self.call(self.provisioner.readiness(id, &physical)).await {
                Ok(Readiness::Ready) => return Outcome::Made(physical),
                Ok(Readiness::Failed(reason)) => return failed(wait_error(id, "failed", reason), physical),
                Ok(Readiness::Pending(reason)) => reason,
                // Not visible yet, or the question was lost: asking again is harmless.
                Err(error) if error.class.is_passing() || error.class == ErrorClass::NotFound => error.to_string(),
                Err(error) => return failed(error, physical),
            };
            if begun.elapsed() >= limit {
                let text = format!("not ready after {} s: {reason}", limit.as_secs());
                return failed(wait_error(id, "timed out", text), physical);
            }
            self.observer.on(Event::Waiting { id, reason: &reason, elapsed: begun.elapsed() });
            if !self.sleep(pause(attempt, LONGEST_PAUSE)).await {
                return Outcome::Interrupted { made: Some(physical) };
            }
            attempt += 1;
        }
    }

    async fn wait_until_gone(&self, step: &Step, begun: Instant) -> Outcome {
        let Work::Delete(observed) = &step.work else { return Outcome::Removed };
        let mut attempt = 0;
        loop {
            match self.call(self.provisioner.is_gone(&step.id, observed)).await {
                Ok(true) => return Outcome::Removed,
                Ok(false) => {}
                Err(error) if error.class == ErrorClass::NotFound => return Outcome::Removed,
                Err(error) if error.class.is_passing() => {}
                Err(error) => return Outcome::Failed { error, made: None },
            }
            if begun.elapsed() >= GONE {
                let text = format!("still there after {} s", GONE.as_secs());
                let error = wait_error(&step.id, "timed out", text);
                return Outcome::Failed { error, made: None };
            }
            self.observer.on(Event::Waiting { id: &step.id, reason: going(step.id.kind), elapsed: begun.elapsed() });
            if !self.sleep(pause(attempt, LONGEST_PAUSE)).await {
                return Outcome::Interrupted { made: None };
            }
            attempt += 1;
        }
    }

    /// How long a failed call is tried again; `None` when that would not help.
    fn patience(&self, step: &Step, error: &CloudError) -> Option<Duration> {
        match error.class {
            class if class.is_passing() => Some(CONSISTENCY),
            // What the step refers to was made a moment ago and is not visible everywhere (Invalid…ID.NotFound).
            ErrorClass::NotFound => Some(CONSISTENCY),
            // What holds on to it is going, or its going is not visible everywhere (DependencyViolation, ResourceInUse).
            ErrorClass::InUse => match step.work {
                // IAM has nothing that takes its time to go: what holds on to a role is somebody's, and stays.
                Work::Delete(_) if is_of_iam(step.id.kind) => Some(self.held.min(CONSISTENCY)),
                Work::Delete(_) => Some(self.held),
                Work::Create(_) | Work::Update { .. } => Some(CONSISTENCY),
            },
            _ => None,
        }
    }

    /// Returns whether the pause was slept to its end.
    async fn sleep(&self, pause: Duration) -> bool {
        tokio::select! {
            () = sleep(pause) => true,
            () = self.stop.requested() => false,
        }
    }
}

fn is_of_iam(kind: Kind) -> bool {
    matches!(kind, Kind::Role | Kind::RolePolicy | Kind::InstanceProfile)
}

fn going(kind: Kind) -> &'static str {
    match kind {
        Kind::AutoscalingGroup => "its instances are shutting down",
        Kind::NatGateway => "AWS is taking it down",
        Kind::LoadBalancer => "its network interfaces are being released",
        _ => "it is going",
    }
}

fn wait_error(id: &ResourceId, code: &str, message: String) -> CloudError {
    CloudError {
        class: ErrorClass::Other,
        operation: format!("waiting for {id}"),
        code: Some(code.to_owned()),
        message,
        request_id: None,
    }
}

/// `ClientToken`: the same for the same content in one operation, also when another process takes it up, so that a repeated call
/// finds what the first one made. At most 64 characters of ASCII. Another operation has other tokens: AWS remembers them for a day,
/// and would answer with a thing that was deleted meanwhile.
fn client_token(operation_id: &str, id: &ResourceId, resource: &Resource) -> String {
    let mut hash = Sha256::new();
    hash.update(operation_id.as_bytes());
    hash.update([0]);
    hash.update(id.to_string().as_bytes());
    for field in resource.fields() {
        hash.update([0]);
        hash.update(field.path.as_bytes());
        hash.update([0]);
        hash.update(field.value.to_json().to_string().as_bytes());
    }
    hash.finalize().iter().take(24).map(|byte| format!("{byte:02x}")).collect()
}
