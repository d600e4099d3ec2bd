//! Snapshots of etcd and going back to them. The emulator's machines do not boot: the test plays the slot.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Transcript;
use crate::harness::{Account, Running};

const CLUSTER: &str = "dev.k8s.local";
/// Of a time when the cluster will have been made, whenever the test runs.
const OLD: &str = "backups/etcd/20990101T000000Z-r9.db.zst";
const NEW: &str = "backups/etcd/20990102T000000Z-r12345.db.zst";

fn put(account: &Account, key: &str, content: &str) {
    account.put_state_object(&format!("{CLUSTER}/{key}"), content);
}

fn tell(account: &Account, step: &str, error: Option<&str>) {
    let status = json!({
        "instance": "i-0123456789abcdef0", "role": "control-plane", "group": "cp-1", "step": step,
        "since": "2026-01-02T03:04:05Z", "error": error, "steps": [],
    });
    put(account, "nodes/status/i-0123456789abcdef0.json", &status.to_string());
}

/// Keys of all objects of the state store.
fn state_keys(account: &Account) -> Vec<String> {
    let world = account.world();
    let keys = world["s3"][format!("kclust-state-{}", account.id)]["keys"].as_object();
    keys.map(|keys| keys.keys().cloned().collect()).unwrap_or_default()
}

/// Waits until the command has written an object that is another than `before`, and returns the first line.
fn asked(account: &Account, key: &str, before: &str) -> String {
    let key = format!("{CLUSTER}/{key}");
    let begun = Instant::now();
    loop {
        if state_keys(account).contains(&key) {
            let line = account.state_object(&key).lines().next().unwrap().to_owned();
            if line != before {
                return line;
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{key} was not written");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn backups() {
    let account = Account::new();
    account.kclust(&["create", "-f", "examples/minimal.yaml", "--yes", "-q"]).expect(0);
    // What a slot tells while a command waits depends on when that looks: it has told everything before.
    tell(&account, "ready", None);
    let mut first = String::new();
    let mut transcript = Transcript::of(&account);
    transcript
        .run("get backups")
        .run("get backups other.k8s.local")
        .run_while("backup", |account| {
            first = asked(account, "control-plane/backup-request", "");
            put(account, OLD, "snapshot");
            put(account, "control-plane/backup-answer", &format!("{first}\n{OLD}\n"));
        })
        .run_while("backup -o json", |account| {
            let id = asked(account, "control-plane/backup-request", &first);
            put(account, NEW, &"x".repeat(5_000_000));
            put(account, "control-plane/backup-answer", &format!("{id}\n{NEW}\n"));
            first = id;
        })
        .run("get backups")
        .run("get backups -o yaml");
    tell(&account, "ready", Some("etcdctl: no space left on device"));
    transcript
        .run_while("backup", |account| {
            let id = asked(account, "control-plane/backup-request", &first);
            put(account, "control-plane/backup-answer", &format!("{id}\nerror: no space left on device\n"));
        })
        .run("backup --timeout 1s")
        .is("backups");
    assert_eq!(account.defects(), Vec::<serde_json::Value>::new());
}

#[test]
fn restores() {
    let account = Account::new();
    account.kclust(&["create", "-f", "examples/minimal.yaml", "--yes", "-q"]).expect(0);
    let mut transcript = Transcript::of(&account);
    transcript.run("restore").run("restore --from latest");
    put(&account, OLD, "snapshot");
    put(&account, NEW, "snapshot");
    tell(&account, "fetching the snapshot", Some("S3 answers 403 when asked for it"));
    let mut epoch = String::new();
    transcript
        .run("restore --from 20990103T000000Z-r1.db.zst")
        .run("restore --from latest --dry-run")
        .run("restore --from latest --dry-run --detailed-exitcode -o json")
        .run("restore --from latest")
        .run_while("restore --from latest --yes --timeout 4s", |account| {
            epoch = asked(account, "control-plane/restore", "");
        })
        .run("restore --from 20990101T000000Z-r9.db.zst --yes")
        .run(&format!("restore --from {NEW} --dry-run --detailed-exitcode"))
        .run_while("restore --from latest", |account| {
            // It takes the lock after it has seen that the restore is open.
            asked(account, "lock", "");
            put(account, &format!("control-plane/restored/{epoch}/cp-1"), "2026-01-02T03:04:05Z\n");
        })
        .run("delete --yes -q");
    assert_eq!(state_keys(&account), [OLD, NEW].map(|key| format!("{CLUSTER}/{key}")), "snapshots are all that stays");
    transcript.run("get backups dev.k8s.local").run("create -f examples/minimal.yaml --yes -q");
    put(&account, "backups/etcd/20200101T000000Z-r9.db.gz", "snapshot");
    transcript.run("restore --from 20200101T000000Z-r9.db.gz --yes").is("restores");
    assert_eq!(account.defects(), Vec::<serde_json::Value>::new());
}

/// The request stays, and the exit code tells that nothing failed.
#[test]
fn ctrl_c_while_slots_restore() {
    let account = Account::new();
    account.kclust(&["create", "-f", "examples/minimal.yaml", "--yes", "-q"]).expect(0);
    put(&account, NEW, "snapshot");
    let running = Running::start(&mut account.command(&["restore", "--from", "latest", "--yes", "-q"]));
    let epoch = asked(&account, "control-plane/restore", "");
    running.signal("INT");
    let run = running.wait().expect(130);
    let way_on = format!("kclust restore {CLUSTER} --from 20990102T000000Z-r12345.db.zst");
    assert!(run.stdout.is_empty() && run.stderr.contains("interrupted") && run.stderr.contains(&way_on), "{}", run.stderr);
    assert!(!state_keys(&account).contains(&format!("{CLUSTER}/lock")), "the lock was not released");
    // Going on needs nobody to say yes again, and asks for nothing anew.
    let running = Running::start(&mut account.command(&["restore", "--from", "latest", "-q"]));
    // It takes the lock after it has seen that the restore is open.
    asked(&account, "lock", "");
    put(&account, &format!("control-plane/restored/{epoch}/cp-1"), "2026-01-02T03:04:05Z\n");
    running.wait().expect(0);
    assert_eq!(account.state_object(&format!("{CLUSTER}/control-plane/restore")), format!("{epoch}\n{NEW}\ncp-1=10.0.32.10\n"));
}
