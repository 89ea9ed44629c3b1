//! How does a server show a certificate authority by TLS that a name is its own (TLS-ALPN-01, RFC 8737)?
//!
//! The authority connects to port 443 and agrees on nothing but `acme-tls/1`. It is shown a certificate made for this one
//! question, and the connection ends. No client of any other protocol gets through the handshake.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::{
    ServerConfig,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use thiserror::Error;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::{alpn, fips, policy};

/// Why a challenge cannot be shown.
#[derive(Debug, Error)]
#[error("no challenge certificate could be made for {name}: {why}")]
pub struct ChallengeError {
    name: String,
    why: String,
}

/// Shows the challenge certificates of names that are being validated, and nothing else.
#[derive(Debug)]
pub struct ChallengeTls {
    config: Arc<ServerConfig>,
    shown: Arc<Shown>,
}

impl ChallengeTls {
    /// One that shows nothing yet.
    ///
    /// # Errors
    /// When the cryptographic provider has no suites for TLS 1.2 and 1.3.
    pub fn new() -> Result<ChallengeTls, rustls::Error> {
        let shown = Arc::new(Shown::default());
        let mut config = ServerConfig::builder_with_provider(policy::provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = alpn::offer(alpn::CHALLENGE);
        // Each question is asked anew.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        fips::admit(config.fips())?;
        Ok(ChallengeTls { config: Arc::new(config), shown })
    }

    /// Shows for `name` a certificate that has the SHA-256 digest of the key authorization in it (RFC 8737 §3).
    ///
    /// # Errors
    /// The [`ChallengeError`], for what no certificate can carry.
    pub fn show(&self, name: &str, digest: [u8; 32]) -> Result<(), ChallengeError> {
        let failed = |why: String| ChallengeError { name: name.to_owned(), why };
        let certificate = certificate(name, digest).map_err(failed)?;
        // Names in a ClientHello come in lower case.
        self.shown.lock().insert(name.to_ascii_lowercase(), Arc::new(certificate));
        Ok(())
    }

    /// Shows nothing for `name` any more.
    pub fn hide(&self, name: &str) {
        self.shown.lock().remove(&name.to_ascii_lowercase());
    }

    /// Answers one connection to its end. The caller bounds the time.
    ///
    /// # Errors
    /// Whatever ended it early; a client of another protocol among it.
    pub async fn answer(&self, socket: TcpStream) -> io::Result<()> {
        let mut stream = TlsAcceptor::from(Arc::clone(&self.config)).accept(socket).await?;
        // RFC 8737 §3: no application data is exchanged.
        stream.shutdown().await
    }
}

#[derive(Debug, Default)]
struct Shown(Mutex<HashMap<String, Arc<CertifiedKey>>>);

impl Shown {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<CertifiedKey>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // SECURITY: rustls lets a client in that offers no protocol at all. A challenge certificate must not be shown to it
        // (RFC 8737 §3: exactly `acme-tls/1`).
        let mut offered = hello.alpn()?;
        let only = offered.next() == alpn::CHALLENGE.first().map(|name| name.as_bytes());
        if !only || offered.next().is_some() {
            return None;
        }
        self.lock().get(&hello.server_name()?.to_ascii_lowercase()).cloned()
    }
}

fn certificate(name: &str, digest: [u8; 32]) -> Result<CertifiedKey, String> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| error.to_string())?;
    let mut params = CertificateParams::new([name.to_owned()]).map_err(|error| error.to_string())?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest)];
    let made = params.self_signed(&key).map_err(|error| error.to_string())?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let key = policy::provider().key_provider.load_private_key(key).map_err(|error| error.to_string())?;
    Ok(CertifiedKey::new(vec![made.der().clone()], key))
}

#[cfg(test)]
mod tests {
    use rustls::version::{TLS12, TLS13};
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::*;
    use crate::testkit::{Client, pair};

    async fn ask(
        server: &ChallengeTls,
        client: &mut Client,
        offered: &[&str],
    ) -> io::Result<rustls_pki_types::CertificateDer<'static>> {
        client.config.alpn_protocols = alpn::offer(offered);
        let (near, far) = pair().await;
        let (answered, connected) = tokio::join!(server.answer(near), client.connect(far));
        let stream = connected?;
        answered?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"acme-tls/1"[..]));
        Ok(stream.get_ref().1.peer_certificates().unwrap()[0].clone())
    }

    #[tokio::test]
    async fn the_certificate_of_the_question_is_shown() {
        let server = ChallengeTls::new().unwrap();
        server.show("LocalHost", [7; 32]).unwrap();
        for version in [&TLS12, &TLS13] {
            let mut client = Client::new(version);
            let shown = ask(&server, &mut client, &["acme-tls/1"]).await.unwrap();
            let (_, parsed) = X509Certificate::from_der(&shown).unwrap();
            // id-pe-acmeIdentifier, critical, an OCTET STRING of the digest (RFC 8737 §3).
            let is_it = |oid: &str| oid == "1.3.6.1.5.5.7.1.31";
            let found = parsed.extensions().iter().find(|extension| is_it(&extension.oid.to_id_string()));
            let found = found.unwrap();
            assert!(found.critical);
            assert_eq!(found.value, [&[4, 32][..], &[7; 32]].concat());
        }
    }

    #[tokio::test]
    async fn nobody_else_gets_through_the_handshake() {
        let server = ChallengeTls::new().unwrap();
        server.show("localhost", [7; 32]).unwrap();
        let mut client = Client::new(&TLS13);
        for offered in [&[][..], &["h2", "http/1.1"], &["ftp"], &["acme-tls/1", "h2"]] {
            assert!(ask(&server, &mut client, offered).await.is_err(), "{offered:?}");
        }
        client.server_name = "other.example";
        assert!(ask(&server, &mut client, &["acme-tls/1"]).await.is_err());
        client.server_name = "localhost";
        server.hide("localhost");
        assert!(ask(&server, &mut client, &["acme-tls/1"]).await.is_err());
        assert!(server.show("näme", [0; 32]).is_err());
    }
}
