//! What came of a scenario: operations, bytes, how long each took, and how its connections were protected.

use std::time::Duration;

use carrack_ftp_client::DataHandshakes;
use carrack_tls::TlsInfo;

/// Times of operations that are kept for each session: more than a client makes in an hour on one.
const KEPT: usize = 1 << 22;

/// What one session has done.
#[derive(Debug, Default)]
pub(super) struct Tally {
    times: Vec<Duration>,
    /// Of uploads: from the last byte that was handed to the network to the server's word that all is well.
    confirmations: Vec<Duration>,
    operations: u64,
    bytes: u64,
    handshakes: Handshakes,
    tls: Option<TlsInfo>,
}

/// How connections began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Handshakes {
    /// Logins that resumed the session of another.
    pub(super) logins_resumed: u64,
    pub(super) data: DataHandshakes,
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

    /// Notes that the server confirmed an upload so long after its last byte.
    pub(super) fn confirmed(&mut self, behind: Duration) {
        if self.confirmations.len() < KEPT {
            self.confirmations.push(behind);
        }
    }

    /// Notes how a client's connections are protected, once for each of its control connections.
    pub(super) fn protected(&mut self, tls: Option<TlsInfo>, data: DataHandshakes) {
        self.handshakes.logins_resumed += u64::from(tls.is_some_and(|tls| tls.resumed));
        self.handshakes.data.resumed += data.resumed;
        self.handshakes.data.full += data.full;
        self.tls = tls.or(self.tls);
    }

    /// Takes in what another session has done.
    pub(super) fn join(&mut self, other: Tally) {
        self.operations += other.operations;
        self.bytes += other.bytes;
        self.times.extend(other.times);
        self.confirmations.extend(other.confirmations);
        self.protected(other.tls.map(|tls| TlsInfo { resumed: false, ..tls }), other.handshakes.data);
        self.handshakes.logins_resumed += other.handshakes.logins_resumed;
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
    /// The median of what [`Tally::confirmed`] was told.
    pub(super) confirmation: Option<Duration>,
    pub(super) handshakes: Handshakes,
    /// Of the control connections.
    pub(super) tls: Option<TlsInfo>,
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
        let Tally { mut times, mut confirmations, operations, bytes, handshakes, tls } = tally;
        times.sort_unstable();
        confirmations.sort_unstable();
        Measured {
            operations,
            bytes,
            elapsed,
            median: quantile(&times, 50),
            slow: quantile(&times, 99),
            confirmation: (!confirmations.is_empty()).then(|| quantile(&confirmations, 50)),
            handshakes,
            tls,
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
