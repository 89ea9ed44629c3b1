//! How is a folder of this machine reached, and what is in it, without being led elsewhere?

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Statx, StatxFlags};
use rustix::io::Errno;

use super::failure::LocalFailure;
use crate::relative::Relative;

/// A folder that is held open: what is done beneath it stays beneath it, whatever is renamed or linked meanwhile.
#[derive(Debug)]
pub(crate) struct Folder {
    handle: OwnedFd,
    /// As the user named it, for messages and never for looking anything up.
    path: PathBuf,
}

/// What happens to folders that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Make,
    Fail,
}

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    /// Bytes.
    pub(crate) size: u64,
    /// Seconds and nanoseconds since the epoch.
    pub(crate) modified: (i64, u32),
    /// The permission bits.
    pub(crate) mode: u32,
    /// Device and number on it: the same for two names of one file.
    pub(crate) identity: (u64, u64),
    /// Whose it is.
    pub(crate) owner: u32,
    /// How many names it has.
    pub(crate) names: u32,
}

/// What something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Link,
    Special,
}

impl Folder {
    /// The folder that the user named; an empty path is the working directory. Links in `path` are the user's own and are
    /// followed.
    pub(crate) fn open(path: &Path) -> Result<Folder, LocalFailure> {
        let named = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let handle = rustix::fs::openat(CWD, named, FOLDER, Mode::empty());
        let handle = handle.map_err(|errno| LocalFailure::io("open the folder", path, errno))?;
        Ok(Folder { handle, path: path.to_owned() })
    }

    /// A folder beneath this one.
    //
    // SECURITY: each name is one component (`Relative` holds nothing else) and is opened relative to the handle of the
    // folder before it, without following links. A hostile listing or a link planted in the target leads nowhere.
    pub(crate) fn beneath(&self, to: &Relative, missing: Missing) -> Result<Folder, LocalFailure> {
        let mut names = to.names();
        let Some(first) = names.next() else { return self.again() };
        names.try_fold(self.step(first, missing)?, |folder, name| folder.step(name, missing))
    }

    /// What stands under a name of this folder; a link is not followed.
    pub(crate) fn find(&self, name: &[u8]) -> Result<Option<Found>, LocalFailure> {
        match lstat(&self.handle, name) {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(LocalFailure::io("look at", &self.path_of(name), errno)),
        }
    }

    /// The path of a name in this folder, for messages.
    pub(crate) fn path_of(&self, name: &[u8]) -> PathBuf {
        self.path.join(OsStr::from_bytes(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn again(&self) -> Result<Folder, LocalFailure> {
        let handle = self.handle.try_clone();
        let handle = handle.map_err(|error| LocalFailure::io("open the folder", &self.path, error))?;
        Ok(Folder { handle, path: self.path.clone() })
    }

    fn step(&self, name: &[u8], missing: Missing) -> Result<Folder, LocalFailure> {
        let path = self.path_of(name);
        let mut opened = rustix::fs::openat(&self.handle, name, BENEATH, Mode::empty());
        if missing == Missing::Make && matches!(opened, Err(Errno::NOENT)) {
            match rustix::fs::mkdirat(&self.handle, name, Mode::from_raw_mode(0o777)) {
                // Another connection of this copy may have made it meanwhile.
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(LocalFailure::io("make the folder", &path, errno)),
            }
            opened = rustix::fs::openat(&self.handle, name, BENEATH, Mode::empty());
        }
        match opened {
            Ok(handle) => Ok(Folder { handle, path }),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                Err(match lstat(&self.handle, name).map(|found| found.kind) {
                    Ok(Kind::Link) => LocalFailure::LinkInTheWay(path),
                    _ => LocalFailure::FileInTheWay(path),
                })
            }
            Err(errno) => Err(LocalFailure::io("open the folder", &path, errno)),
        }
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// A handle to reach what is in a folder; neither the right to list it nor to write to it is asked for.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const BENEATH: OFlags = FOLDER.union(OFlags::NOFOLLOW);

/// What stands under `name` in `folder`; a link is not followed.
pub(crate) fn lstat(folder: impl AsFd, name: &[u8]) -> rustix::io::Result<Found> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    rustix::fs::statx(folder, name, flags, StatxFlags::BASIC_STATS).map(found)
}

/// What a handle stands for.
pub(crate) fn fstat(handle: impl AsFd) -> rustix::io::Result<Found> {
    rustix::fs::statx(handle, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS).map(found)
}

/// What a path leads to, links followed.
pub(crate) fn stat(path: &Path) -> rustix::io::Result<Found> {
    rustix::fs::statx(CWD, path, AtFlags::NO_AUTOMOUNT, StatxFlags::BASIC_STATS).map(found)
}

fn found(raw: Statx) -> Found {
    let kind = match FileType::from_raw_mode(raw.stx_mode.into()) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        _ => Kind::Special,
    };
    Found {
        kind,
        size: raw.stx_size,
        modified: (raw.stx_mtime.tv_sec, raw.stx_mtime.tv_nsec),
        mode: u32::from(raw.stx_mode) & 0o7777,
        identity: (u64::from(raw.stx_dev_major) << 32 | u64::from(raw.stx_dev_minor), raw.stx_ino),
        owner: raw.stx_uid,
        names: raw.stx_nlink,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn made(disk: &Path) -> Folder {
        fs::create_dir(disk.join("target")).unwrap();
        Folder::open(&disk.join("target")).unwrap()
    }

    fn relative(path: &str) -> Relative {
        Relative::parse(path.as_bytes()).unwrap()
    }

    #[test]
    fn folders_beneath_are_made_on_the_way() {
        let disk = tempfile::tempdir().unwrap();
        let root = made(disk.path());
        assert!(root.beneath(&relative("a/b"), Missing::Fail).is_err());
        root.beneath(&relative("a/b"), Missing::Make).unwrap();
        assert!(disk.path().join("target/a/b").is_dir());
        root.beneath(&relative("a/b"), Missing::Fail).unwrap();
        assert_eq!(root.beneath(&Relative::default(), Missing::Fail).unwrap().path(), root.path());
    }

    #[test]
    fn a_link_in_the_target_leads_nowhere() {
        let disk = tempfile::tempdir().unwrap();
        let outside = disk.path().join("outside");
        fs::create_dir(&outside).unwrap();
        let root = made(disk.path());
        symlink(&outside, root.path().join("link")).unwrap();
        symlink(".", root.path().join("self")).unwrap();
        for path in ["link", "link/new", "self", "self/new"] {
            let refused = root.beneath(&relative(path), Missing::Make).unwrap_err();
            assert!(matches!(refused, LocalFailure::LinkInTheWay(_)), "{refused}");
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn the_users_own_link_to_the_target_is_followed() {
        let disk = tempfile::tempdir().unwrap();
        fs::create_dir(disk.path().join("real")).unwrap();
        symlink("real", disk.path().join("link")).unwrap();
        let root = Folder::open(&disk.path().join("link")).unwrap();
        root.beneath(&relative("a"), Missing::Make).unwrap();
        assert!(disk.path().join("real/a").is_dir());
    }

    #[test]
    fn a_file_where_a_folder_is_needed_is_named() {
        let disk = tempfile::tempdir().unwrap();
        fs::write(disk.path().join("file"), b"x").unwrap();
        let root = Folder::open(disk.path()).unwrap();
        let refused = root.beneath(&relative("file/a"), Missing::Make).unwrap_err();
        assert!(matches!(&refused, LocalFailure::FileInTheWay(path) if path.ends_with("file")), "{refused}");
    }

    #[test]
    fn a_folder_that_is_moved_away_while_it_is_held_takes_its_files_with_it() {
        let disk = tempfile::tempdir().unwrap();
        let root = made(disk.path());
        fs::rename(root.path(), disk.path().join("elsewhere")).unwrap();
        fs::create_dir(root.path()).unwrap();
        root.beneath(&relative("a"), Missing::Make).unwrap();
        assert!(disk.path().join("elsewhere/a").is_dir());
        assert!(!root.path().join("a").exists());
    }
}
