//! How does a store know how many bytes it holds? It counts what it writes and removes, and walks the home when it is asked to.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::MutexGuard;

use carrack_core::backend::Kind;
use carrack_core::error::{Error, ErrorKind, Result};
use carrack_core::limits::quota::Growth;
use carrack_core::path::MAX_DEPTH;
use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, Statx};
use rustix::io::Errno;

use super::Shared;
use super::resolve::{Slot, fstat, lstat};
use super::stat::{kind, same_file};

impl Shared {
    /// Held while a name comes to lead elsewhere, where there is a quota.
    pub(super) fn changes_names(&self) -> Option<MutexGuard<'_, ()>> {
        self.settings.quota.as_ref().map(|quota| quota.changes_names())
    }

    /// How many bytes go where this name goes; 0 where nobody counts them.
    pub(super) fn length_of(&self, slot: &Slot) -> Result<u64> {
        if self.settings.quota.is_none() {
            return Ok(0);
        }
        Ok(slot.lstat()?.as_ref().map_or(0, counted))
    }

    /// Counts bytes no longer that are gone.
    pub(super) fn freed(&self, bytes: u64) {
        if let Some(quota) = &self.settings.quota {
            quota.shrink(bytes);
        }
    }

    /// Nobody knows how many bytes are gone: they should be counted.
    pub(super) fn doubt(&self) {
        if let Some(quota) = &self.settings.quota {
            quota.doubt();
        }
    }

    /// Begins to write a file that has `length` bytes, in the place of the complete one in `replaces`.
    pub(super) fn growth(&self, length: u64, replaces: Option<&Slot>) -> Result<Option<Growth>> {
        let Some(quota) = &self.settings.quota else { return Ok(None) };
        let replaces = replaces.map_or(Ok(0), |slot| self.length_of(slot))?;
        let growth = quota.write(length, replaces).map_err(|limit| Error::new(ErrorKind::Limit(limit)))?;
        Ok(Some(growth))
    }
}

/// Whether a file that counts so may have so many bytes in all.
pub(super) fn fits(growth: Option<&Growth>, length: u64) -> Result<()> {
    let fits = growth.map_or(Ok(()), |growth| growth.fits(length));
    fits.map_err(|limit| Error::new(ErrorKind::Limit(limit)))
}

/// What a file or something else counts.
pub(super) fn counted(found: &Statx) -> u64 {
    if kind(found) == Kind::File { found.stx_size } else { 0 }
}

/// How many bytes the regular files beneath `root` have, hidden and unfinished ones among them, each as often as it has names. What
/// cannot be read counts nothing, and neither does what lies in `excluded` folders or deeper than any path leads. `None` if `stops`
/// said so.
pub fn count_bytes(root: &Path, excluded: &[&Path], stops: &dyn Fn() -> bool) -> io::Result<Option<u64>> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let excluded: Vec<Statx> = excluded
        .iter()
        .filter_map(|folder| rustix::fs::open(*folder, flags, Mode::empty()).ok())
        .filter_map(|handle| fstat(handle).ok())
        .collect();
    let mut bytes = 0_u64;
    // As many open folders as the tree is deep, and nothing else, however large it is.
    let mut open = vec![Dir::new(open_folder(CWD, root, OFlags::empty())?)?];
    while let Some(dir) = open.last_mut() {
        if stops() {
            return Ok(None);
        }
        let Some(entry) = dir.read() else {
            open.pop();
            continue;
        };
        // A folder that went away meanwhile, or that a disk cannot read further.
        let Ok(entry) = entry else {
            open.pop();
            continue;
        };
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..")
            || !matches!(entry.file_type(), FileType::RegularFile | FileType::Directory | FileType::Unknown)
        {
            continue;
        }
        let Ok(found) = dir.fd().and_then(|fd| lstat(fd, name)) else { continue };
        if kind(&found) != Kind::Directory {
            bytes = bytes.saturating_add(counted(&found));
            continue;
        }
        if excluded.iter().any(|folder| same_file(folder, &found)) {
            continue;
        }
        let inside = dir.fd().and_then(|fd| open_folder(fd, name, OFlags::NOFOLLOW));
        if let Ok(inside) = inside.and_then(Dir::new)
            && open.len() <= MAX_DEPTH
        {
            open.push(inside);
        }
    }
    Ok(Some(bytes))
}

fn open_folder(
    at: impl std::os::fd::AsFd,
    name: impl rustix::path::Arg,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | flags;
    rustix::fs::openat(at, name, flags, Mode::empty())
}
