//! In which files does one identity lie, and have they changed?

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use carrack_tls::{Identity, IdentityError};

use crate::config::Tls;

/// The files of one identity.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    key: PathBuf,
    staple: Option<PathBuf>,
}

/// What files were like at one moment; `None` where there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<Option<FileStamp>>);

/// What tells one state of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    changed: (i64, i64),
    length: u64,
}

/// An identity that can be shown, and what is wrong with its staple.
pub(super) struct Loaded {
    pub(super) identity: Identity,
    pub(super) staple: Result<(), IdentityError>,
}

impl Stamp {
    /// What these files are like now. Links are followed: renewing programs exchange links.
    pub(crate) fn of<'p>(paths: impl IntoIterator<Item = &'p PathBuf>) -> Stamp {
        let stamp = |path: &Path| {
            let file = std::fs::metadata(path).ok()?;
            Some(FileStamp {
                device: file.dev(),
                inode: file.ino(),
                changed: (file.mtime(), file.mtime_nsec()),
                length: file.size(),
            })
        };
        Stamp(paths.into_iter().map(|path| stamp(path)).collect())
    }
}

impl Files {
    /// Those that a configuration names, the default's first.
    pub(crate) fn of(tls: &Tls) -> Vec<Files> {
        let default = tls.certificate.as_ref().zip(tls.key.as_ref());
        let default = default.map(|(certificate, key)| (certificate, key, &tls.staple));
        let further = tls.identity.iter().map(|row| (&row.certificate, &row.key, &row.staple));
        default
            .into_iter()
            .chain(further)
            .map(|(certificate, key, staple)| Files {
                certificate: certificate.clone(),
                key: key.clone(),
                staple: staple.clone(),
            })
            .collect()
    }

    /// Certificate and key in one file.
    pub(crate) fn both_in(file: PathBuf) -> Files {
        Files { certificate: file.clone(), key: file, staple: None }
    }

    /// Whether there is a certificate.
    pub(super) fn are_there(&self) -> bool {
        self.certificate.exists()
    }

    /// The identity, where there is one.
    pub(super) fn issued(&self) -> Result<Option<Identity>, IdentityError> {
        if self.are_there() { Identity::load(&self.certificate, &self.key).map(Some) } else { Ok(None) }
    }

    /// What they are like now.
    pub(super) fn stamp(&self) -> Stamp {
        let paths = [Some(&self.certificate), Some(&self.key), self.staple.as_ref()];
        Stamp::of(paths.into_iter().flatten())
    }

    /// Loads it. A staple that is of no use keeps no certificate out; the one before goes on where it is for this certificate.
    pub(super) fn load(&self, before: &Identity) -> Result<Loaded, IdentityError> {
        let identity = Identity::load(&self.certificate, &self.key)?;
        let Some(staple) = &self.staple else { return Ok(Loaded { identity, staple: Ok(()) }) };
        Ok(match identity.with_staple(staple) {
            Ok(identity) => Loaded { identity, staple: Ok(()) },
            Err(error) => Loaded { identity: identity.with_staple_of(before), staple: Err(error) },
        })
    }
}
