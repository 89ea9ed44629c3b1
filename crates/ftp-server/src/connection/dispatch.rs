//! What the connection does with each event of the protocol machine.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use carrack_core::account::Account;
use carrack_core::event::Incomplete;
use carrack_core::login::LoginError;
use carrack_core::session::Session;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::{
    Action, DataProtection, Event, Family, Grant, Login, Passive, PassiveStyle, Password, Pending, Plaintext,
    Protection, Transfer, TransferKind,
};
use carrack_tls::Direction;

use super::work::{Done, Prepared, Work};
use super::{Connection, Ended, Next};
use crate::command::{self, ClearData, Situation};
use crate::data::{DataPort, DataRequest, may_connect_to};
use crate::reply_for;
use crate::transfer::{Interrupt, perform};
use crate::visitor::Visitor;

impl Connection {
    /// Acts on one event. Only the TLS handshake is waited for here: until it is done there is
    /// nothing else the client could say.
    pub(super) async fn dispatch(&mut self, event: Event) -> Result<Next, Ended> {
        let now = Instant::now();
        match event {
            Event::BeginTls(upgrade) => {
                self.queue_replies();
                self.begin_tls().await?;
                self.machine.tls_established(upgrade, Instant::now());
            }
            Event::Login { user, password, pending } => self.judge_login(user, password, pending),
            Event::LoggedOut => self.log_out(),
            Event::Passive { style, pending } => self.listen(style, pending),
            Event::Active { address, pending } => {
                self.data_port = None;
                if may_connect_to(address, self.peer.ip()) {
                    self.data_port = Some(DataPort::Active(address));
                    self.machine.connecting(pending);
                } else {
                    // RFC 2577 §3.1 names this code.
                    let text = "Only your own address, and ports from 1024 on.";
                    self.machine.answer(pending, Reply::new(Code::ARGUMENT_NOT_IMPLEMENTED, text), now);
                }
            }
            Event::Request { request, pending } => match self.visitor.clone() {
                Some(visitor) => {
                    self.work = Some(Work::new(async move {
                        Done::Answered { pending, outcome: command::answer(visitor, request).await }
                    }));
                }
                None => self.machine.answer(pending, not_logged_in(), now),
            },
            Event::Transfer { transfer, pending } => self.open_transfer(transfer, pending),
            Event::Abort(pending) => {
                self.aborts.push(pending);
                match self.work.as_ref().and_then(Work::interrupt) {
                    Some(interrupt) => interrupt.stop(Incomplete::Aborted),
                    None => self.answer_aborts(),
                }
            }
            Event::Status(pending) => {
                let reply = self.situation().reply();
                self.machine.answer(pending, reply, now);
            }
            Event::Close(reason) => return Ok(Next::Close(reason)),
        }
        Ok(Next::GoOn)
    }

    fn situation(&self) -> Situation {
        Situation {
            peer: self.peer,
            user: self.visitor.as_ref().map(|visitor| visitor.session().account().name.clone()),
            tls: self.tls.as_ref().map(|tls| format!("{} ({})", tls.info.version, tls.info.cipher)),
            machine: self.machine.status(),
            moved: self.work.as_ref().and_then(Work::interrupt).map(Interrupt::moved),
        }
    }

    /// Answers the `ABOR`s whose transfer has ended (RFC 959 §4.1.3: 226 after the transfer's 426).
    pub(super) fn answer_aborts(&mut self) {
        for pending in self.aborts.drain(..) {
            let reply = Reply::new(Code::CLOSING_DATA_CONNECTION, "Abort done.");
            self.machine.answer(pending, reply, Instant::now());
        }
    }

    fn judge_login(&mut self, user: String, password: Password, pending: Pending<Login>) {
        let core = Arc::clone(&self.server.core);
        let origin = self.origin();
        self.work = Some(Work::new(async move {
            let verdict = core.login(&origin, &user, password.as_bytes()).await;
            Done::Judged { pending, verdict }
        }));
    }

    pub(super) fn settle_login(
        &mut self,
        pending: Pending<Login>,
        verdict: Result<Arc<Account>, LoginError>,
    ) {
        let settings = &self.server.settings;
        let now = Instant::now();
        let account = match verdict {
            Ok(account) => account,
            Err(LoginError::Overloaded) => {
                let text = "Too many logins at once, try again.";
                return self.machine.login_refused(
                    pending,
                    Reply::new(Code::SERVICE_NOT_AVAILABLE, text),
                    now,
                );
            }
            Err(LoginError::Refused(_)) => {
                // SECURITY: one text whether the user or the password is wrong.
                let text = "Login incorrect.";
                return self.machine.login_refused(pending, Reply::new(Code::NOT_LOGGED_IN, text), now);
            }
        };
        let grant = Grant {
            clear_data: account.clear_data || account.folders.iter().any(|folder| folder.clear_data),
        };
        if let Some(tls) = &self.tls {
            tls.control.logged_in(&account.name, account.shared);
        }
        let limited = self.tls.is_none() && matches!(settings.plaintext, Plaintext::Limit { .. });
        let (account, read_only) = if limited {
            let grant = &settings.plaintext_grant;
            (grant.narrow(account), !grant.write)
        } else {
            (account, false)
        };
        let session = Session::open(&self.server.core, account, self.origin(), read_only);
        self.visitor = Some(Visitor::new(session));
        self.machine.login_accepted(pending, grant, now);
    }

    fn log_out(&mut self) {
        self.visitor = None;
        self.data_port = None;
        if let Some(tls) = &self.tls {
            tls.control.logged_out();
        }
    }

    fn listen(&mut self, style: PassiveStyle, pending: Pending<Passive>) {
        self.data_port = None;
        let now = Instant::now();
        let local = self.local.ip();
        let ours = if local.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
        match style {
            PassiveStyle::Epsv(Some(asked)) if asked != ours => {
                let number = if ours == Family::Ipv4 { 1 } else { 2 };
                let text = format!("Network protocol not supported, use ({number})."); // RFC 2428 §3
                return self.machine.answer(
                    pending,
                    Reply::new(Code::NOT_SUPPORTED_ON_DATA_CONNECTION, text),
                    now,
                );
            }
            PassiveStyle::Pasv if ours == Family::Ipv6 => {
                let text = "PASV knows IPv4 only; use EPSV.";
                return self.machine.answer(
                    pending,
                    Reply::new(Code::CANNOT_OPEN_DATA_CONNECTION, text),
                    now,
                );
            }
            _ => {}
        }
        match self.server.ports.listen(local).and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((at, listener)) => {
                self.data_port = Some(DataPort::Passive(listener));
                self.machine.listening(pending, SocketAddr::new(self.address_to_name(), at.port()));
            }
            Err(_) => {
                let text = "No passive port is free, try again later.";
                self.machine.answer(pending, Reply::new(Code::CANNOT_OPEN_DATA_CONNECTION, text), now);
            }
        }
    }

    /// The address that `227` names: the configured one, except to clients on this machine itself,
    /// who would look for it behind their own router.
    fn address_to_name(&self) -> IpAddr {
        match self.server.settings.public_address {
            Some(public) if !self.peer.ip().is_loopback() => IpAddr::V4(public),
            _ => self.local.ip(),
        }
    }

    fn open_transfer(&mut self, transfer: Transfer, pending: Pending<TransferKind>) {
        // Used up by this transfer, whatever becomes of it.
        let port = self.data_port.take();
        let now = Instant::now();
        let Some(visitor) = self.visitor.clone() else {
            return self.machine.answer(pending, not_logged_in(), now);
        };
        let Some(port) = port else {
            let text = "There is no data port; send PASV or EPSV first.";
            return self.machine.answer(pending, Reply::new(Code::CANNOT_OPEN_DATA_CONNECTION, text), now);
        };
        let stop = Interrupt::new();
        let interrupt = stop.clone();
        let request = self.data_request(&transfer);
        let by_folder = self.clear_data_by_folder(&transfer);
        self.work = Some(Work::transfer(stop, async move {
            let opened = tokio::select! {
                opened = command::open(visitor, transfer, by_folder) => opened,
                why = interrupt.stopped() => Err(reply_for::incomplete(&why, false)),
            };
            let opened = opened.map(|opened| Box::new(Prepared { opened, port, request, interrupt }));
            Done::Opened { pending, opened }
        }));
    }

    /// Whether this transfer goes in clear only where its folder allows it.
    fn clear_data_by_folder(&self, transfer: &Transfer) -> ClearData {
        let listener_grants = self.server.settings.data_protection == DataProtection::Optional;
        // A session in clear was admitted as such: RFC 4217 §9 knows no protected data there.
        if transfer.protection == Protection::Private || self.tls.is_none() || listener_grants {
            ClearData::Granted
        } else {
            ClearData::ByFolder
        }
    }

    fn data_request(&self, transfer: &Transfer) -> DataRequest {
        let settings = &self.server.settings;
        let user = self.visitor.as_ref().map(|visitor| visitor.session().account().name.as_str());
        let of_user = user.and_then(|user| settings.data_tls_reuse_of_user.get(user));
        let private = transfer.protection == Protection::Private;
        DataRequest {
            peer: self.peer.ip(),
            local: self.local.ip(),
            tls: self.tls.as_ref().filter(|_| private).map(|tls| Arc::clone(&tls.control)),
            direction: match transfer.action {
                Action::Retrieve { .. } | Action::List { .. } => Direction::ToClient,
                Action::Store { .. } | Action::StoreUnique { .. } => Direction::FromClient,
            },
            reuse: of_user.copied().unwrap_or(settings.data_tls_reuse),
            patience: settings.timeouts.data_accept,
        }
    }

    pub(super) fn begin_transfer(&mut self, pending: Pending<TransferKind>, prepared: Prepared) {
        let Prepared { opened, port, request, interrupt } = prepared;
        let running = self.machine.begin(pending, &opened.text);
        let terms = self.server.terms.clone();
        self.work = Some(Work::transfer(interrupt.clone(), async move {
            let reply = perform(opened.job, port, request, terms, interrupt).await;
            Done::Transferred { running, reply }
        }));
    }
}

/// What a request gets whose session is gone; the machine's gate comes first, so nobody sees it.
fn not_logged_in() -> Reply {
    Reply::new(Code::NOT_LOGGED_IN, "Log in first.")
}
