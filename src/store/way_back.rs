//! What to do about a document that cannot be read: which earlier one is whole, and the command that brings it back.

use super::{ClusterStore, Earlier, StoreError};

/// Of many earlier versions so many are looked at: whatever damages an object seldom does it more often.
const LOOKS: usize = 20;

impl ClusterStore<'_> {
    /// `error` with the way back as its hint. Only for what is corrupt: what a newer kclust wrote is in order.
    pub(super) async fn with_way_back(&self, key: &str, error: StoreError, is_whole: impl Fn(&[u8]) -> bool) -> StoreError {
        let StoreError::Corrupt { location, reason, hint } = error else { return error };
        let mut ways = Vec::new();
        if !hint.is_empty() {
            ways.push(hint);
        }
        if let Some(command) = self.way_through_history(key).await {
            ways.push(command);
        } else {
            ways.push(self.way_through_versions(key, is_whole).await);
        }
        StoreError::Corrupt { location, reason, hint: ways.join("; otherwise ") }
    }

    /// How an object that is gone comes back.
    pub(super) async fn way_back_of_lost(&self, key: &str, is_whole: impl Fn(&[u8]) -> bool) -> String {
        match self.way_through_history(key).await {
            Some(command) => command,
            None => self.way_through_versions(key, is_whole).await,
        }
    }

    /// The spec and the facts are in the history as well.
    async fn way_through_history(&self, key: &str) -> Option<String> {
        let is_facts = key == self.keys.facts();
        if key != self.keys.spec() && !is_facts {
            return None;
        }
        let newest = self.newest_revision().await.ok()??;
        if is_facts {
            self.objects.get(&self.keys.facts_copy()).await.ok()??;
        }
        let revision = &newest.revision;
        let what = if is_facts { "their copy in the history" } else { "that revision" };
        Some(format!(
            "the last revision in the history is {}, of {} by {}; `kclust update {} --from-history {}` brings back {what}",
            revision.sequence,
            revision.at.strftime("%F %T UTC"),
            revision.by,
            self.cluster(),
            revision.sequence
        ))
    }

    async fn way_through_versions(&self, key: &str, is_whole: impl Fn(&[u8]) -> bool) -> String {
        let Some(rest) = self.objects.root().strip_prefix("s3://") else {
            return format!("put back a copy of {} from your backups", self.location(key));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let path = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}/{key}") };
        match self.newest_whole(key, is_whole).await {
            Some(Earlier { id, written_at }) => format!(
                "the version of {} is whole; this brings it back: aws s3api copy-object --bucket {bucket} --key {path} \
                 --copy-source '{bucket}/{path}?versionId={id}'",
                written_at.strftime("%F %T UTC"),
            ),
            None => format!(
                "no earlier version of it is whole that could be found; what the bucket keeps is listed by: aws s3api \
                 list-object-versions --bucket {bucket} --prefix {path}"
            ),
        }
    }

    /// The newest earlier version that can be read. A store that does not say has none: this is a help, and no failure of its own.
    async fn newest_whole(&self, key: &str, is_whole: impl Fn(&[u8]) -> bool) -> Option<Earlier> {
        for earlier in self.objects.earlier(key).await.ok()?.into_iter().take(LOOKS) {
            let bytes = self.objects.get_earlier(key, &earlier.id).await.ok()?;
            if bytes.is_some_and(|bytes| is_whole(&bytes)) {
                return Some(earlier);
            }
        }
        None
    }
}
