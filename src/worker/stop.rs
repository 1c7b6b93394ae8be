//! The word that everything ends: waited for beside every wait.

use std::time::Duration;
use tokio::sync::watch;

/// Seen by every loop. Clones see the same word.
#[derive(Debug, Clone)]
pub struct Stop {
    receiver: watch::Receiver<bool>,
}

/// Says it.
#[derive(Debug)]
pub struct Stopper {
    sender: watch::Sender<bool>,
}

impl Stopper {
    /// A word that is not said yet, and who waits for it.
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Self { sender }, Stop { receiver })
    }
    /// Everything ends.
    pub fn stop(&self) {
        self.sender.send_replace(true);
    }
}

impl Stop {
    /// True once it was said (or nobody is left who could).
    pub fn is_set(&self) -> bool {
        *self.receiver.borrow() || self.receiver.has_changed().is_err()
    }
    /// Returns when it is said.
    pub async fn wait(&self) {
        let mut receiver = self.receiver.clone();
        // An error means that the sender is gone, which is the same word.
        let _ = receiver.wait_for(|said| *said).await;
    }
    /// Waits so long, or until it is said: true then.
    pub async fn pause(&self, span: Duration) -> bool {
        tokio::select! {
            () = self.wait() => true,
            () = tokio::time::sleep(span) => self.is_set(),
        }
    }
}
