//! Tables that fit: cells are cut where the terminal is too narrow, and where even that is not enough, each row becomes a block of lines.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::plan::{TextStyle, wrap};

/// Between two columns.
const GAP: usize = 2;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    head: &'static str,
    right: bool,
    /// What has no room goes on in the next line, and is not cut.
    wraps: bool,
    /// To how few characters its cells may be cut; `None` for what is of no use when it is cut, such as an id.
    least: Option<usize>,
}

impl Column {
    pub const fn text(head: &'static str) -> Self {
        Self { head, right: false, wraps: false, least: None }
    }

    pub const fn number(head: &'static str) -> Self {
        Self { head, right: true, wraps: false, least: None }
    }

    /// Its cells may be cut.
    pub const fn at_least(self, least: usize) -> Self {
        Self { least: Some(least), ..self }
    }

    /// Its cells are of no use when they are cut, and of as much in several lines.
    pub const fn wrapped(self) -> Self {
        Self { wraps: true, ..self }
    }
}

/// What a cell says, as a second channel: the words say it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    #[default]
    Plain,
    Good,
    Warning,
    Bad,
}

impl Tone {
    fn style(self) -> Option<Style> {
        let color = match self {
            Self::Plain => return None,
            Self::Good => AnsiColor::Green,
            Self::Warning => AnsiColor::Yellow,
            Self::Bad => AnsiColor::Red,
        };
        Some(Style::new().fg_color(Some(color.into())))
    }

    fn paint(self, text: &str, style: TextStyle) -> String {
        match self.style().filter(|_| style.color && !text.is_empty()) {
            Some(paint) => format!("{}{text}{}", paint.render(), paint.render_reset()),
            None => text.to_owned(),
        }
    }
}

/// One field of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// Control characters become blanks: what nodes and AWS say must not be able to steer the terminal.
    pub fn new(text: impl AsRef<str>, tone: Tone) -> Self {
        let text: String = text.as_ref().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        Self { text: if text.is_empty() { "-".to_owned() } else { text }, tone }
    }

    pub fn painted(&self, style: TextStyle) -> String {
        self.tone.paint(&self.text, style)
    }

    /// `-` where there is nothing.
    pub fn maybe(value: Option<impl ToString>) -> Self {
        Self::new(value.map(|value| value.to_string()).unwrap_or_default(), Tone::Plain)
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(value: T) -> Self {
        Self::new(value.to_string(), Tone::Plain)
    }
}

/// The table with its headings, each line no wider than the terminal. Nothing for a table without rows.
pub fn table(columns: &[Column], rows: &[Vec<Cell>], style: TextStyle) -> String {
    if rows.is_empty() {
        return String::new();
    }
    match widths(columns, rows, style.width) {
        Some(widths) => lines(columns, rows, &widths, style),
        None => blocks(columns, rows, style),
    }
}

/// How wide each column may be; `None` when even the narrowest table is too wide.
fn widths(columns: &[Column], rows: &[Vec<Cell>], room: usize) -> Option<Vec<usize>> {
    let widest = |index: usize| rows.iter().map(|row| width(&row[index].text)).max().unwrap_or_default();
    let mut widths: Vec<usize> =
        columns.iter().enumerate().map(|(index, column)| widest(index).max(width(column.head))).collect();
    let gaps = GAP * columns.len().saturating_sub(1);
    loop {
        let total = widths.iter().sum::<usize>() + gaps;
        if total <= room {
            return Some(widths);
        }
        // The widest of those that can give way does.
        let giving = columns.iter().zip(&mut widths).filter_map(|(column, width)| {
            let least = column.least?.max(column.head.len());
            (*width > least).then_some(width)
        });
        *giving.max_by_key(|width| **width)? -= 1;
    }
}

fn lines(columns: &[Column], rows: &[Vec<Cell>], widths: &[usize], style: TextStyle) -> String {
    let mut text = String::new();
    let head: Vec<Cell> = columns.iter().map(|column| Cell::from(column.head)).collect();
    for row in std::iter::once(&head).chain(rows) {
        let parts = |((column, cell), &room): ((&Column, &Cell), &usize)| match column.wraps {
            true => wrap(&cell.text, room),
            false => vec![cut(&cell.text, room, style)],
        };
        let cells: Vec<Vec<String>> = columns.iter().zip(row).zip(widths).map(parts).collect();
        for line in 0..cells.iter().map(Vec::len).max().unwrap_or_default() {
            let mut blanks = 0;
            for (((column, cell), parts), &room) in columns.iter().zip(row).zip(&cells).zip(widths) {
                let part = parts.get(line).map(String::as_str).unwrap_or_default();
                let rest = room.saturating_sub(width(part));
                let (before, after) = if column.right { (rest, 0) } else { (0, rest) };
                if part.is_empty() {
                    blanks += rest + GAP;
                    continue;
                }
                // Blanks are written when something follows them: no line ends with one.
                let _ = write!(text, "{:1$}{2}", "", blanks + before, cell.tone.paint(part, style));
                blanks = after + GAP;
            }
            text.push('\n');
        }
    }
    text
}

/// `HEADING  value` on a line each, and an empty line between two rows.
fn blocks(columns: &[Column], rows: &[Vec<Cell>], style: TextStyle) -> String {
    let head = columns.iter().map(|column| width(column.head)).max().unwrap_or_default();
    let room = style.width.saturating_sub(head + GAP).max(1);
    let mut blocks = Vec::new();
    for row in rows {
        let mut block = String::new();
        for (column, cell) in columns.iter().zip(row) {
            for (index, part) in wrap(&cell.text, room).iter().enumerate() {
                let heading = if index == 0 { column.head } else { "" };
                let _ = writeln!(block, "{heading:<head$}{:GAP$}{}", "", cell.tone.paint(part, style));
            }
        }
        blocks.push(block);
    }
    blocks.join("\n")
}

/// Columns of a text.
pub fn width(text: &str) -> usize {
    textwrap::core::display_width(text)
}

/// The text in at most `room` columns, with an ellipsis where it was cut.
pub fn cut(text: &str, room: usize, style: TextStyle) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let ellipsis = if style.unicode { "…" } else { "..." };
    let kept = beginning(text, room.saturating_sub(width(ellipsis)));
    beginning(&format!("{}{ellipsis}", kept.trim_end()), room).to_owned()
}

/// As much of a text as has room.
fn beginning(text: &str, room: usize) -> &str {
    let end = text.char_indices().map(|(at, character)| at + character.len_utf8()).take_while(|end| width(&text[..*end]) <= room);
    &text[..end.last().unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: TextStyle = TextStyle { color: false, unicode: true, width: 80 };
    const COLUMNS: [Column; 4] =
        [Column::text("NAME").at_least(8), Column::number("SIZE"), Column::text("ID"), Column::text("STATE").at_least(10)];

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec!["workers".into(), 3.into(), "i-0123456789abcdef0".into(), Cell::new("Ready", Tone::Good)],
            vec![
                "a-group-with-a-long-name".into(),
                12.into(),
                Cell::maybe(None::<u8>),
                Cell::new("boot failed: the disk is full", Tone::Bad),
            ],
        ]
    }

    fn at(width: usize) -> String {
        table(&COLUMNS, &rows(), TextStyle { width, ..PLAIN })
    }

    #[test]
    fn columns_are_aligned_and_lines_have_no_blanks_at_their_end() {
        insta::assert_snapshot!(at(usize::MAX), @r"
        NAME                      SIZE  ID                   STATE
        workers                      3  i-0123456789abcdef0  Ready
        a-group-with-a-long-name    12  -                    boot failed: the disk is full
        ");
    }

    #[test]
    fn what_may_be_cut_gives_way_to_what_may_not() {
        insta::assert_snapshot!(at(60), @r"
        NAME              SIZE  ID                   STATE
        workers              3  i-0123456789abcdef0  Ready
        a-group-with-a-…    12  -                    boot failed: t…
        ");
        assert!(!table(&COLUMNS, &rows(), TextStyle { width: 60, unicode: false, ..PLAIN }).contains('…'));
    }

    #[test]
    fn what_must_not_be_cut_goes_on_in_the_next_line() {
        let columns = [Column::text("NAME").at_least(12).wrapped(), Column::text("STATE")];
        let row = |source: &str| vec![format!("control-plane:Cilium VXLAN from {source}").into(), "ok".into()];
        insta::assert_snapshot!(table(&columns, &[row("nodes"), row("api")], TextStyle { width: 27, ..PLAIN }), @r"
        NAME                  STATE
        control-plane:Cilium  ok
        VXLAN from nodes
        control-plane:Cilium  ok
        VXLAN from api
        ");
    }

    #[test]
    fn on_a_narrow_terminal_each_row_is_a_block() {
        insta::assert_snapshot!(at(30), @r"
        NAME   workers
        SIZE   3
        ID     i-0123456789abcdef0
        STATE  Ready

        NAME   a-group-with-a-long-nam
               e
        SIZE   12
        ID     -
        STATE  boot failed: the disk
               is full
        ");
    }

    #[test]
    fn colour_says_nothing_that_the_words_do_not() {
        let colored = table(&COLUMNS, &rows(), TextStyle { color: true, ..PLAIN });
        assert!(colored.contains("\u{1b}[32mReady\u{1b}[0m"), "{colored}");
        let plain = colored.replace("\u{1b}[32m", "").replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
        assert_eq!(plain, at(80));
    }

    #[test]
    fn nothing_is_a_table_without_rows() {
        assert_eq!(table(&COLUMNS, &[], PLAIN), "");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(
            width in 20_usize..120,
            unicode: bool,
            wraps: bool,
            cells in proptest::collection::vec(proptest::collection::vec(".{0,60}", 4), 1..6),
        ) {
            let rows: Vec<Vec<Cell>> = cells.iter().map(|row| row.iter().map(Cell::from).collect()).collect();
            let columns = COLUMNS.map(|column| if wraps { column.wrapped() } else { column });
            let text = table(&columns, &rows, TextStyle { color: false, unicode, width });
            for line in text.lines() {
                prop_assert!(super::width(line) <= width, "{}: {line}", super::width(line));
                prop_assert!(!line.chars().any(char::is_control));
            }
        }
    }
}
