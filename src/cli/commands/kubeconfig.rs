//! `kclust kubeconfig`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use crate::access::{Exec, FilesError, Kubeconfig, KubeconfigError, Login, Section, User};
use crate::apply::Stop;
use crate::cli::backups::time;
use crate::cli::error::{CliError, exit};
use crate::cli::{Cli, KubeconfigArgs, OutputFormat, Progress};
use crate::ops::{self, OpsError};
use crate::pki::certificate_validity;
use crate::spec::ClusterName;

use super::operator::Terminals;
use super::session::{Session, store_url};
use super::{Streams, surroundings};

pub(super) async fn kubeconfig(cli: &Cli, args: &KubeconfigArgs, streams: &mut Streams) -> Result<u8, CliError> {
    if args.remove {
        return remove(args, streams);
    }
    let (session, name) = Session::for_name(&cli.global, args.name.name.as_ref()).await?;
    let terminal = streams.terminal.clone();
    let progress = Arc::new(Progress::new(&terminal, cli.global.verbosity()));
    let stop = Stop::default();
    let operator = Terminals::new(&terminal, &progress, &stop, None, cli.global.verbosity());
    let endpoint = {
        let environment = session.environment(&progress, &operator, &stop);
        ops::endpoint(&environment, &name).await
    };
    progress.clear();
    let endpoint = endpoint?;
    let (user, expires) = match args.admin {
        None => (User::Exec(exec(cli, &name, &endpoint.region)?), None),
        Some(life) => {
            let life = SignedDuration::try_from(life).unwrap_or(SignedDuration::MAX);
            let who = ops::user_of_identity(&session.identity().arn);
            let certificate = ops::certificate(&name, &endpoint.pki, &who, life, Timestamp::now())?;
            let validity = certificate_validity(&certificate.certificate);
            let (_, end) = validity.map_err(|source| OpsError::UnusableKeys { cluster: name.to_string(), source })?;
            (User::Certificate(certificate), Some(end))
        }
    };
    let login = Login {
        name: args.context.clone().unwrap_or_else(|| name.to_string()),
        cluster: name.to_string(),
        server: endpoint.server,
        ca: endpoint.pki.kubernetes.certificate,
        user,
    };
    match args.out.as_deref() {
        Some(path) if path == Path::new("-") => print(&login, args.keep_context, streams),
        out => merge(&login, expires, out, args, streams),
    }
}

/// What kubectl runs. The region goes with it because that of the profile may be in another partition of AWS.
fn exec(cli: &Cli, name: &ClusterName, region: &str) -> Result<Exec, CliError> {
    let state = store_url(&cli.global)?.to_string();
    let args = ["credential", "--cluster", name.as_str(), "--state", &state, "--region", region];
    Ok(Exec {
        command: surroundings::own_command()?,
        args: args.map(str::to_owned).into(),
        env: surroundings::aws_profile().map(|profile| ("AWS_PROFILE".to_owned(), profile)).into_iter().collect(),
    })
}

/// A configuration of its own to standard output.
fn print(login: &Login, keep_context: bool, streams: &mut Streams) -> Result<u8, CliError> {
    let mut kubeconfig = Kubeconfig::new();
    let content = |source: KubeconfigError| FilesError::Content { path: PathBuf::from("-"), source };
    login.entries().iter().try_for_each(|entry| kubeconfig.put(entry)).map_err(content)?;
    if !keep_context {
        kubeconfig.set_current_context(Some(&login.name)).map_err(content)?;
    }
    let text = match streams.format {
        OutputFormat::Table | OutputFormat::Yaml => kubeconfig.as_str().to_owned(),
        OutputFormat::Json | OutputFormat::Ndjson => {
            let document: Json = serde_saphyr::from_str(kubeconfig.as_str()).map_err(|error| CliError::Io {
                headline: "could not turn the configuration into JSON".to_owned(),
                source: std::io::Error::other(error.to_string()),
            })?;
            format!("{document:#}\n")
        }
    };
    streams.print(&text)?;
    Ok(exit::DONE)
}

fn merge(
    login: &Login,
    expires: Option<Timestamp>,
    out: Option<&Path>,
    args: &KubeconfigArgs,
    streams: &mut Streams,
) -> Result<u8, CliError> {
    let name = &login.name;
    let files = surroundings::files(out)?;
    surroundings::hold_interrupts();
    let ((path, current), written) = files.change(|opened| {
        if !args.force {
            opened.check_is_own(login)?;
        }
        let mut path = PathBuf::new();
        for entry in login.clone().keeping(opened.environment(login)).entries() {
            // That of the context, which comes last.
            path = opened.put(&entry)?;
        }
        if !args.keep_context {
            opened.set_current_context(name)?;
        }
        Ok((path, opened.current_context() == Some(name)))
    })?;
    let document = json!({
        "context": name,
        "file": path.display().to_string(),
        "changed": written.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "current": current,
        "server": login.server,
        "expires": expires,
    });
    streams.print_result(&document, |_| {
        let mut text = match written.is_empty() {
            true => format!("The context {name} in {} is as it should be", path.display()),
            false => format!("Wrote the context {name} to {}", path.display()),
        };
        text.push_str(match current {
            true => "; it is the current one.\n",
            false => "; it is not the current one.\n",
        });
        if let Some(end) = expires {
            text.push_str(&format!("The certificate in it is good until {}.\n", time(end)));
        }
        text
    })?;
    Ok(exit::DONE)
}

fn remove(args: &KubeconfigArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let Some(name) = &args.name.name else {
        return Err(CliError::Usage {
            headline: "no context is named".to_owned(),
            hint: "name the cluster whose context is to go".to_owned(),
        });
    };
    if args.out.as_deref() == Some(Path::new("-")) {
        return Err(CliError::Usage {
            headline: "nothing can be removed from standard output".to_owned(),
            hint: "leave --out out for the file of kubectl, or name another file".to_owned(),
        });
    }
    surroundings::cache().forget(name);
    let context = args.context.as_deref().unwrap_or(name.as_str());
    let files = surroundings::files(args.out.as_deref())?;
    let opened = files.read()?;
    let is_there = Section::ALL.iter().any(|section| opened.has(*section, context));
    surroundings::hold_interrupts();
    let (found, written) = if is_there { files.change(|opened| opened.remove(context))? } else { (false, Vec::new()) };
    let paths: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
    let document = json!({"context": context, "removed": found, "changed": paths});
    streams.print_result(&document, |_| match found {
        true => format!("Removed the context {context} from {}.\n", paths.join(" and ")),
        false => format!("There is no context {context}.\n"),
    })?;
    Ok(exit::DONE)
}

/// After a cluster is gone: its context goes too, where it is of this cluster for certain. It is a courtesy, and fails without a word of
/// failure of the command.
pub(super) fn forget(cli: &Cli, name: &ClusterName, streams: &mut Streams) {
    surroundings::cache().forget(name);
    let Ok(files) = surroundings::files(None) else { return };
    let Ok(opened) = files.read() else { return };
    if !opened.has(Section::Contexts, name.as_str()) {
        return;
    }
    let state = store_url(&cli.global).map(|url| url.to_string()).unwrap_or_default();
    let own = ["credential", "--cluster", name.as_str(), "--state", &state];
    let is_own = opened.credential_arguments(name.as_str()).is_some_and(|args| args.starts_with(&own));
    let removed = match is_own {
        true => files.change(|opened| opened.remove(name.as_str())).map(|(found, _)| found).unwrap_or(false),
        false => false,
    };
    if !cli.global.quiet {
        streams.tell(&match removed {
            true => format!("Removed the context {name} from the configuration of kubectl.\n"),
            false => format!("kubectl still has a context {name}; `kclust kubeconfig --remove {name}` takes it out.\n"),
        });
    }
}
