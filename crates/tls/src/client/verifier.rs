//! Who judges the certificates that a server shows on one control connection and its data connections.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::{
    CertificateError, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::{
    Distrust, Stapled, TrustNote, Untrusted,
    trust::{Judged, Rule},
};
use crate::identity::{CertificateDescription, describe};

/// Certificates of an untrusted server that are described: more than any real chain has.
const DESCRIBED: usize = 8;

/// Judges the first certificate by the rule and lets no other one pass after it.
#[derive(Debug)]
pub(super) struct Verifier {
    rule: Arc<Rule>,
    algorithms: WebPkiSupportedAlgorithms,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The control connection's certificate.
    leaf: Option<CertificateDer<'static>>,
    note: Option<TrustNote>,
    staple: Option<Stapled>,
    /// Why the last handshake that failed here did.
    refusal: Option<Box<Untrusted>>,
}

impl Verifier {
    pub(super) fn new(rule: Arc<Rule>, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Verifier { rule, algorithms, seen: Mutex::default() }
    }

    pub(super) fn certificate(&self) -> Option<CertificateDescription> {
        self.seen().leaf.as_ref().and_then(|leaf| describe(leaf).ok())
    }

    pub(super) fn note(&self) -> Option<TrustNote> {
        self.seen().note
    }

    pub(super) fn staple(&self) -> Option<Stapled> {
        self.seen().staple.clone()
    }

    pub(super) fn take_refusal(&self) -> Option<Box<Untrusted>> {
        self.seen().refusal.take()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what rustls has no words for, and gives it an error that makes the right alert.
    fn refuse<'a, 'c: 'a>(
        &self,
        why: Distrust,
        chain: impl Iterator<Item = &'a CertificateDer<'c>>,
    ) -> rustls::Error {
        let alert = match &why {
            Distrust::SelfSigned | Distrust::UnknownIssuer | Distrust::NoAuthorities => {
                CertificateError::UnknownIssuer
            }
            Distrust::Expired { .. } => CertificateError::Expired,
            Distrust::NotYetValid { .. } => CertificateError::NotValidYet,
            Distrust::WrongName { .. } => CertificateError::NotValidForName,
            Distrust::NotForServers => CertificateError::InvalidPurpose,
            Distrust::Revoked { .. } | Distrust::AuthorityRevoked => CertificateError::Revoked,
            Distrust::RevocationsMissing { .. } => CertificateError::UnknownRevocationStatus,
            Distrust::UnknownToIssuer { .. } | Distrust::StapleMissing | Distrust::StapleUnusable(_) => {
                CertificateError::InvalidOcspResponse
            }
            Distrust::BadSignature => CertificateError::BadSignature,
            Distrust::NotPinned { .. }
            | Distrust::KeyNotPinned { .. }
            | Distrust::KeyChanged { .. }
            | Distrust::NotOfControl
            | Distrust::RevocationsStale { .. }
            | Distrust::RevocationsForged { .. }
            | Distrust::Other(_) => CertificateError::ApplicationVerificationFailure,
        };
        let chain = chain.take(DESCRIBED).filter_map(|certificate| describe(certificate).ok()).collect();
        self.seen().refusal = Some(Box::new(Untrusted { why, chain }));
        alert.into()
    }

    fn checked(
        &self,
        outcome: Result<HandshakeSignatureValid, rustls::Error>,
        certificate: &CertificateDer<'_>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        outcome.map_err(|error| match error {
            rustls::Error::InvalidCertificate(CertificateError::BadSignature) => {
                self.refuse(Distrust::BadSignature, std::iter::once(certificate))
            }
            rustls::Error::InvalidCertificate(_) => {
                self.refuse(Distrust::Other(error.to_string()), std::iter::once(certificate))
            }
            other => other,
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let known = self.seen().leaf.clone();
        let judged = match known {
            // SECURITY: a data connection that does not resume the session must show the very certificate that the user
            // has come to trust on the control connection; any other, however valid, is another server's.
            Some(leaf) if leaf == *end_entity => return Ok(ServerCertVerified::assertion()),
            Some(_) => {
                Judged { verdict: Err(Distrust::NotOfControl), staple: Stapled::unchecked(ocsp_response) }
            }
            None => self.rule.judge(end_entity, intermediates, server_name, ocsp_response, now),
        };
        match judged.verdict {
            Ok(note) => {
                let mut seen = self.seen();
                seen.leaf = Some(end_entity.clone().into_owned());
                seen.note = note;
                seen.staple = Some(judged.staple);
                Ok(ServerCertVerified::assertion())
            }
            Err(why) => Err(self.refuse(why, std::iter::once(end_entity).chain(intermediates))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.checked(verify_tls12_signature(message, cert, dss, &self.algorithms), cert)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.checked(verify_tls13_signature(message, cert, dss, &self.algorithms), cert)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
