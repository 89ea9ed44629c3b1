//! Plays transcripts: files of `C:` and `S:` lines against the protocol machine, without a socket.
//!
//! ```text
//! # What this shows, in a sentence or two.
//! policy explicit refuse require      how the listener is set up, perhaps with `deflate`, `certificates`, `ccc`, `fxp` or `fxp-without-ca` behind it;
//!                                     may be left out
//! given tls login private             steps that are not the subject: tls login private passive transfer
//! C: RETR a                           the client's line; CR LF is added, \r \n \\ \xNN and {A*5000} are read
//! C+ RETR                             bytes without a line end
//! E: Transfer Retrieve { ... } ...    the machine's question to its driver, or what it tells him
//! > begin Opening.                    the driver's answer
//! S: 150 Opening.                     the machine's reply, a line
//! ```
//!
//! Answers: `tls`, `cleared`, `certificate`, `password`, `accept [clear-data | CHARSET]`, `refuse CODE TEXT`, `listening ADDRESS`, `connecting`, `begin TEXT`, `end CODE TEXT`,
//! `answer CODE TEXT` (the last question), `answer-transfer CODE TEXT`. The world: `later SECONDS`, `drain`, `eof`, `full`,
//! `room` (whether the machine wants bytes). Before every `C:` and at the end nothing may be left unsaid: each reply and
//! each event of the machine stands in the file.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

use carrack_ftp_proto::charset::Charset;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::{
    AbortKind, Active, Certificates, Clearing, Compression, DataProtection, DataRole, Downgrade, Event, Fxp,
    Grant, HashKind, HostKind, Introduction, Login, Mode, Passive, PassiveStyle, Pending, Plaintext, Policy,
    RequestKind, Running, Server, StatusKind, TransferKind, TransferMode, Upgrade,
};
use carrack_ftp_proto::site::SiteVerb;
use carrack_ftp_proto::verb::Verb;

/// One transcript.
pub struct Transcript {
    /// Its file.
    pub path: PathBuf,
    text: String,
}

impl Transcript {
    /// All transcripts of a folder, by name.
    ///
    /// # Errors
    /// The folder or a file cannot be read.
    pub fn read_all(folder: &Path) -> io::Result<Vec<Transcript>> {
        let mut transcripts = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "ftp") {
                transcripts.push(Transcript { text: fs::read_to_string(&path)?, path });
            }
        }
        transcripts.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(transcripts)
    }

    /// What its client says and what comes of it, where one command is said at a time.
    pub fn exchanges(&self) -> impl Iterator<Item = (Verb, Came)> {
        self.lines_and_answers().filter_map(|(said, came)| Some((Verb::named(first_word(said))?, came)))
    }

    /// The same for the commands of SITE.
    pub fn site_exchanges(&self) -> impl Iterator<Item = (SiteVerb, Came)> {
        self.lines_and_answers().filter_map(|(said, came)| {
            Some((SiteVerb::named(first_word(said.strip_prefix("SITE ")?))?, came))
        })
    }

    fn lines_and_answers(&self) -> impl Iterator<Item = (&str, Came)> {
        let mut said = None;
        self.text.lines().filter_map(move |line| {
            if let Some(command) = line.strip_prefix("C: ") {
                said = Some(command);
                return None;
            }
            let code = line.strip_prefix("S: ")?.as_bytes();
            match (code.first()?, code.get(3)?) {
                (b'1' | b'2' | b'3', b' ') => Some((said?, Came::Success)),
                (b'4' | b'5', b' ') => Some((said?, Came::Refusal)),
                _ => None,
            }
        })
    }

    /// Plays it.
    ///
    /// # Errors
    /// What differed, with the line's number.
    pub fn play(&self) -> Result<(), String> {
        let mut player = Player::new(Mode::Explicit, Plaintext::Refuse, DataProtection::Require, &[]);
        for (index, line) in self.text.lines().enumerate() {
            let at = |problem: String| format!("{}:{}: {line}\n  {problem}", self.path.display(), index + 1);
            player.line(line).map_err(at)?;
        }
        player.nothing_left().map_err(|problem| format!("{}: at the end: {problem}", self.path.display()))
    }
}

/// What a reply says of its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Came {
    /// 1yz, 2yz, 3yz: it is done, or goes on (RFC 959 §4.2.1).
    Success,
    /// 4yz, 5yz: it is not done.
    Refusal,
}

fn first_word(line: &str) -> &[u8] {
    line.split([' ', '\\']).next().unwrap_or_default().as_bytes()
}

/// The driver's side, played from the file.
struct Player {
    server: Server,
    now: Instant,
    /// Reply lines that no `S:` has named yet.
    said: VecDeque<String>,
    /// Events that no `E:` has named yet.
    events: VecDeque<String>,
    open: Open,
}

/// The questions that wait for an answer.
#[derive(Default)]
struct Open {
    upgrade: Option<Pending<Upgrade>>,
    downgrade: Option<Pending<Downgrade>>,
    host: Option<Pending<HostKind>>,
    introduction: Option<Pending<Introduction>>,
    login: Option<Pending<Login>>,
    passive: Option<Pending<Passive>>,
    active: Option<Pending<Active>>,
    request: Option<Pending<RequestKind>>,
    transfer: Option<Pending<TransferKind>>,
    hash: Option<Pending<HashKind>>,
    abort: Option<Pending<AbortKind>>,
    status: Option<Pending<StatusKind>>,
    running: Option<Running>,
}

type Played = Result<(), String>;

impl Player {
    /// `more` are the words that allow what is refused by default.
    fn new(mode: Mode, plaintext: Plaintext, data_protection: DataProtection, more: &[&str]) -> Player {
        let now = Instant::now();
        let policy = Policy {
            mode,
            plaintext,
            data_protection,
            compression: if more.contains(&"deflate") { Compression::Offered } else { Compression::Refused },
            certificates: if more.contains(&"certificates") {
                Certificates::Asked
            } else {
                Certificates::NotAsked
            },
            clearing: if more.contains(&"ccc") { Clearing::Allowed } else { Clearing::Refused },
            fxp: match more {
                _ if more.contains(&"fxp") => Fxp::EitherSide,
                _ if more.contains(&"fxp-without-ca") => Fxp::TlsServerOnly,
                _ => Fxp::Refused,
            },
            tls_timeout: Duration::from_secs(30),
            login_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(300),
            login_failures: 3,
            greeting: "Carrack".to_owned(),
        };
        let mut player = Player {
            server: Server::new(policy, now),
            now,
            said: VecDeque::new(),
            events: VecDeque::new(),
            open: Open::default(),
        };
        player.pump();
        player.said.clear(); // the greeting is shown by the crate's own example
        player
    }

    fn line(&mut self, line: &str) -> Played {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "" | "#" => Ok(()),
            "policy" => self.policy(rest),
            "given" => rest.split(' ').try_for_each(|step| self.given(step)),
            "C:" => {
                self.nothing_left()?;
                self.receive(&[unescape(rest)?, b"\r\n".to_vec()].concat());
                Ok(())
            }
            "C+" => {
                self.receive(&unescape(rest)?);
                Ok(())
            }
            "S:" => expect(self.said.pop_front(), rest, "reply line"),
            "E:" => expect(self.events.pop_front(), rest, "event"),
            ">" => {
                let (verb, argument) = rest.split_once(' ').unwrap_or((rest, ""));
                self.drive(verb, argument)?;
                self.pump();
                Ok(())
            }
            _ => Err("no such line in transcripts".to_owned()),
        }
    }

    fn policy(&mut self, words: &str) -> Played {
        let words: Vec<&str> = words.split(' ').collect();
        let [mode, plaintext, data, more @ ..] = words.as_slice() else {
            return Err("policy MODE PLAINTEXT DATA [deflate] [ccc] [fxp | fxp-without-ca]".to_owned());
        };
        let mode = if *mode == "implicit" { Mode::Implicit } else { Mode::Explicit };
        let plaintext = match *plaintext {
            "allow" => Plaintext::Allow { except: Vec::new() },
            "limit" => Plaintext::Limit { users: vec!["anonymous".to_owned()] },
            _ => Plaintext::Refuse,
        };
        let data = if *data == "optional" { DataProtection::Optional } else { DataProtection::Require };
        *self = Player::new(mode, plaintext, data, more);
        Ok(())
    }

    /// A step that is not the subject.
    fn given(&mut self, step: &str) -> Played {
        let steps: &[(&str, &str)] = match step {
            "tls" => &[("AUTH TLS", "tls")],
            "login" => &[("USER alice", ""), ("PASS sesame", "accept")],
            "private" => &[("PBSZ 0", ""), ("PROT P", "")],
            "passive" => &[("EPSV", "listening 192.0.2.1:50000")],
            "transfer" => &[("TYPE I", ""), ("RETR file", "begin Opening.")],
            _ => return Err(format!("no step {step}")),
        };
        for (said, answer) in steps {
            self.receive(format!("{said}\r\n").as_bytes());
            if !answer.is_empty() {
                self.line(&format!("> {answer}"))?;
            }
        }
        self.said.clear();
        self.events.clear();
        Ok(())
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.server.receive(bytes, self.now);
        self.pump();
    }

    fn drive(&mut self, verb: &str, argument: &str) -> Played {
        let (server, open, now) = (&mut self.server, &mut self.open, self.now);
        match verb {
            "tls" => server.tls_established(open.upgrade.take().ok_or(NOTHING_OPEN)?, now),
            "cleared" => server.tls_ended(open.downgrade.take().ok_or(NOTHING_OPEN)?, now),
            "accept" => {
                let grant = Grant { clear_data: argument == "clear-data", charset: Charset::named(argument) };
                server.login_accepted(open.login.take().ok_or(NOTHING_OPEN)?, grant, now);
            }
            "certificate" => {
                let introduction = open.introduction.take().ok_or(NOTHING_OPEN)?;
                server.logged_in_by_certificate(introduction, Grant::default(), now);
            }
            "password" => server.password_needed(open.introduction.take().ok_or(NOTHING_OPEN)?),
            "refuse" => {
                server.login_refused(open.login.take().ok_or(NOTHING_OPEN)?, reply(argument)?, now);
            }
            "listening" => {
                let address = argument.parse().map_err(|_| "no address")?;
                server.listening(open.passive.take().ok_or(NOTHING_OPEN)?, address);
            }
            "connecting" => server.connecting(open.active.take().ok_or(NOTHING_OPEN)?),
            "begin" => {
                open.running = Some(server.begin(open.transfer.take().ok_or(NOTHING_OPEN)?, argument));
            }
            "end" => server.end(open.running.take().ok_or(NOTHING_OPEN)?, reply(argument)?, now),
            "answer" => open.answer(server, reply(argument)?, now)?,
            "answer-transfer" => {
                server.answer(open.transfer.take().ok_or(NOTHING_OPEN)?, reply(argument)?, now);
            }
            "later" => {
                self.now += Duration::from_secs(argument.parse().map_err(|_| "no number")?);
                server.expire(self.now);
            }
            "drain" => server.drain(now),
            "eof" => server.end_of_input(),
            "full" if server.wants_bytes() => return Err("the machine wants bytes".to_owned()),
            "room" if !server.wants_bytes() => return Err("the machine wants no bytes".to_owned()),
            "full" | "room" => {}
            _ => return Err("no such answer".to_owned()),
        }
        Ok(())
    }

    fn pump(&mut self) {
        while let Some(event) = self.server.next_event(self.now) {
            let text = self.open.keep(event);
            self.events.push_back(text);
        }
        let output = self.server.transmit().unwrap_or_default();
        let output: String =
            output.iter().map(|&byte| if byte < 0x80 { char::from(byte) } else { '?' }).collect();
        self.said.extend(output.split_terminator("\r\n").map(str::to_owned));
    }

    fn nothing_left(&self) -> Played {
        match (self.said.front(), self.events.front()) {
            (None, None) => Ok(()),
            (Some(line), _) => Err(format!("not in the transcript: S: {line}")),
            (None, Some(event)) => Err(format!("not in the transcript: E: {event}")),
        }
    }
}

const NOTHING_OPEN: &str = "nobody waits for this answer";

impl Open {
    /// Keeps the question for its answer, and tells it in words.
    fn keep(&mut self, event: Event) -> String {
        match event {
            Event::BeginTls(pending) => {
                self.upgrade = Some(pending);
                "BeginTls".to_owned()
            }
            Event::EndTls(pending) => {
                self.downgrade = Some(pending);
                "EndTls".to_owned()
            }
            Event::Host { host, pending } => {
                self.host = Some(pending);
                format!("Host {host:?}")
            }
            Event::Introduction { user, pending } => {
                self.introduction = Some(pending);
                format!("Introduction {user}")
            }
            Event::Login { user, password, pending } => {
                self.login = Some(pending);
                format!("Login {user} {}", password.as_bytes().escape_ascii())
            }
            Event::HostForgotten => "HostForgotten".to_owned(),
            Event::LoggedOut => "LoggedOut".to_owned(),
            Event::CloseDataPort => "CloseDataPort".to_owned(),
            Event::Passive { style, pending } => {
                self.passive = Some(pending);
                match style {
                    PassiveStyle::Cpsv => "Passive CPSV".to_owned(),
                    PassiveStyle::Pasv => "Passive PASV".to_owned(),
                    PassiveStyle::Epsv(None) => "Passive EPSV".to_owned(),
                    PassiveStyle::Epsv(Some(family)) => format!("Passive EPSV {family:?}"),
                }
            }
            Event::Active { address, pending } => {
                self.active = Some(pending);
                format!("Active {address}")
            }
            Event::Request { request, pending } => {
                self.request = Some(pending);
                format!("Request {request:?}")
            }
            Event::Transfer { transfer, pending } => {
                self.transfer = Some(pending);
                let carrack_ftp_proto::server::Transfer {
                    action,
                    representation,
                    mode,
                    level,
                    protection,
                    channel,
                    charset: _,
                    role,
                    announced,
                } = transfer;
                let mode = match mode {
                    TransferMode::Stream => String::new(),
                    TransferMode::Deflate => format!(" Deflate {}", level.number()),
                };
                let role = if role == DataRole::Own { String::new() } else { format!(" {role:?}") };
                let announced = announced.map_or_else(String::new, |bytes| format!(" announced {bytes}"));
                format!(
                    "Transfer {action:?} {representation:?}{mode} {protection:?} {channel:?}{role}{announced}"
                )
            }
            Event::Hash { hash, pending } => {
                self.hash = Some(pending);
                format!("{hash:?}")
            }
            Event::Abort(pending) => {
                self.abort = Some(pending);
                "Abort".to_owned()
            }
            Event::Status(pending) => {
                self.status = Some(pending);
                "Status".to_owned()
            }
            Event::Close(reason) => format!("Close {reason:?}"),
        }
    }

    /// Answers the last question; a transfer's own comes behind what is asked beside it.
    fn answer(&mut self, server: &mut Server, reply: Reply, now: Instant) -> Played {
        if let Some(pending) = self.abort.take() {
            server.answer(pending, reply, now);
        } else if let Some(pending) = self.status.take() {
            server.answer(pending, reply, now);
        } else if let Some(pending) = self.request.take() {
            server.answer(pending, reply, now);
        } else if let Some(pending) = self.host.take() {
            server.answer(pending, reply, now);
        } else if let Some(pending) = self.passive.take() {
            server.answer(pending, reply, now);
        } else if let Some(pending) = self.active.take() {
            server.answer(pending, reply, now);
        } else if let Some(pending) = self.introduction.take() {
            server.answer(pending, reply, now);
        } else if let Some(pending) = self.login.take() {
            server.answer(pending, reply, now);
        } else if let Some(pending) = self.hash.take() {
            server.answer(pending, reply, now);
        } else if let Some(pending) = self.transfer.take() {
            server.answer(pending, reply, now);
        } else {
            return Err(NOTHING_OPEN.to_owned());
        }
        Ok(())
    }
}

fn expect(got: Option<String>, wanted: &str, what: &str) -> Played {
    match got {
        Some(got) if got == wanted => Ok(()),
        Some(got) => Err(format!("but the {what} was: {got}")),
        None => Err(format!("but there was no {what}")),
    }
}

/// `CODE TEXT`; `|` parts the lines of a reply of several.
fn reply(text: &str) -> Result<Reply, String> {
    let (digits, text) = text.split_once(' ').unwrap_or((text, ""));
    let code = Code::ALL.iter().copied().find(|code| code.to_string() == digits).ok_or("no such code")?;
    let text = unescape(text)?;
    let mut lines: Vec<&[u8]> = text.split(|&byte| byte == b'|').collect();
    let last = lines.pop().unwrap_or_default();
    Ok(match lines.split_first() {
        None => Reply::new(code, last),
        Some((first, body)) => Reply::lines(code, first, body, last),
    })
}

/// Reads `\r`, `\n`, `\\`, `\xNN` and `{A*5000}`.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (escape, length) = match first {
            '\\' => match rest.get(1..2) {
                Some("r") => (vec![b'\r'], 2),
                Some("n") => (vec![b'\n'], 2),
                Some("\\") => (vec![b'\\'], 2),
                Some("x") => {
                    let digits = rest.get(2..4).ok_or("\\x needs two digits")?;
                    (vec![u8::from_str_radix(digits, 16).map_err(|_| "\\x needs two digits")?], 4)
                }
                _ => return Err("no such escape".to_owned()),
            },
            '{' => {
                let (inner, _) = rest[1..].split_once('}').ok_or("{ without }")?;
                let (text, times) = inner.split_once('*').ok_or("{text*times}")?;
                let times = times.parse().map_err(|_| "{text*times}")?;
                (text.repeat(times).into_bytes(), inner.len() + 2)
            }
            other => (other.to_string().into_bytes(), other.len_utf8()),
        };
        bytes.extend(escape);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(bytes)
}
