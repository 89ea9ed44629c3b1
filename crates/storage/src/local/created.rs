//! What do files and folders look like that users make: mode and group?

use std::os::fd::AsFd;

use carrack_core::error::Result;
use rustix::fs::{Gid, Mode, OFlags};

use super::Shared;
use super::errno::failed;
use super::resolve::{Slot, fstat};

/// The mode of a new file where nothing is said, less the process's umask.
const FILE_MODE: u32 = 0o666;

/// The mode of a new folder where nothing is said, less the process's umask.
const FOLDER_MODE: u32 = 0o777;

/// What a new file or folder gets. What replaces another keeps what that had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Created {
    /// The mode of files, whatever the process's umask; `None`: 0666 less the umask.
    pub file_mode: Option<u32>,
    /// The mode of folders, whatever the process's umask; `None`: 0777 less the umask.
    pub folder_mode: Option<u32>,
    /// The number of the group that both get; the process must be in it. `None`: the process's own, or that of a folder with set-group-id.
    pub group: Option<u32>,
}

impl Shared {
    /// The mode to make a file with: no more than it will have, so that nobody gets hold of it in between.
    pub(super) fn file_mode(&self) -> Mode {
        Mode::from_raw_mode(self.settings.created.file_mode.unwrap_or(FILE_MODE))
    }

    /// Gives a new file what new files get.
    pub(super) fn dress_file(&self, file: impl AsFd) -> Result<()> {
        let Created { file_mode, group, .. } = self.settings.created;
        dress(file, file_mode, group)
    }

    /// Makes a folder.
    pub(super) fn make_folder(&self, slot: &Slot) -> Result<()> {
        let Created { folder_mode, group, .. } = self.settings.created;
        let mode = Mode::from_raw_mode(folder_mode.unwrap_or(FOLDER_MODE) & 0o777);
        rustix::fs::mkdirat(&slot.dir, slot.name.as_bytes(), mode).map_err(failed)?;
        if folder_mode.is_none() && group.is_none() {
            return Ok(());
        }
        // SECURITY: what stands there by now may be another's; a link is not followed, and only a folder is taken.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder =
            rustix::fs::openat(&slot.dir, slot.name.as_bytes(), flags, Mode::empty()).map_err(failed)?;
        // What it has from the folder around it, set-group-id, stays.
        let inherited = u32::from(fstat(&folder).map_err(failed)?.stx_mode) & 0o7000;
        dress(folder, folder_mode.map(|mode| mode | inherited), group)
    }
}

fn dress(handle: impl AsFd, mode: Option<u32>, group: Option<u32>) -> Result<()> {
    if let Some(group) = group {
        rustix::fs::fchown(&handle, None, Some(Gid::from_raw(group))).map_err(failed)?;
    }
    // Behind the group, as a change of that takes set-group-id away.
    if let Some(mode) = mode {
        rustix::fs::fchmod(&handle, Mode::from_raw_mode(mode)).map_err(failed)?;
    }
    Ok(())
}
