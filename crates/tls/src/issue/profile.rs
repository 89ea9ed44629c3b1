//! What goes into a certificate, and for how long is it good?

use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateParams, CertificateSigningRequest, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    SerialNumber, date_time_ymd,
};
use rustls_pki_types::CertificateDer;
use x509_parser::{
    extensions::ExtendedKeyUsage,
    prelude::{FromDer, X509Certificate},
};

use super::{IssueError, PrivateKey, PublicKey, Request, Subject, SubjectName};
use crate::identity::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Whoever's clock is a little behind still accepts a new certificate.
const BACKDATED: Duration = DAY;
/// Days that a certificate is good for when nothing is said: within the 398 that clients accept of public authorities.
pub const REASONABLE_DAYS: u32 = 397;
/// The most days that can be asked for: a century, which ends long before the year 9999 that X.509 ends with
/// (RFC 5280 §4.1.2.5).
pub const LONGEST_DAYS: u32 = 36_525;

/// What a certificate is good for (RFC 5280 §4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A server shows it.
    Server,
    /// A client shows it.
    Client,
    /// Both.
    Both,
}

impl Purpose {
    /// What an extension says, if it is one of these.
    pub(super) fn of(usage: &ExtendedKeyUsage<'_>) -> Option<Purpose> {
        match (usage.server_auth, usage.client_auth) {
            (true, true) => Some(Purpose::Both),
            (true, false) => Some(Purpose::Server),
            (false, true) => Some(Purpose::Client),
            (false, false) => None,
        }
    }

    fn usages(self) -> Vec<ExtendedKeyUsagePurpose> {
        match self {
            Purpose::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Purpose::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Purpose::Both => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        }
    }
}

/// What a certificate is to say.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Whom it is about; a common name, the first of the names, where that is not said.
    pub subject: Option<Subject>,
    /// Whom it stands for; may be empty where there is a subject, as for a client.
    pub names: Vec<SubjectName>,
    /// What it is good for.
    pub purpose: Purpose,
    /// How long it is good for; [`REASONABLE_DAYS`], and no longer than its authority, where nothing is said.
    pub days: Option<u32>,
}

/// Who signs, as far as it matters for what is signed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Issuer {
    /// The key itself.
    Itself,
    /// An authority with this end.
    Authority(Timestamp),
}

impl Profile {
    /// A certificate for the key, signed by the key itself, PEM.
    ///
    /// # Errors
    /// [`IssueError`] for what no certificate can say.
    pub fn self_signed(&self, key: &PrivateKey) -> Result<String, IssueError> {
        let params = self.params(key.kind_of_usage(), Issuer::Itself)?;
        Ok(params.self_signed(key.pair()).map_err(not_made)?.pem())
    }

    /// A request for a certificate for the key (RFC 2986), PEM. The validity is the authority's to decide and not in it.
    ///
    /// # Errors
    /// [`IssueError`] for what no certificate can say.
    pub fn request(&self, key: &PrivateKey) -> Result<String, IssueError> {
        self.signed_request(key)?.pem().map_err(not_made)
    }

    /// The same in DER, as it travels to an ACME server (RFC 8555 §7.4).
    ///
    /// # Errors
    /// [`IssueError`] for what no certificate can say.
    pub fn request_der(&self, key: &PrivateKey) -> Result<Vec<u8>, IssueError> {
        Ok(self.signed_request(key)?.der().to_vec())
    }

    fn signed_request(&self, key: &PrivateKey) -> Result<CertificateSigningRequest, IssueError> {
        let mut params = self.params(key.kind_of_usage(), Issuer::Itself)?;
        params.serial_number = None;
        params.use_authority_key_identifier_extension = false;
        params.is_ca = IsCa::NoCa;
        params.serialize_request(key.pair()).map_err(not_made)
    }

    /// What a request asks for. `purpose` is the authority's word and wins; else the request's, else for servers.
    pub fn of_request(request: &Request, purpose: Option<Purpose>, days: Option<u32>) -> Profile {
        Profile {
            subject: request.subject().map(Subject::from),
            names: request.names().to_vec(),
            purpose: purpose.or(request.purpose()).unwrap_or(Purpose::Server),
            days,
        }
    }

    /// What a certificate says, to be said again by its successor.
    ///
    /// # Errors
    /// [`IssueError::BadCertificate`] where it is damaged or says what is not said here, and [`IssueError::Name`].
    pub fn of_certificate(der: &CertificateDer<'_>, days: Option<u32>) -> Result<Profile, IssueError> {
        let bad = |why: &dyn std::fmt::Display| IssueError::BadCertificate(why.to_string());
        let (_, parsed) = X509Certificate::from_der(der).map_err(|error| bad(&error))?;
        if parsed.is_ca() {
            return Err(bad(&"it is an authority's"));
        }
        let names = parsed.subject_alternative_name().map_err(|error| bad(&error))?;
        let names = names.map(|extension| extension.value.general_names.iter().map(SubjectName::of_general));
        let usage =
            parsed.extended_key_usage().map_err(|error| bad(&error))?.map(|extension| extension.value);
        let purpose = match usage {
            None => Some(Purpose::Both),
            Some(usage) => Purpose::of(usage),
        };
        Ok(Profile {
            subject: Subject::of_name(parsed.subject())?,
            names: names.into_iter().flatten().collect::<Result<_, _>>()?,
            purpose: purpose.ok_or_else(|| bad(&"it is neither for servers nor for clients"))?,
            days,
        })
    }

    pub(super) fn params(&self, usage: KeyUse, issuer: Issuer) -> Result<CertificateParams, IssueError> {
        let first = || self.names.first().map(|name| Subject::from(name.to_string()));
        let subject = self.subject.clone().or_else(first).ok_or(IssueError::NoName)?;
        let names = self.names.iter().map(SubjectName::to_san).collect::<Result<_, _>>().map_err(not_made)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = subject.distinguished()?;
        params.subject_alt_names = names;
        // RFC 5280 §4.2.1.9 and §4.2.1.2: it is no authority's, and its key has an identifier.
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        // RFC 5280 §4.2.1.3; TLS 1.2 has key exchanges that encrypt with RSA keys.
        params.key_usages = match usage {
            KeyUse::Signs => vec![KeyUsagePurpose::DigitalSignature],
            KeyUse::SignsAndEncrypts => {
                vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment]
            }
        };
        params.extended_key_usages = self.purpose.usages();
        params.serial_number = Some(serial().map_err(not_made)?);
        let (days, end) = match (self.days, issuer) {
            (Some(days), Issuer::Itself) => (days, None),
            (None, Issuer::Itself) => (REASONABLE_DAYS, None),
            (Some(days), Issuer::Authority(end)) => {
                if now() + DAY * days > since_epoch(end) {
                    return Err(IssueError::OutlivesAuthority { end });
                }
                (days, None)
            }
            (None, Issuer::Authority(end)) => (REASONABLE_DAYS, Some(end)),
        };
        validity(&mut params, days, end)?;
        Ok(params)
    }
}

/// What a key does in TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyUse {
    /// It signs.
    Signs,
    /// It signs, and others encrypt to it.
    SignsAndEncrypts,
}

impl PrivateKey {
    pub(super) fn kind_of_usage(&self) -> KeyUse {
        usage_of(self.pair().algorithm())
    }
}

impl PublicKey {
    pub(super) fn kind_of_usage(&self) -> KeyUse {
        usage_of(rcgen::PublicKeyData::algorithm(&self.0))
    }
}

fn usage_of(algorithm: &'static rcgen::SignatureAlgorithm) -> KeyUse {
    if *algorithm == rcgen::PKCS_RSA_SHA256 { KeyUse::SignsAndEncrypts } else { KeyUse::Signs }
}

/// Sets the validity: from yesterday, for so many days from now, and not beyond `end`.
pub(super) fn validity(
    params: &mut CertificateParams,
    days: u32,
    end: Option<Timestamp>,
) -> Result<(), IssueError> {
    if !(1..=LONGEST_DAYS).contains(&days) {
        return Err(IssueError::Days { days, longest: LONGEST_DAYS });
    }
    let epoch = date_time_ymd(1970, 1, 1);
    let mut last = now() + DAY * days;
    if let Some(end) = end {
        last = last.min(since_epoch(end));
        if last <= now() {
            return Err(IssueError::OutlivesAuthority { end });
        }
    }
    params.not_before = epoch + now().saturating_sub(BACKDATED);
    params.not_after = epoch + last;
    Ok(())
}

pub(super) fn now() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // Certificates count whole seconds.
    Duration::from_secs(now.as_secs())
}

fn since_epoch(moment: Timestamp) -> Duration {
    SystemTime::from(moment).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Random, 127 bits: a renewed certificate must not repeat the serial number of the one before (RFC 5280 §4.1.2.2; NSS
/// refuses such a pair), and nobody may foresee what an authority signs next.
pub(crate) fn serial() -> Result<SerialNumber, aws_lc_rs::error::Unspecified> {
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial)?;
    // Positive, and without a leading zero byte.
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(SerialNumber::from_slice(&serial))
}

pub(super) fn not_made(error: impl std::fmt::Display) -> IssueError {
    IssueError::NotMade(error.to_string())
}
