//! How is a complete file extended? In place, under a lock, and undone unless it is acknowledged, by us or, after a
//! crash, at the next start.

use std::io::IoSlice;
use std::sync::Arc;

use carrack_core::backend::{Extension, Kept, Version, WriteFile};
use carrack_core::error::{Error, ErrorKind, Result};
use rustix::fs::{FlockOperation, Mode, OFlags};

use super::appender::Appender;
use crate::local::Shared;
use crate::local::errno::{failed, io};
use crate::local::read::open_regular;
use crate::local::resolve::{Slot, fstat};

/// An upload to the end of its target.
pub(super) struct ExtendWrite {
    shared: Arc<Shared>,
    slot: Slot,
    bytes: Appender,
    /// What is acknowledged; the index knows of it from the first byte on.
    before: Extension,
    noted: Noted,
    trouble: Option<Error>,
}

/// Whether the index knows that the file is being extended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Noted {
    NotYet,
    Yes,
    /// It failed. The upload goes on; only a crash would leave its tail.
    Failed,
}

impl ExtendWrite {
    pub(super) fn open(shared: Arc<Shared>, slot: Slot) -> Result<ExtendWrite> {
        let (file, length) = open_existing(&slot)?;
        let inode = fstat(&file).map_err(failed)?.stx_ino;
        let before = Extension { file: slot.location()?, inode, length };
        let growth = shared.growth(length, None)?;
        let bytes = Appender::at(file, length, shared.settings.sync, growth);
        Ok(ExtendWrite { shared, slot, bytes, before, noted: Noted::NotYet, trouble: None })
    }

    /// Ends the note in the index.
    fn unnote(&mut self) -> Result<()> {
        if self.noted == Noted::Yes {
            self.shared.settings.index.extended(&self.before.file).map_err(io)?;
            self.noted = Noted::NotYet;
        }
        Ok(())
    }

    fn undo(&mut self) -> Result<()> {
        if !self.bytes.received() {
            return self.unnote();
        }
        let found = fstat(self.bytes.file()).map_err(failed)?;
        // Somebody else on the machine appended, too: his bytes are not ours to cut.
        if found.stx_size == self.bytes.position() {
            self.bytes.file().set_len(self.before.length).map_err(io)?;
            if let Some(growth) = self.bytes.growth().as_mut().filter(|_| found.stx_nlink > 0) {
                growth.cut(self.before.length);
            }
            if self.shared.settings.sync {
                self.bytes.file().sync_all().map_err(io)?;
            }
        }
        self.unnote()
    }
}

impl WriteFile for ExtendWrite {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> Result<()> {
        if self.noted == Noted::NotYet {
            self.noted = match self.shared.settings.index.extending(&self.before) {
                Ok(()) => Noted::Yes,
                Err(error) => {
                    self.trouble = Some(io(error));
                    Noted::Failed
                }
            };
        }
        self.bytes.write(pieces)
    }

    fn position(&self) -> u64 {
        self.bytes.position()
    }

    fn publish(&mut self) -> Result<Option<Version>> {
        self.bytes.sync()?;
        let found = fstat(self.bytes.file()).map_err(failed)?;
        // Replaced or deleted meanwhile: these bytes have no name any more.
        if found.stx_nlink == 0 {
            self.shared.doubt();
            return Err(ErrorKind::Interrupted.into());
        }
        self.shared.sync_directory(&self.slot.dir)?;
        // The last step, and one that must work: the next start would cut off what was acknowledged.
        self.unnote()?;
        // Others may append to a file in its place at any time.
        Ok(None)
    }

    fn keep(mut self: Box<Self>) -> Result<Kept> {
        self.undo().map(|()| Kept::Nothing)
    }

    fn give_up(mut self: Box<Self>) -> Result<()> {
        self.undo()
    }

    fn discard(mut self: Box<Self>) -> Result<()> {
        self.undo()
    }

    fn trouble(&mut self) -> Option<Error> {
        self.trouble.take()
    }
}

/// Opens the slot's file for appending, locked against other uploads into it.
pub(super) fn open_existing(slot: &Slot) -> Result<(std::fs::File, u64)> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = rustix::fs::openat(&slot.dir, slot.name.as_bytes(), flags, Mode::empty()).map_err(failed)?;
    let (file, _) = open_regular(&handle, OFlags::RDWR | OFlags::APPEND)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(failed)?;
    // Measured under the lock: another upload may just have ended.
    let length = fstat(&file).map_err(failed)?.stx_size;
    Ok((file, length))
}
