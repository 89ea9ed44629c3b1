//! How does a server come up, run and go down?

mod cut;
mod data_ports;
mod descriptors;
mod names;
mod signals;
mod start_error;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use carrack_core::Core;
use carrack_core::backend::PartialIndex;
use carrack_core::event::{Events, Subscriber};
use carrack_core::login::Authenticator;
use carrack_ftp_server::{FtpServer, NamedAddress, SharedPort};
use carrack_net::{Admission, Drain, Limits, Listener};
use carrack_records::partials::PartialJournal;
use carrack_tls::fips::Approved;
use carrack_tls::{Identities, Identity, PartnerTls, ServerTls, Sessions, Settings};

use crate::addresses::{self, Addresses};
use crate::config::{Checked, Config, Mode};
use crate::housekeeping::{self, Certificates};
use crate::log::EventLog;
use crate::state::StateFolder;
use crate::wiring;

use cut::CutTransfers;
pub use cut::{CutWhy, Stopped};
use data_ports::DataPortsBound;
use signals::{Signals, Told};
pub use start_error::StartError;

/// How long connections have to say goodbye once they were cut.
const CUT_GRACE: Duration = Duration::from_secs(5);

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
    identities: Arc<Identities>,
    listeners: Vec<(Arc<FtpServer>, Listener)>,
    listening: Vec<Listening>,
    shared: Vec<(Arc<SharedPort>, Listener)>,
    names: Vec<Arc<NamedAddress>>,
    drain: Drain,
    log: Arc<EventLog>,
    cut: Arc<CutTransfers>,
    journal: Arc<PartialJournal>,
    certificates: Certificates,
    // From here on a signal is ours, so that none that comes right after the start is lost.
    signals: Signals,
}

impl Server {
    /// Opens homes and journal, makes or loads the identity, and listens. Call it within a tokio runtime.
    ///
    /// # Errors
    /// Something is not there, or the system refuses it. Nothing listens then.
    pub fn start(checked: Checked, state: StateFolder) -> Result<Self, StartError> {
        let Checked { config, identity, partner_authorities, .. } = checked;
        if config.fips {
            let module = Approved::demand()?.module();
            tracing::info!(
                target: "carrack",
                generation = module.generation,
                release = module.release,
                certificate = module.certificate.unwrap_or_default(),
                "fips"
            );
        }
        let signals = Signals::new().map_err(StartError::System)?;
        descriptors::raise_limit(&config);

        let journal = PartialJournal::open(state.path())
            .map_err(|source| StartError::Journal { folder: state.path().display().to_string(), source })?;
        let journal = Arc::new(journal);
        let index: Arc<dyn PartialIndex> = Arc::<PartialJournal>::clone(&journal);
        let accounts = wiring::accounts(&config, &[state.path().to_owned()], &index)?;

        let log = Arc::new(EventLog::default());
        let cut = Arc::new(CutTransfers::default());
        let events = Events::new([
            Arc::<EventLog>::clone(&log) as Arc<dyn Subscriber>,
            Arc::<CutTransfers>::clone(&cut) as Arc<dyn Subscriber>,
        ]);
        let slots = std::thread::available_parallelism().map_or(1, usize::from);
        let authenticator = Authenticator::new(Arc::new(accounts), slots);
        let core = Core::with_digests(authenticator, events, wiring::while_uploading(&config));

        let certificates = match config.tls.clone() {
            Some(tls) => Certificates::Configured { tls, _held: state },
            None => Certificates::SelfSigned { names: names::names(&config), state },
        };
        let identity = match identity {
            Some(identity) => identity,
            None => certificates.load().map_err(|error| StartError::Tls(error.to_string()))?,
        };
        let identities = Arc::new(Identities::new(identity));
        let sessions = Sessions::default();

        let partners = partner_authorities
            .map(|authorities| PartnerTls::new(authorities, wiring::minimum_version(&config)).map(Arc::new))
            .transpose()
            .map_err(|error| StartError::Tls(error.to_string()))?;

        let (bound, listening) = bind(&config)?;
        let admission = Admission::new(Limits {
            sessions: usize::try_from(config.limits.sessions.0).unwrap_or(usize::MAX),
            sessions_per_source: usize::try_from(config.limits.sessions_per_source.0).unwrap_or(usize::MAX),
        });
        let DataPortsBound { ports, shared } = data_ports::bind(&config, &sessions)?;
        let addresses = Addresses::of(&config.passive);
        let drain = Drain::new();
        let listeners = config
            .listen
            .iter()
            .zip(bound)
            .map(|(listen, listener)| {
                let settings = wiring::ftp_settings(&config, listen, &addresses.told, partners.as_ref());
                let tls = Settings {
                    identities: Arc::clone(&identities),
                    policy: wiring::tls_policy(&config),
                    sessions: sessions.clone(),
                };
                let tls = ServerTls::new(tls).map_err(|error| StartError::Tls(error.to_string()))?;
                let (core, tls) = (Arc::clone(&core), Arc::new(tls));
                let server =
                    FtpServer::new(settings, core, tls, admission.clone(), ports.clone(), drain.clone());
                Ok((server, listener))
            })
            .collect::<Result<_, StartError>>()?;
        Ok(Self {
            config,
            identities,
            listeners,
            listening,
            shared,
            names: addresses.names,
            drain,
            log,
            cut,
            journal,
            certificates,
            signals,
        })
    }

    /// Where clients are served, in the order of the configuration.
    pub fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// The identity shown to clients.
    pub fn identity(&self) -> Identity {
        self.identities.current()
    }

    /// The certificate that clients have to trust, as a file; `None` where the configuration names one of a public authority's
    /// making.
    pub fn certificate_file(&self) -> Option<PathBuf> {
        match &self.certificates {
            Certificates::SelfSigned { state, .. } => Some(state.certificate()),
            Certificates::Configured { .. } => None,
        }
    }

    /// Serves until SIGTERM or SIGINT, then drains: idle sessions are told `421`, transfers finish within `drain_s`. A second signal
    /// ends everything now.
    pub async fn run(mut self) -> Stopped {
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
        upkeep.spawn(housekeeping::certificates(Arc::clone(&certificates), Arc::clone(&self.identities)));

        upkeep.spawn(addresses::follow(self.names));
        // Sessions that drain still finish their transfers, so this goes on until the end.
        for (port, listener) in self.shared {
            upkeep.spawn(port.serve(listener));
        }

        let why = loop {
            match self.signals.next().await {
                Told::Stop(signal) => break signal,
                Told::Reload => {
                    tracing::info!(
                        target: "carrack",
                        what = "certificate and key; every other option counts at the next start",
                        "reloading"
                    );
                    housekeeping::renew(Arc::clone(&certificates), Arc::clone(&self.identities)).await;
                }
            }
        };
        self.drain.start();
        let deadline: Duration = self.config.timeouts.drain_s.into();
        let (sessions, deadline_s) = (self.drain.live(), deadline.as_secs());
        tracing::info!(target: "carrack", signal = why, sessions, deadline_s, "draining");
        let impatient = tokio::select! {
            () = self.drain.idle() => None,
            () = tokio::time::sleep(deadline) => Some(CutWhy::Deadline { drain_s: deadline_s }),
            _ = self.signals.stop() => Some(CutWhy::SecondSignal),
        };
        let cut = self.drain.live();
        self.drain.cut();
        let _ = tokio::time::timeout(CUT_GRACE, self.drain.idle()).await;
        upkeep.shutdown().await;
        // A transfer that the storage holds up has not even noticed yet.
        let transfers_cut = self.cut.count().max(self.drain.live());
        tracing::info!(target: "carrack", cut, transfers_cut, "stopped");
        match impatient {
            Some(why) if transfers_cut > 0 => Stopped::Cut { transfers: transfers_cut, why },
            _ => Stopped::Drained,
        }
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
