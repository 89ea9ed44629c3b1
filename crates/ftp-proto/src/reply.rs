//! What does the server say, and how does it stand on the wire? (RFC 959 §4.2)

use std::fmt;

use crate::charset::Charset;

/// A three-digit reply code. The constants carry the RFC's own words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

macro_rules! codes {
    ($($name:ident = $number:literal, $doc:literal;)*) => {
        /// Every code this server says, by its meaning.
        impl Code {
            $(#[doc = concat!("`", stringify!($number), "` ", $doc)] pub const $name: Code = Code($number);)*

            /// All of them.
            pub const ALL: &[Code] = &[$(Code::$name),*];
        }
    };
}

codes! {
    OPENING_DATA_CONNECTION = 150, "File status okay; about to open data connection (RFC 959).";
    COMMAND_OKAY = 200, "Command okay (RFC 959).";
    SUPERFLUOUS = 202, "Command not implemented, superfluous at this site (RFC 959).";
    SYSTEM_STATUS = 211, "System status, or system help reply (RFC 959).";
    DIRECTORY_STATUS = 212, "Directory status (RFC 959).";
    FILE_STATUS = 213, "File status; also SIZE and MDTM (RFC 3659).";
    HELP = 214, "Help message (RFC 959).";
    SYSTEM_TYPE = 215, "NAME system type (RFC 959).";
    SERVICE_READY = 220, "Service ready for new user (RFC 959).";
    CLOSING_CONTROL_CONNECTION = 221, "Service closing control connection (RFC 959).";
    NO_TRANSFER_IN_PROGRESS = 225, "Data connection open; no transfer in progress (RFC 959).";
    CLOSING_DATA_CONNECTION = 226, "Closing data connection; requested file action successful (RFC 959).";
    ENTERING_PASSIVE_MODE = 227, "Entering Passive Mode (RFC 959).";
    ENTERING_EXTENDED_PASSIVE_MODE = 229, "Entering Extended Passive Mode (RFC 2428).";
    LOGGED_IN = 230, "User logged in, proceed (RFC 959).";
    LOGGED_IN_BY_SECURITY_EXCHANGE = 232, "User logged in, authorized by security data exchange (RFC 2228).";
    SECURITY_EXCHANGE_COMPLETE = 234, "Security data exchange complete; here: begin TLS (RFC 2228, RFC 4217 §4).";
    FILE_ACTION_OKAY = 250, "Requested file action okay, completed (RFC 959).";
    PATHNAME = 257, "\"PATHNAME\" created, or the working directory (RFC 959).";
    NEED_PASSWORD = 331, "User name okay, need password (RFC 959).";
    PENDING_FURTHER_INFORMATION = 350, "Requested file action pending further information (RFC 959).";
    SERVICE_NOT_AVAILABLE = 421, "Service not available, closing control connection (RFC 959).";
    CANNOT_OPEN_DATA_CONNECTION = 425, "Can't open data connection (RFC 959).";
    TRANSFER_ABORTED = 426, "Connection closed; transfer aborted (RFC 959).";
    SECURITY_RESOURCE_UNAVAILABLE = 431, "Need some unavailable resource to process security (RFC 2228).";
    FILE_BUSY = 450, "Requested file action not taken: file unavailable, e.g. busy (RFC 959).";
    LOCAL_ERROR = 451, "Requested action aborted: local error in processing (RFC 959).";
    INSUFFICIENT_STORAGE = 452, "Requested action not taken: insufficient storage space (RFC 959).";
    SYNTAX_ERROR = 500, "Syntax error, command unrecognized (RFC 959).";
    SYNTAX_ERROR_IN_ARGUMENT = 501, "Syntax error in parameters or arguments (RFC 959).";
    NOT_IMPLEMENTED = 502, "Command not implemented (RFC 959).";
    BAD_SEQUENCE = 503, "Bad sequence of commands (RFC 959).";
    ARGUMENT_NOT_IMPLEMENTED = 504, "Command not implemented for that parameter (RFC 959).";
    NOT_SUPPORTED_ON_DATA_CONNECTION = 522, "Network protocol (RFC 2428) or protection (RFC 4217) of the data connection not supported.";
    NOT_LOGGED_IN = 530, "Not logged in (RFC 959).";
    NEED_ACCOUNT = 532, "Need account for storing files (RFC 959).";
    PROTECTION_DENIED = 533, "Command protection level denied for policy reasons (RFC 2228).";
    DENIED_BY_POLICY = 534, "Request denied for policy reasons (RFC 2228).";
    SECURITY_CHECK_FAILED = 535, "Failed security check (RFC 2228).";
    PROTECTION_LEVEL_NOT_SUPPORTED = 536, "Requested PROT level not supported by mechanism (RFC 2228).";
    COMMAND_PROTECTION_NOT_SUPPORTED = 537, "Command protection level not supported by security mechanism (RFC 2228).";
    FILE_UNAVAILABLE = 550, "Requested action not taken: file unavailable (RFC 959).";
    PAGE_TYPE_UNKNOWN = 551, "Requested action aborted: page type unknown (RFC 959).";
    EXCEEDED_STORAGE_ALLOCATION = 552, "Requested file action aborted: exceeded storage allocation (RFC 959).";
    NAME_NOT_ALLOWED = 553, "Requested action not taken: file name not allowed (RFC 959).";
}

impl Code {
    /// Reads three digits from 100 to 599. What lies beyond is no reply of RFC 959, and no protected one (RFC 2228 §4) was
    /// asked for.
    pub(crate) fn read(digits: &[u8]) -> Option<Code> {
        match digits {
            [hundreds @ b'1'..=b'5', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
                let digit = |byte: &u8| u16::from(byte - b'0');
                Some(Code(digit(hundreds) * 100 + digit(tens) * 10 + digit(ones)))
            }
            _ => None,
        }
    }

    /// The three digits as a number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// First digit 1: the command was begun, and another reply follows (RFC 959 §4.2.1).
    #[must_use]
    pub const fn is_preliminary(self) -> bool {
        matches!(self.0, 100..=199)
    }

    /// First digit 3: the command was taken, and another command is awaited (RFC 959 §4.2.1).
    #[must_use]
    pub const fn is_intermediate(self) -> bool {
        matches!(self.0, 300..=399)
    }

    /// First digit 2: the command was carried out (RFC 959 §4.2.1).
    #[must_use]
    pub const fn is_completion(self) -> bool {
        matches!(self.0, 200..=299)
    }

    /// First digit 4: the command was not carried out, and may be sent again later (RFC 959 §4.2.1).
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self.0, 400..=499)
    }

    /// First digit 4 or 5: the command was not carried out (RFC 959 §4.2.1).
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(self.0, 400..=599)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One reply: a code and one or more lines of text.
///
/// The text may hold any bytes, names from a disk among them: [`Reply::encode`] makes them harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a reply does nothing until it is given to the machine"]
pub struct Reply {
    code: Code,
    /// What stands between the first and the last line; indented on the wire.
    opening: Option<(Vec<u8>, Vec<Vec<u8>>)>,
    /// The only line, or the last.
    last: Vec<u8>,
    /// What the operator would change to have it otherwise.
    option: Option<&'static str>,
}

impl Reply {
    /// A reply of one line.
    pub fn new(code: Code, text: impl AsRef<[u8]>) -> Reply {
        Reply { code, opening: None, last: text.as_ref().to_vec(), option: None }
    }

    /// A reply of several lines: `first`, then `body`, each line indented by one space, then `last`
    /// (RFC 959 §4.2; the indentation is what RFC 2389 §3.2 and RFC 3659 §7.2 demand of FEAT and MLST).
    pub fn lines<L: AsRef<[u8]>>(
        code: Code,
        first: impl AsRef<[u8]>,
        body: impl IntoIterator<Item = L>,
        last: impl AsRef<[u8]>,
    ) -> Reply {
        let body = body.into_iter().map(|line| line.as_ref().to_vec()).collect();
        Reply {
            code,
            opening: Some((first.as_ref().to_vec(), body)),
            last: last.as_ref().to_vec(),
            option: None,
        }
    }

    /// `257 "path" text`, with every quote of the path doubled (RFC 959 appendix II).
    pub fn pathname(path: &[u8], text: &str) -> Reply {
        let mut line = Vec::with_capacity(path.len() + text.len() + 3);
        line.push(b'"');
        for &byte in path {
            if byte == b'"' {
                line.push(b'"');
            }
            line.push(byte);
        }
        line.extend_from_slice(b"\" ");
        line.extend_from_slice(text.as_bytes());
        Reply::new(Code::PATHNAME, line)
    }

    /// The same refusal, said because of an option of the operator's, such as `listen.ccc`. It is for the log: no client is told.
    pub const fn because_of(mut self, option: &'static str) -> Reply {
        self.option = Some(option);
        self
    }

    /// The option that it is said because of.
    #[must_use]
    pub const fn option(&self) -> Option<&'static str> {
        self.option
    }

    /// The only line, or the last, as it is before it is made harmless.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.last
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Appends the reply as it stands on the wire, every line ended by CR LF.
    pub fn encode(&self, wire: &mut Vec<u8>) {
        self.encode_in(None, wire);
    }

    /// The same for a client that reads names in `charset`.
    pub fn encode_in(&self, charset: Option<Charset>, wire: &mut Vec<u8>) {
        let encode_text = |text: &[u8], wire: &mut Vec<u8>| match charset {
            Some(charset) => encode_text(&charset.encode(text), wire),
            None => encode_text(text, wire),
        };
        if let Some((first, body)) = &self.opening {
            wire.extend_from_slice(format!("{}-", self.code).as_bytes());
            encode_text(first, wire);
            for line in body {
                // SECURITY: without the indentation a line such as a file named "226 done" would read as the reply's end.
                wire.push(b' ');
                encode_text(line, wire);
            }
        }
        wire.extend_from_slice(format!("{} ", self.code).as_bytes());
        encode_text(&self.last, wire);
    }
}

/// One line's text and its CR LF.
fn encode_text(text: &[u8], wire: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            // SECURITY: a CR or LF from a file name or an error text would forge a second reply.
            0..=0x1f | 0x7f => wire.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            // The control connection is a Telnet connection: a data byte 255 is sent twice (RFC 854, RFC 959 §4.1).
            0xff => wire.extend_from_slice(&[0xff, 0xff]),
            _ => wire.push(byte),
        }
    }
    wire.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(reply: &Reply) -> Vec<u8> {
        let mut wire = Vec::new();
        reply.encode(&mut wire);
        wire
    }

    #[test]
    fn one_line() {
        assert_eq!(wire(&Reply::new(Code::COMMAND_OKAY, "Done.")), b"200 Done.\r\n");
    }

    #[test]
    fn a_body_line_cannot_look_like_the_end() {
        let reply = Reply::lines(Code::SYSTEM_STATUS, "Status", ["211 End", "x"], "End");
        assert_eq!(wire(&reply), b"211-Status\r\n 211 End\r\n x\r\n211 End\r\n");
    }

    #[test]
    fn control_bytes_are_escaped_and_telnet_bytes_doubled() {
        let reply = Reply::new(Code::FILE_UNAVAILABLE, b"a\r\n226 done\x7f\xff");
        assert_eq!(wire(&reply), b"550 a\\x0d\\x0a226 done\\x7f\xff\xff\r\n");
    }

    #[test]
    fn quotes_of_a_path_are_doubled() {
        assert_eq!(wire(&Reply::pathname(b"/a\"b", "created.")), b"257 \"/a\"\"b\" created.\r\n");
    }
}
