//! Data ports and transfers: what `PASV` and `PORT` agree, and what then goes over it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use carrack_core::upload::Kept;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::{
    Action, Active, Channel, DataRole, Family, Passive, PassiveStyle, Pending, Protection, Transfer,
    TransferKind,
};
use carrack_tls::Direction;

use super::Connection;
use super::dispatch::not_logged_in;
use super::live::Errand;
use super::work::{Done, Prepared, Work};
use crate::command::{self, ClearData};
use crate::data::{Callers, DataPort, DataRequest, Expects, Protect};
use crate::public_address::Told;
use crate::reply_for;
use crate::settings::DataProtection;
use crate::transfer::{Interrupt, perform};

/// How long a passive port waits for the command that uses it: clients send it at once, and ports
/// are few.
const PASSIVE_PORT_UNUSED: Duration = Duration::from_secs(60);

/// A data port that was agreed and not used yet.
pub(super) struct Agreed {
    port: DataPort,
    pub(super) expires: Instant,
}

impl Agreed {
    fn new(port: DataPort) -> Self {
        Self { port, expires: Instant::now() + PASSIVE_PORT_UNUSED }
    }

    /// Attends to the port, where there is one, until the command comes that uses it. Cancellation safe.
    pub(super) async fn attend(agreed: &mut Option<Self>, callers: &Callers) {
        match agreed {
            Some(agreed) => agreed.port.attend(callers).await,
            None => std::future::pending().await,
        }
    }
}

impl Connection {
    /// `PASV`, `EPSV`.
    pub(super) fn listen(&mut self, style: PassiveStyle, pending: Pending<Passive>) {
        self.data_port = None;
        let now = Instant::now();
        let ours = if self.local.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
        if let PassiveStyle::Epsv(Some(asked)) = style
            && asked != ours
        {
            let number = if ours == Family::Ipv4 { 1 } else { 2 };
            let text = format!("Network protocol not supported, use ({number})"); // RFC 2428 §3
            let reply = Reply::new(Code::NOT_SUPPORTED_ON_DATA_CONNECTION, text);
            return self.machine.answer(pending, reply, now);
        }
        if self.local.is_ipv6() && !matches!(style, PassiveStyle::Epsv(_)) {
            // Nothing listens for it: the machine has the words that refuse an address which the reply cannot carry.
            return self.machine.listening(pending, SocketAddr::new(self.local.ip(), 0));
        }
        let named = match self.address_to_name(style) {
            Ok(address) => address,
            Err(text) => {
                let reply = Reply::new(Code::CANNOT_OPEN_DATA_CONNECTION, text);
                return self.machine.answer(pending, reply.because_of("passive.public_address"), now);
            }
        };
        match self.server.ports.open(self.bound, self.peer, self.expectation()) {
            Ok((number, port)) => {
                self.data_port = Some(Agreed::new(DataPort::Passive(port)));
                self.machine.listening(pending, SocketAddr::new(named, number));
            }
            Err(_) => {
                let text = "No passive port is free, try again later.";
                let reply = Reply::new(Code::CANNOT_OPEN_DATA_CONNECTION, text);
                self.machine.answer(pending, reply.because_of("passive.ports"), now);
            }
        }
    }

    /// What comes to the port, as `PROT` has it now.
    fn expectation(&self) -> Expects {
        match (&self.tls, self.machine.next_protection()) {
            (Some(tls), Some(Protection::Private) | None) => Expects::Tls(Arc::clone(&tls.control)),
            _ => Expects::Clear,
        }
    }

    /// The address that the reply names, or why it can name none. `229` never names one (RFC 2428 §3).
    fn address_to_name(&self, style: PassiveStyle) -> Result<IpAddr, &'static str> {
        match style {
            PassiveStyle::Epsv(_) => Ok(self.local.ip()),
            PassiveStyle::Pasv | PassiveStyle::Cpsv => {
                match self.server.settings.public_address.for_client(self.peer.ip()) {
                    Told::WhereItCame => Ok(self.local.ip()),
                    Told::Public(address) => Ok(IpAddr::V4(address)),
                    Told::NotFound => {
                        Err("The server's public name was not found yet; send EPSV, which needs no address.")
                    }
                }
            }
        }
    }

    /// `PORT`, `EPRT`.
    pub(super) fn aim(&mut self, mut address: SocketAddr, pending: Pending<Active>) {
        self.data_port = None;
        if !self.callers.may_be_called(address) {
            // RFC 2577 §3.1 names this code.
            let text = match self.server.settings.fxp {
                Some(_) => "Only your own address and those of partner servers, and ports from 1024 on.",
                None => "Only your own address, and ports from 1024 on.",
            };
            let reply = Reply::new(Code::ARGUMENT_NOT_IMPLEMENTED, text).because_of("fxp.partners");
            return self.machine.answer(pending, reply, Instant::now());
        }
        if self.callers.is_client(address.ip()) {
            // With the scope that a link-local address needs and that EPRT cannot say.
            let port = address.port();
            address = self.peer;
            address.set_port(port);
        }
        self.data_port = Some(Agreed::new(DataPort::Active(address)));
        self.machine.connecting(pending);
    }

    /// A command that moves something: opens what it moves.
    pub(super) fn open_transfer(&mut self, transfer: Transfer, pending: Pending<TransferKind>) {
        // Used up by this transfer, whatever becomes of it.
        let port = self.data_port.take();
        let now = Instant::now();
        let Some(visitor) = self.visitor.clone() else {
            return self.machine.answer(pending, not_logged_in(), now);
        };
        let Some(Agreed { port, .. }) = port else {
            let text = "The data port was not used in time; send PASV or EPSV again.";
            let reply = Reply::new(Code::CANNOT_OPEN_DATA_CONNECTION, text);
            return self.machine.answer(pending, reply, now);
        };
        let Some(request) = self.data_request(&transfer) else {
            let text = "There is no TLS here to protect the data connection with.";
            let reply = Reply::new(Code::CANNOT_OPEN_DATA_CONNECTION, text);
            return self.machine.answer(pending, reply, now);
        };
        let clear = self.clear_data(transfer.protection);
        self.errand = Some(Errand::moving(&transfer.action));
        let (interrupt, disk) = (Interrupt::new(), self.server.terms.pool.disk().clone());
        self.work = Some(Work::stoppable(interrupt.clone(), async move {
            let opened = match (command::open(visitor, transfer, clear).await, interrupt.reason()) {
                (Ok(opened), None) => Ok(Box::new(Prepared { opened, port, request, interrupt })),
                (Ok(opened), Some(why)) => {
                    opened.job.give_up(why, &disk).await;
                    Err(reply_for::incomplete(&why, Kept::Nothing))
                }
                (Err(reply), _) => Err(reply),
            };
            Done::Opened { pending, opened }
        }));
    }

    /// The `150`, and all that comes after it.
    pub(super) fn begin_transfer(&mut self, pending: Pending<TransferKind>, prepared: Prepared) {
        let Prepared { opened, port, request, interrupt } = prepared;
        let running = self.machine.begin(pending, &opened.text);
        let terms = self.server.terms.clone();
        self.work = Some(Work::stoppable(interrupt.clone(), async move {
            let reply = perform(opened.job, port, request, terms, interrupt).await;
            Done::Transferred { running, reply }
        }));
    }

    /// How bytes of this protection cross the network, and whether their folder has to allow it.
    pub(super) fn clear_data(&self, protection: Protection) -> ClearData {
        match (protection, self.data_protection()) {
            (Protection::Private, DataProtection::Refuse) => ClearData::ProtectedByFolder,
            (Protection::Private, DataProtection::Require | DataProtection::Optional) => ClearData::Protected,
            (Protection::Clear, DataProtection::Refuse) => ClearData::ByFolder,
            (Protection::Clear, DataProtection::Optional) => ClearData::Granted,
            // A session in clear was admitted as such: RFC 4217 §9 knows no protected data there.
            (Protection::Clear, DataProtection::Require) if self.tls.is_none() => ClearData::Granted,
            (Protection::Clear, DataProtection::Require) => ClearData::ByFolder,
        }
    }

    /// What the data connection has to be; `None` where it ought to be private and there is no TLS.
    fn data_request(&self, transfer: &Transfer) -> Option<DataRequest> {
        let settings = &self.server.settings;
        let protect = match (transfer.protection, &self.tls) {
            (Protection::Clear, _) => Protect::Clear,
            (Protection::Private, Some(_)) if transfer.role == DataRole::TlsClient => Protect::TlsAsClient {
                partners: Arc::clone(settings.fxp.as_ref()?.tls.as_ref()?),
                identity: self.server.tls.identities().current(),
            },
            (Protection::Private, Some(tls)) => {
                let user = self.visitor.as_ref().map(|visitor| visitor.session().account().id());
                let of_user = user.and_then(|user| settings.data_tls_reuse_of_user.get(&*user));
                Protect::Tls {
                    control: Arc::clone(&tls.control),
                    reuse: of_user.copied().unwrap_or(settings.data_tls_reuse),
                }
            }
            (Protection::Private, None) => return None,
        };
        // A listing is always the client's own (the machine says so), whatever address it names.
        let listing = matches!(transfer.action, Action::List { .. });
        let callers = if listing { self.callers.client_alone() } else { self.callers.clone() };
        Some(DataRequest {
            callers,
            role: match transfer.channel {
                _ if listing => DataRole::Own,
                // Whoever names another's address to connect to asks for that one.
                Channel::Active(target)
                    if transfer.role == DataRole::Own && !self.callers.is_client(target.ip()) =>
                {
                    DataRole::TlsServer
                }
                _ => transfer.role,
            },
            bound: self.bound,
            protect,
            direction: match transfer.action {
                Action::Retrieve { .. } | Action::RetrieveSpan { .. } | Action::List { .. } => {
                    Direction::ToClient
                }
                Action::Store { .. } | Action::StoreUnique { .. } => Direction::FromClient,
            },
            patience: settings.timeouts.data_accept,
            witness: self.witness(),
            first: None,
        })
    }
}
