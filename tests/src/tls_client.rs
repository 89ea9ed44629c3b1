//! The TLS side of the raw client: one version, any certificate, and a session store that the test can look into,
//! hand on to somebody else or empty.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientConfig, ClientConnection, ClientSessionStore, ResolvesClientCert, Resumption, TicketRequest,
    Tls12ClientSessionValue, Tls12Resumption, Tls13ClientSessionValue,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, Error, NamedGroup, SignatureScheme};

use crate::programs::Tls;

/// One client's settings and sessions. Clones share the sessions, as the connections of one client do.
#[derive(Clone, Debug)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    server_name: ServerName<'static>,
    /// The sessions that this client could resume.
    pub sessions: Arc<Sessions>,
}

impl TlsClient {
    /// A client of that version with an empty session store. Its TLS 1.3 tickets are used once, newest first.
    pub fn new(version: Tls) -> TlsClient {
        TlsClient::with(version, |_| ())
    }

    /// The same, with changes to rustls's settings.
    pub fn with(version: Tls, change: impl FnOnce(&mut ClientConfig)) -> TlsClient {
        let versions = match version {
            Tls::V12 => [&rustls::version::TLS12],
            Tls::V13 => [&rustls::version::TLS13],
        };
        let sessions = Arc::new(Sessions::default());
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(any_certificate())
            .with_client_cert_resolver(no_certificate());
        config.resumption = Resumption::store(sessions.clone());
        change(&mut config);
        TlsClient { config: Arc::new(config), server_name: localhost(), sessions }
    }

    /// TLS 1.2 with session ids alone, as Debian's curl has it.
    pub fn without_tickets() -> TlsClient {
        let client = TlsClient::new(Tls::V12);
        let mut config = (*client.config).clone();
        config.resumption =
            Resumption::store(client.sessions.clone()).tls12_resumption(Tls12Resumption::SessionIdOnly);
        TlsClient { config: Arc::new(config), ..client }
    }

    /// TLS 1.3 that asks for that many tickets in every handshake (RFC 9149).
    pub fn asking_for_tickets(count: u8) -> TlsClient {
        TlsClient::with(Tls::V13, |config| {
            config.send_ticket_request =
                Some(TicketRequest { new_session_count: count, resumption_count: count });
        })
    }

    /// This client without its sessions: it can only do full handshakes, and shares nothing.
    pub fn with_no_sessions(&self) -> TlsClient {
        let sessions = Arc::new(Sessions::default());
        let mut config = (*self.config).clone();
        config.resumption = Resumption::store(sessions.clone());
        TlsClient { config: Arc::new(config), server_name: self.server_name.clone(), sessions }
    }

    /// The same client with another name for the server than `localhost`; with an address its handshakes name nobody.
    pub fn naming(mut self, server: &'static str) -> TlsClient {
        self.server_name = ServerName::try_from(server).unwrap();
        self
    }

    /// Begins one connection. All connections name the server alike, so that sessions are found again.
    pub fn begin(&self) -> ClientConnection {
        ClientConnection::new(self.config.clone(), self.server_name.clone()).unwrap()
    }
}

fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: Mutex<Option<Arc<CryptoProvider>>> = Mutex::new(None);
    let mut provider = PROVIDER.lock().unwrap();
    provider.get_or_insert_with(|| Arc::new(aws_lc_rs::default_provider())).clone()
}

/// One verifier for all clients: rustls resumes a session only under the verifier that it began under.
fn any_certificate() -> Arc<AnyCertificate> {
    static VERIFIER: Mutex<Option<Arc<AnyCertificate>>> = Mutex::new(None);
    let mut verifier = VERIFIER.lock().unwrap();
    verifier.get_or_insert_with(|| Arc::new(AnyCertificate(provider()))).clone()
}

/// One resolver for all clients, for the same reason.
fn no_certificate() -> Arc<NoCertificate> {
    static RESOLVER: Mutex<Option<Arc<NoCertificate>>> = Mutex::new(None);
    let mut resolver = RESOLVER.lock().unwrap();
    resolver.get_or_insert_with(|| Arc::new(NoCertificate)).clone()
}

/// Has no certificate to show.
#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Takes every certificate, but insists that the server holds its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The sessions of one client.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    tls13: VecDeque<Tls13ClientSessionValue>,
    collected: usize,
}

impl Sessions {
    /// How many TLS 1.3 tickets are left.
    pub fn tickets(&self) -> usize {
        self.0.lock().unwrap().tls13.len()
    }

    /// How many TLS 1.3 tickets ever came.
    pub fn collected(&self) -> usize {
        self.0.lock().unwrap().collected
    }

    /// Forgets every session.
    pub fn forget(&self) {
        *self.0.lock().unwrap() = Held::default();
    }

    /// Moves every session of `other` here, in place of the own ones: what a thief of sessions presents.
    pub fn take_from(&self, other: &Sessions) {
        let stolen = std::mem::take(&mut *other.0.lock().unwrap());
        *self.0.lock().unwrap() = stolen;
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, _server: ServerName<'static>, group: NamedGroup) {
        self.0.lock().unwrap().group = Some(group);
    }

    fn kx_hint(&self, _server: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.lock().unwrap().group
    }

    fn set_tls12_session(&self, _server: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.lock().unwrap().tls12 = Some(value);
    }

    fn tls12_session(&self, _server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.lock().unwrap().tls12.clone()
    }

    fn remove_tls12_session(&self, _server: &ServerName<'static>) {
        self.0.lock().unwrap().tls12 = None;
    }

    fn insert_tls13_ticket(&self, _server: ServerName<'static>, value: Tls13ClientSessionValue) {
        let mut held = self.0.lock().unwrap();
        held.collected += 1;
        held.tls13.push_back(value);
    }

    fn take_tls13_ticket(&self, _server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.lock().unwrap().tls13.pop_back()
    }
}
