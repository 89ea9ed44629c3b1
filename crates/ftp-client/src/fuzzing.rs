//! What is read from files of the state folder, opened for the fuzz targets: no part of the interface.

use std::path::Path;

use crate::{journal::Record, known::file};

/// Reads the text of a file of known servers and writes it anew. `None` where it is refused.
#[must_use]
pub fn known_servers(text: &str) -> Option<String> {
    let servers = file::parse(text, Path::new("known")).ok()?;
    file::format(&servers).ok()
}

/// Reads an entry of the journal and writes it anew. `None` where it is not readable.
#[must_use]
pub fn journal_entry(text: &[u8]) -> Option<Vec<u8>> {
    let record = Record::parse(text)?;
    let _ = record.partial();
    record.to_json().ok()
}
