//! The server's half of one control connection: what came, what is asked of the driver, what is said?
//!
//! [`Server::receive`] only stores; commands are carried out by [`Server::next_event`], one at a time and in order. The
//! driver's loop is: receive, take events until there are none, write what [`Server::transmit`] has.

mod answer;
mod data;
mod event;
mod fxp;
mod gate;
mod information;
mod login;
mod parameters;
mod pending;
mod policy;
mod refusal;
mod security;
mod transfer;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

pub use event::{
    Action, Channel, CloseReason, CompressionLevel, DataRole, Event, Family, Hash, HashForm, ListFormat,
    PassiveStyle, Password, Protection, Representation, Request, SetAnswer, StoreMode, Transfer,
    TransferMode,
};
pub use pending::{
    AbortKind, Active, Answerable, Downgrade, HashKind, HostKind, Introduction, Login, Passive, Pending,
    RequestKind, Running, StatusKind, TransferKind, Upgrade,
};
pub use policy::{Certificates, Clearing, Compression, DataProtection, Fxp, Grant, Mode, Plaintext, Policy};

pub use refusal::Refusal;

use crate::command::{LineReader, PathArgument, Span};
use crate::reply::{Code, Reply};
use data::DataPort;
use login::LoginPhase;
use parameters::Parameters;
use pending::Serial;
use security::{DataLevel, Security};
use transfer::UnderWay;

use crate::verb::Verb;

/// One control connection, seen from the server.
#[derive(Debug)]
pub struct Server {
    policy: Policy,
    /// What came and was not looked at yet.
    input: LineReader,
    /// What was said and not sent yet.
    output: Vec<u8>,
    /// What the driver was not told yet.
    events: VecDeque<Event>,
    /// The last question's number.
    serial: Serial,
    /// The command that is carried out, and what the driver was not told yet of refused ones.
    verb: Option<Verb>,
    refusals: Vec<Refusal>,
    stage: Stage,
    security: Security,
    login: LoginPhase,
    /// Refused logins of this connection. Never reset: AUTH and REIN buy no further guesses.
    login_failures: u32,
    /// Refused commands in a row before login.
    refused: u32,
    parameters: Parameters,
    data: DataPort,
    carried: Carried,
    /// What ALLO said of the next upload.
    announced: Option<u64>,
    /// Whether HOST was said since the connection began or REIN was.
    host_was_said: bool,
    /// Whether the greeting in force was said.
    greeting: Greeting,
    /// Why the connection ends as soon as what is under way has ended.
    leaving: Option<CloseReason>,
    /// The peer sends nothing more.
    input_ended: bool,
    /// When TLS must have been agreed, where nobody may go without.
    tls_by: Option<Instant>,
    /// When the login must have happened; meaningless behind it.
    login_by: Option<Instant>,
    /// When the last command came that did anything, or the last transfer ended.
    active_at: Instant,
}

/// How far the operator's text is on its way to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    /// It is queued, and nobody has read it.
    Queued,
    /// The client has it.
    Said,
    /// Another one than was said is in force: the login's reply has room for it.
    Due,
}

/// What the machine waits for. One command is under way at a time.
#[derive(Debug)]
enum Stage {
    /// The next command.
    Ready,
    /// The TLS handshake that the `234` promised.
    Upgrading(Serial, Security),
    /// The end of TLS that the `200` to CCC promised, and what then holds for data connections.
    Clearing(Serial, DataLevel),
    /// One answer of the driver, which is the command's final reply.
    Waiting(Serial, Purpose),
    /// A transfer, beside which some commands are answered.
    Transferring(UnderWay),
    /// Nothing: Close has been said.
    Closed,
}

/// What an answer is for, as far as the machine cares.
#[derive(Debug)]
enum Purpose {
    Introduction,
    Login,
    Passive(PassiveStyle),
    Active(SocketAddr),
    /// RNFR: a `350` carries the name to the next command.
    RenameFrom(PathArgument),
    /// The reply alone.
    Reply,
}

/// What one command hands to a later one. At most one of them is alive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Carried {
    #[default]
    Nothing,
    /// From REST to the transfer (RFC 3659 §5.3); survives the verbs whose row says so.
    Restart(u64),
    /// From RANG to the transfer or the hash (draft-bryan-ftp-range §3); survives what a restart marker survives.
    Range(Span),
    /// From RNFR to the very next command (RFC 959 §4.1.3).
    RenameFrom(PathArgument),
}

impl Server {
    /// A connection that has just begun; the `220` is queued. On an implicit listener TLS must be established already.
    #[must_use]
    pub fn new(policy: Policy, now: Instant) -> Server {
        let greeting = information::greeting(&policy.greeting);
        let mut server = Server {
            input: LineReader::default(),
            output: Vec::new(),
            events: VecDeque::new(),
            serial: Serial::default(),
            verb: None,
            refusals: Vec::new(),
            stage: Stage::Ready,
            security: Security::at_start(policy.mode),
            login: LoginPhase::Nobody,
            login_failures: 0,
            refused: 0,
            parameters: Parameters::default(),
            data: DataPort::default(),
            carried: Carried::Nothing,
            announced: None,
            host_was_said: false,
            greeting: Greeting::Queued,
            leaving: None,
            input_ended: false,
            tls_by: tls_deadline(&policy, now),
            login_by: now.checked_add(policy.login_timeout),
            active_at: now,
            policy,
        };
        server.say(&greeting);
        server
    }

    /// Takes bytes from the control connection (decrypted ones behind TLS).
    ///
    /// All of them are taken; ask [`Server::wants_bytes`] before reading more.
    pub fn receive(&mut self, bytes: &[u8], _now: Instant) {
        self.greeting_is_said();
        match self.stage {
            Stage::Closed => {}
            // SECURITY: between the 234 and the handshake there is nothing to be said in clear. Whoever says something is an
            // injector, or would have it read as if it had come through TLS (CVE-2011-1575 and its kin).
            Stage::Upgrading(..) if !bytes.is_empty() => self.close(CloseReason::PlaintextBehindAuth),
            // Neither a byte under TLS nor one in clear has a place between the 200 and TLS's end.
            Stage::Clearing(..) if !bytes.is_empty() => self.close(CloseReason::BytesBehindCcc),
            Stage::Upgrading(..) | Stage::Clearing(..) => {}
            Stage::Ready | Stage::Waiting(..) | Stage::Transferring(_) => {
                self.input.receive(bytes, &mut self.output);
            }
        }
    }

    /// Whether there is room for more input. When not, stop reading until an answer has made some.
    #[must_use]
    pub fn wants_bytes(&self) -> bool {
        let listens = match self.stage {
            Stage::Closed | Stage::Upgrading(..) | Stage::Clearing(..) => false,
            Stage::Ready | Stage::Waiting(..) | Stage::Transferring(_) => true,
        };
        listens && !self.input_ended && self.input.has_room()
    }

    /// The peer has closed its side. Commands that came before are still carried out; then comes [`Event::Close`], behind the
    /// end of a transfer that runs. The driver may end that one at once.
    pub fn end_of_input(&mut self) {
        self.input_ended = true;
        if let Stage::Upgrading(..) | Stage::Clearing(..) = self.stage {
            self.close(CloseReason::EndOfInput);
        }
    }

    /// Whether the client has said QUIT: what runs is still finished, though the client need not stay (RFC 959 §4.1.1).
    #[must_use]
    pub fn is_quitting(&self) -> bool {
        self.leaving == Some(CloseReason::Quit)
    }

    /// How the next data connection would be protected; `None` where its transfer would be refused. `PROT` may still change it.
    #[must_use]
    pub fn next_protection(&self) -> Option<Protection> {
        self.data_protection().ok()
    }

    /// Carries out commands until one needs the driver. `None`: nothing to do before more bytes or an answer come.
    pub fn next_event(&mut self, now: Instant) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if !self.advance(now) {
                return None;
            }
        }
    }

    /// Everything said and not sent yet, to be sent in one write.
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        self.greeting_is_said();
        (!self.output.is_empty()).then(|| std::mem::take(&mut self.output))
    }

    /// When [`Server::expire`] wants to be called: the time for the login (absolute, no byte prolongs it), or behind it the
    /// time for the next command; none while the driver owes an answer to a user who is logged in.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match (&self.stage, &self.login) {
            (Stage::Closed, _) => None,
            (_, LoginPhase::Nobody | LoginPhase::Named(_)) if self.security.is_tls() => self.login_by,
            (_, LoginPhase::Nobody | LoginPhase::Named(_)) => self.handshake_deadline(),
            (Stage::Ready, LoginPhase::LoggedIn(..)) => self.active_at.checked_add(self.policy.idle_timeout),
            (
                Stage::Upgrading(..) | Stage::Clearing(..) | Stage::Waiting(..) | Stage::Transferring(_),
                LoginPhase::LoggedIn(..),
            ) => None,
        }
    }

    /// When a TLS handshake that is under way must have ended: no byte prolongs it.
    #[must_use]
    pub fn handshake_deadline(&self) -> Option<Instant> {
        [self.tls_by, self.login_by].into_iter().flatten().min()
    }

    /// Ends the connection if its deadline has passed.
    pub fn expire(&mut self, now: Instant) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        let (reason, text) = match self.login {
            LoginPhase::LoggedIn(..) => {
                let seconds = self.policy.idle_timeout.as_secs();
                (CloseReason::IdleTimeout, format!("No command for {seconds} seconds; closing."))
            }
            LoginPhase::Nobody | LoginPhase::Named(_)
                if !self.security.is_tls() && self.tls_by.is_some_and(|by| Some(by) < self.login_by) =>
            {
                let seconds = self.policy.tls_timeout.as_secs();
                (CloseReason::TlsTimeout, format!("No TLS within {seconds} seconds; closing."))
            }
            LoginPhase::Nobody | LoginPhase::Named(_) => {
                let seconds = self.policy.login_timeout.as_secs();
                (CloseReason::LoginTimeout, format!("No login within {seconds} seconds; closing."))
            }
        };
        self.refuse_service(reason, &text);
    }

    /// The server is going down: the next event is `421` and [`Event::Close`] if nothing is under way, else they come behind it.
    pub fn drain(&mut self, _now: Instant) {
        self.leaving.get_or_insert(CloseReason::Drained);
    }

    /// Whoever runs the server wants the client out: as [`Server::drain`]. What is under way is for the driver to end.
    pub fn dismiss(&mut self, _now: Instant) {
        if self.leaving != Some(CloseReason::Quit) {
            self.leaving = Some(CloseReason::Dismissed);
        }
    }

    /// One step. Whether there was one to take.
    fn advance(&mut self, now: Instant) -> bool {
        match &self.stage {
            Stage::Ready => self.advance_ready(now),
            Stage::Transferring(under_way) if under_way.takes_commands() => self.advance_transferring(now),
            // The end stood right behind AUTH or CCC: nobody is there to shake hands with.
            Stage::Upgrading(..) | Stage::Clearing(..) if self.input_ended => {
                self.close(CloseReason::EndOfInput);
                true
            }
            Stage::Upgrading(..)
            | Stage::Clearing(..)
            | Stage::Waiting(..)
            | Stage::Transferring(_)
            | Stage::Closed => false,
        }
    }

    fn advance_ready(&mut self, now: Instant) -> bool {
        match self.leaving {
            Some(CloseReason::Drained) => {
                self.refuse_service(CloseReason::Drained, "The server is going down; closing.");
            }
            Some(CloseReason::Dismissed) => {
                self.refuse_service(CloseReason::Dismissed, "Ended by the administrator; closing.");
            }
            Some(reason) => self.close(reason),
            None => match self.input.next_line() {
                Some(line) => self.perform(line, now),
                None if self.input_ended => self.close(CloseReason::EndOfInput),
                None => return false,
            },
        }
        true
    }

    fn advance_transferring(&mut self, now: Instant) -> bool {
        // Behind QUIT nothing is listened to.
        if self.leaving == Some(CloseReason::Quit) {
            return false;
        }
        let line = self.next_line_beside_transfer();
        let found = line.is_some();
        if let Some(line) = line {
            self.perform(line, now);
        }
        found
    }

    /// From now on the greeting that is queued stays as it is.
    fn greeting_is_said(&mut self) {
        if self.greeting == Greeting::Queued {
            self.greeting = Greeting::Said;
        }
    }

    /// Queues a reply.
    fn say(&mut self, reply: &Reply) {
        if reply.code().is_refusal() {
            self.note_refusal(reply);
        }
        reply.encode_in(self.charset(), &mut self.output);
    }

    /// Asks the driver something that a single answer settles.
    fn ask<K>(&mut self, purpose: Purpose, event: impl FnOnce(Pending<K>) -> Event) -> Outcome {
        let serial = self.next_serial();
        self.stage = Stage::Waiting(serial, purpose);
        self.events.push_back(event(Pending::new(serial)));
        Ok(Next::Done)
    }

    fn next_serial(&mut self) -> Serial {
        self.serial = self.serial.next();
        self.serial
    }

    /// `421`, and the end. During a handshake there is nothing that could be said.
    fn refuse_service(&mut self, reason: CloseReason, text: &str) {
        if !matches!(self.stage, Stage::Upgrading(..) | Stage::Clearing(..)) {
            self.say(&Reply::new(Code::SERVICE_NOT_AVAILABLE, text));
        }
        self.close(reason);
    }

    /// The end. Nothing is said or asked behind it.
    fn close(&mut self, reason: CloseReason) {
        self.stage = Stage::Closed;
        self.input.clear();
        self.carried = Carried::Nothing;
        self.events.push_back(Event::Close(reason));
    }
}

/// When TLS must have been agreed.
fn tls_deadline(policy: &Policy, now: Instant) -> Option<Instant> {
    let is_needed = policy.mode == Mode::Implicit || policy.plaintext == Plaintext::Refuse;
    if is_needed { now.checked_add(policy.tls_timeout) } else { None }
}

/// How a command went on.
enum Next {
    /// This is its final reply.
    Reply(Reply),
    /// Everything is said or asked already.
    Done,
}

/// How a command went on, or the reply that refuses it.
type Outcome = Result<Next, Reply>;

/// A command that is settled by one line.
fn reply(code: Code, text: impl AsRef<[u8]>) -> Outcome {
    Ok(Next::Reply(Reply::new(code, text)))
}

#[cfg(test)]
mod tests;
