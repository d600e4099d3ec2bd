//! Arguments, terminal, exit codes.

mod args;
pub mod backups;
#[cfg(feature = "aws")]
pub mod commands;
mod completion;
pub mod error;
pub mod history;
pub mod listing;
pub mod log;
mod progress;
mod prompt;
mod table;
mod terminal;

pub use args::{
    BackupArgs, ChangeArgs, Cli, Command, CompletionArgs, CreateArgs, CredentialArgs, DeleteArgs, GetCommand, GlobalArgs,
    HistoryArgs, IamPolicyArgs, InstancesArgs, KubeconfigArgs, ManArgs, NameArgs, OutputFormat, Picture, RenderArgs, RestoreArgs,
    SpecArgs, SpecNameArgs, TopologyArgs, UpdateArgs, ValidateArgs, Verbosity,
};
pub use completion::{completion, man};
pub use progress::Progress;
pub use prompt::{Answer, confirm_name, confirm_plan};
pub use terminal::{Output, Terminal};
