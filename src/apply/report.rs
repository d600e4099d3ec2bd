//! What came of a plan.

use std::time::Duration;

use crate::cloud::{CloudError, Outputs};
use crate::model::ResourceId;
use crate::plan::Action;

/// A step that failed: a root cause, not its echoes.
#[derive(Debug, Clone)]
pub struct Failure {
    pub id: ResourceId,
    pub action: Action,
    pub error: CloudError,
}

/// The end of an execution.
#[derive(Debug, Default)]
pub struct Report {
    pub done: usize,
    pub total: usize,
    pub failures: Vec<Failure>,
    /// Not tried, because something that they need failed.
    pub skipped: Vec<ResourceId>,
    /// Not begun or not waited for, because of an interruption, or because a failure concerns all of AWS.
    pub not_done: Vec<ResourceId>,
    pub elapsed: Duration,
    /// Everything that exists now, as far as the execution knows.
    pub outputs: Outputs,
}

impl Report {
    pub fn is_complete(&self) -> bool {
        self.done == self.total
    }
}
