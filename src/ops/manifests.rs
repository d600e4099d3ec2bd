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
