//! Why is a client's certificate not accepted, in words for the log?

use rustls::CertificateError;
use thiserror::Error;

use crate::identity::{CertificateDescription, Timestamp};

/// A certificate that was refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the client's certificate is refused: {why}")]
pub struct ClientRefusal {
    /// Why.
    pub why: ClientDistrust,
    /// What it says; `None` where it cannot be read.
    pub certificate: Option<CertificateDescription>,
}

/// What is wrong with a client's certificate. For the operator: the client sees an alert.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClientDistrust {
    /// It is damaged.
    #[error("it cannot be read ({0})")]
    Unreadable(String),
    /// Nobody but itself vouches for it.
    #[error("it is self-signed, and no user has its public key")]
    SelfSigned,
    /// No authority of those accepted has issued it.
    #[error("it was issued by none of the authorities accepted here, and no user has its public key")]
    UnknownIssuer,
    /// An authority of the same name has another key.
    #[error("its issuer has the name of an authority accepted here, and another key")]
    BadSignature,
    /// It has ended.
    #[error("it expired at {not_after}")]
    Expired {
        /// When.
        not_after: Timestamp,
    },
    /// It has not begun.
    #[error("it is not valid before {not_before}; is the clock right here?")]
    NotYetValid {
        /// When it begins.
        not_before: Timestamp,
    },
    /// It is for something else.
    #[error("it is not for clients, but for {}", purposes.join(", "))]
    WrongPurpose {
        /// For what.
        purposes: Vec<String>,
    },
    /// An authority above it may not sign for clients.
    #[error("an authority above it does not sign for clients")]
    WrongPurposeAbove,
    /// It is an authority's.
    #[error("it is an authority's own, which signs certificates and logs nobody in")]
    IsAuthority,
    /// A NUL, or another character that nobody sees.
    #[error("a name in it has a control character: {name:?}")]
    ControlCharacter {
        /// Which.
        name: String,
    },
    /// A name for many.
    #[error("a name in it has a wildcard: {name:?}")]
    Wildcard {
        /// Which.
        name: String,
    },
    /// It, or an authority above it, was called back.
    #[error("it was revoked, or an authority above it was")]
    Revoked,
    /// The list that would say so is old.
    #[error(
        "a revocation list is stale: its next one was due at {next_update}; fetch the newest one, or set \
         unknown_revocation = \"accept\" in [tls]"
    )]
    RevocationsStale {
        /// When.
        next_update: Timestamp,
    },
    /// There is none.
    #[error(
        "no revocation list given in tls.crl is its issuer's ({issuer}); add that list, or set \
         unknown_revocation = \"accept\" in [tls]"
    )]
    RevocationsMissing {
        /// Whose.
        issuer: String,
    },
    /// A list has the issuer's name and another signature.
    #[error("the revocation list of its issuer's name was not signed by its issuer")]
    RevocationsForged,
    /// It is not the one that the control connection showed.
    #[error("it is not the one of the control connection")]
    NotOfControl,
    /// Something else.
    #[error("{0}")]
    Other(String),
}

impl ClientDistrust {
    /// Which option of a server says which certificates are accepted, as far as this reason goes.
    #[must_use]
    pub const fn option(&self) -> &'static str {
        match self {
            Self::Revoked | Self::RevocationsForged => "tls.crl",
            Self::RevocationsStale { .. } | Self::RevocationsMissing { .. } => "tls.unknown_revocation",
            Self::NotOfControl => "listen.client_certificate",
            Self::Unreadable(_)
            | Self::SelfSigned
            | Self::UnknownIssuer
            | Self::BadSignature
            | Self::Expired { .. }
            | Self::NotYetValid { .. }
            | Self::WrongPurpose { .. }
            | Self::WrongPurposeAbove
            | Self::IsAuthority
            | Self::ControlCharacter { .. }
            | Self::Wildcard { .. }
            | Self::Other(_) => "tls.client_ca",
        }
    }
}

impl ClientDistrust {
    /// webpki's verdict in our words.
    pub(super) fn of(error: webpki::Error, about: &CertificateDescription) -> ClientDistrust {
        use webpki::Error;
        let is_self_signed = about.subject == about.issuer;
        match error {
            // webpki takes no authority for a client; OpenSSL marks what `req -x509` makes as one.
            Error::UnknownIssuer | Error::CaUsedAsEndEntity if is_self_signed => ClientDistrust::SelfSigned,
            Error::UnknownIssuer => ClientDistrust::UnknownIssuer,
            Error::CaUsedAsEndEntity => ClientDistrust::IsAuthority,
            Error::InvalidSignatureForPublicKey
            | Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => ClientDistrust::BadSignature,
            Error::CertExpired { .. } | Error::InvalidCertValidity => {
                ClientDistrust::Expired { not_after: about.not_after }
            }
            Error::CertNotValidYet { .. } => ClientDistrust::NotYetValid { not_before: about.not_before },
            Error::RequiredEkuNotFoundContext(_) => {
                ClientDistrust::wrong_purpose(about).unwrap_or(ClientDistrust::WrongPurposeAbove)
            }
            Error::CertRevoked => ClientDistrust::Revoked,
            Error::UnknownRevocationStatus => {
                ClientDistrust::RevocationsMissing { issuer: about.issuer.clone() }
            }
            Error::CrlExpired { next_update, .. } => {
                match i64::try_from(next_update.as_secs()).ok().and_then(Timestamp::from_unix_s) {
                    Some(next_update) => ClientDistrust::RevocationsStale { next_update },
                    None => ClientDistrust::Other(error.to_string()),
                }
            }
            Error::InvalidCrlSignatureForPublicKey
            | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_)
            | Error::IssuerNotCrlSigner => ClientDistrust::RevocationsForged,
            other => ClientDistrust::Other(other.to_string()),
        }
    }

    /// What its own purposes (RFC 5280 §4.2.1.12) have against its use by a client.
    pub(super) fn wrong_purpose(about: &CertificateDescription) -> Option<ClientDistrust> {
        let for_clients = about.purposes.is_empty()
            || about.purposes.iter().any(|word| word == crate::certificate::CLIENTS);
        (!for_clients).then(|| ClientDistrust::WrongPurpose { purposes: about.purposes.clone() })
    }

    /// Whether it says only that nobody accepted here vouches for it.
    pub(super) fn is_for_want_of_an_authority(&self) -> bool {
        matches!(
            self,
            ClientDistrust::SelfSigned | ClientDistrust::UnknownIssuer | ClientDistrust::BadSignature
        )
    }

    /// Whether it is only unknown whether the certificate was revoked.
    pub(super) fn is_unknown_revocation(&self) -> bool {
        matches!(self, ClientDistrust::RevocationsStale { .. } | ClientDistrust::RevocationsMissing { .. })
    }

    /// What makes the right alert (RFC 8446 §6.2).
    pub(super) fn alert(&self) -> CertificateError {
        match self {
            ClientDistrust::Unreadable(_) | ClientDistrust::ControlCharacter { .. } => {
                CertificateError::BadEncoding
            }
            ClientDistrust::Wildcard { .. } => CertificateError::NotValidForName,
            ClientDistrust::SelfSigned
            | ClientDistrust::UnknownIssuer
            // As to a stranger: the signature is of no authority that is known.
            | ClientDistrust::BadSignature => CertificateError::UnknownIssuer,
            ClientDistrust::Expired { .. } => CertificateError::Expired,
            ClientDistrust::NotYetValid { .. } => CertificateError::NotValidYet,
            ClientDistrust::WrongPurpose { .. }
            | ClientDistrust::WrongPurposeAbove
            | ClientDistrust::IsAuthority => CertificateError::InvalidPurpose,
            ClientDistrust::Revoked => CertificateError::Revoked,
            // Ours to mend, so the client is told no more than that it is not accepted.
            ClientDistrust::RevocationsStale { .. }
            | ClientDistrust::RevocationsMissing { .. }
            | ClientDistrust::RevocationsForged
            | ClientDistrust::NotOfControl
            | ClientDistrust::Other(_) => CertificateError::ApplicationVerificationFailure,
        }
    }
}
