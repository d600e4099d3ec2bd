//! `kclust backup`, `kclust get backups` and `kclust restore`.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::apply::Stop;
use crate::cli::backups::{age, kept_data, plan_json, plan_text, snapshot_json, snapshot_table, time};
use crate::cli::error::{CliError, exit};
use crate::cli::{BackupArgs, Cli, NameArgs, Progress, RestoreArgs};
use crate::ops::{self, Before, OpsError, RestoreEnding, RestoreOptions};

use super::Streams;
use super::operator::Terminals;
use super::session::{Session, Store};

pub(super) async fn list(cli: &Cli, args: &NameArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let store = Store::open(&cli.global).await?;
    let name = store.named(args.name.as_ref()).await?;
    let snapshots = ops::snapshots(store.objects.as_ref(), &name).await?;
    let document: Json = snapshots.iter().map(snapshot_json).collect();
    if snapshots.is_empty() {
        streams.tell(&format!("There are no backups of {name} yet.\n"));
    }
    streams.print_result(&document, |terminal| snapshot_table(&snapshots, Timestamp::now(), terminal.stdout))?;
    Ok(exit::DONE)
}

pub(super) async fn backup(cli: &Cli, args: &BackupArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let (session, name) = Session::for_name(&cli.global, args.name.name.as_ref()).await?;
    let terminal = streams.terminal.clone();
    let progress = Arc::new(Progress::new(&terminal, cli.global.verbosity()));
    let stop = Stop::default();
    let operator = Terminals::new(&terminal, &progress, &stop, None, cli.global.verbosity());
    let taken = {
        let environment = session.environment(&progress, &operator, &stop);
        ops::backup(&environment, &name, args.timeout).await
    };
    progress.clear();
    let snapshot = taken?;
    let snapshots = std::slice::from_ref(&snapshot);
    streams.print_result(&snapshot_json(&snapshot), |terminal| snapshot_table(snapshots, Timestamp::now(), terminal.stdout))?;
    Ok(exit::DONE)
}

pub(super) async fn restore(cli: &Cli, args: &RestoreArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let (session, name) = Session::for_name(&cli.global, args.name.name.as_ref()).await?;
    let terminal = streams.terminal.clone();
    let progress = Arc::new(Progress::new(&terminal, cli.global.verbosity()));
    let stop = Stop::default();
    let operator = Terminals::new(&terminal, &progress, &stop, Some(&args.change), cli.global.verbosity());
    let options =
        RestoreOptions { from: args.from.clone(), dry_run: args.change.dry_run, force: args.force, timeout: args.timeout };
    let ended = {
        let environment = session.environment(&progress, &operator, &stop);
        ops::restore(&environment, &name, &options).await
    };
    progress.clear();
    if matches!(ended, Err(OpsError::NotConfirmed)) {
        operator.print_unasked(streams)?;
    }
    match ended? {
        RestoreEnding::Planned(plan) => {
            streams.print_result(&plan_json(&plan), |_| plan_text(&plan))?;
            let asks = !matches!(plan.before, Before::Open { .. });
            Ok(if args.change.detailed_exitcode && asks { exit::CHANGES } else { exit::DONE })
        }
        RestoreEnding::Declined => {
            streams.tell("Nothing was changed.\n");
            Ok(exit::FAILED)
        }
        RestoreEnding::Restored { plan, elapsed } => {
            let document = json!({
                "cluster": plan.cluster,
                "operation": "restore",
                "snapshot": snapshot_json(&plan.snapshot),
                "slots": plan.slots,
                "epoch": plan.epoch.as_str(),
                "keptData": kept_data(&plan),
                "seconds": elapsed.as_secs(),
            });
            streams.print_result(&document, |_| {
                format!(
                    "Restored {} to {} (revision {}) on {} in {}.\n\
                     The data of before stays on the volume of each slot, as {}.\n\
                     Next: kclust validate {}\n",
                    plan.cluster,
                    time(plan.snapshot.taken_at),
                    plan.snapshot.revision,
                    plan.slots.join(", "),
                    age(elapsed),
                    kept_data(&plan),
                    plan.cluster
                )
            })?;
            Ok(exit::DONE)
        }
    }
}
