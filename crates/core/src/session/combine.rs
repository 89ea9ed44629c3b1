//! How do parts become one file? Copied behind one another, published whole, and only then removed.
//!
//! Whatever is cut short, by an error or a crash, leaves every part where it is; the target is either as it was or whole, but
//! in a store that writes in place, which keeps what it got. A crash right behind the publishing leaves the whole target and
//! parts that it already has.

use std::io::IoSlice;
use std::sync::Arc;

use crate::backend::{Backend, Delete, Kind, Located, Metadata, Read, ReadFile, Start, Stat, WriteFile};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Change, Event, Origin};
use crate::path::VirtualPath;
use crate::takeover::WriteClaim;

use super::{Core, Session};

/// How many bytes one step copies: some milliseconds of a disk's work, so that the work can be stopped.
const STEP: usize = 8 * 1024 * 1024;

/// How many bytes are read at a time.
const BUFFER: usize = 256 * 1024;

/// Parts on their way into one file. Dropped, everything is as it was.
pub struct Combining {
    /// The new target; `None` once it is published.
    file: Option<Box<dyn WriteFile>>,
    target: VirtualPath,
    look: (Arc<dyn Backend>, Located<Stat>),
    /// What the target was when the work began.
    existing: Option<Metadata>,
    parts: Vec<Part>,
    /// How many parts are copied.
    copied: usize,
    /// The part that is being copied, and how far.
    current: Option<(Box<dyn ReadFile>, u64)>,
    buffer: Vec<u8>,
    core: Arc<Core>,
    origin: Origin,
    user: String,
    /// No other session of this user writes the target meanwhile. Let go last.
    _claim: WriteClaim,
}

/// How parts were combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Combined {
    /// How many parts could not be removed. What they hold is in the target nevertheless.
    pub parts_left: usize,
}

/// A complete file that becomes a part of the target.
struct Part {
    path: VirtualPath,
    store: Arc<dyn Backend>,
    look: Located<Stat>,
    read: Located<Read>,
    delete: Located<Delete>,
    /// What it was when the work began.
    before: Metadata,
    /// No other session of this user writes it meanwhile.
    _claim: WriteClaim,
}

impl Session {
    /// Begins to put `parts` together, in this order, behind what `target` has. It takes what an upload of the target
    /// takes, and `read` and `delete` on every part. Where the store publishes files whole, nothing that exists is touched
    /// before [`Combining::finish`].
    ///
    /// [`ErrorKind::Unfinished`] where the user has an unfinished upload of any of the names, [`ErrorKind::InvalidName`]
    /// where one stands twice among them, [`ErrorKind::Busy`] while one is being written by this user.
    pub fn combine(&self, target: &VirtualPath, parts: &[VirtualPath]) -> Result<Combining> {
        self.outcome("combine parts into", target, self.try_combine(target, parts))
    }

    fn try_combine(&self, target: &VirtualPath, parts: &[VirtualPath]) -> Result<Combining> {
        let claim = self.claim_unused(target)?;
        let mut found = Vec::new();
        for (index, path) in parts.iter().enumerate() {
            if path == target || parts.iter().take(index).any(|earlier| earlier == path) {
                return Err(Error::new(ErrorKind::InvalidName).at(path));
            }
            found.push(self.part(path).map_err(|error| error.at(path))?);
        }
        let existing = self.existing_file(target)?;
        // The same file under two names would be copied behind itself, and then removed.
        let of_target = existing.as_ref().and_then(|file| file.unique);
        for (index, part) in found.iter().enumerate() {
            let earlier = found.iter().take(index).map(|part: &Part| part.before.unique).chain([of_target]);
            if part.before.unique.is_some() && earlier.into_iter().any(|unique| unique == part.before.unique)
            {
                return Err(Error::new(ErrorKind::InvalidName).at(&part.path));
            }
        }
        let (permit, start) = match &existing {
            Some(file) => (self.policy.replace(target)?, Start::CopyOf { first: file.size }),
            // Where a file appears meanwhile the parts go behind nothing: it is for the client to say what it wants then.
            None => (self.policy.create_unique(target)?, Start::Anew),
        };
        let place = self.mounts.locate(permit);
        let look = self.mounts.locate(self.policy.look(target)?);
        // Under an owner's name that nobody can log in with: what a crash leaves of this is no upload that a client knows
        // of and could go on with. It expires like one.
        let owner = format!("{}\0combining", self.account.id());
        let file = place.store.create(&place.at, &owner, start).map_err(|error| self.refused(error))?;
        if file.position() != existing.map_or(0, |file| file.size) {
            file.discard()?;
            return Err(ErrorKind::Interrupted.into());
        }
        self.told.forget(target);
        Ok(Combining {
            file: Some(file),
            target: target.clone(),
            look: (Arc::clone(look.store), look.at),
            existing,
            parts: found,
            copied: 0,
            current: None,
            buffer: vec![0; BUFFER],
            core: Arc::clone(&self.core),
            origin: self.origin.clone(),
            user: self.account.name.clone(),
            _claim: claim,
        })
    }

    fn part(&self, path: &VirtualPath) -> Result<Part> {
        let read = self.mounts.locate(self.policy.read(path)?);
        let delete = self.mounts.locate(self.policy.delete(path)?);
        let look = self.mounts.locate(self.policy.stat(path)?);
        let claim = self.claim_unused(path)?;
        let before = look.store.stat(&look.at)?;
        match before.kind {
            Kind::File => {}
            Kind::Directory => return Err(ErrorKind::IsADirectory.into()),
            Kind::Link => return Err(ErrorKind::NotFound.into()),
            Kind::Special => return Err(ErrorKind::NotAFile.into()),
        }
        let store = Arc::clone(look.store);
        let path = path.clone();
        Ok(Part { path, store, look: look.at, read: read.at, delete: delete.at, before, _claim: claim })
    }

    /// Claims a name of which this user has nothing unfinished. A live upload of it is not stopped: its bytes are the
    /// ones that are still missing.
    fn claim_unused(&self, path: &VirtualPath) -> Result<WriteClaim> {
        let claim = self.core.uploads.claim_free(self.upload_key(path));
        let claim = claim.map_err(|kind| Error::new(kind).at(path))?;
        match self.partial(path)? {
            Some(_) => Err(Error::new(ErrorKind::Unfinished).at(path)),
            None => Ok(claim),
        }
    }
}

impl Combining {
    /// Copies the next piece; whether it was the last. After an error the work can only be dropped.
    pub fn step(&mut self) -> Result<bool> {
        let outcome = self.copy_piece();
        outcome.map_err(|error| self.failed("combine parts into", error))
    }

    /// Publishes the target, as durably as the store is configured, and then removes the parts.
    pub fn finish(mut self) -> Result<Combined> {
        while !self.step()? {}
        let published = self.publish();
        published.map_err(|error| self.failed("publish", error))?;
        self.file = None;
        self.tell(Change::Combined { target: self.target.clone(), parts: self.parts.len() });
        let parts = std::mem::take(&mut self.parts);
        let parts_left = parts.iter().filter(|part| !self.remove(part)).count();
        Ok(Combined { parts_left })
    }

    fn publish(&mut self) -> Result<()> {
        let Some(file) = &mut self.file else { return Err(ErrorKind::Interrupted.into()) };
        if let Some(existing) = &self.existing {
            let (store, at) = &self.look;
            let now = store.stat(at)?;
            // The same file, as long as it was, or, in a store that writes in place, as it is to be. Else somebody has
            // replaced it or added to it since it was copied, and that would be lost.
            let is_rewritten = now.size == existing.size && now.modified != existing.modified;
            if now.unique != existing.unique
                || is_rewritten
                || ![existing.size, file.position()].contains(&now.size)
            {
                return Err(ErrorKind::Interrupted.into());
            }
        }
        file.publish().map(drop)
    }

    fn copy_piece(&mut self) -> Result<bool> {
        let Some(file) = &mut self.file else { return Err(ErrorKind::Interrupted.into()) };
        if !file.prepare()? {
            return Ok(false);
        }
        let mut left = STEP;
        while left > 0 {
            let Some(part) = self.parts.get(self.copied) else { return Ok(true) };
            let (source, position) = match &mut self.current {
                Some(current) => current,
                None => self.current.insert((part.store.open(&part.read)?, 0)),
            };
            let count = source.read_at(*position, &mut self.buffer)?;
            file.write(&[IoSlice::new(self.buffer.get(..count).unwrap_or_default())])?;
            *position += count as u64;
            // Grown since it was looked at: somebody is still writing it, and it may never end.
            if *position > part.before.size {
                return Err(Error::new(ErrorKind::Interrupted).at(&part.path));
            }
            left = left.saturating_sub(count.max(1));
            if count == 0 {
                // Cut since it was looked at.
                if *position != part.before.size {
                    return Err(Error::new(ErrorKind::Interrupted).at(&part.path));
                }
                self.current = None;
                self.copied += 1;
            }
        }
        Ok(false)
    }

    /// Removes a part if it is still the one that was copied; whether it is gone.
    fn remove(&self, part: &Part) -> bool {
        let removed = match part.store.stat(&part.look) {
            // Somebody else put another file there: its bytes are in no target.
            Ok(now) if now != part.before => Err(ErrorKind::Interrupted.into()),
            Ok(_) => part.store.remove_file(&part.delete),
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) => {
                self.tell(Change::Deleted(part.path.clone()));
                true
            }
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            Err(error) => {
                let error = error.at(&part.path);
                self.core.failed(&self.origin, &self.user, "remove a part of a file", &part.path, &error);
                false
            }
        }
    }

    fn failed(&self, what: &'static str, error: Error) -> Error {
        let error = error.at(&self.target);
        if let ErrorKind::Limit(limit) = error.kind() {
            self.core.limit_reached(&self.origin, &self.user, limit);
        }
        self.core.failed(&self.origin, &self.user, what, &self.target, &error);
        error
    }

    fn tell(&self, change: Change) {
        let (origin, user) = (self.origin.clone(), self.user.clone());
        self.core.events.emit(&Event::FileChanged { origin, user, change });
    }
}

impl Drop for Combining {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.file.take().map(|file| file.discard()) {
            self.failed("give up", error);
        }
    }
}
