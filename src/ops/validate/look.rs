//! Looking at a cluster: everything once, and again what can have changed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::cloud::{CloudError, GroupStatus, InstanceStatus, TargetState, World};
use crate::health::machines::groups;
use crate::health::{DnsAnswer, Endpoint, EndpointKind, KubernetesView, Scope, Snapshot, api_address, load_balancer_address};
use crate::model::{API, Kind, ResourceId};
use crate::ops::begin::{Recorded, recorded};
use crate::ops::manifests::Reading;
use crate::ops::reconcile::compare;
use crate::ops::slots::slot_names;
use crate::ops::{Environment, OpsError, StateRoot};
use crate::pki::{ClusterPki, certificate_validity};
use crate::plan::Drift;
use crate::spec::{Cluster, DnsVisibility};
use crate::store::{AddonReport, CertificateReport, ClusterStore, EtcdReport, StoreError};

use super::{ApiProbe, ValidateOptions};

/// Machines whose boot status is read: each is an object of its own, and what keeps many from joining is one thing.
pub(super) const STATUSES: usize = 20;
/// Weak groups that are asked why, at the first look.
const ACTIVITIES: usize = 20;

pub(super) struct Looker<'a> {
    pub(super) environment: &'a Environment<'a>,
    pub(super) store: &'a ClusterStore<'a>,
    pub(super) api: &'a dyn ApiProbe,
    pub(super) snapshot: Snapshot,
    pub(super) pki: Option<ClusterPki>,
    pub(super) scope: &'a Scope,
    /// What Auto Scaling said of failures, by the names of groups in AWS, for as long as these are weak.
    pub(super) failures: BTreeMap<String, Result<Option<String>, String>>,
    /// Name and id of the API's zone, where that is public.
    pub(super) zone: Option<(String, String)>,
    /// Who serves it: what Route 53 says of its own servers does not change.
    pub(super) served_by: Option<Result<Vec<String>, String>>,
    /// When the cluster was made.
    made_at: Option<Timestamp>,
    /// The load balancer's own name, where the world does not tell it.
    address: Option<String>,
}

pub(super) fn words(error: CloudError) -> String {
    error.to_string()
}

impl<'a> Looker<'a> {
    pub(super) async fn begin(
        environment: &'a Environment<'a>,
        store: &'a ClusterStore<'a>,
        recorded: Recorded,
        api: &'a dyn ApiProbe,
        options: &'a ValidateOptions,
    ) -> Result<Self, OpsError> {
        let cluster = recorded.cluster.clone();
        check_groups(&cluster, &options.scope.groups)?;
        let public = cluster.dns.as_ref().is_some_and(|dns| dns.visibility == DnsVisibility::Public);
        let zone = recorded.facts.value.hosted_zone.clone().filter(|_| public).map(|zone| (zone.name, zone.id));
        let (world, drift) = match seen(environment, store, &recorded).await? {
            Ok((world, drift)) => (world, Ok(drift)),
            Err(reason) => (World::default(), Err(reason)),
        };
        let address = match &drift {
            Ok(_) => None,
            Err(_) => environment.aws.load_balancer_dns_name(&cluster).await.ok().flatten(),
        };
        // A first revision tells it; that of others is in the history.
        let made_at = match recorded.applied.revision.sequence {
            1 => Some(recorded.applied.revision.at),
            _ => store.made_at().await?,
        };
        let mut looker = Self {
            environment,
            store,
            api,
            snapshot: Snapshot {
                source: source(environment, &cluster),
                applied_by: recorded.applied.revision.kclust.clone(),
                now: environment.clock.now(),
                drift,
                cluster,
                world,
                not_seen_again: None,
                groups: Ok(Vec::new()),
                instances: Ok(Vec::new()),
                targets: Ok(Vec::new()),
                endpoints: Vec::new(),
                dns: None,
                kubernetes: KubernetesView::Skipped { reason: "nobody has asked yet".to_owned() },
                statuses: BTreeMap::new(),
                asked: BTreeSet::new(),
                unread: BTreeMap::new(),
                authorities: Ok(Vec::new()),
                etcd: Ok(Vec::new()),
                slot_certificates: Ok(Vec::new()),
                addons: Ok(None),
                last_backup: Ok(None),
            },
            pki: None,
            scope: &options.scope,
            failures: BTreeMap::new(),
            zone,
            served_by: None,
            made_at,
            address,
        };
        looker.read_keys().await;
        environment.operator.phase("asking AWS, the machines and the API");
        let (aws, view, state) = tokio::join!(looker.ask_aws(), looker.ask_api(), looker.ask_state());
        looker.take_aws(aws);
        (looker.snapshot.endpoints, looker.snapshot.kubernetes) = (view.0, view.1);
        looker.take_dns(view.2);
        (looker.snapshot.etcd, looker.snapshot.slot_certificates, looker.snapshot.addons, looker.snapshot.last_backup) = state;
        looker.ask_why().await;
        Ok(looker)
    }

    pub(super) async fn read_keys(&mut self) {
        let files = match self.store.read_pki().await {
            Ok(Some(files)) => files,
            Ok(None) => return self.snapshot.authorities = Err("the state holds no keys of the cluster".to_owned()),
            Err(error) => return self.snapshot.authorities = Err(error.to_string()),
        };
        match ClusterPki::from_files(&files.0) {
            Ok(pki) => {
                let authorities =
                    [("ca.crt", &pki.kubernetes), ("etcd/ca.crt", &pki.etcd), ("front-proxy-ca.crt", &pki.front_proxy)];
                let ends = authorities.iter().map(|(file, authority)| {
                    let (_, end) = certificate_validity(&authority.certificate).map_err(|error| error.to_string())?;
                    Ok(((*file).to_owned(), end))
                });
                self.snapshot.authorities = ends.collect();
                self.pki = Some(pki);
            }
            Err(error) => self.snapshot.authorities = Err(error.to_string()),
        }
    }

    /// Groups, instances and targets: three calls, and pages.
    pub(super) async fn ask_aws(&self) -> AwsAnswer {
        let aws = self.environment.aws;
        let cluster = &self.snapshot.cluster;
        let target_group = self.snapshot.world.resources.get(&ResourceId::new(Kind::TargetGroup, API));
        let targets = async {
            match target_group {
                Some(group) => aws.target_health(&group.physical.id).await,
                None => Ok(Vec::new()),
            }
        };
        let (groups, instances, targets) = tokio::join!(aws.groups(cluster), aws.instances(cluster), targets);
        AwsAnswer { groups: groups.map_err(words), instances: instances.map_err(words), targets: targets.map_err(words) }
    }

    /// What Auto Scaling said of failures stays with the groups that are still weak.
    pub(super) fn take_aws(&mut self, answer: AwsAnswer) {
        self.snapshot.groups = answer.groups;
        self.snapshot.instances = answer.instances;
        self.snapshot.targets = answer.targets;
        let least = least(&self.snapshot.cluster);
        for group in self.snapshot.groups.iter_mut().flatten() {
            if !is_weak(group, &least) {
                self.failures.remove(&group.group_name);
            } else if let Some(known) = self.failures.get(&group.group_name) {
                group.last_failure = known.clone();
            }
        }
    }

    /// Groups, by their names in AWS, that are looked at and have fewer instances in service than they want.
    pub(super) fn weak_groups(&self) -> Vec<String> {
        let least = least(&self.snapshot.cluster);
        let groups = self.snapshot.groups.iter().flatten();
        let weak = groups.filter(|group| self.scope.holds(Some(&group.name)) && is_weak(group, &least));
        weak.map(|group| group.group_name.clone()).collect()
    }

    /// Keeps what Auto Scaling said of a group, also when it does not say it again.
    pub(super) fn take_failure(&mut self, group_name: &str, failure: Result<Option<String>, CloudError>) {
        let failure = failure.map_err(words);
        if failure.is_err() && self.failures.get(group_name).is_some_and(Result::is_ok) {
            return;
        }
        if let Some(group) = self.snapshot.groups.iter_mut().flatten().find(|group| group.group_name == group_name) {
            group.last_failure = failure.clone();
        }
        self.failures.insert(group_name.to_owned(), failure);
    }

    /// Asks where the boot of instances stands. Whom nobody could ask is asked again.
    pub(super) async fn ask_boots(&mut self, instances: &[String]) {
        let mut found = self.store.node_statuses_of(instances).await;
        let snapshot = &mut self.snapshot;
        for instance in instances {
            snapshot.unread.remove(instance);
            match found.remove(instance).transpose() {
                Ok(status) => {
                    snapshot.asked.insert(instance.clone());
                    snapshot.statuses.extend(status.map(|status| (instance.clone(), status)));
                }
                Err(error) => drop(snapshot.unread.insert(instance.clone(), error.to_string())),
            }
        }
    }

    /// The name of the API, which its certificate is for, and the ways to it.
    fn ways(&self) -> Option<(String, Vec<(EndpointKind, String)>)> {
        let (cluster, world) = (&self.snapshot.cluster, &self.snapshot.world);
        let name = api_address(cluster, world).or_else(|| self.address.clone())?;
        let mut ways = vec![(EndpointKind::Name, name.clone())];
        ways.extend(load_balancer_address(world).filter(|host| *host != name).map(|host| (EndpointKind::LoadBalancer, host)));
        Some((name, ways))
    }

    pub(super) async fn endpoints(&self) -> Vec<Endpoint> {
        let (Some(pki), Some((name, ways))) = (&self.pki, self.ways()) else { return Vec::new() };
        let asked = ways.into_iter().map(|(kind, host)| {
            let name = name.clone();
            async move {
                let certificate = self.api.certificate(&host, &name, pki).await;
                Endpoint { kind, host, certificate }
            }
        });
        futures_util::future::join_all(asked).await
    }

    /// Where the API is to be asked: by its name, or else by what leads to it nevertheless.
    pub(super) fn way(&self, endpoints: &[Endpoint]) -> Option<(String, String)> {
        let (name, _) = self.ways()?;
        let usable = endpoints.iter().find(|endpoint| endpoint.is_usable());
        Some((usable.map_or_else(|| name.clone(), |endpoint| endpoint.host.clone()), name))
    }

    async fn ask_api(&self) -> (Vec<Endpoint>, KubernetesView, Option<DnsAnswer>) {
        let (endpoints, dns) = tokio::join!(self.endpoints(), self.ask_dns());
        let view = match (&self.pki, self.way(&endpoints)) {
            (None, _) => {
                let reason = self.snapshot.authorities.as_ref().err().cloned();
                KubernetesView::Skipped { reason: reason.unwrap_or_default() }
            }
            (Some(_), None) => KubernetesView::Skipped {
                reason: self.snapshot.drift.as_ref().err().cloned().unwrap_or_else(|| "the API has no address yet".to_owned()),
            },
            (Some(pki), Some((host, name))) => self.api.view(&host, &name, pki).await,
        };
        (endpoints, view, dns)
    }

    async fn ask_state(&self) -> StateAnswer {
        let slots = slot_names(&self.snapshot.cluster);
        let said = |error: StoreError| error.to_string();
        let (etcd, certificates, addons, newest) = tokio::join!(
            self.store.etcd_reports(&slots),
            self.store.certificate_reports(&slots),
            self.store.addon_reports(),
            self.newest_backup()
        );
        (etcd.map_err(said), certificates.map_err(said), addons.map_err(said), newest)
    }

    /// When the newest snapshot of this cluster was taken: those of an earlier one of its name lie beside them.
    pub(super) async fn newest_backup(&self) -> Result<Option<Timestamp>, String> {
        let snapshots = self.store.snapshots().await.map_err(|error| error.to_string())?;
        let newest = snapshots.first().map(|newest| newest.taken_at);
        Ok(newest.filter(|taken| self.made_at.is_none_or(|made| *taken >= made)))
    }

    /// Why groups are weak, and where the boot of machines stands that are not nodes.
    async fn ask_why(&mut self) {
        let aws = self.environment.aws;
        let weak = self.weak_groups().into_iter().take(ACTIVITIES);
        let asked = weak.map(|name| async move { (aws.last_failure(&name).await, name) });
        for (failure, name) in futures_util::future::join_all(asked).await {
            self.take_failure(&name, failure);
        }
        let unjoined: Vec<String> = self.snapshot.unjoined(self.scope).into_iter().take(STATUSES).map(str::to_owned).collect();
        self.ask_boots(&unjoined).await;
    }

    /// The world anew: everything that a plan looks at, and the spec as it is now. What was seen before stays where it cannot be seen.
    pub(super) async fn observe_again(&mut self) {
        let seen = match recorded(self.store, self.environment.objects.root()).await {
            Ok(Some(recorded)) => match seen(self.environment, self.store, &recorded).await {
                Ok(seen) => seen.map(|seen| (recorded, seen)),
                Err(error) => Err(error.to_string()),
            },
            Ok(None) => Err("the state of the cluster is gone".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let snapshot = &mut self.snapshot;
        match (seen, &mut snapshot.drift) {
            (Ok((recorded, (world, drift))), _) => {
                (snapshot.cluster, snapshot.world, snapshot.drift) = (recorded.cluster, world, Ok(drift));
                snapshot.applied_by = recorded.applied.revision.kclust;
                snapshot.not_seen_again = None;
            }
            (Err(reason), Ok(_)) => snapshot.not_seen_again = Some(reason),
            (Err(reason), known) => *known = Err(reason),
        }
    }
}

/// What a plan looks at. That it cannot be looked at is an answer; that the account is another one's is not.
async fn seen(
    environment: &Environment<'_>,
    store: &ClusterStore<'_>,
    recorded: &Recorded,
) -> Result<Result<(World, Drift), String>, OpsError> {
    let cluster = &recorded.cluster;
    let compared = compare(environment, store, cluster, Some(recorded), Reading::Never).await;
    match compared.and_then(|compared| Ok((compared.drift(cluster)?, compared.world))) {
        Ok((drift, world)) => Ok(Ok((world, drift))),
        Err(OpsError::Cloud { action, source }) => Ok(Err(format!("could not {action}: {source}"))),
        Err(OpsError::Preflight { findings, .. }) => {
            let words: Vec<String> = findings.iter().map(|finding| format!("{}: {}", finding.place, finding.message)).collect();
            Ok(Err(format!("the spec names what cannot be had: {}", words.join("; "))))
        }
        Err(error) => Err(error),
    }
}

/// What AWS said.
pub(super) struct AwsAnswer {
    groups: Result<Vec<GroupStatus>, String>,
    instances: Result<Vec<InstanceStatus>, String>,
    targets: Result<Vec<TargetState>, String>,
}

type StateAnswer = (
    Result<Vec<EtcdReport>, String>,
    Result<Vec<CertificateReport>, String>,
    Result<Option<Vec<AddonReport>>, String>,
    Result<Option<Timestamp>, String>,
);

/// How many instances the spec wants at least, by slot and node group.
fn least(cluster: &Cluster) -> BTreeMap<String, u32> {
    groups(cluster).into_iter().collect()
}

fn is_weak(group: &GroupStatus, least: &BTreeMap<String, u32>) -> bool {
    group.is_weak(least.get(&group.name).copied().unwrap_or_default())
}

fn source(environment: &Environment<'_>, cluster: &Cluster) -> String {
    let state = match &environment.state_root {
        StateRoot::S3 { bucket, prefix, .. } if prefix.is_empty() => format!("s3://{bucket}"),
        StateRoot::S3 { bucket, prefix, .. } => format!("s3://{bucket}/{prefix}"),
        StateRoot::Directory => "a directory".to_owned(),
    };
    format!("account {} in {}, state in {state}", environment.identity.account, cluster.region)
}

fn check_groups(cluster: &Cluster, wanted: &[String]) -> Result<(), OpsError> {
    let known: Vec<String> = groups(cluster).into_iter().map(|(name, _)| name).collect();
    match wanted.iter().find(|group| !known.contains(group)) {
        Some(group) => Err(OpsError::NoSuchGroup { cluster: cluster.name.to_string(), group: group.clone(), known }),
        None => Ok(()),
    }
}
