//! `kclust get instances --watch`.

use jiff::Timestamp;
use serde_json::json;

use crate::cli::error::{CliError, exit};
use crate::cli::listing::{instance_changes, instance_table};
use crate::cli::{Cli, InstancesArgs, OutputFormat, Terminal};
use crate::inventory::Instance;
use crate::ops::{FleetWatch, OpsError};

use super::get::{api, instances_of, looking, unasked};
use super::operator::{Interrupts, reader_gone};
use super::{Streams, yaml};

pub(super) async fn instances(cli: &Cli, args: &InstancesArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let mut interrupts = Interrupts::listen();
    let mut screen = Screen { shown: None, drawn: 0, told: None };
    let watching = looking(cli, args.name.name.as_ref(), streams.terminal, async |environment, name, progress| {
        let api = api(&environment.identity);
        let mut watch = FleetWatch::open(environment, name, &api).await?;
        loop {
            match watch.look(false).await {
                Ok(fleet) => {
                    progress.clear();
                    let unasked = unasked(&fleet).filter(|_| !cli.global.quiet);
                    screen.tell(unasked.map(|reason| format!("The Kubernetes API could not be asked: {reason}")), streams);
                    let instances = instances_of(&fleet, &args.groups)?;
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

/// Lines of a table on a terminal of so many: the footer has one, and the cursor stands on one of its own below the text.
fn room(lines: usize) -> usize {
    lines.saturating_sub(2).max(1)
}

fn most_urgent_first(instances: &[Instance]) -> Vec<Instance> {
    let mut sorted = instances.to_vec();
    sorted.sort_by_key(|instance| std::cmp::Reverse(instance.condition.urgency()));
    sorted
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
        let table = |instances: &[Instance], style| instance_table(instances, region, now, style);
        let text = match (streams.format, terminal.redraws, &self.shown) {
            (OutputFormat::Table, Some(lines), _) => {
                let footer = format!("{} UTC", now.strftime("%H:%M:%S"));
                let whole = table(&instances, terminal.stdout);
                let text = match whole.lines().count() <= room(lines) {
                    true => whole,
                    // What needs a look is what there is room for.
                    false => table(&most_urgent_first(&instances), terminal.stdout),
                };
                self.redraw(&text, &footer, lines)
            }
            (OutputFormat::Table, None, None) => table(&instances, terminal.stdout),
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
        let room = room(lines);
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
