//! Clients and connections for the tests: loopback sockets on free ports, rustls clients whose session store can be seen.

pub(crate) mod forger;

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
};

use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, NamedGroup, SignatureScheme, SupportedProtocolVersion,
    client::{
        ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime},
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    ControlStream, ControlTls, DataStream, Direction, HandshakeError, Identity, Proof, ServerTls, Settings,
    TlsInfo,
};

pub(crate) const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

pub(crate) fn identity() -> Identity {
    let made = Identity::self_signed(&["localhost".to_owned()]).unwrap();
    Identity::from_pem(made.certificate_pem.as_bytes(), made.key_pem.as_bytes()).unwrap()
}

pub(crate) fn server() -> Arc<ServerTls> {
    Arc::new(ServerTls::new(Settings::new(identity())).unwrap())
}

/// A connected pair: the server's end, the client's end.
pub(crate) async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((HOME, 0)).await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let server = listener.accept().await.unwrap().0;
    // What was written is on its way before anything is reset.
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    (server, client)
}

/// A client with a session store that its connections share.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) config: ClientConfig,
    pub(crate) store: Arc<Store>,
    pub(crate) server_name: &'static str,
}

impl Client {
    pub(crate) fn new(version: &'static SupportedProtocolVersion) -> Client {
        Client::with(version, provider())
    }

    /// A client that offers what this provider has.
    pub(crate) fn with(version: &'static SupportedProtocolVersion, provider: CryptoProvider) -> Client {
        let store = Arc::new(Store::default());
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate))
            .with_no_client_auth();
        config.resumption = Resumption::store(Arc::clone(&store) as _);
        Client { config, store, server_name: "localhost" }
    }

    pub(crate) async fn connect(&self, socket: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        TlsConnector::from(Arc::new(self.config.clone()))
            .connect(ServerName::try_from(self.server_name).unwrap(), socket)
            .await
    }

    /// Offers this cipher suite alone.
    pub(crate) fn only(&mut self, suite: CipherSuite) {
        let mut provider = provider();
        provider.cipher_suites.retain(|own| own.suite() == suite);
        let version = provider.cipher_suites[0].version();
        self.config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate))
            .with_no_client_auth();
        self.config.resumption = Resumption::store(Arc::clone(&self.store) as _);
    }

    pub(crate) fn connection(&self) -> rustls::ClientConnection {
        rustls::ClientConnection::new(
            Arc::new(self.config.clone()),
            ServerName::try_from(self.server_name).unwrap(),
        )
        .unwrap()
    }
}

/// A control connection from both ends. The client has read the greeting and with it its tickets.
pub(crate) struct Control {
    pub(crate) tls: ControlTls,
    pub(crate) info: TlsInfo,
    pub(crate) client: TlsStream<TcpStream>,
    _server: ControlStream,
}

pub(crate) async fn control_from(server: &Arc<ServerTls>, client: &Client, peer: IpAddr) -> Control {
    let (near, far) = pair().await;
    let tls = server.control(peer);
    let (accepted, connected) = tokio::join!(tls.accept(near), client.connect(far));
    let ((mut stream, info), mut connected) = (accepted.unwrap(), connected.unwrap());
    stream.write_all(b"220 ready\r\n").await.unwrap();
    stream.flush().await.unwrap();
    connected.read_exact(&mut [0; 11]).await.unwrap();
    Control { tls, info, client: connected, _server: stream }
}

/// A control connection of a user who has logged in.
pub(crate) async fn login(server: &Arc<ServerTls>, client: &Client, user: &str) -> Control {
    let control = control_from(server, client, HOME).await;
    control.tls.logged_in(user, false);
    control
}

pub(crate) type Accepted = Result<(DataStream, Proof), HandshakeError>;

pub(crate) async fn data(
    control: &Control,
    client: &Client,
    direction: Direction,
) -> (Accepted, std::io::Result<TlsStream<TcpStream>>) {
    let (near, far) = pair().await;
    // A server that sends has its last messages wait for the data; here there may be none.
    let accepting = async {
        let mut accepted = control.tls.accept_data(near, direction).await;
        if let Ok((stream, _)) = &mut accepted {
            stream.flush().unwrap();
        }
        accepted
    };
    tokio::join!(accepting, client.connect(far))
}

/// What a data connection of `client` proves on `control`. Both ends read to the end, so that tickets arrive.
pub(crate) async fn proof(control: &Control, client: &Client, direction: Direction) -> Proof {
    let (accepted, connected) = data(control, client, direction).await;
    let ((mut stream, proof), mut connected) = (accepted.unwrap(), connected.unwrap());
    assert_eq!(stream.write_last(b"").unwrap(), 0);
    stream.finish().unwrap();
    connected.read_to_end(&mut Vec::new()).await.unwrap();
    let resumed = matches!(proof, Proof::Own | Proof::Sibling);
    assert_eq!(stream.info().unwrap().resumed, resumed);
    proof
}

/// All cipher suites that a server with an ECDSA key has.
pub(crate) fn suites() -> Vec<(&'static SupportedProtocolVersion, CipherSuite)> {
    let suites = aws_lc_rs::default_provider().cipher_suites;
    let usable = suites.iter().filter(|suite| !format!("{:?}", suite.suite()).contains("RSA"));
    usable.map(|suite| (suite.version(), suite.suite())).collect()
}

fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    // One small key share: hundreds of handshakes run in unoptimised builds.
    provider.kx_groups.retain(|group| group.name() == NamedGroup::X25519);
    // The client's order is not the server's.
    provider.cipher_suites.sort_by_key(|suite| {
        suite.suite() != CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            && suite.suite() != CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
    });
    provider
}

/// Sessions as rustls hands them over: TLS 1.3 tickets serve once each, the TLS 1.2 session serves again and again.
#[derive(Debug, Default)]
pub(crate) struct Store {
    tls13: Mutex<VecDeque<Tls13ClientSessionValue>>,
    tls12: Mutex<Option<Tls12ClientSessionValue>>,
}

impl Store {
    pub(crate) fn tickets(&self) -> usize {
        self.tls13.lock().unwrap().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tickets() == 0 && self.tls12.lock().unwrap().is_none()
    }

    /// Drops the tickets that were given before the last `count`.
    pub(crate) fn keep_newest(&self, count: usize) {
        let mut tickets = self.tls13.lock().unwrap();
        let older = tickets.len().saturating_sub(count);
        tickets.drain(..older);
    }

    pub(crate) fn clear(&self) {
        self.tls13.lock().unwrap().clear();
        *self.tls12.lock().unwrap() = None;
    }
}

impl ClientSessionStore for Store {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        *self.tls12.lock().unwrap() = Some(value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.tls12.lock().unwrap().clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        *self.tls12.lock().unwrap() = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.tls13.lock().unwrap().push_back(value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.tls13.lock().unwrap().pop_front()
    }
}

#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
