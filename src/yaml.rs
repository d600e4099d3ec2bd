//! Text → tree: YAML with the byte range of every node. The only file that knows the YAML parser. No I/O.

use std::collections::HashMap;
use std::ops::Range;

use serde_saphyr::granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StructureStyle};

use crate::diag::Diagnostic;

/// Nodes of one text, aliases expanded. Far above any real spec, and above the largest manifests of resource definitions; keeps nested
/// aliases from growing without bound.
const MAX_NODES: usize = 500_000;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// A scalar's text or a flow collection's brackets; for a block collection the key (or first entry) that introduces it.
    pub span: Range<usize>,
    /// The bytes of the node, from its first to its last, for whoever changes the text; without its tag and anchor. Empty where a key or
    /// a dash has no value. A list in a block begins at its first dash or at what stands behind that. Where the node is an alias, those of
    /// the alias, while the nodes in it are where the anchor is.
    pub extent: Range<usize>,
    /// A collection in brackets.
    pub flow: bool,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    /// `plain` when written without quotes and not as a block.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// In the order of the text; keys are unique.
    Map(Vec<Entry>),
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub key: String,
    pub key_span: Range<usize>,
    pub value: Node,
}

impl Node {
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            Value::Null | Value::Scalar { .. } | Value::List(_) => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }
}

/// The documents of `text` that are not empty. Reported is what can be said without knowing what they mean: duplicate keys, and the
/// first violation of YAML's grammar. After that one a parser cannot go on, and there is nothing to return.
pub(crate) fn parse(text: &str, found: &mut Vec<Diagnostic>) -> Option<Vec<Node>> {
    let mut builder = Builder { events: Parser::new_from_str(text), text, anchors: HashMap::new(), nodes: 0, found };
    let mut documents = Vec::new();
    loop {
        let (event, span) = builder.next()?;
        match event {
            Event::StreamEnd => return Some(documents),
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            event => {
                let node = builder.node(event, &span)?;
                if !matches!(node.value, Value::Null) {
                    documents.push(node);
                }
            }
        }
    }
}

struct Builder<'t, 'd, P> {
    events: P,
    text: &'t str,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    found: &'d mut Vec<Diagnostic>,
}

impl<'t, P: Iterator<Item = Result<(Event<'t>, Span), ScanError>>> Builder<'t, '_, P> {
    /// The next event that is not a comment. The last one is `StreamEnd`, which nothing reads past.
    fn next(&mut self) -> Option<(Event<'t>, Span)> {
        loop {
            match self.events.next()? {
                Ok((Event::Comment(..), _)) => {}
                Ok(event) => return Some(event),
                Err(error) => {
                    let finding = self.grammar(&error);
                    return self.stop(finding);
                }
            }
        }
    }

    /// Reports what ends the reading.
    fn stop<T>(&mut self, finding: Diagnostic) -> Option<T> {
        self.found.push(finding);
        None
    }

    fn node(&mut self, event: Event<'t>, span: &Span) -> Option<Node> {
        let start = self.range(span);
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return self.stop(Diagnostic::error(start, "the document is too large once its aliases are expanded"));
        }
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, _) => (anchor, scalar(&text, style, start)),
            Event::SequenceStart(style, anchor, _) => (anchor, self.list(style, start)?),
            Event::MappingStart(style, anchor, _) => (anchor, self.map(style, start)?),
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id) else {
                    return self.stop(Diagnostic::error(start, "this alias stands inside the node that it repeats"));
                };
                let node = Node { extent: start, ..node.clone() };
                self.nodes += size(&node);
                (0, node)
            }
            event => return self.stop(Diagnostic::error(start, format!("unexpected YAML event {event:?}"))),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Some(node)
    }

    fn list(&mut self, style: StructureStyle, start: Range<usize>) -> Option<Node> {
        let mut items = Vec::new();
        let end = loop {
            match self.next()? {
                (Event::SequenceEnd, span) => break self.range(&span),
                (event, span) => items.push(self.node(event, &span)?),
            }
        };
        let first = items.first().map(|item| item.span.clone());
        let flow = style == StructureStyle::Flow;
        // The parser ends a block only where the next token begins.
        let last = items.last().map(|item| item.extent.end);
        let extent = start.start..if flow { end.end } else { last.unwrap_or(start.end) };
        Some(Node { span: collection_span(style, start, end, first), extent, flow, value: Value::List(items) })
    }

    fn map(&mut self, style: StructureStyle, start: Range<usize>) -> Option<Node> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut last = start.end;
        let end = loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break self.range(&span);
            }
            let key_span = self.range(&span);
            let key = self.node(event, &span)?;
            let (event, span) = self.next()?;
            let block =
                matches!(event, Event::SequenceStart(StructureStyle::Block, ..) | Event::MappingStart(StructureStyle::Block, ..));
            let mut value = self.node(event, &span)?;
            if block || value.span.is_empty() {
                value.span = key_span.clone();
            }
            if value.extent.is_empty() {
                value.extent = key_span.end..key_span.end;
            }
            last = value.extent.end;
            let Some(key) = key.as_str().map(str::to_owned) else {
                self.found.push(Diagnostic::error(key_span, "a key must be a word"));
                continue;
            };
            match entries.iter().find(|entry| entry.key == key) {
                Some(first) => self.found.push(
                    Diagnostic::error(key_span, format!("`{key}` is given twice"))
                        .related(first.key_span.clone(), "first given here"),
                ),
                None => entries.push(Entry { key, key_span, value }),
            }
        };
        let first = entries.first().map(|entry| entry.key_span.clone());
        let flow = style == StructureStyle::Flow;
        let extent = start.start..if flow { end.end } else { last };
        Some(Node { span: collection_span(style, start, end, first), extent, flow, value: Value::Map(entries) })
    }

    fn range(&self, span: &Span) -> Range<usize> {
        // A parser over `&str` knows byte offsets (granit_parser::Marker::byte_offset).
        span.byte_range().unwrap_or(self.text.len()..self.text.len())
    }

    fn grammar(&self, error: &ScanError) -> Diagnostic {
        let at = error.marker().byte_offset().unwrap_or(self.text.len()).min(self.text.len());
        let rest = &self.text[at..];
        let span = at..at + rest.chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
        match error.kind() {
            ErrorKind::TabInIndentation | ErrorKind::TabInBlockIndentation | ErrorKind::TabNotAllowed => {
                Diagnostic::error(span, "a tab stands where YAML wants spaces").help("indent with spaces only")
            }
            _ => Diagnostic::error(span, format!("this is not valid YAML: {}", error.info()))
                .help("an indentation, a bracket or a quote is wrong here or just above"),
        }
    }
}

fn scalar(text: &str, style: ScalarStyle, span: Range<usize>) -> Node {
    let plain = style == ScalarStyle::Plain;
    // YAML 1.2 core schema, section 10.3.2.
    let value = if plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        Value::Null
    } else {
        Value::Scalar { text: text.to_owned(), plain }
    };
    Node { span: span.clone(), extent: span, flow: false, value }
}

fn collection_span(style: StructureStyle, start: Range<usize>, end: Range<usize>, first: Option<Range<usize>>) -> Range<usize> {
    match (style, first) {
        (StructureStyle::Block, Some(first)) => first,
        _ => start.start..end.end.max(start.end),
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Null | Value::Scalar { .. } => 0,
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|entry| size(&entry.value)).sum(),
    }
}
