//! The client's machine against our own server's, without a socket: what one says the other understands.
//!
//! A file of one kind is kept in memory. TLS is a flag on either side, so bytes that would cross the handshake are seen.

use std::time::{Duration, Instant};

use super::*;
use crate::reply::{Code, Reply};
use crate::server::{
    self, Action, Compression, Grant, Mode, Plaintext, Policy, Protection, Server, StoreMode,
};

struct World {
    client: Machine,
    server: Server,
    now: Instant,
    /// Whether either side has finished the handshake.
    tls: (bool, bool),
    upgrade: Option<Upgrade>,
    server_upgrade: Option<server::Pending<server::Upgrade>>,
    /// The file.
    stored: Vec<u8>,
    /// Transfers as the server understood them.
    transfers: Vec<server::Transfer>,
    running: Option<(server::Running, Reply)>,
    events: Vec<Event>,
    port: Option<u16>,
}

const PORT: u16 = 50_000;

impl World {
    fn new(security: Security, data_protection: DataProtection) -> World {
        let (mode, plaintext) = match security {
            Security::Explicit => (Mode::Explicit, Plaintext::Refuse),
            Security::Implicit => (Mode::Implicit, Plaintext::Refuse),
            Security::Plaintext => (Mode::Explicit, Plaintext::Allow { except: Vec::new() }),
        };
        let data = match data_protection {
            DataProtection::Private => server::DataProtection::Require,
            DataProtection::Clear => server::DataProtection::Optional,
        };
        let policy = Policy {
            mode,
            plaintext,
            certificates: server::Certificates::NotAsked,
            clearing: crate::server::Clearing::Refused,
            data_protection: data,
            compression: Compression::Refused,
            fxp: crate::server::Fxp::Refused,
            tls_timeout: Duration::from_secs(30),
            login_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(300),
            login_failures: 3,
            greeting: "Carrack".to_owned(),
        };
        let login = Login::new("alice", Some(Zeroizing::new("sesame\u{ff}".to_owned()))).unwrap();
        let now = Instant::now();
        World {
            client: Machine::new(Plan { security, data_protection, login }, Extended::default()),
            server: Server::new(policy, now),
            now,
            tls: (false, security == Security::Implicit),
            upgrade: None,
            server_upgrade: None,
            stored: b"0123456789".to_vec(),
            transfers: Vec::new(),
            running: None,
            events: Vec::new(),
            port: None,
        }
    }

    /// Moves bytes to and fro, and does what both machines ask for, until nothing more happens.
    fn run(&mut self) {
        loop {
            let mut moved = false;
            while let Some(event) = self.client.next_event() {
                moved = true;
                match event {
                    Event::BeginTls(upgrade) => self.upgrade = Some(upgrade),
                    Event::Dial(port) => {
                        assert_eq!(Some(port), self.port);
                        self.client.channel_connected();
                    }
                    event => self.events.push(event),
                }
            }
            moved |= self.shake_hands();
            if let Some(line) = self.client.transmit() {
                moved = true;
                assert_eq!(self.tls.0, self.tls.1, "a line is under TLS for both or for neither");
                self.server.receive(line.bytes(), self.now);
            }
            while let Some(event) = self.server.next_event(self.now) {
                moved = true;
                self.serve(event);
            }
            if let Some(bytes) = self.server.transmit() {
                moved = true;
                // One byte at a time, because TCP may.
                for byte in bytes {
                    self.client.receive(&[byte]);
                }
            }
            if let Some((running, reply)) = self.running.take() {
                moved = true;
                self.server.end(running, reply, self.now);
            }
            if !moved {
                return;
            }
        }
    }

    fn shake_hands(&mut self) -> bool {
        // An implicit server shook hands before its machine was made.
        let server_ready = self.tls.1 || self.server_upgrade.is_some();
        if !server_ready || self.client.awaited().is_some() {
            return false;
        }
        let Some(upgrade) = self.upgrade.take() else { return false };
        self.tls = (true, true);
        self.client.tls_established(upgrade);
        if let Some(upgrade) = self.server_upgrade.take() {
            self.server.tls_established(upgrade, self.now);
        }
        true
    }

    fn serve(&mut self, event: server::Event) {
        use server::{Event as Asked, Request};
        let now = self.now;
        match event {
            Asked::BeginTls(upgrade) => self.server_upgrade = Some(upgrade),
            Asked::Login { user, password, pending } => {
                assert_eq!((user.as_str(), password.as_bytes()), ("alice", "sesame\u{ff}".as_bytes()));
                self.server.login_accepted(pending, Grant::default(), now);
            }
            Asked::Passive { pending, .. } => {
                self.port = Some(PORT);
                self.server.listening(pending, ([192, 0, 2, 1], PORT).into());
            }
            Asked::Active { pending, .. } => self.server.connecting(pending),
            Asked::Request { request, pending } => {
                let reply = match request {
                    Request::PrintDirectory => Reply::pathname(b"/ho\"me", "is it."),
                    Request::RenameFrom { .. } => Reply::new(Code::PENDING_FURTHER_INFORMATION, "To?"),
                    Request::Size { .. } => Reply::new(Code::FILE_STATUS, self.stored.len().to_string()),
                    Request::Delete { .. } => Reply::new(Code::FILE_UNAVAILABLE, b"226 \r\n226 no\xff"),
                    _ => Reply::new(Code::FILE_ACTION_OKAY, "Done."),
                };
                self.server.answer(pending, reply, now);
            }
            Asked::Transfer { transfer, pending } => {
                let missing =
                    matches!(&transfer.action, Action::Retrieve { path, .. } if path.as_bytes() == b"/none");
                if missing {
                    self.server.answer(pending, Reply::new(Code::FILE_UNAVAILABLE, "No such file."), now);
                } else {
                    let running = self.server.begin(pending, "Opening.");
                    let reply = Reply::new(Code::CLOSING_DATA_CONNECTION, "Done.");
                    self.running = Some((running, reply));
                }
                self.transfers.push(transfer);
            }
            other => panic!("{other:?}"),
        }
    }

    fn transfer(&mut self, transfer: Transfer, route: Route) -> server::Transfer {
        self.events.clear();
        self.client.transfer(transfer, route);
        self.run();
        self.transfers.pop().unwrap_or_else(|| panic!("no transfer: {:?}", self.events))
    }
}

const MODES: [(Security, DataProtection); 4] = [
    (Security::Explicit, DataProtection::Private),
    (Security::Explicit, DataProtection::Clear),
    (Security::Implicit, DataProtection::Private),
    (Security::Plaintext, DataProtection::Private),
];

fn logged_in(security: Security, data_protection: DataProtection) -> World {
    let mut world = World::new(security, data_protection);
    world.run();
    let [Event::LoggedIn(session)] = world.events.as_slice() else { panic!("{:?}", world.events) };
    assert_eq!(session.login_folder, path("/ho\"me"));
    assert!(session.features.as_ref().is_some_and(|features| features.mlst.is_some() && features.utf8));
    let protected = security != Security::Plaintext;
    assert_eq!(world.tls, (protected, protected));
    world
}

#[test]
fn files_and_listings_move_in_every_mode() {
    for (security, data_protection) in MODES {
        let mut world = logged_in(security, data_protection);
        let expected = match (security, data_protection) {
            (Security::Plaintext, _) | (_, DataProtection::Clear) => Protection::Clear,
            (_, DataProtection::Private) => Protection::Private,
        };
        let odd = RemotePath::parse(b"/a \xff\"b").unwrap();
        let routes = [Route::Passive, Route::Active("192.0.2.9:40000".parse().unwrap())];
        for route in routes {
            for (transfer, action) in [
                (Transfer::Retrieve(odd.clone(), 0), Action::Retrieve { path: argument(&odd), offset: 0 }),
                (Transfer::Retrieve(odd.clone(), 7), Action::Retrieve { path: argument(&odd), offset: 7 }),
                (
                    Transfer::Store(odd.clone(), Store::Replace),
                    Action::Store { path: argument(&odd), mode: StoreMode::Replace },
                ),
                (
                    Transfer::Store(odd.clone(), Store::From(5)),
                    Action::Store { path: argument(&odd), mode: StoreMode::From(5) },
                ),
                (
                    Transfer::Store(odd.clone(), Store::Append),
                    Action::Store { path: argument(&odd), mode: StoreMode::Append },
                ),
                (
                    Transfer::List(Hidden::Asked),
                    Action::List { path: None, format: server::ListFormat::Long },
                ),
            ] {
                let understood = world.transfer(transfer, route);
                assert_eq!((&understood.action, understood.protection), (&action, expected), "{security:?}");
                let channel = match route {
                    Route::Passive => server::Channel::Passive,
                    Route::Arranged => unreachable!("between servers"),
                    Route::Active(address) => server::Channel::Active(address),
                };
                assert_eq!(understood.channel, channel);
                assert!(
                    matches!(world.events.as_slice(), [Event::Begun(_), Event::Completed(_)]),
                    "{:?}",
                    world.events
                );
            }
            let understood = world.transfer(Transfer::ListFacts(odd.clone()), route);
            assert!(matches!(
                understood.action,
                Action::List { path: Some(path), format: server::ListFormat::Facts(_) } if path == argument(&odd)
            ));
        }
    }
}

#[test]
fn a_refused_transfer_leaves_the_connection_as_it_was() {
    let mut world = logged_in(Security::Explicit, DataProtection::Private);
    world.transfer(Transfer::Retrieve(path("/none"), 3), Route::Passive);
    assert!(
        matches!(world.events.as_slice(), [Event::Refused { command: "RETR", .. }]),
        "{:?}",
        world.events
    );
    let understood = world.transfer(Transfer::Retrieve(path("/f"), 0), Route::Passive);
    assert!(
        matches!(understood.action, Action::Retrieve { offset: 0, .. }),
        "the marker died with its transfer"
    );
}

#[test]
fn questions_are_answered_one_by_one() {
    let mut world = logged_in(Security::Implicit, DataProtection::Private);
    for (command, code) in [
        (Command::Size(path("/f")), 213),
        (Command::RenameFrom(path("/f")), 350),
        (Command::RenameTo(path("/g")), 250),
        // Its text tries to be three replies, and holds a byte that Telnet doubles.
        (Command::RemoveFile(path("/f")), 550),
        (Command::SetModified(path("/f"), 0), 250),
        (Command::HashByName("XUNKNOWN", path("/f")), 500),
        (Command::Quit, 221),
    ] {
        world.events.clear();
        world.client.ask(&command);
        world.run_to_answer();
        let Some(Event::Answered(reply)) = world.events.first() else { panic!("{:?}", world.events) };
        assert_eq!(reply.code().number(), code, "{command:?}: {reply:?}");
        if let Command::RemoveFile(_) = command {
            assert_eq!(reply.last_line(), b"226 \\x0d\\x0a226 no\xff");
        }
    }
}

impl World {
    /// As `run`, but QUIT ends the server's machine, which nothing is asked of then.
    fn run_to_answer(&mut self) {
        if let Some(line) = self.client.transmit() {
            self.server.receive(line.bytes(), self.now);
        }
        while let Some(event) = self.server.next_event(self.now) {
            match event {
                server::Event::Close(_) => {}
                event => self.serve(event),
            }
        }
        self.client.receive(&self.server.transmit().unwrap());
        while let Some(event) = self.client.next_event() {
            self.events.push(event);
        }
    }
}

/// A path as the server's half reads it.
fn argument(path: &RemotePath) -> crate::command::PathArgument {
    crate::command::PathArgument::new(path.as_bytes()).unwrap()
}
