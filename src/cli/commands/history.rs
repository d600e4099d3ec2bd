//! `kclust get history`.

use serde_json::Value as Json;

use crate::cli::error::{CliError, exit};
use crate::cli::history::{history_diff, history_json, history_table};
use crate::cli::{Cli, HistoryArgs};
use crate::ops;

use super::Streams;
use super::session::Store;

pub(super) async fn list(cli: &Cli, args: &HistoryArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let store = Store::open(&cli.global).await?;
    let name = store.named(args.name.name.as_ref()).await?;
    let history = ops::history(store.objects.as_ref(), &name).await?;
    let document: Json = history.lines.iter().map(history_json).collect();
    streams.print_result(&document, |terminal| match args.diff {
        true => history_diff(&history.lines, terminal.stdout),
        false => history_table(&history.lines, terminal.stdout),
    })?;
    if let Some(problem) = history.problem {
        let style = streams.terminal.stderr;
        streams.tell(&CliError::from(problem).render(style));
    }
    Ok(exit::DONE)
}
