//! Opening the data connection: strangers are dropped, candidates are tried side by side, and the
//! one that can show whose it is carries the transfer.
//!
//! At the other end is the client or, where one was asked for, a partner server. A partner cannot
//! resume the client's TLS session: a full handshake is taken from it, on a port for this one
//! transfer.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use carrack_core::event::Channel;
use carrack_ftp_proto::server::DataRole;
use carrack_tls::{
    Caller, Circumstances, ControlTls, DataReuse, DataStream, Direction, FirstData, Identity, PartnerTls,
    Proof, judge,
};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::shared::{Candidate, Missed};
use super::{Callers, DataPort, Failure, Party, PassivePort};
use crate::witness::Witness;

/// Handshakes that may run at once on one passive port. An owner behind a NAT may meet neighbours
/// there; more than these are somebody's flood and wait in the kernel's queue.
const CANDIDATES: usize = 4;

/// The same for those whose ClientHello was read at the shared port: the newest of them. Each costs a few KiB and is one answer
/// from its end.
const MET: usize = 32;

/// Connections from the client's address that are tried on one passive port before it is given up.
const TRIED: usize = 64;

/// How long the owner may still come after a candidate was refused: who connects to somebody
/// else's port must not end the owner's transfer, and who cannot resume should not wait long for
/// the sentence that says so.
const GRACE: Duration = Duration::from_secs(2);

/// What the data connection has to be.
pub(crate) struct DataRequest {
    /// Who may be at the other end: nobody else may open a data connection.
    pub(crate) callers: Callers,
    /// Whom the client has asked for.
    pub(crate) role: DataRole,
    /// Our side of the control connection; active connections leave from its address.
    pub(crate) bound: SocketAddr,
    /// How its bytes are protected.
    pub(crate) protect: Protect,
    /// Which way the bytes go.
    pub(crate) direction: Direction,
    /// How long it may take to come, and again to shake hands.
    pub(crate) patience: Duration,
    /// Who hears of its handshake.
    pub(crate) witness: Witness,
    /// What a client that receives may be sent along with the handshake.
    pub(crate) first: Option<FirstData>,
}

/// How the bytes of a data connection are protected.
#[derive(Clone)]
pub(crate) enum Protect {
    /// Not at all (`PROT C`).
    Clear,
    /// By TLS (`PROT P`).
    Tls {
        /// The control connection's.
        control: Arc<ControlTls>,
        /// Which TLS session the client's own data connection must resume.
        reuse: DataReuse,
    },
    /// By TLS whose client is this server.
    TlsAsClient {
        /// Whom it believes.
        partners: Arc<PartnerTls>,
        /// What it shows of itself where it is asked.
        identity: Identity,
    },
}

/// A data connection that may carry the transfer.
pub(crate) struct DataConnection {
    pub(crate) stream: DataStream,
    /// The partner server at the other end, where it is one.
    pub(crate) partner: Option<IpAddr>,
}

impl DataRequest {
    /// Whose the other end at `address` is, for this transfer.
    // SECURITY: a partner takes part only in a transfer that asked for one (SSCN, CPSV, its address in
    // PORT), so that it cannot slip into those of clients who want nothing of it. In clear there is no
    // word for asking.
    fn party(&self, address: IpAddr) -> Result<Party, Failure> {
        let is_partner = self.callers.is_partner(address);
        match (&self.protect, self.role) {
            (Protect::TlsAsClient { .. }, _) if is_partner => Ok(Party::Partner),
            (Protect::TlsAsClient { .. }, _) => Err(Failure::NotAPartner),
            (Protect::Tls { .. }, DataRole::TlsServer | DataRole::TlsClient) if is_partner => {
                Ok(Party::Partner)
            }
            (Protect::Clear, _) if is_partner && !self.callers.is_client(address) => Ok(Party::Partner),
            _ if self.callers.is_client(address) => Ok(Party::Client),
            _ => Err(Failure::PartnerUnasked),
        }
    }
}

/// Opens the data connection.
pub(crate) async fn open(port: DataPort, request: &DataRequest) -> Result<DataConnection, Failure> {
    match port {
        DataPort::Passive(port) => accept(port, request).await,
        DataPort::Active(target) => connect(target, request).await,
    }
}

async fn connect(target: SocketAddr, request: &DataRequest) -> Result<DataConnection, Failure> {
    let party = request.party(target.ip())?;
    let connected = timeout(request.patience, async {
        let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // From the address the client knows us by: its firewall expects no other (RFC 959 §3.2
        // would have port L-1 as well, which takes root and is not needed by anybody).
        let mut from = request.bound;
        from.set_port(0);
        // Behind a balancer the client may be of the other family than the balancer's own connections.
        if from.is_ipv4() == target.is_ipv4() {
            socket.bind(from)?;
        }
        let stream = socket.connect(target).await?;
        stream.set_nodelay(true)?;
        io::Result::Ok(stream)
    });
    let stream = match connected.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(Failure::Unreachable(error)),
        Err(_) => return Err(Failure::Unreachable(io::ErrorKind::TimedOut.into())),
    };
    let arrived =
        Arrived { came: Came::Unread(stream), from: target.ip(), at: At::OwnPort, unmistakable: true };
    let shaken = shake_hands(request.into(), arrived, party).await?;
    // We chose whom to call: there is no competitor.
    shaken.judge(Alone::Yes)?;
    Ok(shaken.connection)
}

/// A connection with somebody who may be at its other end.
struct Arrived {
    came: Came,
    from: IpAddr,
    at: At,
    /// Whether no other transfer can be meant.
    unmistakable: bool,
}

/// Where a connection came about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// At a port for this transfer alone, or at the other end's.
    OwnPort,
    /// At the port that all sessions share.
    SharedPort,
}

/// How far a connection is.
enum Came {
    /// Nothing of it was read.
    Unread(TcpStream),
    /// Its ClientHello was, because it came to the port that all share.
    Met(Box<Caller>),
}

/// A connection that is as protected as it has to be, and what it has shown.
struct Shaken {
    connection: DataConnection,
    shown: Shown,
    unmistakable: bool,
}

/// Whether a connection was the only one that came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alone {
    Yes,
    No,
}

/// What a connection has shown of whose it is.
enum Shown {
    /// Its address; in clear there is nothing else.
    Address,
    /// A partner's certificate.
    Certificate,
    /// What it did as a TLS client, and what it should have done.
    Session { proof: Proof, reuse: DataReuse },
}

impl Shaken {
    /// Whether the connection may carry the transfer.
    fn judge(&self, alone: Alone) -> Result<(), Failure> {
        let circumstances = Circumstances { alone: alone == Alone::Yes, unmistakable: self.unmistakable };
        match self.shown {
            Shown::Address | Shown::Certificate => Ok(()),
            Shown::Session { proof, reuse } => judge(reuse, proof, circumstances).map_err(Failure::NotYours),
        }
    }
}

/// What a handshake is to come to.
struct Terms {
    protect: Protect,
    direction: Direction,
    patience: Duration,
    witness: Witness,
    first: Option<FirstData>,
}

impl From<&DataRequest> for Terms {
    fn from(request: &DataRequest) -> Terms {
        let DataRequest { protect, direction, patience, witness, first, .. } = request;
        Terms {
            protect: protect.clone(),
            direction: *direction,
            patience: *patience,
            witness: witness.clone(),
            first: first.clone(),
        }
    }
}

/// Protects the connection, at whose other end is `party`, and tells how that went.
async fn shake_hands(terms: Terms, arrived: Arrived, party: Party) -> Result<Shaken, Failure> {
    let witness = terms.witness.clone();
    let shaken = protected(terms, arrived, party).await;
    match &shaken {
        Ok(shaken) => {
            if let Some(info) = shaken.connection.stream.info() {
                witness.secured(Channel::Transfer, &info);
            }
        }
        Err(Failure::Handshake(_, error)) => witness.not_secured(Channel::Transfer, None, error),
        Err(Failure::PartnerHandshake(error)) => witness.not_secured(Channel::Transfer, None, error),
        Err(Failure::HandshakeTime(_)) => {
            witness.not_secured(Channel::Transfer, Some("timeouts.data_accept_s"), "it took too long")
        }
        Err(_) => {}
    }
    shaken
}

async fn protected(
    Terms { protect, direction, patience, first, .. }: Terms,
    Arrived { came, from, unmistakable, .. }: Arrived,
    party: Party,
) -> Result<Shaken, Failure> {
    let late = |_| Failure::HandshakeTime(party);
    let (stream, shown) = match (protect, came) {
        (Protect::Clear, Came::Unread(stream)) => {
            (DataStream::clear(stream).map_err(Failure::Unreachable)?, Shown::Address)
        }
        (Protect::TlsAsClient { partners, identity }, Came::Unread(stream)) => {
            let stream = timeout(patience, partners.connect_data(stream, &identity)).await.map_err(late)?;
            (stream.map_err(Failure::PartnerHandshake)?, Shown::Certificate)
        }
        (Protect::Tls { control, reuse }, came) => {
            let handshake = async {
                let caller = match came {
                    Came::Unread(stream) if party == Party::Partner => {
                        return control.accept_partner(stream, direction).await;
                    }
                    Came::Unread(stream) => Caller::unread(stream),
                    Came::Met(caller) => *caller,
                };
                control.accept_caller(caller, direction, first.as_ref()).await
            };
            let shaken = timeout(patience, handshake).await.map_err(late)?;
            let (stream, proof) = shaken.map_err(|error| Failure::Handshake(party, error))?;
            // SECURITY: no session of ours is a partner's to resume. What tells it from others is its address, and
            // that nobody competed for a port that serves this transfer alone.
            let reuse = if party == Party::Partner { DataReuse::Prefer } else { reuse };
            (stream, Shown::Session { proof, reuse })
        }
        (Protect::Clear | Protect::TlsAsClient { .. }, Came::Met(_)) => {
            return Err(Failure::ProtectionChanged);
        }
    };
    let partner = (party == Party::Partner).then_some(from);
    Ok(Shaken { connection: DataConnection { stream, partner }, shown, unmistakable })
}

/// Those who came to a passive port from where they may.
struct Candidates<'a> {
    request: &'a DataRequest,
    handshakes: JoinSet<Result<Shaken, Failure>>,
    /// Those of [`Came::Met`], oldest first.
    met: VecDeque<AbortHandle>,
    came: usize,
}

impl Candidates<'_> {
    fn try_one(&mut self, arrived: Arrived) -> Result<(), Failure> {
        // SECURITY: what comes to the shared port was matched with the client. Its address may be a partner's too, of whom
        // less is asked.
        let party = match arrived.at {
            At::OwnPort => self.request.party(arrived.from)?,
            At::SharedPort => Party::Client,
        };
        self.came += 1;
        let is_met = matches!(arrived.came, Came::Met(_));
        let shaking = shake_hands(self.request.into(), arrived, party);
        let shaking = self.handshakes.spawn(shaking);
        if is_met {
            self.met.push_back(shaking);
            self.met.retain(|handshake| !handshake.is_finished());
            // SECURITY: whoever has sent a ClientHello is one answer from the end of the handshake, unless it was
            // somebody else's that is sent again. Those go, so that they keep nobody out.
            if self.met.len() > MET
                && let Some(oldest) = self.met.pop_front()
            {
                oldest.abort();
            }
        }
        Ok(())
    }

    fn has_room(&self, port: &PassivePort) -> bool {
        let all_met = matches!(port, PassivePort::Shared(_));
        self.came < TRIED && (all_met || self.handshakes.len() < CANDIDATES)
    }
}

async fn accept(mut port: PassivePort, request: &DataRequest) -> Result<DataConnection, Failure> {
    port.serves(&request.protect)?;
    let patience_ends = Instant::now() + request.patience;
    let mut gives_up = patience_ends;
    let mut candidates = Candidates { request, handshakes: JoinSet::new(), met: VecDeque::new(), came: 0 };
    let mut failure = Failure::NobodyCame;
    loop {
        tokio::select! {
            arrived = port.next(&request.callers), if candidates.has_room(&port) => match arrived {
                Ok(arrived) => {
                    if let Err(refused) = candidates.try_one(arrived) {
                        failure = refused;
                    }
                }
                Err(why) => {
                    failure = why;
                    gives_up = gives_up.min(Instant::now() + GRACE);
                }
            },
            Some(shaken) = candidates.handshakes.join_next() => {
                failure = match shaken {
                    Ok(Ok(shaken)) => {
                        // Whoever waits in the queue competes as well, and gets his try.
                        while candidates.has_room(&port)
                            && let Some(Ok(arrived)) = port.waiting(&request.callers).await
                        {
                            let _ = candidates.try_one(arrived);
                        }
                        let alone = candidates.came == 1 && port.missed().is_none() && !port.has_silent();
                        match shaken.judge(if alone { Alone::Yes } else { Alone::No }) {
                            Ok(()) => return Ok(shaken.connection),
                            Err(refusal) => {
                                shaken.connection.stream.reset();
                                refusal
                            }
                        }
                    }
                    Ok(Err(failure)) => failure,
                    // It made room for another.
                    Err(_) => continue,
                };
                gives_up = gives_up.min(Instant::now() + GRACE);
            }
            // Handshakes that have begun are waited for: each has a time of its own.
            () = sleep_until(gives_up), if candidates.handshakes.is_empty() => {
                // At the shared port the owner may be connected and not have said anything yet.
                if port.has_silent() && Instant::now() < patience_ends {
                    gives_up = patience_ends;
                    continue;
                }
                return Err(match failure {
                    Failure::NobodyCame => port.nobody_came(request.role),
                    failure => failure,
                });
            }
        }
    }
}

impl PassivePort {
    /// Whether what comes to the port can be protected like this.
    fn serves(&self, protect: &Protect) -> Result<(), Failure> {
        match (self, protect) {
            (Self::OneShot(_), _) => Ok(()),
            // The port looks for the client's address and its session: a partner has neither.
            (Self::Shared(_), Protect::TlsAsClient { .. }) => Err(Failure::NoPortForPartners),
            (Self::Shared(seat), protect) if seat.is_for_tls() != matches!(protect, Protect::Tls { .. }) => {
                Err(Failure::ProtectionChanged)
            }
            (Self::Shared(_), _) => Ok(()),
        }
    }

    /// The next connection that may be the one, or why one is none. Cancellation safe.
    async fn next(&mut self, callers: &Callers) -> Result<Arrived, Failure> {
        match self {
            Self::OneShot(port) => {
                let (stream, from) = port.next(callers).await;
                Ok(Arrived { came: Came::Unread(stream), from, at: At::OwnPort, unmistakable: true })
            }
            Self::Shared(seat) => loop {
                let from = callers.client();
                match (seat.next().await, seat.is_for_tls()) {
                    (Candidate::Tls { caller, alone }, true) => {
                        let came = Came::Met(caller);
                        return Ok(Arrived { came, from, at: At::SharedPort, unmistakable: alone });
                    }
                    (Candidate::Broken(error), true) => return Err(Failure::Handshake(Party::Client, error)),
                    (Candidate::Clear(stream), false) => {
                        let came = Came::Unread(stream);
                        return Ok(Arrived { came, from, at: At::SharedPort, unmistakable: true });
                    }
                    _ => {}
                }
            },
        }
    }

    /// One that waits in the queue right now.
    async fn waiting(&mut self, callers: &Callers) -> Option<Result<Arrived, Failure>> {
        tokio::select! {
            biased;
            arrived = self.next(callers) => Some(arrived),
            () = std::future::ready(()) => None,
        }
    }

    /// Whether somebody is connected who has not said yet for whom.
    fn has_silent(&self) -> bool {
        match self {
            Self::OneShot(_) => false,
            Self::Shared(seat) => seat.has_silent(),
        }
    }

    /// Why there is nobody to give the transfer to.
    fn nobody_came(&self, role: DataRole) -> Failure {
        match (self, role) {
            (Self::OneShot(_), _) | (_, DataRole::Own) => self.missed().unwrap_or(Failure::NobodyCame),
            // Whom the client asked for can never come there.
            (Self::Shared(_), DataRole::TlsServer | DataRole::TlsClient) => Failure::NoPortForPartners,
        }
    }

    /// Why a connection that may have been ours did not come to us.
    fn missed(&self) -> Option<Failure> {
        match self {
            Self::OneShot(_) => None,
            Self::Shared(seat) => Some(match seat.missed()? {
                Missed::Tls(refusal) => Failure::NotYours(refusal),
                Missed::Clear => Failure::ClearAmongOthers,
            }),
        }
    }
}
