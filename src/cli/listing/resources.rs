//! `kclust get resources`.

use crate::cli::table::{Cell, Column, Tone, table};
use crate::inventory::{ResourceRow, ResourceStatus};
use crate::plan::TextStyle;

const COLUMNS: [Column; 4] = [
    Column::text("KIND").at_least(12),
    Column::text("NAME").at_least(12).wrapped(),
    Column::text("ID").at_least(26),
    Column::text("STATE").at_least(8).wrapped(),
];

/// A line for each resource. `STATE` says what has drifted.
pub fn resource_table(rows: &[ResourceRow], style: TextStyle) -> String {
    let row = |row: &ResourceRow| {
        let tone = match row.status {
            ResourceStatus::Ok => Tone::Plain,
            ResourceStatus::Drifted | ResourceStatus::Surplus => Tone::Warning,
            ResourceStatus::Missing => Tone::Bad,
        };
        vec![Cell::from(row.kind), Cell::from(&row.name), Cell::maybe(row.search.as_ref()), Cell::new(state(row), tone)]
    };
    table(&COLUMNS, &rows.iter().map(row).collect::<Vec<_>>(), style)
}

/// `drifted: maxSize, tags.team`
fn state(row: &ResourceRow) -> String {
    let fields: Vec<&str> = row.differences.iter().map(|field| field.path.as_str()).collect();
    match fields.is_empty() {
        true => row.status.word().to_owned(),
        false => format!("{}: {}", row.status.word(), fields.join(", ")),
    }
}
