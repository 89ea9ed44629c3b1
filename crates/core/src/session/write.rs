//! How does an upload begin? Here stand all rules about unfinished uploads that clients resume by.
//!
//! While a user has an unfinished upload of a name (a *partial*), that name is the partial for this user, even over a
//! complete file:
//!
//! | asked for          | with a partial of p bytes      | no partial, a file of s bytes                 | nothing there |
//! |--------------------|--------------------------------|-----------------------------------------------|---------------|
//! | `Replace`, `From(0)` | anew                         | anew                                          | anew          |
//! | `From(n)`          | go on if n = p, else mismatch  | n < s: copy of n; n = s: in place; else mismatch | mismatch   |
//! | `Append`           | go on                          | in place                                      | anew          |

use crate::backend::{Capability, Kind, Metadata, Start, WriteFile};
use crate::error::{Error, ErrorKind, Result};
use crate::path::{MAX_NAME, Name, VirtualPath};
use crate::policy::{Permit, Write};
use crate::takeover::{Claim, TAKEOVER_PATIENCE};
use crate::upload::{Upload, Uploader};

use super::Session;

/// How many names are tried for [`WriteMode::Unique`] before giving up; each after the first is random.
const UNIQUE_ATTEMPTS: u32 = 8;

/// Where the bytes of an upload go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// From the beginning; a file that is there is replaced in the end.
    Replace,
    /// From this offset on.
    From(u64),
    /// Behind what is there.
    Append,
    /// From the beginning, into the folder that the path names, under a name that is not there yet.
    Unique {
        /// Taken if it is free, and else the beginning of an invented name.
        suggestion: Option<Name>,
    },
}

impl Session {
    /// Begins an upload. Every refusal comes from here, before anything that exists is touched; the one exception
    /// is that the user's own live upload of the same name is stopped first, as it would otherwise go on growing.
    pub fn open_write(&self, path: &VirtualPath, mode: WriteMode) -> Result<Upload> {
        match mode {
            WriteMode::Unique { suggestion } => self.open_unique(path, suggestion.as_ref()),
            mode => self.open_named(path, mode).map_err(|error| error.at(path)),
        }
    }

    fn open_named(&self, path: &VirtualPath, mode: WriteMode) -> Result<Upload> {
        let permit = self.permit_upload(path)?;
        let claim = self.claim(path)?;
        let partial = self.partial(path)?;
        let existing = self.existing_file(path)?;
        let (start, position) = begin(mode, partial.as_ref(), existing.as_ref())?;
        let place = self.mounts.locate(permit);
        if start == Start::InPlace && !place.store.capabilities().has(Capability::Append) {
            return Err(ErrorKind::Unsupported.into());
        }
        let file = place.store.create(&place.at, &self.account.name, start)?;
        // The file may have changed since we looked. A client's bytes go where it meant them to, or nowhere.
        let length = file.position();
        if length != position {
            file.discard()?;
            return Err(ErrorKind::OffsetMismatch { length }.into());
        }
        Ok(self.upload(file, claim, path.clone()))
    }

    /// What writing this name takes: `write` where nothing is, `overwrite` over a complete file.
    fn permit_upload(&self, path: &VirtualPath) -> Result<Permit<Write>> {
        match self.existing_file(path)? {
            Some(_) => self.policy.replace(path),
            None => self.policy.create(path),
        }
    }

    /// The complete file under this name. Anything else that stands there is an error.
    fn existing_file(&self, path: &VirtualPath) -> Result<Option<Metadata>> {
        // Who may not upload here learns nothing, not even whether the name is taken.
        self.policy.resume(path)?;
        let place = self.mounts.locate(self.policy.look(path)?);
        let metadata = match place.store.stat(&place.at) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match metadata.kind {
            Kind::File => Ok(Some(metadata)),
            Kind::Directory => Err(ErrorKind::IsADirectory.into()),
            Kind::Link => Err(ErrorKind::Forbidden.into()),
            Kind::Special => Err(ErrorKind::NotAFile.into()),
        }
    }

    /// Makes this session the only writer of the name among the user's sessions.
    pub(super) fn claim(&self, path: &VirtualPath) -> Result<Claim> {
        let key = self.upload_key(path);
        // Strangers share a shared account: none of them may stop another's upload.
        let claim = if self.account.shared {
            self.core.uploads.claim_free(key)
        } else {
            self.core.uploads.take_over(key, TAKEOVER_PATIENCE)
        };
        claim.map_err(Error::new)
    }

    fn open_unique(&self, folder: &VirtualPath, suggestion: Option<&Name>) -> Result<Upload> {
        for attempt in 0..UNIQUE_ATTEMPTS {
            let path = folder.child(&unique_name(suggestion, attempt)?)?;
            let permit = self.policy.create_unique(&path)?;
            let Ok(claim) = self.core.uploads.claim_free(self.upload_key(&path)) else { continue };
            if self.partial(&path)?.is_some() || self.is_taken(&path)? {
                continue;
            }
            let place = self.mounts.locate(permit);
            let file = place
                .store
                .create(&place.at, &self.account.name, Start::Anew)
                .map_err(|error| error.at(&path))?;
            return Ok(self.upload(file, claim, path));
        }
        Err(Error::new(ErrorKind::Exists).at(folder))
    }

    fn is_taken(&self, path: &VirtualPath) -> Result<bool> {
        let place = self.mounts.locate(self.policy.look(path)?);
        match place.store.stat(&place.at) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.at(path)),
        }
    }

    fn upload(&self, file: Box<dyn WriteFile>, claim: Claim, path: VirtualPath) -> Upload {
        let (origin, user) = (self.origin.clone(), self.account.name.clone());
        Upload::new(file, claim, Uploader { core: self.core.clone(), origin, user }, path)
    }
}

/// The table at the top of this file: how to start, and at which byte.
fn begin(mode: WriteMode, partial: Option<&Metadata>, existing: Option<&Metadata>) -> Result<(Start, u64)> {
    let mismatch = |length| Err(ErrorKind::OffsetMismatch { length }.into());
    match (mode, partial, existing) {
        (WriteMode::Replace | WriteMode::From(0) | WriteMode::Unique { .. }, _, _) => Ok((Start::Anew, 0)),
        (WriteMode::From(offset), Some(partial), _) if offset != partial.size => mismatch(partial.size),
        (WriteMode::From(_) | WriteMode::Append, Some(partial), _) => Ok((Start::Continue, partial.size)),
        (WriteMode::From(offset), None, Some(file)) if offset < file.size => {
            Ok((Start::CopyOf { first: offset }, offset))
        }
        (WriteMode::From(offset), None, Some(file)) if offset > file.size => mismatch(file.size),
        (WriteMode::From(_) | WriteMode::Append, None, Some(file)) => Ok((Start::InPlace, file.size)),
        (WriteMode::From(_), None, None) => mismatch(0),
        (WriteMode::Append, None, None) => Ok((Start::Anew, 0)),
    }
}

fn unique_name(suggestion: Option<&Name>, attempt: u32) -> Result<Name> {
    let stem = match suggestion {
        Some(name) if attempt == 0 => return Ok(name.clone()),
        Some(name) => name.as_bytes(),
        None => b"upload",
    };
    let mut random = [0; 8];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| ErrorKind::Io)?;
    let suffix = format!(".{:016x}", u64::from_be_bytes(random));
    let stem = stem.get(..MAX_NAME - suffix.len()).unwrap_or(stem);
    Ok(Name::parse(&[stem, suffix.as_bytes()].concat())?)
}
