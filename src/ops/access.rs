//! `kclust kubeconfig` and `kclust credential`: where a cluster's API is, and certificates for those who may use it.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::health;
use crate::model::build;
use crate::pki::{ADMINS, ClientCertificate, ClusterPki};
use crate::spec::ClusterName;
use crate::store::{ClusterStore, ObjectStore};

use super::Environment;
use super::begin::{no_such_cluster, scope};
use super::error::OpsError;

/// How long a certificate is good that kubectl can have renewed at any time.
const SHORT: SignedDuration = SignedDuration::from_hours(1);

/// Longest common name of a certificate (X.520, `ub-common-name`).
const LONGEST_NAME: usize = 64;

/// The API of a cluster, and its keys.
#[derive(Debug)]
pub struct Endpoint {
    /// Address with scheme and port.
    pub server: String,
    pub pki: ClusterPki,
    /// Where the cluster is.
    pub region: String,
}

/// Finds out where the API of a cluster is. AWS is asked only where the name is the load balancer's own.
pub async fn endpoint(environment: &Environment<'_>, name: &ClusterName) -> Result<Endpoint, OpsError> {
    let (store, recorded) = environment.existing(name).await?;
    let pki = keys(environment.objects.as_ref(), name).await?;
    let cluster = &recorded.cluster;
    let address = match cluster.api_name() {
        Some(name) => Some(name),
        None => {
            let facts = &recorded.facts.value;
            let desired = build(cluster, facts);
            let world = environment.observe(&scope(cluster, facts, &desired, &recorded), &store, &desired).await?;
            health::api_address(cluster, &world)
        }
    };
    let address = address.ok_or_else(|| OpsError::NoAddress { cluster: name.to_string() })?;
    Ok(Endpoint { server: health::api_url(&address), pki, region: cluster.region.to_string() })
}

/// A certificate that is good for an hour. `trusted` is the authority that whoever wants it trusts the cluster by, in PEM: where it is not
/// the cluster's, he means another cluster of that name.
pub async fn short_certificate(
    objects: &dyn ObjectStore,
    name: &ClusterName,
    user: &str,
    trusted: Option<&[u8]>,
    now: Timestamp,
) -> Result<ClientCertificate, OpsError> {
    let pki = keys(objects, name).await?;
    let own = pki.kubernetes.certificate.trim();
    if trusted.is_some_and(|trusted| !String::from_utf8_lossy(trusted).contains(own)) {
        return Err(OpsError::OtherAuthority { cluster: name.to_string() });
    }
    certificate(name, &pki, user, SHORT, now)
}

/// A certificate for an administrator; it ends no later than the authority that signs it.
pub fn certificate(
    name: &ClusterName,
    pki: &ClusterPki,
    user: &str,
    validity: SignedDuration,
    now: Timestamp,
) -> Result<ClientCertificate, OpsError> {
    let unusable = |source| OpsError::UnusableKeys { cluster: name.to_string(), source };
    let (_, end) = pki.kubernetes.validity().map_err(unusable)?;
    let validity = validity.min(end.duration_since(now));
    pki.kubernetes.client_certificate(user, ADMINS, validity, now, &mut rand::rng()).map_err(unusable)
}

async fn keys(objects: &dyn ObjectStore, name: &ClusterName) -> Result<ClusterPki, OpsError> {
    let store = ClusterStore::new(objects, name.clone());
    match store.read_pki().await? {
        Some(files) => {
            ClusterPki::from_files(&files.0).map_err(|source| OpsError::UnusableKeys { cluster: name.to_string(), source })
        }
        None if store.read_spec().await?.is_none() => Err(no_such_cluster(objects, name).await),
        None => Err(OpsError::NoKeys { cluster: name.to_string() }),
    }
}

/// The user whom Kubernetes, and its audit log, shall see for an AWS identity: `iam:user/alice`, `iam:assumed-role/Admin/alice`. Paths of
/// IAM users are left out; what is too long for a certificate ends in a part of its hash.
pub fn user_of_identity(arn: &str) -> String {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or(arn);
    let name = match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["user", .., name] => format!("iam:user/{name}"),
        _ => format!("iam:{resource}"),
    };
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let hash: String = Sha256::digest(arn).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let kept: String = name.chars().take(LONGEST_NAME - hash.len() - 1).collect();
    format!("{kept}-{hash}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::PkiFiles;
    use crate::store::memory::MemoryStore;

    fn now() -> Timestamp {
        "2026-11-22T14:00:00Z".parse().unwrap()
    }

    fn name() -> ClusterName {
        ClusterName::parse("dev.k8s.local").unwrap()
    }

    fn pki() -> ClusterPki {
        ClusterPki::generate(&name(), now(), &mut rand::rng()).unwrap()
    }

    async fn stored(pki: &ClusterPki) -> MemoryStore {
        let objects = MemoryStore::default();
        objects.ensure().await.unwrap();
        let files: BTreeMap<String, Vec<u8>> =
            pki.files().into_iter().map(|(key, text)| (key.to_owned(), text.expose().as_bytes().to_vec())).collect();
        ClusterStore::new(&objects, name()).write_pki_once(PkiFiles(files)).await.unwrap();
        objects
    }

    #[test]
    fn users_are_named_as_iam_names_them() {
        for (arn, user) in [
            ("arn:aws:iam::123456789012:user/alice", "iam:user/alice"),
            ("arn:aws:iam::123456789012:user/division/team/alice", "iam:user/alice"),
            ("arn:aws:iam::123456789012:root", "iam:root"),
            ("arn:aws-cn:sts::123456789012:assumed-role/Admin/alice@example.com", "iam:assumed-role/Admin/alice@example.com"),
            ("arn:aws:sts::123456789012:federated-user/bob", "iam:federated-user/bob"),
        ] {
            assert_eq!(user_of_identity(arn), user);
        }
        let long =
            |session: &str| user_of_identity(&format!("arn:aws:sts::123456789012:assumed-role/{}/{session}", "r".repeat(64)));
        assert_eq!(long("alice").len(), LONGEST_NAME);
        assert_ne!(long("alice"), long("bob"));
    }

    #[tokio::test]
    async fn a_certificate_is_good_for_an_hour_and_began_a_little_earlier() {
        let objects = stored(&pki()).await;
        let made = short_certificate(&objects, &name(), "iam:user/alice", None, now()).await.unwrap();
        let (from, to) = crate::pki::certificate_validity(&made.certificate).unwrap();
        assert_eq!((from.to_string(), to.to_string()), ("2026-11-22T13:50:00Z".into(), "2026-11-22T15:00:00Z".into()));
    }

    #[test]
    fn no_certificate_outlives_its_authority() {
        let pki = pki();
        let (_, end) = pki.kubernetes.validity().unwrap();
        let made = certificate(&name(), &pki, "me", SignedDuration::from_hours(200_000), now()).unwrap();
        assert_eq!(crate::pki::certificate_validity(&made.certificate).unwrap().1, end);
    }

    #[tokio::test]
    async fn who_trusts_another_authority_means_another_cluster() {
        let own = pki();
        let objects = stored(&own).await;
        let ask = async |trusted: &str| short_certificate(&objects, &name(), "me", Some(trusted.as_bytes()), now()).await;
        ask(&own.kubernetes.certificate).await.unwrap();
        ask(&format!("{}{}", pki().kubernetes.certificate, own.kubernetes.certificate.trim())).await.unwrap();
        let error = ask(&pki().kubernetes.certificate).await.unwrap_err();
        assert!(matches!(error, OpsError::OtherAuthority { .. }), "{error}");
    }

    #[tokio::test]
    async fn without_keys_there_is_no_certificate() {
        let objects = MemoryStore::default();
        objects.ensure().await.unwrap();
        let error = short_certificate(&objects, &name(), "me", None, now()).await.unwrap_err();
        assert!(matches!(error, OpsError::NoSuchCluster { .. }), "{error}");
    }
}
