//! A plan as programs and people read it.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::{Value as Json, json};

use super::{Action, Change, Fate, Operation, Plan};
use crate::cloud::Blocker;
use crate::model::Value;

/// How text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextStyle {
    /// Escape codes for colour.
    pub color: bool,
    /// Characters outside ASCII.
    pub unicode: bool,
    /// Columns. Text goes on in another line; cells of tables are cut.
    pub width: usize,
}

/// Breaks a text between words into lines of at most `room` columns; a word that is longer is broken where the line ends.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    textwrap::wrap(text, wrapping(room)).into_iter().map(Into::into).collect()
}

fn wrapping<'a>(width: usize) -> textwrap::Options<'a> {
    // Ids, addresses and names of options hold hyphens that do not divide words.
    textwrap::Options::new(width.max(1)).word_splitter(textwrap::WordSplitter::NoHyphenation)
}

impl Plan {
    /// The document of `-o json`.
    pub fn to_json(&self) -> Json {
        let changes: Vec<Json> = self
            .changes
            .iter()
            .map(|change| {
                json!({
                    "action": change.action,
                    "kind": change.id.kind.as_str(),
                    "name": change.id.name,
                    "id": change.physical,
                    "fields": change.fields,
                    "reason": change.reason,
                    "dependsOn": change.depends_on,
                })
            })
            .collect();
        let mut document = json!({
            "cluster": self.cluster,
            "operation": self.operation,
            "summary": {
                "create": self.count(Action::Create),
                "update": self.count(Action::Update),
                "replace": self.count(Action::Replace),
                "delete": self.count(Action::Delete),
                "unchanged": self.unchanged,
            },
            "changes": changes,
            "warnings": self.warnings,
        });
        if self.operation == Operation::Delete {
            let with = |wanted: Fate| -> Json {
                let those = self.leftovers.iter().filter(|(fate, _)| *fate == wanted);
                those.map(|(_, leftover)| leftover.to_json()).collect()
            };
            document["removedToo"] = with(Fate::Removed);
            document["kept"] = with(Fate::Kept);
            document["inTheWay"] = self.blockers.iter().map(Blocker::to_json).collect();
        }
        document
    }

    /// The table of `-o table`: a line for each resource, and for an existing one a line for each field that changes.
    pub fn to_text(&self, style: TextStyle) -> String {
        let mut text = String::new();
        // On a terminal a few long names must not push everything else out of sight.
        let widest = if style.width == usize::MAX { usize::MAX } else { 48 };
        let column = self.changes.iter().map(|change| change.id.to_string().len()).max().unwrap_or(0).min(widest);
        // A reason that all share tells nothing: a cluster is deleted because it is.
        let shared = match self.changes.first() {
            Some(first) if self.operation == Operation::Delete => Some(first.reason.as_str()),
            _ => None,
        };
        let shared = shared.filter(|reason| self.changes.iter().all(|change| change.reason == *reason));
        for change in &self.changes {
            write_change(&mut text, change, shared.is_none(), column, style);
        }
        if !self.changes.is_empty() {
            text.push('\n');
        }
        for warning in &self.warnings {
            push_lines(&mut text, (0, 2), &format!("warning: {warning}"), style, AnsiColor::Yellow);
        }
        let _ = writeln!(text, "{}", self.summary());
        text
    }

    /// One sentence: how many of what.
    pub fn summary(&self) -> String {
        if self.is_empty() {
            return format!("{}: no changes, {} as they should be.", self.cluster, resources(self.unchanged));
        }
        let parts: Vec<String> = [
            (Action::Create, "to create"),
            (Action::Update, "to update"),
            (Action::Replace, "to replace"),
            (Action::Delete, "to delete"),
        ]
        .into_iter()
        .map(|(action, words)| (self.count(action), words))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
        let mut parts = parts;
        let more = self.leftovers.iter().filter(|(fate, _)| *fate == Fate::Removed).count();
        if more > 0 {
            parts.push(format!("{more} made inside the cluster to delete"));
        }
        let unchanged = if self.unchanged > 0 { format!(", {} unchanged", self.unchanged) } else { String::new() };
        format!("{}: {}{unchanged}.", self.cluster, parts.join(", "))
    }
}

fn resources(count: usize) -> String {
    format!("{count} resource{}", if count == 1 { "" } else { "s" })
}

fn write_change(text: &mut String, change: &Change, with_reason: bool, column: usize, style: TextStyle) {
    let (sign, color) = match change.action {
        Action::Create => ("+", AnsiColor::Green),
        Action::Update => ("~", AnsiColor::Yellow),
        Action::Replace => ("±", AnsiColor::Magenta),
        Action::Delete => ("-", AnsiColor::Red),
    };
    let sign = if sign == "±" && !style.unicode { "-+" } else { sign };
    let id = change.id.to_string();
    let detail = match change.action {
        // Every field of what is made is in the JSON; here those that tell resources of a kind apart.
        Action::Create => change
            .fields
            .iter()
            .filter(|field| !field.path.contains("ags.") && field.path != "name" && field.path != "description")
            .filter(|field| !is_document(&field.to))
            .map(|field| format!("{} {}", field.path, field.to))
            .collect::<Vec<_>>()
            .join(", "),
        Action::Update | Action::Replace | Action::Delete => {
            let physical = change.physical.as_deref().unwrap_or_default();
            if with_reason { format!("{physical}  {}", change.reason) } else { physical.to_owned() }
        }
    };
    let line = format!("{sign} {id:<column$}  {detail}");
    if line.trim_end().chars().count() <= style.width {
        push_lines(text, (0, 6), &line, style, color);
    } else {
        push_lines(text, (0, 6), &format!("{sign} {id}"), style, color);
        push_lines(text, (6, 6), &detail, style, color);
    }
    if matches!(change.action, Action::Update | Action::Replace) {
        let arrow = if style.unicode { "→" } else { "->" };
        for field in &change.fields {
            let change = if is_document(&field.from) && is_document(&field.to) {
                "another document; -o json shows both".to_owned()
            } else if field.from == field.to {
                format!("{}, which is made anew", field.to)
            } else {
                format!("{} {arrow} {}", field.from, field.to)
            };
            push_lines(text, (4, 6), &format!("{}: {change}", field.path), style, color);
        }
    }
}

/// A policy: thousands of characters in one line.
fn is_document(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.starts_with('{'))
}

/// A text in lines that begin so far right, the first and the others: what one says yes to is never cut.
fn push_lines(text: &mut String, (first, others): (usize, usize), line: &str, style: TextStyle, color: AnsiColor) {
    let indent = |columns: usize| " ".repeat(if style.width > 4 * columns { columns } else { 0 });
    let (first, others) = (indent(first), indent(others));
    let options = wrapping(style.width).initial_indent(&first).subsequent_indent(&others);
    for line in textwrap::wrap(line.trim_end(), options) {
        if style.color {
            let paint = Style::new().fg_color(Some(color.into()));
            let _ = writeln!(text, "{}{line}{}", paint.render(), paint.render_reset());
        } else {
            let _ = writeln!(text, "{line}");
        }
    }
}
