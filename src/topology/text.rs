//! How wide a text will be, without the font: that is the reader's. Widths are those of DejaVu Sans, the widest of the usual ones,
//! rounded up.

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Font {
    /// In pixels.
    pub size: i32,
    pub bold: bool,
    pub mono: bool,
}

/// Hundredths of the font size.
fn advance(letter: char) -> i32 {
    match letter {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | ' ' | 'I' | '·' => 34,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' | '!' | '"' => 42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' | '–' | '→' | '×' => 100,
        'A'..='Z' => 79,
        letter if letter.is_ascii() => 64,
        // Whatever it is, hardly wider than an ideograph.
        _ => 105,
    }
}

/// Upper bound of the width of a text, in pixels.
pub(super) fn width(text: &str, font: Font) -> i32 {
    let hundredths: i32 = text
        .chars()
        .map(|letter| match font.mono {
            true if letter.is_ascii() || letter == '…' => 61,
            _ => advance(letter),
        })
        .sum();
    let weight = if font.bold { 112 } else { 100 };
    (hundredths * font.size * weight + 9999) / 10_000
}

/// The text, cut where it does not fit.
pub(super) fn fit(text: &str, room: i32, font: Font) -> String {
    // XML has no control characters, and a picture no line breaks.
    let text: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if width(&text, font) <= room {
        return text;
    }
    let mut kept = text;
    while kept.pop().is_some() {
        let cut = format!("{}…", kept.trim_end());
        if width(&cut, font) <= room {
            return cut;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FONT: Font = Font { size: 12, bold: false, mono: false };

    #[test]
    fn what_fits_stays_and_what_does_not_is_cut() {
        assert_eq!(fit("workers", 100, FONT), "workers");
        let cut = fit("a-node-group-of-a-very-long-name", 100, FONT);
        assert!(cut.ends_with('…') && width(&cut, FONT) <= 100, "{cut}");
        assert_eq!(fit("workers", 5, FONT), "");
        assert_eq!(fit("two\nlines", 100, FONT), "two lines");
    }

    #[test]
    fn bold_is_wider() {
        assert!(width("workers", Font { bold: true, ..FONT }) > width("workers", FONT));
    }
}
