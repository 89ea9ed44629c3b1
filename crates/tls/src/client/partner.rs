//! How does a server take the client's part of TLS towards another server, and whom does it believe?

use std::sync::Arc;

use rustls::{
    ClientConfig,
    client::Resumption,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::ServerName,
    sign::SingleCertAndKey,
    version::{TLS12, TLS13},
};
use tokio::net::TcpStream;

use super::{
    Authorities, ClientTlsError, ConnectError, authorities::Judge, base, handshake, trust::Rule,
    verifier::Verifier,
};
use crate::{alpn, data::DataStream, identity::Identity, info::Version, policy};

/// The client's part of TLS on data connections with partner servers (`SSCN ON`, `CPSV`).
///
/// A partner's certificate must lead to one of the authorities, be in date and be issued for servers. Its names are not
/// asked: a partner is known by its address alone, which the caller has compared. So the authorities must be such as sign
/// for partners only.
#[derive(Debug)]
pub struct PartnerTls {
    config: ClientConfig,
    rule: Arc<Rule>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PartnerTls {
    /// Believes `authorities`, and speaks `minimum` or above.
    ///
    /// # Errors
    /// A [`ClientTlsError`], when an authority cannot be used or there is none.
    pub fn new(authorities: Authorities, minimum: Version) -> Result<PartnerTls, ClientTlsError> {
        let provider = policy::provider();
        let rule = Arc::new(Rule::Partner(Judge::new(authorities, &provider)?));
        let mut config = match minimum {
            Version::Tls12 => base(&provider, &[&TLS13, &TLS12])?,
            Version::Tls13 => base(&provider, &[&TLS13])?,
        };
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
