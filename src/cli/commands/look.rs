//! `kclust render`.

use std::path::Path;

use serde_json::json;

use crate::cli::error::{CliError, exit};
use crate::cli::{Cli, RenderArgs};
use crate::ops::{self, Artefact, StateRoot};
use crate::spec::Cluster;
use crate::store::StoreUrl;

use super::manifests::Manifests;
use super::session::named_store;
use super::{Streams, spec_source};

pub(super) async fn render(cli: &Cli, args: &RenderArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let cluster = spec_source::from_file(&args.file, args.name.name.as_ref(), streams)?;
    let root = state_root(named_store(&cli.global)?.as_ref(), &cluster);
    let artefacts = ops::render(&cluster, &root, &Manifests::beside(&args.file)).await?;
    for artefact in &artefacts {
        write(&args.out, artefact)?;
    }
    let paths: Vec<String> = artefacts.iter().map(|artefact| args.out.join(&artefact.path).display().to_string()).collect();
    streams.print_result(&json!({ "cluster": cluster.name, "files": paths }), |_| {
        paths.iter().map(|path| format!("{path}\n")).collect()
    })?;
    Ok(exit::DONE)
}

/// Where the state would lie. The bucket's region is not asked for: no call is made.
pub(super) fn state_root(url: Option<&StoreUrl>, cluster: &Cluster) -> StateRoot {
    match url {
        Some(StoreUrl::S3 { bucket, prefix }) => {
            StateRoot::S3 { bucket: bucket.clone(), prefix: prefix.clone(), region: cluster.region.to_string() }
        }
        Some(StoreUrl::File { .. }) | None => StateRoot::Directory,
    }
}

pub(super) fn write(out: &Path, artefact: &Artefact) -> Result<(), CliError> {
    let path = out.join(&artefact.path);
    let directory = path.parent().unwrap_or(out);
    std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(&path, &artefact.content))
        .map_err(|source| CliError::Io { headline: format!("could not write {}", path.display()), source })
}
