//! Which unfinished uploads are there? The index that lets them expire without walking trees.

use std::io;
use std::time::SystemTime;

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
}

/// Remembers unfinished uploads across restarts.
///
/// A store remembers one before the file is made and forgets it after the file is gone: the index may name files
/// that are not there, never the other way round.
pub trait PartialIndex: Send + Sync {
    /// Adds a record, or replaces the one of the same file.
    fn remember(&self, partial: &PartialRecord) -> io::Result<()>;

    /// Drops the record of this file.
    fn forget(&self, file: &[u8]) -> io::Result<()>;

    /// A folder got another absolute path, and all records beneath it with it.
    fn renamed(&self, from: &[u8], to: &[u8]) -> io::Result<()>;

    /// The record of this file.
    fn find(&self, file: &[u8]) -> Option<PartialRecord>;
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
