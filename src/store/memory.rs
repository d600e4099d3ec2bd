//! Stores for tests: one in memory, and one whose wire can break.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use crate::cloud::{CloudError, ErrorClass};

use super::layout::check_key;
use super::{Condition, Earlier, Entry, Object, ObjectStore, StoreError, Version};

const ROOT: &str = "s3://memory/team";

/// Objects in memory; ages go by tokio's clock, so that tests can pause it.
#[derive(Default)]
pub(crate) struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    exists: bool,
    writes: u64,
    objects: BTreeMap<String, (Vec<u8>, u64, Instant)>,
    /// Earlier versions, the newest last, as a bucket with versioning keeps them.
    noncurrent: BTreeMap<String, Vec<(Vec<u8>, u64)>>,
}

impl MemoryStore {
    pub fn new() -> Self {
        let store = Self::default();
        store.state.lock().unwrap().exists = true;
        store
    }

    /// Its root is yet to be made.
    pub fn missing() -> Self {
        Self::default()
    }

    /// Keys of which anything is left, earlier versions included.
    pub fn traces(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let mut keys: Vec<String> = state.objects.keys().chain(state.noncurrent.keys()).cloned().collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

impl State {
    fn check(&self, key: &str, condition: &Condition) -> Result<(), StoreError> {
        let current = self.objects.get(key).map(|(_, version, _)| Version(version.to_string()));
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => current.is_none(),
            Condition::Unchanged(expected) => current.as_ref() == Some(expected),
        };
        if holds { Ok(()) } else { Err(StoreError::Changed { location: format!("{ROOT}/{key}") }) }
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    fn root(&self) -> &str {
        ROOT
    }

    async fn get(&self, key: &str) -> Result<Option<Object>, StoreError> {
        check_key(key)?;
        let state = self.state.lock().unwrap();
        Ok(state.objects.get(key).map(|(bytes, version, written)| Object {
            bytes: bytes.clone(),
            version: Version(version.to_string()),
            age: written.elapsed(),
        }))
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, condition: Condition) -> Result<Version, StoreError> {
        check_key(key)?;
        let mut state = self.state.lock().unwrap();
        if !state.exists {
            return Err(StoreError::no_root(ROOT));
        }
        state.check(key, &condition)?;
        state.writes += 1;
        let number = state.writes;
        if let Some((bytes, number, _)) = state.objects.insert(key.to_owned(), (bytes, number, Instant::now())) {
            state.noncurrent.entry(key.to_owned()).or_default().push((bytes, number));
        }
        Ok(Version(number.to_string()))
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<(), StoreError> {
        check_key(key)?;
        let mut state = self.state.lock().unwrap();
        state.check(key, &condition)?;
        if let Some((bytes, number, _)) = state.objects.remove(key) {
            state.noncurrent.entry(key.to_owned()).or_default().push((bytes, number));
        }
        Ok(())
    }

    async fn entries(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let state = self.state.lock().unwrap();
        let found = state.objects.iter().filter(|(key, _)| key.starts_with(prefix));
        Ok(found.map(|(key, (bytes, ..))| Entry { key: key.clone(), bytes: bytes.len() as u64 }).collect())
    }

    async fn earlier(&self, key: &str) -> Result<Vec<Earlier>, StoreError> {
        let state = self.state.lock().unwrap();
        let versions = state.noncurrent.get(key).into_iter().flatten().rev();
        Ok(versions.map(|(_, number)| Earlier { id: number.to_string(), written_at: Timestamp::UNIX_EPOCH }).collect())
    }

    async fn get_earlier(&self, key: &str, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let state = self.state.lock().unwrap();
        let mut versions = state.noncurrent.get(key).into_iter().flatten();
        Ok(versions.find(|(_, number)| number.to_string() == id).map(|(bytes, _)| bytes.clone()))
    }

    async fn directories(&self) -> Result<Vec<String>, StoreError> {
        let keys = self.list("").await?;
        let mut names: Vec<String> = keys.iter().filter_map(|key| Some(key.split_once('/')?.0.to_owned())).collect();
        names.dedup();
        Ok(names)
    }

    async fn purge(&self, prefix: &str, keep: &[String]) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap();
        let kept = |key: &str| !key.starts_with(prefix) || keep.iter().any(|kept| key.starts_with(kept));
        state.objects.retain(|key, _| kept(key));
        state.noncurrent.retain(|key, _| kept(key));
        Ok(())
    }

    async fn ensure(&self) -> Result<bool, StoreError> {
        Ok(!std::mem::replace(&mut self.state.lock().unwrap().exists, true))
    }
}

/// A call as the wire sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call<'a> {
    Get(&'a str),
    Put(&'a str),
    Delete(&'a str),
    Purge(&'a str),
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Arrives,
    /// It has no effect, and fails.
    RequestLost,
    /// It takes effect, and fails.
    AnswerLost,
    /// It takes effect, the answer is lost and the transport sends it again.
    Repeated,
    /// It arrives after a while.
    Delayed(Duration),
    /// It takes effect, and the answer comes after a while.
    AnswerDelayed(Duration),
}

/// A store behind a wire.
pub(super) struct Wire {
    store: Arc<MemoryStore>,
    fate: Box<dyn Fn(Call<'_>) -> Fate + Send + Sync>,
}

impl Wire {
    pub fn new(store: &Arc<MemoryStore>, fate: impl Fn(Call<'_>) -> Fate + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { store: Arc::clone(store), fate: Box::new(fate) })
    }

    async fn carry<'f, T>(
        &self,
        call: Call<'_>,
        send: impl Fn() -> BoxFuture<'f, Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let broken = || StoreError::Cloud {
            action: "reach".into(),
            location: ROOT.into(),
            source: CloudError {
                class: ErrorClass::Transport,
                operation: "s3:Any".into(),
                code: None,
                message: "connection reset".into(),
                request_id: None,
            },
        };
        match (self.fate)(call) {
            Fate::Arrives => send().await,
            Fate::RequestLost => Err(broken()),
            Fate::AnswerLost => send().await.and_then(|_| Err(broken())),
            Fate::Repeated => {
                let _ = send().await;
                send().await
            }
            Fate::Delayed(delay) => {
                sleep(delay).await;
                send().await
            }
            Fate::AnswerDelayed(delay) => {
                let answer = send().await;
                sleep(delay).await;
                answer
            }
        }
    }
}

#[async_trait]
impl ObjectStore for Wire {
    fn root(&self) -> &str {
        self.store.root()
    }

    async fn get(&self, key: &str) -> Result<Option<Object>, StoreError> {
        self.carry(Call::Get(key), || self.store.get(key)).await
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, condition: Condition) -> Result<Version, StoreError> {
        self.carry(Call::Put(key), || self.store.put(key, bytes.clone(), condition.clone())).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<(), StoreError> {
        self.carry(Call::Delete(key), || self.store.delete(key, condition.clone())).await
    }

    async fn entries(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        self.store.entries(prefix).await
    }

    async fn earlier(&self, key: &str) -> Result<Vec<Earlier>, StoreError> {
        self.store.earlier(key).await
    }

    async fn get_earlier(&self, key: &str, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get_earlier(key, id).await
    }

    async fn directories(&self) -> Result<Vec<String>, StoreError> {
        self.store.directories().await
    }

    async fn purge(&self, prefix: &str, keep: &[String]) -> Result<(), StoreError> {
        self.carry(Call::Purge(prefix), || self.store.purge(prefix, keep)).await
    }

    async fn ensure(&self) -> Result<bool, StoreError> {
        self.store.ensure().await
    }
}

#[tokio::test]
async fn the_store_in_memory_keeps_the_contract() {
    let store = MemoryStore::missing();
    super::contract::check(&store).await;
    assert_eq!(store.traces(), [] as [&str; 0]);
}
