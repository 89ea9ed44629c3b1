//! Why a server is trusted, and why it is not.

use std::{fmt, fs, path::Path, sync::Arc};

use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use thiserror::Error;

use super::{
    ClientTlsError,
    authorities::{Judge, Name},
    revocation::{RevocationLists, Stapled},
};
use crate::{
    certificate::key_of,
    identity::{
        CertificateDescription, IdentityError, Problem, Sha256Fingerprint, Source, Timestamp, parse_chain,
    },
    ocsp::OcspError,
    revocation::RevocationReason,
};

/// Why a server is to be trusted. Exactly one rule holds for a server.
#[derive(Debug, Clone)]
pub enum Trust {
    /// An authority vouches for its name: the certificate's dates, its name and its purpose must be right too.
    Authorities(Authorities),
    /// As `Authorities`, and these lists have not revoked it: its own authority must have given one of them, which is in
    /// date; those above may.
    AuthoritiesAndLists(Authorities, RevocationLists),
    /// It has the key that is remembered. A renewed certificate for this key is accepted and noted
    /// ([`TrustNote::Renewed`]), another key is refused. Names and dates are not asked: the key is what was agreed on.
    Remembered(RememberedKey),
    /// It shows exactly the certificate with this SHA-256 fingerprint.
    Pinned(Sha256Fingerprint),
}

/// Whose word is taken.
#[derive(Debug, Clone)]
pub enum Authorities {
    /// Those of this machine.
    Platform,
    /// These, in place of the machine's. A server's own certificate may be among them and then vouches for itself.
    These(Vec<CertificateDer<'static>>),
}

impl Authorities {
    /// Reads authorities from a PEM file.
    ///
    /// # Errors
    /// An [`IdentityError`] that names the file, what is wrong with it and the mend.
    pub fn load(path: &Path) -> Result<Authorities, IdentityError> {
        let source = Source::File(path.to_owned());
        let pem = fs::read(path).map_err(|error| Problem::Unreadable(error).in_source(&source))?;
        let certificates = parse_chain(&pem).map_err(|problem| problem.in_source(&source))?;
        if certificates.is_empty() {
            return Err(Problem::NoAuthority.in_source(&source));
        }
        Ok(Authorities::These(certificates))
    }
}

/// What is remembered of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RememberedKey {
    /// SHA-256 of its public key (SubjectPublicKeyInfo).
    pub spki: Sha256Fingerprint,
    /// SHA-256 of the certificate that it came with.
    pub certificate: Sha256Fingerprint,
}

/// Something to tell the user about a certificate that is trusted all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustNote {
    /// The remembered key came with another certificate: the server has renewed it.
    Renewed {
        /// What was remembered.
        remembered: RememberedKey,
        /// What there is now: the same key, the new certificate.
        now: RememberedKey,
    },
}

/// A certificate that is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// Why not.
    pub why: Distrust,
    /// What the server sent, its own certificate first. Certificates that cannot be described are left out, and all beyond
    /// the eighth.
    pub chain: Vec<CertificateDescription>,
}

/// Why a certificate is not trusted; displayed as the end of "the server's certificate is not trusted: …".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Distrust {
    /// Nobody but the server itself vouches for it.
    #[error("it is self-signed, so nobody but the server itself vouches for it")]
    SelfSigned,
    /// None of the authorities has signed it, nor any certificate that leads to one of them.
    #[error("none of the authorities that are trusted here vouches for it")]
    UnknownIssuer,
    /// As `UnknownIssuer`, because this machine has no authorities at all.
    #[error("this machine has no certificate authorities, so nobody vouches for it")]
    NoAuthorities,
    /// It, or a certificate that vouches for it, has expired.
    #[error("it expired at {not_after}")]
    Expired {
        /// The end of its validity.
        not_after: Timestamp,
    },
    /// It, or a certificate that vouches for it, is of the future.
    #[error("it is valid only from {not_before} on; is this machine's clock right?")]
    NotYetValid {
        /// The start of its validity.
        not_before: Timestamp,
    },
    /// It belongs to another server.
    #[error("it does not stand for {wanted}, but for {}", Listed(names))]
    WrongName {
        /// The server's name as it was given.
        wanted: String,
        /// The names in the certificate. Its common name is none (RFC 9525 §2).
        names: Vec<String>,
    },
    /// It is not the pinned one.
    #[error("it is not the one that was pinned, whose SHA-256 is {pinned}")]
    NotPinned {
        /// The fingerprint of the pinned certificate.
        pinned: Sha256Fingerprint,
    },
    /// Its key is none of those that were pinned.
    #[error("its public key is none of those that are pinned; its SHA-256 is {spki}")]
    KeyNotPinned {
        /// Of the key that it has, SHA-256 of its SubjectPublicKeyInfo.
        spki: Sha256Fingerprint,
    },
    /// The server has another key than the one remembered: it was set up anew, or somebody is in between.
    #[error(
        "its key is not the one remembered for this server, whose SHA-256 is {}: the server has a new key, or somebody \
         is between it and this machine", .remembered.spki
    )]
    KeyChanged {
        /// What was remembered.
        remembered: RememberedKey,
    },
    /// It was not issued for servers (extended key usage, RFC 5280 §4.2.1.12).
    #[error("it was not issued for servers")]
    NotForServers,
    /// Its authority has revoked it.
    #[error("its authority, \"{}\", has revoked it{}", by.escape_default(), Since(*since, *reason))]
    Revoked {
        /// The authority.
        by: String,
        /// Since when, where that is said.
        since: Option<Timestamp>,
        /// Why, where that is said.
        reason: Option<RevocationReason>,
    },
    /// An authority that vouches for it was revoked by one above.
    #[error("an authority that vouches for it was itself revoked")]
    AuthorityRevoked,
    /// Its authority answers that it has issued no such certificate.
    #[error("its authority, \"{}\", answers (OCSP) that it knows no such certificate", by.escape_default())]
    UnknownToIssuer {
        /// The authority.
        by: String,
    },
    /// It says itself that it comes with an OCSP answer (RFC 7633), and came without.
    #[error(
        "it is to come with an answer of its authority that it is not revoked (must-staple), and the server has sent none"
    )]
    StapleMissing,
    /// It says itself that it comes with an OCSP answer, and this one cannot be believed.
    #[error(
        "it is to come with an answer of its authority that it is not revoked (must-staple), and the one that the server has sent {0}"
    )]
    StapleUnusable(OcspError),
    /// None of the lists given is by its authority.
    #[error("no revocation list given is by its authority, \"{}\"; give that one, too", by.escape_default())]
    RevocationsMissing {
        /// The authority.
        by: String,
    },
    /// The list is old.
    #[error("the revocation list of its authority, \"{}\", was to be replaced{}; fetch a new one", by.escape_default(), Due(*next_update))]
    RevocationsStale {
        /// The authority.
        by: String,
        /// When.
        next_update: Option<Timestamp>,
    },
    /// The list is not by its authority.
    #[error("the revocation list given is not signed by the authority whose name it has, \"{}\"; fetch it again", by.escape_default())]
    RevocationsForged {
        /// The authority.
        by: String,
    },
    /// A signature is wrong: the authority's on the certificate, or the server's in the handshake.
    #[error("a signature on it, or with its key, is wrong")]
    BadSignature,
    /// A data connection shows another certificate than its control connection.
    #[error("this data connection shows another one than its control connection did")]
    NotOfControl,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Distrust {
    /// Whether this is a question for the user: nobody vouches for the certificate, and nothing speaks against it. All else
    /// is a refusal.
    pub fn may_be_remembered(&self) -> bool {
        matches!(self, Distrust::SelfSigned | Distrust::UnknownIssuer | Distrust::NoAuthorities)
    }
}

/// When and why, in a sentence.
struct Since(Option<Timestamp>, Option<RevocationReason>);

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(since) = self.0 {
            write!(f, " at {since}")?;
        }
        match self.1 {
            Some(reason) if reason != RevocationReason::Unspecified => write!(f, " ({reason})"),
            _ => Ok(()),
        }
    }
}

/// A moment in a sentence.
struct Due(Option<Timestamp>);

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |moment| write!(f, " at {moment}"))
    }
}

/// Names in a sentence.
struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// A certificate for a whole company fills no screen.
        const SHOWN: usize = 10;
        if self.0.is_empty() {
            return f.write_str("no name at all");
        }
        for (position, name) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{}", name.escape_default())?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// What was found about a certificate.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) verdict: Result<Option<TrustNote>, Distrust>,
    pub(super) staple: Stapled,
}

/// [`Trust`], made ready to judge.
#[derive(Debug)]
pub(super) enum Rule {
    Authorities(Judge),
    /// As authorities, but whatever its name: see [`PartnerTls`](super::PartnerTls).
    Partner(Judge),
    /// One of these keys, and what the judge says where there is one.
    PartnerKeys(Vec<Sha256Fingerprint>, Option<Judge>),
    Remembered(RememberedKey),
    Pinned(Sha256Fingerprint),
}

impl Rule {
    pub(super) fn new(trust: Trust, provider: &Arc<CryptoProvider>) -> Result<Rule, ClientTlsError> {
        Ok(match trust {
            Trust::Authorities(authorities) => Rule::Authorities(Judge::new(authorities, provider)?),
            Trust::AuthoritiesAndLists(authorities, lists) => {
                Rule::Authorities(Judge::new(authorities, provider)?.with_lists(lists))
            }
            Trust::Remembered(key) => Rule::Remembered(key),
            Trust::Pinned(fingerprint) => Rule::Pinned(fingerprint),
        })
    }

    /// Judges the certificate of a server. That the server has its key is shown by the handshake's signature.
    pub(super) fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        staple: &[u8],
        now: UnixTime,
    ) -> Judged {
        let vouched = |judge: &Judge, name| {
            let (verdict, staple) = judge.judge_all(leaf, intermediates, name, staple, now);
            Judged { verdict: verdict.map(|()| None), staple }
        };
        // SECURITY: a fingerprint or a key is the user's own word. No authority was asked to vouch for it, so none can take it
        // back.
        let alone = |verdict| Judged { verdict, staple: Stapled::unchecked(staple) };
        match self {
            Rule::Authorities(judge) => vouched(judge, Name::Is(name)),
            Rule::Partner(judge) => vouched(judge, Name::IsNotAsked(name)),
            Rule::PartnerKeys(pinned, judge) => match (one_of(pinned, leaf), judge) {
                (Ok(()), Some(judge)) => vouched(judge, Name::IsNotAsked(name)),
                (verdict, _) => alone(verdict.map(|()| None)),
            },
            Rule::Pinned(pinned) if Sha256Fingerprint::of(leaf) == *pinned => alone(Ok(None)),
            Rule::Pinned(pinned) => alone(Err(Distrust::NotPinned { pinned: *pinned })),
            Rule::Remembered(remembered) => alone(is_remembered(remembered, leaf)),
        }
    }
}

/// Whether a certificate has one of these keys.
fn one_of(pinned: &[Sha256Fingerprint], leaf: &CertificateDer<'_>) -> Result<(), Distrust> {
    let spki = key(leaf)?;
    if pinned.contains(&spki) { Ok(()) } else { Err(Distrust::KeyNotPinned { spki }) }
}

fn is_remembered(
    remembered: &RememberedKey,
    leaf: &CertificateDer<'_>,
) -> Result<Option<TrustNote>, Distrust> {
    let now = RememberedKey { spki: key(leaf)?, certificate: Sha256Fingerprint::of(leaf) };
    if now.spki != remembered.spki {
        return Err(Distrust::KeyChanged { remembered: *remembered });
    }
    Ok((now != *remembered).then_some(TrustNote::Renewed { remembered: *remembered, now }))
}

fn key(leaf: &CertificateDer<'_>) -> Result<Sha256Fingerprint, Distrust> {
    key_of(leaf).map_err(|error| Distrust::Other(error.to_string()))
}
