//! `kclust get history`.

use serde_json::Value as Json;

use crate::cli::error::{CliError, exit};
use crate::cli::history::{history_json, history_table};
use crate::cli::{Cli, NameArgs};
use crate::ops;

use super::Streams;
use super::session::Store;

pub(super) async fn list(cli: &Cli, args: &NameArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let store = Store::open(&cli.global).await?;
    let name = store.named(args.name.as_ref()).await?;
    let history = ops::history(store.objects.as_ref(), &name).await?;
    let document: Json = history.lines.iter().map(history_json).collect();
    streams.print_result(&document, |_| history_table(&history.lines))?;
    if let Some(problem) = history.problem {
        let style = streams.terminal.stderr;
        streams.tell(&CliError::from(problem).render(style));
    }
    Ok(exit::DONE)
}
