//! Opening the data connection: strangers are dropped, candidates are tried side by side, and the
//! one that can show whose it is carries the transfer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use carrack_ftp_proto::reply::{Code, Reply};
use carrack_net::canonical;
use carrack_tls::{
    Circumstances, ControlTls, DataReuse, DataStream, Direction, HandshakeError, Proof, Refusal, judge,
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::DataPort;

/// Handshakes that may run at once on one passive port. An owner behind a NAT may meet neighbours
/// there; more than these are somebody's flood and wait in the kernel's queue.
const CANDIDATES: usize = 4;

/// Connections that are looked at on one passive port before it is given up.
const ARRIVALS: usize = 64;

/// How long the owner may still come after a candidate was refused: who connects to somebody
/// else's port must not end the owner's transfer, and who cannot resume should not wait long for
/// the sentence that says so.
const GRACE: Duration = Duration::from_secs(2);

/// What the data connection has to be.
pub(crate) struct DataRequest {
    /// Where the client is: nobody else may open a data connection.
    pub(crate) peer: IpAddr,
    /// Our address on the control connection; active connections leave from it.
    pub(crate) local: IpAddr,
    /// The TLS of the control connection, where the data connection is to be private.
    pub(crate) tls: Option<Arc<ControlTls>>,
    /// Which way the bytes go.
    pub(crate) direction: Direction,
    /// Which TLS session the data connection must resume.
    pub(crate) reuse: DataReuse,
    /// How long it may take to come, and again to shake hands.
    pub(crate) patience: Duration,
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
        match self {
            Self::NobodyCame => {
                Reply::new(Code::CANNOT_OPEN_DATA_CONNECTION, "No data connection came in time.")
            }
            Self::Unreachable(error) => {
                let text = format!("Your data port cannot be reached ({}); try passive mode.", error.kind());
                Reply::new(Code::CANNOT_OPEN_DATA_CONNECTION, text)
            }
            Self::Handshake(error) => Reply::new(
                Code::NOT_SUPPORTED_ON_DATA_CONNECTION,
                format!("The data connection's TLS handshake failed: {error}."),
            ),
            Self::HandshakeTime => Reply::new(
                Code::CANNOT_OPEN_DATA_CONNECTION,
                "The data connection's TLS handshake took too long.",
            ),
            Self::NotYours(refusal @ Refusal::Contested) => {
                Reply::new(Code::CANNOT_OPEN_DATA_CONNECTION, refusal.to_string())
            }
            Self::NotYours(refusal) => {
                Reply::new(Code::NOT_SUPPORTED_ON_DATA_CONNECTION, refusal.to_string())
            }
        }
    }
}

/// Opens the data connection.
pub(crate) async fn open(port: DataPort, request: &DataRequest) -> Result<DataStream, Failure> {
    match port {
        DataPort::Passive(listener) => accept(&listener, request).await,
        DataPort::Active(target) => connect(target, request).await,
    }
}

async fn connect(target: SocketAddr, request: &DataRequest) -> Result<DataStream, Failure> {
    let connected = timeout(request.patience, async {
        let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // From the address the client knows us by: its firewall expects no other (RFC 959 §3.2
        // would have port L-1 as well, which takes root and is not needed by anybody).
        socket.bind(SocketAddr::new(request.local, 0))?;
        let stream = socket.connect(target).await?;
        stream.set_nodelay(true)?;
        io::Result::Ok(stream)
    });
    let stream = match connected.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(Failure::Unreachable(error)),
        Err(_) => return Err(Failure::Unreachable(io::ErrorKind::TimedOut.into())),
    };
    let Some(tls) = &request.tls else { return Ok(DataStream::clear(stream)) };
    let (stream, proof) = shake_hands(Arc::clone(tls), stream, request.direction, request.patience).await?;
    // We chose whom to call: there is no competitor.
    judge(request.reuse, proof, Circumstances { alone: true, one_shot_port: true })
        .map_err(Failure::NotYours)?;
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

async fn accept(listener: &TcpListener, request: &DataRequest) -> Result<DataStream, Failure> {
    let mut gives_up = Instant::now() + request.patience;
    let mut candidates = JoinSet::new();
    let mut arrivals = 0;
    let mut competitors = 0;
    let mut failure = Failure::NobodyCame;
    loop {
        tokio::select! {
            arrived = listener.accept(), if candidates.len() < CANDIDATES && arrivals < ARRIVALS => {
                arrivals += 1;
                let Some(stream) = admit(arrived, request.peer) else { continue };
                let Some(tls) = &request.tls else { return Ok(DataStream::clear(stream)) };
                competitors += 1;
                candidates.spawn(shake_hands(Arc::clone(tls), stream, request.direction, request.patience));
            }
            Some(shaken) = candidates.join_next() => {
                failure = match shaken {
                    Ok(Ok((stream, proof))) => {
                        let alone = competitors == 1 && !somebody_waits(listener, request.peer).await;
                        let circumstances = Circumstances { alone, one_shot_port: true };
                        match judge(request.reuse, proof, circumstances) {
                            Ok(()) => return Ok(stream),
                            Err(refusal) => {
                                stream.reset();
                                Failure::NotYours(refusal)
                            }
                        }
                    }
                    Ok(Err(error)) => error,
                    Err(_) => Failure::NobodyCame,
                };
                gives_up = gives_up.min(Instant::now() + GRACE);
            }
            // Handshakes that have begun are waited for: each has a time of its own.
            () = tokio::time::sleep_until(gives_up), if candidates.is_empty() => return Err(failure),
        }
    }
}

/// Takes a connection if it comes from the client's address.
// SECURITY: whoever else connects to the port is dropped, and the port goes on waiting for its
// owner: a stranger can neither take the data nor end the transfer (RFC 2577 §6).
fn admit(arrived: io::Result<(TcpStream, SocketAddr)>, peer: IpAddr) -> Option<TcpStream> {
    let (stream, from) = arrived.ok()?;
    (canonical(from).ip() == peer && stream.set_nodelay(true).is_ok()).then_some(stream)
}

/// Whether another connection from the client's address waits in the queue right now.
async fn somebody_waits(listener: &TcpListener, peer: IpAddr) -> bool {
    for _ in 0..ARRIVALS {
        let arrived = tokio::select! {
            biased;
            arrived = listener.accept() => arrived,
            () = std::future::ready(()) => return false,
        };
        if admit(arrived, peer).is_some() {
            return true;
        }
    }
    true
}
