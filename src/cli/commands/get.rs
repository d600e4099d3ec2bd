//! `kclust get`, but for what has a file of its own.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::apply::Stop;
use crate::cli::error::{CliError, exit};
use crate::cli::listing::{cluster_document, cluster_table, group_table, instance_table, resource_table};
use crate::cli::{Cli, InstancesArgs, NameArgs, OutputFormat, Progress, Terminal};
use crate::cloud::Identity;
use crate::health::KubernetesView;
use crate::health::kube::{Asked, Patience};
use crate::inventory::{self, Console, Fleet, Instance};
use crate::ops::{self, ClusterEntry, Environment, FleetWatch, OpsError, StateRoot, cluster_entries, cluster_spec};
use crate::spec::{ClusterName, to_yaml};

use super::Streams;
use super::operator::Terminals;
use super::session::{Session, Store};
use super::validate::OverHttps;

/// For the Kubernetes API: what AWS says is worth showing without it, but thousands of nodes take their time.
const PATIENCE: Patience = Patience { silence: Duration::from_secs(5), whole: Duration::from_secs(20) };

/// The Kubernetes API, for its nodes only.
pub(super) fn api(identity: &Identity) -> OverHttps {
    OverHttps { user: ops::user_of_identity(&identity.arn), asked: Asked::Nodes, patience: PATIENCE, resolver: None }
}

/// Does something with AWS and the state that changes nothing.
pub(super) async fn looking<T>(
    cli: &Cli,
    name: Option<&ClusterName>,
    terminal: Terminal,
    work: impl AsyncFnOnce(&Environment<'_>, &ClusterName, &Progress) -> Result<T, OpsError>,
) -> Result<T, CliError> {
    let (session, name) = Session::for_name(&cli.global, name).await?;
    let progress = Arc::new(Progress::new(&terminal, cli.global.verbosity()));
    let stop = Stop::default();
    let operator = Terminals::new(&terminal, &progress, &stop, None, cli.global.verbosity());
    let environment = session.environment(&progress, &operator, &stop);
    let done = work(&environment, &name, &progress).await;
    progress.clear();
    Ok(done?)
}

pub(super) async fn clusters(cli: &Cli, streams: &mut Streams) -> Result<u8, CliError> {
    let store = Store::open(&cli.global).await?;
    let entries = cluster_entries(store.objects.as_ref()).await?;
    if entries.is_empty() && !cli.global.quiet {
        streams.tell(&format!(
            "No clusters found in {}. If there should be some: is --state or KCLUST_STATE right?\n",
            store.objects.root()
        ));
    }
    streams.print_result(&cluster_document(&entries), |terminal| cluster_table(&entries, Timestamp::now(), terminal.stdout))?;
    for ClusterEntry { name, applied } in &entries {
        if let Err(error) = applied {
            streams.tell(&format!("warning: {name}: {error}\nhint: `kclust get spec {name}` says what to do\n"));
        }
    }
    Ok(exit::DONE)
}

pub(super) async fn spec(cli: &Cli, args: &NameArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let store = Store::open(&cli.global).await?;
    let name = store.named(args.name.as_ref()).await?;
    let document = to_yaml(&cluster_spec(store.objects.as_ref(), &name).await?);
    let text = match streams.format {
        // A spec is read and written as YAML: that is its table.
        OutputFormat::Table | OutputFormat::Yaml => document,
        OutputFormat::Json | OutputFormat::Ndjson => {
            let value: Json = serde_saphyr::from_str(&document).map_err(|error| CliError::Io {
                headline: "could not turn the spec into JSON".to_owned(),
                source: std::io::Error::other(error.to_string()),
            })?;
            format!("{value:#}\n")
        }
    };
    streams.print(&text)?;
    Ok(exit::DONE)
}

pub(super) async fn groups(cli: &Cli, args: &NameArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let fleet = fleet(cli, args.name.as_ref(), true, streams).await?;
    let groups = inventory::groups(&fleet, &inventory::instances(&fleet));
    let region = fleet.cluster.region.as_str();
    streams.print_result(&json!(groups), |terminal| group_table(&groups, region, terminal.stdout))?;
    Ok(exit::DONE)
}

pub(super) async fn instances(cli: &Cli, args: &InstancesArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let fleet = fleet(cli, args.name.name.as_ref(), false, streams).await?;
    let instances = instances_of(&fleet, &args.groups)?;
    if !cli.global.quiet {
        if instances.is_empty() {
            let groups = if args.groups.is_empty() { String::new() } else { format!(", {}", args.groups.join(", ")) };
            streams.tell(&format!("No instances found of {}{groups}.\n", fleet.cluster.name));
        } else if let Some(reason) = unasked(&fleet) {
            streams.tell(&format!("The Kubernetes API could not be asked: {reason}\n"));
        }
    }
    let region = fleet.cluster.region.as_str();
    streams.print_result(&json!(instances), |terminal| instance_table(&instances, region, Timestamp::now(), terminal.stdout))?;
    Ok(exit::DONE)
}

pub(super) async fn resources(cli: &Cli, args: &NameArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let rows = looking(cli, args.name.as_ref(), streams.terminal, async |environment, name, _| {
        let observed = ops::observation(environment, name).await?;
        let bucket = matches!(environment.state_root, StateRoot::S3 { .. });
        let console = Console::new(&observed.facts, observed.cluster.region.as_str(), bucket);
        Ok(inventory::resources(&observed.world, &observed.drift, &console))
    })
    .await?;
    streams.print_result(&json!(rows), |terminal| resource_table(&rows, terminal.stdout))?;
    Ok(exit::DONE)
}

/// The instances of these groups; of all where none is named.
pub(super) fn instances_of(fleet: &Fleet, groups: &[String]) -> Result<Vec<Instance>, OpsError> {
    let mut instances = inventory::instances(fleet);
    let known = || inventory::groups(fleet, &instances).into_iter().map(|group| group.name).collect::<Vec<_>>();
    if let Some(unknown) = groups.iter().find(|group| !known().contains(group)) {
        let (cluster, group) = (fleet.cluster.name.to_string(), unknown.clone());
        return Err(OpsError::NoSuchGroup { cluster, group, known: known() });
    }
    if !groups.is_empty() {
        instances.retain(|instance| instance.group.as_ref().is_some_and(|group| groups.contains(group)));
    }
    Ok(instances)
}

/// One look at what runs.
async fn fleet(cli: &Cli, name: Option<&ClusterName>, reasons: bool, streams: &Streams) -> Result<Fleet, CliError> {
    looking(cli, name, streams.terminal, async |environment, name, _| {
        FleetWatch::open(environment, name, &api(&environment.identity)).await?.look(reasons).await
    })
    .await
}

/// Why the Kubernetes API says nothing.
pub(super) fn unasked(fleet: &Fleet) -> Option<&str> {
    match &fleet.kubernetes {
        KubernetesView::Reachable { .. } => None,
        KubernetesView::Unreachable { reason, .. }
        | KubernetesView::Refused { reason, .. }
        | KubernetesView::Skipped { reason } => Some(reason),
    }
}
