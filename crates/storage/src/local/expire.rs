//! How does an expired upload go? By the index's word, unless somebody is writing it again.

use carrack_core::backend::PartialRecord;
use carrack_core::error::{ErrorKind, Result};
use carrack_core::path::RESERVED_PREFIX;

use super::partial::remove_unlocked;
use super::resolve::{indexed_folder, split_indexed};

/// Removes an unfinished upload that the index names. `Ok` when it is gone, also when it was before, with the bytes that it had;
/// [`ErrorKind::Busy`] while it is being written.
pub fn remove_expired(record: &PartialRecord) -> Result<u64> {
    let (folder, name) = split_indexed(&record.file)?;
    // SECURITY: whatever got into the index, nothing but a partial is ever removed by it.
    if !name.starts_with(RESERVED_PREFIX) {
        return Err(ErrorKind::InvalidName.into());
    }
    match indexed_folder(folder)? {
        Some(dir) => remove_unlocked(&dir, name).map(Option::unwrap_or_default),
        None => Ok(0),
    }
}
