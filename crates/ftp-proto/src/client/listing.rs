//! How is a listing read, whatever pieces it comes in?
//!
//! ```text
//!    pieces ──► feed ──► lines, each bounded ──┬── Facts: facts.rs      (MLSD)      ──┐
//!                                              ├── Long:  unix.rs, dos.rs (LIST)    ──┼──► Entry, Current or Skipped
//!                                              └── Names: the line is the name (NLST)─┘
//! ```

mod date;
mod dos;
mod unix;

use std::fmt;

use super::entry::{BadName, Entry, EntryKind, EntryName};
use super::facts::{self, Facts, Role};
use crate::limits;

/// What a listing was asked for with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// MLSD (RFC 3659 §7).
    Facts,
    /// LIST (RFC 959 §4.1.3), which has no standard: what `ls -l` prints, or `dir` of DOS. Told apart line by line.
    Long,
    /// NLST (RFC 959 §4.1.3): names alone, so every kind is [`EntryKind::Unknown`].
    Names,
}

/// What one line of a listing says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Something in the folder.
    Entry(Entry),
    /// The folder itself (`type=cdir`).
    Current(Facts),
    /// A line that names nothing that may be touched.
    Skipped {
        /// The line, of a long one the first [`limits::SKIPPED_SHOWN`] bytes.
        line: Vec<u8>,
        /// Why.
        why: Skip,
    },
}

/// Why a line is skipped. The fault is the server's in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Its name is not one safe component of a path.
    Name(BadName),
    /// It has none of the known formats.
    Unreadable,
    /// It is longer than [`limits::LISTING_LINE`].
    TooLong,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Skip::Name(why) => why.fmt(f),
            Skip::Unreadable => f.write_str("the server lists something in a form that is not known"),
            Skip::TooLong => {
                write!(f, "the server lists something in a line of more than {} bytes", limits::LISTING_LINE)
            }
        }
    }
}

impl std::error::Error for Skip {}

/// Cuts a listing into lines and reads them, one at a time.
///
/// Give it a piece with [`feed`](ListingReader::feed), take what it has until it has no more, and so on; behind the last
/// piece say [`finish`](ListingReader::finish) and take the rest. It keeps one piece and one line of at most
/// [`limits::LISTING_LINE`] bytes; a listing of a million entries needs no more.
///
/// ```
/// use carrack_ftp_proto::client::{Format, Listed, ListingReader};
/// let mut reader = ListingReader::new(Format::Facts, 0);
/// let mut names = Vec::new();
/// for piece in [&b"type=file;size=3; a b\r\ntype=fi"[..], b"le; c\r\ntype=dir; ../../etc\r\n"] {
///     reader.feed(piece);
///     while let Some(listed) = reader.next() {
///         match listed {
///             Listed::Entry(entry) => names.push(entry.name.escaped().to_string()),
///             Listed::Current(_) => {}
///             Listed::Skipped { why, .. } => names.push(why.to_string()),
///         }
///     }
/// }
/// assert_eq!(names, ["a b", "c", "the server lists a path where a name belongs"]);
/// ```
#[derive(Clone, Debug)]
pub struct ListingReader {
    format: Format,
    now_unix_s: i64,
    /// What is fed and not yet read; what stands before `start` is read.
    buffer: Vec<u8>,
    start: usize,
    /// Up to here no LF was found behind `start`: no byte is looked at twice for it, however small the pieces.
    searched: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At a line or in one.
    Reading,
    /// Behind the limit of a line that was reported: everything up to its LF is nothing.
    SkippingLine,
    /// No more will come.
    Finished,
}

impl ListingReader {
    /// A reader for a listing that is read at `now_unix_s`, seconds since 1970 UTC: LIST leaves the year out of dates of the
    /// last months.
    #[must_use]
    pub fn new(format: Format, now_unix_s: i64) -> ListingReader {
        ListingReader { format, now_unix_s, buffer: Vec::new(), start: 0, searched: 0, state: State::Reading }
    }

    /// Takes the next bytes of the data connection. Pieces may be cut anywhere, within a line or a character.
    pub fn feed(&mut self, piece: &[u8]) {
        let piece = match self.state {
            State::Reading => piece,
            State::SkippingLine => match piece.iter().position(|&byte| byte == b'\n') {
                Some(line_feed) => {
                    self.state = State::Reading;
                    piece.get(line_feed + 1..).unwrap_or_default()
                }
                None => return,
            },
            State::Finished => return,
        };
        // Only when half of it is read is the buffer moved, so each byte is moved once on average.
        if self.start * 2 >= self.buffer.len() {
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(piece);
    }

    /// Says that the data connection has ended: a last line without its line end is read too. Whether the end was a proper
    /// one is for the caller to know.
    pub fn finish(&mut self) {
        self.state = State::Finished;
    }

    /// The next line as a range of the buffer, or that one is too long.
    fn cut(&mut self) -> Option<Line> {
        let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
        let found = unsearched.iter().position(|&byte| byte == b'\n').map(|at| self.searched + at);
        let (end, next) = match found {
            Some(line_feed) => (line_feed, line_feed + 1),
            None => (self.buffer.len(), self.buffer.len()),
        };
        self.searched = next;
        let (start, length) = (self.start, end - self.start);
        let too_long = length > limits::LISTING_LINE;
        match found {
            // SECURITY: a line without end is not collected: what is over the limit is reported once and then dropped as
            // it comes.
            None if too_long && self.state == State::Reading => self.state = State::SkippingLine,
            None if length > 0 && self.state == State::Finished => {}
            None if !too_long || length == 0 => return None,
            _ => {}
        }
        self.start = next;
        Some(if too_long { Line::TooLong(start) } else { Line::Whole(start, end) })
    }
}

/// Where a line stands in the buffer, without its LF.
enum Line {
    Whole(usize, usize),
    /// Too long; it begins here.
    TooLong(usize),
}

/// Not fused: `None` means that there is nothing more until the next [`feed`](ListingReader::feed) or
/// [`finish`](ListingReader::finish).
impl Iterator for ListingReader {
    type Item = Listed;

    fn next(&mut self) -> Option<Listed> {
        loop {
            let listed = match self.cut()? {
                Line::Whole(start, end) => {
                    let line = self.buffer.get(start..end).unwrap_or_default();
                    read(self.format, line, self.now_unix_s)
                }
                Line::TooLong(start) => {
                    let line = self.buffer.get(start..).unwrap_or_default();
                    Some(skipped(line, Skip::TooLong))
                }
            };
            if listed.is_some() {
                return listed;
            }
        }
    }
}

/// One line, with or without its CR; nothing where it says nothing of the folder's content.
fn read(format: Format, line: &[u8], now_unix_s: i64) -> Option<Listed> {
    let text = line.strip_suffix(b"\r").unwrap_or(line);
    if text.is_empty() {
        return None;
    }
    let read = match format {
        Format::Facts => facts::read(text).and_then(|line| match line.role {
            Role::Entry => entry(line.path, line.facts),
            Role::Current => Ok(Some(Listed::Current(line.facts))),
            Role::Parent => Ok(None),
        }),
        Format::Long => long(text, now_unix_s),
        Format::Names => entry(text, Facts::default()),
    };
    read.unwrap_or_else(|why| Some(skipped(text, why)))
}

/// The entry of that name. A folder `.` or `..` is no entry, and no reason for a report: `ls -a` prints them.
fn entry(name: &[u8], facts: Facts) -> Result<Option<Listed>, Skip> {
    if matches!(name, b"." | b"..") && matches!(facts.kind, EntryKind::Folder | EntryKind::Unknown) {
        return Ok(None);
    }
    let name = EntryName::parse(name).map_err(Skip::Name)?;
    Ok(Some(Listed::Entry(facts.named(name))))
}

/// A line of LIST.
fn long(line: &[u8], now_unix_s: i64) -> Result<Option<Listed>, Skip> {
    if line.first().is_some_and(u8::is_ascii_digit) {
        let (name, facts) = dos::read(line).ok_or(Skip::Unreadable)?;
        // SECURITY: to the server that printed this line, "\" separates the components of a path.
        if name.contains(&b'\\') {
            return Err(Skip::Name(BadName::Separator));
        }
        return entry(name, facts);
    }
    if is_total(line) {
        return Ok(None);
    }
    let (name, facts) = unix::read(line, now_unix_s).ok_or(Skip::Unreadable)?;
    entry(name, facts)
}

/// `total 42`, the first line of `ls -l`.
fn is_total(line: &[u8]) -> bool {
    let behind = line.split_at_checked(6).filter(|(word, _)| word.eq_ignore_ascii_case(b"total "));
    behind.is_some_and(|(_, blocks)| blocks.trim_ascii().first().is_some_and(u8::is_ascii_digit))
}

fn skipped(line: &[u8], why: Skip) -> Listed {
    let shown = line.get(..limits::SKIPPED_SHOWN).unwrap_or(line);
    Listed::Skipped { line: shown.to_vec(), why }
}

#[cfg(test)]
mod tests;
