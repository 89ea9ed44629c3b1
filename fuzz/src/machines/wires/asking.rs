//! The client's end, by the rules of `ftp-client`'s connection; and, where it loses patience with its machine, a person at a keyboard.

use carrack_ftp_proto::client::machine::{Command, Event, Failure, Machine, Route, Store, Transfer, Upgrade};
use carrack_ftp_proto::reply::Code;

use super::lane::{Packet, Wire};
use super::{Ends, FILE, PORT};
use crate::Input;
use crate::machines::OPERATIONS;
use crate::machines::client::{command, path};

/// The client's end of both wires.
pub(super) struct Asking {
    machine: Machine,
    sealed: bool,
    private: bool,
    upgrade: Option<Upgrade>,
    doing: Doing,
    raw: Option<Raw>,
    /// What the server said since the last line was sent.
    heard: Vec<u8>,
    operations: usize,
    /// Whether the control connection was seen to end.
    lost: bool,
    pub(super) over: bool,
    /// Uploads that it believes to be complete.
    pub(super) uploaded: usize,
    pub(super) ends: Ends,
}

/// What is under way.
enum Doing {
    /// Login.
    Opening,
    Nothing,
    Command,
    Leaving,
    Moving(Moving),
}

/// A transfer.
struct Moving {
    is_upload: bool,
    offset: usize,
    got: Vec<u8>,
    begun: bool,
    /// Whether everything is sent.
    sent: bool,
    /// How the other side's data ended: in order or not.
    ended: Option<bool>,
    /// Whether it was granted, once that is told.
    granted: Option<bool>,
}

/// What a person types while a transfer runs.
struct Raw {
    typed: Vec<&'static str>,
    heard: Vec<u8>,
}

impl Asking {
    pub(super) fn new(machine: Machine, private: bool) -> Asking {
        Asking {
            machine,
            sealed: false,
            private,
            upgrade: None,
            doing: Doing::Opening,
            raw: None,
            heard: Vec::new(),
            operations: 0,
            lost: false,
            over: false,
            uploaded: 0,
            ends: Ends::default(),
        }
    }

    /// What it waits for.
    pub(super) fn state(&self) -> String {
        let typed = self.raw.as_ref().map(|raw| (&raw.typed, String::from_utf8_lossy(&raw.heard)));
        let moving = match &self.doing {
            Doing::Moving(moving) => Some((moving.is_upload, moving.sent, moving.ended, moving.granted)),
            _ => None,
        };
        format!(
            "client over {}, awaits {:?}, moving {moving:?}, typed {typed:?}",
            self.over,
            self.machine.awaited()
        )
    }

    /// One round. Whether anything was done that did not come from outside.
    pub(super) fn turn(
        &mut self,
        control: &mut Wire,
        data: &mut Option<Wire>,
        now: u64,
        input: &mut Input<'_>,
    ) -> bool {
        while let Some(packet) = control.to_client.arrives(now) {
            self.hear(packet);
        }
        if self.over {
            return false;
        }
        if let Some(wire) = data {
            self.take_data(wire, now);
            self.send_data(wire, now, input);
        }
        if self.raw.is_some() {
            self.judge_raw(control, now, input);
            return false;
        }
        while let Some(event) = self.machine.next_event() {
            self.happened(event, control, data, now, input);
        }
        if self.lost && self.upgrade.is_some() && !self.over {
            // The handshake has nobody to shake hands with: that is for the driver to see.
            self.ends.failed += 1;
            self.hang_up(control, now, input);
        }
        if self.settle() {
            // What is still on its way there is nobody's.
            *data = None;
        }
        let acts = matches!(self.doing, Doing::Nothing) && !self.over && self.raw.is_none();
        if acts {
            self.choose(control, now, input);
        }
        let runs = matches!(&self.doing, Doing::Moving(Moving { begun: true, granted: None, .. }));
        if runs && !self.over && input.happens(30) {
            self.type_in(control, now, input);
        }
        if let Some(line) = self.machine.transmit() {
            self.heard.clear();
            control.to_server.send(Packet::Bytes(line.bytes().to_vec(), self.sealed), now, input);
        }
        acts
    }

    fn hear(&mut self, packet: Packet) {
        match packet {
            Packet::Hello => {
                self.sealed = true;
                let Some(upgrade) = self.upgrade.take() else { panic!("a handshake that nobody began") };
                self.machine.tls_established(upgrade);
            }
            Packet::Bytes(bytes, sealed) => {
                assert_eq!(sealed, self.sealed, "bytes of one kind where the other is due");
                match &mut self.raw {
                    Some(raw) => raw.heard.extend_from_slice(&bytes),
                    None => {
                        self.heard.extend_from_slice(&bytes);
                        self.machine.receive(&bytes);
                    }
                }
            }
            Packet::End | Packet::Cut => {
                self.lost = true;
                self.machine.end_of_input();
            }
        }
    }

    fn happened(
        &mut self,
        event: Event,
        control: &mut Wire,
        data: &mut Option<Wire>,
        now: u64,
        input: &mut Input<'_>,
    ) {
        match event {
            Event::BeginTls(upgrade) => {
                self.upgrade = Some(upgrade);
                control.to_server.send(Packet::Hello, now, input);
            }
            Event::LoggedIn(_) => self.doing = Doing::Nothing,
            Event::Answered(reply) => {
                let leaves = matches!(self.doing, Doing::Leaving);
                assert!(
                    !leaves || reply.code() == Code::CLOSING_CONTROL_CONNECTION,
                    "QUIT is answered with {reply}"
                );
                self.doing = if leaves { Doing::Leaving } else { Doing::Nothing };
            }
            Event::Dial(port) => {
                assert_eq!(port, PORT);
                if input.happens(6) {
                    // As the driver does: a machine whose port cannot be reached is of no use.
                    self.ends.unreachable += 1;
                    return self.hang_up(control, now, input);
                }
                *data = Some(Wire::default());
                self.machine.channel_connected();
            }
            Event::Begun(_) => {
                let Doing::Moving(moving) = &mut self.doing else {
                    panic!("a transfer that nobody asked for")
                };
                moving.begun = true;
            }
            Event::Completed(_) => self.told(true),
            Event::Refused { .. } => self.told(false),
            Event::Failed(failure) => {
                assert!(
                    matches!(failure, Failure::Ended | Failure::ServiceClosed(_)),
                    "nobody has broken the protocol: {failure:?}"
                );
                // A server that closes says so; a wire that breaks does not.
                self.ends.failed += usize::from(!matches!(self.doing, Doing::Leaving));
                self.hang_up(control, now, input);
            }
        }
    }

    fn told(&mut self, granted: bool) {
        match &mut self.doing {
            Doing::Moving(moving) => moving.granted = Some(granted),
            _ => panic!("the end of a transfer that nobody asked for"),
        }
    }

    fn hang_up(&mut self, control: &mut Wire, now: u64, input: &mut Input<'_>) {
        control.to_server.send(Packet::End, now, input);
        self.over = true;
    }

    /// Ends a transfer once both connections have told how it ended; whether it did.
    fn settle(&mut self) -> bool {
        let Doing::Moving(moving) = &self.doing else { return false };
        match (moving.granted, moving.is_upload, moving.ended) {
            (Some(false), ..) => self.ends.refused += 1,
            (Some(true), true, _) => {
                assert!(moving.sent, "complete before everything was sent");
                self.uploaded += 1;
                self.ends.complete += 1;
            }
            (Some(true), false, Some(true)) => {
                assert!(moving.got == FILE[moving.offset..], "complete, and other bytes");
                self.ends.complete += 1;
            }
            // The server has sent it all, and not all of it came.
            (Some(true), false, Some(false)) => self.ends.broken += 1,
            (Some(true), false, None) | (None, ..) => return false,
        }
        self.doing = Doing::Nothing;
        true
    }

    fn choose(&mut self, control: &mut Wire, now: u64, input: &mut Input<'_>) {
        self.operations += 1;
        let choice = if self.operations > OPERATIONS { 0 } else { input.byte() };
        let offset = usize::from(input.byte()) * 8 % FILE.len();
        let file = path(b"file");
        let (is_upload, transfer) = match choice % 6 {
            0 if choice % 12 == 0 => {
                self.doing = Doing::Leaving;
                return self.machine.ask(&Command::Quit);
            }
            0 => return self.hang_up(control, now, input),
            1 => {
                self.doing = Doing::Command;
                let letters = b"cmdrflsMTDHh";
                let letter = letters[usize::from(input.byte()) % letters.len()];
                return self.machine.ask(&command(&[letter, b'f']));
            }
            2 => (true, Transfer::Store(file, Store::Replace)),
            3 => (true, Transfer::Store(file, Store::From(offset as u64))),
            _ => (false, Transfer::Retrieve(file, offset as u64)),
        };
        let offset = if choice % 6 == 2 { 0 } else { offset };
        let (got, ended, granted) = (Vec::new(), None, None);
        self.doing =
            Doing::Moving(Moving { is_upload, offset, got, begun: false, sent: false, ended, granted });
        self.machine.transfer(transfer, Route::Passive);
    }

    fn take_data(&mut self, wire: &mut Wire, now: u64) {
        let Doing::Moving(moving) = &mut self.doing else { return };
        while let Some(packet) = wire.to_client.arrives(now) {
            match packet {
                Packet::Bytes(bytes, sealed) => {
                    assert!(sealed || !self.private, "data in clear");
                    assert!(!moving.is_upload, "bytes that nobody asked for");
                    moving.got.extend_from_slice(&bytes);
                }
                Packet::End => moving.ended = moving.ended.or(Some(true)),
                Packet::Cut => moving.ended = moving.ended.or(Some(false)),
                Packet::Hello => {}
            }
        }
    }

    fn send_data(&mut self, wire: &mut Wire, now: u64, input: &mut Input<'_>) {
        let Doing::Moving(moving) = &mut self.doing else { return };
        if !moving.is_upload || moving.sent || moving.granted.is_some() {
            return;
        }
        // Some send before they are told to.
        if moving.begun || input.happens(40) {
            moving.sent = true;
            wire.to_server.send(Packet::Bytes(FILE[moving.offset..].to_vec(), self.private), now, input);
            wire.to_server.send(Packet::End, now, input);
        }
    }

    /// Types commands while the transfer runs, without a look at the answers.
    fn type_in(&mut self, control: &mut Wire, now: u64, input: &mut Input<'_>) {
        let mut typed = Vec::new();
        for _ in 0..=input.byte() % 4 {
            typed.push(input.one_of(&["STAT", "NOOP", "ABOR", "QUIT"]));
            if typed.last() == Some(&"QUIT") {
                break;
            }
        }
        for line in &typed {
            control.to_server.send(
                Packet::Bytes(format!("{line}\r\n").into_bytes(), self.sealed),
                now,
                input,
            );
        }
        // Behind the reply with which the transfer began.
        let begun = self.heard.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.raw = Some(Raw { typed, heard: self.heard.split_off(begun) });
    }

    /// One answer for each line, and one for the transfer; no more of them however long one waits.
    fn judge_raw(&mut self, control: &mut Wire, now: u64, input: &mut Input<'_>) {
        let Some(raw) = &self.raw else { return };
        let text = String::from_utf8_lossy(&raw.heard);
        let whole = text.rsplit_once("\r\n").map_or("", |(whole, _)| whole);
        let code =
            |line: &str| line.get(3..4).filter(|end| *end == " ").and_then(|_| line[..3].parse::<u16>().ok());
        let codes: Vec<u16> = whole.lines().filter_map(code).collect();
        let typed = |line| raw.typed.iter().filter(|typed| **typed == line).count();
        let said = |code: u16| codes.iter().filter(|said| **said == code).count();
        let limits = [("STAT", said(211)), ("NOOP", said(200)), ("QUIT", said(221))];
        for (line, said) in limits {
            assert!(said <= typed(line), "{said} answers to {line}: {codes:?}");
        }
        let ended = said(225) + said(226) + said(425) + said(426) + said(451);
        assert!(
            ended <= typed("ABOR") + 1,
            "one end, and an answer to each ABOR: {codes:?} to {:?}",
            raw.typed
        );
        let all = raw.typed.len() + 1;
        // A deadline, or the end of the server: nothing else is answered any more.
        if codes.len() >= all && said(421) == 0 {
            assert!(
                limits.iter().all(|(line, said)| *said == typed(line)) && ended == typed("ABOR") + 1,
                "{codes:?} to {:?}",
                raw.typed
            );
            self.ends.typed += raw.typed.len();
            self.hang_up(control, now, input);
        } else if self.lost {
            // 421 says why, or the wire broke.
            self.ends.failed += 1;
            self.hang_up(control, now, input);
        }
    }
}
