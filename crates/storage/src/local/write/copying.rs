//! How do the first bytes of a complete file get into a partial? In pieces, so that the copy can be stopped.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd;

use carrack_core::error::{ErrorKind, Result};
use carrack_core::limits::quota::Growth;
use rustix::fs::{Mode, OFlags};

use crate::local::attributes::available;
use crate::local::errno::{failed, io};
use crate::local::read::open_regular;
use crate::local::resolve::Slot;

/// How many bytes are copied at a time: some milliseconds of a disk's work.
const PIECE: u64 = 8 * 1024 * 1024;

/// A copy that is due or under way, done (or shared, where the file system can) by the kernel.
pub(super) struct Copying {
    source: File,
    /// How many bytes are to be copied.
    pub(super) first: u64,
    /// How many have been.
    pub(super) done: u64,
    /// What its bytes count with, where they are counted.
    pub(super) growth: Option<Growth>,
}

impl Copying {
    /// Of the first bytes of the slot's file. Nothing is copied yet.
    pub(super) fn of(slot: &Slot, first: u64) -> Result<Copying> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let source = rustix::fs::openat(&slot.dir, slot.name.as_bytes(), flags, Mode::empty());
        let (source, found) = open_regular(&source.map_err(failed)?, OFlags::RDONLY)?;
        check_space(&slot.dir, first)?;
        Ok(Copying { source, first: first.min(found.stx_size), done: 0, growth: None })
    }

    /// Copies the next piece; whether it was the last.
    pub(super) fn step(&mut self, mut target: &File) -> Result<bool> {
        let piece = PIECE.min(self.first.saturating_sub(self.done));
        if let Some(growth) = &mut self.growth {
            growth.take(piece).map_err(ErrorKind::Limit)?;
        }
        let copied = std::io::copy(&mut (&self.source).take(piece), &mut target).map_err(io);
        self.done += copied.as_ref().map_or(0, |copied| *copied);
        // Of a piece that failed nothing is kept.
        if let Some(growth) = &mut self.growth {
            growth.cut(self.done);
        }
        let copied = copied?;
        // The source became shorter meanwhile: the client's bytes would not go where it meant them to.
        if copied < piece {
            return Err(ErrorKind::Interrupted.into());
        }
        Ok(self.done == self.first)
    }
}

/// Refuses, before anything is begun, what the disk has no room for.
fn check_space(dir: impl AsFd, bytes: u64) -> Result<()> {
    if bytes > available(dir)? { Err(ErrorKind::NoSpace.into()) } else { Ok(()) }
}
