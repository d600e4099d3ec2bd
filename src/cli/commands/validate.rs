//! `kclust validate`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::apply::Stop;
use crate::cli::error::CliError;
use crate::cli::{Cli, NameArgs, Progress};
use crate::health::{self, KubernetesView};
use crate::ops::{self, ApiProbe};
use crate::pki::ClusterPki;

use super::Streams;
use super::operator::Terminals;
use super::session::Session;

/// For the whole conversation with the API.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Life of the client certificate: long enough for the conversation and for clocks that differ by minutes.
const CERTIFICATE_LIFE: SignedDuration = SignedDuration::from_mins(15);
/// The group that kubeadm binds to `cluster-admin`; unlike `system:masters` it can be unbound.
const GROUP: &str = "kubeadm:cluster-admins";

pub(super) async fn validate(cli: &Cli, args: &NameArgs, streams: &mut Streams) -> Result<u8, CliError> {
    let (session, name) = Session::for_name(&cli.global, args.name.as_ref()).await?;
    let terminal = streams.terminal.clone();
    let progress = Arc::new(Progress::new(&terminal, cli.global.verbosity()));
    let stop = Stop::default();
    let operator = Terminals::new(&terminal, &progress, &stop, None, cli.global.verbosity());
    let report = {
        let environment = session.environment(&progress, &operator, &stop);
        ops::validate(&environment, &name, &OverHttps { timeout: TIMEOUT }).await
    };
    progress.clear();
    let report = report?;
    streams.print_result(&json!(report), |terminal| report.to_text(terminal.stdout))?;
    Ok(report.status.exit_code())
}

/// The API at its address, with a client certificate of the moment.
pub(super) struct OverHttps {
    /// For the whole conversation.
    pub(super) timeout: Duration,
}

#[async_trait]
impl ApiProbe for OverHttps {
    async fn probe(&self, address: &str, pki: &ClusterPki) -> KubernetesView {
        let certificate =
            pki.kubernetes.client_certificate("kclust-validate", GROUP, CERTIFICATE_LIFE, Timestamp::now(), &mut rand::rng());
        match certificate {
            Ok(certificate) => {
                health::kube::view(&health::api_url(address), &pki.kubernetes.certificate, &certificate, self.timeout).await
            }
            Err(error) => KubernetesView::Skipped { reason: error.to_string() },
        }
    }
}
