//! Tree against schema: every unknown key, wrong type, unknown word and missing key at once. What is reported is taken out of the
//! tree, so that the checks that follow see only what has the right shape and nobody reports the same cause again.

use std::ops::Range;

use serde_json::{Map, Value as Schema};

use crate::diag::{Diagnostic, nearest};
use crate::yaml::{Entry, Node, Value};

/// Checks `node` against `schema` and removes what does not fit.
pub(super) fn check(node: &mut Node, schema: &Schema, found: &mut Vec<Diagnostic>) {
    Checker { root: schema, found }.fits(node, schema, "");
}

struct Checker<'s, 'd> {
    root: &'s Schema,
    found: &'d mut Vec<Diagnostic>,
}

/// What the schema asks of one node. Exactly the shapes that `schema::json_schema` produces.
enum Shape<'s> {
    Object { properties: Option<&'s Map<String, Schema>>, required: Vec<&'s str>, additional: Option<&'s Schema> },
    Array(&'s Schema),
    Words(Vec<&'s str>),
    Text,
    Number,
}

impl<'s> Checker<'s, '_> {
    /// Whether `node` may stay. `path` names it, such as `spec.network.zones`.
    ///
    /// A block that is no mapping stays as an empty one: `dns: example.com` is wrong, but it is not a cluster without DNS.
    fn fits(&mut self, node: &mut Node, schema: &'s Schema, path: &str) -> bool {
        let fits = self.fits_as_it_is(node, schema, path);
        let block = !fits && matches!(self.shape(schema), Shape::Object { properties: Some(_), .. });
        if block {
            node.value = Value::Map(Vec::new());
        }
        fits || block
    }

    fn fits_as_it_is(&mut self, node: &mut Node, schema: &'s Schema, path: &str) -> bool {
        let shape = self.shape(schema);
        let span = node.span.clone();
        match (shape, &mut node.value) {
            (_, Value::Null) => {
                let message = format!("`{path}` has no value");
                self.report(Diagnostic::error(span, message).help("give it a value, or leave the key out"))
            }
            (Shape::Object { properties, required, additional }, Value::Map(entries)) => {
                let absent: Vec<&str> = required.into_iter().filter(|key| !is_given(key, entries, properties)).collect();
                entries.retain_mut(|entry| self.entry(entry, properties, additional, path));
                for key in absent {
                    self.missing(&span, key, path);
                }
                true
            }
            (Shape::Array(item), Value::List(items)) => {
                let (before, mut index) = (items.len(), 0);
                items.retain_mut(|node| {
                    index += 1;
                    self.fits(node, item, &format!("{path}[{}]", index - 1))
                });
                // A list that lost everything says nothing about what was meant.
                before == 0 || !items.is_empty()
            }
            (Shape::Words(words), Value::Scalar { text, .. }) => {
                if words.contains(&text.as_str()) {
                    return true;
                }
                let message = format!("`{path}` must be {}", one_of(&words));
                self.report(Diagnostic::error(span, message).did_you_mean(text, words))
            }
            (Shape::Text, Value::Scalar { .. }) => true,
            (Shape::Number, Value::Scalar { text, plain: true }) if is_number(text) => true,
            (Shape::Number, Value::Scalar { plain: true, .. }) => {
                self.report(Diagnostic::error(span, format!("`{path}` must be a whole number")))
            }
            (shape, value) => {
                let wrong = Diagnostic::error(span, format!("`{path}` must be {}, not {}", wanted(&shape), given(value)));
                let help = hint(&shape, value, path);
                self.report(if help.is_empty() { wrong } else { wrong.help(help) })
            }
        }
    }

    fn entry(
        &mut self,
        entry: &mut Entry,
        properties: Option<&'s Map<String, Schema>>,
        additional: Option<&'s Schema>,
        path: &str,
    ) -> bool {
        let inner = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
        match properties.and_then(|known| known.get(&entry.key)).or(additional) {
            Some(schema) => self.fits(&mut entry.value, schema, &inner),
            None => {
                let known: Vec<&str> = properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
                self.unknown(entry, &known, path)
            }
        }
    }

    fn unknown(&mut self, entry: &Entry, known: &[&str], path: &str) -> bool {
        let place = if path.is_empty() { "the document".into() } else { format!("`{path}`") };
        let mut finding =
            Diagnostic::error(entry.key_span.clone(), format!("unknown key `{}` in {place}", shortened(&entry.key)));
        if nearest(&entry.key, known.iter().copied()).is_some() {
            finding = finding.did_you_mean(&entry.key, known.iter().copied());
        } else if let Some(home) = self.home_of(&entry.key) {
            finding = finding.label(format!("it belongs in {home}"));
        }
        self.report(finding.help(format!("allowed here: {}", known.join(", "))))
    }

    /// A block near the top of the document that has this key.
    fn home_of(&self, key: &str) -> Option<String> {
        let properties = |schema: &'s Schema| schema["properties"].as_object().into_iter().flatten();
        let top = properties(self.root).map(|(name, schema)| (format!("`{name}`"), self.resolve(schema)));
        let spec = properties(self.resolve(&self.root["properties"]["spec"])).map(|(name, schema)| {
            let schema = self.resolve(schema);
            match schema.get("items") {
                Some(items) => (format!("an entry of `spec.{name}`"), self.resolve(items)),
                None => (format!("`spec.{name}`"), schema),
            }
        });
        // Blocks of the spec come before the entries of its lists, which have keys of the same names.
        std::iter::once(("the document".to_owned(), self.root))
            .chain(top)
            .chain(spec)
            .filter(|(_, schema)| schema["properties"].get(key).is_some())
            .min_by_key(|(home, _)| home.starts_with("an entry"))
            .map(|(home, _)| home)
    }

    fn missing(&mut self, span: &Range<usize>, key: &str, path: &str) {
        let place = if path.is_empty() { "the document".into() } else { format!("`{path}`") };
        self.report(Diagnostic::error(span.clone(), format!("`{key}` is missing in {place}")));
    }

    /// Always false: what is reported does not stay.
    fn report(&mut self, finding: Diagnostic) -> bool {
        self.found.push(finding);
        false
    }

    fn resolve(&self, schema: &'s Schema) -> &'s Schema {
        match schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
            Some(name) => &self.root["$defs"][name],
            None => schema,
        }
    }

    fn shape(&self, schema: &'s Schema) -> Shape<'s> {
        let schema = self.resolve(schema);
        if let Some(words) = schema["enum"].as_array() {
            return Shape::Words(words.iter().filter_map(Schema::as_str).collect());
        }
        match schema["type"].as_str() {
            Some("object") => Shape::Object {
                properties: schema["properties"].as_object(),
                required: schema["required"].as_array().into_iter().flatten().filter_map(Schema::as_str).collect(),
                additional: schema.get("additionalProperties").filter(|additional| additional.is_object()),
            },
            Some("array") => Shape::Array(&schema["items"]),
            Some("integer") => Shape::Number,
            _ => Shape::Text,
        }
    }
}

/// Whether `key` is there, if only as a misspelling, which is reported as such.
fn is_given(key: &str, entries: &[Entry], properties: Option<&Map<String, Schema>>) -> bool {
    let known = || properties.into_iter().flat_map(Map::keys).map(String::as_str);
    entries
        .iter()
        .any(|entry| entry.key == key || (!known().any(|known| known == entry.key) && nearest(&entry.key, known()) == Some(key)))
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u32>().is_ok()
}

/// `a, b or c`, each in back quotes.
pub(super) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

fn wanted(shape: &Shape<'_>) -> String {
    match shape {
        Shape::Object { .. } => "a mapping (`key: value` lines)".into(),
        Shape::Array(_) => "a list".into(),
        Shape::Words(words) => one_of(words),
        Shape::Text => "text".into(),
        Shape::Number => "a whole number".into(),
    }
}

fn given(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Scalar { plain: false, .. } => "quoted text",
        Value::Scalar { .. } => "a single value",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}

fn hint(shape: &Shape<'_>, value: &Value, path: &str) -> String {
    match (shape, value) {
        (Shape::Array(_), Value::Scalar { text, .. }) if text.len() <= 40 && !text.contains('\n') => format!("write `[{text}]`"),
        (Shape::Array(_), Value::Map(_)) => "begin each entry with `- `".into(),
        (Shape::Number, Value::Scalar { text, plain: false }) if is_number(text) => "leave the quotes out".into(),
        (Shape::Text, Value::Map(_)) if path.ends_with(".values") => {
            "write it as a text block: `values: |` and the lines below, indented".into()
        }
        _ => String::new(),
    }
}

fn shortened(key: &str) -> String {
    let line: String = key.lines().next().unwrap_or_default().chars().take(60).collect();
    if line.len() < key.len() { format!("{line}...") } else { line }
}
