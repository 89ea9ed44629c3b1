//! The server's side of TLS: one configuration for ever, a session of its own for each control connection.

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    CommonState, HandshakeKind, ProtocolVersion, ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    server::{Acceptor, ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;

pub use crate::control::ControlStream;
pub use crate::handshake::HandshakeError;
use crate::{
    alpn,
    binding::{Claim, ControlSession, ControlTickets, Proof, Registry},
    caller::Caller,
    control::RecordByRecord,
    data::DataStream,
    handshake,
    identity::Identity,
};

/// Tickets on a control connection for clients that use each once and do not ask: enough for the first transfers, each of
/// which may bring another.
const CONTROL_TICKETS: usize = 4;
/// Tickets given to a client that asks for some (RFC 9149), at most.
const TICKETS_ON_REQUEST: usize = 64;

/// A TLS version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Version {
    /// TLS 1.2 (RFC 5246), with ECDHE and AEAD suites only.
    #[default]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// What a TLS server is made from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The certificate and its key.
    pub identity: Identity,
    /// The lowest version that is spoken; the highest is always 1.3.
    pub minimum: Version,
}

/// Which way the data of a transfer flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Downloads and listings.
    ToClient,
    /// Uploads.
    FromClient,
}

/// What protects a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by its IANA name (rustls writes `TLS13_` where IANA writes `TLS_`).
    pub cipher: &'static str,
    /// The agreed application protocol: `ftp`, `ftp-data` or none.
    pub alpn: Option<&'static str>,
    /// Whether a session was resumed.
    pub resumed: bool,
}

/// A TLS server for control and data connections.
#[derive(Debug)]
pub struct ServerTls {
    base: ServerConfig,
    current: Arc<CurrentIdentity>,
    registry: Arc<Registry>,
}

/// One control connection: its session, and the data connections that belong to it. Data connections can resume its
/// session for as long as this lives.
///
/// One value secures one connection. Where a connection is secured anew (`REIN`, then `AUTH`), make a new value.
#[derive(Debug)]
pub struct ControlTls {
    server: Arc<ServerTls>,
    session: Arc<ControlSession>,
}

impl ServerTls {
    /// A server with this identity.
    ///
    /// X25519MLKEM768 comes first among the key exchanges. The server's order of cipher suites counts, AES-GCM before
    /// ChaCha20: with hardware AES it is several times faster, and a client without offers no AES. A fixed order also
    /// gives control and data connections the same suite, without which nothing resumes.
    ///
    /// # Errors
    /// When the cryptographic provider has no suites for the versions, which cannot happen with the one built in.
    pub fn new(settings: Settings) -> Result<ServerTls, rustls::Error> {
        let versions: &[&'static SupportedProtocolVersion] = match settings.minimum {
            Version::Tls12 => &[&TLS13, &TLS12],
            Version::Tls13 => &[&TLS13],
        };
        let current = Arc::new(CurrentIdentity(RwLock::new(settings.identity)));
        let mut base = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        base.ignore_client_order = true;
        base.session_storage = Arc::new(NoServerSessionStorage {});
        base.max_tls13_tickets = TICKETS_ON_REQUEST;
        Ok(ServerTls { base, current, registry: Arc::default() })
    }

    /// The identity that new connections are shown.
    pub fn identity(&self) -> Identity {
        self.current.identity()
    }

    /// Shows `identity` to connections that come from now on. Those that exist stay as they are, and their data
    /// connections go on resuming.
    pub fn replace_identity(&self, identity: Identity) {
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    /// A control connection from `peer`, with a session key of its own.
    pub fn control(self: &Arc<Self>, peer: IpAddr) -> ControlTls {
        let session = Arc::new(ControlSession::new(peer));
        self.registry.enter(&session);
        ControlTls { server: Arc::clone(self), session }
    }

    /// Reads the ClientHello of a connection on a data port that sessions share, to find the control connection with which
    /// its handshake is to be tried. Nothing is answered yet. The caller bounds the time.
    ///
    /// # Errors
    /// The [`HandshakeError`], after its alert was sent as far as the socket had room.
    pub async fn meet(&self, socket: TcpStream) -> Result<Caller, HandshakeError> {
        Caller::meet(&self.registry, socket).await
    }

    /// How many control connections are alive, and how many TLS 1.2 sessions.
    #[cfg(test)]
    pub(crate) fn registered(&self) -> (usize, usize) {
        self.registry.counts()
    }
}

impl ControlTls {
    /// Secures the control connection. The caller bounds the time.
    ///
    /// # Errors
    /// The [`HandshakeError`], after its alert was sent.
    pub async fn accept(&self, socket: TcpStream) -> Result<(ControlStream, TlsInfo), HandshakeError> {
        let socket = RecordByRecord::new(socket);
        let start = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
        let config = self.control_config(&start.client_hello());
        let stream = start.into_stream(config).await?;
        let info = TlsInfo::of(stream.get_ref().1);
        Ok((ControlStream::new(stream), info))
    }

    /// Says who is logged in. Other control connections of the same user from the same address become siblings, unless
    /// the account is `shared` by people who have nothing to do with each other, such as anonymous.
    pub fn logged_in(&self, user: &str, shared: bool) {
        self.session.set_user((!shared).then(|| user.to_owned()));
    }

    /// Says that nobody is logged in.
    pub fn logged_out(&self) {
        self.session.set_user(None);
    }

    /// Secures a data connection of this control connection and says whose it has proved to be; [`judge`] says what
    /// follows from that. The caller bounds the time and has compared the peer's address.
    ///
    /// On uploads the client is given a TLS 1.3 ticket only if it asks (RFC 9149): clients that never read it would close
    /// with unread data, which sends RST and loses the tail of the file.
    ///
    /// To a client that is to receive, the last messages of the handshake (tickets, in TLS 1.2 the Finished) go out with
    /// the first [`DataStream::write`] or [`DataStream::flush`].
    ///
    /// # Errors
    /// The [`HandshakeError`], after its alert was sent as far as the socket had room.
    ///
    /// [`judge`]: crate::judge
    pub async fn accept_data(
        &self,
        socket: TcpStream,
        direction: Direction,
    ) -> Result<(DataStream, Proof), HandshakeError> {
        self.accept_caller(Caller::unread(socket), direction).await
    }

    /// As [`accept_data`](Self::accept_data), for a connection that [`ServerTls::meet`] has met.
    ///
    /// # Errors
    /// As there.
    pub async fn accept_caller(
        &self,
        caller: Caller,
        direction: Direction,
    ) -> Result<(DataStream, Proof), HandshakeError> {
        let claim = Arc::new(Claim::new(Arc::clone(&self.server.registry), Arc::clone(&self.session)));
        let stream = handshake::accept(
            caller,
            direction,
            |hello| self.data_config(hello, direction, &claim),
            |kind| claim.settle(kind),
        )
        .await?;
        Ok((stream, claim.proof()))
    }

    /// Whether its client was seen to keep one cache of sessions for parallel connections.
    pub fn shares_cache(&self) -> bool {
        self.session.shares_cache()
    }

    pub(crate) fn session(&self) -> &ControlSession {
        &self.session
    }

    fn control_config(&self, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        let tickets = Arc::new(ControlTickets {
            registry: Arc::clone(&self.server.registry),
            session: Arc::clone(&self.session),
        });
        let mut config = self.server.base.clone();
        config.ticketer = Arc::clone(&tickets) as _;
        config.session_storage = tickets;
        config.send_tls13_tickets = CONTROL_TICKETS;
        config.alpn_protocols = alpn::answer(alpn::CONTROL, hello.alpn());
        Arc::new(config)
    }

    /// SECURITY: a clone of the same base as the control connection's, so certificate resolver, client verifier and
    /// versions are the same objects; only what a claim decides differs.
    fn data_config(
        &self,
        hello: &ClientHello<'_>,
        direction: Direction,
        claim: &Arc<Claim>,
    ) -> Arc<ServerConfig> {
        let mut config = self.server.base.clone();
        config.ticketer = Arc::clone(claim) as _;
        config.session_storage = Arc::clone(claim) as _;
        config.send_tls13_tickets = match direction {
            Direction::ToClient => 1,
            Direction::FromClient => 0,
        };
        config.alpn_protocols = alpn::answer(alpn::DATA, hello.alpn());
        // For `DataStream::read_to`, which opens records with keys of its own.
        config.enable_secret_extraction = true;
        Arc::new(config)
    }
}

impl Drop for ControlTls {
    fn drop(&mut self) {
        self.server.registry.forget(&self.session);
    }
}

impl TlsInfo {
    pub(crate) fn of(state: &CommonState) -> Self {
        TlsInfo {
            version: match state.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "unknown",
            },
            cipher: state
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or("unknown"),
            alpn: alpn::agreed(state.alpn_protocol()),
            resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

/// The identity as the resolver shows it. With one certificate the client's server name decides nothing.
#[derive(Debug)]
struct CurrentIdentity(RwLock<Identity>);

impl CurrentIdentity {
    fn identity(&self) -> Identity {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for CurrentIdentity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.0.read().unwrap_or_else(PoisonError::into_inner).certified_key()))
    }
}
