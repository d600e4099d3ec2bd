//! `kclust get groups`.

use crate::cli::table::{Cell, Column, Tone, table};
use crate::health::Role;
use crate::inventory::Group;
use crate::plan::TextStyle;

use super::short_zone;

const COLUMNS: [Column; 10] = [
    Column::text("NAME").at_least(8),
    Column::text("ROLE").at_least(8),
    Column::text("TYPE").at_least(9),
    Column::number("MIN"),
    Column::number("MAX"),
    Column::number("RUNNING"),
    Column::number("READY"),
    Column::text("TEMPLATE"),
    Column::text("ZONES").at_least(5),
    Column::number("SPOT"),
];

/// A line for each group. `RUNNING` is how many of the desired ones run, `READY` how many of these are Ready nodes; the reason why they are fewer stands below the table.
pub fn group_table(groups: &[Group], region: &str, style: TextStyle) -> String {
    let rows: Vec<Vec<Cell>> = groups.iter().map(|group| row(group, region)).collect();
    let mut text = table(&COLUMNS, &rows, style);
    for group in groups {
        if let Some(problem) = &group.problem {
            text.push_str(&format!("\n{}: {problem}\n", group.name));
        }
    }
    text
}

fn row(group: &Group, region: &str) -> Vec<Cell> {
    let types = match group.instance_types.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first, rest @ ..] => format!("{first} +{}", rest.len()),
    };
    let running = match group.desired {
        Some(desired) => {
            let tone = if group.running < desired as usize { Tone::Bad } else { Tone::Plain };
            Cell::new(format!("{}/{desired}", group.running), tone)
        }
        None => Cell::new("missing", Tone::Bad),
    };
    let ready = match group.ready {
        Some(ready) if ready < group.running => Cell::new(ready.to_string(), Tone::Bad),
        ready => Cell::maybe(ready),
    };
    let template = match (group.template_version, group.outdated) {
        (None, _) => Cell::maybe(None::<u8>),
        (Some(version), 0) => Cell::from(format!("v{version}")),
        (Some(version), outdated) => Cell::new(format!("v{version}, {outdated} old"), Tone::Warning),
    };
    let zones: Vec<String> = group.zones.iter().map(|zone| short_zone(zone, region)).collect();
    vec![
        Cell::from(&group.name),
        Cell::from(match group.role {
            Role::ControlPlane => "control-plane",
            Role::Node => "node",
        }),
        Cell::from(types),
        Cell::maybe(group.min),
        Cell::maybe(group.max),
        running,
        ready,
        template,
        Cell::from(zones.join(",")),
        match group.spot_percent {
            0 => Cell::maybe(None::<u8>),
            percent => Cell::from(format!("{percent}%")),
        },
    ]
}
