//! What came of a scenario: operations, bytes, and how long each took.

use std::time::Duration;

/// Times of operations that are kept for each session: more than a client makes in an hour on one.
const KEPT: usize = 1 << 22;

/// What one session has done.
#[derive(Debug, Default)]
pub(super) struct Tally {
    times: Vec<Duration>,
    operations: u64,
    bytes: u64,
}

impl Tally {
    /// Notes an operation that took `time` and moved `bytes`.
    pub(super) fn add(&mut self, time: Duration, bytes: u64) {
        self.operations += 1;
        self.bytes += bytes;
        if self.times.len() < KEPT {
            self.times.push(time);
        }
    }

    /// Takes in what another session has done.
    pub(super) fn join(&mut self, other: Tally) {
        self.operations += other.operations;
        self.bytes += other.bytes;
        self.times.extend(other.times);
    }
}

/// What a scenario came to.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) operations: u64,
    pub(super) bytes: u64,
    /// From the first operation's beginning to the last one's end.
    pub(super) elapsed: Duration,
    /// Of one operation; half of them took less.
    pub(super) median: Duration,
    /// Of one operation; 99 of 100 took no more.
    pub(super) slow: Duration,
    pub(super) client_cpu: Duration,
    pub(super) server: Option<ServerUse>,
}

/// What the server used meanwhile.
#[derive(Debug)]
pub(super) struct ServerUse {
    pub(super) cpu: Duration,
    /// Bytes of memory for each session that stayed; `None` where none did, or where the kernel does not tell.
    pub(super) memory_per_session: Option<u64>,
}

impl Measured {
    pub(super) fn new(
        tally: Tally,
        elapsed: Duration,
        client_cpu: Duration,
        server: Option<ServerUse>,
    ) -> Measured {
        let Tally { mut times, operations, bytes } = tally;
        times.sort_unstable();
        Measured {
            operations,
            bytes,
            elapsed,
            median: quantile(&times, 50),
            slow: quantile(&times, 99),
            client_cpu,
            server,
        }
    }
}

/// The least time that so many of 100 did not exceed.
fn quantile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(quantile(&times, 50), Duration::from_millis(100));
        assert_eq!(quantile(&times, 99), Duration::from_millis(198));
        assert_eq!(quantile(&times[..1], 99), Duration::from_millis(1));
        assert_eq!(quantile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn sessions_are_added_up() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        one.add(Duration::from_millis(2), 10);
        other.add(Duration::from_millis(4), 20);
        other.add(Duration::from_millis(6), 30);
        one.join(other);
        let measured = Measured::new(one, Duration::from_secs(1), Duration::ZERO, None);
        assert_eq!((measured.operations, measured.bytes), (3, 60));
        assert_eq!((measured.median.as_millis(), measured.slow.as_millis()), (4, 6));
    }
}
