//! Carrying out a plan: a ready queue with bounded concurrency, classified retries, deadlines, and events for whoever watches.

mod deadline;
mod events;
mod executor;
mod provisioner;
mod report;
mod step;
mod stop;
#[cfg(test)]
mod tests;

pub use events::{Event, Observer};
pub use executor::{CONCURRENCY, execute};
pub use provisioner::Provisioner;
pub use report::{Failure, Report};
pub use stop::Stop;
