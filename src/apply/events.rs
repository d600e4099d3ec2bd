//! What happens while a plan is carried out. The executor tells; only `cli/` draws.

use std::time::Duration;

use crate::cloud::CloudError;
use crate::model::ResourceId;
use crate::plan::Action;

/// Something that happened to one step. A replacement is told as a `Delete` and a `Create`.
#[derive(Debug)]
pub enum Event<'a> {
    Started {
        id: &'a ResourceId,
        action: Action,
    },
    /// The call was accepted; what AWS still has to do.
    Waiting {
        id: &'a ResourceId,
        reason: &'a str,
        elapsed: Duration,
    },
    /// A passing error; the same call is made again.
    Retrying {
        id: &'a ResourceId,
        error: &'a CloudError,
        pause: Duration,
    },
    Finished {
        id: &'a ResourceId,
        action: Action,
        elapsed: Duration,
        done: usize,
        total: usize,
    },
    Failed {
        id: &'a ResourceId,
        action: Action,
        error: &'a CloudError,
    },
    /// Interrupted: nothing new is begun; this many calls are still in flight.
    Stopping {
        in_flight: usize,
    },
}

/// Whoever watches.
pub trait Observer: Send + Sync {
    fn on(&self, event: Event<'_>);
}
