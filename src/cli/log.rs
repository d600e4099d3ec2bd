//! The log of `-vv`: calls to AWS and what the libraries say, on standard error.

use std::io::Write as _;

use tracing_subscriber::EnvFilter;

use super::{Cli, Terminal, Verbosity};

/// Starts logging where it is asked for. Never at trace level: there the SDK logs bodies of requests and answers, which hold secrets.
pub fn start(cli: &Cli) {
    if cli.global.verbosity() < Verbosity::Debug {
        return;
    }
    let filter = EnvFilter::new("info,kclust=debug,aws_smithy_runtime=debug,aws_config=debug");
    let color = Terminal::detect(cli.global.color).stderr.color;
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(color).with_writer(std::io::stderr).without_time().init();
}

/// The last words of a process that cannot even start.
pub fn fatal(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {text}");
}
