//! Did everything end by itself when the server went down?

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use carrack_core::event::{Event, Incomplete, Outcome, Subscriber, TransferFinished};

/// How a server went down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a server that cut transfers did not end well"]
pub enum Stopped {
    /// Every transfer came to its end.
    Drained,
    /// Transfers were cut.
    Cut {
        /// How many.
        transfers: usize,
        /// Why they were not waited for.
        why: CutWhy,
    },
}

/// Why transfers were not waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutWhy {
    /// They took longer than `drain_s`.
    Deadline {
        /// So many seconds.
        drain_s: u64,
    },
    /// The operator asked a second time.
    SecondSignal,
}

impl fmt::Display for CutWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline { drain_s } => write!(f, "timeouts.drain_s, {drain_s} seconds, had passed"),
            Self::SecondSignal => f.write_str("a second signal came"),
        }
    }
}

/// Counts the transfers that ended because the server went down.
#[derive(Debug, Default)]
pub(super) struct CutTransfers(AtomicUsize);

impl CutTransfers {
    /// How many there were so far.
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Subscriber for CutTransfers {
    fn event(&self, event: &Event) {
        if let Event::TransferFinished(TransferFinished {
            outcome: Outcome::Incomplete(Incomplete::ShutDown),
            ..
        }) = event
        {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}
