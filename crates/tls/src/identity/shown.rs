//! Which identity is shown to whom.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::Identity;

/// The identity that a server shows, exchangeable while it runs. With one certificate the client's server name decides nothing.
#[derive(Debug)]
pub struct Identities(RwLock<Identity>);

impl Identities {
    /// This identity, for whomever.
    pub fn new(identity: Identity) -> Identities {
        Identities(RwLock::new(identity))
    }

    /// The identity that new connections are shown.
    pub fn current(&self) -> Identity {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows `identity` to connections that come from now on. Those that exist stay as they are, and their data
    /// connections go on resuming.
    pub fn replace(&self, identity: Identity) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = identity;
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.0.read().unwrap_or_else(PoisonError::into_inner).certified_key()))
    }
}
