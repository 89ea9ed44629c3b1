//! Which TLS is spoken: versions, cipher suites, key exchanges. The one place where the cryptographic provider is chosen.

mod group;
mod key_schedule;
mod suite;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::{
    SignatureAlgorithm, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    version::{TLS12, TLS13},
};
use thiserror::Error;

pub use group::{Group, Standing};
pub use suite::Suite;

use crate::{fips, identity::Identity, info::Version, issue::KeyType};

/// Whether FIPS 140 approves of something, as the certified module sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// It may be spoken in FIPS mode.
    Approved,
    /// It may not.
    NotApproved,
}

/// Which TLS is spoken. Every version in it has a cipher suite and a group.
///
/// Among the suites this side's order counts, as a server's. Among the groups the client's does: rustls takes the first of
/// the client's list that stands here, and a client has had to guess when it sent its key share. So what a client is not to
/// have is left out of `groups`; putting it last keeps nobody from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsPolicy {
    minimum: Version,
    suites: Vec<&'static Suite>,
    groups: Vec<&'static Group>,
}

/// Why a policy makes no sense; displayed as what is wrong, `; ` and the mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// No suite is left.
    #[error("no cipher suite is named, so nothing could be encrypted; name some, or leave it out for all")]
    NoSuite,
    /// No group is left.
    #[error(
        "no group is named, so no keys could be exchanged; name some, or leave it out for the usual ones"
    )]
    NoGroup,
    /// A version that is spoken has no suite.
    #[error("none of these suites is one of {}, which is spoken here; {}", .0.as_str(), mend_suites(.0))]
    VersionWithoutSuite(Version),
    /// A version that is spoken has no group.
    #[error(
        "none of these groups is one of {}, which is spoken here; add \"X25519\" or \"secp256r1\", or set minimum_version \
         = \"1.3\"", .0.as_str()
    )]
    VersionWithoutGroup(Version),
    /// TLS 1.2 names the kind of key in its suites, and has none for the server's.
    #[error(
        "the server's key is {key}, and none of these suites of TLS 1.2 is for such a key; add \
         \"TLS_ECDHE_{of}_WITH_AES_256_GCM_SHA384\", or set minimum_version = \"1.3\"", of = if *.key == "RSA" { "RSA" } else { "ECDSA" }
    )]
    KeyWithoutSuite {
        /// Which kind of key: `RSA`, `ECDSA` or `Ed25519`.
        key: &'static str,
    },
}

fn mend_suites(version: &Version) -> &'static str {
    match version {
        Version::Tls12 => {
            "add \"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384\" or, for an RSA key, \"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\", or \
             set minimum_version = \"1.3\""
        }
        Version::Tls13 => "add \"TLS_AES_256_GCM_SHA384\"; TLS 1.3 is always spoken",
    }
}

impl Default for TlsPolicy {
    /// Everything that is good; beside a [FIPS module](crate::fips) what that approves of.
    fn default() -> TlsPolicy {
        let speakable = |approval| fips::module().is_none() || approval == Approval::Approved;
        let usual = |group: &&Group| group.standing == Standing::ByDefault && speakable(group.approval);
        TlsPolicy {
            minimum: Version::Tls12,
            suites: Suite::all().iter().filter(|suite| speakable(suite.approval)).collect(),
            groups: Group::all().iter().filter(usual).collect(),
        }
    }
}

impl TlsPolicy {
    /// From `minimum` up to TLS 1.3, with these suites and groups, or with the usual ones where there is no list.
    ///
    /// # Errors
    /// A [`PolicyError`] where a version would be spoken with which nothing could be agreed.
    pub fn new(
        minimum: Version,
        suites: Option<Vec<&'static Suite>>,
        groups: Option<Vec<&'static Group>>,
    ) -> Result<TlsPolicy, PolicyError> {
        let usual = TlsPolicy::default();
        let policy = TlsPolicy {
            minimum,
            suites: suites.unwrap_or(usual.suites),
            groups: groups.unwrap_or(usual.groups),
        };
        if policy.suites.is_empty() {
            return Err(PolicyError::NoSuite);
        }
        if policy.groups.is_empty() {
            return Err(PolicyError::NoGroup);
        }
        for version in [Version::Tls13, Version::Tls12].into_iter().filter(|version| *version >= minimum) {
            if !policy.suites.iter().any(|suite| suite.version() == version) {
                return Err(PolicyError::VersionWithoutSuite(version));
            }
            if !policy.groups.iter().any(|group| group.is_of(version)) {
                return Err(PolicyError::VersionWithoutGroup(version));
            }
        }
        Ok(policy)
    }

    /// The lowest version that is spoken; the highest is always 1.3.
    pub fn minimum(&self) -> Version {
        self.minimum
    }

    /// The suites, in the order in which a server prefers them.
    pub fn suites(&self) -> &[&'static Suite] {
        &self.suites
    }

    /// The groups.
    pub fn groups(&self) -> &[&'static Group] {
        &self.groups
    }

    /// Whether a server with this identity can speak all of its versions.
    ///
    /// # Errors
    /// [`PolicyError::KeyWithoutSuite`].
    pub fn serves(&self, identity: &Identity) -> Result<(), PolicyError> {
        self.serves_algorithm(identity.certified_key().key.algorithm())
    }

    /// The same of an identity that is still to be made, with a key of this kind.
    ///
    /// # Errors
    /// [`PolicyError::KeyWithoutSuite`].
    pub fn serves_kind(&self, kind: KeyType) -> Result<(), PolicyError> {
        self.serves_algorithm(match kind {
            KeyType::EcdsaP256 | KeyType::EcdsaP384 => SignatureAlgorithm::ECDSA,
            KeyType::Ed25519 => SignatureAlgorithm::ED25519,
            KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096 => SignatureAlgorithm::RSA,
        })
    }

    fn serves_algorithm(&self, key: SignatureAlgorithm) -> Result<(), PolicyError> {
        let older = |suite: &&&Suite| suite.version() == Version::Tls12;
        if self.minimum == Version::Tls13 || self.suites.iter().filter(older).any(|suite| suite.serves(key)) {
            return Ok(());
        }
        Err(PolicyError::KeyWithoutSuite {
            key: match key {
                SignatureAlgorithm::RSA => "RSA",
                SignatureAlgorithm::ED25519 => "Ed25519",
                _ => "ECDSA",
            },
        })
    }

    pub(crate) fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
        const NEWEST: &[&SupportedProtocolVersion] = &[&TLS13];
        match self.minimum {
            Version::Tls12 => BOTH,
            Version::Tls13 => NEWEST,
        }
    }

    pub(crate) fn provider(&self) -> Arc<CryptoProvider> {
        Arc::new(CryptoProvider {
            cipher_suites: self.suites.iter().map(|suite| suite.rustls).collect(),
            kx_groups: self.groups.iter().map(|group| group.rustls).collect(),
            ..aws_lc_rs::default_provider()
        })
    }
}

/// The cryptography that everything here is done with.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    TlsPolicy::default().provider()
}
