//! Where do bans rest between two runs of a server?

use std::path::Path;

use zeroize::Zeroizing;

use super::StateError;
use super::folder::PrivateFolder;

/// The file in the state folder.
const BANS: &str = "bans";

/// The file `bans`.
#[derive(Debug)]
pub(crate) struct BansFile {
    folder: PrivateFolder,
}

impl BansFile {
    /// The one in the state folder, which this process holds.
    pub(super) fn open(state: &Path) -> Result<Self, StateError> {
        Ok(Self { folder: PrivateFolder::open(state)? })
    }

    /// What it holds; `None` where there is none yet.
    pub(crate) fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, StateError> {
        self.folder.read(BANS)
    }

    /// Writes it, whole or not at all.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), StateError> {
        self.folder.write(BANS, bytes)
    }
}
