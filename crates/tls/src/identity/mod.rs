//! Who a server is: a certificate chain with its private key.

mod chain;
mod choice;
mod error;
mod self_signed;
mod shown;
mod staple;
#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rustls::{InconsistentKeys, SignatureAlgorithm, SignatureScheme, sign::CertifiedKey};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use zeroize::Zeroizing;

pub use crate::certificate::{
    CertificateDescription, NotACertificate, NotAFingerprint, Sha256Fingerprint, Timestamp, describe,
};
use crate::{armour::pem_fault, policy};
pub(crate) use choice::{Fit, fit};
pub use error::{IdentityError, Problem, Source};
pub use self_signed::SelfSigned;
pub(crate) use shown::Showing;
pub use shown::{Identities, Set};
pub use staple::{Staple, StapleProblem};

/// A certificate chain with the key of its first certificate. Cheap to clone.
///
/// That the key belongs to the certificate was checked, and that each certificate was signed by the next. That they are
/// valid at present was not: an expired one still serves, and the client decides.
#[derive(Debug, Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    /// The same with the staple, for as long as that is in date.
    stapled: Option<(Arc<CertifiedKey>, Staple)>,
    description: Arc<CertificateDescription>,
    /// Of what stands behind the first certificate.
    above: Arc<[CertificateDescription]>,
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
        let mut descriptions =
            chain::in_order(&chain).map_err(|problem| problem.in_source(&certificate_source))?.into_iter();
        let description =
            descriptions.next().ok_or_else(|| Problem::NoCertificate.in_source(&certificate_source))?;
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
        Ok(Identity {
            certified: Arc::new(certified),
            stapled: None,
            description: Arc::new(description),
            above: descriptions.collect(),
        })
    }

    /// The same with an OCSP answer about its certificate, DER or PEM, which is shown to clients that ask for one
    /// (`status_request`, RFC 6066 §8) from its moment on until its end.
    ///
    /// # Errors
    /// An [`IdentityError`] that names the file: it is no such answer, speaks of another certificate, was not signed by its
    /// issuer or somebody appointed by that, or does not say that the certificate is good. One that is out of date is
    /// none: it is not shown, and [`Identity::staple`] tells.
    pub fn with_staple(&self, file: &Path) -> Result<Identity, IdentityError> {
        let source = Source::File(file.to_owned());
        let bytes = read(file)?;
        let staple = Staple::read(&bytes, &self.certified.cert)
            .map_err(|problem| Problem::BadStaple(problem).in_source(&source))?;
        let mut certified = CertifiedKey::clone(&self.certified);
        certified.ocsp = Some(staple.der().to_vec());
        Ok(Identity { stapled: Some((Arc::new(certified), staple)), ..self.clone() })
    }

    /// The same with the staple that another one has, where that is for the same certificate.
    pub fn with_staple_of(&self, other: &Identity) -> Identity {
        let same = self.fingerprint() == other.fingerprint();
        Identity { stapled: other.stapled.clone().filter(|_| same), ..self.clone() }
    }

    /// Its OCSP answer, in date or not.
    pub fn staple(&self) -> Option<&Staple> {
        self.stapled.as_ref().map(|(_, staple)| staple)
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

    /// The certificate of the chain whose validity ends first, most often the server's own.
    pub fn first_to_end(&self) -> &CertificateDescription {
        let chain = std::iter::once(&*self.description).chain(&*self.above);
        chain.min_by_key(|description| description.not_after).unwrap_or(&self.description)
    }

    /// Whether less than a third of the certificate's validity is left at `now`, the usual time to renew.
    pub fn is_renewal_due(&self, now: SystemTime) -> bool {
        let start = SystemTime::from(self.description.not_before);
        let end = self.not_after();
        let validity = end.duration_since(start).unwrap_or_default();
        end.duration_since(now).map_or(true, |left| left < validity / 3)
    }

    /// The kind of its key.
    fn algorithm(&self) -> SignatureAlgorithm {
        self.certified.key.algorithm()
    }

    /// Whether a client that checks signatures of these schemes can check its.
    fn suits(&self, schemes: &[SignatureScheme]) -> bool {
        self.certified.key.choose_scheme(schemes).is_some()
    }

    /// How it stands for a DNS name or an IP address.
    fn stands_for(&self, name: &str) -> Option<choice::Fit> {
        self.names().iter().filter_map(|in_it| choice::fit(in_it, name)).min()
    }

    /// Whether its certificate stands for this DNS name or IP address, itself or by a wildcard.
    pub fn is_for(&self, name: &str) -> bool {
        self.stands_for(name).is_some()
    }

    pub(crate) fn certified_key(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// What a server shows now: the staple with it as long as that is in date.
    fn shown_now(&self) -> Arc<CertifiedKey> {
        match &self.stapled {
            Some((certified, staple)) if staple.is_in_date(SystemTime::now()) => Arc::clone(certified),
            _ => Arc::clone(&self.certified),
        }
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
