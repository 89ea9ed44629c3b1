//! How is a file written where it stands? From the first byte on, for those who configure publishing in place; what
//! an interrupted upload leaves is visible.

use std::io::IoSlice;
use std::sync::Arc;

use carrack_core::backend::{Kept, Version, WriteFile};
use carrack_core::error::{ErrorKind, Result};
use rustix::fs::{AtFlags, FlockOperation, OFlags};
use rustix::io::Errno;

use super::appender::Appender;
use super::extend::open_existing;
use crate::local::Shared;
use crate::local::errno::failed;
use crate::local::partial::partial_name;
use crate::local::quota::fits;
use crate::local::resolve::{Slot, fstat};
use crate::local::stat::same_file;

/// An upload into the target itself.
pub(super) struct RewriteWrite {
    shared: Arc<Shared>,
    slot: Slot,
    bytes: Appender,
    /// Whether what is behind the position is still to be cut off; so nothing is lost until the first byte.
    cuts: bool,
    /// Whether the file was made by this upload.
    is_new: bool,
    /// Removed when the upload is published: it stands for this file in its owner's eyes.
    partial: Option<Vec<u8>>,
}

impl RewriteWrite {
    /// At the end of a complete file.
    pub(super) fn extend(shared: Arc<Shared>, slot: Slot) -> Result<RewriteWrite> {
        let (file, length) = open_existing(&slot)?;
        let growth = shared.growth(length, None)?;
        let bytes = Appender::at(file, length, shared.settings.sync, growth);
        Ok(RewriteWrite { shared, slot, bytes, cuts: false, is_new: false, partial: None })
    }

    /// From `first` on, what is behind that being cut off with the first byte. The file is made if need be.
    pub(super) fn from(shared: Arc<Shared>, slot: Slot, owner: &str, first: u64) -> Result<RewriteWrite> {
        let partial = Some(partial_name(owner, &slot.name));
        let sync = shared.settings.sync;
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = shared.file_mode();
        let (bytes, is_new) = match rustix::fs::openat(&slot.dir, slot.name.as_bytes(), flags, mode) {
            Ok(file) => {
                shared.dress_file(&file)?;
                rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(failed)?;
                let growth = shared.growth(0, None).inspect_err(|_| {
                    // Nobody has asked for it to be there.
                    let _ = rustix::fs::unlinkat(&slot.dir, slot.name.as_bytes(), AtFlags::empty());
                })?;
                (Appender::at(file.into(), 0, sync, growth), true)
            }
            Err(Errno::EXIST) => {
                let (file, length) = open_existing(&slot)?;
                if first > length {
                    return Err(ErrorKind::OffsetMismatch { length }.into());
                }
                let growth = shared.growth(length, None)?;
                (Appender::at(file, first, sync, growth), false)
            }
            Err(errno) => return Err(failed(errno)),
        };
        Ok(RewriteWrite { shared, slot, bytes, cuts: !is_new, is_new, partial })
    }

    fn cut(&mut self) -> Result<()> {
        if std::mem::take(&mut self.cuts) { self.bytes.cut() } else { Ok(()) }
    }

    /// Removes a file that this upload made and wrote nothing into.
    fn undo(&self) -> Result<()> {
        if !self.is_new || self.bytes.received() {
            return Ok(());
        }
        let Some(named) = self.slot.lstat()? else { return Ok(()) };
        let ours = fstat(self.bytes.file()).map_err(failed)?;
        // Somebody else on the machine may have put his file there, or written into ours.
        if !same_file(&named, &ours) || ours.stx_size != 0 {
            return Ok(());
        }
        rustix::fs::unlinkat(&self.slot.dir, self.slot.name.as_bytes(), AtFlags::empty()).map_err(failed)
    }
}

impl WriteFile for RewriteWrite {
    fn fits(&self, length: u64) -> Result<()> {
        fits(self.bytes.grows(), length)
    }

    fn write(&mut self, pieces: &[IoSlice<'_>]) -> Result<()> {
        self.cut()?;
        self.bytes.write(pieces)
    }

    fn position(&self) -> u64 {
        self.bytes.position()
    }

    fn publish(&mut self) -> Result<Option<Version>> {
        self.cut()?;
        self.bytes.sync()?;
        let found = fstat(self.bytes.file()).map_err(failed)?;
        // Replaced or deleted meanwhile: these bytes have no name any more.
        if found.stx_nlink == 0 {
            self.shared.doubt();
            return Err(ErrorKind::Interrupted.into());
        }
        if let Some(partial) = &self.partial {
            self.shared.remove_partial(&self.slot.dir, partial)?;
        }
        self.shared.sync_directory(&self.slot.dir)?;
        // The name was there all the time: others may have written into the file as well.
        Ok(None)
    }

    fn keep(self: Box<Self>) -> Result<Kept> {
        self.undo()?;
        Ok(if self.bytes.received() { Kept::Bytes(self.bytes.position()) } else { Kept::Nothing })
    }

    fn give_up(self: Box<Self>) -> Result<()> {
        self.undo()
    }

    fn discard(self: Box<Self>) -> Result<()> {
        self.undo()
    }
}
