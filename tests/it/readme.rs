//! Commands that the README shows are commands that there are.

use clap::Parser as _;
use kclust::cli::Cli;

use crate::harness::repository;

/// Command lines of the `console` blocks, with lines that end in `\` joined.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut shown = false;
    let mut open: Option<String> = None;
    for line in text.lines() {
        if line.starts_with("```") {
            shown = line == "```console";
            continue;
        }
        if !shown {
            continue;
        }
        let part = match (open.take(), line.strip_prefix("$ ")) {
            (Some(before), _) => format!("{before}{}", line.trim_start()),
            (None, Some(command)) => command.to_owned(),
            (None, None) => continue,
        };
        match part.strip_suffix('\\') {
            Some(begun) => open = Some(begun.to_owned()),
            None => commands.push(part),
        }
    }
    commands
}

/// The words of a command line as the shell splits it, up to a pipe, a redirection or a comment.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in command.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, '|' | '>' | '<' | ';' | '&') => break,
            (None, '#') if word.is_none() => break,
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[test]
fn commands_of_the_readme_are_understood() {
    let text = std::fs::read_to_string(repository().join("README.md")).expect("README.md");
    let commands: Vec<String> = commands(&text).into_iter().filter(|command| command.starts_with("kclust ")).collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in &commands {
        let understood = match Cli::try_parse_from(words(command)) {
            Ok(_) => true,
            Err(error) => !error.use_stderr(),
        };
        assert!(understood, "the README shows `{command}`, which is not understood");
    }
    for told in ["create", "validate", "delete"] {
        assert!(commands.iter().any(|command| command.starts_with(&format!("kclust {told}"))), "the README does not show {told}");
    }
}

#[test]
fn commands_are_found_and_split_as_a_shell_does() {
    let text =
        "```console\n$ kclust create a \\\n    --zones 'b c'  # why\noutput\n$ ls | kclust\n```\n```sh\n$ kclust no\n```\n";
    let found = commands(text);
    assert_eq!(found, ["kclust create a --zones 'b c'  # why", "ls | kclust"]);
    assert_eq!(words(&found[0]), ["kclust", "create", "a", "--zones", "b c"]);
    assert_eq!(words(&found[1]), ["ls"]);
}
