//! Where TLS records wait: what came from the socket and is not decrypted yet, what is sealed and not sent yet.

/// The largest record is 18,437 bytes in TLS 1.2 (RFC 5246 §6.2.3), so one always fits.
const FIRST_READ: usize = 20 * 1024;
/// One system call brings up to this many bytes once a peer has shown that it sends many: sixteen full records with their
/// overhead, so that where a peer sends such records hardly a part of one has to move to the front.
const FULL_READ: usize = 16 * (16 * 1024 + 32);

/// Where a full inbox begins in memory. The kernel's pages begin so too, and copies between places that lie alike in their pages are
/// never slow; on Zen 3 those to a place a few bytes further on take fifteen times as long.
const PAGE: usize = 4096;

/// Bytes from the socket, in order. Small until a read fills it, so that a small file costs little memory.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// What was received; the room is its spare capacity, which nobody has to clear first.
    bytes: Vec<u8>,
    /// Where what was received begins at the earliest: at a page's front once the room is large.
    front: usize,
    start: usize,
}

impl Inbox {
    /// One that holds what was received elsewhere, as far as it has room.
    pub(crate) fn holding(received: &[u8]) -> Inbox {
        let mut inbox = Inbox::default();
        let mut left = received.get(..FULL_READ).unwrap_or(received);
        while !left.is_empty() {
            let room = inbox.room();
            let (now, later) = left.split_at(left.len().min(room.capacity() - room.len()));
            room.extend_from_slice(now);
            left = later;
        }
        inbox
    }

    /// What has been received and not consumed.
    pub(crate) fn received(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..).unwrap_or_default()
    }

    /// The last `n` bytes received.
    pub(crate) fn newest(&self, n: usize) -> &[u8] {
        self.bytes.get(self.bytes.len().saturating_sub(n).max(self.start)..).unwrap_or_default()
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.start = self.bytes.len().min(self.start.saturating_add(n));
    }

    /// Room for the next read: the spare capacity, behind all that was received. What is left of that, at most a part of one record
    /// or handshake flight, moves to the front.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        let filled = self.bytes.len() == self.bytes.capacity();
        if self.start > self.front {
            self.bytes.copy_within(self.start.., self.front);
            self.bytes.truncate(self.bytes.len() - (self.start - self.front));
            self.start = self.front;
        }
        if self.bytes.capacity() == 0 {
            self.bytes = Vec::with_capacity(FIRST_READ);
        } else if filled && self.bytes.capacity() < FULL_READ {
            self.grow();
        }
        &mut self.bytes
    }

    fn grow(&mut self) {
        let mut larger: Vec<u8> = Vec::with_capacity(FULL_READ + PAGE);
        let front = larger.as_ptr().align_offset(PAGE).min(PAGE);
        larger.resize(front, 0);
        larger.extend_from_slice(self.received());
        *self = Inbox { bytes: larger, front, start: front };
    }

    /// Gives the memory back if nothing waits in it.
    pub(crate) fn release(&mut self) {
        if self.start == self.bytes.len() {
            *self = Inbox::default();
        }
    }
}

/// Sealed records on their way to the socket.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// What is to be sent next.
    pub(crate) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// `n` bytes were sent.
    pub(crate) fn sent(&mut self, n: usize) {
        self.start = self.end.min(self.start.saturating_add(n));
        if self.is_empty() {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Room for `n` more bytes at least.
    pub(crate) fn room(&mut self, n: usize) -> &mut [u8] {
        let needed = self.end.saturating_add(n);
        if self.bytes.len() < needed {
            self.bytes.resize(needed, 0);
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// `n` bytes were put into the room.
    pub(crate) fn filled(&mut self, n: usize) {
        self.end = self.bytes.len().min(self.end.saturating_add(n));
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let n = copy(bytes, self.room(bytes.len()));
        self.filled(n);
    }

    /// Forgets what waits: nobody will read it.
    pub(crate) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Gives the memory back if nothing waits in it.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            *self = Outbox::default();
        }
    }
}

/// The end of a record that was longer than its reader's buffer.
#[derive(Debug, Default)]
pub(crate) struct Leftover {
    bytes: Vec<u8>,
    start: usize,
}

impl Leftover {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
    }

    /// Moves as much as fits into `into`; says how much.
    pub(crate) fn take(&mut self, into: &mut [u8]) -> usize {
        let taken = copy(self.waiting(), into);
        self.start += taken;
        if self.start == self.bytes.len() {
            self.clear();
        }
        taken
    }

    pub(crate) fn release(&mut self) {
        if self.bytes.is_empty() {
            *self = Leftover::default();
        }
    }
}

/// Copies what fits; says how much.
pub(crate) fn copy(from: &[u8], into: &mut [u8]) -> usize {
    let n = from.len().min(into.len());
    if let (Some(into), Some(from)) = (into.get_mut(..n), from.get(..n)) {
        into.copy_from_slice(from);
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has so many bytes come; says how many there was room for.
    fn come(inbox: &mut Inbox, bytes: &[u8]) -> usize {
        let room = inbox.room();
        let before = room.capacity() - room.len();
        room.extend_from_slice(bytes);
        before
    }

    #[test]
    fn an_inbox_grows_only_after_a_read_that_filled_it() {
        let mut inbox = Inbox::default();
        assert_eq!(come(&mut inbox, &[7; FIRST_READ]), FIRST_READ);
        inbox.consume(FIRST_READ - 3);
        let room = come(&mut inbox, &[]);
        assert!((FULL_READ - 3..FULL_READ + PAGE).contains(&room));
        assert_eq!(inbox.received(), &[7; 3]);
        assert_eq!(inbox.received().as_ptr().align_offset(PAGE), 0);
        inbox.consume(3);
        assert_eq!(come(&mut inbox, &[]), room + 3);
        inbox.release();
        assert_eq!(inbox.bytes.capacity(), 0);
    }

    #[test]
    fn an_inbox_holds_what_was_received_elsewhere_as_far_as_it_has_room() {
        let bytes: Vec<u8> = (0..=255).cycle().take(FULL_READ + 1).collect();
        for length in [0, 1, FIRST_READ, FIRST_READ + 1, FULL_READ, FULL_READ + 1] {
            let mut inbox = Inbox::holding(&bytes[..length]);
            assert_eq!(inbox.received(), &bytes[..length.min(FULL_READ)]);
        }
    }

    #[test]
    fn an_inbox_keeps_the_order_of_its_bytes() {
        let mut inbox = Inbox::default();
        come(&mut inbox, b"hello");
        inbox.consume(2);
        come(&mut inbox, b" yo");
        assert_eq!(inbox.newest(3), b" yo");
        assert_eq!(inbox.newest(9), b"llo yo");
        assert_eq!(inbox.received(), b"llo yo");
    }

    #[test]
    fn a_leftover_is_taken_piece_by_piece() {
        let mut left = Leftover::default();
        left.push(b"abcde");
        let mut two = [0; 2];
        assert_eq!((left.take(&mut two), &two), (2, b"ab"));
        let mut all = [0; 9];
        assert_eq!(left.take(&mut all), 3);
        assert_eq!(left.take(&mut all), 0);
    }
}
