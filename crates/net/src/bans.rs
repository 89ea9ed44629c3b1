//! Who is not let in for a time?

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Notify;

use crate::{Network, Source};

/// Networks that are remembered, banned now or not long ago.
const REMEMBERED: usize = 10_000;

/// How long a ban that has ended is remembered, so that the next one of the same source is longer.
const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);

/// A moment on both clocks: the monotonic one decides, the one on the wall is shown and outlives the process.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// For the judgement: nobody can set it.
    pub monotonic: Instant,
    /// For people and files.
    pub wall: SystemTime,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    /// So much later.
    #[must_use]
    pub fn after(self, passed: Duration) -> Self {
        Self {
            monotonic: self.monotonic.checked_add(passed).unwrap_or(self.monotonic),
            wall: self.wall.checked_add(passed).unwrap_or(self.wall),
        }
    }
}

/// Who has banned a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BannedBy {
    /// The server, for what was tried from there.
    Score,
    /// The operator.
    Operator,
}

/// A network that is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who.
    pub network: Network,
    /// How long; `None` until it is lifted.
    pub until: Option<SystemTime>,
    /// Why, in words.
    pub why: String,
    /// Who said so.
    pub by: BannedBy,
    /// The how manieth time in a row it is that the server bans it.
    pub times: u32,
}

/// How long the server bans a source: `first`, twice that the next time and so on, never longer than `longest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// The first time.
    pub first: Duration,
    /// At most.
    pub longest: Duration,
}

impl Term {
    fn of(self, times: u32) -> Duration {
        let doubled =
            2u32.checked_pow(times.saturating_sub(1)).and_then(|factor| self.first.checked_mul(factor));
        doubled.unwrap_or(self.longest).min(self.longest)
    }
}

/// The operator's bans fill the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyBans;

impl fmt::Display for TooManyBans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are {REMEMBERED} bans already; lift some, or ban a network that contains them")
    }
}

impl std::error::Error for TooManyBans {}

/// The table of bans. All methods are short and hold a lock of its own.
#[derive(Debug, Default)]
pub struct Bans {
    table: Mutex<Table>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    held: HashMap<Network, Held>,
    /// How many networks there are of each family and length, so that an address is looked for once per length.
    lengths: BTreeMap<(bool, u8), usize>,
}

#[derive(Debug)]
struct Held {
    ban: Ban,
    /// On the monotonic clock; `None` until it is lifted.
    ends: Option<Instant>,
}

impl Bans {
    /// Bans a network until a moment on the wall clock, or until it is lifted. A ban that was there is replaced.
    ///
    /// # Errors
    /// The table is full of the operator's own bans.
    pub fn ban(
        &self,
        network: Network,
        until: Option<SystemTime>,
        why: &str,
        now: Moment,
    ) -> Result<(), TooManyBans> {
        let ban = Ban { network, until, why: why.to_owned(), by: BannedBy::Operator, times: 0 };
        let held = self.with(|table| table.insert(ban, now));
        self.changed.notify_one();
        if held { Ok(()) } else { Err(TooManyBans) }
    }

    /// Bans a source for what it did, longer each time; until when. An operator's ban of it stays as it is.
    pub fn ban_source(&self, source: Source, term: Term, why: &str, now: Moment) -> Ban {
        let network = source.network();
        let ban = self.with(|table| {
            let earlier = table.held.get(&network).map(|held| (held.ban.by, held.ban.times));
            if let Some((BannedBy::Operator, _)) = earlier
                && let Some(held) = table.held.get(&network).filter(|held| held.is_in_force(now.monotonic))
            {
                return held.ban.clone();
            }
            let times = earlier.map_or(0, |(_, times)| times).saturating_add(1);
            let until = now.wall.checked_add(term.of(times));
            let ban = Ban { network, until, why: why.to_owned(), by: BannedBy::Score, times };
            table.insert(ban.clone(), now);
            ban
        });
        self.changed.notify_one();
        ban
    }

    /// Lifts the ban of exactly this network, and forgets what it had been banned for before; whether it was banned.
    pub fn unban(&self, network: Network, now: Moment) -> bool {
        let was =
            self.with(|table| table.remove(&network)).is_some_and(|held| held.is_in_force(now.monotonic));
        self.changed.notify_one();
        was
    }

    /// All bans in force, those that end first at the front.
    #[must_use]
    pub fn list(&self, now: Moment) -> Vec<Ban> {
        let mut bans: Vec<_> = self.with(|table| {
            let in_force = table.held.values().filter(|held| held.is_in_force(now.monotonic));
            in_force.map(|held| held.ban.clone()).collect()
        });
        bans.sort_by_key(|ban| (ban.until.is_none(), ban.until));
        bans
    }

    /// How many are in force.
    #[must_use]
    pub fn count(&self, now: Moment) -> usize {
        self.with(|table| table.held.values().filter(|held| held.is_in_force(now.monotonic)).count())
    }

    /// The ban that an address falls under.
    #[must_use]
    pub fn judge(&self, address: IpAddr, now: Instant) -> Option<Ban> {
        self.with(|table| table.find(address, now).map(|held| held.ban.clone()))
    }

    /// All that is remembered, also what has ended: what a restart must not forget.
    #[must_use]
    pub fn remembered(&self, now: Moment) -> Vec<Ban> {
        self.with(|table| {
            table.forget(now.monotonic);
            table.held.values().map(|held| held.ban.clone()).collect()
        })
    }

    /// Takes up what was remembered before a restart.
    pub fn restore(&self, bans: impl IntoIterator<Item = Ban>, now: Moment) {
        self.with(|table| {
            for ban in bans {
                table.insert(ban, now);
            }
        });
    }

    /// Waits until something has changed since the last time.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn with<T>(&self, work: impl FnOnce(&mut Table) -> T) -> T {
        work(&mut self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Table {
    fn find(&self, address: IpAddr, now: Instant) -> Option<&Held> {
        let address = address.to_canonical();
        let lengths = self.lengths.keys().filter(|(is_v4, _)| *is_v4 == address.is_ipv4());
        let mut around = lengths.map(|(_, prefix)| Network::around(address, *prefix));
        around.find_map(|network| self.held.get(&network).filter(|held| held.is_in_force(now)))
    }

    /// Whether there was room for it.
    fn insert(&mut self, ban: Ban, now: Moment) -> bool {
        if self.held.len() >= REMEMBERED && !self.held.contains_key(&ban.network) {
            self.forget(now.monotonic);
            self.make_room();
            if self.held.len() >= REMEMBERED {
                return false;
            }
        }
        let left = |until: SystemTime| until.duration_since(now.wall).unwrap_or_default();
        // An end that no clock can show is none.
        let ends = ban.until.and_then(|until| now.monotonic.checked_add(left(until)));
        self.remove(&ban.network);
        *self.lengths.entry(ban.network.kind()).or_insert(0) += 1;
        self.held.insert(ban.network, Held { ban, ends });
        true
    }

    fn remove(&mut self, network: &Network) -> Option<Held> {
        let held = self.held.remove(network)?;
        if let Some(count) = self.lengths.get_mut(&network.kind()) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.lengths.remove(&network.kind());
            }
        }
        Some(held)
    }

    /// Forgets what ended so long ago that it counts for nothing.
    fn forget(&mut self, now: Instant) {
        self.remove_where(|held| {
            held.ends.and_then(|ends| ends.checked_add(REMEMBERED_FOR)).is_some_and(|gone| gone <= now)
        });
    }

    /// Of the server's own bans the tenth that ends first goes. The operator's stay.
    fn make_room(&mut self) {
        let mut ends: Vec<_> =
            self.held.values().filter(|held| held.is_ours()).filter_map(|held| held.ends).collect();
        let tenth = ends.len() / 10;
        if tenth < ends.len() {
            let (_, last, _) = ends.select_nth_unstable(tenth);
            let last = *last;
            self.remove_where(|held| held.is_ours() && held.ends.is_some_and(|ends| ends <= last));
        }
    }

    fn remove_where(&mut self, goes: impl Fn(&Held) -> bool) {
        let gone: Vec<_> =
            self.held.iter().filter(|(_, held)| goes(held)).map(|(network, _)| *network).collect();
        for network in gone {
            self.remove(&network);
        }
    }
}

impl Held {
    fn is_in_force(&self, now: Instant) -> bool {
        self.ends.is_none_or(|ends| now < ends)
    }

    fn is_ours(&self) -> bool {
        self.ban.by == BannedBy::Score
    }
}

#[cfg(test)]
mod tests;
