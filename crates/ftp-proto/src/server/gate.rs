//! May this command be carried out now, and who carries it out?

use std::time::Instant;

use super::login::{LoginPhase, Means};
use super::{
    Action, Carried, CloseReason, HashForm, ListFormat, Next, Outcome, PassiveStyle, Request, Server,
    SetAnswer, StoreMode,
};
use crate::command::{Command, Line};
use crate::limits;
use crate::reply::{Code, Reply};
use crate::verb::{Data, DuringTransfer, Phase, Restart, Row, Verb};

/// What a browser says first (RFC 9110 §9, and HTTP/2's preface). None of them is a verb of ours.
const HTTP_METHODS: [&[u8]; 10] =
    [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI"];

/// What a load balancer says first whose PROXY header nobody takes here: the word of version 1, and the third line of version 2.
const PROXY_HEADER: [&[u8]; 2] = [b"PROXY", b"\0"];

impl Server {
    /// Carries one line out. THE TABLE has already said that its turn has come.
    pub(super) fn perform(&mut self, line: Line, now: Instant) {
        self.verb = None;
        let outcome = match &line {
            Line::Text(text) => self.perform_text(text, now),
            Line::TooLong => {
                self.carried = Carried::Nothing;
                let text = format!("Command line longer than {} bytes.", limits::COMMAND_LINE);
                Err(Reply::new(Code::SYNTAX_ERROR, text))
            }
            Line::Endless => {
                self.refuse_service(CloseReason::EndlessLine, "Command line without end; closing.");
                Ok(Next::Done)
            }
        };
        // SECURITY: a session is not kept by what costs its client nothing.
        if outcome.is_ok() && !matches!(&line, Line::Text(text) if is_verb(text, Verb::Noop)) {
            self.active_at = now;
        }
        self.settle(outcome);
    }

    /// Says what remains to be said about a command.
    pub(super) fn settle(&mut self, outcome: Outcome) {
        match outcome {
            Ok(next) => {
                self.refused = 0;
                if let Next::Reply(reply) = next {
                    self.say(&reply);
                }
            }
            Err(reply) => {
                self.refused = self.refused.saturating_add(1);
                if self.login.is_logged_in() || self.refused < limits::REFUSED_BEFORE_LOGIN {
                    self.say(&reply);
                } else {
                    let text = "Too many refused commands; closing.";
                    self.refuse_service(CloseReason::RefusedCommands, text);
                }
            }
        }
    }

    fn perform_text(&mut self, text: &[u8], now: Instant) -> Outcome {
        let carried = std::mem::take(&mut self.carried);
        let (name, argument) = split(text);
        let Some(verb) = Verb::named(name) else {
            // SECURITY: a browser that was sent here by a page must find nobody who answers it line by line (ALPACA).
            if !self.login.is_logged_in() && HTTP_METHODS.contains(&name) {
                self.refuse_service(CloseReason::Http, "This is an FTP server; closing.");
                return Ok(Next::Done);
            }
            if !self.login.is_logged_in() && PROXY_HEADER.contains(&name) {
                let text = "No PROXY header is taken from this address; closing.";
                self.refuse_service(CloseReason::ProxyHeader, text);
                return Ok(Next::Done);
            }
            // SECURITY: nothing of the line is echoed: it may be script for a browser, or a mistyped password.
            return Err(Reply::new(Code::SYNTAX_ERROR, "Command not understood."));
        };
        self.verb = Some(verb);
        let row = verb.row();
        if row.restart == Restart::Kept && matches!(carried, Carried::Restart(_) | Carried::Range(_)) {
            self.carried = carried.clone();
        }
        self.gate(row)?;
        let decoded = self.decoded(row, argument)?;
        let command = Command::read(verb, decoded.as_deref().unwrap_or(argument))?;
        self.carry_out(command, carried, now)
    }

    /// What the row demands of the connection. It is asked before the argument is looked at.
    fn gate(&self, row: &Row) -> Result<(), Reply> {
        self.gate_phase(row.phase)?;
        match row.data {
            Data::None => Ok(()),
            Data::Arms => self.data.may_be_armed_by(row.verb),
            Data::Uses => self.data_protection().map(|_| ()),
        }
    }

    /// The argument in UTF-8, where the client spells names in another character set. Before the login there are no names of
    /// files, and who logs in anew is not spelled in the set of who was there before.
    fn decoded(&self, row: &Row, argument: &[u8]) -> Result<Option<Vec<u8>>, Reply> {
        let Some(charset) = self.charset().filter(|_| row.phase == Phase::LoggedIn) else { return Ok(None) };
        charset.decode(argument).map(Some).ok_or_else(|| {
            let text =
                format!("That is not how a name is spelled in {}; take it from a listing.", charset.name());
            Reply::new(Code::SYNTAX_ERROR_IN_ARGUMENT, text)
        })
    }

    fn gate_phase(&self, phase: Phase) -> Result<(), Reply> {
        match (phase, &self.login) {
            (Phase::Any, _)
            | (Phase::Password, LoginPhase::Named(_))
            | (Phase::BeforeLogin, LoginPhase::Nobody | LoginPhase::Named(_))
            | (Phase::Password, LoginPhase::LoggedIn(_, Means::Certificate))
            | (Phase::LoggedIn, LoginPhase::LoggedIn(..)) => Ok(()),
            (Phase::Password | Phase::BeforeLogin, LoginPhase::LoggedIn(..)) => {
                Err(Reply::new(Code::BAD_SEQUENCE, "Already logged in."))
            }
            (Phase::Password | Phase::LoggedIn, _) if self.needs_tls_first() => Err(self.tls_first()),
            (Phase::Password, LoginPhase::Nobody) => Err(Reply::new(Code::BAD_SEQUENCE, "Send USER first.")),
            (Phase::LoggedIn, LoginPhase::Nobody | LoginPhase::Named(_)) => {
                Err(Reply::new(Code::NOT_LOGGED_IN, "Log in with USER and PASS first."))
            }
        }
    }

    fn carry_out(&mut self, command: Command, carried: Carried, now: Instant) -> Outcome {
        match command {
            Command::User(user) => self.user(user, now),
            Command::Pass(password) => self.pass(password),
            Command::Acct => self.acct(),
            Command::Host(host) => self.host(host),
            Command::Rein => self.rein(now),
            Command::Quit => self.quit(),
            Command::Auth(mechanism) => self.auth(mechanism, now),
            Command::Pbsz => self.pbsz(),
            Command::Prot(level) => self.prot(level),
            Command::Sscn(switch) => self.sscn(switch),
            Command::Ccc => self.ccc(),
            Command::Adat => self.adat(),
            Command::Protected => self.protected_command(),
            Command::Feat => self.feat(),
            Command::Help(verb) => Self::help(verb),
            Command::Lang => Self::lang(),
            Command::Clnt => Self::clnt(),
            Command::Csid => Self::csid(),
            Command::Syst => Self::syst(),
            Command::Noop => Self::noop(),
            Command::Stat(path) => self.stat(path),
            Command::Smnt | Command::Mfct => Self::not_implemented(),
            Command::Site(command) => self.site(command),
            Command::Opts(opts) => self.opts(opts),
            Command::Type(representation) => self.set_type(representation),
            Command::Mode(mode) => self.mode(mode),
            Command::Stru => Self::stru(),
            Command::Rest(offset) => self.rest(offset),
            Command::Rang(span) => self.rang(span),
            Command::Allo(bytes) => self.allo(bytes),
            Command::Passive(PassiveStyle::Cpsv) => self.cpsv(),
            Command::Passive(style) => self.passive(style),
            Command::EpsvAll => self.epsv_all(),
            Command::Active(address) => self.active(address),
            Command::Abor => self.abor(),
            Command::Retr(path) => self.retrieve(path, &carried),
            Command::Stor(path) => self.store(path, &carried, StoreMode::Replace),
            Command::Appe(path) => self.store(path, &carried, StoreMode::Append),
            Command::Stou(path) => self.transfer(Action::StoreUnique { path }),
            Command::List(path) => self.list(path, ListFormat::Long),
            Command::Nlst(path) => self.list(path, ListFormat::Names),
            Command::Mlsd(path) => self.list(path, ListFormat::Facts(self.parameters.facts)),
            Command::Pwd => self.request(Request::PrintDirectory),
            Command::Cwd(path) => self.request(Request::ChangeDirectory { path }),
            Command::Cdup => self.request(Request::ChangeToParent),
            Command::Mkd(path) => self.request(Request::MakeDirectory { path }),
            Command::Rmd(path) => self.request(Request::RemoveDirectory { path }),
            Command::Dele(path) => self.request(Request::Delete { path }),
            Command::Rnfr(path) => self.rnfr(path),
            Command::Rnto(path) => self.rnto(path, carried),
            Command::Size(path) => self.size(path),
            Command::Mdtm(path, or_set) => self.request(Request::ModificationTime { path, or_set }),
            Command::Hash(path) => self.hash(path, self.parameters.hash, carried.span(), HashForm::Described),
            Command::HashByName(algorithm, path, span) => self.hash(path, algorithm, span, HashForm::Digits),
            Command::Mlst(path) => self.request(Request::Facts { path, facts: self.parameters.facts }),
            Command::SetFacts(set) => self.request(Request::SetFacts { set, answer: SetAnswer::Facts }),
            Command::Avbl(path) => self.request(Request::Space { path }),
            Command::Comb(combine) => self.request(Request::Combine(combine)),
        }
    }

    /// The next line that may be carried out beside a transfer: the oldest if its row lets it, else an ABOR behind it. That
    /// is what a client says who has had enough, and RFC 959 §4.1.3 has the server look for it (Telnet Synch).
    pub(super) fn next_line_beside_transfer(&mut self) -> Option<Line> {
        if self.input.peek().is_some_and(is_answered_at_once) {
            self.input.next_line()
        } else {
            self.input.take(is_abor)
        }
    }
}

fn is_answered_at_once(line: &Line) -> bool {
    let Line::Text(text) = line else { return false };
    let (name, argument) = split(text);
    match Verb::named(name).map(|verb| verb.row().during_transfer) {
        Some(DuringTransfer::Answered) => true,
        Some(DuringTransfer::AnsweredBare) => argument.is_empty(),
        Some(DuringTransfer::Waits) | None => false,
    }
}

fn is_abor(text: &[u8]) -> bool {
    is_verb(text, Verb::Abor)
}

fn is_verb(text: &[u8], verb: Verb) -> bool {
    Verb::named(split(text).0) == Some(verb)
}

/// The verb, and everything behind the one space. Further spaces belong to the argument: a name may begin with one.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = text.splitn(2, |&byte| byte == b' ');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}
