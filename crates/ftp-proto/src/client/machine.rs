//! The client's half of one control connection: what is to be said next, and what does the answer mean?
//!
//! ```text
//!   connection ─► greeting ─► AUTH TLS ─► 234 ─► handshake ─► USER, PASS ─► PBSZ 0, PROT P ─► FEAT … PWD ─► operations
//!                                          │         ▲                                                       one at a time
//!   implicit:  handshake ─► greeting ──────┼─────────┼──────► USER …
//!                                          └ a byte behind it: the end
//! ```
//!
//! What it sees to:
//! - no login before TLS, except where plaintext was asked for; no data before `PROT` was granted as asked. No reply lowers
//!   what was asked: whatever is not the one expected answer ends the connection;
//! - nothing that was received before TLS has a meaning behind it;
//! - a reply belongs to the command that was sent last; one that came before any command was sent belongs to none and ends
//!   the connection, so no reply can be slipped in;
//! - no argument can end its line;
//! - no address of a server is handed on, only ports;
//! - everything a server can make grow has a limit with a name ([`limits`]).
//!
//! Its driver's loop is: write what [`Machine::transmit`] has, read, [`Machine::receive`], take events until there are none.
//! Time is the driver's.

mod command;
mod event;
mod opening;
mod plan;
mod transfer;

use std::collections::VecDeque;

pub use command::{Command, Listen, TlsPart, Transmit};
pub use event::{Event, Failure, Session, Upgrade, Violation};
pub use opening::GREETING;
pub use plan::{BadLogin, DataProtection, Login, Plan, Security};
pub use transfer::{Extended, Hidden, Route, Store, Transfer};

use super::reply::ReplyReader;
use super::{BadReply, Features, Reply};
use crate::limits;
use crate::reply::Code;
use command::Line;
use opening::Opening;
use transfer::UnderWay;

/// One control connection, seen from the client.
#[derive(Debug)]
pub struct Machine {
    plan: Plan,
    input: ReplyReader,
    /// Why nothing more is read from `input` once its replies are taken.
    broken: Option<BadReply>,
    input_ended: bool,
    output: Option<Transmit>,
    events: VecDeque<Event>,
    stage: Stage,
    /// Preliminary replies to the command under way.
    preliminary: usize,
    /// From FEAT to the end of the opening.
    features: Option<Features>,
    extended: Extended,
}

/// What is awaited.
#[derive(Debug)]
enum Stage {
    /// The handshake.
    Upgrading,
    /// The next reply on the way to the first operation.
    Opening(Opening),
    /// The next operation.
    Ready,
    /// The final reply to this command.
    Asking(&'static str),
    /// The next step of a transfer.
    Transferring(UnderWay),
    /// Nothing: [`Event::Failed`] has been said.
    Closed,
}

impl Machine {
    /// A connection that has just begun. The first event of an implicit one is [`Event::BeginTls`].
    #[must_use]
    pub fn new(plan: Plan, extended: Extended) -> Machine {
        let mut machine = Machine {
            input: ReplyReader::default(),
            broken: None,
            input_ended: false,
            output: None,
            events: VecDeque::new(),
            stage: Stage::Opening(Opening::Greeting),
            preliminary: 0,
            features: None,
            extended,
            plan,
        };
        if machine.plan.security == Security::Implicit {
            machine.await_handshake();
        }
        machine
    }

    /// Takes bytes from the control connection (decrypted ones behind TLS).
    pub fn receive(&mut self, bytes: &[u8]) {
        match self.stage {
            Stage::Closed => {}
            // SECURITY: between the 234 and the handshake there is nothing to be said in clear.
            Stage::Upgrading if !bytes.is_empty() => self.violated(Violation::BytesBehindAuth),
            Stage::Upgrading => {}
            _ if self.broken.is_none() => self.broken = self.input.receive(bytes).err(),
            _ => {}
        }
    }

    /// The server has closed its side. Replies that came before still count.
    pub fn end_of_input(&mut self) {
        self.input_ended = true;
    }

    /// The next thing that happened. `None`: nothing, before more bytes or an operation come.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if matches!(self.stage, Stage::Closed | Stage::Upgrading) {
                return None;
            }
            if let Some(reply) = self.input.next_reply() {
                self.replied(reply);
            } else if let Some(bad) = self.broken.take() {
                self.violated(Violation::BadReply(bad));
            } else if self.input_ended {
                self.fail(Failure::Ended);
            } else {
                return None;
            }
        }
    }

    /// The line to be sent now, in one write.
    pub fn transmit(&mut self) -> Option<Transmit> {
        // The rest of what has begun to come before it may be a 421, which says why nothing is answered any more.
        if self.input.holds_bytes() { None } else { self.output.take() }
    }

    /// Sends a command that one reply settles: [`Event::Answered`] follows.
    ///
    /// Behind [`Event::LoggedIn`] only, and one operation at a time; anything else [fails](Failure::Busy).
    pub fn ask(&mut self, command: &Command) {
        if self.is_ready() {
            let line = Line::Settled(command);
            self.say(line.transmit(), Stage::Asking(line.name()));
        }
    }

    /// Whether the server knows EPSV and EPRT, to be handed to the next connection to the same server.
    #[must_use]
    pub const fn extended(&self) -> Extended {
        self.extended
    }

    /// What the driver waits for: the command whose reply is due. `None` while no reply is.
    #[must_use]
    pub fn awaited(&self) -> Option<&'static str> {
        match &self.stage {
            Stage::Opening(opening) => Some(opening.name()),
            Stage::Asking(command) => Some(command),
            Stage::Transferring(under_way) => under_way.awaited(),
            Stage::Upgrading | Stage::Ready | Stage::Closed => None,
        }
    }

    fn replied(&mut self, reply: Reply) {
        if reply.code() == Code::SERVICE_NOT_AVAILABLE {
            return self.fail(Failure::ServiceClosed(reply));
        }
        if self.output.is_some() {
            // SECURITY: nor can it be the answer to a line that is still here.
            return self.violated(Violation::Unasked(Some(reply)));
        }
        match std::mem::replace(&mut self.stage, Stage::Ready) {
            Stage::Opening(opening) => self.opening_replied(opening, reply),
            Stage::Transferring(under_way) => self.transfer_replied(under_way, reply),
            Stage::Asking(command) if reply.code().is_preliminary() => {
                // Some servers say so while they compute a hash.
                if self.count_preliminary(command) {
                    self.stage = Stage::Asking(command);
                }
            }
            Stage::Asking(_) => self.events.push_back(Event::Answered(reply)),
            // SECURITY: an answer to nothing would be taken for the answer to the next command.
            Stage::Ready | Stage::Upgrading | Stage::Closed => self.violated(Violation::Unasked(Some(reply))),
        }
    }

    /// Counts a preliminary reply. False when there were too many, and the connection has failed.
    fn count_preliminary(&mut self, command: &'static str) -> bool {
        self.preliminary += 1;
        let bearable = self.preliminary <= limits::PRELIMINARY_REPLIES;
        if !bearable {
            // SECURITY: an endless row of them would keep the client waiting for ever.
            self.violated(Violation::Undecided { command });
        }
        bearable
    }

    /// Queues a line whose reply `then` awaits.
    fn say(&mut self, line: Transmit, then: Stage) {
        // SECURITY: what came before a command was sent cannot be its answer. In clear it may have been slipped in, behind TLS
        // the replies and the commands are out of step; in both cases the next answer would be another's (CVE-2021-22947).
        match self.input.next_reply() {
            Some(reply) if reply.code() == Code::SERVICE_NOT_AVAILABLE => {
                return self.fail(Failure::ServiceClosed(reply));
            }
            Some(early) => return self.violated(Violation::Unasked(Some(early))),
            None if self.broken.is_some() => return self.violated(Violation::Unasked(None)),
            // What has begun to come is judged once it is whole; the line stays here until then.
            None => {}
        }
        self.preliminary = 0;
        self.output = Some(line);
        self.stage = then;
    }

    fn await_handshake(&mut self) {
        self.stage = Stage::Upgrading;
        self.events.push_back(Event::BeginTls(Upgrade(())));
    }

    fn is_ready(&mut self) -> bool {
        match self.stage {
            Stage::Ready => return true,
            Stage::Closed => self.events.push_back(Event::Failed(Failure::Ended)),
            _ => self.fail(Failure::Busy),
        }
        false
    }

    fn violated(&mut self, violation: Violation) {
        self.fail(Failure::Violation(violation));
    }

    fn fail(&mut self, failure: Failure) {
        self.stage = Stage::Closed;
        self.output = None;
        self.events.push_back(Event::Failed(failure));
    }
}

#[cfg(test)]
mod tests;
