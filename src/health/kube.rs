//! Asks the Kubernetes API of a cluster. Never fails: why there is no answer is an answer.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use ::kube::api::ListParams;
use ::kube::config::AuthInfo;
use ::kube::{Api, Client, Config, Error};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper_util::client::proxy::matcher::Matcher;
use k8s_openapi::api::core::v1::{Node, NodeCondition};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::pki::ClientCertificate;

use super::{KubeNode, KubernetesView};

/// The API answers a handshake at once or is not there: a longer wait only delays the person who asked.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Nodes on a page. A node object has some 10 KiB, mostly its list of images.
const PAGE: u32 = 500;

/// Version and nodes of the cluster behind `server` (see [`super::api_url`]), whose certificate must be signed by `ca`, in PEM. Takes at
/// most `timeout`.
pub async fn view(server: &str, ca: &str, client: &ClientCertificate, timeout: Duration) -> KubernetesView {
    let address = server.to_owned();
    match tokio::time::timeout(timeout, ask(server, ca, client, timeout.min(CONNECT_TIMEOUT))).await {
        Ok(Ok((version, nodes))) => KubernetesView::Reachable { address, version, nodes },
        Ok(Err(Failure::Unreachable(reason))) => KubernetesView::Unreachable { address, reason },
        Ok(Err(Failure::Refused(reason))) => KubernetesView::Refused { address, reason },
        Err(_) => KubernetesView::Unreachable { address, reason: format!("no answer within {} s", timeout.as_secs()) },
    }
}

/// Why there is no answer, in one line; which of the two it is, [`KubernetesView`] says.
enum Failure {
    Unreachable(String),
    Refused(String),
}

async fn ask(
    server: &str,
    ca: &str,
    client: &ClientCertificate,
    connect_timeout: Duration,
) -> Result<(String, Vec<KubeNode>), Failure> {
    let config = config(server, ca, client, connect_timeout)?;
    if config.proxy_url.is_none() {
        // A proxy looks names up itself.
        resolve(&config).await?;
    }
    // One crypto provider is compiled in, ring, so rustls takes it without being told; with two it would panic here.
    let client = Client::try_from(config).map_err(|error| unusable(&error))?;
    let (version, nodes) = tokio::try_join!(client.apiserver_version(), list_nodes(&client)).map_err(|error| explain(&error))?;
    Ok((version.git_version, nodes))
}

fn config(server: &str, ca: &str, client: &ClientCertificate, connect_timeout: Duration) -> Result<Config, Failure> {
    let mut config = Config::new(server.parse().map_err(|error| unusable(&error))?);
    let roots: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(ca.as_bytes()).map(|certificate| certificate.map(|der| der.to_vec())).collect();
    config.root_cert = Some(roots.map_err(|error| unusable(&error))?);
    config.auth_info = AuthInfo {
        client_certificate_data: Some(STANDARD.encode(&client.certificate)),
        client_key_data: Some(STANDARD.encode(client.key.expose()).into()),
        ..AuthInfo::default()
    };
    config.connect_timeout = Some(connect_timeout);
    config.proxy_url = Matcher::from_env().intercept(&config.cluster_url).map(|proxy| proxy.uri().clone());
    // What is wanted is the state as it is, a 503 included.
    config.default_retry = false;
    Ok(config)
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

async fn list_nodes(client: &Client) -> Result<Vec<KubeNode>, Error> {
    let api: Api<Node> = Api::all(client.clone());
    let mut params = ListParams::default().limit(PAGE);
    let mut nodes = Vec::new();
    loop {
        let page = api.list(&params).await?;
        nodes.extend(page.items.into_iter().map(kube_node));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(nodes),
        }
    }
}

fn kube_node(node: Node) -> KubeNode {
    let mut labels = node.metadata.labels.unwrap_or_default();
    let status = node.status.unwrap_or_default();
    KubeNode {
        name: node.metadata.name.unwrap_or_default(),
        provider_id: node.spec.and_then(|spec| spec.provider_id),
        control_plane: labels.contains_key("node-role.kubernetes.io/control-plane"),
        zone: labels.remove("topology.kubernetes.io/zone"),
        not_ready: not_ready(status.conditions.unwrap_or_default()),
        kubelet_version: status.node_info.unwrap_or_default().kubelet_version,
    }
}

/// `None` when the condition `Ready` is `True`.
fn not_ready(conditions: Vec<NodeCondition>) -> Option<String> {
    let Some(ready) = conditions.into_iter().find(|condition| condition.type_ == "Ready") else {
        return Some("the kubelet has not reported yet".to_owned());
    };
    if ready.status == "True" {
        return None;
    }
    let words: Vec<String> = [ready.reason, ready.message].into_iter().flatten().filter(|text| !text.is_empty()).collect();
    Some(if words.is_empty() { format!("Ready is {}", ready.status) } else { words.join(": ") })
}

fn explain(error: &Error) -> Failure {
    if let Error::Api(status) = error {
        let what = match status.code {
            401 => "the client certificate is not accepted",
            403 => "the user of the client certificate may not read nodes",
            _ => "the API reports an error",
        };
        return Failure::Refused(format!("{what} (HTTP {}): {}", status.code, status.message.trim_end_matches('.')));
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
