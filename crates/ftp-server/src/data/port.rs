//! Where the next data connection comes from or goes to.

use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};

use super::accept::next_of;

/// The data port of a session: one at a time, and each for one data connection only.
pub(crate) enum DataPort {
    /// `PASV` or `EPSV`: the client will come to this random port.
    Passive(PassivePort),
    /// `PORT` or `EPRT`: we go to the client.
    Active(SocketAddr),
}

/// A port that waits for the client, and those from its address who came before the command did.
pub(crate) struct PassivePort {
    pub(super) listener: TcpListener,
    pub(super) early: Vec<TcpStream>,
}

/// Connections from the client's address that are taken before there is a command to use them; more
/// wait in the kernel's queue.
const EARLY: usize = 4;

impl PassivePort {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self { listener, early: Vec::new() }
    }
}

impl DataPort {
    /// Attends to the port until the command comes that uses it. Never returns for long; cancellation
    /// safe.
    // SECURITY: without this, strangers could fill the queue before the owner gets into it.
    pub(crate) async fn attend(&mut self, peer: IpAddr) {
        match self {
            Self::Passive(port) if port.early.len() < EARLY => {
                let stream = next_of(&port.listener, peer).await;
                port.early.push(stream);
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
