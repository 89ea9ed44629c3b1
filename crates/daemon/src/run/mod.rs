//! How does a server come up, run and go down?

mod cut;
mod data_ports;
mod descriptors;
mod memory;
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
use carrack_tls::{AcceptedClients, Identity, PartnerTls, ServerTls, Sessions, Settings};

use crate::acme::{self, Acme, Questions};
use crate::addresses::{self, Addresses};
use crate::clients;
use crate::config::{Checked, Config, Mode};
use crate::hooks::{self, Deliveries, Hooks};
use crate::housekeeping;
use crate::http;
use crate::identities::{Keeper, Shown, Source};
use crate::log::{EventLog, Guard, Queue};
use crate::metrics::{Metrics, Sources};
use crate::state::StateFolder;
use crate::watch::{self, Calls};
use crate::wiring;

use cut::CutTransfers;
pub use cut::{CutWhy, Stopped};
use data_ports::DataPortsBound;
pub use memory::ask_for_small_pages;
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
    keeper: Keeper,
    accepted: Option<Arc<AcceptedClients>>,
    listeners: Vec<(Arc<FtpServer>, Listener)>,
    listening: Vec<Listening>,
    shared: Vec<(Arc<SharedPort>, Listener)>,
    names: Vec<Arc<NamedAddress>>,
    drain: Drain,
    log: Arc<EventLog>,
    /// What is written to files that may get other names.
    logs: Vec<Queue>,
    xferlog: Option<Guard>,
    hooks: Option<(Arc<Hooks>, Deliveries)>,
    cut: Arc<CutTransfers>,
    journal: Arc<PartialJournal>,
    acme: Option<(Arc<Acme>, Option<Questions>)>,
    metrics: Option<(Arc<Metrics>, Listener)>,
    // From here on a signal is ours, so that none that comes right after the start is lost.
    signals: Signals,
}

impl Server {
    /// Opens homes and journal, makes or loads the identity, and listens. `process_log` is the log of this process. Call it within a
    /// tokio runtime.
    ///
    /// # Errors
    /// Something is not there, or the system refuses it. Nothing listens then.
    pub fn start(checked: Checked, state: StateFolder, process_log: &Guard) -> Result<Self, StartError> {
        let Checked { config, identities, tls, partners, client_trust, .. } = checked;
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

        let hooks = Hooks::start(&config, state.path())?;
        let acme = config.acme.as_ref().map(|acme| Acme::start(acme, &state)).transpose()?;
        let source = Source::of(&config, names::names(&config), state)?;
        let keeper = Keeper::start(source, identities, tls.listeners.clone())?;

        let log = Arc::new(EventLog::default());
        let cut = Arc::new(CutTransfers::default());
        let metrics = metrics(&config, keeper.shown())?;
        let mut subscribers = vec![
            Arc::<EventLog>::clone(&log) as Arc<dyn Subscriber>,
            Arc::<CutTransfers>::clone(&cut) as Arc<dyn Subscriber>,
        ];
        let mut logs = vec![process_log.queue().clone()];
        let xferlog = wiring::xferlog(&config)?.map(|(xferlog, guard)| {
            logs.push(guard.queue().clone());
            subscribers.push(Arc::new(xferlog));
            guard
        });
        subscribers.extend(hooks.iter().map(|(hooks, _)| Arc::<Hooks>::clone(hooks) as _));
        subscribers.extend(metrics.iter().map(|(metrics, _)| Arc::<Metrics>::clone(metrics) as _));
        let events = Events::new(subscribers);
        let slots = std::thread::available_parallelism().map_or(1, usize::from);
        let authenticator = Authenticator::new(Arc::new(accounts), slots);
        let core = Core::with_digests(authenticator, events, wiring::while_uploading(&config));

        let accepted = client_trust.map(|trust| Arc::new(AcceptedClients::new(trust)));
        let sessions = Sessions::default();

        let partners = partners
            .map(|believed| PartnerTls::new(believed, &tls.partners).map(Arc::new))
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
            .zip(tls.listeners)
            .zip(bound)
            .map(|((listen, policy), listener)| {
                let settings = wiring::ftp_settings(&config, listen, &addresses.told, partners.as_ref());
                let tls = Settings {
                    identities: keeper.shown().identities(),
                    policy,
                    clients: wiring::client_certificates(listen, accepted.as_ref()),
                    sessions: sessions.clone(),
                };
                let tls = ServerTls::new(tls).map_err(|error| StartError::Tls(error.to_string()))?;
                let (core, tls) = (Arc::clone(&core), Arc::new(tls));
                let server =
                    FtpServer::new(settings, core, tls, admission.clone(), ports.clone(), drain.clone());
                Ok((server, listener))
            })
            .collect::<Result<Vec<_>, StartError>>()?;
        if let Some((metrics, _)) = &metrics {
            metrics.ask(Sources {
                core: Arc::clone(&core),
                servers: listeners.iter().map(|(server, _)| Arc::clone(server)).collect(),
                logs: logs.clone(),
                hooks: hooks.as_ref().map(|(hooks, _)| Arc::clone(hooks)),
            });
        }
        Ok(Self {
            config,
            keeper,
            accepted,
            listeners,
            listening,
            shared,
            names: addresses.names,
            drain,
            log,
            logs,
            xferlog,
            hooks,
            cut,
            journal,
            acme,
            metrics,
            signals,
        })
    }

    /// Where clients are served, in the order of the configuration.
    pub fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// The identity shown to clients.
    pub fn identity(&self) -> Identity {
        self.keeper.shown().identities().current()
    }

    /// The certificate that clients have to trust, as a file; `None` where the configuration names one of a public authority's
    /// making.
    pub fn certificate_file(&self) -> Option<PathBuf> {
        self.keeper.own_certificate()
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
        let log = Arc::clone(&self.log);
        let mut upkeep = tokio::task::JoinSet::new();
        upkeep.spawn(async move { log.tell_suppressed().await });
        upkeep.spawn(housekeeping::partials(self.journal, self.config.upload.partial_expiry_s.into()));
        let calls = Calls::default();
        upkeep.spawn(watch::keep(self.keeper, calls.clone()));
        let acme = self.acme.map(|(acme, questions)| {
            upkeep.spawn(acme::keep(Arc::clone(&acme), Arc::clone(&calls.written)));
            questions.into_iter().for_each(|questions| {
                upkeep.spawn(questions.serve());
            });
            acme
        });
        if let Some((metrics, listener)) = self.metrics {
            let drain = self.drain.clone();
            upkeep.spawn(http::serve(listener, move |path| metrics.answer(path, &drain)));
        }
        upkeep.spawn(addresses::follow(self.names));
        let hooks = self.hooks.map(|(hooks, deliveries)| {
            upkeep.spawn(hooks::deliver(deliveries));
            hooks
        });
        // Sessions that drain still finish their transfers, so this goes on until the end.
        for (port, listener) in self.shared {
            upkeep.spawn(port.serve(listener));
        }

        let config = Arc::new(self.config);
        let clients_calls = Calls::default();
        if let Some(accepted) = self.accepted {
            let keeper = clients::Keeper::new(Arc::clone(&config), accepted);
            upkeep.spawn(watch::keep(keeper, clients_calls.clone()));
        }
        let logs = self.logs;
        let reopen = || logs.iter().for_each(Queue::reopen);
        let why = loop {
            match self.signals.next().await {
                Told::Stop(signal) => break signal,
                Told::Reopen => reopen(),
                Told::Reload => {
                    reopen();
                    tracing::info!(
                        target: "carrack",
                        what = "certificates, keys, staples, client_ca and crl; every other option counts at the next start",
                        "reloading"
                    );
                    calls.asked.notify_one();
                    clients_calls.asked.notify_one();
                    if let Some(acme) = &acme {
                        acme.try_now();
                    }
                }
            }
        };
        self.drain.start();
        let deadline: Duration = config.timeouts.drain_s.into();
        let (sessions, deadline_s) = (self.drain.live(), deadline.as_secs());
        tracing::info!(target: "carrack", signal = why, sessions, deadline_s, "draining");
        let impatient = tokio::select! {
            () = self.drain.idle() => None,
            () = tokio::time::sleep(deadline) => Some(CutWhy::Deadline { drain_s: deadline_s }),
            _ = self.signals.stop(reopen) => Some(CutWhy::SecondSignal),
        };
        let cut = self.drain.live();
        self.drain.cut();
        let _ = tokio::time::timeout(CUT_GRACE, self.drain.idle()).await;
        upkeep.shutdown().await;
        // A transfer that the storage holds up has not even noticed yet.
        let transfers_cut = self.cut.count().max(self.drain.live());
        if let Some(hooks) = hooks {
            // What is not delivered now is at the next start.
            let _ = tokio::task::spawn_blocking(move || hooks.flush()).await;
        }
        // Its last lines, before the log's own.
        drop(self.xferlog);
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

/// The measurements, and where they are read; `None` where the configuration has none.
fn metrics(config: &Config, shown: &Arc<Shown>) -> Result<Option<(Arc<Metrics>, Listener)>, StartError> {
    let Some(address) = config.metrics.as_ref().map(|metrics| metrics.address) else { return Ok(None) };
    let failed = |source| StartError::Metrics { address, source };
    let listener = Listener::bind(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tracing::info!(target: "carrack", %address, "metrics_listening");
    let per_user = config.metrics.as_ref().map_or(0, |metrics| metrics.per_user.0);
    let metrics = Metrics::new(Arc::clone(shown), usize::try_from(per_user).unwrap_or(0));
    Ok(Some((Arc::new(metrics), listener)))
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
