//! A state store that is locked, damaged, newer than this kclust, or gone.

use serde_json::json;

use super::{CLUSTER, CREATE, DELETE, SPEC, changed};
use crate::harness::{Account, Running};

/// A lock of somebody on another machine, who may still be at work.
fn lock_of_alice() -> String {
    json!({
        "formatVersion": 1, "id": "0123456789abcdef0123456789abcdef", "user": "alice", "host": "laptop",
        "principal": "arn:aws:iam::123456789012:user/alice", "pid": 4711, "process": null, "operation": "update",
        "kclust": "0.1.0", "since": "2026-01-02T03:04:05Z", "expires": "2026-01-02T03:06:05Z", "ttlSeconds": 120,
    })
    .to_string()
}

#[test]
fn a_lock_of_somebody_else() {
    let account = Account::with_cluster();
    account.put_state_object(&format!("{CLUSTER}/lock"), &lock_of_alice());
    let file = account.file("more.yaml", &changed("maxSize: 2", "maxSize: 3"));
    let words = [
        "dev.k8s.local is locked",
        "alice@laptop",
        "`kclust update`",
        "arn:aws:iam::123456789012:user/alice",
        "2026-01-02 03:04:05 UTC",
        "wait until that command has finished",
    ];
    account.refuses(&["update", "-f", &file, "--yes", "-q"], 5, &words);
    account.refuses(&DELETE, 5, &words);
    // Looking needs no lock.
    account.kclust(&["update", CLUSTER, "--dry-run"]).expect(0);
    account.kclust(&["delete", CLUSTER, "--dry-run"]).expect(0);
    account.kclust(&["get", "spec"]).expect(0);
    account.kclust(&["validate"]).expect(4);
}

#[test]
fn two_operators_at_once() {
    let account = Account::new();
    account.set_faults(&json!([{ "service": "ec2", "action": "CreateVpc", "latency_ms": 6000 }]));
    let first = Running::start(&mut account.command(&CREATE));
    account.wait_for_calls("the first create", |calls| calls.iter().any(|call| call["action"] == "CreateVpc"));
    let user = format!("arn:aws:iam::{}", account.id);
    account.kclust(&CREATE).fails(5, &["dev.k8s.local is locked: tester@", "`kclust create`", &user, "since 20", "wait until"]);
    account.kclust(&["delete", CLUSTER, "--yes", "-q"]).fails(5, &["is locked: tester@", "`kclust create`"]);
    first.wait().expect(0);
    account.set_faults(&json!([]));
    account.has_one_whole_cluster();
}

/// Both are asked before either holds the lock: whoever is later sees that its plan is old.
#[test]
fn two_operators_who_begin_together() {
    let account = Account::new();
    let before = account.resources();
    let runs: Vec<Running> = (0..2).map(|_| Running::start(&mut account.command(&CREATE))).collect();
    let mut codes: Vec<i32> = runs.into_iter().map(|run| run.wait().says(&[]).code).collect();
    codes.sort_unstable();
    // The other one was locked out, or found that everything was done, or that the state changed under its plan.
    assert!(matches!(codes[..], [0, 0 | 1 | 5]), "{codes:?}");
    account.has_one_whole_cluster();
    account.is_clean_after_delete(&before);
}

/// Each document of the state, cut short or overwritten: it is named with what to do, and nothing is built on it.
#[test]
fn documents_that_are_damaged() {
    let account = Account::with_cluster();
    let file = account.file("more.yaml", &changed("maxSize: 2", "maxSize: 3"));
    let update = ["update", "-f", &file, "--yes", "-q"];
    let damaged: [(&str, &[&[&str]]); 5] = [
        ("cluster.yaml", &[&CREATE, &update, &["validate"], &DELETE, &["get", "spec"]]),
        ("facts.json", &[&CREATE, &update, &["validate"], &DELETE]),
        // Who holds it cannot be told, so nobody may take it.
        ("lock", &[&update, &DELETE]),
        ("ledger.json", &[&update]),
        ("pki/bundle.json", &[&update]),
    ];
    for (document, commands) in damaged {
        let key = format!("{CLUSTER}/{document}");
        let whole = (document != "lock").then(|| account.state_object(&key));
        let cut = whole.as_ref().map_or("{\"formatVersion\": 1,", |text| &text[..text.len() / 3]);
        for content in [cut, "", "{}", "\u{0}garbage"] {
            account.put_state_object(&key, content);
            for args in commands {
                let told = account.kclust(args).fails(1, &[&key, "hint: "]);
                assert!(!account.state_keys().contains(&format!("{CLUSTER}/lock")) || document == "lock", "{}", told.stderr);
            }
        }
        match whole {
            Some(text) => account.put_state_object(&key, &text),
            None => drop(account.s3("DELETE", &format!("kclust-state-{}/{key}", account.id), "us-east-1", "")),
        }
        account.has_one_whole_cluster();
    }
}

#[test]
fn documents_of_a_newer_kclust() {
    let account = Account::with_cluster();
    let file = account.file("more.yaml", &changed("maxSize: 2", "maxSize: 3"));
    for document in ["cluster.yaml", "facts.json", "ledger.json"] {
        let key = format!("{CLUSTER}/{document}");
        let text = account.state_object(&key);
        let newer =
            text.replace("\"formatVersion\":1", "\"formatVersion\":2").replace("\"formatVersion\": 1", "\"formatVersion\": 2");
        assert_ne!(newer, text);
        account.put_state_object(&key, &newer);
        account.kclust(&["update", "-f", &file, "--yes", "-q"]).fails(1, &[&key, "newer kclust", "use the newer one"]);
        account.put_state_object(&key, &text);
    }
    account.has_one_whole_cluster();
}

/// Resources without state: nothing is made beside them; `delete` still takes them away.
#[test]
fn a_state_that_was_lost() {
    let account = Account::new();
    let before = account.resources();
    account.kclust(&CREATE).expect(0);
    let elsewhere = format!("s3://kclust-state-{}-b", account.id);
    let words = ["resources of cluster dev.k8s.local exist", "knows nothing of it", "--state", "kclust delete dev.k8s.local"];
    account.refuses(&["create", "-f", SPEC, "--yes", "--state", &elsewhere], 1, &words);
    account.kclust(&["delete", CLUSTER, "--yes", "-q", "--state", &elsewhere, "--region", "us-east-1"]).expect(0);
    assert_eq!(account.resources(), before);
}
