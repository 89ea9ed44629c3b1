//! Drives the FTP protocol machine over sockets into the transfer domain. An embeddable library.
//!
//! **What it does.** Accepts control connections, feeds their bytes to the machine of
//! `carrack_ftp_proto`, carries out the machine's events on a `carrack_core` session, and opens,
//! protects and pumps data connections.
//!
//! **What it does not.** It decides nothing about the protocol (the machine does), about what a user
//! may do (the session does), or about whose TLS session is whose (`carrack_tls` does); it reads no
//! configuration.
//!
//! ```text
//!  Listener ─► connection ──bytes──► ftp_proto::Server ──events──► command/ ──► core::Session
//!                 │  ▲                                                │
//!                 │  └── replies ◄── reply_for ◄──────────────────────┘
//!                 ▼
//!              data/ (whose connection?) ─► transfer/ (bytes) ─► Upload::commit | abort
//! ```
//!
//! One task owns a connection's machine, session and work; nothing is locked. A transfer is pumped on
//! a blocking thread while bytes flow and waits on the event loop while they do not.
#![forbid(unsafe_code)]

mod agreed;
mod command;
mod connection;
mod control;
mod data;
mod disk;
#[doc(hidden)]
pub mod fuzzing;
mod introduce;
mod public_address;
mod reply_for;
mod settings;
mod transfer;
mod virtual_server;
mod visitor;
mod witness;

pub use data::{DataPorts, Elsewhere, SharedPort, Stray};
pub use public_address::{NamedAddress, PublicAddress, PublicAddresses};
pub use settings::{
    Access, ByName, Charset, Clearing, Compression, DataClose, DataProtection, DataReuse, FtpSettings,
    HostName, Mode, Network, PartnerSettings, PartnerTls, Plaintext, PlaintextGrant, RevokedSessions,
    Timeouts,
};
pub use virtual_server::VirtualServer;

use std::net::SocketAddr;
use std::sync::Arc;

use carrack_core::Core;
use carrack_core::event::Event;
use carrack_net::{Accepted, Admission, Drain, Exhausted, Listener, Phase, Refused, Slot};
use carrack_tls::ServerTls;
use tokio::sync::{Semaphore, watch};

use disk::DiskThreads;
use transfer::{PumpPool, Stall, Terms};

/// The FTP server of one listener.
pub struct FtpServer {
    settings: FtpSettings,
    core: Arc<Core>,
    tls: Arc<ServerTls>,
    admission: Admission,
    ports: DataPorts,
    drain: Drain,
    terms: Terms,
    /// The places of connections that have to say still for whom they come.
    introducing: Arc<Semaphore>,
}

/// How busy a server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Transfers whose bytes move on a thread now.
    pub pumps_running: usize,
    /// Transfers that wait for their turn on one.
    pub pumps_waiting: usize,
    /// Threads that may wait for a disk.
    pub disk_threads: usize,
    /// Those of them that work.
    pub disk_threads_busy: usize,
    /// Work that waits for one of them.
    pub disk_waiting: usize,
}

impl FtpServer {
    /// A server with these settings. `tls`, `admission`, `ports` and `drain` may be shared with other
    /// listeners; data connections resume sessions of the same `tls` only.
    #[must_use]
    pub fn new(
        settings: FtpSettings,
        core: Arc<Core>,
        tls: Arc<ServerTls>,
        admission: Admission,
        ports: impl Into<DataPorts>,
        drain: Drain,
    ) -> Arc<Self> {
        let terms = Terms {
            pool: PumpPool::new(DiskThreads::default()),
            stall: stall(&settings),
            close: settings.data_close,
        };
        let admission = admission.of_listener(settings.sessions);
        let introducing = Arc::new(Semaphore::new(introduce::INTRODUCING));
        Arc::new(Self { settings, core, tls, admission, ports: ports.into(), drain, terms, introducing })
    }

    /// A server for the connections that come to the same listener from now on. Those that are there keep this one; both count
    /// against the same limits and take turns on the same threads.
    #[must_use]
    pub fn renewed(&self, settings: FtpSettings, core: Arc<Core>, tls: Arc<ServerTls>) -> Arc<Self> {
        let pool = self.terms.pool.clone();
        let terms = Terms { pool, stall: stall(&settings), close: settings.data_close };
        let admission = self.admission.holding(settings.sessions);
        let (ports, drain) = (self.ports.clone(), self.drain.clone());
        let introducing = Arc::clone(&self.introducing);
        Arc::new(Self { settings, core, tls, admission, ports, drain, terms, introducing })
    }

    /// How much its transfers and its work on disks keep busy now.
    #[must_use]
    pub fn load(&self) -> Load {
        let (pumps_running, pumps_waiting) = self.terms.pool.load();
        let (disk_threads, disk_threads_busy, disk_waiting) = self.terms.pool.disk().load();
        Load { pumps_running, pumps_waiting, disk_threads, disk_threads_busy, disk_waiting }
    }

    /// Accepts and serves connections until the drain starts. Connections live on; `Drain::idle`
    /// tells when the last is gone.
    pub async fn serve(self: Arc<Self>, listener: Listener) {
        let (_held, current) = watch::channel(self);
        Self::serve_current(current, listener).await;
    }

    /// The same, and every connection is served by the server that is `current` when it comes. Accepting ends also when `current` has
    /// lost its sender.
    pub async fn serve_current(mut current: watch::Receiver<Arc<Self>>, mut listener: Listener) {
        let drain = current.borrow().drain.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                changed = current.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                () = drain.reached(Phase::Closing) => return,
            };
            let server = Arc::clone(&current.borrow());
            match accepted {
                Ok(accepted) => server.take_in(accepted),
                Err(exhausted) => server.tell_exhausted(exhausted),
            }
        }
    }

    fn take_in(self: Arc<Self>, accepted: Accepted) {
        if self.is_from_balancer(&accepted) { self.introduce(accepted) } else { self.let_in(accepted) }
    }

    /// Serves a connection whose client is known, or turns it away.
    fn let_in(self: Arc<Self>, accepted: Accepted) {
        // Before any TLS work: a flood costs a counter, not a handshake.
        match self.admit(&accepted) {
            Ok(slot) => {
                let live = self.drain.enter();
                tokio::spawn(async move {
                    connection::serve(self, accepted, slot).await;
                    drop(live);
                });
            }
            Err(refused) => self.turn_away(&accepted, &refused),
        }
    }

    fn admit(&self, accepted: &Accepted) -> Result<Slot, Refused> {
        let address = accepted.peer.ip();
        self.settings.access.judge(address)?;
        self.admission.admit(address)
    }

    /// Says why not, where the client can understand it yet, and closes.
    fn turn_away(&self, accepted: &Accepted, refused: &Refused) {
        if self.settings.mode == Mode::Explicit {
            // A fresh socket takes one line without waiting; if it does not, nobody is owed more.
            let _ = accepted.stream.try_write(format!("421 {refused}.\r\n").as_bytes());
        }
        let peer: SocketAddr = accepted.peer;
        let (reason, option, why) = (refused.reason(), refused.option().into_owned(), refused.in_full());
        self.core.events.emit(&Event::ConnectionRefused { peer, reason, option, why });
    }

    /// Says that a connection was closed because there was no file descriptor for it.
    fn tell_exhausted(&self, Exhausted { peer }: Exhausted) {
        let Some(peer) = peer else { return };
        let why = "no file descriptor is left; raise the hard limit (LimitNOFILE=), or lower limits.sessions";
        let (reason, option) = ("file_descriptors", "limits.sessions".to_owned());
        self.core.events.emit(&Event::ConnectionRefused { peer, reason, option, why: why.to_owned() });
    }

    /// What logs call the protocol spoken here.
    fn protocol(&self) -> &'static str {
        match self.settings.mode {
            Mode::Explicit => "ftp",
            Mode::Implicit => "ftps",
        }
    }
}

/// When a transfer counts as stalled here.
fn stall(settings: &FtpSettings) -> Stall {
    Stall { within: settings.timeouts.data_stall, bytes: settings.timeouts.data_stall_bytes }
}
