//! Which of the revocation lists given speaks for the issuer of a certificate, and is the certificate good by it?

use std::collections::HashSet;

use rustls::{
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, TrustAnchor, UnixTime},
};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy,
};
use x509_parser::{
    extensions::{ParsedExtension, X509Extension},
    prelude::{CertificateRevocationList, FromDer, X509Certificate},
};

use super::RevocationList;
use crate::identity::Timestamp;

/// Revocation lists ready to judge by, the newest first.
#[derive(Debug, Default)]
pub(crate) struct Lists(Vec<List>);

/// One of them.
#[derive(Debug)]
pub(crate) struct List {
    judged: CertRevocationList<'static>,
    described: RevocationList,
    of: Subject,
    age: (Timestamp, Number),
}

/// What a list is about. Of several about the same the newest counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Subject {
    /// The name of whose list it is, in DER.
    issuer: Vec<u8>,
    /// With which of the keys of that name it is signed (RFC 5280 §5.2.1), where it says so.
    key: Option<Vec<u8>>,
    /// Which certificates it is about (RFC 5280 §5.2.5), in DER; `None` for all.
    scope: Option<Vec<u8>>,
}

/// A list's number (RFC 5280 §5.2.3) by its length and its bytes, so that it compares as a number.
type Number = (usize, Vec<u8>);

impl List {
    /// Reads one list in DER.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn from_der(der: &[u8]) -> Result<List, String> {
        let described = RevocationList::describe(der).map_err(|error| error.to_string())?;
        let judged = OwnedCertRevocationList::from_der(der).map_err(|error| error.to_string())?;
        let (_, parsed) = CertificateRevocationList::from_der(der).map_err(|error| error.to_string())?;
        let scope = parsed.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::IssuingDistributionPoint(_) => Some(extension.value.to_vec()),
            _ => None,
        });
        let number = parsed.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::CRLNumber(number) => Some(number.to_bytes_be()),
            _ => None,
        });
        let number = number.map_or((0, Vec::new()), |bytes| (bytes.len(), bytes));
        let issuer = parsed.issuer().as_raw().to_vec();
        let of = Subject { issuer, key: authority_key(parsed.extensions()), scope };
        Ok(List { judged: judged.into(), age: (described.this_update, number), described, of })
    }
}

impl Lists {
    /// Keeps of several lists about the same only the newest: each takes the place of the one before it (RFC 5280 §5).
    ///
    /// SECURITY: webpki asks the first list that it finds. A file to which the new list was added behind the old one would
    /// go on letting in whom the new one revokes.
    pub(crate) fn newest_of(mut lists: Vec<List>) -> Lists {
        // Of two alike the one given last, as whoever adds to a file does so at its end.
        lists.reverse();
        lists.sort_by(|one, other| other.age.cmp(&one.age));
        let mut seen = HashSet::new();
        lists.retain(|list| seen.insert(list.of.clone()));
        Lists(lists)
    }

    /// The same from lists in DER.
    ///
    /// # Errors
    /// What is wrong with one of them, in words.
    pub(crate) fn from_ders<'d>(ders: impl Iterator<Item = &'d [u8]>) -> Result<Lists, String> {
        ders.map(List::from_der).collect::<Result<_, _>>().map(Lists::newest_of)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What those say whose authority has this distinguished name.
    pub(crate) fn by<'l>(&'l self, issuer: &'l str) -> impl Iterator<Item = &'l RevocationList> {
        self.0.iter().map(|list| &list.described).filter(move |list| list.issuer == issuer)
    }

    /// When their next ones are due.
    pub(crate) fn next_updates(&self) -> impl Iterator<Item = Timestamp> {
        self.0.iter().filter_map(|list| list.described.next_update)
    }

    /// All of them, in an order by which the first of an issuer's name is signed by the issuer of this certificate, and not
    /// by another authority of the same name.
    ///
    /// SECURITY: none is left out for what the client sends along. In a wrong order the first list has a wrong signature, and
    /// the certificate is refused.
    fn ordered_for(&self, chain: &[&CertificateDer<'_>]) -> Vec<&CertRevocationList<'static>> {
        let issuers: Vec<(Vec<u8>, Vec<u8>)> = chain.iter().filter_map(|der| issuer_of(der)).collect();
        let is_by_another = |list: &List| {
            let Some(own) = &list.of.key else { return false };
            let mut keys = issuers.iter().filter(|(name, _)| *name == list.of.issuer).map(|(_, key)| key);
            keys.clone().next().is_some() && !keys.any(|key| key == own)
        };
        let mut lists: Vec<&List> = self.0.iter().collect();
        lists.sort_by_key(|list| is_by_another(list));
        lists.into_iter().map(|list| &list.judged).collect()
    }
}

/// The name and the key of who has issued a certificate, where it tells both (RFC 5280 §4.2.1.1).
fn issuer_of(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some((certificate.issuer().as_raw().to_vec(), authority_key(certificate.extensions())?))
}

fn authority_key(extensions: &[X509Extension<'_>]) -> Option<Vec<u8>> {
    extensions.iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(key) => key.key_identifier.as_ref().map(|key| key.0.to_vec()),
        _ => None,
    })
}

/// What is asked of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// The certificate's own issuer must have given one, which is in date.
    Itself,
    /// The authorities above it may have given some; those must be in date.
    Above,
    /// Whether any of them names it or an authority above, however old it is.
    Named,
}

/// The way from a certificate to an authority that is believed.
pub(crate) struct Way<'w> {
    pub(crate) leaf: &'w CertificateDer<'w>,
    pub(crate) intermediates: &'w [CertificateDer<'w>],
    /// Who is believed.
    pub(crate) anchors: &'w [TrustAnchor<'w>],
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
    pub(crate) usage: KeyUsage,
    pub(crate) now: UnixTime,
}

impl Way<'_> {
    /// Whether there is such a way, and the lists have nothing against it; without any, they are not asked.
    pub(crate) fn verify(&self, lists: &Lists, question: Question) -> Result<(), webpki::Error> {
        let chain: Vec<&CertificateDer<'_>> = std::iter::once(self.leaf).chain(self.intermediates).collect();
        let lists = lists.ordered_for(&chain);
        let (depth, unknown, expired) = match question {
            Question::Itself => {
                (RevocationCheckDepth::EndEntity, UnknownStatusPolicy::Deny, ExpirationPolicy::Enforce)
            }
            Question::Above => {
                (RevocationCheckDepth::Chain, UnknownStatusPolicy::Allow, ExpirationPolicy::Enforce)
            }
            Question::Named => {
                (RevocationCheckDepth::Chain, UnknownStatusPolicy::Allow, ExpirationPolicy::Ignore)
            }
        };
        let options = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options.with_depth(depth).with_status_policy(unknown).with_expiration_policy(expired).build()
        });
        let leaf = EndEntityCert::try_from(self.leaf)?;
        let (all, anchors) = (self.algorithms.all, self.anchors);
        leaf.verify_for_usage(all, anchors, self.intermediates, self.now, self.usage, options, None).map(drop)
    }
}
