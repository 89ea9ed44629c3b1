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

use crate::account::{Account, Accounts, InTransit, User};
use crate::certificate::Certificate;
use crate::digest::{Algorithm, Digests, WhileUploading};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Change, Direction, Event, Events, Origin, SessionId};
use crate::limits::{Allowance, Buckets, Limit, Rates, SessionPlace, SessionUse, Users};
use crate::live::LiveSessions;
use crate::login::{Authenticator, LoginError, Why};
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
    /// Who is here.
    pub live: LiveSessions,
    uploads: Arc<LiveUploads>,
    pub(crate) digests: Digests,
    /// How fast the server may move files, and what is left of that.
    rates: Rates,
    buckets: Arc<Buckets>,
    users: Arc<Users>,
    /// How many sessions there were.
    sessions: Arc<AtomicU64>,
}

/// What is the same for all sessions of a process.
#[derive(Debug, Default)]
pub struct Settings {
    /// Of which uploads a digest is computed while the bytes come.
    pub while_uploading: WhileUploading,
    /// How fast the server may move files, all users together.
    pub rates: Rates,
}

impl Core {
    /// One per process.
    pub fn new(authenticator: Authenticator, events: Events) -> Arc<Core> {
        Core::with(authenticator, events, Settings::default())
    }

    /// One per process, with other settings than the default ones.
    pub fn with(authenticator: Authenticator, events: Events, settings: Settings) -> Arc<Core> {
        Arc::new(Core {
            authenticator,
            events,
            live: LiveSessions::default(),
            uploads: Arc::default(),
            digests: Digests::new(settings.while_uploading),
            rates: settings.rates,
            buckets: Arc::default(),
            users: Arc::default(),
            sessions: Arc::default(),
        })
    }

    /// What sessions share that are opened from now on: other accounts, other settings. Those of before keep theirs. What may
    /// be there once in a process, both have together: uploads, known digests, session numbers, places for hashing, what users have
    /// under way, and what is left of the server's budgets.
    pub fn renewed(&self, accounts: Arc<dyn Accounts>, settings: Settings) -> Arc<Core> {
        Arc::new(Core {
            authenticator: self.authenticator.with_accounts(accounts),
            events: self.events.clone(),
            live: self.live.clone(),
            uploads: Arc::clone(&self.uploads),
            digests: self.digests.under(settings.while_uploading),
            rates: settings.rates,
            buckets: Arc::clone(&self.buckets),
            users: Arc::clone(&self.users),
            sessions: Arc::clone(&self.sessions),
        })
    }

    /// Has its accounts count for every login from now on, also on connections of before.
    pub fn take_over(&self) {
        self.authenticator.take_over();
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
        let (from, who) = (origin.peer.ip(), User::of(origin, user));
        let outcome =
            self.authenticator.authenticate(from, who, password, certificate.map(Arc::as_ref)).await;
        let outcome = outcome.and_then(|account| {
            account.is_of(who).then_some(account).ok_or(LoginError::Refused(Why::UnknownUser))
        });
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
        let (from, who) = (origin.peer.ip(), User::of(origin, user));
        let error = self.authenticator.refuse_certificate(from, who, password).await;
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
        let (from, who) = (origin.peer.ip(), User::of(origin, user));
        let account = self.authenticator.by_certificate(from, who, certificate.map(Arc::as_ref))?;
        let account = Some(account).filter(|account| account.is_of(who))?;
        self.events.emit(&Event::Login {
            origin: origin.clone(),
            user: user.to_owned(),
            certificate: certificate.cloned(),
            outcome: Ok(()),
        });
        Some(account)
    }

    /// Tells the subscribers that a limit was met.
    pub(crate) fn limit_reached(&self, origin: &Origin, user: &str, limit: Limit) {
        let (origin, user) = (origin.clone(), user.to_owned());
        self.events.emit(&Event::LimitReached { origin, user, limit });
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
    /// Its place among its user's.
    place: SessionPlace,
    used: Arc<SessionUse>,
    /// The digest that this session asked for last.
    asked: Mutex<Option<Algorithm>>,
    started: Instant,
}

impl Session {
    /// Opens a session of this account. What `ceiling` does not have is not granted, whatever the account says.
    ///
    /// # Errors
    /// When the user has as many sessions as one may.
    pub fn open(
        core: &Arc<Core>,
        account: Arc<Account>,
        origin: Origin,
        ceiling: Permissions,
    ) -> Result<Session, Limit> {
        let place = core.users.enter(&account.id(), account.limits.sessions).map_err(|most| {
            let limit = Limit::Sessions(most);
            core.limit_reached(&origin, &account.name, limit);
            limit
        })?;
        core.events.emit(&Event::SessionOpened { origin: origin.clone(), user: account.name.clone() });
        Ok(Session {
            core: Arc::clone(core),
            policy: Policy::new(Arc::clone(&account), ceiling),
            mounts: Mounts::new(Arc::clone(&account)),
            account,
            told: Arc::default(),
            place,
            used: Arc::default(),
            asked: Mutex::default(),
            origin,
            started: Instant::now(),
        })
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
            option: match (error.kind(), error.path()) {
                (ErrorKind::Denied, Some(path)) => Some(self.policy.option(path)),
                (ErrorKind::Denied, None) => Some("user.permissions"),
                (ErrorKind::Limit(limit), _) => Some(limit.most().option),
                _ => None,
            },
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

    /// What the limits leave for a transfer of so many bytes; nobody is told of a limit that leaves too little.
    fn allot(&self, direction: Direction, bytes: u64) -> Result<Allowance, Limit> {
        let mut allowance = self.allot_of_session(bytes)?;
        self.begin(&mut allowance, direction).inspect_err(|_| allowance.give_back(bytes))?;
        Ok(allowance.opened())
    }

    /// What the session has left, before it is looked what else its user does.
    fn allot_of_session(&self, bytes: u64) -> Result<Allowance, Limit> {
        Allowance::of_session(&self.account.limits, &self.used, bytes)
    }

    /// What is left of what the user may do at a time.
    fn begin(&self, allowance: &mut Allowance, direction: Direction) -> Result<(), Limit> {
        let server = (&self.core.rates, &*self.core.buckets);
        allowance.begin(&self.account.limits, &self.place, server, direction)
    }

    /// Tells the subscribers of a limit that was met.
    fn reached(&self, limit: Limit) -> Error {
        self.core.limit_reached(&self.origin, &self.account.name, limit);
        ErrorKind::Limit(limit).into()
    }

    /// Tells the subscribers of a limit that the store has met, if it is one.
    fn refused(&self, error: Error) -> Error {
        if let ErrorKind::Limit(limit) = error.kind() {
            self.core.limit_reached(&self.origin, &self.account.name, limit);
        }
        error
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
        Key { user: self.account.id().into_owned(), path: path.clone() }
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
