//! `kclust validate`.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::apply::Stop;
use crate::cli::error::{CliError, exit};
use crate::cli::{Cli, OutputFormat, Progress, ValidateArgs};
use crate::health::kube::watch::Follower;
use crate::health::kube::{self, Asked, Patience, Server};
use crate::health::resolver::Resolver;
use crate::health::{self, Check, CheckStatus, DnsFailure, KubernetesView, Presented, Report, Scope, api_url};
use crate::ops::{self, ApiFollower, ApiProbe, Follows, Operator, ValidateOptions};
use crate::pki::{ClientCertificate, ClusterPki, PkiError};
use crate::spec::ClusterName;

use super::Streams;
use super::operator::{Terminals, reader_gone};
use super::session::{Session, Store};

/// The nodes of a large cluster are many pages, and the way to it can be narrow.
const PATIENCE: Patience = Patience { silence: Duration::from_secs(15), whole: Duration::from_secs(120) };
/// For a handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Life of the client certificate: long enough for the conversation and for clocks that differ by minutes.
const CERTIFICATE_LIFE: Duration = Duration::from_secs(15 * 60);
/// The group that kubeadm binds to `cluster-admin`; unlike `system:masters` it can be unbound.
const GROUP: &str = "kubeadm:cluster-admins";

pub(super) async fn validate(cli: &Cli, args: &ValidateArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let name = match &args.name.name {
        Some(name) => name.clone(),
        None => Store::open(&cli.global).await?.named(None).await?,
    };
    let options =
        ValidateOptions { scope: Scope { groups: args.groups.clone(), allow_unready: args.allow_unready }, wait: args.wait };
    let report = match look(cli, args, &name, &options, streams).await {
        Ok(Some(report)) => report,
        // Nobody reads the result any more.
        Ok(None) => return Ok(exit::UNKNOWN),
        // Whoever asks how the cluster is gets an answer of the usual form.
        Err(error) => health::without_state(&name, &options.scope, error.unread_state().ok_or(error)?),
    };
    let document = match streams.format {
        OutputFormat::Ndjson => json!({ "time": Timestamp::now(), "result": report }),
        OutputFormat::Table | OutputFormat::Json | OutputFormat::Yaml => json!(report),
    };
    streams.print_result(&document, |terminal| report.to_text(terminal.stdout))?;
    Ok(report.status.exit_code())
}

/// The report; `None` when nobody reads it any more.
async fn look(
    cli: &Cli,
    args: &ValidateArgs,
    name: &ClusterName,
    options: &ValidateOptions,
    streams: &mut Streams,
) -> Result<Option<Report>, CliError> {
    let (session, name) = Session::for_name(&cli.global, Some(name)).await?;
    let terminal = streams.terminal.clone();
    let progress = Arc::new(Progress::new(&terminal, cli.global.verbosity()));
    let stop = Stop::default();
    let operator = Terminals::new(&terminal, &progress, &stop, None, cli.global.verbosity());
    let probe = OverHttps {
        user: ops::user_of_identity(&session.identity().arn),
        asked: Asked::Everything,
        patience: PATIENCE,
        resolver: args.resolver.map(Resolver::from),
    };
    let ndjson = streams.format == OutputFormat::Ndjson;
    let report = {
        let environment = session.environment(&progress, &operator, &stop);
        let teller =
            Teller { streams: Mutex::new(streams), operator: &operator, waits: args.wait.is_some(), open: Mutex::default() };
        tokio::select! {
            report = ops::validate(&environment, &name, &probe, options, &teller) => Some(report),
            // Whoever has read enough of the changes waits for no result.
            () = reader_gone(), if ndjson => None,
        }
    };
    progress.clear();
    Ok(report.transpose()?)
}

/// Tells of changes: programs by a line each, persons while they wait.
struct Teller<'a> {
    streams: Mutex<&'a mut Streams>,
    operator: &'a dyn Operator,
    waits: bool,
    /// Checks that were told not to be well.
    open: Mutex<BTreeSet<String>>,
}

impl Follows for Teller<'_> {
    fn changed(&self, checks: &[&Check]) {
        let (Ok(mut streams), Ok(mut open)) = (self.streams.lock(), self.open.lock()) else { return };
        for check in checks {
            if streams.format == OutputFormat::Ndjson {
                // A reader that is gone ends the command.
                let _ = streams.print(&format!("{}\n", json!({ "time": Timestamp::now(), "check": check })));
            } else if self.waits {
                let word = match check.status {
                    // Of what has always been well the result tells.
                    CheckStatus::Ok if !open.remove(&check.name) => continue,
                    CheckStatus::Ok => "ok",
                    CheckStatus::Warning => "warning",
                    CheckStatus::Failed => "FAILED",
                    CheckStatus::Unknown => "unknown",
                    CheckStatus::Skipped => continue,
                };
                if check.status != CheckStatus::Ok {
                    open.insert(check.name.clone());
                }
                self.operator.note(&format!("{}: {word}: {}", check.name, check.message));
            }
        }
    }
}

/// The API at its address, with a client certificate of the moment.
pub(super) struct OverHttps {
    /// Who asks, as audit logs name him.
    pub(super) user: String,
    pub(super) asked: Asked,
    pub(super) patience: Patience,
    /// The one that was named.
    pub(super) resolver: Option<Resolver>,
}

impl OverHttps {
    fn resolver_to_ask(&self) -> Option<Resolver> {
        self.resolver.clone().or_else(Resolver::of_the_system)
    }

    fn client(&self, pki: &ClusterPki, life: Duration) -> Result<ClientCertificate, PkiError> {
        let life = SignedDuration::try_from(life).unwrap_or(SignedDuration::MAX);
        pki.kubernetes.client_certificate(&self.user, GROUP, life, Timestamp::now(), &mut rand::rng())
    }
}

#[async_trait]
impl ApiProbe for OverHttps {
    async fn certificate(&self, host: &str, name: &str, pki: &ClusterPki) -> Result<Presented, String> {
        kube::tls::presented(host, name, &pki.kubernetes.certificate, HANDSHAKE).await
    }

    async fn view(&self, host: &str, name: &str, pki: &ClusterPki) -> KubernetesView {
        match self.client(pki, CERTIFICATE_LIFE) {
            Ok(client) => {
                let (url, ca) = (api_url(host), pki.kubernetes.certificate.as_str());
                kube::view(Server { url: &url, name: Some(name), ca, client: &client }, self.asked, self.patience).await
            }
            Err(error) => KubernetesView::Skipped { reason: error.to_string() },
        }
    }

    fn follow(&self, host: &str, name: &str, pki: &ClusterPki, life: Duration) -> Option<Box<dyn ApiFollower>> {
        let client = self.client(pki, life).ok()?;
        let (url, ca) = (api_url(host), pki.kubernetes.certificate.as_str());
        Some(Box::new(Follower::new(Server { url: &url, name: Some(name), ca, client: &client }, self.patience)))
    }

    fn resolver(&self, name: &str) -> Option<String> {
        // A proxy looks names up where it stands.
        if self.resolver.is_none() && kube::is_behind_proxy(&api_url(name)) {
            return None;
        }
        Some(self.resolver_to_ask().map_or_else(|| "the system".to_owned(), |resolver| resolver.to_string()))
    }

    async fn addresses(&self, name: &str) -> Result<Vec<Ipv4Addr>, DnsFailure> {
        match self.resolver_to_ask() {
            Some(resolver) => resolver.addresses(name).await,
            None => Err(DnsFailure::NoAnswer("the system names no name server".to_owned())),
        }
    }

    async fn name_servers(&self, zone: &str) -> Result<Vec<String>, String> {
        match self.resolver_to_ask() {
            Some(resolver) => resolver.name_servers(zone).await,
            None => Err("the system names no name server".to_owned()),
        }
    }
}

#[async_trait]
impl ApiFollower for Follower {
    async fn view(&mut self) -> KubernetesView {
        Self::view(self).await
    }

    fn watched(&self) -> Option<KubernetesView> {
        Self::watched(self)
    }

    async fn changed(&mut self) {
        Self::changed(self).await;
    }
}
