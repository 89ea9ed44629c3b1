//! How many bytes a second may all transfers of a copy move together?

use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What may be moved at once after a pause. Small enough that no second sees a percent more than its share.
const BURST: Duration = Duration::from_millis(10);

/// One bucket for all transfers: bytes that have moved are paid for by waiting.
///
/// It knows the moment up to which the rate is used up. Whoever moves bytes pushes it on and waits until it has come, so
/// the sum is exact, however many transfers there are and however large their steps.
#[derive(Debug)]
pub(super) struct Limiter {
    /// Nanoseconds for a byte would be too coarse above a gigabyte a second: bytes for a second.
    rate: NonZeroU64,
    used_up_to: Mutex<Option<Instant>>,
}

impl Limiter {
    /// `rate` is in bytes a second.
    pub(super) fn new(rate: NonZeroU64) -> Limiter {
        Limiter { rate, used_up_to: Mutex::new(None) }
    }

    /// Counts bytes that have moved; how long whoever moved them waits before moving more.
    pub(super) fn moved(&self, bytes: u64, now: Instant) -> Duration {
        let costs = u128::from(bytes) * 1_000_000_000 / u128::from(self.rate.get());
        let costs = Duration::from_nanos(u64::try_from(costs).unwrap_or(u64::MAX));
        // Nothing panics while it is held.
        let mut used_up_to = self.used_up_to.lock().unwrap_or_else(PoisonError::into_inner);
        let idle_since = now.checked_sub(BURST).unwrap_or(now);
        let from = used_up_to.map_or(now, |moment| moment.max(idle_since));
        let until = from.checked_add(costs).unwrap_or(from);
        *used_up_to = Some(until);
        until.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moves `step` bytes at a time, as fast as it may, for `seconds`; bytes moved in all.
    fn run(limiter: &Limiter, transfers: usize, step: u64, seconds: u64) -> u64 {
        let begin = Instant::now();
        let end = begin + Duration::from_secs(seconds);
        let mut free_at = vec![begin; transfers];
        let mut moved = 0;
        loop {
            // The transfer that may move next.
            let (next, now) = free_at.iter().copied().enumerate().min_by_key(|(_, at)| *at).unwrap();
            if now >= end {
                return moved;
            }
            free_at[next] = now + limiter.moved(step, now);
            moved += step;
        }
    }

    #[test]
    fn the_rate_is_kept_within_a_percent_by_any_number_of_transfers() {
        for (rate, transfers, step) in [
            (1_000_000, 1, 16_384),
            (1_000_000, 8, 1_000),
            (50_000_000, 4, 262_144),
            (3_000_000_000, 2, 65_536),
        ] {
            let limiter = Limiter::new(NonZeroU64::new(rate).unwrap());
            let moved = run(&limiter, transfers, step, 10);
            let wanted = rate * 10;
            let slack = wanted / 100 + step * transfers as u64;
            assert!(moved.abs_diff(wanted) <= slack, "{moved} of {wanted} with {transfers} transfers");
        }
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let limiter = Limiter::new(NonZeroU64::new(1_000_000).unwrap());
        let begin = Instant::now();
        assert_eq!(limiter.moved(1_000, begin), Duration::from_millis(1));
        let later = begin + Duration::from_secs(3_600);
        // Ten milliseconds' worth is free, the rest waits.
        assert_eq!(limiter.moved(10_000, later), Duration::ZERO);
        assert_eq!(limiter.moved(500_000, later), Duration::from_millis(500));
    }

    #[test]
    fn nothing_overflows() {
        let limiter = Limiter::new(NonZeroU64::MIN);
        let now = Instant::now();
        limiter.moved(u64::MAX, now);
        limiter.moved(u64::MAX, now);
    }
}
