//! What can be wrong with an identity, in words that say which file and how to mend it.

use std::{fmt, io, path::PathBuf};

use thiserror::Error;

/// Where a certificate or key came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Text in memory.
    Memory,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => path.display().fmt(f),
            Source::Memory => f.write_str("the text given"),
        }
    }
}

/// An identity that cannot be used: where, and why.
#[derive(Debug, Error)]
#[error("{source_of}: {problem}")]
pub struct IdentityError {
    source_of: Source,
    problem: Problem,
}

/// What is wrong, and the mend.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file cannot be read.
    #[error("cannot be read: {0}; check that it is there and that this program's user may read it")]
    Unreadable(io::Error),
    /// No `CERTIFICATE` section.
    #[error(
        "holds no certificate; it must be PEM text with a \"BEGIN CERTIFICATE\" section, the server's own certificate first"
    )]
    NoCertificate,
    /// No `CERTIFICATE` section where authorities are expected.
    #[error(
        "holds no certificate; it must be PEM text with a \"BEGIN CERTIFICATE\" section for each authority"
    )]
    NoAuthority,
    /// No revocation list.
    #[error(
        "holds no revocation list; it must be PEM text with a \"BEGIN X509 CRL\" section for each, or one list as DER"
    )]
    NoRevocations,
    /// The revocation list inside is broken or of a kind that is not supported.
    #[error("holds a revocation list that cannot be used: {0}; fetch it again from its authority")]
    BadRevocations(String),
    /// No private key section.
    #[error(
        "holds no private key; it must be PEM text with a \"BEGIN PRIVATE KEY\" section (PKCS#8, SEC1 or PKCS#1)"
    )]
    NoKey,
    /// The key is protected by a passphrase.
    #[error(
        "holds an encrypted private key; decrypt it with `openssl pkey -in FILE -out key.pem` and keep that file readable by this program's user alone"
    )]
    EncryptedKey,
    /// The PEM armour is broken.
    #[error("is not valid PEM: {0}; copy the file again as it was issued")]
    BadPem(String),
    /// The certificate inside is broken.
    #[error("{0}; copy the file again as it was issued")]
    BadCertificate(String),
    /// The key inside is broken or of an unknown kind.
    #[error(
        "holds a private key that cannot be used: {0}; use ECDSA P-256, P-384 or P-521, Ed25519, or RSA of at least 2048 bits"
    )]
    BadKey(String),
    /// The key belongs to another certificate.
    #[error(
        "is not the key of the certificate in {certificate}; give the key that this certificate was issued for, with the server's own certificate first in its file"
    )]
    Mismatch {
        /// Where the certificate came from.
        certificate: Source,
    },
    /// A name that no certificate can carry.
    #[error("\"{name}\" can stand in no certificate: {why}; give a DNS name or an IP address")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A certificate could not be made.
    #[error("the certificate could not be made: {0}")]
    NotMade(String),
}

impl IdentityError {
    /// Where the problem is.
    pub fn location(&self) -> &Source {
        &self.source_of
    }

    /// What the problem is.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl Problem {
    pub(crate) fn in_source(self, source: &Source) -> IdentityError {
        IdentityError { source_of: source.clone(), problem: self }
    }
}
