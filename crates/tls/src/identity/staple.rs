//! An OCSP answer that is shown along with a certificate: is it about this certificate, by its issuer, and in date? (RFC 6960)

#[cfg(test)]
mod tests;

use std::time::SystemTime;

use rustls_pki_types::CertificateDer;
use thiserror::Error;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Timestamp, chain::is_signed_by, describe};
use crate::{
    armour,
    ocsp::{self, LONGEST, OcspError, Status},
};

/// The label of an answer as PEM, by custom.
const PEM_LABEL: &str = "OCSP RESPONSE";

/// An OCSP answer that says that a certificate is good. That it is about this certificate, and signed by who may say so, was
/// checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staple {
    der: Vec<u8>,
    from: Timestamp,
    until: Timestamp,
}

/// Why an OCSP answer cannot be stapled, and the mend.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StapleProblem {
    /// Something else.
    #[error("is no OCSP answer ({0}); make it with `openssl ocsp … -respout FILE`, DER or PEM")]
    Malformed(String),
    /// The responder answered that it does not answer.
    #[error("is an answer of failure, {0}, not about a certificate; ask the responder again")]
    Failure(&'static str),
    /// It speaks of others.
    #[error(
        "says nothing about this certificate (serial number {serial}); ask with `openssl ocsp -issuer … -cert …` for this one"
    )]
    OtherCertificate {
        /// Whose answer is wanted.
        serial: String,
    },
    /// Whether it is by the issuer cannot be told.
    #[error(
        "cannot be checked, as the certificate's issuer \"{issuer}\" is not at hand; put the issuer's certificate behind the server's own in its file"
    )]
    NoIssuer {
        /// Who.
        issuer: String,
    },
    /// Neither the issuer nor somebody appointed by it has signed it.
    #[error(
        "is not signed by the certificate's issuer, nor by a responder that the issuer has appointed; fetch it from the responder that the certificate names"
    )]
    Forged,
    /// It says that the certificate was revoked.
    #[error("says that the certificate is revoked; have a new certificate issued, with a new key")]
    Revoked,
    /// It says that nobody knows the certificate.
    #[error("says that the responder does not know the certificate; ask the responder of its issuer")]
    Unknown,
    /// It does not say until when it holds.
    #[error(
        "does not say until when it holds (nextUpdate); let the responder say so (`openssl ocsp -ndays N`)"
    )]
    Endless,
}

impl Staple {
    /// Reads an answer, DER or PEM, about the first certificate of `chain`.
    ///
    /// # Errors
    /// The [`StapleProblem`]. That it is out of date is none.
    pub fn read(bytes: &[u8], chain: &[CertificateDer<'_>]) -> Result<Staple, StapleProblem> {
        let der = unarmoured(bytes)?;
        let malformed = |what: &str| StapleProblem::Malformed(what.to_owned());
        let own = chain.first().ok_or_else(|| malformed("there is no certificate"))?;
        let description = describe(own).map_err(|_| malformed("its certificate cannot be read"))?;
        let problem = |error: OcspError| match error {
            OcspError::NoAnswer(failure) => StapleProblem::Failure(failure),
            OcspError::OtherCertificate => {
                StapleProblem::OtherCertificate { serial: description.serial.clone() }
            }
            OcspError::Untrusted => StapleProblem::Forged,
            other => StapleProblem::Malformed(other.to_string()),
        };
        // What is in the answer itself proves nothing by that, but who signed the certificate is its issuer wherever found.
        let brought = ocsp::certificates(&der);
        let issuer =
            chain.iter().skip(1).chain(&brought).chain([own]).find(|candidate| has_issued(candidate, own));
        let Some(issuer) = issuer else {
            // What is no answer at all is told as that.
            return Err(match ocsp::said(&der, own, own, SystemTime::now()) {
                Err(error @ (OcspError::Malformed | OcspError::NoAnswer(_))) => problem(error),
                _ => StapleProblem::NoIssuer { issuer: description.issuer },
            });
        };
        let answer = ocsp::said(&der, own, issuer, SystemTime::now()).map_err(problem)?;
        match answer.status {
            Status::Good => {}
            Status::Revoked { .. } => return Err(StapleProblem::Revoked),
            Status::Unknown => return Err(StapleProblem::Unknown),
        }
        let until = answer.next_update.ok_or(StapleProblem::Endless)?;
        Ok(Staple { der, from: answer.this_update, until })
    }

    /// Its bytes, DER.
    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether it holds at `now`. One that does not is not shown.
    pub fn is_in_date(&self, now: SystemTime) -> bool {
        SystemTime::from(self.from) <= now && now < SystemTime::from(self.until)
    }

    /// The moment from which on it holds (thisUpdate).
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// Its end (nextUpdate).
    pub fn until(&self) -> Timestamp {
        self.until
    }
}

fn unarmoured(bytes: &[u8]) -> Result<Vec<u8>, StapleProblem> {
    if bytes.len() > LONGEST {
        return Err(StapleProblem::Malformed(format!("it is longer than {LONGEST} bytes")));
    }
    if !bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Ok(bytes.to_vec());
    }
    let sections = armour::sections(bytes).map_err(|why| StapleProblem::Malformed(why.to_owned()))?;
    let first = sections.into_iter().next();
    let armoured = first.ok_or_else(|| StapleProblem::Malformed("there is none in it".to_owned()))?;
    match armoured.tag() {
        PEM_LABEL => Ok(armoured.into_contents()),
        other => Err(StapleProblem::Malformed(format!("it is a {other}"))),
    }
}

/// Whether one has signed the other.
fn has_issued(issuer: &CertificateDer<'_>, certificate: &CertificateDer<'_>) -> bool {
    let parse = |der| X509Certificate::from_der(der).map(|(_, parsed)| parsed);
    match (parse(issuer), parse(certificate)) {
        (Ok(issuer), Ok(certificate)) => is_signed_by(&certificate, &issuer),
        _ => false,
    }
}
