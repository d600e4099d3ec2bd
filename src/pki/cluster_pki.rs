//! All the key material of one cluster, as it lies in the state below `pki/`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use rcgen::KeyPair;

use super::{Authority, PkiError, Secret};
use crate::spec::ClusterName;

/// Ten years, kubeadm's own default (`caCertificateValidityPeriod`).
const CA_VALIDITY: SignedDuration = SignedDuration::from_hours(87_600);

/// What a cluster trusts, and what it encrypts its Secrets with. Made once; losing it means losing the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterPki {
    /// Signs the API server, its clients and kubelets.
    pub kubernetes: Authority,
    /// Signs etcd's members and clients; apart from the others, so that no client of the API can speak to etcd.
    pub etcd: Authority,
    /// Signs the API server towards aggregated API servers.
    pub front_proxy: Authority,
    pub service_account: ServiceAccountKey,
    /// `EncryptionConfiguration` document of the API server: Secrets are written with `secretbox` (XSalsa20 and Poly1305).
    pub encryption: Secret,
}

/// Key pair that signs service-account tokens: ECDSA P-256 in PEM, PKCS#8 and SubjectPublicKeyInfo. kubeadm (`sa.key`, `sa.pub`),
/// kube-apiserver and kube-controller-manager read it (`k8s.io/client-go/util/keyutil`); tokens are signed with ES256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccountKey {
    pub public: String,
    pub private: Secret,
}

impl ClusterPki {
    /// Makes the key material of a new cluster.
    ///
    /// # Errors
    /// [`PkiError::Generate`]
    pub fn generate(cluster: &ClusterName, now: Timestamp, rng: &mut impl CryptoRng) -> Result<Self, PkiError> {
        let mut authority = |name: &str| Authority::generate(name, cluster.as_str(), CA_VALIDITY, now, rng);
        let (kubernetes, etcd, front_proxy) = (authority("kubernetes")?, authority("etcd-ca")?, authority("front-proxy-ca")?);
        let service_account = KeyPair::generate()
            .map_err(|source| PkiError::Generate { what: "the key of the service accounts".into(), source })?;
        Ok(Self {
            kubernetes,
            etcd,
            front_proxy,
            service_account: ServiceAccountKey {
                public: service_account.public_key_pem(),
                private: Secret::new(service_account.serialize_pem()),
            },
            encryption: encryption_configuration(rng),
        })
    }

    /// The files of the PKI by their keys below `pki/`: kubeadm's names below `/etc/kubernetes/pki`, and `encryption.yaml`.
    pub fn files(&self) -> Vec<(&'static str, Secret)> {
        let public = |text: &String| Secret::new(text.clone());
        vec![
            (CA_CERTIFICATE, public(&self.kubernetes.certificate)),
            (CA_KEY, self.kubernetes.key.clone()),
            (ETCD_CERTIFICATE, public(&self.etcd.certificate)),
            (ETCD_KEY, self.etcd.key.clone()),
            (FRONT_PROXY_CERTIFICATE, public(&self.front_proxy.certificate)),
            (FRONT_PROXY_KEY, self.front_proxy.key.clone()),
            (SERVICE_ACCOUNT_PUBLIC, public(&self.service_account.public)),
            (SERVICE_ACCOUNT_PRIVATE, self.service_account.private.clone()),
            (ENCRYPTION, self.encryption.clone()),
        ]
    }

    /// Keys below `pki/` of all files, in the order of [`ClusterPki::files`].
    pub const FILES: [&'static str; 9] = [
        CA_CERTIFICATE,
        CA_KEY,
        ETCD_CERTIFICATE,
        ETCD_KEY,
        FRONT_PROXY_CERTIFICATE,
        FRONT_PROXY_KEY,
        SERVICE_ACCOUNT_PUBLIC,
        SERVICE_ACCOUNT_PRIVATE,
        ENCRYPTION,
    ];

    /// Reads what [`ClusterPki::files`] gives, and checks that each CA key can be used with its certificate.
    ///
    /// # Errors
    /// [`PkiError::Missing`], [`PkiError::Unreadable`]
    pub fn from_files(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, PkiError> {
        let text = |file: &'static str| {
            let bytes = files.get(file).ok_or(PkiError::Missing { file })?;
            String::from_utf8(bytes.clone())
                .map_err(|_| PkiError::Unreadable { file: file.into(), reason: "it is not UTF-8".into() })
        };
        let authority = |certificate: &'static str, key: &'static str| {
            let authority = Authority { certificate: text(certificate)?, key: Secret::new(text(key)?) };
            match authority.issuer() {
                Err(PkiError::Unreadable { reason, .. }) => Err(PkiError::Unreadable { file: key.into(), reason }),
                Err(error) => Err(error),
                Ok(_) => Ok(authority),
            }
        };
        Ok(Self {
            kubernetes: authority(CA_CERTIFICATE, CA_KEY)?,
            etcd: authority(ETCD_CERTIFICATE, ETCD_KEY)?,
            front_proxy: authority(FRONT_PROXY_CERTIFICATE, FRONT_PROXY_KEY)?,
            service_account: ServiceAccountKey {
                public: text(SERVICE_ACCOUNT_PUBLIC)?,
                private: Secret::new(text(SERVICE_ACCOUNT_PRIVATE)?),
            },
            encryption: Secret::new(text(ENCRYPTION)?),
        })
    }
}

const CA_CERTIFICATE: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
const ETCD_CERTIFICATE: &str = "etcd/ca.crt";
const ETCD_KEY: &str = "etcd/ca.key";
const FRONT_PROXY_CERTIFICATE: &str = "front-proxy-ca.crt";
const FRONT_PROXY_KEY: &str = "front-proxy-ca.key";
const SERVICE_ACCOUNT_PUBLIC: &str = "sa.pub";
const SERVICE_ACCOUNT_PRIVATE: &str = "sa.key";
const ENCRYPTION: &str = "encryption.yaml";

/// A configuration with one new key of 32 bytes. The last provider lets the API server read what was written without encryption.
fn encryption_configuration(rng: &mut impl CryptoRng) -> Secret {
    let mut key = [0; 32];
    rng.fill_bytes(&mut key);
    let key = STANDARD.encode(key);
    Secret::new(format!(
        "apiVersion: apiserver.config.k8s.io/v1\n\
         kind: EncryptionConfiguration\n\
         resources:\n\
         - resources: [secrets]\n\
         \x20 providers:\n\
         \x20 - secretbox:\n\
         \x20     keys:\n\
         \x20     - name: key1\n\
         \x20       secret: {key}\n\
         \x20 - identity: {{}}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn pki() -> ClusterPki {
        let cluster = ClusterName::parse("a.cluster.with-a-name-as-long-as-names-can-be.teest.example.com").unwrap();
        ClusterPki::generate(&cluster, "2026-11-22T14:00:00Z".parse().unwrap(), &mut StdRng::seed_from_u64(7)).unwrap()
    }

    fn stored(pki: &ClusterPki) -> BTreeMap<String, Vec<u8>> {
        pki.files().into_iter().map(|(key, text)| (key.to_owned(), text.expose().as_bytes().to_vec())).collect()
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let pki = pki();
        assert_eq!(ClusterPki::from_files(&stored(&pki)).unwrap(), pki);
        assert_eq!(pki.files().iter().map(|(key, _)| *key).collect::<Vec<_>>(), ClusterPki::FILES);
    }

    #[test]
    fn a_file_that_is_missing_or_damaged_is_named() {
        for file in ClusterPki::FILES {
            let mut files = stored(&pki());
            files.remove(file);
            assert!(ClusterPki::from_files(&files).unwrap_err().to_string().contains(file));
        }
        let mut files = stored(&pki());
        files.insert(ETCD_KEY.into(), b"nonsense".to_vec());
        assert!(ClusterPki::from_files(&files).unwrap_err().to_string().contains(ETCD_KEY));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let pki = pki();
        let printed = format!("{pki:?}");
        assert!(!printed.contains("PRIVATE"), "{printed}");
        assert!(!printed.contains("secretbox"), "{printed}");
    }

    #[test]
    fn keys_are_in_the_forms_that_kubeadm_reads() {
        let pki = pki();
        assert!(pki.service_account.private.expose().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(pki.service_account.public.starts_with("-----BEGIN PUBLIC KEY-----\n"));
        assert!(pki.kubernetes.key.expose().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(pki.kubernetes.certificate.starts_with("-----BEGIN CERTIFICATE-----\n"));
    }

    #[test]
    fn the_encryption_key_has_32_bytes() {
        #[derive(serde::Deserialize)]
        struct Configuration {
            kind: String,
            resources: Vec<serde_json::Value>,
        }
        let pki = pki();
        let configuration: Configuration = serde_saphyr::from_str(pki.encryption.expose()).unwrap();
        assert_eq!(configuration.kind, "EncryptionConfiguration");
        let secret = configuration.resources[0].pointer("/providers/0/secretbox/keys/0/secret").unwrap();
        assert_eq!(STANDARD.decode(secret.as_str().unwrap()).unwrap().len(), 32);
    }

    /// Where OpenSSL is at hand, it is asked what it thinks of the certificates.
    #[test]
    fn openssl_verifies_a_client_certificate() {
        let pki = pki();
        let directory = tempfile::tempdir().unwrap();
        let now = "2026-11-22T14:00:00Z".parse().unwrap();
        let hour = SignedDuration::from_hours(1);
        let client =
            pki.kubernetes.client_certificate("me", "kubeadm:cluster-admins", hour, now, &mut StdRng::seed_from_u64(8)).unwrap();
        let (ca, certificate) = (directory.path().join("ca.crt"), directory.path().join("client.crt"));
        std::fs::write(&ca, &pki.kubernetes.certificate).unwrap();
        std::fs::write(&certificate, &client.certificate).unwrap();
        let output = std::process::Command::new("openssl")
            .args(["verify", "-x509_strict", "-purpose", "sslclient", "-attime", "1795356600", "-CAfile"])
            .args([&ca, &certificate])
            .output();
        match output {
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => println!("skipped: openssl: {error}"),
        }
    }
}
