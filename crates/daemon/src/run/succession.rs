//! How does a server give its place to another process, and how does that one take it?

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use carrack_ftp_server::DataPorts;
use carrack_records::partials::PartialJournal;
use carrack_storage::local::{LocalSettings, LocalStore};

use super::generation::Lasting;
use super::serving::Serving;
use super::strays::{self, Offers};
use crate::config::Config;
use crate::ctl::{Leaving, Parcel, Predecessor, Succession, Successor};
use crate::hooks::{self, Deliveries, Hooks};
use crate::packets::{self, MOST_DESCRIPTORS};
use crate::quota::Quotas;

/// What goes with the sockets.
const BESIDE_SOCKETS: usize = 3;

impl Serving {
    /// What another process needs to take this one's place. Until it says that it serves, or is gone, both may write the journal.
    pub(super) fn hand_over(&mut self) -> Result<(Parcel, Succession), String> {
        let config = &self.generation.config;
        if !self.is_alone.load(Ordering::Relaxed) {
            return Err("the server before it has not ended yet; try again then".to_owned());
        }
        let failed = |error: std::io::Error| format!("the sockets cannot be handed over: {error}");
        let mut sockets = Vec::new();
        for door in &self.generation.doors {
            let (address, mode) = door.wanted();
            sockets.push((door.share().map_err(failed)?, address, Some(mode)));
        }
        if let (Some(metrics), Some(socket)) = (&config.metrics, &self.metrics_socket) {
            sockets.push((socket.try_clone().map_err(failed)?, metrics.address, None));
        }
        if let (Some(asked), Some(socket)) = (asked_at(config), &self.acme_socket) {
            sockets.push((socket.try_clone().map_err(failed)?, asked, None));
        }
        for (socket, address) in &self.data_sockets {
            sockets.push((socket.try_clone().map_err(failed)?, *address, None));
        }
        let mut strays = None;
        if let DataPorts::Shared(port) = &self.lasting.ports {
            let (theirs, ours) = packets::pair().map_err(failed)?;
            (strays, self.strays) = (Some((port.number(), theirs)), Some(ours));
        }
        if sockets.len() + BESIDE_SOCKETS > MOST_DESCRIPTORS {
            return Err(format!(
                "no more than {} sockets can be handed over",
                MOST_DESCRIPTORS - BESIDE_SOCKETS
            ));
        }
        let parcel = Parcel {
            sockets,
            lock: self.lasting.state.share_lock().map_err(failed)?,
            control: self.control_socket.try_clone().map_err(failed)?,
            strays,
        };
        self.journal.share(true);
        tracing::info!(target: "carrack", "handing_over");
        let journal = Arc::clone(&self.journal);
        let undo = move || {
            journal.share(false);
            tracing::warn!(target: "carrack", kept = "this process serves on", "hand_over_failed");
        };
        Ok((parcel, Succession::undone_by(undo)))
    }

    /// Gives up its place. Nobody is accepted here any more once this is over.
    pub(super) async fn succeed(&mut self, successor: Successor) {
        let process = successor.process;
        self.lasting.drain.close();
        // What it has begun with an authority, the other begins anew.
        self.ordering.shutdown().await;
        if successor.data_port
            && let (DataPorts::Shared(port), Some(strays)) = (&self.lasting.ports, self.strays.take())
        {
            self.at_data_port.shutdown().await;
            self.data_sockets.clear();
            self.upkeep.spawn(strays::take_in(strays, Arc::clone(port)));
        }
        tracing::info!(target: "carrack", process, "handed_over");
        self.control_is_ours.store(false, Ordering::Relaxed);
        self.control_stops.notify_one();
        self.systemd.succeeded_by(process);
        self.successor = Some(successor);
    }
}

/// Where certificate authorities ask.
fn asked_at(config: &Config) -> Option<SocketAddr> {
    config.acme.as_ref()?.asked_at().map(|(_, address)| address)
}

/// Tells the server before this one that its place is taken, which accepts nobody any more then. `None` where it has gone meanwhile.
pub(super) async fn take_place(
    mut predecessor: Predecessor,
    lasting: &Lasting,
    control_is_ours: &AtomicBool,
) -> Option<Leaving> {
    let port = match &lasting.ports {
        DataPorts::Shared(port) => Some(port),
        DataPorts::Range(_) => None,
    };
    let strays = port.and_then(|port| Some((Arc::clone(port), predecessor.strays(port.number())?)));
    let data_port = strays.is_some();
    let leaving = tokio::task::spawn_blocking(move || predecessor.succeed(data_port)).await;
    control_is_ours.store(true, Ordering::Relaxed);
    // What is written there is for people; the lock is what counts.
    let _ = lasting.state.note_holder();
    tracing::info!(target: "carrack", "took_over");
    let offered = strays.map(|(port, socket)| Offers::new(socket).map(|offers| (port, offers)));
    let leaving = leaving.map_err(std::io::Error::other).flatten();
    match (leaving, offered.transpose()) {
        (Ok(leaving), Ok(offered)) => {
            if let Some((port, offers)) = offered {
                port.set_elsewhere(Some(Arc::<Offers>::clone(&offers) as _));
                tokio::spawn(async move {
                    offers.hear().await;
                    port.set_elsewhere(None);
                });
            }
            Some(leaving)
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(target: "carrack", why = %error, "predecessor_lost");
            None
        }
    }
}

/// What the server before leaves behind, and who takes it up.
pub(super) struct Left {
    pub(super) journal: Arc<PartialJournal>,
    pub(super) config: Arc<Config>,
    pub(super) hooks: Option<(Arc<Hooks>, Deliveries)>,
    pub(super) is_alone: Arc<AtomicBool>,
    pub(super) quotas: Arc<Quotas>,
}

/// Takes up what the server before this one has left, once it has ended.
pub(super) async fn settle(leaving: Option<Leaving>, left: Left) {
    let Left { journal, config, hooks, is_alone, quotas } = left;
    let waits_for_hooks = hooks.as_ref().map(|(hooks, _)| Arc::clone(hooks));
    let waited = tokio::task::spawn_blocking(move || {
        if let Some(Err(error)) = leaving.map(Leaving::wait) {
            tracing::warn!(target: "carrack", why = %error, "predecessor_lost");
        }
        tracing::info!(target: "carrack", "predecessor_ended");
        if let Err(error) = journal.settle().and_then(|()| undo_extensions(&config, &journal)) {
            tracing::warn!(target: "carrack", why = %error, "journal_failed");
        }
        // What the other process wrote was counted by nobody else.
        quotas.recount();
        if let Some(hooks) = waits_for_hooks {
            hooks.settle();
        }
        is_alone.store(true, Ordering::Relaxed);
    });
    let _ = waited.await;
    if let Some((_, deliveries)) = hooks {
        hooks::deliver(deliveries).await;
    }
}

/// Cuts off what the other process left unacknowledged, where it did not end in order.
fn undo_extensions(config: &Config, journal: &Arc<PartialJournal>) -> std::io::Result<()> {
    for user in config.user.iter() {
        LocalStore::open(&user.home, LocalSettings::new(Arc::<PartialJournal>::clone(journal) as _))?;
    }
    Ok(())
}
