//! Reads the manifests that a spec names: files beside the spec's, and addresses.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Client;

use crate::ops::ManifestReader;

/// For the whole of a download.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Largest manifest. The API server takes objects of 1.5 MiB at most; the largest bundles of resource definitions have some 5 MiB.
const LARGEST: usize = 16 * 1024 * 1024;

/// Manifests as the person who gave the spec means them.
pub(super) struct Manifests {
    /// Directory that files are relative to; `None` where no spec was given.
    directory: Option<PathBuf>,
}

impl Manifests {
    /// For the spec in `file`; `-` is standard input, which lies where the command runs.
    pub(super) fn beside(file: &Path) -> Self {
        let directory = if file == Path::new("-") { None } else { file.parent().map(Path::to_owned) };
        Self { directory: Some(directory.unwrap_or_default()) }
    }

    /// For a spec that the state holds: where its files were, nobody knows.
    pub(super) fn nowhere() -> Self {
        Self { directory: None }
    }
}

#[async_trait]
impl ManifestReader for Manifests {
    async fn read(&self, source: &str) -> Result<Vec<u8>, String> {
        if source.contains("://") {
            return fetch(source).await;
        }
        let Some(directory) = &self.directory else {
            return Err("it is a file beside a spec that was not given".to_owned());
        };
        let path = directory.join(source);
        let content = tokio::fs::read(&path).await.map_err(|error| error.to_string())?;
        if content.len() > LARGEST { Err(too_large()) } else { Ok(content) }
    }
}

async fn fetch(address: &str) -> Result<Vec<u8>, String> {
    // What is asked for over TLS must not come without it after a redirection.
    let client = Client::builder().timeout(TIMEOUT).https_only(address.starts_with("https://"));
    let client = client.user_agent(concat!("kclust/", env!("CARGO_PKG_VERSION"))).build().map_err(words)?;
    let answer = client.get(address).send().await.and_then(reqwest::Response::error_for_status);
    let mut answer = answer.map_err(words)?;
    let mut content = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(words)? {
        content.extend_from_slice(&part);
        if content.len() > LARGEST {
            return Err(too_large());
        }
    }
    Ok(content)
}

fn too_large() -> String {
    format!("it has more than {} MiB", LARGEST / 1024 / 1024)
}

/// An error and its causes. The address is in the message already.
fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
