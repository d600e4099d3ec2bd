//! An account that is not the cluster's alone: neighbours with names like its own, thousands of things of others, things in its
//! network that it did not make.

mod controllers;
mod crowd;
mod in_the_way;
mod neighbours;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::harness::{Account, example};

/// The cluster of the smallest example.
const CLUSTER: &str = "dev.k8s.local";
const REGION: &str = "us-east-1";

/// Each call takes its time, and the network stays until the rules are replaced: there is a middle for something to come in.
fn held() -> Json {
    let held = |action: &str| json!({ "service": "ec2", "action": action, "do": "hold" });
    json!([{ "latency_ms": 40 }, held("DeleteSecurityGroup"), held("DeleteSubnet")])
}

/// Calls by service and action; those to the state store do not count.
type Calls = BTreeMap<(String, String), usize>;

impl Account {
    /// What the account holds but for the state bucket.
    fn possessions(&self) -> Json {
        let mut world = self.world();
        if let Some(buckets) = world["s3"].as_object_mut() {
            buckets.retain(|name, _| !name.starts_with("kclust-state-"));
        }
        world
    }

    /// The calls of a command.
    #[track_caller]
    fn calls_of(&self, args: &[&str]) -> Calls {
        self.forget_calls();
        self.kclust(args).expect(0);
        let mut calls = Calls::new();
        for call in self.calls().into_iter().filter(|call| call["service"] != "s3") {
            let part = |name: &str| call[name].as_str().unwrap().to_owned();
            *calls.entry((part("service"), part("action"))).or_default() += 1;
        }
        calls
    }

    fn seed_controllers(&self, make: &Json) -> Json {
        let region = REGION;
        self.seed(&json!({ "what": "controllers", "region": region, "cluster": CLUSTER, "make": make }))
    }
}

/// The smallest example under another name.
fn minimal(name: &str) -> String {
    example("minimal").replace(CLUSTER, name)
}

/// Nothing was asked more often, but for the pages of these listings.
#[track_caller]
fn assert_no_more(alone: &Calls, crowded: &Calls, paged: &[&str]) {
    let more: Vec<_> = crowded
        .iter()
        .filter(|(call, count)| **count > alone.get(*call).copied().unwrap_or_default() && !paged.contains(&call.1.as_str()))
        .map(|(call, count)| format!("{call:?}: {count}, alone {}", alone.get(call).copied().unwrap_or_default()))
        .collect();
    assert!(more.is_empty(), "{}", more.join("\n"));
}
