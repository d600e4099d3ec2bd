//! The server's side of TLS, and who the client is.

use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::{Duration, OffsetDateTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use x509_parser::prelude::{FromDer, X509Certificate};

pub type Stream = StreamOwned<ServerConnection, TcpStream>;

/// A CA in PEM, and the name that its cluster's API has where it has a zone.
pub struct Authority {
    pub api_name: String,
    pub certificate: String,
    pub key: String,
}

/// The certificate that an API server presents.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Names and addresses that it is for; `None`: the name of the API, and whatever host it is asked at.
    pub names: Option<Vec<String>>,
    /// How long it is valid from now on; negative: since when it is not.
    pub valid_for: Duration,
    /// It is signed by a CA that nobody knows.
    pub foreign: bool,
}

impl Default for Certificate {
    fn default() -> Self {
        Self { names: None, valid_for: Duration::hours(365 * 24 - 12), foreign: false }
    }
}

/// Who a client certificate is of.
#[derive(Debug, Clone)]
pub struct User {
    pub name: String,
    pub groups: Vec<String>,
}

/// The handshake. `None` when the client breaks it off, or is refused.
pub fn accept(connection: TcpStream, ca: &Authority, certificate: &Certificate, host: &str) -> Option<(Stream, Option<User>)> {
    let mut session = ServerConnection::new(Arc::new(config(ca, certificate, host))).unwrap();
    let mut connection = connection;
    while session.is_handshaking() {
        session.complete_io(&mut connection).ok()?;
    }
    let user = session.peer_certificates().and_then(|chain| user(chain.first()?));
    Some((StreamOwned::new(session, connection), user))
}

fn config(ca: &Authority, certificate: &Certificate, host: &str) -> ServerConfig {
    let own = CertificateDer::from_pem_slice(ca.certificate.as_bytes()).unwrap();
    let issuer = if certificate.foreign {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "another");
        Issuer::new(params, KeyPair::generate().unwrap())
    } else {
        Issuer::from_ca_cert_pem(&ca.certificate, KeyPair::from_pem(&ca.key).unwrap()).unwrap()
    };
    let names = certificate.names.clone().unwrap_or_else(|| vec![ca.api_name.clone(), host.trim_matches(['[', ']']).to_owned()]);
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    let end = OffsetDateTime::now_utc() + certificate.valid_for;
    params.not_before = end.min(OffsetDateTime::now_utc()) - Duration::days(1);
    params.not_after = end;
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(own).unwrap();
    let clients = WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated().build().unwrap();
    ServerConfig::builder()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap()
}

fn user(certificate: &CertificateDer<'_>) -> Option<User> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
    let groups = subject.iter_organization().filter_map(|group| Some(group.as_str().ok()?.to_owned())).collect();
    Some(User { name, groups })
}
