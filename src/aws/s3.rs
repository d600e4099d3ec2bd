//! The state store in an S3 bucket.

mod bucket;
mod exchange;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, Object as ListedObject, ObjectIdentifier};
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use tokio::time::sleep;

use super::Aws;
use super::error::{answer_without, not_built, own, translate};
use crate::cloud::{CloudError, ErrorClass};
use crate::store::layout::check_key;
use crate::store::{Condition, Earlier, Entry, Object, ObjectStore, StoreError, Version};
use exchange::Exchange;

/// Tries of a call whose failure passes by itself.
const TRIES: u32 = 5;
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// What one call of `DeleteObjects` takes.
const DELETE_OBJECTS_LIMIT: usize = 1000;

/// Objects below `s3://BUCKET[/PREFIX]`. Every call names the account that must own the bucket, where it is known: a bucket that was
/// deleted can be made again by anybody.
///
/// IAM: `s3:ListBucket` (without it S3 answers 403 for keys that are not there), `s3:GetObject`, `s3:PutObject`,
/// `s3:DeleteObject`; to name what was before an object that is damaged `s3:ListBucketVersions` and `s3:GetObjectVersion`; to remove a cluster `s3:ListBucketVersions` and `s3:DeleteObjectVersion`; to make the bucket
/// `s3:CreateBucket`, `s3:TagResource`, and `s3:PutBucketPublicAccessBlock`, `…Versioning`, `…Tagging`, `…Policy`,
/// `s3:PutEncryptionConfiguration`, `s3:PutLifecycleConfiguration`, `s3:PutBucketOwnershipControls`.
#[derive(Debug)]
pub struct S3Store {
    /// Of the bucket's region.
    client: Client,
    region: String,
    bucket: String,
    /// Empty, or with a slash at its end.
    prefix: String,
    /// `s3://BUCKET[/PREFIX]`
    url: String,
    /// Twelve digits.
    account: Option<String>,
    exists: AtomicBool,
    /// Whether requests travel encrypted. Not so against an emulator.
    tls: bool,
}

impl Aws {
    /// Opens a state store. One call, which finds out whether the bucket is there, may be used and where it lies; it may lie in
    /// another region than the clients' own.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when the bucket is somebody else's or not to be reached with these credentials.
    pub async fn state_store(&self, bucket: &str, prefix: &str, account: Option<String>) -> Result<S3Store, StoreError> {
        S3Store::open(self.s3.clone(), bucket, prefix, account).await
    }
}

impl S3Store {
    /// See [`Aws::state_store`].
    async fn open(client: Client, bucket: &str, prefix: &str, account: Option<String>) -> Result<Self, StoreError> {
        let url = if prefix.is_empty() { format!("s3://{bucket}") } else { format!("s3://{bucket}/{prefix}") };
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let found = bucket::find(client, bucket, &prefix, account.as_deref()).await?;
        Ok(Self {
            client: found.client,
            region: found.region,
            bucket: bucket.to_owned(),
            prefix,
            url,
            account,
            exists: AtomicBool::new(found.exists),
            tls: found.tls,
        })
    }

    /// Region of the bucket, or the one that it will be made in.
    pub fn region(&self) -> &str {
        &self.region
    }

    fn key(&self, key: &str) -> Result<String, StoreError> {
        check_key(key)?;
        Ok(format!("{}{key}", self.prefix))
    }

    fn location(&self, key: &str) -> String {
        format!("{}/{key}", self.url).trim_end_matches('/').to_owned()
    }

    fn changed(&self, key: &str) -> StoreError {
        StoreError::Changed { location: self.location(key) }
    }

    fn failed(&self, action: &str, key: &str, source: CloudError) -> StoreError {
        StoreError::Cloud { action: action.to_owned(), location: self.location(key), source }
    }

    /// What a conditional write or removal was refused for.
    fn refused(&self, action: &str, key: &str, condition: &Condition, error: CloudError) -> StoreError {
        match (error.code.as_deref(), error.class, condition) {
            (Some("NoSuchBucket"), ..) => StoreError::no_root(&self.url),
            // 412; 409 after the last try; 404 for `If-Match` where there is no object any more.
            (_, ErrorClass::Conflict, _) | (_, ErrorClass::NotFound, Condition::Unchanged(_)) => self.changed(key),
            _ => self.failed(action, key, error),
        }
    }

    async fn read(&self, key: &str) -> Result<Option<Object>, CloudError> {
        const OPERATION: &str = "s3:GetObject";
        let exchange = Exchange::default();
        let request = self.client.get_object().bucket(&self.bucket).key(key).set_expected_bucket_owner(self.account.clone());
        let answer = match request.customize().interceptor(exchange.clone()).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let error = translate(OPERATION, error);
                return if is_absent(&error) { Ok(None) } else { Err(error) };
            }
        };
        let version = version(OPERATION, answer.e_tag())?;
        let age = age(&answer, exchange.date());
        let body = answer.body.collect().await;
        let bytes = body.map_err(|error| own(OPERATION, ErrorClass::Transport, format!("the answer broke off: {error}")))?;
        Ok(Some(Object { bytes: bytes.to_vec(), version, age }))
    }

    async fn pages(&self, prefix: &str, delimiter: Option<&str>) -> Result<Vec<ListObjectsV2Output>, StoreError> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).set_expected_bucket_owner(self.account.clone());
        let request = request.prefix(format!("{}{prefix}", self.prefix)).set_delimiter(delimiter.map(str::to_owned));
        let mut pages = request.into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => all.push(page),
                Err(error) => {
                    let error = translate("s3:ListBucket", error);
                    return if is_absent(&error) { Ok(Vec::new()) } else { Err(self.failed("list", prefix, error)) };
                }
            }
        }
        Ok(all)
    }

    /// One page of versions and delete markers: those to remove, and where the next page starts.
    async fn versions(
        &self,
        prefix: &str,
        keep: &[String],
        from: Marker,
    ) -> Result<(Vec<ObjectIdentifier>, Option<Marker>), CloudError> {
        const OPERATION: &str = "s3:ListBucketVersions";
        let request = self.client.list_object_versions().bucket(&self.bucket).set_expected_bucket_owner(self.account.clone());
        let request = request.prefix(prefix).set_key_marker(from.key).set_version_id_marker(from.version);
        let page = match request.send().await {
            Ok(page) => page,
            Err(error) => {
                let error = translate(OPERATION, error);
                return if is_absent(&error) { Ok((Vec::new(), None)) } else { Err(error) };
            }
        };
        let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        let identify = |(key, version): (&str, Option<&str>)| {
            let identifier = ObjectIdentifier::builder().key(key).set_version_id(version.map(str::to_owned));
            identifier.build().map_err(|error| not_built(OPERATION, error))
        };
        let doomed = versions
            .chain(markers)
            .filter_map(|(key, version)| Some((key?, version)))
            .filter(|(key, _)| !keep.iter().any(|kept| key.starts_with(kept)))
            .map(identify)
            .collect::<Result<Vec<_>, _>>()?;
        let next =
            Marker { key: page.next_key_marker().map(str::to_owned), version: page.next_version_id_marker().map(str::to_owned) };
        Ok((doomed, page.is_truncated().unwrap_or_default().then_some(next)))
    }

    /// At most [`DELETE_OBJECTS_LIMIT`].
    async fn delete_versions(&self, mut doomed: Vec<ObjectIdentifier>) -> Result<(), CloudError> {
        const OPERATION: &str = "s3:DeleteObjectVersion";
        for attempt in 1.. {
            if doomed.is_empty() {
                break;
            }
            let delete = Delete::builder().set_objects(Some(doomed)).quiet(true).build();
            let delete = delete.map_err(|error| not_built(OPERATION, error))?;
            let request = self.client.delete_objects().bucket(&self.bucket).set_expected_bucket_owner(self.account.clone());
            let answer = request.delete(delete).send().await.map_err(|error| translate(OPERATION, error))?;
            doomed = Vec::new();
            for error in answer.errors() {
                let class = match error.code() {
                    Some("NoSuchKey" | "NoSuchVersion") => continue,
                    Some("InternalError" | "ServiceUnavailable") => ErrorClass::Transport,
                    Some("SlowDown") => ErrorClass::Throttled,
                    Some("AccessDenied") => ErrorClass::Denied,
                    _ => ErrorClass::Other,
                };
                let passing = matches!(class, ErrorClass::Transport | ErrorClass::Throttled);
                match error.key() {
                    Some(key) if passing && attempt < TRIES => {
                        let again = ObjectIdentifier::builder().key(key).set_version_id(error.version_id().map(str::to_owned));
                        doomed.push(again.build().map_err(|error| not_built(OPERATION, error))?);
                    }
                    _ => {
                        let message = error.message().unwrap_or("without a reason").to_owned();
                        let code = error.code().map(str::to_owned);
                        return Err(CloudError { code, ..own(OPERATION, class, message) });
                    }
                }
            }
            if !doomed.is_empty() {
                backoff(attempt).await;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    fn root(&self) -> &str {
        &self.url
    }

    async fn get(&self, key: &str) -> Result<Option<Object>, StoreError> {
        let path = self.key(key)?;
        let mut attempt = 1;
        loop {
            match self.read(&path).await {
                // The SDK does not try again when the body breaks off.
                Err(error) if error.class == ErrorClass::Transport && error.code.is_none() && attempt < TRIES => {}
                other => return other.map_err(|error| self.failed("read", key, error)),
            }
            backoff(attempt).await;
            attempt += 1;
        }
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, condition: Condition) -> Result<Version, StoreError> {
        const OPERATION: &str = "s3:PutObject";
        let path = self.key(key)?;
        let mut attempt = 1;
        loop {
            let request =
                self.client.put_object().bucket(&self.bucket).key(&path).set_expected_bucket_owner(self.account.clone());
            let request = match &condition {
                Condition::Absent => request.if_none_match("*"),
                Condition::Unchanged(version) => request.if_match(&version.0),
                Condition::Always => request,
            };
            let error = match request.body(ByteStream::from(bytes.clone())).send().await {
                Ok(answer) => return version(OPERATION, answer.e_tag()).map_err(|error| self.failed("write", key, error)),
                Err(error) => translate(OPERATION, error),
            };
            if !is_passing(&error) || attempt == TRIES {
                return Err(self.refused("write", key, &condition, error));
            }
            backoff(attempt).await;
            attempt += 1;
        }
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<(), StoreError> {
        let path = self.key(key)?;
        let expected = match &condition {
            Condition::Always => None,
            Condition::Unchanged(version) => Some(version.0.clone()),
            Condition::Absent => return self.get(key).await?.map_or(Ok(()), |_| Err(self.changed(key))),
        };
        let mut attempt = 1;
        loop {
            let request = self.client.delete_object().bucket(&self.bucket).key(&path);
            let request = request.set_expected_bucket_owner(self.account.clone()).set_if_match(expected.clone());
            let error = match request.send().await {
                Ok(_) => return Ok(()),
                Err(error) => translate("s3:DeleteObject", error),
            };
            if is_absent(&error) && condition == Condition::Always {
                return Ok(());
            }
            if is_absent(&error) {
                return Err(self.changed(key));
            }
            if !is_passing(&error) || attempt == TRIES {
                return Err(self.refused("remove", key, &condition, error));
            }
            backoff(attempt).await;
            attempt += 1;
        }
    }

    async fn entries(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let pages = self.pages(prefix, None).await?;
        let entry = |object: &ListedObject| {
            let key = object.key()?.strip_prefix(&self.prefix)?.to_owned();
            Some(Entry { key, bytes: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default() })
        };
        // S3 sorts by bytes, as Rust does.
        Ok(pages.iter().flat_map(ListObjectsV2Output::contents).filter_map(entry).collect())
    }

    async fn earlier(&self, key: &str) -> Result<Vec<Earlier>, StoreError> {
        const OPERATION: &str = "s3:ListBucketVersions";
        let path = self.key(key)?;
        let request = self.client.list_object_versions().bucket(&self.bucket).set_expected_bucket_owner(self.account.clone());
        let answer = request.prefix(&path).send().await;
        let answer = answer.map_err(|error| self.failed("list the versions of", key, translate(OPERATION, error)))?;
        // The newest come first. One page is a thousand of them.
        let of_key = answer.versions().iter().filter(|version| version.key() == Some(path.as_str()));
        let earlier = of_key.filter(|version| version.is_latest() != Some(true)).filter_map(|version| {
            let written_at = Timestamp::from_second(version.last_modified()?.secs()).ok()?;
            Some(Earlier { id: version.version_id()?.to_owned(), written_at })
        });
        Ok(earlier.collect())
    }

    async fn get_earlier(&self, key: &str, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        const OPERATION: &str = "s3:GetObjectVersion";
        let path = self.key(key)?;
        let request = self.client.get_object().bucket(&self.bucket).set_expected_bucket_owner(self.account.clone());
        match request.key(path).version_id(id).send().await {
            Ok(answer) => match answer.body.collect().await {
                Ok(body) => Ok(Some(body.to_vec())),
                Err(error) => {
                    let error = own(OPERATION, ErrorClass::Transport, format!("the answer broke off: {error}"));
                    Err(self.failed("read an earlier version of", key, error))
                }
            },
            Err(error) => match translate(OPERATION, error) {
                error if error.class == ErrorClass::NotFound => Ok(None),
                error => Err(self.failed("read an earlier version of", key, error)),
            },
        }
    }

    async fn directories(&self) -> Result<Vec<String>, StoreError> {
        let pages = self.pages("", Some("/")).await?;
        let prefixes = pages.iter().flat_map(ListObjectsV2Output::common_prefixes).filter_map(|prefix| prefix.prefix());
        let name = |prefix: &str| Some(prefix.strip_prefix(&self.prefix)?.strip_suffix('/')?.to_owned());
        Ok(prefixes.filter_map(name).collect())
    }

    async fn purge(&self, prefix: &str, keep: &[String]) -> Result<(), StoreError> {
        let path = format!("{}{prefix}", self.prefix);
        let keep: Vec<String> = keep.iter().map(|kept| format!("{}{kept}", self.prefix)).collect();
        let failed = |error| self.failed("remove", prefix, error);
        // All are listed before the first is removed: a marker names a version, and must not name one that is gone.
        let (mut doomed, mut from) = (Vec::new(), Some(Marker::default()));
        while let Some(marker) = from {
            let (more, next) = self.versions(&path, &keep, marker).await.map_err(failed)?;
            doomed.extend(more);
            from = next;
        }
        for part in doomed.chunks(DELETE_OBJECTS_LIMIT) {
            self.delete_versions(part.to_vec()).await.map_err(failed)?;
        }
        Ok(())
    }

    /// A bucket that is there already is left as its owner made it. One that an interrupted run of kclust made is finished.
    async fn ensure(&self) -> Result<bool, StoreError> {
        let failed = |error| self.failed("make", "", error);
        let made = match self.exists.load(Ordering::Acquire) {
            true => self.is_unfinished().await.map_err(failed)?,
            false => {
                self.create().await?;
                true
            }
        };
        if made {
            self.harden().await.map_err(failed)?;
        }
        self.exists.store(true, Ordering::Release);
        Ok(made)
    }
}

/// Where a page of `ListObjectVersions` starts.
#[derive(Default)]
struct Marker {
    key: Option<String>,
    version: Option<String>,
}

fn version(operation: &'static str, e_tag: Option<&str>) -> Result<Version, CloudError> {
    e_tag.map(|e_tag| Version(e_tag.to_owned())).ok_or_else(|| answer_without(operation, "ETag"))
}

/// By S3's clock alone. Where a gateway dropped the headers, the object counts as new: then no lock is taken over.
fn age(answer: &GetObjectOutput, date: Option<DateTime>) -> Duration {
    let age = date.zip(answer.last_modified()).map(|(now, then)| now.secs() - then.secs());
    Duration::from_secs(age.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default())
}

/// `NoSuchBucket` too: what is to be made later has no objects yet.
fn is_absent(error: &CloudError) -> bool {
    matches!(error.code.as_deref(), Some("NoSuchKey" | "NoSuchBucket"))
}

/// Another writer was at it at the same time (409): S3 asks to try again, and knows then which condition holds.
fn is_passing(error: &CloudError) -> bool {
    matches!(error.code.as_deref(), Some("ConditionalRequestConflict" | "OperationAborted"))
}

/// Doubles with each attempt; up to half of it is left to chance, so that two who met do not meet again.
async fn backoff(attempt: u32) {
    let full = FIRST_BACKOFF * 2_u32.pow(attempt.min(TRIES));
    sleep(full.mul_f64(rand::random_range(0.5..1.0))).await;
}
