//! Do our client and our server understand each other, whatever is asked, however it is answered, and however it is cut?
//!
//! The first byte chooses how they are protected, the second how many bytes travel at a time. Then operations of the client as
//! for its own target (`!a…`, `!r…`, `!s…`, `!l…`), and what the server does with them from then on: `!g` grants, and any other
//! line is the text of its refusals.

use std::net::SocketAddr;
use std::time::Instant;

use carrack_ftp_proto::client::machine::{
    DataProtection, Event, Extended, Failure, Hidden, Login, Machine, Plan, Route, Security, Store, Transfer,
    Upgrade,
};
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::{self, Action, Grant, Mode, Plaintext, Policy, Request, Server};
use zeroize::Zeroizing;

use super::OPERATIONS;
use super::client::{command, path};
use crate::Input;
use crate::language::policy;

const PORT: u16 = 50_000;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (choice, piece) = (input.byte(), usize::from(input.byte()) + 1);
    let mut world = World::new(choice, piece);
    world.run();
    assert!(world.ready, "a login that nobody refuses");
    let mut operations = 0;
    while !input.is_empty() && operations < OPERATIONS && !world.over {
        operations += 1;
        let line = input.line();
        let transfer = match line {
            [b'!', b'g', ..] => {
                world.refusal = None;
                continue;
            }
            [b'!', b'a', rest @ ..] => {
                world.ready = false;
                world.machine.ask(&command(rest));
                world.run();
                assert!(world.ready || world.over, "no answer to {:?}", command(rest));
                continue;
            }
            [b'!', b'r', rest @ ..] => Transfer::Retrieve(path(rest), rest.len() as u64),
            [b'!', b's', rest @ ..] => Transfer::Store(path(rest), Store::From(rest.len() as u64)),
            [b'!', b'l', rest @ ..] if rest.first() == Some(&b'm') => Transfer::ListFacts(path(rest)),
            [b'!', b'l', ..] => Transfer::List(Hidden::NotAsked),
            text => {
                world.refusal = Some(text.to_vec());
                continue;
            }
        };
        world.ready = false;
        world.wanted = match &transfer {
            Transfer::Retrieve(path, _) | Transfer::Store(path, _) | Transfer::ListFacts(path) => {
                Some(path.as_bytes().to_vec())
            }
            _ => None,
        };
        world.machine.transfer(transfer, Route::Passive);
        world.run();
        assert!(world.ready || world.over, "no end of a transfer");
    }
}

/// A client and the policy of a server that understand each other.
pub(super) struct Parties {
    pub(super) machine: Machine,
    pub(super) policy: Policy,
}

/// How they are protected, by the first three bits of a byte.
pub(super) fn parties(choice: u8) -> Parties {
    let security = [Security::Explicit, Security::Implicit, Security::Plaintext][usize::from(choice & 3) % 3];
    let data_protection = if choice & 4 == 0 { DataProtection::Private } else { DataProtection::Clear };
    let mode = if security == Security::Implicit { Mode::Implicit } else { Mode::Explicit };
    let plaintext = match security {
        Security::Plaintext => Plaintext::Allow { except: Vec::new() },
        Security::Explicit | Security::Implicit => Plaintext::Refuse,
    };
    let demanded = match data_protection {
        DataProtection::Private => server::DataProtection::Require,
        DataProtection::Clear => server::DataProtection::Optional,
    };
    let policy = Policy { mode, data_protection: demanded, ..policy(plaintext) };
    let Ok(login) = Login::new("alice", Some(Zeroizing::new("sesame\u{ff}".to_owned()))) else {
        panic!("it may be said")
    };
    // An implicit listener has no PROT C to give.
    let data_protection = if mode == Mode::Implicit { DataProtection::Private } else { data_protection };
    Parties { machine: Machine::new(Plan { security, data_protection, login }, Extended::default()), policy }
}

struct World {
    machine: Machine,
    server: Server,
    now: Instant,
    piece: usize,
    upgrade: Option<Upgrade>,
    server_upgrade: Option<server::Pending<server::Upgrade>>,
    server_tls: bool,
    running: Option<server::Running>,
    /// What refusals say; nothing is refused where there is none.
    refusal: Option<Vec<u8>>,
    /// The path of the transfer under way.
    wanted: Option<Vec<u8>>,
    /// The last operation has ended.
    ready: bool,
    /// The connection has ended.
    over: bool,
}

impl World {
    fn new(choice: u8, piece: usize) -> World {
        let Parties { machine, policy } = parties(choice);
        let mode = policy.mode;
        let now = Instant::now();
        World {
            machine,
            server: Server::new(policy, now),
            now,
            piece,
            upgrade: None,
            server_upgrade: None,
            server_tls: mode == Mode::Implicit,
            running: None,
            refusal: None,
            wanted: None,
            ready: false,
            over: false,
        }
    }

    /// Moves bytes to and fro until nothing more happens.
    fn run(&mut self) {
        loop {
            let mut moved = false;
            while let Some(event) = self.machine.next_event() {
                moved = true;
                self.happened(event);
            }
            moved |= self.shake_hands();
            if let Some(line) = self.machine.transmit() {
                moved = true;
                for piece in line.bytes().chunks(self.piece) {
                    self.server.receive(piece, self.now);
                }
            }
            while let Some(event) = self.server.next_event(self.now) {
                moved = true;
                self.serve(event);
            }
            if let Some(bytes) = self.server.transmit() {
                moved = true;
                bytes.chunks(self.piece).for_each(|piece| self.machine.receive(piece));
            }
            if let Some(running) = self.running.take() {
                moved = true;
                let text = self.refusal.clone().unwrap_or_else(|| b"Done.".to_vec());
                self.server.end(running, Reply::new(Code::CLOSING_DATA_CONNECTION, text), self.now);
            }
            if !moved {
                return;
            }
        }
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::BeginTls(upgrade) => self.upgrade = Some(upgrade),
            Event::Dial(port) => {
                assert_eq!(port, PORT);
                self.machine.channel_connected();
            }
            Event::Begun(_) => {}
            Event::LoggedIn(_) | Event::Answered(_) | Event::Completed(_) | Event::Refused { .. } => {
                self.ready = true
            }
            Event::Failed(failure) => {
                let ended = matches!(failure, Failure::ServiceClosed(_) | Failure::Ended);
                assert!(self.over && ended, "one of ours does not understand the other: {failure:?}");
            }
        }
    }

    fn shake_hands(&mut self) -> bool {
        // An implicit server shook hands before its machine was made.
        if self.machine.awaited().is_some() || !(self.server_tls || self.server_upgrade.is_some()) {
            return false;
        }
        let Some(upgrade) = self.upgrade.take() else { return false };
        self.machine.tls_established(upgrade);
        if let Some(upgrade) = self.server_upgrade.take() {
            self.server.tls_established(upgrade, self.now);
        }
        self.server_tls = true;
        true
    }

    fn serve(&mut self, event: server::Event) {
        use server::Event as Asked;
        let now = self.now;
        let refusal = |text: &[u8]| Reply::new(Code::FILE_UNAVAILABLE, text);
        let refused = self.refusal.clone();
        let server = &mut self.server;
        match event {
            Asked::BeginTls(upgrade) => self.server_upgrade = Some(upgrade),
            Asked::Login { user, password, pending } => {
                assert_eq!((user.as_str(), password.as_bytes()), ("alice", "sesame\u{ff}".as_bytes()));
                server.login_accepted(pending, Grant::default(), now);
            }
            Asked::Passive { pending, .. } => {
                server.listening(pending, SocketAddr::from(([192, 0, 2, 1], PORT)))
            }
            Asked::Active { pending, .. } => server.connecting(pending),
            Asked::Request { pending, .. } if let Some(text) = refused => {
                server.answer(pending, refusal(&text), now)
            }
            Asked::Request { request, pending } => {
                let reply = match request {
                    Request::PrintDirectory => Reply::pathname(b"/ho\"me", "is it."),
                    Request::RenameFrom { .. } => Reply::new(Code::PENDING_FURTHER_INFORMATION, "To?"),
                    _ => Reply::new(Code::FILE_ACTION_OKAY, "Done."),
                };
                server.answer(pending, reply, now);
            }
            Asked::Transfer { transfer, pending } => {
                let path = match &transfer.action {
                    Action::Retrieve { path, .. } | Action::Store { path, .. } => Some(path.as_bytes()),
                    Action::List { path, .. } => path.as_ref().map(|path| path.as_bytes()),
                    Action::RetrieveSpan { .. } | Action::StoreUnique { .. } => panic!("{transfer:?}"),
                };
                assert_eq!(path, self.wanted.as_deref(), "the path is what was asked for, byte by byte");
                match refused {
                    Some(text) if text.len() % 2 == 0 => server.answer(pending, refusal(&text), now),
                    _ => self.running = Some(server.begin(pending, "Opening.")),
                }
            }
            Asked::Hash { pending, .. } => {
                server.answer(pending, refusal(&refused.unwrap_or_default()), now);
            }
            Asked::Close(_) => self.over = true,
            Asked::HostForgotten | Asked::CloseDataPort | Asked::LoggedOut => {}
            other => panic!("{other:?}"),
        }
    }
}
