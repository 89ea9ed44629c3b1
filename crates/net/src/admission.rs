//! Who may come in: the limits on sessions, counted before any TLS work is done.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The limits that [`Admission`] holds to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sessions of the whole server, logged in or not.
    pub sessions: usize,
    /// Sessions of one [`Source`].
    pub sessions_per_source: usize,
}

/// What counts as one source: an IPv4 address, or the /64 that an IPv6 address lies in, because
/// one subscriber commonly holds a whole /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// The source that an address belongs to.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self(address),
            IpAddr::V6(v6) => Self(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))),
        }
    }
}

/// Why a connection was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The server holds as many sessions as it may.
    Full,
    /// This source holds as many sessions as one source may.
    SourceFull,
    /// The listener holds as many sessions as it may.
    ListenerFull,
}

impl Refused {
    /// What the operator calls the limit.
    #[must_use]
    pub const fn option(self) -> &'static str {
        match self {
            Self::Full => "limits.sessions",
            Self::SourceFull => "limits.sessions_per_source",
            Self::ListenerFull => "listen.sessions",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full | Self::ListenerFull => "too many sessions, try again later",
            Self::SourceFull => "too many sessions from your address, close one first",
        })
    }
}

/// Counts sessions; cheap to clone, all clones count together.
#[derive(Clone, Debug)]
pub struct Admission {
    counts: Arc<Mutex<Counts>>,
    /// Which of several listeners, and how many sessions it may hold.
    listener: Option<(usize, usize)>,
}

#[derive(Debug)]
struct Counts {
    limits: Limits,
    all: usize,
    by_source: HashMap<Source, usize>,
    by_listener: Vec<usize>,
}

impl Admission {
    /// Starts counting from zero.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            counts: Arc::new(Mutex::new(Counts {
                limits,
                all: 0,
                by_source: HashMap::new(),
                by_listener: Vec::new(),
            })),
            listener: None,
        }
    }

    /// The same for one of several listeners, which holds no more than so many of all sessions.
    #[must_use]
    pub fn of_listener(&self, sessions: usize) -> Self {
        let mut counts = self.lock();
        let number = counts.by_listener.len();
        counts.by_listener.push(0);
        drop(counts);
        Self { listener: Some((number, sessions)), ..self.clone() }
    }

    /// Holds to these limits from now on. Who is in stays in, also where that is more than they allow.
    pub fn limit(&self, limits: Limits) {
        self.lock().limits = limits;
    }

    /// Takes a place for a connection from `address`; it is free again when the slot is dropped.
    ///
    /// # Errors
    /// When the server, the listener or the source is full.
    pub fn admit(&self, address: IpAddr) -> Result<Slot, Refused> {
        let source = Source::of(address);
        let mut counts = self.lock();
        let limits = counts.limits;
        if counts.all >= limits.sessions {
            return Err(Refused::Full);
        }
        let of_listener = |number| counts.by_listener.get(number).copied().unwrap_or(0);
        if self.listener.is_some_and(|(number, sessions)| of_listener(number) >= sessions) {
            return Err(Refused::ListenerFull);
        }
        let of_source = counts.by_source.entry(source).or_insert(0);
        if *of_source >= limits.sessions_per_source {
            return Err(Refused::SourceFull);
        }
        *of_source += 1;
        counts.all += 1;
        let listener = self.listener.map(|(number, _)| number);
        if let Some(of_listener) = listener.and_then(|number| counts.by_listener.get_mut(number)) {
            *of_listener += 1;
        }
        Ok(Slot { source, listener, counts: Arc::clone(&self.counts) })
    }

    /// Sessions held now.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One admitted session's place; dropping it frees the place.
#[derive(Debug)]
pub struct Slot {
    source: Source,
    listener: Option<usize>,
    counts: Arc<Mutex<Counts>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        if let Some(of_listener) = self.listener.and_then(|number| counts.by_listener.get_mut(number)) {
            *of_listener = of_listener.saturating_sub(1);
        }
        if let Some(of_source) = counts.by_source.get_mut(&self.source) {
            *of_source -= 1;
            // A source that left is forgotten: the table is as large as the sessions, not as history.
            if *of_source == 0 {
                counts.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(sessions: usize, sessions_per_source: usize) -> Admission {
        Admission::new(Limits { sessions, sessions_per_source })
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
        admission.limit(Limits { sessions: 1, sessions_per_source: 1 });
        assert_eq!((admission.sessions(), admission.admit(home).unwrap_err()), (2, Refused::Full));
        admission.limit(Limits { sessions: 3, sessions_per_source: 3 });
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
        let (one, other) = (all.of_listener(1), all.of_listener(2));
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
