//! Whether an authority vouches for a certificate, and if not, why.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    CertificateError, RootCertStore,
    client::{
        WebPkiServerVerifier, danger::ServerCertVerifier, verify_server_cert_signed_by_trust_anchor,
        verify_server_name,
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use webpki::KeyUsage;

use super::{
    Authorities, ClientTlsError, Distrust,
    revocation::{self, RevocationLists, Stapled},
};
use crate::{
    identity::{CertificateDescription, Sha256Fingerprint, Timestamp, describe},
    revocation::Way,
};

/// What the name of a server has to be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name<'n> {
    /// This one.
    Is(&'n ServerName<'n>),
    /// Any: the server is known by this address.
    IsNotAsked(&'n ServerName<'n>),
}

/// A set of authorities.
#[derive(Debug)]
pub(super) struct Judge {
    /// `None` where there are no authorities.
    webpki: Option<Arc<WebPkiServerVerifier>>,
    /// The same authorities, for where no name is asked.
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
    /// The certificates of the set itself. A server may show one of them: OpenSSL's `req -x509`, with which most self-signed
    /// certificates are made, marks them as an authority's, and webpki takes no authority for a server.
    own: HashSet<Sha256Fingerprint>,
    /// The set itself: an answer about revocation is checked with the certificate of who gave it.
    certificates: Vec<CertificateDer<'static>>,
    lists: RevocationLists,
}

impl Judge {
    pub(super) fn new(
        authorities: Authorities,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Judge, ClientTlsError> {
        let mut roots = RootCertStore::empty();
        let certificates = match authorities {
            Authorities::Platform => {
                // What the machine has and cannot be read vouches for nobody.
                let certificates = rustls_native_certs::load_native_certs().certs;
                roots.add_parsable_certificates(certificates.iter().cloned());
                certificates
            }
            Authorities::These(certificates) if certificates.is_empty() => {
                return Err(ClientTlsError::NoAuthority);
            }
            Authorities::These(certificates) => {
                for (position, certificate) in (1..).zip(&certificates) {
                    roots
                        .add(certificate.clone())
                        .map_err(|error| ClientTlsError::BadAuthority { position, why: error.to_string() })?;
                }
                certificates
            }
        };
        let own = certificates.iter().map(|certificate| Sha256Fingerprint::of(certificate)).collect();
        let roots = Arc::new(roots);
        let webpki = match roots.is_empty() {
            true => None,
            false => Some(
                WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider))
                    .build()
                    .map_err(|error| ClientTlsError::Provider(rustls::Error::General(error.to_string())))?,
            ),
        };
        let (algorithms, lists) = (provider.signature_verification_algorithms, RevocationLists::default());
        Ok(Judge { webpki, roots, algorithms, own, certificates, lists })
    }

    /// The same set, and what has been revoked.
    pub(super) fn with_lists(self, lists: RevocationLists) -> Judge {
        Judge { lists, ..self }
    }

    /// Judges chain, dates, purpose, the name where that is asked, and whether it was revoked.
    pub(super) fn judge_all(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: Name<'_>,
        staple: &[u8],
        now: UnixTime,
    ) -> (Result<(), Distrust>, Stapled) {
        let verdict = match name {
            Name::Is(name) => self.judge(leaf, intermediates, name, now),
            Name::IsNotAsked(address) => self.judge_whatever_its_name(leaf, intermediates, address, now),
        };
        // One of the set itself has no issuer here who could have revoked it.
        if verdict.is_err() || self.own.contains(&Sha256Fingerprint::of(leaf)) {
            return (verdict, Stapled::unchecked(staple));
        }
        let (algorithms, usage) = (self.algorithms, KeyUsage::server_auth());
        let way = Way { leaf, intermediates, anchors: &self.roots.roots, algorithms, usage, now };
        let staple = match revocation::issuer(&way, &self.certificates) {
            Some(issuer) => Stapled::read(staple, leaf, Some(&issuer), now),
            None => Stapled::unchecked(staple),
        };
        let issuer = describe(leaf).map(|about| about.issuer).unwrap_or_default();
        (revocation::judge(&way, &self.lists).and_then(|()| staple.judge(leaf, &issuer)), staple)
    }

    /// Judges chain, dates, purpose and name.
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Distrust> {
        let description = describe(leaf).map_err(|error| Distrust::Other(error.to_string()))?;
        if self.own.contains(&description.fingerprint) {
            judge_own_dates(&description, now)?;
            return ParsedCertificate::try_from(leaf)
                .and_then(|parsed| verify_server_name(&parsed, name))
                .map_err(|error| reason(error, false, &description, name));
        }
        let is_self_signed = description.subject == description.issuer;
        let Some(webpki) = &self.webpki else {
            return Err(if is_self_signed { Distrust::SelfSigned } else { Distrust::NoAuthorities });
        };
        let verify = |at| match webpki.verify_server_cert(leaf, intermediates, name, &[], at) {
            Ok(_) => Ok(()),
            Err(error) => Err(reason(error, is_self_signed, &description, name)),
        };
        verify(now).map_err(|why| match why {
            // Dates say something only where somebody vouches for them, so that is asked as if they were right.
            Distrust::Expired { .. } | Distrust::NotYetValid { .. } => {
                match verify(unix_time(description.not_before)) {
                    Err(stranger) if stranger.may_be_remembered() => stranger,
                    _ => why,
                }
            }
            other => other,
        })
    }

    /// Judges chain, dates and purpose of a server that is known by its address alone.
    fn judge_whatever_its_name(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        address: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Distrust> {
        let description = describe(leaf).map_err(|error| Distrust::Other(error.to_string()))?;
        if self.own.contains(&description.fingerprint) {
            return judge_own_dates(&description, now);
        }
        let is_self_signed = description.subject == description.issuer;
        ParsedCertificate::try_from(leaf)
            .and_then(|parsed| {
                let algorithms = self.algorithms.all;
                verify_server_cert_signed_by_trust_anchor(
                    &parsed,
                    &self.roots,
                    intermediates,
                    now,
                    algorithms,
                )
            })
            .map_err(|error| reason(error, is_self_signed, &description, address))
    }
}

/// Judges the dates of a certificate of the set itself.
fn judge_own_dates(description: &CertificateDescription, now: UnixTime) -> Result<(), Distrust> {
    if now > unix_time(description.not_after) {
        return Err(Distrust::Expired { not_after: description.not_after });
    }
    if now < unix_time(description.not_before) {
        return Err(Distrust::NotYetValid { not_before: description.not_before });
    }
    Ok(())
}

/// webpki's verdict in our words.
fn reason(
    error: rustls::Error,
    is_self_signed: bool,
    description: &CertificateDescription,
    name: &ServerName<'_>,
) -> Distrust {
    let rustls::Error::InvalidCertificate(error) = error else {
        return Distrust::Other(error.to_string());
    };
    match error {
        // Among the others: it is marked as an authority's. A signature can be wrong only because an authority has the same
        // name, such as the `localhost` that Debian's ssl-cert puts among the machine's.
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
        | CertificateError::Other(_)
            if is_self_signed =>
        {
            Distrust::SelfSigned
        }
        CertificateError::UnknownIssuer => Distrust::UnknownIssuer,
        CertificateError::ExpiredContext { not_after, .. } => {
            Distrust::Expired { not_after: timestamp(not_after).unwrap_or(description.not_after) }
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            Distrust::NotYetValid { not_before: timestamp(not_before).unwrap_or(description.not_before) }
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Distrust::WrongName { wanted: name.to_str().into_owned(), names: description.names.clone() }
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Distrust::NotForServers
        }
        CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => Distrust::BadSignature,
        other => Distrust::Other(rustls::Error::InvalidCertificate(other).to_string()),
    }
}

fn unix_time(moment: Timestamp) -> UnixTime {
    let since = SystemTime::from(moment).duration_since(SystemTime::UNIX_EPOCH);
    UnixTime::since_unix_epoch(since.unwrap_or(Duration::ZERO))
}

fn timestamp(moment: UnixTime) -> Option<Timestamp> {
    Timestamp::from_unix_s(i64::try_from(moment.as_secs()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::identity;

    #[test]
    fn where_there_are_no_authorities_nobody_is_vouched_for() {
        let judge = Judge {
            webpki: None,
            roots: Arc::new(RootCertStore::empty()),
            algorithms: crate::policy::provider().signature_verification_algorithms,
            own: HashSet::new(),
            certificates: Vec::new(),
            lists: RevocationLists::default(),
        };
        let own = identity();
        let judged = judge.judge(
            &own.certified_key().cert[0],
            &[],
            &ServerName::try_from("localhost").unwrap(),
            UnixTime::now(),
        );
        assert_eq!(judged, Err(Distrust::SelfSigned));
    }
}
