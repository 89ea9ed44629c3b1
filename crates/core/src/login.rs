//! Is this client that user? One check for all protocols, bounded in work and alike for users who do not exist.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::account::{Account, Accounts, LoginRule};
use crate::certificate::Certificate;
use crate::password::{self, Credential, MAX_PASSWORD, Memory};

/// How long a login waits for a free hashing slot. Shorter than any client's patience: under a flood of logins a
/// quick "try again later" serves everybody better than a queue.
pub const QUEUE_DEADLINE: Duration = Duration::from_secs(5);

/// Why a login failed. Peers are told [`Refused`](LoginError::Refused) in the same words whatever is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// Not this user with this password and certificate. The reason is for the log alone.
    Refused(Why),
    /// Too many logins at once. Retry later.
    Overloaded,
}

/// What was wrong with a login.
//
// SECURITY: for logs. A peer that learned it could tell which users exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No such account.
    UnknownUser,
    /// The password is wrong.
    WrongPassword,
    /// The certificate of this user is needed, and was not shown.
    NoCertificate,
    /// A certificate was shown that is accepted no more. Whoever has to come with a good one does not come with none.
    RefusedCertificate,
    /// The password is longer than [`MAX_PASSWORD`]; nothing was hashed.
    PasswordTooLong,
}

impl Why {
    /// The reason in words, for the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Why::UnknownUser => "unknown user",
            Why::WrongPassword => "wrong password",
            Why::NoCertificate => "no certificate of this user",
            Why::RefusedCertificate => "the certificate shown is no longer accepted",
            Why::PasswordTooLong => "password too long",
        }
    }
}

impl std::error::Error for LoginError {}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LoginError::Refused(_) => "login incorrect",
            LoginError::Overloaded => "too many logins at once, try again later",
        })
    }
}

/// Checks passwords, a few at a time.
pub struct Authenticator {
    accounts: Arc<dyn Accounts>,
    /// Each running hash holds one: memory and processor time stay bounded, and other sessions served.
    slots: Arc<Semaphore>,
    /// How many wait for a slot.
    waiting: AtomicUsize,
    /// How many slots there are.
    most: usize,
    /// The memory of the slots that are free: never more than there are slots.
    memories: Arc<Mutex<Vec<Memory>>>,
}

impl Authenticator {
    /// Checks against `accounts`, at most `slots` hashes at a time (as many as there are cores is right).
    pub fn new(accounts: Arc<dyn Accounts>, slots: usize) -> Authenticator {
        let most = slots.max(1);
        let slots = Arc::new(Semaphore::new(most));
        Authenticator { accounts, slots, waiting: AtomicUsize::new(0), most, memories: Arc::default() }
    }

    /// The account of this name, where the certificate alone suffices to log in to it. `None` says nothing: it may be that
    /// there is no such account, that a password is needed, or that the certificate is somebody else's.
    pub fn by_certificate(&self, user: &str, certificate: Option<&Certificate>) -> Option<Arc<Account>> {
        self.accounts.find(user).filter(|account| match account.login {
            LoginRule::Certificate | LoginRule::Either => account.is_proven_by(certificate),
            LoginRule::Password | LoginRule::Both => false,
        })
    }

    /// Logs a user in, or says why not.
    ///
    /// An unknown user and a wrong certificate cost the same work and give the same answer as a wrong password.
    pub async fn authenticate(
        &self,
        user: &str,
        password: &[u8],
        certificate: Option<&Certificate>,
    ) -> Result<Arc<Account>, LoginError> {
        // SECURITY: before any hashing, and for every user alike.
        if password.len() > MAX_PASSWORD {
            return Err(LoginError::Refused(Why::PasswordTooLong));
        }
        if let Some(account) = self.by_certificate(user, certificate) {
            return Ok(account);
        }
        let account = self.accounts.find(user);
        let known_hash = match &account {
            Some(account) => match &account.credential {
                // SECURITY: any password will do, and only where the rule asks for no more than that.
                Credential::Anyone if matches!(account.login, LoginRule::Password | LoginRule::Either) => {
                    return Ok(Arc::clone(account));
                }
                Credential::Password(hash) => Some(hash.clone()),
                Credential::Anyone | Credential::NoPassword => None,
            },
            None => None,
        };
        let decoy_cost = self.accounts.decoy_cost();
        let password = Zeroizing::new(password.to_vec());
        let slot = tokio::time::timeout(QUEUE_DEADLINE, Arc::clone(&self.slots).acquire_owned());
        let waits = Waits::new(&self.waiting);
        let Ok(Ok(slot)) = slot.await else { return Err(LoginError::Overloaded) };
        drop(waits);
        let memories = Arc::clone(&self.memories);
        let check = move || {
            // The slot is held by the work, not by whoever awaits it: a client that hangs up frees nothing early.
            let _slot = slot;
            let free = || memories.lock().unwrap_or_else(PoisonError::into_inner);
            let mut memory = free().pop().unwrap_or_default();
            let matches = match known_hash {
                Some(hash) => hash.verify_in(&mut memory, &password),
                None => {
                    password::verify_decoy(&mut memory, &password, decoy_cost);
                    false
                }
            };
            free().push(memory);
            matches
        };
        let matches = tokio::task::spawn_blocking(check).await.unwrap_or(false);
        // SECURITY: looked at behind the password, so that no time tells which of the two was wrong.
        let lacks_certificate = |account: &Account| match account.login {
            LoginRule::Certificate => true,
            LoginRule::Both => matches && !account.is_proven_by(certificate),
            LoginRule::Password | LoginRule::Either => false,
        };
        match account {
            Some(account) if lacks_certificate(&account) => Err(LoginError::Refused(Why::NoCertificate)),
            Some(account) if matches => Ok(account),
            Some(_) => Err(LoginError::Refused(Why::WrongPassword)),
            None => Err(LoginError::Refused(Why::UnknownUser)),
        }
    }
}

impl Authenticator {
    /// Refuses a client who has shown a certificate that is no longer accepted, whatever its password.
    pub async fn refuse_certificate(&self, user: &str, password: &[u8]) -> LoginError {
        // SECURITY: with the work of every other refusal.
        match self.authenticate(user, password, None).await {
            Err(LoginError::Overloaded) => LoginError::Overloaded,
            Ok(_) | Err(LoginError::Refused(_)) => LoginError::Refused(Why::RefusedCertificate),
        }
    }
}

impl Authenticator {
    /// How many passwords are hashed now, and how many wait for that.
    pub fn load(&self) -> (usize, usize) {
        (self.most.saturating_sub(self.slots.available_permits()), self.waiting.load(Ordering::Relaxed))
    }
}

/// One that waits, for as long as the value lives.
struct Waits<'w>(&'w AtomicUsize);

impl<'w> Waits<'w> {
    fn new(waiting: &'w AtomicUsize) -> Waits<'w> {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waits(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("free_slots", &self.slots.available_permits()).finish()
    }
}

#[cfg(test)]
mod tests;
