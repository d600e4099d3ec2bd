//! Revisions of a spec, as people and programs read them.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::table::{Cell, Column, Tone, table};
use crate::ops::{HistoryLine, SpecChange};
use crate::plan::{TextStyle, wrap};
use crate::store::{Operation, Revision};

const COLUMNS: [Column; 6] = [
    Column::number("N"),
    Column::text("TIME (UTC)"),
    Column::text("BY").at_least(12),
    Column::text("DID"),
    Column::text("KCLUST"),
    Column::text("LINES"),
];

pub fn history_json(line: &HistoryLine) -> Json {
    let HistoryLine { sequence, at, in_force, content } = line;
    match content {
        Ok((Revision { at, by, operation, kclust, .. }, change)) => {
            let (added, removed) = change.counts().unzip();
            let changes = match change {
                SpecChange::First => None,
                SpecChange::Lines(lines) => Some(lines),
            };
            json!({
                "revision": sequence, "time": at, "by": by, "operation": operation, "kclust": kclust, "linesAdded": added,
                "linesRemoved": removed, "changes": changes, "inForce": in_force, "error": null,
            })
        }
        Err(reason) => json!({
            "revision": sequence, "time": at, "by": null, "operation": null, "kclust": null, "linesAdded": null,
            "linesRemoved": null, "changes": null, "inForce": in_force, "error": reason,
        }),
    }
}

/// A line for each revision.
pub fn history_table(lines: &[HistoryLine], style: TextStyle) -> String {
    let row = |line: &HistoryLine| match &line.content {
        Ok((Revision { at, by, operation, kclust, .. }, change)) => vec![
            Cell::from(line.sequence),
            Cell::from(time(*at)),
            Cell::from(who(by)),
            Cell::from(word(*operation)),
            Cell::from(kclust),
            Cell::from(changed(change)),
        ],
        Err(reason) => {
            let nothing = || Cell::maybe(None::<u8>);
            let reason = Cell::new(format!("cannot be read: {reason}"), Tone::Bad);
            vec![Cell::from(line.sequence), Cell::maybe(line.at.map(time)), reason, nothing(), nothing(), nothing()]
        }
    };
    table(&COLUMNS, &lines.iter().map(row).collect::<Vec<_>>(), style)
}

/// A paragraph for each revision: who applied it, and the lines that it changed.
pub fn history_diff(lines: &[HistoryLine], style: TextStyle) -> String {
    let paragraph = |line: &HistoryLine| {
        let mut text = String::new();
        let (title, changes) = match &line.content {
            Ok((Revision { at, by, operation, .. }, change)) => {
                let title = format!("{}  {}  {}  {}", line.sequence, time(*at), word(*operation), who(by));
                (title, change.clone())
            }
            Err(reason) => (format!("{}  cannot be read: {reason}", line.sequence), SpecChange::Lines(Vec::new())),
        };
        for line in wrap(&Cell::from(title).painted(style), style.width) {
            let _ = writeln!(text, "{line}");
        }
        match changes {
            SpecChange::First => text.push_str("  the first spec\n"),
            SpecChange::Lines(lines) if lines.is_empty() && line.content.is_ok() => text.push_str("  the same spec\n"),
            SpecChange::Lines(lines) => lines.iter().for_each(|line| {
                let tone = if line.starts_with('+') { Tone::Good } else { Tone::Bad };
                let _ = writeln!(text, "  {}", Cell::new(line, tone).painted(style));
            }),
        }
        text
    };
    lines.iter().map(paragraph).collect::<Vec<_>>().join("\n")
}

/// What tells the operators of one account apart, the person first: of `arn:aws:sts::123456789012:assumed-role/Admin/alice`
/// `alice (Admin)`, of a user the name without its path.
fn who(by: &str) -> String {
    let resource = by.strip_prefix("arn:").and_then(|arn| arn.splitn(5, ':').nth(4)).unwrap_or(by);
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["assumed-role", role, session] => format!("{session} ({role})"),
        ["user" | "federated-user", .., name] => (*name).to_owned(),
        _ => resource.to_owned(),
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

fn changed(change: &SpecChange) -> String {
    match change.counts() {
        None => "first".to_owned(),
        Some((0, 0)) => "same".to_owned(),
        Some((added, removed)) => format!("+{added} -{removed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: TextStyle = TextStyle { color: false, unicode: true, width: 80 };

    fn line(sequence: u32, by: &str, change: SpecChange) -> HistoryLine {
        let at: Timestamp = "2026-11-26T22:15:00.5Z".parse().unwrap();
        let revision = Revision { sequence, at, by: by.into(), operation: Operation::Update, kclust: "0.1.0".into() };
        HistoryLine { sequence, at: Some(at), in_force: false, content: Ok((revision, change)) }
    }

    fn lines() -> Vec<HistoryLine> {
        let role = "AWSReservedSSO_AdministratorAccess_0123456789abcdef";
        let sso = format!("arn:aws:sts::123456789012:assumed-role/{role}/alice@example.com");
        let change = SpecChange::Lines(vec!["-       minSize: 3".into(), "+       minSize: 4".into(), "+     new: x".into()]);
        vec![
            HistoryLine { content: Err(format!("it is not JSON: {}", "x".repeat(99))), ..line(123, "", SpecChange::First) },
            line(12, &sso, change),
            line(3, "arn:aws:iam::123456789012:user/team/alice", SpecChange::Lines(Vec::new())),
            line(1, "bob@laptop", SpecChange::First),
        ]
    }

    #[test]
    fn a_table_fits_the_terminal_and_names_the_person_first() {
        insta::assert_snapshot!(history_table(&lines(), STYLE), @r"
          N  TIME (UTC)           BY                               DID     KCLUST  LINES
        123  2026-11-26 22:15:00  cannot be read: it is not JSON…  -       -       -
         12  2026-11-26 22:15:00  alice@example.com (AWSReserved…  update  0.1.0   +2 -1
          3  2026-11-26 22:15:00  alice                            update  0.1.0   same
          1  2026-11-26 22:15:00  bob@laptop                       update  0.1.0   first
        ");
        // A pipe has room for all.
        let whole = history_table(&lines(), TextStyle { width: usize::MAX, ..STYLE });
        assert!(whole.contains("alice@example.com (AWSReservedSSO_AdministratorAccess_0123456789abcdef) "), "{whole}");
    }

    #[test]
    fn people_see_what_changed() {
        insta::assert_snapshot!(history_diff(&lines()[1..], STYLE), @r"
        12  2026-11-26 22:15:00  update  alice@example.com
        (AWSReservedSSO_AdministratorAccess_0123456789abcdef)
          -       minSize: 3
          +       minSize: 4
          +     new: x

        3  2026-11-26 22:15:00  update  alice
          the same spec

        1  2026-11-26 22:15:00  update  bob@laptop
          the first spec
        ");
    }

    #[test]
    fn programs_are_told_all() {
        let json = history_json(&lines()[1]);
        assert!(json["by"].as_str().unwrap().starts_with("arn:aws:sts::123456789012:assumed-role/"));
        assert_eq!((&json["revision"], &json["linesAdded"], &json["linesRemoved"]), (&json!(12), &json!(2), &json!(1)));
        assert_eq!(json["changes"], json!(["-       minSize: 3", "+       minSize: 4", "+     new: x"]));
        let damaged = HistoryLine { content: Err("it is empty".into()), ..line(2, "", SpecChange::First) };
        let json = history_json(&damaged);
        assert_eq!((&json["revision"], &json["error"], &json["by"]), (&json!(2), &json!("it is empty"), &Json::Null));
    }
}
