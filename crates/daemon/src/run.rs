//! How does a server come up, run and go down?

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use carrack_core::Core;
use carrack_core::backend::PartialIndex;
use carrack_core::event::{Events, Subscriber};
use carrack_core::login::Authenticator;
use carrack_ftp_server::FtpServer;
use carrack_net::{Admission, Drain, Limits, Listener, PortPool};
use carrack_records::partials::PartialJournal;
use carrack_tls::{Identity, ServerTls, Settings};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Checked, Config, Mode};
use crate::housekeeping::{self, Certificates};
use crate::log::EventLog;
use crate::state::{StateError, StateFolder};
use crate::wiring::{self, WiringError};

/// How long connections have to say goodbye once they were cut.
const CUT_GRACE: Duration = Duration::from_secs(5);

/// File descriptors of one session with a transfer: control and data connection, its listener, the file.
const DESCRIPTORS_PER_SESSION: u64 = 4;

/// Why a server did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// Accounts and homes.
    #[error(transparent)]
    Wiring(#[from] WiringError),
    /// The journal of unfinished uploads.
    #[error(
        "the journal of unfinished uploads in {folder} cannot be read: {source}\n  mend: make it readable for this user, or move it away"
    )]
    Journal {
        /// The state folder.
        folder: String,
        /// What the system said.
        source: io::Error,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {}\n  mend: {}", listen_failure(source), listen_mend(*mode, source))]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What for.
        mode: Mode,
        /// What the system said.
        source: io::Error,
    },
    /// The identity cannot be used for TLS.
    #[error("the certificate cannot be used: {0}")]
    Tls(String),
    /// Signals or threads.
    #[error("the system refuses what every server needs: {0}")]
    System(io::Error),
}

fn listen_failure(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "something else listens there already".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        io::ErrorKind::PermissionDenied => "ports below 1024 are for root".to_owned(),
        _ => error.to_string(),
    }
}

fn listen_mend(mode: Mode, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => "0.0.0.0 stands for all addresses of this machine".to_owned(),
        io::ErrorKind::PermissionDenied => {
            format!("choose a higher port with --{mode} ADDR:PORT, or grant the program CAP_NET_BIND_SERVICE")
        }
        _ => format!(
            "stop the other program, or choose another port with --{mode} ADDR:PORT (`address` in the file)"
        ),
    }
}

/// One address that is listened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    /// When TLS begins there.
    pub mode: Mode,
    /// The address in force, also where any free port was asked for.
    pub address: SocketAddr,
}

/// A server that listens; nothing is accepted before [`Server::run`].
pub struct Server {
    config: Config,
    tls: Arc<ServerTls>,
    listeners: Vec<(Arc<FtpServer>, Listener)>,
    listening: Vec<Listening>,
    drain: Drain,
    log: Arc<EventLog>,
    journal: Arc<PartialJournal>,
    certificates: Certificates,
    // From here on a signal is ours, so that none that comes right after the start is lost.
    signals: Signals,
}

/// What a signal means.
enum Told {
    Stop(&'static str),
    Reload,
}

#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for what the operator says next.
    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Told::Stop("SIGINT"),
            _ = self.hang_up.recv() => Told::Reload,
        }
    }

    /// Waits for the next signal to go down.
    async fn stop(&mut self) -> &'static str {
        loop {
            if let Told::Stop(signal) = self.next().await {
                return signal;
            }
        }
    }
}

impl Server {
    /// Opens homes and journal, makes or loads the identity, and listens. Call it within a tokio runtime.
    ///
    /// # Errors
    /// Something is not there, or the system refuses it. Nothing listens then.
    pub fn start(checked: Checked, state: StateFolder) -> Result<Self, StartError> {
        let Checked { config, identity, .. } = checked;
        let signals = Signals::new().map_err(StartError::System)?;
        raise_descriptor_limit(&config);

        let journal = PartialJournal::open(state.path())
            .map_err(|source| StartError::Journal { folder: state.path().display().to_string(), source })?;
        let journal = Arc::new(journal);
        let index: Arc<dyn PartialIndex> = Arc::<PartialJournal>::clone(&journal);
        let accounts = wiring::accounts(&config, &[state.path().to_owned()], &index)?;

        let log = Arc::new(EventLog::default());
        let events = Events::new([Arc::<EventLog>::clone(&log) as Arc<dyn Subscriber>]);
        let slots = std::thread::available_parallelism().map_or(1, usize::from);
        let core = Core::new(Authenticator::new(Arc::new(accounts), slots), events);

        let certificates = match config.tls.clone() {
            Some(tls) => Certificates::Configured(tls),
            None => Certificates::SelfSigned { names: names(&config), state },
        };
        let identity = match identity {
            Some(identity) => identity,
            None => certificates.load().map_err(|error| StartError::Tls(error.to_string()))?,
        };
        let settings = Settings { identity, minimum: wiring::minimum_version(&config) };
        let tls = Arc::new(ServerTls::new(settings).map_err(|error| StartError::Tls(error.to_string()))?);

        let (bound, listening) = bind(&config)?;
        let admission = Admission::new(Limits {
            sessions: usize::try_from(config.limits.sessions.0).unwrap_or(usize::MAX),
            sessions_per_source: usize::try_from(config.limits.sessions_per_source.0).unwrap_or(usize::MAX),
        });
        let ports = PortPool::new(config.passive.ports.0.clone());
        let drain = Drain::new();
        let listeners = config
            .listen
            .iter()
            .zip(bound)
            .map(|(listen, listener)| {
                let settings = wiring::ftp_settings(&config, listen);
                let (core, tls) = (Arc::clone(&core), Arc::clone(&tls));
                let server =
                    FtpServer::new(settings, core, tls, admission.clone(), ports.clone(), drain.clone());
                (server, listener)
            })
            .collect();
        Ok(Self { config, tls, listeners, listening, drain, log, journal, certificates, signals })
    }

    /// Where clients are served, in the order of the configuration.
    pub fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// The identity shown to clients.
    pub fn identity(&self) -> Identity {
        self.tls.identity()
    }

    /// The certificate that clients have to trust, as a file; `None` where the configuration names one of a public authority's
    /// making.
    pub fn certificate_file(&self) -> Option<PathBuf> {
        match &self.certificates {
            Certificates::SelfSigned { state, .. } => Some(state.certificate()),
            Certificates::Configured(_) => None,
        }
    }

    /// Serves until SIGTERM or SIGINT, then drains: idle sessions are told `421`, transfers finish within `drain_s`. A second signal
    /// ends everything now.
    pub async fn run(mut self) {
        for Listening { mode, address } in &self.listening {
            tracing::info!(target: "carrack", %mode, %address, "listening");
        }
        let mut tasks = tokio::task::JoinSet::new();
        for (server, listener) in self.listeners.drain(..) {
            tasks.spawn(server.serve(listener));
        }
        let certificates = Arc::new(self.certificates);
        let log = Arc::clone(&self.log);
        let mut upkeep = tokio::task::JoinSet::new();
        upkeep.spawn(async move { log.tell_suppressed().await });
        upkeep.spawn(housekeeping::partials(self.journal, self.config.upload.partial_expiry_s.into()));
        upkeep.spawn(housekeeping::certificates(Arc::clone(&certificates), Arc::clone(&self.tls)));

        let why = loop {
            match self.signals.next().await {
                Told::Stop(signal) => break signal,
                Told::Reload => {
                    tracing::info!(
                        target: "carrack",
                        what = "certificate and key; every other option counts at the next start",
                        "reloading"
                    );
                    housekeeping::renew(Arc::clone(&certificates), Arc::clone(&self.tls)).await;
                }
            }
        };
        self.drain.start();
        let deadline: Duration = self.config.timeouts.drain_s.into();
        let (sessions, deadline_s) = (self.drain.live(), deadline.as_secs());
        tracing::info!(target: "carrack", signal = why, sessions, deadline_s, "draining");
        tokio::select! {
            () = self.drain.idle() => {}
            () = tokio::time::sleep(deadline) => {}
            _ = self.signals.stop() => {}
        }
        let cut = self.drain.live();
        self.drain.cut();
        let _ = tokio::time::timeout(CUT_GRACE, self.drain.idle()).await;
        upkeep.shutdown().await;
        tracing::info!(target: "carrack", cut, "stopped");
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("listening", &self.listening).finish_non_exhaustive()
    }
}

fn bind(config: &Config) -> Result<(Vec<Listener>, Vec<Listening>), StartError> {
    let (mut bound, mut listening) = (Vec::new(), Vec::new());
    for listen in config.listen.iter() {
        let failed = |source| StartError::Listen { address: listen.address, mode: listen.mode, source };
        let listener = Listener::bind(listen.address).map_err(failed)?;
        listening.push(Listening { mode: listen.mode, address: listener.local_addr().map_err(failed)? });
        bound.push(listener);
    }
    Ok((bound, listening))
}

/// The names that a self-signed certificate needs: those by which clients may come.
fn names(config: &Config) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let mut add = |name: String| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    if let Some(name) = host_name() {
        add(name);
    }
    for listen in config.listen.iter() {
        let ip = listen.address.ip();
        if !ip.is_unspecified() {
            add(ip.to_string());
        } else if let Some(ip) = own_address(ip.is_ipv6()) {
            add(ip.to_string());
        }
    }
    if let Some(ip) = config.passive.public_address {
        add(ip.to_string());
    }
    names
}

/// The name of this machine, where it may stand in a certificate.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?.trim().to_ascii_lowercase();
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (name.len() <= 253 && name.split('.').all(label) && name.parse::<IpAddr>().is_err()).then_some(name)
}

/// The address from which this machine talks to others. Connecting a UDP socket sends nothing; the addresses are those of RFC 5737
/// and RFC 3849.
fn own_address(v6: bool) -> Option<IpAddr> {
    let (any, far) = if v6 { ("[::]:0", "[2001:db8::1]:9") } else { ("0.0.0.0:0", "192.0.2.1:9") };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(far).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified() && !ip.is_loopback())
}

/// Takes as many file descriptors as this process may have, and says so where they are too few for the sessions allowed.
fn raise_descriptor_limit(config: &Config) {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let available = if raised.is_ok() { limit.maximum } else { limit.current };
    let needed = u64::from(config.limits.sessions.0) * DESCRIPTORS_PER_SESSION;
    if let Some(available) = available.filter(|available| *available < needed) {
        tracing::debug!(
            target: "carrack",
            available,
            needed,
            mend = "raise the hard limit (ulimit -Hn, LimitNOFILE=), or lower limits.sessions",
            "few_file_descriptors"
        );
    }
}
