//! How do bytes get to the end of a file? In order, written back while more arrive, and never after an error.

use std::fs::File;
use std::io::Write as _;

use carrack_core::error::{Error, ErrorKind, Result};

use crate::local::errno::io;
use crate::local::sys;

/// How many bytes arrive before the kernel is told to start writing them: enough for the disk to work well, little
/// enough that the sync at the end, for which a client waits, is short.
const WRITE_BACK_STEP: u64 = 32 * 1024 * 1024;

/// A file that grows at its end.
pub(super) struct Appender {
    file: File,
    /// Where the next byte goes.
    position: u64,
    /// What is behind this is cut off before the first byte is written; so nothing is lost until then.
    cut_at: Option<u64>,
    /// Up to where write-back was started; `None` where durability is not asked for.
    written_back: Option<u64>,
    /// Whether a byte came in.
    received: bool,
    /// The first error. What the file holds since then is not known.
    broken: Option<ErrorKind>,
}

impl Appender {
    /// Appends at `position`, where the file's own offset stands, too (or the file is in append mode).
    pub(super) fn at(file: File, position: u64, sync: bool) -> Appender {
        let written_back = sync.then_some(position);
        Appender { file, position, cut_at: None, written_back, received: false, broken: None }
    }

    /// Cuts the file off at `position` before anything is appended.
    pub(super) fn cutting(self) -> Appender {
        Appender { cut_at: Some(self.position), ..self }
    }

    /// Goes on behind bytes that were put into the file by other means.
    pub(super) fn resume_at(&mut self, position: u64) {
        self.position = position;
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

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.settle()?;
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(self.break_with(std::io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    self.received = true;
                    self.position += count as u64;
                    rest = rest.get(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.break_with(error)),
            }
        }
        self.write_back();
        Ok(())
    }

    /// Makes the file as long as [`position`](Appender::position) says, also when no byte came.
    pub(super) fn settle(&mut self) -> Result<()> {
        if let Some(kind) = self.broken {
            return Err(kind.into());
        }
        if let Some(length) = self.cut_at.take() {
            self.file.set_len(length).map_err(|error| self.break_with(error))?;
        }
        Ok(())
    }

    /// Waits until data and attributes are on the disk, where durability is asked for. A failure is final: the kernel
    /// may have dropped the bytes and marked them clean, so a second sync would succeed and mean nothing.
    pub(super) fn sync(&mut self) -> Result<()> {
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
