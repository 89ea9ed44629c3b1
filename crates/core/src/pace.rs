//! How fast may somebody guess? Asked before a login is judged, whatever the protocol.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::account::User;
use crate::certificate::Certificate;

/// Slows guesses down. It hears how logins end as a subscriber of the events.
pub trait Pace: Send + Sync {
    /// What counts as one source together with this address: a subscriber of IPv6 has many. Sources take turns at being judged.
    fn source_of(&self, from: IpAddr) -> IpAddr;

    /// How long the next login waits before it is judged. The answer must not depend on whether there is such a user.
    ///
    /// # Errors
    /// So many guesses of this source wait already that this one is not judged at all.
    fn before_login(
        &self,
        from: IpAddr,
        user: User<'_>,
        certificate: Option<&Certificate>,
    ) -> Result<Duration, TooManyGuesses>;
}

/// Too many failed logins lately, from where this one comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyGuesses;

impl fmt::Display for TooManyGuesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many failed logins from this address, try again later")
    }
}

impl std::error::Error for TooManyGuesses {}

/// Nobody is slowed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unhurried;

impl Pace for Unhurried {
    fn source_of(&self, from: IpAddr) -> IpAddr {
        from
    }

    fn before_login(
        &self,
        _: IpAddr,
        _: User<'_>,
        _: Option<&Certificate>,
    ) -> Result<Duration, TooManyGuesses> {
        Ok(Duration::ZERO)
    }
}
