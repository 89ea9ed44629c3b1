//! Does a server, whatever it says and when, make the client's machine break a promise?
//!
//! The first byte chooses the plan. Then lines of the server, and operations of the program that uses the machine:
//! `!u` TLS is established · `!a…` asks, the next byte says what · `!r` `!s` `!l` retrieves, stores, lists ·
//! `!c` the data connection is there · `!x` the server's side ends · `!b…` bytes without a line end.

use carrack_ftp_proto::client::machine::{
    Command, DataProtection, Event, Extended, Failure, Hidden, Listen, Login, Machine, Plan, Route, Security,
    Store, TlsPart, Transfer, Upgrade,
};
use carrack_ftp_proto::client::{HashAlgorithm, RemotePath};
use zeroize::Zeroizing;

use super::OPERATIONS;
use crate::Input;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut world = World::new(input.byte());
    let mut operations = 0;
    world.hear();
    while !input.is_empty() && operations < OPERATIONS {
        operations += 1;
        let line = input.line();
        match line {
            [b'!', b'u', ..] => world.shake_hands(),
            [b'!', b'a', rest @ ..] => world.machine.ask(&command(rest)),
            [b'!', b'r', rest @ ..] => {
                world.machine.transfer(Transfer::Retrieve(path(rest), rest.len() as u64), world.route);
            }
            [b'!', b's', rest @ ..] => {
                world.machine.transfer(Transfer::Store(path(rest), Store::Append), world.route)
            }
            [b'!', b'l', rest @ ..] => {
                let listing = match rest.first() {
                    Some(b'm') => Transfer::ListFacts(path(rest)),
                    Some(b'p') => Transfer::ListPath(path(rest)),
                    _ => Transfer::List(Hidden::Asked),
                };
                world.machine.transfer(listing, world.route);
            }
            [b'!', b'c', ..] => world.machine.channel_connected(),
            [b'!', b'x', ..] => world.machine.end_of_input(),
            [b'!', b'b', bytes @ ..] => world.machine.receive(bytes),
            line => world.machine.receive(&[line, b"\r\n"].concat()),
        }
        world.hear();
    }
}

/// What stands in a line, as a path; the root where it is none.
pub(super) fn path(bytes: &[u8]) -> RemotePath {
    RemotePath::root().join(bytes).unwrap_or_else(|_| RemotePath::root())
}

pub(super) fn command(bytes: &[u8]) -> Command {
    let mut input = Input::new(bytes);
    let choice = input.byte();
    let path = path(input.rest());
    match choice {
        b'c' => Command::ChangeFolder(path),
        b'm' => Command::MakeFolder(path),
        b'd' => Command::RemoveFolder(path),
        b'r' => Command::RemoveFile(path),
        b'f' => Command::RenameFrom(path),
        b't' => Command::RenameTo(path),
        b'l' => Command::Facts(path),
        b's' => Command::Size(path),
        b'M' => Command::Modified(path),
        b'T' => Command::SetModified(path, i64::from_le_bytes(*b"carrack!") >> (bytes.len() % 64)),
        b'D' => Command::SetModifiedByMdtm(path, -1),
        b'H' => Command::SelectHash(HashAlgorithm::Sha256),
        b'h' => Command::Hash(path),
        b'x' => Command::HashByName("XSHA256", path),
        b'p' => Command::Listen(Listen::AsTlsClient),
        b'6' => Command::ConnectTo(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 40_000).into()),
        b'4' => Command::ConnectTo(([192, 0, 2, 9], 40_000).into()),
        b'S' => Command::TakePart(TlsPart::Client),
        b'q' => Command::Quit,
        _ => Command::Size(path),
    }
}

struct World {
    machine: Machine,
    security: Security,
    data_protection: DataProtection,
    route: Route,
    upgrade: Option<Upgrade>,
    tls: bool,
    /// The last PROT that was sent.
    private: bool,
    failed: bool,
}

impl World {
    fn new(choice: u8) -> World {
        let security =
            [Security::Explicit, Security::Implicit, Security::Plaintext][usize::from(choice & 3) % 3];
        let data_protection = if choice & 4 == 0 { DataProtection::Private } else { DataProtection::Clear };
        let extended = if choice & 8 == 0 { Extended::Known } else { Extended::Unknown };
        let route = match choice >> 4 & 3 {
            0 | 1 => Route::Passive,
            2 => Route::Active(([192, 0, 2, 9], 40_000).into()),
            _ => Route::Active(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 40_000).into()),
        };
        let password = Some(Zeroizing::new("sesame\u{ff}".to_owned()));
        let Ok(login) = Login::new("alice", password) else { panic!("it may be said") };
        World {
            machine: Machine::new(Plan { security, data_protection, login }, extended),
            security,
            data_protection,
            route,
            upgrade: None,
            tls: false,
            private: false,
            failed: false,
        }
    }

    fn shake_hands(&mut self) {
        if let Some(upgrade) = self.upgrade.take() {
            self.tls = true;
            self.machine.tls_established(upgrade);
        }
    }

    fn hear(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(event) = self.machine.next_event() {
                quiet = false;
                // Whoever asks something of a connection that has ended is told so again.
                let told_again = matches!(event, Event::Failed(Failure::Ended));
                assert!(!self.failed || told_again, "behind the end: {event:?}");
                match event {
                    Event::BeginTls(upgrade) => {
                        assert!(!self.tls && self.security != Security::Plaintext, "TLS twice, or unasked");
                        self.upgrade = Some(upgrade);
                    }
                    Event::LoggedIn(session) => {
                        assert!(self.tls || self.security == Security::Plaintext, "logged in without TLS");
                        let _ = session.login_folder.as_bytes();
                    }
                    Event::Dial(port) => assert_ne!(port, 0),
                    Event::Failed(failure) => {
                        self.failed = true;
                        let _ = format!("{failure:?}");
                    }
                    Event::Answered(_) | Event::Begun(_) | Event::Completed(_) | Event::Refused { .. } => {}
                }
            }
            if let Some(line) = self.machine.transmit() {
                quiet = false;
                self.check(line.bytes(), &line.shown());
            }
            if quiet {
                return;
            }
        }
    }

    fn check(&mut self, line: &[u8], shown: &str) {
        assert!(!self.failed, "said behind the end: {shown}");
        let Some(text) = line.strip_suffix(b"\r\n") else { panic!("no line: {shown}") };
        assert!(!text.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')), "{shown}");
        assert!(!shown.contains("sesame"), "a password is shown");
        let verb = text.split(|byte| *byte == b' ').next().unwrap_or_default();
        let encrypted = self.tls || self.security == Security::Plaintext;
        match verb {
            b"AUTH" => assert!(!self.tls && self.security == Security::Explicit),
            b"PROT" => self.private = text == b"PROT P",
            b"RETR" | b"STOR" | b"APPE" | b"LIST" | b"MLSD" => {
                let wanted =
                    self.data_protection == DataProtection::Private && self.security != Security::Plaintext;
                assert!(
                    encrypted && self.private == wanted,
                    "{shown} before the protection that was asked for"
                );
            }
            _ => assert!(encrypted, "{shown} before TLS"),
        }
    }
}
