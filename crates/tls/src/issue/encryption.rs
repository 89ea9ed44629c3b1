//! How is a key hidden behind a password? PBES2 (RFC 8018 §6.2), as PKCS#8 and PKCS#12 have it.

use std::num::NonZeroU32;

use aws_lc_rs::{
    cipher::{
        AES_128, AES_192, AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
        PaddedBlockEncryptingKey, UnboundCipherKey,
    },
    iv::FixedLength,
    pbkdf2::{self, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA384, PBKDF2_HMAC_SHA512},
};
use thiserror::Error;
use yasna::{ASN1Result, BERReader, construct_der, models::ObjectIdentifier, parse_der};
use zeroize::Zeroizing;

/// Rounds of PBKDF2 for what is sealed here: a guess costs about a quarter of a second.
pub(super) const ROUNDS: u32 = 600_000;
/// Rounds that are still computed for what others have sealed: a file that asks for more only wants to keep us busy.
pub(super) const MOST_ROUNDS: u32 = 20_000_000;
/// Bytes of salt (RFC 8018 §4.1 wants eight at least).
const SALT: usize = 16;
/// Bytes of an initialization vector of AES.
const IV: usize = 16;

const PBES2: &[u64] = &[1, 2, 840, 113549, 1, 5, 13];
const PBKDF2: &[u64] = &[1, 2, 840, 113549, 1, 5, 12];
const HMAC_SHA1: &[u64] = &[1, 2, 840, 113549, 2, 7];
const HMAC_SHA256: &[u64] = &[1, 2, 840, 113549, 2, 9];
const HMAC_SHA384: &[u64] = &[1, 2, 840, 113549, 2, 10];
const HMAC_SHA512: &[u64] = &[1, 2, 840, 113549, 2, 11];
const AES_128_CBC: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 1, 2];
const AES_192_CBC: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 1, 22];
const AES_256_CBC: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 1, 42];

/// Why something that is encrypted cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncryptionError {
    /// Most often it is this: padding tells no wrong password from a damaged file.
    #[error("the password is wrong, or the file is damaged")]
    WrongPassword,
    /// The DER is damaged.
    #[error("the file is damaged: it is not DER as PKCS#8 has it; copy it again as it was made")]
    Damaged,
    /// A scheme that is not supported.
    #[error(
        "it is encrypted by the scheme {0}, which is outdated or unknown; encrypt it again with AES: `openssl pkcs8 -topk8 -in FILE -out key.pem`"
    )]
    Scheme(String),
    /// It asks for too much work.
    #[error(
        "it asks for {0} rounds of key derivation, and {MOST_ROUNDS} is the most; encrypt it again with fewer"
    )]
    TooManyRounds(u64),
    /// The system failed.
    #[error("the system gives no random numbers")]
    NoRandomness,
}

/// Something encrypted, with the algorithm identifier (DER) that says how.
pub(super) struct Sealed {
    pub(super) algorithm: Vec<u8>,
    pub(super) bytes: Vec<u8>,
}

/// Encrypts with a key derived from the password.
pub(super) fn seal(plain: &[u8], password: &str) -> Result<Sealed, EncryptionError> {
    let failed = |_| EncryptionError::NoRandomness;
    let (mut salt, mut iv) = ([0; SALT], [0; IV]);
    aws_lc_rs::rand::fill(&mut salt).map_err(failed)?;
    aws_lc_rs::rand::fill(&mut iv).map_err(failed)?;
    let key = derived(PBKDF2_HMAC_SHA256, ROUNDS, &salt, password, 32)?;
    let key = UnboundCipherKey::new(&AES_256, &key).map_err(failed)?;
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).map_err(failed)?;
    let mut bytes = plain.to_vec();
    key.less_safe_encrypt(&mut bytes, EncryptionContext::Iv128(FixedLength::from(iv))).map_err(failed)?;
    let algorithm = construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_oid(&oid(PBES2));
            writer.next().write_sequence(|writer| {
                writer.next().write_sequence(|writer| {
                    writer.next().write_oid(&oid(PBKDF2));
                    writer.next().write_sequence(|writer| {
                        writer.next().write_bytes(&salt);
                        writer.next().write_u32(ROUNDS);
                        writer.next().write_sequence(|writer| {
                            writer.next().write_oid(&oid(HMAC_SHA256));
                            writer.next().write_null();
                        });
                    });
                });
                writer.next().write_sequence(|writer| {
                    writer.next().write_oid(&oid(AES_256_CBC));
                    writer.next().write_bytes(&iv);
                });
            });
        });
    });
    Ok(Sealed { algorithm, bytes })
}

/// Decrypts what an algorithm identifier belongs to.
pub(super) fn open(
    algorithm: &[u8],
    bytes: &[u8],
    password: &str,
) -> Result<Zeroizing<Vec<u8>>, EncryptionError> {
    let damaged = |_| EncryptionError::Damaged;
    let (scheme, parameters) = parse_der(algorithm, algorithm_identifier).map_err(damaged)?;
    expect(&scheme, PBES2)?;
    let (derivation, cipher) = parse_der(&parameters, |reader| {
        reader.read_sequence(|reader| {
            Ok((algorithm_identifier(reader.next())?, algorithm_identifier(reader.next())?))
        })
    })
    .map_err(damaged)?;
    expect(&derivation.0, PBKDF2)?;
    let derivation = parse_der(&derivation.1, pbkdf2_parameters).map_err(damaged)?;
    let rounds = u32::try_from(derivation.rounds).ok().filter(|rounds| *rounds <= MOST_ROUNDS);
    let rounds = rounds.ok_or(EncryptionError::TooManyRounds(derivation.rounds))?;
    let function = match derivation.function.components().as_slice() {
        HMAC_SHA1 => PBKDF2_HMAC_SHA1,
        HMAC_SHA256 => PBKDF2_HMAC_SHA256,
        HMAC_SHA384 => PBKDF2_HMAC_SHA384,
        HMAC_SHA512 => PBKDF2_HMAC_SHA512,
        _ => return Err(EncryptionError::Scheme(dotted(&derivation.function))),
    };
    let (algorithm, length) = match cipher.0.components().as_slice() {
        AES_128_CBC => (&AES_128, 16),
        AES_192_CBC => (&AES_192, 24),
        AES_256_CBC => (&AES_256, 32),
        _ => return Err(EncryptionError::Scheme(dotted(&cipher.0))),
    };
    let iv = parse_der(&cipher.1, |reader| reader.read_bytes()).map_err(damaged)?;
    let iv = FixedLength::<IV>::try_from(iv.as_slice()).map_err(|_| EncryptionError::Damaged)?;
    let key = derived(function, rounds, &derivation.salt, password, length)?;
    let wrong = |_| EncryptionError::WrongPassword;
    let key = UnboundCipherKey::new(algorithm, &key).map_err(wrong)?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(wrong)?;
    let mut bytes = Zeroizing::new(bytes.to_vec());
    let length = key.decrypt(&mut bytes, DecryptionContext::Iv128(iv)).map_err(wrong)?.len();
    bytes.truncate(length);
    Ok(bytes)
}

/// `EncryptedPrivateKeyInfo` (RFC 5958 §3).
pub(super) fn seal_key(pkcs8: &[u8], password: &str) -> Result<Vec<u8>, EncryptionError> {
    let sealed = seal(pkcs8, password)?;
    Ok(construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_der(&sealed.algorithm);
            writer.next().write_bytes(&sealed.bytes);
        });
    }))
}

/// What [`seal_key`] and others make.
pub(super) fn open_key(der: &[u8], password: &str) -> Result<Zeroizing<Vec<u8>>, EncryptionError> {
    let (algorithm, bytes) = parse_der(der, |reader| {
        reader.read_sequence(|reader| Ok((reader.next().read_der()?, reader.next().read_bytes()?)))
    })
    .map_err(|_| EncryptionError::Damaged)?;
    open(&algorithm, &bytes, password)
}

/// `PBKDF2-params` (RFC 8018 A.2).
struct Derivation {
    salt: Vec<u8>,
    rounds: u64,
    function: ObjectIdentifier,
}

fn pbkdf2_parameters(reader: BERReader<'_, '_>) -> ASN1Result<Derivation> {
    reader.read_sequence(|reader| {
        let salt = reader.next().read_bytes()?;
        let rounds = reader.next().read_u64()?;
        // The length follows from the cipher, too.
        reader.read_optional(|reader| reader.read_u64())?;
        let function = reader.read_optional(algorithm_identifier)?;
        Ok(Derivation { salt, rounds, function: function.map_or_else(|| oid(HMAC_SHA1), |(oid, _)| oid) })
    })
}

/// `AlgorithmIdentifier` (RFC 5280 §4.1.1.2): which, and its parameters, empty where there are none.
pub(super) fn algorithm_identifier(reader: BERReader<'_, '_>) -> ASN1Result<(ObjectIdentifier, Vec<u8>)> {
    reader.read_sequence(|reader| {
        let which = reader.next().read_oid()?;
        let parameters = reader.read_optional(|reader| reader.read_der())?;
        Ok((which, parameters.unwrap_or_default()))
    })
}

fn derived(
    function: pbkdf2::Algorithm,
    rounds: u32,
    salt: &[u8],
    password: &str,
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, EncryptionError> {
    let rounds = NonZeroU32::new(rounds).ok_or(EncryptionError::Damaged)?;
    let mut key = Zeroizing::new(vec![0; length]);
    pbkdf2::derive(function, rounds, salt, password.as_bytes(), &mut key);
    Ok(key)
}

fn expect(found: &ObjectIdentifier, wanted: &[u64]) -> Result<(), EncryptionError> {
    if found.components() == wanted { Ok(()) } else { Err(EncryptionError::Scheme(dotted(found))) }
}

pub(super) fn oid(components: &[u64]) -> ObjectIdentifier {
    ObjectIdentifier::from_slice(components)
}

/// `1.2.840.…`
pub(super) fn dotted(oid: &ObjectIdentifier) -> String {
    oid.components().iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}
