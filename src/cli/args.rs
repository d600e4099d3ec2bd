//! What can be typed. Texts here are the help of every command, held by golden files.

mod examples;
mod spec;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args, ColorChoice, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use crate::spec::{ClusterName, Period, Region};
use crate::store::StoreUrl;

pub use spec::SpecArgs;

/// Your own Kubernetes cluster on AWS.
///
/// kclust makes a Kubernetes cluster on AWS from one spec, tells whether it is healthy, and removes it again. Commands that
/// change something show a plan first and ask. Any of them can be interrupted and run again: it picks up where it left off.
///
/// The result goes to standard output; questions, progress and errors go to standard error.
#[derive(Debug, Parser)]
#[command(name = "kclust", version, max_term_width = 100, arg_required_else_help = true, after_long_help = examples::ROOT)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// State store: s3://BUCKET[/PREFIX] or file:///DIR
    ///
    /// Where the spec, the keys and the lock of each cluster lie. A bucket that does not exist is made by `create`. Where it is left
    /// out, KCLUST_STATE names it.
    // Not clap's `env`: it would count as an argument where none is given, and a bad value would keep `--help` from being read.
    #[arg(long, global = true, value_name = "URL", value_parser = store_url)]
    pub state: Option<StoreUrl>,

    /// AWS region
    ///
    /// Where it is left out, it follows from the zones of the cluster, and otherwise from the AWS configuration.
    #[arg(long, global = true, value_name = "REGION", value_parser = region)]
    pub region: Option<Region>,

    /// Format of the result
    #[arg(short, long, global = true, value_name = "FORMAT", value_enum, default_value_t)]
    pub output: OutputFormat,

    /// Say nothing but the result, warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Tell every step; twice: log the calls to AWS as well
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// When to use colors
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
}

impl GlobalArgs {
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, 1) => Verbosity::Verbose,
            (false, _) => Verbosity::Debug,
        }
    }
}

/// How much is told on standard error, from little to much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Warnings and errors.
    Quiet,
    Normal,
    /// Every step as well.
    Verbose,
    /// And the log of calls.
    Debug,
}

/// Format of what goes to standard output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    #[default]
    Table,
    Json,
    Yaml,
    /// A stream of changes, a JSON document on each line; `validate` only
    Ndjson,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a cluster, or finish creating it
    ///
    /// The cluster is described by a file or by options; options are a shorthand for the same document, and `kclust get spec`
    /// shows it with every default filled in. Run the same command again after an interruption or a failure: what exists is
    /// kept, what is missing is made.
    #[command(after_long_help = examples::CREATE)]
    Create(Box<CreateArgs>),

    /// Bring a cluster to a changed spec
    ///
    /// With a file, the cluster is brought to that spec, and with --from-history to one that it had. Without either, it is brought
    /// back to the spec that it has: whatever was changed or removed by other means is put right.
    #[command(after_long_help = examples::UPDATE)]
    Update(UpdateArgs),

    /// Check that a cluster is what its spec says, and healthy
    ///
    /// Checks the AWS resources, the autoscaling groups, the targets of the load balancer, what name servers answer, certificates,
    /// etcd, the API server, nodes, versions, what runs in kube-system, addons and backups, and changes nothing. Each check that
    /// fails says why, on what that rests, and what to do. Exits 0 when the cluster is healthy, 3 when it is not, and 4 when that
    /// could not be found out.
    ///
    /// The API is asked from where the command runs; a proxy that HTTPS_PROXY names is used.
    #[command(after_long_help = examples::VALIDATE)]
    Validate(ValidateArgs),

    /// Remove everything that a cluster owns
    ///
    /// Whatever carries the cluster's tags is removed, load balancers that its services made included. Volumes with data of
    /// pods are kept and listed, and so are the backups of etcd. A network that was there before stays as it is.
    ///
    /// You are asked to type the cluster's name.
    #[command(after_long_help = examples::DELETE)]
    Delete(DeleteArgs),

    /// Take a snapshot of etcd now
    ///
    /// Asks the control plane for a snapshot beyond those that it takes on its schedule, and waits for it. Snapshots lie below
    /// backups/etcd/ in the cluster's part of the state store.
    #[command(after_long_help = examples::BACKUP)]
    Backup(BackupArgs),

    /// Take a cluster back to a snapshot of etcd
    ///
    /// All control planes stop etcd and the API server, put the data of the snapshot in the place of theirs, and start again.
    /// What was written to the cluster after the snapshot is gone; pods keep running. The data of before stays beside it on
    /// each volume.
    ///
    /// Interrupt it anywhere: the control planes go on, and the same command waits for them again.
    #[command(after_long_help = examples::RESTORE)]
    Restore(RestoreArgs),

    /// Let kubectl reach a cluster
    ///
    /// Writes a context of the cluster's name into the file that kubectl would write to, and makes it the current one. Whatever
    /// else the file holds stays as it is, byte for byte.
    ///
    /// No credential is written down: kubectl asks `kclust credential` for certificates that are good for an hour, and gets one
    /// if you may read the keys of the cluster in the state store.
    #[command(after_long_help = examples::KUBECONFIG)]
    Kubeconfig(KubeconfigArgs),

    /// Print a credential for kubectl, which runs this by itself
    ///
    /// A client certificate for you, good for an hour, signed with the cluster's key from the state store, in the form that kubectl
    /// expects of such programs (ExecCredential of client.authentication.k8s.io). It is kept below ~/.cache/kclust until five
    /// minutes before its end.
    #[command(after_long_help = examples::CREDENTIAL)]
    Credential(CredentialArgs),

    /// Write everything that a cluster is made of to files
    ///
    /// User data, kubeadm configuration, IAM policies and the plan, without a call to AWS: to read, to compare, to review.
    #[command(after_long_help = examples::RENDER)]
    Render(RenderArgs),

    /// Print what you must be allowed to do to work on a cluster
    ///
    /// The least IAM policy that creating, updating, validating, backing up, restoring and deleting the cluster takes. With a
    /// file AWS is not asked; of a cluster that exists, account and hosted zone are known and the policy is narrower.
    ///
    /// Whoever may write the policies of roles and hand these to machines can give anything to himself by way of a machine.
    /// Where that matters, name instance profiles in the spec (spec.iam): the policy then has nothing of the kind.
    #[command(after_long_help = examples::IAM_POLICY)]
    IamPolicy(IamPolicyArgs),

    /// Look at clusters
    #[command(subcommand, after_long_help = examples::GET)]
    Get(GetCommand),

    /// Print the JSON schema of the spec
    ///
    /// Editors with a YAML language server complete and check a spec with it.
    #[command(after_long_help = examples::SCHEMA)]
    Schema,

    /// Print a completion script for a shell
    #[command(after_long_help = examples::COMPLETION)]
    Completion(CompletionArgs),

    /// Print a manual page
    #[command(after_long_help = examples::MAN)]
    Man(ManArgs),
}

#[derive(Debug, Subcommand)]
pub enum GetCommand {
    /// List the clusters of the state store
    ///
    /// One whose spec cannot be read is listed too, as unreadable.
    #[command(alias = "cluster")]
    Clusters,

    /// Print the spec of a cluster with every default filled in
    ///
    /// What is printed can be given to `create -f` and `update -f`, and means the same cluster. Manifests that it names as files
    /// must lie beside it then.
    Spec(NameArgs),

    /// List the control-plane slots and node groups of a cluster
    ///
    /// RUNNING is how many instances run of those that Auto Scaling wants, READY how many of them are Ready nodes; where there are
    /// fewer than wanted and AWS gives a reason, it follows the table. TEMPLATE is the version of the launch template, and how many instances are of an earlier one.
    #[command(alias = "group", after_long_help = examples::GET_GROUPS)]
    Groups(NameArgs),

    /// List the instances of a cluster, and where they stand
    ///
    /// STATE is that of the Kubernetes node where the API answers; of an instance that is not a node yet, the step of its boot;
    /// otherwise that of EC2. A node has the name of its instance.
    #[command(alias = "instance", after_long_help = examples::GET_INSTANCES)]
    Instances(InstancesArgs),

    /// List everything that a cluster is made of in AWS
    ///
    /// ID is what the search box of AWS's console finds. STATE is `ok`, `drifted` (what follows differs from the spec), `missing`, or
    /// `surplus` (the spec has none; `update` removes it).
    #[command(alias = "resource", after_long_help = examples::GET_RESOURCES)]
    Resources(NameArgs),

    /// Draw a cluster: network, load balancer, control planes and groups
    ///
    /// The drawing shows what the cluster is at the moment and how its machines are. It needs no program beside a browser.
    #[command(after_long_help = examples::GET_TOPOLOGY)]
    Topology(TopologyArgs),

    /// List the snapshots of a cluster's etcd, the newest first
    #[command(alias = "backup")]
    Backups(NameArgs),
    /// List the specs that a cluster has had, the newest first
    ///
    /// Each line says when which spec was applied, by whom and with which version of kclust, and how many lines of it were
    /// added and removed; --diff shows them. `kclust update --from-history N` brings one back.
    History(HistoryArgs),
}

#[derive(Debug, Args)]
pub struct InstancesArgs {
    #[command(flatten)]
    pub name: NameArgs,

    /// List the instances of this slot or node group only; may be repeated
    #[arg(long = "group", value_name = "NAME")]
    pub groups: Vec<String>,

    /// Go on and show changes, until Ctrl-C
    ///
    /// On a terminal the table changes in its place; elsewhere each change is a line, with -o json an object on a line. Ctrl-C ends it
    /// with exit code 0, and so does a reader that goes away.
    #[arg(short, long)]
    pub watch: bool,

    /// With --watch, time between two looks
    #[arg(long, value_name = "DURATION", default_value = "5s", requires = "watch", value_parser = duration)]
    pub interval: Duration,
}

#[derive(Debug, Args)]
pub struct HistoryArgs {
    #[command(flatten)]
    pub name: NameArgs,

    /// Show the lines that each revision added and removed
    ///
    /// They are those of the spec with every default filled in. With -o json and -o yaml they are always there.
    #[arg(long)]
    pub diff: bool,
}

#[derive(Debug, Args)]
pub struct TopologyArgs {
    #[command(flatten)]
    pub name: NameArgs,

    /// File to write: .svg, or .html with a legend; - writes SVG to standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, value_parser = picture)]
    pub out: Picture,
}

/// Where a drawing goes, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picture {
    Stdout,
    Svg(PathBuf),
    Html(PathBuf),
}

/// Which cluster.
#[derive(Debug, Args)]
pub struct NameArgs {
    /// Name of the cluster
    ///
    /// May be left out where the state store holds exactly one cluster.
    #[arg(value_name = "NAME", value_parser = cluster_name)]
    pub name: Option<ClusterName>,
}

/// Which cluster, where its spec can say so.
#[derive(Debug, Args)]
pub struct SpecNameArgs {
    /// Name of the cluster
    ///
    /// May be left out where a file names it. If both do, they must agree.
    #[arg(value_name = "NAME", value_parser = cluster_name)]
    pub name: Option<ClusterName>,
}

/// How a plan is confirmed.
#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// Do not ask
    ///
    /// Needed where standard input is not a terminal: without it the plan is printed, nothing is changed, and the exit code is 2.
    #[arg(long)]
    pub yes: bool,

    /// Show the plan and change nothing
    ///
    /// Nothing at all is written, the state store included.
    #[arg(long)]
    pub dry_run: bool,

    /// With --dry-run, exit 10 when there is something to change
    #[arg(long, requires = "dry_run")]
    pub detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    #[command(flatten)]
    pub name: SpecNameArgs,

    /// File with the spec; - reads standard input
    ///
    /// The file is the whole spec: it cannot be combined with the options that describe a cluster. Files that it names as manifests of
    /// addons are looked for beside it.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "SpecArgs")]
    pub file: Option<PathBuf>,

    #[command(flatten)]
    pub change: ChangeArgs,

    #[command(flatten)]
    pub spec: SpecArgs,
}

#[derive(Debug, Args)]
pub struct UpdateArgs {
    #[command(flatten)]
    pub name: NameArgs,

    /// File with the new spec; - reads standard input
    ///
    /// It names the cluster; NAME may be left out. Files that it names as manifests of addons are read again.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,

    /// Bring back the spec of this revision
    ///
    /// `kclust get history` lists them. This also repairs a state whose cluster.yaml or facts.json is damaged or gone.
    #[arg(long, value_name = "N", conflicts_with = "file", value_parser = clap::value_parser!(u32).range(1..))]
    pub from_history: Option<u32>,

    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Debug, Args)]
pub struct ValidateArgs {
    #[command(flatten)]
    pub name: NameArgs,

    /// Wait until the cluster is healthy, at most so long
    ///
    /// Ends at once when it is. Progress goes to standard error, the last result to standard output; `-o ndjson` writes every check
    /// that changes as well, and ends with exit code 4 when its reader goes away.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,

    /// Look at this slot or node group only; may be repeated
    #[arg(long = "group", value_name = "NAME")]
    pub groups: Vec<String>,

    /// Tolerate so many workers that are missing or not Ready
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub allow_unready: usize,

    /// Name server to ask, instead of the system's: ADDRESS or ADDRESS:PORT
    #[arg(long, value_name = "ADDRESS", env = "KCLUST_RESOLVER", hide_env_values = true, value_parser = name_server)]
    pub resolver: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    pub name: NameArgs,

    #[command(flatten)]
    pub change: ChangeArgs,

    /// Exit 0 when there is no such cluster
    #[arg(long)]
    pub ignore_not_found: bool,

    /// Remove the backups of etcd as well; they are kept otherwise
    #[arg(long)]
    pub delete_backups: bool,

    /// Remove the volumes of persistent volume claims as well, and the data on them; they are kept otherwise
    #[arg(long)]
    pub delete_volumes: bool,
}

#[derive(Debug, Args)]
pub struct BackupArgs {
    #[command(flatten)]
    pub name: NameArgs,

    /// How long to wait for the snapshot
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub timeout: Duration,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    pub name: NameArgs,

    /// Snapshot to go back to: `latest`, a key, or the name of a file
    ///
    /// `kclust get backups` lists them. While a restore is under way, `latest` is the one that it was when that began.
    #[arg(long, value_name = "SNAPSHOT")]
    pub from: String,

    #[command(flatten)]
    pub change: ChangeArgs,

    /// How long to wait for the control planes
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = duration)]
    pub timeout: Duration,

    /// Restore although something speaks against it
    ///
    /// An earlier restore, of another snapshot, is not done on all control planes; or the snapshot is of a deleted cluster of
    /// the same name, whose Secrets cannot be read.
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct KubeconfigArgs {
    #[command(flatten)]
    pub name: NameArgs,

    /// File to write to instead of kubectl's own; - prints a new one
    ///
    /// It is changed like kubectl's own if it is there. Without this option it is the file that kubectl would change: of those in
    /// KUBECONFIG the one that holds the context, or else the first that exists; without KUBECONFIG ~/.kube/config.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,

    /// Write down a certificate that is good for so long
    ///
    /// For programs that cannot run kclust. Whoever gets hold of the file is you until the certificate ends.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub admin: Option<Duration>,

    /// Name of the context, instead of the cluster's
    #[arg(long, value_name = "CONTEXT", value_parser = NonEmptyStringValueParser::new())]
    pub context: Option<String>,

    /// Leave the current context as it is
    #[arg(long)]
    pub keep_context: bool,

    /// Write over a context of this name that is of another cluster
    ///
    /// Its authority and its credentials are gone then. A context that kclust wrote for an earlier cluster of the same name is written
    /// over without it.
    #[arg(long)]
    pub force: bool,

    /// Take the context out again, with its cluster and its user
    ///
    /// Needs NAME, and neither AWS nor the state store.
    #[arg(long, requires = "name", conflicts_with_all = ["admin", "keep_context", "force"])]
    pub remove: bool,
}

#[derive(Debug, Args)]
pub struct CredentialArgs {
    /// Name of the cluster
    #[arg(long, value_name = "NAME", value_parser = cluster_name)]
    pub cluster: ClusterName,
}

#[derive(Debug, Args)]
pub struct RenderArgs {
    #[command(flatten)]
    pub name: SpecNameArgs,

    /// File with the spec; - reads standard input
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,

    /// Directory to write to; it is made when it is missing
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct IamPolicyArgs {
    #[command(flatten)]
    pub name: SpecNameArgs,

    /// File with the spec; - reads standard input
    ///
    /// Without a file, the cluster is looked up in the state store.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,

    /// Directory to write managed policies to, instead of printing one document
    ///
    /// A managed policy has at most 6144 characters. As many as are needed are written, NAME-1.json and so on; attach all
    /// of them. The directory is made when it is missing.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CompletionArgs {
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command to describe; kclust itself when left out
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

fn store_url(text: &str) -> Result<StoreUrl, String> {
    // The error's own text repeats what was typed, which clap shows already.
    StoreUrl::parse(text).map_err(|error| error.reason)
}

/// As the spec writes them: `90s`, `15m`, `2h`.
fn duration(text: &str) -> Result<Duration, String> {
    let period = Period::parse(text).ok().filter(|period| period.seconds() > 0);
    let allowed = "it must be a whole number above 0 and a unit (s, m, h or d), such as 15m";
    period.map(|period| Duration::from_secs(period.seconds().into())).ok_or_else(|| allowed.to_owned())
}

fn name_server(text: &str) -> Result<SocketAddr, String> {
    const DNS: u16 = 53;
    let address = text.parse::<SocketAddr>().or_else(|_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS)));
    address.map_err(|_| "it must be an IP address, with a port or without, such as 10.0.0.2".to_owned())
}

fn picture(text: &str) -> Result<Picture, String> {
    let path = PathBuf::from(text);
    let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
    match extension.as_deref().and_then(|extension| extension.to_str()) {
        _ if text == "-" => Ok(Picture::Stdout),
        Some("svg") => Ok(Picture::Svg(path)),
        Some("html" | "htm") => Ok(Picture::Html(path)),
        _ => Err("its name must end in .svg or .html, or be - for standard output".to_owned()),
    }
}

fn cluster_name(text: &str) -> Result<ClusterName, String> {
    ClusterName::parse(text).map_err(|allowed| format!("it must be {allowed}"))
}

fn region(text: &str) -> Result<Region, String> {
    Region::parse(text).map_err(|allowed| format!("it must be {allowed}"))
}
