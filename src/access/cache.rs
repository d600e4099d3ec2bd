//! Credentials that are still good, so that not every call of kubectl is one to AWS.
//!
//! A cache that cannot be used is none: credentials are made anew then.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::pki::{ClientCertificate, Secret, certificate_validity};
use crate::spec::ClusterName;

/// How long before its end a certificate is renewed: longer than clocks differ and requests take.
const EARLY: SignedDuration = SignedDuration::from_mins(5);
/// How long it is waited for another process that makes the same credential: longer than that takes where all is well. Where it is not, as
/// without a network, all fail at the same time, and not one after the other.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(50);

/// A directory for its owner only, with one for each cluster.
#[derive(Debug, Clone)]
pub struct CredentialCache {
    /// `None`: nothing is kept.
    directory: Option<PathBuf>,
}

/// Until when a certificate is to be used.
///
/// # Errors
/// When it is not a certificate.
pub fn usable_until(certificate: &ClientCertificate) -> Result<Timestamp, crate::pki::PkiError> {
    certificate_validity(&certificate.certificate).map(|(_, end)| end - EARLY)
}

impl CredentialCache {
    /// Below `$XDG_CACHE_HOME`, which counts only where it is absolute, or else `~/.cache`.
    pub fn of_user(cache_home: Option<PathBuf>, home: Option<&Path>) -> Self {
        let base = cache_home.filter(|path| path.is_absolute()).or_else(|| home.map(|home| home.join(".cache")));
        Self { directory: base.map(|base| base.join("kclust/credentials")) }
    }

    /// The certificate of an identity for a cluster: one that is kept and good at `now`, or what `make` makes. Of several processes that
    /// want the same at the same time, one makes it, if it does so soon. `identity` is whatever tells one from another.
    ///
    /// # Errors
    /// Those of `make`.
    pub async fn certificate<E>(
        &self,
        cluster: &ClusterName,
        identity: &[Vec<u8>],
        now: Timestamp,
        make: impl AsyncFnOnce() -> Result<ClientCertificate, E>,
    ) -> Result<ClientCertificate, E> {
        let Some(directory) = self.directory.as_ref().map(|directory| directory.join(cluster.as_str())) else {
            return make().await;
        };
        let file = directory.join(format!("{}.json", digest(identity)));
        if let Some(kept) = kept(&file, now) {
            return Ok(kept);
        }
        let Ok(lock) = open_lock(&directory, &file) else { return make().await };
        wait_for(&lock).await;
        // Somebody may have made it while this one waited.
        if let Some(kept) = kept(&file, now) {
            return Ok(kept);
        }
        let made = make().await?;
        match keep(&file, &made) {
            Ok(()) => self.prune(&file, now),
            Err(error) => tracing::debug!("the credential is not kept: {error}"),
        }
        // The end of the file is that of the lock.
        drop(lock);
        Ok(made)
    }

    /// Removes what has ended, of all clusters: with every change of what decides the identity comes another file.
    fn prune(&self, own: &Path, now: Timestamp) {
        let below = |directory: &Path| fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        let has_extension = |file: &Path, extension: &str| file.extension().is_some_and(|found| found == extension);
        let Some(root) = &self.directory else { return };
        let files: Vec<PathBuf> = below(root).flat_map(|directory| below(&directory)).collect();
        for file in files.iter().filter(|file| has_extension(file, "json") && has_ended(file, now)) {
            let _ = fs::remove_file(file);
        }
        // Locks, and what a process left that was ended while it wrote.
        let is_left = |file: &Path| !has_extension(file, "json") && !file.with_extension("json").exists() && is_free(file);
        for file in files.iter().filter(|file| file.file_stem() != own.file_stem() && is_left(file)) {
            let _ = fs::remove_file(file);
        }
    }

    /// Removes all that is kept for a cluster.
    pub fn forget(&self, cluster: &ClusterName) {
        if let Some(directory) = &self.directory {
            // What stays ends by itself within the hour.
            let _ = fs::remove_dir_all(directory.join(cluster.as_str()));
        }
    }
}

fn digest(parts: &[Vec<u8>]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The file that is locked while a credential is made.
fn open_lock(directory: &Path, file: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file.with_extension("lock"))?;
    let metadata = fs::metadata(directory)?;
    if metadata.uid() != lock.metadata()?.uid() || !is_closed(&metadata) {
        return Err(io::Error::other(format!("{} is open to others", directory.display())));
    }
    Ok(lock)
}

/// Waits until no other process makes this credential, but not for one that hangs.
async fn wait_for(lock: &File) {
    let locked = async {
        while let Err(TryLockError::WouldBlock) = lock.try_lock() {
            tokio::time::sleep(PAUSE).await;
        }
    };
    let _ = tokio::time::timeout(PATIENCE, locked).await;
}

/// Nobody works with it.
fn is_free(file: &Path) -> bool {
    File::open(file).is_ok_and(|file| file.try_lock().is_ok())
}

/// What is in it is of no use any more.
fn has_ended(file: &Path, now: Timestamp) -> bool {
    let Ok(bytes) = fs::read(file) else { return false };
    let document: Json = serde_json::from_slice(&bytes).unwrap_or_default();
    let end = document["certificate"].as_str().and_then(|certificate| certificate_validity(certificate).ok());
    end.is_none_or(|(_, end)| end <= now)
}

/// What the file holds, if nobody else could have put it there and it is good at `now`.
fn kept(file: &Path, now: Timestamp) -> Option<ClientCertificate> {
    let directory = fs::metadata(file.parent()?).ok()?;
    let metadata = fs::symlink_metadata(file).ok()?;
    if !metadata.is_file() || !is_closed(&metadata) || !is_closed(&directory) {
        return None;
    }
    let document: Json = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    let text = |key: &str| document[key].as_str().map(str::to_owned);
    let certificate = ClientCertificate { certificate: text("certificate")?, key: Secret::new(text("key")?) };
    let (begin, end) = certificate_validity(&certificate.certificate).ok()?;
    (begin <= now && now < end - EARLY).then_some(certificate)
}

/// Neither the group nor others may do anything.
fn is_closed(metadata: &fs::Metadata) -> bool {
    metadata.mode() & 0o077 == 0
}

fn keep(file: &Path, certificate: &ClientCertificate) -> io::Result<()> {
    let document = json!({"certificate": certificate.certificate, "key": certificate.key.expose()});
    // Others may write the same: who has waited for long enough has no lock.
    let incoming = file.with_extension(format!("{:08x}.new", rand::random::<u32>()));
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&incoming)?;
    new.write_all(document.to_string().as_bytes())?;
    fs::rename(&incoming, file)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use tempfile::TempDir;

    use super::*;
    use crate::pki::Authority;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn now() -> Timestamp {
        "2026-11-22T14:00:00Z".parse().unwrap()
    }

    struct Bed {
        home: TempDir,
        authority: Authority,
        made: AtomicU32,
    }

    impl Bed {
        fn new() -> Self {
            let mut rng = StdRng::seed_from_u64(1);
            let authority = Authority::generate("kubernetes", "test", HOUR * 24, now(), &mut rng).unwrap();
            Self { home: TempDir::new().unwrap(), authority, made: AtomicU32::new(0) }
        }

        fn cache(&self) -> CredentialCache {
            CredentialCache::of_user(None, Some(self.home.path()))
        }

        async fn ask(&self, cluster: &str, identity: &str, now: Timestamp) -> ClientCertificate {
            let cluster = ClusterName::parse(cluster).unwrap();
            let make = async || {
                // Others come meanwhile.
                tokio::task::yield_now().await;
                let number = self.made.fetch_add(1, Ordering::SeqCst);
                let mut rng = StdRng::seed_from_u64(number.into());
                Ok::<_, Infallible>(self.authority.client_certificate("me", "us", HOUR, now, &mut rng).unwrap())
            };
            self.cache().certificate(&cluster, &[identity.as_bytes().to_vec()], now, make).await.unwrap()
        }

        fn files(&self) -> Vec<PathBuf> {
            let directory = self.home.path().join(".cache/kclust/credentials/dev");
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
        }

        fn made(&self) -> u32 {
            self.made.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn a_credential_is_kept_until_shortly_before_its_end() {
        let bed = Bed::new();
        let first = bed.ask("dev", "alice", now()).await;
        assert_eq!(usable_until(&first).unwrap(), now() + SignedDuration::from_mins(55));
        assert_eq!(bed.ask("dev", "alice", now() + SignedDuration::from_secs(55 * 60 - 1)).await, first);
        assert_eq!(bed.made(), 1);
        assert_ne!(bed.ask("dev", "alice", now() + SignedDuration::from_mins(55)).await, first);
        assert_eq!(bed.made(), 2);
        // A clock that was set back.
        bed.ask("dev", "alice", now() - HOUR).await;
        assert_eq!(bed.made(), 3);
    }

    #[tokio::test]
    async fn each_cluster_and_identity_has_its_own() {
        let bed = Bed::new();
        bed.ask("dev", "alice", now()).await;
        bed.ask("dev", "bob", now()).await;
        bed.ask("prod", "alice", now()).await;
        assert_eq!(bed.made(), 3);
        bed.cache().forget(&ClusterName::parse("dev").unwrap());
        bed.ask("prod", "alice", now()).await;
        assert_eq!(bed.made(), 3);
        bed.ask("dev", "alice", now()).await;
        assert_eq!(bed.made(), 4);
        assert_ne!(digest(&[b"ab".to_vec(), b"c".to_vec()]), digest(&[b"a".to_vec(), b"bc".to_vec()]));
    }

    #[tokio::test]
    async fn files_and_directories_are_closed_and_those_that_are_not_do_not_count() {
        let bed = Bed::new();
        bed.ask("dev", "alice", now()).await;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for directory in [".cache", ".cache/kclust", ".cache/kclust/credentials", ".cache/kclust/credentials/dev"] {
            assert_eq!(mode(&bed.home.path().join(directory)), 0o700, "{directory}");
        }
        let files = bed.files();
        assert_eq!(files.len(), 2);
        for file in &files {
            assert_eq!(mode(file), 0o600, "{}", file.display());
            fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
        }
        bed.ask("dev", "alice", now()).await;
        assert_eq!(bed.made(), 2);
        assert!(bed.files().iter().filter(|file| file.extension().unwrap() == "json").all(|file| mode(file) == 0o600));
        fs::set_permissions(bed.home.path().join(".cache/kclust/credentials/dev"), fs::Permissions::from_mode(0o777)).unwrap();
        bed.ask("dev", "alice", now()).await;
        bed.ask("dev", "alice", now()).await;
        assert_eq!(bed.made(), 4, "nothing is kept where others may write");
    }

    /// Credentials of AWS that are renewed every hour are another identity each time.
    #[tokio::test]
    async fn what_has_ended_goes_when_something_is_kept() {
        let bed = Bed::new();
        let names = || {
            let mut names: Vec<PathBuf> = bed.files();
            names.sort();
            names
        };
        bed.ask("dev", "first", now()).await;
        let first = names();
        assert_eq!(first.len(), 2);
        // Of one that was ended while it wrote, and of one that is at work.
        let directory = first[0].parent().unwrap().to_owned();
        fs::write(directory.join("abc.12345678.new"), "").unwrap();
        let busy = open_lock(&directory, &directory.join("busy.json")).unwrap();
        busy.lock().unwrap();
        bed.ask("dev", "second", now() + SignedDuration::from_mins(30)).await;
        assert_eq!(names().len(), 2 + 2 + 1, "the first is good still, and somebody is at work: {:?}", names());
        drop(busy);
        bed.ask("prod", "third", now() + HOUR).await;
        let left = names();
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(!left.contains(&first[0]) && !left.contains(&first[1]));
        assert_eq!(bed.made(), 3);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_made_again() {
        let bed = Bed::new();
        for content in ["", "{}", "{\"certificate\": \"x\", \"key\": \"y\"}"] {
            bed.ask("dev", "alice", now()).await;
            let file = bed.files().into_iter().find(|file| file.extension().unwrap() == "json").unwrap();
            fs::write(file, content).unwrap();
        }
        assert_eq!(bed.made(), 3);
    }

    #[tokio::test]
    async fn without_a_place_everything_works_and_nothing_is_kept() {
        let bed = Bed::new();
        let file = bed.home.path().join(".cache");
        fs::write(&file, "").unwrap();
        bed.ask("dev", "alice", now()).await;
        bed.ask("dev", "alice", now()).await;
        assert_eq!(bed.made(), 2);
        let nowhere = CredentialCache::of_user(Some("relative".into()), None);
        assert!(nowhere.directory.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_at_the_same_time_one_makes_it() {
        let bed = Bed::new();
        let all = futures_util::future::join_all((0..8).map(|_| bed.ask("dev", "alice", now()))).await;
        assert_eq!(bed.made(), 1);
        assert!(all.iter().all(|one| *one == all[0]));
    }

    /// Without a network each takes its time to fail.
    #[tokio::test(start_paused = true)]
    async fn many_that_fail_fail_at_the_same_time() {
        let bed = Bed::new();
        let fail = async || {
            let cluster = ClusterName::parse("dev").unwrap();
            let make = async || {
                tokio::time::sleep(Duration::from_secs(7)).await;
                Err::<ClientCertificate, _>("no network")
            };
            bed.cache().certificate(&cluster, &[b"alice".to_vec()], now(), make).await.unwrap_err()
        };
        let begun = tokio::time::Instant::now();
        futures_util::future::join_all((0..20).map(|_| fail())).await;
        assert_eq!(begun.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_is_not_waited_for() {
        let bed = Bed::new();
        bed.ask("dev", "bob", now()).await;
        let directory = bed.home.path().join(".cache/kclust/credentials/dev");
        let hangs = open_lock(&directory, &directory.join(format!("{}.json", digest(&[b"alice".to_vec()])))).unwrap();
        hangs.lock().unwrap();
        bed.ask("dev", "alice", now()).await;
        assert_eq!(bed.made(), 2);
        bed.ask("dev", "alice", now()).await;
        assert_eq!(bed.made(), 2, "it was kept");
    }
}
