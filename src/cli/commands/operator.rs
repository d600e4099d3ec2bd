//! The person at the terminal, as the use cases see them.

use std::sync::{Arc, Mutex};

use crate::apply::Stop;
use crate::cli::{Answer, ChangeArgs, Progress, Terminal, Verbosity, confirm_name, confirm_plan};
use crate::ops::{Approval, Operator};
use crate::plan::{Operation, Plan};

use super::Streams;

/// Asks on the terminal; shows the plan first.
pub(super) struct Terminals<'a> {
    pub(super) terminal: &'a Terminal,
    pub(super) progress: &'a Arc<Progress>,
    pub(super) stop: &'a Stop,
    yes: bool,
    verbosity: Verbosity,
    /// The plan that nobody could be asked about: it is the result then.
    unasked: Mutex<Option<Plan>>,
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
    fn approved(&self, plan: &Plan) -> Approval {
        listen_for_interrupts(self.stop, Arc::clone(self.progress));
        self.progress.begin(plan.steps.len());
        Approval::Yes
    }

    /// Prints the plan that nobody could be asked about, if there is one.
    pub(super) fn print_unasked(&self, streams: &mut Streams) -> Result<(), crate::cli::error::CliError> {
        let plan = self.unasked.lock().ok().and_then(|mut plan| plan.take());
        match plan {
            Some(plan) => streams.print_result(&plan.to_json(), |terminal| plan.to_text(terminal.stdout)),
            None => Ok(()),
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
        self.progress.clear();
        if self.yes || self.terminal.interactive {
            if self.verbosity > Verbosity::Quiet || !self.yes {
                let mut err = crate::cli::Output::new(std::io::stderr());
                // Whoever closed standard error does not want to read it.
                let _ = err.print(&plan.to_text(self.terminal.stderr));
            }
            if self.yes {
                return self.approved(plan);
            }
        }
        let answer = match plan.operation {
            Operation::Create => confirm_plan(self.terminal, &format!("Create {}?", plan.cluster)),
            Operation::Update => confirm_plan(self.terminal, &format!("Update {}?", plan.cluster)),
            Operation::Delete => confirm_name(self.terminal, &plan.cluster),
        };
        match answer {
            Ok(Answer::Yes) => self.approved(plan),
            Ok(Answer::No) => Approval::No,
            // A terminal that cannot be read is none.
            Ok(Answer::NoTerminal) | Err(_) => {
                if let Ok(mut unasked) = self.unasked.lock() {
                    *unasked = Some(plan.clone());
                }
                Approval::NobodyToAsk
            }
        }
    }
}

/// Turns the first Ctrl-C (or SIGTERM) into a request to stop, and the second into the end.
fn listen_for_interrupts(stop: &Stop, progress: Arc<Progress>) {
    let stop = stop.clone();
    tokio::spawn(async move {
        interrupt().await;
        stop.request();
        interrupt().await;
        progress.clear();
        std::process::exit(crate::cli::error::exit::INTERRUPTED.into());
    });
}

async fn interrupt() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        },
        // Without a handler for SIGTERM the process simply ends by it.
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}
