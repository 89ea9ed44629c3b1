//! How does a server come up, run and go down?

mod cut;
mod data_ports;
mod descriptors;
mod doors;
mod down;
mod generation;
mod handed;
mod memory;
mod names;
mod reload;
mod serving;
mod signals;
mod start_error;
mod strays;
mod succession;
mod systemd;
mod told;
mod users;

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use carrack_core::Core;
use carrack_core::event::{Events, Subscriber};
use carrack_core::login::Authenticator;
use carrack_net::{Admission, Bans, Drain, Listener};
use carrack_records::partials::PartialJournal;
use carrack_tls::fips::Approved;
use carrack_tls::{Identity, Sessions};

use crate::acme::{Acme, Questions};
use crate::config::{Checked, Config, ConfigFile, Mode};
use crate::ctl::{ControlSocket, Predecessor};
use crate::defence::{self, Defence};
use crate::hooks::{Deliveries, Hooks};
use crate::identities::{Keeper, Shown, Source};
use crate::log::{self, EventLog, Queue};
use crate::metrics::Metrics;
use crate::quota::Quotas;
use crate::sandbox::Inside;
use crate::state::StateFolder;
use crate::wiring::{self, Behind};

use cut::CutTransfers;
pub use cut::{CutWhy, Stopped};
use generation::{Generation, Lasting, Made};
pub use handed::Handed;
pub use memory::ask_for_small_pages;
use signals::Signals;
pub use start_error::StartError;

/// One address that is listened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    /// When TLS begins there.
    pub mode: Mode,
    /// The address in force, also where any free port was asked for.
    pub address: SocketAddr,
}

impl Listening {
    /// Tells in the log that it is up.
    fn tell(&self) {
        let Self { mode, address } = self;
        tracing::info!(target: "carrack", %mode, %address, "listening");
    }
}

/// What a server is given beside its configuration.
#[derive(Debug, Default)]
pub struct Provided {
    /// Where the configuration is read again at a reload. `None`: a reload reads certificates and the like alone.
    pub file: Option<ConfigFile>,
    /// The log of this process, whose level a reload may change.
    pub log: Option<log::Handle>,
    /// Sockets that listen already.
    pub handed: Handed,
    /// What this process may still do, and who does the rest.
    pub inside: Inside,
    /// The server whose place is taken.
    pub predecessor: Option<Predecessor>,
}

/// A server that listens; nothing is accepted before [`Server::run`].
pub struct Server {
    provided: Provided,
    lasting: Arc<Lasting>,
    made: Made,
    keeper: Keeper,
    log: Arc<EventLog>,
    /// Where log lines wait, this process's own and the others.
    logs: Vec<Queue>,
    xferlog: Option<log::Guard>,
    hooks: Option<(Arc<Hooks>, Deliveries)>,
    cut: Arc<CutTransfers>,
    journal: Arc<PartialJournal>,
    acme: Option<(Arc<Acme>, Option<Questions>)>,
    acme_socket: Option<TcpListener>,
    metrics: Option<(Arc<Metrics>, Listener)>,
    control: ControlSocket,
    control_socket: UnixListener,
    metrics_socket: Option<TcpListener>,
    // From here on a signal is ours, so that none that comes right after the start is lost.
    signals: Signals,
}

impl Server {
    /// Opens homes and journal, makes or loads the identity, and listens. Call it within a tokio runtime.
    ///
    /// # Errors
    /// Something is not there, or the system refuses it. Nothing listens then.
    pub fn start(
        mut checked: Checked,
        state: StateFolder,
        mut provided: Provided,
    ) -> Result<Self, StartError> {
        let inside = std::mem::take(&mut provided.inside);
        let handed = &mut provided.handed;
        if checked.config.fips {
            let module = Approved::demand()?.module();
            tracing::info!(
                target: "carrack",
                generation = module.generation,
                release = module.release,
                certificate = module.certificate.unwrap_or_default(),
                "fips"
            );
        }
        inside.tell();
        let signals = Signals::new().map_err(StartError::System)?;
        descriptors::raise_limit(&checked.config);

        let (open, behind): (fn(&Path) -> _, _) = match &provided.predecessor {
            Some(_) => (PartialJournal::join, Behind::AReload),
            None => (PartialJournal::open, Behind::AStop),
        };
        let journal = open(state.path())
            .map_err(|source| StartError::Journal { folder: state.path().display().to_string(), source })?;
        let journal = Arc::new(journal);

        let (joins, programs) = (provided.predecessor.is_some(), inside.programs());
        let hooks = Hooks::start(&checked.config, state.path(), joins, programs)?;
        let acme = checked.config.acme.as_ref();
        let acme = acme.map(|acme| Acme::start(acme, &state, handed, programs)).transpose()?;
        let state = Arc::new(state);
        let source = Source::of(&checked.config, names::names(&checked.config), Arc::clone(&state))?;
        let keeper = Keeper::start(source, checked.identities.take(), checked.tls.listeners.clone())?;

        let log = Arc::new(EventLog::default());
        let cut = Arc::new(CutTransfers::default());
        let bans = Arc::new(Bans::default());
        let bans_file = Arc::new(state.bans()?);
        defence::restore(&bans, &bans_file);
        let usage_file = state.usage()?;
        let quotas = Arc::new(Quotas::restore(&usage_file, state.path()));
        let admission = Admission::new(wiring::limits(&checked.config)).with_bans(Arc::clone(&bans));
        let settings = defence::Settings::of(&checked.config);
        let defence = Arc::new(Defence::new(settings, Arc::clone(&bans), admission.clone()));
        let metrics = metrics(&checked.config, keeper.shown(), &bans, handed)?;
        let mut subscribers = vec![
            Arc::<EventLog>::clone(&log) as Arc<dyn Subscriber>,
            Arc::<CutTransfers>::clone(&cut) as Arc<dyn Subscriber>,
            Arc::<Defence>::clone(&defence) as Arc<dyn Subscriber>,
        ];
        let mut logs: Vec<_> = provided.log.iter().map(|log| log.queue().clone()).collect();
        let xferlog = wiring::xferlog(&checked.config)?.map(|(xferlog, guard)| {
            logs.push(guard.queue().clone());
            subscribers.push(Arc::new(xferlog));
            guard
        });
        subscribers.extend(hooks.iter().map(|(hooks, _)| Arc::<Hooks>::clone(hooks) as _));
        subscribers.extend(metrics.iter().map(|(metrics, _)| Arc::<Metrics>::clone(metrics) as _));
        let events = Events::new(subscribers);

        let sessions = Sessions::default();
        let lasting = Arc::new(Lasting {
            index: Arc::<PartialJournal>::clone(&journal) as _,
            shown: Arc::clone(keeper.shown()),
            admission,
            defence: Arc::clone(&defence),
            bans,
            bans_file,
            quotas,
            usage_file,
            ports: data_ports::ports(&checked.config, &sessions),
            drain: Drain::new(),
            behind,
            state,
            sessions,
            inside,
        });
        let control_failed =
            |source| StartError::Control { folder: lasting.state.path().display().to_string(), source };
        let control = match &provided.predecessor {
            Some(predecessor) => {
                predecessor.control().and_then(|socket| ControlSocket::over(socket, lasting.state.path()))
            }
            None => ControlSocket::bind(lasting.state.path()),
        }
        .map_err(control_failed)?;
        let control_socket = control.share().map_err(control_failed)?;
        let metrics_socket = metrics.as_ref().map(|(_, listener)| listener.share()).transpose();
        let metrics_socket = metrics_socket.map_err(StartError::System)?;
        let limits = wiring::hashing(&checked.config);
        let core = |accounts, settings| {
            let authenticator = Authenticator::with_limits(Arc::new(accounts), limits, defence);
            Core::with(authenticator, events, settings)
        };
        let questions = acme.as_ref().and_then(|(_, questions)| questions.as_ref());
        let acme_socket = questions.map(Questions::share).transpose().map_err(StartError::System)?;
        let made = Generation::make(&lasting, checked, core, None, handed)?;
        match &provided.predecessor {
            // A listener that is not in the configuration any more ends with the server that had it.
            Some(_) => provided.handed = Handed::default(),
            None => provided.handed.all_taken()?,
        }
        Ok(Self {
            provided,
            lasting,
            made,
            keeper,
            log,
            logs,
            xferlog,
            hooks,
            cut,
            journal,
            acme,
            acme_socket,
            metrics,
            control,
            control_socket,
            metrics_socket,
            signals,
        })
    }

    /// Where clients are served, in the order of the configuration.
    pub fn listening(&self) -> Vec<Listening> {
        self.made.generation.doors.iter().map(|door| door.listening).collect()
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
    pub async fn run(self) -> Stopped {
        serving::serve(self).await
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("listening", &self.listening()).finish_non_exhaustive()
    }
}

/// The measurements, and where they are read; `None` where the configuration has none.
fn metrics(
    config: &Config,
    shown: &Arc<Shown>,
    bans: &Arc<Bans>,
    handed: &mut Handed,
) -> Result<Option<(Arc<Metrics>, Listener)>, StartError> {
    let Some(address) = config.metrics.as_ref().map(|metrics| metrics.address) else { return Ok(None) };
    let failed = |source| StartError::Metrics { address, source };
    let listener = handed.listen(address, None).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tracing::info!(target: "carrack", %address, "metrics_listening");
    let per_user = config.metrics.as_ref().map_or(0, |metrics| metrics.per_user.0);
    let per_user = usize::try_from(per_user).unwrap_or(0);
    let metrics = Metrics::new(Arc::clone(shown), Arc::clone(bans), per_user);
    Ok(Some((Arc::new(metrics), listener)))
}
