//! How does a transfer begin and end? A port, perhaps a restart marker, the command, and two replies.

use std::net::SocketAddr;

use super::command::{Line, ListArgument};
use super::{Event, Machine, Stage, Violation};
use crate::client::{RemotePath, Reply, epsv_port, pasv_port};
use crate::reply::Code;

/// What moves over a data connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// RETR: a file from this byte on.
    Retrieve(RemotePath, u64),
    /// STOR or APPE: a file's bytes.
    Store(RemotePath, Store),
    /// MLSD of a folder.
    ListFacts(RemotePath),
    /// LIST of the working directory.
    List(Hidden),
    /// LIST of a folder by its path, which many servers read in ways of their own: behind options, with wildcards. For
    /// folders that CWD must not lead to.
    ListPath(RemotePath),
}

/// Where the bytes of an upload go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// In place of whatever is there (STOR).
    Replace,
    /// From this byte on; what stands before it stays (REST, then STOR; RFC 3659 §5).
    From(u64),
    /// Behind whatever is there (APPE).
    Append,
}

/// Whether LIST is asked for names that begin with a dot (`LIST -a`), which many servers leave out otherwise and some do
/// not understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// `LIST -a`
    Asked,
    /// `LIST`
    NotAsked,
}

/// How the two sides of a data connection meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The server listens: EPSV, or PASV where it does not know that.
    Passive,
    /// The client listens, at this address: EPRT, or PORT where the server does not know that.
    Active(SocketAddr),
    /// Elsewhere: [`Listen`](super::Listen) or [`ConnectTo`](super::Command::ConnectTo) was said before, and the data
    /// connection is between two servers.
    Arranged,
}

/// A transfer on its way.
#[derive(Debug)]
pub(super) struct UnderWay {
    transfer: Transfer,
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The reply to EPSV or PASV, EPRT or PORT.
    Preparing(Preparation),
    /// The driver's word that the port was reached.
    Dialling,
    /// The reply to REST.
    Restarting,
    /// The first reply to the transfer's own command.
    Beginning,
    /// Its final one.
    Running,
}

#[derive(Clone, Copy, Debug)]
enum Preparation {
    ExtendedPassive,
    Passive,
    ExtendedActive(SocketAddr),
    Active(SocketAddr),
}

impl Transfer {
    const fn offset(&self) -> u64 {
        match self {
            Transfer::Retrieve(_, from) | Transfer::Store(_, Store::From(from)) => *from,
            _ => 0,
        }
    }

    const fn line(&self) -> Line<'_> {
        match self {
            Transfer::Retrieve(path, _) => Line::Retrieve(path),
            Transfer::Store(path, Store::Append) => Line::Append(path),
            Transfer::Store(path, Store::Replace | Store::From(_)) => Line::Store(path),
            Transfer::ListFacts(path) => Line::ListFacts(path),
            Transfer::List(Hidden::Asked) => Line::List(ListArgument::Hidden),
            Transfer::List(Hidden::NotAsked) => Line::List(ListArgument::None),
            Transfer::ListPath(path) => Line::List(ListArgument::Path(path)),
        }
    }
}

impl Preparation {
    const fn line(&self) -> Line<'static> {
        match *self {
            Preparation::ExtendedPassive => Line::ExtendedPassive,
            Preparation::Passive => Line::Passive,
            Preparation::ExtendedActive(address) => Line::ExtendedActive(address),
            Preparation::Active(address) => Line::Active(address),
        }
    }

    /// What else may be asked of a server that does not know this.
    const fn older(self) -> Option<Preparation> {
        match self {
            Preparation::ExtendedPassive => Some(Preparation::Passive),
            // PORT has no room for an IPv6 address.
            Preparation::ExtendedActive(address) if address.is_ipv4() => Some(Preparation::Active(address)),
            Preparation::ExtendedActive(_) | Preparation::Passive | Preparation::Active(_) => None,
        }
    }
}

impl UnderWay {
    const fn line(&self) -> Line<'_> {
        match &self.step {
            Step::Preparing(preparation) => preparation.line(),
            Step::Restarting => Line::Restart(self.transfer.offset()),
            Step::Dialling | Step::Beginning | Step::Running => self.transfer.line(),
        }
    }

    /// The command whose reply is due.
    pub(super) const fn awaited(&self) -> Option<&'static str> {
        match self.step {
            Step::Dialling => None,
            _ => Some(self.line().name()),
        }
    }
}

impl Machine {
    /// Begins a transfer. Over a passive route comes [`Event::Dial`], then over either [`Event::Begun`], or
    /// [`Event::Refused`], which may also come later, in the place of [`Event::Completed`].
    ///
    /// Behind [`Event::LoggedIn`] only, and one operation at a time; anything else [fails](super::Failure::Busy).
    pub fn transfer(&mut self, transfer: Transfer, route: Route) {
        let preparation = match (route, self.extended) {
            (Route::Arranged, _) => {
                if self.is_ready() {
                    self.prepared(transfer);
                }
                return;
            }
            (Route::Passive, Extended::Known) => Preparation::ExtendedPassive,
            (Route::Passive, Extended::Unknown) => Preparation::Passive,
            (Route::Active(address), Extended::Unknown) if address.is_ipv4() => Preparation::Active(address),
            (Route::Active(address), _) => Preparation::ExtendedActive(address),
        };
        if self.is_ready() {
            self.continue_transfer(UnderWay { transfer, step: Step::Preparing(preparation) });
        }
    }

    /// The port of [`Event::Dial`] was reached.
    pub fn channel_connected(&mut self) {
        let Stage::Transferring(UnderWay { step: Step::Dialling, .. }) = &self.stage else { return };
        if let Stage::Transferring(under_way) = std::mem::replace(&mut self.stage, Stage::Ready) {
            self.prepared(under_way.transfer);
        }
    }

    /// The channel is there, or will be: the marker, or the transfer's own command.
    fn prepared(&mut self, transfer: Transfer) {
        let step = if transfer.offset() > 0 { Step::Restarting } else { Step::Beginning };
        self.continue_transfer(UnderWay { transfer, step });
    }

    fn continue_transfer(&mut self, under_way: UnderWay) {
        let line = under_way.line().transmit();
        self.say(line, Stage::Transferring(under_way));
    }

    /// A reply came while a transfer was under way.
    pub(super) fn transfer_replied(&mut self, under_way: UnderWay, reply: Reply) {
        let code = reply.code();
        let command = under_way.line().name();
        let UnderWay { transfer, step } = under_way;
        match step {
            Step::Preparing(preparation) => self.preparation_replied(transfer, preparation, reply),
            Step::Restarting if code == Code::PENDING_FURTHER_INFORMATION => {
                self.continue_transfer(UnderWay { transfer, step: Step::Beginning });
            }
            Step::Beginning | Step::Running if code.is_preliminary() => {
                // RFC 959 §5.4 knows one of them; some servers say 150, and 125 once the connection is there.
                if self.count_preliminary(command) {
                    if matches!(step, Step::Beginning) {
                        self.events.push_back(Event::Begun(reply));
                    }
                    self.stage = Stage::Transferring(UnderWay { transfer, step: Step::Running });
                }
            }
            Step::Beginning if code.is_completion() => {
                // A server that is done before it said that it begins.
                self.events.push_back(Event::Begun(reply.clone()));
                self.events.push_back(Event::Completed(reply));
            }
            Step::Running if code.is_completion() => self.events.push_back(Event::Completed(reply)),
            Step::Restarting | Step::Beginning | Step::Running if code.is_refusal() => {
                self.events.push_back(Event::Refused { command, reply })
            }
            Step::Dialling => self.violated(Violation::Unasked(Some(reply))),
            _ => self.violated(Violation::Unexpected { command, reply }),
        }
    }

    fn preparation_replied(&mut self, transfer: Transfer, preparation: Preparation, reply: Reply) {
        let command = preparation.line().name();
        let code = reply.code();
        let port = match (preparation, code) {
            (Preparation::ExtendedPassive, Code::ENTERING_EXTENDED_PASSIVE_MODE) => {
                epsv_port(reply.last_line())
            }
            // SECURITY: the address of the reply is dropped here. The driver has none but the control connection's, so no
            // reply aims a connection elsewhere (CVE-2020-8284).
            (Preparation::Passive, Code::ENTERING_PASSIVE_MODE) => {
                pasv_port(reply.last_line()).map(|(_, port)| port)
            }
            (Preparation::ExtendedActive(_) | Preparation::Active(_), _) if code.is_completion() => {
                return self.prepared(transfer);
            }
            _ => return self.preparation_refused(transfer, preparation, reply),
        };
        match port {
            Some(port) => {
                self.events.push_back(Event::Dial(port));
                self.stage = Stage::Transferring(UnderWay { transfer, step: Step::Dialling });
            }
            None => self.violated(Violation::Unreadable { command, reply }),
        }
    }

    fn preparation_refused(&mut self, transfer: Transfer, preparation: Preparation, reply: Reply) {
        let command = preparation.line().name();
        // 522 is RFC 2428 §2's own: the protocol (IPv4, IPv6) is not supported.
        let unknown = matches!(
            reply.code(),
            Code::SYNTAX_ERROR
                | Code::SYNTAX_ERROR_IN_ARGUMENT
                | Code::NOT_IMPLEMENTED
                | Code::ARGUMENT_NOT_IMPLEMENTED
                | Code::NOT_SUPPORTED_ON_DATA_CONNECTION
        );
        match preparation.older() {
            Some(older) if unknown => {
                self.extended = Extended::Unknown;
                self.continue_transfer(UnderWay { transfer, step: Step::Preparing(older) });
            }
            _ if reply.code().is_refusal() => self.events.push_back(Event::Refused { command, reply }),
            _ => self.violated(Violation::Unexpected { command, reply }),
        }
    }
}

/// Whether the server knows EPSV and EPRT, as far as it has been asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extended {
    /// It has not said otherwise.
    #[default]
    Known,
    /// It refused one of them: PASV and PORT are used from the start.
    Unknown,
}
