//! The ready queue: a finished step releases those that waited for it; a failed one stops only what needs it.

use std::collections::BTreeSet;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;

use crate::cloud::{ErrorClass, Outputs};
use crate::plan::{Plan, Work};

use super::events::{Event, Observer};
use super::provisioner::Provisioner;
use super::report::{Failure, Report};
use super::step::{Outcome, Runner};
use super::stop::Stop;

/// Calls in flight at once: far below the burst of any of AWS's request buckets (50 for changes in EC2, 20 in ELB), and more than
/// the longest path ever has beside it.
pub const CONCURRENCY: usize = 16;

/// Carries out a plan. `outputs` holds what exists already; `operation_id` is the same when an interrupted operation is taken up
/// again. Returns when nothing more can be done.
pub async fn execute(
    plan: &Plan,
    operation_id: &str,
    outputs: Outputs,
    provisioner: &Provisioner<'_>,
    observer: &dyn Observer,
    stop: &Stop,
    concurrency: usize,
) -> Report {
    let begun = Instant::now();
    let runner = Runner::new(provisioner, observer, stop, (plan.operation, operation_id), concurrency);
    let mut queue = Queue::new(plan);
    let mut report = Report { total: plan.steps.len(), outputs, ..Report::default() };
    let mut in_flight = FuturesUnordered::new();
    let mut announced = false;
    loop {
        while let Some(index) = queue.ready.pop_first() {
            // What the step refers to was finished before it became ready, so that this copy is complete.
            let known = report.outputs.clone();
            let runner = &runner;
            let step = &plan.steps[index];
            in_flight.push(async move {
                let ended = runner.run(step, &known).await;
                (index, ended)
            });
        }
        if stop.is_requested() && !announced && runner.calls_in_flight() > 0 {
            announced = true;
            observer.on(Event::Stopping { in_flight: runner.calls_in_flight() });
        }
        let finished = tokio::select! {
            finished = in_flight.next() => finished,
            () = stop.requested(), if !announced && runner.calls_in_flight() > 0 => continue,
        };
        let Some((index, (elapsed, outcome))) = finished else { break };
        let step = &plan.steps[index];
        let action = step.work.action();
        match outcome {
            Outcome::Failed { error, made } => {
                report.outputs.0.extend(made.map(|made| (step.id.clone(), made)));
                observer.on(Event::Failed { id: &step.id, action, error: &error });
                if is_everywhere(error.class) {
                    runner.begin_nothing_new();
                    if report.failures.iter().any(|earlier| earlier.error.class == error.class) {
                        report.not_done.push(step.id.clone());
                        continue;
                    }
                }
                report.failures.push(Failure { id: step.id.clone(), action, error });
                report.skipped.extend(queue.fail(index).into_iter().map(|skipped| plan.steps[skipped].id.clone()));
                continue;
            }
            Outcome::Interrupted { made } => {
                report.outputs.0.extend(made.map(|made| (step.id.clone(), made)));
                report.not_done.push(step.id.clone());
                continue;
            }
            Outcome::Made(physical) => {
                report.outputs.0.insert(step.id.clone(), physical);
            }
            Outcome::Removed => {
                // A duplicate that goes does not take the identity with it.
                let Work::Delete(observed) = &step.work else { continue };
                if report.outputs.get(&step.id).is_some_and(|known| known.id == observed.physical.id) {
                    report.outputs.0.remove(&step.id);
                }
            }
        }
        report.done += 1;
        observer.on(Event::Finished { id: &step.id, action, elapsed, done: report.done, total: report.total });
        queue.finish(index);
    }
    report.not_done.extend(queue.left().into_iter().map(|index| plan.steps[index].id.clone()));
    // A replacement is two steps of one name.
    for ids in [&mut report.skipped, &mut report.not_done] {
        ids.sort();
        ids.dedup();
    }
    report.elapsed = begun.elapsed();
    report
}

/// Whether other calls will fail the same way: the first such failure is the root cause of all.
fn is_everywhere(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Credentials | ErrorClass::Unreachable)
}

/// Which steps may begin.
struct Queue {
    /// Steps that each step waits for, and that are not done.
    waits: Vec<usize>,
    /// Steps that wait for each step.
    children: Vec<Vec<usize>>,
    ready: BTreeSet<usize>,
    /// Steps that will never begin.
    skipped: BTreeSet<usize>,
}

impl Queue {
    fn new(plan: &Plan) -> Self {
        let mut children = vec![Vec::new(); plan.steps.len()];
        for (index, step) in plan.steps.iter().enumerate() {
            for &before in &step.after {
                children[before].push(index);
            }
        }
        let waits: Vec<usize> = plan.steps.iter().map(|step| step.after.len()).collect();
        let ready = (0..waits.len()).filter(|&index| waits[index] == 0).collect();
        Self { waits, children, ready, skipped: BTreeSet::new() }
    }

    fn finish(&mut self, index: usize) {
        for child in self.children[index].clone() {
            self.waits[child] -= 1;
            if self.waits[child] == 0 && !self.skipped.contains(&child) {
                self.ready.insert(child);
            }
        }
    }

    /// Everything that needs the failed step, near and far. Returns what was not skipped before.
    fn fail(&mut self, index: usize) -> Vec<usize> {
        let mut newly = Vec::new();
        let mut open = vec![index];
        while let Some(step) = open.pop() {
            for &child in &self.children[step] {
                if self.skipped.insert(child) {
                    newly.push(child);
                    open.push(child);
                }
            }
        }
        newly
    }

    /// Steps that were never begun, though nothing that they need failed.
    fn left(&self) -> Vec<usize> {
        (0..self.waits.len())
            .filter(|index| (self.waits[*index] > 0 || self.ready.contains(index)) && !self.skipped.contains(index))
            .collect()
    }
}
