//! Which bytes may name a file on the wire?

use std::fmt;

/// A path as the client sent it: Telnet already decoded, otherwise byte for byte, leading and trailing spaces included.
///
/// It is never empty and holds no NUL, CR or LF. It is expected to be UTF-8 (RFC 2640 §3.1) and not checked for it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PathArgument(Vec<u8>);

impl PathArgument {
    /// Takes the bytes, unless they are empty or hold a byte that no path may hold.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<PathArgument> {
        // SECURITY: NUL would cut the name short in a system call; CR and LF would forge lines in replies, listings and logs.
        let forbidden = bytes.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'));
        (!bytes.is_empty() && !forbidden).then(|| PathArgument(bytes.to_vec()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for PathArgument {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PathArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}
