//! Where does it rest how full homes are, between a server that has stopped in order and the next one?

use std::path::Path;

use zeroize::Zeroizing;

use super::StateError;
use super::folder::PrivateFolder;

/// The file in the state folder.
const USAGE: &str = "usage";

/// The file `usage`.
#[derive(Debug)]
pub(crate) struct UsageFile {
    folder: PrivateFolder,
}

impl UsageFile {
    /// The one in the state folder, which this process holds.
    pub(super) fn open(state: &Path) -> Result<Self, StateError> {
        Ok(Self { folder: PrivateFolder::open(state)? })
    }

    /// What it holds, which is gone then: whoever crashes leaves nothing that could be believed.
    pub(crate) fn take(&self) -> Result<Option<Zeroizing<Vec<u8>>>, StateError> {
        let text = self.folder.read(USAGE)?.filter(|text| !text.is_empty());
        if text.is_some() {
            self.folder.write(USAGE, b"")?;
        }
        Ok(text)
    }

    /// Writes it, whole or not at all.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), StateError> {
        self.folder.write(USAGE, bytes)
    }
}
