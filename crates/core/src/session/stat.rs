//! What is there, and how far did an upload get?

use crate::backend::{Kind, Metadata, Partial};
use crate::error::{Error, ErrorKind, Result};
use crate::path::VirtualPath;

use super::Session;

impl Session {
    /// What rests under `path`, complete files only.
    pub fn stat(&self, path: &VirtualPath) -> Result<Metadata> {
        let place = self.mounts.locate(self.policy.stat(path)?);
        self.outcome("look at", path, place.store.stat(&place.at))
    }

    /// What this user finds under `path`: his unfinished upload while there is one, even over a complete file, but
    /// not over a folder. The length that this tells is the one at which an `Append` of this session goes on.
    pub fn facts(&self, path: &VirtualPath) -> Result<Metadata> {
        // What a failure leaves the client with is no length.
        self.told.forget(path);
        let partial = self.outcome("look for an unfinished upload of", path, self.partial(path))?;
        let metadata = match partial {
            Some(partial) if !self.is_folder(path) => partial.facts(),
            Some(_) | None => self.stat(path)?,
        };
        if metadata.kind == Kind::File {
            self.told.remember(path, metadata.size);
        }
        Ok(metadata)
    }

    /// The length at which a transfer of `path` would go on, by the rule of [`facts`](Session::facts).
    pub fn size_of(&self, path: &VirtualPath) -> Result<u64> {
        let metadata = self.facts(path)?;
        match metadata.kind {
            Kind::File => Ok(metadata.size),
            Kind::Directory => Err(Error::new(ErrorKind::IsADirectory).at(path)),
            Kind::Link => Err(Error::new(ErrorKind::NotFound).at(path)),
            Kind::Special => Err(Error::new(ErrorKind::NotAFile).at(path)),
        }
    }

    /// This user's unfinished upload of `path`. Who may not upload there has none.
    pub(super) fn partial(&self, path: &VirtualPath) -> Result<Option<Partial>> {
        // SECURITY: what a stranger left unfinished is not for the next one to see or to go on with.
        if self.account.shared {
            return Ok(None);
        }
        let Ok(permit) = self.policy.resume(path) else { return Ok(None) };
        let place = self.mounts.locate(permit);
        place.store.partial(&place.at, &self.account.id()).map_err(|error| error.at(path))
    }

    fn is_folder(&self, path: &VirtualPath) -> bool {
        let Ok(permit) = self.policy.look(path) else { return false };
        let place = self.mounts.locate(permit);
        place.store.stat(&place.at).is_ok_and(|found| found.kind == Kind::Directory)
    }
}
