//! Manifests of the user: read once, recorded by their digest, and kept in the state.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::cloud::{Facts, ResolvedManifest, World};
use crate::model::{AddonSetting, Desired, Kind, Resource, ResourceId, sha256};
use crate::spec::{Addon, Cluster, check_manifest};

use super::error::OpsError;
use super::facts::FactProblem;

/// Reads what the spec names as manifests.
#[async_trait]
pub trait ManifestReader: Send + Sync {
    /// The content of a source: an address (`https://…`), or a file, relative to the directory of the spec's file.
    ///
    /// # Errors
    /// Why it cannot be had, in words.
    async fn read(&self, source: &str) -> Result<Vec<u8>, String>;
}

/// When manifests are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// A spec was given: files are read again, and addresses where the spec says something new about them.
    Given,
    /// The spec is the recorded one: only what the state does not have.
    Recorded,
    /// Somebody only looks.
    Never,
}

/// Whether a source is an address; else it is a file.
pub(super) fn is_address(source: &str) -> bool {
    source.contains("://")
}

/// The manifests of the spec, as `known` or read now. What is known of addons that the spec does not have stays: a spec that is recorded
/// later than the facts may still name them.
pub(super) async fn resolve(
    reader: &dyn ManifestReader,
    cluster: &Cluster,
    known: Option<&Facts>,
    reading: Reading,
    problems: &mut Vec<FactProblem>,
) -> BTreeMap<String, ResolvedManifest> {
    let mut manifests = known.map(|facts| facts.manifests.clone()).unwrap_or_default();
    for (index, addon) in cluster.addons.iter().enumerate() {
        let Addon::Manifest { name, source, sha256: pinned } = addon else { continue };
        let known = manifests.get(name);
        let as_recorded = known.is_some_and(|known| known.source == *source && known.pinned == *pinned);
        let suffices = match reading {
            Reading::Given => as_recorded && is_address(source),
            Reading::Recorded => as_recorded,
            Reading::Never => known.is_some(),
        };
        if suffices {
            continue;
        }
        match read(reader, source, pinned.as_ref()).await {
            Ok(content) => {
                let sha256 = sha256(&content);
                let resolved =
                    ResolvedManifest { source: source.clone(), pinned: pinned.clone(), sha256, content: Some(content) };
                manifests.insert(name.clone(), resolved);
            }
            Err((message, hint)) => problems.push(problem(index, message, hint)),
        }
    }
    manifests
}

/// Reads once more what the state has lost: what is recorded must still be there, unless a spec was given.
pub(super) async fn restore(
    reader: &dyn ManifestReader,
    cluster: &Cluster,
    facts: &mut Facts,
    lost: &[String],
    reading: Reading,
) -> Result<(), OpsError> {
    let mut problems = Vec::new();
    for (index, addon) in cluster.addons.iter().enumerate() {
        let Some(manifest) = facts.manifests.get_mut(addon.name()).filter(|_| lost.iter().any(|name| name == addon.name()))
        else {
            continue;
        };
        let digest = if reading == Reading::Given { manifest.pinned.as_ref() } else { Some(&manifest.sha256) };
        match read(reader, &manifest.source, digest).await {
            Ok(content) => {
                manifest.sha256 = sha256(&content);
                manifest.content = Some(content);
            }
            Err((message, _)) => {
                let message = format!("the state has lost it, and {message}");
                let hint = "give the spec again, with a source that has it: `kclust update -f FILE`";
                problems.push(problem(index, message, hint.to_owned()));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(OpsError::Manifests(problems)) }
}

/// Addons whose manifest is neither known nor in the state.
pub(super) fn lost(cluster: &Cluster, desired: &Desired, world: &World) -> Vec<String> {
    let is_lost = |name: &str| {
        let object = AddonSetting { name: name.to_owned(), sha256: String::new(), chart: None }.object_name();
        let id = ResourceId::new(Kind::BootstrapObject, object);
        let unknown = matches!(desired.get(&id), Some(Resource::BootstrapObject(object)) if object.content.is_none());
        unknown && !world.resources.contains_key(&id)
    };
    cluster.addons.iter().map(Addon::name).filter(|name| is_lost(name)).map(str::to_owned).collect()
}

fn problem(index: usize, message: String, hint: String) -> FactProblem {
    FactProblem { path: format!("spec.addons[{index}].manifest"), message, hint }
}

/// A manifest that has the digest and that Kubernetes could read; or what is wrong with it, and what to do.
async fn read(reader: &dyn ManifestReader, source: &str, digest: Option<&String>) -> Result<String, (String, String)> {
    let bytes = reader.read(source).await.map_err(|reason| {
        let hint = if is_address(source) { "check the address and the network" } else { "paths are relative to the spec's file" };
        (format!("could not read {source}: {reason}"), hint.to_owned())
    })?;
    let actual = sha256(&bytes);
    if let Some(expected) = digest.filter(|expected| **expected != actual) {
        let message = format!("{source} has SHA-256\n  {actual}, and it must be\n  {expected}");
        return Err((message, "look at what has changed in it before you change `sha256`".to_owned()));
    }
    let usable = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned());
    let usable = usable.and_then(|text| match check_manifest(source, &text) {
        Ok(()) => Ok(text),
        Err(found) => Err(found.render(false)),
    });
    usable.map_err(|reason| {
        let hint = "a manifest is a file of Kubernetes objects, as `kubectl apply -f` takes it";
        (format!("{source} is not a manifest:\n{}", reason.trim_end()), hint.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::test_support::{example, facts};

    /// Sources and their contents; remembers what was asked for.
    #[derive(Default)]
    struct Sources {
        contents: BTreeMap<&'static str, String>,
        asked: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl ManifestReader for Sources {
        async fn read(&self, source: &str) -> Result<Vec<u8>, String> {
            self.asked.lock().unwrap().push(source.to_owned());
            self.contents.get(source).map(|text| text.clone().into_bytes()).ok_or_else(|| "it is not there".to_owned())
        }
    }

    impl Sources {
        fn with(contents: [(&'static str, &str); 2]) -> Self {
            let object = |name: &str| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n");
            let contents = contents.into_iter().map(|(source, name)| (source, object(name))).collect();
            Self { contents, ..Self::default() }
        }

        fn asked(&self) -> Vec<String> {
            std::mem::take(&mut self.asked.lock().unwrap())
        }
    }

    const FILE: &str = "own.yaml";
    const ADDRESS: &str = "https://example.com/far.yaml";

    fn cluster(pinned: Option<String>) -> Cluster {
        let manifest = |name: &str, source: &str, sha256| Addon::Manifest { name: name.into(), source: source.into(), sha256 };
        let mut cluster = example("minimal");
        cluster.addons = vec![manifest("own", FILE, None), manifest("far", ADDRESS, pinned)];
        cluster
    }

    async fn resolved(sources: &Sources, cluster: &Cluster, known: Option<&Facts>, reading: Reading) -> Facts {
        let mut problems = Vec::new();
        let manifests = resolve(sources, cluster, known, reading, &mut problems).await;
        assert_eq!(problems, []);
        Facts { manifests, ..facts(cluster) }
    }

    #[tokio::test]
    async fn files_are_read_with_the_spec_and_addresses_when_it_says_something_new_of_them() {
        let sources = Sources::with([(FILE, "a"), (ADDRESS, "b")]);
        let known = resolved(&sources, &cluster(None), None, Reading::Given).await;
        assert_eq!(sources.asked(), [FILE, ADDRESS]);
        resolved(&sources, &cluster(None), Some(&known), Reading::Given).await;
        assert_eq!(sources.asked(), [FILE]);
        let pinned = cluster(Some(sha256(&sources.contents[ADDRESS])));
        let again = resolved(&sources, &pinned, Some(&known), Reading::Given).await;
        assert_eq!(sources.asked(), [FILE, ADDRESS]);
        assert_eq!(again.manifests["far"].sha256, known.manifests["far"].sha256);
        for reading in [Reading::Recorded, Reading::Never] {
            assert_eq!(resolved(&sources, &cluster(None), Some(&known), reading).await.manifests, known.manifests);
        }
        assert_eq!(sources.asked(), [] as [&str; 0]);
    }

    #[tokio::test]
    async fn what_left_the_spec_is_remembered() {
        let sources = Sources::with([(FILE, "a"), (ADDRESS, "b")]);
        let known = resolved(&sources, &cluster(None), None, Reading::Given).await;
        let fewer = resolved(&sources, &example("minimal"), Some(&known), Reading::Given).await;
        assert_eq!(fewer.manifests, known.manifests);
    }

    #[tokio::test]
    async fn every_problem_is_told_with_its_place() {
        let sources = Sources::with([(ADDRESS, "b"), ("other.yaml", "c")]);
        let mut problems = Vec::new();
        resolve(&sources, &cluster(Some("0".repeat(64))), None, Reading::Given, &mut problems).await;
        let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["spec.addons[0].manifest", "spec.addons[1].manifest"]);
        assert_eq!(problems[0].message, "could not read own.yaml: it is not there");
        for digest in ["0".repeat(64), sha256(&sources.contents[ADDRESS])] {
            assert!(problems[1].message.contains(&digest), "{}", problems[1].message);
        }
    }

    /// Without the spec it must be what is recorded; with it, it may be something else.
    #[tokio::test]
    async fn what_the_state_has_lost_is_read_again() {
        let sources = Sources::with([(FILE, "a"), (ADDRESS, "b")]);
        let known = resolved(&sources, &cluster(None), None, Reading::Given).await;
        let changed = Sources::with([(FILE, "a"), (ADDRESS, "other")]);
        let lost = ["far".to_owned()];
        let mut facts = known.clone();
        restore(&sources, &cluster(None), &mut facts, &lost, Reading::Recorded).await.unwrap();
        assert_eq!(facts, known);
        assert!(restore(&changed, &cluster(None), &mut facts, &lost, Reading::Recorded).await.is_err());
        restore(&changed, &cluster(None), &mut facts, &lost, Reading::Given).await.unwrap();
        assert_eq!(facts.manifests["far"].sha256, sha256(&changed.contents[ADDRESS]));
    }
}
