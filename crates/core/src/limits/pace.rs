//! How many bytes may this transfer move now, and if none, when?

use std::sync::Arc;
use std::time::Instant;

use super::rate::{Bucket, Rate};

/// Bytes at a time while no limit is in force.
const UNLIMITED_TURN: u64 = 64 * 1024;

/// The budgets that one transfer draws on: its own, its user's, the server's. A transfer that no option can ever limit has none.
///
/// Whoever moves bytes asks for a [`turn`](Pace::turn), moves no more than it allows, and [`spends`](Pace::spend) what it moved.
#[derive(Debug)]
pub struct Pace {
    shares: Vec<Share>,
    /// What is left of the turn.
    left: u64,
    /// When it begins.
    begins: Instant,
}

/// A part in one budget.
#[derive(Debug)]
struct Share {
    bucket: Arc<Bucket>,
    rate: Rate,
}

/// What may be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// So many bytes now; at least one.
    Now(u64),
    /// Nothing before this moment.
    At(Instant),
}

impl Pace {
    /// A part in each of these; `None` where nothing can ever limit it.
    /// Without a bucket, the budget is its own.
    pub(crate) fn of<'a>(
        budgets: impl IntoIterator<Item = (&'a Rate, Option<&'a Arc<Bucket>>)>,
    ) -> Option<Pace> {
        let limiting = budgets.into_iter().filter(|(rate, _)| rate.may_limit());
        let shares: Vec<_> =
            limiting.map(|(rate, bucket)| Share::of(bucket.cloned().unwrap_or_default(), rate)).collect();
        (!shares.is_empty()).then(|| Pace { shares, left: 0, begins: Instant::now() })
    }

    /// What may be moved at `now`. A turn that was not used up stays, so a peer that stalls books nothing further.
    pub fn turn(&mut self, now: Instant) -> Turn {
        if self.left == 0 {
            self.book(now);
        }
        if self.begins > now { Turn::At(self.begins) } else { Turn::Now(self.left) }
    }

    /// Counts bytes that were moved.
    pub fn spend(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
    }

    fn book(&mut self, now: Instant) {
        let rates: Vec<_> = self.shares.iter().map(|share| (share, share.rate.bytes_per_s())).collect();
        let limiting = || rates.iter().filter_map(|(share, rate)| rate.map(|rate| (*share, rate)));
        let bytes = limiting().map(|(share, rate)| share.bucket.turn(rate)).min().unwrap_or(UNLIMITED_TURN);
        let begins = limiting().map(|(share, rate)| share.bucket.book(bytes, rate, now)).max();
        (self.left, self.begins) = (bytes, begins.unwrap_or(now));
    }
}

impl Share {
    fn of(bucket: Arc<Bucket>, rate: &Rate) -> Share {
        bucket.join();
        Share { bucket, rate: rate.clone() }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.bucket.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;
    use std::time::Duration;

    use super::*;

    fn rate(bytes_per_s: u64) -> Rate {
        Rate::new(NonZero::new(bytes_per_s))
    }

    fn pace<const N: usize>(budgets: [(&Rate, &Arc<Bucket>); N]) -> Pace {
        Pace::of(budgets.map(|(rate, bucket)| (rate, Some(bucket)))).unwrap()
    }

    /// Transfers on a clock of the test's own, which goes on only while all wait. Bytes that each moved within `time`, and the most
    /// that all moved at one moment.
    fn run(paces: &mut [Pace], started: Instant, time: Duration) -> (Vec<u64>, u64) {
        let mut moved = vec![0; paces.len()];
        let (mut now, mut most, mut at_once) = (started, 0, 0);
        while now < started + time {
            let mut next: Option<Instant> = None;
            for (pace, moved) in paces.iter_mut().zip(&mut moved) {
                match pace.turn(now) {
                    Turn::Now(bytes) => {
                        pace.spend(bytes);
                        *moved += bytes;
                        at_once += bytes;
                        next = Some(now);
                    }
                    Turn::At(moment) => next = Some(next.map_or(moment, |next| next.min(moment))),
                }
            }
            most = most.max(at_once);
            let next = next.unwrap();
            if next > now {
                at_once = 0;
            }
            now = next;
        }
        (moved, most)
    }

    #[test]
    fn a_transfer_is_as_fast_as_its_budget_and_moves_little_at_a_time() {
        for bytes_per_s in [1024, 10_000, 1_000_000, 2_000_000_000] {
            let (rate, bucket) = (rate(bytes_per_s), Arc::default());
            let started = Instant::now();
            let (moved, most) = run(&mut [pace([(&rate, &bucket)])], started, Duration::from_secs(4));
            let budget = 4 * bytes_per_s;
            assert!(moved[0] >= budget * 99 / 100, "{bytes_per_s}: {moved:?}");
            assert!(moved[0] <= budget + bytes_per_s / 8, "{bytes_per_s}: {moved:?}");
            assert!(most <= bytes_per_s / 8, "{bytes_per_s}: {most} at once");
        }
    }

    #[test]
    fn equals_are_served_equally_and_together_keep_to_the_budget() {
        for sharers in [2_u64, 7, 300] {
            let (rate, bucket) = (rate(1_000_000), Arc::default());
            let mut paces: Vec<_> = (0..sharers).map(|_| pace([(&rate, &bucket)])).collect();
            let (moved, _) = run(&mut paces, Instant::now(), Duration::from_secs(8));
            let (least, most) = (*moved.iter().min().unwrap(), *moved.iter().max().unwrap());
            assert!(most - least <= most / 10, "{sharers}: {least} to {most}");
            let sum: u64 = moved.iter().sum();
            assert!((7_900_000..=8_130_000).contains(&sum), "{sharers}: {sum}");
        }
    }

    #[test]
    fn the_smallest_budget_counts_and_leaves_the_rest_of_a_larger_one_to_others() {
        let (small, large) = (rate(100_000), rate(1_000_000));
        let (own, shared) = (Arc::default(), Arc::default());
        let mut paces = [pace([(&small, &own), (&large, &shared)]), pace([(&large, &shared)])];
        let (moved, _) = run(&mut paces, Instant::now(), Duration::from_secs(4));
        assert!((390_000..=420_000).contains(&moved[0]), "{moved:?}");
        assert!((3_500_000..=3_700_000).contains(&moved[1]), "{moved:?}");
    }

    #[test]
    fn time_that_nobody_used_gives_no_burst() {
        let (rate, bucket) = (rate(100_000), Arc::default());
        let mut paces = [pace([(&rate, &bucket)])];
        let started = Instant::now();
        run(&mut paces, started, Duration::from_secs(1));
        let (moved, _) = run(&mut paces, started + Duration::from_secs(3600), Duration::from_millis(1));
        assert!(moved[0] <= 100_000 / 8, "{moved:?}");
    }

    #[test]
    fn a_stalled_transfer_books_one_turn_and_no_more() {
        let (rate, bucket) = (rate(100_000), Arc::default());
        let mut paces = [pace([(&rate, &bucket)]), pace([(&rate, &bucket)])];
        let started = Instant::now();
        for second in 0..100 {
            paces[0].turn(started + Duration::from_secs(second));
        }
        let begins = started + Duration::from_secs(100);
        let (moved, _) = run(&mut paces[1..], begins, Duration::from_secs(4));
        assert!(moved[0] >= 395_000, "{moved:?}");
    }

    #[test]
    fn a_rate_that_changes_counts_from_the_next_turn_on() {
        let (rate, bucket) = (Rate::new(None), Arc::default());
        let mut pace = pace([(&rate, &bucket)]);
        let now = Instant::now();
        for _ in 0..1000 {
            assert_eq!(pace.turn(now), Turn::Now(UNLIMITED_TURN));
            pace.spend(UNLIMITED_TURN);
        }
        rate.set(NonZero::new(16_000));
        assert_eq!(pace.turn(now), Turn::Now(1000));
        pace.spend(1000);
        assert!(matches!(pace.turn(now), Turn::At(later) if later > now));
        rate.set(None);
        pace.spend(1000);
        assert_eq!(pace.turn(now), Turn::Now(UNLIMITED_TURN));
    }

    #[test]
    fn what_cannot_be_limited_has_no_pace() {
        assert!(Pace::of([(&Rate::UNLIMITED, None)]).is_none());
    }
}
