//! `kclust get`.

use serde_json::{Value as Json, json};

use crate::cli::error::{CliError, exit};
use crate::cli::{Cli, NameArgs, OutputFormat};
use crate::ops::{cluster_names, cluster_spec};
use crate::spec::to_yaml;

use super::Streams;
use super::session::Store;

pub(super) async fn clusters(cli: &Cli, streams: &mut Streams) -> Result<u8, CliError> {
    let store = Store::open(&cli.global).await?;
    let names = cluster_names(store.objects.as_ref()).await?;
    let document: Json = names.iter().map(|name| json!({ "name": name })).collect();
    streams.print_result(&document, |_| names.iter().map(|name| format!("{name}\n")).collect())?;
    Ok(exit::DONE)
}

pub(super) async fn spec(cli: &Cli, args: &NameArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let store = Store::open(&cli.global).await?;
    let name = store.named(args.name.as_ref()).await?;
    let document = to_yaml(&cluster_spec(store.objects.as_ref(), &name).await?);
    let text = match streams.format {
        // A spec is read and written as YAML: that is its table.
        OutputFormat::Table | OutputFormat::Yaml => document,
        OutputFormat::Json | OutputFormat::Ndjson => {
            let value: Json = serde_saphyr::from_str(&document).map_err(|error| CliError::Io {
                headline: "could not turn the spec into JSON".to_owned(),
                source: std::io::Error::other(error.to_string()),
            })?;
            format!("{value:#}\n")
        }
    };
    streams.print(&text)?;
    Ok(exit::DONE)
}
