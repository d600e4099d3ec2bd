//! Carrying out plans of the example clusters in a cloud that lives in memory, by a clock that stands still until everybody waits.

mod failures;
mod order;
mod resume;
mod waits;

use std::collections::BTreeSet;
use std::sync::Mutex;

use tempfile::TempDir;

use crate::cloud::{Observed, Outputs, Physical, World};
use crate::model::{ControlPlaneSettings, Desired, Resource, ResourceId};
use crate::plan::{Action, Context, Operation, Plan, reconcile, removal};
use crate::spec::ClusterName;
use crate::store::{Area, ClusterStore, FileStore, ObjectStore};
use crate::test_support::fake_cloud::{Call, FakeCloud, Fate};
use crate::test_support::{desired, example, id};

use super::{CONCURRENCY, Event, Observer, Provisioner, Report, Stop, execute};

const CLUSTER: &str = "dev.k8s.local";
const OPERATION: &str = "2026-01-01T00:00:00Z";

/// A cloud and a state store, which outlive an execution.
struct Scene {
    cloud: FakeCloud,
    objects: FileStore,
    directory: TempDir,
    operation: &'static str,
}

impl Scene {
    async fn new(cloud: FakeCloud) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let objects = FileStore::new(directory.path().to_owned());
        objects.ensure().await.unwrap();
        Self { cloud, objects, directory, operation: OPERATION }
    }

    fn store(&self) -> ClusterStore<'_> {
        ClusterStore::new(&self.objects, ClusterName::parse(CLUSTER).unwrap())
    }

    /// What exists in both places.
    async fn world(&self, desired: &Desired) -> World {
        let mut world = self.cloud.world();
        let files = self.store().list_bootstrap().await.unwrap();
        let settings = self.store().read_file(Area::ControlPlane, ControlPlaneSettings::FILE).await.unwrap();
        for (id, resource) in desired {
            if let Resource::BootstrapObject(object) = resource
                && files.contains(&object.key)
            {
                let physical = Physical::new(object.key.clone());
                world.resources.insert(id.clone(), Observed { resource: resource.clone(), physical });
            }
        }
        if let Some(text) = settings.map(|bytes| String::from_utf8(bytes).unwrap()) {
            let settings = ControlPlaneSettings::parse(&text).unwrap();
            let physical = Physical::new("control-plane/settings");
            world.resources.insert(ControlPlaneSettings::id(), Observed { resource: settings.into(), physical });
        }
        world
    }

    async fn run(&self, plan: &Plan, outputs: Outputs, stop: &Stop, watch: &Watch) -> Report {
        let store = self.store();
        let provisioner = Provisioner { cloud: &self.cloud, store: &store };
        execute(plan, self.operation, outputs, &provisioner, watch, stop, CONCURRENCY).await
    }

    /// Plans and makes what is missing.
    async fn make(&self, desired: &Desired) -> Report {
        let world = self.world(desired).await;
        self.run(&plan(desired, &world), world.outputs(), &Stop::default(), &Watch::default()).await
    }
}

fn context(operation: Operation) -> Context<'static> {
    Context { cluster: CLUSTER, operation, user_tags: BTreeSet::new() }
}

fn plan(desired: &Desired, world: &World) -> Plan {
    reconcile(&context(Operation::Create), desired, world).unwrap()
}

fn removal_of(world: &World) -> Plan {
    removal(&context(Operation::Delete), world).unwrap()
}

fn minimal() -> Desired {
    desired(&example("minimal"))
}

/// A part of a cluster: the resources named and all that they refer to.
fn part(desired: &Desired, names: &[&str]) -> Desired {
    let mut wanted = BTreeSet::new();
    let mut open: Vec<ResourceId> = names.iter().map(|name| id(name)).collect();
    while let Some(id) = open.pop() {
        open.extend(desired[&id].references());
        wanted.insert(id);
    }
    desired.iter().filter(|(id, _)| wanted.contains(*id)).map(|(id, resource)| (id.clone(), resource.clone())).collect()
}

fn names(ids: &[ResourceId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn calls(log: &[Call], action: Action, id: &str) -> Vec<Call> {
    log.iter().filter(|call| call.is(action, id)).cloned().collect()
}

/// Fate of a call that a test singles out.
fn only(action: Action, id: &'static str, fate: impl Fn(&Call) -> Fate + Send + Sync) -> impl Fn(&Call) -> Fate + Send + Sync {
    move |call| if call.is(action, id) { fate(call) } else { Fate::Arrives }
}

/// Notes what it is told, a line each.
#[derive(Default)]
struct Watch(Mutex<Vec<String>>);

impl Watch {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Lines about one resource.
    fn of(&self, id: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.split(' ').any(|word| word == id)).collect()
    }
}

impl Observer for Watch {
    fn on(&self, event: Event<'_>) {
        let line = match event {
            Event::Started { id, action } => format!("started {id} {action:?}"),
            Event::Waiting { id, reason, elapsed } => format!("waiting {id} {reason} {} ms", elapsed.as_millis()),
            Event::Retrying { id, error, pause } => format!("retrying {id} {:?} {} ms", error.class, pause.as_millis()),
            Event::Finished { id, action, elapsed, done, total } => {
                format!("finished {id} {action:?} {} ms {done}/{total}", elapsed.as_millis())
            }
            Event::Failed { id, action, error } => format!("failed {id} {action:?} {:?}", error.class),
            Event::Stopping { in_flight } => format!("stopping {in_flight}"),
        };
        self.0.lock().unwrap().push(line);
    }
}
