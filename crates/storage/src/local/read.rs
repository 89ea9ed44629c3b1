//! How is a file opened for reading? Looked at first, without opening it; then that very file.

use std::fs::File;
use std::io::IoSliceMut;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use carrack_core::backend::{Kind, ReadFile, Version};
use carrack_core::error::{ErrorKind, Result};
use carrack_core::path::VirtualPath;
use rustix::fs::{OFlags, Statx};
use rustix::io::{ReadWriteFlags, preadv2};

use super::Shared;
use super::errno::{failed, io};
use super::resolve::{fstat, reopen};
use super::stat::{kind, version};

/// An open regular file, with its length at that time.
pub(super) struct LocalRead {
    file: File,
    length: u64,
    in_memory: bool,
}

impl Shared {
    pub(super) fn open_read(&self, path: &VirtualPath) -> Result<LocalRead> {
        let (file, found) = open_regular(&self.root.handle(path)?, OFlags::RDONLY)?;
        Ok(self.reading(file, found.stx_size))
    }

    pub(super) fn reading(&self, file: File, length: u64) -> LocalRead {
        LocalRead { file, length, in_memory: self.at_once.is_in_memory() }
    }
}

/// Opens what the handle stands for if, and only if, it is a regular file.
//
// SECURITY: opening a FIFO wakes its other end and opening a device may do anything, so the handle (`O_PATH`) is
// looked at first; and it is the handle that is opened then, so nothing can be put in its place in between.
pub(super) fn open_regular(handle: &OwnedFd, flags: OFlags) -> Result<(File, Statx)> {
    let found = fstat(handle).map_err(failed)?;
    match kind(&found) {
        Kind::File => {}
        Kind::Directory => return Err(ErrorKind::IsADirectory.into()),
        Kind::Link | Kind::Special => return Err(ErrorKind::NotAFile.into()),
    }
    let file = reopen(handle, flags).map_err(failed)?;
    Ok((File::from(file), found))
}

impl ReadFile for LocalRead {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match self.file.read_at(buffer, offset) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                outcome => return outcome.map_err(io),
            }
        }
    }

    fn read_at_once(&self, offset: u64, buffer: &mut [u8]) -> Option<usize> {
        if self.in_memory {
            // The kernel knows no reading without waiting there.
            return self.file.read_at(buffer, offset).ok();
        }
        preadv2(&self.file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT).ok()
    }

    fn version(&self) -> Result<Option<Version>> {
        fstat(&self.file).map(|found| Some(version(&found))).map_err(failed)
    }

    fn as_file(&self) -> Option<&File> {
        Some(&self.file)
    }
}
