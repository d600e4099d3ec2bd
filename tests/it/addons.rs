//! Addons and the settings of the control planes: manifests of files and addresses, and what of them reaches the state.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value as Json;

use crate::drift::titles;
use crate::harness::{Account, Run, example};

const CLUSTER: &str = "dev.k8s.local";

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

/// The smallest cluster with these addons.
fn spec(addons: &str) -> String {
    format!("{}  addons:\n{addons}", example("minimal"))
}

fn settings(account: &Account) -> String {
    account.state_object(&format!("{CLUSTER}/control-plane/settings"))
}

/// The object that the settings name for an addon.
fn applied(account: &Account, addon: &str) -> String {
    let settings = settings(account);
    let line = settings.lines().find(|line| line.starts_with(&format!("addon {addon} "))).unwrap_or_else(|| panic!("{settings}"));
    account.state_object(&format!("{CLUSTER}/{}", line.split(' ').nth(3).unwrap()))
}

fn planned(account: &Account, args: &[&str]) -> (Vec<String>, Json) {
    let plan = account.kclust(&[&["update"], args, &["--dry-run", "-o", "json"]].concat()).expect(0).json();
    (titles(&plan), plan["warnings"].clone())
}

fn update(account: &Account, args: &[&str]) -> Run {
    account.kclust(&[&["update"], args, &["--yes", "-q"]].concat())
}

/// Answers every request with a text, and counts them.
struct Site {
    address: String,
    requests: Arc<AtomicUsize>,
}

impl Site {
    fn with(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/manifest.yaml", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                count.fetch_add(1, Ordering::SeqCst);
                let _ =
                    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}", answer.len());
            }
        });
        Self { address, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

#[test]
fn a_file_is_read_with_the_spec_and_never_without() {
    let account = Account::new();
    account.file("own.yaml", &config_map("one"));
    let file = account.file("spec.yaml", &spec("    - {name: own, manifest: own.yaml}\n"));
    account.kclust(&["create", "-f", &file, "--yes", "-q"]).expect(0);
    assert_eq!(applied(&account, "own"), config_map("one"));
    assert!(
        settings(&account)
            .starts_with("format 1\nbackup-interval 900\nbackup-retention 1209600\naddon aws-cloud-controller-manager ")
    );

    account.file("own.yaml", &config_map("two"));
    assert_eq!(planned(&account, &[CLUSTER]).0, Vec::<String>::new(), "nobody gave the spec again");
    let changes = ["create BootstrapObject/addon-own", "update ControlPlaneSettings/settings"];
    assert_eq!(planned(&account, &["-f", &file]).0, changes);
    update(&account, &["-f", &file]).expect(0);
    assert_eq!(applied(&account, "own"), config_map("two"));
    assert_eq!(planned(&account, &["-f", &file]).0, Vec::<String>::new());

    // What the state has lost can be had again only where the file is.
    let line = settings(&account).lines().find(|line| line.starts_with("addon own ")).unwrap().to_owned();
    let key = format!("kclust-state-{}/{CLUSTER}/{}", account.id, line.split(' ').nth(3).unwrap());
    account.s3("DELETE", &key, "us-east-1", "");
    let refused = update(&account, &[CLUSTER]).expect(2);
    for word in ["spec.addons[0].manifest", "the state has lost it", "own.yaml", "kclust update -f"] {
        assert!(refused.stderr.contains(word), "nothing of {word:?} in:\n{}", refused.stderr);
    }
    account.kclust(&["validate", CLUSTER]).expect(3);
    update(&account, &["-f", &file]).expect(0);
    assert_eq!(applied(&account, "own"), config_map("two"));
}

#[test]
fn an_address_is_asked_once() {
    let site = Site::with(config_map("fetched"));
    let digest = kclust::model::sha256(config_map("fetched"));
    let account = Account::new();
    let address = &site.address;
    let text = spec(&format!("    - {{name: far, manifest: \"{address}\", sha256: {digest}}}\n"));
    let file = account.file("spec.yaml", &text);
    account
        .kclust(&["render", "-f", &file, "--out", &account.directory.path().join("out").display().to_string(), "-q"])
        .expect(0);
    let rendered = std::fs::read_to_string(account.directory.path().join("out/addons/far-manifest.yaml")).unwrap();
    assert_eq!((rendered, site.requests()), (format!("# Not fetched: {address}\n"), 0));
    account.kclust(&["create", "-f", &file, "--yes", "-q"]).expect(0);
    assert_eq!((applied(&account, "far"), site.requests()), (config_map("fetched"), 1));
    // Not for a change of something else, and not to look.
    let more = account.file("more.yaml", &text.replace("maxSize: 2", "maxSize: 3"));
    assert_eq!(planned(&account, &["-f", &more]).0, ["update AutoscalingGroup/workers"]);
    assert_eq!((planned(&account, &[CLUSTER]).0, site.requests()), (Vec::new(), 1));
    // What the state has lost is asked for again.
    account.s3("DELETE", &format!("kclust-state-{}/{CLUSTER}/bootstrap/addon-far-{digest}.yaml", account.id), "us-east-1", "");
    update(&account, &[CLUSTER]).expect(0);
    assert_eq!((applied(&account, "far"), site.requests()), (config_map("fetched"), 2));
}

#[test]
fn a_manifest_that_cannot_be_used_is_refused_before_anything_is_made() {
    let site = Site::with(config_map("other"));
    let account = Account::new();
    account.file("bad.yaml", "apiVersion: v1\nkind: A\n---\nkind: B\n");
    let digest = "0".repeat(64);
    let address = &site.address;
    let text = spec(&format!(
        "    - {{name: bad, manifest: bad.yaml}}\n    - {{name: gone, manifest: gone.yaml}}\n    \
         - {{name: far, manifest: \"{address}\", sha256: \"{digest}\"}}\n"
    ));
    let file = account.file("spec.yaml", &text);
    let refused = account.kclust(&["create", "-f", &file, "--yes", "-q"]).expect(2);
    let actual = kclust::model::sha256(config_map("other"));
    for word in [
        "spec.addons[0].manifest",
        "bad.yaml:4:1",
        "this object has no `apiVersion`",
        "spec.addons[1].manifest",
        "gone.yaml: No such file",
        "spec.addons[2].manifest",
        &digest,
        &actual,
    ] {
        assert!(refused.stderr.contains(word), "nothing of {word:?} in:\n{}", refused.stderr);
    }
    account.kclust(&["get", "clusters"]).expect(0);
}

#[test]
fn an_addon_that_leaves_the_spec_stays_in_the_cluster_and_the_plan_says_so() {
    let account = Account::new();
    let with = account.file("with.yaml", &spec("    - name: metrics-server\n    - name: cert-manager\n"));
    account.kclust(&["create", "-f", &with, "--yes", "-q"]).expect(0);
    let without = account.file("without.yaml", &spec("    - name: cert-manager\n"));
    let (changes, warnings) = planned(&account, &["-f", &without]);
    assert_eq!(changes, ["update ControlPlaneSettings/settings"]);
    let warning = "addon metrics-server leaves the spec, and what it put into the cluster stays there: remove it by hand";
    assert_eq!(warnings, serde_json::json!([warning]));
    update(&account, &["-f", &without]).expect(0);
    assert_eq!(planned(&account, &[CLUSTER]), (Vec::new(), serde_json::json!([])));
}

#[test]
fn backups_are_settings_that_no_machine_is_replaced_for() {
    let account = Account::new();
    let file = account.file("spec.yaml", &example("minimal"));
    account.kclust(&["create", "-f", &file, "--yes", "-q"]).expect(0);
    let text = format!("{}  backups: {{interval: 1h, retention: 30d}}\n", example("minimal"));
    let file = account.file("spec.yaml", &text);
    assert_eq!(planned(&account, &["-f", &file]).0, ["update ControlPlaneSettings/settings"]);
    update(&account, &["-f", &file]).expect(0);
    assert!(settings(&account).starts_with("format 1\nbackup-interval 3600\nbackup-retention 2592000\n"));
}

#[test]
fn settings_of_a_newer_kclust_are_not_written_over() {
    let account = Account::new();
    let file = account.file("spec.yaml", &example("minimal"));
    account.kclust(&["create", "-f", &file, "--yes", "-q"]).expect(0);
    account.put_state_object(&format!("{CLUSTER}/control-plane/settings"), "format 2\n");
    let refused = update(&account, &[CLUSTER]).expect(1);
    assert!(refused.stderr.contains("was written by a newer kclust"), "{}", refused.stderr);
    assert_eq!(settings(&account), "format 2\n");
}
