//! Which certificates of clients are accepted, and what does one prove?

mod asking;
mod kept;
mod names;
mod refusal;
#[cfg(test)]
mod tests;
mod trust;

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

pub(crate) use asking::{Accepted, Asking};
pub(crate) use kept::Kept;
pub use names::ClientNames;
pub use refusal::{ClientDistrust, ClientRefusal};
pub use trust::{ClientTrust, ClientTrustError, ClientTrustSettings, UnknownRevocation, load_revocations};

use crate::identity::CertificateDescription;

/// Whether clients of a listener are asked for a certificate in the handshake (RFC 8446 §4.3.2).
#[derive(Debug, Clone, Default)]
pub enum ClientCertificates {
    /// They are not.
    #[default]
    NotAsked,
    /// They are, and come in without one as well. A certificate that is not accepted ends the handshake: a bad one is not none.
    Optional(Arc<AcceptedClients>),
    /// They are, and come in with one that is accepted or not at all.
    Required(Arc<AcceptedClients>),
}

impl ClientCertificates {
    pub(crate) fn accepted(&self) -> Option<&Arc<AcceptedClients>> {
        match self {
            ClientCertificates::NotAsked => None,
            ClientCertificates::Optional(accepted) | ClientCertificates::Required(accepted) => Some(accepted),
        }
    }
}

/// Whose certificates are accepted, exchangeable while the server runs. Listeners may share one.
#[derive(Debug)]
pub struct AcceptedClients {
    trust: RwLock<Arc<ClientTrust>>,
    changes: watch::Sender<()>,
}

impl AcceptedClients {
    /// Those that `trust` accepts.
    pub fn new(trust: ClientTrust) -> AcceptedClients {
        AcceptedClients { trust: RwLock::new(Arc::new(trust)), changes: watch::Sender::new(()) }
    }

    /// What counts for handshakes now.
    pub fn current(&self) -> Arc<ClientTrust> {
        Arc::clone(&self.trust.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Handshakes from now on are judged by `trust`, and whoever listens to [`changes`](Self::changes) is told. Connections
    /// stay as they are.
    pub fn replace(&self, trust: ClientTrust) {
        *self.trust.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(trust);
        self.changes.send_replace(());
    }

    /// Tells of each change from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

/// What a client has proved: that it holds the private key of an accepted certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// What the certificate says.
    pub description: CertificateDescription,
    /// For whom it stands. `None` where no authority vouches for it and its key alone is known: whoever holds a key can
    /// write any name into a certificate of their own.
    pub names: Option<ClientNames>,
    /// What could not be found out about its revocation, in words, where that is accepted.
    pub unknown_revocation: Option<String>,
}
