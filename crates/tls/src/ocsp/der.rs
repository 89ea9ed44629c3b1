//! How is an OCSP answer written? DER as RFC 6960 §4.2.1 has it, read and not yet believed.

use x509_parser::prelude::{ASN1Time, FromDer};
use yasna::{ASN1Error, ASN1ErrorKind, ASN1Result, BERReader, BERReaderSeq, Tag, parse_der, tags};

use super::{OcspError, Status};
use crate::{identity::Timestamp, revocation::RevocationReason};

const BASIC: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 48, 1, 1];
const SUCCESSFUL: u8 = 0;
/// Certificates and statements that are read of one answer: responders send one of each, or a handful.
const MOST: usize = 16;

/// `BasicOCSPResponse`.
pub(super) struct Basic {
    /// What is signed: `ResponseData`, as it came.
    pub(super) data: Vec<u8>,
    /// The contents of the signature's `AlgorithmIdentifier`, without the SEQUENCE around it.
    pub(super) algorithm: Vec<u8>,
    pub(super) signature: Vec<u8>,
    /// Certificates of those who may have signed.
    pub(super) certificates: Vec<Vec<u8>>,
}

/// `SingleResponse`: what is said of one certificate.
pub(super) struct Statement {
    pub(super) hash: Hash,
    pub(super) issuer_name_hash: Vec<u8>,
    pub(super) issuer_key_hash: Vec<u8>,
    /// The contents of the INTEGER.
    pub(super) serial: Vec<u8>,
    pub(super) status: Status,
    pub(super) this_update: Timestamp,
    pub(super) next_update: Option<Timestamp>,
}

/// With what the issuer is hashed, in order to be named and not to be proved: what is said is signed.
#[derive(Clone, Copy)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
    Other,
}

/// Reads `OCSPResponse`.
pub(super) fn basic(response: &[u8]) -> Result<Basic, OcspError> {
    let (status, basic) = parse_der(response, |reader| {
        reader.read_sequence(|reader| {
            let status = contents(reader.next(), tags::TAG_ENUM)?;
            let bytes = reader.read_optional(|reader| {
                reader.read_tagged(Tag::context(0), |reader| {
                    reader.read_sequence(|reader| {
                        let kind = reader.next().read_oid()?;
                        Ok((kind, reader.next().read_bytes()?))
                    })
                })
            })?;
            Ok((status, bytes))
        })
    })
    .map_err(|_| OcspError::Malformed)?;
    match (status.as_slice(), basic) {
        ([SUCCESSFUL], Some((kind, basic))) if kind.components() == BASIC => {
            parse_der(&basic, basic_response).map_err(|_| OcspError::Malformed)
        }
        ([SUCCESSFUL], _) => Err(OcspError::Malformed),
        // RFC 6960 §2.3
        ([1], _) => Err(OcspError::NoAnswer("malformedRequest")),
        ([2], _) => Err(OcspError::NoAnswer("internalError")),
        ([3], _) => Err(OcspError::NoAnswer("tryLater")),
        ([5], _) => Err(OcspError::NoAnswer("sigRequired")),
        ([6], _) => Err(OcspError::NoAnswer("unauthorized")),
        _ => Err(OcspError::Malformed),
    }
}

fn basic_response(reader: BERReader<'_, '_>) -> ASN1Result<Basic> {
    reader.read_sequence(|reader| {
        let data = reader.next().read_der()?;
        let algorithm = contents(reader.next(), tags::TAG_SEQUENCE)?;
        let (signature, bits) = reader.next().read_bitvec_bytes()?;
        if bits % 8 != 0 {
            return Err(invalid());
        }
        let certificates = reader.read_optional(|reader| {
            reader.read_tagged(Tag::context(0), |reader| several(reader, |reader| reader.read_der()))
        })?;
        Ok(Basic { data, algorithm, signature, certificates: certificates.unwrap_or_default() })
    })
}

/// Reads `ResponseData`.
pub(super) fn statements(data: &[u8]) -> Result<Vec<Statement>, OcspError> {
    parse_der(data, |reader| {
        reader.read_sequence(|reader| {
            // version, which is 1 and mostly left out
            skip_optional(reader, 0)?;
            // responderID: who signed is found out by the signature. [1] is a name and [2] the hash of a key.
            skip_optional(reader, 1)?;
            skip_optional(reader, 2)?;
            time(reader.next())?;
            let statements = several(reader.next(), statement)?;
            skip_optional(reader, 1)?;
            Ok(statements)
        })
    })
    .map_err(|_| OcspError::Malformed)
}

fn statement(reader: BERReader<'_, '_>) -> ASN1Result<Statement> {
    reader.read_sequence(|reader| {
        let (hash, issuer_name_hash, issuer_key_hash, serial) = reader.next().read_sequence(|reader| {
            let hash = reader.next().read_sequence(|reader| {
                let hash = reader.next().read_oid()?;
                reader.read_optional(|reader| reader.read_der())?;
                Ok(Hash::of(hash.components()))
            })?;
            Ok((
                hash,
                reader.next().read_bytes()?,
                reader.next().read_bytes()?,
                contents(reader.next(), tags::TAG_INTEGER)?,
            ))
        })?;
        let status = status(reader.next())?;
        let this_update = time(reader.next())?;
        let next_update = reader.read_optional(|reader| reader.read_tagged(Tag::context(0), time))?;
        skip_optional(reader, 1)?;
        Ok(Statement { hash, issuer_name_hash, issuer_key_hash, serial, status, this_update, next_update })
    })
}

fn status(reader: BERReader<'_, '_>) -> ASN1Result<Status> {
    let tag = reader.lookahead_tag()?;
    if tag == Tag::context(0) {
        reader.read_tagged_implicit(tag, |reader| reader.read_null())?;
        Ok(Status::Good)
    } else if tag == Tag::context(1) {
        reader.read_tagged_implicit(tag, |reader| {
            reader.read_sequence(|reader| {
                let at = time(reader.next())?;
                let reason = reader.read_optional(|reader| {
                    reader.read_tagged(Tag::context(0), |reader| contents(reader, tags::TAG_ENUM))
                })?;
                let reason = match reason.as_deref() {
                    Some([code]) => RevocationReason::from_code(*code),
                    _ => None,
                };
                Ok(Status::Revoked { at, reason })
            })
        })
    } else {
        reader.read_tagged_implicit(Tag::context(2), |reader| reader.read_null())?;
        Ok(Status::Unknown)
    }
}

impl Hash {
    fn of(oid: &[u64]) -> Hash {
        match oid {
            [1, 3, 14, 3, 2, 26] => Hash::Sha1,
            [2, 16, 840, 1, 101, 3, 4, 2, 1] => Hash::Sha256,
            [2, 16, 840, 1, 101, 3, 4, 2, 2] => Hash::Sha384,
            [2, 16, 840, 1, 101, 3, 4, 2, 3] => Hash::Sha512,
            _ => Hash::Other,
        }
    }
}

fn time(reader: BERReader<'_, '_>) -> ASN1Result<Timestamp> {
    let der = reader.read_der()?;
    ASN1Time::from_der(&der).map(|(_, time)| Timestamp::of(time)).map_err(|_| invalid())
}

/// The contents of an element with this tag.
fn contents(reader: BERReader<'_, '_>, tag: Tag) -> ASN1Result<Vec<u8>> {
    if reader.lookahead_tag()? != tag {
        return Err(invalid());
    }
    reader.read_tagged_der().map(|element| element.value().to_vec())
}

/// SEQUENCE OF, of no more than [`MOST`].
fn several<T>(
    reader: BERReader<'_, '_>,
    one: impl Fn(BERReader<'_, '_>) -> ASN1Result<T>,
) -> ASN1Result<Vec<T>> {
    let mut all = Vec::new();
    reader.read_sequence_of(|reader| {
        if all.len() == MOST {
            return Err(invalid());
        }
        all.push(one(reader)?);
        Ok(())
    })?;
    Ok(all)
}

fn skip_optional(reader: &mut BERReaderSeq<'_, '_>, tag: u64) -> ASN1Result<()> {
    reader.read_optional(|reader| reader.read_tagged(Tag::context(tag), |reader| reader.read_der())).map(drop)
}

fn invalid() -> ASN1Error {
    ASN1Error::new(ASN1ErrorKind::Invalid)
}
