//! One file for each command: what was typed → a use case → what is printed.

mod backups;
mod change;
mod credential;
mod delete;
mod get;
mod history;
mod iam_policy;
mod kubeconfig;
mod look;
mod manifests;
mod operator;
mod session;
mod spec_source;
mod surroundings;
mod topology;
mod validate;
mod watch;

use std::io::{Stderr, Stdout, stderr, stdout};

use serde_json::Value as Json;

use super::error::{CliError, exit};
use super::{Cli, Command, GetCommand, Output, OutputFormat, Terminal, completion, man};

/// Where a command writes.
pub(super) struct Streams {
    pub(super) terminal: Terminal,
    pub(super) format: OutputFormat,
    out: Output<Stdout>,
    err: Output<Stderr>,
}

impl Streams {
    pub(super) fn new(terminal: Terminal, format: OutputFormat) -> Self {
        Self { terminal, format, out: Output::new(stdout()), err: Output::new(stderr()) }
    }

    /// Writes the result.
    pub(super) fn print(&mut self, text: &str) -> Result<(), CliError> {
        let written = self.out.print(text);
        written.map_err(|source| CliError::Io { headline: "could not write the result".to_owned(), source })
    }

    /// Writes the result as the format of `-o` asks: `table` is made only where it is wanted.
    pub(super) fn print_result(&mut self, document: &Json, table: impl FnOnce(&Terminal) -> String) -> Result<(), CliError> {
        let text = match self.format {
            OutputFormat::Table => table(&self.terminal),
            OutputFormat::Json => format!("{document:#}\n"),
            OutputFormat::Yaml => yaml(document),
            OutputFormat::Ndjson => format!("{document}\n"),
        };
        self.print(&text)
    }

    /// Whether somebody still reads the result.
    pub(super) fn has_reader(&self) -> bool {
        self.out.has_reader()
    }

    /// Writes to standard error. Nothing can be told to somebody who closed it.
    pub(super) fn tell(&mut self, text: &str) {
        let _ = self.err.print(text);
    }
}

/// A JSON value as a YAML document. JSON is YAML; this is the form that people read.
fn yaml(document: &Json) -> String {
    serde_saphyr::to_string(document).unwrap_or_else(|_| format!("{document:#}\n"))
}

/// Runs a command to its end and returns the exit code.
pub async fn run(cli: Cli) -> u8 {
    let terminal = Terminal::detect(cli.global.color);
    let style = terminal.stderr;
    let mut streams = Streams::new(terminal, cli.global.output);
    match dispatch(&cli, &mut streams).await {
        Ok(code) => code,
        // Kubectl shows what its plugins say above an error of its own.
        Err(error) if matches!(cli.command, Command::Credential(_)) => {
            streams.tell(&error.render_brief(style));
            error.exit_code()
        }
        Err(error) => {
            streams.tell(&error.render(style));
            error.exit_code()
        }
    }
}

async fn dispatch(cli: &Cli, streams: &mut Streams) -> Result<u8, CliError> {
    if cli.global.output == OutputFormat::Ndjson && !matches!(cli.command, Command::Validate(_)) {
        return Err(CliError::Usage {
            headline: "-o ndjson is for `validate`".to_owned(),
            hint: "use -o json; `get instances --watch` then prints an object on a line".to_owned(),
        });
    }
    match &cli.command {
        Command::Create(args) => change::create(cli, args, streams).await,
        Command::Update(args) => change::update(cli, args, streams).await,
        Command::Validate(args) => validate::validate(cli, args, streams).await,
        Command::Delete(args) => delete::delete(cli, args, streams).await,
        Command::Render(args) => look::render(cli, args, streams).await,
        Command::IamPolicy(args) => iam_policy::iam_policy(cli, args, streams).await,
        Command::Backup(args) => backups::backup(cli, args, streams).await,
        Command::Restore(args) => backups::restore(cli, args, streams).await,
        Command::Kubeconfig(args) => kubeconfig::kubeconfig(cli, args, streams).await,
        Command::Credential(args) => credential::credential(cli, args, streams).await,
        Command::Get(GetCommand::Clusters) => get::clusters(cli, streams).await,
        Command::Get(GetCommand::Spec(args)) => get::spec(cli, args, streams).await,
        Command::Get(GetCommand::Groups(args)) => get::groups(cli, args, streams).await,
        Command::Get(GetCommand::Instances(args)) if args.watch => watch::instances(cli, args, streams).await,
        Command::Get(GetCommand::Instances(args)) => get::instances(cli, args, streams).await,
        Command::Get(GetCommand::Resources(args)) => get::resources(cli, args, streams).await,
        Command::Get(GetCommand::Topology(args)) => topology::topology(cli, args, streams).await,
        Command::Get(GetCommand::Backups(args)) => backups::list(cli, args, streams).await,
        Command::Get(GetCommand::History(args)) => history::list(cli, args, streams).await,
        Command::Schema => {
            streams.print(&format!("{:#}\n", crate::spec::json_schema()))?;
            Ok(exit::DONE)
        }
        Command::Completion(args) => {
            streams.print(&completion(args.shell))?;
            Ok(exit::DONE)
        }
        Command::Man(args) => {
            let page = man(&args.command).unwrap_or_else(|error| error.exit());
            streams.print(&page)?;
            Ok(exit::DONE)
        }
    }
}
