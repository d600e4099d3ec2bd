//! The protocol between kubectl and the programs that make its credentials: `client.authentication.k8s.io`, KEP 541.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::login::EXEC_API_VERSION;
use crate::pki::{ClientCertificate, Secret};

/// The versions whose answers are the same.
const VERSIONS: [&str; 2] = [EXEC_API_VERSION, "client.authentication.k8s.io/v1beta1"];

/// What kubectl says to the program (`KUBERNETES_EXEC_INFO`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecInfo {
    /// In which version it wants the answer.
    pub api_version: String,
    /// Certificate of the authority, in PEM, that the cluster is trusted by; `None` where it does not say.
    pub ca: Option<Vec<u8>>,
}

impl ExecInfo {
    /// Reads the variable; `None` is somebody who calls the program by hand.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(variable: Option<&str>) -> Result<Self, String> {
        let Some(text) = variable.filter(|text| !text.is_empty()) else {
            return Ok(Self { api_version: EXEC_API_VERSION.to_owned(), ca: None });
        };
        let document: Json = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        let api_version = document["apiVersion"].as_str().unwrap_or_default();
        if !VERSIONS.contains(&api_version) {
            return Err(format!("its apiVersion is {api_version:?}; {} are known", VERSIONS.join(" and ")));
        }
        let ca = document.pointer("/spec/cluster/certificate-authority-data").and_then(Json::as_str);
        let ca = ca.map(|ca| STANDARD.decode(ca)).transpose().map_err(|error| format!("its authority is not Base64: {error}"))?;
        Ok(Self { api_version: api_version.to_owned(), ca })
    }
}

/// The answer: use this, and ask again after `expires`.
pub fn exec_credential(api_version: &str, certificate: &ClientCertificate, expires: Timestamp) -> Secret {
    let document = json!({
        "apiVersion": api_version,
        "kind": "ExecCredential",
        "status": {
            // Go reads it as RFC 3339.
            "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "clientCertificateData": certificate.certificate,
            "clientKeyData": certificate.key.expose(),
        },
    });
    Secret::new(format!("{document:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubectl_says_is_read() {
        let by_hand = ExecInfo { api_version: EXEC_API_VERSION.into(), ca: None };
        assert_eq!(ExecInfo::parse(None).unwrap(), by_hand);
        assert_eq!(ExecInfo::parse(Some("")).unwrap(), by_hand);
        let said = r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","spec":{"cluster":{"server":
            "https://x","certificate-authority-data":"Q0E=","config":null},"interactive":false}}"#;
        let expected = ExecInfo { api_version: "client.authentication.k8s.io/v1beta1".into(), ca: Some(b"CA".to_vec()) };
        assert_eq!(ExecInfo::parse(Some(said)).unwrap(), expected);
        let alpha = r#"{"apiVersion":"client.authentication.k8s.io/v1alpha1"}"#;
        for (wrong, reason) in [("x", "not JSON"), (alpha, "v1alpha1"), (&said.replace("Q0E=", "Q"), "not Base64")] {
            let error = ExecInfo::parse(Some(wrong)).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn the_answer_is_as_the_protocol_wants_it() {
        let certificate = ClientCertificate { certificate: "CERTIFICATE\n".into(), key: Secret::new("KEY\n") };
        let expires = "2026-11-22T14:00:00.75Z".parse().unwrap();
        let answer: Json = serde_json::from_str(exec_credential(EXEC_API_VERSION, &certificate, expires).expose()).unwrap();
        let expected = json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {
                "expirationTimestamp": "2026-11-22T14:00:00Z",
                "clientCertificateData": "CERTIFICATE\n",
                "clientKeyData": "KEY\n",
            },
        });
        assert_eq!(answer, expected);
    }
}
