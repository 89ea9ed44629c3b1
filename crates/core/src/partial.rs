//! What is an unfinished upload worth, and which are there? The index lets them expire without walking trees.

use std::io;
use std::time::SystemTime;

use crate::backend::Metadata;

/// An unfinished upload as a store finds it. Stores fill it in; what is offered of it is decided here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// How many of its bytes can be trusted.
    pub length: u64,
    /// What else is known of it.
    pub found: Metadata,
}

impl Partial {
    /// How many bytes of `length` are offered to a client: one less than there are.
    ///
    /// A client that finds as many bytes as its file has takes the upload for complete and reports success, and the
    /// file never appears. With one byte to go it comes back, and this time the end is told.
    pub const fn offer_of(length: u64) -> u64 {
        length.saturating_sub(1)
    }

    /// Where this upload goes on: what `SIZE` and listings say, and where a resume cuts.
    pub const fn offer(&self) -> u64 {
        Partial::offer_of(self.length)
    }

    /// What its owner finds under the name.
    pub fn facts(&self) -> Metadata {
        Metadata { size: self.offer(), unfinished: true, ..self.found }
    }
}

/// One unfinished upload on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialRecord {
    /// Where it rests: the absolute path of the operating system, with symbolic links resolved.
    pub file: Vec<u8>,
    /// Whose it is: the account's name.
    pub owner: String,
    /// The name that it is to get, in the same folder.
    pub name: Vec<u8>,
    /// When it was begun or last continued.
    pub since: SystemTime,
    /// During which run of the operating system; empty where that is not known.
    pub boot: String,
    /// How many of its bytes were on the disk for certain when this was written down.
    pub settled: u64,
}

impl PartialRecord {
    /// How many of the `length` bytes that the file has can be trusted during the run `boot`: after a power cut, no
    /// more than were settled.
    pub fn trusted(&self, length: u64, boot: &str) -> u64 {
        if self.boot.is_empty() || self.boot == boot { length } else { length.min(self.settled) }
    }
}

/// A complete file that is being extended in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The absolute path of the operating system, with symbolic links resolved.
    pub file: Vec<u8>,
    /// Its inode. No device: its number may be another after a restart of the machine.
    pub inode: u64,
    /// The length that was last acknowledged.
    pub length: u64,
}

/// Remembers unfinished uploads across restarts.
///
/// A store remembers one before the file is made and forgets it after the file is gone: the index may name files
/// that are not there. The other way round only while the index itself fails.
pub trait PartialIndex: Send + Sync {
    /// Adds a record, or replaces the one of the same file.
    fn remember(&self, partial: &PartialRecord) -> io::Result<()>;

    /// Drops the record of this file.
    fn forget(&self, file: &[u8]) -> io::Result<()>;

    /// A folder got another absolute path, and all records beneath it with it.
    fn renamed(&self, from: &[u8], to: &[u8]) -> io::Result<()>;

    /// The record of this file.
    fn find(&self, file: &[u8]) -> Option<PartialRecord>;

    /// Notes, durably, that a complete file is about to be extended.
    fn extending(&self, _extension: &Extension) -> io::Result<()> {
        Ok(())
    }

    /// Notes, durably, that this file's length is the acknowledged one again.
    fn extended(&self, _file: &[u8]) -> io::Result<()> {
        Ok(())
    }

    /// The extensions that nobody has ended.
    fn extensions(&self) -> Vec<Extension> {
        Vec::new()
    }
}

/// Remembers nothing: for stores without unfinished uploads on a disk, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoIndex;

impl PartialIndex for NoIndex {
    fn remember(&self, _: &PartialRecord) -> io::Result<()> {
        Ok(())
    }

    fn forget(&self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn renamed(&self, _: &[u8], _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn find(&self, _: &[u8]) -> Option<PartialRecord> {
        None
    }
}
