//! Which addresses are meant by "192.0.2.0/24"?

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network by its address and the length of its prefix; a single address is one of full length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no network; displayed as a sentence with the mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotANetwork {
    /// It is no address, with or without a prefix.
    Malformed,
    /// The prefix is longer than the address.
    PrefixTooLong,
    /// Behind the prefix there are bits: one host was written, or another network meant.
    HostBits {
        /// The network that the address lies in.
        network: Network,
    },
}

impl fmt::Display for NotANetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("this is no address and no network such as 192.0.2.0/24"),
            Self::PrefixTooLong => f.write_str("the prefix is longer than the address"),
            Self::HostBits { network } => {
                write!(f, "the address has bits behind its prefix; the network is {network}")
            }
        }
    }
}

impl std::error::Error for NotANetwork {}

impl Network {
    /// The network with a prefix of this length that an address lies in. IPv4 written as IPv6 is IPv4; a length beyond the address
    /// means all of it.
    #[must_use]
    pub fn around(address: IpAddr, prefix: u8) -> Self {
        let address = address.to_canonical();
        let prefix = prefix.min(if address.is_ipv4() { 32 } else { 128 });
        Self { address: masked(address, prefix), prefix }
    }

    /// Its family (whether IPv4) and the length of its prefix.
    pub(crate) fn kind(&self) -> (bool, u8) {
        (self.address.is_ipv4(), self.prefix)
    }

    /// Whether every address of its family lies in it.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.prefix == 0
    }

    /// Whether `address` lies in it. IPv4 written as IPv6 (RFC 4291 §2.5.5.2) is IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                masked(address.to_canonical(), self.prefix) == self.address
            }
            _ => false,
        }
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Network, NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork::Malformed)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) => digits.parse().map_err(|_| NotANetwork::Malformed)?,
            None => longest,
        };
        if prefix > longest {
            return Err(NotANetwork::PrefixTooLong);
        }
        let network = Network { address: masked(address, prefix), prefix };
        if network.address != address {
            return Err(NotANetwork::HostBits { network });
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_single = self.prefix == if self.address.is_ipv4() { 32 } else { 128 };
        match is_single {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_other() {
        let held = |text: &str, address: &str| network(text).contains(address.parse().unwrap());
        assert!(held("192.0.2.0/24", "192.0.2.255"));
        assert!(!held("192.0.2.0/24", "192.0.3.0"));
        assert!(held("192.0.2.7", "::ffff:192.0.2.7"));
        assert!(!held("192.0.2.7", "192.0.2.8"));
        assert!(held("0.0.0.0/0", "203.0.113.1"));
        assert!(!held("0.0.0.0/0", "2001:db8::1"));
        assert!(held("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!held("2001:db8::/32", "2001:db9::"));
        assert_eq!(network("192.0.2.7/32").to_string(), "192.0.2.7");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        let why = |text: &str| text.parse::<Network>().unwrap_err();
        for text in ["", "here", "192.0.2.0/", "192.0.2.0/x", "192.0.2/24", "/24"] {
            assert_eq!(why(text), NotANetwork::Malformed, "{text}");
        }
        assert_eq!(why("192.0.2.0/33"), NotANetwork::PrefixTooLong);
        assert_eq!(why("192.0.2.7/24"), NotANetwork::HostBits { network: network("192.0.2.0/24") });
    }
}
