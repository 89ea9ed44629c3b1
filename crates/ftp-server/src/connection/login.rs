//! Logging in and out.

use std::sync::Arc;
use std::time::Instant;

use carrack_core::account::{Account, InTransit};
use carrack_core::limits::Limit;
use carrack_core::login::LoginError;
use carrack_core::password::Credential;
use carrack_core::permission::Permissions;
use carrack_core::session::Session;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::{Grant, Introduction, Login, Password, Pending};

use super::Connection;
use super::work::{Done, Work};
use crate::reply_for;
use crate::visitor::Visitor;

impl Connection {
    /// `USER`: the certificate may suffice.
    pub(super) fn settle_introduction(&mut self, user: &str, pending: Pending<Introduction>) {
        // One that is accepted no more suffices for nothing; behind the password it is refused.
        let certificate = self.certificate().unwrap_or_default();
        match self.server.core.login_by_certificate(&self.origin(), user, certificate.as_ref()) {
            Some(account) => match self.enter(account) {
                Ok(grant) => self.machine.logged_in_by_certificate(pending, grant, Instant::now()),
                Err(reply) => self.machine.answer(pending, reply, Instant::now()),
            },
            None => self.machine.password_needed(pending),
        }
    }

    pub(super) fn judge_login(&mut self, user: String, password: Password, pending: Pending<Login>) {
        let core = Arc::clone(&self.server.core);
        let (origin, certificate) = (self.origin(), self.certificate());
        self.work = Some(Work::new(async move {
            let verdict = match certificate {
                Ok(certificate) => {
                    core.login(&origin, &user, password.as_bytes(), certificate.as_ref()).await
                }
                // SECURITY: a bad certificate is not none, in a login as in a handshake. The words and the work are those of
                // every refusal.
                Err(_) => Err(core.refuse_certificate(&origin, &user, password.as_bytes()).await),
            };
            Done::Judged { pending, verdict }
        }));
    }

    pub(super) fn settle_login(
        &mut self,
        pending: Pending<Login>,
        verdict: Result<Arc<Account>, LoginError>,
    ) {
        let now = Instant::now();
        let account = match verdict {
            Ok(account) => account,
            Err(LoginError::Overloaded) => {
                // Not the client's fault, so it does not count against it. A 421 closes.
                let reply = Reply::new(Code::SERVICE_NOT_AVAILABLE, "Too many logins at once, try again.");
                return self.machine.answer(pending, reply, now);
            }
            Err(LoginError::Unanswered(_)) => {
                // Nobody has judged the password, so it is nobody's fault.
                let text = "Logins cannot be checked at the moment, try again later.";
                return self.machine.answer(pending, Reply::new(Code::SERVICE_NOT_AVAILABLE, text), now);
            }
            Err(LoginError::TooManyGuesses) => {
                // RFC 959 §5.4 has nothing softer for PASS than 421.
                let text = "Too many failed logins from your address, try again later.";
                return self.machine.answer(pending, Reply::new(Code::SERVICE_NOT_AVAILABLE, text), now);
            }
            Err(LoginError::Refused(_)) => {
                // SECURITY: one text whether the user, the password or the certificate is wrong.
                let reply = Reply::new(Code::NOT_LOGGED_IN, "Login incorrect.");
                return self.machine.login_refused(pending, reply, now);
            }
        };
        match self.enter(account) {
            Ok(grant) => self.machine.login_accepted(pending, grant, now),
            Err(reply) => self.machine.answer(pending, reply, now),
        }
    }

    /// Lets an account in whose login was proved, unless it has as many sessions as it may.
    fn enter(&mut self, account: Arc<Account>) -> Result<Grant, Reply> {
        let session = self.open_session(Arc::clone(&account)).map_err(reply_for::limit)?;
        self.slot.set_logged_in(true);
        if let Some(tls) = &self.tls {
            tls.control.logged_in(&account.id(), account.shared);
        }
        let grant = Grant {
            charset: self.server.settings.charset_of_user.get(&*account.id()).copied(),
            clear_data: account.in_transit == InTransit::MayBeClear
                || account.folders.iter().any(|folder| folder.in_transit == InTransit::MayBeClear),
        };
        let disk = self.server.terms.pool.disk().clone();
        self.visitor = Some(Visitor::new(session, disk));
        Ok(grant)
    }

    /// The session of an account, narrowed to what the operator grants to clients in clear, and to
    /// those whom no password holds back, however they come.
    fn open_session(&self, account: Arc<Account>) -> Result<Session, Limit> {
        let settings = &self.server.settings;
        let in_clear = settings.plaintext_grants.get(&*account.id()).filter(|_| self.tls.is_none());
        let (account, ceiling) = match (&account.credential, in_clear) {
            (Credential::Anyone, _) => match settings.grants_of_anybody.get(&*account.id()) {
                Some(grant) => (grant.narrow(&account), grant.ceiling),
                // SECURITY: nothing is left to whoever comes by without a word of the operator.
                None => (account, Permissions::NONE),
            },
            (_, Some(grant)) => (grant.narrow(&account), grant.ceiling),
            (_, None) => (account, Permissions::ALL),
        };
        Session::open(&self.server.core, account, self.origin(), ceiling)
    }

    pub(super) fn log_out(&mut self) {
        self.slot.set_logged_in(false);
        self.visitor = None;
        self.data_port = None;
        if let Some(tls) = &self.tls {
            tls.control.logged_out();
        }
    }
}
