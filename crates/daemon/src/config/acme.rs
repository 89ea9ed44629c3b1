//! Which options say how certificates are ordered by ACME (RFC 8555), and do they make sense together?

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use carrack_tls::issue::{KeyType, SubjectName};
use carrack_tls::{Authorities, WebTls};
use toml::Spanned;
use toml::de::DeValue;
use zeroize::Zeroizing;

use super::check::Faults;
use super::choice::words;
use super::reader::{Key, Reader};
use super::section::{Kind, Setting, Shown, Tables, section};
use super::value::{beside, parsed, quoted};

/// Let's Encrypt.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

section! {
    /// Certificates that are ordered and renewed by ACME, from Let's Encrypt or any other authority that speaks it. Page `acme.md` tells how.
    pub struct Acme {
        /// The directory of the authority's ACME server.
        Restart directory: Directory = [Directory::lets_encrypt()];
        /// That you agree to the authority's terms of service. Nothing is ordered before you do.
        Restart terms_agreed: bool = [false];
        /// E-mail addresses at which the authority may tell you of trouble. They count when the account is made.
        Restart contact: Vec<Email> = [Vec::new()];
        /// How the authority is shown that a name is this server's.
        Restart challenge: Challenge = [Challenge::Http01];
        /// Where its HTTP requests are answered (`http-01`). It asks at port 80 of the name, so that port has to lead here. Left out:
        /// `0.0.0.0:80`.
        Restart http_address: Option<SocketAddr> = [optional];
        /// Where its TLS connections are answered (`tls-alpn-01`). It asks at port 443 of the name, so that port has to lead here. Left
        /// out: `0.0.0.0:443`.
        Restart tls_alpn_address: Option<SocketAddr> = [optional];
        /// A program that puts records into the DNS (`dns-01`), with its first arguments. It is called with `present NAME VALUE` to add the
        /// TXT record, and returns once that can be seen; with `cleanup NAME VALUE` to take it away.
        Restart dns_hook: Vec<Argument> = [Vec::new()];
        /// The key identifier of the account that you have with the authority already, where it demands one.
        Restart eab_kid: Option<Argument> = [optional];
        /// The file with the MAC key of that account, as the authority gives it (base64url).
        Restart eab_key_file: Option<PathBuf> = [optional];
        /// The authorities that vouch for the ACME server itself, PEM. Left out: those of this machine.
        Restart ca: Option<PathBuf> = [optional];
        /// The kind of private key that certificates are ordered for. It counts when the next one is ordered.
        Restart key_type: AcmeKey = [AcmeKey::EcdsaP256];
        /// The certificates.
        Restart certificate: Tables<AcmeCertificate> = [Tables::default()];
    }
}

section! {
    /// A certificate that is ordered and renewed. At least one.
    pub struct AcmeCertificate {
        /// The names that it stands for, such as `ftp.example.com`. `*.example.com` takes `challenge = "dns-01"`.
        Restart names: Vec<OrderedName> = [required];
    }
}

words! {
    /// How the authority is shown that a name is this server's.
    pub enum Challenge {
        /// a text that it asks for by HTTP at port 80 (RFC 8555 §8.3)
        Http01 = "http-01",
        /// a certificate that it is shown by TLS at port 443 (RFC 8737)
        TlsAlpn01 = "tls-alpn-01",
        /// a record in the DNS (RFC 8555 §8.4)
        Dns01 = "dns-01",
    }
}

words! {
    /// A kind of private key that public authorities certify.
    pub enum AcmeKey {
        /// ECDSA with P-256
        EcdsaP256 = "ecdsa-p256",
        /// ECDSA with P-384
        EcdsaP384 = "ecdsa-p384",
        /// RSA with 2048 bits
        Rsa2048 = "rsa-2048",
        /// RSA with 3072 bits
        Rsa3072 = "rsa-3072",
        /// RSA with 4096 bits
        Rsa4096 = "rsa-4096",
    }
}

impl From<AcmeKey> for KeyType {
    fn from(word: AcmeKey) -> Self {
        match word {
            AcmeKey::EcdsaP256 => Self::EcdsaP256,
            AcmeKey::EcdsaP384 => Self::EcdsaP384,
            AcmeKey::Rsa2048 => Self::Rsa2048,
            AcmeKey::Rsa3072 => Self::Rsa3072,
            AcmeKey::Rsa4096 => Self::Rsa4096,
        }
    }
}

/// A text that is one value of the file, checked by a parser of its own.
macro_rules! text {
    ($(#[$meta:meta])* $name:ident, $what:literal, $example:literal, $pattern:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Setting for $name {
            const KIND: Kind =
                Kind::Text { what: $what, example: $example, pattern: $pattern, secret: false };
            fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
                parsed(reader, key, value, str::parse)
            }
            fn show(&self) -> Shown {
                Shown::Value(quoted(&self.0))
            }
        }
    };
}

text!(
    /// The URL of an ACME server's directory (RFC 8555 §7.1.1).
    Directory, "an https URL", "https://acme.example.com/directory", Some("^https://[^ ]+$")
);
text!(
    /// An e-mail address.
    Email, "an e-mail address", "admin@example.com", Some("^[^@ ]+@[^@ ]+$")
);
text!(
    /// A DNS name in lower case; its first label may be `*`.
    OrderedName, "a DNS name", "ftp.example.com", Some("^(\\*\\.)?[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$")
);
text!(
    /// A word that is handed on as it is.
    Argument, "a text", "a-text", None
);

impl Directory {
    fn lets_encrypt() -> Self {
        Self(LETS_ENCRYPT.to_owned())
    }
}

impl FromStr for Directory {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let uri = text.parse::<hyper::Uri>().map_err(|error| format!("{text:?} is no URL: {error}"))?;
        // SECURITY: what the directory says decides where signed requests go (RFC 8555 §6.1).
        if uri.scheme_str() != Some("https") || uri.host().is_none_or(str::is_empty) {
            return Err(format!("{text:?} does not begin with https:// and a host"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Email {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(SubjectName::Email(address)) => Ok(Self(address)),
            _ => Err(format!("{text:?} is no e-mail address")),
        }
    }
}

impl OrderedName {
    /// The name without `*.`: what the authority validates.
    pub fn validated(&self) -> &str {
        self.0.strip_prefix("*.").unwrap_or(&self.0)
    }

    fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }
}

impl FromStr for OrderedName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(SubjectName::Dns(name)) => Ok(Self(name.to_ascii_lowercase())),
            Ok(_) => Err(format!("{text:?} is no DNS name; others are not ordered")),
            // What it says behind that is for names of other kinds as well.
            Err(error) => Err(error.to_string().split("; ").next().unwrap_or_default().to_owned()),
        }
    }
}

impl FromStr for Argument {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("the text is empty".to_owned()),
            _ if text.contains('\0') => Err("the text holds a NUL byte".to_owned()),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl Acme {
    /// The names of all certificates.
    pub fn names(&self) -> impl Iterator<Item = &OrderedName> {
        self.certificate.iter().flat_map(|certificate| &certificate.names)
    }

    /// The address where the authority's questions come in, and the key that names it; `None` where they do not come to this machine.
    /// Left out it is the port that authorities ask at.
    pub(crate) fn asked_at(&self) -> Option<(&'static str, SocketAddr)> {
        let at =
            |address: Option<SocketAddr>, port| address.unwrap_or(SocketAddr::from(([0, 0, 0, 0], port)));
        match self.challenge {
            Challenge::Http01 => Some(("http_address", at(self.http_address, 80))),
            Challenge::TlsAlpn01 => Some(("tls_alpn_address", at(self.tls_alpn_address, 443))),
            Challenge::Dns01 => None,
        }
    }

    /// The MAC key that binds an account with the authority to the ACME account (RFC 8555 §7.3.4).
    ///
    /// # Errors
    /// A sentence about what is wrong with the file.
    pub(crate) fn eab_key(&self) -> Option<Result<Zeroizing<Vec<u8>>, String>> {
        let path = self.eab_key_file.as_ref()?;
        let read = || {
            let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|error| error.to_string())?);
            // Some authorities pad it.
            let key = BASE64_URL_SAFE_NO_PAD.decode(text.trim().trim_end_matches('='));
            // SECURITY: the decoder's own error would repeat a byte of the key.
            let key = Zeroizing::new(key.map_err(|_| "it is not base64url".to_owned())?);
            if key.is_empty() { Err("it is empty".to_owned()) } else { Ok(key) }
        };
        Some(read().map_err(|why| format!("{} holds no MAC key: {why}", path.display())))
    }
}

/// Makes paths absolute and adds all that is wrong.
pub(super) fn check(acme: &mut Acme, base: &Path, faults: &mut Faults) {
    for path in [&mut acme.eab_key_file, &mut acme.ca].into_iter().flatten() {
        *path = beside(base, path);
    }
    if !acme.terms_agreed {
        faults.add(
            "acme.terms_agreed",
            "nobody has agreed to the authority's terms of service",
            "read them, then set terms_agreed = true",
        );
    }
    certificates(acme, faults);
    challenge(acme, base, faults);
    let (kid, key) = (acme.eab_kid.is_some(), acme.eab_key_file.is_some());
    if kid != key {
        let (there, absent) = if kid { ("eab_kid", "eab_key_file") } else { ("eab_key_file", "eab_kid") };
        faults.add(format!("acme.{there}"), format!("it takes {absent} beside"), format!("add {absent}"));
    }
    if let Some(Err(why)) = acme.eab_key() {
        faults.add("acme.eab_key_file", why, "put the key there as the authority gave it");
    }
    let trusted = |ca: &Path| {
        let authorities = Authorities::load(ca).map_err(|error| error.to_string())?;
        // One that parses as PEM may still be no certificate.
        WebTls::new(authorities).map_err(|error| format!("{}: {error}", ca.display()))
    };
    if let Some(Err(text)) = acme.ca.as_deref().map(trusted) {
        let (what, mend) =
            text.split_once("; ").unwrap_or((&text, "name a file of certificates, PEM, or take it out"));
        faults.add("acme.ca", what, mend);
    }
}

fn certificates(acme: &Acme, faults: &mut Faults) {
    if acme.certificate.is_empty() {
        faults.add(
            "acme.certificate",
            "there is no [[acme.certificate]], so nothing would be ordered",
            "add one with names",
        );
    }
    for (index, certificate) in acme.certificate.iter().enumerate() {
        let place = format!("acme.certificate.{index}.names");
        let Some(first) = certificate.names.first() else {
            faults.add(place, "a certificate stands for at least one name", "name the server");
            continue;
        };
        let earlier = acme.certificate.iter().take(index);
        if earlier.filter_map(|other| other.names.first()).any(|other| other == first) {
            let first = first.as_str();
            faults.add(&place, format!("two certificates begin with {first}"), "put their names into one");
        }
        let wildcard = certificate.names.iter().find(|name| name.is_wildcard());
        if let (Some(name), false) = (wildcard, acme.challenge == Challenge::Dns01) {
            let (name, challenge) = (name.as_str(), acme.challenge);
            faults.add(
                &place,
                format!("no authority issues {name} for {challenge} (RFC 8555 §7.1.3)"),
                "set challenge = \"dns-01\", or name each host",
            );
        }
    }
}

fn challenge(acme: &mut Acme, base: &Path, faults: &mut Faults) {
    let set = [
        ("http_address", Challenge::Http01, acme.http_address.is_some()),
        ("tls_alpn_address", Challenge::TlsAlpn01, acme.tls_alpn_address.is_some()),
        ("dns_hook", Challenge::Dns01, !acme.dns_hook.is_empty()),
    ];
    for (key, with, _) in set.into_iter().filter(|(_, with, is_set)| *is_set && *with != acme.challenge) {
        faults.add(
            format!("acme.{key}"),
            format!("it belongs to challenge = \"{with}\", and \"{}\" is set", acme.challenge),
            "take one of the two out",
        );
    }
    if acme.challenge != Challenge::Dns01 {
        return;
    }
    let Some(program) = acme.dns_hook.first_mut() else {
        return faults.add(
            "acme.dns_hook",
            "dns-01 needs a program that puts records into the DNS",
            "add dns_hook = [\"/path/to/it\"]",
        );
    };
    let path = beside(base, Path::new(program.as_str()));
    if rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).is_err() || !path.is_file() {
        let shown = path.display().to_string();
        faults.add(
            "acme.dns_hook",
            format!("{shown} is no program that this user may run"),
            format!("mend the path, or run `chmod +x '{shown}'`"),
        );
    }
    *program = Argument(path.to_string_lossy().into_owned());
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_authority_that_is_none_is_an_error_before_the_start() {
        let dir = tempfile::tempdir().unwrap();
        for (text, why) in [
            ("nothing", "ca.pem"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "certificate 1 of the authorities",
            ),
        ] {
            std::fs::write(dir.path().join("ca.pem"), text).unwrap();
            let config = "[acme]\nterms_agreed = true\nca = \"ca.pem\"\n[[acme.certificate]]\nnames = [\"a.example\"]\n";
            let problems = crate::config::parse(config, dir.path()).unwrap_err();
            let file = "carrack.toml".to_owned();
            let text = crate::config::Problems { file, problems }.to_string();
            assert!(text.contains("acme.ca") && text.contains(why), "{text}");
        }
    }
}
