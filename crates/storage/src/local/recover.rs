//! What did a crash leave behind complete files? Bytes that nobody acknowledged; they are cut off at start-up.

use std::fs::File;

use carrack_core::backend::{Extension, Kind};
use carrack_core::error::{ErrorKind, Result};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::Shared;
use super::errno::{failed, io};
use super::resolve::{fstat, indexed_folder, reopen, split_indexed};
use super::stat::kind;

impl Shared {
    /// Undoes the extensions beneath this root that a crash cut short.
    pub(super) fn undo_extensions(&self) -> std::io::Result<()> {
        for extension in self.settings.index.extensions() {
            if self.root.inside(&extension.file).is_err() {
                continue;
            }
            // The lock is held until it is noted: else whoever begins anew would lose their note.
            match undo(&extension, &|| self.settings.index.extensions().contains(&extension)) {
                Ok(Undone::Ended) => {}
                Ok(Undone::Cut(_locked)) => self.settings.index.extended(&extension.file)?,
                // Somebody is writing it: another store of this process, and this is no crash.
                Err(error) if error.kind() == ErrorKind::Busy => {}
                Err(error) => {
                    let file = String::from_utf8_lossy(&extension.file);
                    let why = format!("{file} has a tail that a crash left, and it cannot be cut: {error}");
                    return Err(std::io::Error::other(why));
                }
            }
        }
        Ok(())
    }
}

/// What came of an extension.
enum Undone {
    /// Whoever made it has ended it in order meanwhile.
    Ended,
    /// Nothing of it is left. The file, where there is one, is locked.
    Cut(Option<File>),
}

/// Cuts the file back to what was acknowledged, if it is still the same one and the extension still stands.
fn undo(extension: &Extension, stands: &dyn Fn() -> bool) -> Result<Undone> {
    let (folder, name) = split_indexed(&extension.file)?;
    let Some(dir) = indexed_folder(folder)? else { return Ok(Undone::Cut(None)) };
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = match rustix::fs::openat(&dir, name, flags, Mode::empty()) {
        Ok(handle) => handle,
        Err(Errno::NOENT) => return Ok(Undone::Cut(None)),
        Err(errno) => return Err(failed(errno)),
    };
    let found = fstat(&handle).map_err(failed)?;
    // SECURITY: another file that has the name now was never extended by us.
    if kind(&found) != Kind::File || found.stx_ino != extension.inode {
        return Ok(Undone::Cut(None));
    }
    let file = File::from(reopen(&handle, OFlags::RDWR).map_err(failed)?);
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(failed)?;
    // Its writer notes the end before it lets go of the lock.
    if !stands() {
        return Ok(Undone::Ended);
    }
    if fstat(&file).map_err(failed)?.stx_size > extension.length {
        file.set_len(extension.length).map_err(io)?;
        file.sync_all().map_err(io)?;
    }
    Ok(Undone::Cut(Some(file)))
}
