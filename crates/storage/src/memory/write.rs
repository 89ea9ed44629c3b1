//! How does an upload go in memory? By the same rules as on a disk, so that tests of the rules hold for both.

use std::sync::MutexGuard;

use carrack_core::backend::{Metadata, Replacing, Start, WriteFile};
use carrack_core::error::{ErrorKind, Result};
use carrack_core::path::VirtualPath;

use super::{Contents, MemoryStore, Partial, PartialKey, Tree, now};

/// An upload under way.
pub(super) struct MemoryWrite {
    store: MemoryStore,
    path: VirtualPath,
    owner: String,
    replacing: Replacing,
    into: Into,
    broken: Option<ErrorKind>,
}

/// Where the bytes go until the upload ends.
enum Into {
    /// Into the owner's partial, locked; it is emptied first if that is still due.
    Partial { empty_first: bool, is_new: bool },
    /// Behind a complete file of this length, when it is published.
    Tail { length: u64, bytes: Vec<u8> },
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
        let into = match start {
            Start::InPlace => Into::Tail { length: tree.file(path)?.len() as u64, bytes: Vec::new() },
            Start::CopyOf { first } => {
                let first = usize::try_from(first).unwrap_or(usize::MAX);
                let bytes = tree.file(path)?.iter().take(first).copied().collect();
                let is_new = lock_partial(&mut tree, (path.clone(), owner.to_owned()), Some(bytes))?;
                Into::Partial { empty_first: false, is_new }
            }
            Start::Anew => {
                let is_new = lock_partial(&mut tree, (path.clone(), owner.to_owned()), None)?;
                Into::Partial { empty_first: true, is_new }
            }
            Start::Continue => {
                let key = (path.clone(), owner.to_owned());
                if !tree.partials.contains_key(&key) {
                    return Err(ErrorKind::OffsetMismatch { length: 0 }.into());
                }
                let is_new = lock_partial(&mut tree, key, None)?;
                Into::Partial { empty_first: false, is_new }
            }
        };
        let (store, path, owner) = (store.clone(), path.clone(), owner.to_owned());
        Ok(MemoryWrite { store, path, owner, replacing, into, broken: None })
    }

    fn key(&self) -> PartialKey {
        (self.path.clone(), self.owner.clone())
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

    fn try_publish(&mut self) -> Result<Metadata> {
        self.operate()?;
        self.settle();
        let key = self.key();
        let mut tree = self.store.lock();
        let replacing = match tree.nodes.get(&self.path).map(|node| &node.contents) {
            Some(Contents::Directory) => return Err(ErrorKind::IsADirectory.into()),
            Some(Contents::File(_)) => true,
            None => false,
        };
        if replacing && self.replacing == Replacing::Refused {
            return Err(ErrorKind::Exists.into());
        }
        tree.check_parent(&self.path)?;
        let contents = match &self.into {
            Into::Partial { .. } => tree.partials.remove(&key).ok_or(ErrorKind::NotFound)?.bytes,
            Into::Tail { length, bytes } => {
                let file = tree.file(&self.path).map_err(|_| ErrorKind::Interrupted)?;
                if file.len() as u64 != *length {
                    return Err(ErrorKind::Interrupted.into());
                }
                [file.as_slice(), bytes.as_slice()].concat()
            }
        };
        Ok(tree.put_file(&self.path, contents))
    }

    /// Does the emptying that is still due.
    fn settle(&mut self) {
        if let Into::Partial { empty_first, .. } = &mut self.into
            && std::mem::take(empty_first)
            && let Some(partial) =
                self.store.lock().partials.get_mut(&(self.path.clone(), self.owner.clone()))
        {
            partial.bytes.clear();
        }
    }

    /// Leaves what can be trusted, as the disk does it.
    fn put_by(&mut self) {
        if matches!(self.into, Into::Tail { .. }) {
            return;
        }
        self.settle();
        let key = self.key();
        let mut tree = self.store.lock();
        let over_complete_file = tree.nodes.contains_key(&self.path);
        let Some(partial) = tree.partials.get_mut(&key) else { return };
        if self.broken.is_some() {
            partial.bytes.clear();
        }
        partial.modified = now();
        if partial.bytes.is_empty() && !over_complete_file {
            tree.partials.remove(&key);
        }
    }
}

impl WriteFile for MemoryWrite {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.operate()?;
        self.settle();
        let key = self.key();
        match &mut self.into {
            Into::Tail { bytes: tail, .. } => tail.extend_from_slice(bytes),
            Into::Partial { .. } => {
                let mut tree = self.store.lock();
                let partial = tree.partials.get_mut(&key).ok_or(ErrorKind::NotFound)?;
                partial.bytes.extend_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn position(&self) -> u64 {
        match &self.into {
            Into::Tail { length, bytes } => length + bytes.len() as u64,
            Into::Partial { empty_first: true, .. } => 0,
            Into::Partial { empty_first: false, .. } => {
                let tree = self.store.lock();
                tree.partials.get(&self.key()).map_or(0, |partial| partial.bytes.len() as u64)
            }
        }
    }

    fn publish(mut self: Box<Self>) -> Result<Metadata> {
        let outcome = self.try_publish();
        if outcome.is_err() {
            self.put_by();
        }
        outcome
    }

    fn keep(mut self: Box<Self>) -> Result<()> {
        let outcome = if self.broken.is_some() { Ok(()) } else { self.operate() };
        self.put_by();
        outcome
    }

    fn discard(mut self: Box<Self>) -> Result<()> {
        let outcome = self.operate();
        if matches!(self.into, Into::Partial { is_new: true, .. }) {
            self.store.lock().partials.remove(&self.key());
        }
        outcome
    }
}

impl Drop for MemoryWrite {
    /// The lock goes with the writer, however it ends.
    fn drop(&mut self) {
        if matches!(self.into, Into::Partial { .. }) {
            let key = self.key();
            if let Some(partial) = self.store.lock().partials.get_mut(&key) {
                partial.locked = false;
            }
        }
    }
}

/// Locks a partial, which is made if need be, and says whether it was; `bytes` replace what it has.
fn lock_partial(tree: &mut MutexGuard<'_, Tree>, key: PartialKey, bytes: Option<Vec<u8>>) -> Result<bool> {
    let is_new = !tree.partials.contains_key(&key);
    let new = Partial { bytes: Vec::new(), modified: now(), locked: false };
    let partial = tree.partials.entry(key).or_insert(new);
    if partial.locked {
        return Err(ErrorKind::Busy.into());
    }
    partial.locked = true;
    if let Some(bytes) = bytes {
        partial.bytes = bytes;
    }
    Ok(is_new)
}
