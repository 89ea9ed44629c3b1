//! How does an upload go in memory? By the same rules as on a disk, so that tests of the rules hold for both.

use std::io::IoSlice;
use std::sync::MutexGuard;

use carrack_core::backend::{Kept, Partial as Worth, Replacing, Start, Version, WriteFile};
use carrack_core::error::{ErrorKind, Result};
use carrack_core::path::VirtualPath;

use super::{Contents, MemoryStore, Partial, PartialKey, Tree, now};

/// An upload under way.
pub(super) struct MemoryWrite {
    store: MemoryStore,
    key: PartialKey,
    replacing: Replacing,
    into: Into,
    /// Whether the owner's partial is locked by this upload.
    locked: bool,
    broken: Option<ErrorKind>,
}

/// Where the bytes go until the upload ends.
enum Into {
    /// Everything is as it was. With the first byte the partial is made, or cut, to begin with these.
    Due { begins_with: Vec<u8>, resumes: bool },
    /// Into the owner's partial.
    Partial,
    /// Behind a complete file of this length, when it is published.
    Tail { length: u64, bytes: Vec<u8> },
    /// Nowhere any more.
    Published,
}

impl MemoryWrite {
    pub(super) fn open(
        store: &MemoryStore,
        path: &VirtualPath,
        owner: &str,
        start: Start,
        replacing: Replacing,
    ) -> Result<MemoryWrite> {
        let mut tree = store.operate()?;
        tree.check_parent(path)?;
        match tree.nodes.get(path).map(|node| &node.contents) {
            None => {}
            Some(Contents::File(_)) if replacing == Replacing::Allowed => {}
            Some(Contents::File(_)) => return Err(ErrorKind::Exists.into()),
            Some(Contents::Directory) => return Err(ErrorKind::IsADirectory.into()),
        }
        let key = (path.clone(), owner.to_owned());
        let into = match start {
            Start::InPlace => Into::Tail { length: tree.file(path)?.len() as u64, bytes: Vec::new() },
            Start::CopyOf { first } => {
                let first = usize::try_from(first).unwrap_or(usize::MAX);
                let begins_with = tree.file(path)?.iter().take(first).copied().collect();
                Into::Due { begins_with, resumes: false }
            }
            Start::Anew => Into::Due { begins_with: Vec::new(), resumes: false },
            Start::Continue => {
                let Some(partial) = tree.partials.get(&key) else {
                    return Err(ErrorKind::OffsetMismatch { length: 0 }.into());
                };
                let offer = Worth::offer_of(partial.bytes.len() as u64);
                let offer = usize::try_from(offer).unwrap_or(usize::MAX);
                Into::Due { begins_with: partial.bytes.iter().take(offer).copied().collect(), resumes: true }
            }
        };
        let locked = matches!(into, Into::Due { .. }) && lock_existing(&mut tree, &key)?;
        drop(tree);
        Ok(MemoryWrite { store: store.clone(), key, replacing, into, locked, broken: None })
    }

    /// One operation more; its failure breaks the upload.
    fn operate(&mut self) -> Result<()> {
        let outcome = match self.broken {
            Some(kind) => Err(kind.into()),
            None => self.store.operate().map(drop),
        };
        outcome.inspect_err(|error| {
            self.broken.get_or_insert(error.kind());
        })
    }

    /// Does what the first byte brings about.
    fn begin(&mut self) {
        if let Into::Due { begins_with, .. } = &mut self.into {
            let bytes = std::mem::take(begins_with);
            self.make_partial(bytes);
            self.into = Into::Partial;
        }
    }

    fn make_partial(&mut self, bytes: Vec<u8>) {
        let partial = Partial { bytes, modified: now(), locked: true };
        self.store.lock().partials.insert(self.key.clone(), partial);
        self.locked = true;
    }

    fn remove(&mut self) {
        if self.locked {
            self.store.lock().partials.remove(&self.key);
            self.locked = false;
        }
    }

    fn leave_nothing(&mut self) {
        if matches!(self.into, Into::Tail { .. } | Into::Published) {
            return;
        }
        if self.store.lock().file(&self.key.0).is_ok() {
            self.make_partial(Vec::new());
        } else {
            self.remove();
        }
    }
}

impl WriteFile for MemoryWrite {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> Result<()> {
        self.operate()?;
        self.begin();
        match &mut self.into {
            Into::Tail { bytes: tail, .. } => pieces.iter().for_each(|piece| tail.extend_from_slice(piece)),
            Into::Due { .. } | Into::Partial | Into::Published => {
                let mut tree = self.store.lock();
                let partial = tree.partials.get_mut(&self.key).ok_or(ErrorKind::NotFound)?;
                pieces.iter().for_each(|piece| partial.bytes.extend_from_slice(piece));
            }
        }
        Ok(())
    }

    fn position(&self) -> u64 {
        match &self.into {
            Into::Tail { length, bytes } => length + bytes.len() as u64,
            Into::Due { begins_with, .. } => begins_with.len() as u64,
            Into::Published => 0,
            Into::Partial => {
                let tree = self.store.lock();
                tree.partials.get(&self.key).map_or(0, |partial| partial.bytes.len() as u64)
            }
        }
    }

    fn publish(&mut self) -> Result<Option<Version>> {
        self.operate()?;
        self.begin();
        let path = &self.key.0;
        let mut tree = self.store.lock();
        match tree.nodes.get(path).map(|node| &node.contents) {
            Some(Contents::Directory) => return Err(ErrorKind::IsADirectory.into()),
            Some(Contents::File(_)) if self.replacing == Replacing::Refused => {
                return Err(ErrorKind::Exists.into());
            }
            Some(Contents::File(_)) | None => {}
        }
        tree.check_parent(path)?;
        let contents = match &self.into {
            Into::Due { .. } | Into::Partial | Into::Published => {
                tree.partials.remove(&self.key).ok_or(ErrorKind::NotFound)?.bytes
            }
            Into::Tail { length, bytes } => {
                let file = tree.file(path).map_err(|_| ErrorKind::Interrupted)?;
                if file.len() as u64 != *length {
                    return Err(ErrorKind::Interrupted.into());
                }
                [file.as_slice(), bytes.as_slice()].concat()
            }
        };
        tree.put_file(path, contents);
        drop(tree);
        (self.into, self.locked) = (Into::Published, false);
        Ok(None)
    }

    fn keep(mut self: Box<Self>) -> Result<Kept> {
        let outcome = if self.broken.is_some() { Ok(()) } else { self.operate() };
        let offer = match &self.into {
            Into::Tail { .. } | Into::Published => 0,
            // A resume that brought nothing changes nothing.
            Into::Due { begins_with, resumes: true } => return Ok(Kept::Bytes(begins_with.len() as u64)),
            Into::Due { .. } => 0,
            Into::Partial => Worth::offer_of(self.position()),
        };
        if self.broken.is_some() || offer == 0 {
            self.leave_nothing();
            return outcome.map(|()| Kept::Nothing);
        }
        if let Some(partial) = self.store.lock().partials.get_mut(&self.key) {
            partial.modified = now();
        }
        Ok(Kept::Bytes(offer))
    }

    fn give_up(mut self: Box<Self>) -> Result<()> {
        let outcome = self.operate();
        self.leave_nothing();
        outcome
    }

    fn discard(mut self: Box<Self>) -> Result<()> {
        let outcome = self.operate();
        if matches!(self.into, Into::Partial) {
            self.remove();
        }
        outcome
    }
}

impl Drop for MemoryWrite {
    /// The lock goes with the writer, however it ends.
    fn drop(&mut self) {
        if self.locked
            && let Some(partial) = self.store.lock().partials.get_mut(&self.key)
        {
            partial.locked = false;
        }
    }
}

/// Locks the partial if there is one; whether there is.
fn lock_existing(tree: &mut MutexGuard<'_, Tree>, key: &PartialKey) -> Result<bool> {
    match tree.partials.get_mut(key) {
        None => Ok(false),
        Some(partial) if partial.locked => Err(ErrorKind::Busy.into()),
        Some(partial) => {
            partial.locked = true;
            Ok(true)
        }
    }
}
