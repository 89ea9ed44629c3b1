//! The server's side of TLS: one configuration for ever, a session of its own for each control connection.

use std::{net::IpAddr, sync::Arc};

use rustls::{
    ServerConfig,
    server::{Acceptor, ClientHello, NoServerSessionStorage, ResolvesServerCert},
};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;

pub use crate::control::ControlStream;
pub use crate::handshake::HandshakeError;
use crate::{
    alpn,
    binding::{Claim, ControlSession, ControlTickets, PolicyId, Proof, Registry},
    caller::Caller,
    control::RecordByRecord,
    data::DataStream,
    fips, handshake,
    identity::{Identities, Identity},
    info::TlsInfo,
    policy::TlsPolicy,
};

/// Tickets on a control connection for clients that use each once and do not ask: enough for the first transfers, each of
/// which may bring another.
const CONTROL_TICKETS: usize = 4;
/// Tickets given to a client that asks for some (RFC 9149), at most.
const TICKETS_ON_REQUEST: usize = 64;

/// What the TLS server of one listener is made from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who the server is. Listeners may share one.
    pub identities: Arc<Identities>,
    /// Which TLS is spoken.
    pub policy: TlsPolicy,
    /// Where its sessions are found. Listeners whose data connections come to one port share it; no session is ever resumed
    /// under another listener than its own.
    pub sessions: Sessions,
}

impl Settings {
    /// A server that stands alone, with the policy that is right for most.
    pub fn new(identity: Identity) -> Settings {
        Settings {
            identities: Arc::new(Identities::new(identity)),
            policy: TlsPolicy::default(),
            sessions: Sessions::default(),
        }
    }
}

/// The sessions of all control connections of one server, on whichever listener. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Sessions(Arc<Registry>);

impl Sessions {
    /// Reads the ClientHello of a connection on a data port that sessions share, to find the control connection with which
    /// its handshake is to be tried. Nothing is answered yet. The caller bounds the time.
    ///
    /// # Errors
    /// The [`HandshakeError`], after its alert was sent as far as the socket had room.
    pub async fn meet(&self, socket: TcpStream) -> Result<Caller, HandshakeError> {
        Caller::meet(&self.0, socket).await
    }

    /// How many control connections are alive, and how many TLS 1.2 sessions.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> (usize, usize) {
        self.0.counts()
    }
}

/// Which way the data of a transfer flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Downloads and listings.
    ToClient,
    /// Uploads.
    FromClient,
}

/// A TLS server for control and data connections.
#[derive(Debug)]
pub struct ServerTls {
    base: ServerConfig,
    identities: Arc<Identities>,
    policy: PolicyId,
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
    /// A server made from these settings.
    ///
    /// The server's order of cipher suites and key exchanges counts. A fixed order also gives control and data connections
    /// the same suite, without which nothing resumes.
    ///
    /// # Errors
    /// When the cryptographic provider has no suites for the versions, or beside a [FIPS module](crate::fips) that does not
    /// approve of the policy.
    pub fn new(settings: Settings) -> Result<ServerTls, rustls::Error> {
        let Settings { identities, policy, sessions } = settings;
        let mut base = ServerConfig::builder_with_provider(policy.provider())
            .with_protocol_versions(policy.versions())?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&identities) as Arc<dyn ResolvesServerCert>);
        base.ignore_client_order = true;
        base.session_storage = Arc::new(NoServerSessionStorage {});
        base.max_tls13_tickets = TICKETS_ON_REQUEST;
        fips::admit(base.fips())?;
        Ok(ServerTls { base, identities, policy: PolicyId::new(), registry: sessions.0 })
    }

    /// Who it is.
    pub fn identities(&self) -> &Arc<Identities> {
        &self.identities
    }

    /// Where its sessions are found.
    pub fn sessions(&self) -> Sessions {
        Sessions(Arc::clone(&self.registry))
    }

    /// A control connection from `peer`, with a session key of its own.
    pub fn control(self: &Arc<Self>, peer: IpAddr) -> ControlTls {
        let session = Arc::new(ControlSession::new(peer, self.policy));
        self.registry.enter(&session);
        ControlTls { server: Arc::clone(self), session }
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
