//! Where does one command line end and the next begin?
//!
//! The control connection is a Telnet connection (RFC 959 §2.3): Telnet commands may stand anywhere, byte 255 is sent twice.
//! Both are decoded byte by byte, in constant space, whatever the peer sends.

use std::collections::VecDeque;

use zeroize::Zeroizing;

use crate::limits;

/// One line of input, without its line end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Its bytes. Wiped when dropped, because it may be a password.
    Text(Zeroizing<Vec<u8>>),
    /// It was longer than [`limits::COMMAND_LINE`]; its bytes are gone.
    TooLong,
    /// It was so long that its end was not waited for. Nothing comes behind it.
    Endless,
}

/// Cuts bytes into lines and keeps them, in order, until they are taken.
#[derive(Debug, Default)]
pub(crate) struct LineReader {
    telnet: Telnet,
    /// The line under way.
    text: Zeroizing<Vec<u8>>,
    /// Bytes of the line under way, Telnet commands and skipped bytes among them.
    raw_length: usize,
    /// Whole lines that wait for their turn.
    lines: VecDeque<Line>,
    /// Bytes of text in `lines`.
    waiting_bytes: usize,
}

/// Where we are in the Telnet protocol (RFC 854).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Telnet {
    #[default]
    Data,
    /// Behind IAC.
    Command,
    /// Behind IAC WILL or IAC DO: the option follows, and this verb refuses it.
    Negotiation(u8),
    /// Behind IAC WONT or IAC DONT: the option follows, and needs no answer.
    Agreement,
    /// Between IAC SB and IAC SE.
    Subnegotiation,
    /// Behind an IAC in there.
    SubnegotiationCommand,
}

const SE: u8 = 240;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;

impl LineReader {
    /// Takes bytes in. Telnet options are refused, all of them, by what is appended to `output` (RFC 1123 §4.1.2.12).
    pub(crate) fn receive(&mut self, bytes: &[u8], output: &mut Vec<u8>) {
        for &byte in bytes {
            if self.raw_length > limits::COMMAND_LINE + limits::SKIPPED_LINE {
                // SECURITY: a line without end costs no memory, and no time either once it is given up.
                break;
            }
            self.raw_length += 1;
            self.telnet = match (self.telnet, byte) {
                (Telnet::Data, IAC) => Telnet::Command,
                (Telnet::Data, b'\n') => {
                    self.end_line();
                    Telnet::Data
                }
                (Telnet::Data, _) | (Telnet::Command, IAC) => {
                    self.keep(byte);
                    Telnet::Data
                }
                (Telnet::Command, WILL) => Telnet::Negotiation(DONT),
                (Telnet::Command, DO) => Telnet::Negotiation(WONT),
                (Telnet::Command, WONT | DONT) => Telnet::Agreement,
                (Telnet::Command, SB) => Telnet::Subnegotiation,
                (Telnet::Command, _) => Telnet::Data, // IP, DM, AO, NOP, ...: a Synch in front of ABOR (RFC 959 §4.1.3)
                (Telnet::Negotiation(verb), option) => {
                    output.extend_from_slice(&[IAC, verb, option]);
                    Telnet::Data
                }
                (Telnet::Agreement, _) | (Telnet::SubnegotiationCommand, SE) => Telnet::Data,
                (Telnet::Subnegotiation, IAC) => Telnet::SubnegotiationCommand,
                (Telnet::Subnegotiation | Telnet::SubnegotiationCommand, _) => Telnet::Subnegotiation,
            };
            if self.raw_length > limits::COMMAND_LINE + limits::SKIPPED_LINE {
                self.lines.push_back(Line::Endless);
            }
        }
    }

    /// The oldest whole line.
    pub(crate) fn next_line(&mut self) -> Option<Line> {
        let line = self.lines.pop_front()?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(line.text().len());
        Some(line)
    }

    /// The oldest whole line, left where it is.
    pub(crate) fn peek(&self) -> Option<&Line> {
        self.lines.front()
    }

    /// Takes the first line that `wanted` likes out of the row.
    pub(crate) fn take(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Option<Line> {
        let position = self.lines.iter().position(|line| wanted(line.text()))?;
        let line = self.lines.remove(position)?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(line.text().len());
        Some(line)
    }

    /// Whether a byte has been received that no taken line accounts for.
    pub(crate) fn holds_bytes(&self) -> bool {
        self.raw_length > 0 || !self.lines.is_empty()
    }

    /// Whether there is room for more lines.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting_bytes < limits::PIPELINED_BYTES && self.lines.len() < limits::PIPELINED_COMMANDS
    }

    /// Forgets everything received.
    pub(crate) fn clear(&mut self) {
        *self = LineReader::default();
    }

    fn keep(&mut self, byte: u8) {
        if self.text.capacity() == 0 {
            // SECURITY: a buffer that grew would leave copies of a password behind that nobody wipes.
            self.text.reserve(limits::LINE_WITHOUT_GROWTH);
        }
        // One more than a line may have, for a CR that belongs to the line end; a second byte more marks it too long.
        if self.text.len() < limits::COMMAND_LINE + 2 {
            self.text.push(byte);
        }
    }

    fn end_line(&mut self) {
        let mut text = std::mem::take(&mut self.text);
        self.raw_length = 0;
        if text.last() == Some(&b'\r') {
            text.pop();
        }
        if text.len() > limits::COMMAND_LINE {
            self.lines.push_back(Line::TooLong);
        } else {
            self.waiting_bytes += text.len();
            self.lines.push_back(Line::Text(text));
        }
    }
}

impl Line {
    fn text(&self) -> &[u8] {
        match self {
            Line::Text(text) => text,
            Line::TooLong | Line::Endless => b"",
        }
    }
}
