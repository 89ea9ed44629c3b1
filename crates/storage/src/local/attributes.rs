//! How are times and modes set, and how much room is there? On the handle that was resolved, never by its name.

use std::os::fd::{AsFd, OwnedFd};

use carrack_core::backend::{AccessBits, Attributes, Kind, Metadata};
use carrack_core::error::{ErrorKind, Result};
use carrack_core::path::VirtualPath;
use rustix::fs::{AtFlags, CWD, Mode, Statx, Timespec, Timestamps, UTIME_OMIT};

use super::Shared;
use super::errno::failed;
use super::resolve::{fstat, proc_path};
use super::stat::{kind, metadata};

impl Shared {
    /// Times and modes are not synced: after a power cut a file may have lost them, and nothing else.
    pub(super) fn set_attributes(&self, path: &VirtualPath, attributes: &Attributes) -> Result<Metadata> {
        let handle = self.root.handle(path)?;
        let found = fstat(&handle).map_err(failed)?;
        // SECURITY: a device or FIFO that somebody served by mistake stays as guarded as it is.
        if !matches!(kind(&found), Kind::File | Kind::Directory) {
            return Err(ErrorKind::NotAFile.into());
        }
        // The mode first: to set it changes no time that is shown.
        if let Some(mode) = attributes.mode {
            set_mode(&handle, &found, mode)?;
        }
        if let Some(modified) = attributes.modified {
            set_modified(&handle, modified)?;
        }
        fstat(&handle).map(|found| metadata(&found)).map_err(failed)
    }

    /// What the disk has for this server's user, which on most file systems is less than is free, or what the quota leaves of it.
    pub(super) fn space(&self, path: &VirtualPath) -> Result<u64> {
        let disk = available(self.root.directory(path)?)?;
        let left = self.settings.quota.as_ref().and_then(|quota| quota.left());
        Ok(left.map_or(disk, |left| left.min(disk)))
    }
}

/// How many bytes may be written to the file system of this folder.
pub(super) fn available(dir: impl AsFd) -> Result<u64> {
    let disk = rustix::fs::fstatvfs(dir).map_err(failed)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn set_mode(handle: &OwnedFd, found: &Statx, mode: AccessBits) -> Result<()> {
    // SECURITY: of a file set-user-id, set-group-id and sticky go away, as they do when it is written. A folder keeps
    // what an administrator gave it: there they decide whose the files in it are.
    let kept = if kind(found) == Kind::Directory { u32::from(found.stx_mode) & 0o7000 } else { 0 };
    let mode = Mode::from_raw_mode(u32::from(mode.bits()) | kept);
    // SECURITY: the path leads to the handle itself, whatever stands under its name by now.
    rustix::fs::chmodat(CWD, proc_path(handle), mode, AtFlags::empty()).map_err(failed)
}

fn set_modified(handle: &OwnedFd, (seconds, nanoseconds): (i64, u32)) -> Result<()> {
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() },
    };
    // SECURITY: as above.
    rustix::fs::utimensat(CWD, proc_path(handle), &times, AtFlags::empty()).map_err(failed)
}
