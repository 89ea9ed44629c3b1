//! Where is `~/.netrc`, may others read it, and what does it say about a server?
//!
//! Of a file that others may read, curl says nothing and ftp(1) takes nothing. We take it and say so: the harm, if any, was
//! done before, and a script that worked with curl works here.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use carrack_ftp_client::netrc::{self, Found};
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::program::quoted;

/// The entries of a file.
#[derive(Debug, Default)]
pub(crate) struct Netrc {
    path: PathBuf,
    readable_by_others: bool,
    entries: netrc::Netrc,
}

impl Netrc {
    /// `~/.netrc`; without entries where there is none.
    pub(crate) fn load() -> Result<Netrc, Failure> {
        match std::env::var_os("HOME") {
            Some(home) => Self::read(&Path::new(&home).join(".netrc")),
            None => Ok(Netrc::default()),
        }
    }

    fn read(path: &Path) -> Result<Netrc, Failure> {
        let unreadable =
            |error: io::Error| Failure::failed(format!("{} cannot be read: {error}", path.display()));
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Netrc::default()),
            Err(error) => return Err(unreadable(error)),
        };
        let mode = file.metadata().map_err(unreadable)?.mode();
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(unreadable)?;
        let entries = netrc::Netrc::parse(&text)
            .map_err(|problem| Failure::failed(format!("{}, {problem}", path.display())))?;
        Ok(Netrc { path: path.to_owned(), readable_by_others: mode & 0o077 != 0, entries })
    }

    /// Who logs in to a host, and with what.
    pub(crate) fn find(&self, host: &str, user: Option<&str>) -> Option<Found<'_>> {
        self.entries.find(host, user)
    }

    /// What should be said about the file once a password was taken from it.
    pub(crate) fn warning(&self) -> Option<String> {
        self.readable_by_others.then(|| {
            format!(
                "{} holds passwords and can be read by other users; `chmod 600 {}` keeps it to you",
                self.path.display(),
                quoted(&self.path.to_string_lossy())
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_that_others_may_read_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".netrc");
        assert!(Netrc::read(&path).unwrap().find("other.example", None).is_none());
        std::fs::write(&path, "machine other.example login carol password x").unwrap();
        for (mode, told) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let netrc = Netrc::read(&path).unwrap();
            assert_eq!(netrc.warning().is_some_and(|text| text.contains("chmod 600")), told, "{mode:o}");
            assert_eq!(netrc.find("other.example", None).unwrap().user, "carol");
        }
    }

    #[test]
    fn a_damaged_file_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".netrc");
        std::fs::write(&path, "machine h\nlogin \"alice\n").unwrap();
        let told = Netrc::read(&path).unwrap_err().text().to_owned();
        assert!(told.contains(".netrc, line 2: a quotation mark is not closed"), "{told}");
    }
}
