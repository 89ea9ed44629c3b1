//! How is a copy told to stop?

use std::sync::Arc;

use tokio::sync::watch;

/// A switch that ends a copy at the next safe point: from a signal handler's task, another thread, or a dropped window.
///
/// Clones are the same switch. What was under way stays behind in a state that the same copy can go on from.
#[derive(Clone, Debug)]
pub struct Stop {
    thrown: Arc<watch::Sender<bool>>,
}

impl Stop {
    /// A switch that nobody has thrown yet.
    #[must_use]
    pub fn new() -> Stop {
        Stop { thrown: Arc::new(watch::Sender::new(false)) }
    }

    /// Throws it. There is no way back.
    pub fn stop(&self) {
        self.thrown.send_replace(true);
    }

    /// Whether somebody has thrown it.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.thrown.borrow()
    }

    /// Waits until somebody does.
    pub async fn stopped(&self) {
        // The sender lives as long as this switch, so the only outcome is that it was thrown.
        let _ = self.thrown.subscribe().wait_for(|thrown| *thrown).await;
    }
}

impl Default for Stop {
    fn default() -> Stop {
        Stop::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_learns_of_it_before_and_after() {
        let stop = Stop::new();
        assert!(!stop.is_stopped());
        let waiting = tokio::spawn({
            let stop = stop.clone();
            async move { stop.stopped().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        stop.stop();
        waiting.await.unwrap();
        assert!(stop.is_stopped());
        stop.stopped().await;
    }
}
