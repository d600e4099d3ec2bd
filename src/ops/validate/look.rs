//! Looking at a cluster: everything once, and again what can have changed.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::cloud::{CloudError, GroupStatus, InstanceStatus, TargetState};
use crate::health::{
    Delegation, DnsAnswer, DnsFailure, Endpoint, EndpointKind, KubernetesView, Snapshot, api_address, load_balancer_address,
};
use crate::model::{API, DnsRecord, Kind, RecordAddress, RecordValue, Resource, ResourceId};
use crate::ops::begin::{Recorded, recorded};
use crate::ops::manifests::Reading;
use crate::ops::reconcile::compare;
use crate::ops::slots::slot_names;
use crate::ops::{Environment, OpsError, StateRoot};
use crate::pki::{ClusterPki, certificate_validity};
use crate::spec::{Cluster, DnsVisibility};
use crate::store::{AddonReport, ClusterStore, EtcdReport, StoreError};

use super::{ApiProbe, ValidateOptions};

/// Machines whose boot status is read: each is an object of its own, and what keeps many from joining is one thing.
const STATUSES: usize = 20;
/// Weak groups that are asked why, at the first look.
const ACTIVITIES: usize = 20;

pub(super) struct Looker<'a> {
    pub(super) environment: &'a Environment<'a>,
    pub(super) store: &'a ClusterStore<'a>,
    pub(super) api: &'a dyn ApiProbe,
    pub(super) snapshot: Snapshot,
    pub(super) pki: Option<ClusterPki>,
    /// Zone, id, and whether it is public.
    zone: Option<(String, String)>,
    served_by: Option<Result<Vec<String>, String>>,
}

fn words(error: CloudError) -> String {
    error.to_string()
}

impl<'a> Looker<'a> {
    pub(super) async fn begin(
        environment: &'a Environment<'a>,
        store: &'a ClusterStore<'a>,
        recorded: Recorded,
        api: &'a dyn ApiProbe,
        options: &ValidateOptions,
    ) -> Result<Self, OpsError> {
        let cluster = recorded.cluster.clone();
        check_groups(&cluster, &options.scope.groups)?;
        let compared = compare(environment, store, &cluster, Some(&recorded), Reading::Never).await?;
        let public = cluster.dns.as_ref().is_some_and(|dns| dns.visibility == DnsVisibility::Public);
        let zone = compared.facts.hosted_zone.clone().filter(|_| public).map(|zone| (zone.name, zone.id));
        let drift = compared.drift(&cluster)?;
        let world = compared.world;
        let mut looker = Self {
            environment,
            store,
            api,
            snapshot: Snapshot {
                source: source(environment, &cluster),
                now: environment.clock.now(),
                drift,
                cluster,
                world,
                groups: Ok(Vec::new()),
                instances: Ok(Vec::new()),
                targets: Ok(Vec::new()),
                endpoints: Vec::new(),
                dns: None,
                kubernetes: KubernetesView::Skipped { reason: "nobody has asked yet".to_owned() },
                statuses: BTreeMap::new(),
                authorities: Ok(Vec::new()),
                etcd: Ok(Vec::new()),
                addons: Ok(None),
                last_backup: Ok(None),
            },
            pki: None,
            zone,
            served_by: None,
        };
        looker.read_keys().await;
        environment.operator.phase("asking AWS, the machines and the API");
        let (aws, view, state) = tokio::join!(looker.ask_aws(), looker.ask_api(), looker.ask_state());
        looker.take_aws(aws);
        (looker.snapshot.endpoints, looker.snapshot.kubernetes, looker.snapshot.dns) = view;
        (looker.snapshot.etcd, looker.snapshot.addons, looker.snapshot.last_backup) = state;
        looker.ask_why().await;
        Ok(looker)
    }

    async fn read_keys(&mut self) {
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
        let mut answer = answer;
        if let (Ok(before), Ok(now)) = (&self.snapshot.groups, &mut answer.groups) {
            for group in now.iter_mut().filter(|group| is_weak(group)) {
                let known = before.iter().find(|known| known.name == group.name);
                group.last_failure = known.map_or(Ok(None), |known| known.last_failure.clone());
            }
        }
        self.snapshot.now = self.environment.clock.now();
        self.snapshot.groups = answer.groups;
        self.snapshot.instances = answer.instances;
        self.snapshot.targets = answer.targets;
    }

    /// The name of the API, which its certificate is for, and the ways to it.
    fn ways(&self) -> Option<(String, Vec<(EndpointKind, String)>)> {
        let (cluster, world) = (&self.snapshot.cluster, &self.snapshot.world);
        let name = api_address(cluster, world)?;
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
            (Some(_), None) => KubernetesView::Skipped { reason: "the API has no address yet".to_owned() },
            (Some(pki), Some((host, name))) => self.api.view(&host, &name, pki).await,
        };
        (endpoints, view, dns)
    }

    /// What name servers say, and what they should.
    pub(super) async fn ask_dns(&self) -> Option<DnsAnswer> {
        let name = self.snapshot.cluster.api_name()?;
        let resolver = self.api.resolver()?;
        let (addresses, expected) = tokio::join!(self.api.addresses(&name), self.expected_addresses());
        let agree = |addresses: &[Ipv4Addr], expected: &[Ipv4Addr]| addresses.iter().any(|address| expected.contains(address));
        let right = match (&addresses, &expected) {
            (Ok(addresses), Ok(expected)) => agree(addresses, expected),
            (Err(DnsFailure::NoAnswer(_)), _) | (_, Err(_)) => true,
            (Err(DnsFailure::NoSuchName(_)), Ok(_)) => false,
        };
        let delegation = match &self.zone {
            Some((zone, id)) if !right => {
                let served_by = async {
                    match &self.served_by {
                        Some(known) => known.clone(),
                        None => self.environment.aws.name_servers(id).await.map_err(words),
                    }
                };
                let (answered, served_by) = tokio::join!(self.api.name_servers(zone), served_by);
                Some(Delegation { zone: zone.clone(), answered, served_by })
            }
            _ => None,
        };
        Some(DnsAnswer { resolver, addresses, expected, delegation })
    }

    /// The same question, whose answer is kept: what Route 53 says of its own servers does not change.
    pub(super) async fn ask_dns_again(&mut self) {
        let answer = self.ask_dns().await;
        if let Some(Delegation { served_by, .. }) = answer.as_ref().and_then(|answer| answer.delegation.as_ref()) {
            self.served_by = Some(served_by.clone());
        }
        self.snapshot.dns = answer;
    }

    async fn expected_addresses(&self) -> Result<Vec<Ipv4Addr>, DnsFailure> {
        let world = &self.snapshot.world;
        let record = world.resources.values().find_map(|observed| match &observed.resource {
            Resource::DnsRecord(DnsRecord { value, .. }) => Some(value),
            _ => None,
        });
        match record {
            Some(RecordValue::Addresses { addresses, .. }) => {
                let outputs = world.outputs();
                Ok(addresses
                    .iter()
                    .filter_map(|address| match address {
                        RecordAddress::Fixed(address) => Some(*address),
                        RecordAddress::Elastic(elastic) => outputs.get(&elastic.target()?)?.public_address,
                    })
                    .collect())
            }
            Some(RecordValue::Alias(_)) => match load_balancer_address(world) {
                Some(host) => self.api.addresses(&host).await,
                None => Err(DnsFailure::NoAnswer("the load balancer does not exist".to_owned())),
            },
            Some(RecordValue::Other(_)) | None => Err(DnsFailure::NoAnswer("the record is not as specified".to_owned())),
        }
    }

    async fn ask_state(&self) -> StateAnswer {
        let slots = slot_names(&self.snapshot.cluster);
        let said = |error: StoreError| error.to_string();
        let (etcd, addons, backups) =
            tokio::join!(self.store.etcd_reports(&slots), self.store.addon_reports(), self.store.snapshots());
        let newest = backups.map(|backups| backups.first().map(|newest| newest.taken_at));
        (etcd.map_err(said), addons.map_err(said), newest.map_err(said))
    }

    /// Why groups are weak, and where the boot of machines stands that are not nodes.
    async fn ask_why(&mut self) {
        let aws = self.environment.aws;
        let weak = self.snapshot.groups.iter_mut().flatten().filter(|group| is_weak(group)).take(ACTIVITIES);
        futures_util::future::join_all(weak.map(|group| async move {
            // That nothing can be said of the reason is no reason to say nothing of the group.
            group.last_failure = aws.last_failure(&group.group_name).await.map_err(words);
        }))
        .await;
        let unjoined: Vec<String> = self.snapshot.unjoined().into_iter().take(STATUSES).map(str::to_owned).collect();
        self.snapshot.statuses = self.store.node_statuses_of(&unjoined).await.unwrap_or_default();
    }

    /// The world anew: everything that a plan looks at.
    pub(super) async fn observe_again(&mut self) -> Result<(), OpsError> {
        let Some(recorded) = recorded(self.store, self.environment.objects.root()).await? else { return Ok(()) };
        let cluster = recorded.cluster.clone();
        let compared = compare(self.environment, self.store, &cluster, Some(&recorded), Reading::Never).await?;
        self.snapshot.drift = compared.drift(&cluster)?;
        (self.snapshot.cluster, self.snapshot.world) = (cluster, compared.world);
        Ok(())
    }
}

/// What AWS said.
pub(super) struct AwsAnswer {
    groups: Result<Vec<GroupStatus>, String>,
    instances: Result<Vec<InstanceStatus>, String>,
    targets: Result<Vec<TargetState>, String>,
}

type StateAnswer =
    (Result<Vec<EtcdReport>, String>, Result<Option<Vec<AddonReport>>, String>, Result<Option<jiff::Timestamp>, String>);

/// Has fewer instances in service than it wants.
pub(super) fn is_weak(group: &GroupStatus) -> bool {
    group.is_weak(group.min_size)
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
    let known: Vec<String> =
        slot_names(cluster).into_iter().chain(cluster.node_groups.iter().map(|group| group.name.to_string())).collect();
    match wanted.iter().find(|group| !known.contains(group)) {
        Some(group) => Err(OpsError::NoSuchGroup { cluster: cluster.name.to_string(), group: group.clone(), known }),
        None => Ok(()),
    }
}
