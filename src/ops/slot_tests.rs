//! `backup` and `restore` against slots that are played, in virtual time.

mod backup;
mod restore;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::sleep;

use super::{Approval, Environment, Operator, RestorePlan, StateRoot};
use crate::apply::Stop;
use crate::cloud::Identity;
use crate::plan::Plan;
use crate::spec::{ClusterName, to_yaml};
use crate::store::memory::MemoryStore;
use crate::store::{Clock, ClusterStore, Condition, ObjectStore, Operation};
use crate::test_support::fake_cloud::FakeCloud;
use crate::test_support::nobody::Nobody;
use crate::test_support::{example, facts};

const ACCOUNT: &str = "123456789012";
/// The snapshots that a team has, the newest last.
const OLD: &str = "backups/etcd/20261120T020000Z-r9.db.zst";
const NEW: &str = "backups/etcd/20261126T221500Z-r12345.db.zst";

/// Before the snapshots.
fn made_at() -> Timestamp {
    "2026-11-01T00:00:00Z".parse().unwrap()
}

/// A store with the cluster of the example `ha-private` (slots cp-1, cp-2, cp-3), and somebody at the terminal.
struct Team {
    objects: Arc<MemoryStore>,
    aws: FakeCloud,
    operator: Person,
    stop: Stop,
    root: StateRoot,
}

/// Answers as it is told, and keeps what it was shown.
struct Person {
    answer: Approval,
    notes: Mutex<Vec<String>>,
    shown: Mutex<Vec<RestorePlan>>,
    /// Runs while the question stands.
    meanwhile: Box<dyn Fn() + Send + Sync>,
}

/// 2026-11-26T22:20:00Z, always.
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        "2026-11-26T22:20:00Z".parse().unwrap()
    }
}

impl Operator for Person {
    fn phase(&self, _text: &str) {}

    fn waiting(&self, _text: &str) {}

    fn note(&self, text: &str) {
        self.notes.lock().unwrap().push(text.to_owned());
    }

    fn approve(&self, _plan: &Plan) -> Approval {
        unreachable!("neither command has a plan of resources")
    }

    fn approve_restore(&self, plan: &RestorePlan) -> Approval {
        self.shown.lock().unwrap().push(plan.clone());
        (self.meanwhile)();
        self.answer
    }

    fn begin_work(&self) {}
}

impl Team {
    async fn new() -> Self {
        Self::answering(Approval::Yes).await
    }

    async fn answering(answer: Approval) -> Self {
        let objects = Arc::new(MemoryStore::new());
        let cluster = example("ha-private");
        let store = ClusterStore::new(objects.as_ref(), cluster.name.clone());
        store.write_facts(&facts(&cluster), Condition::Absent).await.unwrap();
        store.write_spec(&to_yaml(&cluster), None, Operation::Create, "test", made_at()).await.unwrap();
        let operator = Person { answer, notes: Mutex::default(), shown: Mutex::default(), meanwhile: Box::new(|| {}) };
        let root = StateRoot::S3 { bucket: "memory".into(), prefix: "team".into(), region: "us-east-1".into() };
        Self { objects, aws: FakeCloud::default(), operator, stop: Stop::default(), root }
    }

    /// Puts both snapshots into the store.
    async fn with_snapshots(self) -> Self {
        for key in [OLD, NEW] {
            self.put(key, "snapshot").await;
        }
        self
    }

    fn name(&self) -> ClusterName {
        example("ha-private").name
    }

    fn environment(&self) -> Environment<'_> {
        Environment {
            aws: &self.aws,
            identity: Identity { account: ACCOUNT.into(), arn: "arn:aws:iam::123456789012:user/test".into() },
            objects: Arc::clone(&self.objects) as Arc<dyn ObjectStore>,
            state_root: self.root.clone(),
            clock: Arc::new(Stopped),
            manifests: &Nobody,
            observer: &Nobody,
            operator: &self.operator,
            stop: &self.stop,
        }
    }

    async fn put(&self, key: &str, text: &str) {
        put(&self.objects, key, text).await;
    }

    async fn get(&self, key: &str) -> Option<String> {
        get(&self.objects, key).await
    }

    /// Everything in the store, to see that nothing was written.
    async fn everything(&self) -> BTreeMap<String, Vec<u8>> {
        let mut all = BTreeMap::new();
        for key in self.objects.list("").await.unwrap() {
            let object = self.objects.get(&key).await.unwrap().unwrap();
            all.insert(key, object.bytes);
        }
        all
    }

    fn notes(&self) -> Vec<String> {
        self.operator.notes.lock().unwrap().clone()
    }
}

async fn put(objects: &MemoryStore, key: &str, text: &str) {
    objects.put(&format!("prod.example.com/{key}"), text.into(), Condition::Always).await.unwrap();
}

async fn get(objects: &MemoryStore, key: &str) -> Option<String> {
    let object = objects.get(&format!("prod.example.com/{key}")).await.unwrap()?;
    Some(String::from_utf8(object.bytes).unwrap())
}

/// Writes the status object of a slot's machine.
async fn tell(objects: &MemoryStore, slot: &str, since: &str, step: &str, error: Option<&str>) {
    let instance = format!("i-{slot}");
    let status = json!({
        "instance": instance, "role": "control-plane", "group": slot, "step": step, "since": since, "error": error, "steps": []
    });
    put(objects, &format!("nodes/status/{instance}.json"), &status.to_string()).await;
}

/// A slot that looks every 15 s, does what is asked for and says so, as long as the test lives.
fn play(objects: &Arc<MemoryStore>, slot: &'static str) {
    let objects = Arc::clone(objects);
    tokio::spawn(async move {
        let mut epoch = String::new();
        loop {
            sleep(Duration::from_secs(15)).await;
            let Some(request) = get(&objects, "control-plane/restore").await else { continue };
            let wanted = request.lines().next().unwrap().to_owned();
            if wanted != epoch {
                tell(&objects, slot, "2026-11-26T22:20:15Z", "restoring etcd", None).await;
                sleep(Duration::from_secs(20)).await;
                put(&objects, &format!("control-plane/restored/{wanted}/{slot}"), "2026-11-26T22:20:35Z\n").await;
                epoch = wanted;
            }
        }
    });
}

/// A slot that leads etcd: it answers requests for snapshots with `outcome`, and writes one where that is a key.
fn play_leader(objects: &Arc<MemoryStore>, outcome: &'static str) {
    let objects = Arc::clone(objects);
    tokio::spawn(async move {
        let mut answered = String::new();
        loop {
            sleep(Duration::from_secs(15)).await;
            let Some(request) = get(&objects, "control-plane/backup-request").await else { continue };
            if request != answered {
                if !outcome.starts_with("error: ") {
                    put(&objects, outcome, "snapshot").await;
                }
                put(&objects, "control-plane/backup-answer", &format!("{request}{outcome}\n")).await;
                answered = request;
            }
        }
    });
}
