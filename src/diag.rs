//! Diagnostics: what is wrong with a text, where, what is allowed instead, and how a person is shown it. No I/O.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    /// The text is accepted; its author may want to know.
    Warning,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// One line: what is wrong and what is allowed.
    pub message: String,
    /// Byte range of the text at fault.
    pub span: Range<usize>,
    /// Said at the caret: the nearest valid name, or the detail of this place.
    pub label: Option<String>,
    /// Another place that explains the finding, such as the first of two equal names.
    pub related: Option<(Range<usize>, String)>,
    /// What to do, or what is allowed at length.
    pub help: Option<String>,
}

impl Diagnostic {
    pub fn error(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), span, label: None, related: None, help: None }
    }

    pub fn warning(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(span, message) }
    }

    #[must_use]
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }

    /// Labels the caret with the candidate that is nearest to `word`, where one is near.
    #[must_use]
    pub fn did_you_mean<'a>(self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(word, candidates) {
            Some(candidate) => self.label(format!("did you mean `{candidate}`?")),
            None => self,
        }
    }

    #[must_use]
    pub fn related(self, span: Range<usize>, text: impl Into<String>) -> Self {
        Self { related: Some((span, text.into())), ..self }
    }

    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// The findings in one text, in the order of their positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    file: String,
    /// The text with private keys blanked out, so that no rendering can show one. Byte positions are those of the text.
    source: String,
    findings: Vec<Diagnostic>,
}

impl Diagnostics {
    pub fn new(file: impl Into<String>, text: &str, mut findings: Vec<Diagnostic>) -> Self {
        findings.sort_by_key(|finding| (finding.span.start, finding.span.end, finding.severity));
        findings.dedup();
        for finding in &mut findings {
            let related = finding.related.as_mut().map(|(_, text)| text);
            for text in [Some(&mut finding.message), finding.label.as_mut(), finding.help.as_mut(), related].into_iter().flatten()
            {
                *text = without_private_keys(text);
            }
        }
        Self { file: file.into(), source: without_private_keys(text), findings }
    }

    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.findings.iter()
    }

    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    /// Line and column of a finding, both from 1; columns count characters.
    pub fn position(&self, finding: &Diagnostic) -> (usize, usize) {
        let before = &self.source[..floor_char_boundary(&self.source, finding.span.start)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// What a terminal shows: each finding with file, line, column and the offending line, then how many there are.
    /// Frames and carets are ASCII, so that any terminal can show them. Without `color` there are no escape codes.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for finding in &self.findings {
            out.push_str(&renderer.render(&[self.group(finding)]));
            out.push_str("\n\n");
        }
        let warnings = self.findings.len() - self.errors();
        let counted: Vec<String> = [(self.errors(), "error"), (warnings, "warning")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
            .collect();
        out.push_str(&format!("{} in {}\n", counted.join(" and "), self.file));
        out
    }

    fn group<'a>(&'a self, finding: &'a Diagnostic) -> Group<'a> {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(&finding.message);
        let group = if self.source.trim().is_empty() {
            title.element(Origin::path(&self.file).line(1).char_column(1))
        } else {
            let mut snippet = Snippet::source(&self.source)
                .path(&self.file)
                .annotation(AnnotationKind::Primary.span(self.shown(&finding.span)).label(finding.label.as_deref()));
            if let Some((span, text)) = &finding.related {
                snippet = snippet.annotation(AnnotationKind::Context.span(self.shown(span)).label(text));
            }
            title.element(snippet)
        };
        match &finding.help {
            Some(help) => group.element(Level::HELP.message(help)),
            None => group,
        }
    }

    /// The part of a span that lies on its first line: a caret says where, the rest of a long block says nothing more.
    fn shown(&self, span: &Range<usize>) -> Range<usize> {
        let start = floor_char_boundary(&self.source, span.start);
        let end = floor_char_boundary(&self.source, span.end).max(start);
        let line_end = self.source[start..].find(['\n', '\r']).map_or(self.source.len(), |at| start + at);
        start..end.min(line_end)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// The candidate that `word` was most probably meant to be: equal but for case and `-`/`_`, cut off, or a few typing
/// errors away.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let word = plain(word);
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            let plain = plain(candidate);
            // `size` for `sizeGiB`: cut off, not mistyped.
            let cut = word.len() >= 4 && plain.starts_with(&word);
            (if cut { 1 } else { strsim::damerau_levenshtein(&word, &plain) }, candidate)
        })
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// Overwrites what lies between the armour lines of a private key (RFC 7468), keeping every byte position and line break.
/// A key without its end line is blanked to the end of the text.
fn without_private_keys(text: &str) -> String {
    const MARK: &str = "PRIVATE KEY-----";
    let mut blanked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(MARK) {
        let (before, body) = rest.split_at(begin + MARK.len());
        let end = body.find("-----END").unwrap_or(body.len());
        blanked.push_str(before);
        for c in body[..end].chars() {
            if c.is_ascii_whitespace() { blanked.push(c) } else { blanked.extend(std::iter::repeat_n('*', c.len_utf8())) }
        }
        rest = match body[end..].find(MARK) {
            Some(at) => {
                blanked.push_str(&body[end..end + at + MARK.len()]);
                &body[end + at + MARK.len()..]
            }
            None => &body[end..],
        };
    }
    blanked.push_str(rest);
    blanked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let found = Diagnostics::new("f", "a\nüb: c\n", vec![Diagnostic::error(4..5, "m")]);
        assert_eq!(found.position(found.iter().next().unwrap()), (2, 2));
    }

    #[test]
    fn findings_are_sorted_and_equal_ones_said_once() {
        let (early, late) = (Diagnostic::error(0..1, "early"), Diagnostic::error(2..3, "late"));
        let found = Diagnostics::new("f", "abcd", vec![late.clone(), early.clone(), late.clone()]);
        assert_eq!(found.iter().collect::<Vec<_>>(), [&early, &late]);
        assert!(found.render(false).ends_with("2 errors in f\n"));
    }

    #[test]
    fn color_is_only_in_colored_renderings() {
        let found = Diagnostics::new("f", "abcd", vec![Diagnostic::error(0..1, "m").label("l").help("h")]);
        assert!(!found.render(false).contains('\u{1b}'));
        assert!(found.render(true).contains('\u{1b}'));
        assert!(found.render(false).is_ascii());
    }

    #[test]
    fn nearest_names() {
        let keys = ["minSize", "maxSize", "name"];
        assert_eq!(nearest("minsize", keys), Some("minSize"));
        assert_eq!(nearest("max_size", keys), Some("maxSize"));
        assert_eq!(nearest("mnSize", keys), Some("minSize"));
        assert_eq!(nearest("size", ["sizeGiB", "type"]), Some("sizeGiB"));
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(nearest("x", ["a"]), None);
    }

    #[test]
    fn private_keys_are_blanked_in_place() {
        let text = "a: -----BEGIN OPENSSH PRIVATE KEY-----\n  sécret\n-----END OPENSSH PRIVATE KEY-----\nb: 1\n";
        let blank = without_private_keys(text);
        assert_eq!(blank, "a: -----BEGIN OPENSSH PRIVATE KEY-----\n  *******\n-----END OPENSSH PRIVATE KEY-----\nb: 1\n");
        assert_eq!(blank.len(), text.len());
        assert_eq!(without_private_keys("-----BEGIN PRIVATE KEY-----abc"), "-----BEGIN PRIVATE KEY-----***");
    }
}
