//! Which transfers was this client interrupted in, and what is needed to go on with them?
//!
//! One small JSON file per running transfer in `transfers/` of the state folder, written whole before the first byte moves
//! and removed behind the last. Its name is the digest of what is moved from where to where, so the same command finds it
//! again, and nothing else does. Whoever works on the transfer holds a lock on it.

mod record;

use std::fmt::Write as _;
use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::local::failure::LocalFailure;
use crate::local::folder::{fstat, stat};
use crate::local::partial::remove_stale;
pub(crate) use record::{Begun, Key, Moment, Record, Transfer, Version, to_text};

/// How long an interrupted transfer can be gone on with. By then nobody remembers it.
const EXPIRY: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How many files of the folder are looked at for the expired ones at each start: enough for what a crash of a thousand
/// runs leaves, a few milliseconds at most.
const EXPIRY_SCAN: usize = 1_000;
/// How often an entry is opened again that somebody else ends while we take hold of it.
const ATTEMPTS: u32 = 16;

/// The folder with the entries.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
}

/// One transfer, held: nobody else works on it until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    key: Key,
    /// The locked file.
    _locked: File,
    record: Option<Transfer>,
}

impl Journal {
    /// Opens the journal in a state folder, makes what is missing of it, and removes what has expired.
    pub(crate) fn open(state: &Path, now: SystemTime) -> Result<Journal, LocalFailure> {
        let folder = state.join("transfers");
        // Names of servers and files are nobody else's business.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| LocalFailure::io("make the folder", &folder, error))?;
        let journal = Journal { folder };
        journal.expire(now);
        Ok(journal)
    }

    /// Where the entries are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes hold of a transfer. [`LocalFailure::Busy`] where another process has it.
    pub(crate) fn claim(&self, key: Key) -> Result<Claim, LocalFailure> {
        let path = self.folder.join(file_name(&key));
        let failed = |error: io::Error| LocalFailure::io("write the journal entry", &path, error);
        for _ in 0..ATTEMPTS {
            match open_locked(&path, OFlags::CREATE).map_err(failed)? {
                Opened::Locked(mut file) => {
                    let record = Record::read(&mut file).map_err(failed)?;
                    // An entry of another transfer under this name: a digest is believed, a hand-made file is not.
                    let record = record.filter(|record| record.is_of(&key)).map(|record| record.transfer);
                    return Ok(Claim { path, key, _locked: file, record });
                }
                Opened::Busy => return Err(LocalFailure::Busy(key.local_path())),
                Opened::Gone => {}
            }
        }
        Err(LocalFailure::Busy(key.local_path()))
    }

    /// Removes the entries that nobody came back to, and the unfinished downloads they tell of.
    fn expire(&self, now: SystemTime) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        for entry in entries.take(EXPIRY_SCAN).flatten() {
            let age =
                entry.metadata().and_then(|found| found.modified()).map(|then| now.duration_since(then));
            if !matches!(age, Ok(Ok(age)) if age > EXPIRY) {
                continue;
            }
            let Ok(Opened::Locked(mut file)) = open_locked(&entry.path(), OFlags::empty()) else { continue };
            if let Ok(Some(record)) = Record::read(&mut file)
                && let Some((folder, name)) = record.partial()
            {
                remove_stale(&folder, &name);
            }
            // What cannot be removed is tried again at the next start.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

impl Claim {
    /// What is known from an earlier run.
    pub(crate) fn found(&self) -> Option<&Transfer> {
        self.record.as_ref()
    }

    /// Writes down how the transfer stands. The entry has the old text or the new one, never a part.
    pub(crate) fn write(&mut self, transfer: Transfer) -> Result<(), LocalFailure> {
        let replaced = self.replace(&transfer);
        replaced.map_err(|error| LocalFailure::io("write the journal entry", &self.path, error))?;
        self.record = Some(transfer);
        Ok(())
    }

    /// Takes what is known from an earlier run as not known. The entry stays as it is until it is written.
    pub(crate) fn disregard(&mut self) {
        self.record = None;
    }

    /// Forgets the transfer: it is complete, or cannot be gone on with.
    pub(crate) fn end(mut self) {
        self.record = None;
    }

    fn replace(&mut self, transfer: &Transfer) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let _ = std::fs::remove_file(&new);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(CWD, &new, flags, PRIVATE)?);
        // Locked before it has the name, so that nobody finds the entry free in between.
        lock(&file)?;
        file.write_all(&Record::new(&self.key, transfer.clone()).to_json()?)?;
        std::fs::rename(&new, &self.path)?;
        self._locked = file;
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.record.is_none() {
            // While the lock is held: whoever waits for it finds the name gone and makes an entry of his own.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

const PRIVATE: Mode = Mode::from_raw_mode(0o600);

enum Opened {
    Locked(File),
    Busy,
    /// It was ended or written anew between opening and locking.
    Gone,
}

fn open_locked(path: &Path, create: OFlags) -> io::Result<Opened> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | create;
    let file = File::from(rustix::fs::openat(CWD, path, flags, PRIVATE)?);
    match lock(&file) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(Opened::Busy),
        Err(errno) => return Err(errno.into()),
    }
    let held = fstat(&file)?;
    match stat(path) {
        Ok(named) if named.identity == held.identity => Ok(Opened::Locked(file)),
        Ok(_) | Err(Errno::NOENT) => Ok(Opened::Gone),
        Err(errno) => Err(errno.into()),
    }
}

fn lock(file: &File) -> rustix::io::Result<()> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        // A state folder on a file system without locks: two at once are the user's to avoid.
        Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        outcome => outcome,
    }
}

fn file_name(key: &Key) -> String {
    let mut digest = digest::Context::new(&digest::SHA256);
    for part in key.parts() {
        // The lengths keep the parts apart.
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let mut name = String::new();
    for byte in digest.finish().as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name + ".json"
}

#[cfg(test)]
mod tests;
