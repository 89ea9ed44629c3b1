//! How do folders and names change? Relative to folders held open, durably where that is configured.

use std::os::fd::OwnedFd;

use carrack_core::backend::{Kind, Replacing};
use carrack_core::error::{ErrorKind, Result};
use carrack_core::path::{RESERVED_PREFIX, VirtualPath};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::Shared;
use super::errno::{failed, not_renamed};
use super::partial::{Found, lock_existing};
use super::quota::counted;
use super::resolve::Slot;
use super::stat::{kind, same_file};

impl Shared {
    pub(super) fn make_directory(&self, path: &VirtualPath) -> Result<()> {
        if path.is_root() {
            return Err(ErrorKind::Exists.into());
        }
        let slot = self.root.slot(path)?;
        self.make_folder(&slot)?;
        self.sync_directory(&slot.dir)
    }

    pub(super) fn remove_file(&self, path: &VirtualPath) -> Result<()> {
        let slot = self.root.slot(path)?;
        let names = self.changes_names();
        let length = self.length_of(&slot)?;
        rustix::fs::unlinkat(&slot.dir, slot.name.as_bytes(), AtFlags::empty()).map_err(failed)?;
        self.freed(length);
        drop(names);
        self.sync_directory(&slot.dir)
    }

    pub(super) fn remove_directory(&self, path: &VirtualPath) -> Result<()> {
        let slot = self.root.slot(path)?;
        self.root.check_movable(&slot)?;
        match remove_empty(&slot) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                self.sweep_partials(&slot)?;
                remove_empty(&slot).map_err(failed)?;
            }
            outcome => outcome.map_err(failed)?,
        }
        self.sync_directory(&slot.dir)
    }

    /// Removes the partials of a folder that holds nothing else and in which nobody is writing.
    fn sweep_partials(&self, slot: &Slot) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir =
            rustix::fs::openat(&slot.dir, slot.name.as_bytes(), flags, Mode::empty()).map_err(failed)?;
        // All are looked at before the first is touched. A lock is let go again at once: what is still free in the
        // second round is removed, and what is not makes the folder stay.
        for_each_name(&dir, |name| {
            if !name.starts_with(RESERVED_PREFIX) {
                return Err(ErrorKind::NotEmpty.into());
            }
            match lock_existing(&dir, name)? {
                Found::Ours(_) | Found::Nothing => Ok(()),
                Found::Foreign => Err(ErrorKind::NotEmpty.into()),
            }
        })?;
        for_each_name(&dir, |name| {
            if name.starts_with(RESERVED_PREFIX) {
                self.remove_partial(&dir, name)?;
            }
            Ok(())
        })
    }

    pub(super) fn rename(&self, from: &VirtualPath, to: &VirtualPath, replacing: Replacing) -> Result<()> {
        let (from, to) = (self.root.slot(from)?, self.root.slot(to)?);
        self.root.check_movable(&from)?;
        self.root.check_movable(&to)?;
        let names = self.changes_names();
        let source = from.lstat()?.ok_or(ErrorKind::NotFound)?;
        let mut replaced = 0;
        if let Some(target) = to.lstat()? {
            let same = same_file(&source, &target);
            if !same && (kind(&target) == Kind::Directory || replacing == Replacing::Refused) {
                return Err(ErrorKind::Exists.into());
            }
            replaced = if same { 0 } else { counted(&target) };
        }
        let moved = match kind(&source) {
            Kind::Directory => Some((from.location()?, to.location()?)),
            Kind::File | Kind::Link | Kind::Special => None,
        };
        rename_slot(&from.dir, from.name.as_bytes(), &to, replacing)?;
        self.freed(replaced);
        drop(names);
        if let Some((from, to)) = moved {
            // The folder has moved; that its partials may now expire late is no reason to say it has not.
            let _ = self.settings.index.renamed(&from, &to);
        }
        self.sync_directory(&to.dir)?;
        self.sync_directory(&from.dir)
    }

    /// Makes changes of a folder's names durable, where that is configured.
    pub(super) fn sync_directory(&self, dir: &OwnedFd) -> Result<()> {
        if self.settings.sync { rustix::fs::fsync(dir).map_err(failed) } else { Ok(()) }
    }
}

/// Gives the name `to` to what is `name` in `dir`, in one step.
pub(super) fn rename_slot(dir: &OwnedFd, name: &[u8], to: &Slot, replacing: Replacing) -> Result<()> {
    let target = to.name.as_bytes();
    let outcome = match replacing {
        Replacing::Allowed => rustix::fs::renameat(dir, name, &to.dir, target),
        Replacing::Refused => {
            match rustix::fs::renameat_with(dir, name, &to.dir, target, RenameFlags::NOREPLACE) {
                // A file system without that flag: a hard link never replaces anything, either.
                Err(Errno::INVAL | Errno::NOSYS) => {
                    rustix::fs::linkat(dir, name, &to.dir, target, AtFlags::empty())
                        .and_then(|()| rustix::fs::unlinkat(dir, name, AtFlags::empty()))
                }
                outcome => outcome,
            }
        }
    };
    outcome.map_err(not_renamed)
}

fn remove_empty(slot: &Slot) -> rustix::io::Result<()> {
    rustix::fs::unlinkat(&slot.dir, slot.name.as_bytes(), AtFlags::REMOVEDIR)
}

fn for_each_name(dir: &OwnedFd, mut act: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut entries = Dir::read_from(dir).map_err(failed)?;
    while let Some(entry) = entries.read() {
        let entry = entry.map_err(failed)?;
        match entry.file_name().to_bytes() {
            b"." | b".." => {}
            name => act(name)?,
        }
    }
    Ok(())
}
