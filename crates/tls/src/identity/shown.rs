//! Which identities a server has, and which of them one connection is shown.

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{Identity, choice};

/// The identities of a server, exchangeable while it runs: one for whomever, and further ones for those who ask for their
/// names. Listeners share it.
#[derive(Debug)]
pub struct Identities(RwLock<Arc<Set>>);

/// The identities at one moment.
#[derive(Debug, Clone)]
pub struct Set {
    /// For clients that name nobody.
    pub default: Identity,
    /// For clients that ask for their names, or take no other kind of key, in order of preference.
    pub further: Vec<Identity>,
}

impl Set {
    /// Every one, the default first.
    pub fn iter(&self) -> impl Iterator<Item = &Identity> + Clone {
        std::iter::once(&self.default).chain(&self.further)
    }
}

impl From<Identity> for Set {
    fn from(default: Identity) -> Set {
        Set { default, further: Vec::new() }
    }
}

impl Identities {
    /// This identity, for whomever.
    pub fn new(identity: Identity) -> Identities {
        Identities::several(identity.into())
    }

    /// Several.
    pub fn several(set: Set) -> Identities {
        Identities(RwLock::new(Arc::new(set)))
    }

    /// The identity that clients are shown who name nobody.
    pub fn current(&self) -> Identity {
        self.set().default.clone()
    }

    /// All of them as they are now.
    pub fn set(&self) -> Arc<Set> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shows these to connections that come from now on. Those that exist stay as they are, and so do their data
    /// connections.
    pub fn replace(&self, set: impl Into<Set>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set.into());
    }

    /// Whether a client may ask for this server by `name`, a DNS name or an IP address.
    ///
    /// With certificates for different names it has to be one of theirs. Where all stand for the same, every name is
    /// taken: the client judges whether the certificate is for the name it meant.
    pub fn answer_to(&self, name: &str) -> bool {
        choice::answer_to(&self.set(), name)
    }
}

/// What one control connection and its data connections are shown.
#[derive(Debug)]
pub(crate) struct Showing {
    identities: Arc<Identities>,
    /// The name given with HOST before TLS (RFC 7151 §4), for clients whose handshake names nobody.
    host: Option<String>,
    /// What the control connection was shown, and the name in its handshake.
    shown: OnceLock<Shown>,
}

#[derive(Debug)]
struct Shown {
    identity: Identity,
    asked: Option<String>,
}

impl Showing {
    pub(crate) fn new(identities: Arc<Identities>, host: Option<String>) -> Showing {
        Showing { identities, host, shown: OnceLock::new() }
    }

    /// Whether a handshake that names `asked` may go on.
    ///
    /// SECURITY: a browser that somebody led here asks for the name of a web server. It must not be given a certificate that
    /// stands for that name as well, neither here nor on a data port, whose bytes others choose (ALPACA). A name that its
    /// own control connection gave stays good when the certificates change.
    pub(crate) fn answers_to(&self, asked: &str) -> bool {
        let was_asked = self.shown.get().and_then(|shown| shown.asked.as_deref());
        was_asked.is_some_and(|before| before.eq_ignore_ascii_case(asked)) || self.identities.answer_to(asked)
    }

    /// Whether what was shown is for `name`, as far as certificates here tell names apart.
    pub(crate) fn stands_for(&self, name: &str) -> bool {
        let shown = self.shown.get().map(|shown| &shown.identity);
        !choice::tells_names_apart(&self.identities.set()) || shown.is_some_and(|shown| shown.is_for(name))
    }
}

impl ResolvesServerCert for Showing {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().map(str::to_ascii_lowercase);
        let schemes = hello.signature_schemes();
        // A client may compare what its data connections show with what its control connection showed.
        if let Some(shown) = self.shown.get()
            && (asked.is_none() || asked == shown.asked)
            && shown.identity.suits(schemes)
        {
            return Some(shown.identity.shown_now());
        }
        let set = self.identities.set();
        let identity = choice::choose(&set, asked.as_deref().or(self.host.as_deref()), schemes);
        let _ = self.shown.set(Shown { identity: identity.clone(), asked });
        Some(identity.shown_now())
    }
}
