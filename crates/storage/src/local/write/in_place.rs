//! How is a file written in place? Appended to under a lock, and cut back where that fails.
//!
//! Two uses: extending a complete file, which is undone when the upload does not end well; and, where publishing in
//! place is configured, every upload, with what came so far staying visible.

use std::sync::Arc;

use carrack_core::backend::{Metadata, WriteFile};
use carrack_core::error::{ErrorKind, Result};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::appender::Appender;
use crate::local::errno::{failed, io};
use crate::local::partial::{partial_name, remove_unlocked};
use crate::local::read::open_regular;
use crate::local::resolve::{Slot, fstat};
use crate::local::stat::metadata;
use crate::local::{Publish, Shared};

/// An upload into the target itself.
pub(super) struct InPlaceWrite {
    shared: Arc<Shared>,
    slot: Slot,
    bytes: Appender,
    on_failure: OnFailure,
    /// Removed when the upload is published: it stands for this file in its owner's eyes.
    partial: Option<Vec<u8>>,
}

/// What becomes of the file when the upload does not end well.
enum OnFailure {
    /// It is cut back to this length, which is what was last acknowledged.
    CutBack(u64),
    /// It is removed unless bytes came.
    RemoveEmpty,
    /// It stays as it is then.
    Leave,
}

impl InPlaceWrite {
    /// Extends a complete file.
    pub(super) fn extend(shared: Arc<Shared>, slot: Slot) -> Result<InPlaceWrite> {
        let (file, length) = open_existing(&slot)?;
        let on_failure = match shared.settings.publish {
            Publish::Atomic => OnFailure::CutBack(length),
            Publish::InPlace => OnFailure::Leave,
        };
        let bytes = Appender::at(file, length, shared.settings.sync);
        Ok(InPlaceWrite { shared, slot, bytes, on_failure, partial: None })
    }

    /// Writes a file from `first` on, what is behind that being cut off with the first byte. Makes it if need be.
    pub(super) fn rewrite(shared: Arc<Shared>, slot: Slot, owner: &str, first: u64) -> Result<InPlaceWrite> {
        let partial = Some(partial_name(owner, &slot.name));
        let sync = shared.settings.sync;
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o666);
        let (bytes, on_failure) = match rustix::fs::openat(&slot.dir, slot.name.as_bytes(), flags, mode) {
            Ok(file) => {
                rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(failed)?;
                (Appender::at(file.into(), 0, sync), OnFailure::RemoveEmpty)
            }
            Err(Errno::EXIST) => {
                let (file, length) = open_existing(&slot)?;
                if first > length {
                    return Err(ErrorKind::OffsetMismatch { length }.into());
                }
                (Appender::at(file, first, sync).cutting(), OnFailure::Leave)
            }
            Err(errno) => return Err(failed(errno)),
        };
        Ok(InPlaceWrite { shared, slot, bytes, on_failure, partial })
    }

    fn finish(&mut self) -> Result<Metadata> {
        self.bytes.settle()?;
        self.bytes.sync()?;
        let found = fstat(self.bytes.file()).map_err(failed)?;
        // Replaced or deleted meanwhile: these bytes have no name any more.
        if found.stx_nlink == 0 {
            return Err(ErrorKind::Interrupted.into());
        }
        if let Some(partial) = &self.partial {
            remove_unlocked(&self.slot.dir, partial)?;
            self.shared.forget(&self.slot.dir, partial);
        }
        self.shared.sync_directory(&self.slot.dir)?;
        Ok(metadata(&found))
    }

    fn undo(&mut self) -> Result<()> {
        match self.on_failure {
            OnFailure::CutBack(length) if self.bytes.received() => {
                let found = fstat(self.bytes.file()).map_err(failed)?;
                // Somebody else on the machine appended, too: his bytes are not ours to cut.
                if found.stx_size == self.bytes.position() {
                    self.bytes.file().set_len(length).map_err(io)?;
                    self.bytes.sync()?;
                }
                Ok(())
            }
            OnFailure::RemoveEmpty if !self.bytes.received() => {
                rustix::fs::unlinkat(&self.slot.dir, self.slot.name.as_bytes(), AtFlags::empty())
                    .map_err(failed)
            }
            OnFailure::CutBack(_) | OnFailure::RemoveEmpty | OnFailure::Leave => Ok(()),
        }
    }
}

impl WriteFile for InPlaceWrite {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.write(bytes)
    }

    fn position(&self) -> u64 {
        self.bytes.position()
    }

    fn publish(mut self: Box<Self>) -> Result<Metadata> {
        let outcome = self.finish();
        if outcome.is_err() {
            // The client hears of the first error.
            let _ = self.undo();
        }
        outcome
    }

    fn keep(mut self: Box<Self>) -> Result<()> {
        self.undo()
    }

    fn discard(mut self: Box<Self>) -> Result<()> {
        self.undo()
    }
}

/// Opens the slot's file for appending, locked against other uploads into it.
fn open_existing(slot: &Slot) -> Result<(std::fs::File, u64)> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = rustix::fs::openat(&slot.dir, slot.name.as_bytes(), flags, Mode::empty()).map_err(failed)?;
    let (file, _) = open_regular(&handle, OFlags::RDWR | OFlags::APPEND)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(failed)?;
    // Measured under the lock: another upload may just have ended.
    let length = fstat(&file).map_err(failed)?.stx_size;
    Ok((file, length))
}
