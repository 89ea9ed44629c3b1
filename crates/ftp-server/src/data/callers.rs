//! Whose is the other end of a data connection: the client's, a partner server's, or a stranger's?

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use carrack_net::Network;

/// Ports below this belong to services, not to clients (RFC 2577 §3).
const FIRST_CLIENT_PORT: u16 = 1024;

/// Who may be at the other end of a client's data connections.
#[derive(Clone, Debug)]
pub(crate) struct Callers {
    client: IpAddr,
    partners: Arc<[Network]>,
    balancers: Arc<[Network]>,
}

/// Whose an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// The client's own.
    Client,
    /// A partner server's (`[fxp] partners`).
    Partner,
}

impl Callers {
    pub(crate) fn new(client: IpAddr, partners: Arc<[Network]>) -> Self {
        Self { client, partners, balancers: Arc::default() }
    }

    /// The same, where connections from these load balancers begin with a PROXY header.
    pub(crate) fn behind(self, balancers: Arc<[Network]>) -> Self {
        Self { balancers, ..self }
    }

    /// The same, and nobody but the client.
    pub(crate) fn client_alone(&self) -> Self {
        Self { partners: Arc::default(), ..self.clone() }
    }

    pub(super) fn client(&self) -> IpAddr {
        self.client
    }

    pub(crate) fn is_client(&self, address: IpAddr) -> bool {
        address == self.client
    }

    pub(crate) fn is_partner(&self, address: IpAddr) -> bool {
        self.partners.iter().any(|network| network.contains(address))
    }

    /// Whether a connection from `address` has to say first for whom it comes.
    pub(super) fn is_balancer(&self, address: IpAddr) -> bool {
        self.balancers.iter().any(|network| network.contains(address))
    }

    /// Whether a connection from `address` is looked at any further.
    pub(super) fn may_call(&self, address: IpAddr) -> bool {
        self.is_client(address) || self.is_partner(address)
    }

    /// Whether an active data connection may go to `target`.
    // SECURITY: without this the server is a proxy that connects wherever a client likes: the bounce
    // attack (RFC 2577 §3).
    pub(crate) fn may_be_called(&self, target: SocketAddr) -> bool {
        self.may_call(target.ip()) && target.port() >= FIRST_CLIENT_PORT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(callers: &Callers, target: &str) -> bool {
        callers.may_be_called(target.parse().unwrap())
    }

    #[test]
    fn only_the_clients_own_unprivileged_ports() {
        let callers = Callers::new("192.0.2.7".parse().unwrap(), Arc::default());
        assert!(allowed(&callers, "192.0.2.7:1024"));
        assert!(!allowed(&callers, "192.0.2.7:1023"));
        assert!(!allowed(&callers, "192.0.2.8:2000"));
        assert!(!allowed(&callers, "[2001:db8::7]:2000"));
    }

    #[test]
    fn and_those_of_partners() {
        let partners = ["198.51.100.0/24".parse().unwrap()];
        let callers = Callers::new("192.0.2.7".parse().unwrap(), Arc::new(partners));
        assert!(allowed(&callers, "198.51.100.9:2000"));
        assert!(!allowed(&callers, "198.51.100.9:21"));
        assert!(!allowed(&callers, "198.51.101.9:2000"));
    }
}
