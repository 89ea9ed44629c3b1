//! Whether a client's certificate is accepted: who vouches for it, when and for what it is good, whether it was revoked.

use std::{collections::HashSet, path::Path};

use rustls::{
    DistinguishedName, RootCertStore,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime},
};
use thiserror::Error;
use webpki::KeyUsage;

use super::{ClientDistrust, ClientIdentity, ClientNames, ClientRefusal};
use crate::{
    certificate::key_of,
    identity::{CertificateDescription, IdentityError, Problem, Sha256Fingerprint, Source, describe},
    policy,
    revocation::{List, Lists, Question, Way, read_lists},
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
    /// Who vouches for clients; there may be none.
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
    lists: Lists,
    unknown: UnknownRevocation,
    subjects: Vec<DistinguishedName>,
    keys: HashSet<Sha256Fingerprint>,
}

impl ClientTrust {
    /// Accepts whom the settings name. Of several lists by one authority the newest counts, wherever it stands.
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
        let lists = Lists::from_ders(revoked.iter().map(AsRef::as_ref))
            .map_err(|why| ClientTrustError::Revocations { why })?;
        let algorithms = policy::provider().signature_verification_algorithms;
        // A client whose key is known may have a certificate of any issuer, and some show none but those hinted at (GnuTLS).
        let subjects = if keys.is_empty() { roots.subjects() } else { Vec::new() };
        Ok(ClientTrust { roots, algorithms, lists, unknown, subjects, keys })
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
        let unreadable = |why: String| ClientDistrust::Unreadable(why);
        let description = describe(leaf)
            .map_err(|error| ClientRefusal { why: unreadable(error.to_string()), certificate: None })?;
        // SECURITY: users are known by this key, so it must be the one that the handshake's signature is checked with.
        let description = match key_of(leaf) {
            Ok(spki_fingerprint) => CertificateDescription { spki_fingerprint, ..description },
            Err(error) => {
                let why = unreadable(error.to_string());
                return Err(Box::new(ClientRefusal { why, certificate: Some(description) }));
            }
        };
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

    /// When a date in these certificates or in the lists next makes another verdict possible, in seconds since the start of
    /// 1970.
    pub(super) fn next_change(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> u64 {
        let certificates = std::iter::once(leaf).chain(intermediates).filter_map(|der| describe(der).ok());
        let dates = certificates.flat_map(|about| {
            // The last second is one of its own.
            let last = unix_time(about.not_after.into()).as_secs();
            [unix_time(about.not_before.into()).as_secs(), last.saturating_add(1)]
        });
        let lists = self.lists.next_updates().map(|moment| unix_time(moment.into()).as_secs());
        dates.chain(lists).filter(|moment| *moment > now.as_secs()).min().unwrap_or(u64::MAX)
    }

    /// Whether an authority vouches for it; with what is unknown of its revocation.
    fn vouched(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        description: &CertificateDescription,
    ) -> Result<Option<String>, ClientDistrust> {
        let (algorithms, usage) = (self.algorithms, KeyUsage::client_auth());
        let way = Way { leaf, intermediates, anchors: &self.roots.roots, algorithms, usage, now };
        let ask = |question| {
            way.verify(&self.lists, question).map_err(|error| ClientDistrust::of(error, description))
        };
        match ask(Question::Itself).and_then(|()| ask(Question::Above)) {
            Err(why) if why.is_unknown_revocation() => {
                // SECURITY: a list that has grown old, or one of an authority above, may say for sure that it is revoked; that
                // another is wanting must not hide it.
                ask(Question::Named)?;
                match self.unknown {
                    UnknownRevocation::Refuse => Err(why),
                    UnknownRevocation::Accept => Ok(Some(why.to_string())),
                }
            }
            judged => judged.map(|()| None),
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
        List::from_der(list).map(drop).map_err(Problem::BadRevocationList)
    };
    let lists = read_lists(path).and_then(|lists| lists.iter().try_for_each(usable).map(|()| lists));
    lists.map_err(|problem| problem.in_source(&Source::File(path.to_owned())))
}
