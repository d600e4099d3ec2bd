//! Which versions a node runs, and what their downloads must hash to. The figures are in `versions.yaml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use semver::Version;
use serde::Deserialize;

/// The table of versions.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Versions {
    /// Tag of `registry.k8s.io/pause`.
    pub pause: String,
    pub containerd: Download,
    pub runc: Download,
    pub cni_plugins: Download,
    pub helm: Download,
    /// etcdctl and etcdutl, by minor version of Kubernetes (`1.36`).
    etcd: BTreeMap<String, Download>,
    /// Patch version → SHA-256 of kubeadm, kubelet and kubectl.
    kubernetes: BTreeMap<Version, BTreeMap<String, KubernetesSums>>,
}

/// One download: its version and its SHA-256 for each architecture, in the words of Go (`amd64`, `arm64`).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    pub version: Version,
    #[serde(default)]
    pub sha256: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KubernetesSums {
    kubeadm: String,
    kubelet: String,
    kubectl: String,
}

/// The table that this program was built with.
pub fn versions() -> &'static Versions {
    static VERSIONS: LazyLock<Versions> = LazyLock::new(|| {
        // Compiled in, and read by every test.
        serde_saphyr::from_str(include_str!("versions.yaml")).expect("versions.yaml is well-formed")
    });
    &VERSIONS
}

impl Versions {
    /// All patch versions of Kubernetes whose hashes are known, oldest first.
    pub fn kubernetes(&self) -> impl DoubleEndedIterator<Item = &Version> {
        self.kubernetes.keys()
    }

    /// The etcd tools for a version of Kubernetes. A minor version that the table does not know gets the newest.
    pub fn etcd(&self, kubernetes: &Version) -> &Download {
        let minor = format!("{}.{}", kubernetes.major, kubernetes.minor);
        let newest = || self.etcd.values().next_back();
        // The table is not empty: a test says so.
        self.etcd.get(&minor).or_else(newest).expect("the table knows etcd")
    }

    /// `(file-architecture, SHA-256)` of all that a node of this Kubernetes version downloads, as far as it is known.
    pub(super) fn digests(&self, kubernetes: &Version) -> BTreeMap<String, String> {
        let mut digests = BTreeMap::new();
        let downloads = [
            ("containerd", &self.containerd),
            ("runc", &self.runc),
            ("cni-plugins", &self.cni_plugins),
            ("helm", &self.helm),
            ("etcd", self.etcd(kubernetes)),
        ];
        for (name, download) in downloads {
            digests.extend(download.sha256.iter().map(|(architecture, sum)| (format!("{name}-{architecture}"), sum.clone())));
        }
        for (architecture, sums) in self.kubernetes.get(kubernetes).into_iter().flatten() {
            let KubernetesSums { kubeadm, kubelet, kubectl } = sums;
            for (name, sum) in [("kubeadm", kubeadm), ("kubelet", kubelet), ("kubectl", kubectl)] {
                digests.insert(format!("{name}-{architecture}"), sum.clone());
            }
        }
        digests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_digests_are_sha256() {
        for version in versions().kubernetes() {
            for (name, sum) in versions().digests(version) {
                assert!(sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit()), "{version} {name}: {sum}");
            }
        }
    }

    #[test]
    fn every_supported_minor_version_has_patches_for_both_architectures_and_etcd_tools() {
        for minor in 35..=37 {
            let newest = versions().kubernetes().rfind(|version| version.minor == minor).unwrap();
            let digests = versions().digests(newest);
            for name in ["kubeadm", "kubelet", "kubectl", "containerd", "runc", "cni-plugins", "helm"] {
                assert!(digests.contains_key(&format!("{name}-amd64")), "{newest} {name}");
                assert!(digests.contains_key(&format!("{name}-arm64")), "{newest} {name}");
            }
            assert!(versions().etcd.contains_key(&format!("1.{minor}")));
        }
    }

    #[test]
    fn a_version_that_is_not_listed_has_no_kubernetes_digests() {
        let digests = versions().digests(&Version::new(1, 36, 99));
        assert!(!digests.contains_key("kubelet-amd64"));
        assert!(digests.contains_key("containerd-amd64"));
    }

    #[test]
    fn no_two_downloads_share_a_digest() {
        let mut seen = BTreeMap::new();
        for version in versions().kubernetes() {
            for (name, sum) in versions().digests(version).into_iter().filter(|(name, _)| name.starts_with("kube")) {
                if let Some(other) = seen.insert(sum, (version, name.clone())) {
                    panic!("{version} {name} is the same as {other:?}");
                }
            }
        }
    }
}
