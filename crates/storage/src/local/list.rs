//! What is in a folder? Streamed from the kernel, with one `statx` for each entry.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use carrack_core::backend::{Entry, Kind, Metadata, Partial, PartialRecord};
use carrack_core::error::Result;
use carrack_core::path::{Name, RESERVED_PREFIX, VirtualPath};
use rustix::io::Errno;
use rustix::path::Arg;

use super::errno::failed;
use super::names::Names;
use super::partial::partial_name;
use super::resolve::{join, location, lstat};
use super::stat::metadata;
use super::{Partials, Shared};

/// The entries of one folder.
pub(super) struct LocalListing {
    folder: Folder,
    names: Names,
}

/// A folder that is listed.
struct Folder {
    shared: Arc<Shared>,
    dir: OwnedFd,
    path: VirtualPath,
    /// Names that no client sees: excluded folders.
    hidden: Vec<Vec<u8>>,
    /// The folder's absolute path and whose unfinished uploads are shown, where any are.
    shown: Option<(Vec<u8>, String)>,
}

impl LocalListing {
    pub(super) fn open(
        shared: &Arc<Shared>,
        path: &VirtualPath,
        owner: Option<&str>,
    ) -> Result<LocalListing> {
        let dir = shared.root.directory(path)?;
        let shown = match (shared.settings.partials, owner) {
            (Partials::Hidden, _) | (_, None) => None,
            (Partials::Owner, Some(owner)) => Some((location(&dir).map_err(failed)?, owner.to_owned())),
        };
        let hidden = shared.root.hidden_in(&dir)?;
        let folder = Folder { shared: Arc::clone(shared), dir, path: path.clone(), hidden, shown };
        Ok(LocalListing { folder, names: Names::default() })
    }
}

impl Folder {
    /// One entry as a client may see it; `None` for what no client sees.
    fn entry(&self, named: &CStr) -> Result<Option<Entry>> {
        let raw = named.to_bytes();
        if raw.starts_with(RESERVED_PREFIX) {
            return self.partial_alone(raw);
        }
        if self.hidden.iter().any(|name| name == raw) {
            return Ok(None);
        }
        // Leaves out `.`, `..` and names that no client could say, such as those with a line break.
        let Ok(name) = Name::parse(raw) else { return Ok(None) };
        let Some(found) = self.lstat(named)? else { return Ok(None) };
        if found.kind != Kind::Directory
            && let Some(metadata) = self.partial_over(&name)?
        {
            return Ok(Some(Entry { name, metadata }));
        }
        let metadata = match found.kind {
            // What a link leads to, or the link itself where that is nowhere, out, or not followed.
            Kind::Link => match self.path.child(&name).ok().and_then(|path| self.shared.stat(&path).ok()) {
                Some(target) => target,
                None => return Ok(None),
            },
            Kind::File | Kind::Directory | Kind::Special => found,
        };
        Ok(Some(Entry { name, metadata }))
    }

    /// The unfinished upload of a name that has a complete file, too: for its owner it stands for both.
    fn partial_over(&self, name: &Name) -> Result<Option<Metadata>> {
        let Some((folder, owner)) = &self.shown else { return Ok(None) };
        let partial = partial_name(owner, name);
        let Some(record) = self.shared.settings.index.find(&join(folder, &partial)) else { return Ok(None) };
        self.unfinished(&partial, &record)
    }

    /// An unfinished upload of a name that nothing else has, under that name, for its owner.
    fn partial_alone(&self, raw: &[u8]) -> Result<Option<Entry>> {
        let Some((folder, owner)) = &self.shown else { return Ok(None) };
        let record = self.shared.settings.index.find(&join(folder, raw));
        let Some(record) = record.filter(|record| record.owner == *owner) else { return Ok(None) };
        let Ok(name) = Name::parse(&record.name) else { return Ok(None) };
        if self.lstat(name.as_bytes())?.is_some() {
            // Shown when the turn comes to the complete file.
            return Ok(None);
        }
        Ok(self.unfinished(raw, &record)?.map(|metadata| Entry { name, metadata }))
    }

    fn unfinished(&self, partial: &[u8], record: &PartialRecord) -> Result<Option<Metadata>> {
        let found = self.lstat(partial)?.filter(|found| found.kind == Kind::File);
        Ok(found.map(|found| {
            let length = record.trusted(found.size, &self.shared.boot);
            Partial { length, found }.facts()
        }))
    }

    /// `None` for what went away since the folder was read.
    fn lstat(&self, name: impl Arg) -> Result<Option<Metadata>> {
        match lstat(&self.dir, name) {
            Ok(found) => Ok(Some(metadata(&found))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed(errno)),
        }
    }
}

impl Iterator for LocalListing {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        loop {
            let entry = match self.names.next(self.folder.dir.as_fd())? {
                Ok(name) => self.folder.entry(name),
                Err(errno) => Err(failed(errno)),
            };
            if let Some(entry) = entry.transpose() {
                return Some(entry);
            }
        }
    }
}
