//! Moving the bytes of one transfer: what is sent, what is received, on whose time.
//!
//! A transfer is a [`Pump`]: it moves what can be moved now and says what it waits for. While bytes
//! flow it runs on a blocking thread, where reading a file costs nothing but the read; when the peer
//! stalls it gives the thread back and waits on the event loop, so that slow clients cost no thread
//! and starve nobody.

mod deflate;
mod drive;
mod inflow;
mod interrupt;
mod perform;
mod receive;
mod send;
mod source;
mod standstill;

pub(crate) use deflate::{Coding, Inflater};
pub(crate) use drive::{PumpPool, Stall};
pub(crate) use interrupt::Interrupt;
pub(crate) use perform::{Job, Terms, perform};
pub(crate) use send::{Head, SEND_STEP};
pub(crate) use source::{AsciiSource, FileSource, FormatEntry, ListingSource, Source};

use std::io;
use std::time::{Duration, Instant};

use carrack_core::event::Incomplete;
use carrack_tls::{DataStream, Interest};

/// How far a pump came with one step.
pub(crate) enum Progress {
    /// Everything was moved, and the data connection has ended in order.
    Done,
    /// The same, and the file is settled.
    Settled,
    /// The peer must first read or write.
    Waiting(Interest),
    /// Nothing may move before this moment: a limit on the rate.
    Paced(Instant),
    /// There is more to move.
    More,
}

/// One transfer's bytes on their way.
pub(crate) trait Pump: Send + 'static {
    /// Moves one step's bytes.
    fn step(&mut self) -> Result<Progress, Incomplete>;

    /// Whether something can limit how fast it goes: then it keeps no thread while it waits.
    fn is_paced(&self) -> bool;

    /// Whether the next step may wait for a disk; where it cannot, it runs on the event loop itself.
    fn may_block(&self) -> bool;

    /// The data connection, to wait on.
    fn stream(&mut self) -> &mut DataStream;

    /// Bytes of the transfer that have moved.
    fn moved(&self) -> u64;

    /// What grows whenever anything is got done: whoever waits compares it to see a stall.
    fn progress(&self) -> u64;

    /// How long it may stand still now, where `stall` is the ordinary time.
    fn patience(&self, stall: Duration) -> Duration;

    /// Blocks the thread until the socket is ready; false when `patience` is over.
    fn wait_blocking(&mut self, interest: Interest, patience: Duration) -> io::Result<bool> {
        self.stream().wait_ready(interest, Some(patience))
    }

    /// Settles the file of a transfer that is done, on a blocking thread; whether it did: then nothing can stop it any
    /// more. What is settled elsewhere has nothing to do here.
    fn settle(&mut self) -> Result<bool, Incomplete> {
        Ok(false)
    }

    /// How soon it wants to be stepped again though its socket is not ready.
    fn nap(&self) -> Option<Duration> {
        None
    }

    /// Gives memory back while the peer stands still.
    fn rest(&mut self);
}
