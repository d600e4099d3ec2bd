//! `kclust create` and `kclust update`.

use std::sync::Arc;

use serde_json::json;

use crate::apply::Stop;
use crate::cli::error::{CliError, exit};
use crate::cli::{ChangeArgs, Cli, CreateArgs, Progress, UpdateArgs};
use crate::cloud::Leftover;
use crate::ops::{self, Applied, Ending, OpsError, Target};
use crate::plan::{Operation, Plan};

use super::operator::Terminals;
use super::session::Session;
use super::{Streams, spec_source};

pub(super) async fn create(cli: &Cli, args: &CreateArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let name = args.name.name.as_ref();
    let cluster = match &args.file {
        Some(file) => spec_source::from_file(file, name, streams)?,
        None => spec_source::from_options(name, cli.global.region.as_ref(), &args.spec, streams)?,
    };
    let session = Session::for_cluster(&cli.global, &cluster).await?;
    let session = match &args.file {
        Some(file) => session.beside(file),
        None => session,
    };
    run(cli, &args.change, streams, async |environment| ops::create(environment, &cluster, args.change.dry_run).await, &session)
        .await
}

pub(super) async fn update(cli: &Cli, args: &UpdateArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let name = args.name.name.as_ref();
    let given = args.file.as_ref().map(|file| spec_source::from_file(file, name, streams)).transpose()?;
    let (session, name) = match (&args.file, &given) {
        (Some(file), Some(cluster)) => (Session::for_cluster(&cli.global, cluster).await?.beside(file), cluster.name.clone()),
        _ => match args.from_history {
            Some(revision) => Session::for_revision(&cli.global, name, revision).await?,
            None => Session::for_name(&cli.global, name).await?,
        },
    };
    let target = match (&given, args.from_history) {
        (Some(cluster), _) => Target::Changed(cluster),
        (None, Some(revision)) => Target::Revision(revision),
        (None, None) => Target::Recorded,
    };
    run(
        cli,
        &args.change,
        streams,
        async |environment| ops::update(environment, &name, target, args.change.dry_run).await,
        &session,
    )
    .await
}

/// Runs a command that plans, asks and applies, and prints how it ended.
pub(super) async fn run(
    cli: &Cli,
    change: &ChangeArgs,
    streams: &mut Streams,
    work: impl AsyncFnOnce(&ops::Environment<'_>) -> Result<Ending, OpsError>,
    session: &Session,
) -> Result<u8, CliError> {
    let verbosity = cli.global.verbosity();
    let terminal = streams.terminal.clone();
    let progress = Arc::new(Progress::new(&terminal, verbosity));
    let stop = Stop::default();
    let operator = Terminals::new(&terminal, &progress, &stop, Some(change), verbosity);
    let ended = {
        let environment = session.environment(&progress, &operator, &stop);
        work(&environment).await
    };
    progress.clear();
    if matches!(ended, Err(OpsError::NotConfirmed)) {
        operator.print_unasked(streams)?;
    }
    print_ending(ended?, change, session.region(), streams)
}

fn print_ending(ending: Ending, change: &ChangeArgs, region: &str, streams: &mut Streams) -> Result<u8, CliError> {
    match ending {
        Ending::Planned(plan) => {
            print_plan(&plan, streams)?;
            Ok(if change.detailed_exitcode && !plan.is_empty() { exit::CHANGES } else { exit::DONE })
        }
        Ending::Unchanged(plan) => {
            print_plan(&plan, streams)?;
            Ok(exit::DONE)
        }
        Ending::Declined => {
            streams.tell("Nothing was changed.\n");
            Ok(exit::FAILED)
        }
        Ending::Applied(applied) => {
            print_applied(&applied, region, streams)?;
            Ok(exit::DONE)
        }
    }
}

fn print_plan(plan: &Plan, streams: &mut Streams) -> Result<(), CliError> {
    streams.print_result(&plan.to_json(), |terminal| plan.to_text(terminal.stdout))
}

fn print_applied(applied: &Applied, region: &str, streams: &mut Streams) -> Result<(), CliError> {
    let Applied { operation, cluster, report, kept, snapshots } = applied;
    let seconds = report.elapsed.as_secs();
    let mut document = json!({
        "cluster": cluster,
        "operation": operation,
        "steps": report.done,
        "seconds": seconds,
        "resources": report.outputs.0.iter().map(|(id, physical)| json!({ "id": id, "physical": physical })).collect::<Vec<_>>(),
    });
    if *operation == Operation::Delete {
        document["kept"] = kept.iter().map(Leftover::to_json).collect();
        document["snapshots"] = json!(snapshots);
    }
    let steps = format!("{} change{} in {}", report.done, if report.done == 1 { "" } else { "s" }, duration(seconds));
    streams.print_result(&document, |_| match operation {
        Operation::Create => format!(
            "Created {cluster}: {steps}.\nIts machines are starting and need some minutes to form a cluster.\n\
             Next: kclust validate {cluster}\n"
        ),
        Operation::Update => format!("Updated {cluster}: {steps}.\n"),
        Operation::Delete => {
            format!("Deleted {cluster}: {steps}.\n{}{}", kept_words(cluster, region, kept), snapshot_words(cluster, *snapshots))
        }
    })
}

/// Data that outlives its cluster: whoever deleted that shall know where it is, and what it costs money for.
fn kept_words(cluster: &str, region: &str, kept: &[Leftover]) -> String {
    if kept.is_empty() {
        return String::new();
    }
    let lines: String = kept.iter().map(|leftover| format!("  {}\n", leftover.describe())).collect();
    format!("Kept, because they hold data:\n{lines}`kclust delete {cluster} --region {region} --delete-volumes` removes the volumes.\n")
}

fn snapshot_words(cluster: &str, snapshots: usize) -> String {
    match snapshots {
        0 => String::new(),
        count => format!(
            "Kept: {count} snapshot{} of etcd, below {cluster}/backups/etcd/ in the state store.\n",
            if count == 1 { "" } else { "s" }
        ),
    }
}

fn duration(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}
