//! A cloud in memory for tests: it keeps what it is told to make, insists on order, fails as scripted and remembers every call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::{as_observed, id as parsed, physical};
use crate::cloud::{
    Blocker, Cloud, CloudError, CloudFacts, CloudPreflight, CloudStatus, Creation, ErrorClass, ExistingNetwork, GroupStatus,
    HostedZone, Identity, InstanceStatus, InstanceTypeFacts, Leftover, Observed, Obstacles, Outputs, Physical, Quota, Readiness,
    ResolvedImage, Room, Scope, TargetState, Verdict, World,
};
use crate::model::policy::operator::Grant;
use crate::model::{Kind, Resource, ResourceId};
use crate::plan::Action;
use crate::spec::{Architecture, Cluster, Image, InstanceType};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Arrives,
    /// Refused, without effect.
    Refused(ErrorClass),
    /// It takes effect, and the answer is lost.
    AnswerLost,
    /// It takes effect, and nobody lives to hear of it.
    NeverReturns,
}

/// A call that makes, changes or removes something.
#[derive(Debug, Clone)]
pub struct Call {
    /// Counts from 0.
    pub number: usize,
    pub id: ResourceId,
    pub action: Action,
    /// Counts from 0, for each resource and action.
    pub attempt: usize,
    pub retry: bool,
    pub token: String,
    pub begin: Instant,
    pub end: Option<Instant>,
}

impl Call {
    pub fn is(&self, action: Action, id: &str) -> bool {
        self.action == action && self.id.to_string() == id
    }
}

type Script = Box<dyn Fn(&Call) -> Fate + Send + Sync>;
type Controllers = Box<dyn Fn(usize) -> Vec<Leftover> + Send + Sync>;
type LeftoverScript = Box<dyn Fn(&Leftover, usize) -> Option<ErrorClass> + Send + Sync>;
type Latency = Box<dyn Fn(Kind, Action) -> Duration + Send + Sync>;

/// The cloud. Everything that it does goes by tokio's clock, so that tests can pause it.
pub struct FakeCloud {
    state: Mutex<State>,
    script: Script,
    latency: Latency,
    controllers: Controllers,
    leftover_script: LeftoverScript,
    obstacles: Obstacles,
    held: Vec<Blocker>,
    killed: Notify,
}

#[derive(Default)]
struct State {
    /// Everything that exists, in the order of its making.
    objects: Vec<(ResourceId, Observed)>,
    made: usize,
    tokens: BTreeMap<String, Physical>,
    /// Looks until it is ready, or the reason why it never will be.
    pending: BTreeMap<ResourceId, Result<usize, String>>,
    /// Looks until it is gone, once deleted.
    lingers: BTreeMap<ResourceId, usize>,
    log: Vec<Call>,
    /// Looks for leftovers so far.
    leftover_looks: usize,
    /// Attempts to remove leftovers, and whether they did.
    leftovers: Vec<(String, bool)>,
    running: Running,
    looks: Vec<&'static str>,
}

/// What runs of a cluster, and whether it may be looked at.
#[derive(Default)]
pub struct Running {
    pub groups: Vec<GroupStatus>,
    pub instances: Vec<InstanceStatus>,
    pub targets: Vec<TargetState>,
    /// What Auto Scaling says of every group.
    pub failure: Option<String>,
    /// Looks that AWS denies.
    pub denied: BTreeSet<&'static str>,
}

impl Default for FakeCloud {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            script: Box::new(|_| Fate::Arrives),
            latency: Box::new(|_, _| Duration::ZERO),
            controllers: Box::new(|_| Vec::new()),
            leftover_script: Box::new(|_, _| None),
            obstacles: Obstacles::default(),
            held: Vec::new(),
            killed: Notify::new(),
        }
    }
}

/// Whether the state store keeps things of a kind, and no cloud.
pub fn is_stored(kind: Kind) -> bool {
    matches!(kind, Kind::BootstrapObject | Kind::ControlPlaneSettings)
}

impl FakeCloud {
    /// A cloud in which `world` exists.
    pub fn with_world(world: &World) -> Self {
        let cloud = Self::default();
        {
            let mut state = cloud.state();
            let objects = world.resources.iter().map(|(id, observed)| (id.clone(), observed.clone()));
            let objects = objects.chain(world.duplicates.clone());
            state.objects = objects.filter(|(id, _)| !is_stored(id.kind)).collect();
            // Apart from the numbers that the world came with.
            state.made = 5000;
        }
        cloud
    }

    pub fn script(mut self, script: impl Fn(&Call) -> Fate + Send + Sync + 'static) -> Self {
        self.script = Box::new(script);
        self
    }

    pub fn latency(mut self, latency: impl Fn(Kind, Action) -> Duration + Send + Sync + 'static) -> Self {
        self.latency = Box::new(latency);
        self
    }

    /// What controllers have made, by the number of the look: what was removed of that is gone.
    pub fn controllers(mut self, made: impl Fn(usize) -> Vec<Leftover> + Send + Sync + 'static) -> Self {
        self.controllers = Box::new(made);
        self
    }

    /// How attempts to remove a leftover fail; they count from 0.
    pub fn leftover_script(mut self, script: impl Fn(&Leftover, usize) -> Option<ErrorClass> + Send + Sync + 'static) -> Self {
        self.leftover_script = Box::new(script);
        self
    }

    pub fn obstacles(mut self, obstacles: Obstacles) -> Self {
        self.obstacles = obstacles;
        self
    }

    /// What others attached to the cluster's resources.
    pub fn held(mut self, held: Vec<Blocker>) -> Self {
        self.held = held;
        self
    }

    /// `id` is ready at the look after `looks` of them.
    pub fn pending(self, id: &str, looks: usize) -> Self {
        self.state().pending.insert(parsed(id), Ok(looks));
        self
    }

    pub fn never_ready(self, id: &str, reason: &str) -> Self {
        self.state().pending.insert(parsed(id), Err(reason.to_owned()));
        self
    }

    /// `id` is gone at the look after `looks` of them.
    pub fn lingers(self, id: &str, looks: usize) -> Self {
        self.state().lingers.insert(parsed(id), looks);
        self
    }

    pub fn log(&self) -> Vec<Call> {
        self.state().log.clone()
    }

    /// Changes what runs.
    pub fn run(&self, change: impl FnOnce(&mut Running)) {
        change(&mut self.state().running);
    }

    /// Every look at the world or at what runs, by what was looked at.
    pub fn looks(&self) -> Vec<&'static str> {
        self.state().looks.clone()
    }

    /// Something disappears, or comes to be, without a call.
    pub fn spoil(&self, change: impl FnOnce(&mut Vec<(ResourceId, Observed)>)) {
        change(&mut self.state().objects);
    }

    fn look<T>(&self, what: &'static str, read: impl FnOnce(&State) -> T) -> Result<T, CloudError> {
        let mut state = self.state();
        state.looks.push(what);
        match state.running.denied.contains(what) {
            true => Err(refused(ErrorClass::Denied, what, "you are not authorized")),
            false => Ok(read(&state)),
        }
    }

    /// Returns when a call took effect that never returns.
    pub async fn killed(&self) {
        self.killed.notified().await;
    }

    /// What is observed, which is what exists.
    pub fn world(&self) -> World {
        let mut world = World { held: self.held.clone(), ..World::default() };
        for (id, observed) in self.state().objects.clone() {
            if world.resources.contains_key(&id) {
                world.duplicates.push((id, observed));
            } else {
                world.resources.insert(id, observed);
            }
        }
        world
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn call<T>(
        &self,
        id: &ResourceId,
        action: Action,
        (token, retry): (&str, bool),
        effect: impl FnOnce(&mut State) -> Result<T, CloudError>,
    ) -> Result<T, CloudError> {
        let (number, fate) = {
            let mut state = self.state();
            let number = state.log.len();
            let attempt = state.log.iter().filter(|call| call.id == *id && call.action == action).count();
            let (token, begin) = (token.to_owned(), Instant::now());
            let call = Call { number, id: id.clone(), action, attempt, retry, token, begin, end: None };
            let fate = (self.script)(&call);
            state.log.push(call);
            (number, fate)
        };
        sleep((self.latency)(id.kind, action)).await;
        let result = {
            let mut state = self.state();
            state.log[number].end = Some(Instant::now());
            match fate {
                Fate::Refused(class) => Err(refused(class, &format!("{action:?} {id}"), "scripted")),
                Fate::Arrives => effect(&mut state),
                Fate::AnswerLost => {
                    effect(&mut state).and(Err(refused(ErrorClass::Transport, &format!("{action:?} {id}"), "lost")))
                }
                Fate::NeverReturns => effect(&mut state),
            }
        };
        if fate == Fate::NeverReturns {
            self.killed.notify_one();
            std::future::pending::<()>().await;
        }
        result
    }
}

fn refused(class: ErrorClass, operation: &str, message: &str) -> CloudError {
    CloudError { class, operation: operation.to_owned(), code: None, message: message.to_owned(), request_id: None }
}

impl State {
    fn first(&self, id: &ResourceId) -> Option<&Observed> {
        self.objects.iter().find(|(known, _)| known == id).map(|(_, observed)| observed)
    }

    /// Everything that `resource` refers to is there, under the id that the caller knows.
    fn check_references(&self, id: &ResourceId, resource: &Resource, outputs: &Outputs) -> Result<(), CloudError> {
        for target in resource.references().into_iter().filter(|target| !is_stored(target.kind)) {
            let there = self.first(&target).map(|observed| &observed.physical);
            if there.is_none() || outputs.get(&target) != there {
                return Err(refused(ErrorClass::Invalid, &format!("make {id}"), &format!("{target} is not there")));
            }
        }
        Ok(())
    }

    fn create(&mut self, creation: &Creation<'_>, outputs: &Outputs) -> Result<Physical, CloudError> {
        let Creation { id, resource, token, retry } = creation;
        self.check_references(id, resource, outputs)?;
        if let Some(made) = self.tokens.get(*token) {
            return Ok(made.clone());
        }
        if let Some(found) = self.first(id).filter(|_| *retry) {
            return Ok(found.physical.clone());
        }
        self.made += 1;
        let made = physical(id, self.made);
        self.tokens.insert((*token).to_owned(), made.clone());
        self.objects.push(((*id).clone(), Observed { resource: as_observed(resource), physical: made.clone() }));
        Ok(made)
    }

    fn update(&mut self, id: &ResourceId, observed: &Observed, desired: &Resource) -> Result<Physical, CloudError> {
        let object = self.objects.iter_mut().find(|(_, known)| known.physical.id == observed.physical.id);
        let (_, known) = object.ok_or_else(|| refused(ErrorClass::NotFound, &format!("change {id}"), "it is gone"))?;
        known.resource = as_observed(desired);
        Ok(known.physical.clone())
    }

    fn delete(&mut self, id: &ResourceId, observed: &Observed) -> Result<(), CloudError> {
        let gone = &observed.physical.id;
        let is_first = self.first(id).is_some_and(|first| first.physical.id == *gone);
        let user = self.objects.iter().find(|(user, other)| {
            // To AWS, what records and templates name is words.
            let holds = !matches!(user.kind, Kind::DnsRecord | Kind::LaunchTemplate);
            is_first && holds && other.resource.references().contains(id)
        });
        if let Some((user, _)) = user {
            return Err(refused(ErrorClass::InUse, &format!("remove {id}"), &format!("{user} needs it")));
        }
        if !self.lingers.contains_key(id) {
            self.objects.retain(|(_, known)| known.physical.id != *gone);
        }
        Ok(())
    }

    /// Asked only about what was deleted.
    fn is_gone(&mut self, id: &ResourceId, observed: &Observed) -> bool {
        match self.lingers.get_mut(id) {
            Some(looks) if *looks > 0 => *looks -= 1,
            _ => self.objects.retain(|(_, known)| known.physical.id != observed.physical.id),
        }
        !self.objects.iter().any(|(_, known)| known.physical.id == observed.physical.id)
    }
}

#[async_trait]
impl Cloud for FakeCloud {
    fn region(&self) -> &str {
        "us-east-1"
    }

    async fn identity(&self) -> Result<Identity, CloudError> {
        Ok(Identity { account: "123456789012".into(), arn: "arn:aws:iam::123456789012:user/test".into() })
    }

    async fn observe(&self, _scope: &Scope) -> Result<World, CloudError> {
        self.look("world", |_| ())?;
        Ok(self.world())
    }

    async fn create(&self, creation: Creation<'_>, outputs: &Outputs) -> Result<Physical, CloudError> {
        let with = (creation.token, creation.retry);
        self.call(creation.id, Action::Create, with, |state| state.create(&creation, outputs)).await
    }

    async fn update(
        &self,
        id: &ResourceId,
        observed: &Observed,
        desired: &Resource,
        outputs: &Outputs,
    ) -> Result<Physical, CloudError> {
        let effect = |state: &mut State| {
            state.check_references(id, desired, outputs)?;
            state.update(id, observed, desired)
        };
        self.call(id, Action::Update, ("", false), effect).await
    }

    async fn delete(&self, id: &ResourceId, observed: &Observed) -> Result<(), CloudError> {
        self.call(id, Action::Delete, ("", false), |state| state.delete(id, observed)).await
    }

    async fn readiness(&self, id: &ResourceId, _physical: &Physical) -> Result<Readiness, CloudError> {
        Ok(match self.state().pending.get_mut(id) {
            None | Some(Ok(0)) => Readiness::Ready,
            Some(Ok(looks)) => {
                *looks -= 1;
                Readiness::Pending("still pending".into())
            }
            Some(Err(reason)) => Readiness::Failed(reason.clone()),
        })
    }

    async fn is_gone(&self, id: &ResourceId, observed: &Observed) -> Result<bool, CloudError> {
        Ok(self.state().is_gone(id, observed))
    }

    async fn leftovers(&self, _scope: &Scope) -> Result<Vec<Leftover>, CloudError> {
        let mut state = self.state();
        let mut found = (self.controllers)(state.leftover_looks);
        state.leftover_looks += 1;
        found.retain(|leftover| !state.leftovers.iter().any(|(id, is_removed)| *is_removed && id == leftover.id()));
        Ok(found)
    }

    async fn delete_leftover(&self, _scope: &Scope, leftover: &Leftover) -> Result<(), CloudError> {
        let mut state = self.state();
        let attempt = state.leftovers.iter().filter(|(id, _)| id == leftover.id()).count();
        let failure = (self.leftover_script)(leftover, attempt);
        state.leftovers.push((leftover.id().to_owned(), failure.is_none()));
        failure.map_or(Ok(()), |class| Err(refused(class, &format!("remove {}", leftover.id()), "scripted")))
    }

    async fn obstacles(&self, _scope: &Scope, _world: &World) -> Result<Obstacles, CloudError> {
        Ok(self.obstacles.clone())
    }
}

/// The commands that are tested with it ask for no facts.
#[async_trait]
impl CloudFacts for FakeCloud {
    async fn image(&self, _image: &Image, _architecture: Architecture) -> Result<Option<ResolvedImage>, CloudError> {
        unreachable!("nobody asks for images")
    }

    async fn instance_types(&self, _types: &[InstanceType]) -> Result<Vec<InstanceTypeFacts>, CloudError> {
        unreachable!("nobody asks for instance types")
    }

    async fn zones(&self) -> Result<Vec<String>, CloudError> {
        unreachable!("nobody asks for zones")
    }

    async fn hosted_zones(&self, _name: &str, _private: bool, _vpc: Option<&str>) -> Result<Vec<HostedZone>, CloudError> {
        unreachable!("nobody asks for hosted zones")
    }

    async fn existing_network(&self, _vpc: &str, _subnets: &[String]) -> Result<ExistingNetwork, CloudError> {
        unreachable!("nobody asks for a network")
    }
}

#[async_trait]
impl CloudPreflight for FakeCloud {
    async fn permitted(&self, _identity: &Identity, _grants: &[Grant]) -> Result<Option<Vec<Verdict>>, CloudError> {
        Ok(None)
    }

    async fn role_exists(&self, _name: &str) -> Result<bool, CloudError> {
        unreachable!("nobody asks for roles")
    }

    async fn room(&self, _quotas: &[Quota]) -> BTreeMap<Quota, Result<Option<Room>, CloudError>> {
        unreachable!("nobody asks for quotas")
    }

    async fn offered(&self, _types: &[String]) -> Result<BTreeMap<String, BTreeSet<String>>, CloudError> {
        unreachable!("nobody asks for offerings")
    }
}

#[async_trait]
impl CloudStatus for FakeCloud {
    async fn groups(&self, _cluster: &Cluster) -> Result<Vec<GroupStatus>, CloudError> {
        self.look("groups", |state| state.running.groups.clone())
    }

    async fn last_failure(&self, _group_name: &str) -> Result<Option<String>, CloudError> {
        self.look("activities", |state| state.running.failure.clone())
    }

    async fn template_versions(&self, _cluster: &Cluster) -> Result<BTreeMap<String, u64>, CloudError> {
        unreachable!("nobody asks for launch templates")
    }

    async fn load_balancer_dns_name(&self, _cluster: &Cluster) -> Result<Option<String>, CloudError> {
        self.look("load balancer", |_| None)
    }

    async fn instances(&self, _cluster: &Cluster) -> Result<Vec<InstanceStatus>, CloudError> {
        self.look("instances", |state| state.running.instances.clone())
    }

    async fn name_servers(&self, _zone_id: &str) -> Result<Vec<String>, CloudError> {
        unreachable!("nobody asks for name servers")
    }

    async fn target_health(&self, _target_group_arn: &str) -> Result<Vec<TargetState>, CloudError> {
        self.look("targets", |state| state.running.targets.clone())
    }
}
