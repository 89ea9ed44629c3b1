//! What is there, and how far did an upload get?

use crate::backend::{Kind, Metadata};
use crate::error::{Error, ErrorKind, Result};
use crate::path::VirtualPath;

use super::Session;

impl Session {
    /// What rests under `path`, complete files only.
    pub fn stat(&self, path: &VirtualPath) -> Result<Metadata> {
        let place = self.mounts.locate(self.policy.stat(path)?);
        place.store.stat(&place.at).map_err(|error| error.at(path))
    }

    /// What this user finds under `path`: his unfinished upload while there is one, even over a complete file.
    pub fn facts(&self, path: &VirtualPath) -> Result<Metadata> {
        match self.partial(path)? {
            Some(partial) => Ok(partial),
            None => self.stat(path),
        }
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
    pub(super) fn partial(&self, path: &VirtualPath) -> Result<Option<Metadata>> {
        let Ok(permit) = self.policy.resume(path) else { return Ok(None) };
        let place = self.mounts.locate(permit);
        place.store.partial(&place.at, &self.account.name).map_err(|error| error.at(path))
    }
}
