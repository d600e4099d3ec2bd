//! What every command on an existing cluster begins with.

use std::collections::{BTreeMap, BTreeSet};

use crate::cloud::{Facts, Observed, Physical, Scope, World};
use crate::model::{ControlPlaneSettings, Desired, Resource, ResourceId, SettingsError, load_balancer_name};
use crate::spec::{self, Cluster, ClusterName};
use crate::store::{AppliedSpec, Area, ClusterStore, Ledger, ObjectStore, RecordedFacts, StoreError, Version, clusters};

use super::Environment;
use super::error::OpsError;
use super::history::parsed;

/// A cluster as the state knows it.
pub(super) struct Recorded {
    pub(super) applied: AppliedSpec,
    pub(super) cluster: Cluster,
    pub(super) facts: RecordedFacts,
    /// Of `cluster.yaml` as it was read; `None` where there is none.
    pub(super) version: Option<Version>,
    /// Why `cluster.yaml` cannot be read: `applied` then is from the history.
    pub(super) damage: Option<String>,
    pub(super) ledger: Option<Ledger>,
}

impl Recorded {
    /// What was made for the cluster, by its id in AWS.
    pub(super) fn made(&self) -> BTreeMap<String, ResourceId> {
        let entries = self.ledger.iter().flat_map(|ledger| &ledger.resources);
        entries.map(|entry| (entry.physical.id.clone(), entry.id.clone())).collect()
    }
}

impl Environment<'_> {
    pub(super) fn state_of(&self, name: &ClusterName) -> ClusterStore<'_> {
        ClusterStore::new(self.objects.as_ref(), name.clone())
    }

    /// A cluster that must be there, and its state.
    ///
    /// # Errors
    /// [`OpsError::NoSuchCluster`]
    pub(super) async fn existing(&self, name: &ClusterName) -> Result<(ClusterStore<'_>, Recorded), OpsError> {
        let store = self.state_of(name);
        self.operator.phase("reading the state");
        match recorded(&store, self.objects.root()).await? {
            Some(recorded) => Ok((store, recorded)),
            None => Err(no_such_cluster(self.objects.as_ref(), name).await),
        }
    }

    /// The world as it is, with those of the `desired` boot files that the state store has, and the settings of the control planes.
    pub(super) async fn observe(&self, scope: &Scope, store: &ClusterStore<'_>, desired: &Desired) -> Result<World, OpsError> {
        self.operator.phase("observing the account");
        let (world, files, settings) = tokio::join!(self.aws.observe(scope), store.list_bootstrap(), settings(store));
        let mut world = world.map_err(OpsError::cloud("observe the cluster's resources"))?;
        let present: BTreeSet<String> = files?.into_iter().collect();
        for (id, resource) in desired {
            // Earlier boot programs stay until the cluster goes: a machine that was launched a moment ago may still ask for one.
            if let Resource::BootstrapObject(object) = resource
                && present.contains(&object.key)
            {
                let observed = Observed { resource: resource.clone(), physical: Physical::new(object.key.clone()) };
                world.resources.insert(id.clone(), observed);
            }
        }
        if let Some((id, observed)) = settings? {
            world.resources.insert(id, observed);
        }
        name_targets(&mut world, desired);
        Ok(world)
    }
}

/// The settings of the control planes. What cannot be read says nothing, and is written anew.
async fn settings(store: &ClusterStore<'_>) -> Result<Option<(ResourceId, Observed)>, StoreError> {
    let (area, name) = (Area::ControlPlane, ControlPlaneSettings::FILE);
    let Some(bytes) = store.read_file(area, name).await? else { return Ok(None) };
    let text = String::from_utf8(bytes).unwrap_or_default();
    let settings = match ControlPlaneSettings::parse(&text) {
        Ok(settings) => settings,
        Err(SettingsError::Unreadable) => ControlPlaneSettings::none(),
        Err(SettingsError::Newer { format }) => {
            let location = format!("{}/{}{name}", store.cluster(), area.path());
            return Err(StoreError::Newer { location, reason: format!("it begins with `{format}`") });
        }
    };
    let physical = Physical::new(format!("{}{name}", area.path()));
    Ok(Some((ControlPlaneSettings::id(), Observed { resource: settings.into(), physical })))
}

/// A load balancer knows a target by its address alone. Whose it is shows where the network interface is; where that is missing,
/// the address that was planned tells.
fn name_targets(world: &mut World, desired: &Desired) {
    for (id, resource) in desired {
        let Resource::Target(target) = resource else { continue };
        let is_it = |observed: &Observed| matches!(&observed.resource, Resource::Target(found) if found == target);
        let found = world.resources.iter().find(|(_, observed)| is_it(observed)).map(|(found, _)| found.clone());
        if let Some(found) = found.filter(|found| found != id && !world.resources.contains_key(id))
            && let Some(observed) = world.resources.remove(&found)
        {
            world.resources.insert(id.clone(), observed);
        }
    }
}

/// The cluster in the state; `None` when there is none.
pub(super) async fn recorded(store: &ClusterStore<'_>, root: &str) -> Result<Option<Recorded>, OpsError> {
    let Some(applied) = store.read_spec().await? else {
        return match store.lost_spec().await? {
            Some(lost) => Err(lost.into()),
            None => Ok(None),
        };
    };
    let name = store.cluster();
    let cluster = parsed(&format!("{root}/{name}/cluster.yaml"), name, &applied)?;
    let (facts, ledger) = tokio::join!(store.read_facts(), store.recorded_ledger());
    let facts = recorded_facts(store, facts?).await?;
    let version = Some(applied.version.clone());
    Ok(Some(Recorded { applied, cluster, facts, version, damage: None, ledger: ledger?.value }))
}

/// Facts are written before the spec: where there is a spec, they are there or were lost.
pub(super) async fn recorded_facts(store: &ClusterStore<'_>, facts: Option<RecordedFacts>) -> Result<RecordedFacts, OpsError> {
    match facts {
        Some(facts) => Ok(facts),
        None => Err(store.lost_facts().await.into()),
    }
}

pub(super) async fn no_such_cluster(objects: &dyn ObjectStore, name: &ClusterName) -> OpsError {
    // The list is a help only: that the cluster is not there has been found out already.
    let known = clusters(objects).await.unwrap_or_default();
    OpsError::NoSuchCluster {
        cluster: name.to_string(),
        root: objects.root().to_owned(),
        known: known.iter().map(ToString::to_string).collect(),
    }
}

/// What to look for, for a cluster whose spec and facts are known.
pub(super) fn scope<'a>(cluster: &Cluster, facts: &Facts, desired: &Desired, recorded: impl Into<Option<&'a Recorded>>) -> Scope {
    let instance_profiles: BTreeSet<String> = desired
        .values()
        .filter_map(|resource| match resource {
            Resource::LaunchTemplate(template) => Some(template.instance_profile.arn().to_owned()),
            _ => None,
        })
        .collect();
    let load_balancer = load_balancer_name(cluster.region.as_str(), cluster.name.as_str());
    Scope {
        cluster: cluster.name.to_string(),
        vpc: match &cluster.network.vpc {
            spec::Vpc::Existing { id, .. } => Some(id.clone()),
            spec::Vpc::Managed { .. } => None,
        },
        zone_id: facts.hosted_zone.as_ref().map(|zone| zone.id.clone()),
        record_names: cluster.api_name().into_iter().collect(),
        known: recorded.into().map(Recorded::made).unwrap_or_default(),
        instance_profiles: instance_profiles.into_iter().collect(),
        load_balancer_name: Some(load_balancer.clone()),
        target_group_name: Some(load_balancer),
    }
}
