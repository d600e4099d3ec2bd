//! `kclust get instances`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::table::{Cell, Column, Tone, table};
use crate::inventory::{Condition, Instance};
use crate::plan::TextStyle;

use super::{age, short_zone};

/// From this width on there is room for the address.
const WIDE: usize = 100;

const COLUMNS: [Column; 8] = [
    Column::text("GROUP").at_least(6),
    Column::text("INSTANCE"),
    Column::text("ZONE"),
    Column::text("TYPE").at_least(9),
    Column::text("ADDRESS"),
    Column::text("AGE"),
    Column::text("TEMPLATE"),
    Column::text("STATE").at_least(11),
];

/// Its place among the columns.
const ADDRESS: usize = 4;

/// A line for each instance; a wide terminal has its address, too.
pub fn instance_table(instances: &[Instance], region: &str, now: Timestamp, style: TextStyle) -> String {
    let row = |instance: &Instance| {
        vec![
            Cell::maybe(instance.group.as_ref()),
            Cell::from(&instance.id),
            Cell::from(short_zone(&instance.zone, region)),
            Cell::from(&instance.instance_type),
            Cell::maybe(instance.private_address),
            Cell::maybe(instance.launched_at.map(|at| age(at, now))),
            template(instance),
            Cell::new(state(instance), tone(instance.condition)),
        ]
    };
    let mut rows: Vec<Vec<Cell>> = instances.iter().map(row).collect();
    let mut columns = COLUMNS.to_vec();
    if style.width < WIDE {
        columns.remove(ADDRESS);
        rows.iter_mut().for_each(|row| drop(row.remove(ADDRESS)));
    }
    table(&columns, &rows, style)
}

fn template(instance: &Instance) -> Cell {
    match (instance.template_version, instance.template_current) {
        (None, _) => Cell::maybe(None::<u8>),
        (Some(version), Some(false)) => Cell::new(format!("v{version} old"), Tone::Warning),
        (Some(version), _) => Cell::from(format!("v{version}")),
    }
}

/// `booting: joining the cluster`
fn state(instance: &Instance) -> String {
    match &instance.detail {
        Some(detail) => format!("{}: {detail}", instance.condition.word()),
        None => instance.condition.word().to_owned(),
    }
}

fn tone(condition: Condition) -> Tone {
    match condition {
        Condition::Ready => Tone::Good,
        Condition::Booted | Condition::Running => Tone::Plain,
        Condition::Pending | Condition::Booting | Condition::NotJoined | Condition::Stopped | Condition::Terminating => {
            Tone::Warning
        }
        Condition::NotReady | Condition::BootFailed => Tone::Bad,
    }
}

/// Something that is different from the look before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceChange {
    pub at: Timestamp,
    pub change: Change,
    /// As it is now; for one that is gone, as it was last.
    pub instance: Instance,
    /// `ready: false → true`, as people read it.
    #[serde(skip)]
    what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    Added,
    Changed,
    Removed,
}

impl InstanceChange {
    /// A line of the table's words: `22:15:03  workers  i-0abc  booting: joining the cluster → Ready`.
    pub fn to_line(&self, style: TextStyle) -> String {
        let sign = match self.change {
            Change::Added => "+",
            Change::Changed => "~",
            Change::Removed => "-",
        };
        let group = self.instance.group.as_deref().unwrap_or("-");
        let line = format!("{}  {sign} {group}  {}  {}", self.at.strftime("%H:%M:%S"), self.instance.id, self.what);
        let line: String = line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        format!("{}\n", if style.unicode { line } else { line.replace('→', "->") })
    }
}

/// What is different between two looks, in the order of the instances; what is gone comes last.
pub fn instance_changes(before: &[Instance], after: &[Instance], at: Timestamp) -> Vec<InstanceChange> {
    let known: BTreeMap<&str, &Instance> = before.iter().map(|instance| (instance.id.as_str(), instance)).collect();
    let here: BTreeMap<&str, ()> = after.iter().map(|instance| (instance.id.as_str(), ())).collect();
    let now = after.iter().filter_map(|instance| {
        let (change, what) = match known.get(instance.id.as_str()) {
            Some(earlier) if *earlier == instance => return None,
            Some(earlier) => (Change::Changed, difference(earlier, instance)),
            None => (Change::Added, state(instance)),
        };
        Some(InstanceChange { at, change, instance: instance.clone(), what })
    });
    let gone = before.iter().filter(|instance| !here.contains_key(instance.id.as_str()));
    let gone =
        gone.map(|instance| InstanceChange { at, change: Change::Removed, instance: instance.clone(), what: "gone".to_owned() });
    now.chain(gone).collect()
}

fn difference(before: &Instance, after: &Instance) -> String {
    let mut parts = Vec::new();
    let (from, to) = (state(before), state(after));
    if from != to {
        parts.push(format!("{from} → {to}"));
    }
    let (from, to) = (template(before), template(after));
    if from != to {
        let outdated = if after.template_current == Some(false) { "old" } else { "current" };
        parts.push(format!("template {outdated}"));
    }
    if parts.is_empty() {
        parts.push(to_words(after));
    }
    parts.join(", ")
}

/// Where what the table shows is the same: what programs see has changed.
fn to_words(instance: &Instance) -> String {
    format!("{} ({})", state(instance), instance.state)
}
