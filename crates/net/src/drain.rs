//! Going down in order: who is still here, and who has to leave.

use std::sync::Arc;
use tokio::sync::watch;

/// How far the server is on its way down. Phases only ever advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serving.
    Running,
    /// No new connection, as another process takes them; sessions leave when they pause.
    Closing,
    /// No new connection; idle sessions leave, transfers finish.
    Draining,
    /// Whatever still runs ends now.
    Cut,
}

/// The signal that every listener and connection watches; cheap to clone.
#[derive(Clone, Debug)]
pub struct Drain {
    phase: Arc<watch::Sender<Phase>>,
    live: Arc<watch::Sender<usize>>,
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl Drain {
    /// A server that runs, with nobody in it.
    #[must_use]
    pub fn new() -> Self {
        Self { phase: Arc::new(watch::Sender::new(Phase::Running)), live: Arc::new(watch::Sender::new(0)) }
    }

    /// Accepts nobody any more, and lets sessions go on until they pause.
    pub fn close(&self) {
        self.advance(Phase::Closing);
    }

    /// Begins to drain.
    pub fn start(&self) {
        self.advance(Phase::Draining);
    }

    /// Ends what is left, now.
    pub fn cut(&self) {
        self.advance(Phase::Cut);
    }

    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let later = to > *phase;
            if later {
                *phase = to;
            }
            later
        });
    }

    /// The phase now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits until the server is at `phase` or past it.
    pub async fn reached(&self, phase: Phase) {
        // The sender lives as long as `self`, so the wait cannot fail.
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }

    /// Counts one more connection until the guard is dropped.
    #[must_use]
    pub fn enter(&self) -> Live {
        self.live.send_modify(|live| *live += 1);
        Live { live: Arc::clone(&self.live) }
    }

    /// Connections that are still here.
    #[must_use]
    pub fn live(&self) -> usize {
        *self.live.borrow()
    }

    /// Waits until the last connection is gone.
    pub async fn idle(&self) {
        let _ = self.live.subscribe().wait_for(|live| *live == 0).await;
    }
}

/// Says that one connection is here, for as long as it is held.
#[derive(Debug)]
pub struct Live {
    live: Arc<watch::Sender<usize>>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.live.send_modify(|live| *live = live.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn idle_waits_for_the_last_connection() {
        let drain = Drain::new();
        let (one, two) = (drain.enter(), drain.enter());
        let waiting = tokio::spawn({
            let drain = drain.clone();
            async move { drain.idle().await }
        });
        drop(one);
        assert_eq!(drain.live(), 1);
        drop(two);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn phases_never_go_back() {
        let drain = Drain::new();
        drain.cut();
        drain.start();
        assert_eq!(drain.phase(), Phase::Cut);
        drain.reached(Phase::Draining).await;
    }
}
