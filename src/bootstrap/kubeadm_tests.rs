//! kubeadm's documents are put before kubeadm itself: the one that `KCLUST_KUBEADM` names, or that on the PATH. Where there is none, the
//! tests say so and pass.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use semver::Version;
use serde_json::Value;

use super::script_tests::program;
use super::tests::{EXAMPLES, documents, example, facts, written_files};
use super::tool_tests::{path_text, run, skipped};
use super::*;
use crate::pki::ClusterPki;
use crate::spec::Slot;

pub(super) struct Kubeadm {
    program: String,
    version: Version,
}

impl Kubeadm {
    /// `None`, and a word why, where there is none that knows the versions of Kubernetes that kclust does.
    pub fn find() -> Option<Self> {
        let named = std::env::var("KCLUST_KUBEADM").ok();
        let program = named.clone().unwrap_or_else(|| "kubeadm".into());
        let output = match Command::new(&program).args(["version", "--output", "short"]).output() {
            Ok(output) => output,
            Err(error) if named.is_none() => {
                skipped(&format!(
                    "no kubeadm on the PATH ({error}), and KCLUST_KUBEADM names none: its documents are not checked by it"
                ));
                return None;
            }
            Err(error) => panic!("KCLUST_KUBEADM={program}: {error}"),
        };
        let text = String::from_utf8(output.stdout).unwrap();
        let version = Version::parse(text.trim().trim_start_matches('v')).unwrap_or_else(|_| panic!("{program} is {text}"));
        if !versions().kubernetes().any(|known| (known.major, known.minor) == (version.major, version.minor)) {
            skipped(&format!("{program} is {version}, which is not a version of this program's clusters"));
            return None;
        }
        Some(Self { program, version })
    }

    /// An example, of this kubeadm's version: it refuses newer ones.
    pub fn example(&self, name: &str) -> Cluster {
        Cluster { kubernetes_version: self.version.clone(), ..example(name) }
    }

    fn validate(&self, file: &Path, text: &str) -> (bool, String) {
        std::fs::write(file, text).unwrap();
        run(&self.program, &["config", "validate", "--config", path_text(file)], b"").unwrap()
    }

    /// What a slot is assembled from, made without touching the machine. kubeadm writes nowhere but into the directory that
    /// `KUBEADM_INIT_DRYRUN_DIR` names; checks of the machine, which may load kernel modules, are left out.
    pub fn assemble(&self, cluster: &Cluster, slot: &Slot) -> Assembled {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let facts = facts(cluster);
        let pki = ClusterPki::generate(&cluster.name, jiff::Timestamp::now(), &mut rand::rng()).unwrap();
        for (name, content) in pki.files() {
            let file = path("made").join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content.expose()).unwrap();
        }
        write_patches(cluster, &facts, slot, &path("patches"));
        let documents =
            of_instance(&kubeadm::slot_configuration(cluster, &facts, slot), &facts.slot_addresses[&slot.name].to_string());
        let documents = documents.replace("/etc/kubernetes/patches", path_text(&path("patches")));
        std::fs::write(path("kubeadm.yaml"), documents).unwrap();
        let output = Command::new(&self.program)
            .args(["init", "--dry-run", "--skip-phases=preflight", "--config", path_text(&path("kubeadm.yaml"))])
            .env("KUBEADM_INIT_DRYRUN_DIR", path("made"))
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}: {log}\n{}", cluster.name, String::from_utf8_lossy(&output.stderr));
        Assembled { directory, log }
    }
}

/// Documents as the boot program writes them for an instance, of a cluster whose load balancer has a name.
fn of_instance(documents: &str, address: &str) -> String {
    with_api_name(documents, "api.test")
        .replace("@INSTANCE_ID@", "i-0123456789abcdef0")
        .replace("@ADDRESS@", address)
        .replace("@ZONE@", "us-east-1a")
}

/// Has the boot program write its patches of etcd into a directory.
fn write_patches(cluster: &Cluster, facts: &Facts, slot: &Slot, directory: &Path) {
    std::fs::create_dir(directory).unwrap();
    let slots: Vec<_> = cluster.slots().iter().map(|s| format!("{}={}", s.name, facts.slot_addresses[&s.name])).collect();
    let script = program(&format!(
        r#"put() {{ cat > "{}/${{2##*/}}"; }}
        GROUP={} SLOTS='{}'
        write_etcd_patches new "$(all_members)""#,
        path_text(directory),
        slot.name,
        slots.join(" ")
    ));
    let (succeeds, output) = run("bash", &["-c", &script], b"").expect("bash");
    assert!(succeeds, "{output}");
}

/// Certificates, kubeconfigs, manifests and the kubelet's configuration of a slot.
pub(super) struct Assembled {
    /// Holds all of it below `made`.
    pub directory: tempfile::TempDir,
    log: String,
}

impl Assembled {
    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join("made").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn manifest(&self, component: &str) -> Value {
        documents(&self.text(&format!("{component}.yaml"))).remove(0)
    }

    /// Arguments of a component; of those that are given twice, the last.
    fn arguments(&self, component: &str) -> BTreeMap<String, String> {
        let manifest = self.manifest(component);
        let command = manifest["spec"]["containers"][0]["command"].as_array().unwrap();
        let arguments = command.iter().filter_map(|word| word.as_str().unwrap().strip_prefix("--")?.split_once('='));
        arguments.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

#[test]
fn kubeadm_accepts_all_documents() {
    let Some(kubeadm) = Kubeadm::find() else { return };
    let directory = tempfile::tempdir().unwrap();
    // Discovery by a file needs the file.
    let credential = directory.path().join("bootstrap.kubeconfig");
    let content = "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
                   clusters: [{name: test, cluster: {server: 'https://api.test:6443'}}]\n\
                   users: [{name: test, user: {token: abcdef.0123456789abcdef}}]\n\
                   contexts: [{name: test, context: {cluster: test, user: test}}]\n";
    std::fs::write(&credential, content).unwrap();
    let file = directory.path().join("kubeadm.yaml");
    for name in EXAMPLES {
        let cluster = kubeadm.example(name);
        for (path, content) in all_artefacts(&cluster, &facts(&cluster)) {
            if !path.ends_with("/kubeadm.yaml") {
                continue;
            }
            let documents =
                of_instance(&content, "10.0.0.10").replace("/etc/kclust/bootstrap.kubeconfig", path_text(&credential));
            let (accepted, output) = kubeadm.validate(&file, &documents);
            assert!(accepted, "{name} {path}: {output}");
            // A word that it does not know is not passed over.
            assert!(!kubeadm.validate(&file, &documents.replace("nodeRegistration:", "nodeRegistratio:")).0, "{name} {path}");
        }
    }
}

#[test]
fn kubeadm_assembles_every_slot() {
    let Some(kubeadm) = Kubeadm::find() else { return };
    for name in EXAMPLES {
        let cluster = kubeadm.example(name);
        let facts = facts(&cluster);
        for slot in cluster.slots() {
            let made = kubeadm.assemble(&cluster, &slot);
            let (address, what) = (facts.slot_addresses[&slot.name], format!("{name} {}", slot.name));
            // The authorities of the cluster are used, not others made.
            for existing in ["\"ca\"", "\"front-proxy-ca\"", "\"etcd/ca\"", "\"sa\""] {
                let used = made.log.lines().any(|line| line.starts_with("[certs] Using the existing") && line.contains(existing));
                assert!(used, "{what}: {existing}\n{}", made.log);
            }
            let etcd = made.arguments("etcd");
            assert_eq!(etcd["name"], slot.name, "{what}");
            assert_eq!(etcd["initial-cluster"].split(',').count(), cluster.slots().len(), "{what}");
            assert!(etcd["initial-cluster"].split(',').any(|member| member == format!("{}=https://{address}:2380", slot.name)));
            assert_eq!(etcd["initial-advertise-peer-urls"], format!("https://{address}:2380"), "{what}");
            assert_eq!(etcd["data-dir"], "/var/lib/etcd/data");
            // Without the volume there is no such directory, and the kubelet must not make one.
            let etcd = made.manifest("etcd");
            let volumes = etcd["spec"]["volumes"].as_array().unwrap();
            let data = volumes.iter().find(|volume| volume["hostPath"]["path"] == "/var/lib/etcd/data").unwrap();
            assert_eq!(data["hostPath"]["type"], "Directory", "{what}");
            // What is uploaded for all slots has nothing of this one's start.
            let uploaded =
                made.log.split("name: kubeadm-config").next().unwrap().rsplit("ClusterConfiguration: |").next().unwrap();
            assert!(uploaded.contains("dataDir:") && !uploaded.contains("initial-cluster"), "{what}: {uploaded}");
        }
    }
}

/// The boot program reads the end of certificates from kubeadm: for a year they are good.
#[test]
fn kubeadm_says_when_certificates_end() {
    let Some(kubeadm) = Kubeadm::find() else { return };
    let cluster = kubeadm.example("ha-private");
    let made = kubeadm.assemble(&cluster, &cluster.slots()[0]);
    let path = |name: &str| made.directory.path().join(name).display().to_string();
    let documents = std::fs::read_to_string(path("kubeadm.yaml")).unwrap();
    let of_slot = "certificatesDir: /etc/kubernetes/pki";
    assert_eq!(documents.matches(of_slot).count(), 1, "{documents}");
    std::fs::write(path("kubeadm.yaml"), documents.replace(of_slot, &format!("certificatesDir: {}", path("made")))).unwrap();
    let script = program(&format!(
        r#"kubeadm() {{ "{}" "${{@/#\/etc\/kclust\/kubeadm.yaml/{}}}"; }}
        ends=$(first_to_end)
        for RENEWAL_DAYS in 360 370; do
          if is_due "${{ends%% *}}"; then echo "due ${{ends#* }}"; else echo "not due"; fi
        done"#,
        kubeadm.program,
        path("kubeadm.yaml"),
    ));
    let (succeeds, output) = run("bash", &["-c", &script], b"").expect("bash");
    assert!(succeeds, "{output}");
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines[0], "not due");
    assert!(lines[1].starts_with("due ") && lines[1].len() > "due ".len(), "{output}");
}

/// What flags of the API server name is on the machine when it starts.
#[test]
fn every_file_that_the_api_server_is_told_of_is_written() {
    let Some(kubeadm) = Kubeadm::find() else { return };
    let cluster = kubeadm.example("ha-private");
    let made = kubeadm.assemble(&cluster, &cluster.slots()[0]);
    let boot = boot_program(&cluster).content.unwrap();
    let written: Vec<_> = written_files(&boot).iter().map(|file| file.path).collect();
    let mut seen = 0;
    for (flag, value) in made.arguments("kube-apiserver") {
        let Some(file) = value.strip_prefix("/etc/kubernetes/") else { continue };
        seen += 1;
        let known = match file.strip_prefix("pki/") {
            Some(name) => made.directory.path().join("made").join(name).exists(),
            // Fetched with the keys of the cluster.
            None => file == "apiserver/encryption.yaml" || written.contains(&value.as_str()),
        };
        assert!(known, "--{flag}={value}");
    }
    assert!(seen > 12, "{seen}");
}
