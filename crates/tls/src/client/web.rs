//! How does a server take the client's part of TLS towards a web server, such as a certificate authority's?

use std::sync::Arc;

use rustls::{
    ClientConfig,
    client::Resumption,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{
    Authorities, ClientControlStream, ClientTlsError, ConnectError, authorities::Judge, base, trust::Rule,
    verifier::Verifier,
};
use crate::{alpn, policy};

/// The client's part of TLS towards web servers (RFC 9110 §4.2.2). HTTP/1.1 is what it speaks.
#[derive(Debug)]
pub struct WebTls {
    config: ClientConfig,
    rule: Arc<Rule>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl WebTls {
    /// Believes `authorities`.
    ///
    /// # Errors
    /// A [`ClientTlsError`], when an authority cannot be used.
    pub fn new(authorities: Authorities) -> Result<WebTls, ClientTlsError> {
        let provider = policy::provider();
        let rule = Arc::new(Rule::Authorities(Judge::new(authorities, &provider)?));
        let mut config = base(&provider, &[&TLS13, &TLS12])?;
        // A resumed session would show no certificate, and there are a few requests in a month.
        config.resumption = Resumption::disabled();
        config.alpn_protocols = alpn::offer(alpn::WEB);
        Ok(WebTls { config, rule, algorithms: provider.signature_verification_algorithms })
    }

    /// Secures `socket` as the client of the server `host`, a DNS name or an IP address without brackets. The caller bounds
    /// the time.
    ///
    /// # Errors
    /// The [`ConnectError`], after its alert was sent.
    pub async fn connect(&self, host: &str, socket: TcpStream) -> Result<ClientControlStream, ConnectError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| ConnectError::Tls(rustls::Error::General(error.to_string())))?;
        let verifier = Arc::new(Verifier::new(Arc::clone(&self.rule), self.algorithms));
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(Arc::clone(&verifier) as _);
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, socket);
        connecting.await.map_err(|error| match error.into() {
            ConnectError::Tls(error @ rustls::Error::InvalidCertificate(_)) => {
                match verifier.take_refusal() {
                    Some(untrusted) => ConnectError::Untrusted(untrusted),
                    None => ConnectError::Tls(error),
                }
            }
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use rustls::{ServerConfig, sign::SingleCertAndKey};
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::{
        Distrust, Identity,
        testkit::{identity, pair},
    };

    /// A server of that identity and protocol, met by a client that believes `trusted`.
    async fn meet(
        trusted: &Identity,
        shown: &Identity,
        protocol: &str,
        host: &str,
    ) -> Result<(), ConnectError> {
        let mut config = ServerConfig::builder_with_provider(policy::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(shown.certified_key()))));
        config.alpn_protocols = alpn::offer(&[protocol]);
        let (near, far) = pair().await;
        let web = WebTls::new(Authorities::These(trusted.certified_key().cert.clone())).unwrap();
        let accepting = TlsAcceptor::from(Arc::new(config)).accept(near);
        let (_, connected) = tokio::join!(accepting, web.connect(host, far));
        connected.map(drop)
    }

    #[tokio::test]
    async fn a_web_server_that_is_vouched_for_is_reached() {
        let server = identity();
        meet(&server, &server, "http/1.1", "localhost").await.unwrap();
    }

    #[tokio::test]
    async fn strangers_other_names_and_other_protocols_are_refused() {
        let (server, other) = (identity(), identity());
        let why = |outcome| match outcome {
            Err(ConnectError::Untrusted(untrusted)) => untrusted.why,
            other => panic!("{other:?}"),
        };
        let stranger = why(meet(&other, &server, "http/1.1", "localhost").await);
        assert_eq!(stranger, Distrust::SelfSigned);
        let wrong_name = why(meet(&server, &server, "http/1.1", "acme.example").await);
        assert!(matches!(wrong_name, Distrust::WrongName { .. }), "{wrong_name}");
        // SECURITY: HTTP is not spoken to an FTP server, even one that is trusted (ALPACA).
        let refused = meet(&server, &server, "ftp", "localhost").await;
        assert!(matches!(refused, Err(ConnectError::Refused(_))), "{refused:?}");
        assert!(matches!(meet(&server, &server, "http/1.1", "no name").await, Err(ConnectError::Tls(_))));
    }
}
