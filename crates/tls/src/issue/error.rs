//! What can go wrong while something is made, and how is it mended?

use std::{io, path::PathBuf};

use thiserror::Error;

use super::KeyError;
use crate::identity::Timestamp;

/// A name that no certificate can carry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("\"{name}\" can stand in no certificate: {why}; give a DNS name, an IP address or an e-mail address")]
pub struct BadName {
    pub(super) name: String,
    pub(super) why: &'static str,
}

/// A certificate or request that cannot be made. The fault is with what was asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IssueError {
    /// A name that no certificate can carry.
    #[error(transparent)]
    Name(#[from] BadName),
    /// There is nothing to certify.
    #[error("there is no name to certify; give at least one")]
    NoName,
    /// The common name has a limit (RFC 5280 A.1, ub-common-name).
    #[error(
        "the subject \"{0}\" has more than the 64 characters that a certificate has room for; give a shorter one"
    )]
    SubjectTooLong(String),
    /// The validity is out of range.
    #[error("a certificate cannot be valid for {days} days; give 1 to {longest}")]
    Days {
        /// What was asked for.
        days: u32,
        /// What can be had.
        longest: u32,
    },
    /// RFC 5280 §6.1: nobody would accept it after its issuer's end.
    #[error(
        "the authority's own certificate ends at {end}, before what it was to issue; ask for fewer days, or make a new authority"
    )]
    OutlivesAuthority {
        /// The authority's end.
        end: Timestamp,
    },
    /// A request that cannot be read.
    #[error(
        "is no certificate request: {0}; it must be PEM text with a \"BEGIN CERTIFICATE REQUEST\" section"
    )]
    BadRequest(String),
    /// A certificate that cannot be renewed.
    #[error("the certificate cannot be renewed: {0}; make a new one")]
    BadCertificate(String),
    /// Whoever made the request does not hold the key.
    #[error(
        "its signature is not made by the key that it asks a certificate for; let its owner make it again"
    )]
    UnprovedRequest,
    /// The request is for a key of a kind that is not certified.
    #[error(
        "its key cannot be certified: {0}; use ECDSA P-256, P-384 or P-521, Ed25519, or RSA of at least 2048 bits"
    )]
    UnsupportedKey(String),
    /// The system failed.
    #[error("the certificate could not be made: {0}")]
    NotMade(String),
}

/// An authority that cannot be made, opened or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A file of the folder cannot be read or written.
    #[error("{file} cannot be {tried}: {error}")]
    File {
        /// The file.
        file: PathBuf,
        /// What was tried: `read` or `written`.
        tried: &'static str,
        /// Why not.
        error: io::Error,
    },
    /// The folder holds something already.
    #[error("{0} holds an authority, or what is left of making one; choose another folder, or move it away")]
    Exists(PathBuf),
    /// The folder holds none.
    #[error("{0} holds no authority; make one with `carrack cert ca init`")]
    Absent(PathBuf),
    /// A certificate that no authority can be made of.
    #[error("no authority can be made of it: {0}; give an authority's certificate and its key")]
    Unfit(&'static str),
    /// Its certificate cannot be used.
    #[error("{file}: {why}; restore the file from a backup")]
    Certificate {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Its key cannot be read.
    #[error("{file}: {error}")]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        error: KeyError,
    },
    /// Its index is damaged.
    #[error("{file}, line {line}: {expected} was expected; restore the file from a backup")]
    Index {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What should have stood there.
        expected: &'static str,
    },
    /// What was to be issued cannot be.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The certificate is somebody else's.
    #[error(
        "the certificate was not issued by this authority; give the one that was, or the folder of its authority"
    )]
    NotOurs,
    /// It is revoked already.
    #[error("the certificate with serial number {0} is revoked already; issue another one, with another key")]
    AlreadyRevoked(String),
}
