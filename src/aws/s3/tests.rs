//! What an emulator does not do: single failures inside an answer, broken answers, times, and what the requests say.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const ACCOUNT: &str = "123456789012";
const EMPTY_LIST: &str = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";

fn answer(status: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn ok(body: &str) -> String {
    answer("200 OK", &["ETag: \"etag\""], body)
}

fn error(status: &str, code: &str, headers: &[&str]) -> String {
    answer(status, headers, &format!("<Error><Code>{code}</Code><Message>why</Message></Error>"))
}

/// A server that gives these answers, one after another, and keeps the requests.
struct Script {
    client: Client,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Script {
    async fn new(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                kept.lock().unwrap().push(request);
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        // Without timers of its own: the tests' time is paused, and jumps to the next one.
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config(RetryConfig::disabled())
            .credentials_provider(Credentials::new("AKIATEST", "secret", None, None, "test"))
            .region(Region::new("us-east-1"))
            .force_path_style(true)
            .endpoint_url(url)
            .build();
        Self { client: Client::from_conf(config), requests }
    }

    /// A store that was opened with the first answer.
    async fn store(mut answers: Vec<String>) -> (S3Store, Self) {
        answers.insert(0, ok(EMPTY_LIST));
        let script = Self::new(answers).await;
        let store = script.open().await.unwrap();
        (store, script)
    }

    async fn open(&self) -> Result<S3Store, StoreError> {
        S3Store::open(self.client.clone(), "team-state", "team", Some(ACCOUNT.into())).await
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_request_names_the_owner_of_the_bucket() {
    let versions = "<ListVersionsResult><IsTruncated>false</IsTruncated><Version><Key>team/a</Key><VersionId>v</VersionId></Version>\
                    </ListVersionsResult>";
    let (store, script) = Script::store(vec![
        ok("text"),
        ok(""),
        ok(""),
        ok(EMPTY_LIST),
        ok(EMPTY_LIST),
        ok(versions),
        ok("<DeleteResult/>"),
        error("404 Not Found", "NoSuchTagSet", &[]),
    ])
    .await;
    store.get("a").await.unwrap();
    let version = store.put("a", b"text".to_vec(), Condition::Absent).await.unwrap();
    store.delete("a", Condition::Unchanged(version)).await.unwrap();
    store.list("").await.unwrap();
    store.directories().await.unwrap();
    store.purge("", &[]).await.unwrap();
    assert!(!store.ensure().await.unwrap());
    let requests = script.requests();
    assert_eq!(requests.len(), 9);
    for request in &requests {
        assert!(request.to_ascii_lowercase().contains("x-amz-expected-bucket-owner: 123456789012"), "{request}");
        assert!(request.split(' ').nth(1).unwrap().starts_with("/team-state"), "{request}");
    }
    assert!(requests[2].to_ascii_lowercase().contains("if-none-match: *\r\n"), "{}", requests[2]);
    assert!(requests[3].to_ascii_lowercase().contains("if-match: \"etag\"\r\n"), "{}", requests[3]);
}

#[tokio::test(start_paused = true)]
async fn a_new_bucket_is_made_in_its_region_and_over_plain_http_without_a_tls_policy() {
    let mut answers = vec![error("404 Not Found", "NoSuchBucket", &[])];
    // CreateBucket, and its hardening: the first call of which comes too early.
    answers.extend([ok(""), error("409 Conflict", "OperationAborted", &[]), ok(""), ok(""), ok(""), ok(""), ok("")]);
    let script = Script::new(answers).await;
    let mut store = script.open().await.unwrap();
    store.region = "eu-west-1".into();
    assert!(store.ensure().await.unwrap());
    let requests = script.requests();
    assert_eq!(requests.len(), 8);
    assert!(requests[1].contains("<LocationConstraint>eu-west-1</LocationConstraint>"), "{}", requests[1]);
    assert!(requests[1].contains("<Key>kclust.dev/state-bucket</Key>"), "{}", requests[1]);
    assert!(requests[1].contains("<Value>unfinished</Value>"), "{}", requests[1]);
    let targets: Vec<&str> = requests.iter().map(|request| request.split(' ').nth(1).unwrap()).collect();
    let settings = ["publicAccessBlock", "publicAccessBlock", "versioning", "encryption", "lifecycle", "tagging"];
    for (target, setting) in targets[2..].iter().zip(settings) {
        assert!(target.contains(setting), "{targets:?}");
    }
    assert!(requests[7].contains("<Value>finished</Value>"), "{}", requests[7]);
}

#[tokio::test(start_paused = true)]
async fn over_tls_the_bucket_refuses_everything_else() {
    let mut answers = vec![error("404 Not Found", "NoSuchBucket", &[])];
    answers.extend((0..7).map(|_| ok("")));
    let script = Script::new(answers).await;
    let mut store = script.open().await.unwrap();
    store.tls = true;
    assert!(store.ensure().await.unwrap());
    let requests = script.requests();
    assert!(!requests[1].contains("LocationConstraint"), "us-east-1 is not named: {}", requests[1]);
    assert!(requests[5].contains("aws:SecureTransport"), "{}", requests[5]);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_another_region_is_asked_there() {
    let elsewhere = error("301 Moved Permanently", "PermanentRedirect", &["x-amz-bucket-region: eu-central-1"]);
    let script = Script::new(vec![elsewhere.clone(), ok(EMPTY_LIST)]).await;
    let store = script.open().await.unwrap();
    assert_eq!(store.region(), "eu-central-1");
    let requests = script.requests();
    assert!(requests[0].contains("/us-east-1/s3/aws4_request"), "{}", requests[0]);
    assert!(requests[1].contains("/eu-central-1/s3/aws4_request"), "{}", requests[1]);

    // A bucket that is nowhere ends, too.
    let further = error("301 Moved Permanently", "PermanentRedirect", &["x-amz-bucket-region: eu-west-3"]);
    let script = Script::new(vec![elsewhere, further]).await;
    match script.open().await {
        Err(StoreError::Unusable { reason, .. }) => assert!(reason.contains("another region than eu-central-1"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_somebody_else_is_told_from_bad_credentials() {
    let region = ["x-amz-bucket-region: us-east-1"];
    let script = Script::new(vec![error("403 Forbidden", "AccessDenied", &region)]).await;
    match script.open().await {
        Err(StoreError::Unusable { reason, hint }) => {
            assert!(reason.contains("team-state") && reason.contains("somebody else"), "{reason}");
            assert!(hint.contains(ACCOUNT), "{hint}");
        }
        other => panic!("{other:?}"),
    }
    for (status, code) in [("400 Bad Request", "ExpiredToken"), ("403 Forbidden", "InvalidAccessKeyId")] {
        let script = Script::new(vec![error(status, code, &region)]).await;
        match script.open().await {
            Err(StoreError::Cloud { source, .. }) => assert_eq!(source.class, ErrorClass::Credentials, "{code}"),
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ages_go_by_the_clock_of_s3() {
    let modified = "Last-Modified: Wed, 30 Sep 2026 10:10:00 GMT";
    for (headers, age) in [
        (vec!["Date: Wed, 30 Sep 2026 10:11:15 GMT", modified], 75),
        (vec!["Date: Wed, 30 Sep 2026 10:09:59 GMT", modified], 0),
        (vec![modified], 0),
        (vec!["Date: Wed, 30 Sep 2026 10:11:15 GMT"], 0),
        (vec!["Date: today", modified], 0),
    ] {
        let headers: Vec<&str> = [vec!["ETag: \"etag\""], headers].concat();
        let (store, _script) = Script::store(vec![answer("200 OK", &headers, "text")]).await;
        assert_eq!(store.get("a").await.unwrap().unwrap().age, Duration::from_secs(age), "{headers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_is_asked_for_again() {
    let broken = ok("text").replace("Content-Length: 4", "Content-Length: 9");
    let (store, _script) = Script::store(vec![broken.clone(), broken.clone(), ok("text")]).await;
    assert_eq!(store.get("a").await.unwrap().unwrap().bytes, b"text");
    let (store, script) = Script::store(vec![broken; 5]).await;
    match store.get("a").await {
        Err(StoreError::Cloud { source, .. }) => assert_eq!(source.class, ErrorClass::Transport),
        other => panic!("{other:?}"),
    }
    assert_eq!(script.requests().len(), 1 + 5);
}

#[tokio::test(start_paused = true)]
async fn versions_that_were_not_removed_are_tried_again_or_reported() {
    let versions = "<ListVersionsResult><IsTruncated>false</IsTruncated>\
                    <Version><Key>team/a</Key><VersionId>1</VersionId></Version>\
                    <Version><Key>team/b</Key><VersionId>2</VersionId></Version>\
                    <DeleteMarker><Key>team/c</Key><VersionId>3</VersionId></DeleteMarker>\
                    <Version><Key>team/kept/d</Key><VersionId>4</VersionId></Version></ListVersionsResult>";
    let left = |code: &str| {
        let error = format!("<Error><Key>team/b</Key><VersionId>2</VersionId><Code>{code}</Code><Message>why</Message></Error>");
        ok(&format!("<DeleteResult>{error}</DeleteResult>"))
    };
    let (store, script) = Script::store(vec![ok(versions), left("InternalError"), left("SlowDown"), ok("<DeleteResult/>")]).await;
    store.purge("", &["kept/".to_owned()]).await.unwrap();
    let requests = script.requests();
    let named = |request: &str| ["team/a", "team/b", "team/c", "team/kept"].map(|key| request.contains(&format!("<Key>{key}")));
    assert_eq!(named(&requests[2]), [true, true, true, false]);
    assert_eq!(named(&requests[3]), [false, true, false, false]);
    assert_eq!(named(&requests[4]), [false, true, false, false]);
    assert_eq!(requests.len(), 5);

    let (store, _script) = Script::store(vec![ok(versions), left("NoSuchVersion")]).await;
    store.purge("", &[]).await.unwrap();
    let (store, _script) = Script::store(vec![ok(versions), left("AccessDenied")]).await;
    match store.purge("", &[]).await {
        Err(StoreError::Cloud { source, .. }) => {
            assert_eq!(source.class, ErrorClass::Denied);
            assert_eq!(source.to_string(), "s3:DeleteObjectVersion: AccessDenied: why");
        }
        other => panic!("{other:?}"),
    }
    let (store, script) = Script::store([vec![ok(versions)], vec![left("InternalError"); 5]].concat()).await;
    assert!(matches!(store.purge("", &[]).await, Err(StoreError::Cloud { .. })));
    assert_eq!(script.requests().len(), 1 + 1 + 5);
}

#[tokio::test(start_paused = true)]
async fn conflicts_of_writers_are_settled() {
    let conflict = error("409 Conflict", "ConditionalRequestConflict", &[]);
    let (store, script) = Script::store(vec![conflict.clone(), conflict.clone(), ok("")]).await;
    store.put("a", vec![], Condition::Absent).await.unwrap();
    assert_eq!(script.requests().len(), 1 + 3);
    let unchanged = || Condition::Unchanged(Version("\"old\"".into()));
    let gone = [error("412 Precondition Failed", "PreconditionFailed", &[]), error("404 Not Found", "NoSuchKey", &[])];
    for answers in [vec![gone[0].clone()], vec![gone[1].clone()], vec![conflict; 5]] {
        let (store, _script) = Script::store(answers.clone()).await;
        match store.put("a", vec![], unchanged()).await {
            Err(StoreError::Changed { location }) => assert_eq!(location, "s3://team-state/team/a"),
            other => panic!("{other:?}"),
        }
        let (store, _script) = Script::store(answers).await;
        assert!(matches!(store.delete("a", unchanged()).await, Err(StoreError::Changed { .. })));
    }
    let missing = error("404 Not Found", "NoSuchBucket", &[]);
    let (store, _script) = Script::store(vec![missing.clone(), missing]).await;
    assert!(matches!(store.put("a", vec![], unchanged()).await, Err(StoreError::Unusable { .. })));
    assert!(matches!(store.delete("a", unchanged()).await, Err(StoreError::Changed { .. })));
}
