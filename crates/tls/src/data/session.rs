//! One TLS session over a data connection: records in, plaintext out, and back.

use std::{fmt, io};

use rustls::{
    HandshakeKind,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus},
};
use tokio::net::TcpStream;

use super::{
    Received,
    buffer::{Inbox, Leftover, Outbox, copy},
    socket::{self, Arrived},
};
use crate::server::TlsInfo;

/// Plaintext sealed per step. Four full records in one socket write: fewer cost a system call each, more fall out of the
/// cache between sealing and sending.
const STEP: usize = 64 * 1024;
/// The largest plaintext of one record (RFC 8446 §5.1).
const RECORD: usize = 16 * 1024;
/// Header, explicit nonce, content type and tag of one record, rounded up.
const RECORD_OVERHEAD: usize = 64;
/// What may wait in front of new data without being sent first: the last messages of a handshake go out together with
/// the first data, in one segment where it is small.
const HELD_BACK: usize = 4 * 1024;
/// Room for a close_notify or a KeyUpdate beside the data.
const ALERT_ROOM: usize = 256;

/// A TLS session with its buffers. The socket is lent to it for each call.
pub(crate) struct Session {
    connection: UnbufferedServerConnection,
    inbox: Inbox,
    outbox: Outbox,
    leftover: Leftover,
    incoming: Incoming,
    close_notify: CloseNotify,
}

/// How far the peer's direction has come.
#[derive(Debug, Clone)]
enum Incoming {
    Open,
    /// close_notify was read: all that was sent has arrived.
    Closed,
    /// FIN without close_notify.
    Cut,
    /// RST, or the network gave up.
    Lost,
    /// A record or message that TLS does not allow.
    Failed(rustls::Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CloseNotify {
    NotYet,
    /// In the outbox or on its way.
    Queued,
}

/// What is to be sealed once the session may send.
#[derive(Debug, Clone, Copy)]
struct Outgoing<'a> {
    plaintext: &'a [u8],
    /// close_notify follows in the same socket write.
    last: bool,
}

/// What one step of the session brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A record was opened; so many bytes of it went into the reader's buffer, the rest is left over.
    Opened(usize),
    /// Something of the session's own waits to be sent.
    Queued,
    /// All records that were complete are opened; application data may be sent, and was sealed if there was any.
    Idle,
    /// The handshake needs more bytes.
    Blocked,
    /// The peer's close_notify was read.
    PeerClosed,
}

impl Session {
    /// A session that has done nothing yet, with the bytes that came so far.
    pub(crate) fn new(connection: UnbufferedServerConnection, inbox: Inbox) -> Self {
        Session {
            connection,
            inbox,
            outbox: Outbox::default(),
            leftover: Leftover::default(),
            incoming: Incoming::Open,
            close_notify: CloseNotify::NotYet,
        }
    }

    pub(crate) fn handshake_kind(&self) -> Option<HandshakeKind> {
        self.connection.handshake_kind()
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    pub(crate) fn has_outgoing(&self) -> bool {
        !self.outbox.is_empty() || self.connection.wants_write()
    }

    pub(crate) fn info(&self) -> TlsInfo {
        TlsInfo::of(&self.connection)
    }

    /// Takes one step of the handshake. Errors have their alert in the outbox.
    pub(crate) fn handshake_step(&mut self) -> Result<Step, rustls::Error> {
        self.step(&mut [], None)
    }

    /// Receives once into the inbox.
    pub(crate) fn receive(&mut self, socket: &TcpStream) -> io::Result<Arrived> {
        let arrived = socket::receive(socket, self.inbox.room())?;
        if let Arrived::Bytes(n) = arrived {
            self.inbox.filled(n);
        }
        Ok(arrived)
    }

    /// Sends what waits; `WouldBlock` while something is left.
    pub(crate) fn flush(&mut self, socket: &TcpStream) -> io::Result<()> {
        while !self.outbox.is_empty() {
            let n = socket::send(socket, self.outbox.waiting())?;
            self.outbox.sent(n);
        }
        Ok(())
    }

    /// Sends the session's own messages (tickets, KeyUpdate) as far as that goes now. A peer that is gone does not
    /// matter here: what it sent before is still to be read.
    pub(crate) fn flush_quietly(&mut self, socket: &TcpStream) {
        match self.flush(socket) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.outbox.clear(),
        }
    }

    pub(crate) fn read(&mut self, socket: &TcpStream, buf: &mut [u8]) -> io::Result<Received> {
        let mut filled = self.leftover.take(buf);
        loop {
            filled += self.open(buf.get_mut(filled..).unwrap_or_default());
            if filled > 0 {
                return Ok(Received::Bytes(filled));
            }
            self.flush_quietly(socket);
            match &self.incoming {
                Incoming::Open => {}
                Incoming::Closed => {
                    self.release();
                    return Ok(Received::End);
                }
                Incoming::Cut => {
                    self.release();
                    return Ok(Received::Truncated);
                }
                Incoming::Lost => {
                    self.release();
                    return Ok(Received::Lost);
                }
                Incoming::Failed(error) => return Err(invalid(error.clone())),
            }
            // SECURITY: only close_notify ends the data (RFC 8446 §6.1); anybody on the path can send FIN or RST.
            match self.receive(socket)? {
                Arrived::Bytes(_) => {}
                Arrived::Fin => self.incoming = Incoming::Cut,
                Arrived::Lost => self.incoming = Incoming::Lost,
            }
        }
    }

    /// Opens the records that are complete until `buf` is full; says how many bytes went into it.
    fn open(&mut self, buf: &mut [u8]) -> usize {
        let mut filled = 0;
        while filled < buf.len() && matches!(self.incoming, Incoming::Open) {
            match self.step(buf.get_mut(filled..).unwrap_or_default(), None) {
                Ok(Step::Opened(n)) => filled += n,
                Ok(Step::Queued) => {}
                Ok(Step::PeerClosed | Step::Idle | Step::Blocked) | Err(_) => break,
            }
        }
        filled
    }

    pub(crate) fn write(&mut self, socket: &TcpStream, buf: &[u8], last: bool) -> io::Result<usize> {
        if self.outbox.waiting().len() > HELD_BACK {
            self.flush(socket)?;
        }
        let plaintext = buf.get(..STEP).unwrap_or(buf);
        self.seal(Outgoing { plaintext, last: last && plaintext.len() == buf.len() })?;
        match self.flush(socket) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(plaintext.len()),
        }
    }

    /// Queues close_notify, once.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        if self.close_notify == CloseNotify::NotYet {
            self.seal(Outgoing { plaintext: &[], last: true })?;
        }
        Ok(())
    }

    fn seal(&mut self, outgoing: Outgoing<'_>) -> io::Result<()> {
        if self.close_notify == CloseNotify::Queued {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "data after close_notify"));
        }
        loop {
            match self.step(&mut [], Some(outgoing)).map_err(invalid)? {
                Step::Opened(_) | Step::Queued | Step::PeerClosed => {}
                Step::Idle => break,
                Step::Blocked => return Err(io::ErrorKind::NotConnected.into()),
            }
        }
        if outgoing.last {
            self.close_notify = CloseNotify::Queued;
        }
        Ok(())
    }

    /// Lets rustls take one step over the inbox. What it opens goes into `into`, `outgoing` is sealed when it says that
    /// data may be sent. The inbox is shown to it even for sending: it keeps positions of half-read messages in there.
    fn step(&mut self, into: &mut [u8], outgoing: Option<Outgoing<'_>>) -> Result<Step, rustls::Error> {
        if let Incoming::Failed(error) = &self.incoming {
            return Err(error.clone());
        }
        let UnbufferedStatus { mut discard, state, .. } =
            self.connection.process_tls_records(self.inbox.received());
        let step = match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                let mut opened = 0;
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    discard += record.discard;
                    let n = copy(record.payload, into.get_mut(opened..).unwrap_or_default());
                    self.leftover.push(record.payload.get(n..).unwrap_or_default());
                    opened += n;
                }
                Ok(Step::Opened(opened))
            }
            Ok(ConnectionState::EncodeTlsData(mut message)) => {
                queue(&mut self.outbox, ALERT_ROOM, |room| message.encode(room)).map(|()| Step::Queued)
            }
            Ok(ConnectionState::TransmitTlsData(queued)) => {
                queued.done();
                Ok(Step::Queued)
            }
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                let sealed = match outgoing {
                    Some(Outgoing { plaintext, last }) => {
                        let overhead = (plaintext.len() / RECORD + 1) * RECORD_OVERHEAD;
                        let room = plaintext.len() + overhead + ALERT_ROOM;
                        queue(&mut self.outbox, room, |room| traffic.encrypt(plaintext, room)).and_then(
                            |()| match last {
                                true => queue(&mut self.outbox, ALERT_ROOM, |room| {
                                    traffic.queue_close_notify(room)
                                }),
                                false => Ok(()),
                            },
                        )
                    }
                    None => Ok(()),
                };
                sealed.map(|()| Step::Idle)
            }
            Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => {
                self.incoming = Incoming::Closed;
                Ok(match outgoing {
                    // Both sides have said their last.
                    Some(_) if self.close_notify == CloseNotify::Queued => Step::Idle,
                    _ => Step::PeerClosed,
                })
            }
            Ok(ConnectionState::BlockedHandshake) => Ok(Step::Blocked),
            Ok(_) => Err(rustls::Error::General("early data was not offered".into())),
            Err(error) => Err(error),
        };
        self.inbox.consume(discard);
        step.inspect_err(|error| {
            self.queue_alert();
            self.incoming = Incoming::Failed(error.clone());
        })
    }

    /// After an error rustls still offers the messages it had made and an alert, one at a time. It must not be asked for
    /// more than that: it would meet the same error again.
    fn queue_alert(&mut self) {
        while self.connection.wants_write() {
            let UnbufferedStatus { discard, state, .. } =
                self.connection.process_tls_records(self.inbox.received());
            if let Ok(ConnectionState::EncodeTlsData(mut message)) = state {
                // Without room there is no alert; the connection ends all the same.
                let _ = queue(&mut self.outbox, ALERT_ROOM, |room| message.encode(room));
            }
            self.inbox.consume(discard);
        }
    }

    /// Gives back what the buffers do not need.
    pub(crate) fn release(&mut self) {
        self.inbox.release();
        self.outbox.release();
        self.leftover.release();
    }
}

/// Lets `fill` put bytes into the outbox, with as much room as it asks for.
fn queue<E: Shortage>(
    outbox: &mut Outbox,
    room: usize,
    mut fill: impl FnMut(&mut [u8]) -> Result<usize, E>,
) -> Result<(), rustls::Error> {
    let first = fill(outbox.room(room));
    let filled = match first {
        Err(error) => match error.required() {
            Some(required) => fill(outbox.room(required)),
            None => Err(error),
        },
        filled => filled,
    };
    match filled {
        Ok(n) => {
            outbox.filled(n);
            Ok(())
        }
        Err(error) => Err(rustls::Error::General(error.to_string())),
    }
}

/// An error of rustls that may only mean that more room is needed.
trait Shortage: fmt::Display {
    fn required(&self) -> Option<usize>;
}

impl Shortage for EncodeError {
    fn required(&self) -> Option<usize> {
        match self {
            EncodeError::InsufficientSize(InsufficientSizeError { required_size }) => Some(*required_size),
            EncodeError::AlreadyEncoded => None,
        }
    }
}

impl Shortage for EncryptError {
    fn required(&self) -> Option<usize> {
        match self {
            EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => Some(*required_size),
            EncryptError::EncryptExhausted => None,
        }
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("incoming", &self.incoming)
            .field("close_notify", &self.close_notify)
            .finish_non_exhaustive()
    }
}
