//! How do a key and its chain travel in one file? PKCS#12 (RFC 7292), as OpenSSL 3 and Windows write it.

use std::fmt;

use aws_lc_rs::{
    digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512},
    hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512},
};
use pem::Pem;
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use yasna::{ASN1Result, BERReader, DERWriter, Tag, construct_der, models::ObjectIdentifier, parse_der};
use zeroize::Zeroizing;

use super::{
    KeyError, PrivateKey,
    encryption::{self, EncryptionError, MOST_ROUNDS, ROUNDS, algorithm_identifier, dotted, oid},
    key::encoded,
};
use crate::identity::Sha256Fingerprint;

const DATA: &[u64] = &[1, 2, 840, 113549, 1, 7, 1];
const ENCRYPTED_DATA: &[u64] = &[1, 2, 840, 113549, 1, 7, 6];
const KEY_BAG: &[u64] = &[1, 2, 840, 113549, 1, 12, 10, 1, 1];
const SHROUDED_KEY_BAG: &[u64] = &[1, 2, 840, 113549, 1, 12, 10, 1, 2];
const CERTIFICATE_BAG: &[u64] = &[1, 2, 840, 113549, 1, 12, 10, 1, 3];
const X509_CERTIFICATE: &[u64] = &[1, 2, 840, 113549, 1, 9, 22, 1];
const FRIENDLY_NAME: &[u64] = &[1, 2, 840, 113549, 1, 9, 20];
const LOCAL_KEY_ID: &[u64] = &[1, 2, 840, 113549, 1, 9, 21];
const SHA1_OID: &[u64] = &[1, 3, 14, 3, 2, 26];
const SHA256_OID: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 2, 1];
const SHA384_OID: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 2, 2];
const SHA512_OID: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 2, 3];
/// RFC 7292 §4: the only version.
const VERSION: u32 = 3;
/// Bytes of salt of the code that protects the whole.
const SALT: usize = 16;
/// Certificates that a file may hold: more than any real chain has.
const MOST_CERTIFICATES: usize = 64;
/// RFC 7292 B.3: what the derived bytes are for.
const FOR_MAC: u8 = 3;

/// A file that cannot be read, or not be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It is something else, or damaged.
    #[error(
        "is no PKCS#12 file, or is damaged; it is binary and mostly called .p12 or .pfx: copy it again as it was made"
    )]
    Damaged,
    /// The password does not fit the code that protects it.
    #[error("the password is wrong, or the file is damaged")]
    WrongPassword,
    /// It is protected by something outdated or unknown.
    #[error(
        "is protected in an outdated or unknown way ({0}); with OpenSSL run `openssl pkcs12 -legacy -in FILE -nodes -out all.pem` and `openssl pkcs12 -export -in all.pem -out new.p12`"
    )]
    Scheme(String),
    /// What is inside cannot be opened.
    #[error("cannot be opened: {0}")]
    Encryption(#[from] EncryptionError),
    /// There is no key in it.
    #[error("holds no private key; export it with its key")]
    NoKey,
    /// The key in it cannot be used.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// There is no certificate of its key in it.
    #[error("holds no certificate of its private key; export it with its certificate")]
    NoCertificate,
    /// There is too much in it.
    #[error("holds more than {MOST_CERTIFICATES} certificates; export it with its own chain alone")]
    TooMany,
}

/// A key, its certificate and the chain above it.
pub struct Bundle {
    /// The certificate of the key first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key.
    pub key: PrivateKey,
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

impl Bundle {
    /// The chain in PEM.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|der| encoded(&Pem::new("CERTIFICATE", der.as_ref()))).collect()
    }

    /// Writes PKCS#12: both parts encrypted (PBES2), the whole protected by HMAC-SHA-256.
    ///
    /// # Errors
    /// [`BundleError::Encryption`] where the system gives no randomness.
    pub fn to_pkcs12(&self, name: &str, password: &str) -> Result<Vec<u8>, BundleError> {
        let own = self.chain.first().ok_or(BundleError::NoCertificate)?;
        let key_id = Sha256Fingerprint::of(own);
        let certificates = construct_der(|writer| {
            writer.write_sequence_of(|writer| {
                for (position, certificate) in self.chain.iter().enumerate() {
                    writer.next().write_sequence(|writer| {
                        writer.next().write_oid(&oid(CERTIFICATE_BAG));
                        writer.next().write_tagged(Tag::context(0), |writer| {
                            writer.write_sequence(|writer| {
                                writer.next().write_oid(&oid(X509_CERTIFICATE));
                                writer
                                    .next()
                                    .write_tagged(Tag::context(0), |writer| writer.write_bytes(certificate));
                            });
                        });
                        if position == 0 {
                            write_attributes(writer.next(), name, key_id.as_bytes());
                        }
                    });
                }
            });
        });
        let certificates = encryption::seal(&certificates, password)?;
        let shrouded = encryption::seal_key(self.key.pkcs8(), password)?;
        let keys = construct_der(|writer| {
            writer.write_sequence_of(|writer| {
                writer.next().write_sequence(|writer| {
                    writer.next().write_oid(&oid(SHROUDED_KEY_BAG));
                    writer.next().write_tagged(Tag::context(0), |writer| writer.write_der(&shrouded));
                    write_attributes(writer.next(), name, key_id.as_bytes());
                });
            });
        });
        let safe = construct_der(|writer| {
            writer.write_sequence_of(|writer| {
                writer.next().write_sequence(|writer| {
                    writer.next().write_oid(&oid(ENCRYPTED_DATA));
                    writer.next().write_tagged(Tag::context(0), |writer| {
                        writer.write_sequence(|writer| {
                            writer.next().write_u32(0);
                            writer.next().write_sequence(|writer| {
                                writer.next().write_oid(&oid(DATA));
                                writer.next().write_der(&certificates.algorithm);
                                writer.next().write_tagged_implicit(Tag::context(0), |writer| {
                                    writer.write_bytes(&certificates.bytes);
                                });
                            });
                        });
                    });
                });
                write_data(writer.next(), &keys);
            });
        });
        let mut salt = [0; SALT];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| EncryptionError::NoRandomness)?;
        let code = Code::Sha256.over(&safe, password, &salt, ROUNDS)?;
        Ok(construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_u32(VERSION);
                write_data(writer.next(), &safe);
                writer.next().write_sequence(|writer| {
                    writer.next().write_sequence(|writer| {
                        writer.next().write_sequence(|writer| {
                            writer.next().write_oid(&oid(SHA256_OID));
                            writer.next().write_null();
                        });
                        writer.next().write_bytes(code.as_ref());
                    });
                    writer.next().write_bytes(&salt);
                    writer.next().write_u32(ROUNDS);
                });
            });
        }))
    }

    /// Reads PKCS#12 that is protected by a password, and puts the chain in order.
    ///
    /// # Errors
    /// [`BundleError`]: damaged, wrong password, outdated protection, or nothing of use inside.
    pub fn from_pkcs12(der: &[u8], password: &str) -> Result<Bundle, BundleError> {
        let (safe, mac) = parse_der(der, pfx).map_err(|_| BundleError::Damaged)?;
        let Mac { function, code, salt, rounds } =
            mac.ok_or_else(|| BundleError::Scheme("no password".to_owned()))?;
        let rounds = u32::try_from(rounds).ok().filter(|rounds| *rounds <= MOST_ROUNDS);
        let rounds = rounds.ok_or(BundleError::Damaged)?;
        // SECURITY: nothing inside is looked at before the whole is known to be by somebody who has the password.
        Code::of(&function)?.check(&safe, password, &salt, rounds, &code)?;
        Self::of_safe(&safe, password)
    }

    /// What is inside.
    pub(crate) fn of_safe(safe: &[u8], password: &str) -> Result<Bundle, BundleError> {
        let mut found = Found::default();
        let damaged = |_| BundleError::Damaged;
        for part in parse_der(safe, |reader| reader.collect_sequence_of(content)).map_err(damaged)? {
            let bags = match part {
                Content::Clear(bags) => Zeroizing::new(bags),
                Content::Encrypted { algorithm, bytes } => open(&algorithm, &bytes, password)?,
                Content::Other(kind) => return Err(BundleError::Scheme(dotted(&kind))),
            };
            for (kind, value) in
                parse_der(&bags, |reader| reader.collect_sequence_of(bag)).map_err(damaged)?
            {
                found.take(&kind, &value, password)?;
            }
        }
        found.bundle()
    }
}

/// What the bags hold.
#[derive(Default)]
struct Found {
    certificates: Vec<CertificateDer<'static>>,
    key: Option<PrivateKey>,
}

impl Found {
    fn take(&mut self, kind: &ObjectIdentifier, value: &[u8], password: &str) -> Result<(), BundleError> {
        match kind.components().as_slice() {
            // The first key is the one: more have never been seen.
            KEY_BAG if self.key.is_none() => self.key = Some(PrivateKey::from_pkcs8(value)?),
            SHROUDED_KEY_BAG if self.key.is_none() => {
                let (algorithm, bytes) = parse_der(value, |reader| {
                    reader
                        .read_sequence(|reader| Ok((reader.next().read_der()?, reader.next().read_bytes()?)))
                })
                .map_err(|_| BundleError::Damaged)?;
                self.key = Some(PrivateKey::from_pkcs8(&open(&algorithm, &bytes, password)?)?);
            }
            CERTIFICATE_BAG => {
                if self.certificates.len() == MOST_CERTIFICATES {
                    return Err(BundleError::TooMany);
                }
                let der = parse_der(value, |reader| {
                    reader.read_sequence(|reader| {
                        reader.next().read_oid()?;
                        reader.next().read_tagged(Tag::context(0), |reader| reader.read_bytes())
                    })
                })
                .map_err(|_| BundleError::Damaged)?;
                self.certificates.push(der.into());
            }
            _ => {}
        }
        Ok(())
    }

    /// The certificate of the key first, then each one's issuer: files have them in any order.
    fn bundle(mut self) -> Result<Bundle, BundleError> {
        let key = self.key.ok_or(BundleError::NoKey)?;
        let described = |der: &CertificateDer<'_>| crate::identity::describe(der).ok();
        let is_own = |der: &CertificateDer<'_>| {
            described(der).is_some_and(|about| about.spki_fingerprint == key.spki_fingerprint())
        };
        let own = self.certificates.iter().position(is_own).ok_or(BundleError::NoCertificate)?;
        let mut chain = vec![self.certificates.remove(own)];
        while let Some(about) = chain.last().and_then(described) {
            let is_issuer = |der: &CertificateDer<'_>| {
                described(der).is_some_and(|candidate| candidate.subject == about.issuer)
            };
            let Some(next) = self.certificates.iter().position(is_issuer) else { break };
            chain.push(self.certificates.remove(next));
        }
        Ok(Bundle { chain, key })
    }
}

fn open(algorithm: &[u8], bytes: &[u8], password: &str) -> Result<Zeroizing<Vec<u8>>, BundleError> {
    encryption::open(algorithm, bytes, password).map_err(|error| match error {
        EncryptionError::Scheme(scheme) => BundleError::Scheme(scheme),
        other => BundleError::Encryption(other),
    })
}

/// `MacData` (RFC 7292 §4).
pub(super) struct Mac {
    function: ObjectIdentifier,
    code: Vec<u8>,
    salt: Vec<u8>,
    rounds: u64,
}

/// `PFX`: the authenticated safe, and what protects it.
pub(super) fn pfx(reader: BERReader<'_, '_>) -> ASN1Result<(Vec<u8>, Option<Mac>)> {
    reader.read_sequence(|reader| {
        reader.next().read_u32()?;
        let safe = reader.next().read_sequence(|reader| {
            reader.next().read_oid()?;
            reader.next().read_tagged(Tag::context(0), |reader| reader.read_bytes())
        })?;
        let mac = reader.read_optional(|reader| {
            reader.read_sequence(|reader| {
                let (function, code) = reader.next().read_sequence(|reader| {
                    Ok((algorithm_identifier(reader.next())?.0, reader.next().read_bytes()?))
                })?;
                let salt = reader.next().read_bytes()?;
                let rounds = reader.read_optional(|reader| reader.read_u64())?.unwrap_or(1);
                Ok(Mac { function, code, salt, rounds })
            })
        })?;
        Ok((safe, mac))
    })
}

/// A part of the safe.
enum Content {
    Clear(Vec<u8>),
    Encrypted { algorithm: Vec<u8>, bytes: Vec<u8> },
    Other(ObjectIdentifier),
}

fn content(reader: BERReader<'_, '_>) -> ASN1Result<Content> {
    reader.read_sequence(|reader| {
        let kind = reader.next().read_oid()?;
        reader.next().read_tagged(Tag::context(0), |reader| match kind.components().as_slice() {
            DATA => Ok(Content::Clear(reader.read_bytes()?)),
            ENCRYPTED_DATA => reader.read_sequence(|reader| {
                reader.next().read_u32()?;
                reader.next().read_sequence(|reader| {
                    reader.next().read_oid()?;
                    let algorithm = reader.next().read_der()?;
                    let bytes =
                        reader.next().read_tagged_implicit(Tag::context(0), |reader| reader.read_bytes())?;
                    Ok(Content::Encrypted { algorithm, bytes })
                })
            }),
            _ => {
                reader.read_der()?;
                Ok(Content::Other(kind.clone()))
            }
        })
    })
}

/// `SafeBag`: its kind and its value.
fn bag(reader: BERReader<'_, '_>) -> ASN1Result<(ObjectIdentifier, Vec<u8>)> {
    reader.read_sequence(|reader| {
        let kind = reader.next().read_oid()?;
        let value = reader.next().read_tagged(Tag::context(0), |reader| reader.read_der())?;
        reader.read_optional(|reader| reader.read_der())?;
        Ok((kind, value))
    })
}

fn write_data(writer: DERWriter<'_>, bytes: &[u8]) {
    writer.write_sequence(|writer| {
        writer.next().write_oid(&oid(DATA));
        writer.next().write_tagged(Tag::context(0), |writer| writer.write_bytes(bytes));
    });
}

/// What tells programs which certificate belongs to which key, and people what it is.
fn write_attributes(writer: DERWriter<'_>, name: &str, key_id: &[u8]) {
    writer.write_set_of(|writer| {
        writer.next().write_sequence(|writer| {
            writer.next().write_oid(&oid(FRIENDLY_NAME));
            writer.next().write_set_of(|writer| writer.next().write_bmp_string(name));
        });
        writer.next().write_sequence(|writer| {
            writer.next().write_oid(&oid(LOCAL_KEY_ID));
            writer.next().write_set_of(|writer| writer.next().write_bytes(key_id));
        });
    });
}

/// The code that protects the whole, by its hash function.
#[derive(Debug, Clone, Copy)]
enum Code {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Code {
    fn of(function: &ObjectIdentifier) -> Result<Code, BundleError> {
        match function.components().as_slice() {
            SHA1_OID => Ok(Code::Sha1),
            SHA256_OID => Ok(Code::Sha256),
            SHA384_OID => Ok(Code::Sha384),
            SHA512_OID => Ok(Code::Sha512),
            _ => Err(BundleError::Scheme(dotted(function))),
        }
    }

    fn key(self, password: &str, salt: &[u8], rounds: u32) -> Result<hmac::Key, BundleError> {
        // The block of the hash function, in bytes (RFC 7292 B.2 calls it v).
        let (digest, code, block) = match self {
            Code::Sha1 => (&SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA1_FOR_LEGACY_USE_ONLY, 64),
            Code::Sha256 => (&SHA256, HMAC_SHA256, 64),
            Code::Sha384 => (&SHA384, HMAC_SHA384, 128),
            Code::Sha512 => (&SHA512, HMAC_SHA512, 128),
        };
        Ok(hmac::Key::new(code, &derived(digest, block, password, salt, rounds)?))
    }

    fn over(self, safe: &[u8], password: &str, salt: &[u8], rounds: u32) -> Result<hmac::Tag, BundleError> {
        Ok(hmac::sign(&self.key(password, salt, rounds)?, safe))
    }

    fn check(
        self,
        safe: &[u8],
        password: &str,
        salt: &[u8],
        rounds: u32,
        code: &[u8],
    ) -> Result<(), BundleError> {
        let key = self.key(password, salt, rounds)?;
        hmac::verify(&key, safe, code).map_err(|_| BundleError::WrongPassword)
    }
}

/// RFC 7292 B.2, for as many bytes as the hash function gives: the one block that a code needs.
fn derived(
    function: &'static digest::Algorithm,
    block: usize,
    password: &str,
    salt: &[u8],
    rounds: u32,
) -> Result<Zeroizing<Vec<u8>>, BundleError> {
    if salt.is_empty() || rounds == 0 {
        return Err(BundleError::Damaged);
    }
    // RFC 7292 B.1: big-endian UTF-16 with a NUL behind it.
    let password: Zeroizing<Vec<u8>> = Zeroizing::new(
        password.encode_utf16().chain(std::iter::once(0)).flat_map(u16::to_be_bytes).collect(),
    );
    let filled = |bytes: &[u8]| -> Vec<u8> {
        let length = bytes.len().div_ceil(block) * block;
        bytes.iter().copied().cycle().take(length).collect()
    };
    let mut input = Zeroizing::new(vec![FOR_MAC; block]);
    input.extend(filled(salt));
    input.extend(filled(&password));
    let mut hash = digest::digest(function, &input);
    for _ in 1..rounds {
        hash = digest::digest(function, hash.as_ref());
    }
    Ok(Zeroizing::new(hash.as_ref().to_vec()))
}
