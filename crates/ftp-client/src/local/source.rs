//! How is a file of this machine opened for sending, so that nothing else is opened in its place?

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};

use super::failure::LocalFailure;
use super::folder::{Folder, Kind, fstat};
use crate::journal::{Moment, Version};

/// An open file, with what it was when it was opened.
#[derive(Debug)]
pub(crate) struct SourceFile {
    file: File,
    path: PathBuf,
    version: Version,
}

impl SourceFile {
    /// The file that the user named; links are the user's own and are followed.
    pub(crate) fn open(path: &Path) -> Result<SourceFile, LocalFailure> {
        let file = rustix::fs::openat(CWD, path, READ, Mode::empty());
        SourceFile::opened(file, path.to_owned())
    }

    /// A file that was found in a folder.
    //
    // SECURITY: a link put in its place since is not followed: it could lead to what was never meant to be sent.
    pub(crate) fn open_in(folder: &Folder, name: &[u8]) -> Result<SourceFile, LocalFailure> {
        let file = rustix::fs::openat(folder, name, READ | OFlags::NOFOLLOW, Mode::empty());
        SourceFile::opened(file, folder.path_of(name))
    }

    fn opened(
        file: rustix::io::Result<rustix::fd::OwnedFd>,
        path: PathBuf,
    ) -> Result<SourceFile, LocalFailure> {
        let file = File::from(file.map_err(|errno| LocalFailure::io("open", &path, errno))?);
        let found = fstat(&file).map_err(|errno| LocalFailure::io("look at", &path, errno))?;
        match found.kind {
            Kind::File => {
                let (unix_s, nanos) = found.modified;
                let version = Version { size: found.size, modified: Some(Moment { unix_s, nanos }) };
                Ok(SourceFile { file, path, version })
            }
            _ => Err(LocalFailure::NotAFile(path)),
        }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Size and time of modification when it was opened.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Whether it is still what it was when it was opened.
    pub(crate) fn is_unchanged(&self) -> Result<bool, LocalFailure> {
        let found = fstat(&self.file).map_err(|errno| LocalFailure::io("look at", &self.path, errno))?;
        let (unix_s, nanos) = found.modified;
        Ok(self.version == Version { size: found.size, modified: Some(Moment { unix_s, nanos }) })
    }
}

/// `NONBLOCK`: nobody waits for the other end of a FIFO that was a file when it was found.
const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_named_link_is_followed_and_a_found_one_is_not() {
        let disk = tempfile::tempdir().unwrap();
        fs::write(disk.path().join("letter"), b"12345").unwrap();
        symlink("letter", disk.path().join("link")).unwrap();
        let named = SourceFile::open(&disk.path().join("link")).unwrap();
        assert_eq!(named.version().size, 5);
        let folder = Folder::open(disk.path()).unwrap();
        assert!(SourceFile::open_in(&folder, b"letter").is_ok());
        assert!(SourceFile::open_in(&folder, b"link").is_err());
    }

    #[test]
    fn only_files_are_read_and_a_fifo_holds_nobody_up() {
        let disk = tempfile::tempdir().unwrap();
        let fifo = disk.path().join("fifo");
        rustix::fs::mkfifoat(CWD, &fifo, Mode::from_raw_mode(0o600)).unwrap();
        assert!(matches!(SourceFile::open(&fifo), Err(LocalFailure::NotAFile(_))));
        assert!(matches!(SourceFile::open(disk.path()), Err(LocalFailure::NotAFile(_))));
    }

    #[test]
    fn a_change_while_it_is_read_is_noticed() {
        let disk = tempfile::tempdir().unwrap();
        let path = disk.path().join("letter");
        fs::write(&path, b"12345").unwrap();
        let source = SourceFile::open(&path).unwrap();
        assert!(source.is_unchanged().unwrap());
        fs::write(&path, b"123456").unwrap();
        assert!(!source.is_unchanged().unwrap());
    }
}
