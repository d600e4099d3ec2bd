//! A report as people read it.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Effects, Style};

use crate::plan::{self, TextStyle};

use super::report::{Check, CheckStatus, Node, Report, Status};

/// Widest column of check names; a longer name gets a line of its own.
const NAME_COLUMN: usize = 24;
/// Width of `unknown` and `skipped`.
const STATUS_COLUMN: usize = 7;
/// Messages are not squeezed below this: on a narrower terminal they stand below the name of their check.
const NARROWEST: usize = 24;
/// How far in they stand then.
const INDENT: usize = 2;
/// With more nodes than this, only those that are not Ready are listed, and no more of them: the rest would scroll the answer away.
const NODES_SHOWN: usize = 50;
/// Checks that the closing sentence names: the table above it has them all.
const NAMES_SHOWN: usize = 8;

impl Report {
    /// The tables of `-o table`, and the answer in one sentence. Long lists are cut; the JSON has everything.
    pub fn to_text(&self, style: TextStyle) -> String {
        let mut text = String::new();
        let column = self.checks.iter().map(|check| width(&check.name)).filter(|width| *width <= NAME_COLUMN).max();
        let column = column.unwrap_or(0).max("CHECK".len());
        let message = if below(column, style) { "" } else { "  MESSAGE" };
        let _ = writeln!(text, "{:<column$}  {:<STATUS_COLUMN$}{message}", "CHECK", "STATUS");
        for check in &self.checks {
            write_check(&mut text, check, column, style);
        }
        text.push('\n');
        if !self.nodes.is_empty() {
            write_nodes(&mut text, &self.nodes, style);
            text.push('\n');
        }
        for line in wrap(&self.summary(), style.width) {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// One sentence: the answer, and the checks that it rests on.
    pub fn summary(&self) -> String {
        let names = |status| {
            let checks = self.checks.iter().filter(|check| check.status == status);
            let names: Vec<&str> = checks.map(|check| check.name.as_str()).collect();
            match names.len().saturating_sub(NAMES_SHOWN) {
                0 => names.join(", "),
                more => format!("{} and {more} more", names[..NAMES_SHOWN].join(", ")),
            }
        };
        let cluster = &self.cluster;
        let waited = self.waited_seconds.map_or_else(String::new, |seconds| match (seconds / 60, seconds % 60) {
            (minutes @ 1.., 0) => format!(" after {minutes} min"),
            _ => format!(" after {seconds} s"),
        });
        match self.status {
            Status::Healthy => format!("{cluster} is healthy{waited}."),
            Status::Unhealthy => format!("{cluster} is not healthy{waited}: {}.", names(CheckStatus::Failed)),
            Status::Unknown => format!("Could not find out whether {cluster} is healthy: {}.", names(CheckStatus::Unknown)),
        }
    }
}

/// Beside the names of the checks there is no room for what they say.
fn below(column: usize, style: TextStyle) -> bool {
    style.width < column + STATUS_COLUMN + 4 + NARROWEST
}

fn write_check(text: &mut String, check: &Check, column: usize, style: TextStyle) {
    let (word, paint) = match check.status {
        CheckStatus::Ok => ("ok", Style::new().fg_color(Some(AnsiColor::Green.into()))),
        CheckStatus::Warning => ("warning", Style::new().fg_color(Some(AnsiColor::Yellow.into()))),
        CheckStatus::Failed => ("FAILED", Style::new().fg_color(Some(AnsiColor::Red.into())).effects(Effects::BOLD)),
        CheckStatus::Unknown => ("unknown", Style::new().fg_color(Some(AnsiColor::Yellow.into()))),
        CheckStatus::Skipped => ("skipped", Style::new().effects(Effects::DIMMED)),
    };
    let word = painted(&format!("{word:<STATUS_COLUMN$}"), paint, style);
    let mut name = check.name.as_str();
    if width(name) > column {
        let _ = writeln!(text, "{name}");
        name = "";
    }
    let _ = write!(text, "{name:<column$}  {word}");
    let below = below(column, style);
    let indent = if below { INDENT } else { column + STATUS_COLUMN + 4 };
    let room = style.width.saturating_sub(indent).max(1);
    let mut lines = wrap(&check.message, room);
    // Findings stand two columns in, and their own continuation lines four, so that it is plain where each begins.
    let mut add = |mark: &str, text: &str| {
        let rest = wrap(text, room.saturating_sub(width(mark).max(4)));
        let indent = " ".repeat(width(mark).max(4));
        lines.extend(rest.into_iter().enumerate().map(|(index, line)| match index {
            0 => format!("{mark}{line}"),
            _ => format!("{indent}{line}"),
        }));
    };
    for cause in check.cause.iter().flat_map(|cause| cause.lines()) {
        add("  ", cause);
    }
    for evidence in &check.evidence {
        add(if style.unicode { "  · " } else { "  * " }, evidence);
    }
    if let Some(todo) = &check.todo {
        add(if style.unicode { "  → " } else { "  > " }, todo);
    }
    if below {
        text.push('\n');
    }
    for (index, line) in lines.iter().enumerate() {
        let _ = match index {
            0 if !below => writeln!(text, "  {line}"),
            _ => writeln!(text, "{:indent$}{line}", ""),
        };
    }
}

fn write_nodes(text: &mut String, nodes: &[Node], style: TextStyle) {
    let brief = nodes.len() > NODES_SHOWN;
    let shown: Vec<&Node> = nodes.iter().filter(|node| !brief || node.ready == Some(false)).take(NODES_SHOWN).collect();
    let rows: Vec<[String; 5]> = shown.iter().map(|node| row(node)).collect();
    let head = ["NODE", "GROUP", "ZONE", "READY", "VERSION"].map(str::to_owned);
    let mut columns = [0; 5];
    for row in std::iter::once(&head).chain(&rows) {
        for (column, cell) in columns.iter_mut().zip(row) {
            *column = (*column).max(width(cell));
        }
    }
    // Names of nodes and groups can be long; the other columns cannot. The longer of the two gives way.
    while columns.iter().sum::<usize>() + 2 * (columns.len() - 1) > style.width && columns[0].max(columns[1]) > 12 {
        let longer = usize::from(columns[1] > columns[0]);
        columns[longer] -= 1;
    }
    let fits = columns.iter().sum::<usize>() + 2 * (columns.len() - 1) <= style.width;
    if !fits {
        let blocks = rows.iter().map(|row| block(&head, row, style));
        text.push_str(&blocks.collect::<Vec<_>>().join("\n"));
    } else if !rows.is_empty() {
        for row in std::iter::once(&head).chain(&rows) {
            let cells: Vec<String> =
                row.iter().zip(columns).map(|(cell, column)| format!("{:<column$}", cut(cell, column, style))).collect();
            let _ = writeln!(text, "{}", cells.join("  ").trim_end());
        }
    }
    if brief {
        let rest = nodes.len() - shown.len();
        let unready = nodes.iter().filter(|node| node.ready == Some(false)).count() - shown.len();
        let words = match unready {
            _ if nodes.iter().any(|node| node.ready.is_none()) => "instances".to_owned(),
            0 => "nodes, all Ready".to_owned(),
            unready => format!("nodes, {unready} of them not Ready"),
        };
        let more = if rows.is_empty() { "" } else { "more " };
        for line in wrap(&format!("{rest} {more}{words}; -o json lists them."), style.width) {
            let _ = writeln!(text, "{line}");
        }
    }
}

/// `HEADING  value` on a line each.
fn block(head: &[String; 5], row: &[String; 5], style: TextStyle) -> String {
    let column = head.iter().map(|word| width(word)).max().unwrap_or_default();
    let room = style.width.saturating_sub(column + 2).max(1);
    let lines = head.iter().zip(row).flat_map(|(head, cell)| {
        let parts = wrap(cell, room).into_iter().enumerate();
        parts.map(move |(index, part)| format!("{:<column$}  {part}\n", if index == 0 { head.as_str() } else { "" }))
    });
    lines.collect()
}

fn row(node: &Node) -> [String; 5] {
    let dash = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), printable);
    [
        dash(if node.name.is_some() { &node.name } else { &node.instance_id }),
        dash(&node.group),
        dash(&node.zone),
        match node.ready {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "unknown",
        }
        .to_owned(),
        dash(&node.version),
    ]
}

fn painted(text: &str, paint: Style, style: TextStyle) -> String {
    if style.color { format!("{}{text}{}", paint.render(), paint.render_reset()) } else { text.to_owned() }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn cut(text: &str, room: usize, style: TextStyle) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let ellipsis = if style.unicode { "…" } else { "..." };
    let kept: String = text.chars().take(room.saturating_sub(width(ellipsis))).collect();
    format!("{kept}{ellipsis}")
}

/// Without control characters: what nodes and AWS say must not be able to steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn wrap(text: &str, room: usize) -> Vec<String> {
    plan::wrap(&printable(text), room)
}
