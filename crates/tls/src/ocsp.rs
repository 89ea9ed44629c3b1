//! What does an authority say of a certificate in an OCSP answer (RFC 6960), such as a server staples to it?
//!
//! An answer is believed when the certificate's authority signed it, or somebody whom that authority has certified for it
//! (`id-kp-OCSPSigning`, RFC 6960 §4.2.2.2), when it speaks of this very certificate, and while it is in date. Nobody is asked
//! over the network.

mod der;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512};
use rustls_pki_types::{CertificateDer, UnixTime};
use thiserror::Error;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{identity::Timestamp, policy, revocation::RevocationReason};
use der::{Basic, Hash, Statement};

/// Bytes of an answer that are looked at: one with a chain of RSA 4096 has about 6 KiB, and TLS carries no more than 64.
pub const LONGEST: usize = 64 * 1024;
/// How far a responder's clock may be ahead of ours.
const AHEAD: Duration = Duration::from_secs(5 * 60);
/// How long an answer is good that does not say when there is a newer one. RFC 6960 §4.2.2.1 has it that there always is, so
/// it is of no use as a staple; some servers staple it all the same.
const GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// `id-kp-OCSPSigning`, 1.3.6.1.5.5.7.3.9, as DER has it.
const OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];
/// `id-pe-tlsfeature`, 1.3.6.1.5.5.7.1.24, as DER has it.
const TLS_FEATURE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 24];
/// `status_request` among the TLS features (RFC 7633 §4.2.1).
const STATUS_REQUEST: u64 = 5;

/// What is said of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is not revoked.
    Good,
    /// It is revoked.
    Revoked {
        /// Since when.
        at: Timestamp,
        /// Why, where that is said.
        reason: Option<RevocationReason>,
    },
    /// The responder knows no such certificate.
    Unknown,
}

/// An answer that can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// What it says.
    pub status: Status,
    /// From when on this is known to be so.
    pub this_update: Timestamp,
    /// When there is a newer answer; this one is not believed any more after it. `None` where that is not said.
    pub next_update: Option<Timestamp>,
}

/// Why an answer cannot be believed; displayed as the end of "the OCSP answer …".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OcspError {
    /// Too long.
    #[error(
        "is longer than the {LONGEST} bytes that are looked at; fetch it again from the authority's responder"
    )]
    TooLong,
    /// No OCSP answer, or one of a kind that nobody uses.
    #[error(
        "is damaged or something else; it must be DER as RFC 6960 has it: fetch it again from the authority's responder"
    )]
    Malformed,
    /// The responder has refused.
    #[error("says nothing: the responder has refused with {0}; ask it again later")]
    NoAnswer(&'static str),
    /// Somebody else's signature, a wrong one, or one that is not believed any more, such as with SHA-1.
    #[error(
        "is signed neither by the certificate's authority nor by somebody whom that one has certified for OCSP, or in an outdated way; ask the responder that the certificate names"
    )]
    Untrusted,
    /// It is about others.
    #[error("does not speak of this certificate; ask for this one")]
    OtherCertificate,
    /// It is of the future.
    #[error("is good only from {this_update} on; set the clock right")]
    NotYetValid {
        /// From when on.
        this_update: Timestamp,
    },
    /// It is old.
    #[error("was good until {until}; fetch a new one from the authority's responder")]
    Stale {
        /// Its end.
        until: Timestamp,
    },
    /// The certificate or its authority's cannot be read.
    #[error(
        "cannot be checked, as the certificate or its authority's is damaged; copy them again as they were issued"
    )]
    BadCertificate,
}

/// What the answer `response` (DER) says of `certificate` at `now`. `issuer` is the certificate's authority: that it has issued
/// the certificate, and is to be believed itself, is for the caller to know.
///
/// A revocation counts however old the answer is: it is not taken back.
///
/// # Errors
/// An [`OcspError`] where it is not to be believed.
pub fn check(
    response: &[u8],
    certificate: &CertificateDer<'_>,
    issuer: &CertificateDer<'_>,
    now: SystemTime,
) -> Result<Answer, OcspError> {
    let answer = said(response, certificate, issuer, now)?;
    match answer.status {
        Status::Revoked { .. } => Ok(answer),
        Status::Good | Status::Unknown => in_date(answer, now),
    }
}

/// The same, however old or new the answer is.
pub(crate) fn said(
    response: &[u8],
    certificate: &CertificateDer<'_>,
    issuer: &CertificateDer<'_>,
    now: SystemTime,
) -> Result<Answer, OcspError> {
    if response.len() > LONGEST {
        return Err(OcspError::TooLong);
    }
    let basic = der::basic(response)?;
    // SECURITY: before anything in it is read as an answer.
    if !is_signed_by_issuer_or_delegate(&basic, issuer, now) {
        return Err(OcspError::Untrusted);
    }
    let statements = der::statements(&basic.data)?;
    let subject = Subject::new(certificate, issuer)?;
    let about = statements.iter().filter(|statement| subject.is_meant_by(statement));
    // The newest, were there several.
    let said = about.max_by_key(|said| said.this_update).ok_or(OcspError::OtherCertificate)?;
    Ok(Answer { status: said.status, this_update: said.this_update, next_update: said.next_update })
}

/// The certificates that an answer brings along, of whomever.
pub(crate) fn certificates(response: &[u8]) -> Vec<CertificateDer<'static>> {
    let basic = (response.len() <= LONGEST).then(|| der::basic(response).ok()).flatten();
    basic.into_iter().flat_map(|basic| basic.certificates).map(CertificateDer::from).collect()
}

/// Whether the certificate says that no server shows it without a staple (RFC 7633, "must staple"). What cannot be read
/// demands none.
pub fn is_demanded_by(certificate: &CertificateDer<'_>) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
    let features = parsed.extensions().iter().filter(|extension| extension.oid.as_bytes() == TLS_FEATURE);
    features.into_iter().any(|extension| {
        let features = yasna::parse_der(extension.value, |reader| {
            reader.collect_sequence_of(|reader| reader.read_u64())
        });
        features.is_ok_and(|features| features.contains(&STATUS_REQUEST))
    })
}

fn in_date(answer: Answer, now: SystemTime) -> Result<Answer, OcspError> {
    let this_update = answer.this_update;
    let since = SystemTime::from(this_update);
    if since > now + AHEAD {
        return Err(OcspError::NotYetValid { this_update });
    }
    let until = answer.next_update.map_or(since + GOOD_FOR, SystemTime::from);
    if now > until {
        return Err(OcspError::Stale { until: answer.next_update.unwrap_or(this_update) });
    }
    Ok(answer)
}

fn is_signed_by_issuer_or_delegate(basic: &Basic, issuer: &CertificateDer<'_>, now: SystemTime) -> bool {
    if is_signed_by(basic, issuer) {
        return true;
    }
    let Ok(anchor) = anchor_from_trusted_cert(issuer) else { return false };
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (anchors, now) = ([anchor], UnixTime::since_unix_epoch(since));
    basic.certificates.iter().any(|der| {
        let der = CertificateDer::from(der.as_slice());
        // SECURITY: certified for this by the issuer itself, and in date; a server's certificate by the same authority
        // must not speak for it (RFC 6960 §4.2.2.2).
        let is_delegate = EndEntityCert::try_from(&der).is_ok_and(|delegate| {
            let (algorithms, usage) = (algorithms(), KeyUsage::required(OCSP_SIGNING));
            delegate.verify_for_usage(algorithms, &anchors, &[], now, usage, None, None).is_ok()
        });
        is_delegate && is_signed_by(basic, &der)
    })
}

fn is_signed_by(basic: &Basic, signer: &CertificateDer<'_>) -> bool {
    let Ok(signer) = EndEntityCert::try_from(signer) else { return false };
    let named = algorithms().iter().filter(|known| known.signature_alg_id().as_ref() == basic.algorithm);
    // One identifier stands for several curves; the key fits one of them.
    named.into_iter().any(|known| signer.verify_signature(*known, &basic.data, &basic.signature).is_ok())
}

fn algorithms() -> &'static [&'static dyn rustls_pki_types::SignatureVerificationAlgorithm] {
    policy::provider().signature_verification_algorithms.all
}

/// The certificate that is asked about, as `CertID` names it.
struct Subject {
    issuer_name: Vec<u8>,
    issuer_key: Vec<u8>,
    serial: Vec<u8>,
}

impl Subject {
    fn new(certificate: &CertificateDer<'_>, issuer: &CertificateDer<'_>) -> Result<Subject, OcspError> {
        let (_, certificate) =
            X509Certificate::from_der(certificate).map_err(|_| OcspError::BadCertificate)?;
        let (_, issuer) = X509Certificate::from_der(issuer).map_err(|_| OcspError::BadCertificate)?;
        Ok(Subject {
            issuer_name: certificate.issuer().as_raw().to_vec(),
            // The key's bits, without algorithm and the count of unused bits (RFC 6960 §4.1.1).
            issuer_key: issuer.public_key().subject_public_key.data.to_vec(),
            serial: certificate.raw_serial().to_vec(),
        })
    }

    fn is_meant_by(&self, statement: &Statement) -> bool {
        let function = match statement.hash {
            Hash::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &SHA256,
            Hash::Sha384 => &SHA384,
            Hash::Sha512 => &SHA512,
            Hash::Other => return false,
        };
        let hashes = |bytes: &[u8], hash: &[u8]| digest::digest(function, bytes).as_ref() == hash;
        self.serial == statement.serial
            && hashes(&self.issuer_name, &statement.issuer_name_hash)
            && hashes(&self.issuer_key, &statement.issuer_key_hash)
    }
}
