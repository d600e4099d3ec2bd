//! A drawing as SVG: texts stay texts, colours follow the reader's light or dark scheme, and nothing is loaded from elsewhere.

use std::fmt::Write as _;

use super::drawing::{Drawing, Ink, MACHINE, Part, Rect, Shape, Surface};
use super::model::Health;

/// Colours and fonts.
const STYLE: &str = include_str!("style.css");

/// A document of its own.
pub fn svg(drawing: &Drawing) -> String {
    let style: String = STYLE.lines().map(|line| format!("    {line}\n")).collect();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", element(drawing, &format!("  <style>\n{style}  </style>\n")))
}

/// The element alone, to stand in HTML that has the style.
pub(super) fn element(drawing: &Drawing, style: &str) -> String {
    let Drawing { width, height, title, description, parts } = drawing;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"kclust\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"kclust-title kclust-description\">\n\
         {style}  <title id=\"kclust-title\">{}</title>\n  <desc id=\"kclust-description\">{}</desc>\n\
         \x20 <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n",
        escape(title),
        escape(description)
    );
    for part in parts {
        write_part(&mut text, part);
    }
    text.push_str("</svg>\n");
    text
}

pub(super) fn style() -> &'static str {
    STYLE
}

/// Text as XML has it. Control characters have no place in XML at all.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

fn write_part(text: &mut String, part: &Part) {
    text.push_str("  <g>");
    if let Some(hint) = &part.hint {
        let _ = write!(text, "<title>{}</title>", escape(hint));
    }
    text.push('\n');
    for shape in &part.shapes {
        text.push_str("    ");
        write_shape(text, shape);
        text.push('\n');
    }
    text.push_str("  </g>\n");
}

fn write_shape(text: &mut String, shape: &Shape) {
    let _ = match shape {
        Shape::Box { rect: Rect { x, y, w, h }, surface } => {
            let (class, radius) = surface_class(*surface);
            write!(text, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{radius}\"/>")
        }
        Shape::Text { x, baseline, at_end, text: words, font, ink } => {
            let anchor = if *at_end { " text-anchor=\"end\"" } else { "" };
            let mut class = match ink {
                Ink::Strong => "strong".to_owned(),
                Ink::Muted => "muted".to_owned(),
                Ink::Of(health) => format!("ink {}", health_class(*health)),
            };
            for (set, name) in [(font.bold, " bold"), (font.mono, " mono")] {
                if set {
                    class.push_str(name);
                }
            }
            let size = font.size;
            write!(
                text,
                "<text class=\"{class}\" x=\"{x}\" y=\"{baseline}\" font-size=\"{size}\"{anchor}>{}</text>",
                escape(words)
            )
        }
        Shape::Mark { x, y, size, health } => {
            let class = health_class(*health);
            let scale = f64::from(*size) / 14.0;
            write!(text, "<g class=\"mark {class}\" transform=\"translate({x} {y}) scale({scale})\">{}</g>", mark(*health))
        }
        Shape::Machine { x, y, health } => {
            let class = health_class(*health);
            write!(
                text,
                "<rect class=\"machine {class}\" x=\"{x}\" y=\"{y}\" width=\"{MACHINE}\" height=\"{MACHINE}\" rx=\"2\"/>"
            )
        }
        Shape::Line { points, arrow } => {
            let path: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
            let tip = if *arrow { tip(points) } else { String::new() };
            write!(text, "<polyline class=\"line\" points=\"{}\"/>{}", path.join(" "), tip)
        }
    };
}

/// The tip of an arrow at the end of a line that goes down or to the right.
fn tip(points: &[(i32, i32)]) -> String {
    let [.., (from, _), (x, y)] = points else { return String::new() };
    let (left, right) = if from == x { ((x - 4, y - 7), (x + 4, y - 7)) } else { ((x - 7, y - 4), (x - 7, y + 4)) };
    format!("<polygon class=\"tip\" points=\"{x},{y} {},{} {},{}\"/>", left.0, left.1, right.0, right.1)
}

fn surface_class(surface: Surface) -> (String, i32) {
    let (class, radius) = match surface {
        Surface::Vpc => ("vpc", 12),
        Surface::ForeignVpc => ("vpc foreign", 12),
        Surface::Zone => ("zone", 10),
        Surface::PublicSubnet => ("subnet public", 8),
        Surface::PrivateSubnet => ("subnet private", 8),
        Surface::Band => ("band", 4),
        Surface::Empty => ("empty", 6),
        Surface::Pill => ("pill", 22),
        Surface::Leaf(health) => return (format!("leaf {}", health_class(health)), 6),
    };
    (class.to_owned(), radius)
}

fn health_class(health: Health) -> &'static str {
    match health {
        Health::Ok => "ok",
        Health::Idle => "idle",
        Health::Unknown => "unknown",
        Health::Warning => "warning",
        Health::Bad => "bad",
    }
}

/// A mark of 14 by 14: each health has a shape of its own.
pub(super) fn mark(health: Health) -> &'static str {
    match health {
        Health::Ok => "<circle cx=\"7\" cy=\"7\" r=\"7\"/><path d=\"M3.6 7.2 6.1 9.7 10.4 4.9\"/>",
        Health::Warning => "<polygon points=\"7,0 14,13.5 0,13.5\"/><path d=\"M7 4.6V8.6M7 11V11.1\"/>",
        Health::Bad => {
            "<polygon points=\"4,0 10,0 14,4 14,10 10,14 4,14 0,10 0,4\"/><path d=\"M4.4 4.4 9.6 9.6M9.6 4.4 4.4 9.6\"/>"
        }
        Health::Unknown => "<rect width=\"14\" height=\"14\" rx=\"3\"/><path d=\"M4.8 5.2A2.2 2.2 0 1 1 7 7.6V8.6M7 11V11.1\"/>",
        Health::Idle => "<circle cx=\"7\" cy=\"7\" r=\"7\"/><path d=\"M4 7H10\"/>",
    }
}
