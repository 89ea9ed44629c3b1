//! How does a server give its place to another process, and how does that one take it?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use carrack_records::partials::PartialJournal;
use carrack_storage::local::{LocalSettings, LocalStore};

use super::serving::Serving;
use crate::config::Config;
use crate::ctl::{MOST, Parcel, Predecessor, Succession, Successor};
use crate::quota::Quotas;
use crate::state::StateFolder;

/// What goes with the sockets.
const BESIDE_SOCKETS: usize = 2;

impl Serving {
    /// What another process needs to take this one's place. Until it says that it serves, or is gone, both may write the journal.
    pub(super) fn hand_over(&self) -> Result<(Parcel, Succession), String> {
        let config = &self.generation.config;
        if !self.is_alone.load(Ordering::Relaxed) {
            return Err("the server before it has not ended yet; try again then".to_owned());
        }
        // SECURITY: nobody may be half served. What cannot be handed over has to be free first.
        if config.passive.ports.shared().is_some() {
            return Err("a data port that all sessions share (passive.ports) is not handed over; stop it and start the other".to_owned());
        }
        if config.acme.as_ref().is_some_and(|acme| acme.asked_at().is_some()) {
            return Err("the address at which certificate authorities ask (acme) is not handed over; stop it and start the other".to_owned());
        }
        if !config.hook.is_empty() {
            return Err(
                "what waits for hooks (hook) is not handed over; stop it and start the other".to_owned()
            );
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
        if sockets.len() + BESIDE_SOCKETS > MOST {
            return Err(format!("no more than {} sockets can be handed over", MOST - BESIDE_SOCKETS));
        }
        let parcel = Parcel {
            sockets,
            lock: self.lasting.state.share_lock().map_err(failed)?,
            control: self.control_socket.try_clone().map_err(failed)?,
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

    /// Gives up its place.
    pub(super) fn succeed(&mut self, successor: Successor) {
        let process = successor.process;
        tracing::info!(target: "carrack", process, "handed_over");
        self.control_is_ours.store(false, Ordering::Relaxed);
        self.control_stops.notify_one();
        self.systemd.succeeded_by(process);
        self.successor = Some(successor);
    }
}

/// What the server before leaves behind, and who takes it up.
pub(super) struct Left {
    pub(super) journal: Arc<PartialJournal>,
    pub(super) config: Arc<Config>,
    pub(super) state: Arc<StateFolder>,
    pub(super) control_is_ours: Arc<AtomicBool>,
    pub(super) is_alone: Arc<AtomicBool>,
    pub(super) quotas: Arc<Quotas>,
}

/// Tells the server before this one that its place is taken, and once it has ended, takes up what it left.
pub(super) async fn succeed(predecessor: Predecessor, left: Left) {
    let waited = tokio::task::spawn_blocking(move || {
        let Left { journal, config, state, control_is_ours, is_alone, quotas } = left;
        let told = || {
            control_is_ours.store(true, Ordering::Relaxed);
            // What is written there is for people; the lock is what counts.
            let _ = state.note_holder();
            tracing::info!(target: "carrack", "took_over");
        };
        if let Err(error) = predecessor.succeed(told) {
            tracing::warn!(target: "carrack", why = %error, "predecessor_lost");
        }
        tracing::info!(target: "carrack", "predecessor_ended");
        if let Err(error) = journal.settle().and_then(|()| undo_extensions(&config, &journal)) {
            tracing::warn!(target: "carrack", why = %error, "journal_failed");
        }
        // What the other process wrote was counted by nobody else.
        quotas.recount();
        is_alone.store(true, Ordering::Relaxed);
    });
    let _ = waited.await;
}

/// Cuts off what the other process left unacknowledged, where it did not end in order.
fn undo_extensions(config: &Config, journal: &Arc<PartialJournal>) -> std::io::Result<()> {
    for user in config.user.iter() {
        LocalStore::open(&user.home, LocalSettings::new(Arc::<PartialJournal>::clone(journal) as _))?;
    }
    Ok(())
}
