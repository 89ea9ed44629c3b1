//! What of a download may leave with the server's first flight, before the client's Finished has come (RFC 8446 §4.4.4).

use std::{fmt, sync::Arc};

/// The first bytes of a download. A client that resumes the session of its control connection in TLS 1.3 is sent them with the
/// ServerHello, a round trip earlier than after its Finished; all others afterwards, as ever.
#[derive(Clone)]
pub struct FirstData {
    /// The bytes: tens of KiB at most, for they are sealed at once and for each connection that is tried.
    pub bytes: Arc<Vec<u8>>,
    /// Whether these are all the bytes there are. Then the end goes with them, unless tickets are due behind the Finished.
    pub is_all: bool,
}

impl fmt::Debug for FirstData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What the file says is nobody's business here.
        f.debug_struct("FirstData")
            .field("length", &self.bytes.len())
            .field("is_all", &self.is_all)
            .finish_non_exhaustive()
    }
}
