//! What must a store be able to do? The seam between the domain and the places where bytes rest.
//!
//! A back end is handed [`Located`] values only. Those come from a [`Permit`](crate::policy::Permit), and permits
//! come from the policy alone: whoever can call a method here was authorised to.

use std::fs::File;
use std::io::IoSlice;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use crate::error::{Error, ErrorKind, Result};
pub use crate::mounts::Located;
pub use crate::partial::{Extension, Partial, PartialIndex, PartialRecord};
use crate::path::Name;
pub use crate::policy::{
    Alter, Delete, List, Mkdir, Read, Rename, RenameTo, Replacing, Resume, Space, Stat, Write,
};
pub use crate::upload::Kept;

/// A store: one tree of files. Calls block; run them off event threads.
///
/// Where a user has an unfinished upload of a name it rests beside the complete file, invisible in listings (but see
/// [`Backend::list`]), until it is published over it whole or dropped.
pub trait Backend: Send + Sync {
    /// The optional abilities of this store.
    fn capabilities(&self) -> Capabilities;

    /// What is there. Symbolic links are followed, beneath the root only; one that leads nowhere or out is
    /// [`Kind::Link`].
    fn stat(&self, at: &Located<Stat>) -> Result<Metadata>;

    /// The entries of a folder in no order, streamed. Unfinished uploads are left out, or, where the store is so
    /// configured, those of `owner` appear under their final names as [`Partial::facts`] says.
    fn list(&self, at: &Located<List>, owner: Option<&str>) -> Result<Listing>;

    /// Opens a complete regular file.
    fn open(&self, at: &Located<Read>) -> Result<Box<dyn ReadFile>>;

    /// The same for an event thread: opened only where no disk and no other machine is waited for. `None` where it is, or may
    /// be, and where the file cannot be opened.
    fn open_at_once(&self, _at: &Located<Read>) -> Option<Box<dyn ReadFile>> {
        None
    }

    /// Begins or continues an upload. Nothing that exists is changed before the first byte is written.
    fn create(&self, at: &Located<Write>, owner: &str, start: Start) -> Result<Box<dyn WriteFile>>;

    /// The unfinished upload that `owner` has of this name.
    fn partial(&self, at: &Located<Resume>, owner: &str) -> Result<Option<Partial>>;

    /// Drops the unfinished upload that `owner` has of this name; whether there was one.
    /// [`ErrorKind::Busy`] while it is being written.
    fn drop_partial(&self, at: &Located<Resume>, owner: &str) -> Result<bool>;

    /// Makes a folder.
    fn make_directory(&self, at: &Located<Mkdir>) -> Result<()>;

    /// Removes an empty folder. Unfinished uploads that nobody is writing do not count, and go with it.
    fn remove_directory(&self, at: &Located<Delete>) -> Result<()>;

    /// Removes a file; of a symbolic link, the link.
    fn remove_file(&self, at: &Located<Delete>) -> Result<()>;

    /// Gives a file or folder another name. A file at the target is replaced where `to` permits it; a folder never.
    fn rename(&self, from: &Located<Rename>, to: &Located<RenameTo>) -> Result<()>;

    /// Changes the time or the mode of a complete file or a folder, and nothing else of it; what it is then. Needs
    /// [`Capability::SetTime`] and [`Capability::SetMode`] for what is to change.
    fn set_attributes(&self, _at: &Located<Alter>, _attributes: &Attributes) -> Result<Metadata> {
        Err(ErrorKind::Unsupported.into())
    }

    /// How many bytes of new files a folder has room for. Needs [`Capability::Space`].
    fn space(&self, _at: &Located<Space>) -> Result<u64> {
        Err(ErrorKind::Unsupported.into())
    }
}

/// What is to change about a file or folder; `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Last change of the contents: seconds since 1970 (UTC), and nanoseconds. A store keeps it as exactly as it can.
    pub modified: Option<(i64, u32)>,
    /// Who may read, write and execute.
    pub mode: Option<AccessBits>,
}

/// The nine bits of a Unix mode that say who may read, write and execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessBits(u16);

impl AccessBits {
    /// The bits, unless there are others among them.
    //
    // SECURITY: set-user-id and set-group-id would let an uploaded program run as the server's user, so no client sets
    // them, nor the sticky bit.
    pub const fn new(bits: u16) -> Option<AccessBits> {
        if bits & !0o777 == 0 { Some(AccessBits(bits)) } else { None }
    }

    /// From 0 to 0o777.
    pub const fn bits(self) -> u16 {
        self.0
    }
}

/// How an upload begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With nothing. An unfinished upload of the same owner and name is dropped at the first byte.
    Anew,
    /// Where this owner's unfinished upload goes on: at [`Partial::offer`].
    Continue,
    /// With the first bytes of the complete file, which itself stays as it is until the upload is published.
    CopyOf {
        /// How many bytes are kept.
        first: u64,
    },
    /// At the end of the complete file, in place.
    InPlace,
}

/// A file being downloaded.
pub trait ReadFile: Send {
    /// Its length in bytes when it was opened.
    fn length(&self) -> u64;

    /// Reads at `offset`; 0 at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize>;

    /// The same for an event thread, where the bytes are in memory. `None` where they may not be.
    fn read_at_once(&self, _offset: u64, _buffer: &mut [u8]) -> Option<usize> {
        None
    }

    /// What the file is now; `None` where the store cannot tell one version from the next.
    fn version(&self) -> Result<Option<Version>> {
        Ok(None)
    }

    /// The open file, where the store has one (for `sendfile`).
    fn as_file(&self) -> Option<&File> {
        None
    }
}

/// A file being uploaded. It ends by being published, or by one of the three endings below, also when publishing
/// has failed. Dropped without, it is left as a crash would leave it: never visible under its name, resumable if its
/// bytes can be trusted.
pub trait WriteFile: Send {
    /// Does a piece, of some milliseconds, of what is due before the first byte; whether nothing more is due.
    fn prepare(&mut self) -> Result<bool> {
        Ok(true)
    }

    /// Whether there is room for it to have so many bytes in all, as far as that is known now. Nothing is reserved.
    fn fits(&self, _length: u64) -> Result<()> {
        Ok(())
    }

    /// Appends all of `pieces`, one after the other. After an error nothing more may be written, and publishing fails.
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> Result<()>;

    /// How long the file would be if it were published now.
    fn position(&self) -> u64;

    /// Makes the bytes appear under the final name, whole, and, as the store is configured, durably. The last call,
    /// unless it fails. Says what the file is now, where it is certain that it holds these bytes and no others.
    fn publish(&mut self) -> Result<Option<Version>>;

    /// Writes and publishes a file that is whole in memory, where nothing was written or prepared before. A store may have a
    /// shorter way for that.
    fn publish_whole(&mut self, pieces: &[IoSlice<'_>]) -> Result<Option<Version>> {
        self.write(pieces)?;
        self.publish()
    }

    /// Ends an incomplete upload: keeps what can be resumed, and gives up what cannot be trusted.
    fn keep(self: Box<Self>) -> Result<Kept>;

    /// Ends an incomplete upload of which nothing can be resumed.
    ///
    /// Over a complete file an empty one is left: the client must not take the complete file's length for the place
    /// to go on at.
    fn give_up(self: Box<Self>) -> Result<()>;

    /// Ends an upload that leaves nothing. One that never began leaves everything as it was before
    /// [`Backend::create`].
    fn discard(self: Box<Self>) -> Result<()>;

    /// What went wrong beside the upload and did not stop it; told once.
    fn trouble(&mut self) -> Option<Error> {
        None
    }
}

/// The entries of a folder.
pub type Listing = Box<dyn Iterator<Item = Result<Entry>> + Send>;

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: Name,
    /// What it is.
    pub metadata: Metadata,
}

/// What is known about a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What kind of thing it is.
    pub kind: Kind,
    /// Length in bytes.
    pub size: u64,
    /// Last change of the contents: seconds since 1970 (UTC), and nanoseconds.
    pub modified: (i64, u32),
    /// When it was made, in the same form, where the store remembers that.
    pub created: Option<(i64, u32)>,
    /// Whose it is to the operating system: the numbers of user and group, where there are such.
    pub owner: Option<(u32, u32)>,
    /// Unix permission bits, where the store has them.
    pub mode: Option<u32>,
    /// Number of hard links.
    pub links: u64,
    /// What tells this file from every other of the same store: device and inode, where there are such.
    pub unique: Option<(u64, u64)>,
    /// Whether this is an unfinished upload, shown to its owner.
    pub unfinished: bool,
}

/// What changes whenever a file's bytes do: of equal versions the bytes are equal, in every store of this machine.
///
/// It is as exact as the operating system's clock for files, of which a tick lasts up to 10 ms (Linux 6.13 and newer have
/// none). A program beside the server that writes into a file within the tick in which the server published it, without
/// changing its length, leaves no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// Which file: device and inode.
    pub file: (u64, u64),
    /// Its length in bytes.
    pub size: u64,
    /// Last change of its contents: seconds since 1970 (UTC), and nanoseconds. Anybody who may write can set it.
    pub modified: (i64, u32),
    /// Last change of anything about it. Nobody can set it.
    pub changed: (i64, u32),
}

/// Longer than any tick of a clock for files.
const TICK: Duration = Duration::from_millis(20);

impl Version {
    /// Whether the last change is so long ago that the next one cannot have the same time.
    pub(crate) fn is_settled(&self, now: SystemTime) -> bool {
        let (seconds, nanoseconds) = self.changed;
        let changed = u64::try_from(seconds)
            .ok()
            .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds)));
        changed.and_then(|changed| now.duration_since(changed).ok()).is_some_and(|since| since > TICK)
    }
}

/// What kind of thing an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link that leads nowhere or out of the root.
    Link,
    /// A FIFO, device or socket; never opened.
    Special,
}

/// An ability that not every store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Capability {
    /// Complete files can be extended in place ([`Start::InPlace`]).
    Append,
    /// Unfinished uploads are kept and can go on ([`Start::Continue`]).
    Resume,
    /// Files and folders can be renamed.
    Rename,
    /// The time of a file's last change can be set ([`Attributes::modified`]).
    SetTime,
    /// Who may read, write and execute can be set ([`Attributes::mode`]).
    SetMode,
    /// It is known how much room there is ([`Backend::space`]).
    Space,
}

/// A set of abilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u8);

impl Capabilities {
    /// The set of these.
    pub const fn of(mut abilities: &[Capability]) -> Capabilities {
        let mut bits = 0;
        while let [first, rest @ ..] = abilities {
            bits |= 1 << *first as u8;
            abilities = rest;
        }
        Capabilities(bits)
    }

    /// Whether the store can do this.
    pub const fn has(self, ability: Capability) -> bool {
        self.0 & (1 << ability as u8) != 0
    }
}
