//! The bucket itself: where it is, and how it is made.

use std::future::Future;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus,
    CreateBucketConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration, ObjectOwnership, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging,
    VersioningConfiguration,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::json;

use super::exchange::Exchange;
use super::{S3Store, TRIES, backoff, is_passing};
use crate::aws::error::{not_built, translate};
use crate::cloud::{CloudError, ErrorClass};
use crate::store::StoreError;

/// Tag of the buckets that kclust makes. Set with the bucket, so that one whose making was interrupted is known by it.
const STAGE: &str = "kclust.dev/state-bucket";
const UNFINISHED: &str = "unfinished";
const FINISHED: &str = "finished";

/// Earlier versions of the state are kept for as long.
const NONCURRENT_DAYS: i32 = 90;
const INCOMPLETE_UPLOAD_DAYS: i32 = 7;

const REGION_HEADER: &str = "x-amz-bucket-region";

/// A bucket as it was found.
pub(super) struct Found {
    /// For the bucket's region.
    pub client: Client,
    pub region: String,
    pub exists: bool,
    pub tls: bool,
}

/// Finds out whether a bucket is there, may be used, and in which region it lies. Endpoints of other regions answer 301 and name
/// the right one.
///
/// A listing of one key: it needs the same permission as `HeadBucket`, also where that is granted for the prefix only, and its
/// refusals have a body that tells a foreign bucket from expired credentials.
pub(super) async fn find(client: Client, bucket: &str, prefix: &str, account: Option<&str>) -> Result<Found, StoreError> {
    let own_region = region_of(&client);
    let mut client = client;
    loop {
        let exchange = Exchange::default();
        let request = client.list_objects_v2().bucket(bucket).prefix(prefix).max_keys(1);
        let request = request.set_expected_bucket_owner(account.map(str::to_owned)).customize();
        let outcome = request.interceptor(exchange.clone()).send().await;
        let (region, tls) = (region_of(&client), exchange.tls());
        let Err(error) = outcome else { return Ok(Found { client, region, exists: true, tls }) };

        let elsewhere = error.raw_response().and_then(|answer| answer.headers().get(REGION_HEADER)).map(str::to_owned);
        let error = translate("s3:ListBucket", error);
        let code = error.code.as_deref();
        if code == Some("NoSuchBucket") {
            return Ok(Found { client, region, exists: false, tls });
        }
        match elsewhere {
            Some(elsewhere) if elsewhere != region && region == own_region => {
                client = Client::from_conf(client.config().to_builder().region(Region::new(elsewhere)).build());
            }
            _ if matches!(
                code,
                Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")
            ) =>
            {
                return Err(StoreError::Unusable {
                    reason: format!("bucket {bucket} lies in another region than {region}: {}", error.message),
                    hint: format!("name the region of the bucket with --region, or a bucket in {region} with --state"),
                });
            }
            _ if error.class == ErrorClass::Denied => return Err(foreign(bucket, account, &error)),
            _ => {
                let location = format!("s3://{bucket}");
                return Err(StoreError::Cloud { action: "open".into(), location, source: error });
            }
        }
    }
}

fn region_of(client: &Client) -> String {
    client.config().region().map(ToString::to_string).unwrap_or_default()
}

fn foreign(bucket: &str, account: Option<&str>, error: &CloudError) -> StoreError {
    let account = account.map_or("your account".to_owned(), |account| format!("account {account}"));
    StoreError::Unusable {
        reason: format!("bucket {bucket} cannot be used: it belongs to somebody else, or you have no permission ({error})"),
        hint: format!("use a bucket of {account} that you may list (s3:ListBucket), read and write, or a new name"),
    }
}

impl S3Store {
    /// Makes the bucket, closed and marked as unfinished from its first moment.
    pub(super) async fn create(&self) -> Result<(), StoreError> {
        const OPERATION: &str = "s3:CreateBucket";
        let failed = |error| self.failed("make", "", error);
        let tag = tag(UNFINISHED).map_err(failed)?;
        // us-east-1 is what no constraint means, and refused as one.
        let constraint = (self.region != "us-east-1").then(|| BucketLocationConstraint::from(self.region.as_str()));
        let configuration = CreateBucketConfiguration::builder().set_location_constraint(constraint).tags(tag).build();
        let create = self.client.create_bucket().bucket(&self.bucket).create_bucket_configuration(configuration);
        let create = create.object_ownership(ObjectOwnership::BucketOwnerEnforced);
        match settled(OPERATION, || create.clone().send()).await {
            Ok(_) => Ok(()),
            Err(error) => match error.code.as_deref() {
                // It was not there a moment ago: our own call, whose answer was lost, made it; or another kclust does.
                Some("BucketAlreadyOwnedByYou") => Ok(()),
                Some("BucketAlreadyExists") => Err(StoreError::Unusable {
                    reason: format!("bucket {} belongs to somebody else", self.bucket),
                    hint: "names of buckets are shared by all accounts: choose another one".into(),
                }),
                _ => Err(failed(error)),
            },
        }
    }

    /// Whether kclust made the bucket and did not finish. Who may not read the tags did not make it.
    pub(super) async fn is_unfinished(&self) -> Result<bool, CloudError> {
        let request = self.client.get_bucket_tagging().bucket(&self.bucket).set_expected_bucket_owner(self.account.clone());
        match request.send().await {
            Ok(answer) => Ok(answer.tag_set().iter().any(|tag| tag.key() == STAGE && tag.value() == UNFINISHED)),
            Err(error) => match translate("s3:GetBucketTagging", error) {
                error if error.code.as_deref() == Some("NoSuchTagSet") || error.class == ErrorClass::Denied => Ok(false),
                error => Err(error),
            },
        }
    }

    /// Makes the bucket safe: versions, encryption, nothing public, TLS only. Can be repeated.
    ///
    /// Over plain HTTP, which only emulators speak, there is no TLS-only policy: it would lock out whoever sets it.
    pub(super) async fn harden(&self) -> Result<(), CloudError> {
        let (client, bucket, account) = (&self.client, self.bucket.as_str(), &self.account);

        let closed = PublicAccessBlockConfiguration::builder().block_public_acls(true).ignore_public_acls(true);
        let closed = closed.block_public_policy(true).restrict_public_buckets(true).build();
        let request = client.put_public_access_block().bucket(bucket).set_expected_bucket_owner(account.clone());
        let request = request.public_access_block_configuration(closed);
        settled("s3:PutBucketPublicAccessBlock", || request.clone().send()).await?;

        let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let request = client.put_bucket_versioning().bucket(bucket).set_expected_bucket_owner(account.clone());
        let request = request.versioning_configuration(versioning);
        settled("s3:PutBucketVersioning", || request.clone().send()).await?;

        let request = client.put_bucket_encryption().bucket(bucket).set_expected_bucket_owner(account.clone());
        let request = request.server_side_encryption_configuration(encryption()?);
        settled("s3:PutEncryptionConfiguration", || request.clone().send()).await?;

        if self.tls {
            let request = client.put_bucket_policy().bucket(bucket).set_expected_bucket_owner(account.clone());
            let request = request.policy(tls_only(&self.region, bucket));
            settled("s3:PutBucketPolicy", || request.clone().send()).await?;
        }

        let request = client.put_bucket_lifecycle_configuration().bucket(bucket).set_expected_bucket_owner(account.clone());
        let request = request.lifecycle_configuration(lifecycle()?);
        settled("s3:PutLifecycleConfiguration", || request.clone().send()).await?;

        const TAGGING: &str = "s3:PutBucketTagging";
        let tags = Tagging::builder().tag_set(tag(FINISHED)?).build().map_err(|error| not_built(TAGGING, error))?;
        let request = client.put_bucket_tagging().bucket(bucket).set_expected_bucket_owner(account.clone()).tagging(tags);
        settled(TAGGING, || request.clone().send()).await.map(drop)
    }
}

/// A call to a bucket that was made a moment ago: it may not be visible everywhere, and the call before may still be at work.
async fn settled<T, E, F>(operation: &'static str, call: impl Fn() -> F) -> Result<T, CloudError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    let mut attempt = 1;
    loop {
        match call().await.map_err(|error| translate(operation, error)) {
            Err(error) if attempt < TRIES && (is_passing(&error) || error.code.as_deref() == Some("NoSuchBucket")) => {}
            other => return other,
        }
        backoff(attempt).await;
        attempt += 1;
    }
}

fn tag(stage: &str) -> Result<Tag, CloudError> {
    Tag::builder().key(STAGE).value(stage).build().map_err(|error| not_built("s3:TagResource", error))
}

/// SSE-S3. The bucket key costs nothing, and saves calls if an owner changes to KMS.
fn encryption() -> Result<ServerSideEncryptionConfiguration, CloudError> {
    let refused = |error| not_built("s3:PutEncryptionConfiguration", error);
    let default =
        ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build().map_err(refused)?;
    let rule =
        ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default).bucket_key_enabled(true).build();
    ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(refused)
}

fn lifecycle() -> Result<BucketLifecycleConfiguration, CloudError> {
    let rule = LifecycleRule::builder()
        .id("kclust-earlier-versions")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .noncurrent_version_expiration(NoncurrentVersionExpiration::builder().noncurrent_days(NONCURRENT_DAYS).build())
        .expiration(LifecycleExpiration::builder().expired_object_delete_marker(true).build())
        .abort_incomplete_multipart_upload(
            AbortIncompleteMultipartUpload::builder().days_after_initiation(INCOMPLETE_UPLOAD_DAYS).build(),
        );
    let refused = |error| not_built("s3:PutLifecycleConfiguration", error);
    let rule = rule.build().map_err(refused)?;
    BucketLifecycleConfiguration::builder().rules(rule).build().map_err(refused)
}

/// A policy that refuses requests without TLS.
fn tls_only(region: &str, bucket: &str) -> String {
    let partition = match region.split('-').take(2).collect::<Vec<_>>().as_slice() {
        ["cn", _] => "aws-cn",
        ["us", "gov"] => "aws-us-gov",
        _ => "aws",
    };
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [format!("arn:{partition}:s3:::{bucket}"), format!("arn:{partition}:s3:::{bucket}/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }],
    });
    policy.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_name_the_bucket_of_their_partition() {
        for (region, partition) in
            [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("us-east-1", "aws")]
        {
            let policy: serde_json::Value = serde_json::from_str(&tls_only(region, "team-state")).unwrap();
            let statement = &policy["Statement"][0];
            assert_eq!(statement["Effect"], "Deny");
            assert_eq!(statement["Condition"]["Bool"]["aws:SecureTransport"], "false");
            let arn = format!("arn:{partition}:s3:::team-state");
            assert_eq!(statement["Resource"], json!([arn, format!("{arn}/*")]));
        }
    }

    #[test]
    fn configurations_are_complete() {
        let encryption = encryption().unwrap();
        assert_eq!(encryption.rules()[0].bucket_key_enabled(), Some(true));
        let lifecycle = lifecycle().unwrap();
        let expiration = lifecycle.rules()[0].noncurrent_version_expiration().unwrap();
        assert_eq!(expiration.noncurrent_days(), Some(90));
        assert_eq!(tag(FINISHED).unwrap().key(), "kclust.dev/state-bucket");
    }
}
