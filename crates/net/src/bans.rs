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
mod tests {
    use super::*;

    const TERM: Term = Term { first: Duration::from_secs(60), longest: Duration::from_secs(200) };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// For how long a ban holds an address out, in whole seconds.
    fn lasts(bans: &Bans, address: &str, from: Moment) -> u64 {
        (0..).find(|s| bans.judge(ip(address), from.after(seconds(*s)).monotonic).is_none()).unwrap()
    }

    #[test]
    fn a_source_is_banned_longer_each_time_and_never_longer_than_said() {
        let bans = Bans::default();
        let mut now = Moment::now();
        for expected in [60, 120, 200, 200] {
            bans.ban_source(Source::of(ip("192.0.2.7")), TERM, "guessing", now);
            assert_eq!(lasts(&bans, "192.0.2.7", now), expected);
            assert!(bans.judge(ip("192.0.2.8"), now.monotonic).is_none());
            now = now.after(seconds(expected + 10));
        }
        // After a day of peace it is the first time again.
        let tomorrow = now.after(REMEMBERED_FOR);
        bans.remembered(tomorrow);
        bans.ban_source(Source::of(ip("192.0.2.7")), TERM, "guessing", tomorrow);
        assert_eq!(lasts(&bans, "192.0.2.7", tomorrow), 60);
    }

    #[test]
    fn an_ipv6_source_is_banned_by_its_64() {
        let bans = Bans::default();
        let now = Moment::now();
        bans.ban_source(Source::of(ip("2001:db8::1")), TERM, "guessing", now);
        assert!(bans.judge(ip("2001:db8::ffff"), now.monotonic).is_some());
        assert!(bans.judge(ip("2001:db8:0:1::1"), now.monotonic).is_none());
    }

    #[test]
    fn the_operator_bans_networks_and_lifts_bans() {
        let bans = Bans::default();
        let now = Moment::now();
        let network: Network = "198.51.100.0/24".parse().unwrap();
        bans.ban(network, None, "abuse", now).unwrap();
        bans.ban("2001:db8::/32".parse().unwrap(), Some(now.wall + seconds(5)), "abuse", now).unwrap();
        bans.ban_source(Source::of(ip("192.0.2.7")), TERM, "guessing", now);
        let listed: Vec<_> = bans.list(now).into_iter().map(|ban| ban.network.to_string()).collect();
        assert_eq!(listed, ["2001:db8::/32", "192.0.2.7", "198.51.100.0/24"]);
        let year = now.after(seconds(365 * 86_400));
        assert!(bans.judge(ip("::ffff:198.51.100.7"), year.monotonic).is_some());
        assert!(bans.judge(ip("2001:db8:1::1"), now.after(seconds(5)).monotonic).is_none());
        assert!(bans.unban(network, year) && !bans.unban(network, year));
        assert!(bans.judge(ip("198.51.100.7"), year.monotonic).is_none());
        // Lifted is forgotten: the next time is the first again.
        bans.unban("192.0.2.7".parse().unwrap(), now);
        assert_eq!(bans.ban_source(Source::of(ip("192.0.2.7")), TERM, "guessing", now).times, 1);
    }

    #[test]
    fn what_the_operator_said_is_not_shortened() {
        let bans = Bans::default();
        let now = Moment::now();
        bans.ban("192.0.2.7".parse().unwrap(), None, "abuse", now).unwrap();
        assert_eq!(bans.ban_source(Source::of(ip("192.0.2.7")), TERM, "guessing", now).until, None);
    }

    #[test]
    fn a_restart_forgets_neither_bans_nor_how_often() {
        let (before, after) = (Bans::default(), Bans::default());
        let now = Moment::now();
        before.ban_source(Source::of(ip("192.0.2.7")), TERM, "guessing", now);
        before.ban_source(Source::of(ip("192.0.2.8")), TERM, "guessing", now);
        let restarted = now.after(seconds(50));
        after.restore(before.remembered(restarted), restarted);
        assert_eq!(lasts(&after, "192.0.2.7", restarted), 10);
        let later = now.after(seconds(70));
        assert_eq!(after.ban_source(Source::of(ip("192.0.2.8")), TERM, "guessing", later).times, 2);
    }

    #[test]
    fn the_wall_clock_set_back_or_on_changes_no_ban() {
        let bans = Bans::default();
        let now = Moment::now();
        bans.ban_source(Source::of(ip("192.0.2.7")), TERM, "guessing", now);
        let set_on = Moment { wall: now.wall + seconds(86_400), ..now.after(seconds(59)) };
        assert_eq!(bans.list(set_on).len(), 1);
        let set_back = Moment { wall: now.wall - seconds(86_400), ..now.after(seconds(60)) };
        assert_eq!(bans.list(set_back).len(), 0);
    }

    #[test]
    fn the_table_is_bounded_and_the_operators_bans_stay() {
        let bans = Bans::default();
        let now = Moment::now();
        bans.ban("198.51.100.0/24".parse().unwrap(), Some(now.wall + seconds(1)), "abuse", now).unwrap();
        for n in 0..25_000u32 {
            bans.ban_source(
                Source::of(IpAddr::V4(n.into())),
                TERM,
                "guessing",
                now.after(Duration::from_millis(u64::from(n))),
            );
        }
        assert!(bans.remembered(now).len() <= REMEMBERED);
        assert!(bans.judge(ip("198.51.100.7"), now.monotonic).is_some());
        assert!(bans.judge(IpAddr::V4(24_999.into()), now.monotonic).is_some(), "the latest is there");
    }

    #[test]
    fn full_of_the_operators_bans_it_says_so() {
        let bans = Bans::default();
        let now = Moment::now();
        for n in 0..u32::try_from(REMEMBERED).unwrap() {
            bans.ban(Network::around(IpAddr::V4(n.into()), 32), None, "abuse", now).unwrap();
        }
        assert_eq!(bans.ban("203.0.113.7".parse().unwrap(), None, "abuse", now), Err(TooManyBans));
    }
}
