//! What keeps calls back that may not be sent any more.

use std::sync::{Arc, Mutex, PoisonError};

/// Between a cloud's callers and its wire: once it is up, nothing is sent, repetitions of calls under way included. Whoever lost the
/// right to change a cluster, and does not know it yet, is stopped here. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Fence(Arc<Mutex<Option<Cause>>>);

type Cause = Box<dyn Fn() -> bool + Send>;

impl Fence {
    /// It is up from the moment that `cause` says so.
    pub fn raise_when(&self, cause: impl Fn() -> bool + Send + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(cause));
    }

    /// It is down, and stays so.
    pub fn lower(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub fn is_up(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|cause| cause())
    }
}

impl std::fmt::Debug for Fence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fence").field("is_up", &self.is_up()).finish()
    }
}
