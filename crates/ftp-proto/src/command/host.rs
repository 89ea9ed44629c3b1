//! How is a virtual host named? HOST (RFC 7151 §3.1)

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::malformed;
use crate::reply::Reply;
use crate::verb::Verb;

/// Longest name of the DNS, in characters (RFC 1034 §3.1).
const DOMAIN: usize = 253;

/// Longest label of one (RFC 1034 §3.1).
const LABEL: usize = 63;

/// What a client calls the server it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostName {
    /// A name of the DNS, in lower case: case means nothing there. Other scripts come as A-labels (`xn--…`).
    Domain(String),
    /// An address, as the client was given it.
    Address(IpAddr),
}

impl HostName {
    pub(super) fn read(argument: &[u8]) -> Result<HostName, Reply> {
        HostName::parse(argument).ok_or_else(|| malformed(Verb::Host))
    }

    /// Reads the grammar of RFC 7151 §3.1, and nothing else: a port, a scheme or a final dot make it no name.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<HostName> {
        let text = std::str::from_utf8(text).ok()?;
        if let Some(inner) = text.strip_prefix('[') {
            let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(HostName::Address(address.into()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(HostName::Address(address.into()));
        }
        let is_name = text.len() <= DOMAIN && text.split('.').all(is_label);
        is_name.then(|| HostName::Domain(text.to_ascii_lowercase()))
    }
}

fn is_label(label: &str) -> bool {
    (1..=LABEL).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        let domain = |name: &str| Some(HostName::Domain(name.to_owned()));
        assert_eq!(HostName::parse(b"FTP.Example.COM"), domain("ftp.example.com"));
        assert_eq!(HostName::parse(b"xn--e1afmkfd.com"), domain("xn--e1afmkfd.com"));
        assert_eq!(HostName::parse(b"192.0.2.1"), Some(HostName::Address([192, 0, 2, 1].into())));
        let v6 = Some(HostName::Address("2001:db8::c000:201".parse().unwrap()));
        assert_eq!(HostName::parse(b"[2001:db8::c000:201]"), v6);
    }

    #[test]
    fn ports_spaces_and_other_scripts_are_no_names() {
        let long = "a".repeat(64);
        for wrong in [
            "",
            "192.0.2.1:2112",
            "[::1]:21",
            "::1",
            "a b",
            "a..b",
            "a.",
            "-a",
            "a-",
            "ex\u{e4}mple",
            "a/b",
            &long,
        ] {
            assert_eq!(HostName::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
