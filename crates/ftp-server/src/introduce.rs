//! For whom does a load balancer come? Its PROXY header is read before anything is counted or judged.

use std::net::SocketAddr;
use std::sync::Arc;

use carrack_core::event::Event;
use carrack_net::proxy::HeaderError;
use carrack_net::{Accepted, Phase};

use crate::FtpServer;

/// Connections from balancers whose header may be outstanding at once on a listener: as many as the kernel queues. Balancers
/// send it at once, so these are no limit on sessions.
pub(crate) const INTRODUCING: usize = 1024;

impl FtpServer {
    /// Whether a connection has to begin with a PROXY header. Others are not asked for one.
    pub(crate) fn is_from_balancer(&self, accepted: &Accepted) -> bool {
        let peer = accepted.peer.ip();
        self.settings.balancers.iter().any(|network| network.contains(peer))
    }

    /// Takes a connection in once its balancer has said for whom it is. Never waits.
    // SECURITY: in a task of its own, so that a balancer that keeps its header to itself holds up nobody else; and counted, so that
    // many of them take no more than their places.
    pub(crate) fn introduce(self: Arc<Self>, accepted: Accepted) {
        let peer = accepted.peer;
        let Ok(place) = Arc::clone(&self.introducing).try_acquire_owned() else {
            let why =
                format!("{INTRODUCING} connections from load balancers have not sent their PROXY header");
            return self.refuse_introduction(peer, why);
        };
        let live = self.drain.enter();
        tokio::spawn(async move {
            let introduced = tokio::select! {
                introduced = accepted.introduced() => introduced,
                // Nothing is lost: its client has said nothing yet.
                () = self.drain.reached(Phase::Draining) => return,
            };
            drop(place);
            match introduced {
                Ok(accepted) => self.let_in(accepted),
                Err(HeaderError::Silent) => tracing::debug!(%peer, "health_check"),
                Err(error) => {
                    let why = format!("{error}; load balancers in proxy_protocol have to send one");
                    self.refuse_introduction(peer, why);
                }
            }
            drop(live);
        });
    }

    // SECURITY: told as the balancer's, whom nobody bans for it.
    fn refuse_introduction(&self, peer: SocketAddr, why: String) {
        let option = "listen.proxy_protocol".to_owned();
        self.core.events.emit(&Event::ConnectionRefused { peer, reason: "proxy_protocol", option, why });
    }
}
