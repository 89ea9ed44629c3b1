//! How do bytes get to the end of a file? In order, written back while more arrive, and never after an error.

use std::fs::File;
use std::io::IoSlice;
use std::os::unix::fs::FileExt as _;

use carrack_core::error::{Error, ErrorKind, Result};
use carrack_core::limits::quota::Growth;
use rustix::io::pwritev;

use crate::local::errno::io;
use crate::local::sys;

/// How many bytes arrive before the kernel is told to start writing them: enough for the disk to work well, little
/// enough that the sync at the end, for which a client waits, is short.
const WRITE_BACK_STEP: u64 = 32 * 1024 * 1024;

/// How many pieces are written at once (`IOV_MAX`).
const PIECES: usize = 1024;

/// A file that grows at its end.
pub(super) struct Appender {
    file: File,
    /// Where the next byte goes, whatever the file's own offset is.
    position: u64,
    /// Up to where write-back was started; `None` where durability is not asked for.
    written_back: Option<u64>,
    /// Whether a byte came in.
    received: bool,
    /// The first error. What the file holds since then is not known.
    broken: Option<ErrorKind>,
    /// What its bytes count with, where they are counted.
    growth: Option<Growth>,
}

impl Appender {
    /// Appends at `position`, which is the file's end.
    pub(super) fn at(file: File, position: u64, sync: bool, growth: Option<Growth>) -> Appender {
        let written_back = sync.then_some(position);
        Appender { file, position, written_back, received: false, broken: None, growth }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn received(&self) -> bool {
        self.received
    }

    /// Cuts the file off at [`position`](Appender::position).
    pub(super) fn cut(&mut self) -> Result<()> {
        self.check()?;
        self.file.set_len(self.position).map_err(|error| self.break_with(error))?;
        if let Some(growth) = &mut self.growth {
            growth.cut(self.position);
        }
        Ok(())
    }

    /// What its bytes count with.
    pub(super) fn grows(&self) -> Option<&Growth> {
        self.growth.as_ref()
    }

    pub(super) fn growth(&mut self) -> &mut Option<Growth> {
        &mut self.growth
    }

    /// Appends all of `pieces`, unless they are more than there may be.
    pub(super) fn write(&mut self, pieces: &[IoSlice<'_>]) -> Result<()> {
        self.check()?;
        if let Some(growth) = &mut self.growth {
            let taken = growth.take(pieces.iter().map(|piece| piece.len() as u64).sum());
            taken.map_err(|limit| *self.broken.get_or_insert(ErrorKind::Limit(limit)))?;
        }
        let written = self.write_all(pieces);
        if let (Err(_), Some(growth)) = (&written, &mut self.growth) {
            growth.cut(self.position);
        }
        written
    }

    fn write_all(&mut self, pieces: &[IoSlice<'_>]) -> Result<()> {
        for pieces in pieces.chunks(PIECES) {
            if pieces.iter().all(|piece| piece.is_empty()) {
                continue;
            }
            let mut written = self.write_some(|file, at| Ok(pwritev(file, pieces, at)?))?;
            // Where the disk took a part of them, the rest follows piece by piece.
            for piece in pieces {
                let taken = written.min(piece.len());
                written -= taken;
                let mut rest = piece.get(taken..).unwrap_or_default();
                while !rest.is_empty() {
                    let count = self.write_some(|file, at| file.write_at(rest, at))?;
                    rest = rest.get(count..).unwrap_or_default();
                }
            }
        }
        self.write_back();
        Ok(())
    }

    /// One write at the end; says how much of it was taken, which is never nothing.
    fn write_some(&mut self, write: impl Fn(&File, u64) -> std::io::Result<usize>) -> Result<usize> {
        loop {
            match write(&self.file, self.position) {
                Ok(0) => return Err(self.break_with(std::io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    self.received = true;
                    self.position += count as u64;
                    return Ok(count);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.break_with(error)),
            }
        }
    }

    /// Whether the bytes are those that were written: an error is never forgotten.
    pub(super) fn check(&self) -> Result<()> {
        self.broken.map_or(Ok(()), |kind| Err(kind.into()))
    }

    /// Waits until data and attributes are on the disk, where durability is asked for. A failure is final: the kernel
    /// may have dropped the bytes and marked them clean, so a second sync would succeed and mean nothing.
    pub(super) fn sync(&mut self) -> Result<()> {
        self.check()?;
        if self.written_back.is_none() {
            return Ok(());
        }
        self.file.sync_all().map_err(|error| self.break_with(error))
    }

    fn write_back(&mut self) {
        let Some(from) = self.written_back else { return };
        let length = self.position.saturating_sub(from);
        if length >= WRITE_BACK_STEP {
            // Only a head start. An error of the disk comes back from the sync.
            let _ = sys::start_write_back(&self.file, from, length);
            self.written_back = Some(self.position);
        }
    }

    fn break_with(&mut self, error: std::io::Error) -> Error {
        let error = io(error);
        self.broken.get_or_insert(error.kind());
        error
    }
}
