//! `kclust get instances --watch`.

use std::io::stdout;
use std::os::fd::AsFd;

use jiff::Timestamp;
use serde_json::json;
use tokio::io::Interest;
use tokio::net::unix::pipe;

use crate::cli::error::{CliError, exit};
use crate::cli::listing::{instance_changes, instance_table};
use crate::cli::{Cli, InstancesArgs, OutputFormat, Terminal};
use crate::inventory::{self, Instance};
use crate::ops::{FleetWatch, OpsError};

use super::get::{API, looking, unasked};
use super::operator::Interrupts;
use super::{Streams, yaml};

pub(super) async fn instances(cli: &Cli, args: &InstancesArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let mut interrupts = Interrupts::listen();
    let mut screen = Screen { shown: None, drawn: 0, told: None };
    let watching = looking(cli, args.name.name.as_ref(), streams.terminal, async |environment, name, progress| {
        let mut watch = FleetWatch::open(environment, name, &API).await?;
        loop {
            match watch.look(false).await {
                Ok(fleet) => {
                    progress.clear();
                    let api = unasked(&fleet).filter(|_| !cli.global.quiet);
                    screen.tell(api.map(|reason| format!("The Kubernetes API could not be asked: {reason}")), streams);
                    let instances = inventory::instances(&fleet);
                    if let Err(error) = screen.show(cli, instances, fleet.cluster.region.as_str(), streams) {
                        return Ok(Err(error));
                    }
                    if !streams.has_reader() {
                        return Ok(Ok(()));
                    }
                }
                Err(error) if screen.shown.is_none() => return Err(error),
                // What is said once is worth waiting for: the next look may find it.
                Err(error) => screen.tell(Some(format!("warning: {}", failure(error))), streams),
            }
            tokio::time::sleep(args.interval).await;
        }
    });
    tokio::select! {
        watched = watching => watched??,
        () = interrupts.next() => {}
        () = reader_gone() => {}
    }
    Ok(exit::DONE)
}

fn failure(error: OpsError) -> String {
    let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}

/// What is on the screen.
struct Screen {
    shown: Option<Vec<Instance>>,
    /// Lines that the next drawing takes the place of.
    drawn: usize,
    /// What was said last on standard error.
    told: Option<String>,
}

impl Screen {
    fn show(&mut self, cli: &Cli, instances: Vec<Instance>, region: &str, streams: &mut Streams) -> Result<(), CliError> {
        let now = Timestamp::now();
        // The terminal may have another size by now.
        let terminal = Terminal::detect(cli.global.color);
        let table = |style| instance_table(&instances, region, now, style);
        let text = match (streams.format, terminal.redraws, &self.shown) {
            (OutputFormat::Table, Some(lines), _) => {
                let footer = format!("{} UTC", now.strftime("%H:%M:%S"));
                self.redraw(&table(terminal.stdout), &footer, lines)
            }
            (OutputFormat::Table, None, None) => table(terminal.stdout),
            (OutputFormat::Table, None, Some(before)) => {
                instance_changes(before, &instances, now).iter().map(|change| change.to_line(terminal.stdout)).collect()
            }
            (format, _, before) => {
                let changes = instance_changes(before.as_deref().unwrap_or_default(), &instances, now);
                let document = |change| match format {
                    OutputFormat::Yaml => format!("---\n{}", yaml(&json!(change))),
                    _ => format!("{}\n", json!(change)),
                };
                changes.iter().map(document).collect()
            }
        };
        self.shown = Some(instances);
        streams.print(&text)
    }

    /// The text in the place of the one before, as much of it as the terminal has lines for.
    fn redraw(&mut self, table: &str, footer: &str, lines: usize) -> String {
        // The cursor stands on a line of its own below the text.
        let room = lines.saturating_sub(2).max(1);
        let all = table.lines().count();
        let (kept, footer) = match all.saturating_sub(room) {
            0 => (all, footer.to_owned()),
            hidden => (room, format!("{footer}, {hidden} more lines")),
        };
        let shown: Vec<&str> = table.lines().take(kept).chain([footer.as_str()]).collect();
        let up = match self.drawn {
            0 => String::new(),
            drawn => format!("\u{1b}[{drawn}A"),
        };
        self.drawn = shown.len();
        let body: String = shown.iter().map(|line| format!("{line}\u{1b}[K\n")).collect();
        format!("{up}{body}\u{1b}[J")
    }

    /// Says something once, until there is something else to say. On a terminal the next drawing begins below it.
    fn tell(&mut self, text: Option<String>, streams: &mut Streams) {
        if let Some(text) = text.as_ref().filter(|text| self.told.as_ref() != Some(text)) {
            streams.tell(&format!("{text}\n"));
            self.drawn = 0;
        }
        self.told = text;
    }
}

/// Ends when the reader of the pipe that standard output is has gone, also while there is nothing to write. Never ends where standard
/// output is no pipe.
async fn reader_gone() {
    // A copy of the descriptor: its mode, which it shares with standard output, stays as it is.
    let pipe = stdout().as_fd().try_clone_to_owned().and_then(pipe::Sender::from_owned_fd_unchecked);
    match pipe {
        Ok(pipe) => drop(pipe.ready(Interest::ERROR).await),
        Err(_) => std::future::pending().await,
    }
}
