//! What is there? `statx` in the words of the domain.

use carrack_core::backend::{Kind, Metadata, Version};
use carrack_core::error::{ErrorKind, Result};
use carrack_core::path::VirtualPath;
use rustix::fs::{FileType, Statx, StatxFlags};

use super::Shared;
use super::errno::failed;
use super::resolve::fstat;

impl Shared {
    /// What `path` leads to. A symbolic link that leads nowhere or out is described itself.
    pub(super) fn stat(&self, path: &VirtualPath) -> Result<Metadata> {
        let error = match self.root.handle_if_any(path) {
            Ok(Some(handle)) => return fstat(&handle).map(|found| metadata(&found)).map_err(failed),
            Ok(None) => return Err(ErrorKind::NotFound.into()),
            Err(error) => error,
        };
        if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Forbidden) {
            return Err(error);
        }
        match self.root.slot_and_found(path) {
            Ok((_, Some(found))) if kind(&found) == Kind::Link => Ok(metadata(&found)),
            Ok(_) | Err(_) => Err(error),
        }
    }
}

/// What `statx` said.
pub(super) fn metadata(found: &Statx) -> Metadata {
    Metadata {
        kind: kind(found),
        size: found.stx_size,
        modified: (found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
        created: created(found),
        owner: Some((found.stx_uid, found.stx_gid)),
        mode: Some(u32::from(found.stx_mode) & 0o7777),
        links: found.stx_nlink.into(),
        unique: Some((device(found), found.stx_ino)),
        unfinished: false,
    }
}

/// When it was made, where the file system remembers that.
fn created(found: &Statx) -> Option<(i64, u32)> {
    let told = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
    told.then_some((found.stx_btime.tv_sec, found.stx_btime.tv_nsec))
}

/// What the file is at this moment.
pub(super) fn version(found: &Statx) -> Version {
    Version {
        file: (device(found), found.stx_ino),
        size: found.stx_size,
        modified: (found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
        changed: (found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec),
    }
}

/// What kind of thing it is.
pub(super) fn kind(found: &Statx) -> Kind {
    match FileType::from_raw_mode(found.stx_mode.into()) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        _ => Kind::Special,
    }
}

/// Whether both are the same file.
pub(super) fn same_file(one: &Statx, other: &Statx) -> bool {
    (device(one), one.stx_ino) == (device(other), other.stx_ino)
}

fn device(found: &Statx) -> u64 {
    u64::from(found.stx_dev_major) << 32 | u64::from(found.stx_dev_minor)
}
