//! Whole reports, as people and programs get them.

use std::path::Path;

use super::fixture::{API, after, nodes, spoil_world};
use crate::cloud::World;
use crate::health::{KubernetesView, Report, Snapshot};
use crate::plan::TextStyle;

const PLAIN: TextStyle = TextStyle { color: false, unicode: true, width: 80 };

fn golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/health").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(actual == expected, "{} differs from:\n{actual}", path.display());
}

fn both(name: &str, report: &Report) {
    golden(&format!("{name}.txt"), &report.to_text(PLAIN));
    golden(&format!("{name}.json"), &(serde_json::to_string_pretty(report).unwrap() + "\n"));
}

#[test]
fn healthy() {
    both("healthy", &after(|_| {}));
}

/// What an operator outside an internal network sees, and the emulator, whose load balancers are names only.
#[test]
fn api_out_of_reach() {
    both("unreachable", &after(unreachable));
}

fn unreachable(snapshot: &mut Snapshot) {
    let reason = "api.prod.example.com does not resolve: Name or service not known";
    snapshot.endpoints.iter_mut().for_each(|endpoint| endpoint.certificate = Err(reason.into()));
    snapshot.kubernetes = KubernetesView::Unreachable { address: API.into(), reason: reason.into() };
}

#[test]
fn many_things_wrong() {
    both("unhealthy", &after(spoil));
}

fn spoil(snapshot: &mut Snapshot) {
    spoil_world(snapshot, |world: &mut World| {
        world.resources.retain(|id, _| id.name != "control-plane:API from nodes");
    });
    let workers = &mut snapshot.groups.as_mut().unwrap()[3];
    workers.instances.pop();
    workers.last_failure = Ok(Some(
        "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient m6i.xlarge \
         capacity in the Availability Zone you requested (us-east-1c). Launching EC2 instance failed."
            .into(),
    ));
    snapshot.instances.as_mut().unwrap().pop();
    let targets = snapshot.targets.as_mut().unwrap();
    targets[2].state = "unhealthy".into();
    targets[2].reason = Some("Health checks failed".into());
    let nodes = nodes(snapshot);
    nodes.pop();
    nodes[2].not_ready = Some("NodeStatusUnknown: Kubelet stopped posting node status.".into());
    nodes[4].kubelet_version = "v1.35.7".into();
}
