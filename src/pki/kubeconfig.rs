//! Kubeconfig documents.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{ClientCertificate, Secret};

/// How the holder of a kubeconfig proves who he is.
#[derive(Debug, Clone, Copy)]
pub enum Credential<'a> {
    ClientCertificate(&'a ClientCertificate),
    /// A bearer token.
    Token(&'a Secret),
}

/// A kubeconfig (`v1` `Config`) with one cluster, one user and one context, each called `name`, in JSON, which is YAML too.
/// `server` is the address of the API with its scheme and port, `ca` the certificate of the cluster's authority in PEM.
pub fn kubeconfig(name: &str, server: &str, ca: &str, credential: Credential<'_>) -> Secret {
    let user = match credential {
        Credential::ClientCertificate(certificate) => json!({
            "client-certificate-data": STANDARD.encode(&certificate.certificate),
            "client-key-data": STANDARD.encode(certificate.key.expose()),
        }),
        Credential::Token(token) => json!({"token": token.expose()}),
    };
    let document = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": STANDARD.encode(ca)}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    });
    Secret::new(format!("{document:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_leads_to_cluster_and_user() {
        let text = kubeconfig("prod", "https://api.prod:6443", "CA", Credential::Token(&Secret::new("abc.def")));
        let document: serde_json::Value = serde_json::from_str(text.expose()).unwrap();
        assert_eq!(document["contexts"][0]["name"], document["current-context"]);
        assert_eq!(document["contexts"][0]["context"]["cluster"], document["clusters"][0]["name"]);
        assert_eq!(document["contexts"][0]["context"]["user"], document["users"][0]["name"]);
        assert_eq!(document["clusters"][0]["cluster"]["certificate-authority-data"], STANDARD.encode("CA"));
        assert_eq!(document["users"][0]["user"]["token"], "abc.def");
    }

    #[test]
    fn a_client_certificate_goes_in_with_its_key() {
        let certificate = ClientCertificate { certificate: "CERT".into(), key: Secret::new("KEY") };
        let text = kubeconfig("prod", "https://api.prod:6443", "CA", Credential::ClientCertificate(&certificate));
        let document: serde_json::Value = serde_json::from_str(text.expose()).unwrap();
        assert_eq!(document["users"][0]["user"]["client-key-data"], STANDARD.encode("KEY"));
        assert_eq!(document["users"][0]["user"]["client-certificate-data"], STANDARD.encode("CERT"));
    }
}
