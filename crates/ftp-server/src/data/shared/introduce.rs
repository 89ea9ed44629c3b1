//! For whom does a load balancer come to the shared port? A connection counts as come once that is said.

use std::sync::{Arc, PoisonError, RwLock};

use carrack_net::{Accepted, Network};
use tokio::sync::Semaphore;

use super::SharedPort;

/// Connections from balancers whose PROXY header may be outstanding at once. Balancers send it at once; what comes beside them is
/// closed.
const INTRODUCING: usize = 1024;

/// Who has to introduce its connections, and the places of those who have not yet.
pub(super) struct Introductions {
    balancers: RwLock<Arc<[Network]>>,
    places: Arc<Semaphore>,
}

impl Default for Introductions {
    fn default() -> Self {
        Self { balancers: RwLock::default(), places: Arc::new(Semaphore::new(INTRODUCING)) }
    }
}

impl SharedPort {
    /// Connections from these load balancers begin with a PROXY header from now on, and no others.
    pub fn set_balancers(&self, balancers: Arc<[Network]>) {
        *self.introductions.balancers.write().unwrap_or_else(PoisonError::into_inner) = balancers;
    }

    /// Takes in a new connection, which may be a balancer's. Never waits.
    pub(super) fn take_in(self: &Arc<Self>, accepted: Accepted) {
        let peer = accepted.peer;
        if !self.introductions.have(&accepted) {
            return self.admit(accepted);
        }
        let Ok(place) = Arc::clone(&self.introductions.places).try_acquire_owned() else {
            let error = "too many connections wait for their header";
            return tracing::debug!(%peer, %error, "data_connection_not_introduced");
        };
        let port = Arc::clone(self);
        tokio::spawn(async move {
            let introduced = accepted.introduced().await;
            drop(place);
            match introduced {
                Ok(accepted) => port.admit(accepted),
                Err(error) => tracing::debug!(%peer, %error, "data_connection_not_introduced"),
            }
        });
    }
}

impl Introductions {
    fn have(&self, accepted: &Accepted) -> bool {
        let balancers = self.balancers.read().unwrap_or_else(PoisonError::into_inner);
        balancers.iter().any(|network| network.contains(accepted.peer.ip()))
    }
}
