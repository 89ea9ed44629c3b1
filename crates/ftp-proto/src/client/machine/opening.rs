//! What stands between a connection and its first operation? Greeting, TLS, login, protection of data, and what the server
//! can do, in this order.

use super::command::Line;
use super::event::{Session, Upgrade};
use super::plan::{DataProtection, Security};
use super::{Event, Failure, Machine, Stage, Violation};
use crate::client::{Features, RemotePath, Reply, pathname};
use crate::reply::Code;

/// Which reply is awaited.
#[derive(Debug)]
pub(super) enum Opening {
    Greeting,
    Auth,
    User(MayLogIn),
    Password(MayLogIn),
    BufferSize,
    Protection,
    Features,
    Utf8,
    Facts,
    Image,
    WorkingFolder,
}

/// Shows that a login may be sent: the connection is under TLS, or was asked to be in clear.
#[derive(Debug)]
pub(super) struct MayLogIn(());

impl Opening {
    /// What the reply answers.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Opening::Greeting => GREETING,
            Opening::Auth => "AUTH TLS",
            Opening::User(_) => "USER",
            Opening::Password(_) => "PASS",
            Opening::BufferSize => "PBSZ 0",
            Opening::Protection => "PROT",
            Opening::Features => "FEAT",
            Opening::Utf8 => "OPTS UTF8 ON",
            Opening::Facts => "OPTS MLST",
            Opening::Image => "TYPE I",
            Opening::WorkingFolder => "PWD",
        }
    }
}

/// What [`awaited`](Machine::awaited) is, and a greeting answers, when nothing has been asked yet.
pub const GREETING: &str = "the connection";

/// Need account for login (RFC 959).
const NEED_ACCOUNT: u16 = 332;

impl Machine {
    /// TLS is established on the control connection; the certificate was found trustworthy.
    pub fn tls_established(&mut self, upgrade: Upgrade) {
        let Upgrade(()) = upgrade;
        if !matches!(self.stage, Stage::Upgrading) {
            return;
        }
        match self.plan.security {
            Security::Implicit => self.stage = Stage::Opening(Opening::Greeting),
            Security::Explicit | Security::Plaintext => self.open(Opening::User(MayLogIn(()))),
        }
    }

    /// The reply that `awaited` stands for.
    pub(super) fn opening_replied(&mut self, awaited: Opening, reply: Reply) {
        let code = reply.code();
        match awaited {
            Opening::Greeting => self.greeted(reply),
            _ if code.is_preliminary() => self.unexpected(awaited.name(), reply),
            Opening::Auth if code == Code::SECURITY_EXCHANGE_COMPLETE => self.begin_tls(),
            Opening::Auth if code.is_refusal() => self.protection_refused(&Line::Auth, reply),
            // SECURITY: 230 (you are logged in already), 200, 334: whatever else is said here would have the login sent in
            // clear (CVE-2021-22946 and its kin).
            Opening::Auth => self.unexpected(awaited.name(), reply),
            Opening::User(may) if code == Code::NEED_PASSWORD => self.open(Opening::Password(may)),
            Opening::User(_) if code == Code::LOGGED_IN || code == Code::LOGGED_IN_BY_SECURITY_EXCHANGE => {
                self.logged_in()
            }
            Opening::Password(_) => match code {
                Code::LOGGED_IN | Code::SUPERFLUOUS => self.logged_in(),
                _ if code == Code::LOGGED_IN_BY_SECURITY_EXCHANGE => self.logged_in(),
                _ => self.login_refused(awaited.name(), reply),
            },
            Opening::User(_) => self.login_refused(awaited.name(), reply),
            // A server that refuses PBSZ and grants PROT protects the data all the same.
            Opening::BufferSize => self.open(Opening::Protection),
            Opening::Protection => self.protection_replied(reply),
            Opening::Features => {
                self.features = (code == Code::SYSTEM_STATUS).then(|| Features::parse(reply.body()));
                let utf8 = self.features.as_ref().is_some_and(|features| features.utf8);
                self.open(if utf8 { Opening::Utf8 } else { Opening::Facts });
            }
            // Servers that list UTF8 use it whether they know this command or not.
            Opening::Utf8 => self.open(Opening::Facts),
            // Where it is refused some facts are missing, which is no harm.
            Opening::Facts => self.open(Opening::Image),
            Opening::Image if code.is_completion() => self.open(Opening::WorkingFolder),
            Opening::Image if code.is_refusal() => {
                self.fail(Failure::Refused { command: awaited.name(), reply });
            }
            Opening::Image => self.unexpected(awaited.name(), reply),
            Opening::WorkingFolder => self.opened(&reply),
        }
    }

    fn greeted(&mut self, reply: Reply) {
        match reply.code() {
            Code::SERVICE_READY => match self.plan.security {
                Security::Explicit => self.open(Opening::Auth),
                // SECURITY: an implicit connection is under TLS since before its greeting, and plaintext was asked for.
                Security::Implicit | Security::Plaintext => self.open(Opening::User(MayLogIn(()))),
            },
            // 120: ready in some minutes. The 220 follows, within the driver's patience.
            code if code.is_preliminary() => {
                if self.count_preliminary(GREETING) {
                    self.stage = Stage::Opening(Opening::Greeting);
                }
            }
            code if code.is_refusal() => self.fail(Failure::Refused { command: GREETING, reply }),
            _ => self.unexpected(GREETING, reply),
        }
    }

    fn begin_tls(&mut self) {
        // SECURITY: what came in clear behind the 234 would be read as if it had come through TLS (CVE-2021-22947).
        if self.input.holds_bytes() || self.broken.is_some() {
            self.violated(Violation::BytesBehindAuth);
        } else {
            self.await_handshake();
        }
    }

    fn login_refused(&mut self, command: &'static str, reply: Reply) {
        // 332 asks for an account, which nobody has.
        if reply.code().is_refusal() || reply.code().number() == NEED_ACCOUNT {
            self.fail(Failure::LoginRefused(reply));
        } else {
            self.unexpected(command, reply);
        }
    }

    fn logged_in(&mut self) {
        match self.plan.security {
            Security::Explicit | Security::Implicit => self.open(Opening::BufferSize),
            Security::Plaintext => self.open(Opening::Features),
        }
    }

    fn protection_replied(&mut self, reply: Reply) {
        let asked = Line::Protection(self.plan.data_protection);
        // Implicit servers without PROT protect everything. Were one to send in clear, the handshake that the driver begins
        // on every data connection would fail.
        let needless = self.plan.security == Security::Implicit
            && self.plan.data_protection == DataProtection::Private
            && matches!(reply.code(), Code::SYNTAX_ERROR | Code::NOT_IMPLEMENTED);
        if reply.code().is_completion() || needless {
            self.open(Opening::Features);
        } else if reply.code().is_refusal() {
            self.protection_refused(&asked, reply);
        } else {
            self.unexpected(asked.name(), reply);
        }
    }

    fn opened(&mut self, reply: &Reply) {
        let path = (reply.code() == Code::PATHNAME).then(|| pathname(reply.last_line())).flatten();
        let login_folder = path.and_then(|path| RemotePath::parse(&path).ok());
        self.events.push_back(Event::LoggedIn(Session {
            features: self.features.take(),
            login_folder: login_folder.unwrap_or_else(RemotePath::unnamed_login_folder),
        }));
        self.stage = Stage::Ready;
    }

    fn protection_refused(&mut self, asked: &Line<'_>, reply: Reply) {
        self.fail(Failure::ProtectionRefused { asked: asked.name(), reply });
    }

    fn unexpected(&mut self, command: &'static str, reply: Reply) {
        self.violated(Violation::Unexpected { command, reply });
    }

    /// Says what `next` awaits the reply to.
    fn open(&mut self, next: Opening) {
        let facts;
        let line = match &next {
            Opening::Greeting => return self.stage = Stage::Opening(next),
            Opening::Auth => Line::Auth,
            Opening::User(MayLogIn(())) => Line::User(self.plan.login.user()),
            Opening::Password(MayLogIn(())) => match self.plan.login.password() {
                Some(password) => Line::Pass(password),
                None => return self.fail(Failure::PasswordNeeded),
            },
            Opening::BufferSize => Line::BufferSize,
            Opening::Protection => Line::Protection(self.plan.data_protection),
            Opening::Features => Line::Features,
            Opening::Utf8 => Line::Utf8,
            Opening::Facts => match self.features.as_ref().and_then(Features::facts_to_ask) {
                Some(wanted) => {
                    facts = wanted;
                    Line::Facts(&facts)
                }
                None => return self.open(Opening::Image),
            },
            Opening::Image => Line::Image,
            Opening::WorkingFolder => Line::WorkingFolder,
        };
        let line = line.transmit();
        self.say(line, Stage::Opening(next));
    }
}
