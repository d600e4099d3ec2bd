//! Bad input and bad days: a clear message, the right exit code, nothing changed.

mod access;
mod consistency;
pub mod denied;
mod input;
mod interrupted;
mod operators;
mod state;
mod surroundings;

use serde_json::{Value as Json, json};

use crate::harness::{Account, Run, example};

/// The smallest example, and the cluster that it describes.
const SPEC: &str = "examples/minimal.yaml";
const CLUSTER: &str = "dev.k8s.local";
const CREATE: [&str; 5] = ["create", "-f", SPEC, "--yes", "-q"];
const DELETE: [&str; 4] = ["delete", CLUSTER, "--yes", "-q"];

/// What only a programmer wants to read.
const INTERNALS: [&str; 9] =
    ["SdkError", "DispatchFailure", "ServiceError", "Unhandled", "ConnectorError", "ErrorMetadata", "panicked", "Some(", "Os {"];

impl Run {
    /// It failed with this exit code, said why on standard error in words that hold all of `words`, and printed no result.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> Self {
        let run = self.expect(code).says(words);
        assert_eq!(run.stdout, "", "a failure has no result");
        run
    }

    /// Standard error holds all of `words`, and nothing that is not for an operator.
    #[track_caller]
    fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is missing in:\n{}", self.stderr);
        }
        for internal in INTERNALS {
            assert!(!self.stderr.contains(internal), "{internal} in:\n{}", self.stderr);
        }
        self
    }
}

impl Account {
    /// Runs a command that must fail and change nothing.
    #[track_caller]
    fn refuses(&self, args: &[&str], code: i32, words: &[&str]) -> Run {
        self.unchanged(|| self.kclust(args).fails(code, words))
    }

    #[track_caller]
    fn unchanged<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.world();
        let result = work();
        assert_eq!(self.world(), before, "something was changed");
        result
    }

    /// An account with the cluster of the smallest example in it.
    fn with_cluster() -> Self {
        let account = Self::new();
        account.kclust(&CREATE).expect(0);
        account.forget_calls();
        account
    }

    /// Waits until the calls are what a test waits for.
    fn wait_for_calls(&self, what: &str, mut reached: impl FnMut(&[Json]) -> bool) -> Vec<Json> {
        let begun = std::time::Instant::now();
        loop {
            let calls = self.calls();
            if reached(&calls) {
                return calls;
            }
            assert!(begun.elapsed().as_secs() < 120, "{what} did not happen");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// What the account holds but for the state bucket, which stays when the last cluster goes.
    fn resources(&self) -> Json {
        let mut world = self.world();
        if let Some(buckets) = world["s3"].as_object_mut() {
            buckets.retain(|name, _| !name.starts_with("kclust-state-"));
        }
        world
    }

    /// Keys in the state store.
    fn state_keys(&self) -> Vec<String> {
        let world = self.world();
        let keys = world["s3"][format!("kclust-state-{}", self.id)]["keys"].as_object();
        keys.map(|keys| keys.keys().cloned().collect()).unwrap_or_default()
    }

    /// The cluster is whole: nothing is missing, and nothing is there twice.
    #[track_caller]
    fn has_one_whole_cluster(&self) {
        let plan = self.kclust(&["create", "-f", SPEC, "--dry-run", "-o", "json"]).expect(0).json();
        assert_eq!(plan["changes"], json!([]), "something is missing or differs");
        assert_eq!(counts(&self.resources()), *whole_cluster(), "something is there twice");
        assert!(!self.state_keys().iter().any(|key| key.ends_with("/lock")), "the lock was not released");
    }

    /// Deletes the cluster; nothing may be left of it.
    #[track_caller]
    fn is_clean_after_delete(&self, before: &Json) {
        self.kclust(&DELETE).expect(0);
        assert_eq!(self.resources(), *before, "delete left something");
        assert_eq!(self.state_keys(), Vec::<String>::new());
        assert_eq!(self.defects(), Vec::<Json>::new());
    }
}

/// How many of each kind there are.
fn counts(world: &Json) -> Json {
    let kinds = |document: &Json| -> Json {
        let kinds = document.as_object().into_iter().flatten();
        kinds.map(|(kind, things)| (kind.clone(), json!(things.as_object().map_or(0, |things| things.len())))).collect()
    };
    json!({ "region": kinds(&world["regions"]["us-east-1"]), "iam": kinds(&world["iam"]) })
}

/// Counts of a cluster that nothing happened to.
fn whole_cluster() -> &'static Json {
    static COUNTS: std::sync::OnceLock<Json> = std::sync::OnceLock::new();
    COUNTS.get_or_init(|| {
        let counts = counts(&Account::with_cluster().resources());
        assert_eq!(counts["region"]["autoScalingGroups"], json!(2));
        counts
    })
}

/// The smallest example with one thing changed.
#[track_caller]
fn changed(from: &str, to: &str) -> String {
    let text = example("minimal");
    assert!(text.contains(from), "the example has no {from:?}");
    text.replace(from, to)
}
