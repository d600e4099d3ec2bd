//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use kclust::cli::{Cli, commands, log};

fn main() -> ExitCode {
    // Before the runtime is made: `--help` and a bad option end here.
    let cli = Cli::parse();
    log::start(&cli);
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(commands::run(cli));
            // Calls that were given up on must not hold up the end.
            runtime.shutdown_background();
            ExitCode::from(code)
        }
        Err(error) => {
            log::fatal(&format!("could not start: {error}"));
            ExitCode::from(1)
        }
    }
}
