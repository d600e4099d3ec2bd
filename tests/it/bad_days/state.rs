//! A state store that is locked, damaged, newer than this kclust, or gone.

use serde_json::{Value as Json, json};

use super::{CLUSTER, CREATE, DELETE, changed};
use crate::harness::Account;

/// A lock of somebody on another machine, who may still be at work.
pub(super) fn lock_of_alice() -> String {
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

/// Each document of the state, cut short or overwritten: it is named with what to do, and nothing is built on it.
#[test]
fn documents_that_are_damaged() {
    let account = Account::with_cluster();
    let file = account.file("more.yaml", &changed("maxSize: 2", "maxSize: 3"));
    let update = ["update", "-f", &file, "--yes", "-q"];
    let repair = "`kclust update dev.k8s.local --from-history 1` brings back";
    let damaged: [(&str, &[&[&str]], &str); 3] = [
        ("cluster.yaml", &[&CREATE, &update, &DELETE, &["get", "spec"]], repair),
        ("facts.json", &[&CREATE, &update, &DELETE], repair),
        // Who holds it cannot be told, so nobody may take it.
        ("lock", &[&update, &DELETE], "then remove it: aws s3 rm s3://kclust-state-"),
    ];
    for (document, commands, hint) in damaged {
        let key = format!("{CLUSTER}/{document}");
        let whole = (document != "lock").then(|| account.state_object(&key));
        let cuts: Vec<&str> = match &whole {
            Some(text) => [3, 2].map(|part| &text[..text.len() / part]).into_iter().chain([&text[..text.len() - 5]]).collect(),
            None => vec!["{\"formatVersion\": 1,"],
        };
        for content in cuts.into_iter().chain(["", "{}", "\u{0}garbage"]) {
            account.put_state_object(&key, content);
            for args in commands {
                let told = account.kclust(args).fails(1, &[&key, "hint: ", hint]);
                assert!(!account.state_keys().contains(&format!("{CLUSTER}/lock")) || document == "lock", "{}", told.stderr);
                assert_eq!(account.state_object(&key), content, "it was written over");
            }
            if document != "lock" {
                let report = account.kclust(&["validate", "-o", "json"]).expect(3).json();
                let (state, resources) = (&report["checks"][0], &report["checks"][1]);
                assert_eq!((&state["name"], &state["status"]), (&json!("state"), &json!("failed")), "{report:#}");
                assert!(state.to_string().contains(&key) && state["todo"].to_string().contains(hint), "{state:#}");
                assert_eq!((&resources["name"], &resources["status"]), (&json!("resources"), &json!("skipped")));
            }
        }
        match whole {
            Some(text) => account.put_state_object(&key, &text),
            None => account.remove_state_object(&key),
        }
        account.has_one_whole_cluster();
    }
}

/// The way back that errors name: the spec and the facts, whatever happened to them. What was damaged stays in the bucket.
#[test]
fn a_damaged_state_is_repaired_from_its_history() {
    let account = Account::with_cluster();
    let (spec, facts) = (format!("{CLUSTER}/cluster.yaml"), format!("{CLUSTER}/facts.json"));
    let (whole_spec, whole_facts) = (account.kclust(&["get", "spec"]).expect(0).stdout, account.state_object(&facts));
    let repair = ["update", CLUSTER, "--from-history", "1", "--yes"];
    let mut revision = 1;
    for (damaged, lost, warning) in [
        (Some((&spec, "half")), None, "cluster.yaml cannot be read (its first line does not say what it is)"),
        (Some((&spec, "")), Some(&facts), "facts.json cannot be read (it is gone)"),
        (None, Some(&spec), "cluster.yaml cannot be read (it is gone)"),
        (Some((&facts, "{")), None, "facts.json cannot be read (it is not JSON"),
    ] {
        if let Some((key, content)) = damaged {
            account.put_state_object(key, content);
        }
        if let Some(key) = lost {
            account.remove_state_object(key);
            account.kclust(&["update", CLUSTER, "--yes"]).fails(1, &["`kclust update dev.k8s.local --from-history "]);
            account.refuses(&CREATE, 1, &["--from-history"]);
        }
        let shown = account.unchanged(|| account.kclust(&["update", CLUSTER, "--from-history", "1", "--dry-run"]).expect(0));
        assert!(shown.stdout.contains(warning), "{}", shown.stdout);
        let nobody = account.unchanged(|| account.kclust(&["update", CLUSTER, "--from-history", "1"]).expect(2));
        assert!(nobody.stdout.contains(warning), "{}", nobody.stdout);
        account.kclust(&repair).expect(0).says(&[warning, "stays in the bucket as an earlier version"]);
        revision += usize::from(damaged.is_none_or(|(key, _)| *key == spec));
        assert_eq!(account.kclust(&["get", "spec"]).expect(0).stdout, whole_spec);
        assert_eq!(account.state_object(&facts), whole_facts, "no image was looked up again");
        account.has_one_whole_cluster();
        let history = account.kclust(&["get", "history", CLUSTER, "-o", "json"]).expect(0).json();
        assert_eq!(history[0]["revision"], json!(revision), "{history}");
        if let Some((key, content)) = damaged {
            assert!(account.state_versions(key).iter().any(|version| version == content), "what was damaged is not lost");
        }
    }
    // Now there is nothing to repair, and nothing is written.
    account.unchanged(|| account.kclust(&repair).expect(0));
}

#[test]
fn an_earlier_spec_is_brought_back() {
    let account = Account::with_cluster();
    let first = account.kclust(&["get", "spec"]).expect(0).stdout;
    let file = account.file("more.yaml", &changed("maxSize: 2", "maxSize: 3"));
    account.kclust(&["update", "-f", &file, "--yes", "-q"]).expect(0);
    let plan = account.kclust(&["update", "--from-history", "1", "--dry-run", "--detailed-exitcode"]).expect(10).stdout;
    assert!(plan.contains("maxSize: 3") && plan.contains("2"), "{plan}");
    account.kclust(&["update", "--from-history", "1", "--yes", "-q"]).expect(0);
    assert_eq!(account.kclust(&["get", "spec"]).expect(0).stdout, first);
    account.has_one_whole_cluster();
    let history = account.kclust(&["get", "history", "-o", "json"]).expect(0).json();
    let lines: Vec<_> =
        history.as_array().unwrap().iter().map(|line| (line["revision"].clone(), line["linesAdded"].clone())).collect();
    assert_eq!(lines, [(json!(3), json!(1)), (json!(2), json!(1)), (json!(1), json!(null))]);
    // A revision that cannot be read is a line that says so, and cannot be chosen.
    let key = account.state_keys().into_iter().find(|key| key.contains("/history/000002-")).unwrap();
    account.put_state_object(&key, "half");
    let table = account.kclust(&["get", "history"]).expect(0).stdout;
    assert!(table.contains("cannot be read: its first line"), "{table}");
    account.refuses(&["update", "--from-history", "2", "--yes"], 1, &[&key, "kclust get history dev.k8s.local"]);
    account.refuses(&["update", "--from-history", "9", "--yes"], 2, &["has no revision 9", "its revisions are 1 to 3"]);
    account.refuses(&["update", "--from-history", "0", "--yes"], 2, &["--from-history"]);
    account.refuses(&["update", "--from-history", "1", "-f", &file, "--yes"], 2, &["cannot be used with"]);
}

/// Losing it costs nothing: what an interrupted command made is found by tags.
#[test]
fn a_ledger_that_is_damaged_or_gone() {
    let account = Account::with_cluster();
    let key = format!("{CLUSTER}/ledger.json");
    for (content, max) in [(Some("{\"formatVersion\": 1,"), 3), (Some(""), 4), (Some("{}"), 5), (None, 6)] {
        match content {
            Some(content) => account.put_state_object(&key, content),
            None => account.remove_state_object(&key),
        }
        let file = account.file("more.yaml", &changed("maxSize: 2", &format!("maxSize: {max}")));
        let told = account.kclust(&["update", "-f", &file, "--yes"]).expect(0);
        assert_eq!(told.stderr.contains("is written anew"), content.is_some(), "{}", told.stderr);
    }
    account.kclust(&["update", "--from-history", "1", "--yes"]).expect(0);
    account.has_one_whole_cluster();
    // Gone in the middle of the work.
    let before = Account::new();
    let empty = before.resources();
    before.set_faults(&json!([{ "service": "ec2", "action": "CreateLaunchTemplate", "code": "InvalidParameterValue" }]));
    before.kclust(&CREATE).expect(1);
    before.set_faults(&json!([]));
    before.put_state_object(&key, "{");
    before.kclust(&CREATE).expect(0);
    before.has_one_whole_cluster();
    before.is_clean_after_delete(&empty);
}

/// Keys are never made twice: each copy is made whole of the other, and where both are damaged a version is named.
#[test]
fn keys_that_are_damaged_or_gone() {
    let account = Account::with_cluster();
    let (bundle, single) = (format!("{CLUSTER}/pki/bundle.json"), format!("{CLUSTER}/pki/ca.key"));
    let (whole, key) = (account.state_object(&bundle), account.state_object(&single));
    let mut max = 2;
    let mut update = |account: &Account| {
        max += 1;
        let file = account.file("more.yaml", &changed("maxSize: 2", &format!("maxSize: {max}")));
        account.kclust(&["update", "-f", &file, "--yes"])
    };
    for damaged in [Some(&whole[..whole.len() / 3]), Some(""), Some("{}"), Some(r#"{"formatVersion":1,"files":{}}"#), None] {
        match damaged {
            Some(text) => account.put_state_object(&bundle, text),
            None => account.remove_state_object(&bundle),
        }
        update(&account).expect(0).says(&["made again of the single files"]);
        assert_eq!(account.state_object(&bundle), whole);
    }
    for damaged in [Some(&key[..key.len() / 2]), None] {
        match damaged {
            Some(text) => account.put_state_object(&single, text),
            None => account.remove_state_object(&single),
        }
        update(&account).expect(0);
        assert_eq!(account.state_object(&single), key);
    }
    account.put_state_object(&single, "half");
    for damaged in [Some("half"), None] {
        match damaged {
            Some(text) => account.put_state_object(&bundle, text),
            None => account.remove_state_object(&bundle),
        }
        let words = [bundle.as_str(), "is whole; this brings it back: aws s3api copy-object", "?versionId="];
        let before = account.resources();
        let told = update(&account).fails(1, &words);
        assert_eq!(account.resources(), before);
        // The command that it names does it.
        let version = told.stderr.split("versionId=").nth(1).unwrap().split('\'').next().unwrap();
        assert_eq!(account.state_version(&bundle, version), whole);
    }
    account.put_state_object(&bundle, &whole);
    update(&account).expect(0);
    assert_eq!(account.state_object(&single), key);
}

#[test]
fn documents_of_a_newer_kclust() {
    let account = Account::with_cluster();
    let file = account.file("more.yaml", &changed("maxSize: 2", "maxSize: 3"));
    let update = ["update", "-f", &file, "--yes", "-q"];
    let repair = ["update", CLUSTER, "--from-history", "1", "--yes", "-q"];
    for document in ["cluster.yaml", "facts.json", "ledger.json", "pki/bundle.json", "lock"] {
        let key = format!("{CLUSTER}/{document}");
        let text = if document == "lock" { lock_of_alice() } else { account.state_object(&key) };
        let newer =
            text.replace("\"formatVersion\":1", "\"formatVersion\":2").replace("\"formatVersion\": 1", "\"formatVersion\": 2");
        assert_ne!(newer, text);
        account.put_state_object(&key, &newer);
        account.kclust(&update).fails(1, &[&key, "newer kclust", "use the newer one"]);
        if ["cluster.yaml", "facts.json"].contains(&document) {
            account.kclust(&repair).fails(1, &[&key, "newer kclust", "use the newer one"]);
        }
        assert_eq!(account.state_object(&key), newer, "it was written over");
        match document {
            "lock" => account.remove_state_object(&key),
            _ => account.put_state_object(&key, &text),
        }
    }
    account.kclust(&repair).expect(0);
    account.has_one_whole_cluster();
}

/// Resources without state: nothing is made beside them; `delete` still takes them away, records in a zone and what lies in somebody
/// else's network included.
#[test]
fn a_state_that_was_lost() {
    for (example, cluster, region) in [
        ("minimal", CLUSTER, "us-east-1"),
        ("ha-private", "prod.example.com", "us-east-1"),
        ("ml-spot-gpu", "ml.example.com", "us-west-2"),
        ("existing-vpc", "team-a.internal.example.com", "eu-west-1"),
    ] {
        let account = Account::new().with_zone("example.com");
        account.seed(&json!({ "what": "existing-vpc" }));
        account.seed(&json!({ "what": "decoys", "region": region, "cluster": cluster }));
        let before = account.resources();
        let spec = account.file("spec.yaml", &crate::harness::example(example).replace("123456789012", &account.id));
        account.kclust(&["create", "-f", &spec, "--yes", "-q"]).expect(0);
        let elsewhere = format!("s3://kclust-state-{}-b", account.id);
        let forget = format!("kclust delete {cluster}");
        let words = [&format!("resources of cluster {cluster} exist"), "knows nothing of it", "--state", &forget];
        account.refuses(&["create", "-f", &spec, "--yes", "--state", &elsewhere], 1, &words);
        account.kclust(&["delete", cluster, "--yes", "-q", "--state", &elsewhere, "--region", region]).expect(0);
        assert_eq!(account.resources(), before, "{example}");
        assert_eq!(account.defects(), Vec::<Json>::new());
    }
}

/// An account whose zone is there, and its id.
fn with_zone() -> (Account, String) {
    let account = Account::new();
    let zone = account.seed(&json!({ "what": "zone", "name": "example.com" }))["zone"].as_str().unwrap().to_owned();
    (account, zone)
}

/// Leads the API's name to an address of somebody else.
fn lead_elsewhere(account: &Account, zone: &str) {
    let record = "<Name>api.prod.example.com.</Name><Type>A</Type><TTL>60</TTL><ResourceRecords><ResourceRecord>\
                  <Value>192.0.2.1</Value></ResourceRecord></ResourceRecords>";
    let change = format!(
        "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes><Change>\
         <Action>UPSERT</Action><ResourceRecordSet>{record}</ResourceRecordSet></Change></Changes></ChangeBatch>\
         </ChangeResourceRecordSetsRequest>"
    );
    account.rest("route53", "POST", &format!("2013-04-01/hostedzone/{zone}/rrset/"), "us-east-1", &change);
}

/// A record of the cluster's name that leads somewhere else is not the cluster's: another one may have its name by now.
#[test]
fn a_record_that_leads_elsewhere_stays() {
    for is_lost in [true, false] {
        let (account, zone) = with_zone();
        account.kclust(&["create", "-f", "examples/ha-private.yaml", "--yes", "-q"]).expect(0);
        lead_elsewhere(&account, &zone);
        let elsewhere = format!("s3://kclust-state-{}-b", account.id);
        let state = if is_lost { elsewhere } else { account.state() };
        let args = ["delete", "prod.example.com", "--yes", "--state", &state, "--region", "us-east-1"];
        account
            .kclust(&args)
            .expect(0)
            .says(&["the record api.prod.example.com in the hosted zone ", "leads elsewhere and stays"]);
        assert!(account.world()["route53"].to_string().contains("192.0.2.1"), "lost: {is_lost}");
    }
}

/// It is no trace of a cluster whose state was lost either.
#[test]
fn a_record_of_somebody_else_is_in_the_way_of_a_create() {
    let (account, zone) = with_zone();
    lead_elsewhere(&account, &zone);
    let words = ["spec.dns.zone: the record api.prod.example.com in the hosted zone ", "(192.0.2.1) is there already"];
    account.refuses(&["create", "-f", "examples/ha-private.yaml", "--yes", "-q"], 2, &words);
}
