//! A Kubernetes API for tests: TLS with the cluster's own CA, client certificates, lists in pages, watches, and what goes wrong with it.
//!
//! It is reached as through a company's proxy: commands are given `HTTPS_PROXY`, and whatever host they ask the proxy for, they find the
//! API there. What it serves are documents that tests put in; [`fill`] makes those of a cluster that the emulator has.

pub mod documents;
pub mod fill;
mod http;
mod objects;
mod tls;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value as Json;

use crate::harness::Account;

pub use objects::Objects;
pub use tls::Certificate;

/// How a host behaves that is asked for through the proxy.
#[derive(Debug, Clone, Default)]
pub struct Host {
    /// The proxy cannot reach it: `502 Bad Gateway`.
    pub down: bool,
    /// It takes the connection and never says a word.
    pub silent: bool,
    /// It answers each request after that time.
    pub slow: Duration,
    /// It answers each request, but for `/livez`, with this HTTP status and message.
    pub error: Option<(u16, String)>,
    /// It presents another certificate than the others.
    pub certificate: Option<Certificate>,
}

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct Request {
    /// The host that was asked for.
    pub host: String,
    pub method: String,
    /// With query.
    pub path: String,
    /// Whether its answer may be compressed.
    pub gzip: bool,
    /// Common name and organizations of the client's certificate.
    pub user: Option<(String, Vec<String>)>,
}

/// What can be changed while it serves.
pub struct Behaviour {
    /// How hosts behave that are not in `hosts`.
    pub every_host: Host,
    pub hosts: BTreeMap<String, Host>,
    pub certificate: Certificate,
    /// `gitVersion`.
    pub version: String,
    /// Checks of `/readyz` and `/livez` that fail, with the reason that only the log of an API server has.
    pub failing: Vec<String>,
    /// Documents of `/metrics`.
    pub metrics: String,
}

/// Serves until the test ends.
pub struct KubernetesApi {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    ca: tls::Authority,
    behaviour: Mutex<Behaviour>,
    objects: Objects,
    requests: Mutex<Vec<Request>>,
}

impl KubernetesApi {
    /// The API of a cluster whose keys lie in the state store of the account, without any document.
    pub fn empty(account: &Account, cluster: &str) -> Self {
        let file = |name: &str| account.state_object(&format!("{cluster}/pki/{name}"));
        let ca = tls::Authority { api_name: format!("api.{cluster}"), certificate: file("ca.crt"), key: file("ca.key") };
        let shared = Arc::new(Shared {
            ca,
            behaviour: Mutex::new(Behaviour {
                every_host: Host::default(),
                hosts: BTreeMap::new(),
                certificate: Certificate::default(),
                version: "v1.36.2".to_owned(),
                failing: Vec::new(),
                metrics: String::new(),
            }),
            objects: Objects::default(),
            requests: Mutex::new(Vec::new()),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = shared.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let shared = serving.clone();
                std::thread::spawn(move || proxy(connection, &shared));
            }
        });
        Self { address, shared }
    }

    /// The API of a cluster that the emulator has, in perfect health: a node for each instance, and what runs in `kube-system`.
    pub fn healthy(account: &Account, cluster: &str) -> Self {
        let api = Self::empty(account, cluster);
        fill::fill(&api, account, cluster);
        api
    }

    /// For `HTTPS_PROXY`.
    pub fn proxy(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets a command reach the API.
    pub fn reached_by<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("HTTPS_PROXY", self.proxy())
    }

    pub fn objects(&self) -> &Objects {
        &self.shared.objects
    }

    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.behaviour.lock().unwrap());
    }

    /// Every request since the last [`Self::forget_requests`].
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub fn forget_requests(&self) {
        self.shared.requests.lock().unwrap().clear();
    }
}

impl Drop for KubernetesApi {
    /// Ends the watches, so that no thread outlives the test for long.
    fn drop(&mut self) {
        self.shared.objects.end();
    }
}

/// `CONNECT host:port`, and then whatever that host is.
fn proxy(connection: TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(connection);
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() {
        return;
    }
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    // A client that speaks TLS waits for the answer, so that nothing is left in the buffer.
    let mut connection = reader.into_inner();
    let words: Vec<&str> = first.split_whitespace().collect();
    let Some((host, _)) = words.get(1).filter(|_| words[0] == "CONNECT").and_then(|target| target.rsplit_once(':')) else {
        let _ = connection.write_all(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n");
        return;
    };
    let (behaviour, certificate) = {
        let all = shared.behaviour.lock().unwrap();
        let host = all.hosts.get(host).unwrap_or(&all.every_host).clone();
        let certificate = host.certificate.clone().unwrap_or_else(|| all.certificate.clone());
        (host, certificate)
    };
    if behaviour.down {
        let _ = connection.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
        return;
    }
    if connection.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").is_err() {
        return;
    }
    if behaviour.silent {
        let _ = connection.read_to_end(&mut Vec::new());
        return;
    }
    let Some((stream, user)) = tls::accept(connection, &shared.ca, &certificate, host) else { return };
    let _ = serve(stream, host, user, shared);
}

/// Answers requests until the client has had enough.
fn serve(stream: tls::Stream, host: &str, user: Option<tls::User>, shared: &Shared) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(http::Received { method, path, gzip, body }) = http::read_request(&mut stream)? {
        let user_of = user.as_ref().map(|user| (user.name.clone(), user.groups.clone()));
        let request = Request { host: host.to_owned(), method, path, gzip, user: user_of };
        let behaviour = {
            let all = shared.behaviour.lock().unwrap();
            all.hosts.get(host).unwrap_or(&all.every_host).clone()
        };
        std::thread::sleep(behaviour.slow);
        let answer = match behaviour.error.filter(|_| !request.path.starts_with("/livez")) {
            Some((status, message)) => http::Answer::status(status, &message),
            None => answer(&request, body, shared),
        };
        // A watch that is seen here has begun.
        shared.requests.lock().unwrap().push(request);
        answer.write(stream.get_mut(), gzip, &shared.objects)?;
    }
    Ok(())
}

fn answer(request: &Request, body: Option<Json>, shared: &Shared) -> http::Answer {
    let path = request.path.split('?').next().unwrap_or_default();
    if let "/livez" | "/readyz" | "/healthz" = path {
        return documents::health(path, request.path.contains("verbose"), &shared.behaviour.lock().unwrap().failing);
    }
    let Some(user) = &request.user else { return http::Answer::status(401, "Unauthorized") };
    match path {
        "/version" => http::Answer::json(200, &documents::version(&shared.behaviour.lock().unwrap().version)),
        "/metrics" => http::Answer::text(200, &shared.behaviour.lock().unwrap().metrics),
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => http::Answer::json(201, &documents::self_review(user)),
        _ => match documents::discovery(path) {
            Some(document) => http::Answer::json(200, &document),
            None => shared.objects.answer(&request.method, &request.path, body),
        },
    }
}
