//! `--wait` in virtual time: what is asked, how often, and what becomes of it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{ApiFollower, ApiProbe, Follows, ValidateOptions, validate};
use crate::apply::Stop;
use crate::cloud::{Identity, TargetState};
use crate::health::{Check, CheckStatus, DnsFailure, KubeNode, KubernetesView, Presented, Report, Scope, Status, System};
use crate::inventory::Fleet;
use crate::model::{ControlPlaneSettings, Desired, Kind, Resource, ResourceId, build};
use crate::ops::{Approval, Environment, Operator, RestorePlan, StateRoot};
use crate::pki::ClusterPki;
use crate::plan::Plan;
use crate::spec::{Cluster, to_yaml};
use crate::store::memory::MemoryStore;
use crate::store::{Clock, ClusterStore, Condition, ObjectStore, Operation, PkiFiles};
use crate::test_support::fake_cloud::FakeCloud;
use crate::test_support::nobody::Nobody;
use crate::test_support::{example, facts, fleet, world};

const MINUTE: Duration = Duration::from_secs(60);
const TICK: usize = 10;
/// What a look at the world costs in AWS (`tests/it/health/waiting.rs` counts it).
const WORLD: usize = 28;

/// The cluster of the example `ha-private`, in perfect health until a test spoils it.
struct Scene {
    cluster: Cluster,
    desired: Desired,
    fleet: Fleet,
    objects: Arc<MemoryStore>,
    aws: FakeCloud,
    begun: Instant,
    nodes: Mutex<Vec<KubeNode>>,
    /// Slots that tell of etcd.
    telling: Mutex<Vec<String>>,
    changes: Mutex<Vec<(u64, Check)>>,
}

/// Goes as tokio's clock goes.
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        // After every machine of the fleet was launched.
        let base: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
        base + SignedDuration::try_from(self.0.elapsed()).unwrap()
    }
}

impl Operator for Nobody {
    fn phase(&self, _text: &str) {}

    fn waiting(&self, _text: &str) {}

    fn note(&self, _text: &str) {}

    fn approve(&self, _plan: &Plan) -> Approval {
        unreachable!("nothing is changed")
    }

    fn approve_restore(&self, _plan: &RestorePlan) -> Approval {
        unreachable!("nothing is changed")
    }

    fn begin_work(&self) {}
}

impl Scene {
    async fn healthy() -> Arc<Self> {
        let cluster = example("ha-private");
        let desired = build(&cluster, &facts(&cluster));
        let fleet = fleet(&cluster);
        let KubernetesView::Reachable { nodes, .. } = fleet.kubernetes.clone() else { unreachable!("it is healthy") };
        let scene = Self {
            aws: FakeCloud::with_world(&world(&desired)),
            objects: Arc::new(MemoryStore::new()),
            begun: Instant::now(),
            nodes: Mutex::new(nodes),
            telling: Mutex::new(cluster.slots().into_iter().map(|slot| slot.name).collect()),
            changes: Mutex::default(),
            cluster,
            desired,
            fleet,
        };
        let store = scene.store();
        let now = scene.now();
        store.write_facts(&facts(&scene.cluster), Condition::Absent).await.unwrap();
        store.write_spec(&to_yaml(&scene.cluster), None, Operation::Create, "test", now).await.unwrap();
        scene.run_machines();
        scene.write_keys().await;
        scene.write_objects().await;
        scene.tell().await;
        Arc::new(scene)
    }

    fn now(&self) -> Timestamp {
        Virtual(self.begun).now()
    }

    fn store(&self) -> ClusterStore<'_> {
        ClusterStore::new(self.objects.as_ref(), self.cluster.name.clone())
    }

    fn run_machines(&self) {
        let targets = self.desired.values().filter_map(|resource| match resource {
            Resource::Target(target) => {
                Some(TargetState { address: target.address.to_string(), state: "healthy".into(), reason: None })
            }
            _ => None,
        });
        self.aws.run(|running| {
            running.groups.clone_from(&self.fleet.groups);
            running.instances.clone_from(&self.fleet.instances);
            running.targets = targets.collect();
        });
    }

    async fn write_keys(&self) {
        let pki = ClusterPki::generate(&self.cluster.name, self.now(), &mut StdRng::seed_from_u64(1)).unwrap();
        let files = pki.files().into_iter().map(|(name, secret)| (name.to_owned(), secret.expose().as_bytes().to_vec()));
        self.store().write_pki_once(PkiFiles(files.collect())).await.unwrap();
    }

    /// What the state store keeps of the cluster's resources, and what became of the addons.
    async fn write_objects(&self) {
        for resource in self.desired.values() {
            match resource {
                Resource::BootstrapObject(object) => self.put(&object.key, "content").await,
                Resource::ControlPlaneSettings(settings) => {
                    self.put(&format!("control-plane/{}", ControlPlaneSettings::FILE), &settings.to_text()).await;
                    let reports = settings.addons.iter().map(|addon| {
                        json!({ "name": addon.name, "sha256": addon.sha256, "state": "applied", "since": "2026-11-27T00:00:00Z" })
                    });
                    self.put("control-plane/addons.json", &json!(reports.collect::<Vec<_>>()).to_string()).await;
                }
                _ => {}
            }
        }
    }

    async fn put(&self, key: &str, text: &str) {
        let key = format!("{}/{key}", self.cluster.name);
        self.objects.put(&key, text.as_bytes().to_vec(), Condition::Always).await.unwrap();
    }

    /// What slots write every minute, and a snapshot.
    async fn tell(&self) {
        let telling = self.telling.lock().unwrap().clone();
        let members: Vec<_> = (1..).zip(["cp-1", "cp-2", "cp-3"]).map(|(id, name)| json!({ "ID": id, "name": name })).collect();
        for slot in telling {
            let report = json!({ "at": self.now(), "status": [{ "Status": { "leader": 1, "dbSize": 1, "dbSizeQuota": 2_147_483_648_u64 } }],
                "members": { "members": members }, "alarms": {} });
            self.put(&format!("control-plane/etcd/{slot}.json"), &report.to_string()).await;
        }
        self.put(&format!("backups/etcd/{}-r1.db.zst", self.now().strftime("%Y%m%dT%H%M%SZ")), "snapshot").await;
    }

    /// Takes a resource away.
    fn lose(&self, which: impl Fn(&ResourceId) -> bool) {
        self.aws.spoil(|objects| objects.retain(|(id, _)| !which(id)));
    }

    /// Everything is as desired again.
    fn mend(&self) {
        let world = world(&self.desired);
        let kept = |id: &ResourceId| !matches!(id.kind, Kind::BootstrapObject | Kind::ControlPlaneSettings);
        self.aws.spoil(|objects| *objects = world.resources.into_iter().filter(|(id, _)| kept(id)).collect());
    }

    /// A worker is not Ready.
    fn spoil_node(&self) {
        self.nodes.lock().unwrap().last_mut().unwrap().not_ready = Some("KubeletNotReady: it is not".into());
    }

    /// Waits, while slots go on telling; and `meanwhile`.
    async fn wait(self: &Arc<Self>, minutes: u32, meanwhile: impl Future<Output = ()>) -> Report {
        let root = StateRoot::S3 { bucket: "kclust-state".into(), prefix: "team".into(), region: "us-east-1".into() };
        let stop = Stop::default();
        let environment = Environment {
            aws: &self.aws,
            identity: Identity { account: "123456789012".into(), arn: "arn:aws:iam::123456789012:user/test".into() },
            objects: Arc::clone(&self.objects) as Arc<dyn ObjectStore>,
            state_root: root,
            clock: Arc::new(Virtual(self.begun)),
            manifests: &Nobody,
            observer: &Nobody,
            operator: &Nobody,
            stop: &stop,
        };
        let options = ValidateOptions { scope: Scope::default(), wait: Some(MINUTE * minutes) };
        let api = Api(self.clone());
        let telling = async {
            loop {
                sleep(MINUTE).await;
                self.tell().await;
            }
        };
        let waiting = validate(&environment, &self.cluster.name, &api, &options, self.as_ref());
        let beside = async {
            meanwhile.await;
            std::future::pending().await
        };
        tokio::select! {
            report = waiting => report.unwrap(),
            () = telling => unreachable!("slots never end"),
            () = beside => unreachable!("it waits"),
        }
    }

    /// Looks since the first one, by what was looked at.
    fn looks(&self) -> BTreeMap<&'static str, usize> {
        let mut looks = BTreeMap::new();
        for look in self.aws.looks() {
            *looks.entry(look).or_default() += 1;
        }
        looks.values_mut().for_each(|count| *count -= 1);
        looks
    }

    /// What a check was said to be, with the seconds at which it became so.
    fn story(&self, name: &str) -> Vec<(u64, CheckStatus)> {
        let changes = self.changes.lock().unwrap();
        changes.iter().filter(|(_, check)| check.name == name).map(|(at, check)| (*at, check.status)).collect()
    }
}

impl Follows for Scene {
    fn changed(&self, checks: &[&Check]) {
        let at = self.begun.elapsed().as_secs();
        self.changes.lock().unwrap().extend(checks.iter().map(|check| (at, (*check).clone())));
    }
}

/// An API that has the nodes of the scene, by every way.
struct Api(Arc<Scene>);

impl Api {
    fn answer(&self) -> KubernetesView {
        let KubernetesView::Reachable { address, version, system, .. } = self.0.fleet.kubernetes.clone() else {
            unreachable!("it is healthy")
        };
        KubernetesView::Reachable { address, version, nodes: self.0.nodes.lock().unwrap().clone(), system: System { ..system } }
    }
}

#[async_trait]
impl ApiProbe for Api {
    async fn certificate(&self, _host: &str, name: &str, _pki: &ClusterPki) -> Result<Presented, String> {
        let now = self.0.now();
        Ok(Presented {
            names: vec![name.to_owned()],
            issuer: "kubernetes".into(),
            not_before: now,
            not_after: now + SignedDuration::from_hours(24 * 365),
            fault: None,
        })
    }

    async fn view(&self, _host: &str, _name: &str, _pki: &ClusterPki) -> KubernetesView {
        self.answer()
    }

    fn follow(&self, _host: &str, _name: &str, _pki: &ClusterPki, _life: Duration) -> Option<Box<dyn ApiFollower>> {
        Some(Box::new(Self(self.0.clone())))
    }

    fn resolver(&self, _name: &str) -> Option<String> {
        None
    }

    async fn addresses(&self, _name: &str) -> Result<Vec<Ipv4Addr>, DnsFailure> {
        unreachable!("there is no resolver")
    }

    async fn name_servers(&self, _zone: &str) -> Result<Vec<String>, String> {
        unreachable!("there is no resolver")
    }
}

#[async_trait]
impl ApiFollower for Api {
    async fn view(&mut self) -> KubernetesView {
        self.answer()
    }

    fn watched(&self) -> Option<KubernetesView> {
        Some(self.answer())
    }

    async fn changed(&mut self) {
        std::future::pending().await
    }
}

/// `create` still runs: there is nothing but the spec when the wait begins, not even keys.
#[tokio::test(start_paused = true)]
async fn what_is_made_meanwhile_is_seen() {
    let scene = Scene::healthy().await;
    scene.lose(|_| true);
    scene.aws.run(|running| *running = Default::default());
    let keys = scene.objects.list("").await.unwrap().into_iter().filter(|key| key.contains("/pki/"));
    for key in keys {
        scene.objects.delete(&key, Condition::Always).await.unwrap();
    }
    let report = scene
        .wait(15, async {
            sleep(MINUTE).await;
            scene.write_keys().await;
            scene.mend();
            // Group by group, so that something else is awaited all the time.
            sleep(MINUTE).await;
            scene.run_machines();
        })
        .await;
    assert_eq!(report.status, Status::Healthy, "{report:#?}");
    let waited = report.waited_seconds.unwrap();
    assert!((120..=270).contains(&waited), "{waited} s");
}

#[tokio::test(start_paused = true)]
async fn what_differs_is_looked_at_seldom() {
    let scene = Scene::healthy().await;
    let lost = |id: &ResourceId| id.kind == Kind::SecurityGroupRule && id.name.contains("API from nodes");
    scene.lose(lost);
    let report = scene.wait(20, std::future::pending()).await;
    assert_eq!((report.status, scene.story("resources")), (Status::Unhealthy, vec![(0, CheckStatus::Failed)]));
    let looks = scene.looks();
    let ticks = 20 * 60 / TICK;
    let cost = looks["world"] * WORLD + looks["groups"] * 3;
    assert!(looks["world"] >= 10, "{looks:?}");
    assert!(cost <= 4 * ticks, "{cost} calls in {ticks} ticks: {looks:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_mended_is_seen_soon() {
    let scene = Scene::healthy().await;
    scene.lose(|id| id.kind == Kind::SecurityGroupRule && id.name.contains("API from nodes"));
    let mended = async {
        sleep(MINUTE * 3).await;
        scene.mend();
    };
    let report = scene.wait(20, mended).await;
    assert_eq!(report.status, Status::Healthy);
    assert!(report.waited_seconds.unwrap() <= 180 + 90, "{:?}", report.waited_seconds);
}

/// While something else is awaited too.
#[tokio::test(start_paused = true)]
async fn what_differs_and_what_fails_beside_it_are_both_looked_at() {
    let scene = Scene::healthy().await;
    scene.lose(|id| id.kind == Kind::SecurityGroupRule && id.name.contains("API from nodes"));
    scene.spoil_node();
    let mended = async {
        sleep(MINUTE * 3).await;
        scene.mend();
    };
    let report = scene.wait(20, mended).await;
    let found: Vec<_> =
        report.checks.iter().filter(|check| check.status == CheckStatus::Failed).map(|check| &check.name).collect();
    assert_eq!(found, ["nodes"], "{:?}", scene.story("resources"));
    let seen = scene.story("resources").last().copied().unwrap();
    assert!(seen.1 == CheckStatus::Ok && seen.0 <= 180 + 150, "{seen:?}");
    let looks = scene.looks();
    let cost = looks["world"] * WORLD + looks["groups"] * 3 + looks.get("activities").copied().unwrap_or_default();
    assert!(cost <= 4 * 20 * 60 / TICK, "{cost} calls: {looks:?}");
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_ends_nothing() {
    let scene = Scene::healthy().await;
    scene.lose(|id| id.kind == Kind::SecurityGroupRule && id.name.contains("API from nodes"));
    let denied = async {
        sleep(Duration::from_secs(5)).await;
        scene.aws.run(|running| running.denied.extend(["world"]));
        sleep(MINUTE * 4).await;
        scene.mend();
        scene.aws.run(|running| running.denied.clear());
    };
    let report = scene.wait(20, denied).await;
    assert_eq!(report.status, Status::Healthy, "{report:#?}");
    let changes = scene.changes.lock().unwrap();
    let failed = changes.iter().filter(|(_, check)| check.name == "resources" && check.status == CheckStatus::Failed);
    assert_eq!(failed.count(), 1, "what is known of the world stays known");
}

/// One refused call is no reason to say nothing.
#[tokio::test(start_paused = true)]
async fn without_the_world_the_rest_is_told() {
    let scene = Scene::healthy().await;
    scene.aws.run(|running| running.denied.extend(["world"]));
    scene.spoil_node();
    let report = scene.wait(1, std::future::pending()).await;
    let of = |status| {
        let checks = report.checks.iter().filter(move |check| check.status == status);
        checks.map(|check| check.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of(CheckStatus::Failed), ["nodes"], "{report:#?}");
    assert_eq!(of(CheckStatus::Unknown), ["resources", "targets", "dns"], "{report:#?}");
    let resources = report.checks.iter().find(|check| check.name == "resources").unwrap();
    assert!(resources.cause.as_ref().unwrap().contains("you are not authorized"), "{resources:?}");
}

/// Reports and snapshots that were read at the beginning are old when the wait ends.
#[tokio::test(start_paused = true)]
async fn what_was_told_once_grows_old_and_is_asked_for_again() {
    for differs in [false, true] {
        let scene = Scene::healthy().await;
        scene.spoil_node();
        if differs {
            scene.lose(|id| id.kind == Kind::SecurityGroupRule && id.name.contains("API from nodes"));
        }
        let report = scene.wait(90, std::future::pending()).await;
        assert_eq!(report.status, Status::Unhealthy);
        for name in ["etcd", "backups"] {
            assert_eq!(scene.story(name), [(0, CheckStatus::Ok)], "{name} of a cluster that is well");
            let check = report.checks.iter().find(|check| check.name == name).unwrap();
            assert!(check.message.contains(" ago"), "it was not told: {check:?}");
        }
    }
}

/// A slot that really falls silent is noticed.
#[tokio::test(start_paused = true)]
async fn a_slot_that_falls_silent_is_noticed() {
    let scene = Scene::healthy().await;
    scene.spoil_node();
    let silent = async {
        sleep(MINUTE * 2 + MINUTE / 2).await;
        scene.telling.lock().unwrap().retain(|slot| slot != "cp-2");
    };
    let report = scene.wait(15, silent).await;
    let story = scene.story("etcd");
    assert!(story.len() == 2 && story[1].1 != CheckStatus::Ok, "{story:?} {report:#?}");
    assert!((400..600).contains(&story[1].0), "{story:?}");
}

/// AWS does not answer at one tick; what Auto Scaling said of the group is still known at the next.
#[tokio::test(start_paused = true)]
async fn the_reason_of_a_weak_group_outlives_a_tick_that_failed() {
    let scene = Scene::healthy().await;
    scene.aws.run(|running| {
        running.groups.last_mut().unwrap().instances.pop();
        running.failure = Some("We currently do not have sufficient m6i.xlarge capacity in the Availability Zone".into());
    });
    let outage = async {
        sleep(Duration::from_secs(15)).await;
        scene.aws.run(|running| running.denied.extend(["groups", "activities"]));
        sleep(Duration::from_secs(10)).await;
        scene.aws.run(|running| running.denied.retain(|what| *what != "groups"));
    };
    let report = scene.wait(5, outage).await;
    let group = report.checks.iter().find(|check| check.name == "group/workers").unwrap();
    assert!(group.cause.as_ref().unwrap().contains("no capacity"), "{group:?}");
}

/// It becomes weak while it is waited, and nobody may ask why: then nothing is said of its launches.
#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_activities_that_nobody_saw() {
    let scene = Scene::healthy().await;
    scene.spoil_node();
    let weak = async {
        sleep(Duration::from_secs(15)).await;
        scene.aws.run(|running| {
            running.groups.last_mut().unwrap().instances.pop();
            running.denied.insert("activities");
        });
    };
    let report = scene.wait(5, weak).await;
    let group = report.checks.iter().find(|check| check.name == "group/workers").unwrap();
    assert_eq!(group.status, CheckStatus::Failed);
    assert!(!format!("{group:?}").contains("no scaling activity has failed"), "{group:?}");
    assert!(format!("{group:?}").contains("not authorized"), "{group:?}");
}
