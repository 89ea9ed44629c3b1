//! How does an upload begin? Here stand all rules about unfinished uploads that clients resume by.
//!
//! While a user has an unfinished upload of a name (a *partial*, of which p bytes are offered, see
//! [`Partial::offer`]), that name is the partial for this user, even over a complete file:
//!
//! | asked for            | with a partial                | no partial, a file of s bytes                    | nothing there |
//! |----------------------|-------------------------------|--------------------------------------------------|---------------|
//! | `Replace`, `From(0)` | anew                          | anew                                             | anew          |
//! | `From(n)`            | go on if n = p, else mismatch | n < s: copy of n; n = s: in place; else mismatch | mismatch      |
//! | `Append`, told t     | go on if t = p, else mismatch | in place if t = s, else mismatch                 | anew if t = 0 |
//! | `Append`, not told   | over a file: as without partial; else mismatch | in place                        | anew          |
//!
//! `Range(a..b)` is `From(a)` where no complete file goes on behind b, and must end at b; else it is
//! [`ErrorKind::Unsupported`]: no store has a way to change the middle of a file that is whole or not at all.
//!
//! *Told* is the length that this session was last told of the name. `Append` names no place itself, so its bytes
//! go where the client was told that the file ends, or, from a client that never asked, behind the complete file.

use std::ops::Range;

use crate::backend::{Capability, Kind, Metadata, Partial, Start, WriteFile};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Direction;
use crate::limits::Allowance;
use crate::path::{MAX_NAME, Name, VirtualPath};
use crate::policy::{Permit, Write};
use crate::takeover::{TAKEOVER_PATIENCE, WriteClaim};
use crate::upload::{IfCut, Upload, Uploader};

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
    /// These bytes, all of them and no others.
    Range(Range<u64>),
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
        self.open_announced(path, mode, None)
    }

    /// The same for a file that is to have `announced` bytes in all: where there is no room for it, not even its first byte is asked for.
    pub fn open_announced(
        &self,
        path: &VirtualPath,
        mode: WriteMode,
        announced: Option<u64>,
    ) -> Result<Upload> {
        match mode {
            WriteMode::Unique { suggestion } => {
                let opened = self.open_unique(path, suggestion.as_ref(), announced);
                self.outcome("begin an upload into", path, opened)
            }
            mode => {
                // Behind an offset nobody can tell whether the whole is meant or what is missing.
                let announced = announced.filter(|_| mode == WriteMode::Replace);
                self.outcome("begin an upload of", path, self.open_named(path, mode, announced))
            }
        }
    }

    /// The file, where what is announced of it fits.
    fn fitting(&self, file: Box<dyn WriteFile>, announced: Option<u64>) -> Result<Box<dyn WriteFile>> {
        match announced.map_or(Ok(()), |length| file.fits(length)) {
            Ok(()) => Ok(file),
            Err(error) => {
                file.discard()?;
                Err(self.refused(error))
            }
        }
    }

    fn open_named(&self, path: &VirtualPath, mode: WriteMode, announced: Option<u64>) -> Result<Upload> {
        let permit = self.permit_upload(path)?;
        let mut allowance = self.allot_of_session(0).map_err(|limit| self.reached(limit))?;
        let claim = self.claim(path)?;
        // Only now: one's own upload of the same name has just given its place up.
        self.begin(&mut allowance, Direction::Upload).map_err(|limit| self.reached(limit))?;
        let ends_at = if let WriteMode::Range(range) = &mode { Some(range.end) } else { None };
        let (start, position) = match mode {
            // What is there does not matter.
            WriteMode::Replace => (Start::Anew, 0),
            mode => {
                let partial = self.partial(path)?;
                let existing = self.existing_file(path)?;
                // SECURITY: compared under the claim. An old writer may have gone on since the client asked.
                let told = self.told.length(path);
                begin(mode, told, partial.as_ref(), existing.as_ref())?
            }
        };
        let place = self.mounts.locate(permit);
        if start == Start::InPlace && !place.store.capabilities().has(Capability::Append) {
            return Err(ErrorKind::Unsupported.into());
        }
        let file = place.store.create(&place.at, &self.account.id(), start);
        let file = file.map_err(|error| self.refused(error))?;
        // The file may have changed since we looked. A client's bytes go where it meant them to, or nowhere.
        let length = file.position();
        if length != position {
            file.discard()?;
            return Err(ErrorKind::OffsetMismatch { length }.into());
        }
        let file = self.fitting(file, announced)?;
        self.told.forget(path);
        let start = Started { start, ends_at, allowance };
        Ok(self.upload(file, claim, path.clone(), start))
    }

    /// What writing this name takes: `write` where nothing is, `overwrite` over a complete file.
    fn permit_upload(&self, path: &VirtualPath) -> Result<Permit<Write>> {
        match self.existing_file(path)? {
            Some(_) => self.policy.replace(path),
            None => self.policy.create(path),
        }
    }

    /// The complete file under this name. Anything else that stands there is an error.
    pub(super) fn existing_file(&self, path: &VirtualPath) -> Result<Option<Metadata>> {
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
    pub(super) fn claim(&self, path: &VirtualPath) -> Result<WriteClaim> {
        let key = self.upload_key(path);
        // Strangers share a shared account: none of them may stop another's upload.
        let claim = if self.account.shared {
            self.core.uploads.claim_free(key)
        } else {
            self.core.uploads.take_over(key, TAKEOVER_PATIENCE)
        };
        claim.map_err(Error::new)
    }

    fn open_unique(
        &self,
        folder: &VirtualPath,
        suggestion: Option<&Name>,
        announced: Option<u64>,
    ) -> Result<Upload> {
        for attempt in 0..UNIQUE_ATTEMPTS {
            let path = folder.child(&unique_name(suggestion, attempt)?)?;
            let permit = self.policy.create_unique(&path)?;
            let Ok(claim) = self.core.uploads.claim_free(self.upload_key(&path)) else { continue };
            if self.partial(&path)?.is_some() || self.is_taken(&path)? {
                continue;
            }
            let allowance = self.allot(Direction::Upload, 0).map_err(|limit| self.reached(limit))?;
            let place = self.mounts.locate(permit);
            let file = place
                .store
                .create(&place.at, &self.account.id(), Start::Anew)
                .map_err(|error| self.refused(error).at(&path))?;
            let file = self.fitting(file, announced).map_err(|error| error.at(&path))?;
            let start = Started { start: Start::Anew, ends_at: None, allowance };
            return Ok(self.upload(file, claim, path, start));
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

    fn upload(
        &self,
        file: Box<dyn WriteFile>,
        claim: WriteClaim,
        path: VirtualPath,
        Started { start, ends_at, allowance }: Started,
    ) -> Upload {
        let (origin, user) = (self.origin.clone(), self.account.name.clone());
        // What was there before did not pass by here.
        let digest = if start == Start::Anew { self.digest_of_uploads() } else { None };
        // SECURITY: strangers who share an account must not find each other's halves.
        let if_cut = if self.account.shared { IfCut::Discard } else { IfCut::Keep };
        Upload::new(
            file,
            claim,
            Uploader {
                core: self.core.clone(),
                origin,
                user,
                digest,
                ends_at,
                allowance: allowance.opened(),
            },
            path,
            if_cut,
        )
    }
}

/// How an upload begins.
struct Started {
    start: Start,
    ends_at: Option<u64>,
    allowance: Allowance,
}

/// The table at the top of this file: how to start, and at which byte.
fn begin(
    mode: WriteMode,
    told: Option<u64>,
    partial: Option<&Partial>,
    existing: Option<&Metadata>,
) -> Result<(Start, u64)> {
    let mismatch = |length| Err(ErrorKind::OffsetMismatch { length }.into());
    let mode = match mode {
        WriteMode::Range(range) if existing.is_some_and(|file| file.size > range.end) => {
            return Err(ErrorKind::Unsupported.into());
        }
        WriteMode::Range(range) => WriteMode::From(range.start),
        mode => mode,
    };
    let (offset, partial) = match (mode, told, partial) {
        (WriteMode::Replace | WriteMode::From(0) | WriteMode::Unique { .. }, _, _) => {
            return Ok((Start::Anew, 0));
        }
        (WriteMode::Range(_), ..) => return Err(ErrorKind::Unsupported.into()),
        (WriteMode::From(offset), _, partial) => (Some(offset), partial),
        (WriteMode::Append, Some(told), partial) => {
            // Behind what the client was told, and nowhere else: an append rewrites nothing.
            let end = partial.map(Partial::offer).or(existing.map(|file| file.size)).unwrap_or(0);
            if told != end {
                return mismatch(end);
            }
            (None, partial)
        }
        // Whoever never asked does not know of the partial, and means the file.
        (WriteMode::Append, None, _) if existing.is_some() => (None, None),
        (WriteMode::Append, None, Some(partial)) => return mismatch(partial.offer()),
        (WriteMode::Append, None, None) => (None, None),
    };
    match (offset, partial, existing) {
        (Some(offset), Some(partial), _) if offset != partial.offer() => mismatch(partial.offer()),
        (_, Some(partial), _) => Ok((Start::Continue, partial.offer())),
        (Some(offset), None, Some(file)) if offset < file.size => {
            Ok((Start::CopyOf { first: offset }, offset))
        }
        (Some(offset), None, Some(file)) if offset > file.size => mismatch(file.size),
        (_, None, Some(file)) => Ok((Start::InPlace, file.size)),
        (Some(_), None, None) => mismatch(0),
        (None, None, None) => Ok((Start::Anew, 0)),
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
