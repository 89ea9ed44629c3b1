//! Whether a client's certificate is accepted: who vouches for it, when and for what it is good, whether it was revoked.

use std::{collections::HashSet, path::Path, sync::Arc};

use rustls::{
    CertificateError, DistinguishedName, RootCertStore,
    pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use thiserror::Error;
use webpki::BorrowedCertRevocationList;

use super::{ClientDistrust, ClientIdentity, ClientNames, ClientRefusal};
use crate::{
    identity::{CertificateDescription, IdentityError, Problem, Sha256Fingerprint, Source, describe},
    policy,
    revocation::read_lists,
    verify::unix_time,
};

/// What happens where revocation lists are given and say nothing sure of a certificate: the list of its issuer is stale or
/// there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownRevocation {
    /// It is refused.
    #[default]
    Refuse,
    /// It is accepted, and that is told. What a stale list revokes stays revoked.
    Accept,
}

/// What a [`ClientTrust`] is made from.
#[derive(Debug, Clone, Default)]
pub struct ClientTrustSettings {
    /// Who vouches for clients.
    pub authorities: Vec<CertificateDer<'static>>,
    /// What they have revoked. Without any, nothing is asked about revocation.
    pub revoked: Vec<CertificateRevocationListDer<'static>>,
    /// Where the lists do not say.
    pub unknown: UnknownRevocation,
    /// Public keys (SHA-256 of the SubjectPublicKeyInfo) that are known by themselves: nobody has to vouch for their
    /// certificates.
    pub keys: HashSet<Sha256Fingerprint>,
}

/// A [`ClientTrust`] that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientTrustError {
    /// An authority's certificate is of no use.
    #[error(
        "the authority's certificate {position} of those given cannot be used: {why}; copy the file again as it was issued"
    )]
    Authority {
        /// Which, from 1.
        position: usize,
        /// What is wrong.
        why: String,
    },
    /// A revocation list is of no use.
    #[error("a revocation list cannot be used: {why}; fetch it again from its authority")]
    Revocations {
        /// What is wrong.
        why: String,
    },
}

/// Whose certificates are accepted.
#[derive(Debug)]
pub struct ClientTrust {
    /// All must accept a certificate. None where there are no authorities.
    strict: Vec<Arc<dyn ClientCertVerifier>>,
    /// Accepts where revocation is unknown; `None` where that is refused.
    lenient: Option<Arc<dyn ClientCertVerifier>>,
    subjects: Vec<DistinguishedName>,
    keys: HashSet<Sha256Fingerprint>,
}

impl ClientTrust {
    /// Accepts whom the settings name.
    ///
    /// # Errors
    /// A [`ClientTrustError`]: an authority or a revocation list that cannot be used.
    pub fn new(settings: ClientTrustSettings) -> Result<ClientTrust, ClientTrustError> {
        let ClientTrustSettings { authorities, revoked, unknown, keys } = settings;
        let mut roots = RootCertStore::empty();
        for (position, authority) in (1..).zip(authorities) {
            roots
                .add(authority)
                .map_err(|error| ClientTrustError::Authority { position, why: error.to_string() })?;
        }
        if roots.is_empty() {
            return Ok(ClientTrust { strict: Vec::new(), lenient: None, subjects: Vec::new(), keys });
        }
        let roots = Arc::new(roots);
        let builder = || {
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), policy::provider())
                .with_crls(revoked.iter().cloned())
        };
        let build = |builder: rustls::server::ClientCertVerifierBuilder| {
            builder.build().map_err(|error| ClientTrustError::Revocations { why: error.to_string() })
        };
        // The issuer of the certificate itself must have given a list; the authorities above may.
        let own = build(builder().only_check_end_entity_revocation().enforce_revocation_expiration())?;
        let above = build(builder().allow_unknown_revocation_status().enforce_revocation_expiration())?;
        let lenient = match unknown {
            UnknownRevocation::Refuse => None,
            UnknownRevocation::Accept => Some(build(builder().allow_unknown_revocation_status())?),
        };
        let strict = if revoked.is_empty() { vec![own] } else { vec![own, above] };
        // A client whose key is known may have a certificate of any issuer, and some show none but those hinted at (GnuTLS).
        let subjects = if keys.is_empty() { roots.subjects() } else { Vec::new() };
        Ok(ClientTrust { strict, lenient, subjects, keys })
    }

    /// The authorities that clients are told of.
    pub(super) fn subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    /// Judges a certificate whose private key the client holds, or is about to prove that it does.
    pub(crate) fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientIdentity, Box<ClientRefusal>> {
        let description = describe(leaf).map_err(|error| ClientRefusal {
            why: ClientDistrust::Unreadable(error.to_string()),
            certificate: None,
        })?;
        let judged = match self.vouched(leaf, intermediates, now, &description) {
            Ok(unknown_revocation) => ClientNames::of(leaf).map(|names| (Some(names), unknown_revocation)),
            // SECURITY: the key is known, and that is all: names in a certificate that nobody vouches for are its holder's
            // own words. Dates and purposes still count, as they are what its owner wants of it.
            Err(why)
                if why.is_for_want_of_an_authority() && self.keys.contains(&description.spki_fingerprint) =>
            {
                on_its_own(&description, now).map(|()| (None, None))
            }
            Err(why) => Err(why),
        };
        match judged {
            Ok((names, unknown_revocation)) => Ok(ClientIdentity { description, names, unknown_revocation }),
            Err(why) => Err(Box::new(ClientRefusal { why, certificate: Some(description) })),
        }
    }

    /// Whether an authority vouches for it; with what is unknown of its revocation.
    fn vouched(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        description: &CertificateDescription,
    ) -> Result<Option<String>, ClientDistrust> {
        let ask = |verifier: &Arc<dyn ClientCertVerifier>| -> Result<ClientCertVerified, ClientDistrust> {
            verifier
                .verify_client_cert(leaf, intermediates, now)
                .map_err(|error| ClientDistrust::of(error, description))
        };
        if self.strict.is_empty() {
            let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
            return Err(ClientDistrust::of(unknown, description));
        }
        match (self.strict.iter().try_for_each(|verifier| ask(verifier).map(drop)), &self.lenient) {
            (Ok(()), _) => Ok(None),
            (Err(why), Some(lenient)) if why.is_unknown_revocation() => {
                ask(lenient).map(|_| Some(why.to_string()))
            }
            (Err(why), _) => Err(why),
        }
    }
}

/// What a certificate must be for which its known key alone speaks.
fn on_its_own(about: &CertificateDescription, now: UnixTime) -> Result<(), ClientDistrust> {
    if now > unix_time(about.not_after.into()) {
        return Err(ClientDistrust::Expired { not_after: about.not_after });
    }
    if now < unix_time(about.not_before.into()) {
        return Err(ClientDistrust::NotYetValid { not_before: about.not_before });
    }
    ClientDistrust::wrong_purpose(about).map_or(Ok(()), Err)
}

/// Reads the revocation lists of a file: one or several as PEM, or one as DER.
///
/// # Errors
/// An [`IdentityError`] that names the file, what is wrong with it and the mend.
pub fn load_revocations(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, IdentityError> {
    let usable = |list: &CertificateRevocationListDer<'_>| {
        BorrowedCertRevocationList::from_der(list)
            .map(drop)
            .map_err(|error| Problem::BadRevocationList(error.to_string()))
    };
    let lists = read_lists(path).and_then(|lists| lists.iter().try_for_each(usable).map(|()| lists));
    lists.map_err(|problem| problem.in_source(&Source::File(path.to_owned())))
}
