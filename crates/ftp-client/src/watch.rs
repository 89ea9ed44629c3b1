//! Who watches a transfer, slows it down and stops it?

use std::time::Duration;

/// Told of the bytes of one transfer while they move: progress, rate limit and cancellation in one place.
///
/// Large transfers call it from a thread of their own, small ones from the task: it must not block.
pub trait Watch: Send + Sync {
    /// So many more bytes have moved: about 256 KiB at most.
    fn moved(&self, bytes: u64) -> Pace;
}

/// How a transfer goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At full speed.
    Go,
    /// After this time. The server may be impatient: its own time for stalled transfers runs.
    Wait(Duration),
    /// Not at all: the transfer ends with [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) and its connection is closed.
    Stop,
}

/// Watches nothing and holds nothing up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn moved(&self, _bytes: u64) -> Pace {
        Pace::Go
    }
}
