//! Which identities are shown now, and in which files do they lie?

use std::sync::{Arc, Mutex, PoisonError};

use carrack_tls::{Identities, Identity, Set};

/// An identity with the file of its certificate.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) file: String,
    pub(crate) identity: Identity,
}

/// What is shown now. Listeners and measurements share it.
#[derive(Debug)]
pub(crate) struct Shown {
    identities: Arc<Identities>,
    named: Mutex<Arc<[Named]>>,
}

impl Shown {
    /// These, the default first.
    pub(crate) fn new(default: Named, further: Vec<Named>) -> Shown {
        let (set, named) = both(default, further);
        Shown { identities: Arc::new(Identities::several(set)), named: Mutex::new(named) }
    }

    /// What listeners show, as long as there are any.
    pub(crate) fn identities(&self) -> Arc<Identities> {
        Arc::clone(&self.identities)
    }

    /// All of them, the default first.
    pub(crate) fn named(&self) -> Arc<[Named]> {
        Arc::clone(&self.named.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shows these to connections that come from now on.
    pub(crate) fn replace(&self, default: Named, further: Vec<Named>) {
        let (set, named) = both(default, further);
        let mut held = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        self.identities.replace(set);
        *held = named;
    }
}

fn both(default: Named, further: Vec<Named>) -> (Set, Arc<[Named]>) {
    let identity = |named: &Named| named.identity.clone();
    let set = Set { default: identity(&default), further: further.iter().map(identity).collect() };
    (set, std::iter::once(default).chain(further).collect())
}
