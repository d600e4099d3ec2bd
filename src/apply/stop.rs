//! The wish to stop: set once, by Ctrl-C or by a lost lock, heard everywhere.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Stop {
    sender: watch::Sender<bool>,
    cause: Arc<Mutex<Option<Cause>>>,
}

type Cause = Box<dyn Fn() -> bool + Send>;

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&*self.sender.borrow()).finish()
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self { sender: watch::Sender::new(false), cause: Arc::default() }
    }
}

impl Stop {
    pub fn request(&self) {
        self.sender.send_replace(true);
    }

    /// Whoever asks from now on whether to stop is told so as soon as `cause` says it, in that very moment: between a lost lock and
    /// [`Self::request`] nothing may begin.
    pub fn request_when(&self, cause: impl Fn() -> bool + Send + 'static) {
        *self.cause.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(cause));
    }

    pub fn is_requested(&self) -> bool {
        if !*self.sender.borrow()
            && self.cause.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|cause| cause())
        {
            self.request();
        }
        *self.sender.borrow()
    }

    /// Returns when it is requested.
    pub async fn requested(&self) {
        let mut receiver = self.sender.subscribe();
        // It ends with an error only when all senders are gone, and `self` is one.
        let _ = receiver.wait_for(|requested| *requested).await;
    }
}
