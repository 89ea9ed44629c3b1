//! Does any command, in any state, with any kind of argument, break an invariant of the protocol machine?
//!
//! Every state is entered, every verb is said with every class of argument, and behind it every verb once more; the driver
//! once grants everything and once refuses everything. A watcher that knows nothing of the machine's insides keeps its own
//! books from what it sees and checks each event and each reply against them.

mod arguments;
mod states;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::{
    Action, Certificates, Clearing, Compression, DataProtection, Event, Fxp, Grant, Mode, Plaintext, Policy,
    Protection, Request, Running, Server, StoreMode,
};
use carrack_ftp_proto::verb::{DuringTransfer, Restart, Row, TABLE};

use arguments::{ARGUMENTS, right_argument};
use states::{LOGIN, Plain, State, is_typical, states};

/// What the driver says to whatever it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Grants,
    Refuses,
}

/// The machine, a driver with a mood, and the books.
struct Walk {
    state: State,
    mood: Mood,
    server: Server,
    now: Instant,
    trail: Vec<String>,
    tls: bool,
    /// CCC has ended TLS: no secret may be taken, and PROT stands.
    cleared: bool,
    logged_in: bool,
    /// PROT as far as replies have told: `Some(true)` is P.
    private: Option<bool>,
    running: Option<Running>,
    closed: bool,
    /// The last command that was said, and the one before.
    last: [Option<&'static Row>; 2],
    /// QUIT was said beside a transfer: nothing more is listened to.
    leaving: bool,
}

impl Walk {
    fn enter(state: State) -> Walk {
        let plaintext = match state.plaintext {
            Plain::Refuse => Plaintext::Refuse,
            Plain::Limit => Plaintext::Limit { users: vec!["anonymous".to_owned()] },
            Plain::Allow => Plaintext::Allow { except: Vec::new() },
        };
        let policy = Policy {
            mode: state.mode,
            plaintext,
            data_protection: state.data,
            compression: Compression::Offered,
            certificates: state.certificates,
            clearing: Clearing::Allowed,
            fxp: Fxp::EitherSide,
            tls_timeout: Duration::from_secs(30),
            login_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(300),
            login_failures: 3,
            greeting: "Carrack".to_owned(),
        };
        let now = Instant::now();
        let implicit = state.mode == Mode::Implicit;
        let mut walk = Walk {
            state,
            mood: Mood::Grants,
            server: Server::new(policy, now),
            now,
            trail: Vec::new(),
            tls: implicit,
            cleared: false,
            logged_in: false,
            private: implicit.then_some(true),
            running: None,
            closed: false,
            last: [None; 2],
            leaving: false,
        };
        let _ = walk.server.transmit();
        for line in state.before {
            walk.say_line(line.as_bytes());
        }
        walk
    }

    fn fail(&self, what: &str) -> ! {
        panic!("{what}\n  in {:?}, {:?}, behind {:#?}", self.state, self.mood, self.trail)
    }

    fn say(&mut self, row: &'static Row, argument: &[u8]) {
        self.say_line(&[row.name.as_bytes(), argument].concat());
    }

    /// One command, until it is settled, and what must be true of every one.
    fn say_line(&mut self, line: &[u8]) {
        self.trail.push(line.escape_ascii().to_string());
        let name = line.split(|&byte| byte == b' ').next().unwrap_or_default();
        let row = TABLE.iter().find(|row| row.name.as_bytes() == name).expect("the walk says verbs only");
        self.last = [Some(row), self.last[0]];
        let (was_closed, was_running) = (self.closed, self.running.is_some());
        self.server.receive(&[line, b"\r\n"].concat(), self.now);
        self.drive();
        let replies = self.replies();
        if was_closed {
            if !replies.is_empty() {
                self.fail("a reply behind Close");
            }
            return;
        }
        let bare = line.len() <= name.len() + 1;
        let at_once = !was_running
            || row.during_transfer == DuringTransfer::Answered
            || (row.during_transfer == DuringTransfer::AnsweredBare && bare);
        // RETR and its like stay open with 150; ABOR ends one, which adds its final reply.
        let finals = replies.iter().filter(|reply| !reply.starts_with('1')).count();
        let began = !was_running && self.running.is_some();
        let ended = was_running && self.running.is_none();
        let quitting = self.leaving;
        self.leaving |= was_running && row.name == "QUIT" && bare;
        let expected = usize::from(at_once && !began && !quitting) + usize::from(ended);
        if finals != expected {
            self.fail(&format!("{expected} final replies expected, but: {replies:?}"));
        }
        self.learn(row, line, replies.last().map(String::as_str).unwrap_or_default());
        if !at_once {
            // It waits: end the transfer and let it come. It must then have its reply, and the transfer too.
            self.end_transfer();
            self.drive();
            let replies = self.replies();
            let finals = replies.iter().filter(|reply| !reply.starts_with('1')).count();
            let expected = if quitting { 1 } else { 2 - usize::from(self.running.is_some()) };
            if finals != expected {
                self.fail(&format!(
                    "{expected} final replies expected behind the transfer, but: {replies:?}"
                ));
            }
            self.learn(row, line, replies.last().map(String::as_str).unwrap_or_default());
        }
    }

    /// Keeps the books on PROT, from nothing but commands and replies.
    fn learn(&mut self, row: &Row, line: &[u8], reply: &str) {
        match (row.name, reply.get(..3).unwrap_or_default()) {
            ("PROT", "200") => self.private = Some(line.ends_with(b"P")),
            ("REIN", "220") => self.private = (self.state.mode == Mode::Implicit).then_some(true),
            _ => {}
        }
    }

    fn replies(&mut self) -> Vec<String> {
        let output = self.server.transmit().unwrap_or_default();
        let text = String::from_utf8(output).expect("the walk makes no other bytes");
        let mut replies = Vec::new();
        for line in text.split_terminator("\r\n") {
            if line.contains(|byte: char| byte.is_control()) {
                self.fail(&format!("a control byte in {line:?}"));
            }
            let ends = line.len() > 3
                && line.as_bytes()[..3].iter().all(u8::is_ascii_digit)
                && line.as_bytes()[3] == b' ';
            if ends {
                replies.push(line.to_owned());
            }
        }
        replies
    }

    fn end_transfer(&mut self) {
        if let Some(running) = self.running.take() {
            self.server.end(running, Reply::new(Code::CLOSING_DATA_CONNECTION, "Done."), self.now);
        }
    }

    /// Answers whatever is asked, and checks it first.
    fn drive(&mut self) {
        let now = self.now;
        let refusal = || Reply::new(Code::FILE_UNAVAILABLE, "No.\r\n226 forged");
        while let Some(event) = self.server.next_event(now) {
            if self.closed {
                self.fail(&format!("behind Close: {event:?}"));
            }
            self.check(&event);
            let grants = self.mood == Mood::Grants;
            match event {
                Event::BeginTls(pending) => {
                    let ssl = self.trail.last().is_some_and(|line| line.contains("SSL"));
                    (self.tls, self.logged_in, self.private) = (true, false, ssl.then_some(true));
                    self.server.tls_established(pending, now);
                }
                Event::EndTls(pending) => {
                    self.cleared = true;
                    self.server.tls_ended(pending, now);
                }
                Event::Host { pending, .. } if grants => {
                    self.server.answer(pending, Reply::new(Code::SERVICE_READY, "It is."), now);
                }
                Event::Host { pending, .. } => self.server.answer(pending, refusal(), now),
                Event::Introduction { pending, .. } if grants => {
                    self.logged_in = true;
                    let grant = Grant { clear_data: self.state.clear_data, charset: None };
                    self.server.logged_in_by_certificate(pending, grant, now);
                }
                Event::Introduction { pending, .. } => self.server.password_needed(pending),
                Event::Login { pending, .. } if grants => {
                    self.logged_in = true;
                    self.server.login_accepted(
                        pending,
                        Grant { clear_data: self.state.clear_data, charset: None },
                        now,
                    );
                }
                Event::Login { pending, .. } => self.server.login_refused(pending, refusal(), now),
                Event::LoggedOut => self.logged_in = false,
                Event::HostForgotten | Event::CloseDataPort => {}
                Event::Passive { pending, .. } if grants => {
                    self.server.listening(pending, SocketAddr::from(([192, 0, 2, 1], 50_000)));
                }
                Event::Passive { pending, .. } => self.server.answer(pending, refusal(), now),
                Event::Active { pending, .. } if grants => self.server.connecting(pending),
                Event::Active { pending, .. } => self.server.answer(pending, refusal(), now),
                Event::Request { request: Request::RenameFrom { .. }, pending } if grants => {
                    let reply = Reply::new(Code::PENDING_FURTHER_INFORMATION, "Send RNTO.");
                    self.server.answer(pending, reply, now);
                }
                Event::Request { pending, .. } if grants => {
                    self.server.answer(pending, Reply::new(Code::FILE_ACTION_OKAY, "Done."), now);
                }
                Event::Request { pending, .. } => self.server.answer(pending, refusal(), now),
                Event::Transfer { pending, .. } if grants => {
                    self.running = Some(self.server.begin(pending, "Opening."));
                }
                Event::Transfer { pending, .. } => self.server.answer(pending, refusal(), now),
                Event::Hash { pending, .. } if grants => {
                    self.server.answer(pending, Reply::new(Code::FILE_STATUS, "SHA-256 0-0 00 a"), now);
                }
                Event::Hash { pending, .. } => self.server.answer(pending, refusal(), now),
                Event::Abort(pending) => {
                    self.end_transfer();
                    self.server.answer(pending, Reply::new(Code::CLOSING_DATA_CONNECTION, "Aborted."), now);
                }
                Event::Status(pending) => {
                    self.server.answer(pending, Reply::new(Code::SYSTEM_STATUS, "Well."), now);
                }
                Event::Close(_) => self.closed = true,
            }
        }
    }

    /// The invariants.
    fn check(&self, event: &Event) {
        let last = self.last[0].expect("an event comes behind a command");
        match event {
            Event::Login { user, .. } => {
                let allowed = match self.state.plaintext {
                    Plain::Refuse => false,
                    Plain::Limit => user == "anonymous",
                    Plain::Allow => true,
                };
                if self.cleared {
                    self.fail("a password in clear behind CCC");
                }
                if !self.tls && !allowed {
                    self.fail("a password over plaintext, where that is refused");
                }
                if self.logged_in {
                    self.fail("a login without a logout");
                }
            }
            Event::Introduction { .. } if !self.tls || self.cleared || self.logged_in => {
                self.fail("a certificate without TLS, or under a login");
            }
            Event::Introduction { .. } => {}
            Event::LoggedOut if !self.logged_in => self.fail("a logout without a login"),
            Event::HostForgotten | Event::LoggedOut | Event::CloseDataPort | Event::Close(_) => {}
            Event::BeginTls(_) if self.tls || self.logged_in => {
                self.fail("TLS begins under TLS, or under a login");
            }
            Event::BeginTls(_) if self.cleared => self.fail("TLS begins behind CCC"),
            Event::BeginTls(_) => {}
            Event::EndTls(_)
                if !self.tls || self.cleared || !self.logged_in || self.state.mode == Mode::Implicit =>
            {
                self.fail("TLS ends where there is none, without a login, or on an implicit listener");
            }
            Event::EndTls(_) => {}
            Event::Host { .. } if self.logged_in => self.fail("HOST under a login"),
            Event::Host { .. } => {}
            _ if !self.logged_in => self.fail(&format!("without a login: {event:?}")),
            Event::Request { request: Request::Rename { .. }, .. } => {
                let behind_rnfr = self.last[1].is_some_and(|row| row.name == "RNFR");
                let accepted = self.mood == Mood::Grants || self.entered_by("RNFR");
                assert!(
                    behind_rnfr && accepted,
                    "RNTO without an accepted RNFR right before it: {:#?}",
                    self.trail
                );
            }
            Event::Transfer { transfer, .. } => {
                let clear_allowed = if self.tls {
                    self.state.mode == Mode::Explicit
                        && (self.state.data == DataProtection::Optional
                            || (self.private == Some(false) && self.state.clear_data))
                } else {
                    true
                };
                match transfer.protection {
                    Protection::Clear if !clear_allowed || self.private == Some(true) => {
                        self.fail("data in clear where P is demanded or in force");
                    }
                    Protection::Private if self.private != Some(true) => {
                        self.fail("private data without PROT P");
                    }
                    Protection::Clear | Protection::Private => {}
                }
                let offset = match transfer.action {
                    Action::Retrieve { offset, .. } => offset,
                    Action::Store { mode: StoreMode::From(offset), .. } => offset,
                    Action::RetrieveSpan { span, .. } | Action::Store { mode: StoreMode::Span(span), .. } => {
                        span.first
                    }
                    _ => 0,
                };
                // The walk says REST 7 and, rightly or not, other things between it and the transfer.
                let keeps = self.last[1]
                    .is_some_and(|row| matches!(row.name, "REST" | "RANG") || row.restart == Restart::Kept);
                if offset != 0 && !keeps {
                    self.fail(&format!("{} made the restart marker live on", last.name));
                }
            }
            _ => {}
        }
    }

    /// Whether the state was entered by this verb as its last command, when the driver still granted everything.
    fn entered_by(&self, verb: &str) -> bool {
        self.trail.len() == self.state.before.len() + 1
            && self.state.before.last().is_some_and(|line| line.starts_with(verb))
    }
}

/// Walks on from each state, as many at once as there are cores; how many steps that made.
fn from_each(states: &[State], walk: impl Fn(State, Mood) -> usize + Sync) -> usize {
    let next = AtomicUsize::new(0);
    let take = || states.get(next.fetch_add(1, Ordering::Relaxed)).copied();
    let walk_all = || {
        let mut steps = 0;
        while let Some(state) = take() {
            steps += walk(state, Mood::Grants) + walk(state, Mood::Refuses);
        }
        steps
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let walkers: Vec<_> = (0..cores).map(|_| scope.spawn(walk_all)).collect();
        walkers.into_iter().map(|walker| walker.join().expect("a walk failed")).sum()
    })
}

#[test]
fn every_verb_with_every_argument_in_every_state() {
    let steps = from_each(&states(), |state, mood| {
        for row in TABLE {
            for argument in ARGUMENTS {
                let mut walk = Walk::enter(state);
                walk.mood = mood;
                walk.say(row, argument);
            }
        }
        TABLE.len() * ARGUMENTS.len()
    });
    assert!(steps > 500_000, "the walk was short: {steps} steps");
}

#[test]
fn every_verb_behind_every_verb_in_every_state() {
    let typical: Vec<State> = states().into_iter().filter(is_typical).collect();
    let steps = from_each(&typical, |state, mood| {
        for first in TABLE {
            for second in TABLE {
                let mut walk = Walk::enter(state);
                walk.mood = mood;
                walk.say(first, right_argument(first));
                walk.say(second, right_argument(second));
            }
        }
        TABLE.len() * TABLE.len()
    });
    assert!(steps > 500_000, "the walk was short: {steps} steps");
}

#[test]
fn a_restart_marker_and_a_name_die_behind_every_verb_but_the_kept() {
    let logged_in = State {
        mode: Mode::Implicit,
        plaintext: Plain::Refuse,
        data: DataProtection::Require,
        clear_data: false,
        certificates: Certificates::NotAsked,
        before: &LOGIN,
    };
    for row in TABLE
        .iter()
        .filter(|row| !matches!(row.name, "USER" | "REIN" | "QUIT" | "REST" | "RANG" | "RNFR" | "RETR"))
    {
        let mut walk = Walk::enter(logged_in);
        for line in ["TYPE I", "EPSV", "REST 7"] {
            walk.say_line(line.as_bytes());
        }
        walk.say(row, right_argument(row));
        walk.end_transfer();
        walk.drive();
        let _ = walk.replies();
        walk.say_line(b"EPSV");
        walk.server.receive(b"RETR a\r\n", walk.now);
        let event = walk.server.next_event(walk.now);
        let Some(Event::Transfer { transfer, .. }) = event else { walk.fail("no transfer") };
        let expected = if row.restart == Restart::Kept { 7 } else { 0 };
        let Action::Retrieve { offset, .. } = transfer.action else { walk.fail("no RETR") };
        assert_eq!(offset, expected, "{} and the restart marker", row.name);

        let mut walk = Walk::enter(logged_in);
        walk.say_line(b"RNFR a");
        walk.say(row, right_argument(row));
        walk.end_transfer();
        walk.drive();
        let _ = walk.replies();
        walk.server.receive(b"RNTO b\r\n", walk.now);
        assert_eq!(walk.server.next_event(walk.now), None, "{} and the name of RNFR", row.name);
    }
}
