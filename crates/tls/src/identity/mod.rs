//! Who a server is: a certificate chain with its private key.

mod error;
mod self_signed;
mod shown;
#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rustls::{InconsistentKeys, sign::CertifiedKey};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use zeroize::Zeroizing;

pub use crate::certificate::{
    CertificateDescription, NotACertificate, NotAFingerprint, Sha256Fingerprint, Timestamp, describe,
};
use crate::{armour::pem_fault, policy};
pub use error::{IdentityError, Problem, Source};
pub use self_signed::SelfSigned;
pub use shown::Identities;

/// A certificate chain with the key of its first certificate. Cheap to clone.
///
/// That the key belongs to the certificate was checked. That the certificate is valid at present was not: an expired one
/// still serves, and the client decides.
#[derive(Debug, Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    description: Arc<CertificateDescription>,
}

impl Identity {
    /// Loads a chain (the server's certificate first) and its private key (PKCS#8, SEC1 or PKCS#1) from PEM files.
    /// Both may be the same file.
    ///
    /// # Errors
    /// An [`IdentityError`] that names the file, what is wrong with it and the mend.
    pub fn load(certificate: &Path, key: &Path) -> Result<Identity, IdentityError> {
        let certificate_pem = read(certificate)?;
        let key_pem = read(key)?;
        Self::parse(
            (Source::File(certificate.to_owned()), &certificate_pem),
            (Source::File(key.to_owned()), &key_pem),
        )
    }

    /// The same from PEM text in memory.
    ///
    /// # Errors
    /// An [`IdentityError`].
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Identity, IdentityError> {
        Self::parse((Source::Memory, certificate), (Source::Memory, key))
    }

    fn parse(
        (certificate_source, certificate_pem): (Source, &[u8]),
        (key_source, key_pem): (Source, &[u8]),
    ) -> Result<Identity, IdentityError> {
        let chain = parse_chain(certificate_pem).map_err(|problem| problem.in_source(&certificate_source))?;
        let first = chain.first().ok_or_else(|| Problem::NoCertificate.in_source(&certificate_source))?;
        let description = describe(first)
            .map_err(|error| Problem::BadCertificate(error.to_string()).in_source(&certificate_source))?;
        let key = parse_key(key_pem).map_err(|problem| problem.in_source(&key_source))?;
        let key = policy::provider()
            .key_provider
            .load_private_key(key)
            .map_err(|error| Problem::BadKey(error.to_string()).in_source(&key_source))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // The key's kind cannot tell its public half; the first handshake will show.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(Problem::Mismatch { certificate: certificate_source }.in_source(&key_source));
            }
            Err(error) => {
                return Err(Problem::BadCertificate(error.to_string()).in_source(&certificate_source));
            }
        }
        Ok(Identity { certified: Arc::new(certified), description: Arc::new(description) })
    }

    /// SHA-256 of the server's certificate.
    pub fn fingerprint(&self) -> Sha256Fingerprint {
        self.description.fingerprint
    }

    /// SHA-256 of the server's public key.
    pub fn spki_fingerprint(&self) -> Sha256Fingerprint {
        self.description.spki_fingerprint
    }

    /// DNS names and IP addresses that the certificate stands for.
    pub fn names(&self) -> &[String] {
        &self.description.names
    }

    /// The end of the certificate's validity.
    pub fn not_after(&self) -> SystemTime {
        self.description.not_after.into()
    }

    /// All that the server's certificate says.
    pub fn description(&self) -> &CertificateDescription {
        &self.description
    }

    /// Whether less than a third of the certificate's validity is left at `now`, the usual time to renew.
    pub fn is_renewal_due(&self, now: SystemTime) -> bool {
        let start = SystemTime::from(self.description.not_before);
        let end = self.not_after();
        let validity = end.duration_since(start).unwrap_or_default();
        end.duration_since(now).map_or(true, |left| left < validity / 3)
    }

    pub(crate) fn certified_key(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    fs::read(path)
        .map(Zeroizing::new)
        .map_err(|error| Problem::Unreadable(error).in_source(&Source::File(PathBuf::from(path))))
}

pub(crate) fn parse_chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Problem> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| Problem::BadPem(pem_fault(&error)))
}

fn parse_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Problem> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound if contains(pem, b"ENCRYPTED PRIVATE KEY") => Problem::EncryptedKey,
        pem::Error::NoItemsFound => Problem::NoKey,
        other => Problem::BadPem(pem_fault(&other)),
    })
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}
