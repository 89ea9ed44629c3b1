//! Where do events go that nobody took in time?

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How large the file grows before it takes the place of the one before it.
const BYTES: u64 = 16 * 1024 * 1024;

/// Puts an event into `undelivered` of the hook's folder, one a line, for the operator to look at or to send again.
pub(super) fn put_away(folder: &Path, event: &[u8]) -> io::Result<()> {
    let path = folder.join("undelivered");
    if path.metadata().is_ok_and(|metadata| metadata.len() >= BYTES) {
        std::fs::rename(&path, folder.join("undelivered.1"))?;
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(&[event, b"\n"].concat())?;
    file.sync_data()
}
