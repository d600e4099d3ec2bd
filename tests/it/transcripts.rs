//! What a person sees: each command with its output, its errors and its exit code, in tests/golden/transcripts/.
//!
//! `INSTA_UPDATE=always cargo test --test it transcripts` writes them anew; then read them.

mod backups;
mod kubeconfig;
mod look;
mod terminal;

use std::fmt::Write as _;
use std::process::Command;

use serde_json::{Value as Json, json};

use crate::harness::{Account, Run, Running, example, run};

/// A session at the shell.
struct Transcript<'a> {
    account: &'a Account,
    text: String,
}

impl<'a> Transcript<'a> {
    fn of(account: &'a Account) -> Self {
        Self { account, text: String::new() }
    }

    fn run(&mut self, line: &str) -> &mut Self {
        self.run_with(line, |_| {})
    }

    /// Runs a command line as a shell would, but for quotes, of which there are none.
    fn run_with(&mut self, line: &str, prepare: impl FnOnce(&mut Command)) -> &mut Self {
        let args: Vec<&str> = line.split_whitespace().collect();
        let mut command = self.account.command(&args);
        prepare(&mut command);
        let run = run(&mut command);
        self.add(line, &run)
    }

    /// Runs a command line, and does something while it runs.
    fn run_while(&mut self, line: &str, meanwhile: impl FnOnce(&Account)) -> &mut Self {
        let args: Vec<&str> = line.split_whitespace().collect();
        let running = Running::start(&mut self.account.command(&args));
        meanwhile(self.account);
        self.add(line, &running.wait())
    }

    fn add(&mut self, line: &str, run: &Run) -> &mut Self {
        let _ = writeln!(self.text, "$ kclust {line}");
        self.text.push_str(&run.stdout);
        if !run.stderr.is_empty() {
            let _ = writeln!(self.text, "[stderr]\n{}", sorted_progress(&run.stderr).trim_end());
        }
        let _ = writeln!(self.text, "[exit {}]\n", run.code);
        self
    }

    #[track_caller]
    fn is(&self, name: &str) {
        is_golden(name, &self.text, self.account);
    }
}

/// Compares with a golden file, once ids, times and places that are others each time are replaced by some of the same kind and,
/// where columns matter, of the same length.
#[track_caller]
pub fn is_golden(name: &str, text: &str, account: &Account) {
    const SAME_EACH_TIME: [(&str, &str); 30] = [
        (r"\b\d+s ago +", "0s ago   "),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"\b(manifest|values) [0-9a-f]{12}\b", "$1 000000000000"),
        (r"\brequest id [0-9a-f-]{36}", "request id 00000000-0000-0000-0000-000000000000"),
        (r"\b([a-z]{1,12})-[0-9a-f]{17}\b", "$1-00000000000000000"),
        (r"\b([a-z]{1,12})-[0-9a-f]{2,16}…", "$1-0…"),
        (r"does not resolve: .*", "does not resolve: REASON"),
        (r"\bZ[0-9A-Z]{10,32}\b", "Z0000000000000"),
        (r"\b\d{8}T\d{6}Z-[0-9a-f]{8}\b", "20260102T030405Z-00000000"),
        (r"\b[0-9a-f]{64}\b", "HASH"),
        (r"\bsha256:[0-9a-f]{12}\b", "sha256:000000000000"),
        (r"\(\d+ bytes\)", "(N bytes)"),
        (r"\b[0-9a-f]{16}\b", "0000000000000000"),
        (r"(?m)^ *\d+\.\ds  ", "   0.0s  "),
        (r"\bin (\d+ min )?\d+ s\b|\bin \d+ min\b", "in N s"),
        (r"\b(for|of|told) (\d+ s|[123] min)\b", "$1 N s"),
        (r"\bfor [45] min\b", "for 4 min"),
        (r"\b\d{4}-\d\d-\d\d \d\d:\d\d UTC", "2026-01-02 03:04 UTC"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "2026-01-02 03:04:05 UTC"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", "2026-01-02 03:04:05  "),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "2026-01-02T03:04:05Z"),
        (r"renewed \d+ s ago, held until \d\d:\d\d:\d\d UTC", "renewed N s ago, held until 03:04:05 UTC"),
        (r"next command in [0-9a-z ]+", "next command in N min"),
        (r"\(process \d+\)", "(process PID)"),
        (r"tester@[^ ,]+", "tester@HOST"),
        (r"\b\d+[sm] ago +", "0s ago   "),
        (r"(?m)\b\d+[sm] ago$", "0s ago"),
        (r" {2}\d+[sm] {2,4}", "  0s   "),
        (r"(?m)^(AGE +)\d+[sm]$", "${1}0s"),
        (r#"\b((launchedA|a)t"?: "?)\d{4}-\d\d-\d\dT[0-9:.]+Z"#, "${1}2026-01-02T03:04:05Z"),
    ];
    let text = text.replace(&account.directory.path().display().to_string(), "DIR").replace(&account.id, "123456789012");
    insta::with_settings!({
        snapshot_path => "../golden/transcripts",
        prepend_module_to_snapshot => false,
        omit_expression => true,
        filters => SAME_EACH_TIME,
    }, {
        insta::assert_snapshot!(name, text);
    });
}

/// Steps run at the same time and end in any order: their lines, which begin with a time, are sorted by what they say. How long
/// AWS made them wait is left out.
fn sorted_progress(stderr: &str) -> String {
    let timed = |line: &str| line.trim_start().split_once("s  ").is_some_and(|(time, _)| time.parse::<f64>().is_ok());
    let mut lines: Vec<&str> = stderr.lines().filter(|line| !timed(line) || !is_wait(line)).map(without_duration).collect();
    for block in lines.chunk_by_mut(|a, b| timed(a) == timed(b)) {
        if timed(block[0]) {
            block.sort_by_key(|line| line.trim_start().split_once("s  ").map(|(_, text)| text));
        }
    }
    lines.join("\n")
}

fn is_wait(line: &str) -> bool {
    ["waiting for ", "trying again with "].iter().any(|words| line.contains(words))
}

/// `created Vpc/main in 3 s`, as a slow machine has it, without the seconds.
fn without_duration(line: &str) -> &str {
    match line.rsplit_once(" in ") {
        Some((step, duration)) if duration.ends_with(" s") && duration.starts_with(|first: char| first.is_ascii_digit()) => step,
        _ => line,
    }
}

/// The life of the smallest cluster, as the README tells it.
#[test]
fn a_cluster_s_life() {
    let account = Account::new();
    let more = account.file("more.yaml", &example("minimal").replace("maxSize: 2", "maxSize: 4"));
    Transcript::of(&account)
        .run("create -f examples/minimal.yaml --dry-run")
        .run("create -f examples/minimal.yaml --yes -q")
        .run("create -f examples/minimal.yaml --yes")
        .run("get clusters")
        .run("get clusters -o json")
        .run("get spec")
        .run("validate")
        .run("validate -o json")
        .run(&format!("create -f {more} --yes"))
        .run(&format!("update -f {more} --dry-run"))
        .run(&format!("update -f {more} --dry-run -o yaml"))
        .run(&format!("update -f {more}"))
        .run(&format!("update -f {more} --yes"))
        .run("update --dry-run --detailed-exitcode")
        .run("get history")
        .run("get history -o json")
        .run("update --from-history 1 --dry-run")
        .run("update --from-history 7 --dry-run")
        .run("delete --dry-run")
        .run("delete --yes -q")
        .run("get clusters")
        .is("life");
}

/// Everything that is told while a cluster is made and removed.
#[test]
fn progress() {
    let account = Account::new();
    Transcript::of(&account).run("create -f examples/minimal.yaml --yes").run("delete dev.k8s.local --yes").is("progress");
}

#[test]
fn plans_of_the_examples() {
    let account = Account::new().with_zone("example.com");
    account.seed(&json!({ "what": "existing-vpc" }));
    Transcript::of(&account).run("create -f examples/ha-private.yaml --dry-run").is("plan-ha-private");
    Transcript::of(&account).run("create -f examples/ml-spot-gpu.yaml --dry-run").is("plan-ml-spot-gpu");
    Transcript::of(&account).run("create -f examples/existing-vpc.yaml --dry-run").is("plan-existing-vpc");
}

/// The document of `-o json`, which programs read.
#[test]
fn the_json_of_a_plan() {
    let account = Account::new().with_zone("example.com");
    let plan = account.kclust(&["create", "-f", "examples/ha-private.yaml", "--dry-run", "-o", "json"]).expect(0).json();
    let keys = |document: &Json| document.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&plan), ["cluster", "operation", "summary", "changes", "warnings"]);
    assert_eq!((&plan["cluster"], &plan["operation"]), (&json!("prod.example.com"), &json!("create")));
    assert_eq!(keys(&plan["summary"]), ["create", "update", "replace", "delete", "unchanged"]);
    let changes = plan["changes"].as_array().unwrap();
    assert_eq!(plan["summary"]["create"], json!(changes.len()));
    let ids: Vec<String> = changes
        .iter()
        .map(|change| format!("{}/{}", change["kind"].as_str().unwrap(), change["name"].as_str().unwrap()))
        .collect();
    for (change, id) in changes.iter().zip(&ids) {
        assert_eq!(keys(change), ["action", "kind", "name", "id", "fields", "reason", "dependsOn"], "{id}");
        assert_eq!((&change["action"], &change["id"]), (&json!("create"), &Json::Null), "{id}");
        assert!(change["reason"].is_string(), "{id}");
        for field in change["fields"].as_array().unwrap() {
            assert_eq!(keys(field), ["path", "from", "to"], "{id}");
            assert_eq!(field["from"], Json::Null, "{id}");
        }
        for needed in change["dependsOn"].as_array().unwrap() {
            assert!(ids.iter().any(|id| needed == id), "{id} depends on {needed}, which is not in the plan");
        }
    }
    let yaml = account.kclust(&["create", "-f", "examples/ha-private.yaml", "--dry-run", "-o", "yaml"]).expect(0).stdout;
    assert!(yaml.starts_with("cluster: prod.example.com\noperation: create\nsummary:\n  create: "), "{yaml}");
}

#[test]
fn looking_without_a_cloud() {
    let account = Account::new();
    let out = account.directory.path().join("rendered");
    Transcript::of(&account)
        .run(&format!("render -f examples/minimal.yaml --out {}", out.display()))
        .run(&format!("render -f examples/minimal.yaml --out {} -o json", out.display()))
        .is("render");
    assert_eq!(account.calls(), Vec::<Json>::new());
    let schema = account.kclust(&["schema"]).expect(0).stdout;
    let first: String = schema.lines().take(12).map(|line| format!("{line}\n")).collect();
    is_golden("schema", &format!("$ kclust schema | head -12\n{first}"), &account);
}

#[test]
fn errors() {
    let account = Account::new();
    let typo = account.file(
        "typo.yaml",
        &example("minimal")
            .replace("minSize: 2", "minSise: 2")
            .replace("[t3.large]", "[t3.lagre]")
            .replace("us-east-1a", "us-west-2a"),
    );
    let image =
        account.file("image.yaml", &example("minimal").replace("[t3.large]", "[t3.large]\n      image: ami-0123456789abcdef0"));
    Transcript::of(&account)
        .run("")
        .run("crate")
        .run("create")
        .run("create dev.k8s.local --zones us-east-1a --node-types t3.large")
        .run_with("create -f examples/minimal.yaml", |command| {
            command.env_remove("KCLUST_STATE");
        })
        .run("create -f examples/minimal.yaml --state kclust-state")
        .run("create -f missing.yaml")
        .run("create other.k8s.local -f examples/minimal.yaml")
        .run(&format!("create -f {typo}"))
        .run(&format!("create -f {image}"))
        .run("create -f examples/ha-private.yaml")
        .run("create -f examples/minimal.yaml --region eu-west-1")
        .run("create -f examples/minimal.yaml -q")
        .run("validate")
        .run("validate dev.k8s.local")
        .run("delete dev.k8s.local --yes")
        .run("delete dev.k8s.local --yes --ignore-not-found")
        .run_with("validate dev.k8s.local", |command| {
            command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        })
        .run_with("get clusters", |command| {
            command.env("AWS_ACCESS_KEY_ID", "AKIAEXPIRED000000000");
        })
        .is("errors");
}

/// One permission is missing, and much needs it.
#[test]
fn a_create_that_fails() {
    let account = Account::new();
    let denied = |service: &str, action: &str, code: &str| json!({ "service": service, "action": action, "status": 403, "code": code, "message": "You are not authorized to do this." });
    let mut transcript = Transcript::of(&account);
    account.set_faults(&json!([
        denied("iam", "PutRolePolicy", "AccessDenied"),
        denied("ec2", "AuthorizeSecurityGroupIngress", "UnauthorizedOperation"),
    ]));
    transcript.run("create -f examples/minimal.yaml --yes -q").run("validate");
    account.set_faults(&json!([]));
    transcript.run("create -f examples/minimal.yaml --dry-run").run("create -f examples/minimal.yaml --yes -q");
    transcript.is("failed-create");
}
