//! Do our client and our server come to an end, and to the same one, whatever the wires between them do?
//!
//! Control and data travel for themselves: late, slowly, in other pieces, cut at any byte, the one before or behind the other.
//! The first byte chooses how they are protected, as for `pair`; every other byte is the next choice of whoever has one: what is asked,
//! how long something takes, where a wire breaks. Behind the last all goes well. Time is counted in ticks of a second,
//! which only the machines' deadlines see.
//!
//! ```text
//! Asking (client::machine) ──control──► Serving (server)     each end has its driver's rules, and nothing more
//!                          ◄─────────
//!                          ◄──data───►
//! ```

mod asking;
mod lane;
mod serving;

use self::asking::Asking;
use self::lane::Wire;
use self::serving::Serving;
use super::pair::{Parties, parties};
use crate::Input;
use carrack_ftp_proto::server::{DataProtection, Plaintext};

const PORT: u16 = 50_000;

/// The file that moves, whichever way.
static FILE: [u8; 2048] = {
    let mut file = [0; 2048];
    let mut at = 0;
    while at < file.len() {
        file[at] = (at * 7 + at / 256) as u8;
        at += 1;
    }
    file
};

/// Rounds of one session: who needs more than so many never ends.
const ROUNDS: usize = 20_000;

/// How sessions and their transfers ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Transfers of which both sides say that they are whole.
    pub complete: usize,
    /// Downloads whose data connection broke.
    pub broken: usize,
    /// Transfers that the server refused or ended.
    pub refused: usize,
    /// Lines that were typed while a transfer ran, all answered.
    pub typed: usize,
    /// Data ports that could not be reached.
    pub unreachable: usize,
    /// Control connections that broke, or ran into a deadline.
    pub failed: usize,
}

impl Ends {
    /// Counts those of other sessions, too.
    pub fn add(&mut self, other: Ends) {
        self.complete += other.complete;
        self.broken += other.broken;
        self.refused += other.refused;
        self.typed += other.typed;
        self.unreachable += other.unreachable;
        self.failed += other.failed;
    }
}

pub(super) fn run(bytes: &[u8]) {
    simulate(bytes);
}

/// One session, in which these bytes choose.
///
/// # Panics
/// Where a promise is broken.
pub fn simulate(bytes: &[u8]) -> Ends {
    let mut input = Input::new(bytes);
    let Parties { machine, policy } = parties(input.byte());
    let is_protected = matches!(policy.plaintext, Plaintext::Refuse);
    let private = is_protected && policy.data_protection == DataProtection::Require;
    let (mut client, mut server) = (Asking::new(machine, private), Serving::new(policy, private));
    let (mut control, mut data) = (Wire::default(), None::<Wire>);
    let (mut now, mut moved) = (0, None);
    for _ in 0..ROUNDS {
        server.turn(&mut control, &mut data, now, &mut input);
        let acted = client.turn(&mut control, &mut data, now, &mut input);
        control.spread(now, &mut input);
        if let Some(wire) = &mut data {
            wire.spread(now, &mut input);
        }
        if client.over && server.closed.is_some() {
            assert!(server.stored.iter().all(|stored| *stored == FILE), "226 for something else");
            assert!(client.uploaded <= server.stored.len(), "complete for the client alone");
            return client.ends;
        }
        // Not their sum: a data connection that ends takes its own count with it.
        let moves = Some((control.moves(), data.as_ref().map(Wire::moves)));
        if acted
            || std::mem::replace(&mut moved, moves) != moves
            || server.next().is_some_and(|due| due <= now)
        {
            continue;
        }
        let data_next = data.as_ref().and_then(|wire| wire.next(now));
        let next = [control.next(now), data_next, server.next()].into_iter().flatten().min();
        let Some(next) = next else {
            panic!("both wait at tick {now}: {}; {}", client.state(), server.state())
        };
        // A deadline that passes meanwhile passes first.
        now = server.deadline().filter(|at| *at > now && *at < next).unwrap_or(next);
    }
    panic!("no end at tick {now}: {}; {}", client.state(), server.state());
}
