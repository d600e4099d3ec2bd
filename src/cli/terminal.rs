//! What the terminal can do, decided once, and the way to write to it. The environment is read here and nowhere else in the
//! program, but for what `clap` and the AWS SDK document as theirs, and what concerns kubectl (`commands/surroundings.rs`).

use std::env;
use std::io::{self, ErrorKind, IsTerminal, Write};

use clap::ColorChoice;

use crate::plan::TextStyle;

/// Columns and lines of a terminal that does not tell.
const COLUMNS: usize = 80;
const LINES: usize = 24;

/// The three streams and how text is written to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// For the result. Its width is unlimited where standard output is not a terminal: nothing is cut in a file.
    pub stdout: TextStyle,
    /// For progress, questions and errors.
    pub stderr: TextStyle,
    /// Standard error can redraw a line.
    pub live: bool,
    /// Lines of the terminal that standard output can redraw; `None` where it cannot.
    pub redraws: Option<usize>,
    /// Somebody can be asked: standard input and standard error are terminals.
    pub interactive: bool,
}

impl Terminal {
    /// Looks at the streams and the environment of this process.
    pub fn detect(color: ColorChoice) -> Self {
        Self::decide(&Surroundings::of_this_process(), color)
    }

    fn decide(around: &Surroundings, color: ColorChoice) -> Self {
        let dumb = around.term.as_deref() == Some("dumb");
        let colored = |is_terminal: bool| match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            // https://no-color.org and https://bixense.com/clicolors: to forbid wins over to force.
            ColorChoice::Auto if is_set(around.no_color.as_deref()) => false,
            ColorChoice::Auto if around.clicolor_force.as_deref() != Some("0") && is_set(around.clicolor_force.as_deref()) => {
                true
            }
            ColorChoice::Auto => is_terminal && !dumb,
        };
        let unicode = around.is_utf8();
        let width = |is_terminal: bool| if is_terminal { around.columns() } else { usize::MAX };
        let style = |is_terminal| TextStyle { color: colored(is_terminal), unicode, width: width(is_terminal) };
        Self {
            stdout: style(around.stdout_is_terminal),
            stderr: style(around.stderr_is_terminal),
            live: around.stderr_is_terminal && !dumb,
            redraws: (around.stdout_is_terminal && !dumb).then(|| around.terminal_lines.unwrap_or(LINES)),
            interactive: around.stdin_is_terminal && around.stderr_is_terminal,
        }
    }
}

/// Everything the decision depends on.
#[derive(Debug, Default)]
struct Surroundings {
    stdin_is_terminal: bool,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
    no_color: Option<String>,
    clicolor_force: Option<String>,
    term: Option<String>,
    columns: Option<String>,
    /// What the terminal itself says.
    terminal_columns: Option<usize>,
    terminal_lines: Option<usize>,
    lc_all: Option<String>,
    lc_ctype: Option<String>,
    lang: Option<String>,
}

impl Surroundings {
    fn of_this_process() -> Self {
        let variable = |name| env::var(name).ok();
        let size = terminal_size::terminal_size();
        Self {
            stdin_is_terminal: io::stdin().is_terminal(),
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
            no_color: variable("NO_COLOR"),
            clicolor_force: variable("CLICOLOR_FORCE"),
            term: variable("TERM"),
            columns: variable("COLUMNS"),
            terminal_columns: size.map(|(width, _)| usize::from(width.0)),
            terminal_lines: size.map(|(_, height)| usize::from(height.0)),
            lc_all: variable("LC_ALL"),
            lc_ctype: variable("LC_CTYPE"),
            lang: variable("LANG"),
        }
    }

    /// The first variable that is set decides, as in POSIX (XBD 8.2); an empty one counts as not set.
    fn is_utf8(&self) -> bool {
        let locale = [&self.lc_all, &self.lc_ctype, &self.lang].into_iter().flatten().find(|value| !value.is_empty());
        locale.is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        })
    }

    /// `COLUMNS` wins over what the terminal says: whoever sets it means it.
    fn columns(&self) -> usize {
        let asked = self.columns.as_deref().and_then(|text| text.parse().ok()).filter(|&columns| columns > 0);
        asked.or(self.terminal_columns).unwrap_or(COLUMNS)
    }
}

fn is_set(variable: Option<&str>) -> bool {
    variable.is_some_and(|value| !value.is_empty())
}

/// A stream that may lose its reader (`kclust get spec | head`). The work goes on then, and so does its exit code: what is written
/// is dropped in silence. `println!` would panic.
#[derive(Debug)]
pub struct Output<W> {
    writer: W,
    /// The reader is gone.
    closed: bool,
}

impl<W: Write> Output<W> {
    pub fn new(writer: W) -> Self {
        Self { writer, closed: false }
    }

    /// Whether somebody still reads what is written.
    pub fn has_reader(&self) -> bool {
        !self.closed
    }

    /// Writes `text` as it is, without a line end of its own.
    ///
    /// # Errors
    /// Whatever the stream reports but a missing reader; a full disk, for example.
    pub fn print(&mut self, text: &str) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        // Flushed at once: what is left in a buffer at the end of the process is lost without an error.
        match self.writer.write_all(text.as_bytes()).and_then(|()| self.writer.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_a_terminal() -> Surroundings {
        Surroundings {
            stdin_is_terminal: true,
            stdout_is_terminal: true,
            stderr_is_terminal: true,
            term: Some("xterm-256color".into()),
            lang: Some("en_US.UTF-8".into()),
            ..Surroundings::default()
        }
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_terminal_has_colours_a_width_and_somebody_to_ask() {
        let terminal = Terminal::decide(&on_a_terminal(), ColorChoice::Auto);
        assert_eq!(terminal.stdout, TextStyle { color: true, unicode: true, width: 80 });
        assert!(terminal.live && terminal.interactive && terminal.redraws == Some(LINES));
    }

    #[test]
    fn a_pipe_has_no_colours_and_no_width_and_the_other_stream_keeps_its_own() {
        let around = Surroundings { stdout_is_terminal: false, columns: some("100"), ..on_a_terminal() };
        let terminal = Terminal::decide(&around, ColorChoice::Auto);
        assert_eq!(terminal.stdout, TextStyle { color: false, unicode: true, width: usize::MAX });
        assert_eq!(terminal.stderr, TextStyle { color: true, unicode: true, width: 100 });
        assert!(terminal.interactive, "the question goes to standard error");
    }

    #[test]
    fn nobody_is_asked_through_a_pipe() {
        let piped_in = Surroundings { stdin_is_terminal: false, ..on_a_terminal() };
        let piped_away = Surroundings { stderr_is_terminal: false, ..on_a_terminal() };
        assert!(!Terminal::decide(&piped_in, ColorChoice::Auto).interactive);
        assert!(!Terminal::decide(&piped_away, ColorChoice::Auto).interactive);
        assert!(!Terminal::decide(&piped_away, ColorChoice::Auto).live);
    }

    #[test]
    fn colour_follows_the_option_then_no_color_then_force_then_the_terminal() {
        let colored = |around: &Surroundings, choice| Terminal::decide(around, choice).stdout.color;
        let forbidden = Surroundings { no_color: some("1"), clicolor_force: some("1"), ..on_a_terminal() };
        assert!(!colored(&forbidden, ColorChoice::Auto));
        assert!(colored(&forbidden, ColorChoice::Always));
        let forced = Surroundings { stdout_is_terminal: false, clicolor_force: some("1"), ..on_a_terminal() };
        assert!(colored(&forced, ColorChoice::Auto));
        assert!(!colored(&forced, ColorChoice::Never));
        let not_forced = Surroundings { stdout_is_terminal: false, clicolor_force: some("0"), ..on_a_terminal() };
        assert!(!colored(&not_forced, ColorChoice::Auto));
        let empty = Surroundings { no_color: some(""), ..on_a_terminal() };
        assert!(colored(&empty, ColorChoice::Auto));
    }

    #[test]
    fn a_dumb_terminal_gets_plain_lines() {
        let around = Surroundings { term: some("dumb"), ..on_a_terminal() };
        let terminal = Terminal::decide(&around, ColorChoice::Auto);
        assert!(!terminal.stderr.color && !terminal.live && terminal.redraws.is_none());
        assert!(terminal.interactive);
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        let unicode = |around: &Surroundings| Terminal::decide(around, ColorChoice::Auto).stdout.unicode;
        assert!(!unicode(&Surroundings { lc_all: some("C"), ..on_a_terminal() }));
        assert!(unicode(&Surroundings { lc_all: some(""), lc_ctype: some("C.utf8"), lang: some("C"), ..on_a_terminal() }));
        assert!(!unicode(&Surroundings { lang: None, ..on_a_terminal() }));
    }

    #[test]
    fn columns_that_are_no_number_are_ignored() {
        for columns in ["", "wide", "0", "-3"] {
            let around = Surroundings { columns: some(columns), ..on_a_terminal() };
            assert_eq!(Terminal::decide(&around, ColorChoice::Auto).stdout.width, COLUMNS);
        }
    }

    /// Fails every write.
    struct Failing(ErrorKind, usize);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_and_is_not_tried_again() {
        let mut output = Output::new(Failing(ErrorKind::BrokenPipe, 0));
        output.print("one").unwrap();
        output.print("two").unwrap();
        assert!(!output.has_reader());
        assert_eq!(output.writer.1, 1);
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let mut output = Output::new(Failing(ErrorKind::StorageFull, 0));
        assert_eq!(output.print("text").unwrap_err().kind(), ErrorKind::StorageFull);
    }

    #[test]
    fn text_is_written_as_it_is() {
        let mut output = Output::new(Vec::new());
        output.print("a").unwrap();
        output.print("b\n").unwrap();
        assert_eq!(output.writer, b"ab\n");
    }
}
