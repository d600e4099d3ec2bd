//! What the control-plane slots are at, as they tell it.

use std::collections::{BTreeMap, BTreeSet};

use crate::spec::Cluster;
use crate::store::{ClusterStore, NodeStatus, StoreError};

use super::Operator;

const CONTROL_PLANE: &str = "control-plane";

/// A slot and the last word of its machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotState {
    pub slot: String,
    /// `None` where no machine of the slot has told anything.
    pub status: Option<NodeStatus>,
}

pub(super) fn slot_names(cluster: &Cluster) -> Vec<String> {
    cluster.slots().into_iter().map(|slot| slot.name).collect()
}

/// Looks at the slots again and again, and tells what is new.
pub(super) struct SlotWatch<'a> {
    store: &'a ClusterStore<'a>,
    slots: Vec<String>,
    /// Status objects of others, of which there may be thousands: they are read once.
    others: BTreeSet<String>,
    states: Vec<SlotState>,
}

impl<'a> SlotWatch<'a> {
    pub(super) fn new(store: &'a ClusterStore<'a>, slots: Vec<String>) -> Self {
        Self { store, slots, others: BTreeSet::new(), states: Vec::new() }
    }

    /// What the slots told when they were looked at last.
    pub(super) fn states(&self) -> Vec<SlotState> {
        self.states.clone()
    }

    /// Looks, and notes each step that is another than at the last look.
    pub(super) async fn look(&mut self, operator: &dyn Operator) -> Result<(), StoreError> {
        let mut newest: BTreeMap<String, NodeStatus> = BTreeMap::new();
        for (name, status) in self.store.node_statuses(&self.others).await? {
            if status.role != CONTROL_PLANE || !self.slots.contains(&status.group) {
                self.others.insert(name);
            } else if newest.get(&status.group).is_none_or(|found| found.since < status.since) {
                // Objects of machines that are gone stay.
                newest.insert(status.group.clone(), status);
            }
        }
        let state = |slot: &String| SlotState { slot: slot.clone(), status: newest.get(slot).cloned() };
        let states: Vec<SlotState> = self.slots.iter().map(state).collect();
        for (before, now) in self.states.iter().zip(&states) {
            if let Some(status) = now.status.as_ref().filter(|_| before != now) {
                let error = status.error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
                operator.note(&format!("{}: {}{error}", now.slot, status.step));
            }
        }
        self.states = states;
        Ok(())
    }
}
