//! How are the names of servers and of character sets written, read and refused?

use carrack_ftp_server::{Charset, HostName};
use toml::Spanned;
use toml::de::DeValue;

use super::reader::{Key, Reader};
use super::section::{Kind, Setting, Shown};
use super::value::{parsed, quoted};

/// A character set of old devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CharacterSet {
    text: String,
    /// The set.
    pub charset: Charset,
}

impl Setting for CharacterSet {
    const KIND: Kind =
        Kind::Text { what: "a character set", example: "latin1", pattern: None, secret: false };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, |text| {
            let charset = Charset::named(text).ok_or_else(|| {
                format!("{text:?} is no set that names can be spelled in; UTF-8 is in force where `charset` is left out")
            })?;
            Ok(Self { text: text.to_owned(), charset })
        })
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.text))
    }
}

/// A name of this server, as clients give it to `HOST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    text: String,
    /// The name as it is compared.
    pub name: HostName,
}

impl Setting for Host {
    const KIND: Kind = Kind::Text {
        what: "a name of the DNS, or an address",
        example: "ftp.example.com",
        pattern: Some("^[A-Za-z0-9.:\\[\\]-]+$"),
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, |text| {
            let name = HostName::parse(text.as_bytes()).ok_or_else(|| {
                format!("{text:?} is no name that `HOST` can give: letters, digits, `-` and `.`; no port; IPv6 in brackets")
            })?;
            Ok(Self { text: text.to_owned(), name })
        })
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.text))
    }
}

/// A name of a virtual server, in lower case; `*` may stand in the place of its first label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerName(String);

impl ServerName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for ServerName {
    const KIND: Kind = Kind::Text {
        what: "a name of the DNS",
        example: "ftp.example.com",
        pattern: Some("^(\\*\\.)?[A-Za-z0-9.-]+$"),
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, |text| {
            let (star, beneath) = match text.strip_prefix("*.") {
                Some(beneath) => ("*.", beneath),
                None => ("", text),
            };
            match HostName::parse(beneath.as_bytes()) {
                Some(HostName::Domain(name)) => Ok(Self(format!("{star}{name}"))),
                // A handshake can name none (RFC 6066 §3).
                Some(HostName::Address(_)) => {
                    Err(format!("{text:?} is an address, and a virtual server goes by names"))
                }
                None => Err(format!(
                    "{text:?} is no name that a client can ask for: letters, digits, `-` and `.`; no port, and `*` for the whole first label alone"
                )),
            }
        })
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.0))
    }
}
