//! Is this client that user? One check for all protocols, bounded in work and alike for users who do not exist.

mod current;
mod hashing;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::account::{Account, Accounts, LoginRule, Unanswered, User};
use crate::certificate::Certificate;
use crate::pace::{Pace, Unhurried};
use crate::password::{self, Credential, MAX_PASSWORD, Memory};

use current::Current;
use hashing::Hashing;
pub use hashing::{HashingLimits, QUEUE_DEADLINE};

/// How long a refusal takes where users are not judged alike: where their hashes take different work, or somebody else is asked. Longer than
/// any of them should.
pub const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// Why a login failed. Peers are told [`Refused`](LoginError::Refused) in the same words whatever is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// Not this user with this password and certificate. The reason is for the log alone.
    Refused(Why),
    /// Too many logins at once. Retry later.
    Overloaded,
    /// Whoever knows about this user has not answered. Retry later.
    Unanswered(Unanswered),
    /// Too many failed logins lately from where this one comes; it was not judged. Retry later.
    TooManyGuesses,
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
    /// This user may not log in from this address.
    WrongNetwork,
    /// This user may not log in at all.
    Disabled,
    /// Whoever was asked has said no; the option that names it.
    NotLetIn(&'static str),
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
            Why::WrongNetwork => "not from this address",
            Why::NotLetIn(_) => "unknown user or wrong password, says whoever was asked",
            Why::Disabled => "this user is disabled",
            Why::PasswordTooLong => "password too long",
        }
    }
}

impl LoginError {
    /// What the operator would change to have it otherwise, where it is a setting.
    pub const fn option(self) -> Option<&'static str> {
        Some(match self {
            LoginError::Refused(Why::UnknownUser) => "user.name",
            LoginError::Refused(Why::WrongPassword) => "user.password",
            LoginError::Refused(Why::NoCertificate) => "user.login",
            LoginError::Refused(Why::RefusedCertificate) => "tls.client_ca",
            LoginError::Refused(Why::WrongNetwork) => "user.networks",
            LoginError::Refused(Why::Disabled) => "user.disabled",
            LoginError::Refused(Why::NotLetIn(option)) => option,
            LoginError::Unanswered(unanswered) => unanswered.option,
            // No option makes it longer.
            LoginError::Refused(Why::PasswordTooLong) => return None,
            LoginError::Overloaded => "limits.login_queue",
            LoginError::TooManyGuesses => "defence.delay_max_s",
        })
    }
}

impl std::error::Error for LoginError {}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LoginError::Refused(_) => "login incorrect",
            LoginError::Unanswered(_) => "logins cannot be checked now, try again later",
            LoginError::Overloaded => "too many logins at once, try again later",
            LoginError::TooManyGuesses => "too many failed logins from this address, try again later",
        })
    }
}

/// Checks passwords, a few at a time.
pub struct Authenticator {
    /// Its own accounts, which count once they have [taken over](Authenticator::take_over).
    accounts: Arc<dyn Accounts>,
    current: Current,
    hashing: Arc<Hashing>,
    pace: Arc<dyn Pace>,
}

impl Authenticator {
    /// Checks against `accounts`, at most `threads` hashes at a time (as many as there are cores is right), and slows nobody.
    pub fn new(accounts: Arc<dyn Accounts>, threads: usize) -> Authenticator {
        Authenticator::with_limits(accounts, HashingLimits::with_threads(threads), Arc::new(Unhurried))
    }

    /// The same within these limits, and at this pace.
    pub fn with_limits(
        accounts: Arc<dyn Accounts>,
        limits: HashingLimits,
        pace: Arc<dyn Pace>,
    ) -> Authenticator {
        let current = Current::new(Arc::clone(&accounts));
        Authenticator { accounts, current, hashing: Arc::new(Hashing::new(limits)), pace }
    }

    /// The same with other accounts, which count for both from [`take_over`](Authenticator::take_over) on. Both together run no more
    /// hashes than this one may.
    pub fn with_accounts(&self, accounts: Arc<dyn Accounts>) -> Authenticator {
        let (current, hashing) = (self.current.clone(), Arc::clone(&self.hashing));
        Authenticator { accounts, current, hashing, pace: Arc::clone(&self.pace) }
    }

    /// Has these accounts count for every login from now on, whichever authenticator it comes to: who was removed is not let in by a
    /// connection that was there before.
    pub fn take_over(&self) {
        self.current.replace(Arc::clone(&self.accounts));
    }

    /// The account of this name, where the certificate alone suffices to log in to it. `None` says nothing: it may be that
    /// there is no such account, that a password is needed, or that the certificate is somebody else's.
    pub fn by_certificate(
        &self,
        from: IpAddr,
        user: User<'_>,
        certificate: Option<&Certificate>,
    ) -> Option<Arc<Account>> {
        self.current.find(user).filter(|account| account.is_open_to(from)).filter(|account| {
            match account.login {
                LoginRule::Certificate | LoginRule::Either => account.is_proven_by(certificate),
                LoginRule::Password | LoginRule::Both => false,
            }
        })
    }

    /// Logs a user in, or says why not.
    ///
    /// An unknown user, a wrong certificate and a wrong address cost the same work and give the same answer as a wrong password.
    pub async fn authenticate(
        &self,
        from: IpAddr,
        user: User<'_>,
        password: &[u8],
        certificate: Option<&Certificate>,
    ) -> Result<Arc<Account>, LoginError> {
        self.take_time(from, user, certificate).await?;
        let earliest = Instant::now() + REFUSAL_TIME;
        let outcome = self.judge(from, user, password, certificate).await;
        // SECURITY: where some users take longer to judge than others, all refusals take as long.
        if matches!(outcome, Err(LoginError::Refused(_))) && self.current.tells_by_time() {
            tokio::time::sleep_until(earliest).await;
        }
        outcome
    }

    async fn judge(
        &self,
        from: IpAddr,
        user: User<'_>,
        password: &[u8],
        certificate: Option<&Certificate>,
    ) -> Result<Arc<Account>, LoginError> {
        // SECURITY: before any hashing, and for every user alike.
        if password.len() > MAX_PASSWORD {
            return Err(LoginError::Refused(Why::PasswordTooLong));
        }
        if let Some(account) = self.by_certificate(from, user, certificate) {
            return Ok(account);
        }
        let account = self.current.find(user);
        if account.is_none()
            && let Some(outside) = self.current.outside()
        {
            return match outside.ask(from, user, password).await {
                Ok(Some(account)) if account.disabled => Err(LoginError::Refused(Why::Disabled)),
                Ok(Some(account)) if !account.is_admitted_from(from) => {
                    Err(LoginError::Refused(Why::WrongNetwork))
                }
                Ok(account) => account.ok_or(LoginError::Refused(Why::NotLetIn(outside.option()))),
                Err(unanswered) => Err(LoginError::Unanswered(unanswered)),
            };
        }
        let is_open = account.as_ref().is_none_or(|account| account.is_open_to(from));
        let known_hash = match &account {
            Some(account) => match &account.credential {
                // SECURITY: any password will do, and only where the rule asks for no more than that.
                Credential::Anyone
                    if is_open && matches!(account.login, LoginRule::Password | LoginRule::Either) =>
                {
                    return Ok(Arc::clone(account));
                }
                Credential::Password(hash) => Some(hash.clone()),
                Credential::Anyone | Credential::NoPassword => None,
            },
            None => None,
        };
        let decoy_cost = self.current.decoy_cost();
        let cost = known_hash.as_ref().map_or(decoy_cost, password::PasswordHash::cost);
        let password = Zeroizing::new(password.to_vec());
        let source = self.pace.source_of(from);
        let check = move |memory: &mut Memory| match known_hash {
            Some(hash) => hash.verify_in(memory, &password),
            None => {
                password::verify_decoy(memory, &password, decoy_cost);
                false
            }
        };
        let Ok(matches) = self.hashing.run(source, cost, check).await else {
            return Err(LoginError::Overloaded);
        };
        // SECURITY: looked at behind the password, so that no time tells which of them was wrong.
        let lacks_certificate = |account: &Account| match account.login {
            LoginRule::Certificate => true,
            LoginRule::Both => matches && !account.is_proven_by(certificate),
            LoginRule::Password | LoginRule::Either => false,
        };
        match account {
            Some(account) if account.disabled => Err(LoginError::Refused(Why::Disabled)),
            Some(_) if !is_open => Err(LoginError::Refused(Why::WrongNetwork)),
            Some(account) if lacks_certificate(&account) => Err(LoginError::Refused(Why::NoCertificate)),
            // Who was removed or disabled meanwhile is not let in.
            Some(_)
                if matches && !self.current.find(user).is_some_and(|account| account.is_open_to(from)) =>
            {
                Err(LoginError::Refused(Why::UnknownUser))
            }
            Some(account) if matches => Ok(account),
            Some(_) => Err(LoginError::Refused(Why::WrongPassword)),
            None => Err(LoginError::Refused(Why::UnknownUser)),
        }
    }

    /// Waits as long as earlier failures have made it.
    async fn take_time(
        &self,
        from: IpAddr,
        user: User<'_>,
        certificate: Option<&Certificate>,
    ) -> Result<(), LoginError> {
        match self.pace.before_login(from, user, certificate) {
            Ok(wait) if wait.is_zero() => Ok(()),
            Ok(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Err(_) => Err(LoginError::TooManyGuesses),
        }
    }

    /// Refuses a client who has shown a certificate that is no longer accepted, whatever its password.
    pub async fn refuse_certificate(&self, from: IpAddr, user: User<'_>, password: &[u8]) -> LoginError {
        // SECURITY: with the work of every other refusal.
        match self.authenticate(from, user, password, None).await {
            Err(error @ (LoginError::Overloaded | LoginError::Unanswered(_))) => error,
            Err(LoginError::TooManyGuesses) => LoginError::TooManyGuesses,
            Ok(_) | Err(LoginError::Refused(_)) => LoginError::Refused(Why::RefusedCertificate),
        }
    }
}

impl Authenticator {
    /// How many passwords are hashed now, and how many wait for that.
    pub fn load(&self) -> (usize, usize) {
        self.hashing.load()
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("hashing", &self.hashing).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
