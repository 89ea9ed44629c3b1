//! What the connection does with each event of the protocol machine.

use std::time::Instant;

use carrack_core::event::Incomplete;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::{Event, Protection};
use carrack_tls::TlsInfo;

use super::live::Errand;
use super::work::{Done, Work};
use super::{Connection, Ended, Next};
use crate::command::{self, Situation};
use crate::transfer::Interrupt;

impl Connection {
    /// Acts on one event. Only the beginning and the end of TLS are waited for here: until they are
    /// done there is nothing else the client could say.
    pub(super) async fn dispatch(&mut self, event: Event) -> Result<Next, Ended> {
        let now = Instant::now();
        let Some(event) = self.admit(event) else { return Ok(Next::GoOn) };
        match event {
            Event::BeginTls(upgrade) => {
                self.queue_replies();
                // In a block of its own: a session that is idle for hours need not keep the room that its handshake took.
                Box::pin(self.begin_tls()).await?;
                self.machine.tls_established(upgrade, Instant::now());
            }
            Event::EndTls(downgrade) => {
                self.queue_replies();
                Box::pin(self.end_tls()).await?;
                self.machine.tls_ended(downgrade, Instant::now());
            }
            Event::Host { host, pending } => self.judge_host(&host, pending),
            Event::Introduction { user, pending } => self.settle_introduction(&user, pending),
            Event::Login { user, password, pending } => self.judge_login(user, password, pending),
            Event::HostForgotten => self.forget_host(),
            Event::LoggedOut => self.log_out(),
            Event::CloseDataPort => self.data_port = None,
            Event::Passive { style, pending } => self.listen(style, pending),
            Event::Active { address, pending } => self.aim(address, pending),
            Event::Request { request, pending } => match self.visitor.clone() {
                Some(visitor) => {
                    self.work = Some(Work::new(async move {
                        Done::Answered { pending, outcome: command::answer(visitor, request).await }
                    }));
                }
                None => self.machine.answer(pending, not_logged_in(), now),
            },
            Event::Transfer { transfer, pending } => self.open_transfer(transfer, pending),
            Event::Hash { hash, pending } => match self.visitor.clone() {
                Some(visitor) => {
                    self.errand = Some(Errand::digest(&hash));
                    let interrupt = Interrupt::new();
                    let on_control =
                        if self.control.is_tls() { Protection::Private } else { Protection::Clear };
                    let clear = self.clear_data(on_control);
                    self.work = Some(Work::stoppable(interrupt.clone(), async move {
                        Done::Digested {
                            pending,
                            reply: command::digest::answer(visitor, hash, clear, interrupt).await,
                        }
                    }));
                }
                None => self.machine.answer(pending, not_logged_in(), now),
            },
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

    /// Answers the `ABOR`s whose transfer has ended (RFC 959 §4.1.3: 226 after the transfer's 426).
    pub(super) fn answer_aborts(&mut self) {
        for pending in self.aborts.drain(..) {
            let reply = Reply::new(Code::CLOSING_DATA_CONNECTION, "Abort done.");
            self.machine.answer(pending, reply, Instant::now());
        }
    }

    fn situation(&self) -> Situation {
        Situation {
            peer: self.peer,
            user: self.visitor.as_ref().map(|visitor| visitor.session().account().name.clone()),
            tls: self.tls.as_ref().filter(|_| self.control.is_tls()).map(|tls| describe(&tls.info)),
            machine: self.machine.status(),
            moved: self.work.as_ref().and_then(Work::interrupt).map(Interrupt::moved),
        }
    }
}

/// Version, cipher suite and group, the last where there is one.
fn describe(info: &TlsInfo) -> String {
    let group = info.group.map(|group| format!(", {group}")).unwrap_or_default();
    format!("{} ({}{group})", info.version, info.cipher)
}

/// What a request gets whose session is gone; the machine's gate comes first, so nobody sees it.
pub(super) fn not_logged_in() -> Reply {
    Reply::new(Code::NOT_LOGGED_IN, "Log in first.")
}
