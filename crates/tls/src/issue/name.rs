//! Which names can a certificate carry?

use std::{fmt, net::IpAddr, str::FromStr};

use rcgen::{Error, SanType};
use x509_parser::extensions::GeneralName;

use super::BadName;
use crate::certificate::ip_address;

/// Octets of a DNS name in text (RFC 1035 §2.3.4, without the root).
const DNS_NAME: usize = 253;
/// Octets of a label (RFC 1035 §2.3.4).
const LABEL: usize = 63;
/// Octets of an e-mail address (RFC 5321 §4.5.3.1.3, without the angle brackets).
const EMAIL: usize = 254;

/// A name that a certificate stands for (RFC 5280 §4.2.1.6), parsed from what a person types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectName {
    /// A host name; `*.` may stand for its first label.
    Dns(String),
    /// An address.
    Address(IpAddr),
    /// An e-mail address.
    Email(String),
}

impl FromStr for SubjectName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = |why| BadName { name: text.to_owned(), why };
        if let Ok(address) = text.parse() {
            return Ok(SubjectName::Address(address));
        }
        if !text.is_ascii() {
            return Err(bad("it has letters beyond ASCII, which stand in a host name as xn--…"));
        }
        if let Some((local, domain)) = text.split_once('@') {
            let is_word = |c: char| c.is_ascii_graphic() && !"()<>[]:;,\\\"@".contains(c);
            if local.is_empty() || !local.chars().all(is_word) || text.len() > EMAIL {
                return Err(bad("it is no e-mail address"));
            }
            dns(domain).map_err(bad)?;
            return Ok(SubjectName::Email(text.to_owned()));
        }
        dns(text.strip_prefix("*.").unwrap_or(text)).map_err(bad)?;
        Ok(SubjectName::Dns(text.to_owned()))
    }
}

/// Checks a host name. Underscores are let through: they stand in names of real hosts.
fn dns(name: &str) -> Result<(), &'static str> {
    let is_label = |label: &str| {
        (1..=LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.len() > DNS_NAME || !name.split('.').all(is_label) {
        return Err("it is no host name");
    }
    // RFC 1123 §2.1: what ends in a number is an address, and this one was none.
    if name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err("it looks like an address and is none");
    }
    Ok(())
}

impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SubjectName::Dns(name) | SubjectName::Email(name) => f.write_str(name),
            SubjectName::Address(address) => address.fmt(f),
        }
    }
}

impl SubjectName {
    /// A name that somebody asks for. SECURITY: names of kinds that nobody here understands are refused, not copied.
    pub(super) fn of_general(name: &GeneralName<'_>) -> Result<SubjectName, BadName> {
        match name {
            GeneralName::DNSName(text) | GeneralName::RFC822Name(text) => text.parse(),
            GeneralName::IPAddress(octets) => {
                let why = "it is no address";
                let bad = || BadName { name: name.to_string(), why };
                ip_address(octets).map(SubjectName::Address).ok_or_else(bad)
            }
            _ => Err(BadName { name: name.to_string(), why: "its kind is not supported" }),
        }
    }

    pub(super) fn to_san(&self) -> Result<SanType, Error> {
        Ok(match self {
            SubjectName::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
            SubjectName::Email(name) => SanType::Rfc822Name(name.as_str().try_into()?),
            SubjectName::Address(address) => SanType::IpAddress(*address),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let dns = |name: &str| SubjectName::Dns(name.to_owned());
        for (text, name) in [
            ("ftp.example", dns("ftp.example")),
            ("*.example.org", dns("*.example.org")),
            ("localhost", dns("localhost")),
            ("alice_2", dns("alice_2")),
            ("xn--gre-6ka8i.example", dns("xn--gre-6ka8i.example")),
            ("192.0.2.7", SubjectName::Address("192.0.2.7".parse().unwrap())),
            ("2001:db8::7", SubjectName::Address("2001:db8::7".parse().unwrap())),
            ("a.b+c@ftp.example", SubjectName::Email("a.b+c@ftp.example".to_owned())),
        ] {
            assert_eq!(text.parse(), Ok(name), "{text}");
            assert_eq!(text.parse::<SubjectName>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_no_certificate_can_carry_is_refused() {
        let long = format!("{}.example", "a".repeat(64));
        let longer = format!("{}example", "abcdefg.".repeat(32));
        for (text, why) in [
            ("", "empty"),
            ("*.", "empty"),
            ("grüße.example", "xn--"),
            ("a b", "no host name"),
            ("a\0b.example", "no host name"),
            ("a..b", "no host name"),
            ("-a.example", "no host name"),
            ("a.*.example", "no host name"),
            ("*.*.example", "no host name"),
            ("ftp.example.", "no host name"),
            ("ftps://ftp.example", "no host name"),
            (&long, "no host name"),
            (&longer, "no host name"),
            ("192.0.2.256", "address"),
            ("1.2.3", "address"),
            ("[::1]", "no host name"),
            ("@example", "e-mail"),
            ("a b@example", "e-mail"),
            ("a@b@c", "no host name"),
            ("a@", "empty"),
        ] {
            let error = text.parse::<SubjectName>().unwrap_err().to_string();
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }
}
