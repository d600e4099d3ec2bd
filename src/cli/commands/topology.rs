//! `kclust get topology`.

use std::path::Path;

use serde_json::json;

use crate::cli::error::{CliError, exit};
use crate::cli::{Cli, Picture, TopologyArgs};
use crate::ops;
use crate::topology::{draw, html, svg};

use super::Streams;
use super::get::{api, looking};

pub(super) async fn topology(cli: &Cli, args: &TopologyArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let topology = looking(cli, args.name.name.as_ref(), streams.terminal, async |environment, name, _| {
        ops::topology(environment, name, &api(&environment.identity)).await
    })
    .await?;
    let drawing = draw(&topology);
    let (path, picture) = match &args.out {
        Picture::Stdout => {
            streams.print(&svg(&drawing))?;
            return Ok(exit::DONE);
        }
        Picture::Svg(path) => (path, svg(&drawing)),
        Picture::Html(path) => (path, html(&drawing)),
    };
    write(path, &picture)?;
    let document = json!({
        "cluster": topology.cluster,
        "file": path.display().to_string(),
        "problems": topology.problems().len(),
        "unknown": topology.unknown(),
    });
    streams.print_result(&document, |_| format!("{}\n", path.display()))?;
    Ok(exit::DONE)
}

fn write(path: &Path, picture: &str) -> Result<(), CliError> {
    std::fs::write(path, picture)
        .map_err(|source| CliError::Io { headline: format!("could not write {}", path.display()), source })
}
