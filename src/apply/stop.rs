//! The wish to stop: set once, by Ctrl-C or by a lost lock, heard everywhere.

use tokio::sync::watch;

/// Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Stop {
    sender: watch::Sender<bool>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { sender: watch::Sender::new(false) }
    }
}

impl Stop {
    pub fn request(&self) {
        self.sender.send_replace(true);
    }

    pub fn is_requested(&self) -> bool {
        *self.sender.borrow()
    }

    /// Returns when it is requested.
    pub async fn requested(&self) {
        let mut receiver = self.sender.subscribe();
        // It ends with an error only when all senders are gone, and `self` is one.
        let _ = receiver.wait_for(|requested| *requested).await;
    }
}
