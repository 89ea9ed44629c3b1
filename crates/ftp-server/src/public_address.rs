//! Which address does `227` name to a client that comes through NAT?

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use carrack_net::Network;

/// The addresses that clients are told, by where they come from. The default names the one that each came to.
#[derive(Clone, Debug, Default)]
pub struct PublicAddresses {
    /// Clients of these networks; the first that one lies in counts.
    pub networks: Vec<(Network, PublicAddress)>,
    /// All others.
    pub otherwise: Option<PublicAddress>,
}

/// One address that clients are told.
#[derive(Clone, Debug)]
pub enum PublicAddress {
    /// This one.
    Fixed(Ipv4Addr),
    /// What a name stands for, kept up to date by somebody else.
    Named(Arc<NamedAddress>),
}

/// What a name was last found to stand for.
#[derive(Debug)]
pub struct NamedAddress {
    name: String,
    found: Mutex<Option<Ipv4Addr>>,
}

/// What a client is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The address that it came to.
    WhereItCame,
    /// This one.
    Public(Ipv4Addr),
    /// It is to be the address of a name that was never found.
    NotFound,
}

impl PublicAddresses {
    /// What the client at `peer` is told.
    pub(crate) fn for_client(&self, peer: IpAddr) -> Told {
        // On this machine itself it would look for the public address behind its own router.
        if peer.is_loopback() {
            return Told::WhereItCame;
        }
        let of_network =
            self.networks.iter().find(|(network, _)| network.contains(peer)).map(|(_, told)| told);
        match of_network.or(self.otherwise.as_ref()) {
            None => Told::WhereItCame,
            Some(PublicAddress::Fixed(address)) => Told::Public(*address),
            Some(PublicAddress::Named(named)) => named.found().map_or(Told::NotFound, Told::Public),
        }
    }
}

impl NamedAddress {
    /// A name that was not looked up yet.
    #[must_use]
    pub fn new(name: String) -> Arc<Self> {
        Arc::new(Self { name, found: Mutex::default() })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last good answer, if there was one.
    #[must_use]
    pub fn found(&self) -> Option<Ipv4Addr> {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a new answer for clients that ask from now on. Says whether it differs from the last.
    pub fn set(&self, address: Ipv4Addr) -> bool {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).replace(address) != Some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn clients_are_told_by_the_first_network_they_lie_in() {
        let (inside, office, outside) =
            (Ipv4Addr::new(10, 1, 2, 3), Ipv4Addr::new(10, 9, 9, 9), Ipv4Addr::new(203, 0, 113, 7));
        let addresses = PublicAddresses {
            networks: vec![
                ("10.9.0.0/16".parse().unwrap(), PublicAddress::Fixed(office)),
                ("10.0.0.0/8".parse().unwrap(), PublicAddress::Fixed(inside)),
            ],
            otherwise: Some(PublicAddress::Fixed(outside)),
        };
        assert_eq!(addresses.for_client(ip("10.9.1.1")), Told::Public(office));
        assert_eq!(addresses.for_client(ip("::ffff:10.4.1.1")), Told::Public(inside));
        assert_eq!(addresses.for_client(ip("198.51.100.9")), Told::Public(outside));
        assert_eq!(addresses.for_client(ip("127.0.0.1")), Told::WhereItCame);
        assert_eq!(PublicAddresses::default().for_client(ip("10.9.1.1")), Told::WhereItCame);
    }

    #[test]
    fn a_name_is_not_guessed_before_it_was_found_and_keeps_the_last_answer() {
        let named = NamedAddress::new("ftp.example".to_owned());
        let addresses = PublicAddresses {
            networks: Vec::new(),
            otherwise: Some(PublicAddress::Named(Arc::clone(&named))),
        };
        assert_eq!(addresses.for_client(ip("192.0.2.1")), Told::NotFound);
        assert!(named.set(Ipv4Addr::new(203, 0, 113, 7)));
        assert!(!named.set(Ipv4Addr::new(203, 0, 113, 7)));
        assert_eq!(addresses.for_client(ip("192.0.2.1")), Told::Public(Ipv4Addr::new(203, 0, 113, 7)));
    }
}
