//! The server's end, by the rules of `ftp-server`'s connection: what takes time is answered later, and bytes move meanwhile.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::{
    self, AbortKind, Action, Event, Grant, HashKind, Login, Passive, Pending, Policy, Protection, Request,
    RequestKind, Running, Server, StoreMode, TransferKind,
};

use super::lane::{Packet, Wire};
use super::{FILE, PORT};
use crate::Input;

/// What is answered later.
enum Later {
    Login(Pending<Login>),
    Listening(Pending<Passive>),
    Request(Pending<RequestKind>, Reply),
    Hash(Pending<HashKind>),
    Begin(Pending<TransferKind>, Job),
    Refuse(Pending<TransferKind>),
    End(Reply),
}

/// The work of a transfer.
struct Job {
    is_upload: bool,
    /// What came, or is still to be sent.
    bytes: Vec<u8>,
    /// How the upload's data connection ended: in order or not.
    ended: Option<bool>,
}

/// The server's end of both wires.
pub(super) struct Serving {
    machine: Server,
    began: Instant,
    /// Whether bytes are under TLS.
    sealed: bool,
    /// An implicit listener waits for the handshake before it says anything.
    greets_behind_tls: bool,
    upgrade: Option<Pending<server::Upgrade>>,
    unread: Vec<u8>,
    later: Vec<(u64, Later)>,
    running: Option<(Running, Job)>,
    aborts: Vec<Pending<AbortKind>>,
    /// Whether a login must be under TLS.
    is_protected: bool,
    /// Whether data must be private.
    private: bool,
    /// Uploads of which success was said: their bytes.
    pub(super) stored: Vec<Vec<u8>>,
    /// Why it has closed.
    pub(super) closed: Option<server::CloseReason>,
    lost: bool,
    /// Whether its own end of the control connection is closed.
    has_ended: bool,
}

impl Serving {
    pub(super) fn new(policy: Policy, private: bool) -> Serving {
        let implicit = policy.mode == server::Mode::Implicit;
        let is_protected = matches!(policy.plaintext, server::Plaintext::Refuse);
        let began = Instant::now();
        Serving {
            machine: Server::new(policy, began),
            began,
            sealed: false,
            greets_behind_tls: implicit,
            upgrade: None,
            unread: Vec::new(),
            later: Vec::new(),
            running: None,
            aborts: Vec::new(),
            is_protected,
            private,
            stored: Vec::new(),
            closed: None,
            lost: false,
            has_ended: false,
        }
    }

    /// The time as the machine sees it: a tick is a second.
    fn time(&self, now: u64) -> Instant {
        self.began + Duration::from_secs(now)
    }

    /// When it does something by itself. A deadline is none of that: who waits for one waits for nothing.
    pub(super) fn next(&self) -> Option<u64> {
        self.later.iter().map(|(due, _)| *due).min()
    }

    /// One round: what has arrived, what is due, what the machine wants.
    pub(super) fn turn(
        &mut self,
        control: &mut Wire,
        data: &mut Option<Wire>,
        now: u64,
        input: &mut Input<'_>,
    ) {
        while let Some(packet) = control.to_server.arrives(now) {
            self.hear(packet, control, now, input);
        }
        if self.machine.wants_bytes() && !self.unread.is_empty() {
            self.machine.receive(&std::mem::take(&mut self.unread), self.time(now));
        }
        if let Some(wire) = data {
            self.take_data(wire, now, input);
        }
        self.machine.expire(self.time(now));
        // Who is gone waits for nothing, unless he said QUIT: then what runs is finished (RFC 959 §4.1.1).
        if self.lost && !self.machine.is_quitting() {
            self.interrupt(data, now, input);
        }
        while let Some(event) = self.machine.next_event(self.time(now)) {
            self.serve(event, data, now, input);
        }
        let (due, later) = std::mem::take(&mut self.later).into_iter().partition(|(due, _)| *due <= now);
        self.later = later;
        let due: Vec<(u64, Later)> = due;
        for (_, what) in due {
            self.answer(what, data, now, input);
        }
        while let Some(event) = self.machine.next_event(self.time(now)) {
            self.serve(event, data, now, input);
        }
        self.flush(control, now, input);
    }

    fn hear(&mut self, packet: Packet, control: &mut Wire, now: u64, input: &mut Input<'_>) {
        match packet {
            Packet::Hello => {
                control.to_client.send(Packet::Hello, now, input);
                self.sealed = true;
                self.greets_behind_tls = false;
                if let Some(upgrade) = self.upgrade.take() {
                    self.machine.tls_established(upgrade, self.time(now));
                }
            }
            Packet::Bytes(bytes, sealed) => {
                assert_eq!(sealed, self.sealed, "bytes of one kind where the other is due");
                if !self.sealed && self.is_protected {
                    let text = String::from_utf8_lossy(&bytes);
                    let secret = ["USER", "PASS", "sesame"].iter().any(|word| text.contains(word));
                    assert!(!secret, "in clear: {text}");
                }
                self.unread.extend_from_slice(&bytes);
            }
            Packet::End | Packet::Cut => {
                self.lost = true;
                // What came before the end counts; what is behind a machine that takes no more does not.
                if self.machine.wants_bytes() {
                    self.machine.receive(&std::mem::take(&mut self.unread), self.time(now));
                }
                self.machine.end_of_input();
            }
        }
    }

    /// What it waits for.
    pub(super) fn state(&self) -> String {
        let (closed, unread, wants) = (self.closed, self.unread.len(), self.machine.wants_bytes());
        let upload = self.running.as_ref().map(|(_, job)| job.is_upload);
        format!(
            "server closed {closed:?}, unread {unread}, wants {wants}, runs {upload:?}, lost {}",
            self.lost
        )
    }

    /// When its machine would end the connection of a client that says nothing.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.machine.deadline().map(|at| at.duration_since(self.began).as_secs())
    }

    fn flush(&mut self, control: &mut Wire, now: u64, input: &mut Input<'_>) {
        if self.greets_behind_tls {
            return;
        }
        if let Some(bytes) = self.machine.transmit() {
            control.to_client.send(Packet::Bytes(bytes, self.sealed), now, input);
        }
        if self.closed.is_some() && !self.has_ended {
            self.has_ended = true;
            control.to_client.send(Packet::End, now, input);
        }
    }

    /// Bytes of an upload, or what the client's side of a download says.
    fn take_data(&mut self, wire: &mut Wire, now: u64, input: &mut Input<'_>) {
        if self.running.is_none() {
            return;
        }
        while let Some(packet) = wire.to_server.arrives(now) {
            let Some((_, job)) = &mut self.running else { return };
            match packet {
                Packet::Bytes(bytes, sealed) => {
                    assert!(job.is_upload && sealed == self.private || !self.private, "data in clear");
                    job.bytes.extend_from_slice(&bytes);
                }
                Packet::End if job.is_upload => job.ended = Some(true),
                Packet::Cut => job.ended = Some(false),
                Packet::End | Packet::Hello => {}
            }
        }
        let Some((_, job)) = &mut self.running else { return };
        let Some(in_order) = job.ended.take() else { return };
        let reply = match in_order {
            true => Reply::new(Code::CLOSING_DATA_CONNECTION, "It is safe."),
            false => Reply::new(Code::TRANSFER_ABORTED, "The data connection broke."),
        };
        self.put_off(Later::End(reply), now, input);
    }

    fn put_off(&mut self, what: Later, now: u64, input: &mut Input<'_>) {
        let delay = u64::from(input.byte() % 32);
        self.later.push((now + delay, what));
    }

    fn serve(&mut self, event: Event, data: &mut Option<Wire>, now: u64, input: &mut Input<'_>) {
        let time = self.time(now);
        match event {
            Event::BeginTls(upgrade) => self.upgrade = Some(upgrade),
            Event::Login { user, password, pending } => {
                assert_eq!((user.as_str(), password.as_bytes()), ("alice", "sesame\u{ff}".as_bytes()));
                self.put_off(Later::Login(pending), now, input);
            }
            Event::Passive { pending, .. } => self.put_off(Later::Listening(pending), now, input),
            Event::Request { request, pending } => {
                let reply = match request {
                    Request::PrintDirectory => Reply::pathname(b"/", "is it."),
                    _ if input.happens(40) => Reply::new(Code::FILE_UNAVAILABLE, "No."),
                    _ => Reply::new(Code::FILE_ACTION_OKAY, "Done."),
                };
                self.put_off(Later::Request(pending, reply), now, input);
            }
            Event::Hash { pending, .. } => self.put_off(Later::Hash(pending), now, input),
            Event::Transfer { transfer, pending } => {
                assert!(!self.private || transfer.protection == Protection::Private, "data in clear");
                let is_upload = matches!(transfer.action, Action::Store { .. });
                let bytes = match transfer.action {
                    Action::Retrieve { offset, .. } => {
                        FILE[usize::try_from(offset).unwrap_or(0).min(FILE.len())..].to_vec()
                    }
                    Action::Store { mode: StoreMode::From(offset), .. } => {
                        FILE[..usize::try_from(offset).unwrap_or(0)].to_vec()
                    }
                    _ => Vec::new(),
                };
                let what = match input.happens(24) {
                    true => Later::Refuse(pending),
                    false => Later::Begin(pending, Job { is_upload, bytes, ended: None }),
                };
                self.put_off(what, now, input);
            }
            Event::Abort(pending) => {
                self.aborts.push(pending);
                self.interrupt(data, now, input);
            }
            Event::Status(pending) => {
                self.machine.answer(pending, Reply::new(Code::SYSTEM_STATUS, "Well."), time)
            }
            Event::Close(reason) => {
                self.closed = Some(reason);
                if let (false, Some(wire)) = (reason == server::CloseReason::Quit, data) {
                    wire.to_client.cut(now, input);
                }
            }
            Event::HostForgotten | Event::CloseDataPort | Event::LoggedOut => {}
            other => panic!("{other:?}"),
        }
    }

    /// Ends what runs, if anything does, and answers every ABOR.
    fn interrupt(&mut self, data: &mut Option<Wire>, now: u64, input: &mut Input<'_>) {
        // What has not begun is begun no more.
        let (due, time) = (std::mem::take(&mut self.later), self.time(now));
        for (at, what) in due {
            match what {
                Later::Begin(pending, _) | Later::Refuse(pending) => {
                    self.machine.answer(pending, Reply::new(Code::TRANSFER_ABORTED, "Interrupted."), time);
                }
                Later::End(_) => {}
                other => self.later.push((at, other)),
            }
        }
        if let Some((running, _)) = self.running.take() {
            if let Some(wire) = data {
                wire.to_client.cut(now, input);
            }
            self.machine.end(running, Reply::new(Code::TRANSFER_ABORTED, "Interrupted."), time);
        }
        for abort in std::mem::take(&mut self.aborts) {
            self.machine.answer(abort, Reply::new(Code::CLOSING_DATA_CONNECTION, "Nothing runs."), time);
        }
    }

    fn answer(&mut self, what: Later, data: &mut Option<Wire>, now: u64, input: &mut Input<'_>) {
        let time = self.time(now);
        match what {
            Later::Login(pending) => self.machine.login_accepted(pending, Grant::default(), time),
            Later::Listening(pending) => {
                self.machine.listening(pending, SocketAddr::from(([192, 0, 2, 1], PORT)));
            }
            Later::Request(pending, reply) => self.machine.answer(pending, reply, time),
            Later::Hash(pending) => {
                self.machine.answer(pending, Reply::new(Code::FILE_UNAVAILABLE, "No."), time)
            }
            Later::Refuse(pending) => {
                self.machine.answer(pending, Reply::new(Code::FILE_UNAVAILABLE, "No."), time)
            }
            Later::Begin(pending, mut job) => {
                let running = self.machine.begin(pending, "Opening.");
                if !job.is_upload {
                    let bytes = std::mem::take(&mut job.bytes);
                    if let Some(wire) = data {
                        wire.to_client.send(Packet::Bytes(bytes, self.private), now, input);
                        // The end of a disk, in mid-file.
                        match input.happens(8) {
                            true => wire.to_client.cut(now, input),
                            false => wire.to_client.send(Packet::End, now, input),
                        }
                    }
                    // What has gone into the system's buffers has gone well, as far as a sender knows.
                    let notices = input.happens(128);
                    let broken = data.as_ref().is_none_or(|wire| wire.to_client.is_cut()) && notices;
                    let reply = match broken {
                        true => Reply::new(Code::TRANSFER_ABORTED, "The data connection broke."),
                        false => Reply::new(Code::CLOSING_DATA_CONNECTION, "All is sent."),
                    };
                    self.put_off(Later::End(reply), now, input);
                }
                self.running = Some((running, job));
            }
            Later::End(reply) => {
                let Some((running, job)) = self.running.take() else { return };
                // One transfer, one end: what else was noticed of this one says nothing of the next.
                self.later.retain(|(_, what)| !matches!(what, Later::End(_)));
                if job.is_upload && reply.code() == Code::CLOSING_DATA_CONNECTION {
                    self.stored.push(job.bytes);
                }
                self.machine.end(running, reply, time);
            }
        }
    }
}
