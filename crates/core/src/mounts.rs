//! Which store, and where in it? Turns what is permitted into what can be done.

use std::sync::Arc;

use crate::account::Account;
use crate::backend::Backend;
use crate::path::VirtualPath;
use crate::policy::Permit;

/// A permitted action at a path of one store. Only mounts make it, and only from a [`Permit`].
#[derive(Debug)]
pub struct Located<A> {
    path: VirtualPath,
    action: A,
}

impl<A> Located<A> {
    /// The path within the store.
    pub fn path(&self) -> &VirtualPath {
        &self.path
    }

    /// What may be done there.
    pub fn action(&self) -> &A {
        &self.action
    }
}

/// Where the parts of a user's tree rest. One store for all of it today.
pub(crate) struct Mounts {
    account: Arc<Account>,
}

/// A store, and the place in it.
pub(crate) struct Place<'a, A> {
    pub(crate) store: &'a Arc<dyn Backend>,
    pub(crate) at: Located<A>,
}

impl Mounts {
    pub(crate) fn new(account: Arc<Account>) -> Mounts {
        Mounts { account }
    }

    pub(crate) fn locate<A>(&self, permit: Permit<A>) -> Place<'_, A> {
        let (path, action) = permit.into_parts();
        Place { store: &self.account.home, at: Located { path, action } }
    }
}
