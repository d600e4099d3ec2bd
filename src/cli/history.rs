//! Revisions of a spec, as people and programs read them.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::ops::{HistoryLine, SpecChange};
use crate::store::{Operation, Revision};

/// Columns of the table at most.
const WIDTH: usize = 80;
const GAP: usize = 2;
const HEADINGS: [&str; 6] = ["N", "TIME (UTC)", "BY", "DID", "KCLUST", "LINES"];
/// The column that is cut where a line would be too long.
const BY: usize = 2;

pub fn history_json(line: &HistoryLine) -> Json {
    let HistoryLine { sequence, at, in_force, content } = line;
    match content {
        Ok((Revision { at, by, operation, kclust, .. }, change)) => {
            let (added, removed) = match change {
                SpecChange::First => (None, None),
                SpecChange::Lines { added, removed } => (Some(added), Some(removed)),
            };
            json!({
                "revision": sequence, "time": at, "by": by, "operation": operation, "kclust": kclust,
                "linesAdded": added, "linesRemoved": removed, "inForce": in_force, "error": null,
            })
        }
        Err(reason) => json!({
            "revision": sequence, "time": at, "by": null, "operation": null, "kclust": null,
            "linesAdded": null, "linesRemoved": null, "inForce": in_force, "error": reason,
        }),
    }
}

/// A line for each revision, of at most 80 columns.
pub fn history_table(lines: &[HistoryLine]) -> String {
    let readable = |line: &HistoryLine| {
        let (Revision { at, by, operation, kclust, .. }, change) = line.content.as_ref().ok()?;
        Some([
            line.sequence.to_string(),
            time(*at),
            who(by).to_owned(),
            word(*operation).to_owned(),
            kclust.clone(),
            changed(*change),
        ])
    };
    let rows: Vec<[String; 6]> = [HEADINGS.map(str::to_owned)].into_iter().chain(lines.iter().filter_map(readable)).collect();
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    widths[0] = lines.iter().map(|line| line.sequence.to_string().len()).fold(widths[0], usize::max);
    let others: usize = widths.iter().sum::<usize>() - widths[BY] + GAP * (HEADINGS.len() - 1);
    widths[BY] = widths[BY].min(WIDTH.saturating_sub(others)).max(HEADINGS[BY].len());
    let mut text = String::new();
    let _ = writeln!(text, "{}", joined(&HEADINGS.map(str::to_owned), &widths));
    for line in lines {
        let shown = match (readable(line), &line.content) {
            (Some(row), _) => joined(&row, &widths),
            (None, content) => {
                let reason = content.as_ref().err().map(String::as_str).unwrap_or_default();
                let at = line.at.map(time).unwrap_or_default();
                let whole = format!("{:>n$}  {at:<t$}  cannot be read: {reason}", line.sequence, n = widths[0], t = widths[1]);
                cut(&whole, WIDTH)
            }
        };
        let _ = writeln!(text, "{shown}");
    }
    text
}

fn joined(row: &[String; 6], widths: &[usize; 6]) -> String {
    let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
        0 => format!("{cell:>width$}"),
        _ => format!("{:<width$}", cut(cell, *width)),
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// ASCII, whatever the terminal can show.
fn cut(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => format!("{}...", text.chars().take(width.saturating_sub(3)).collect::<String>()),
        false => text.to_owned(),
    }
}

/// What tells the operators of one account apart: of `arn:aws:sts::123456789012:assumed-role/admin/alice` the part after the account.
fn who(by: &str) -> &str {
    match by.strip_prefix("arn:") {
        Some(arn) => arn.splitn(5, ':').nth(4).unwrap_or(by),
        None => by,
    }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn word(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "create",
        Operation::Update => "update",
        Operation::Delete => "delete",
    }
}

fn changed(change: SpecChange) -> String {
    match change {
        SpecChange::First => "first".to_owned(),
        SpecChange::Lines { added: 0, removed: 0 } => "same".to_owned(),
        SpecChange::Lines { added, removed } => format!("+{added} -{removed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sequence: u32, by: &str, change: SpecChange) -> HistoryLine {
        let at: Timestamp = "2026-11-26T22:15:00.5Z".parse().unwrap();
        let revision = Revision { sequence, at, by: by.into(), operation: Operation::Update, kclust: "0.1.0".into() };
        HistoryLine { sequence, at: Some(at), in_force: false, content: Ok((revision, change)) }
    }

    #[test]
    fn a_table_fits_80_columns_whatever_it_holds() {
        let long = format!("arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_{}/alice@example.com", "x".repeat(60));
        let lines = [
            HistoryLine { content: Err(format!("it is not JSON: {}", "x".repeat(99))), ..line(123, "", SpecChange::First) },
            line(12, &long, SpecChange::Lines { added: 120, removed: 1000 }),
            line(3, "arn:aws:iam::123456789012:user/alice", SpecChange::Lines { added: 0, removed: 0 }),
            line(1, "bob@laptop", SpecChange::First),
        ];
        let table = history_table(&lines);
        let rows: Vec<&str> = table.lines().collect();
        assert_eq!(rows[0], "  N  TIME (UTC)           BY                          DID     KCLUST  LINES");
        assert_eq!(rows[1].len(), 80);
        assert!(rows[1].starts_with("123  2026-11-26 22:15:00  cannot be read: it is not JSON: xx"), "{table}");
        assert_eq!(rows[2], " 12  2026-11-26 22:15:00  assumed-role/AWSReserve...  update  0.1.0   +120 -1000");
        assert_eq!(rows[3], "  3  2026-11-26 22:15:00  user/alice                  update  0.1.0   same");
        assert_eq!(rows[4], "  1  2026-11-26 22:15:00  bob@laptop                  update  0.1.0   first");
        assert!(rows.iter().all(|row| row.len() <= WIDTH), "{table}");
    }

    #[test]
    fn programs_are_told_all() {
        let json = history_json(&line(3, "arn:aws:iam::1:user/alice", SpecChange::Lines { added: 2, removed: 1 }));
        assert_eq!(json["by"], "arn:aws:iam::1:user/alice");
        assert_eq!((&json["revision"], &json["linesAdded"], &json["linesRemoved"]), (&json!(3), &json!(2), &json!(1)));
        let damaged = HistoryLine { content: Err("it is empty".into()), ..line(2, "", SpecChange::First) };
        let json = history_json(&damaged);
        assert_eq!((&json["revision"], &json["error"], &json["by"]), (&json!(2), &json!("it is empty"), &Json::Null));
    }
}
