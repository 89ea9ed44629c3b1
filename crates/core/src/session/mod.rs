//! What can a logged-in user do? One file per operation, the same lines for every protocol.

mod delete;
mod directory;
mod list;
mod read;
mod rename;
mod stat;
mod told;
mod write;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::account::{Account, InTransit};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Change, Event, Events, Origin, SessionId};
use crate::login::{Authenticator, LoginError};
use crate::mounts::Mounts;
use crate::path::VirtualPath;
use crate::permission::Permissions;
use crate::policy::Policy;
use crate::takeover::{Key, LiveUploads};

use self::told::Told;
pub use write::WriteMode;

/// What all sessions of a process share.
#[derive(Debug)]
pub struct Core {
    /// Who may log in.
    pub authenticator: Authenticator,
    /// Who is told what happens.
    pub events: Events,
    uploads: Arc<LiveUploads>,
    /// How many sessions there were.
    sessions: AtomicU64,
}

impl Core {
    /// One per process.
    pub fn new(authenticator: Authenticator, events: Events) -> Arc<Core> {
        Arc::new(Core { authenticator, events, uploads: Arc::default(), sessions: AtomicU64::new(0) })
    }

    /// The number of a new session, whichever protocol and listener it came to.
    pub fn next_session(&self) -> SessionId {
        SessionId(self.sessions.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Checks a login and tells the subscribers how it went. The account is the proof that
    /// [`Session::open`] asks for.
    pub async fn login(
        &self,
        origin: &Origin,
        user: &str,
        password: &[u8],
    ) -> Result<Arc<Account>, LoginError> {
        let outcome = self.authenticator.authenticate(user, password).await;
        self.events.emit(&Event::Login {
            origin: origin.clone(),
            user: user.to_owned(),
            outcome: outcome.as_ref().map(drop).map_err(|error| *error),
        });
        outcome
    }

    /// Tells the subscribers of a failure of the store of which the peer hears no more than that it was one.
    pub(crate) fn failed(
        &self,
        origin: &Origin,
        user: &str,
        what: &'static str,
        path: &VirtualPath,
        error: &Error,
    ) {
        if matches!(error.kind(), ErrorKind::Io | ErrorKind::NoSpace | ErrorKind::Forbidden) {
            self.events.emit(&Event::OperationFailed {
                origin: origin.clone(),
                user: user.to_owned(),
                what,
                path: path.clone(),
                error: error.to_string(),
            });
        }
    }
}

/// A logged-in user. Every call blocks on the store: run it off event threads. May be used from many at once.
pub struct Session {
    core: Arc<Core>,
    account: Arc<Account>,
    origin: Origin,
    policy: Policy,
    mounts: Mounts,
    told: Arc<Told>,
    started: Instant,
}

impl Session {
    /// Opens a session of this account. `read_only` takes away all permissions but listing and reading.
    pub fn open(core: &Arc<Core>, account: Arc<Account>, origin: Origin, read_only: bool) -> Session {
        let ceiling = if read_only { Permissions::READ_ONLY } else { Permissions::ALL };
        Session {
            core: Arc::clone(core),
            policy: Policy::new(Arc::clone(&account), ceiling),
            mounts: Mounts::new(Arc::clone(&account)),
            account,
            told: Arc::default(),
            origin,
            started: Instant::now(),
        }
    }

    /// Whose session this is.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Where it comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What the user may do at `path`.
    pub fn permissions(&self, path: &VirtualPath) -> Permissions {
        self.policy.permissions(path)
    }

    /// How the bytes of files at `path` may cross the network as far as the account is concerned.
    pub fn in_transit(&self, path: &VirtualPath) -> InTransit {
        self.policy.in_transit(path)
    }

    /// Names the path in an error, and tells the subscribers of it where the peer is told too little.
    fn outcome<T>(&self, what: &'static str, path: &VirtualPath, outcome: Result<T>) -> Result<T> {
        outcome.map_err(|error| {
            let error = error.at(path);
            self.core.failed(&self.origin, &self.account.name, what, path, &error);
            error
        })
    }

    fn upload_key(&self, path: &VirtualPath) -> Key {
        Key { user: self.account.name.clone(), path: path.clone() }
    }

    fn changed(&self, change: Change) {
        let (origin, user) = (self.origin.clone(), self.account.name.clone());
        self.core.events.emit(&Event::FileChanged { origin, user, change });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.core.events.emit(&Event::SessionEnded {
            origin: self.origin.clone(),
            user: self.account.name.clone(),
            lasted: self.started.elapsed(),
        });
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("account", &self.account)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
