//! How fast may bytes move, and whose turn is it where several share a budget?

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::event::Direction;

/// How many turns a budget has in a second: what it lets through at once is a sixteenth of a second's bytes, which nobody
/// notices, and which is still so much that taking turns costs nothing.
const TURNS_PER_S: u64 = 16;

/// The most that moves in one turn, however large the budget: what is sealed and sent in one system call.
const MOST_PER_TURN: u64 = 64 * 1024;

/// The least that moves in one turn where many share a budget that allows for it: less would be all headers.
const LEAST_PER_TURN: u64 = 512;

/// How much of the time that nobody used is made up for: as much as a late timer takes, and no burst.
const MADE_UP: Duration = Duration::from_millis(60);

/// A limit in bytes a second, which may change while it is in force. Clones change together.
#[derive(Clone, Debug, Default)]
pub struct Rate(Option<Arc<AtomicU64>>);

impl Rate {
    /// No limit, ever.
    pub const UNLIMITED: Rate = Rate(None);

    /// This limit, or for now none, until it is [`set`](Rate::set) anew.
    pub fn new(bytes_per_s: Option<NonZero<u64>>) -> Rate {
        Rate(Some(Arc::new(AtomicU64::new(bytes_per_s.map_or(0, NonZero::get)))))
    }

    /// Another limit from now on, also for transfers that run.
    pub fn set(&self, bytes_per_s: Option<NonZero<u64>>) {
        if let Some(rate) = &self.0 {
            rate.store(bytes_per_s.map_or(0, NonZero::get), Ordering::Relaxed);
        }
    }

    /// The limit that is in force.
    pub fn bytes_per_s(&self) -> Option<NonZero<u64>> {
        NonZero::new(self.0.as_ref()?.load(Ordering::Relaxed))
    }

    /// Whether anybody else holds it still.
    pub fn is_held_elsewhere(&self) -> bool {
        self.0.as_ref().is_some_and(|rate| Arc::strong_count(rate) > 1)
    }

    /// Whether there is a limit, or may be one at another hour.
    pub(crate) fn may_limit(&self) -> bool {
        self.0.is_some()
    }
}

/// A limit for each direction.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    /// To the server.
    pub upload: Rate,
    /// To the client.
    pub download: Rate,
}

impl Rates {
    pub(crate) fn of(&self, direction: Direction) -> &Rate {
        match direction {
            Direction::Upload => &self.upload,
            Direction::Download => &self.download,
        }
    }
}

/// The budgets of one scope, a direction each.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    upload: Arc<Bucket>,
    download: Arc<Bucket>,
}

impl Buckets {
    pub(crate) fn of(&self, direction: Direction) -> &Arc<Bucket> {
        match direction {
            Direction::Upload => &self.upload,
            Direction::Download => &self.download,
        }
    }
}

/// A budget that transfers share. Each books its next turn behind those that were booked before, so all who ask get the same.
#[derive(Debug)]
pub(crate) struct Bucket {
    since: Instant,
    /// When the budget is free again, in nanoseconds from `since`.
    free_at_ns: AtomicU64,
    /// Transfers that draw on it.
    sharers: AtomicU64,
}

impl Default for Bucket {
    fn default() -> Bucket {
        Bucket { since: Instant::now(), free_at_ns: AtomicU64::new(0), sharers: AtomicU64::new(0) }
    }
}

impl Bucket {
    /// One more transfer, or one fewer, draws on it.
    pub(super) fn join(&self) {
        self.sharers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.sharers.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many bytes a turn has: so many that everybody who shares the budget has a turn soon.
    pub(super) fn turn(&self, rate: NonZero<u64>) -> u64 {
        let whole = (rate.get() / TURNS_PER_S).clamp(1, MOST_PER_TURN);
        let sharers = self.sharers.load(Ordering::Relaxed).max(1);
        (rate.get() / TURNS_PER_S / sharers).max(LEAST_PER_TURN).min(whole)
    }

    /// Books the next free time for so many bytes, and says when that is.
    pub(super) fn book(&self, bytes: u64, rate: NonZero<u64>, now: Instant) -> Instant {
        let cost_ns = u128::from(bytes) * 1_000_000_000 / u128::from(rate.get());
        let cost_ns = u64::try_from(cost_ns).unwrap_or(u64::MAX);
        let earliest_ns =
            nanoseconds(now.saturating_duration_since(self.since)).saturating_sub(nanoseconds(MADE_UP));
        let mut starts_ns = earliest_ns;
        // It always says something, so it always succeeds.
        let _ = self.free_at_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free_at_ns| {
            starts_ns = free_at_ns.max(earliest_ns);
            Some(starts_ns.saturating_add(cost_ns))
        });
        self.since.checked_add(Duration::from_nanos(starts_ns)).unwrap_or(now)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
