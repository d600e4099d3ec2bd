//! Plans over the example clusters. Golden files lie in `tests/golden/plan/`.

mod diff;
mod mutants;
mod order;
mod reconcile;
mod removal;
mod view;

use std::collections::BTreeSet;

use crate::cloud::World;
use crate::model::{Desired, ResourceId};

use super::{Context, Operation, Plan, PlanError, Work};

const CLUSTER: &str = "test.example.com";

fn context(operation: Operation) -> Context<'static> {
    Context { cluster: CLUSTER, operation, user_tags: BTreeSet::from(["team".to_owned(), "cost-center".to_owned()]) }
}

fn reconcile(desired: &Desired, world: &World) -> Result<Plan, PlanError> {
    super::reconcile(&context(Operation::Update), desired, world)
}

fn planned(desired: &Desired, world: &World) -> Plan {
    reconcile(desired, world).unwrap_or_else(|error| panic!("{error}"))
}

fn removal(world: &World) -> Plan {
    super::removal(&context(Operation::Delete), world).unwrap_or_else(|error| panic!("{error}"))
}

/// For each step, every step that is finished before it begins.
fn ancestors(plan: &Plan) -> Vec<BTreeSet<usize>> {
    fn collect(plan: &Plan, step: usize, into: &mut BTreeSet<usize>) {
        for &before in &plan.steps[step].after {
            if into.insert(before) {
                collect(plan, before, into);
            }
        }
    }
    (0..plan.steps.len())
        .map(|step| {
            let mut before = BTreeSet::new();
            collect(plan, step, &mut before);
            before
        })
        .collect()
}

/// The step that makes or changes a resource.
fn making(plan: &Plan, id: &ResourceId) -> Option<usize> {
    plan.steps.iter().position(|step| step.id == *id && !matches!(step.work, Work::Delete(_)))
}

/// The step that removes an object.
fn removing(plan: &Plan, physical: &str) -> Option<usize> {
    plan.steps.iter().position(|step| matches!(&step.work, Work::Delete(observed) if observed.physical.id == physical))
}
