//! What a certificate says: subject, names, validity, key, fingerprints.

use std::{
    fmt,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use aws_lc_rs::digest;
use rustls::{pki_types::CertificateDer, server::ParsedCertificate};
use thiserror::Error;
use x509_parser::{
    error::X509Error,
    extensions::GeneralName,
    nom::{self, error::ErrorKind::Eof},
    objects::{oid_registry, oid2abbrev},
    prelude::{ASN1Time, FromDer, X509Certificate},
    public_key::PublicKey,
    x509::X509Name,
};

/// The word for certificates that servers show (RFC 5280 §4.2.1.12, id-kp-serverAuth).
pub(crate) const SERVERS: &str = "servers";
/// The word for certificates that clients show (id-kp-clientAuth).
pub(crate) const CLIENTS: &str = "clients";

/// A SHA-256 hash of a certificate or of a public key. Displayed as `AA:BB:…`, 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256Fingerprint([u8; 32]);

impl Sha256Fingerprint {
    /// The fingerprint of these bytes: a certificate in DER, or a SubjectPublicKeyInfo in DER.
    pub fn of(der: &[u8]) -> Self {
        let mut hash = [0; 32];
        for (to, from) in hash.iter_mut().zip(digest::digest(&digest::SHA256, der).as_ref()) {
            *to = *from;
        }
        Sha256Fingerprint(hash)
    }

    /// The hash itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            let colon = if position == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

/// The text is no SHA-256 fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a SHA-256 fingerprint has 64 hexadecimal digits, with colons between pairs of them or without")]
pub struct NotAFingerprint;

impl std::str::FromStr for Sha256Fingerprint {
    type Err = NotAFingerprint;

    /// Reads what people copy: digits of either case, with or without colons, with or without `SHA256:` before them.
    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        const LABEL: &str = "SHA256:";
        let digits = match text.split_at_checked(LABEL.len()) {
            Some((label, digits)) if label.eq_ignore_ascii_case(LABEL) => digits,
            _ => text,
        };
        let pairs: Vec<&str> = if digits.contains(':') {
            digits.split(':').collect()
        } else {
            (0..digits.len()).step_by(2).map(|at| digits.get(at..at + 2).unwrap_or_default()).collect()
        };
        let mut hash = [0; 32];
        if pairs.len() != hash.len() {
            return Err(NotAFingerprint);
        }
        for (byte, pair) in hash.iter_mut().zip(pairs) {
            let is_pair = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            *byte = u8::from_str_radix(pair, 16).ok().filter(|_| is_pair).ok_or(NotAFingerprint)?;
        }
        Ok(Sha256Fingerprint(hash))
    }
}

/// A moment in a certificate, to the second. Displayed in UTC as RFC 3339 has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(ASN1Time);

impl Timestamp {
    /// A moment of a certificate, a list or an answer. Which of its two forms it was written in makes no difference.
    pub(crate) fn of(moment: ASN1Time) -> Timestamp {
        Timestamp(ASN1Time::new(moment.to_datetime()))
    }

    /// The moment so many seconds after the start of 1970 in UTC; `None` for what no certificate can hold.
    pub fn from_unix_s(seconds: i64) -> Option<Timestamp> {
        ASN1Time::from_timestamp(seconds).ok().map(Timestamp)
    }
}

impl From<Timestamp> for SystemTime {
    fn from(moment: Timestamp) -> SystemTime {
        let seconds = moment.0.timestamp();
        let distance = Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(distance)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(distance)
        };
        time.unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.0.to_datetime();
        let (date, time) = (at.date(), at.time());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }
}

/// A certificate described for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateDescription {
    /// The subject's distinguished name, `CN=…, O=…`.
    pub subject: String,
    /// The issuer's distinguished name; the subject's own where the certificate is self-signed.
    pub issuer: String,
    /// The serial number, `aa:bb:…`.
    pub serial: String,
    /// DNS names and IP addresses that the certificate stands for (subject alternative names), in its order.
    pub names: Vec<String>,
    /// E-mail addresses that it stands for (subject alternative names), in its order.
    pub emails: Vec<String>,
    /// Whether it may sign certificates (RFC 5280 §4.2.1.9).
    pub is_authority: bool,
    /// What it is good for (RFC 5280 §4.2.1.12), such as `servers`; empty where it does not say, which means anything.
    pub purposes: Vec<String>,
    /// Not valid before this moment.
    pub not_before: Timestamp,
    /// Not valid after this moment.
    pub not_after: Timestamp,
    /// Kind and size of the key, such as `ECDSA P-256` or `RSA 2048`.
    pub key: String,
    /// SHA-256 of the certificate.
    pub fingerprint: Sha256Fingerprint,
    /// SHA-256 of the public key (SubjectPublicKeyInfo); stays the same when the certificate is renewed with its key.
    pub spki_fingerprint: Sha256Fingerprint,
}

/// The bytes are no X.509 certificate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not an X.509 certificate: {0}")]
pub struct NotACertificate(String);

/// Describes a certificate in DER.
///
/// # Errors
/// [`NotACertificate`] with what is wrong with the bytes.
pub fn describe(der: &[u8]) -> Result<CertificateDescription, NotACertificate> {
    let (behind, certificate) =
        X509Certificate::from_der(der).map_err(|error| NotACertificate(words(&error)))?;
    if !behind.is_empty() {
        return Err(NotACertificate("there is something behind its end".to_owned()));
    }
    Ok(CertificateDescription {
        subject: distinguished_name(certificate.subject()),
        issuer: distinguished_name(certificate.issuer()),
        serial: certificate.raw_serial_as_string(),
        names: names(&certificate, host_name)?,
        emails: names(&certificate, email)?,
        is_authority: certificate.is_ca(),
        purposes: purposes(&certificate)?,
        not_before: Timestamp::of(certificate.validity().not_before),
        not_after: Timestamp::of(certificate.validity().not_after),
        key: key(&certificate),
        fingerprint: Sha256Fingerprint::of(der),
        spki_fingerprint: Sha256Fingerprint::of(certificate.public_key().raw),
    })
}

/// The SHA-256 of a certificate's SubjectPublicKeyInfo.
///
/// SECURITY: the key as webpki reads it, which also checks the handshake's signature with it. A second parser might see
/// another key in a certificate made for that purpose.
pub(crate) fn key_of(leaf: &CertificateDer<'_>) -> Result<Sha256Fingerprint, rustls::Error> {
    let parsed = ParsedCertificate::try_from(leaf)?;
    Ok(Sha256Fingerprint::of(&parsed.subject_public_key_info()))
}

/// What the reader of DER says, for people.
fn words(error: &nom::Err<X509Error>) -> String {
    let error = match error {
        nom::Err::Incomplete(_) => &X509Error::NomError(Eof),
        nom::Err::Error(error) | nom::Err::Failure(error) => error,
    };
    match error {
        X509Error::NomError(Eof) => "it is cut off".to_owned(),
        X509Error::InvalidDate => "a time in it is none".to_owned(),
        X509Error::InvalidVersion => "its version is none".to_owned(),
        X509Error::Der(_) | X509Error::NomError(_) => "its DER is damaged".to_owned(),
        other => format!("its DER is damaged ({other})"),
    }
}

/// `CN=…, O=…`, in the order of the certificate.
///
/// SECURITY: no two names read alike: what separates the parts is escaped within them as RFC 4514 §2.4 has it, and so are
/// control characters. Otherwise the one part "a, O=b" would pass for two.
pub(crate) fn distinguished_name(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    for part in name.iter() {
        let separator = if text.is_empty() { "" } else { ", " };
        text.push_str(separator);
        for (position, attribute) in part.iter().enumerate() {
            let plus = if position == 0 { "" } else { " + " };
            let kind = oid2abbrev(attribute.attr_type(), oid_registry())
                .map_or_else(|_| attribute.attr_type().to_id_string(), str::to_owned);
            text.push_str(&format!("{plus}{kind}="));
            match attribute.as_str() {
                Ok(value) => escape(value, &mut text),
                Err(_) => {
                    text.push('#');
                    attribute.as_slice().iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
                }
            }
        }
    }
    text
}

fn escape(value: &str, text: &mut String) {
    for (position, c) in value.char_indices() {
        match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => text.extend(['\\', c]),
            '#' if position == 0 => text.extend(['\\', c]),
            c if c.is_control() => text.push_str(&format!("\\{:02X}", u32::from(c))),
            c => text.push(c),
        }
    }
}

fn names(
    certificate: &X509Certificate<'_>,
    which: fn(&GeneralName<'_>) -> Option<String>,
) -> Result<Vec<String>, NotACertificate> {
    let extension =
        certificate.subject_alternative_name().map_err(|error| NotACertificate(error.to_string()))?;
    let Some(extension) = extension else { return Ok(Vec::new()) };
    Ok(extension.value.general_names.iter().filter_map(which).collect())
}

fn host_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => ip_address(octets).map(|address| address.to_string()),
        _ => None,
    }
}

fn email(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::RFC822Name(name) => Some((*name).to_owned()),
        _ => None,
    }
}

/// RFC 5280 §4.2.1.12, in people's words; what has none by its number.
fn purposes(certificate: &X509Certificate<'_>) -> Result<Vec<String>, NotACertificate> {
    let extension = certificate.extended_key_usage().map_err(|error| NotACertificate(error.to_string()))?;
    let Some(usage) = extension.map(|extension| extension.value) else { return Ok(Vec::new()) };
    let known = [
        (usage.any, "anything"),
        (usage.server_auth, SERVERS),
        (usage.client_auth, CLIENTS),
        (usage.code_signing, "signing code"),
        (usage.email_protection, "e-mail"),
        (usage.time_stamping, "time stamps"),
        (usage.ocsp_signing, "signing OCSP answers"),
    ];
    let words = known.into_iter().filter(|(said, _)| *said).map(|(_, word)| word.to_owned());
    Ok(words.chain(usage.other.iter().map(ToString::to_string)).collect())
}

pub(crate) fn ip_address(octets: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(octets)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from))
        .ok()
}

fn key(certificate: &X509Certificate<'_>) -> String {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA {}", key.key_size()),
        Ok(PublicKey::EC(point)) => match point.key_size() {
            // The coordinate of P-521 is 66 bytes long.
            size @ (256 | 384) => format!("ECDSA P-{size}"),
            521 | 528 => "ECDSA P-521".to_owned(),
            size => format!("ECDSA {size}"),
        },
        _ => {
            let algorithm = certificate.public_key().algorithm.algorithm.to_id_string();
            match algorithm.as_str() {
                "1.3.101.112" => "Ed25519".to_owned(), // RFC 8410 §3
                "1.3.101.113" => "Ed448".to_owned(),
                _ => algorithm,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_people_copy_them() {
        let right = Sha256Fingerprint::of(b"anything");
        let shown = right.to_string();
        let bare = shown.replace(':', "");
        for text in [
            shown.clone(),
            shown.to_lowercase(),
            bare.clone(),
            bare.to_lowercase(),
            format!("SHA256:{shown}"),
            format!("sha256:{bare}"),
        ] {
            assert_eq!(text.parse(), Ok(right), "{text}");
        }
        for wrong in [
            String::new(),
            bare[1..].to_owned(),
            format!("{bare}0"),
            format!("{shown}:00"),
            shown.replacen(':', "", 1),
            bare.replacen(|c: char| c.is_ascii_digit(), "g", 1),
            bare.replacen(|c: char| c.is_ascii_digit(), "+", 1),
            format!("MD5:{shown}"),
            "ä".repeat(32),
        ] {
            assert_eq!(wrong.parse::<Sha256Fingerprint>(), Err(NotAFingerprint), "{wrong}");
        }
    }
}
