//! What can be reached only through a whole connection, opened for the fuzz targets: no part of the interface.

use crate::client::{BadReply, Reply, ReplyReader};

/// The replies that a server's bytes hold, fed in pieces of this many bytes, and what ended them.
#[must_use]
pub fn replies(bytes: &[u8], piece: usize) -> (Vec<Reply>, Option<BadReply>) {
    let mut reader = ReplyReader::default();
    let mut replies = Vec::new();
    for bytes in bytes.chunks(piece.max(1)) {
        let bad = reader.receive(bytes).err();
        replies.extend(std::iter::from_fn(|| reader.next_reply()));
        if bad.is_some() {
            return (replies, bad);
        }
    }
    (replies, None)
}
