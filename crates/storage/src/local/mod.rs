//! Where do bytes rest on the local disk? Beneath one folder, which no path leaves.

mod at_once;
mod attributes;
mod created;
mod errno;
mod expire;
mod list;
mod names;
mod partial;
mod quota;
mod read;
mod recover;
mod resolve;
mod stat;
mod sys;
mod tree;
mod write;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use carrack_core::backend::{
    Alter, Attributes, Backend, Capabilities, Capability, Delete, List, Listing, Located, Metadata, Mkdir,
    Partial, PartialIndex, Read, ReadFile, Rename, RenameTo, Resume, Space, Start, Stat, Write, WriteFile,
};
use carrack_core::error::Result;
use carrack_core::limits::quota::Quota;

use self::at_once::AtOnce;
pub use self::created::Created;
pub use self::expire::remove_expired;
use self::list::LocalListing;
pub use self::quota::count_bytes;
use self::resolve::Root;

/// What tells one run of the operating system from the next.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A folder of the local disk (Linux 5.6 or newer, with `/proc`).
///
/// Symbolic links beneath the root are followed as long as they stay beneath it (or not at all, see [`Links`]). FIFOs, devices and sockets are
/// listed but never opened. The folders must be readable by the server.
pub struct LocalStore {
    shared: Arc<Shared>,
}

/// How a [`LocalStore`] works.
#[derive(Clone)]
pub struct LocalSettings {
    /// How uploads get their name.
    pub publish: Publish,
    /// Whether a success means that it is on the disk: file and folder are synced before it is told.
    pub sync: bool,
    /// Who sees unfinished uploads.
    pub partials: Partials,
    /// What symbolic links are good for.
    pub links: Links,
    /// Folders that no path reaches and no listing shows. They must exist, and none may contain the root.
    pub excluded: Vec<PathBuf>,
    /// Where unfinished uploads are noted.
    pub index: Arc<dyn PartialIndex>,
    /// How many bytes it may hold, and what it counts that with. Stores of the same folder must share the usage.
    pub quota: Option<Quota>,
    /// Mode and group of what is made.
    pub created: Created,
}

impl LocalSettings {
    /// The safe settings: atomic, synced, hidden, links followed beneath the root, nothing excluded, no quota, modes by the umask.
    pub fn new(index: Arc<dyn PartialIndex>) -> LocalSettings {
        LocalSettings {
            publish: Publish::Atomic,
            sync: true,
            partials: Partials::Hidden,
            links: Links::Follow,
            excluded: Vec::new(),
            index,
            quota: None,
            created: Created::default(),
        }
    }
}

/// How an upload gets its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publish {
    /// Whole, by a rename at the end.
    Atomic,
    /// From the first byte on; what an interrupted upload leaves is visible.
    InPlace,
}

/// Who sees unfinished uploads in listings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partials {
    /// Nobody.
    Hidden,
    /// Whoever uploads, under the final name (FileZilla resumes only what it sees).
    Owner,
}

/// What symbolic links beneath the root are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Links {
    /// They are followed as long as they stay beneath the root.
    Follow,
    /// They are listed and can be removed, and lead nowhere. For homes where rules hold for folders: a rule is about
    /// the text of a path, and a link gives a folder a second one.
    Refuse,
}

/// What open files and listings share with their store.
struct Shared {
    root: Root,
    settings: LocalSettings,
    /// Which run of the operating system this is.
    boot: String,
    /// Whether files may be opened on event threads.
    at_once: AtOnce,
}

impl LocalStore {
    /// Opens the folder that everything lies beneath. It stays this folder even if another takes its name.
    ///
    /// What a crash left behind complete files there, unacknowledged, is cut off.
    pub fn open(root: &Path, settings: LocalSettings) -> io::Result<LocalStore> {
        let store = Self::open_beside(root, settings)?;
        store.shared.undo_extensions()?;
        Ok(store)
    }

    /// The same where no crash lies behind: another store with this index is in use, and what it extends is its own.
    pub fn open_beside(root: &Path, settings: LocalSettings) -> io::Result<LocalStore> {
        let root = Root::open(root, settings.links, &settings.excluded)?;
        // Where the kernel does not say, every partial is trusted as if there had been no restart.
        let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned();
        let at_once = root.at_once();
        let shared = Arc::new(Shared { root, settings, boot, at_once });
        Ok(LocalStore { shared })
    }
}

impl Backend for LocalStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::of(&[
            Capability::Append,
            Capability::Resume,
            Capability::Rename,
            Capability::SetTime,
            Capability::SetMode,
            Capability::Space,
        ])
    }

    fn stat(&self, at: &Located<Stat>) -> Result<Metadata> {
        self.shared.stat(at.path())
    }

    fn list(&self, at: &Located<List>, owner: Option<&str>) -> Result<Listing> {
        Ok(Box::new(LocalListing::open(&self.shared, at.path(), owner)?))
    }

    fn open(&self, at: &Located<Read>) -> Result<Box<dyn ReadFile>> {
        Ok(Box::new(self.shared.open_read(at.path())?))
    }

    fn open_at_once(&self, at: &Located<Read>) -> Option<Box<dyn ReadFile>> {
        Some(Box::new(self.shared.open_at_once(at.path())?))
    }

    fn create(&self, at: &Located<Write>, owner: &str, start: Start) -> Result<Box<dyn WriteFile>> {
        self.shared.create(at.path(), owner, start, at.action().replacing())
    }

    fn partial(&self, at: &Located<Resume>, owner: &str) -> Result<Option<Partial>> {
        self.shared.partial(at.path(), owner)
    }

    fn drop_partial(&self, at: &Located<Resume>, owner: &str) -> Result<bool> {
        self.shared.drop_partial(at.path(), owner)
    }

    fn make_directory(&self, at: &Located<Mkdir>) -> Result<()> {
        self.shared.make_directory(at.path())
    }

    fn remove_directory(&self, at: &Located<Delete>) -> Result<()> {
        self.shared.remove_directory(at.path())
    }

    fn remove_file(&self, at: &Located<Delete>) -> Result<()> {
        self.shared.remove_file(at.path())
    }

    fn rename(&self, from: &Located<Rename>, to: &Located<RenameTo>) -> Result<()> {
        self.shared.rename(from.path(), to.path(), to.action().replacing())
    }

    fn set_attributes(&self, at: &Located<Alter>, attributes: &Attributes) -> Result<Metadata> {
        self.shared.set_attributes(at.path(), attributes)
    }

    fn space(&self, at: &Located<Space>) -> Result<u64> {
        self.shared.space(at.path())
    }
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalStore").finish_non_exhaustive()
    }
}
