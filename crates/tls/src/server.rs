//! The server's side of TLS: one configuration for ever, a session of its own for each control connection.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use rustls::{
    ServerConfig,
    pki_types::UnixTime,
    server::{
        Acceptor, ClientHello, NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier,
    },
};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

pub use crate::control::ControlStream;
pub use crate::handshake::HandshakeError;
use crate::{
    alpn,
    binding::{Claim, ControlSession, ControlTickets, Offers, PolicyId, Proof, Registry},
    caller::Caller,
    client_certificate::{Accepted, Asking, ClientCertificates, ClientIdentity, ClientRefusal, Kept},
    control::RecordByRecord,
    data::DataStream,
    fips,
    first_flight::FirstData,
    handshake,
    identity::{Identities, Identity, Showing},
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
    /// Whether clients are asked for a certificate.
    pub clients: ClientCertificates,
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
            clients: ClientCertificates::default(),
            sessions: Sessions::default(),
        }
    }
}

/// The sessions of all control connections of one server, on whichever listener. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Sessions(Arc<Registry>);

impl Sessions {
    /// Reads the ClientHello of a connection on a data port that sessions share, to find the control connection with which
    /// its handshake is to be tried. `received` was read of it already. Nothing is answered yet. The caller bounds the time.
    ///
    /// # Errors
    /// The [`HandshakeError`], after its alert was sent as far as the socket had room.
    pub async fn meet(&self, socket: TcpStream, received: &[u8]) -> Result<Caller, HandshakeError> {
        Caller::meet(&self.0, socket, received).await
    }

    /// How many control connections are alive, and how many TLS 1.2 sessions.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> (usize, usize) {
        self.0.counts()
    }
}

/// A control connection whose ClientHello was read and not answered yet: what it asks for may decide which [`ServerTls`] answers.
pub struct Newcomer {
    start: StartHandshake<RecordByRecord>,
}

impl Newcomer {
    /// Reads the ClientHello. The caller bounds the time.
    ///
    /// # Errors
    /// The [`HandshakeError`], after its alert was sent.
    pub async fn meet(socket: TcpStream) -> Result<Newcomer, HandshakeError> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), RecordByRecord::new(socket)).await?;
        Ok(Newcomer { start })
    }

    /// The server's name that it asks for (SNI, RFC 6066 §3), in lower case.
    pub fn server_name(&self) -> Option<String> {
        self.start.client_hello().server_name().map(str::to_ascii_lowercase)
    }
}

impl fmt::Debug for Newcomer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Newcomer").field("server_name", &self.server_name()).finish_non_exhaustive()
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
    clients: ClientCertificates,
    spoken: TlsPolicy,
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
    showing: Arc<Showing>,
    client: OnceLock<Accepted>,
    /// What was said last of its certificate.
    verdict: Kept,
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
        let Settings { identities, policy, clients, sessions } = settings;
        // In its place each connection has its own.
        let nobodys = Arc::new(Showing::new(Arc::clone(&identities), None));
        let base = base(&policy, nobodys, WebPkiClientVerifier::no_client_auth())?;
        Ok(ServerTls {
            base,
            identities,
            clients,
            spoken: policy,
            policy: PolicyId::new(),
            registry: sessions.0,
        })
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
        self.control_of_host(peer, None)
    }

    /// The same, where the client has said in clear which of this server's names it means (HOST, RFC 7151 §4): the
    /// certificate goes by that, unless the handshake names a server.
    pub fn control_of_host(self: &Arc<Self>, peer: IpAddr, host: Option<String>) -> ControlTls {
        let session = Arc::new(ControlSession::new(peer, self.policy));
        self.registry.enter(&session);
        let showing = Arc::new(Showing::new(Arc::clone(&self.identities), host));
        let (client, verdict) = (OnceLock::new(), Kept::default());
        ControlTls { server: Arc::clone(self), session, showing, client, verdict }
    }

    /// Whose certificates are accepted, where clients are asked for one.
    pub fn clients(&self) -> &ClientCertificates {
        &self.clients
    }

    /// A configuration under which a client is shown what `showing` says, and asked for its certificate, or not.
    fn config(
        &self,
        showing: &Arc<Showing>,
        asking: Option<&Arc<Asking>>,
    ) -> Result<ServerConfig, rustls::Error> {
        let showing = Arc::clone(showing);
        match asking {
            None => {
                let mut config = self.base.clone();
                config.cert_resolver = showing;
                Ok(config)
            }
            Some(asking) => base(&self.spoken, showing, Arc::clone(asking) as _),
        }
    }
}

/// What all configurations of a listener have in common.
fn base(
    policy: &TlsPolicy,
    showing: Arc<Showing>,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, rustls::Error> {
    let mut base = ServerConfig::builder_with_provider(policy.provider())
        .with_protocol_versions(policy.versions())?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(showing);
    base.ignore_client_order = true;
    base.session_storage = Arc::new(NoServerSessionStorage {});
    base.max_tls13_tickets = TICKETS_ON_REQUEST;
    fips::admit(base.fips())?;
    Ok(base)
}

impl ControlTls {
    /// Secures the control connection. The caller bounds the time.
    ///
    /// # Errors
    /// The [`HandshakeError`], after its alert was sent.
    pub async fn accept(&self, socket: TcpStream) -> Result<(ControlStream, TlsInfo), HandshakeError> {
        self.accept_met(Newcomer::meet(socket).await?).await
    }

    /// The same for a control connection that was met.
    ///
    /// # Errors
    /// As there.
    pub async fn accept_met(&self, newcomer: Newcomer) -> Result<(ControlStream, TlsInfo), HandshakeError> {
        let Newcomer { mut start } = newcomer;
        if let Err(error) = self.check_name(&start.client_hello()) {
            // The client learns why as far as the socket has room.
            let _ = start.io.write_all(&handshake::UNRECOGNIZED_NAME).await;
            return Err(error);
        }
        let asking = self.asking();
        let tickets = Arc::new(ControlTickets::new(
            Arc::clone(&self.server.registry),
            Arc::clone(&self.session),
            asking.is_some(),
        ));
        let config = self.control_config(&start.client_hello(), asking.as_ref(), &tickets)?;
        let shaken = start.into_stream(config).await;
        let stream = shaken.map_err(|error| HandshakeError::from(error).explained(asking.as_ref()))?;
        tickets.settle(stream.get_ref().1.handshake_kind());
        if let Some(accepted) = asking.and_then(|asking| asking.accepted()) {
            // One value secures one connection, so this is the first.
            let _ = self.client.set(accepted);
        }
        let info = TlsInfo::of(stream.get_ref().1);
        Ok((ControlStream::new(stream), info))
    }

    /// Whose certificates are accepted, where its client is asked for one.
    pub fn clients(&self) -> &ClientCertificates {
        &self.server.clients
    }

    /// Whether what the client was shown stands for `name` as well as anything here does: where the certificates are for
    /// different names, it has to be for this one.
    pub fn stands_for(&self, name: &str) -> bool {
        self.showing.stands_for(name)
    }

    /// What the client has proved with its certificate, where it showed one.
    pub fn client(&self) -> Option<&ClientIdentity> {
        self.client.get().map(|accepted| &accepted.identity)
    }

    /// What the client's certificate proves by what is accepted now; `None` where it showed none. It may be asked as often as
    /// there are commands: a verdict is kept until other certificates count or a date has come that decides otherwise, and as
    /// long as it is the same one, it comes as the same object.
    ///
    /// # Errors
    /// The [`ClientRefusal`]: it was revoked meanwhile, it has expired, or its authority is no longer believed.
    pub fn judge_client(&self) -> Result<Option<Arc<ClientIdentity>>, Arc<ClientRefusal>> {
        let (Some(Accepted { chain, .. }), Some(accepted)) =
            (self.client.get(), self.server.clients.accepted())
        else {
            return Ok(None);
        };
        let Some((leaf, rest)) = chain.split_first() else { return Ok(None) };
        self.verdict.judge(accepted.current(), leaf, rest, UnixTime::now()).map(Some)
    }

    fn asking(&self) -> Option<Arc<Asking>> {
        Some(Arc::new(match &self.server.clients {
            ClientCertificates::NotAsked => return None,
            ClientCertificates::Optional(accepted) => Asking::optional(accepted.current()),
            ClientCertificates::Required(accepted) => Asking::required(accepted.current()),
        }))
    }

    /// SECURITY: who came with a certificate is asked for the same one on data connections that resume nothing
    /// (RFC 4217 §15.1.2); all others for none, so that nobody is asked for one in vain.
    fn asking_again(&self) -> Option<Arc<Asking>> {
        let leaf = self.client.get()?.chain.first()?.clone();
        let trust = self.server.clients.accepted()?.current();
        Some(Arc::new(Asking::this(trust, leaf)))
    }

    /// Says who is logged in. Other control connections of the same user from the same address become siblings, unless
    /// the account is `shared` by people who have nothing to do with each other, such as anonymous.
    pub fn logged_in(&self, user: &str, shared: bool) {
        self.session.logged_in((!shared).then(|| user.to_owned()));
    }

    /// Says that nobody is logged in.
    pub fn logged_out(&self) {
        self.session.logged_out();
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
        self.accept_caller(Caller::unread(socket), direction, None).await
    }

    /// As [`accept_data`](Self::accept_data), also for a connection that [`Sessions::meet`] has met. `first` is what a client that
    /// receives is sent with the first flight, where that may be; [`DataStream::has_sent_first`] says whether it was.
    ///
    /// # Errors
    /// As there.
    pub async fn accept_caller(
        &self,
        caller: Caller,
        direction: Direction,
        first: Option<&FirstData>,
    ) -> Result<(DataStream, Proof), HandshakeError> {
        self.accept_from(caller, direction, self.asking_again(), first).await
    }

    /// As [`accept_data`](Self::accept_data), for a connection of another server than the client, which has a certificate of
    /// its own and not the client's: it is asked for none.
    ///
    /// # Errors
    /// As there.
    pub async fn accept_partner(
        &self,
        socket: TcpStream,
        direction: Direction,
    ) -> Result<(DataStream, Proof), HandshakeError> {
        self.accept_from(Caller::unread(socket), direction, None, None).await
    }

    async fn accept_from(
        &self,
        caller: Caller,
        direction: Direction,
        asking: Option<Arc<Asking>>,
        first: Option<&FirstData>,
    ) -> Result<(DataStream, Proof), HandshakeError> {
        let claim = Arc::new(Claim::new(Arc::clone(&self.server.registry), Arc::clone(&self.session)));
        let stream = handshake::accept(
            caller,
            direction,
            |hello, records| {
                claim.note_offers(&Offers::of(records));
                self.data_config(hello, direction, &claim, asking.as_ref())
            },
            |kind| claim.settle(kind),
            || first.and_then(|first| claim.early(first)),
        )
        .await
        .map_err(|error| error.explained(asking.as_ref()))?;
        // SECURITY: a full handshake of a client who came with a certificate has to show it again.
        let lacks_certificate = asking.is_some_and(|asking| asking.accepted().is_none());
        let proof = match claim.proof() {
            Proof::None | Proof::RecordedButFull if lacks_certificate => Proof::NoCertificate,
            Proof::Stranger if lacks_certificate => Proof::StrangerWithoutCertificate,
            proof => proof,
        };
        Ok((stream, proof))
    }

    /// Whether its client was seen to keep one cache of sessions for parallel connections.
    pub fn shares_cache(&self) -> bool {
        self.session.shares_cache()
    }

    pub(crate) fn session(&self) -> &ControlSession {
        &self.session
    }

    /// Whether the handshake may go on, by the server's name in it (SNI, RFC 6066 §3).
    fn check_name(&self, hello: &ClientHello<'_>) -> Result<(), HandshakeError> {
        match hello.server_name() {
            Some(name) if !self.showing.answers_to(name) => {
                Err(HandshakeError::UnknownName(name.to_ascii_lowercase()))
            }
            _ => Ok(()),
        }
    }

    fn control_config(
        &self,
        hello: &ClientHello<'_>,
        asking: Option<&Arc<Asking>>,
        tickets: &Arc<ControlTickets>,
    ) -> Result<Arc<ServerConfig>, rustls::Error> {
        let mut config = self.server.config(&self.showing, asking)?;
        config.ticketer = Arc::clone(tickets) as _;
        config.session_storage = Arc::clone(tickets) as _;
        config.send_tls13_tickets = CONTROL_TICKETS;
        config.alpn_protocols = alpn::answer(alpn::CONTROL, hello.alpn());
        Ok(Arc::new(config))
    }

    /// SECURITY: made as the control connection's is, of the same policy and with the same [`Showing`]; only what a claim
    /// decides differs, and which certificate is asked for.
    fn data_config(
        &self,
        hello: &ClientHello<'_>,
        direction: Direction,
        claim: &Arc<Claim>,
        asking: Option<&Arc<Asking>>,
    ) -> Result<Arc<ServerConfig>, HandshakeError> {
        self.check_name(hello)?;
        let mut config = self.server.config(&self.showing, asking)?;
        config.ticketer = Arc::clone(claim) as _;
        config.session_storage = Arc::clone(claim) as _;
        config.send_tls13_tickets = match direction {
            Direction::ToClient => claim.tickets_unasked(),
            Direction::FromClient => 0,
        };
        // What is sent so early, the claim decides.
        config.send_half_rtt_data = direction == Direction::ToClient;
        config.alpn_protocols = alpn::answer(alpn::DATA, hello.alpn());
        // For `DataStream::read_to`, which opens records with keys of its own.
        config.enable_secret_extraction = true;
        Ok(Arc::new(config))
    }
}

impl Drop for ControlTls {
    fn drop(&mut self) {
        self.server.registry.forget(&self.session);
    }
}
