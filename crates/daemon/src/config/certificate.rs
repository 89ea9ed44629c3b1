//! How are the names in client certificates written, read and refused?

use toml::Spanned;
use toml::de::DeValue;

use super::reader::{Key, Reader};
use super::section::{Kind, Setting, Shown};
use super::value::{parsed, quoted};

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
