//! Where do events rest until they are delivered, so that neither a crash nor a receiver that is away loses one?
//!
//! ```text
//! hooks/NAME/00000000000000000007.events   one event a line, appended and synced; the oldest file is read
//!            00000000000000000008.events   the newest is written
//!            delivered                     the file and the byte that is delivered next
//! ```
//!
//! A file whose events are all delivered is removed. What is torn at the end of the newest, by a crash or a full disk, is cut off.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::state::make_durably;

/// How large a file grows before the next is begun.
const FILE_BYTES: u64 = 1024 * 1024;

/// How many files another process may still begin, which writes in the same folder until it ends: those of this one have their numbers
/// behind them.
const FILES_OF_ANOTHER: u64 = 1 << 32;

/// What an event's file is called, behind its number.
const ENDING: &str = ".events";

/// The events of one hook that are not delivered yet.
#[derive(Debug)]
pub(super) struct Outbox {
    folder: PathBuf,
    /// How many bytes may wait.
    limit: u64,
    /// Oldest first.
    files: VecDeque<Part>,
    /// The number of the next file.
    next: u64,
    /// The newest file, while it is written.
    writing: Option<File>,
    reading: Option<BufReader<File>>,
    /// How much of the oldest file is delivered.
    delivered: u64,
    delivered_file: File,
    /// The event that is delivered next.
    current: Option<Vec<u8>>,
    /// How many wait.
    waiting: u64,
}

#[derive(Debug)]
struct Part {
    number: u64,
    length: u64,
}

/// Why an event was not taken.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// As much as may wait does.
    Full,
    /// The disk, or the system.
    Io(io::Error),
}

impl From<io::Error> for NotTaken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Outbox {
    /// Opens what an earlier run has left in `folder`, or begins. No more than `limit` bytes wait.
    pub(super) fn open(folder: &Path, limit: u64) -> io::Result<Self> {
        make_durably(folder)?;
        let mut delivered_file = delivered_file(folder)?;
        let mut text = String::new();
        // Unreadable, it counts as nothing: events come twice then, and none is lost.
        let _ = delivered_file.read_to_string(&mut text);
        let mut words = text.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
        let (first, delivered) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
        let numbers = numbers(folder)?;
        let next = numbers.last().map_or(0, |last| last + 1).max(first);
        let mut outbox = Self::empty(folder, limit, next, delivered_file);
        outbox.delivered = delivered;
        for number in numbers {
            match number < first {
                true => std::fs::remove_file(outbox.path(number))?,
                false => outbox.take_up(number)?,
            }
        }
        if outbox.files.front().is_none_or(|oldest| oldest.number != first) {
            outbox.delivered = 0;
        }
        outbox.waiting = outbox.count()?;
        Ok(outbox)
    }

    /// Opens a folder from which another process still delivers, to write there. What waits in it is found once
    /// [`settle`](Self::settle) was called, when that process has ended.
    pub(super) fn join(folder: &Path, limit: u64) -> io::Result<Self> {
        make_durably(folder)?;
        let next = numbers(folder)?.last().map_or(0, |last| last + 1) + FILES_OF_ANOTHER;
        Ok(Self::empty(folder, limit, next, delivered_file(folder)?))
    }

    /// Takes up what the other process has left.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.sync()?;
        *self = Self::open(&self.folder, self.limit)?;
        Ok(())
    }

    fn empty(folder: &Path, limit: u64, next: u64, delivered_file: File) -> Self {
        Self {
            folder: folder.to_owned(),
            limit,
            files: VecDeque::new(),
            next,
            writing: None,
            reading: None,
            delivered: 0,
            delivered_file,
            current: None,
            waiting: 0,
        }
    }

    /// Takes up a file of an earlier run, without the torn line at its end.
    fn take_up(&mut self, number: u64) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(self.path(number))?;
        let mut whole = 0;
        let mut line = Vec::new();
        let mut reader = BufReader::new(&file);
        while reader.read_until(b'\n', &mut line)? > 0 && line.last() == Some(&b'\n') {
            whole += line.len() as u64;
            line.clear();
        }
        file.set_len(whole)?;
        self.files.push_back(Part { number, length: whole });
        Ok(())
    }

    fn count(&self) -> io::Result<u64> {
        let mut count = 0;
        for (index, part) in self.files.iter().enumerate() {
            let mut file = File::open(self.path(part.number))?;
            if index == 0 {
                file.seek(SeekFrom::Start(self.delivered))?;
            }
            let lines = BufReader::new(file).split(b'\n');
            count += lines.count() as u64;
        }
        Ok(count)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:020}{ENDING}"))
    }

    /// How many events wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    fn bytes(&self) -> u64 {
        self.files.iter().map(|part| part.length).sum::<u64>().saturating_sub(self.delivered)
    }

    /// Appends an event, a text without a line break. It counts once [`sync`](Self::sync) was called. `share` is the part of all room
    /// that it may take, in percent: what strangers can cause leaves room for the rest.
    pub(super) fn append(&mut self, event: &[u8], share: u64) -> Result<(), NotTaken> {
        let length = event.len() as u64 + 1;
        if self.bytes() + length > self.limit / 100 * share {
            return Err(NotTaken::Full);
        }
        if self.files.back().is_none_or(|newest| newest.length >= FILE_BYTES) {
            self.writing = None;
        }
        let file = match &mut self.writing {
            Some(file) => file,
            none => {
                let path = self.folder.join(format!("{:020}{ENDING}", self.next));
                let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
                self.files.push_back(Part { number: self.next, length: 0 });
                self.next += 1;
                // A file that a crash forgets has lost what it held.
                File::open(&self.folder)?.sync_all()?;
                none.insert(file)
            }
        };
        let Some(newest) = self.files.back_mut() else { return Err(NotTaken::Full) };
        let line = [event, b"\n"].concat();
        if let Err(error) = file.write_all_at(&line, newest.length) {
            let _ = file.set_len(newest.length);
            return Err(error.into());
        }
        newest.length += length;
        self.waiting += 1;
        Ok(())
    }

    /// Waits until the disk has what was appended.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.writing.as_ref().map_or(Ok(()), File::sync_data)
    }

    /// The oldest event that waits.
    pub(super) fn oldest(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.current.is_none() {
            self.current = self.read()?;
        }
        Ok(self.current.clone())
    }

    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        while let Some(oldest) = self.files.front() {
            if self.delivered < oldest.length {
                let reader = match &mut self.reading {
                    Some(reader) => reader,
                    none => {
                        let mut file =
                            File::open(self.folder.join(format!("{:020}{ENDING}", oldest.number)))?;
                        file.seek(SeekFrom::Start(self.delivered))?;
                        none.insert(BufReader::new(file))
                    }
                };
                let mut line = Vec::new();
                reader.read_until(b'\n', &mut line)?;
                line.pop();
                return Ok(Some(line));
            }
            if self.files.len() == 1 && oldest.length < FILE_BYTES {
                return Ok(None);
            }
            self.drop_oldest()?;
        }
        Ok(None)
    }

    /// Says that the oldest was delivered, or put away.
    pub(super) fn done(&mut self) -> io::Result<()> {
        let Some(event) = self.current.take() else { return Ok(()) };
        self.delivered += event.len() as u64 + 1;
        self.waiting = self.waiting.saturating_sub(1);
        let number = self.files.front().map_or(self.next, |oldest| oldest.number);
        self.remember(number)
    }

    /// Removes the oldest file, which is delivered.
    fn drop_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.files.pop_front() else { return Ok(()) };
        self.reading = None;
        if self.files.is_empty() {
            self.writing = None;
        }
        self.delivered = 0;
        // In this order: a crash in between leaves a file that is known to be delivered.
        self.remember(self.files.front().map_or(self.next, |next| next.number))?;
        std::fs::remove_file(self.path(oldest.number))
    }

    /// A crash may forget it, and events come twice then.
    fn remember(&self, number: u64) -> io::Result<()> {
        let text = format!("{number:020} {:020}\n", self.delivered);
        self.delivered_file.write_all_at(text.as_bytes(), 0)
    }
}

fn delivered_file(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(folder.join("delivered"))
}

/// Of the files in the folder, in order.
fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(ENDING));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests;
