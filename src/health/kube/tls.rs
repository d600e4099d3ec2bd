//! The certificate that an API server presents, whatever is wrong with it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tower_service::Service;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::proxy::proxy_for;
use crate::health::{CertificateFault, Presented};
use crate::model::API_PORT;

/// Shakes hands with the API server at `host`, which must be `name` to clients and have a certificate of `ca`, in PEM.
///
/// # Errors
/// Why there was no handshake, in words.
pub async fn presented(host: &str, name: &str, ca: &str, timeout: Duration) -> Result<Presented, String> {
    match tokio::time::timeout(timeout, handshake(host, name, ca)).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {} s", timeout.as_secs())),
    }
}

async fn handshake(host: &str, name: &str, ca: &str) -> Result<Presented, String> {
    let words = |error: &dyn std::error::Error| {
        let chain: Vec<String> = super::causes_of(error);
        chain.last().cloned().unwrap_or_default()
    };
    let recorder = Arc::new(Recorder::new(ca)?);
    let config = ClientConfig::builder().dangerous().with_custom_certificate_verifier(recorder.clone()).with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).map_err(|error| words(&error))?;
    let stream = connect(host).await?;
    let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let recorded = recorder.recorded.lock().ok().and_then(|mut recorded| recorded.take());
    match (recorded, shaken) {
        // What follows the certificate, such as a demand for ours, does not matter here.
        (Some(recorded), _) => recorded,
        (None, Err(error)) => Err(words(&error)),
        (None, Ok(_)) => Err("it presented no certificate".to_owned()),
    }
}

/// A connection, through the proxy that the environment names where it does.
async fn connect(host: &str) -> Result<TcpStream, String> {
    let said = |error: &dyn std::error::Error| {
        let chain = super::causes_of(error);
        let text = chain.last().cloned().unwrap_or_default();
        match chain.iter().any(|text| text.contains("tunnel")) {
            true => format!("the proxy does not reach it: {text}"),
            false => text,
        }
    };
    let url = format!("https://{host}:{API_PORT}").parse().map_err(|error| said(&error))?;
    if let Some(proxy) = proxy_for(&url)? {
        return proxy.connect(url).await.map_err(|error| said(error.as_ref()));
    }
    let mut direct = HttpConnector::new();
    direct.enforce_http(false);
    Ok(TokioIo::into_inner(direct.call(url).await.map_err(|error| said(&error))?))
}

/// Takes every certificate, and notes what the usual verifier would have said.
#[derive(Debug)]
struct Recorder {
    strict: Arc<WebPkiServerVerifier>,
    recorded: Mutex<Option<Result<Presented, String>>>,
}

impl Recorder {
    fn new(ca: &str) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        let strict = WebPkiServerVerifier::builder(Arc::new(roots)).build().map_err(|error| error.to_string())?;
        Ok(Self { strict, recorded: Mutex::new(None) })
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.strict.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let presented = read(end_entity).map(|presented| Presented { fault: verdict.err().map(fault), ..presented });
        if let Ok(mut recorded) = self.recorded.lock() {
            *recorded = Some(presented);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}

fn fault(error: Error) -> CertificateFault {
    match error {
        Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => CertificateFault::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => CertificateFault::NotYetValid,
            CertificateError::UnknownIssuer | CertificateError::BadSignature => CertificateFault::Foreign,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => CertificateFault::OtherName,
            other => CertificateFault::Other(other.to_string()),
        },
        other => CertificateFault::Other(other.to_string()),
    }
}

fn read(der: &CertificateDer<'_>) -> Result<Presented, String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| format!("its certificate cannot be read: {error}"))?;
    let time = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).map_err(|error| error.to_string());
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|extension| &extension.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    });
    let issuer = certificate.issuer().iter_common_name().next().and_then(|name| name.as_str().ok());
    Ok(Presented {
        names: names.collect(),
        issuer: issuer.unwrap_or("an authority without a name").to_owned(),
        not_before: time(certificate.validity().not_before)?,
        not_after: time(certificate.validity().not_after)?,
        fault: None,
    })
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(bytes).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string())
}
