//! How is a client asked for its certificate in one handshake, and what came of it?

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::{
    DigitallySignedStruct, DistinguishedName, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::{ClientDistrust, ClientIdentity, ClientRefusal, ClientTrust};
use crate::identity::describe;

/// Asks in one handshake.
#[derive(Debug)]
pub(crate) struct Asking {
    trust: Arc<ClientTrust>,
    demand: Demand,
    algorithms: WebPkiSupportedAlgorithms,
    outcome: Mutex<Outcome>,
}

/// Who may come.
#[derive(Debug)]
enum Demand {
    /// Anybody, without a certificate as well.
    Optional,
    /// Who shows one.
    Required,
    /// Who shows this one, or none: on data connections.
    This(CertificateDer<'static>),
}

#[derive(Debug, Default)]
struct Outcome {
    chain: Vec<CertificateDer<'static>>,
    identity: Option<ClientIdentity>,
    refusal: Option<Box<ClientRefusal>>,
}

/// A certificate that was accepted, with what lies between it and its authority.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) identity: ClientIdentity,
    pub(crate) chain: Vec<CertificateDer<'static>>,
}

impl Asking {
    pub(crate) fn optional(trust: Arc<ClientTrust>) -> Asking {
        Asking::new(trust, Demand::Optional)
    }

    pub(crate) fn required(trust: Arc<ClientTrust>) -> Asking {
        Asking::new(trust, Demand::Required)
    }

    pub(crate) fn this(trust: Arc<ClientTrust>, leaf: CertificateDer<'static>) -> Asking {
        Asking::new(trust, Demand::This(leaf))
    }

    fn new(trust: Arc<ClientTrust>, demand: Demand) -> Asking {
        let algorithms = crate::policy::provider().signature_verification_algorithms;
        Asking { trust, demand, algorithms, outcome: Mutex::default() }
    }

    /// What was accepted. To be asked after the handshake, which proves that the client holds the key.
    pub(crate) fn accepted(&self) -> Option<Accepted> {
        let mut outcome = self.outcome();
        let chain = std::mem::take(&mut outcome.chain);
        outcome.identity.take().map(|identity| Accepted { identity, chain })
    }

    /// Why the handshake failed, where it failed here.
    pub(crate) fn refusal(&self) -> Option<Box<ClientRefusal>> {
        self.outcome().refusal.take()
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientCertVerifier for Asking {
    fn client_auth_mandatory(&self) -> bool {
        matches!(self.demand, Demand::Required)
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.trust.subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let judged = match &self.demand {
            // SECURITY: whoever else holds an accepted certificate is still somebody else.
            Demand::This(known) if known != leaf => Err(Box::new(ClientRefusal {
                why: ClientDistrust::NotOfControl,
                certificate: describe(leaf).ok(),
            })),
            _ => self.trust.judge(leaf, intermediates, now),
        };
        let mut outcome = self.outcome();
        match judged {
            Ok(identity) => {
                outcome.identity = Some(identity);
                let chain = std::iter::once(leaf).chain(intermediates);
                outcome.chain = chain.map(|certificate| certificate.clone().into_owned()).collect();
                Ok(ClientCertVerified::assertion())
            }
            Err(refusal) => {
                let alert = refusal.why.alert();
                outcome.refusal = Some(refusal);
                Err(alert.into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
