//! How is the address that clients are told written: as an address, or as a name that is looked up?

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use toml::Spanned;
use toml::de::DeValue;

use super::reader::{Key, Reader};
use super::section::{Kind, Setting, Shown};
use super::value::{parsed, quoted};

/// Longest name and label (RFC 1035 §2.3.4).
const NAME_LONGEST: usize = 253;
const LABEL_LONGEST: usize = 63;

/// An address that clients are told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PublicAddress {
    /// As it stands.
    Fixed(Ipv4Addr),
    /// What this name stands for at the time.
    Name(String),
}

impl fmt::Display for PublicAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl FromStr for PublicAddress {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) if ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() => {
                Err(format!("{ip} is not an address a client can connect to"))
            }
            Ok(IpAddr::V4(ip)) => Ok(Self::Fixed(ip)),
            Ok(IpAddr::V6(_)) => {
                Err(format!("{text:?} is an IPv6 address; only PASV names an address, and that is for IPv4"))
            }
            Err(_) if is_name(text) => Ok(Self::Name(text.to_ascii_lowercase())),
            Err(_) => Err(String::new()),
        }
    }
}

/// Whether this is a name of the domain name system. One of digits alone would be an address that was mistyped.
pub(super) fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=LABEL_LONGEST).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= NAME_LONGEST
        && text.split('.').all(label)
        && text.rsplit('.').next().is_some_and(|last| last.bytes().any(|byte| byte.is_ascii_alphabetic()))
}

impl Setting for PublicAddress {
    const KIND: Kind = Kind::Text {
        what: "an IPv4 address or a name",
        example: "203.0.113.7",
        pattern: Some("^[0-9A-Za-z.-]+$"),
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, str::parse)
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names() {
        assert_eq!("203.0.113.7".parse(), Ok(PublicAddress::Fixed(Ipv4Addr::new(203, 0, 113, 7))));
        assert_eq!("FTP.example".parse(), Ok(PublicAddress::Name("ftp.example".to_owned())));
        for wrong in [
            "0.0.0.0",
            "224.0.0.1",
            "::1",
            "203.0.113",
            "203.0.113.256",
            "a..b",
            "-a.b",
            "a b",
            "ftp.example:21",
            "",
        ] {
            assert!(wrong.parse::<PublicAddress>().is_err(), "{wrong}");
        }
    }
}
