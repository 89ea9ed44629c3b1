//! Opening the data connection: strangers are dropped, candidates are tried side by side, and the
//! one that can show whose it is carries the transfer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use carrack_core::event::Incomplete;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_net::canonical;
use carrack_tls::{
    Circumstances, ControlTls, DataReuse, DataStream, Direction, HandshakeError, Proof, Refusal, judge,
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{DataPort, PassivePort};

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
            Self::NotYours(refusal @ Refusal::Contested) => {
                (Code::CANNOT_OPEN_DATA_CONNECTION, refusal.to_string())
            }
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
    let (stream, proof) = shake_hands(control, stream, request.direction, request.patience).await?;
    // We chose whom to call: there is no competitor.
    judge(reuse, proof, Circumstances { alone: true, one_shot_port: true }).map_err(Failure::NotYours)?;
    Ok(stream)
}

async fn shake_hands(
    tls: Arc<ControlTls>,
    stream: TcpStream,
    direction: Direction,
    patience: Duration,
) -> Result<(DataStream, Proof), Failure> {
    match timeout(patience, tls.accept_data(stream, direction)).await {
        Ok(Ok(shaken)) => Ok(shaken),
        Ok(Err(error)) => Err(Failure::Handshake(error)),
        Err(_) => Err(Failure::HandshakeTime),
    }
}

/// Those who came to a passive port from the client's address.
struct Candidates<'a> {
    control: &'a Arc<ControlTls>,
    request: &'a DataRequest,
    handshakes: JoinSet<Result<(DataStream, Proof), Failure>>,
    came: usize,
}

impl Candidates<'_> {
    fn try_one(&mut self, stream: TcpStream) {
        self.came += 1;
        let (direction, patience) = (self.request.direction, self.request.patience);
        self.handshakes.spawn(shake_hands(Arc::clone(self.control), stream, direction, patience));
    }

    fn has_room(&self) -> bool {
        self.handshakes.len() < CANDIDATES && self.came < TRIED
    }
}

async fn accept(port: PassivePort, request: &DataRequest) -> Result<DataStream, Failure> {
    let PassivePort { listener, early } = port;
    let listener = &listener;
    let mut gives_up = Instant::now() + request.patience;
    let (control, reuse) = match &request.protect {
        Protect::Tls { control, reuse } => (control, *reuse),
        Protect::Clear => {
            if let Some(first) = early.into_iter().next() {
                return DataStream::clear(first).map_err(Failure::Unreachable);
            }
            return tokio::select! {
                stream = next_of(listener, request.peer) => DataStream::clear(stream).map_err(Failure::Unreachable),
                () = sleep_until(gives_up) => Err(Failure::NobodyCame),
            };
        }
    };
    let mut candidates = Candidates { control, request, handshakes: JoinSet::new(), came: 0 };
    early.into_iter().for_each(|stream| candidates.try_one(stream));
    let mut failure = Failure::NobodyCame;
    loop {
        tokio::select! {
            stream = next_of(listener, request.peer), if candidates.has_room() => candidates.try_one(stream),
            Some(shaken) = candidates.handshakes.join_next() => {
                failure = match shaken {
                    Ok(Ok((stream, proof))) => {
                        // Whoever waits in the queue competes as well, and gets his try.
                        while candidates.has_room()
                            && let Some(stream) = waiting(listener, request.peer).await
                        {
                            candidates.try_one(stream);
                        }
                        let circumstances = Circumstances { alone: candidates.came == 1, one_shot_port: true };
                        match judge(reuse, proof, circumstances) {
                            Ok(()) => return Ok(stream),
                            Err(refusal) => {
                                stream.reset();
                                Failure::NotYours(refusal)
                            }
                        }
                    }
                    Ok(Err(failure)) => failure,
                    Err(_) => Failure::NobodyCame,
                };
                gives_up = gives_up.min(Instant::now() + GRACE);
            }
            // Handshakes that have begun are waited for: each has a time of its own.
            () = sleep_until(gives_up), if candidates.handshakes.is_empty() => return Err(failure),
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

/// A connection from the client's address that waits in the queue right now.
async fn waiting(listener: &TcpListener, peer: IpAddr) -> Option<TcpStream> {
    tokio::select! {
        biased;
        stream = next_of(listener, peer) => Some(stream),
        () = std::future::ready(()) => None,
    }
}
