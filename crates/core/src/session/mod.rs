//! What can a logged-in user do? One file per operation, the same lines for every protocol.

mod attributes;
mod combine;
mod delete;
mod digest;
mod directory;
mod list;
mod read;
mod rename;
mod stat;
mod told;
mod write;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::account::{Account, InTransit};
use crate::certificate::Certificate;
use crate::digest::{Algorithm, Digests, WhileUploading};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Change, Event, Events, Origin, SessionId};
use crate::login::{Authenticator, LoginError};
use crate::mounts::Mounts;
use crate::path::VirtualPath;
use crate::permission::Permissions;
use crate::policy::Policy;
use crate::takeover::{Key, LiveUploads};

pub use self::combine::{Combined, Combining};
use self::told::Told;
pub use digest::Digesting;
pub use write::WriteMode;

/// What all sessions of a process share.
#[derive(Debug)]
pub struct Core {
    /// Who may log in.
    pub authenticator: Authenticator,
    /// Who is told what happens.
    pub events: Events,
    uploads: Arc<LiveUploads>,
    pub(crate) digests: Digests,
    /// How many sessions there were.
    sessions: AtomicU64,
}

impl Core {
    /// One per process.
    pub fn new(authenticator: Authenticator, events: Events) -> Arc<Core> {
        Core::with_digests(authenticator, events, WhileUploading::default())
    }

    /// One per process, with another rule for the digests of uploads than the default one.
    pub fn with_digests(
        authenticator: Authenticator,
        events: Events,
        while_uploading: WhileUploading,
    ) -> Arc<Core> {
        Arc::new(Core {
            authenticator,
            events,
            uploads: Arc::default(),
            digests: Digests::new(while_uploading),
            sessions: AtomicU64::new(0),
        })
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
        certificate: Option<&Arc<Certificate>>,
    ) -> Result<Arc<Account>, LoginError> {
        let outcome = self.authenticator.authenticate(user, password, certificate.map(Arc::as_ref)).await;
        self.events.emit(&Event::Login {
            origin: origin.clone(),
            user: user.to_owned(),
            certificate: certificate.cloned(),
            outcome: outcome.as_ref().map(drop).map_err(|error| *error),
        });
        outcome
    }

    /// Refuses the login of a client who has shown a certificate that is no longer accepted, and tells the subscribers.
    pub async fn refuse_certificate(&self, origin: &Origin, user: &str, password: &[u8]) -> LoginError {
        let error = self.authenticator.refuse_certificate(user, password).await;
        self.events.emit(&Event::Login {
            origin: origin.clone(),
            user: user.to_owned(),
            certificate: None,
            outcome: Err(error),
        });
        error
    }

    /// The account of this name where the certificate alone suffices to log in, which is then told. `None`: a password is
    /// needed, and is for [`login`](Core::login) to judge.
    pub fn login_by_certificate(
        &self,
        origin: &Origin,
        user: &str,
        certificate: Option<&Arc<Certificate>>,
    ) -> Option<Arc<Account>> {
        let account = self.authenticator.by_certificate(user, certificate.map(Arc::as_ref))?;
        self.events.emit(&Event::Login {
            origin: origin.clone(),
            user: user.to_owned(),
            certificate: certificate.cloned(),
            outcome: Ok(()),
        });
        Some(account)
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
    /// The digest that this session asked for last.
    asked: Mutex<Option<Algorithm>>,
    started: Instant,
}

impl Session {
    /// Opens a session of this account. `read_only` takes away all permissions but listing and reading.
    pub fn open(core: &Arc<Core>, account: Arc<Account>, origin: Origin, read_only: bool) -> Session {
        let ceiling = if read_only { Permissions::READ_ONLY } else { Permissions::ALL };
        core.events.emit(&Event::SessionOpened { origin: origin.clone(), user: account.name.clone() });
        Session {
            core: Arc::clone(core),
            policy: Policy::new(Arc::clone(&account), ceiling),
            mounts: Mounts::new(Arc::clone(&account)),
            account,
            told: Arc::default(),
            asked: Mutex::default(),
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

    /// Tells the subscribers of an operation that was refused.
    pub fn tell_refusal(&self, error: &Error) {
        self.core.events.emit(&Event::OperationRefused {
            origin: self.origin.clone(),
            user: self.account.name.clone(),
            path: error.path().cloned(),
            kind: error.kind(),
        });
    }

    /// Names the path in an error, and tells the subscribers of it where the peer is told too little.
    fn outcome<T>(&self, what: &'static str, path: &VirtualPath, outcome: Result<T>) -> Result<T> {
        outcome.map_err(|error| {
            let error = error.at(path);
            self.core.failed(&self.origin, &self.account.name, what, path, &error);
            error
        })
    }

    /// Notes that this session looks at digests.
    fn asks_for(&self, algorithm: Algorithm) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(algorithm);
    }

    /// What is to be computed while an upload's bytes pass.
    fn digest_of_uploads(&self) -> Option<Algorithm> {
        match self.core.digests.while_uploading {
            WhileUploading::Asked => *self.asked.lock().unwrap_or_else(PoisonError::into_inner),
            WhileUploading::Always(algorithm) => Some(algorithm),
            WhileUploading::Never => None,
        }
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
