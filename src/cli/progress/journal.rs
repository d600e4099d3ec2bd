//! What happened, and what of it is told. Takes the time as an argument and knows nothing of terminals.

use std::collections::BTreeSet;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::words::{after, clock, did, doing, one_line, span, to_do};
use crate::apply::Event;
use crate::cli::args::Verbosity;
use crate::cloud::ErrorClass;
use crate::model::ResourceId;
use crate::plan::Action;

/// What takes longer than this is worth a line of its own, even on a terminal.
const LONG: Duration = Duration::from_secs(2);
/// How often a wait is told again where lines cannot change.
const REMINDER: Duration = Duration::from_secs(15);
/// The same, of a wait for a cluster that goes on for many minutes.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// How much a line matters, from much to little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Failure,
    Warning,
    News,
    Detail,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    weight: Weight,
    text: String,
}

/// A step that has begun and not ended.
struct Running {
    id: ResourceId,
    action: Action,
    since: Duration,
    /// What it waits for.
    state: Option<String>,
    /// When its wait was told last, in time of the step.
    told: Option<Duration>,
}

/// A wait for one thing after the other.
struct Wait {
    text: String,
    since: Duration,
    told: Duration,
}

/// What happened, and what of it is told. Times are those since the start of the program.
pub(super) struct Journal {
    /// There is a line that changes: what it shows needs no line of its own.
    live: bool,
    unicode: bool,
    verbosity: Verbosity,
    begun: Duration,
    done: usize,
    total: usize,
    phase: Option<(String, Duration)>,
    /// What is done meanwhile is no phase of its own.
    wait: Option<Wait>,
    /// The oldest first.
    running: Vec<Running>,
    /// Step and error code of the retries that were told.
    retried: BTreeSet<(ResourceId, Option<String>)>,
}

impl Journal {
    pub(super) fn new(live: bool, unicode: bool, verbosity: Verbosity) -> Self {
        Self {
            live,
            unicode,
            verbosity,
            begun: Duration::ZERO,
            done: 0,
            total: 0,
            phase: None,
            wait: None,
            running: Vec::new(),
            retried: BTreeSet::new(),
        }
    }

    pub(super) fn step(&mut self, at: Duration, text: &str) -> Option<Line> {
        if self.wait.is_none() {
            self.phase = Some((text.to_owned(), at));
        }
        self.line(Weight::Detail, text.to_owned())
    }

    /// It is waited for `text` now. The clock goes on over all that is waited for. That it is another thing is told where that is found
    /// out; for as long as it is the same, there is a sign of life now and then.
    pub(super) fn wait(&mut self, at: Duration, text: &str) -> Option<Line> {
        let before = self.wait.take();
        let since = before.as_ref().map_or(at, |wait| wait.since);
        let told = before.filter(|wait| wait.text == text).map_or(at, |wait| wait.told);
        let is_due = at.saturating_sub(told) >= SIGN_OF_LIFE;
        self.phase = Some((text.to_owned(), since));
        self.wait = Some(Wait { text: text.to_owned(), since, told: if is_due { at } else { told } });
        is_due.then(|| self.line(self.passing(), format!("{text}{}", after(at.saturating_sub(since)))))?
    }

    pub(super) fn begin(&mut self, at: Duration, total: usize) -> Option<Line> {
        *self = Self { begun: at, total, ..Self::new(self.live, self.unicode, self.verbosity) };
        None
    }

    pub(super) fn clear(&mut self) -> Option<Line> {
        (self.phase, self.wait) = (None, None);
        self.running.clear();
        None
    }

    pub(super) fn on(&mut self, at: Duration, event: &Event<'_>) -> Option<Line> {
        match *event {
            Event::Started { id, action } => {
                self.phase = None;
                self.running.push(Running { id: id.clone(), action, since: at, state: None, told: None });
                self.line(Weight::Detail, format!("{} {id}", doing(action)))
            }
            Event::Waiting { id, reason, elapsed } => {
                let reason = one_line(reason);
                let text = format!("waiting for {id}: {reason}{}", after(elapsed));
                let running = self.running.iter_mut().find(|running| running.id == *id)?;
                running.state = Some(reason);
                if running.told.is_some_and(|told| elapsed.saturating_sub(told) < REMINDER) {
                    return None;
                }
                running.told = Some(elapsed);
                self.line(self.passing(), text)
            }
            Event::Retrying { id, error, pause: _ } => {
                let code = error.code.clone().unwrap_or_else(|| one_line(&error.message));
                let running = self.running.iter_mut().find(|running| running.id == *id)?;
                running.state = Some(format!("{code}, trying again"));
                // The text of an error may hold ids of requests and differ each time; its code does not.
                if !self.retried.insert((id.clone(), error.code.clone())) {
                    return None;
                }
                self.line(self.passing(), format!("trying again with {id}: {}", one_line(error)))
            }
            Event::Finished { id, action, elapsed, done, total } => {
                self.end(id, action);
                (self.done, self.total) = (done, total);
                let long = elapsed > LONG;
                let text =
                    if long { format!("{} {id} in {}", did(action), span(elapsed)) } else { format!("{} {id}", did(action)) };
                self.line(if self.live && !long { Weight::Detail } else { Weight::News }, text)
            }
            Event::Failed { id, action, error } => {
                self.end(id, action);
                if (action, error.class) == (Action::Delete, ErrorClass::InUse) {
                    // A removal looks at what holds on to it, and tries again or tells in the end.
                    return self.line(Weight::News, format!("could not delete {id} yet: {}", one_line(error)));
                }
                self.line(Weight::Failure, format!("failed to {} {id}: {}", to_do(action), one_line(error)))
            }
            Event::Stopping { in_flight } => {
                let calls = if in_flight == 1 { "call" } else { "calls" };
                let text = format!("Stopping: waiting for {in_flight} {calls} in flight; press Ctrl-C again to stop at once");
                self.line(Weight::Warning, text)
            }
        }
    }

    /// The line, when it is told at this verbosity.
    pub(super) fn line(&self, weight: Weight, text: String) -> Option<Line> {
        let least = match weight {
            Weight::Failure | Weight::Warning => Verbosity::Quiet,
            Weight::News => Verbosity::Normal,
            Weight::Detail => Verbosity::Verbose,
        };
        (self.verbosity >= least).then_some(Line { weight, text })
    }

    /// The weight of what the changing line shows as well.
    fn passing(&self) -> Weight {
        if self.live { Weight::Detail } else { Weight::News }
    }

    fn end(&mut self, id: &ResourceId, action: Action) {
        // One of them: duplicates of a resource have one id, and may go at the same time.
        if let Some(index) = self.running.iter().position(|running| running.id == *id && running.action == action) {
            self.running.remove(index);
        }
    }

    /// A line as it is written.
    pub(super) fn render(&self, at: Duration, line: &Line, color: bool) -> String {
        let paint = match line.weight {
            Weight::Failure if color => Style::new().fg_color(Some(AnsiColor::Red.into())),
            Weight::Warning if color => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
            _ => Style::new(),
        };
        // Somebody who watches a terminal sees when a line appears.
        let time = if self.live { String::new() } else { format!("{:>6.1}s  ", at.as_secs_f64()) };
        format!("{time}{paint}{}{paint:#}\n", line.text)
    }

    /// What the changing line shows; `None` when there is nothing to wait for.
    pub(super) fn live_line(&self, at: Duration) -> Option<String> {
        let counter = if self.total == 0 {
            String::new()
        } else {
            let digits = self.total.to_string().len().max(3);
            format!("[{:>digits$}/{}] ", self.done, self.total)
        };
        if let Some((phase, since)) = &self.phase {
            let elapsed = at.saturating_sub(*since);
            let ellipsis = if self.unicode { "…" } else { "..." };
            return (elapsed > LONG).then(|| format!("{counter}{}  {phase} {ellipsis}", clock(elapsed)));
        }
        // The oldest is what the others will wait for.
        let oldest = self.running.first()?;
        let state = oldest.state.as_ref().map(|state| format!(": {state}")).unwrap_or_default();
        let others = match self.running.len() - 1 {
            0 => String::new(),
            others => format!(", {others} more"),
        };
        Some(format!(
            "{counter}{}  {} {}{state}{}{others}",
            clock(at.saturating_sub(self.begun)),
            doing(oldest.action),
            oldest.id,
            after(at.saturating_sub(oldest.since)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::CloudError;
    use crate::model::Kind;

    fn id(text: &str) -> ResourceId {
        ResourceId::parse(text).unwrap()
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn refusal(code: Option<&str>, message: &str) -> CloudError {
        CloudError {
            class: ErrorClass::NotYet,
            operation: "ec2:CreateSubnet".into(),
            code: code.map(Into::into),
            message: message.into(),
            request_id: None,
        }
    }

    /// A short life of three resources, one of which takes its time and one of which fails.
    fn story(journal: &mut Journal) -> String {
        let (vpc, nat, subnet) = (id("Vpc/main"), id("NatGateway/us-east-1a"), id("Subnet/public-us-east-1a"));
        let not_visible = refusal(Some("InvalidVpcID.NotFound"), "The vpc ID 'vpc-1' does not exist");
        let denied = refusal(Some("UnauthorizedOperation"), "You are not authorized\nto perform this operation.");
        let create = Action::Create;
        let waiting = |elapsed| Event::Waiting { id: &nat, reason: "pending", elapsed: seconds(elapsed) };
        let retrying = || Event::Retrying { id: &subnet, error: &not_visible, pause: seconds(0.5) };
        let events = [
            (0.0, Event::Started { id: &vpc, action: create }),
            (0.4, Event::Finished { id: &vpc, action: create, elapsed: seconds(0.4), done: 1, total: 3 }),
            (0.4, Event::Started { id: &nat, action: create }),
            (0.4, Event::Started { id: &subnet, action: create }),
            (1.0, retrying()),
            (1.5, waiting(1.1)),
            (1.6, retrying()),
            (6.4, waiting(6.0)),
            (7.0, Event::Failed { id: &subnet, action: create, error: &denied }),
            (16.9, waiting(16.5)),
            (20.0, Event::Stopping { in_flight: 1 }),
            (72.0, Event::Finished { id: &nat, action: create, elapsed: seconds(71.6), done: 2, total: 3 }),
        ];
        let mut text = String::new();
        let mut tell = |at: Duration, line: Option<Line>, journal: &Journal| {
            text.extend(line.map(|line| journal.render(at, &line, false)));
        };
        let line = journal.step(seconds(0.0), "observing the account");
        tell(seconds(0.0), line, journal);
        assert_eq!(journal.begin(seconds(0.0), 3), None);
        for (at, event) in events {
            let line = journal.on(seconds(at), &event);
            tell(seconds(at), line, journal);
        }
        text
    }

    fn told(live: bool, verbosity: Verbosity) -> String {
        story(&mut Journal::new(live, true, verbosity))
    }

    #[test]
    fn without_a_terminal_every_line_has_its_time_and_waits_are_told_now_and_then() {
        insta::assert_snapshot!(told(false, Verbosity::Normal), @r"
         0.4s  created Vpc/main
         1.0s  trying again with Subnet/public-us-east-1a: ec2:CreateSubnet: InvalidVpcID.NotFound: The vpc ID 'vpc-1' does not exist
         1.5s  waiting for NatGateway/us-east-1a: pending (1 s)
         7.0s  failed to create Subnet/public-us-east-1a: ec2:CreateSubnet: UnauthorizedOperation: You are not authorized to perform this operation
        16.9s  waiting for NatGateway/us-east-1a: pending (16 s)
        20.0s  Stopping: waiting for 1 call in flight; press Ctrl-C again to stop at once
        72.0s  created NatGateway/us-east-1a in 1 min 11 s
        ");
    }

    #[test]
    fn verbose_tells_phases_and_beginnings() {
        insta::assert_snapshot!(told(false, Verbosity::Verbose), @r"
         0.0s  observing the account
         0.0s  creating Vpc/main
         0.4s  created Vpc/main
         0.4s  creating NatGateway/us-east-1a
         0.4s  creating Subnet/public-us-east-1a
         1.0s  trying again with Subnet/public-us-east-1a: ec2:CreateSubnet: InvalidVpcID.NotFound: The vpc ID 'vpc-1' does not exist
         1.5s  waiting for NatGateway/us-east-1a: pending (1 s)
         7.0s  failed to create Subnet/public-us-east-1a: ec2:CreateSubnet: UnauthorizedOperation: You are not authorized to perform this operation
        16.9s  waiting for NatGateway/us-east-1a: pending (16 s)
        20.0s  Stopping: waiting for 1 call in flight; press Ctrl-C again to stop at once
        72.0s  created NatGateway/us-east-1a in 1 min 11 s
        ");
    }

    #[test]
    fn quiet_tells_only_what_goes_wrong() {
        insta::assert_snapshot!(told(false, Verbosity::Quiet), @r"
         7.0s  failed to create Subnet/public-us-east-1a: ec2:CreateSubnet: UnauthorizedOperation: You are not authorized to perform this operation
        20.0s  Stopping: waiting for 1 call in flight; press Ctrl-C again to stop at once
        ");
    }

    #[test]
    fn on_a_terminal_only_what_took_long_and_what_went_wrong_scrolls() {
        insta::assert_snapshot!(told(true, Verbosity::Normal), @r"
        failed to create Subnet/public-us-east-1a: ec2:CreateSubnet: UnauthorizedOperation: You are not authorized to perform this operation
        Stopping: waiting for 1 call in flight; press Ctrl-C again to stop at once
        created NatGateway/us-east-1a in 1 min 11 s
        ");
    }

    #[test]
    fn a_verbose_terminal_scrolls_everything() {
        insta::assert_snapshot!(told(true, Verbosity::Verbose), @r"
        observing the account
        creating Vpc/main
        created Vpc/main
        creating NatGateway/us-east-1a
        creating Subnet/public-us-east-1a
        trying again with Subnet/public-us-east-1a: ec2:CreateSubnet: InvalidVpcID.NotFound: The vpc ID 'vpc-1' does not exist
        waiting for NatGateway/us-east-1a: pending (1 s)
        failed to create Subnet/public-us-east-1a: ec2:CreateSubnet: UnauthorizedOperation: You are not authorized to perform this operation
        waiting for NatGateway/us-east-1a: pending (16 s)
        Stopping: waiting for 1 call in flight; press Ctrl-C again to stop at once
        created NatGateway/us-east-1a in 1 min 11 s
        ");
    }

    #[test]
    fn the_changing_line_shows_the_oldest_step_and_its_wait() {
        let mut journal = Journal::new(true, true, Verbosity::Normal);
        let (nat, volume) = (id("NatGateway/us-east-1a"), ResourceId::new(Kind::Volume, "etcd-cp-1"));
        journal.begin(seconds(10.0), 87);
        assert_eq!(journal.live_line(seconds(10.0)), None);
        journal.on(seconds(10.0), &Event::Started { id: &nat, action: Action::Create });
        assert_eq!(journal.live_line(seconds(10.2)).unwrap(), "[  0/87] 0s  creating NatGateway/us-east-1a");
        journal.on(seconds(11.0), &Event::Waiting { id: &nat, reason: "pending", elapsed: seconds(1.0) });
        journal.on(seconds(12.0), &Event::Started { id: &volume, action: Action::Delete });
        assert_eq!(
            journal.live_line(seconds(75.9)).unwrap(),
            "[  0/87] 1m05s  creating NatGateway/us-east-1a: pending (1 min 5 s), 1 more"
        );
        let error = refusal(None, "connection reset");
        journal.on(seconds(76.0), &Event::Retrying { id: &volume, error: &error, pause: seconds(1.0) });
        let finished = Event::Finished { id: &nat, action: Action::Create, elapsed: seconds(66.0), done: 34, total: 87 };
        journal.on(seconds(76.0), &finished);
        assert_eq!(
            journal.live_line(seconds(76.0)).unwrap(),
            "[ 34/87] 1m06s  deleting Volume/etcd-cp-1: connection reset, trying again (1 min 4 s)"
        );
        journal.clear();
        assert_eq!(journal.live_line(seconds(77.0)), None);
    }

    #[test]
    fn a_phase_is_shown_when_it_takes_long_and_ends_with_the_next_event() {
        let mut journal = Journal::new(true, false, Verbosity::Normal);
        assert_eq!(journal.step(seconds(1.0), "observing the account"), None);
        assert_eq!(journal.live_line(seconds(3.0)), None);
        assert_eq!(journal.live_line(seconds(4.5)).unwrap(), "3s  observing the account ...");
        journal.step(seconds(5.0), "taking the lock");
        assert_eq!(journal.live_line(seconds(5.5)), None);
        journal.on(seconds(6.0), &Event::Started { id: &id("Vpc/main"), action: Action::Create });
        assert_eq!(journal.live_line(seconds(9.0)).unwrap(), "9s  creating Vpc/main (3 s)");
    }

    #[test]
    fn a_wait_has_one_clock_whatever_is_done_meanwhile() {
        let mut journal = Journal::new(true, false, Verbosity::Normal);
        assert_eq!(journal.wait(seconds(10.0), "waiting for nodes"), None);
        journal.step(seconds(20.0), "observing the account");
        assert_eq!(journal.live_line(seconds(20.0)).unwrap(), "10s  waiting for nodes ...");
        journal.wait(seconds(70.0), "waiting for pods");
        assert_eq!(journal.live_line(seconds(70.1)).unwrap(), "1m00s  waiting for pods ...");
        journal.clear();
        assert_eq!(journal.live_line(seconds(90.0)), None);
    }

    /// A pipeline that hears nothing for ten minutes is ended by whoever runs it.
    #[test]
    fn without_a_terminal_a_wait_gives_signs_of_life() {
        let mut journal = Journal::new(false, false, Verbosity::Normal);
        let mut told = String::new();
        for tick in 0..13_u32 {
            let at = seconds(f64::from(tick) * 10.0);
            let line = journal.wait(at, if tick < 2 { "waiting for nodes" } else { "waiting for pods" });
            told.extend(line.map(|line| journal.render(at, &line, false)));
        }
        assert_eq!(told, "  80.0s  waiting for pods (1 min 20 s)\n");
        let mut quiet = Journal::new(false, false, Verbosity::Quiet);
        assert_eq!([0.0, 60.0].map(|at| quiet.wait(seconds(at), "waiting for nodes")), [None, None]);
    }

    #[test]
    fn one_of_two_duplicates_goes_at_a_time() {
        let mut journal = Journal::new(true, true, Verbosity::Normal);
        let volume = id("Volume/etcd-cp-1");
        for _ in 0..2 {
            journal.on(seconds(0.0), &Event::Started { id: &volume, action: Action::Delete });
        }
        let finished = Event::Finished { id: &volume, action: Action::Delete, elapsed: seconds(1.0), done: 1, total: 2 };
        journal.on(seconds(1.0), &finished);
        assert_eq!(journal.live_line(seconds(1.0)).unwrap(), "[  1/2] 1s  deleting Volume/etcd-cp-1 (1 s)");
    }

    #[test]
    fn colour_marks_what_went_wrong_and_nothing_else() {
        let journal = Journal::new(false, true, Verbosity::Normal);
        let line = |weight| Line { weight, text: "text".into() };
        assert_eq!(journal.render(seconds(61.25), &line(Weight::Failure), true), "  61.2s  \u{1b}[31mtext\u{1b}[0m\n");
        assert_eq!(journal.render(seconds(0.0), &line(Weight::News), true), "   0.0s  text\n");
    }
}
