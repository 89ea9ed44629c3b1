//! How is the fingerprint of a key or a certificate written, read and refused?

use carrack_tls::Sha256Fingerprint;
use toml::Spanned;
use toml::de::DeValue;

use super::reader::{Key, Reader};
use super::section::{Kind, Setting, Shown};
use super::value::{parsed, quoted};

impl Setting for Sha256Fingerprint {
    const KIND: Kind = Kind::Text {
        what: "a SHA-256 fingerprint",
        example: "9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08",
        pattern: Some("^([Ss][Hh][Aa]256:)?[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}$"),
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, |text| text.parse().map_err(|why| format!("{text:?} is of no use: {why}")))
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.to_string()))
    }
}
