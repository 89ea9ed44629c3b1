//! One control connection from its first byte to its last: one task owns the protocol machine, the
//! session and at most one piece of work at a time.
//!
//! The task never waits for the work: while a file is opened, a password judged or a transfer runs,
//! it goes on reading, so that `ABOR`, `STAT`, `NOOP` and `QUIT` are answered at once.

mod certificates;
mod data;
mod dispatch;
mod greet;
mod host;
mod live;
mod login;
mod work;

pub(crate) use greet::serve;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carrack_core::event::{Event, Incomplete, Origin, SessionId};
use carrack_core::live::{Call, Live};
use carrack_ftp_proto::server::{AbortKind, CloseReason, Pending, Refusal, Server};
use carrack_net::{Drain, Phase, Slot};
use carrack_tls::{ClientRefusal, ControlTls, TlsInfo};

use tokio::sync::watch;

use crate::FtpServer;
use crate::control::{Control, Traffic};
use crate::data::Callers;
use crate::virtual_server::VirtualServer;
use crate::visitor::Visitor;
use crate::witness::Witness;
use data::Agreed;
use live::Errand;
use work::{Done, Work};

/// How long a client says nothing that has come to a pause, while another process takes this one's place: longer than programs think
/// between two commands.
const PAUSE: Duration = Duration::from_secs(5);

/// Everything that one control connection has.
struct Connection {
    server: Arc<FtpServer>,
    /// Its place among all connections.
    slot: Slot,
    id: SessionId,
    peer: SocketAddr,
    /// Where the client connected to: our side, or that of the load balancer before us.
    local: SocketAddr,
    /// Our side.
    bound: SocketAddr,
    /// Whether it is known to the log and to all who count: a balancer's check is once it says something.
    is_announced: bool,
    /// Who may be at the other end of its data connections.
    callers: Callers,
    machine: Server,
    control: Control,
    /// The name given with `HOST` in clear, for a handshake that names nobody.
    host: Option<String>,
    /// The server that the client has named; `None` is the one that nobody has to name.
    at: Option<Arc<VirtualServer>>,
    /// The TLS of the control connection, once it runs.
    tls: Option<Tls>,
    /// Who is logged in, and where they stand.
    visitor: Option<Visitor>,
    /// Tells when other certificates of clients count than before.
    trust_changes: Option<watch::Receiver<()>>,
    /// Where the next data connection comes from.
    data_port: Option<Agreed>,
    /// What runs now.
    work: Option<Work>,
    /// What that is about, where it may take long.
    errand: Option<Box<Errand>>,
    /// Bytes of the errands that are over.
    moved_before: u64,
    /// When the client last said something.
    heard: Instant,
    /// By which whoever runs the server reaches it.
    live: Live,
    /// `ABOR`s that are answered once the transfer has ended.
    aborts: Vec<Pending<AbortKind>>,
    draining: bool,
}

/// TLS on the control connection.
struct Tls {
    control: Arc<ControlTls>,
    info: TlsInfo,
    /// Why the client's certificate is accepted no more, where the log was told.
    told: Option<Arc<ClientRefusal>>,
    /// The server's name as the client gave it in the handshake, in lower case.
    server_name: Option<String>,
}

/// Whether the connection goes on.
enum Next {
    GoOn,
    Close(CloseReason),
}

impl Connection {
    /// Serves the client until one side ends it.
    async fn run(&mut self) -> Ended {
        let reason = loop {
            match self.turn().await {
                Ok(Next::GoOn) => {}
                Ok(Next::Close(reason)) => break Ended::ByMachine(reason),
                Err(lost) => break lost,
            }
        };
        // What still moves has lost the connection that asked for it, unless its client said QUIT: then
        // it is finished (RFC 959 §4.1.1).
        if !self.machine.is_quitting() || matches!(reason, Ended::Cut | Ended::CertificateRevoked) {
            self.interrupt_work(match reason {
                Ended::Cut => Incomplete::ShutDown,
                Ended::CertificateRevoked => Incomplete::Refused("the client's certificate was revoked"),
                _ => Incomplete::ConnectionLost,
            });
        }
        if let Some(work) = self.work.take() {
            work.settle().await;
        }
        self.control.close().await;
        reason
    }

    /// Handles what the machine has to say, and then waits for the next thing to happen.
    async fn turn(&mut self) -> Result<Next, Ended> {
        // SECURITY: who leaves replies unread gets no further ones, so there is an end to what we hold.
        while self.control.has_room()
            && let Some(event) = self.machine.next_event(Instant::now())
        {
            if let Next::Close(reason) = self.dispatch(event).await? {
                self.queue_replies();
                return Ok(Next::Close(reason));
            }
            self.queue_replies();
        }
        self.queue_replies();
        let reads = self.machine.wants_bytes() && self.control.has_room();
        let unread_by = self.control.unread_deadline();
        let unused_by = self.data_port.as_ref().map(|agreed| agreed.expires);
        let is_busy = self.work.is_some();
        let happened = tokio::select! {
            traffic = self.control.turn(reads) => Happened::Traffic(traffic),
            done = Work::next(&mut self.work) => Happened::Done(done),
            () = sleep_until(self.machine.deadline()) => Happened::Deadline,
            () = Agreed::attend(&mut self.data_port, &self.callers) => Happened::Arrival,
            () = sleep_until(unused_by) => Happened::PortUnused,
            () = certificates::changed(&mut self.trust_changes) => Happened::TrustChanged,
            call = self.live.called() => Happened::Called(call),
            () = sleep_until(unread_by) => return Err(Ended::Lost),
            () = has_to_leave(&self.server.drain, self.heard, is_busy), if !self.draining => {
                Happened::Drain
            }
            () = self.server.drain.reached(Phase::Cut) => return Err(Ended::Cut),
        };
        let now = Instant::now();
        match happened {
            Happened::Traffic(Ok(Traffic::Received(bytes))) => {
                self.heard = now;
                self.announce();
                self.machine.receive(&bytes, now);
            }
            Happened::Traffic(Ok(Traffic::Ended)) => {
                // An unexpected close has the effect of ABOR and QUIT (RFC 959 §4.1.1).
                if !self.machine.is_quitting() {
                    self.interrupt_work(Incomplete::ConnectionLost);
                }
                self.machine.end_of_input();
            }
            Happened::Traffic(Ok(Traffic::Flushed)) => {}
            Happened::Traffic(Err(_)) => return Err(Ended::Lost),
            Happened::Done(done) => self.settle(done),
            Happened::Arrival => {}
            Happened::Called(call) => self.called(call),
            Happened::TrustChanged => self.judge_certificate_again()?,
            Happened::PortUnused => self.data_port = None,
            Happened::Deadline => self.machine.expire(now),
            Happened::Drain => {
                self.draining = true;
                self.machine.drain(now);
            }
        }
        Ok(Next::GoOn)
    }

    /// Tells whoever listens that the connection is there, once.
    fn announce(&mut self) {
        if !self.is_announced {
            self.is_announced = true;
            self.server.core.events.emit(&Event::Connected { origin: self.origin() });
        }
    }

    fn interrupt_work(&self, why: Incomplete) {
        if let Some(interrupt) = self.work.as_ref().and_then(Work::interrupt) {
            interrupt.stop(why);
        }
    }

    /// Where this client comes from, for events.
    fn origin(&self) -> Origin {
        Origin {
            id: self.id,
            peer: self.peer,
            protocol: self.server.protocol(),
            server: self.at.as_ref().map(|at| Arc::clone(&at.name)),
        }
    }

    /// Who hears of this client's handshakes.
    fn witness(&self) -> Witness {
        Witness::new(self.server.core.events.clone(), self.origin())
    }

    fn queue_replies(&mut self) {
        if let Some(replies) = self.machine.transmit() {
            self.control.send(replies);
            self.tell_refusals();
        }
    }

    /// Tells which commands were refused, and why.
    fn tell_refusals(&mut self) {
        for Refusal { verb, code, option, text } in self.machine.take_refusals() {
            let user = self.visitor.as_ref().map(|visitor| visitor.session().account().name.clone());
            self.server.core.events.emit(&Event::CommandRefused {
                origin: self.origin(),
                user,
                command: verb.map_or("", |verb| verb.row().name),
                reply: code.number(),
                option: option.map(|option| self.option_here(option)),
                why: text,
            });
        }
    }

    /// Takes in what a piece of work came to.
    fn settle(&mut self, done: Done) {
        if !matches!(done, Done::Opened { opened: Ok(_), .. }) {
            self.end_errand();
        }
        self.work = None;
        let now = Instant::now();
        match done {
            Done::Answered { pending, outcome } => {
                if let (Some(directory), Some(visitor)) = (outcome.directory, &mut self.visitor) {
                    visitor.directory = directory;
                }
                self.machine.answer(pending, outcome.reply, now);
            }
            Done::Digested { pending, reply } => {
                self.machine.answer(pending, reply, now);
                self.answer_aborts();
            }
            Done::Judged { pending, verdict } => self.settle_login(pending, verdict),
            Done::Opened { pending, opened } => match opened {
                Ok(prepared) => self.begin_transfer(pending, *prepared),
                Err(reply) => {
                    self.machine.answer(pending, reply, now);
                    self.answer_aborts();
                }
            },
            Done::Transferred { running, reply } => {
                self.machine.end(running, reply, now);
                self.answer_aborts();
            }
        }
    }
}

/// Something that a connection waited for.
enum Happened {
    Traffic(std::io::Result<Traffic>),
    Done(Done),
    Deadline,
    Arrival,
    PortUnused,
    TrustChanged,
    Called(Call),
    Drain,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ended {
    /// As the protocol has it.
    ByMachine(CloseReason),
    /// The client was gone.
    Lost,
    /// TLS was asked for and not agreed.
    Handshake,
    /// It is implicit here, and the client says something else first, or nothing.
    NotTls,
    /// The client's certificate was revoked.
    CertificateRevoked,
    /// The server ended what was left.
    Cut,
}

impl Ended {
    /// What the operator would change to have it otherwise, where it is a setting.
    fn option(self) -> Option<&'static str> {
        Some(match self {
            Self::ByMachine(CloseReason::LoginTimeout) => "timeouts.login_s",
            Self::ByMachine(CloseReason::TlsTimeout) => "timeouts.tls_s",
            Self::ByMachine(CloseReason::IdleTimeout) => "timeouts.idle_s",
            Self::ByMachine(CloseReason::LoginFailures) => "limits.login_failures",
            Self::ByMachine(CloseReason::ProxyHeader) => "listen.proxy_protocol",
            Self::NotTls => "listen.mode",
            Self::CertificateRevoked => "tls.revoked_sessions",
            // The protocol itself, or somebody has decided it.
            Self::ByMachine(_) | Self::Lost | Self::Handshake | Self::Cut => return None,
        })
    }

    /// Who ended the connection and why, for the log.
    fn why(self) -> &'static str {
        match self {
            Self::ByMachine(reason) => match reason {
                CloseReason::Quit => "the client quit",
                CloseReason::EndOfInput => "the client closed the connection",
                CloseReason::PlaintextBehindAuth => "bytes in clear behind AUTH",
                CloseReason::BytesBehindCcc => "bytes behind CCC before TLS had ended",
                CloseReason::ReinitializedInClear => "REIN behind CCC",
                CloseReason::LoginTimeout => "no login in time (timeouts.login_s)",
                CloseReason::TlsTimeout => "no TLS in time (timeouts.tls_s)",
                CloseReason::IdleTimeout => "idle for too long (timeouts.idle_s)",
                CloseReason::LoginFailures => "too many failed logins",
                CloseReason::RefusedCommands => "too many refused commands before login",
                CloseReason::Http => "the client speaks HTTP",
                CloseReason::ProxyHeader => {
                    "a PROXY header from an address that proxy_protocol does not list"
                }
                CloseReason::EndlessLine => "a command line without end",
                CloseReason::Drained => "the server is going down",
                CloseReason::Dismissed => "ended by the administrator",
                CloseReason::ServiceNotAvailable => "service not available",
            },
            Self::Lost => "the connection was lost",
            Self::Handshake => "no TLS was agreed",
            Self::NotTls => "no TLS was agreed: this listener speaks it from the first byte",
            Self::CertificateRevoked => "the client's certificate was revoked",
            Self::Cut => "the server went down",
        }
    }
}

/// Waits until the server wants this session out: all that are not in a transfer, or only those that pause.
async fn has_to_leave(drain: &Drain, heard: Instant, is_busy: bool) {
    drain.reached(Phase::Closing).await;
    let paused = (!is_busy).then(|| heard + PAUSE);
    tokio::select! {
        () = drain.reached(Phase::Draining) => {}
        () = sleep_until(paused) => {}
    }
}

/// Waits until a moment that may never come.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
