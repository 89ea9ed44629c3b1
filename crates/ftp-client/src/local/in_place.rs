//! How is a file of this machine written on, behind what it has?

use std::fs::File;

use carrack_ftp_proto::client::EntryName;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::failure::LocalFailure;
use super::folder::{Folder, Kind, Missing, fstat};

/// A file that keeps what it has, locked against another Carrack.
#[derive(Debug)]
pub(crate) struct InPlace {
    pub(crate) file: File,
    /// Bytes it had when it was opened.
    pub(crate) length: u64,
}

impl InPlace {
    /// Opens a file of a folder; a symbolic link is not followed.
    pub(crate) fn open(folder: &Folder, name: &EntryName, missing: Missing) -> Result<InPlace, LocalFailure> {
        let path = folder.path_of(name.as_bytes());
        match folder.find(name.as_bytes())?.map(|found| found.kind) {
            Some(Kind::Folder) => return Err(LocalFailure::FolderInTheWay(path)),
            Some(Kind::Special) => return Err(LocalFailure::NotAFile(path)),
            Some(Kind::Link) => return Err(LocalFailure::LinkInTheWay(path)),
            Some(Kind::File) | None => {}
        }
        let create = match missing {
            Missing::Make => OFlags::CREATE,
            Missing::Fail => OFlags::empty(),
        };
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | create;
        let file = rustix::fs::openat(folder, name.as_bytes(), flags, Mode::from_raw_mode(0o666));
        let file = File::from(file.map_err(|errno| LocalFailure::io("open", &path, errno))?);
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) | Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(Errno::WOULDBLOCK) => return Err(LocalFailure::Busy(path)),
            Err(errno) => return Err(LocalFailure::io("lock", &path, errno)),
        }
        let found = fstat(&file).map_err(|errno| LocalFailure::io("look at", &path, errno))?;
        match found.kind {
            Kind::File => Ok(InPlace { file, length: found.size }),
            _ => Err(LocalFailure::NotAFile(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_opened_as_it_is_and_nothing_else_is() {
        let disk = tempfile::tempdir().unwrap();
        let folder = Folder::open(disk.path()).unwrap();
        let name = |name: &str| EntryName::parse(name.as_bytes()).unwrap();
        fs::write(disk.path().join("log"), b"12345").unwrap();
        let open = InPlace::open(&folder, &name("log"), Missing::Fail).unwrap();
        assert_eq!(open.length, 5);
        assert!(matches!(InPlace::open(&folder, &name("log"), Missing::Fail), Err(LocalFailure::Busy(_))));
        assert!(matches!(InPlace::open(&folder, &name("new"), Missing::Fail), Err(LocalFailure::Io { .. })));
        assert_eq!(InPlace::open(&folder, &name("new"), Missing::Make).unwrap().length, 0);
        symlink("log", disk.path().join("link")).unwrap();
        assert!(matches!(
            InPlace::open(&folder, &name("link"), Missing::Make),
            Err(LocalFailure::LinkInTheWay(_))
        ));
    }
}
