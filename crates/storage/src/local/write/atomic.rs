//! How does a file appear whole or not at all? Written beside its target and renamed over it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::Arc;

use carrack_core::backend::{Kind, Metadata, Replacing, WriteFile};
use carrack_core::error::{ErrorKind, Result};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Statx, Uid};
use rustix::io::Errno;

use super::appender::Appender;
use crate::local::Shared;
use crate::local::errno::{failed, io};
use crate::local::partial::{Found, lock_existing, lock_new, partial_name};
use crate::local::read::open_regular;
use crate::local::resolve::{Slot, fstat};
use crate::local::stat::{kind, metadata};

/// An upload into a partial. Its lock goes with the open file.
pub(super) struct AtomicWrite {
    shared: Arc<Shared>,
    /// The target.
    slot: Slot,
    owner: String,
    /// The partial's name in the target's folder.
    partial: Vec<u8>,
    bytes: Appender,
    replacing: Replacing,
    /// Whether the partial was made by this upload.
    is_new: bool,
}

impl AtomicWrite {
    /// With nothing. A partial that is there is emptied when the first byte comes, or when the upload ends.
    pub(super) fn begin(
        shared: Arc<Shared>,
        slot: Slot,
        owner: &str,
        replacing: Replacing,
        target: Option<&Statx>,
    ) -> Result<AtomicWrite> {
        let partial = partial_name(owner, &slot.name);
        let held = lock_existing(&slot.dir, &partial)?;
        shared.remember(&slot, &partial, owner)?;
        let sync = shared.settings.sync;
        let (bytes, is_new) = match held {
            Found::Ours(file) => (Appender::at(file, 0, sync).cutting(), false),
            Found::Nothing | Found::Foreign => {
                let file = make_partial(&shared, &slot, &partial, target)?;
                (Appender::at(file, 0, sync), true)
            }
        };
        Ok(AtomicWrite { shared, slot, owner: owner.to_owned(), partial, bytes, replacing, is_new })
    }

    /// Where the partial stopped.
    pub(super) fn resume(
        shared: Arc<Shared>,
        slot: Slot,
        owner: &str,
        replacing: Replacing,
    ) -> Result<AtomicWrite> {
        let partial = partial_name(owner, &slot.name);
        let Found::Ours(mut file) = lock_existing(&slot.dir, &partial)? else {
            return Err(ErrorKind::OffsetMismatch { length: 0 }.into());
        };
        let position = file.seek(SeekFrom::End(0)).map_err(io)?;
        shared.remember(&slot, &partial, owner)?;
        let bytes = Appender::at(file, position, shared.settings.sync);
        Ok(AtomicWrite { shared, slot, owner: owner.to_owned(), partial, bytes, replacing, is_new: false })
    }

    /// With the first bytes of the target, copied (or shared, where the file system can) by the kernel.
    pub(super) fn copy(
        shared: Arc<Shared>,
        slot: Slot,
        owner: &str,
        replacing: Replacing,
        first: u64,
    ) -> Result<AtomicWrite> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let source = rustix::fs::openat(&slot.dir, slot.name.as_bytes(), flags, Mode::empty());
        let (source, target) = open_regular(&source.map_err(failed)?, OFlags::RDONLY)?;
        let mut upload = AtomicWrite::begin(shared, slot, owner, replacing, Some(&target))?;
        upload.bytes.settle()?;
        match std::io::copy(&mut source.take(first), &mut upload.bytes.file()) {
            Ok(copied) => {
                // Durable with the rest: write-back starts from the beginning of the copy.
                upload.bytes.resume_at(copied);
                Ok(upload)
            }
            Err(error) => {
                upload.remove()?;
                Err(io(error))
            }
        }
    }

    /// Puts everything on the disk but the name.
    fn settle(&mut self) -> Result<()> {
        self.bytes.settle()?;
        match self.slot.lstat()? {
            None => {}
            Some(target) if kind(&target) == Kind::File => keep_attributes(self.bytes.file(), &target)?,
            Some(target) if kind(&target) == Kind::Directory => return Err(ErrorKind::IsADirectory.into()),
            Some(_) => return Err(ErrorKind::NotAFile.into()),
        }
        self.bytes.sync()
    }

    /// Leaves the partial to be resumed, with as many bytes as can be trusted.
    fn put_by(&mut self) -> Result<()> {
        if self.bytes.settle().is_err() || self.bytes.position() == 0 {
            return self.give_up();
        }
        // A resume trusts the length, after a power cut, too.
        if let Err(error) = self.bytes.sync() {
            self.give_up()?;
            return Err(error);
        }
        // It expires from now on.
        self.shared.remember(&self.slot, &self.partial, &self.owner)
    }

    /// Gives back the space of bytes that nobody knows to be good: after an error of the disk, or when it is full.
    ///
    /// Where a complete file stands under the name an empty partial is left, so that the client's next question
    /// for the size is answered with 0 and not with the length of a file that it was about to replace.
    fn give_up(&mut self) -> Result<()> {
        let over_complete_file = self.slot.lstat()?.is_some();
        if over_complete_file && self.bytes.file().set_len(0).is_ok() { Ok(()) } else { self.remove() }
    }

    /// Removes the partial. The lock is still held: it is this one and nobody else has it.
    fn remove(&self) -> Result<()> {
        let outcome = rustix::fs::unlinkat(&self.slot.dir, self.partial.as_slice(), AtFlags::empty());
        self.shared.forget(&self.slot.dir, &self.partial);
        match outcome {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(failed(errno)),
        }
    }
}

impl WriteFile for AtomicWrite {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.write(bytes)
    }

    fn position(&self) -> u64 {
        self.bytes.position()
    }

    fn publish(mut self: Box<Self>) -> Result<Metadata> {
        let renamed = self.settle().and_then(|()| {
            let (dir, partial) = (&self.slot.dir, self.partial.as_slice());
            crate::local::tree::rename_slot(dir, partial, &self.slot, self.replacing)
        });
        if let Err(error) = renamed {
            // The client hears of this error; what becomes of the partial it learns when it comes back.
            let _ = self.put_by();
            return Err(error);
        }
        self.shared.forget(&self.slot.dir, &self.partial);
        self.shared.sync_directory(&self.slot.dir)?;
        fstat(self.bytes.file()).map(|found| metadata(&found)).map_err(failed)
    }

    fn keep(mut self: Box<Self>) -> Result<()> {
        self.put_by()
    }

    fn discard(self: Box<Self>) -> Result<()> {
        if self.is_new { self.remove() } else { Ok(()) }
    }
}

/// Makes a partial that is never more readable than what it is to replace.
fn make_partial(shared: &Shared, slot: &Slot, partial: &[u8], target: Option<&Statx>) -> Result<File> {
    let mode = target.map_or(0o666, |target| u32::from(target.stx_mode) & 0o777 | 0o600);
    let file = lock_new(&slot.dir, partial, Mode::from_raw_mode(mode));
    if file.is_err() {
        shared.forget(&slot.dir, partial);
    }
    file
}

/// Gives the new file the owner and mode of the one it replaces.
fn keep_attributes(file: &File, target: &Statx) -> Result<()> {
    let found = fstat(file).map_err(failed)?;
    if (found.stx_uid, found.stx_gid) != (target.stx_uid, target.stx_gid) {
        let (uid, gid) = (Uid::from_raw(target.stx_uid), Gid::from_raw(target.stx_gid));
        // Only root may give files away. For others the file becomes the server's, as with any editor.
        match rustix::fs::fchown(file, Some(uid), Some(gid)) {
            Ok(()) | Err(Errno::PERM) => {}
            Err(errno) => return Err(failed(errno)),
        }
    }
    // SECURITY: set-user-id, set-group-id and sticky were given to other contents, and are not passed on.
    let mode = u32::from(target.stx_mode) & 0o777;
    if u32::from(found.stx_mode) & 0o7777 != mode {
        rustix::fs::fchmod(file, Mode::from_raw_mode(mode)).map_err(failed)?;
    }
    Ok(())
}
