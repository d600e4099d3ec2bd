//! A directory as a store: development, rendering without a cloud, tests.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::layout::check_key;
use super::{Condition, Entry, Object, ObjectStore, StoreError, StoreUrl, Version};

/// Directory of the store's own, below the root. It is in no listing.
const OWN: &str = ".kclust";

/// Objects as files below a directory, readable by their owner only. The version of an object is the SHA-256 of its content.
///
/// Every change is made under an exclusive `flock` of one file, which ends with the process that holds it; so a check and the write
/// that depends on it are one step between processes, too. Content is written beside its place, synced and renamed: readers take no
/// lock. The directory may lie on a network file system if that has locks.
#[derive(Debug, Clone)]
pub struct FileStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    url: String,
    dir: PathBuf,
}

impl FileStore {
    /// Nothing is read or made yet. `dir` is absolute (see [`StoreUrl`]).
    pub fn new(dir: PathBuf) -> Self {
        let url = StoreUrl::File { dir: dir.clone() }.to_string();
        Self { inner: Arc::new(Inner { url, dir }) }
    }

    /// File operations block: they run on the runtime's threads for that.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(result) => result,
            Err(panicked) => {
                Err(StoreError::Io { action: "use".into(), location: self.inner.url.clone(), source: io::Error::other(panicked) })
            }
        }
    }
}

#[async_trait]
impl ObjectStore for FileStore {
    fn root(&self) -> &str {
        &self.inner.url
    }

    async fn get(&self, key: &str) -> Result<Option<Object>, StoreError> {
        check_key(key)?;
        let key = key.to_owned();
        self.run(move |store| store.read(&key).map_err(store.failed("read", &key))).await
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, condition: Condition) -> Result<Version, StoreError> {
        check_key(key)?;
        let key = key.to_owned();
        self.run(move |store| {
            let Some(_guard) = store.exclusive()? else {
                return Err(StoreError::no_root(&store.url));
            };
            store.check(&key, &condition)?;
            store.write(&key, &bytes).map_err(store.failed("write", &key))?;
            Ok(version(&bytes))
        })
        .await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<(), StoreError> {
        check_key(key)?;
        let key = key.to_owned();
        self.run(move |store| {
            let guard = store.exclusive()?;
            store.check(&key, &condition)?;
            match guard {
                Some(_guard) => store.remove(&key).map_err(store.failed("remove", &key)),
                None => Ok(()),
            }
        })
        .await
    }

    async fn entries(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let prefix = prefix.to_owned();
        let sized = move |store: &Inner| {
            let size = |key: String| match fs::metadata(store.path(&key)) {
                Ok(metadata) => Ok(Some(Entry { key, bytes: metadata.len() })),
                // Removed since it was listed.
                Err(error) if is_absent(&error) => Ok(None),
                Err(error) => Err(store.failed("list", &prefix)(error)),
            };
            store.list(&prefix)?.into_iter().filter_map(|key| size(key).transpose()).collect()
        };
        self.run(sized).await
    }

    async fn directories(&self) -> Result<Vec<String>, StoreError> {
        self.run(|store| store.directories().map_err(store.failed("list", ""))).await
    }

    async fn purge(&self, prefix: &str, keep: &[String]) -> Result<(), StoreError> {
        let (prefix, keep) = (prefix.to_owned(), keep.to_owned());
        self.run(move |store| {
            let Some(_guard) = store.exclusive()? else {
                return Ok(());
            };
            // What a crash left of an unfinished write may be a key, too.
            absent_is_fine(fs::remove_file(store.incoming())).map_err(store.failed("remove", &prefix))?;
            for key in store.list(&prefix)? {
                if !keep.iter().any(|kept| key.starts_with(kept)) {
                    store.remove(&key).map_err(store.failed("remove", &key))?;
                }
            }
            Ok(())
        })
        .await
    }

    async fn ensure(&self) -> Result<bool, StoreError> {
        self.run(|store| {
            if store.dir.is_dir() {
                return Ok(false);
            }
            if store.dir.exists() {
                return Err(StoreError::Unusable {
                    reason: format!("{} is not a directory", store.dir.display()),
                    hint: "name a directory, or a path where one can be made".into(),
                });
            }
            make_dirs(&store.dir).map_err(store.failed("make", ""))?;
            Ok(true)
        })
        .await
    }
}

impl Inner {
    fn path(&self, key: &str) -> PathBuf {
        self.dir.join(key)
    }

    /// Where content is written before it is moved to its place. One name is enough: its only user holds the lock.
    fn incoming(&self) -> PathBuf {
        self.dir.join(OWN).join("incoming")
    }

    fn failed(&self, action: &str, key: &str) -> impl FnOnce(io::Error) -> StoreError {
        let (action, location) = (action.to_owned(), format!("{}/{key}", self.url).trim_end_matches('/').to_owned());
        move |source| StoreError::Io { action, location, source }
    }

    /// Waits until no other process changes the store. `None` where there is no root.
    fn exclusive(&self) -> Result<Option<File>, StoreError> {
        let lock = || {
            if !self.dir.is_dir() {
                return Ok(None);
            }
            make_dirs(&self.dir.join(OWN))?;
            let file =
                OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.dir.join(OWN).join("lock"))?;
            file.lock()?;
            Ok(Some(file))
        };
        lock().map_err(self.failed("lock", ""))
    }

    fn check(&self, key: &str, condition: &Condition) -> Result<(), StoreError> {
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => self.read(key).map_err(self.failed("read", key))?.is_none(),
            Condition::Unchanged(expected) => {
                self.read(key).map_err(self.failed("read", key))?.is_some_and(|object| object.version == *expected)
            }
        };
        if holds { Ok(()) } else { Err(StoreError::Changed { location: format!("{}/{key}", self.url) }) }
    }

    fn read(&self, key: &str) -> io::Result<Option<Object>> {
        let path = self.path(key);
        let (bytes, modified) = match File::open(&path) {
            Ok(mut file) => {
                let metadata = file.metadata()?;
                // A directory can be opened; as an object it is not there.
                if metadata.is_dir() {
                    return Ok(None);
                }
                let mut bytes = Vec::new();
                io::Read::read_to_end(&mut file, &mut bytes)?;
                (bytes, metadata.modified()?)
            }
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let version = version(&bytes);
        Ok(Some(Object { bytes, version, age: modified.elapsed().unwrap_or(Duration::ZERO) }))
    }

    fn write(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let (path, incoming) = (self.path(key), self.incoming());
        let parent = path.parent().unwrap_or(&self.dir);
        make_dirs(parent)?;
        absent_is_fine(fs::remove_file(&incoming))?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&incoming)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&incoming, &path)?;
        sync_dir(parent)
    }

    /// Removes a file, and the directories that it leaves empty.
    fn remove(&self, key: &str) -> io::Result<()> {
        let path = self.path(key);
        absent_is_fine(fs::remove_file(&path))?;
        let parents = path.ancestors().skip(1).take_while(|dir| *dir != self.dir);
        for dir in parents {
            match fs::remove_dir(dir) {
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => return sync_dir(dir),
                other => absent_is_fine(other)?,
            }
        }
        sync_dir(&self.dir)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let base = prefix.rsplit_once('/').map_or("", |(base, _)| base);
        if !base.is_empty() {
            check_key(base)?;
        }
        let mut keys = Vec::new();
        self.walk(base, &mut keys).map_err(self.failed("list", prefix))?;
        keys.retain(|key| key.starts_with(prefix));
        keys.sort();
        Ok(keys)
    }

    fn walk(&self, dir: &str, keys: &mut Vec<String>) -> io::Result<()> {
        for (name, is_dir) in self.entries(dir)? {
            let key = if dir.is_empty() { name } else { format!("{dir}/{name}") };
            match is_dir {
                true => self.walk(&key, keys)?,
                false => keys.push(key),
            }
        }
        Ok(())
    }

    fn directories(&self) -> io::Result<Vec<String>> {
        let mut names: Vec<String> = self.entries("")?.into_iter().filter(|(_, is_dir)| *is_dir).map(|(name, _)| name).collect();
        names.sort();
        Ok(names)
    }

    /// Names in a directory, and whether they are directories themselves. What is neither that nor a file is not ours.
    fn entries(&self, dir: &str) -> io::Result<Vec<(String, bool)>> {
        let entries = match fs::read_dir(self.path(dir)) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if let Ok(name) = entry.file_name().into_string()
                && (kind.is_dir() || kind.is_file())
                && !(dir.is_empty() && OsStr::new(&name) == OWN)
            {
                names.push((name, kind.is_dir()));
            }
        }
        Ok(names)
    }
}

fn version(bytes: &[u8]) -> Version {
    Version(format!("{:x}", Sha256::digest(bytes)))
}

/// Makes directories that only their owner can enter.
fn make_dirs(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Makes a rename or removal survive a crash of the machine.
fn sync_dir(dir: &Path) -> io::Result<()> {
    absent_is_fine(File::open(dir).and_then(|dir| dir.sync_all()))
}

/// Also where a file stands in the place of a directory on the way.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if is_absent(&error) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_file_store_keeps_the_contract() {
        let temp = tempfile::tempdir().unwrap();
        super::super::contract::check(&FileStore::new(temp.path().join("a/state"))).await;
    }

    /// Separate stores, as separate processes have them: nothing but the file system between them.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_many_processes_one_wins() {
        let temp = tempfile::tempdir().unwrap();
        let key = "prod/lock";
        let mut condition = Condition::Absent;
        for round in 0..20 {
            let tasks: Vec<_> = (0..8)
                .map(|writer| {
                    let (store, condition) = (FileStore::new(temp.path().to_owned()), condition.clone());
                    tokio::spawn(async move { store.put(key, format!("{round} {writer}").into_bytes(), condition).await })
                })
                .collect();
            let mut winners = Vec::new();
            for task in tasks {
                winners.extend(task.await.unwrap().ok());
            }
            assert_eq!(winners.len(), 1, "round {round}");
            condition = Condition::Unchanged(winners.remove(0));
        }
    }

    #[tokio::test]
    async fn only_the_owner_can_read() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("state");
        let store = FileStore::new(dir.clone());
        assert!(store.ensure().await.unwrap());
        store.put("prod/pki/ca.key", b"secret".to_vec(), Condition::Absent).await.unwrap();
        store.put("prod/pki/ca.key", b"secret too".to_vec(), Condition::Always).await.unwrap();
        for path in ["", "prod", "prod/pki", ".kclust"] {
            assert_eq!(mode(&dir.join(path)), 0o700, "{path}");
        }
        assert_eq!(mode(&dir.join("prod/pki/ca.key")), 0o600);
    }

    #[tokio::test]
    async fn an_unfinished_write_is_neither_seen_nor_kept() {
        let temp = tempfile::tempdir().unwrap();
        let store = FileStore::new(temp.path().to_owned());
        store.put("a", b"old".to_vec(), Condition::Absent).await.unwrap();
        // As if a process had died between writing and renaming.
        fs::write(store.inner.incoming(), b"half").unwrap();
        assert_eq!(store.list("").await.unwrap(), ["a"]);
        assert_eq!(store.get("a").await.unwrap().unwrap().bytes, b"old");
        store.put("a", b"new".to_vec(), Condition::Always).await.unwrap();
        assert_eq!(store.get("a").await.unwrap().unwrap().bytes, b"new");
        fs::write(store.inner.incoming(), b"half").unwrap();
        store.purge("", &[]).await.unwrap();
        assert!(!store.inner.incoming().exists());
    }

    #[tokio::test]
    async fn empty_directories_go_with_their_last_file() {
        let temp = tempfile::tempdir().unwrap();
        let store = FileStore::new(temp.path().to_owned());
        store.put("prod/pki/ca.key", vec![], Condition::Absent).await.unwrap();
        store.put("prod/lock", vec![], Condition::Absent).await.unwrap();
        store.delete("prod/pki/ca.key", Condition::Always).await.unwrap();
        assert!(!temp.path().join("prod/pki").exists());
        assert!(temp.path().join("prod/lock").exists());
        store.delete("prod/lock", Condition::Always).await.unwrap();
        assert_eq!(store.directories().await.unwrap(), Vec::<String>::new());
        assert!(temp.path().exists());
    }

    #[tokio::test]
    async fn a_root_that_is_a_file_is_refused() {
        let temp = tempfile::NamedTempFile::new().unwrap();
        let store = FileStore::new(temp.path().to_owned());
        assert!(matches!(store.ensure().await, Err(StoreError::Unusable { .. })));
        assert!(matches!(store.put("a", vec![], Condition::Always).await, Err(StoreError::Unusable { .. })));
    }

    #[tokio::test]
    async fn keys_cannot_leave_the_root() {
        let temp = tempfile::tempdir().unwrap();
        let store = FileStore::new(temp.path().join("state"));
        store.ensure().await.unwrap();
        fs::write(temp.path().join("secret"), b"x").unwrap();
        assert!(matches!(store.get("../secret").await, Err(StoreError::BadKey { .. })));
        assert!(matches!(store.put("/etc/x", vec![], Condition::Always).await, Err(StoreError::BadKey { .. })));
        assert!(matches!(store.delete("a/../../secret", Condition::Always).await, Err(StoreError::BadKey { .. })));
        assert!(matches!(store.list("../").await, Err(StoreError::BadKey { .. })));
        assert!(matches!(store.purge("../sec", &[]).await, Err(StoreError::BadKey { .. })));
    }
}
