//! Which uploads were left unfinished, and which of them are too old? A journal in the state folder.
//!
//! One line of JSON for each change, appended before the change is made on the disk of files. The journal is rewritten
//! with what is left at every start, and when it has grown long. A crash can tear its last line; that line is then
//! ignored, and costs no more than one unfinished upload that does not expire by itself.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use carrack_core::partial::{PartialIndex, PartialRecord};
use serde::{Deserialize, Serialize};

/// The journal's name in the state folder.
pub const JOURNAL: &str = "partials.journal";
/// Lines after which the journal is rewritten, if most of them are outdated: some megabytes.
const REWRITE_LINES: usize = 16 * 1024;

/// The index of unfinished uploads, kept in memory and in a file.
#[derive(Debug)]
pub struct PartialJournal {
    journal: Mutex<Journal>,
}

/// What a sweep of expired uploads did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// How many are gone.
    pub removed: usize,
    /// How many are still there: being written, or out of reach.
    pub kept: usize,
}

impl PartialJournal {
    /// Opens the journal in this folder, which must exist, and rewrites it with what is left.
    pub fn open(state: &Path) -> io::Result<PartialJournal> {
        let path = state.join(JOURNAL);
        let records = match File::open(&path) {
            Ok(file) => replay(BufReader::new(file))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => HashMap::new(),
            Err(error) => return Err(error),
        };
        let file = rewrite(&path, &records)?;
        let lines = records.len();
        Ok(PartialJournal { journal: Mutex::new(Journal { path, file, lines, torn: false, records }) })
    }

    /// Removes, by means of `remove`, the uploads that nobody has touched for `older_than`, and forgets those that it
    /// says are gone. It looks at its records alone and walks no tree.
    pub fn expire(
        &self,
        now: SystemTime,
        older_than: Duration,
        mut remove: impl FnMut(&PartialRecord) -> carrack_core::Result<()>,
    ) -> io::Result<Expired> {
        let is_old = |record: &&PartialRecord| {
            // What seems to come from the future, after the clock was set back, is not old.
            now.duration_since(record.since).is_ok_and(|age| age >= older_than)
        };
        let old: Vec<PartialRecord> = self.lock().records.values().filter(is_old).cloned().collect();
        let mut expired = Expired::default();
        for record in old {
            // A record renewed since then belongs to an upload that goes on.
            if self.find(&record.file).as_ref() != Some(&record) {
                continue;
            }
            if remove(&record).is_ok() {
                self.forget(&record.file)?;
                expired.removed += 1;
            } else {
                expired.kept += 1;
            }
        }
        Ok(expired)
    }

    fn lock(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialIndex for PartialJournal {
    fn remember(&self, partial: &PartialRecord) -> io::Result<()> {
        self.lock().change(Change::remember(partial))
    }

    fn forget(&self, file: &[u8]) -> io::Result<()> {
        let mut journal = self.lock();
        if !journal.records.contains_key(file) {
            return Ok(());
        }
        journal.change(Change::Forget { file: escape(file) })
    }

    fn renamed(&self, from: &[u8], to: &[u8]) -> io::Result<()> {
        let mut journal = self.lock();
        // Most folders hold no unfinished upload.
        if !journal.records.keys().any(|file| beneath(from, file).is_some()) {
            return Ok(());
        }
        journal.change(Change::Renamed { from: escape(from), to: escape(to) })
    }

    fn find(&self, file: &[u8]) -> Option<PartialRecord> {
        self.lock().records.get(file).cloned()
    }
}

type Records = HashMap<Vec<u8>, PartialRecord>;

#[derive(Debug)]
struct Journal {
    path: PathBuf,
    /// Open for appending.
    file: File,
    /// How many lines the file has.
    lines: usize,
    /// Whether the last line may be incomplete, because writing it failed.
    torn: bool,
    records: Records,
}

impl Journal {
    /// Writes a change down, and then makes it.
    fn change(&mut self, change: Change) -> io::Result<()> {
        let mut line = serde_json::to_vec(&change)?;
        line.push(b'\n');
        if self.torn {
            line.insert(0, b'\n');
        }
        // One write, so that lines of a crash are whole or torn at their end, never mixed.
        self.torn = true;
        self.file.write_all(&line)?;
        self.torn = false;
        self.lines += 1;
        change.apply(&mut self.records);
        if self.lines > REWRITE_LINES && self.lines > 4 * self.records.len() {
            self.file = rewrite(&self.path, &self.records)?;
            self.lines = self.records.len();
        }
        Ok(())
    }
}

/// One line of the journal. Paths and names are bytes, and escaped (see [`escape`]).
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Remember { file: String, owner: String, name: String, since_s: u64 },
    Forget { file: String },
    Renamed { from: String, to: String },
}

impl Change {
    fn remember(partial: &PartialRecord) -> Change {
        let since = partial.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        Change::Remember {
            file: escape(&partial.file),
            owner: partial.owner.clone(),
            name: escape(&partial.name),
            since_s: since.as_secs(),
        }
    }

    fn apply(self, records: &mut Records) {
        match self {
            Change::Remember { file, owner, name, since_s } => {
                let (file, name) = (unescape(&file), unescape(&name));
                let since = UNIX_EPOCH.checked_add(Duration::from_secs(since_s)).unwrap_or(UNIX_EPOCH);
                records.insert(file.clone(), PartialRecord { file, owner, name, since });
            }
            Change::Forget { file } => {
                records.remove(&unescape(&file));
            }
            Change::Renamed { from, to } => {
                let (from, to) = (unescape(&from), unescape(&to));
                let moved: Vec<_> = records.extract_if(|file, _| beneath(&from, file).is_some()).collect();
                records.extend(moved.into_iter().map(|(file, record)| {
                    let file = [&to, beneath(&from, &file).unwrap_or_default()].concat();
                    (file.clone(), PartialRecord { file, ..record })
                }));
            }
        }
    }
}

/// What is left of a path behind `folder`, with its slash, if it lies beneath.
fn beneath<'a>(folder: &[u8], path: &'a [u8]) -> Option<&'a [u8]> {
    path.strip_prefix(folder).filter(|rest| rest.starts_with(b"/"))
}

fn replay(mut lines: impl io::BufRead) -> io::Result<Records> {
    let mut records = Records::new();
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        // A torn line is no JSON: ignored, like the newline that was put behind it.
        if let Ok(change) = serde_json::from_slice::<Change>(&line) {
            change.apply(&mut records);
        }
        line.clear();
    }
    Ok(records)
}

/// Replaces the journal by one that holds just these records, durably, and opens it for appending.
fn rewrite(path: &Path, records: &Records) -> io::Result<File> {
    let new = path.with_extension("new");
    let mut text = Vec::new();
    for record in records.values() {
        serde_json::to_writer(&mut text, &Change::remember(record))?;
        text.push(b'\n');
    }
    let mut file = File::create(&new)?;
    file.write_all(&text)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    OpenOptions::new().append(true).open(path)
}

/// Bytes as ASCII text: `%` and what is not printable become `%XX`.
fn escape(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            text.push(byte.into());
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The bytes that were escaped so. A `%` without two digits stands for itself.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digits =
            tail.get(..2).filter(|_| first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests;
