//! Who is this? USER, PASS, ACCT, REIN, QUIT (RFC 959 §4.1.1), HOST (RFC 7151)

use std::time::Instant;

use super::data::DataPort;
use super::parameters::Parameters;
use super::security::{self, Security};
use super::{
    Carried, Certificates, CloseReason, DataRole, Event, Grant, Greeting, HostKind, Next, Outcome, Password,
    Pending, Plaintext, Policy, Purpose, Server, information, reply,
};
use crate::command::HostName;
use crate::reply::{Code, Reply};

/// What a user hears who has to ask for TLS where others need not.
const NOT_WITHOUT_TLS: &str = "This user may not log in without TLS; send AUTH TLS first.";

/// How far the login is. A grant exists only behind one, a name only before.
#[derive(Debug)]
pub(super) enum LoginPhase {
    /// Nobody has said USER, or a login was refused.
    Nobody,
    /// USER was said; PASS may follow.
    Named(String),
    /// The driver accepted.
    LoggedIn(Grant, Means),
}

/// What a login was accepted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// A password was asked for.
    Password,
    /// A certificate; no password was asked for.
    Certificate,
}

impl LoginPhase {
    pub(super) const fn is_logged_in(&self) -> bool {
        matches!(self, LoginPhase::LoggedIn(..))
    }
}

impl Server {
    /// USER: ends any login, keeps the transfer parameters, and tells nothing about which users there are.
    pub(super) fn user(&mut self, user: String, now: Instant) -> Outcome {
        // SECURITY: refused here, before PASS, so that no password travels in clear; behind CCC whatever the policy says, for
        // the client believes itself on a protected connection still, or knows that it is not.
        if let Security::Cleared { .. } = self.security {
            return Err(security::connect_again());
        }
        match &self.policy.plaintext {
            _ if self.security.is_tls() => {}
            Plaintext::Refuse => return Err(self.tls_first()),
            Plaintext::Limit { users } if !users.contains(&user) => {
                let text = match users.as_slice() {
                    [only] => format!("Only {only} may log in without TLS; send AUTH TLS first."),
                    // SECURITY: nobody is told more names than the one that is asked about.
                    _ => NOT_WITHOUT_TLS.to_owned(),
                };
                return Err(Reply::new(Code::NOT_LOGGED_IN, text).because_of("listen.plaintext"));
            }
            // SECURITY: that this user is there is told, so that no password is sent in clear to find it out.
            Plaintext::Allow { except } if except.contains(&user) => {
                return Err(Reply::new(Code::NOT_LOGGED_IN, NOT_WITHOUT_TLS).because_of("user.plaintext"));
            }
            Plaintext::Limit { .. } | Plaintext::Allow { .. } => {}
        }
        self.end_login(now);
        self.login = LoginPhase::Named(user.clone());
        if self.policy.certificates == Certificates::Asked && self.security.is_tls() {
            return self.ask(Purpose::Introduction, |pending| Event::Introduction { user, pending });
        }
        Ok(Next::Reply(Self::need_password()))
    }

    /// SECURITY: the same for every name, known or not (RFC 2577 §7).
    pub(super) fn need_password() -> Reply {
        Reply::new(Code::NEED_PASSWORD, "Password required.")
    }

    /// PASS: the driver judges. The name is used up by it, whatever it says.
    pub(super) fn pass(&mut self, password: Password) -> Outcome {
        match std::mem::replace(&mut self.login, LoginPhase::Nobody) {
            LoginPhase::Named(user) => {
                self.ask(Purpose::Login, |pending| Event::Login { user, password, pending })
            }
            // Some clients send it whatever USER was answered (RFC 959 §5.4 has 202 for it).
            logged_in @ LoginPhase::LoggedIn(_, Means::Certificate) => {
                self.login = logged_in;
                reply(Code::SUPERFLUOUS, "Logged in already, by certificate.")
            }
            other => {
                self.login = other;
                Err(Reply::new(Code::BAD_SEQUENCE, "Send USER first."))
            }
        }
    }

    pub(super) fn acct(&mut self) -> Outcome {
        reply(Code::SUPERFLUOUS, "No account is needed.")
    }

    /// HOST: the driver knows the names. A name behind USER begins the login anew (RFC 7151 §4).
    pub(super) fn host(&mut self, host: HostName) -> Outcome {
        self.login = LoginPhase::Nobody;
        self.host_was_said = true;
        self.ask(Purpose::Reply, |pending| Event::Host { host, pending })
    }

    /// From now on another policy holds: what the client is at has another name. Nobody may be logged in. A greeting that is new is
    /// said in place of the one that nobody has read yet, by [`Server::host_accepted`], or by the login's reply.
    pub fn hold_to(&mut self, policy: Policy, now: Instant) {
        if policy.greeting != self.policy.greeting {
            self.greeting = match self.greeting {
                Greeting::Queued => {
                    self.output.clear();
                    self.say(&information::greeting(&policy.greeting));
                    Greeting::Queued
                }
                Greeting::Said | Greeting::Due => Greeting::Due,
            };
        }
        self.tls_by = super::tls_deadline(&policy, now).map(|by| self.tls_by.unwrap_or(by));
        self.policy = policy;
    }

    /// `220` to HOST, with the greeting in force where that was not said yet (RFC 7151 §3).
    pub fn host_accepted(&mut self, host: Pending<HostKind>, now: Instant) {
        let reply = self.welcome(Code::SERVICE_READY, "Host accepted.");
        self.answer(host, reply, now);
    }

    /// A reply, behind the greeting where that was not said yet.
    pub(super) fn welcome(&mut self, code: Code, text: &str) -> Reply {
        match std::mem::replace(&mut self.greeting, Greeting::Said) {
            Greeting::Queued | Greeting::Said => Reply::new(code, text),
            Greeting::Due => {
                let mut lines = self.policy.greeting.lines();
                Reply::lines(code, lines.next().unwrap_or_default(), lines, text)
            }
        }
    }

    /// REIN: as just connected, but for TLS, which stays: RFC 4217 §13 would have the connection go on in clear, and this
    /// server steps down from TLS for CCC alone. Behind that there is nothing to begin with again, and the connection ends.
    pub(super) fn rein(&mut self, now: Instant) -> Outcome {
        self.end_login(now);
        self.login = LoginPhase::Nobody;
        if std::mem::take(&mut self.host_was_said) {
            self.events.push_back(Event::HostForgotten);
        }
        if let Security::Cleared { .. } = self.security {
            self.refuse_service(
                CloseReason::ReinitializedInClear,
                "Connect again: CCC has ended TLS here; closing.",
            );
            return Ok(Next::Done);
        }
        if self.security.is_tls() {
            self.security = Security::at_start(self.policy.mode).or_tls();
        }
        self.reset_parameters();
        reply(Code::SERVICE_READY, "Ready for a new user.")
    }

    /// QUIT. Beside a transfer the connection stays for the transfer's reply and then closes (RFC 959 §4.1.1).
    pub(super) fn quit(&mut self) -> Outcome {
        if self.is_transferring() {
            self.leaving = Some(CloseReason::Quit);
            return reply(Code::CLOSING_CONTROL_CONNECTION, "Goodbye, when the transfer has ended.");
        }
        self.say(&Reply::new(Code::CLOSING_CONTROL_CONNECTION, "Goodbye."));
        self.close(CloseReason::Quit);
        Ok(Next::Done)
    }

    /// Drops everything that belongs to a login, and gives the next one its time.
    pub(super) fn end_login(&mut self, now: Instant) {
        // SECURITY: nothing of one login is left for the next: no data port, no restart marker, no grant.
        if self.login.is_logged_in() {
            self.events.push_back(Event::LoggedOut);
            self.login_by = now.checked_add(self.policy.login_timeout);
        }
        self.login = LoginPhase::Nobody;
        self.data.disarm();
        self.parameters.role = DataRole::Own;
        self.carried = Carried::Nothing;
        self.announced = None;
    }

    /// Everything that TYPE, OPTS, EPSV ALL and the like have set.
    pub(super) fn reset_parameters(&mut self) {
        self.parameters = Parameters::default();
        self.data = DataPort::default();
    }

    /// Whether no login at all is possible before AUTH.
    pub(super) fn needs_tls_first(&self) -> bool {
        !self.security.is_tls() && self.policy.plaintext == Plaintext::Refuse
    }

    pub(super) fn tls_first(&self) -> Reply {
        Reply::new(Code::NOT_LOGGED_IN, "This server wants TLS: send AUTH TLS first.")
            .because_of("listen.plaintext")
    }

    /// What a refused login does; the reply is the driver's unless it was the last allowed.
    pub(super) fn count_login_failure(&mut self, reply: &Reply) {
        self.login_failures = self.login_failures.saturating_add(1);
        if self.login_failures >= self.policy.login_failures.max(1) {
            self.refuse_service(CloseReason::LoginFailures, "Too many refused logins; closing.");
        } else {
            self.say(reply);
        }
    }
}
