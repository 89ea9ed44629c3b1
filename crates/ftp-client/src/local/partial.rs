//! Where does a file rest while it is being received? Beside its target, under a name of its own, until it is complete.
//!
//! The target keeps what it has until then, and gets all of the new file at once, by a rename. Nothing is synced to the
//! disk, as `cp` does not either: a power cut may cost what was written in the last half minute.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest;
use carrack_ftp_proto::client::EntryName;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::failure::LocalFailure;
use super::folder::{Folder, Found, Kind, fstat, lstat};

/// What the names of unfinished files end in. They begin with a dot.
const SUFFIX: &[u8] = b".carrack-part";
/// Bytes of a name on the file systems of Linux.
const NAME_BYTES: usize = 255;
/// Bytes of the digest that stands for the end of a name too long to be carried whole.
const DIGEST_BYTES: usize = 8;
/// How often a partial is looked for again that somebody else finishes or removes while we take hold of it.
const ATTEMPTS: u32 = 16;

/// A file that is being received. Dropped, it is removed unless it was [kept](Partial::keep).
#[derive(Debug)]
pub(crate) struct Partial {
    folder: Arc<Folder>,
    target: EntryName,
    /// Its own name in the folder.
    name: Vec<u8>,
    file: File,
    /// The permission bits of the file that is to be replaced.
    mode: Option<u32>,
    afterwards: Afterwards,
}

/// What a partial begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Nothing.
    Anew,
    /// What was received before, if anything.
    Continue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Afterwards {
    Remove,
    Keep,
    Published,
}

impl Partial {
    /// Opens the partial of `target` and locks it: nobody else writes it until it is dropped.
    pub(crate) fn open(
        folder: Arc<Folder>,
        target: EntryName,
        begin: Begin,
    ) -> Result<Partial, LocalFailure> {
        let replaced = folder.find(target.as_bytes())?;
        let mode = match replaced.map(|found| (found.kind, found.mode)) {
            Some((Kind::Folder, _)) => {
                return Err(LocalFailure::FolderInTheWay(folder.path_of(target.as_bytes())));
            }
            Some((Kind::Special, _)) => {
                return Err(LocalFailure::NotAFile(folder.path_of(target.as_bytes())));
            }
            // Set-id bits of what is replaced do not pass to bytes from elsewhere.
            Some((Kind::File, mode)) => Some(mode & 0o777),
            // The link itself is replaced: what it leads to may lie outside the target.
            Some((Kind::Link, _)) | None => None,
        };
        let name = name_of(target.as_bytes());
        // SECURITY: where the old file was private, the new one is from its first byte on.
        let created = Mode::from_raw_mode(mode.map_or(0o666, |mode| mode | 0o600));
        let (file, length) = take(&folder, &name, created)?;
        let mut partial = Partial { folder, target, name, file, mode, afterwards: Afterwards::Remove };
        if begin == Begin::Anew && length > 0 {
            partial.restart()?;
        }
        Ok(partial)
    }

    /// The file, open for reading and writing.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Its name in the folder.
    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// How many bytes it has.
    pub(crate) fn length(&self) -> Result<u64, LocalFailure> {
        fstat(&self.file).map(|found| found.size).map_err(|errno| self.failed("look at", errno))
    }

    /// Drops what was received so far.
    ///
    /// Nothing is cut off an empty file: ext4 would take the new file for one that is written over, and send all of it to
    /// the disk when it is closed (`auto_da_alloc`), a tenth of the cost of a download.
    pub(crate) fn restart(&mut self) -> Result<(), LocalFailure> {
        if self.length()? == 0 {
            return Ok(());
        }
        rustix::fs::ftruncate(&self.file, 0).map_err(|errno| self.failed("write", errno))
    }

    /// From now on what was received stays when this is dropped, to be continued another time.
    pub(crate) fn keep(&mut self) {
        self.afterwards = Afterwards::Keep;
    }

    /// What was received is of no use: it goes when this is dropped.
    pub(crate) fn give_up(&mut self) {
        self.afterwards = Afterwards::Remove;
    }

    /// Puts the complete file in its place, with the permission bits of the one it replaces and, if given, this time of
    /// modification (seconds and nanoseconds since the epoch).
    pub(crate) fn publish(mut self, modified: Option<(i64, u32)>) -> Result<(), LocalFailure> {
        if let Some(mode) = self.mode {
            let set = rustix::fs::fchmod(&self.file, Mode::from_raw_mode(mode));
            set.map_err(|errno| self.failed("set the permissions of", errno))?;
        }
        if let Some((seconds, nanos)) = modified {
            set_modified(&self.file, seconds, nanos)
                .map_err(|errno| self.failed("set the time of", errno))?;
        }
        match rustix::fs::renameat(&self.folder, &self.name, &self.folder, self.target.as_bytes()) {
            Ok(()) => {
                self.afterwards = Afterwards::Published;
                Ok(())
            }
            Err(Errno::ISDIR) => Err(LocalFailure::FolderInTheWay(self.path())),
            Err(errno) => Err(LocalFailure::io("give the complete file its name,", &self.path(), errno)),
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path_of(self.target.as_bytes())
    }

    fn failed(&self, what: &'static str, errno: Errno) -> LocalFailure {
        LocalFailure::io(what, &self.folder.path_of(&self.name), errno)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.afterwards == Afterwards::Remove {
            // What cannot be removed is written over by the next attempt.
            let _ = rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
        }
    }
}

/// Whether a name is one that unfinished files have.
pub(crate) fn is_partial(name: &[u8]) -> bool {
    name.starts_with(b".") && name.ends_with(SUFFIX)
}

/// Removes the partial of a transfer that nobody will continue, if it is one, ours, and nobody writes it.
pub(crate) fn remove_stale(folder: &Path, name: &[u8]) {
    let Ok(folder) = Folder::open(folder) else { return };
    if is_partial(name)
        && lstat(&folder, name).is_ok_and(|found| ours(&found))
        && matches!(open_locked(&folder, name), Ok(Taken::Locked(..)))
    {
        let _ = rustix::fs::unlinkat(&folder, name, AtFlags::empty());
    }
}

/// Sets when a file was last modified.
pub(crate) fn set_modified(file: &File, seconds: i64, nanos: u32) -> rustix::io::Result<()> {
    let omit = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    let modified = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
    rustix::fs::futimens(file, &Timestamps { last_access: omit, last_modification: modified })
}

/// The name of the partial of `target`: always the same, so that what is left behind is found again.
fn name_of(target: &[u8]) -> Vec<u8> {
    let whole = [b".", target, SUFFIX].concat();
    if whole.len() <= NAME_BYTES {
        return whole;
    }
    let digest = digest::digest(&digest::SHA256, target);
    let digest: String =
        digest.as_ref().iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let room = NAME_BYTES.saturating_sub(2 + digest.len() + SUFFIX.len());
    let mut beginning = target.get(..room).unwrap_or(target);
    // Not in the middle of a character: some file systems take only UTF-8.
    if std::str::from_utf8(target).is_ok() {
        while std::str::from_utf8(beginning).is_err() {
            beginning = beginning.split_last().map_or(&[], |(_, shorter)| shorter);
        }
    }
    [b".", beginning, b"-", digest.as_bytes(), SUFFIX].concat()
}

enum Taken {
    /// With its length.
    Locked(File, u64),
    Busy,
    /// It was gone before we had it.
    Gone,
}

/// Opens or creates the partial, locked; with its length.
fn take(folder: &Folder, name: &[u8], mode: Mode) -> Result<(File, u64), LocalFailure> {
    let failed = |what, errno| LocalFailure::io(what, &folder.path_of(name), errno);
    for _ in 0..ATTEMPTS {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(folder, name, flags, mode) {
            Ok(created) => {
                let created = File::from(created);
                match locked(created, folder, name).map_err(|errno| failed("lock", errno))? {
                    Taken::Locked(file, length) => return Ok((file, length)),
                    Taken::Busy => return Err(LocalFailure::Busy(folder.path_of(name))),
                    Taken::Gone => continue,
                }
            }
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed("create", errno)),
        }
        match lstat(folder, name) {
            Ok(found) if ours(&found) => {}
            Ok(found) if found.kind == Kind::Folder => {
                return Err(LocalFailure::FolderInTheWay(folder.path_of(name)));
            }
            Ok(_) => {
                rustix::fs::unlinkat(folder, name, AtFlags::empty())
                    .map_err(|errno| failed("remove", errno))?;
                continue;
            }
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(failed("look at", errno)),
        }
        match open_locked(folder, name).map_err(|errno| failed("open", errno))? {
            Taken::Locked(file, length) => return Ok((file, length)),
            Taken::Busy => return Err(LocalFailure::Busy(folder.path_of(name))),
            Taken::Gone => {}
        }
    }
    Err(LocalFailure::Busy(folder.path_of(name)))
}

fn open_locked(folder: &Folder, name: &[u8]) -> rustix::io::Result<Taken> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::openat(folder, name, flags, Mode::empty()) {
        Ok(file) => locked(File::from(file), folder, name),
        Err(Errno::NOENT) => Ok(Taken::Gone),
        Err(errno) => Err(errno),
    }
}

/// Locks an open partial. Whoever had the lock before may have given it its final name, or removed it.
fn locked(file: File, folder: &Folder, name: &[u8]) -> rustix::io::Result<Taken> {
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        // Some network file systems have no locks; there, two at once are the user's to avoid.
        Ok(()) | Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => {}
        Err(Errno::WOULDBLOCK) => return Ok(Taken::Busy),
        Err(errno) => return Err(errno),
    }
    let held = fstat(&file)?;
    match lstat(folder, name) {
        Ok(named) if named.identity == held.identity && ours(&held) => Ok(Taken::Locked(file, held.size)),
        Ok(_) | Err(Errno::NOENT) => Ok(Taken::Gone),
        Err(errno) => Err(errno),
    }
}

/// Whether a file under a partial's name is one that we made.
//
// SECURITY: in a folder that others may write to, such as /tmp, somebody could put a file of his own there and keep it
// open, or a second name of one of ours, and have us write into it.
fn ours(found: &Found) -> bool {
    found.kind == Kind::File && found.names == 1 && found.owner == rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests;
