//! A YAML text that is changed in places: every byte that a change is not about stays as it is.
//!
//! Each change finds its place in the tree of the text, replaces one range of bytes there, and reads the result again. What looks so
//! unusual that its place cannot be found is refused, and nothing is changed.

use std::ops::Range;

use serde_json::Value as Json;

use crate::diag::Diagnostic;
use crate::yaml::{self, Entry, Node, Value};

/// A text with one document, whose root is a mapping; or with none.
#[derive(Debug, Clone)]
pub(super) struct Text {
    text: String,
    root: Option<Node>,
}

/// Why a text is not what it should be. Never quotes the text, which may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Line at fault, from 1.
    pub line: usize,
    pub reason: String,
}

/// A change whose place in the text cannot be found, or that would change something else as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unusual;

/// One step down the tree.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

impl Text {
    pub(super) fn parse(text: String) -> Result<Self, Malformed> {
        let mut found = Vec::new();
        // Its bytes count in positions, and its place is the start of the text.
        let documents = yaml::parse(&text, &mut found);
        let malformed = |at: usize, reason: &str| Malformed { line: line(&text, at), reason: reason.to_owned() };
        if let Some(Diagnostic { span, message, .. }) = found.first() {
            return Err(malformed(span.start, message));
        }
        let mut documents = documents.unwrap_or_default().into_iter();
        let root = documents.next();
        if let Some(second) = documents.next() {
            return Err(malformed(second.extent.start, "a second document begins here"));
        }
        match root {
            Some(root) if !matches!(root.value, Value::Map(_)) => {
                Err(malformed(root.extent.start, "it is not a mapping of keys"))
            }
            root => Ok(Self { text, root }),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Line of a node, from 1.
    pub(super) fn line_of(&self, node: &Node) -> usize {
        line(&self.text, node.extent.start)
    }

    pub(super) fn root(&self) -> Option<&Node> {
        self.root.as_ref()
    }

    pub(super) fn get(&self, path: &[Step<'_>]) -> Option<&Node> {
        path.iter().try_fold(self.root.as_ref()?, |node, step| match (step, &node.value) {
            (Step::Key(key), _) => node.get(key),
            (Step::Item(index), Value::List(items)) => items.get(*index),
            (Step::Item(_), _) => None,
        })
    }

    /// Gives the mapping at `path` the entry `key`. Mappings are merged: what `value` does not name stays. What is the same already
    /// keeps its form.
    pub(super) fn set(&mut self, path: &[Step<'_>], key: &str, value: &Json) -> Result<(), Unusual> {
        if let Some(old) = self.get(&[path, &[Step::Key(key)]].concat()) {
            if says(old, value) {
                return Ok(());
            }
            if let (Json::Object(entries), Value::Map(_)) = (value, &old.value) {
                let path = [path, &[Step::Key(key)]].concat();
                return entries.iter().try_for_each(|(key, value)| self.set(&path, key, value));
            }
        }
        let (range, new) = self.setting(path, key, value)?;
        self.replace(range, &new)
    }

    /// Takes the entry `key` out of the mapping at `path`, if it is there. At least one other must be left.
    pub(super) fn unset(&mut self, path: &[Step<'_>], key: &str) -> Result<(), Unusual> {
        let Some(Node { value: Value::Map(entries), flow, .. }) = self.get(path) else { return Ok(()) };
        let Some(index) = entries.iter().position(|entry| entry.key == key) else { return Ok(()) };
        let extents: Vec<Range<usize>> = entries.iter().map(extent).collect();
        let range = match (flow, extents.len()) {
            (_, ..=1) => return Err(Unusual),
            (true, _) => self.out_of_brackets(&extents, index)?,
            (false, _) => self.own_line(extents[index].start)?..self.next_line(extents[index].end),
        };
        self.replace(range, "")
    }

    /// Adds an item to the end of the list at `path`, which is made where there is none.
    pub(super) fn push(&mut self, path: &[Step<'_>], item: &Json) -> Result<(), Unusual> {
        let (range, new) = match self.get(path) {
            Some(Node { value: Value::List(items), flow: true, extent, .. }) if !items.is_empty() => {
                let extents: Vec<Range<usize>> = items.iter().map(|item| item.extent.clone()).collect();
                self.into_brackets(extent, &extents, |indent| json(item, indent))
            }
            Some(Node { value: Value::List(items), extent, .. }) if !items.is_empty() => {
                let (_, column) = self.first_dash(extent)?;
                let at = self.next_line(extent.end);
                (at..at, self.lines(at, &block_item(item, column)))
            }
            _ => {
                let Some((Step::Key(key), parent)) = path.split_last() else { return Err(Unusual) };
                self.setting(parent, key, &Json::Array(vec![item.clone()]))?
            }
        };
        self.replace(range, &new)
    }

    /// Takes an item out of the list at `path`, which stays.
    pub(super) fn remove(&mut self, path: &[Step<'_>], index: usize) -> Result<(), Unusual> {
        let Some(Node { value: Value::List(items), flow, extent, .. }) = self.get(path) else { return Err(Unusual) };
        let extents: Vec<Range<usize>> = items.iter().map(|item| item.extent.clone()).collect();
        if *flow {
            let inside = extent.start + 1..extent.end - 1;
            let alone = extents.len() == 1 && self.text[inside.clone()].trim().len() == extents[0].len();
            let range = if alone { inside } else { self.out_of_brackets(&extents, index)? };
            return self.replace(range, "");
        }
        let (first, column) = self.first_dash(extent)?;
        let start = match index.checked_sub(1) {
            None => first,
            Some(before) => self.dash(self.next_line(extents[before].end), column).ok_or(Unusual)?,
        };
        let end = self.next_line(extents[index].end);
        if extents.len() > 1 {
            return self.replace(start..end, "");
        }
        let Some((Step::Key(key), parent)) = path.split_last() else { return Err(Unusual) };
        let colon = self.colon(self.entry(parent, key).ok_or(Unusual)?)?;
        if colon > start {
            return Err(Unusual);
        }
        let between = format!(" []{}", &self.text[colon..start]);
        self.replace(colon..end, &between)
    }

    /// The one range that `set` replaces, and by what.
    fn setting(&self, path: &[Step<'_>], key: &str, value: &Json) -> Result<(Range<usize>, String), Unusual> {
        let Some(map) = self.get(path) else {
            // A text with comments alone.
            let at = self.text.len();
            return if path.is_empty() { Ok((at..at, self.lines(at, &block_entry(key, value, 0)))) } else { Err(Unusual) };
        };
        let Value::Map(entries) = &map.value else { return Err(Unusual) };
        let extents: Vec<Range<usize>> = entries.iter().map(extent).collect();
        match (map.flow, entries.iter().find(|entry| entry.key == key)) {
            (true, None) => {
                Ok(self.into_brackets(&map.extent, &extents, |indent| format!("{}: {}", json_text(key), json(value, indent))))
            }
            (true, Some(Entry { value: old, key_span, .. })) if !old.extent.is_empty() => {
                let indent = self.own_line(key_span.start).ok().map(|start| key_span.start - start);
                Ok((old.extent.clone(), json(value, indent).replace('\n', self.line_end())))
            }
            (true, Some(_)) => Err(Unusual),
            (false, None) => {
                let (first, last) = (extents.first().ok_or(Unusual)?, extents.last().ok_or(Unusual)?);
                let at = self.next_line(last.end);
                Ok((at..at, self.lines(at, &block_entry(key, value, self.column(first.start)))))
            }
            (false, Some(entry)) => self.replacing(entry, value),
        }
    }

    /// Another value for an entry of a block.
    fn replacing(&self, entry: &Entry, value: &Json) -> Result<(Range<usize>, String), Unusual> {
        let old = &entry.value;
        let is_block = matches!(old.value, Value::Map(_) | Value::List(_)) && !old.flow;
        let is_short = !is_block && !self.text[old.extent.clone()].contains('\n');
        let indent = self.column(entry.key_span.start);
        match value {
            Json::Object(_) | Json::Array(_) if is_short => {
                // Words in brackets, or none: a block takes their place, below what else is on the line.
                let colon = self.colon(entry)?;
                let end = self.next_line(old.extent.end);
                let block = block_value(value, indent);
                Ok((colon..end, format!("{}{}", &self.text[old.extent.end.max(colon)..end], self.lines(end, &block))))
            }
            _ if is_short && old.extent.start > entry.key_span.end => Ok((old.extent.clone(), scalar(value))),
            _ if is_short => {
                let colon = self.colon(entry)?;
                Ok((colon..colon, format!(" {}", scalar(value))))
            }
            // What spans lines goes as a whole.
            _ => {
                let start = self.own_line(entry.key_span.start)?;
                let end = self.next_line(old.extent.end);
                Ok((start..end, self.lines(start, &block_entry(&entry.key, value, indent))))
            }
        }
    }

    fn replace(&mut self, range: Range<usize>, new: &str) -> Result<(), Unusual> {
        let mut text = self.text.clone();
        text.replace_range(range, new);
        *self = Self::parse(text).map_err(|_| Unusual)?;
        Ok(())
    }

    fn entry(&self, path: &[Step<'_>], key: &str) -> Option<&Entry> {
        match &self.get(path)?.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            Value::Null | Value::Scalar { .. } | Value::List(_) => None,
        }
    }

    /// Where another entry or item goes in brackets, and how: on a line of its own where the others are.
    fn into_brackets(
        &self,
        brackets: &Range<usize>,
        others: &[Range<usize>],
        new: impl FnOnce(Option<usize>) -> String,
    ) -> (Range<usize>, String) {
        let (Some(first), Some(last)) = (others.first(), others.last()) else {
            let at = brackets.start + 1;
            return (at..at, new(None));
        };
        let text = match self.own_line(first.start) {
            Ok(start) if start > brackets.start => {
                let indent = &self.text[start..first.start];
                format!(",{}{indent}{}", self.line_end(), new(Some(indent.len())).replace('\n', self.line_end()))
            }
            _ => format!(", {}", new(None)),
        };
        (last.end..last.end, text)
    }

    /// The range of an entry or item in brackets with its comma.
    fn out_of_brackets(&self, extents: &[Range<usize>], index: usize) -> Result<Range<usize>, Unusual> {
        let own = &extents[index];
        let range = match (index.checked_sub(1), extents.get(index + 1)) {
            (Some(before), _) => extents[before].end..own.end,
            (None, Some(after)) => own.start..after.start,
            (None, None) => own.clone(),
        };
        let around = [&self.text[range.start..own.start.max(range.start)], &self.text[own.end.min(range.end)..range.end]];
        if around.iter().any(|between| between.contains('#')) { Err(Unusual) } else { Ok(range) }
    }

    /// Lines for the place `at`, which is the start of a line, or the end of a text whose last line is not ended.
    fn lines(&self, at: usize, block: &str) -> String {
        let block = block.replace('\n', self.line_end());
        let open = at == self.text.len() && !self.text.is_empty() && !self.text.ends_with('\n') && self.text != BOM;
        if open { format!("{}{block}", self.line_end()) } else { block }
    }

    /// As the first line of the text ends.
    fn line_end(&self) -> &'static str {
        match self.text.find('\n') {
            Some(at) if self.text[..at].ends_with('\r') => "\r\n",
            _ => "\n",
        }
    }

    fn line_start(&self, at: usize) -> usize {
        match self.text[..at].rfind('\n') {
            Some(before) => before + 1,
            None if self.text.starts_with(BOM) => BOM.len().min(at),
            None => 0,
        }
    }

    /// The start of the line after the one that a node ends in; the end of the text where there is none.
    fn next_line(&self, end: usize) -> usize {
        // A block of literal text ends where the next word begins, be it indented or not.
        if let Ok(start) = self.own_line(end)
            && start > 0
        {
            return start;
        }
        self.text[end..].find('\n').map_or(self.text.len(), |at| end + at + 1)
    }

    /// Columns before `at` in its line. Dashes before it count as the spaces that lines below have in their place.
    fn column(&self, at: usize) -> usize {
        self.text[self.line_start(at)..at].chars().count()
    }

    /// The start of the line of `at`, where nothing but spaces stands before it.
    fn own_line(&self, at: usize) -> Result<usize, Unusual> {
        let start = self.line_start(at);
        if self.text[start..at].bytes().all(|byte| byte == b' ') { Ok(start) } else { Err(Unusual) }
    }

    /// The place after the colon of a key.
    fn colon(&self, entry: &Entry) -> Result<usize, Unusual> {
        let rest = &self.text[entry.key_span.end..];
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        if rest[spaces..].starts_with(':') { Ok(entry.key_span.end + spaces + 1) } else { Err(Unusual) }
    }

    /// The line of a block list's first dash, and its column.
    fn first_dash(&self, list: &Range<usize>) -> Result<(usize, usize), Unusual> {
        let mut start = self.line_start(list.start);
        loop {
            let line = self.text[start..].lines().next().unwrap_or_default();
            let inner = line.trim_start_matches(' ');
            if inner.starts_with('-') {
                return Ok((start, line.len() - inner.len()));
            }
            // Between a dash and what it stands before.
            let is_between = inner.is_empty() || inner.starts_with('#') || start == self.line_start(list.start);
            if !is_between || start == 0 {
                return Err(Unusual);
            }
            start = self.line_start(start - 1);
        }
    }

    /// The line from `at` on that begins with a dash in this column.
    fn dash(&self, at: usize, column: usize) -> Option<usize> {
        let mut start = at;
        for line in self.text[at..].split_inclusive('\n') {
            let inner = line.trim_start_matches(' ');
            if inner.starts_with('-') && line.len() - inner.len() == column {
                return Some(start);
            }
            if !inner.trim_end().is_empty() && !inner.starts_with('#') {
                return None;
            }
            start += line.len();
        }
        None
    }
}

/// U+FEFF, with which editors of Windows begin a text.
const BOM: &str = "\u{feff}";

/// Both say the same, whatever their places and their form.
pub(super) fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Null, Value::Null) => true,
        (Value::Scalar { text: one, .. }, Value::Scalar { text: other, .. }) => one == other,
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Map(one), Value::Map(other)) => {
            let equal = |(one, other): (&Entry, &Entry)| one.key == other.key && same(&one.value, &other.value);
            one.len() == other.len() && one.iter().zip(other).all(equal)
        }
        _ => false,
    }
}

/// A node says `value`, whatever the order of its keys.
fn says(node: &Node, value: &Json) -> bool {
    match (&node.value, value) {
        (Value::Null, Json::Null) => true,
        (Value::Scalar { text, plain: false }, Json::String(word)) => text == word,
        (Value::Scalar { text, plain: true }, Json::String(word)) => text == word && is_text(word),
        (Value::Scalar { text, plain: true }, Json::Bool(_) | Json::Number(_)) => *text == value.to_string(),
        (Value::List(items), Json::Array(values)) => {
            items.len() == values.len() && items.iter().zip(values).all(|(item, value)| says(item, value))
        }
        (Value::Map(entries), Json::Object(values)) => {
            let said = |entry: &Entry| values.get(&entry.key).is_some_and(|value| says(&entry.value, value));
            entries.len() == values.len() && entries.iter().all(said)
        }
        _ => false,
    }
}

fn extent(entry: &Entry) -> Range<usize> {
    entry.key_span.start..entry.value.extent.end
}

fn line(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// `key: value` in a block, as kubectl writes it: lists are not indented further than their key.
fn block_entry(key: &str, value: &Json, indent: usize) -> String {
    let key = format!("{:indent$}{}:", "", word(key));
    match value {
        Json::Object(entries) if !entries.is_empty() => format!("{key}\n{}", block_value(value, indent)),
        Json::Array(items) if !items.is_empty() => format!("{key}\n{}", block_value(value, indent)),
        value => format!("{key} {}\n", scalar(value)),
    }
}

/// What stands below a key of this indentation.
fn block_value(value: &Json, indent: usize) -> String {
    match value {
        Json::Object(entries) => entries.iter().map(|(key, value)| block_entry(key, value, indent + 2)).collect(),
        Json::Array(items) => items.iter().map(|item| block_item(item, indent)).collect(),
        value => format!("{:indent$}{}\n", "", scalar(value)),
    }
}

fn block_item(item: &Json, indent: usize) -> String {
    let inner = match item {
        Json::Object(entries) if !entries.is_empty() => block_value(item, indent),
        item => format!("{:width$}{}\n", "", scalar(item), width = indent + 2),
    };
    format!("{:indent$}- {}", "", &inner[indent + 2..])
}

/// A value on one line of a block.
fn scalar(value: &Json) -> String {
    match value {
        Json::String(text) => word(text),
        value => value.to_string(),
    }
}

/// Quoted where YAML, of whatever version, might take it for something else than text.
fn word(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { json_text(text) }
}

/// Without quotes it says the same in YAML of every version and in every place.
fn is_plain(text: &str) -> bool {
    is_text(text) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._/:@+=".contains(&byte)) && !text.ends_with(':')
}

/// Without quotes, and where it can stand so, it is text: no number, no truth value and not nothing.
fn is_text(text: &str) -> bool {
    let reserved = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let first = text.strip_prefix("--").or(text.strip_prefix('/')).unwrap_or(text);
    first.starts_with(|first: char| first.is_ascii_alphabetic()) && !reserved.contains(&text.to_ascii_lowercase().as_str())
}

fn json_text(text: &str) -> String {
    Json::from(text).to_string()
}

/// JSON on one line, or on several with the first at this indentation.
fn json(value: &Json, indent: Option<usize>) -> String {
    match indent {
        None => value.to_string(),
        Some(indent) => format!("{value:#}").replace('\n', &format!("\n{:indent$}", "")),
    }
}
