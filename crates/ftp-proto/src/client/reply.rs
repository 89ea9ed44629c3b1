//! What did the server say? Bytes become replies (RFC 959 §4.2), whatever the bytes.

use std::collections::VecDeque;
use std::fmt;

use super::escaped;
use crate::limits;
use crate::reply::Code;

/// One reply of a server: a code and its lines.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    code: Code,
    /// The lines without code and line end, joined by LF, which none of them holds.
    text: Vec<u8>,
}

impl Reply {
    /// The code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// All lines, without their codes and line ends; one at least.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.text.split(|&byte| byte == b'\n')
    }

    /// The lines between the first and the last: the features of FEAT, the facts of MLST.
    pub fn body(&self) -> impl Iterator<Item = &[u8]> {
        let mut lines = self.lines();
        lines.next();
        lines.next_back();
        lines
    }

    /// The last line, or the only one: where a 213, 227, 229 or 257 carries its value.
    #[must_use]
    pub fn last_line(&self) -> &[u8] {
        self.lines().next_back().unwrap_or_default()
    }
}

/// The code and the text on one line, harmless to a terminal and cut at [`limits::REPLY_SHOWN`] bytes.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        let mut left = limits::REPLY_SHOWN;
        for line in self.lines().map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
            let shown = line.get(..left).unwrap_or(line);
            write!(f, " {}", escaped(shown))?;
            left -= shown.len();
            if left == 0 {
                return f.write_str("…");
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why bytes are no reply. Nothing that came behind them was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadReply {
    /// A line that begins with no code between 100 and 599, cut at [`limits::REPLY_SHOWN`] bytes.
    NoCode(Vec<u8>),
    /// A TLS record where a line in clear was expected.
    Tls,
    /// A line longer than [`limits::REPLY_LINE`].
    LineTooLong,
    /// A reply of more lines than [`limits::REPLY_LINES`].
    TooManyLines,
    /// A reply longer than [`limits::REPLY_BYTES`].
    TooLong,
}

impl fmt::Display for BadReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadReply::NoCode(line) => {
                write!(f, "the server sent \"{}\", which is no FTP reply", escaped(line))
            }
            BadReply::Tls => f.write_str("the server sent TLS where a line of FTP was expected"),
            BadReply::LineTooLong => {
                write!(f, "the server sent a line of more than {} bytes", limits::REPLY_LINE)
            }
            BadReply::TooManyLines => {
                write!(f, "the server sent a reply of more than {} lines", limits::REPLY_LINES)
            }
            BadReply::TooLong => {
                write!(f, "the server sent a reply of more than {} bytes", limits::REPLY_BYTES)
            }
        }
    }
}

impl std::error::Error for BadReply {}

/// Cuts bytes into replies. Bounded: no reply grows beyond its limits, and replies that nobody takes are counted by whoever
/// holds this.
#[derive(Debug, Default)]
pub(crate) struct ReplyReader {
    telnet: Telnet,
    /// The line under way.
    line: Vec<u8>,
    /// The lines of a reply whose last line has not come.
    under_way: Option<UnderWay>,
    /// Whole replies that wait to be taken.
    replies: VecDeque<Reply>,
}

#[derive(Debug)]
struct UnderWay {
    code: Code,
    text: Vec<u8>,
    lines: usize,
}

/// Where we are in the Telnet protocol (RFC 854). Options are neither agreed to nor refused: RFC 1123 §4.1.2.12 allows a
/// client to ignore them, and a server that offers some waits for nothing.
#[derive(Clone, Copy, Debug, Default)]
enum Telnet {
    #[default]
    Data,
    /// Behind IAC.
    Command,
    /// Behind IAC and WILL, WONT, DO or DONT.
    Option,
}

/// What begins a TLS record: handshake or alert, version 3.x (RFC 8446 §5.1).
const TLS_RECORDS: [[u8; 2]; 2] = [[0x16, 0x03], [0x15, 0x03]];

impl ReplyReader {
    /// Takes bytes in.
    ///
    /// # Errors
    /// [`BadReply`], behind which nothing more is to be fed.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<(), BadReply> {
        for &byte in bytes {
            match (self.telnet, byte) {
                (Telnet::Data, 255) => self.telnet = Telnet::Command,
                (Telnet::Data, b'\n') => self.end_line()?,
                (Telnet::Data, _) => self.keep(byte)?,
                // A byte 255 of the text is sent twice (RFC 854).
                (Telnet::Command, 255) => {
                    self.telnet = Telnet::Data;
                    self.keep(byte)?;
                }
                (Telnet::Command, 251..=254) => self.telnet = Telnet::Option,
                (Telnet::Command | Telnet::Option, _) => self.telnet = Telnet::Data,
            }
        }
        Ok(())
    }

    /// The oldest whole reply.
    pub(crate) fn next_reply(&mut self) -> Option<Reply> {
        self.replies.pop_front()
    }

    /// Whether a byte has come that belongs to no taken reply.
    pub(super) fn holds_bytes(&self) -> bool {
        !self.line.is_empty()
            || self.under_way.is_some()
            || !self.replies.is_empty()
            || !matches!(self.telnet, Telnet::Data)
    }

    fn keep(&mut self, byte: u8) -> Result<(), BadReply> {
        if self.line.len() >= limits::REPLY_LINE {
            // SECURITY: a line without end would fill the memory.
            return Err(BadReply::LineTooLong);
        }
        self.line.push(byte);
        if self.under_way.is_none() && TLS_RECORDS.iter().any(|record| self.line == record) {
            return Err(BadReply::Tls);
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), BadReply> {
        // Some servers end lines with LF alone.
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        let whole = match &mut self.under_way {
            None => {
                let (code, more, text) = begin(line)?;
                let under_way = UnderWay { code, text: text.to_vec(), lines: 1 };
                match more {
                    true => {
                        self.under_way = Some(under_way);
                        None
                    }
                    false => Some(under_way),
                }
            }
            Some(under_way) => match under_way.add(line)? {
                true => self.under_way.take(),
                false => None,
            },
        };
        self.line.clear();
        self.replies.extend(whole.map(|UnderWay { code, text, .. }| Reply { code, text }));
        Ok(())
    }
}

impl UnderWay {
    /// Adds a line; true if it was the last.
    fn add(&mut self, line: &[u8]) -> Result<bool, BadReply> {
        // SECURITY: a reply without end would fill the memory, or keep us busy for ever.
        if self.lines >= limits::REPLY_LINES {
            return Err(BadReply::TooManyLines);
        }
        if self.text.len() + line.len() >= limits::REPLY_BYTES {
            return Err(BadReply::TooLong);
        }
        // The last line repeats the code, with a space behind it; many servers repeat it with a hyphen on every line.
        let (text, last) = match begin(line) {
            Ok((code, more, text)) if code == self.code && line.len() > 3 => (text, !more),
            _ => (line, false),
        };
        self.lines += 1;
        self.text.push(b'\n');
        self.text.extend_from_slice(text);
        Ok(last)
    }
}

/// The code of a line, whether a hyphen says that more lines follow, and the text behind.
fn begin(line: &[u8]) -> Result<(Code, bool, &[u8]), BadReply> {
    let bad = || BadReply::NoCode(line.get(..limits::REPLY_SHOWN).unwrap_or(line).to_vec());
    let (digits, rest) = line.split_at_checked(3).ok_or_else(bad)?;
    let code = Code::read(digits).ok_or_else(bad)?;
    match rest {
        // A code without text, which RFC 959 does not know and some servers send.
        [] => Ok((code, false, b"")),
        [b' ', text @ ..] => Ok((code, false, text)),
        [b'-', text @ ..] => Ok((code, true, text)),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests;
