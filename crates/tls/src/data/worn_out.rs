//! Has a key sealed as much as it may? What is said of it then, and how it is told apart from other failures.

use std::io;

use thiserror::Error;

/// The keys of a connection have sealed as much as they may, and TLS 1.2 has no way to new ones: nothing more is sent on it.
///
/// Of AES-GCM that is 2^24 records (RFC 8446 §5.5 argues for 2^24.5), 256 GiB of data. ChaCha20-Poly1305 has no such end, and TLS
/// 1.3 changes its keys in the middle of the data (KeyUpdate, §4.6.3), which needs nobody's attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("its keys have sealed as much as they may, and TLS 1.2 has no way to new ones")]
pub struct WornOut;

impl WornOut {
    /// Whether this is why a connection sends no more.
    pub fn is_in(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<WornOut>())
    }
}

impl From<WornOut> for io::Error {
    fn from(worn_out: WornOut) -> io::Error {
        io::Error::new(io::ErrorKind::QuotaExceeded, worn_out)
    }
}
