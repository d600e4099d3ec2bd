//! Accounts in the states that commands are tried in, and what the commands make of them when nothing happens.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types::TargetGroupAttribute;
use kclust::model::Kind;
use serde_json::{Value as Json, json};

use crate::drift::{Cluster, deletions, titles};
use crate::harness::{Account, Run, example};

const REGION: &str = "us-east-1";
/// One of everything that a removal looks for beside the model.
const CONTROLLERS_MAKE: [&str; 6] =
    ["classic-load-balancer", "network-load-balancer", "ingress", "interface", "volume", "karpenter"];

/// An example, and how its cluster is changed by the update.
pub struct Example {
    pub name: &'static str,
    pub cluster: &'static str,
    /// Changes of the spec.
    pub edits: &'static [(&'static str, &'static str)],
    /// What somebody else changes before the update, which puts it right: not every kind can be reached by the spec.
    pub meddle: fn(&Cluster),
}

/// Service and action of a call.
pub type Action = (String, String);

/// A command in one state of the account.
pub struct Stage {
    pub name: &'static str,
    args: Vec<String>,
    /// Name of the state.
    from: &'static str,
    /// The calls that it makes.
    pub calls: Vec<Action>,
    /// The world that it makes, in its canonical form.
    pub reached: Json,
}

/// An account for one example.
pub struct Bench {
    pub account: Account,
    pub cluster: &'static str,
    pub stages: Vec<Stage>,
}

impl Bench {
    pub fn new(example: &'static Example) -> Self {
        let account = Account::new().with_zone("example.com");
        account.snapshot("nothing");
        let file = format!("examples/{}.yaml", example.name);
        let changed = account.file("changed.yaml", &changed(example));
        let create = Stage::new(&account, "create", "nothing", &["create", "-f", &file, "--yes", "-q"]);
        account.restore("nothing");
        let cluster = Cluster::of_file(account, &file, example.cluster, REGION);
        (example.meddle)(&cluster);
        let account = cluster.account;
        account.snapshot("created");
        if example.name == "ha-private" {
            expect_every_kind(&account.kclust(&["update", "-f", &changed, "--dry-run", "-o", "json"]).expect(0).json());
        }
        let update = Stage::new(&account, "update", "created", &["update", "-f", &changed, "--yes", "-q"]);
        // What controllers made goes with the cluster; on the way to that everything can happen, too.
        account.seed(&json!({ "what": "controllers", "region": REGION, "cluster": example.cluster, "make": CONTROLLERS_MAKE }));
        account.snapshot("updated");
        // The region is written down in the state, of which a killed delete may have left nothing.
        let args = ["delete", example.cluster, "--yes", "-q", "--ignore-not-found", "--region", REGION, "--delete-volumes"];
        let delete = Stage::new(&account, "delete", "updated", &args);
        Self { account, cluster: example.cluster, stages: vec![create, update, delete] }
    }

    /// The account before the command.
    pub fn begin(&self, stage: &Stage) {
        // A point that failed may have left some.
        self.account.set_faults(&json!([]));
        self.account.set_conditions(&json!({}));
        self.account.set_page_size(None);
        self.account.restore(stage.from);
        self.account.forget_calls();
    }

    pub fn run(&self, stage: &Stage) -> Run {
        self.account.kclust(&stage.args())
    }

    /// The world is what it is when nothing happens, and nothing is left to do.
    pub fn compare(&self, stage: &Stage, world: &Json) -> Result<(), String> {
        let mut different = Vec::new();
        differences(&stage.reached, world, "", &mut different);
        match different.is_empty() {
            true => Ok(()),
            false => Err(format!("the world is another one:\n{}", different.join("\n"))),
        }
    }
}

impl Stage {
    /// Runs the command once, undisturbed.
    fn new(account: &Account, name: &'static str, from: &'static str, args: &[&str]) -> Self {
        account.restore(from);
        account.forget_calls();
        account.kclust(args).expect(0);
        let part = |call: &Json, name: &str| call[name].as_str().unwrap().to_owned();
        let calls = account.calls().iter().map(|call| (part(call, "service"), part(call, "action"))).collect();
        let reached = account.canonical_world();
        if name != "delete" {
            let plan: Vec<&str> =
                args.iter().copied().filter(|arg| *arg != "--yes").chain(["--dry-run", "--detailed-exitcode"]).collect();
            account.kclust(&plan).expect(0);
        }
        assert_eq!(account.defects(), Vec::<Json>::new());
        Self { name, args: args.iter().map(|arg| (*arg).to_owned()).collect(), from, calls, reached }
    }

    pub fn args(&self) -> Vec<&str> {
        self.args.iter().map(String::as_str).collect()
    }

    /// Every action that it calls, once.
    pub fn actions(&self) -> BTreeSet<Action> {
        self.calls.iter().cloned().collect()
    }
}

fn changed(of: &Example) -> String {
    of.edits.iter().fold(example(of.name), |spec, (from, to)| {
        assert!(spec.contains(from), "{} does not say {from:?}", of.name);
        spec.replacen(from, to, 1)
    })
}

pub fn meddle_with_an_ha_cluster(cluster: &Cluster) {
    deletions::delete_of_most_kinds(cluster);
    let attribute = TargetGroupAttribute::builder().key("deregistration_delay.timeout_seconds").value("17").build();
    let call = cluster.elbv2.modify_target_group_attributes().target_group_arn(cluster.id("TargetGroup/api"));
    cluster.run(call.attributes(attribute).send());
}

fn expect_every_kind(plan: &Json) {
    let changed = titles(plan);
    let is_touched = |kind: &&Kind| changed.iter().any(|title| title.contains(&format!(" {kind}/")));
    let untouched: Vec<&Kind> = Kind::ALL.iter().filter(|kind| !is_touched(kind)).collect();
    assert!(untouched.is_empty(), "the update touches no {untouched:?}: {changed:#?}");
}

/// Where two documents differ.
fn differences(expected: &Json, found: &Json, path: &str, different: &mut Vec<String>) {
    match (expected, found) {
        (Json::Object(one), Json::Object(other)) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                let get = |of: &serde_json::Map<String, Json>| of.get(key).cloned().unwrap_or(Json::Null);
                differences(&get(one), &get(other), &format!("{path}/{key}"), different);
            }
        }
        (Json::Array(one), Json::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                differences(one, other, &format!("{path}/{index}"), different);
            }
        }
        _ if expected == found => {}
        _ => {
            let short = |value: &Json| value.to_string().chars().take(400).collect::<String>();
            different.push(format!("  {path}\n    expected {}\n    found    {}", short(expected), short(found)));
        }
    }
}
