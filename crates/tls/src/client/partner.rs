//! How does a server take the client's part of TLS towards another server, and whom does it believe?

use std::sync::Arc;

use rustls::{
    ClientConfig, client::Resumption, crypto::WebPkiSupportedAlgorithms, pki_types::ServerName,
    sign::SingleCertAndKey,
};
use tokio::net::TcpStream;

use super::{
    Authorities, ClientTlsError, ConnectError, authorities::Judge, base, handshake, trust::Rule,
    verifier::Verifier,
};
use crate::{
    alpn,
    data::DataStream,
    identity::{Identity, Sha256Fingerprint},
    policy::TlsPolicy,
};

/// Whom to believe as a partner server. Names are never asked: a partner is known by its address, which the caller has
/// compared, and FTP gives no name.
#[derive(Debug, Clone)]
pub enum Believed {
    /// Whoever has a certificate that leads to one of these authorities, is in date and was issued for servers. The
    /// authorities must be such as sign for partners only.
    Authorities(Authorities),
    /// Whoever has one of these public keys, given by the SHA-256 of its SubjectPublicKeyInfo. Dates and purpose are not asked:
    /// the keys are what was agreed on.
    Keys(Vec<Sha256Fingerprint>),
    /// Whoever has one of these keys in a certificate that the authorities vouch for.
    KeysUnder(Authorities, Vec<Sha256Fingerprint>),
}

/// The client's part of TLS on data connections with partner servers (`SSCN ON`, `CPSV`).
#[derive(Debug)]
pub struct PartnerTls {
    config: ClientConfig,
    rule: Arc<Rule>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PartnerTls {
    /// Believes those, and speaks what the policy says.
    ///
    /// # Errors
    /// A [`ClientTlsError`], when an authority cannot be used or there is none.
    pub fn new(believed: Believed, policy: &TlsPolicy) -> Result<PartnerTls, ClientTlsError> {
        let provider = policy.provider();
        let rule = Arc::new(match believed {
            Believed::Authorities(authorities) => Rule::Partner(Judge::new(authorities, &provider)?),
            Believed::Keys(keys) => Rule::PartnerKeys(keys, None),
            Believed::KeysUnder(authorities, keys) => {
                Rule::PartnerKeys(keys, Some(Judge::new(authorities, &provider)?))
            }
        });
        let mut config = base(&provider, policy.versions())?;
        // Each transfer is with a server of its own, and a resumed session would show no certificate.
        config.resumption = Resumption::disabled();
        config.alpn_protocols = alpn::offer(alpn::DATA);
        // For `DataStream::read_to`, which opens records with keys of its own.
        config.enable_secret_extraction = true;
        Ok(PartnerTls { config, rule, algorithms: provider.signature_verification_algorithms })
    }

    /// Secures `socket` as the client of the server behind it, and shows `identity` where that server asks. The caller
    /// bounds the time.
    ///
    /// # Errors
    /// The [`ConnectError`], after its alert was sent as far as the socket had room.
    pub async fn connect_data(
        &self,
        socket: TcpStream,
        identity: &Identity,
    ) -> Result<DataStream, ConnectError> {
        let verifier = Arc::new(Verifier::new(Arc::clone(&self.rule), self.algorithms));
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(Arc::clone(&verifier) as _);
        let shown = SingleCertAndKey::from(Arc::clone(identity.certified_key()));
        config.client_auth_cert_resolver = Arc::new(shown);
        let name = ServerName::IpAddress(socket.peer_addr().map_err(ConnectError::Io)?.ip().into());
        handshake::connect(socket, Arc::new(config), name).await.map_err(|error| match error {
            ConnectError::Tls(rustls::Error::InvalidCertificate(_)) => match verifier.take_refusal() {
                Some(untrusted) => ConnectError::Untrusted(untrusted),
                None => error,
            },
            other => other,
        })
    }
}
