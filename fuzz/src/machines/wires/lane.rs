//! One direction of a connection: what was sent arrives later, in order, in other pieces, or not at all.

use std::collections::VecDeque;

use crate::Input;

/// What travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    /// A handshake's turn.
    Hello,
    /// Bytes, and whether they are under TLS.
    Bytes(Vec<u8>, bool),
    /// The end, in order.
    End,
    /// The end, without a word.
    Cut,
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Lane {
    under_way: VecDeque<(u64, Packet)>,
    /// When the last of them arrives: nothing overtakes.
    latest: u64,
    is_cut: bool,
    /// How much has happened here.
    moves: usize,
}

impl Lane {
    /// Sends at tick `now`; the input says when it arrives, in which pieces, and whether the wire breaks within it.
    pub(super) fn send(&mut self, packet: Packet, now: u64, input: &mut Input<'_>) {
        if self.is_cut {
            return;
        }
        let Packet::Bytes(bytes, sealed) = packet else { return self.travel(packet, now, input) };
        let piece = match input.byte() {
            0..=127 => bytes.len().max(1),
            size => usize::from(size - 127),
        };
        for part in bytes.chunks(piece) {
            if input.happens(2) && input.happens(64) {
                let most = usize::from(input.byte()) % (part.len() + 1);
                self.travel(Packet::Bytes(part[..most].to_vec(), sealed), now, input);
                return self.cut(now, input);
            }
            self.travel(Packet::Bytes(part.to_vec(), sealed), now, input);
        }
    }

    fn travel(&mut self, packet: Packet, now: u64, input: &mut Input<'_>) {
        // Most are quick, some slow, and a few slower than anybody waits.
        let delay = match input.byte() {
            byte @ 0..=199 => u64::from(byte % 4),
            byte @ 200..=254 => u64::from(byte - 200) / 4,
            _ => u64::from(input.byte()) * 2,
        };
        self.latest = self.latest.max(now + delay);
        self.moves += 1;
        self.under_way.push_back((self.latest, packet));
    }

    /// Nothing that is sent from now on arrives; what is under way does.
    pub(super) fn cut(&mut self, now: u64, input: &mut Input<'_>) {
        if !self.is_cut {
            self.travel(Packet::Cut, now, input);
            self.is_cut = true;
        }
    }

    /// Whether it has been cut.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// What arrives at this tick, or has arrived before it; neighbours may come as one.
    pub(super) fn arrives(&mut self, now: u64) -> Option<Packet> {
        let (due, _) = self.under_way.front()?;
        if *due > now {
            return None;
        }
        let (_, mut packet) = self.under_way.pop_front()?;
        self.moves += 1;
        while let (Packet::Bytes(bytes, sealed), Some((due, Packet::Bytes(more, also_sealed)))) =
            (&mut packet, self.under_way.front())
        {
            if *due > now || sealed != also_sealed {
                break;
            }
            bytes.extend_from_slice(more);
            self.under_way.pop_front();
        }
        Some(packet)
    }

    /// When the next arrives, of those that are not there yet.
    fn next(&self, now: u64) -> Option<u64> {
        self.under_way.iter().map(|(due, _)| *due).find(|due| *due > now)
    }
}

/// Both directions.
#[derive(Debug, Default)]
pub(super) struct Wire {
    pub(super) to_server: Lane,
    pub(super) to_client: Lane,
}

impl Wire {
    /// When something arrives that is not there yet.
    pub(super) fn next(&self, now: u64) -> Option<u64> {
        [self.to_server.next(now), self.to_client.next(now)].into_iter().flatten().min()
    }

    /// How much has happened on it.
    pub(super) fn moves(&self) -> usize {
        self.to_server.moves + self.to_client.moves
    }

    /// A wire that is cut one way is cut the other way, too.
    pub(super) fn spread(&mut self, now: u64, input: &mut Input<'_>) {
        if self.to_server.is_cut() || self.to_client.is_cut() {
            self.to_server.cut(now, input);
            self.to_client.cut(now, input);
        }
    }
}
