//! What is made of one configuration, and of the next one at a reload: all of it, or nothing.
//!
//! ```text
//!  Checked ─► Generation::make ─► Made ─ take_over ─► new sessions
//!                ▲      │
//!        Lasting ┘      └─ something is not there: what runs is not touched
//! ```

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;

use carrack_core::Core;
use carrack_core::backend::PartialIndex;
use carrack_core::session::Settings as CoreSettings;
use carrack_ftp_server::{DataPorts, FtpServer, NamedAddress};
use carrack_net::{Admission, Bans, Drain, Listener, NamedHost};
use carrack_records::accounts::ConfiguredAccounts;
use carrack_tls::{AcceptedClients, ByName, PartnerTls, ServerTls, Sessions, Settings};
use tokio::sync::watch;

use super::data_ports::{self, SharedListener};
use super::doors::{Door, kept};
use super::{Handed, Listening, StartError};
use crate::access::Lists;
use crate::addresses::Addresses;
use crate::config::{Checked, Config, Listen, Policies, Seen, VirtualServer, asks_clients, servers};
use crate::defence::{self, Defence};
use crate::hours::Schedule;
use crate::identities::Shown;
use crate::outside::Questions;
use crate::quota::Quotas;
use crate::sandbox::Inside;
use crate::state::{BansFile, StateFolder, UsageFile};
use crate::wiring::{self, Behind, WiringError};

/// What outlives every configuration, and what all of them share.
pub(super) struct Lasting {
    pub(super) state: Arc<StateFolder>,
    pub(super) index: Arc<dyn PartialIndex>,
    pub(super) shown: Arc<Shown>,
    pub(super) sessions: Sessions,
    pub(super) admission: Admission,
    pub(super) defence: Arc<Defence>,
    pub(super) bans: Arc<Bans>,
    pub(super) bans_file: Arc<BansFile>,
    pub(super) quotas: Arc<Quotas>,
    pub(super) usage_file: UsageFile,
    pub(super) ports: DataPorts,
    pub(super) drain: Drain,
    pub(super) inside: Inside,
    /// What was before the first configuration.
    pub(super) behind: Behind,
}

/// What sessions that begin now are served by.
pub(super) struct Generation {
    pub(super) config: Arc<Config>,
    pub(super) core: Arc<Core>,
    pub(super) doors: Vec<Door>,
    /// Whose certificates are accepted. Kept where listeners no longer ask: who came by one is still here.
    pub(super) accepted: Option<Arc<AcceptedClients>>,
    pub(super) names: Vec<Arc<NamedAddress>>,
    /// How many users the configuration file has itself.
    pub(super) own_users: usize,
    /// The file with the others, as it was read.
    pub(super) users_file: Option<Seen>,
    /// The names that clients may come from.
    pub(super) hosts: Vec<Arc<NamedHost>>,
    /// Where the shared data port is taken.
    data_addresses: Vec<IpAddr>,
}

/// A generation that has not taken over yet.
pub(super) struct Made {
    pub(super) generation: Arc<Generation>,
    /// The listeners of the doors that are new.
    pub(super) fresh: Vec<(watch::Receiver<Arc<FtpServer>>, Listener)>,
    pub(super) shared: Vec<SharedListener>,
    /// The rates that the hours change.
    pub(super) schedule: Schedule,
}

impl Generation {
    /// Makes what `checked` says. `core` makes the core of its accounts; `before` is what runs, where something does. What listens is
    /// taken from `handed`, where it was handed over.
    ///
    /// # Errors
    /// Something is not there, or the system refuses it. Nothing has changed then.
    pub(super) fn make(
        lasting: &Lasting,
        checked: Checked,
        core: impl FnOnce(ConfiguredAccounts, CoreSettings) -> Arc<Core>,
        before: Option<&Generation>,
        handed: &mut Handed,
    ) -> Result<Made, StartError> {
        let Checked { config, tls, partners, client_trust, own_users, users_file, .. } = checked;
        let Policies { listeners: policies, partners: of_partners } = tls;
        let excluded = [lasting.state.path().to_owned()];
        let behind = if before.is_some() { Behind::AReload } else { lasting.behind };
        let mut schedule = Schedule::default();
        let accounts =
            wiring::accounts(&config, &excluded, &lasting.index, behind, &mut schedule, &lasting.quotas)?;
        let programs = lasting.inside.programs();
        let outside = Questions::of(&config, &excluded, &lasting.index, &lasting.quotas, programs)
            .map_err(WiringError::Outside)?;
        let accounts = accounts.and(outside.map(|outside| outside as _));
        let core = core(accounts, wiring::core_settings(&config, &mut schedule));
        let partners = partners
            .map(|believed| PartnerTls::new(believed, &of_partners).map(Arc::new))
            .transpose()
            .map_err(|error| StartError::Tls(error.to_string()))?;
        // What is there already is for its keeper to renew: sessions that run are judged by it, and once.
        let accepted = before
            .and_then(|before| before.accepted.clone())
            .or_else(|| client_trust.map(|trust| Arc::new(AcceptedClients::new(trust))));
        let known = before.map(|before| before.names.as_slice()).unwrap_or_default();
        let Addresses { told, names } = Addresses::of(&config.passive, known);
        let known = before.map(|before| before.hosts.as_slice()).unwrap_or_default();
        let lists = Lists::of(&config, known);
        let doors_before = before.map(|before| before.doors.as_slice()).unwrap_or_default();

        let (mut doors, mut fresh) = (Vec::new(), Vec::new());
        let kept = kept(&config.listen, doors_before);
        for (index, ((listen, policy), kept)) in config.listen.iter().zip(policies).zip(kept).enumerate() {
            let access = lists.of_listener(index);
            // SECURITY: TLS of its own for each name, so that none resumes what another has agreed.
            let tls = |server: Option<&VirtualServer>| {
                let tls = ServerTls::new(Settings {
                    identities: lasting.shown.identities(),
                    policy: policy.clone(),
                    clients: wiring::client_certificates(listen, server, accepted.as_ref()),
                    sessions: lasting.sessions.clone(),
                });
                tls.map(Arc::new).map_err(|error| StartError::Tls(error.to_string()))
            };
            let virtual_servers = config
                .virtual_server
                .iter()
                .map(|server| Ok(wiring::virtual_server(&config, listen, server, tls(Some(server))?)));
            let servers = ByName::new(virtual_servers.collect::<Result<Vec<_>, StartError>>()?);
            let settings = wiring::ftp_settings(&config, listen, servers, access, &told, partners.as_ref());
            let tls = tls(None)?;
            let core = Arc::clone(&core);
            doors.push(match kept {
                Some(door) => door.renewed(listen, door.server().renewed(settings, core, tls)),
                None => {
                    let (listener, socket, address) = bind(listen, handed)?;
                    let Lasting { admission, ports, drain, .. } = lasting;
                    let (admission, ports, drain) = (admission.clone(), ports.clone(), drain.clone());
                    let server = FtpServer::new(settings, core, tls, admission, ports, drain);
                    let door = Door::new(listen, Listening { mode: listen.mode, address }, socket, server);
                    fresh.push((door.current(), listener));
                    door
                }
            });
        }
        let taken = before.map(|before| before.data_addresses.as_slice()).unwrap_or_default();
        let (shared, data_addresses) = data_ports::bind(&config, &lasting.ports, taken, handed)?;
        let config = Arc::new(config);
        let generation = Generation {
            config,
            core,
            doors,
            accepted,
            names,
            own_users,
            users_file,
            hosts: lists.names,
            data_addresses,
        };
        let generation = Arc::new(generation);
        Ok(Made { generation, fresh, shared, schedule })
    }
}

impl Generation {
    /// Whether any of its listeners asks for certificates.
    pub(super) fn asks_clients(&self) -> bool {
        let asks = |listen: &Listen| servers(&self.config).any(|server| asks_clients(listen, server));
        self.config.listen.iter().any(asks)
    }

    /// Tells which listeners there are that were not there `before`, and the other way round.
    pub(super) fn tell_doors(&self, before: &Generation) {
        let is_among = |door: &Door, doors: &[Door]| doors.iter().any(|other| other.is_same_listener(door));
        before.doors.iter().filter(|door| !is_among(door, &self.doors)).for_each(|door| {
            let Listening { mode, address } = door.listening;
            tracing::info!(target: "carrack", %mode, %address, "listener_closed");
        });
        let fresh = self.doors.iter().filter(|door| !is_among(door, &before.doors));
        fresh.for_each(|door| door.listening.tell());
    }
}

impl Made {
    /// Lets those who come from now on have it. What is new in it has to be served still.
    pub(super) fn take_over(&self, lasting: &Lasting) {
        let Generation { config, core, doors, .. } = &*self.generation;
        lasting.admission.limit(wiring::limits(config));
        lasting.defence.renew(defence::Settings::of(config));
        data_ports::tell_balancers(config, &lasting.ports);
        core.take_over();
        doors.iter().for_each(Door::open);
    }
}

fn bind(listen: &Listen, handed: &mut Handed) -> Result<(Listener, TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address: listen.address, mode: listen.mode, source };
    let listener = handed.listen(listen.address, Some(listen.mode)).map_err(failed)?;
    let (socket, address) = (listener.share().map_err(failed)?, listener.local_addr().map_err(failed)?);
    Ok((listener, socket, address))
}
