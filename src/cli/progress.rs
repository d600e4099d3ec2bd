//! What is going on, on standard error: one line that changes on a terminal, lines with the time elsewhere.
//!
//! The [`Journal`] decides what is told; it takes the time as an argument and knows nothing of terminals. [`Progress`] draws.

mod journal;
mod words;

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::Verbosity;
use super::terminal::{Output, Terminal};
use crate::apply::{Event, Observer};
use journal::{Journal, Line, Weight};

/// How often the clock of the changing line moves.
const TICK: Duration = Duration::from_millis(200);

/// Tells an operator what is going on.
pub struct Progress {
    shared: Arc<Shared>,
    /// The thread that moves the clock ends when this is dropped.
    _ticker: Option<Sender<()>>,
}

struct Shared {
    since: Instant,
    color: bool,
    journal: Mutex<Journal>,
    screen: Mutex<Screen>,
}

struct Screen {
    stderr: Output<io::Stderr>,
    /// On a terminal.
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn new(terminal: &Terminal, verbosity: Verbosity) -> Self {
        // The log of calls shares standard error, and would tear a changing line apart.
        let live = terminal.live && verbosity != Verbosity::Debug;
        // A quiet terminal has no line either, but its warnings need no time.
        let bar = (live && verbosity != Verbosity::Quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
            // Messages are cut to the width of the terminal. The template is known to be right.
            bar.set_style(ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.finish_and_clear();
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar
        });
        let ticking = bar.is_some();
        let shared = Arc::new(Shared {
            since: Instant::now(),
            color: terminal.stderr.color,
            journal: Mutex::new(Journal::new(live, terminal.stderr.unicode, verbosity)),
            screen: Mutex::new(Screen { stderr: Output::new(io::stderr()), bar }),
        });
        let ticker = ticking.then(|| tick(Arc::clone(&shared)));
        Self { shared, _ticker: ticker }
    }

    /// A phase begins, such as `observing the account`. It ends with the next one, with the first event, or with [`Self::clear`].
    pub fn step(&self, text: &str) {
        self.shared.tell(|journal, at| journal.step(at, text));
    }

    /// It is waited for `text` now, until [`Self::clear`].
    pub fn wait(&self, text: &str) {
        self.shared.tell(|journal, at| journal.wait(at, text));
    }

    /// A plan of so many steps is about to be carried out; the clock of the changing line starts again.
    pub fn begin(&self, total: usize) {
        self.shared.tell(|journal, at| journal.begin(at, total));
    }

    /// Something to know.
    pub fn note(&self, text: &str) {
        self.shared.tell(|journal, _| journal.line(Weight::News, text.to_owned()));
    }

    /// Something to know that is told even when quiet.
    pub fn warn(&self, text: &str) {
        self.shared.tell(|journal, _| journal.line(Weight::Warning, format!("warning: {text}")));
    }

    /// Takes the changing line off the terminal, before a result, a question or an error is written.
    pub fn clear(&self) {
        self.shared.tell(|journal, _| journal.clear());
    }
}

impl Observer for Progress {
    fn on(&self, event: Event<'_>) {
        self.shared.tell(|journal, at| journal.on(at, &event));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Shared {
    /// The screen is locked first, everywhere: lines appear in the order of what they tell.
    fn tell(&self, change: impl FnOnce(&mut Journal, Duration) -> Option<Line>) {
        let mut screen = lock(&self.screen);
        let at = self.since.elapsed();
        let mut journal = lock(&self.journal);
        let line = change(&mut journal, at);
        screen.draw(line.map(|line| journal.render(at, &line, self.color)), journal.live_line(at));
    }
}

impl Screen {
    fn draw(&mut self, text: Option<String>, live: Option<String>) {
        let Self { stderr, bar } = self;
        // The changing line first, so that it does not come back with what it showed before.
        if let Some(bar) = bar {
            match live {
                Some(line) => {
                    bar.set_message(line);
                    if bar.is_finished() {
                        bar.reset();
                    }
                }
                None if !bar.is_finished() => bar.finish_and_clear(),
                None => {}
            }
        }
        let Some(text) = text else { return };
        // There is nowhere to tell that standard error cannot be written.
        let mut print = || drop(stderr.print(&text));
        match bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

/// Starts the thread that moves the clock.
fn tick(shared: Arc<Shared>) -> Sender<()> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        while receiver.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            shared.tell(|_, _| None);
        }
    });
    sender
}

/// What another thread left behind when it panicked is still good enough to be drawn.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
