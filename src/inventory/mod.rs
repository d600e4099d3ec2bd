//! What a cluster consists of at the moment, as `get` lists it: observations → rows. Pure.
//!
//! [`Fleet`] is what runs, as it was observed; [`instances`], [`groups`] and [`resources`] turn observations into what people and
//! programs read. The fields of their rows, as serialized, are the documents of `-o json` and `-o yaml`.

mod console;
mod fleet;
mod groups;
mod instances;
mod resources;
#[cfg(test)]
mod tests;

pub use console::Console;
pub use fleet::Fleet;
pub use groups::{Group, groups};
pub use instances::{Boot, Condition, Instance, Purchase, instances};
pub use resources::{ResourceRow, ResourceStatus, resources};
