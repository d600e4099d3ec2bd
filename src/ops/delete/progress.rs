//! Whether a removal gets anywhere: how long it may wait for what goes by itself, and when more passes would not help.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::cloud::{CloudError, ErrorClass, Leftover};

/// How long something may take to go while nothing else goes: the interfaces of a load balancer hold on to security groups for
/// minutes after it, and machines shut down in their own time.
const PATIENCE: Duration = Duration::from_secs(20 * 60);
/// Between two passes that did not help; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Passes in which controllers may make things of a kind without the removal getting further: some minutes, as those that live in
/// the cluster have until their machines end. One that lives elsewhere never ends.
const NEW_ONES: usize = 10;

/// How long AWS says the same of the same things before that counts as its last word: its services hear late of what goes elsewhere.
const LAST_WORD: Duration = Duration::from_secs(30);

/// What AWS would not remove, by its name, with AWS's answer.
pub(super) type Refusals = BTreeMap<String, CloudError>;

/// What passes came to so far. Fewer things left than ever before is the only progress: it cannot go on for ever, whatever makes
/// new things meanwhile.
pub(super) struct Progress {
    fewest: usize,
    since: Instant,
    pause: Duration,
    left: BTreeSet<String>,
    is_unchanged: bool,
    refused: Refusals,
    /// When AWS first said what it said last.
    refused_since: Instant,
    /// Passes without progress that found new things of a kind.
    new_ones: BTreeMap<&'static str, usize>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            fewest: usize::MAX,
            since: Instant::now(),
            pause: FIRST_PAUSE,
            left: BTreeSet::new(),
            is_unchanged: false,
            refused: Refusals::new(),
            refused_since: Instant::now(),
            new_ones: BTreeMap::new(),
        }
    }

    /// Notes what a look found. Returns whether that is progress.
    pub(super) fn see(&mut self, left: BTreeSet<String>, of_controllers: &[&Leftover]) -> bool {
        let is_progress = left.len() < self.fewest;
        if is_progress {
            (self.fewest, self.since, self.pause) = (left.len(), Instant::now(), FIRST_PAUSE);
            self.new_ones.clear();
        } else {
            let new = of_controllers.iter().filter(|leftover| !self.left.contains(&leftover.describe()));
            let kinds: BTreeSet<&'static str> = new.map(|leftover| leftover.kind()).collect();
            for kind in kinds {
                *self.new_ones.entry(kind).or_default() += 1;
            }
        }
        self.is_unchanged = left == self.left;
        self.left = left;
        is_progress
    }

    /// Notes what AWS would not do in the pass that followed.
    pub(super) fn refuse(&mut self, refused: Refusals) {
        let says = |(name, error): (&String, &CloudError)| (name.clone(), error.code.clone(), error.message.clone());
        if !self.refused.iter().map(says).eq(refused.iter().map(says)) {
            self.refused_since = Instant::now();
        }
        self.refused = refused;
    }

    pub(super) fn left(&self) -> &BTreeSet<String> {
        &self.left
    }

    pub(super) fn refused(&self) -> &Refusals {
        &self.refused
    }

    /// The last pass changed nothing.
    pub(super) fn is_unchanged(&self) -> bool {
        self.is_unchanged
    }

    /// AWS will not do it as it is, or has said the same for so long that it will not say anything else.
    pub(super) fn is_refused_for_good(&self) -> bool {
        let mut classes = self.refused.values().map(|error| error.class);
        classes.clone().any(|class| class == ErrorClass::Invalid)
            || (!self.refused.is_empty()
                && classes.all(|class| class == ErrorClass::InUse)
                && self.refused_since.elapsed() >= LAST_WORD)
    }

    /// Kinds of which something has made new ones for so long that it will not stop.
    pub(super) fn keep_coming(&self) -> Vec<&'static str> {
        self.new_ones.iter().filter(|(_, passes)| **passes >= NEW_ONES).map(|(kind, _)| *kind).collect()
    }

    pub(super) fn is_out_of_patience(&self) -> bool {
        self.since.elapsed() > PATIENCE
    }

    pub(super) fn next_pause(&mut self) -> Duration {
        let longer = (self.pause * 2).min(LONGEST_PAUSE);
        std::mem::replace(&mut self.pause, longer)
    }
}
