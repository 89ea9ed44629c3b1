//! Where does an unfinished upload rest, and who holds it? In its target's folder, locked by its writer.
//!
//! Its name is made of owner and final name, so a resume finds it without any index and it moves along with its
//! folder. Its writer holds an exclusive `flock`, which the kernel lets go when the process dies: whoever gets the
//! lock may continue it or remove it.

use std::fmt::Write as _;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use aws_lc_rs::digest;
use carrack_core::backend::{Kind, Partial, PartialRecord};
use carrack_core::error::{Error, ErrorKind, Result};
use carrack_core::path::{Name, RESERVED_PREFIX, VirtualPath};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, Statx};
use rustix::io::Errno;

use super::Shared;
use super::errno::{failed, io};
use super::resolve::{Slot, fstat, join, location, lstat, reopen};
use super::stat::{kind, metadata, same_file};

/// How often a partial is looked for that is put away by somebody else while we take hold of it.
const LOCK_ATTEMPTS: u32 = 16;
/// Bytes of the digest in a partial's name.
const DIGEST_BYTES: usize = 16;

/// What stands under a partial's name.
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// Something that we did not make: never opened.
    Foreign,
    /// A partial, locked by us from now on.
    Ours(File),
}

/// The name of `owner`'s partial of `name`: 41 bytes whatever the name, so that one of 255 bytes has a partial, too.
pub(super) fn partial_name(owner: &str, name: &Name) -> Vec<u8> {
    let mut digest = digest::Context::new(&digest::SHA256);
    // The length keeps owner and name apart.
    digest.update(&(owner.len() as u64).to_be_bytes());
    digest.update(owner.as_bytes());
    digest.update(name.as_bytes());
    let mut hex = String::new();
    for byte in digest.finish().as_ref().iter().take(DIGEST_BYTES) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    [RESERVED_PREFIX, hex.as_bytes()].concat()
}

impl Shared {
    pub(super) fn partial(&self, path: &VirtualPath, owner: &str) -> Result<Option<Partial>> {
        let slot = match self.root.slot_of_target(path) {
            Ok((slot, _)) => slot,
            Err(error) if is_nowhere(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let partial = partial_name(owner, &slot.name);
        match lstat(&slot.dir, &partial) {
            Ok(found) if is_ours(&found) => {
                let length = self.trusted(&slot.dir, &partial, found.stx_size);
                Ok(Some(Partial { length, found: metadata(&found) }))
            }
            Ok(_) | Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed(errno)),
        }
    }

    pub(super) fn drop_partial(&self, path: &VirtualPath, owner: &str) -> Result<bool> {
        let slot = match self.root.slot_of_target(path) {
            Ok((slot, _)) => slot,
            Err(error) if is_nowhere(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        let dropped = self.remove_partial(&slot.dir, &partial_name(owner, &slot.name))?;
        if dropped {
            self.sync_directory(&slot.dir)?;
        }
        Ok(dropped)
    }

    /// Removes a partial that nobody is writing; whether it was there.
    pub(super) fn remove_partial(&self, dir: &OwnedFd, partial: &[u8]) -> Result<bool> {
        let removed = remove_unlocked(dir, partial)?;
        self.freed(removed.unwrap_or_default());
        self.forget(dir, partial);
        Ok(removed.is_some())
    }

    /// What the index knows of a partial.
    pub(super) fn record_of(&self, dir: &OwnedFd, partial: &[u8]) -> Option<PartialRecord> {
        self.settings.index.find(&join(&location(dir).ok()?, partial))
    }

    /// How many of a partial's bytes can be trusted: after a power cut, those that were synced. Of one without a record nobody
    /// knows on which side of a power cut its bytes were written: the record may be what was lost.
    pub(super) fn trusted(&self, dir: &OwnedFd, partial: &[u8], length: u64) -> u64 {
        self.record_of(dir, partial).map_or(0, |record| record.trusted(length, &self.boot))
    }

    /// Tells the index before a partial is made or continued, of which `settled` bytes are on the disk for certain.
    pub(super) fn remember(&self, slot: &Slot, partial: &[u8], owner: &str, settled: u64) -> Result<()> {
        let file = join(&location(&slot.dir).map_err(failed)?, partial);
        let (owner, name) = (owner.to_owned(), slot.name.as_bytes().to_vec());
        let boot = self.boot.clone();
        let record = PartialRecord { file, owner, name, since: SystemTime::now(), boot, settled };
        self.settings.index.remember(&record).map_err(io)
    }

    /// Tells the index that a partial is gone.
    pub(super) fn forget(&self, dir: &OwnedFd, partial: &[u8]) {
        // A record too many costs nothing: whoever expires it finds no file.
        if let Ok(folder) = location(dir) {
            let _ = self.settings.index.forget(&join(&folder, partial));
        }
    }
}

/// Takes hold of a partial that may be there.
pub(super) fn lock_existing(dir: &OwnedFd, partial: &[u8]) -> Result<Found> {
    for _ in 0..LOCK_ATTEMPTS {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = match rustix::fs::openat(dir, partial, flags, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            Err(errno) => return Err(failed(errno)),
        };
        if !is_ours(&fstat(&handle).map_err(failed)?) {
            return Ok(Found::Foreign);
        }
        let file = File::from(reopen(&handle, OFlags::RDWR).map_err(failed)?);
        if lock(dir, partial, &file)? {
            return Ok(Found::Ours(file));
        }
    }
    Err(ErrorKind::Busy.into())
}

/// Makes a new partial in the place of whatever may be there and is not locked.
pub(super) fn lock_new(dir: &OwnedFd, partial: &[u8], mode: Mode) -> Result<File> {
    for _ in 0..LOCK_ATTEMPTS {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(dir, partial, flags, mode) {
            Ok(file) => {
                let file = File::from(file);
                if lock(dir, partial, &file)? {
                    return Ok(file);
                }
            }
            Err(Errno::EXIST) => {
                remove_unlocked(dir, partial)?;
            }
            Err(errno) => return Err(failed(errno)),
        }
    }
    Err(ErrorKind::Busy.into())
}

/// Locks a file; whether the name still leads to it. Whoever held the lock before may have put it away.
fn lock(dir: &OwnedFd, partial: &[u8], file: &File) -> Result<bool> {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).map_err(failed)?;
    match lstat(dir, partial) {
        Ok(named) => Ok(same_file(&named, &fstat(file).map_err(failed)?)),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(failed(errno)),
    }
}

/// Removes what stands under a partial's name unless somebody is writing it; how many bytes it had, if it was a partial.
pub(super) fn remove_unlocked(dir: &OwnedFd, partial: &[u8]) -> Result<Option<u64>> {
    // The lock is held until the name is gone, so that no writer finds the file in between.
    let length = match lock_existing(dir, partial)? {
        Found::Nothing => return Ok(None),
        Found::Foreign => None,
        Found::Ours(file) => Some((fstat(&file).map_err(failed)?.stx_size, file)),
    };
    match rustix::fs::unlinkat(dir, partial, AtFlags::empty()) {
        Ok(()) => Ok(length.map(|(length, _locked)| length)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(failed(errno)),
    }
}

/// Whether a file under a partial's name can be one of ours.
//
// SECURITY: somebody with an account on the machine may have put a link, a FIFO or a file of his own there.
fn is_ours(found: &Statx) -> bool {
    kind(found) == Kind::File && found.stx_nlink == 1 && found.stx_uid == rustix::process::geteuid().as_raw()
}

/// Whether the error says that the path leads to no folder of ours, and therefore to no partial.
fn is_nowhere(error: &Error) -> bool {
    use ErrorKind::{Forbidden, IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory | Forbidden)
}
