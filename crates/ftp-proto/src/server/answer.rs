//! What does the driver's answer to an event do?

use std::net::SocketAddr;
use std::time::Instant;

use super::data::entering_passive;
use super::login::{LoginPhase, Means};
use super::pending::Serial;
use super::security::Security;
use super::transfer::{Aside, UnderWay};
use super::{
    Active, Answerable, Carried, Channel, CloseReason, DataRole, Downgrade, Grant, Introduction, Login,
    Passive, PassiveStyle, Pending, Purpose, Running, Server, Stage, TransferKind, Upgrade,
};
use crate::reply::{Code, Reply};

/// An answer that comes when the connection has ended meanwhile does nothing.
impl Server {
    /// The TLS handshake behind the `234` is done. Everything said before it is forgotten (RFC 4217 §4.2).
    pub fn tls_established(&mut self, upgrade: Pending<Upgrade>, now: Instant) {
        if let Stage::Upgrading(serial, security) = self.stage
            && serial == upgrade.serial()
        {
            self.stage = Stage::Ready;
            self.security = security;
            // SECURITY: no byte, name, marker or parameter from before TLS has a meaning behind it.
            self.input.clear();
            self.login = LoginPhase::Nobody;
            self.carried = Carried::Nothing;
            self.refused = 0;
            self.reset_parameters();
            self.active_at = now;
        }
    }

    /// TLS has ended in both directions: the next byte is in clear (RFC 4217 §5).
    pub fn tls_ended(&mut self, downgrade: Pending<Downgrade>, now: Instant) {
        if let Stage::Clearing(serial, data) = self.stage
            && serial == downgrade.serial()
        {
            self.stage = Stage::Ready;
            self.security = Security::Cleared { data };
            self.active_at = now;
        }
    }

    /// `232`: the certificate suffices (RFC 2228 §3, RFC 4217 §12.2). The grant lives as long as the login.
    pub fn logged_in_by_certificate(
        &mut self,
        introduction: Pending<Introduction>,
        grant: Grant,
        now: Instant,
    ) {
        if self.take_waiting(introduction.serial()).is_some() {
            self.login = LoginPhase::LoggedIn(grant, Means::Certificate);
            self.active_at = now;
            let reply = self.welcome(Code::LOGGED_IN_BY_SECURITY_EXCHANGE, "Logged in by certificate.");
            self.say(&reply);
        }
    }

    /// `331`, in the words that every name gets.
    pub fn password_needed(&mut self, introduction: Pending<Introduction>) {
        if self.take_waiting(introduction.serial()).is_some() {
            self.say(&Server::need_password());
        }
    }

    /// `230`. The grant lives as long as the login.
    pub fn login_accepted(&mut self, login: Pending<Login>, grant: Grant, now: Instant) {
        if self.take_waiting(login.serial()).is_some() {
            self.login = LoginPhase::LoggedIn(grant, Means::Password);
            self.active_at = now;
            let reply = self.welcome(Code::LOGGED_IN, "Logged in.");
            self.say(&reply);
        }
    }

    /// The reply, and one login fewer to try; at the last `421` instead, and the end.
    pub fn login_refused(&mut self, login: Pending<Login>, reply: Reply, _now: Instant) {
        if self.take_waiting(login.serial()).is_some() {
            self.count_login_failure(&reply);
        }
    }

    /// A port listens: `227` or `229`. The address is what the client must connect to, perhaps that of a gateway.
    pub fn listening(&mut self, passive: Pending<Passive>, at: SocketAddr) {
        if let Some(Purpose::Passive(style)) = self.take_waiting(passive.serial()) {
            match entering_passive(at, style) {
                Ok(reply) => {
                    let role = if style == PassiveStyle::Cpsv { DataRole::TlsClient } else { DataRole::Own };
                    self.data.arm(Channel::Passive, role);
                    self.say(&reply);
                }
                Err(reply) => self.say(&reply),
            }
        }
    }

    /// The address is allowed: `200`.
    pub fn connecting(&mut self, active: Pending<Active>) {
        if let Some(Purpose::Active(address)) = self.take_waiting(active.serial()) {
            self.data.arm(Channel::Active(address), DataRole::Own);
            self.say(&Reply::new(Code::COMMAND_OKAY, "Ready to connect."));
        }
    }

    /// Any other outcome: the final reply of a request, of ABOR or of STAT, or the refusal of anything. A login refused this
    /// way is not counted. A `421` ends the connection, as RFC 959 §4.2 says it does.
    pub fn answer<K: Answerable>(&mut self, pending: Pending<K>, reply: Reply, now: Instant) {
        let serial = pending.serial();
        if let Some(purpose) = self.take_waiting(serial) {
            self.active_at = now;
            if let Purpose::RenameFrom(path) = purpose
                && reply.code() == Code::PENDING_FURTHER_INFORMATION
            {
                self.carried = Carried::RenameFrom(path);
            }
            self.say_final(&reply);
        } else if let Stage::Transferring(under_way) = &mut self.stage {
            match under_way.aside {
                Aside::Abort(asked) if asked == serial => under_way.aside = Aside::Aborted(reply),
                Aside::Status(asked) if asked == serial => {
                    under_way.aside = Aside::Nothing;
                    self.say(&reply);
                }
                _ => self.end_transfer(serial, &reply, now),
            }
        }
    }

    /// `150`: the data connection is being opened, and only [`Server::end`] can say how it went.
    pub fn begin(&mut self, transfer: Pending<TransferKind>, text: impl AsRef<[u8]>) -> Running {
        let serial = transfer.serial();
        if let Stage::Transferring(UnderWay { serial: asked, .. }) = self.stage
            && asked == serial
        {
            self.say(&Reply::new(Code::OPENING_DATA_CONNECTION, text));
        }
        Running::new(serial)
    }

    /// The transfer has ended, well or not.
    pub fn end(&mut self, running: Running, reply: Reply, now: Instant) {
        self.end_transfer(running.serial(), &reply, now);
    }

    fn end_transfer(&mut self, serial: Serial, reply: &Reply, now: Instant) {
        let Stage::Transferring(under_way) = &mut self.stage else { return };
        if under_way.serial != serial {
            return;
        }
        let aside = std::mem::replace(&mut under_way.aside, Aside::Nothing);
        self.verb = under_way.verb;
        self.active_at = now;
        self.stage = match &aside {
            Aside::Nothing | Aside::Aborted(_) => Stage::Ready,
            Aside::Abort(asked) | Aside::Status(asked) => Stage::Waiting(*asked, Purpose::Reply),
        };
        self.say_final(reply);
        if let (Aside::Aborted(reply), false) = (&aside, matches!(self.stage, Stage::Closed)) {
            self.say_final(reply);
        }
    }

    /// The purpose of this answer, if it is the one waited for. Behind it the machine is ready again.
    fn take_waiting(&mut self, serial: Serial) -> Option<Purpose> {
        if !matches!(self.stage, Stage::Waiting(asked, _) if asked == serial) {
            return None;
        }
        match std::mem::replace(&mut self.stage, Stage::Ready) {
            Stage::Waiting(_, purpose) => Some(purpose),
            _ => None,
        }
    }

    /// Says a final reply of the driver.
    fn say_final(&mut self, reply: &Reply) {
        self.say(reply);
        if reply.code() == Code::SERVICE_NOT_AVAILABLE {
            self.close(CloseReason::ServiceNotAvailable);
        }
    }
}
