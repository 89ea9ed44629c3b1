//! Ending a transfer from outside: `ABOR`, a lost control connection, a take-over, the end of the
//! server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use carrack_core::event::Incomplete;
use carrack_tls::Breaker;
use tokio::sync::watch;

/// The string that a running transfer hangs on; cheap to clone. The first reason given stands.
#[derive(Clone)]
pub(crate) struct Interrupt {
    reason: Arc<watch::Sender<Option<Incomplete>>>,
    breaker: Arc<Mutex<Option<Breaker>>>,
    moved: Arc<AtomicU64>,
}

impl Interrupt {
    pub(crate) fn new() -> Self {
        Self { reason: Arc::new(watch::Sender::new(None)), breaker: Arc::default(), moved: Arc::default() }
    }

    /// Ends the transfer: whoever waits for it wakes, whoever blocks on its socket returns.
    pub(crate) fn stop(&self, why: Incomplete) {
        self.reason.send_if_modified(|reason| {
            let first = reason.is_none();
            if first {
                *reason = Some(why);
            }
            first
        });
        if let Some(breaker) = &*self.breaker.lock().unwrap_or_else(PoisonError::into_inner) {
            breaker.cut();
        }
    }

    /// Ties the data connection to this transfer's fate.
    pub(crate) fn attach(&self, breaker: Breaker) {
        let mut held = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        // A stop that came before there was a connection still cuts it.
        if self.reason.borrow().is_some() {
            breaker.cut();
        }
        *held = Some(breaker);
    }

    /// Why the transfer was stopped, if it was.
    pub(crate) fn reason(&self) -> Option<Incomplete> {
        *self.reason.borrow()
    }

    /// Waits until the transfer is stopped.
    pub(crate) async fn stopped(&self) -> Incomplete {
        let mut receiver = self.reason.subscribe();
        match receiver.wait_for(Option::is_some).await {
            Ok(reason) => (*reason).unwrap_or(Incomplete::Aborted),
            // The sender lives in `self`.
            Err(_) => Incomplete::Aborted,
        }
    }

    /// Notes how many bytes were moved, for `STAT`.
    pub(crate) fn note_moved(&self, bytes: u64) {
        self.moved.store(bytes, Ordering::Relaxed);
    }

    /// Bytes moved so far.
    pub(crate) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }
}
