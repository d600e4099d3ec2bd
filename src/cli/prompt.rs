//! Questions. They go to standard error, so that they do not end up in a file with the result.

use std::io::{self, BufRead, Write};

use super::terminal::Terminal;

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
    /// Nobody could be asked.
    NoTerminal,
}

/// Asks `question`, which ends with a question mark, and reads `y` or `n`; an empty line is no.
///
/// # Errors
/// When the terminal cannot be read or written.
pub fn confirm_plan(terminal: &Terminal, question: &str) -> io::Result<Answer> {
    if !terminal.interactive {
        return Ok(Answer::NoTerminal);
    }
    ask_yes_or_no(&mut io::stdin().lock(), &mut io::stderr().lock(), question)
}

/// Asks for the name of a cluster that will be gone: harder to give by habit than a `y`.
///
/// # Errors
/// When the terminal cannot be read or written.
pub fn confirm_name(terminal: &Terminal, cluster: &str) -> io::Result<Answer> {
    if !terminal.interactive {
        return Ok(Answer::NoTerminal);
    }
    ask_name(&mut io::stdin().lock(), &mut io::stderr().lock(), cluster)
}

fn ask_yes_or_no(reader: &mut dyn BufRead, writer: &mut dyn Write, question: &str) -> io::Result<Answer> {
    write!(writer, "{question} [y/N] ")?;
    loop {
        let Some(line) = read_line(reader, writer)? else { return Ok(Answer::No) };
        match line.to_lowercase().as_str() {
            "y" | "yes" => return Ok(Answer::Yes),
            "" | "n" | "no" => return Ok(Answer::No),
            _ => write!(writer, "Please answer y or n: ")?,
        }
    }
}

/// No second try: whoever mistypes the name runs the command again.
fn ask_name(reader: &mut dyn BufRead, writer: &mut dyn Write, cluster: &str) -> io::Result<Answer> {
    write!(writer, "To delete the cluster, type its name ({cluster}): ")?;
    let line = read_line(reader, writer)?;
    Ok(if line.as_deref() == Some(cluster) { Answer::Yes } else { Answer::No })
}

/// A line without the space around it; `None` at the end of the input.
fn read_line(reader: &mut dyn BufRead, writer: &mut dyn Write) -> io::Result<Option<String>> {
    writer.flush()?;
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        // Ctrl-D leaves the cursor behind the question.
        writeln!(writer)?;
        return Ok(None);
    }
    Ok(Some(line.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::TextStyle;

    fn yes_or_no(input: &str) -> (Answer, String) {
        let mut written = Vec::new();
        let answer = ask_yes_or_no(&mut input.as_bytes(), &mut written, "Create dev.example.com?").unwrap();
        (answer, String::from_utf8(written).unwrap())
    }

    fn name(input: &str) -> Answer {
        ask_name(&mut input.as_bytes(), &mut Vec::new(), "dev.example.com").unwrap()
    }

    #[test]
    fn only_y_and_yes_are_yes() {
        for input in ["y\n", "Y\n", "yes\r\n", " YES \n", "y"] {
            assert_eq!(yes_or_no(input).0, Answer::Yes, "{input:?}");
        }
        for input in ["\n", "n\n", "No\n", ""] {
            assert_eq!(yes_or_no(input).0, Answer::No, "{input:?}");
        }
    }

    #[test]
    fn the_question_is_asked_again_after_something_else() {
        let (answer, written) = yes_or_no("sure\ny\n");
        assert_eq!(answer, Answer::Yes);
        assert_eq!(written, "Create dev.example.com? [y/N] Please answer y or n: ");
    }

    #[test]
    fn the_end_of_the_input_ends_the_line() {
        assert_eq!(yes_or_no("").1, "Create dev.example.com? [y/N] \n");
        assert_eq!(yes_or_no("what\n").0, Answer::No);
    }

    #[test]
    fn the_name_must_be_the_whole_name() {
        assert_eq!(name("dev.example.com\n"), Answer::Yes);
        assert_eq!(name("  dev.example.com \n"), Answer::Yes);
        for input in ["y\n", "dev\n", "DEV.example.com\n", "\n", ""] {
            assert_eq!(name(input), Answer::No, "{input:?}");
        }
    }

    #[test]
    fn nobody_is_asked_without_a_terminal() {
        let style = TextStyle { color: false, unicode: true, width: 80 };
        let terminal = Terminal { stdout: style, stderr: style, live: false, redraws: None, interactive: false };
        assert_eq!(confirm_plan(&terminal, "Create it?").unwrap(), Answer::NoTerminal);
        assert_eq!(confirm_name(&terminal, "dev").unwrap(), Answer::NoTerminal);
    }
}
