//! How rustls is driven over our buffers, the same for the server's and the client's side.

use std::fmt;

use rustls::{
    CommonState,
    client::UnbufferedClientConnection,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus},
};

use super::buffer::{Inbox, Leftover, Outbox, copy};

/// The largest plaintext of one record (RFC 8446 §5.1).
pub(super) const RECORD: usize = 16 * 1024;
/// Header, explicit nonce, content type and tag of one record, rounded up.
const RECORD_OVERHEAD: usize = 64;
/// Room for a close_notify or a KeyUpdate beside the data.
const ALERT_ROOM: usize = 256;

/// A connection of rustls. The two sides differ in their handshake alone.
pub(crate) enum Connection {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// What is to be sealed once the session may send.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub(crate) plaintext: &'a [u8],
    /// close_notify follows in the same socket write.
    pub(crate) last: bool,
}

/// Where a step puts what it makes.
pub(super) struct Sinks<'a> {
    /// Plaintext.
    pub(super) into: &'a mut [u8],
    /// Plaintext that `into` has no room for.
    pub(super) leftover: &'a mut Leftover,
    /// Records to be sent.
    pub(super) outbox: &'a mut Outbox,
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
    /// As `PeerClosed`, and ours was sent before.
    Closed,
    /// The keys have sealed as much as they may, and none of the data was sealed. rustls holds a close_notify ready, which must
    /// not be sent: to the peer it would mean that the data is whole.
    WornOut,
}

impl Connection {
    /// Version, cipher suite and the like.
    pub(super) fn state(&self) -> &CommonState {
        match self {
            Connection::Server(connection) => connection,
            Connection::Client(connection) => connection,
        }
    }

    /// Lets rustls take one step over the inbox. `outgoing` is sealed when it says that data may be sent. The inbox is
    /// shown to it even for sending: it keeps positions of half-read messages in there. Errors have their alert in the outbox.
    pub(super) fn step(
        &mut self,
        inbox: &mut Inbox,
        mut sinks: Sinks<'_>,
        outgoing: Option<Outgoing<'_>>,
    ) -> Result<Step, rustls::Error> {
        let (discard, step) = match self {
            Connection::Server(connection) => {
                take(connection.process_tls_records(inbox.received()), &mut sinks, outgoing)
            }
            Connection::Client(connection) => {
                take(connection.process_tls_records(inbox.received()), &mut sinks, outgoing)
            }
        };
        inbox.consume(discard);
        step.inspect_err(|_| self.queue_alert(inbox, sinks.outbox))
    }

    /// After an error rustls still offers the messages it had made and an alert, one at a time. It must not be asked for
    /// more than that: it would meet the same error again.
    fn queue_alert(&mut self, inbox: &mut Inbox, outbox: &mut Outbox) {
        while self.state().wants_write() {
            let discard = match self {
                Connection::Server(connection) => {
                    take_message(connection.process_tls_records(inbox.received()), outbox)
                }
                Connection::Client(connection) => {
                    take_message(connection.process_tls_records(inbox.received()), outbox)
                }
            };
            inbox.consume(discard);
        }
    }
}

/// Does what the connection asks for; says how many bytes of the inbox are done with.
fn take<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    sinks: &mut Sinks<'_>,
    outgoing: Option<Outgoing<'_>>,
) -> (usize, Result<Step, rustls::Error>) {
    let UnbufferedStatus { mut discard, state, .. } = status;
    let Sinks { into, leftover, outbox } = sinks;
    let step = match state {
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut opened = 0;
            loop {
                match traffic.next_record() {
                    None => break Ok(Step::Opened(opened)),
                    Some(Err(error)) => break Err(error),
                    Some(Ok(record)) => {
                        discard += record.discard;
                        let n = copy(record.payload, into.get_mut(opened..).unwrap_or_default());
                        leftover.push(record.payload.get(n..).unwrap_or_default());
                        opened += n;
                    }
                }
            }
        }
        Ok(ConnectionState::EncodeTlsData(mut message)) => {
            let queued = queue(outbox, ALERT_ROOM, |room| message.encode(room));
            queued.map(|()| Step::Queued).map_err(|error| without_room(&error))
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
                    queue(outbox, room, |room| traffic.encrypt(plaintext, room)).and_then(|()| match last {
                        true => queue(outbox, ALERT_ROOM, |room| traffic.queue_close_notify(room)),
                        false => Ok(()),
                    })
                }
                None => Ok(()),
            };
            match sealed {
                Ok(()) => Ok(Step::Idle),
                Err(EncryptError::EncryptExhausted) => Ok(Step::WornOut),
                Err(error) => Err(without_room(&error)),
            }
        }
        Ok(ConnectionState::PeerClosed) => Ok(Step::PeerClosed),
        Ok(ConnectionState::Closed) => Ok(Step::Closed),
        Ok(ConnectionState::BlockedHandshake) => Ok(Step::Blocked),
        Ok(_) => Err(rustls::Error::General("early data was not offered".into())),
        Err(error) => Err(error),
    };
    (discard, step)
}

fn take_message<Data>(status: UnbufferedStatus<'_, '_, Data>, outbox: &mut Outbox) -> usize {
    if let Ok(ConnectionState::EncodeTlsData(mut message)) = status.state {
        // Without room there is no alert; the connection ends all the same.
        let _ = queue(outbox, ALERT_ROOM, |room| message.encode(room));
    }
    status.discard
}

/// Lets `fill` put bytes into the outbox, with as much room as it asks for.
fn queue<E: Shortage>(
    outbox: &mut Outbox,
    room: usize,
    mut fill: impl FnMut(&mut [u8]) -> Result<usize, E>,
) -> Result<(), E> {
    let first = fill(outbox.room(room));
    let filled = match first {
        Err(error) => match error.required() {
            Some(required) => fill(outbox.room(required)),
            None => Err(error),
        },
        filled => filled,
    };
    outbox.filled(filled?);
    Ok(())
}

/// What is left of an error once as much room was given as was asked for.
fn without_room(error: &dyn fmt::Display) -> rustls::Error {
    rustls::Error::General(error.to_string())
}

/// An error of rustls that may only mean that more room is needed.
trait Shortage {
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
