//! On a terminal: questions, and lines that fit.

use std::fs::File;
use std::process::{Command, Stdio};

use super::is_golden;
use crate::harness::{Account, repository, run};

/// Runs a command on a terminal of 80 columns; its questions are answered one after the other.
fn on_a_terminal(account: &Account, args: &[&str], typed: &str) -> (i32, String) {
    run_on_a_terminal(account, args, (80, 24), typed, &[])
}

/// Runs a command that asks nothing on a terminal of this size. Ctrl-C is typed when the time has been shown for the third time: that
/// is where a watch redraws.
pub(super) fn on_a_terminal_of(
    account: &Account,
    args: &[&str],
    size: (usize, usize),
    variables: &[(&str, &str)],
) -> (i32, String) {
    run_on_a_terminal(account, args, size, "", variables)
}

fn run_on_a_terminal(
    account: &Account,
    args: &[&str],
    (columns, lines): (usize, usize),
    typed: &str,
    variables: &[(&str, &str)],
) -> (i32, String) {
    const PTY: &str = "
import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', int(sys.argv[3]), int(sys.argv[2]), 0, 0))
    os.execv(sys.argv[4], sys.argv[4:])
answers = sys.argv[1].split()
shown = b''
try:
    while chunk := os.read(terminal, 65536):
        os.write(1, chunk)
        shown += chunk
        if shown.endswith((b'[y/N] ', b'y or n: ', b'): ')) and answers:
            os.write(terminal, answers.pop(0).encode() + b'\\n')
        if shown.count(b' UTC') >= 3:
            os.write(terminal, b'\\x03')
            shown = b''
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";
    let like = account.command(args);
    let python = std::env::var_os("KCLUST_VENV").map_or_else(|| repository().join(".venv"), Into::into).join("bin/python");
    let mut command = Command::new(python);
    command.args(["-c", PTY, typed, &columns.to_string(), &lines.to_string()]).arg(like.get_program()).args(like.get_args());
    command.current_dir(repository()).env_clear().envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("TERM", "xterm-256color").envs(variables.iter().copied()).stdin(Stdio::from(File::open("/dev/null").unwrap()));
    let run = run(&mut command);
    (run.code, run.stdout.replace("\r\n", "\n"))
}

/// The text without escape codes. What was redrawn stays.
pub(super) fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, part| {
        kept + part.trim_start_matches(|letter: char| !letter.is_ascii_alphabetic()).get(1..).unwrap_or_default()
    })
}

/// What is redrawn in place is not left to read, and what was slow differs from time to time.
fn without_live_lines(text: &str) -> String {
    let live = |part: &str| {
        let part = part.trim();
        let clock =
            part.split_once("s  ").is_some_and(|(time, _)| time.chars().all(|letter| letter.is_ascii_digit() || letter == 'm'));
        clock || part.starts_with('[') || part.is_empty()
    };
    let kept =
        text.lines().filter(|line| !["created ", "deleted "].iter().any(|verb| line.contains(verb) && line.ends_with(" s")));
    kept.map(|line| line.split('\r').filter(|part| !live(part)).collect::<String>() + "\n").collect()
}

#[test]
fn questions() {
    let account = Account::new();
    let mut text = String::new();
    let before = account.world();
    for (args, typed) in [
        (&["create", "-f", "examples/minimal.yaml"][..], "maybe n"),
        (&["create", "-f", "examples/minimal.yaml"], "y"),
        (&["delete"], "y"),
        (&["delete"], "dev.k8s.local"),
    ] {
        let (code, shown) = on_a_terminal(&account, args, typed);
        assert!(shown.contains('\u{1b}'), "colours on a terminal");
        let shown = without_live_lines(&plain(&shown));
        for line in shown.lines() {
            assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
        }
        text.push_str(&format!("$ kclust {}\n{shown}[exit {code}]\n\n", args.join(" ")));
        if typed.contains('n') && code != 0 && args[0] == "create" {
            assert_eq!(account.world(), before);
        }
    }
    is_golden("terminal", &text, &account);
}

#[test]
fn the_question_of_a_restore() {
    let account = Account::new();
    account.kclust(&["create", "-f", "examples/minimal.yaml", "--yes", "-q"]).expect(0);
    account.put_state_object("dev.k8s.local/backups/etcd/20990102T000000Z-r12345.db.zst", "snapshot");
    let (code, shown) = on_a_terminal(&account, &["restore", "--from", "latest"], "n");
    let shown = without_live_lines(&plain(&shown));
    for line in shown.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
    is_golden("terminal-restore", &format!("$ kclust restore --from latest\n{shown}[exit {code}]\n"), &account);
}
