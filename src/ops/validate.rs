//! `kclust validate`: is the cluster what the spec says, and does it work?

mod dns;
mod look;
mod wait;
#[cfg(test)]
mod wait_tests;

use std::time::Duration;

use async_trait::async_trait;

use crate::health::{self, Check, DnsFailure, KubernetesView, Presented, Report, Scope};
use crate::pki::ClusterPki;
use crate::spec::ClusterName;

use super::Environment;
use super::error::OpsError;

use look::Looker;

/// Asks the Kubernetes API of a cluster, and what leads to it. Not to reach it is an answer.
#[async_trait]
pub trait ApiProbe: Send + Sync {
    /// The certificate at `host`, whose clients know it by `name`; or why there was no handshake.
    async fn certificate(&self, host: &str, name: &str, pki: &ClusterPki) -> Result<Presented, String>;

    /// What the API says at `host`.
    async fn view(&self, host: &str, name: &str, pki: &ClusterPki) -> KubernetesView;

    /// The API at `host`, to be looked at again and again for as long as `life`.
    fn follow(&self, host: &str, name: &str, pki: &ClusterPki, life: Duration) -> Option<Box<dyn ApiFollower>>;

    /// The name server that is asked for `name`; `None` where it is looked up by somebody else.
    fn resolver(&self, name: &str) -> Option<String>;

    async fn addresses(&self, name: &str) -> Result<Vec<std::net::Ipv4Addr>, DnsFailure>;

    /// To whom a zone is delegated.
    async fn name_servers(&self, zone: &str) -> Result<Vec<String>, String>;
}

/// An API that is followed.
#[async_trait]
pub trait ApiFollower: Send {
    /// What the API says now; what is watched is not asked for again.
    async fn view(&mut self) -> KubernetesView;

    /// What is watched as it is now, and the rest as it was at the last [`Self::view`]. Asks nobody; `None` where nothing is watched.
    fn watched(&self) -> Option<KubernetesView>;

    /// Waits until something that is watched is other than it was.
    async fn changed(&mut self);
}

/// What is looked at, and for how long.
#[derive(Debug, Clone, Default)]
pub struct ValidateOptions {
    pub scope: Scope,
    /// How long to wait for the cluster to be healthy.
    pub wait: Option<Duration>,
}

/// Who wants to know while it is waited.
pub trait Follows: Send + Sync {
    /// Checks that are not what they were, or are seen for the first time.
    fn changed(&self, checks: &[&Check]);
}

/// Looks at a cluster and changes nothing.
///
/// # Errors
/// When the state or the account cannot be read. What cannot be found out beyond them is part of the report.
pub async fn validate(
    environment: &Environment<'_>,
    name: &ClusterName,
    api: &dyn ApiProbe,
    options: &ValidateOptions,
    follows: &dyn Follows,
) -> Result<Report, OpsError> {
    let (store, recorded) = environment.existing(name).await?;
    let mut looker = Looker::begin(environment, &store, recorded, api, options).await?;
    let report = health::check(&looker.snapshot, &options.scope);
    follows.changed(&report.checks.iter().collect::<Vec<_>>());
    match options.wait {
        Some(patience) if report.status != health::Status::Healthy => {
            Ok(wait::wait(&mut looker, report, patience, options, follows).await)
        }
        _ => Ok(report),
    }
}
