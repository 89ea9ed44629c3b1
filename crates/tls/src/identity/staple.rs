//! An OCSP answer that is shown along with a certificate: is it about this certificate, by its issuer, and in date? (RFC 6960)

#[cfg(test)]
mod tests;

use std::time::SystemTime;

use aws_lc_rs::digest;
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use x509_parser::{
    asn1_rs::BitString,
    prelude::{ASN1Time, FromDer, X509Certificate},
    verify::verify_signature,
    x509::AlgorithmIdentifier,
};
use yasna::{ASN1Error, ASN1ErrorKind, ASN1Result, BERReader, Tag};

use super::{Timestamp, chain::is_signed_by};

/// Answers are one or two KiB, with a certificate or two in them; the handshake has room for 64 KiB. What is longer is
/// something else.
const LONGEST: usize = 64 * 1024;

/// The label of an answer as PEM, by custom.
const PEM_LABEL: &str = "OCSP RESPONSE";
/// `id-pkix-ocsp-basic` (RFC 6960 §4.2.1).
const BASIC: &str = "1.3.6.1.5.5.7.48.1.1";

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

impl From<ASN1Error> for StapleProblem {
    fn from(error: ASN1Error) -> Self {
        StapleProblem::Malformed(error.to_string())
    }
}

impl Staple {
    /// Reads an answer, DER or PEM, about the first certificate of `chain`.
    ///
    /// # Errors
    /// The [`StapleProblem`]. That it is out of date is none.
    pub fn read(bytes: &[u8], chain: &[CertificateDer<'_>]) -> Result<Staple, StapleProblem> {
        let der = unarmoured(bytes)?;
        let answer = Answer::read(&der)?;
        let malformed = |what: &str| StapleProblem::Malformed(what.to_owned());
        let parse = |der| X509Certificate::from_der(der).map(|(_, parsed)| parsed);
        let (own, above) = chain.split_first().ok_or_else(|| malformed("there is no certificate"))?;
        let own = parse(own).map_err(|_| malformed("its certificate cannot be read"))?;
        // What is in the answer itself proves nothing by that, but who signed the certificate is its issuer wherever found.
        let brought: Vec<_> = answer.certificates.iter().filter_map(|der| parse(der).ok()).collect();
        let above: Vec<_> = above.iter().filter_map(|der| parse(der).ok()).collect();
        let itself = (own.subject().as_raw() == own.issuer().as_raw()).then_some(&own);
        let issuer = above
            .iter()
            .chain(&brought)
            .chain(itself)
            .find(|candidate| is_signed_by(&own, candidate))
            .ok_or_else(|| StapleProblem::NoIssuer { issuer: own.issuer().to_string() })?;
        let about = answer.singles.iter().find(|single| single.is_about(&own, issuer));
        let about =
            about.ok_or_else(|| StapleProblem::OtherCertificate { serial: own.raw_serial_as_string() })?;
        // SECURITY: RFC 6960 §4.2.2.2: by the issuer itself, or by a certificate that the issuer made for this alone.
        let appointed = |responder: &X509Certificate<'_>| {
            let usage = responder.extended_key_usage().ok().flatten();
            usage.is_some_and(|usage| usage.value.ocsp_signing) && is_signed_by(responder, issuer)
        };
        let mut signers = std::iter::once(issuer).chain(brought.iter().filter(|signer| appointed(signer)));
        if !signers.any(|signer| answer.is_signed_by(signer)) {
            return Err(StapleProblem::Forged);
        }
        match about.status {
            Status::Good => {}
            Status::Revoked => return Err(StapleProblem::Revoked),
            Status::Unknown => return Err(StapleProblem::Unknown),
        }
        let until = about.until.ok_or(StapleProblem::Endless)?;
        let from = about.from;
        Ok(Staple { der, from, until })
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
    let armoured = pem::parse(bytes).map_err(|error| StapleProblem::Malformed(error.to_string()))?;
    match armoured.tag() {
        PEM_LABEL => Ok(armoured.into_contents()),
        other => Err(StapleProblem::Malformed(format!("it is a {other}"))),
    }
}

/// `BasicOCSPResponse` (RFC 6960 §4.2.1).
struct Answer {
    /// What is signed, `ResponseData`.
    signed: Vec<u8>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    certificates: Vec<Vec<u8>>,
    singles: Vec<Single>,
}

/// What is said of one certificate, `SingleResponse`.
struct Single {
    hash: String,
    issuer_name: Vec<u8>,
    issuer_key: Vec<u8>,
    serial: Vec<u8>,
    status: Status,
    from: Timestamp,
    until: Option<Timestamp>,
}

#[derive(Clone, Copy)]
enum Status {
    Good,
    Revoked,
    Unknown,
}

impl Answer {
    fn read(der: &[u8]) -> Result<Answer, StapleProblem> {
        let (status, body) = yasna::parse_der(der, |reader| {
            reader.read_sequence(|reader| {
                let status = reader.next().read_enum()?;
                let body = reader.read_optional(|reader| reader.read_tagged(Tag::context(0), basic))?;
                Ok((status, body))
            })
        })?;
        // RFC 6960 §4.2.1, OCSPResponseStatus.
        let failure = match status {
            0 => return Answer::read_basic(&body.ok_or_else(|| invalid("it says nothing"))?),
            1 => "malformedRequest",
            2 => "internalError",
            3 => "tryLater",
            5 => "sigRequired",
            6 => "unauthorized",
            _ => "of an unknown kind",
        };
        Err(StapleProblem::Failure(failure))
    }

    fn read_basic(der: &[u8]) -> Result<Answer, StapleProblem> {
        let (signed, algorithm, signature, certificates) = yasna::parse_der(der, |reader| {
            reader.read_sequence(|reader| {
                let signed = reader.next().read_der()?;
                let algorithm = reader.next().read_der()?;
                let signature = reader.next().read_der()?;
                let mut certificates = Vec::new();
                reader.read_optional(|reader| {
                    reader.read_tagged(Tag::context(0), |reader| {
                        reader.read_sequence_of(|reader| {
                            certificates.push(reader.read_der()?);
                            Ok(())
                        })
                    })
                })?;
                Ok((signed, algorithm, signature, certificates))
            })
        })?;
        let singles = yasna::parse_der(&signed, response_data)?;
        Ok(Answer { signed, algorithm, signature, certificates, singles })
    }

    fn is_signed_by(&self, signer: &X509Certificate<'_>) -> bool {
        let (Ok((_, algorithm)), Ok((_, signature))) =
            (AlgorithmIdentifier::from_der(&self.algorithm), BitString::from_der(&self.signature))
        else {
            return false;
        };
        verify_signature(signer.public_key(), &algorithm, &signature, &self.signed).is_ok()
    }
}

impl Single {
    /// Whether this is said of `own`, which `issuer` has issued (RFC 6960 §4.1.1, CertID).
    fn is_about(&self, own: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
        // Hashes as names, not as a defence: what they name is compared with what is signed.
        let hash = match self.hash.as_str() {
            "1.3.14.3.2.26" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            "2.16.840.1.101.3.4.2.1" => &digest::SHA256,
            "2.16.840.1.101.3.4.2.2" => &digest::SHA384,
            "2.16.840.1.101.3.4.2.3" => &digest::SHA512,
            _ => return false,
        };
        let of = |bytes: &[u8]| digest::digest(hash, bytes);
        of(issuer.subject().as_raw()).as_ref() == self.issuer_name
            && of(&issuer.public_key().subject_public_key.data).as_ref() == self.issuer_key
            && own.raw_serial() == self.serial
    }
}

/// `ResponseBytes`: the bytes of a basic answer.
fn basic(reader: BERReader<'_, '_>) -> ASN1Result<Vec<u8>> {
    reader.read_sequence(|reader| {
        let kind = reader.next().read_oid()?;
        let body = reader.next().read_bytes()?;
        if kind.to_string() == BASIC { Ok(body) } else { Err(ASN1Error::new(ASN1ErrorKind::Invalid)) }
    })
}

/// `ResponseData`.
fn response_data(reader: BERReader<'_, '_>) -> ASN1Result<Vec<Single>> {
    reader.read_sequence(|reader| {
        reader.read_optional(|reader| reader.read_tagged(Tag::context(0), |reader| reader.read_i64()))?;
        let _responder = reader.next().read_tagged_der()?;
        let _produced_at = time(reader.next())?;
        let mut singles = Vec::new();
        reader.next().read_sequence_of(|reader| {
            singles.push(single(reader)?);
            Ok(())
        })?;
        reader.read_optional(|reader| reader.read_tagged(Tag::context(1), |reader| reader.read_der()))?;
        Ok(singles)
    })
}

/// `SingleResponse`.
fn single(reader: BERReader<'_, '_>) -> ASN1Result<Single> {
    reader.read_sequence(|reader| {
        let (hash, issuer_name, issuer_key, serial) = reader.next().read_sequence(|reader| {
            let hash = reader.next().read_sequence(|reader| {
                let hash = reader.next().read_oid()?;
                reader.read_optional(|reader| reader.read_der())?;
                Ok(hash.to_string())
            })?;
            let (name, key) = (reader.next().read_bytes()?, reader.next().read_bytes()?);
            Ok((hash, name, key, reader.next().read_tagged_der()?.value().to_vec()))
        })?;
        let status = match reader.next().read_tagged_der()?.tag() {
            tag if tag == Tag::context(0) => Status::Good,
            tag if tag == Tag::context(1) => Status::Revoked,
            tag if tag == Tag::context(2) => Status::Unknown,
            _ => return Err(ASN1Error::new(ASN1ErrorKind::Invalid)),
        };
        let from = time(reader.next())?;
        let until = reader.read_optional(|reader| reader.read_tagged(Tag::context(0), time))?;
        reader.read_optional(|reader| reader.read_tagged(Tag::context(1), |reader| reader.read_der()))?;
        Ok(Single { hash, issuer_name, issuer_key, serial, status, from, until })
    })
}

/// A `GeneralizedTime`.
fn time(reader: BERReader<'_, '_>) -> ASN1Result<Timestamp> {
    let der = reader.read_der()?;
    let time = ASN1Time::from_der(&der).ok().and_then(|(_, time)| Timestamp::from_unix_s(time.timestamp()));
    time.ok_or_else(|| ASN1Error::new(ASN1ErrorKind::Invalid))
}

fn invalid(what: &str) -> StapleProblem {
    StapleProblem::Malformed(what.to_owned())
}
