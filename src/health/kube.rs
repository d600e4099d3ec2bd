//! Asks the Kubernetes API of a cluster. Never fails: why there is no answer is an answer.

mod lists;
mod pods;
mod proxy;
pub mod tls;
pub mod watch;
mod workloads;

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use ::kube::config::AuthInfo;
use ::kube::{Client, Config, Error};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::pki::ClientCertificate;

use self::proxy::proxy_for;
use super::{KubernetesView, Pod, System};

/// The API answers a handshake at once or is not there: a longer wait only delays the person who asked.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The API server has more requests in flight than it takes.
const TOO_MANY_REQUESTS: u16 = 429;

/// Where and how the API is asked.
#[derive(Clone, Copy)]
pub struct Server<'a> {
    /// `https://<name>:<port>` (see [`super::api_url`]).
    pub url: &'a str,
    /// The name that its certificate must be for, where that is not the one in `url`.
    pub name: Option<&'a str>,
    /// Who must have signed its certificate, in PEM.
    pub ca: &'a str,
    pub client: &'a ClientCertificate,
}

/// How long an API is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Without a byte of it.
    pub silence: Duration,
    /// For everything that is asked: the nodes of a large cluster are many pages.
    pub whole: Duration,
}

impl Patience {
    fn connect(self) -> Duration {
        self.silence.min(CONNECT_TIMEOUT)
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// What the cluster itself runs as well: its pods, and what waits for a node.
    Everything,
    /// Version and nodes, however much else there is.
    Nodes,
}

/// What the API says of the cluster.
pub async fn view(server: Server<'_>, asked: Asked, patience: Patience) -> KubernetesView {
    match tokio::time::timeout(patience.whole, ask(server, asked, patience)).await {
        Ok(Ok(view)) => view,
        Ok(Err(failure)) => failure.into_view(server.url.to_owned(), patience),
        Err(_) => Failure::Slow.into_view(server.url.to_owned(), patience),
    }
}

/// Why there is no answer, in one line.
enum Failure {
    Unreachable(String),
    Refused(String),
    /// An error of HTTP.
    Status(u16, String),
    /// Not a byte for as long as it is waited for one.
    Silent,
    /// It answers, and not everything in the time that there is.
    Slow,
}

impl Failure {
    fn into_view(self, address: String, patience: Patience) -> KubernetesView {
        let Patience { silence, whole } = patience;
        let reason = match self {
            Self::Refused(reason) => return KubernetesView::Refused { address, reason, status: None },
            Self::Status(status, reason) => return KubernetesView::Refused { address, reason, status: Some(status) },
            Self::Unreachable(reason) => reason,
            Self::Slow if whole > silence => format!("it is slow: no more than a part was answered within {} s", whole.as_secs()),
            Self::Silent | Self::Slow => format!("no answer within {} s", silence.as_secs()),
        };
        KubernetesView::Unreachable { address, reason }
    }

    fn into_words(self) -> String {
        match self {
            Self::Unreachable(reason) | Self::Refused(reason) | Self::Status(_, reason) => reason,
            Self::Silent | Self::Slow => "no answer".to_owned(),
        }
    }
}

/// Asks again while the API has too much to do (429), as API servers want it: in a second, they say in `Retry-After`, which the client
/// keeps to itself.
async fn patiently<T, F: Future<Output = Result<T, Error>>>(ask: impl Fn() -> F) -> Result<T, Error> {
    const TIMES: u32 = 10;
    for _ in 0..TIMES {
        match ask().await {
            Err(Error::Api(status)) if status.code == TOO_MANY_REQUESTS => tokio::time::sleep(Duration::from_secs(1)).await,
            answer => return answer,
        }
    }
    ask().await
}

async fn ask(server: Server<'_>, asked: Asked, patience: Patience) -> Result<KubernetesView, Failure> {
    let client = connect(server, patience.connect(), patience.silence).await?;
    let seen = async { tokio::try_join!(patiently(|| client.apiserver_version()), lists::nodes(&client)) };
    let system = async {
        match asked {
            Asked::Everything => system(&client, &mut workloads::Looks::default(), pods::pending(&client)).await,
            Asked::Nodes => System::not_asked(),
        }
    };
    let (seen, system) = tokio::join!(seen, system);
    let (version, nodes) = seen.map_err(|error| explain(&error))?;
    let (address, version) = (server.url.to_owned(), version.git_version);
    Ok(KubernetesView::Reachable { address, version, nodes: nodes.items, system })
}

/// Not needed to see the nodes: a part that fails is told as such.
async fn system(client: &Client, looks: &mut workloads::Looks, pending: impl Future<Output = Result<Vec<Pod>, Error>>) -> System {
    let (failing, workloads, control_plane, pending) =
        tokio::join!(lists::failing_checks(client), workloads::workloads(client, looks), pods::control_plane(client), pending);
    let words = |error: Error| explain(&error).into_words();
    System {
        failing: failing.map_err(words),
        workloads: workloads.map_err(words),
        control_plane: control_plane.map_err(words),
        pending: pending.map_err(words),
    }
}

/// A client that gives up where there is no connection, or not a byte, for as long as that.
async fn connect(server: Server<'_>, connect_timeout: Duration, silence: Duration) -> Result<Client, Failure> {
    let config = config(server, connect_timeout, silence)?;
    if config.proxy_url.is_none() {
        // A proxy looks names up itself.
        resolve(&config).await?;
    }
    // One crypto provider is compiled in, ring, so rustls takes it without being told; with two it would panic here.
    Client::try_from(config).map_err(|error| unusable(&error))
}

fn config(server: Server<'_>, connect_timeout: Duration, silence: Duration) -> Result<Config, Failure> {
    let Server { url, name, ca, client } = server;
    let mut config = Config::new(url.parse().map_err(|error| unusable(&error))?);
    let roots: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(ca.as_bytes()).map(|certificate| certificate.map(|der| der.to_vec())).collect();
    config.root_cert = Some(roots.map_err(|error| unusable(&error))?);
    config.tls_server_name = name.map(str::to_owned);
    config.auth_info = AuthInfo {
        client_certificate_data: Some(STANDARD.encode(&client.certificate)),
        client_key_data: Some(STANDARD.encode(client.key.expose()).into()),
        ..AuthInfo::default()
    };
    config.connect_timeout = Some(connect_timeout);
    config.read_timeout = Some(silence);
    // A connection that nobody has used for a while has not been silent.
    config.reset_reader_on_write = true;
    config.proxy_url = proxy_for(&config.cluster_url).map_err(Failure::Unreachable)?.map(|proxy| proxy.url);
    // What is wanted is the state as it is, a 503 included.
    config.default_retry = false;
    Ok(config)
}

/// Whether the API is reached through a proxy, which then looks names up itself.
pub fn is_behind_proxy(url: &str) -> bool {
    url.parse().is_ok_and(|url| !matches!(proxy_for(&url), Ok(None)))
}

/// Nothing was asked, because what was stored cannot be used to ask.
fn unusable(error: &(dyn StdError + 'static)) -> Failure {
    Failure::Unreachable(format!("the stored address or certificates cannot be used: {}", chain(error).join(": ")))
}

/// Looks the name up, for a plain word if there is no such name: the error of the client says it between the lines only.
async fn resolve(config: &Config) -> Result<(), Failure> {
    let host = config.cluster_url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let failed = |reason: String| {
        let reason = reason.trim_start_matches("failed to lookup address information: ");
        Failure::Unreachable(format!("{host} does not resolve: {reason}"))
    };
    match tokio::net::lookup_host((host.as_str(), 0)).await {
        Ok(mut addresses) => addresses.next().map(|_| ()).ok_or_else(|| failed("no address".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn explain(error: &Error) -> Failure {
    if let Error::Api(status) = error {
        if status.code == TOO_MANY_REQUESTS {
            return Failure::Unreachable(format!("it has too much to do (HTTP 429): {}", status.message.trim_end_matches('.')));
        }
        let what = match status.code {
            401 => "the client certificate is not accepted",
            // What it is, the message names.
            403 => "the user of the client certificate may not do this",
            _ => "the API reports an error",
        };
        let reason = format!("{what} (HTTP {}): {}", status.code, status.message.trim_end_matches('.'));
        return Failure::Status(status.code, reason);
    }
    let texts = chain(error);
    // Rustls hides its errors in `std::io::Error`, whose kind then says nothing: the words are all there is.
    let says = |words: &str| texts.iter().any(|text| text.contains(words));
    let detail = texts.last().cloned().unwrap_or_default();
    if says("UnknownIssuer") || says("BadSignature") {
        return Failure::Refused("its certificate is not signed by this cluster's CA".to_owned());
    }
    if says("invalid peer certificate") {
        return Failure::Refused(detail.replace("invalid peer certificate", "its certificate is not valid"));
    }
    if says("received fatal alert") {
        return Failure::Refused(format!("it broke off the TLS handshake: {detail}"));
    }
    if says("InvalidContentType") || says("corrupt message") || matches!(error, Error::SerdeError(_) | Error::FromUtf8(_)) {
        return Failure::Refused(format!("what answers is not a Kubernetes API: {detail}"));
    }
    if texts.iter().any(|text| text.contains("tunnel")) {
        return Failure::Unreachable(format!("the proxy does not reach it: {detail}"));
    }
    if io_kind(error) == Some(io::ErrorKind::TimedOut) && !says("(Connect)") {
        return Failure::Silent;
    }
    Failure::Unreachable(match io_kind(error) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::TimedOut) => "the connection timed out".to_owned(),
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) => {
            "the connection was closed without an answer".to_owned()
        }
        _ => detail,
    })
}

/// The messages of an error and of what caused it, outermost first.
fn chain(error: &(dyn StdError + 'static)) -> Vec<String> {
    causes(error).map(ToString::to_string).collect()
}

/// The same of an error that is only borrowed.
fn causes_of(error: &dyn StdError) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts
}

fn io_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    causes(error).find_map(|error| error.downcast_ref::<io::Error>()).map(innermost_kind)
}

/// The TLS connector wraps the errors of the connection in errors of the same type, which `source` steps over.
fn innermost_kind(error: &io::Error) -> io::ErrorKind {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>()) {
        Some(inner) => innermost_kind(inner),
        None => error.kind(),
    }
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

#[cfg(test)]
#[path = "kube_tests.rs"]
mod tests;
