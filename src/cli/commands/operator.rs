//! The person at the terminal, as the use cases see them.

use std::sync::{Arc, Mutex};

use serde_json::Value as Json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::apply::Stop;
use crate::cli::backups::{plan_json, plan_text};
use crate::cli::{Answer, ChangeArgs, Progress, Terminal, Verbosity, confirm_name, confirm_plan};
use crate::ops::{Approval, Operator, RestorePlan};
use crate::plan::{Operation, Plan};

use super::Streams;

/// Asks on the terminal; shows the plan first.
pub(super) struct Terminals<'a> {
    pub(super) terminal: &'a Terminal,
    pub(super) progress: &'a Arc<Progress>,
    pub(super) stop: &'a Stop,
    yes: bool,
    verbosity: Verbosity,
    /// The plan that nobody could be asked about, as a document and as text: it is the result then.
    unasked: Mutex<Option<(Json, String)>>,
}

impl<'a> Terminals<'a> {
    pub(super) fn new(
        terminal: &'a Terminal,
        progress: &'a Arc<Progress>,
        stop: &'a Stop,
        change: Option<&ChangeArgs>,
        verbosity: Verbosity,
    ) -> Self {
        let yes = change.is_some_and(|change| change.yes);
        Self { terminal, progress, stop, yes, verbosity, unasked: Mutex::new(None) }
    }

    /// From here on something is changed: until then Ctrl-C simply ends the process.
    fn approved(&self, steps: usize) -> Approval {
        listen_for_interrupts(self.stop, Arc::clone(self.progress));
        self.progress.begin(steps);
        Approval::Yes
    }

    /// Prints the plan that nobody could be asked about, if there is one.
    pub(super) fn print_unasked(&self, streams: &mut Streams) -> Result<(), crate::cli::error::CliError> {
        let plan = self.unasked.lock().ok().and_then(|mut plan| plan.take());
        match plan {
            Some((document, text)) => streams.print_result(&document, |_| text),
            None => Ok(()),
        }
    }

    /// Shows a plan, unless it was approved beforehand and nothing is to be told. Whether it was approved beforehand.
    fn show(&self, text: &str) -> bool {
        self.progress.clear();
        if (self.yes || self.terminal.interactive) && (self.verbosity > Verbosity::Quiet || !self.yes) {
            // Whoever closed standard error does not want to read it.
            let _ = crate::cli::Output::new(std::io::stderr()).print(text);
        }
        self.yes
    }

    fn warn(&self, warning: &str) {
        let _ = crate::cli::Output::new(std::io::stderr()).print(&format!("warning: {warning}\n"));
    }

    /// What an answer means. `unasked` is the plan for the case that there was none.
    fn judge(&self, answer: std::io::Result<Answer>, steps: usize, unasked: impl FnOnce() -> (Json, String)) -> Approval {
        match answer {
            Ok(Answer::Yes) => self.approved(steps),
            Ok(Answer::No) => Approval::No,
            // A terminal that cannot be read is none.
            Ok(Answer::NoTerminal) | Err(_) => {
                if let Ok(mut slot) = self.unasked.lock() {
                    *slot = Some(unasked());
                }
                Approval::NobodyToAsk
            }
        }
    }
}

impl Operator for Terminals<'_> {
    fn phase(&self, text: &str) {
        self.progress.step(text);
    }

    fn note(&self, text: &str) {
        self.progress.note(text);
    }

    fn approve(&self, plan: &Plan) -> Approval {
        let steps = plan.steps.len();
        if self.yes && self.verbosity == Verbosity::Quiet {
            plan.warnings.iter().for_each(|warning| self.warn(warning));
        }
        if self.show(&plan.to_text(self.terminal.stderr)) {
            return self.approved(steps);
        }
        let answer = match plan.operation {
            Operation::Create => confirm_plan(self.terminal, &format!("Create {}?", plan.cluster)),
            Operation::Update => confirm_plan(self.terminal, &format!("Update {}?", plan.cluster)),
            Operation::Delete => confirm_name(self.terminal, &plan.cluster),
        };
        self.judge(answer, steps, || (plan.to_json(), plan.to_text(self.terminal.stdout)))
    }

    fn approve_restore(&self, plan: &RestorePlan) -> Approval {
        if self.show(&plan_text(plan)) {
            return self.approved(0);
        }
        let answer = confirm_plan(self.terminal, &format!("Restore {} from this snapshot?", plan.cluster));
        self.judge(answer, 0, || (plan_json(plan), plan_text(plan)))
    }

    fn begin_work(&self) {
        self.approved(0);
    }
}

/// Turns the first Ctrl-C (or SIGTERM) into a request to stop, and the second into the end.
fn listen_for_interrupts(stop: &Stop, progress: Arc<Progress>) {
    let stop = stop.clone();
    let mut interrupts = Interrupts::listen();
    tokio::spawn(async move {
        interrupts.next().await;
        stop.request();
        interrupts.next().await;
        progress.clear();
        std::process::exit(crate::cli::error::exit::INTERRUPTED.into());
    });
}

/// Each Ctrl-C and SIGTERM from the time on when this was made: none comes unheard between two that are waited for.
pub(super) struct Interrupts {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Interrupts {
    /// A signal that cannot be listened for simply ends the process.
    pub(super) fn listen() -> Self {
        let of = |kind| signal(kind).ok();
        Self { interrupt: of(SignalKind::interrupt()), terminate: of(SignalKind::terminate()) }
    }

    pub(super) async fn next(&mut self) {
        async fn of(signal: &mut Option<Signal>) {
            match signal {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        }
        tokio::select! {
            () = of(&mut self.interrupt) => {}
            () = of(&mut self.terminate) => {}
        }
    }
}
