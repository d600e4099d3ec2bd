//! Looking at clusters: tables, documents, narrow and wide.

use serde_json::json;

use super::terminal::{on_a_terminal_of, plain};
use super::{Transcript, is_golden};
use crate::harness::{Account, example};

const CREATE: [&str; 5] = ["create", "-f", "examples/minimal.yaml", "--yes", "-q"];

#[test]
fn a_store_of_clusters() {
    let account = Account::new().with_zone("example.com");
    let mut transcript = Transcript::of(&account);
    transcript.run("get clusters").run("get clusters -q").run("get clusters -o json");
    account.kclust(&CREATE).expect(0);
    account.kclust(&["create", "-f", "examples/ha-private.yaml", "--yes", "-q"]).expect(0);
    account.put_state_object("broken.k8s.local/cluster.yaml", "apiVersion: kclust.dev/v1alpha1\n");
    transcript
        .run("get clusters")
        .run("get clusters -o yaml")
        .run("get groups")
        .run("get groups prod.example.com")
        .is("get-clusters");
}

/// A cluster whose template has changed, and one of whose machines boots.
#[test]
fn what_runs() {
    let account = Account::new();
    account.kclust(&CREATE).expect(0);
    let larger = example("minimal").replace("[t3.large]", "[t3.large, t3a.large]").replace("maxSize: 2", "maxSize: 9");
    let larger =
        format!("{larger}      purchase: {{onDemandBase: 1, onDemandPercentAboveBase: 25}}\n      rootVolume: {{sizeGiB: 64}}\n");
    let file = account.file("larger.yaml", &larger);
    account.kclust(&["update", "-f", &file, "--yes", "-q"]).expect(0);
    let instances = account.kclust(&["get", "instances", "-o", "json"]).expect(0).json();
    for (instance, step, error) in
        [(1, "joining the cluster", None), (2, "waiting for downloads", Some("dl.k8s.io: no route to host"))]
    {
        let id = instances[instance]["id"].as_str().unwrap();
        let status = json!({
            "instance": id, "role": "worker", "group": "workers", "step": step, "since": "2026-01-02T03:04:05Z", "error": error,
        });
        account.put_state_object(&format!("dev.k8s.local/nodes/status/{id}.json"), &status.to_string());
    }
    Transcript::of(&account)
        .run("get groups")
        .run("get groups -o yaml")
        .run("get instances")
        .run("get instances -q -o yaml")
        .run("get instances other.k8s.local")
        .is("get-instances");
}

#[test]
fn what_it_is_made_of() {
    let account = Account::new();
    account.kclust(&CREATE).expect(0);
    account.put_state_object("dev.k8s.local/control-plane/settings", "format 1\nbackup-interval-seconds 60\n");
    Transcript::of(&account).run("get resources").is("get-resources");
}

/// No line is wider than the terminal, and colour comes on top of words.
#[test]
fn tables_on_terminals() {
    let account = Account::new();
    account.kclust(&CREATE).expect(0);
    let mut text = String::new();
    for columns in [80, 40] {
        for what in ["clusters", "groups", "instances", "resources"] {
            let args = ["get", what, "-q"];
            let (code, shown) = on_a_terminal_of(&account, &args, (columns, 24), &[]);
            let shown = plain(&shown).replace('\r', "");
            for line in shown.lines() {
                assert!(line.chars().count() <= columns, "{} of {columns} columns: {line}", line.chars().count());
            }
            text.push_str(&format!("$ COLUMNS={columns} kclust {}\n{shown}[exit {code}]\n\n", args.join(" ")));
        }
    }
    is_golden("get-terminal", &text, &account);
    let colors = |variables: &[(&str, &str)]| {
        on_a_terminal_of(&account, &["get", "resources", "-q"], (80, 24), variables).1.contains("\u{1b}[")
    };
    account.put_state_object("dev.k8s.local/control-plane/settings", "format 1\n");
    assert!(colors(&[]));
    assert!(!colors(&[("NO_COLOR", "1")]));
    assert!(!colors(&[("TERM", "dumb")]));
}

#[test]
fn a_watch_changes_in_its_place() {
    let account = Account::new();
    account.kclust(&CREATE).expect(0);
    let (code, shown) = on_a_terminal_of(&account, &["get", "instances", "--watch", "-q", "--interval", "1s"], (80, 24), &[]);
    assert_eq!(code, 0, "{shown}");
    // A heading, three instances and the time.
    let (drawn, in_its_place) = (shown.matches("GROUP ").count(), shown.matches("\u{1b}[5A").count());
    assert!(drawn >= 3 && in_its_place == drawn - 1, "{shown:?}");
    let (code, shown) = on_a_terminal_of(&account, &["get", "instances", "--watch", "-q", "--interval", "1s"], (80, 4), &[]);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains(", 2 more lines\u{1b}[K"), "{shown:?}");
}
