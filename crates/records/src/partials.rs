//! Which uploads were left unfinished, and which of them are too old? A journal in the state folder.
//!
//! It also holds the files that are being extended in place, with the length that was acknowledged: those lines are
//! synced, because a file is cut back by them after a crash.
//!
//! One line of JSON for each change, appended before the change is made on the disk of files. The journal is rewritten
//! with what is left at every start, and when it has grown long. A line is synced if without it more bytes of an upload would be
//! trusted than are on the disk; a power cut may forget the others, and costs no more than one unfinished upload that begins anew
//! and does not expire by itself.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use carrack_core::partial::{Extension, PartialIndex, PartialRecord};
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
            Err(error) if error.kind() == io::ErrorKind::NotFound => Records::default(),
            Err(error) => return Err(error),
        };
        let file = rewrite(&path, &records)?;
        let lines = records.len();
        let rewrite_at = REWRITE_LINES;
        let journal = Journal { path, file, lines, rewrite_at, torn: false, records };
        Ok(PartialJournal { journal: Mutex::new(journal) })
    }

    /// Opens the journal that another process writes as well: the server that ends when this one has its place. Neither may rewrite it until
    /// then, so the other one has to [share](PartialJournal::share) it; behind that, [`PartialJournal::settle`].
    pub fn join(state: &Path) -> io::Result<PartialJournal> {
        let path = state.join(JOURNAL);
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        let records = replay(BufReader::new(File::open(&path)?))?;
        let (lines, rewrite_at) = (records.len(), usize::MAX);
        let journal = Journal { path, file, lines, rewrite_at, torn: false, records };
        Ok(PartialJournal { journal: Mutex::new(journal) })
    }

    /// Leaves the file in its place from now on, for another process that has joined; or no longer.
    pub fn share(&self, is_shared: bool) {
        let mut journal = self.lock();
        journal.rewrite_at = if is_shared { usize::MAX } else { journal.lines.max(REWRITE_LINES) };
    }

    /// Takes up what the other process wrote, which has ended, and rewrites the journal.
    pub fn settle(&self) -> io::Result<()> {
        let mut journal = self.lock();
        let records = replay(BufReader::new(File::open(&journal.path)?))?;
        let file = rewrite(&journal.path, &records)?;
        let (lines, rewrite_at) = (records.len(), REWRITE_LINES);
        let path = std::mem::take(&mut journal.path);
        *journal = Journal { path, file, lines, rewrite_at, torn: false, records };
        Ok(())
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
        let old: Vec<PartialRecord> = self.lock().records.partials.values().filter(is_old).cloned().collect();
        let mut expired = Expired::default();
        for record in old {
            // A record renewed since then belongs to an upload that goes on.
            if self.find(&record.file).as_ref() != Some(&record) {
                continue;
            }
            if remove(&record).is_ok() {
                self.forget_unchanged(&record)?;
                expired.removed += 1;
            } else {
                expired.kept += 1;
            }
        }
        Ok(expired)
    }

    /// Forgets a record unless a new upload has begun there since.
    fn forget_unchanged(&self, record: &PartialRecord) -> io::Result<()> {
        let mut journal = self.lock();
        if journal.records.partials.get(&record.file) != Some(record) {
            return Ok(());
        }
        journal.change(Change::Forget { file: escape(&record.file) })
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
        if !journal.records.partials.contains_key(file) {
            return Ok(());
        }
        journal.change(Change::Forget { file: escape(file) })
    }

    fn renamed(&self, from: &[u8], to: &[u8]) -> io::Result<()> {
        let mut journal = self.lock();
        // Most folders hold no unfinished upload.
        let Records { partials, extensions } = &journal.records;
        if !partials.keys().chain(extensions.keys()).any(|file| beneath(from, file).is_some()) {
            return Ok(());
        }
        journal.change(Change::Renamed { from: escape(from), to: escape(to) })
    }

    fn find(&self, file: &[u8]) -> Option<PartialRecord> {
        let mut journal = self.lock();
        if journal.is_shared() {
            // Where it cannot be read nothing is known of the file, and nothing is trusted.
            journal.records = replay(BufReader::new(File::open(&journal.path).ok()?)).ok()?;
        }
        journal.records.partials.get(file).cloned()
    }

    fn extending(&self, extension: &Extension) -> io::Result<()> {
        let mut journal = self.lock();
        journal.change(Change::extending(extension))?;
        journal.file.sync_data()
    }

    fn extended(&self, file: &[u8]) -> io::Result<()> {
        let mut journal = self.lock();
        if !journal.records.extensions.contains_key(file) {
            return Ok(());
        }
        journal.change(Change::Extended { file: escape(file) })?;
        journal.file.sync_data()
    }

    fn extensions(&self) -> Vec<Extension> {
        self.lock().records.extensions.values().cloned().collect()
    }
}

/// What the journal says, by the file that it says it of.
#[derive(Debug, Default)]
struct Records {
    partials: HashMap<Vec<u8>, PartialRecord>,
    extensions: HashMap<Vec<u8>, Extension>,
}

impl Records {
    fn len(&self) -> usize {
        self.partials.len() + self.extensions.len()
    }

    /// Whether these records, were the change forgotten by a power cut, would vouch for bytes that another upload has replaced.
    fn would_trust_more_without(&self, change: &Change) -> bool {
        match change {
            Change::Remember { file, settled, .. } => {
                self.partials.get(&unescape(file)).is_some_and(|record| record.settled > *settled)
            }
            Change::Forget { file } => {
                self.partials.get(&unescape(file)).is_some_and(|record| record.settled > 0)
            }
            Change::Renamed { from, to } => {
                let folders = [unescape(from), unescape(to)];
                let is_in = |file: &[u8]| folders.iter().any(|folder| beneath(folder, file).is_some());
                self.partials.values().any(|record| record.settled > 0 && is_in(&record.file))
            }
            // Their own callers sync them.
            Change::Extending { .. } | Change::Extended { .. } => false,
        }
    }
}

#[derive(Debug)]
struct Journal {
    path: PathBuf,
    /// Open for appending.
    file: File,
    /// How many lines the file has.
    lines: usize,
    /// At how many lines it is rewritten.
    rewrite_at: usize,
    /// Whether the last line may be incomplete, because writing it failed.
    torn: bool,
    records: Records,
}

impl Journal {
    /// Whether another process writes it as well.
    fn is_shared(&self) -> bool {
        self.rewrite_at == usize::MAX
    }

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
        // What the other process has written down meanwhile is not known here.
        if self.is_shared() || self.records.would_trust_more_without(&change) {
            self.file.sync_data()?;
        }
        change.apply(&mut self.records);
        if self.lines > self.rewrite_at && self.lines > 4 * self.records.len() {
            match rewrite(&self.path, &self.records) {
                Ok(file) => {
                    (self.file, self.lines) = (file, self.records.len());
                    self.rewrite_at = REWRITE_LINES;
                }
                // The change is written down; only the journal is longer than it need be.
                Err(_) => self.rewrite_at = self.lines + REWRITE_LINES,
            }
        }
        Ok(())
    }
}

/// One line of the journal. Paths and names are bytes, and escaped (see [`escape`]).
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Remember {
        file: String,
        owner: String,
        name: String,
        since_s: u64,
        #[serde(default)]
        boot: String,
        #[serde(default)]
        settled: u64,
    },
    Forget {
        file: String,
    },
    Renamed {
        from: String,
        to: String,
    },
    Extending {
        file: String,
        inode: u64,
        length: u64,
    },
    Extended {
        file: String,
    },
}

impl Change {
    fn remember(partial: &PartialRecord) -> Change {
        let since = partial.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        Change::Remember {
            file: escape(&partial.file),
            owner: partial.owner.clone(),
            name: escape(&partial.name),
            since_s: since.as_secs(),
            boot: partial.boot.clone(),
            settled: partial.settled,
        }
    }

    fn extending(Extension { file, inode, length }: &Extension) -> Change {
        Change::Extending { file: escape(file), inode: *inode, length: *length }
    }

    fn apply(self, records: &mut Records) {
        match self {
            Change::Remember { file, owner, name, since_s, boot, settled } => {
                let (file, name) = (unescape(&file), unescape(&name));
                let since = UNIX_EPOCH.checked_add(Duration::from_secs(since_s)).unwrap_or(UNIX_EPOCH);
                let record = PartialRecord { file: file.clone(), owner, name, since, boot, settled };
                records.partials.insert(file, record);
            }
            Change::Forget { file } => {
                records.partials.remove(&unescape(&file));
            }
            Change::Renamed { from, to } => {
                let (from, to) = (unescape(&from), unescape(&to));
                let moved = |file: &[u8]| [&to, beneath(&from, file).unwrap_or_default()].concat();
                let is_moved = |file: &[u8]| beneath(&from, file).is_some();
                let partials: Vec<_> = records.partials.extract_if(|file, _| is_moved(file)).collect();
                records.partials.extend(partials.into_iter().map(|(file, record)| {
                    let file = moved(&file);
                    (file.clone(), PartialRecord { file, ..record })
                }));
                let extensions: Vec<_> = records.extensions.extract_if(|file, _| is_moved(file)).collect();
                records.extensions.extend(extensions.into_iter().map(|(file, extension)| {
                    let file = moved(&file);
                    (file.clone(), Extension { file, ..extension })
                }));
            }
            Change::Extending { file, inode, length } => {
                let file = unescape(&file);
                records.extensions.insert(file.clone(), Extension { file, inode, length });
            }
            Change::Extended { file } => {
                records.extensions.remove(&unescape(&file));
            }
        }
    }
}

/// What is left of a path behind `folder`, with its slash, if it lies beneath.
fn beneath<'a>(folder: &[u8], path: &'a [u8]) -> Option<&'a [u8]> {
    path.strip_prefix(folder).filter(|rest| rest.starts_with(b"/"))
}

fn replay(mut lines: impl io::BufRead) -> io::Result<Records> {
    let mut records = Records::default();
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
    let partials = records.partials.values().map(Change::remember);
    for change in partials.chain(records.extensions.values().map(Change::extending)) {
        serde_json::to_writer(&mut text, &change)?;
        text.push(b'\n');
    }
    // SECURITY: it names users and their files. Whatever stands there, an attempt that failed, has its own mode.
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
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
