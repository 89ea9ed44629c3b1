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
    named: Mutex<(Turn, Arc<[Named]>)>,
}

/// Whose turn it is to say what is shown: that of the keeper of the latest configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn(u64);

impl Turn {
    /// The one behind it.
    pub(super) fn next(self) -> Turn {
        Turn(self.0 + 1)
    }
}

impl Shown {
    /// These, the default first.
    pub(crate) fn new(default: Named, further: Vec<Named>) -> Shown {
        let (set, named) = both(default, further);
        Shown { identities: Arc::new(Identities::several(set)), named: Mutex::new((Turn::default(), named)) }
    }

    /// What listeners show, as long as there are any.
    pub(crate) fn identities(&self) -> Arc<Identities> {
        Arc::clone(&self.identities)
    }

    /// All of them, the default first.
    pub(crate) fn named(&self) -> Arc<[Named]> {
        Arc::clone(&self.named.lock().unwrap_or_else(PoisonError::into_inner).1)
    }

    /// Whose turn it is.
    pub(super) fn turn(&self) -> Turn {
        self.named.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Shows these to connections that come from now on; nothing, where the turn has passed to another keeper.
    pub(crate) fn replace(&self, turn: Turn, default: Named, further: Vec<Named>) {
        let (set, named) = both(default, further);
        let mut held = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if turn >= held.0 {
            self.identities.replace(set);
            *held = (turn, named);
        }
    }
}

fn both(default: Named, further: Vec<Named>) -> (Set, Arc<[Named]>) {
    let identity = |named: &Named| named.identity.clone();
    let set = Set { default: identity(&default), further: further.iter().map(identity).collect() };
    (set, std::iter::once(default).chain(further).collect())
}
