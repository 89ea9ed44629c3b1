//! Where do bytes rest in tests? In memory, with the rules of a disk and failures on demand.

mod faults;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use carrack_core::backend::{
    Alter, Attributes, Backend, Capabilities, Capability, Delete, Entry, Kind, List, Listing, Located,
    Metadata, Mkdir, Partial as Worth, Read, ReadFile, Rename, RenameTo, Replacing, Resume, Start, Stat,
    Write, WriteFile,
};
use carrack_core::error::{ErrorKind, Result};
use carrack_core::path::VirtualPath;

pub use self::faults::Faults;
use self::write::MemoryWrite;

/// The mode of a new file, and of a new folder.
const FILE_MODE: u16 = 0o644;
const FOLDER_MODE: u16 = 0o755;

/// A tree in memory.
#[derive(Clone, Default)]
pub struct MemoryStore {
    tree: Arc<Mutex<Tree>>,
}

struct Tree {
    nodes: BTreeMap<VirtualPath, Node>,
    partials: BTreeMap<PartialKey, Partial>,
    faults: Faults,
}

/// A target and whose upload of it.
type PartialKey = (VirtualPath, String);

#[derive(Clone)]
struct Node {
    contents: Contents,
    modified: (i64, u32),
    mode: u16,
}

#[derive(Clone)]
enum Contents {
    Directory,
    File(Arc<Vec<u8>>),
}

struct Partial {
    bytes: Vec<u8>,
    modified: (i64, u32),
    /// Whether a writer has it open: what the lock is on a disk.
    locked: bool,
}

impl MemoryStore {
    /// An empty tree that fails by this plan.
    pub fn new(faults: Faults) -> MemoryStore {
        let store = MemoryStore::default();
        store.lock().faults = faults;
        store
    }

    /// Changes the plan; operations are counted from 1 again.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// How many operations there were since the plan was set.
    pub fn operations(&self) -> u64 {
        self.lock().faults.operations()
    }

    fn lock(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tree, for one operation more.
    fn operate(&self) -> Result<MutexGuard<'_, Tree>> {
        let mut tree = self.lock();
        tree.faults.pass()?;
        Ok(tree)
    }
}

impl Default for Tree {
    fn default() -> Tree {
        let root = Node { contents: Contents::Directory, modified: now(), mode: FOLDER_MODE };
        Tree {
            nodes: BTreeMap::from([(VirtualPath::root(), root)]),
            partials: BTreeMap::new(),
            faults: Faults::NONE,
        }
    }
}

impl Tree {
    fn file(&self, path: &VirtualPath) -> Result<&Arc<Vec<u8>>> {
        match self.nodes.get(path).map(|node| &node.contents) {
            Some(Contents::File(bytes)) => Ok(bytes),
            Some(Contents::Directory) => Err(ErrorKind::IsADirectory.into()),
            None => Err(self.missing(path)),
        }
    }

    /// The folder that is to hold `path`.
    fn check_parent(&self, path: &VirtualPath) -> Result<()> {
        let Some(parent) = path.parent() else { return Err(ErrorKind::IsADirectory.into()) };
        match self.nodes.get(&parent).map(|node| &node.contents) {
            Some(Contents::Directory) => Ok(()),
            Some(Contents::File(_)) => Err(ErrorKind::NotADirectory.into()),
            None => Err(self.missing(&parent)),
        }
    }

    /// Why there is nothing: no such name, or a file where a folder would have to be.
    fn missing(&self, path: &VirtualPath) -> carrack_core::Error {
        let above = path.parent().and_then(|parent| self.nodes.get(&parent));
        match above.map(|node| &node.contents) {
            Some(Contents::File(_)) => ErrorKind::NotADirectory.into(),
            Some(Contents::Directory) | None => ErrorKind::NotFound.into(),
        }
    }

    fn children<'a>(&'a self, path: &'a VirtualPath) -> impl Iterator<Item = (&'a VirtualPath, &'a Node)> {
        self.nodes.iter().filter(move |(child, _)| child.parent().as_ref() == Some(path))
    }

    fn put_file(&mut self, path: &VirtualPath, bytes: Vec<u8>) {
        // As on a disk, a file keeps the mode of the one that it replaces.
        let mode = self.nodes.get(path).map_or(FILE_MODE, |replaced| replaced.mode);
        let node = Node { contents: Contents::File(Arc::new(bytes)), modified: now(), mode };
        self.nodes.insert(path.clone(), node);
    }
}

impl Node {
    fn metadata(&self) -> Metadata {
        let (kind, size) = match &self.contents {
            Contents::Directory => (Kind::Directory, 0),
            Contents::File(bytes) => (Kind::File, bytes.len() as u64),
        };
        metadata(kind, size, self.modified, self.mode)
    }
}

fn metadata(kind: Kind, size: u64, modified: (i64, u32), mode: u16) -> Metadata {
    Metadata {
        kind,
        size,
        modified,
        created: None,
        owner: None,
        mode: Some(mode.into()),
        links: 1,
        unique: None,
        unfinished: false,
    }
}

fn now() -> (i64, u32) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs().try_into().unwrap_or(i64::MAX), since.subsec_nanos())
}

impl Backend for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::of(&[
            Capability::Append,
            Capability::Resume,
            Capability::Rename,
            Capability::SetTime,
            Capability::SetMode,
        ])
    }

    fn stat(&self, at: &Located<Stat>) -> Result<Metadata> {
        let tree = self.operate()?;
        let node = tree.nodes.get(at.path()).ok_or_else(|| tree.missing(at.path()))?;
        Ok(node.metadata())
    }

    fn list(&self, at: &Located<List>, _owner: Option<&str>) -> Result<Listing> {
        let tree = self.operate()?;
        match tree.nodes.get(at.path()).map(|node| &node.contents) {
            Some(Contents::Directory) => {}
            Some(Contents::File(_)) => return Err(ErrorKind::NotADirectory.into()),
            None => return Err(tree.missing(at.path())),
        }
        let entries = tree
            .children(at.path())
            .filter_map(|(path, node)| Some(Ok(Entry { name: path.name()?, metadata: node.metadata() })));
        Ok(Box::new(entries.collect::<Vec<_>>().into_iter()))
    }

    fn open(&self, at: &Located<Read>) -> Result<Box<dyn ReadFile>> {
        let tree = self.operate()?;
        let bytes = Arc::clone(tree.file(at.path())?);
        Ok(Box::new(MemoryRead { store: self.clone(), bytes }))
    }

    fn create(&self, at: &Located<Write>, owner: &str, start: Start) -> Result<Box<dyn WriteFile>> {
        Ok(Box::new(MemoryWrite::open(self, at.path(), owner, start, at.action().replacing())?))
    }

    fn partial(&self, at: &Located<Resume>, owner: &str) -> Result<Option<Worth>> {
        let tree = self.operate()?;
        let partial = tree.partials.get(&(at.path().clone(), owner.to_owned()));
        Ok(partial.map(|partial| {
            let length = partial.bytes.len() as u64;
            Worth { length, found: metadata(Kind::File, length, partial.modified, FILE_MODE) }
        }))
    }

    fn drop_partial(&self, at: &Located<Resume>, owner: &str) -> Result<bool> {
        let mut tree = self.operate()?;
        let key = (at.path().clone(), owner.to_owned());
        if tree.partials.get(&key).is_some_and(|partial| partial.locked) {
            return Err(ErrorKind::Busy.into());
        }
        Ok(tree.partials.remove(&key).is_some())
    }

    fn make_directory(&self, at: &Located<Mkdir>) -> Result<()> {
        let mut tree = self.operate()?;
        if tree.nodes.contains_key(at.path()) {
            return Err(ErrorKind::Exists.into());
        }
        tree.check_parent(at.path())?;
        tree.nodes.insert(
            at.path().clone(),
            Node { contents: Contents::Directory, modified: now(), mode: FOLDER_MODE },
        );
        Ok(())
    }

    fn remove_directory(&self, at: &Located<Delete>) -> Result<()> {
        let mut tree = self.operate()?;
        match tree.nodes.get(at.path()).map(|node| &node.contents) {
            Some(Contents::Directory) => {}
            Some(Contents::File(_)) => return Err(ErrorKind::NotADirectory.into()),
            None => return Err(tree.missing(at.path())),
        }
        if tree.children(at.path()).next().is_some() {
            return Err(ErrorKind::NotEmpty.into());
        }
        if tree.partials.iter().any(|((path, _), partial)| partial.locked && path.starts_with(at.path())) {
            return Err(ErrorKind::Busy.into());
        }
        tree.partials.retain(|(path, _), _| !path.starts_with(at.path()));
        tree.nodes.remove(at.path());
        Ok(())
    }

    fn remove_file(&self, at: &Located<Delete>) -> Result<()> {
        let mut tree = self.operate()?;
        tree.file(at.path())?;
        tree.nodes.remove(at.path());
        Ok(())
    }

    fn rename(&self, from: &Located<Rename>, to: &Located<RenameTo>) -> Result<()> {
        let mut tree = self.operate()?;
        let (replacing, from, to) = (to.action().replacing(), from.path(), to.path());
        let source = tree.nodes.get(from).ok_or_else(|| tree.missing(from))?.clone();
        tree.check_parent(to)?;
        match (tree.nodes.get(to).map(|node| &node.contents), &source.contents) {
            _ if from == to => return Ok(()),
            (Some(Contents::Directory), _) | (Some(_), Contents::Directory) => {
                return Err(ErrorKind::Exists.into());
            }
            (Some(Contents::File(_)), Contents::File(_)) if replacing == Replacing::Refused => {
                return Err(ErrorKind::Exists.into());
            }
            (Some(Contents::File(_)) | None, _) => {}
        }
        let moved = |path: &VirtualPath| -> Result<VirtualPath> {
            let tail = path.as_bytes().get(from.as_bytes().len()..).unwrap_or_default();
            Ok(VirtualPath::parse(&[to.as_bytes(), tail].concat())?)
        };
        let beneath: Vec<_> = tree.nodes.keys().filter(|path| path.starts_with(from)).cloned().collect();
        for path in beneath {
            if let Some(node) = tree.nodes.remove(&path) {
                tree.nodes.insert(moved(&path)?, node);
            }
        }
        // Those of a folder move with it; those of a file stay with its name.
        let inside = |path: &VirtualPath| path != from && path.starts_with(from);
        let partials: Vec<_> = tree.partials.keys().filter(|(path, _)| inside(path)).cloned().collect();
        for key in partials {
            if let Some(partial) = tree.partials.remove(&key) {
                tree.partials.insert((moved(&key.0)?, key.1), partial);
            }
        }
        Ok(())
    }

    fn set_attributes(&self, at: &Located<Alter>, attributes: &Attributes) -> Result<Metadata> {
        let mut tree = self.operate()?;
        let missing = tree.missing(at.path());
        let node = tree.nodes.get_mut(at.path()).ok_or(missing)?;
        node.modified = attributes.modified.unwrap_or(node.modified);
        node.mode = attributes.mode.map_or(node.mode, |mode| mode.bits());
        Ok(node.metadata())
    }
}

/// A file as it was when it was opened.
struct MemoryRead {
    store: MemoryStore,
    bytes: Arc<Vec<u8>>,
}

impl ReadFile for MemoryRead {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.store.operate().map(drop)?;
        let rest = usize::try_from(offset).ok().and_then(|offset| self.bytes.get(offset..));
        let rest = rest.unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(target), Some(source)) = (buffer.get_mut(..count), rest.get(..count)) {
            target.copy_from_slice(source);
        }
        Ok(count)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("nodes", &self.lock().nodes.len()).finish()
    }
}
