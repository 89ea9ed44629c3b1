//! Passive ports that nobody can predict.

use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that may wait on one passive port: its owner's and a few strangers', who are
/// dropped one by one.
const BACKLOG: i32 = 8;

/// The range that passive ports are taken from.
#[derive(Clone, Debug)]
pub struct PortPool {
    range: RangeInclusive<u16>,
}

impl PortPool {
    /// Ports of `range`; `0..=0` leaves the choice to the system.
    #[must_use]
    pub fn new(range: RangeInclusive<u16>) -> Self {
        Self { range }
    }

    /// How many ports there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there is no port at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Listens on a random free port of the range on the address of `at` (whose own port does not
    /// count; whose scope, for a link-local address, does).
    ///
    /// Every port of the range is tried once, from a random start with a random stride.
    ///
    /// # Errors
    /// `AddrInUse` when no port of the range is free, or what the system said otherwise.
    pub fn listen(&self, mut at: SocketAddr) -> io::Result<TcpListener> {
        let ports = self.range.len();
        // SECURITY: the order comes from the CSPRNG: who cannot guess the next port cannot sit on it
        // (RFC 2577 §6 and its "port stealing").
        let start = random(ports)?;
        let stride = coprime_stride(random(ports)?, ports);
        for n in 0..ports {
            let offset = (start + n * stride) % ports.max(1);
            let Ok(offset) = u16::try_from(offset) else { break };
            at.set_port(self.range.start().saturating_add(offset));
            match listen_on(at) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                other => return other,
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "every passive port is in use"))
    }
}

fn listen_on(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    // Without it, a port would rest for a minute after every transfer (TIME_WAIT) and a small range
    // would run dry. Linux still refuses two listeners on one port.
    socket.set_reuse_address(true)?;
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// A random number below `bound` (0 when the bound is 0).
fn random(bound: usize) -> io::Result<usize> {
    let mut bytes = [0; 4];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("no randomness"))?;
    Ok(u32::from_ne_bytes(bytes) as usize % bound.max(1))
}

/// The first stride from `from` on that visits every one of `count` places.
fn coprime_stride(from: usize, count: usize) -> usize {
    (from.max(1)..).find(|stride| greatest_common_divisor(*stride, count.max(1)) == 1).unwrap_or(1)
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::net::{IpAddr, Ipv4Addr};

    const HOME: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    #[tokio::test]
    async fn the_system_chooses_when_it_is_left_to() {
        let listener = PortPool::new(0..=0).listen(HOME).unwrap();
        assert_ne!(listener.local_addr().unwrap().port(), 0);
    }

    #[tokio::test]
    async fn a_range_is_used_up_and_then_refused() {
        // A free stretch of ports, found rather than fixed.
        let probe = PortPool::new(0..=0).listen(HOME).unwrap().local_addr().unwrap().port();
        let range = probe.saturating_sub(20)..=probe.saturating_sub(13);
        let pool = PortPool::new(range.clone());
        let held: Vec<_> = std::iter::from_fn(|| pool.listen(HOME).ok()).take(range.len() + 1).collect();
        let ports: HashSet<_> = held.iter().map(|l| l.local_addr().unwrap().port()).collect();
        assert_eq!(ports.len(), held.len());
        assert!(ports.iter().all(|port| range.contains(port)));
        assert_eq!(pool.listen(HOME).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_stride_visits_every_port() {
        for count in 1..60 {
            for from in 0..count {
                let stride = coprime_stride(from, count);
                let seen: HashSet<_> = (0..count).map(|n| n * stride % count).collect();
                assert_eq!(seen.len(), count);
            }
        }
    }
}
