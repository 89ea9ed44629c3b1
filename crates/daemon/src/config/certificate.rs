//! How are the keys and names of client certificates written, read and refused?

use carrack_tls::Sha256Fingerprint;
use toml::Spanned;
use toml::de::DeValue;

use super::reader::{Key, Reader};
use super::section::{Kind, Setting, Shown};
use super::value::{parsed, quoted};

/// SHA-256 of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpkiSha256(pub Sha256Fingerprint);

impl Setting for SpkiSha256 {
    const KIND: Kind = Kind::Text {
        what: "the SHA-256 of a public key, 64 hexadecimal digits",
        example: "AB:12:…",
        pattern: None,
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, |text| text.parse().map(Self).map_err(|_| String::new()))
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.0.to_string()))
    }
}

/// A name as it stands in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateName(String);

impl CertificateName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for CertificateName {
    const KIND: Kind = Kind::Text {
        what: "a name in a certificate",
        example: "CN=Example CA",
        pattern: None,
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, |text| {
            if text.trim().is_empty() || text.contains(char::is_control) {
                return Err(String::new());
            }
            if text.contains('*') {
                return Err(format!(
                    "{text:?} has a `*`: names are compared whole, and none with a wildcard is accepted"
                ));
            }
            Ok(Self(text.to_owned()))
        })
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.0))
    }
}
