//! `kclust delete`.

use crate::cli::error::{CliError, exit};
use crate::cli::{Cli, DeleteArgs};
use crate::ops::{self, DeleteOptions, OpsError};

use super::session::Session;
use super::{Streams, change, kubeconfig};

pub(super) async fn delete(cli: &Cli, args: &DeleteArgs, streams: &mut Streams) -> Result<u8, CliError> {
    match try_delete(cli, args, streams).await {
        Err(CliError::Ops(error @ OpsError::NoSuchCluster { .. })) if args.ignore_not_found => {
            streams.tell(&format!("Nothing to delete: {error}.\n"));
            Ok(exit::DONE)
        }
        other => other,
    }
}

async fn try_delete(cli: &Cli, args: &DeleteArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let (session, name) = match Session::for_name(&cli.global, args.name.name.as_ref()).await {
        // Nothing is said of what the state does not know before its tags were looked for.
        Err(CliError::Ops(ref error @ OpsError::NoSuchCluster { ref known, .. })) => {
            let held = if known.is_empty() { "no clusters".to_owned() } else { known.join(", ") };
            return Err(CliError::Usage {
                headline: format!("{error}, and AWS was not searched for it, because no region is set"),
                hint: format!(
                    "it holds {held}; if the state is lost, name the region with --region: what carries the cluster's tags is found"
                ),
            });
        }
        other => other?,
    };
    let options =
        DeleteOptions { dry_run: args.change.dry_run, delete_backups: args.delete_backups, delete_volumes: args.delete_volumes };
    let code =
        change::run(cli, &args.change, streams, async |environment| ops::delete(environment, &name, options).await, &session)
            .await?;
    if code == exit::DONE && !args.change.dry_run {
        kubeconfig::forget(cli, &name, streams);
    }
    Ok(code)
}
