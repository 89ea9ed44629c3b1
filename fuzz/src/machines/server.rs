//! Does a client, together with a driver that answers when and how it likes, make the server's machine break a promise?
//!
//! The first byte chooses the policy. Then lines of the client, and operations:
//! `!g` grants from now on (and what was held) · `!r` refuses · `!h` holds what is asked · `!e` ends the transfer ·
//! `!t` 20 seconds pass · `!x` the client's side ends · `!d` the server drains · `!b…` bytes without a line end.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use carrack_ftp_proto::fuzzing;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::{
    Certificates, Clearing, Compression, DataProtection, Event, Fxp, Grant, Mode, Plaintext, Policy,
    Protection, Request, Running, Server,
};

use super::OPERATIONS;
use crate::Input;
use crate::language::{policy, without_telnet};

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let choice = input.byte();
    let mut world = World::new(choice);
    let mut operations = 0;
    while !input.is_empty() && operations < OPERATIONS {
        operations += 1;
        let line = input.line();
        match line {
            [b'!', b'g', ..] => world.grants(),
            [b'!', b'r', ..] => world.mood = Mood::Refuses,
            [b'!', b'h', ..] => world.mood = Mood::Holds,
            [b'!', b'e', ..] => world.end_transfer(),
            [b'!', b't', ..] => world.wait(Duration::from_secs(20)),
            [b'!', b'x', ..] => world.server.end_of_input(),
            [b'!', b'd', ..] => world.server.drain(world.now),
            [b'!', b'b', bytes @ ..] => world.say(bytes),
            line => world.say(&[line, b"\r\n"].concat()),
        }
        world.serve();
    }
    world.hear();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Grants,
    Refuses,
    Holds,
}

/// The machine, its driver, and the books on what must hold.
struct World {
    server: Server,
    policy: Policy,
    clear_data: bool,
    now: Instant,
    mood: Mood,
    held: Vec<Event>,
    running: Option<Running>,
    tls: bool,
    cleared: bool,
    logged_in: bool,
    closed: bool,
    /// Line ends that were said, each of which may have one final reply.
    lines: usize,
    finals: usize,
}

impl World {
    fn new(choice: u8) -> World {
        let plaintext = match choice & 3 {
            0 => Plaintext::Refuse,
            1 => Plaintext::Limit { users: vec!["anonymous".to_owned()] },
            _ => Plaintext::Allow { except: vec!["root".to_owned()] },
        };
        let mode = if choice & 4 == 0 { Mode::Explicit } else { Mode::Implicit };
        let data_protection =
            if choice & 8 == 0 { DataProtection::Require } else { DataProtection::Optional };
        let clearing = if choice & 16 == 0 { Clearing::Allowed } else { Clearing::Refused };
        let fxp = if choice & 32 == 0 { Fxp::EitherSide } else { Fxp::Refused };
        let compression = if choice & 64 == 0 { Compression::Offered } else { Compression::Refused };
        let certificates = if choice & 128 == 0 { Certificates::Asked } else { Certificates::NotAsked };
        let policy =
            Policy { mode, data_protection, clearing, fxp, compression, certificates, ..policy(plaintext) };
        let now = Instant::now();
        World {
            server: Server::new(policy.clone(), now),
            tls: mode == Mode::Implicit,
            policy,
            clear_data: choice & 128 != 0,
            now,
            mood: Mood::Grants,
            held: Vec::new(),
            running: None,
            cleared: false,
            logged_in: false,
            closed: false,
            lines: 0,
            finals: 0,
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        self.server.receive(bytes, self.now);
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.server.expire(self.now);
        assert!(self.server.deadline().is_none_or(|deadline| deadline > self.now), "what is over is over");
    }

    /// Takes what the machine asks, until it asks no more.
    fn serve(&mut self) {
        while let Some(event) = self.server.next_event(self.now) {
            assert!(!self.closed, "behind Close: {event:?}");
            self.check(&event);
            match self.mood {
                Mood::Holds if !matches!(event, Event::Close(_) | Event::LoggedOut) => self.held.push(event),
                mood => self.answer(event, mood),
            }
            self.hear();
        }
        self.hear();
    }

    fn grants(&mut self) {
        self.mood = Mood::Grants;
        for event in std::mem::take(&mut self.held) {
            self.answer(event, Mood::Grants);
        }
    }

    fn check(&self, event: &Event) {
        match event {
            Event::Login { user, password, .. } => {
                let allowed = match &self.policy.plaintext {
                    Plaintext::Refuse => false,
                    Plaintext::Limit { users } => users.contains(user),
                    Plaintext::Allow { except } => !except.contains(user),
                };
                assert!(self.tls || allowed, "a login over plaintext where that is refused");
                assert!(!self.cleared && !self.logged_in, "a login behind CCC or without a logout");
                assert!(!user.contains(['\0', '\r', '\n']) && !password.as_bytes().contains(&b'\n'));
            }
            Event::LoggedOut => assert!(self.logged_in, "a logout without a login"),
            Event::BeginTls(_) => {
                assert!(!self.tls && !self.logged_in && !self.cleared, "TLS twice, or under a login")
            }
            Event::EndTls(_) => assert!(
                self.tls
                    && self.logged_in
                    && self.policy.mode == Mode::Explicit
                    && self.policy.clearing == Clearing::Allowed,
                "TLS ends where it must not"
            ),
            Event::Host { .. } => assert!(!self.logged_in, "HOST under a login"),
            Event::Introduction { .. } => {
                assert!(
                    self.tls && !self.cleared && !self.logged_in,
                    "a certificate without TLS, or under a login"
                );
            }
            Event::HostForgotten | Event::CloseDataPort | Event::Close(_) => {}
            Event::Transfer { transfer, .. } => {
                assert!(
                    self.logged_in && self.running.is_none(),
                    "a transfer without a login or beside another"
                );
                if transfer.protection == Protection::Clear && self.tls {
                    let granted = self.policy.data_protection == DataProtection::Optional || self.clear_data;
                    assert!(
                        self.policy.mode == Mode::Explicit && granted,
                        "data in clear where P is demanded"
                    );
                }
            }
            other => assert!(self.logged_in, "without a login: {other:?}"),
        }
    }

    fn answer(&mut self, event: Event, mood: Mood) {
        let now = self.now;
        let grants = mood == Mood::Grants;
        let refusal = || Reply::new(Code::FILE_UNAVAILABLE, b"No.\r\n226 forged\xff\0");
        let server = &mut self.server;
        match event {
            Event::BeginTls(pending) => {
                (self.tls, self.logged_in) = (true, false);
                server.tls_established(pending, now);
            }
            Event::EndTls(pending) => {
                (self.tls, self.cleared) = (false, true);
                server.tls_ended(pending, now);
            }
            Event::Host { pending, .. } if grants => {
                server.answer(pending, Reply::new(Code::SERVICE_READY, "It is."), now);
            }
            Event::Host { pending, .. } => server.answer(pending, refusal(), now),
            Event::Introduction { pending, .. } if grants => {
                self.logged_in = true;
                let grant = Grant { clear_data: self.clear_data, charset: None };
                server.logged_in_by_certificate(pending, grant, now);
            }
            Event::Introduction { pending, .. } => server.password_needed(pending),
            Event::Login { pending, .. } if grants => {
                self.logged_in = true;
                server.login_accepted(pending, Grant { clear_data: self.clear_data, charset: None }, now);
            }
            Event::Login { pending, .. } => server.login_refused(pending, refusal(), now),
            Event::LoggedOut => self.logged_in = false,
            Event::HostForgotten | Event::CloseDataPort => {}
            Event::Passive { pending, .. } if grants => {
                server.listening(pending, SocketAddr::from(([192, 0, 2, 1], 50_000)));
            }
            Event::Passive { pending, .. } => server.answer(pending, refusal(), now),
            Event::Active { pending, .. } if grants => server.connecting(pending),
            Event::Active { pending, .. } => server.answer(pending, refusal(), now),
            Event::Request { request, pending } if grants => {
                let reply = match request {
                    Request::RenameFrom { .. } => Reply::new(Code::PENDING_FURTHER_INFORMATION, "Send RNTO."),
                    Request::PrintDirectory => Reply::pathname(b"/a\"b\r\n226 \xff", "is it."),
                    _ => Reply::new(Code::FILE_ACTION_OKAY, "Done."),
                };
                server.answer(pending, reply, now);
            }
            Event::Request { pending, .. } => server.answer(pending, refusal(), now),
            Event::Transfer { pending, .. } if grants => {
                self.running = Some(server.begin(pending, "Opening."));
            }
            Event::Transfer { pending, .. } => server.answer(pending, refusal(), now),
            Event::Hash { pending, .. } => server.answer(pending, refusal(), now),
            Event::Abort(pending) => {
                if let Some(running) = self.running.take() {
                    server.end(running, Reply::new(Code::TRANSFER_ABORTED, "Aborted."), now);
                }
                server.answer(pending, Reply::new(Code::CLOSING_DATA_CONNECTION, "Done."), now);
            }
            Event::Status(pending) => server.answer(pending, Reply::new(Code::SYSTEM_STATUS, "Well."), now),
            Event::Close(_) => self.closed = true,
        }
    }

    fn end_transfer(&mut self) {
        if let Some(running) = self.running.take() {
            self.server.end(running, Reply::new(Code::CLOSING_DATA_CONNECTION, "Done."), self.now);
        }
    }

    /// What was said is whole replies, no more of them than there were lines, the greeting and a last word.
    fn hear(&mut self) {
        let wire = without_telnet(&self.server.transmit().unwrap_or_default());
        if wire.is_empty() {
            return;
        }
        let (replies, bad) = fuzzing::replies(&wire, wire.len());
        assert!(bad.is_none() && wire.ends_with(b"\r\n"), "{}", wire.escape_ascii());
        self.finals += replies.iter().filter(|reply| reply.code().number() >= 200).count();
        assert!(self.finals <= self.lines + 2, "{} replies to {} lines", self.finals, self.lines);
    }
}
