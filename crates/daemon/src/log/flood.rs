//! How many lines may one source write into the log by connecting and failing?

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use carrack_net::Source;

/// Lines that a source may cause at once: a busy client that opens many connections stays whole.
const BURST: f64 = 200.0;

/// Lines a second after that. A flood of 10⁶ lines over ten minutes leaves less than a megabyte.
const PER_SECOND: f64 = 5.0;

/// Sources that are told apart; all further ones share one budget, so memory stays bounded.
const SOURCES: usize = 4096;

#[derive(Debug)]
struct Budget {
    lines: f64,
    at: Instant,
    suppressed: u64,
}

impl Budget {
    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.lines = (self.lines + passed * PER_SECOND).min(BURST);
        self.at = now;
    }
}

/// Budgets of log lines, per IPv4 address and IPv6 /64.
#[derive(Debug, Default)]
pub(crate) struct Flood {
    sources: Mutex<HashMap<Option<IpAddr>, Budget>>,
}

/// Whether a line may be written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may; so many lines of the same source were left out before it.
    Write {
        /// To be told.
        suppressed: u64,
    },
    /// It is only counted.
    Suppress,
}

impl Flood {
    /// Counts a line that `peer` caused.
    pub(crate) fn admit(&self, peer: IpAddr, now: Instant) -> Verdict {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = Some(source(peer));
        if !sources.contains_key(&key) && sources.len() >= SOURCES {
            // Whoever has a full budget again and nothing to tell can be forgotten.
            sources.retain(|_, budget| {
                budget.refill(now);
                budget.lines < BURST || budget.suppressed > 0
            });
            if sources.len() >= SOURCES {
                key = None;
            }
        }
        let budget = sources.entry(key).or_insert(Budget { lines: BURST, at: now, suppressed: 0 });
        budget.refill(now);
        if budget.lines < 1.0 {
            budget.suppressed += 1;
            return Verdict::Suppress;
        }
        budget.lines -= 1.0;
        Verdict::Write { suppressed: std::mem::take(&mut budget.suppressed) }
    }

    /// The sources with lines left out that nobody was told of; counts begin anew. `None` stands for all beyond the first
    /// thousands.
    pub(super) fn take_suppressed(&self) -> Vec<(Option<IpAddr>, u64)> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources
            .iter_mut()
            .filter(|(_, budget)| budget.suppressed > 0)
            .map(|(source, budget)| (*source, std::mem::take(&mut budget.suppressed)))
            .collect()
    }

    /// How often [`take_suppressed`](Self::take_suppressed) is worth a call.
    pub(super) const TELL_EVERY: Duration = Duration::from_secs(10);
}

/// Who counts as one: an IPv4 address, an IPv6 /64.
pub(super) fn source(peer: IpAddr) -> IpAddr {
    Source::of(peer).address()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn a_flood_is_counted_not_written() {
        let flood = Flood::default();
        let now = Instant::now();
        let written = (0..1_000_000).filter(|_| flood.admit(ip(1), now) != Verdict::Suppress).count();
        assert_eq!(written, 200);
        assert_eq!(flood.admit(ip(2), now), Verdict::Write { suppressed: 0 });
        let later = now + Duration::from_secs(1);
        assert_eq!(flood.admit(ip(1), later), Verdict::Write { suppressed: 999_800 });
    }

    #[test]
    fn what_was_left_out_is_told_once() {
        let flood = Flood::default();
        let now = Instant::now();
        for _ in 0..203 {
            flood.admit(ip(1), now);
        }
        assert_eq!(flood.take_suppressed(), [(Some(ip(1)), 3)]);
        assert_eq!(flood.take_suppressed(), []);
    }

    #[test]
    fn memory_is_bounded() {
        let flood = Flood::default();
        let now = Instant::now();
        for n in 0..20_000 {
            flood.admit(ip(n), now);
        }
        assert!(flood.sources.lock().unwrap().len() <= SOURCES + 1);
    }

    #[test]
    fn a_v6_network_is_one_source() {
        let a: IpAddr = "2001:db8:0:1::1".parse().unwrap();
        let b: IpAddr = "2001:db8:0:1:ffff::9".parse().unwrap();
        assert_eq!(source(a), source(b));
        assert_eq!(source("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1".parse::<IpAddr>().unwrap());
    }
}
