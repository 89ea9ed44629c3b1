//! What is in a folder of this machine?

use carrack_ftp_proto::client::{BadName, EntryName};
use rustix::fs::{Dir, Mode, OFlags};
use rustix::io::Errno;

use super::failure::LocalFailure;
use super::folder::{Folder, Found, lstat};

/// The names in a folder, as the kernel hands them out.
pub(crate) struct Scan {
    folder: Folder,
    names: Dir,
}

/// One of them.
pub(crate) enum Scanned {
    /// What stands under a name. A link is not followed.
    Entry(EntryName, Found),
    /// A name that FTP has no way to say.
    Unspeakable(Vec<u8>, BadName),
}

impl Scan {
    pub(crate) fn begin(folder: Folder) -> Result<Scan, LocalFailure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&folder, c".", flags, Mode::empty()).and_then(Dir::new);
        let names = opened.map_err(|errno| LocalFailure::io("list", folder.path(), errno))?;
        Ok(Scan { folder, names })
    }
}

impl Iterator for Scan {
    type Item = Result<Scanned, LocalFailure>;

    fn next(&mut self) -> Option<Result<Scanned, LocalFailure>> {
        loop {
            let entry = match self.names.read()? {
                Ok(entry) => entry,
                Err(errno) => return Some(Err(LocalFailure::io("list", self.folder.path(), errno))),
            };
            let raw = entry.file_name().to_bytes();
            let name = match EntryName::parse(raw) {
                Ok(name) => name,
                Err(BadName::Dots) => continue,
                Err(why) => return Some(Ok(Scanned::Unspeakable(raw.to_vec(), why))),
            };
            return match lstat(&self.folder, raw) {
                Ok(found) => Some(Ok(Scanned::Entry(name, found))),
                // Removed since the folder was read.
                Err(Errno::NOENT) => continue,
                Err(errno) => Some(Err(LocalFailure::io("look at", &self.folder.path_of(raw), errno))),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::local::folder::Kind;

    #[test]
    fn everything_but_the_dots_is_found_and_links_are_not_followed() {
        let disk = tempfile::tempdir().unwrap();
        fs::write(disk.path().join(".file"), b"12345").unwrap();
        fs::create_dir(disk.path().join("folder")).unwrap();
        symlink("folder", disk.path().join("link")).unwrap();
        fs::write(disk.path().join("two\nlines"), b"").unwrap();
        let mut found: Vec<_> = Scan::begin(Folder::open(disk.path()).unwrap())
            .unwrap()
            .map(|scanned| match scanned.unwrap() {
                Scanned::Entry(name, found) => (name.escaped().to_string(), Some((found.kind, found.size))),
                Scanned::Unspeakable(name, why) => {
                    assert_eq!(why, BadName::ForbiddenByte);
                    (name.escape_ascii().to_string(), None)
                }
            })
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        let kind_of = |name: &str| found.iter().find(|entry| entry.0 == name).unwrap().1;
        assert_eq!(kind_of(".file"), Some((Kind::File, 5)));
        assert_eq!(kind_of("folder").unwrap().0, Kind::Folder);
        assert_eq!(kind_of("link").unwrap().0, Kind::Link);
        assert_eq!(kind_of("two\\nlines"), None);
        assert_eq!(found.len(), 4);
    }
}
