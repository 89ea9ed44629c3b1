//! Who may come in: the limits on sessions, counted before any TLS work is done.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::bans::{Ban, BannedBy, Bans};
use crate::{Network, NotAdmitted, Startups};

/// The limits that [`Admission`] holds to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sessions of the whole server, logged in or not.
    pub sessions: usize,
    /// Sessions of one [`Source`].
    pub sessions_per_source: usize,
    /// Connections that have not logged in.
    pub startups: Startups,
}

/// What counts as one source: an IPv4 address, or the /64 that an IPv6 address lies in, because
/// one subscriber commonly holds a whole /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// The source that an address belongs to.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            v4 @ IpAddr::V4(_) => Self(v4),
            IpAddr::V6(v6) => Self(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))),
        }
    }

    /// The first address of it.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.0
    }

    /// The same as a network.
    #[must_use]
    pub fn network(self) -> Network {
        Network::around(self.0, if self.0.is_ipv4() { 32 } else { 64 })
    }
}

/// Why a connection was not admitted. Displayed as what its client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The server holds as many sessions as it may.
    Full,
    /// This source holds as many sessions as one source may.
    SourceFull,
    /// The listener holds as many sessions as it may.
    ListenerFull,
    /// Too many connections wait for their login.
    Startups,
    /// The address is banned.
    Banned(Box<Ban>),
    /// The address may not come here.
    NotAdmitted(NotAdmitted),
}

impl Refused {
    /// One word for it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Full => "sessions",
            Self::SourceFull => "sessions_per_source",
            Self::ListenerFull => "listener_sessions",
            Self::Startups => "startups",
            Self::Banned(_) => "banned",
            Self::NotAdmitted(_) => "access",
        }
    }

    /// What the operator would change to have it otherwise.
    #[must_use]
    pub fn option(&self) -> Cow<'static, str> {
        match self {
            Self::Full => "limits.sessions".into(),
            Self::SourceFull => "limits.sessions_per_source".into(),
            Self::ListenerFull => "listen.sessions".into(),
            Self::Startups => "limits.startups".into(),
            Self::Banned(ban) => match ban.by {
                BannedBy::Score => "defence.ban_after".into(),
                BannedBy::Operator => "ban by the operator".into(),
            },
            Self::NotAdmitted(refused) => refused.list.to_string().into(),
        }
    }

    /// The reason in words for the log, which may be told more than the client.
    #[must_use]
    pub fn in_full(&self) -> String {
        match self {
            Self::Banned(ban) => format!("{} is banned: {}", ban.network, ban.why),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full | Self::ListenerFull => "too many sessions, try again later",
            Self::SourceFull => "too many sessions from your address, close one first",
            Self::Startups => "too many connections wait for their login, try again later",
            Self::Banned(_) => "connections from your address are not taken for now, try again later",
            Self::NotAdmitted(refused) => return refused.fmt(f),
        })
    }
}

impl From<NotAdmitted> for Refused {
    fn from(refused: NotAdmitted) -> Self {
        Self::NotAdmitted(refused)
    }
}

/// Counts sessions; cheap to clone, all clones count together.
#[derive(Clone, Debug)]
pub struct Admission {
    bans: Arc<Bans>,
    counts: Arc<Mutex<Counts>>,
    /// Which of several listeners, and how many sessions it may hold.
    listener: Option<(usize, Option<usize>)>,
}

#[derive(Debug)]
struct Counts {
    limits: Limits,
    all: OfSource,
    by_source: HashMap<Source, OfSource>,
    by_listener: Vec<usize>,
}

/// What there is of a source, or of all of them.
#[derive(Clone, Copy, Debug, Default)]
struct OfSource {
    sessions: usize,
    /// Those of them that are logged in.
    logins: usize,
}

impl Admission {
    /// Starts counting from zero; nobody is banned.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let (all, by_source, by_listener) = (OfSource::default(), HashMap::new(), Vec::new());
        let counts = Counts { limits, all, by_source, by_listener };
        Self { bans: Arc::default(), counts: Arc::new(Mutex::new(counts)), listener: None }
    }

    /// The same for a further listener, which holds no more than so many of all sessions.
    #[must_use]
    pub fn of_listener(&self, sessions: Option<usize>) -> Self {
        let mut counts = self.counts();
        let number = counts.by_listener.len();
        counts.by_listener.push(0);
        drop(counts);
        Self { listener: Some((number, sessions)), ..self.clone() }
    }

    /// The same listener with another limit. Who is in stays in.
    #[must_use]
    pub fn holding(&self, sessions: Option<usize>) -> Self {
        Self { listener: self.listener.map(|(number, _)| (number, sessions)), ..self.clone() }
    }

    /// Holds to these limits from now on. Who is in stays in, also where that is more than they allow.
    pub fn limit(&self, limits: Limits) {
        self.counts().limits = limits;
    }

    /// The same with these bans.
    #[must_use]
    pub fn with_bans(self, bans: Arc<Bans>) -> Self {
        Self { bans, ..self }
    }

    /// Takes a place for a connection from `address`; it is free again when the slot is dropped.
    ///
    /// # Errors
    /// When the address is banned, the server, the listener or the source is full, or too many wait for their login.
    pub fn admit(&self, address: IpAddr) -> Result<Slot, Refused> {
        if let Some(ban) = self.bans.judge(address, Instant::now()) {
            return Err(Refused::Banned(Box::new(ban)));
        }
        let source = Source::of(address);
        let mut counts = self.counts();
        let limits = counts.limits;
        if counts.all.sessions >= limits.sessions {
            return Err(Refused::Full);
        }
        let of_listener = |number| counts.by_listener.get(number).copied().unwrap_or(0);
        if let Some((number, Some(sessions))) = self.listener
            && of_listener(number) >= sessions
        {
            return Err(Refused::ListenerFull);
        }
        let of_source = counts.by_source.get(&source).copied().unwrap_or_default();
        if of_source.sessions >= limits.sessions_per_source {
            return Err(Refused::SourceFull);
        }
        // SECURITY: strangers may fill the places before the login, and keep out strangers alone: who shares an address with
        // somebody who is logged in comes in.
        let waiting = counts.all.sessions.saturating_sub(counts.all.logins);
        if of_source.logins == 0 && waiting >= limits.startups.start && limits.startups.drops(waiting, roll())
        {
            return Err(Refused::Startups);
        }
        counts.all.sessions += 1;
        counts.by_source.entry(source).or_default().sessions += 1;
        let listener = self.listener.map(|(number, _)| number);
        if let Some(of_listener) = listener.and_then(|number| counts.by_listener.get_mut(number)) {
            *of_listener += 1;
        }
        drop(counts);
        Ok(Slot { source, listener, logged_in: false, counts: Arc::clone(&self.counts) })
    }

    /// Sessions held now.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.counts().all.sessions
    }

    /// Whether somebody is logged in from this source.
    #[must_use]
    pub fn has_login(&self, source: Source) -> bool {
        self.counts().by_source.get(&source).is_some_and(|of_source| of_source.logins > 0)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number that nobody foresees. Where there is no randomness the newcomer is turned away.
fn roll() -> u32 {
    let mut bytes = [0; 4];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        return 0;
    }
    u32::from_le_bytes(bytes)
}

/// One admitted session's place; dropping it frees the place.
#[derive(Debug)]
pub struct Slot {
    source: Source,
    listener: Option<usize>,
    logged_in: bool,
    counts: Arc<Mutex<Counts>>,
}

impl Slot {
    /// The session is logged in now, or is no more.
    pub fn set_logged_in(&mut self, logged_in: bool) {
        if self.logged_in != logged_in {
            self.logged_in = logged_in;
            self.change(|count| {
                count.logins = if logged_in { count.logins + 1 } else { count.logins.saturating_sub(1) };
            });
        }
    }

    fn change(&self, change: impl Fn(&mut OfSource)) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut counts.all);
        if let Some(of_source) = counts.by_source.get_mut(&self.source) {
            change(of_source);
            // A source that left is forgotten: the table is as large as the sessions, not as history.
            if of_source.sessions == 0 {
                counts.by_source.remove(&self.source);
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let logins = usize::from(self.logged_in);
        self.change(|count| {
            count.sessions = count.sessions.saturating_sub(1);
            count.logins = count.logins.saturating_sub(logins);
        });
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_listener) = self.listener.and_then(|number| counts.by_listener.get_mut(number)) {
            *of_listener = of_listener.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(sessions: usize, sessions_per_source: usize) -> Admission {
        Admission::new(Limits { sessions, sessions_per_source, startups: Startups::STANDARD })
    }

    #[test]
    fn who_waits_keeps_out_strangers_and_nobody_who_shares_an_address_with_a_login() {
        let startups = Startups { start: 2, rate_percent: 100, full: 2 };
        let admission = Admission::new(Limits { sessions: 5, sessions_per_source: 5, startups });
        let admit = |address: &str| admission.admit(address.parse().unwrap());
        let mut home = admit("192.0.2.1").unwrap();
        home.set_logged_in(true);
        let _flood = [admit("198.51.100.1").unwrap(), admit("198.51.100.2").unwrap()];
        assert_eq!(admit("203.0.113.1").unwrap_err(), Refused::Startups);
        assert_eq!(admit("198.51.100.1").unwrap_err(), Refused::Startups);
        let beside = admit("192.0.2.1").unwrap();
        drop(beside);
        // Who has logged out is a stranger again.
        home.set_logged_in(false);
        assert_eq!(admit("192.0.2.1").unwrap_err(), Refused::Startups);
        home.set_logged_in(true);
        let _sessions = [admit("192.0.2.1").unwrap(), admit("192.0.2.1").unwrap()];
        assert_eq!(admit("192.0.2.1").unwrap_err(), Refused::Full, "no more than the server holds");
    }

    #[test]
    fn logins_are_counted_once_however_they_end() {
        let admission = admission(10, 10);
        let source = Source::of("192.0.2.1".parse().unwrap());
        let mut one = admission.admit("192.0.2.1".parse().unwrap()).unwrap();
        assert!(!admission.has_login(source));
        one.set_logged_in(true);
        one.set_logged_in(true);
        assert!(admission.has_login(source));
        one.set_logged_in(false);
        assert!(!admission.has_login(source));
        one.set_logged_in(true);
        drop(one);
        assert!(!admission.has_login(source));
        assert_eq!(admission.counts().all.logins, 0);
    }

    #[test]
    fn who_is_banned_takes_no_place() {
        let bans = Arc::new(Bans::default());
        let admission = admission(1, 1).with_bans(Arc::clone(&bans));
        bans.ban("192.0.2.0/24".parse().unwrap(), None, "abuse", crate::Moment::now()).unwrap();
        let refused = admission.admit("192.0.2.1".parse().unwrap()).unwrap_err();
        assert_eq!((refused.reason(), refused.option().as_ref()), ("banned", "ban by the operator"));
        assert!(refused.in_full().contains("abuse") && !refused.to_string().contains("abuse"));
        assert!(admission.admit("198.51.100.1".parse().unwrap()).is_ok());
    }

    #[test]
    fn the_server_limit_counts_all_sources_together() {
        let admission = admission(2, 2);
        let _a = admission.admit("192.0.2.1".parse().unwrap()).unwrap();
        let b = admission.admit("192.0.2.2".parse().unwrap()).unwrap();
        assert_eq!(admission.admit("192.0.2.3".parse().unwrap()).unwrap_err(), Refused::Full);
        drop(b);
        assert!(admission.admit("192.0.2.3".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_full_source_does_not_hinder_another() {
        let admission = admission(10, 1);
        let _a = admission.admit("192.0.2.1".parse().unwrap()).unwrap();
        assert_eq!(admission.admit("192.0.2.1".parse().unwrap()).unwrap_err(), Refused::SourceFull);
        assert!(admission.admit("192.0.2.2".parse().unwrap()).is_ok());
    }

    #[test]
    fn new_limits_hold_for_who_comes_and_turn_nobody_out() {
        let admission = admission(2, 2);
        let home = "192.0.2.1".parse().unwrap();
        let _held = [admission.admit(home).unwrap(), admission.clone().admit(home).unwrap()];
        let startups = Startups::STANDARD;
        admission.limit(Limits { sessions: 1, sessions_per_source: 1, startups });
        assert_eq!((admission.sessions(), admission.admit(home).unwrap_err()), (2, Refused::Full));
        admission.limit(Limits { sessions: 3, sessions_per_source: 3, startups });
        assert!(admission.admit(home).is_ok());
    }

    #[test]
    fn an_ipv6_source_is_its_64() {
        let admission = admission(10, 1);
        let _a = admission.admit("2001:db8::1".parse().unwrap()).unwrap();
        assert!(admission.admit("2001:db8::2".parse().unwrap()).is_err());
        assert!(admission.admit("2001:db8:0:1::1".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_full_listener_does_not_hinder_another() {
        let all = admission(10, 10);
        let (one, other) = (all.of_listener(Some(1)), all.of_listener(Some(2)));
        let address = "192.0.2.1".parse().unwrap();
        let slot = one.admit(address).unwrap();
        assert_eq!(one.admit(address).unwrap_err(), Refused::ListenerFull);
        let _other = other.admit(address).unwrap();
        assert_eq!(all.sessions(), 2);
        drop(slot);
        assert!(one.admit(address).is_ok());
    }

    #[test]
    fn sources_that_left_are_forgotten() {
        let admission = admission(1000, 1000);
        for n in 0..255u8 {
            drop(admission.admit(IpAddr::from([192, 0, 2, n])));
        }
        assert_eq!(admission.sessions(), 0);
        assert!(admission.counts.lock().unwrap().by_source.is_empty());
    }
}
