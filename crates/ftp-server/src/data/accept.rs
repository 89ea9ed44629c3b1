//! Opening the data connection: strangers are dropped, candidates are tried side by side, and the
//! one that can show whose it is carries the transfer.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use carrack_core::event::Incomplete;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_net::canonical;
use carrack_tls::{
    Caller, Circumstances, ControlTls, DataReuse, DataStream, Direction, HandshakeError, Proof, Refusal,
    judge,
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::DataPort;
use super::port::PassivePort;
use super::shared::{Candidate, Missed};

/// Handshakes that may run at once on one passive port. An owner behind a NAT may meet neighbours
/// there; more than these are somebody's flood and wait in the kernel's queue.
const CANDIDATES: usize = 4;

/// Connections from the client's address that are tried on one passive port before it is given up.
const TRIED: usize = 64;

/// How long the owner may still come after a candidate was refused: who connects to somebody
/// else's port must not end the owner's transfer, and who cannot resume should not wait long for
/// the sentence that says so.
const GRACE: Duration = Duration::from_secs(2);

/// The pause after the system could not hand a connection over (no descriptors): no spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the data connection has to be.
pub(crate) struct DataRequest {
    /// Where the client is: nobody else may open a data connection.
    pub(crate) peer: IpAddr,
    /// Our address on the control connection; active connections leave from it.
    pub(crate) local: SocketAddr,
    /// How its bytes are protected.
    pub(crate) protect: Protect,
    /// Which way the bytes go.
    pub(crate) direction: Direction,
    /// How long it may take to come, and again to shake hands.
    pub(crate) patience: Duration,
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
        /// Which TLS session the data connection must resume.
        reuse: DataReuse,
    },
}

/// Why there is no data connection.
pub(crate) enum Failure {
    /// Nobody came in time.
    NobodyCame,
    /// The client's port could not be reached.
    Unreachable(io::Error),
    /// TLS was not agreed.
    Handshake(HandshakeError),
    /// The handshake took too long.
    HandshakeTime,
    /// It does not belong to this control connection; the refusal says how to mend the client.
    NotYours(Refusal),
    /// Clear data at a shared port where several sessions of the address wait.
    ClearAmongOthers,
    /// `PROT` came between the announcement of the shared port and its use.
    ProtectionChanged,
}

impl Failure {
    /// The reply (RFC 959 §5.4: 425; RFC 4217 §10 for what fails under TLS: 522).
    pub(crate) fn reply(&self) -> Reply {
        let (code, text) = match self {
            Self::NobodyCame => {
                (Code::CANNOT_OPEN_DATA_CONNECTION, "No data connection came in time.".to_owned())
            }
            Self::Unreachable(error) => (
                Code::CANNOT_OPEN_DATA_CONNECTION,
                format!("Your data port cannot be reached ({}); try passive mode.", error.kind()),
            ),
            Self::Handshake(error) => (
                Code::NOT_SUPPORTED_ON_DATA_CONNECTION,
                format!("The data connection's TLS handshake failed: {error}."),
            ),
            Self::HandshakeTime => (
                Code::CANNOT_OPEN_DATA_CONNECTION,
                "The data connection's TLS handshake took too long.".to_owned(),
            ),
            // Trying again may help.
            Self::NotYours(refusal @ (Refusal::Contested | Refusal::SharedCache)) => {
                (Code::CANNOT_OPEN_DATA_CONNECTION, refusal.to_string())
            }
            Self::ClearAmongOthers => (
                Code::CANNOT_OPEN_DATA_CONNECTION,
                "Clear data does not say whose it is, and several sessions of your address wait here; send PROT P."
                    .to_owned(),
            ),
            Self::ProtectionChanged => (
                Code::CANNOT_OPEN_DATA_CONNECTION,
                "PROT was changed after the data port was announced; send EPSV or PASV again.".to_owned(),
            ),
            Self::NotYours(refusal) => (Code::NOT_SUPPORTED_ON_DATA_CONNECTION, refusal.to_string()),
        };
        Reply::new(code, text)
    }

    /// The same for the log.
    pub(crate) fn incomplete(&self) -> Incomplete {
        Incomplete::Refused(match self {
            Self::NobodyCame => "nobody came in time",
            Self::Unreachable(_) => "the client's port cannot be reached",
            Self::Handshake(_) => "the TLS handshake failed",
            Self::HandshakeTime => "the TLS handshake took too long",
            Self::NotYours(_) => "it did not resume this login's TLS session",
            Self::ClearAmongOthers => "clear data, and several sessions of the address at the shared port",
            Self::ProtectionChanged => "PROT was changed behind the announcement of the port",
        })
    }
}

/// Opens the data connection.
pub(crate) async fn open(port: DataPort, request: &DataRequest) -> Result<DataStream, Failure> {
    match port {
        DataPort::Passive(port) => accept(port, request).await,
        DataPort::Active(target) => connect(target, request).await,
    }
}

async fn connect(target: SocketAddr, request: &DataRequest) -> Result<DataStream, Failure> {
    let connected = timeout(request.patience, async {
        let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // From the address the client knows us by: its firewall expects no other (RFC 959 §3.2
        // would have port L-1 as well, which takes root and is not needed by anybody).
        let mut from = request.local;
        from.set_port(0);
        socket.bind(from)?;
        let stream = socket.connect(target).await?;
        stream.set_nodelay(true)?;
        io::Result::Ok(stream)
    });
    let stream = match connected.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(Failure::Unreachable(error)),
        Err(_) => return Err(Failure::Unreachable(io::ErrorKind::TimedOut.into())),
    };
    let Protect::Tls { control, reuse } = request.protect.clone() else {
        return DataStream::clear(stream).map_err(Failure::Unreachable);
    };
    let handshake = timeout(request.patience, control.accept_data(stream, request.direction));
    let (stream, proof) = match handshake.await {
        Ok(Ok(shaken)) => shaken,
        Ok(Err(error)) => return Err(Failure::Handshake(error)),
        Err(_) => return Err(Failure::HandshakeTime),
    };
    // We chose whom to call: there is no competitor.
    judge(reuse, proof, Circumstances { alone: true, unmistakable: true }).map_err(Failure::NotYours)?;
    Ok(stream)
}

/// A TLS connection that came to a passive port from the client's address, and whether no other transfer can be meant.
enum Came {
    Unread(TcpStream),
    Met { caller: Box<Caller>, unmistakable: bool },
}

/// What a handshake came to.
struct Shaken {
    stream: DataStream,
    proof: Proof,
    unmistakable: bool,
}

async fn shake_hands(
    tls: Arc<ControlTls>,
    came: Came,
    direction: Direction,
    patience: Duration,
) -> Result<Shaken, Failure> {
    let handshake = async {
        match came {
            // The port was this transfer's alone.
            Came::Unread(stream) => (tls.accept_data(stream, direction).await, true),
            Came::Met { caller, unmistakable } => (tls.accept_caller(*caller, direction).await, unmistakable),
        }
    };
    match timeout(patience, handshake).await {
        Ok((Ok((stream, proof)), unmistakable)) => Ok(Shaken { stream, proof, unmistakable }),
        Ok((Err(error), _)) => Err(Failure::Handshake(error)),
        Err(_) => Err(Failure::HandshakeTime),
    }
}

/// Those who came to a passive port from the client's address.
struct Candidates<'a> {
    control: &'a Arc<ControlTls>,
    request: &'a DataRequest,
    handshakes: JoinSet<Result<Shaken, Failure>>,
    /// Those of [`Came::Met`], oldest first.
    met: VecDeque<AbortHandle>,
    came: usize,
}

impl Candidates<'_> {
    fn try_one(&mut self, came: Came) {
        self.came += 1;
        let is_met = matches!(came, Came::Met { .. });
        let (direction, patience) = (self.request.direction, self.request.patience);
        let shaking = self.handshakes.spawn(shake_hands(Arc::clone(self.control), came, direction, patience));
        if is_met {
            self.met.push_back(shaking);
            self.met.retain(|handshake| !handshake.is_finished());
            // SECURITY: whoever has sent a ClientHello is one answer from the end of the handshake, unless it was
            // somebody else's that is sent again. Those go, so that they keep nobody out.
            if self.met.len() > CANDIDATES
                && let Some(oldest) = self.met.pop_front()
            {
                oldest.abort();
            }
        }
    }

    fn has_room(&self, port: &PassivePort) -> bool {
        let all_met = matches!(port, PassivePort::Shared(_));
        self.came < TRIED && (all_met || self.handshakes.len() < CANDIDATES)
    }
}

async fn accept(mut port: PassivePort, request: &DataRequest) -> Result<DataStream, Failure> {
    if let PassivePort::Shared(seat) = &port
        && seat.is_for_tls() != matches!(request.protect, Protect::Tls { .. })
    {
        return Err(Failure::ProtectionChanged);
    }
    let (control, reuse) = match &request.protect {
        Protect::Tls { control, reuse } => (control, *reuse),
        Protect::Clear => return accept_clear(port, request).await,
    };
    let mut gives_up = Instant::now() + request.patience;
    let mut candidates =
        Candidates { control, request, handshakes: JoinSet::new(), met: VecDeque::new(), came: 0 };
    let mut failure = Failure::NobodyCame;
    loop {
        tokio::select! {
            came = port.next_tls(request.peer), if candidates.has_room(&port) => match came {
                Ok(came) => candidates.try_one(came),
                Err(why) => {
                    failure = why;
                    gives_up = gives_up.min(Instant::now() + GRACE);
                }
            },
            Some(shaken) = candidates.handshakes.join_next() => {
                failure = match shaken {
                    Ok(Ok(Shaken { stream, proof, unmistakable })) => {
                        // Whoever waits in the queue competes as well, and gets his try.
                        while candidates.has_room(&port)
                            && let Some(Ok(came)) = port.waiting_tls(request.peer).await
                        {
                            candidates.try_one(came);
                        }
                        let alone = candidates.came == 1 && port.missed().is_none();
                        match judge(reuse, proof, Circumstances { alone, unmistakable }) {
                            Ok(()) => return Ok(stream),
                            Err(refusal) => {
                                stream.reset();
                                Failure::NotYours(refusal)
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
                return Err(port.missed().filter(|_| matches!(failure, Failure::NobodyCame)).unwrap_or(failure));
            }
        }
    }
}

/// Clear data goes to the first who comes from the client's address.
async fn accept_clear(mut port: PassivePort, request: &DataRequest) -> Result<DataStream, Failure> {
    tokio::select! {
        stream = port.next_clear(request.peer) => DataStream::clear(stream).map_err(Failure::Unreachable),
        () = sleep(request.patience) => Err(port.missed().unwrap_or(Failure::NobodyCame)),
    }
}

impl PassivePort {
    /// The next connection that is to shake hands, or why one is none. Cancellation safe.
    async fn next_tls(&mut self, peer: IpAddr) -> Result<Came, Failure> {
        match self {
            Self::OneShot { listener, early } => Ok(Came::Unread(match early.pop_front() {
                Some(stream) => stream,
                None => next_of(listener, peer).await,
            })),
            Self::Shared(seat) => loop {
                match seat.next().await {
                    Candidate::Tls { caller, alone } => return Ok(Came::Met { caller, unmistakable: alone }),
                    Candidate::Broken(error) => return Err(Failure::Handshake(error)),
                    Candidate::Clear(_) => {}
                }
            },
        }
    }

    /// One that waits in the queue right now.
    async fn waiting_tls(&mut self, peer: IpAddr) -> Option<Result<Came, Failure>> {
        tokio::select! {
            biased;
            came = self.next_tls(peer) => Some(came),
            () = std::future::ready(()) => None,
        }
    }

    /// The next connection for clear data. Cancellation safe.
    async fn next_clear(&mut self, peer: IpAddr) -> TcpStream {
        match self {
            Self::OneShot { listener, early } => match early.pop_front() {
                Some(stream) => stream,
                None => next_of(listener, peer).await,
            },
            Self::Shared(seat) => loop {
                if let Candidate::Clear(stream) = seat.next().await {
                    return stream;
                }
            },
        }
    }

    /// Why a connection that may have been ours did not come to us.
    fn missed(&self) -> Option<Failure> {
        match self {
            Self::OneShot { .. } => None,
            Self::Shared(seat) => Some(match seat.missed()? {
                Missed::Tls(refusal) => Failure::NotYours(refusal),
                Missed::Clear => Failure::ClearAmongOthers,
            }),
        }
    }
}

/// The next connection from the client's address.
// SECURITY: whoever else connects to the port is dropped, and the port goes on waiting for its
// owner: a stranger can neither take the data nor end the transfer (RFC 2577 §6).
pub(super) async fn next_of(listener: &TcpListener, peer: IpAddr) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, from)) if canonical(from).ip() == peer && stream.set_nodelay(true).is_ok() => {
                return stream;
            }
            Ok(_) => {}
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}
