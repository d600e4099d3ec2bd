//! Completion scripts and manual pages, made from the arguments.

use std::io;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::args::Cli;

/// The script that a shell reads to complete `kclust`.
pub fn completion(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kclust", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The manual page (roff) of the command with this path, such as `["get", "spec"]`; of kclust itself where it is empty.
///
/// # Errors
/// When there is no such command.
pub fn man(path: &[String]) -> Result<String, clap::Error> {
    let mut root = Cli::command();
    // Names such as `kclust-get-spec`, and the global options in every command.
    root.build();
    let mut command = &root;
    for word in path {
        command = find(command, word).ok_or_else(|| unknown(&root, path))?;
    }
    let mut page = Vec::new();
    render(command, &mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn find<'a>(command: &'a Command, word: &str) -> Option<&'a Command> {
    command.get_subcommands().find(|candidate| candidate.get_name() == word && word != "help")
}

fn unknown(root: &Command, path: &[String]) -> clap::Error {
    root.clone().error(ErrorKind::InvalidSubcommand, format!("there is no command 'kclust {}'", path.join(" ")))
}

fn render(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    Man::new(command.clone()).title(name).section("1").manual("kclust manual").render(page)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    fn page(path: &[&str]) -> Result<String, clap::Error> {
        man(&path.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn every_shell_completes_commands_and_options() {
        for &shell in Shell::value_variants() {
            let script = completion(shell);
            for word in ["create", "detailed-exitcode", "ignore-not-found", "clusters"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn every_command_has_a_page() {
        let root = page(&[]).unwrap();
        assert!(root.contains(".TH kclust 1") && root.contains("kclust\\-create(1)"), "{root}");
        let spec = page(&["get", "spec"]).unwrap();
        assert!(spec.contains(".TH kclust-get-spec 1") && spec.contains("\\-\\-output"), "{spec}");
    }

    #[test]
    fn no_page_for_what_is_no_command() {
        for path in [&["git"][..], &["create", "x"], &["help"]] {
            let error = page(path).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(&format!("'kclust {}'", path.join(" "))), "{error}");
        }
    }
}
