//! Which private keys are there, and how do they rest in files?

use std::{fmt, str::FromStr};

use aws_lc_rs::{
    encoding::AsDer,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
        EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair,
    },
};
use pem::Pem;
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData,
    RsaKeySize, SubjectPublicKeyInfo,
};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::{
    IssueError,
    encryption::{self, EncryptionError},
};
use crate::{armour, identity::Sha256Fingerprint};

const CLEAR: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";

/// The kinds of keys that are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyType {
    /// ECDSA on P-256: fast, small and understood everywhere.
    #[default]
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// Ed25519; GnuTLS, OpenSSL and rustls understand it, many other clients do not.
    Ed25519,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
}

impl KeyType {
    /// All, in the order in which they are offered.
    pub const ALL: [KeyType; 6] = [
        KeyType::EcdsaP256,
        KeyType::EcdsaP384,
        KeyType::Ed25519,
        KeyType::Rsa2048,
        KeyType::Rsa3072,
        KeyType::Rsa4096,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            KeyType::EcdsaP256 => "ecdsa-p256",
            KeyType::EcdsaP384 => "ecdsa-p384",
            KeyType::Ed25519 => "ed25519",
            KeyType::Rsa2048 => "rsa-2048",
            KeyType::Rsa3072 => "rsa-3072",
            KeyType::Rsa4096 => "rsa-4096",
        }
    }
}

impl FromStr for KeyType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = || KeyType::ALL.map(KeyType::word).join(", ");
        let found = KeyType::ALL.into_iter().find(|kind| kind.word() == text);
        found.ok_or_else(|| format!("a key is one of {}", words()))
    }
}

/// A key that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is none.
    #[error(
        "holds no private key; it must be PEM text with a \"BEGIN PRIVATE KEY\" section (PKCS#8, SEC1 or PKCS#1)"
    )]
    Absent,
    /// The PEM armour is broken.
    #[error("is not valid PEM: {0}; copy the file again as it was made")]
    Pem(&'static str),
    /// It is encrypted, and no password was given.
    #[error("holds an encrypted private key, and no password was given; give it with --key-password-file")]
    PasswordNeeded,
    /// It is encrypted in OpenSSL's old way, with headers in the PEM text.
    #[error(
        "holds a private key that is encrypted in an outdated way; run `openssl pkcs8 -topk8 -in FILE -out key.pem`"
    )]
    OldEncryption,
    /// It cannot be decrypted.
    #[error("holds an encrypted private key that cannot be opened: {0}")]
    Encryption(#[from] EncryptionError),
    /// It is damaged or of an unknown kind.
    #[error(
        "holds a private key that cannot be used; give ECDSA P-256, P-384 or P-521, Ed25519, or RSA of 2048 to 8192 bits"
    )]
    Unusable,
    /// The system gave none.
    #[error("no key could be made: the system gives no random numbers")]
    NotMade,
}

/// A private key. It is never shown, and the bytes that it is written from are wiped from memory in the end.
pub struct PrivateKey {
    pair: KeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").finish_non_exhaustive()
    }
}

/// A public key that can be certified.
#[derive(Debug, Clone)]
pub struct PublicKey(pub(super) SubjectPublicKeyInfo);

impl PublicKey {
    /// The key of a certificate, for its successor.
    ///
    /// # Errors
    /// [`IssueError::BadCertificate`] where it is damaged, [`IssueError::UnsupportedKey`].
    pub fn of_certificate(der: &CertificateDer<'_>) -> Result<PublicKey, IssueError> {
        let (_, parsed) =
            X509Certificate::from_der(der).map_err(|error| IssueError::BadCertificate(error.to_string()))?;
        let key = SubjectPublicKeyInfo::from_der(parsed.public_key().raw);
        key.map(PublicKey).map_err(|error| IssueError::UnsupportedKey(error.to_string()))
    }
}

impl PrivateKey {
    /// Makes one.
    ///
    /// # Errors
    /// [`KeyError::NotMade`] where the system gives no randomness.
    pub fn generate(kind: KeyType) -> Result<PrivateKey, KeyError> {
        let rsa = |size| KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size);
        let made = match kind {
            KeyType::EcdsaP256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            KeyType::EcdsaP384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
            KeyType::Ed25519 => KeyPair::generate_for(&PKCS_ED25519),
            KeyType::Rsa2048 => rsa(RsaKeySize::_2048),
            KeyType::Rsa3072 => rsa(RsaKeySize::_3072),
            KeyType::Rsa4096 => rsa(RsaKeySize::_4096),
        };
        PrivateKey::from_pkcs8(made.map_err(|_| KeyError::NotMade)?.serialized_der())
    }

    /// Reads PEM text: PKCS#8, in clear or encrypted (PBES2, RFC 8018 §6.2), SEC1 or PKCS#1. What else stands in the text,
    /// such as a certificate, is passed over.
    ///
    /// # Errors
    /// [`KeyError::PasswordNeeded`] for an encrypted key without a password, and the other [`KeyError`]s.
    pub fn from_pem(text: &[u8], password: Option<&str>) -> Result<PrivateKey, KeyError> {
        let sections = armour::sections(text).map_err(KeyError::Pem)?;
        let is_key = |section: &&Pem| [CLEAR, ENCRYPTED, SEC1, PKCS1].contains(&section.tag());
        let key = sections.iter().find(is_key).ok_or_else(|| match begins(text, CLEAR) {
            true => KeyError::Pem(armour::ENDLESS),
            false => KeyError::Absent,
        })?;
        if key.headers().iter().next().is_some() {
            return Err(KeyError::OldEncryption);
        }
        match key.tag() {
            ENCRYPTED => {
                let password = password.ok_or(KeyError::PasswordNeeded)?;
                Self::from_pkcs8(&encryption::open_key(key.contents(), password)?)
            }
            SEC1 => Self::from_pkcs8(&pkcs8_of_sec1(key.contents())?),
            PKCS1 => {
                let key = RsaKeyPair::from_der(key.contents()).map_err(|_| KeyError::Unusable)?;
                Self::from_pkcs8(key.as_der().map_err(|_| KeyError::Unusable)?.as_ref())
            }
            _ => Self::from_pkcs8(key.contents()),
        }
    }

    /// Reads PKCS#8 (RFC 5958) in DER.
    ///
    /// # Errors
    /// [`KeyError::Unusable`].
    pub fn from_pkcs8(der: &[u8]) -> Result<PrivateKey, KeyError> {
        // What stands behind it would be written with it.
        yasna::parse_der(der, |reader| reader.read_der()).map_err(|_| KeyError::Unusable)?;
        // OpenSSL 3.0 reads no PKCS#8 of version 2, in which the public key of Ed25519 stands beside the private one.
        let pkcs8 = Zeroizing::new(match Ed25519KeyPair::from_pkcs8(der) {
            Ok(key) => key.to_pkcs8v1().map_err(|_| KeyError::Unusable)?.as_ref().to_vec(),
            Err(_) => der.to_vec(),
        });
        let pair = KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8.as_slice()));
        Ok(PrivateKey { pair: pair.map_err(|_| KeyError::Unusable)?, pkcs8 })
    }

    /// PKCS#8 in PEM; encrypted where there is a password (PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC).
    ///
    /// # Errors
    /// [`KeyError::NotMade`] where the system gives no randomness.
    pub fn to_pem(&self, password: Option<&str>) -> Result<Zeroizing<String>, KeyError> {
        let section = match password {
            None => Pem::new(CLEAR, self.pkcs8.as_slice()),
            Some(password) => Pem::new(ENCRYPTED, encryption::seal_key(&self.pkcs8, password)?),
        };
        Ok(Zeroizing::new(encoded(&section)))
    }

    /// Its public half.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] for a kind of key that is not certified.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        let der = self.pair.subject_public_key_info();
        SubjectPublicKeyInfo::from_der(&der).map(PublicKey).map_err(|_| KeyError::Unusable)
    }

    /// SHA-256 of its public half.
    pub fn spki_fingerprint(&self) -> Sha256Fingerprint {
        Sha256Fingerprint::of(&self.pair.subject_public_key_info())
    }

    pub(super) fn into_pair(self) -> KeyPair {
        self.pair
    }

    pub(super) fn pair(&self) -> &KeyPair {
        &self.pair
    }

    pub(super) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

/// Whether a section begins whose label ends like this.
pub(super) fn begins(text: &[u8], label: &str) -> bool {
    let text = String::from_utf8_lossy(text);
    text.lines().any(|line| line.starts_with("-----BEGIN ") && line.contains(&format!("{label}-----")))
}

/// PEM with line ends of Unix.
pub(super) fn encoded(section: &Pem) -> String {
    pem::encode_config(section, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

fn pkcs8_of_sec1(der: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1_SIGNING]
        .into_iter()
        .find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, der).ok())
        .and_then(|key| key.to_pkcs8v1().ok())
        .map(|key| Zeroizing::new(key.as_ref().to_vec()))
        .ok_or(KeyError::Unusable)
}
