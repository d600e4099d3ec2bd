//! Against a server of our own on loopback, with certificates of a cluster's PKI.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::*;
use crate::pki::Authority;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const PATIENCE: Duration = Duration::from_secs(10);

async fn view_of(url: &str, ca: &str, client: &ClientCertificate, timeout: Duration) -> KubernetesView {
    view(Server { url, name: None, ca, client }, Patience { silence: timeout, whole: timeout }).await
}

fn authority(seed: u64) -> Authority {
    let mut rng = StdRng::seed_from_u64(seed);
    Authority::generate("kubernetes", "test", HOUR, Timestamp::now(), &mut rng).unwrap()
}

fn client_of(authority: &Authority) -> ClientCertificate {
    let mut rng = StdRng::seed_from_u64(9);
    authority.client_certificate("me", "kubeadm:cluster-admins", HOUR, Timestamp::now(), &mut rng).unwrap()
}

/// What an API server has: a certificate for `name` of the authority, and the demand for a client certificate of it.
fn tls(authority: &Authority, name: &str) -> TlsAcceptor {
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, KeyPair::from_pem(authority.key.expose()).unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate.as_bytes()).unwrap()).unwrap();
    let config = ServerConfig::builder()
        .with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap())
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(acceptor: TlsAcceptor, answer: fn(&str) -> (u16, serde_json::Value)) -> String {
    serve_after(Duration::ZERO, acceptor, answer).await
}

/// Answers requests by their path and query until the test ends, each after a while that keeps no other request waiting.
async fn serve_after(delay: Duration, acceptor: TlsAcceptor, answer: fn(&str) -> (u16, serde_json::Value)) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut connection) = acceptor.accept(connection).await else { return };
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = connection.read(&mut buffer).await {
                    request.extend(&buffer[..read]);
                    if !request.ends_with(b"\r\n\r\n") {
                        continue;
                    }
                    let text = String::from_utf8(std::mem::take(&mut request)).unwrap();
                    let path = text.split(' ').nth(1).unwrap();
                    tokio::time::sleep(delay).await;
                    let (status, body) = answer(path);
                    // A watch has events in lines, and never comes to its end.
                    let (body, length) = match body.as_array().filter(|_| path.contains("watch=true")) {
                        Some(events) => (events.iter().map(|event| format!("{event}\n")).collect::<String>(), 1 << 20),
                        None => (body.to_string(), body.to_string().len()),
                    };
                    let head =
                        format!("HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
                    connection.write_all((head + &body).as_bytes()).await.unwrap();
                }
            });
        }
    });
    url(address)
}

fn url(address: SocketAddr) -> String {
    format!("https://{address}")
}

fn version() -> serde_json::Value {
    let words = ["gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"];
    let mut version = json!({"major": "1", "minor": "36", "gitVersion": "v1.36.2"});
    words.iter().for_each(|word| version[word] = json!(""));
    version
}

fn node(name: &str, ready: serde_json::Value) -> serde_json::Value {
    let mut info = json!({"kubeletVersion": "v1.36.2"});
    for word in [
        "architecture",
        "bootID",
        "containerRuntimeVersion",
        "kernelVersion",
        "kubeProxyVersion",
        "machineID",
        "operatingSystem",
        "osImage",
        "systemUUID",
    ] {
        info[word] = json!("");
    }
    json!({
        "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": "us-east-1a"}},
        "spec": {"providerID": format!("aws:///us-east-1a/{name}")},
        "status": {"conditions": [{"type": "DiskPressure", "status": "False"}, ready], "nodeInfo": info},
    })
}

fn healthy(path: &str) -> (u16, serde_json::Value) {
    let list = |items: Vec<serde_json::Value>, more: &str| json!({"kind": "NodeList", "apiVersion": "v1", "metadata": {"continue": more, "resourceVersion": "1"}, "items": items});
    match path {
        "/version" => (200, version()),
        path if path.contains("continue=page-2") => {
            let condition = json!({"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown",
                "message": "Kubelet stopped posting node status."});
            (200, list(vec![node("i-2", condition)], ""))
        }
        path if path.starts_with("/api/v1/nodes?") && path.contains("limit=500") => {
            (200, list(vec![node("i-1", json!({"type": "Ready", "status": "True"}))], "page-2"))
        }
        "/readyz?" => (500, json!("[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed")),
        path if path.starts_with("/api") => (200, list(Vec::new(), "")),
        path => panic!("{path} was asked for"),
    }
}

#[tokio::test]
async fn version_and_nodes_are_read_page_by_page() {
    let ca = authority(1);
    let server = serve(tls(&ca, "127.0.0.1"), healthy).await;
    let KubernetesView::Reachable { address, version, nodes, .. } =
        view_of(&server, &ca.certificate, &client_of(&ca), PATIENCE).await
    else {
        panic!("not reachable")
    };
    assert_eq!((address, version.as_str()), (server, "v1.36.2"));
    assert_eq!(nodes[0].instance_id(), Some("i-1"));
    assert_eq!(nodes[0].zone.as_deref(), Some("us-east-1a"));
    assert_eq!(nodes[0].kubelet_version, "v1.36.2");
    assert_eq!(nodes[0].not_ready, None);
    assert_eq!(nodes[1].name, "i-2");
    assert_eq!(nodes[1].not_ready.as_deref(), Some("NodeStatusUnknown: Kubelet stopped posting node status."));
    assert_eq!(nodes.len(), 2);
}

async fn refusal(server: &str, ca: &Authority, client: &ClientCertificate) -> String {
    match view_of(server, &ca.certificate, client, PATIENCE).await {
        KubernetesView::Refused { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_of_another_cluster_is_told_apart() {
    let (ours, theirs) = (authority(1), authority(2));
    let server = serve(tls(&theirs, "127.0.0.1"), healthy).await;
    assert_eq!(refusal(&server, &ours, &client_of(&ours)).await, "its certificate is not signed by this cluster's CA");
}

#[tokio::test]
async fn a_server_of_another_name_is_told_apart() {
    let ca = authority(1);
    let server = serve(tls(&ca, "api.elsewhere.example.com"), healthy).await;
    let reason = refusal(&server, &ca, &client_of(&ca)).await;
    assert!(reason.starts_with("its certificate is not valid: ") && reason.contains("127.0.0.1"), "{reason}");
}

#[tokio::test]
async fn a_client_certificate_that_is_not_taken_is_the_reason() {
    let (ours, theirs) = (authority(1), authority(2));
    let server = serve(tls(&ours, "127.0.0.1"), healthy).await;
    let reason = refusal(&server, &ours, &client_of(&theirs)).await;
    assert!(reason.starts_with("it broke off the TLS handshake: "), "{reason}");
}

#[tokio::test]
async fn errors_of_the_api_are_told_with_their_words() {
    let ca = authority(1);
    let cases: [(fn(&str) -> (u16, serde_json::Value), &str); 3] = [
        (|_| status(401, "Unauthorized"), "the client certificate is not accepted (HTTP 401): Unauthorized"),
        (
            |_| status(403, "nodes is forbidden: User \"me\" cannot list resource \"nodes\"."),
            "the user of the client certificate may not read nodes (HTTP 403): nodes is forbidden: User \"me\" cannot list resource \
             \"nodes\"",
        ),
        (|_| status(503, "etcdserver: no leader"), "the API reports an error (HTTP 503): etcdserver: no leader"),
    ];
    for (answer, expected) in cases {
        let server = serve(tls(&ca, "127.0.0.1"), answer).await;
        assert_eq!(refusal(&server, &ca, &client_of(&ca)).await, expected);
    }
}

/// An API server with more requests in flight than it takes is not ill.
#[tokio::test]
async fn one_that_is_busy_is_asked_again() {
    static REFUSED: AtomicU32 = AtomicU32::new(0);
    let busy = |path: &str| match path.starts_with("/api/v1/nodes") && REFUSED.fetch_add(1, Ordering::Relaxed) < 2 {
        true => status(429, "Too many requests, please try again later."),
        false => healthy(path),
    };
    let ca = authority(1);
    let server = serve(tls(&ca, "127.0.0.1"), busy).await;
    let view = view_of(&server, &ca.certificate, &client_of(&ca), PATIENCE).await;
    assert!(matches!(view, KubernetesView::Reachable { .. }), "{view:?}");
    assert!(REFUSED.load(Ordering::Relaxed) > 2);
}

#[test]
fn one_that_stays_busy_is_not_known_to_be_ill() {
    let busy = ::kube::core::Status { code: 429, message: "Too many requests".into(), ..::kube::core::Status::default() };
    assert!(matches!(explain(&Error::Api(Box::new(busy))), Failure::Unreachable(reason) if reason.contains("HTTP 429")));
}

fn follower(server: &str, ca: &Authority) -> watch::Follower {
    let server = Server { url: server, name: None, ca: &ca.certificate, client: &client_of(ca) };
    watch::Follower::new(server, Patience { silence: PATIENCE, whole: PATIENCE })
}

/// A kubelet tells its status every few minutes: what is not looked at is no change.
#[tokio::test]
async fn an_event_is_a_change_only_where_something_that_is_looked_at_changes() {
    let events = |path: &str| {
        let ready = |status: &str, at: &str| {
            let condition = json!({"type": "Ready", "status": status, "lastHeartbeatTime": at, "reason": "R", "message": "M"});
            let mut node = node("i-1", condition);
            node["metadata"]["resourceVersion"] = json!(at);
            json!({"type": "MODIFIED", "object": node})
        };
        let bookmark =
            json!({"type": "BOOKMARK", "object": {"kind": "Node", "apiVersion": "v1", "metadata": {"resourceVersion": "5"}}});
        match path {
            path if path.starts_with("/api/v1/nodes") && path.contains("watch=true") => {
                (200, json!([ready("True", "3"), bookmark, ready("True", "6"), ready("False", "7")]))
            }
            path if path.contains("watch=true") => (200, json!([])),
            path => healthy(path),
        }
    };
    let ca = authority(1);
    let server = serve(tls(&ca, "127.0.0.1"), events).await;
    let mut follower = follower(&server, &ca);
    assert!(follower.watched().is_none());
    let KubernetesView::Reachable { nodes, .. } = follower.view().await else { panic!("not reachable") };
    assert_eq!(nodes[0].not_ready, None);
    tokio::time::timeout(PATIENCE, follower.changed()).await.unwrap();
    let Some(KubernetesView::Reachable { nodes, .. }) = follower.watched() else { panic!("not watched") };
    assert_eq!(nodes[0].not_ready.as_deref(), Some("R: M"), "the first change is the fourth event");
}

/// A firewall has forgotten the connection: nothing is heard of it, not even its end.
#[tokio::test]
async fn a_watch_that_is_silent_is_begun_again() {
    static WATCHES: AtomicU32 = AtomicU32::new(0);
    let silent = |path: &str| match path.contains("watch=true") {
        true => {
            WATCHES.fetch_add(1, Ordering::Relaxed);
            (200, json!([]))
        }
        false => healthy(path),
    };
    let ca = authority(1);
    let server = serve(tls(&ca, "127.0.0.1"), silent).await;
    let mut follower = follower(&server, &ca);
    follower.silence = Duration::from_secs(2);
    let again = async {
        // Nodes and pods, and both once more.
        while WATCHES.load(Ordering::Relaxed) < 4 {
            // On a slow machine even an answer may take longer than silence lasts here: it is asked again.
            follower.view().await;
            let _ = tokio::time::timeout(Duration::from_millis(100), follower.changed()).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), again).await.unwrap();
}

/// The nodes of a large cluster over a narrow line: each page takes its time, and all of them more than one may be silent.
#[tokio::test]
async fn one_that_is_slow_is_waited_for_while_it_answers() {
    let (page, silence) = (Duration::from_secs(4), Duration::from_secs(7));
    let ca = authority(1);
    let server = serve_after(page, tls(&ca, "127.0.0.1"), healthy).await;
    let server = Server { url: &server, name: None, ca: &ca.certificate, client: &client_of(&ca) };
    let view = view(server, Patience { silence, whole: Duration::from_secs(60) }).await;
    assert!(matches!(view, KubernetesView::Reachable { .. }), "{view:?}");
}

fn status(code: u16, message: &str) -> (u16, serde_json::Value) {
    (code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": ""}))
}

async fn out_of_reach(server: &str, timeout: Duration) -> String {
    let ca = authority(1);
    match view_of(server, &ca.certificate, &client_of(&ca), timeout).await {
        KubernetesView::Unreachable { reason, address } => {
            assert_eq!(address, server);
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_the_reason() {
    // A label of 64 characters: no resolver even asks for it.
    let host = format!("{}.elb.us-east-1.amazonaws.com", "a".repeat(64));
    let reason = out_of_reach(&format!("https://{host}:6443"), PATIENCE).await;
    assert!(reason.starts_with(&format!("{host} does not resolve: ")), "{reason}");
    assert!(!reason.contains("lookup"), "{reason}");
}

#[tokio::test]
async fn a_closed_port_is_the_reason() {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    assert_eq!(out_of_reach(&url(address), PATIENCE).await, "connection refused");
}

#[tokio::test]
async fn a_server_that_hangs_up_is_the_reason() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    assert_eq!(out_of_reach(&url(address), PATIENCE).await, "the connection was closed without an answer");
}

#[tokio::test]
async fn a_server_that_is_silent_is_not_waited_for() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let reason = out_of_reach(&url(listener.local_addr().unwrap()), Duration::from_secs(1)).await;
    assert!(["no answer within 1 s", "the connection timed out"].contains(&reason.as_str()), "{reason}");
}

#[tokio::test]
async fn what_does_not_speak_tls_is_not_the_api() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let ca = authority(1);
    let reason = refusal(&url(address), &ca, &client_of(&ca)).await;
    assert!(reason.starts_with("what answers is not a Kubernetes API: "), "{reason}");
}

#[tokio::test]
async fn stored_certificates_that_cannot_be_read_are_the_reason() {
    let ca = authority(1);
    let mut client = client_of(&ca);
    client.key = crate::pki::Secret::new("nonsense");
    let KubernetesView::Unreachable { reason, .. } = view_of("https://127.0.0.1:1", &ca.certificate, &client, PATIENCE).await
    else {
        panic!("something else");
    };
    assert!(reason.starts_with("the stored address or certificates cannot be used: "), "{reason}");
    assert!(!reason.contains("nonsense"), "{reason}");
}
