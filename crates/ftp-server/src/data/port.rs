//! Where the next data connection comes from or goes to.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};

use super::accept::next_of;
use super::shared::Seat;

/// The data port of a session: one at a time, and each for one data connection only.
pub(crate) enum DataPort {
    /// `PASV` or `EPSV`: the client will come to this random port.
    Passive(PassivePort),
    /// `PORT` or `EPRT`: we go to the client.
    Active(SocketAddr),
}

/// A port that waits for the client.
pub(crate) enum PassivePort {
    /// A port for this transfer alone, and those from the client's address who came before the command did.
    OneShot { listener: TcpListener, early: VecDeque<TcpStream> },
    /// A seat at the port that all share. Who comes early waits in it.
    Shared(Seat),
}

/// Connections from the client's address that are taken before there is a command to use them; more
/// wait in the kernel's queue.
const EARLY: usize = 4;

impl PassivePort {
    pub(crate) fn one_shot(listener: TcpListener) -> Self {
        Self::OneShot { listener, early: VecDeque::new() }
    }
}

impl DataPort {
    /// Attends to the port until the command comes that uses it. Never returns for long; cancellation
    /// safe.
    // SECURITY: without this, strangers could fill the queue before the owner gets into it.
    pub(crate) async fn attend(&mut self, peer: IpAddr) {
        match self {
            Self::Passive(PassivePort::OneShot { listener, early }) if early.len() < EARLY => {
                let stream = next_of(listener, peer).await;
                early.push_back(stream);
            }
            _ => std::future::pending().await,
        }
    }
}

/// Ports below this belong to services, not to clients (RFC 2577 §3).
const FIRST_CLIENT_PORT: u16 = 1024;

/// Whether an active data connection may go to `target` for the client at `peer`.
// SECURITY: without this the server is a proxy that connects wherever a client likes: the bounce
// attack (RFC 2577 §3).
pub(crate) fn may_connect_to(target: SocketAddr, peer: IpAddr) -> bool {
    target.ip() == peer && target.port() >= FIRST_CLIENT_PORT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_clients_own_unprivileged_ports() {
        let peer: IpAddr = "192.0.2.7".parse().unwrap();
        assert!(may_connect_to("192.0.2.7:1024".parse().unwrap(), peer));
        assert!(!may_connect_to("192.0.2.7:1023".parse().unwrap(), peer));
        assert!(!may_connect_to("192.0.2.8:2000".parse().unwrap(), peer));
        assert!(!may_connect_to("[2001:db8::7]:2000".parse().unwrap(), peer));
    }
}
