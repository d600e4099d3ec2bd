//! What the environment says about kubectl: its files, what it tells plugins, and what makes the credentials of AWS those that they are.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use crate::access::{CredentialCache, ExecInfo, Files};
use crate::cli::error::CliError;

use super::operator::Interrupts;

/// Name of the program in the configuration of kubectl, where that name leads to it.
const PROGRAM: &str = "kclust";

fn home() -> Option<PathBuf> {
    env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// The files that kubectl would use, or `out` alone.
pub(super) fn files(out: Option<&Path>) -> Result<Files, CliError> {
    match out {
        Some(path) => Ok(Files::only(path.to_owned())),
        None => Ok(Files::of_kubectl(env::var_os("KUBECONFIG").as_deref(), home().as_deref())?),
    }
}

/// From here on Ctrl-C and SIGTERM do not end the process: a change of files takes moments, and the lock file of a process that was ended
/// would keep kubectl out as well.
pub(super) fn hold_interrupts() {
    // Once somebody has listened, the signals themselves have no effect any more.
    drop(Interrupts::listen());
}

pub(super) fn cache() -> CredentialCache {
    CredentialCache::of_user(env::var_os("XDG_CACHE_HOME").map(PathBuf::from), home().as_deref())
}

/// What kubectl tells the program that it runs.
pub(super) fn exec_info() -> Result<ExecInfo, CliError> {
    ExecInfo::parse(env::var("KUBERNETES_EXEC_INFO").ok().as_deref()).map_err(|reason| CliError::Usage {
        headline: format!("KUBERNETES_EXEC_INFO cannot be used: {reason}"),
        hint: "kubectl 1.24 or later sets it".to_owned(),
    })
}

/// How kubectl finds this program: by its name where the `PATH` has it, as configurations of other clusters do, so that it may be moved or
/// replaced; otherwise where it is.
pub(super) fn own_command() -> Result<String, CliError> {
    let own = env::current_exe().and_then(fs::canonicalize);
    let own = own.map_err(|source| CliError::Io { headline: "could not find out where kclust is".to_owned(), source })?;
    let on_path =
        env::var_os("PATH").and_then(|path| env::split_paths(&path).map(|dir| dir.join(PROGRAM)).find(|path| path.is_file()));
    Ok(match on_path.and_then(|path| fs::canonicalize(path).ok()) {
        Some(found) if found == own => PROGRAM.to_owned(),
        _ => own.display().to_string(),
    })
}

/// The profile whose credentials are in use, for kubectl to use them as well.
pub(super) fn aws_profile() -> Option<String> {
    env::var("AWS_PROFILE").ok().filter(|profile| !profile.is_empty())
}

/// All that decides whose credentials the AWS SDK finds, secrets left out: where none of it changes, neither does the identity.
pub(super) fn aws_identity() -> Vec<Vec<u8>> {
    const SECRETS: [&str; 3] = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"];
    let is_meant = |name: &OsStr| {
        let name = name.to_string_lossy();
        name.starts_with("AWS_") && !SECRETS.contains(&name.as_ref())
    };
    let mut variables: Vec<(OsString, OsString)> = env::vars_os().filter(|(name, _)| is_meant(name)).collect();
    variables.sort();
    let variables = variables.into_iter().flat_map(|(name, value)| [name.into_encoded_bytes(), value.into_encoded_bytes()]);
    let files = [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")].map(|(variable, name)| {
        let path = env::var_os(variable).map(PathBuf::from).or_else(|| home().map(|home| home.join(".aws").join(name)));
        path.and_then(|path| fs::read(path).ok()).unwrap_or_default()
    });
    variables.chain(files).collect()
}
