//! What does a server show, whether it is to be trusted or not?

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::TlsConnector;

use super::{
    ClientTls, ConnectError, Distrust, Stapled, TICKETS_ON_CONTROL, TrustNote,
    certificate::ClientCertificate, trust::Rule,
};
use crate::{
    alpn,
    identity::{CertificateDescription, describe},
    info::TlsInfo,
};

/// Certificates of a chain that are described: more than any real one has.
const DESCRIBED: usize = 8;

/// What a server has shown in one handshake.
#[derive(Debug)]
pub struct Seen {
    /// What it sent, its own certificate first. Certificates that cannot be described are left out, and all beyond the eighth.
    pub chain: Vec<CertificateDescription>,
    /// What was agreed.
    pub agreed: Result<TlsInfo, ConnectError>,
    /// What it has stapled to its certificate.
    pub staple: Stapled,
    /// Whether the client that looked would trust it.
    pub verdict: Result<Option<TrustNote>, Distrust>,
}

impl ClientTls {
    /// Shakes hands as [`ClientControlTls::connect`](super::ClientControlTls::connect) does, whether the server is trusted or
    /// not, and closes the connection. The caller bounds the time.
    ///
    /// # Errors
    /// The [`ConnectError`], where the handshake failed before the server has shown a certificate.
    pub async fn look(&self, socket: TcpStream) -> Result<Seen, ConnectError> {
        let shared = &self.shared;
        let onlooker = Arc::new(Onlooker {
            rule: Arc::clone(&shared.rule),
            algorithms: shared.provider.signature_verification_algorithms,
            shown: Mutex::default(),
        });
        let mut config: ClientConfig = self.base().clone();
        config.dangerous().set_certificate_verifier(Arc::clone(&onlooker) as _);
        let certificate = Arc::new(ClientCertificate::new(None));
        config.client_auth_cert_resolver = Arc::clone(&certificate) as _;
        config.resumption = Resumption::disabled();
        config.alpn_protocols = alpn::offer(alpn::CONTROL);
        config.send_ticket_request =
            Some(super::TicketRequest { new_session_count: TICKETS_ON_CONTROL, resumption_count: 0 });
        let connected = TlsConnector::from(Arc::new(config)).connect(shared.name.clone(), socket).await;
        let agreed = match connected {
            // SECURITY: nobody has agreed to trust this server. The connection ends here, so that nothing can be sent over it.
            Ok(mut stream) => {
                let info = TlsInfo::of(stream.get_ref().1);
                let _gone = stream.shutdown().await;
                Ok(info)
            }
            Err(error) => Err(certificate.explain(error.into())),
        };
        let shown = onlooker.shown.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (shown, agreed) {
            (Some(Shown { chain, staple, verdict }), agreed) => Ok(Seen { chain, agreed, staple, verdict }),
            (None, Err(error)) => Err(error),
            // A handshake without a certificate is none that is offered.
            (None, Ok(_)) => Err(ConnectError::Closed),
        }
    }
}

/// Looks at certificates and lets all of them pass. Only the signature with the key is asked for: without it, nothing is known
/// of whose certificate it is.
#[derive(Debug)]
struct Onlooker {
    rule: Arc<Rule>,
    algorithms: WebPkiSupportedAlgorithms,
    shown: Mutex<Option<Shown>>,
}

#[derive(Debug)]
struct Shown {
    chain: Vec<CertificateDescription>,
    staple: Stapled,
    verdict: Result<Option<TrustNote>, Distrust>,
}

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).take(DESCRIBED);
        let chain = chain.filter_map(|certificate| describe(certificate).ok()).collect();
        let judged = self.rule.judge(end_entity, intermediates, server_name, ocsp_response, now);
        let staple = match judged.staple {
            // Of a stranger it is enough that the next certificate has signed it.
            Stapled::Unchecked => Stapled::read(ocsp_response, end_entity, intermediates.first(), now),
            known => known,
        };
        let shown = Shown { chain, staple, verdict: judged.verdict };
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        Ok(ServerCertVerified::assertion())
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
