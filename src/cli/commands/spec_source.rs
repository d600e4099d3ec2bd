//! The spec of a command: a file, standard input, or options.

use std::io::Read;
use std::path::Path;

use crate::cli::SpecArgs;
use crate::cli::error::CliError;
use crate::spec::{Cluster, ClusterName, CreateFlags, FLAGS, load_bytes};

use super::Streams;

/// Reads a spec. Warnings are told, errors end the command.
pub(super) fn from_file(path: &Path, name: Option<&ClusterName>, streams: &mut Streams) -> Result<Cluster, CliError> {
    let mut bytes = Vec::new();
    let (shown, read) = if path == Path::new("-") {
        ("<stdin>".to_owned(), std::io::stdin().read_to_end(&mut bytes).map(drop))
    } else {
        (path.display().to_string(), std::fs::read(path).map(|content| bytes = content))
    };
    read.map_err(|source| CliError::Usage {
        headline: format!("could not read the spec {shown}: {source}"),
        hint: "-f takes the path of a YAML file, or - for standard input".to_owned(),
    })?;
    let cluster = loaded(&shown, &bytes, streams)?;
    match name {
        Some(name) if *name != cluster.name => Err(CliError::Usage {
            headline: format!("{shown} describes cluster {}, not {name}", cluster.name),
            hint: "leave NAME out, or name the right file".to_owned(),
        }),
        _ => Ok(cluster),
    }
}

/// Makes a spec of options.
pub(super) fn from_options(
    name: Option<&ClusterName>,
    region: Option<&crate::spec::Region>,
    options: &SpecArgs,
    streams: &mut Streams,
) -> Result<Cluster, CliError> {
    let flags = options.flags(name, region);
    if (CreateFlags { region: None, ..flags.clone() }) == CreateFlags::default() {
        return Err(CliError::Usage {
            headline: "nothing says which cluster to create".to_owned(),
            hint: "give a file with -f, or NAME and --zones; `kclust create --help` has examples".to_owned(),
        });
    }
    loaded(FLAGS, flags.to_document().as_bytes(), streams)
}

fn loaded(shown: &str, bytes: &[u8], streams: &mut Streams) -> Result<Cluster, CliError> {
    let (cluster, warnings) = load_bytes(shown, bytes).map_err(CliError::Spec)?;
    if !warnings.is_empty() {
        let color = streams.terminal.stderr.color;
        streams.tell(&warnings.render(color));
    }
    Ok(cluster)
}
