//! Arguments, terminal, exit codes.

mod args;
pub mod backups;
#[cfg(feature = "aws")]
pub mod commands;
mod completion;
pub mod error;
pub mod log;
mod progress;
mod prompt;
mod terminal;

pub use args::{
    BackupArgs, ChangeArgs, Cli, Command, CompletionArgs, CreateArgs, DeleteArgs, GetCommand, GlobalArgs, ManArgs, NameArgs,
    OutputFormat, RenderArgs, RestoreArgs, SpecArgs, SpecNameArgs, UpdateArgs, ValidateArgs, Verbosity,
};
pub use completion::{completion, man};
pub use progress::Progress;
pub use prompt::{Answer, confirm_name, confirm_plan};
pub use terminal::{Output, Terminal};
