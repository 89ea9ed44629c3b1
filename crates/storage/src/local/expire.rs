//! How does an expired upload go? By the index's word, unless somebody is writing it again.

use carrack_core::backend::PartialRecord;
use carrack_core::error::{ErrorKind, Result};
use carrack_core::path::RESERVED_PREFIX;

use super::partial::remove_unlocked;
use super::resolve::indexed_folder;

/// Removes an unfinished upload that the index names. `Ok` when it is gone, also when it was before;
/// [`ErrorKind::Busy`] while it is being written.
pub fn remove_expired(record: &PartialRecord) -> Result<()> {
    let slash = record.file.iter().rposition(|&byte| byte == b'/');
    let (folder, name) = slash
        .and_then(|slash| record.file.split_at_checked(slash))
        .and_then(|(folder, name)| Some((folder, name.strip_prefix(b"/")?)))
        .ok_or(ErrorKind::InvalidName)?;
    // SECURITY: whatever got into the index, nothing but a partial is ever removed by it.
    if !name.starts_with(RESERVED_PREFIX) {
        return Err(ErrorKind::InvalidName.into());
    }
    let folder = if folder.is_empty() { b"/" } else { folder };
    match indexed_folder(folder) {
        Ok(dir) => remove_unlocked(&dir, name).map(drop),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(()),
        Err(error) => Err(error),
    }
}
