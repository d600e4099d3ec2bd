//! A slot as kubeadm assembles it is put before `tests/e2e/cis.sh`, which checks running machines against the CIS benchmark. So a
//! departure from it is seen before a machine runs, and the script itself is seen to find one.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::boot_program;
use super::kubeadm_tests::Kubeadm;
use super::tests::{root, written_files};
use super::tool_tests::{run, skipped};

/// What the boot program and kubeadm leave on a slot, as a tree of files. `None`, and a word why, without kubeadm.
fn slot() -> Option<tempfile::TempDir> {
    let kubeadm = Kubeadm::find()?;
    let cluster = kubeadm.example("ha-private");
    let made = kubeadm.assemble(&cluster, &cluster.slots()[0]);
    let made = made.directory.path().join("made");
    let tree = tempfile::tempdir().unwrap();
    let put = |path: &str, mode: u32, content: &[u8]| {
        let file = tree.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
    };
    for file in written_files(&boot_program(&cluster).content.unwrap()) {
        put(file.path, u32::from_str_radix(file.mode, 8).unwrap(), file.content.as_bytes());
    }
    for path in files(&made) {
        let name = path.strip_prefix(&made).unwrap().to_str().unwrap();
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        let content = std::fs::read(&path).unwrap();
        match name.rsplit_once('.') {
            // Fetched, as the keys of the authorities are.
            _ if name == "encryption.yaml" => put("/etc/kubernetes/apiserver/encryption.yaml", 0o600, &content),
            // The boot program takes away what kubeadm lets others read.
            _ if name == "config.yaml" => put("/var/lib/kubelet/config.yaml", 0o600, &content),
            // The host has the name of the node by then, and kubeadm has nothing to override.
            _ if name == "kubeadm-flags.env" => {
                let text = String::from_utf8(content).unwrap().replace("--hostname-override=i-0123456789abcdef0 ", "");
                put("/var/lib/kubelet/kubeadm-flags.env", mode, text.as_bytes());
            }
            Some(("super-admin", _)) => {}
            Some((_, "yaml")) => put(&format!("/etc/kubernetes/manifests/{name}"), mode, &content),
            Some((_, "conf")) => put(&format!("/etc/kubernetes/{name}"), mode, &content),
            Some((_, "crt" | "pub")) => put(&format!("/etc/kubernetes/pki/{name}"), mode, &content),
            // fetch_pki lets nobody read keys; those of kubeadm's own making are so already.
            Some((_, "key")) => put(&format!("/etc/kubernetes/pki/{name}"), 0o600, &content),
            _ => panic!("{name}"),
        }
    }
    put("/etc/cni/net.d/10-network.conflist", 0o600, b"{}\n");
    let data = tree.path().join("var/lib/etcd/data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o700)).unwrap();
    Some(tree)
}

/// All files of a directory and below.
fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Runs the script as root of the tree: its exit status, the verdict on each item, and all that it says. `None`, and a word why, where
/// that cannot be.
fn cis(tree: &Path, role: &str) -> Option<(i32, BTreeMap<String, String>, String)> {
    let (_, user) = run("id", &["--user"], b"")?;
    let mut words = vec!["bash", "-s", "--", role];
    if user.trim() != "0" {
        // A name space in which this user is called root, and what belongs to him root's.
        words.splice(0..0, ["unshare", "--user", "--map-root-user"]);
        if !matches!(run("unshare", &["--user", "--map-root-user", "true"], b""), Some((true, _))) {
            skipped("the CIS checks look for files of root: neither is this root, nor may it call itself so");
            return None;
        }
    }
    let script = std::fs::File::open(root("tests/e2e/cis.sh")).unwrap();
    let output = Command::new(words[0]).args(&words[1..]).env("ROOT", tree).stdin(script).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let verdicts = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let verdict = words.next().filter(|word| ["PASS", "FAIL", "KNOWN"].contains(word))?;
        Some((words.next()?.to_owned(), verdict.to_owned()))
    });
    Some((output.status.code().unwrap(), verdicts.collect(), text))
}

/// Items with one of the verdicts.
fn with<'a>(verdicts: &'a BTreeMap<String, String>, verdict: &str) -> Vec<&'a str> {
    verdicts.iter().filter(|(_, found)| *found == verdict).map(|(item, _)| item.as_str()).collect()
}

#[test]
fn slots_depart_from_the_benchmark_only_where_that_is_known() {
    let Some(tree) = slot() else { return };
    let Some((status, verdicts, text)) = cis(tree.path(), "control-plane") else { return };
    assert_eq!(with(&verdicts, "FAIL"), [""; 0], "{text}");
    assert_eq!(with(&verdicts, "KNOWN"), ["1.1.12", "1.2.1", "1.2.11", "1.2.5", "4.2.11", "4.2.9"], "{text}");
    // Sections 1.1 to 1.4, 2, 3.2, 4.1 to 4.3, every item.
    assert_eq!(verdicts.len(), 21 + 30 + 7 + 2 + 7 + 2 + 10 + 14 + 1, "{text}");
    assert_eq!(status, 0, "{text}");
    let (status, verdicts, text) = cis(tree.path(), "worker").unwrap();
    assert_eq!((status, verdicts.len()), (0, 10 + 14 + 1), "{text}");
    assert_eq!(text.lines().last(), Some("worker: 23 passed, 0 failed, 2 known"));
}

#[test]
fn a_departure_from_the_benchmark_is_found() {
    const API: &str = "etc/kubernetes/manifests/kube-apiserver.yaml";
    const CONTROLLERS: &str = "etc/kubernetes/manifests/kube-controller-manager.yaml";
    const ETCD: &str = "etc/kubernetes/manifests/etcd.yaml";
    const KUBELET: &str = "var/lib/kubelet/config.yaml";
    let Some(tree) = slot() else { return };
    if cis(tree.path(), "control-plane").is_none() {
        return;
    }
    let failed = || with(&cis(tree.path(), "control-plane").unwrap().1, "FAIL").join(" ");

    // Items that fail when everybody may read a file.
    for (items, file) in [
        ("1.1.1", API),
        ("1.1.7", ETCD),
        ("1.1.9", "etc/cni/net.d/10-network.conflist"),
        ("1.1.13", "etc/kubernetes/admin.conf"),
        ("1.1.21", "etc/kubernetes/pki/apiserver.key"),
        ("4.1.1", "etc/systemd/system/kubelet.service.d/20-etcd-volume.conf"),
        ("4.1.5", "etc/kubernetes/kubelet.conf"),
        ("4.1.9", KUBELET),
    ] {
        let path = tree.path().join(file);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert_eq!(failed(), items, "{file}");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    }
    // Items that fail when a file says something else.
    for (items, file, from, to) in [
        ("1.2.1", "etc/kubernetes/apiserver/authentication.yaml", "- path: /healthz", "- path: /api"),
        ("1.2.1", API, "--authentication-config=/etc/kubernetes/apiserver/authentication.yaml", "--anonymous-auth=true"),
        ("1.2.14 1.2.3 1.2.9", API, "NodeRestriction,DenyServiceExternalIPs,EventRateLimit", "AlwaysPullImage"),
        ("1.2.5", API, "--profiling=false", "--profiling=false\n    - --kubelet-certificate-authority=x"),
        ("1.2.6 1.2.7", API, "=Node,RBAC", "=AlwaysAllow,RBAC"),
        ("1.2.9", "etc/kubernetes/apiserver/admission.yaml", "qps", "qsp"),
        ("1.2.15", API, "--profiling=false", "--profiling=false\n    - --profiling=true"),
        ("1.2.17", API, "--audit-log-maxage=30", "--audit-log-maxage=7"),
        ("1.2.28", "etc/kubernetes/apiserver/encryption.yaml", "- secretbox:", "- identity: {}\n  - secretbox:"),
        ("1.2.29", API, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_128_GCM_SHA256"),
        ("1.3.7", CONTROLLERS, "--bind-address=127.0.0.1", "--bind-address=0.0.0.0"),
        ("2.2", ETCD, "--client-cert-auth=true", "--client-cert-auth=false"),
        ("2.7", ETCD, "--trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt", "--trusted-ca-file=/etc/kubernetes/pki/ca.crt"),
        ("3.2.2", "etc/kubernetes/apiserver/audit-policy.yaml", "pods/exec, ", ""),
        ("4.2.1", KUBELET, "anonymous:\n    enabled: false", "anonymous:\n    enabled: true"),
        ("4.2.5", KUBELET, "streamingConnectionIdleTimeout: 4h0m0s", "streamingConnectionIdleTimeout: 0s"),
        ("4.2.7", "var/lib/kubelet/kubeadm-flags.env", "--cloud", "--hostname-override=a --cloud"),
        ("4.2.12", KUBELET, "- TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "- TLS_RSA_WITH_AES_128_GCM_SHA256"),
        ("4.2.14", KUBELET, "seccompDefault: true", "seccompDefault: false"),
    ] {
        let path = tree.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        assert_eq!(failed(), items, "{file}: {to}");
        std::fs::write(&path, text).unwrap();
    }
}
