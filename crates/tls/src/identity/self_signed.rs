//! A server's own identity where no authority gave it one: made once, renewed with the same key.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use zeroize::Zeroizing;

use super::{Identity, IdentityError, Problem, Source};
use crate::issue::serial;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Clients whose clock is a little behind still accept a new certificate.
const BACKDATED: Duration = DAY;
/// Within the 398 days that clients accept of public authorities. Clients remember the key, so renewing is free.
const VALIDITY: Duration = Duration::from_secs(397 * 24 * 60 * 60);

/// A self-signed certificate and its key, ready to be written to files.
pub struct SelfSigned {
    /// The certificate.
    pub certificate_pem: String,
    /// The private key (PKCS#8). Its file must be readable by its owner alone.
    pub key_pem: Zeroizing<String>,
}

impl fmt::Debug for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelfSigned").field("certificate_pem", &self.certificate_pem).finish_non_exhaustive()
    }
}

impl Identity {
    /// Makes an ECDSA P-256 key and a certificate for `names` (DNS names and IP addresses; the first is the subject),
    /// valid for 397 days from yesterday.
    ///
    /// # Errors
    /// [`Problem::BadName`] for a name that is neither; [`Problem::NotMade`] where the system gives no randomness.
    pub fn self_signed(names: &[String]) -> Result<SelfSigned, IdentityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(not_made)?;
        let certificate_pem = certificate(names, &key)?;
        Ok(SelfSigned { certificate_pem, key_pem: Zeroizing::new(key.serialize_pem()) })
    }

    /// Makes a new certificate for `names` with the key in `key_pem` (PKCS#8), so that clients which remember the key
    /// accept it.
    ///
    /// # Errors
    /// As [`Identity::self_signed`], and [`Problem::BadKey`] for a key that cannot be read.
    pub fn renew_self_signed(names: &[String], key_pem: &str) -> Result<String, IdentityError> {
        let key = KeyPair::from_pem(key_pem)
            .map_err(|error| Problem::BadKey(error.to_string()).in_source(&Source::Memory))?;
        certificate(names, &key)
    }
}

fn certificate(names: &[String], key: &KeyPair) -> Result<String, IdentityError> {
    for name in names {
        CertificateParams::new([name.clone()]).map_err(|error| bad_name(name, &error.to_string()))?;
        if name.is_empty() {
            return Err(bad_name(name, "it is empty"));
        }
    }
    let subject = names.first().ok_or_else(|| bad_name("", "there is none"))?;
    let mut params = CertificateParams::new(names).map_err(not_made)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject.as_str());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.serial_number = Some(serial().map_err(not_made)?);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let epoch = date_time_ymd(1970, 1, 1);
    let start = now.saturating_sub(BACKDATED);
    params.not_before = epoch + start;
    params.not_after = epoch + start + VALIDITY;
    Ok(params.self_signed(key).map_err(not_made)?.pem())
}

fn bad_name(name: &str, why: &str) -> IdentityError {
    Problem::BadName { name: name.to_owned(), why: why.to_owned() }.in_source(&Source::Memory)
}

fn not_made(error: impl fmt::Display) -> IdentityError {
    Problem::NotMade(error.to_string()).in_source(&Source::Memory)
}
