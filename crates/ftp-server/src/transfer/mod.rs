//! Moving the bytes of one transfer: what is sent, what is received, on whose time.
//!
//! A transfer is a [`Pump`]: it moves what can be moved now and says what it waits for. While bytes
//! flow it runs on a blocking thread, where reading a file costs nothing but the read; when the peer
//! stalls it gives the thread back and waits on the event loop, so that slow clients cost no thread
//! and starve nobody.

mod drive;
mod interrupt;
mod perform;
mod receive;
mod send;
mod source;

pub(crate) use drive::PumpPool;
pub(crate) use interrupt::Interrupt;
pub(crate) use perform::{Job, Terms, perform};
pub(crate) use send::Head;
pub(crate) use source::{AsciiSource, FileSource, FormatEntry, ListingSource, Source};

use std::time::Duration;

use carrack_core::event::Incomplete;
use carrack_tls::{DataStream, Interest};

/// Bytes moved per step: four full TLS records, which rustls seals and sends in one system call.
/// Measured, larger steps cost more (a heap block per record outgrows the allocator's cache) and
/// smaller ones cost a call per record.
pub(crate) const STEP: usize = 64 * 1024;

/// How far a pump came.
pub(crate) enum Progress {
    /// Everything was moved, and the data connection has ended in order.
    Done,
    /// The peer must first read or write.
    Waiting(Interest),
    /// There is more to move; others may run first.
    More,
}

/// One transfer's bytes on their way.
pub(crate) trait Pump: Send + 'static {
    /// Moves what can be moved, for about one time slice.
    fn advance(&mut self) -> Result<Progress, Incomplete>;

    /// Whether the next `advance` may block; where it cannot, it runs on the event loop itself.
    fn may_block(&self) -> bool;

    /// The data connection, to wait on.
    fn stream(&self) -> &DataStream;

    /// Bytes moved so far: whoever waits compares it to see a stall.
    fn moved(&self) -> u64;

    /// How long it may stand still now, where `stall` is the ordinary time.
    fn patience(&self, stall: Duration) -> Duration;
}
