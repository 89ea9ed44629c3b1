//! One TLS session over a data connection: records in, plaintext out, and back.

use std::{
    fmt,
    io::{self, IoSlice},
};

use super::{
    Received,
    buffer::Leftover,
    connection::{Connection, Outgoing, Sinks, Step},
    data_socket::DataSocket,
    handshake::{Early, Handshake},
    record_layer::{Opened, RecordLayer},
    socket::{self, Arrived},
    wire::Wire,
    worn_out::WornOut,
};
use crate::info::TlsInfo;

/// Plaintext sealed per step. Four full records in one socket write: fewer cost a system call each, more fall out of the
/// cache between sealing and sending.
const STEP: usize = 64 * 1024;
/// What may wait in front of new data without being sent first: the last messages of a handshake go out together with
/// the first data, in one segment where it is small.
const HELD_BACK: usize = 4 * 1024;
/// Slices that are lent at once: as many full records as the inbox holds, four times over for peers with smaller ones.
const SLICES: usize = 64;

/// Takes all of what it is lent.
pub(super) type Sink<'a> = dyn FnMut(&[IoSlice<'_>]) -> io::Result<()> + 'a;

/// A TLS session with its buffers. The socket is lent to it for each call.
pub(crate) struct Session {
    engine: Engine,
    pub(crate) wire: Wire,
    leftover: Leftover,
    info: TlsInfo,
    incoming: Incoming,
    close_notify: CloseNotify,
    purpose: Purpose,
    /// What was sent during the handshake.
    early: Early,
    /// Something came after which no data came yet.
    awaits_data: bool,
}

/// Who speaks the protocol.
enum Engine {
    Rustls(Box<Connection>),
    Ours(Box<RecordLayer>),
    /// Nobody: our own record layer could not take over, or the keys are worn out, and [`Incoming::Failed`] says why.
    Nobody,
}

/// What the session has been used for since its handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Open,
    /// It was read with copies, or written to.
    Copying,
    /// What it receives is lent. It sends no data.
    Lending,
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

impl Session {
    pub(super) fn new(complete: Handshake) -> Self {
        let Handshake { connection, wire, leftover, is_closed, early } = complete;
        Session {
            info: TlsInfo::of(connection.state()),
            engine: Engine::Rustls(connection),
            wire,
            leftover,
            incoming: if is_closed { Incoming::Closed } else { Incoming::Open },
            close_notify: if early == Early::All { CloseNotify::Queued } else { CloseNotify::NotYet },
            purpose: if early == Early::Nothing { Purpose::Open } else { Purpose::Copying },
            early,
            awaits_data: false,
        }
    }

    pub(crate) fn info(&self) -> TlsInfo {
        self.info
    }

    /// Whether the peer has sent all it has.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.incoming, Incoming::Closed)
    }

    /// What of its data was sent with the first flight.
    pub(super) fn early(&self) -> Early {
        self.early
    }

    pub(crate) fn has_outgoing(&self) -> bool {
        let has_more = matches!(&self.engine, Engine::Rustls(connection) if connection.state().wants_write());
        has_more || !self.wire.outbox.is_empty()
    }

    pub(crate) fn read(&mut self, socket: &DataSocket, buf: &mut [u8]) -> io::Result<Received> {
        if self.purpose == Purpose::Open {
            self.purpose = Purpose::Copying;
        }
        let mut filled = self.leftover.take(buf);
        loop {
            filled += self.open(buf.get_mut(filled..).unwrap_or_default());
            if filled > 0 {
                return Ok(Received::Bytes(filled));
            }
            if let Some(end) = self.receive(socket)? {
                return Ok(end);
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
                Ok(_) | Err(_) => break,
            }
        }
        self.awaits_data &= filled == 0;
        filled
    }

    pub(crate) fn read_to(&mut self, socket: &DataSocket, sink: &mut Sink<'_>) -> io::Result<Received> {
        if self.purpose == Purpose::Open {
            self.purpose = Purpose::Lending;
            self.take_over();
        }
        loop {
            let lent = match self.leftover.waiting().len() {
                0 => self.lend(sink)?,
                waiting => {
                    sink(&[IoSlice::new(self.leftover.waiting())])?;
                    self.leftover.clear();
                    waiting
                }
            };
            if lent > 0 {
                return Ok(Received::Bytes(lent));
            }
            if let Some(end) = self.receive(socket)? {
                return Ok(end);
            }
        }
    }

    /// Lets our own record layer have the connection, unless something of it is still under way in rustls. Of what the peer has sent
    /// since its Finished, rustls has read only what came in the same flight; a KeyUpdate that waits in rustls to be
    /// answered, which would be forgotten here, does not come so early.
    fn take_over(&mut self) {
        self.open_into_leftover();
        let Engine::Rustls(connection) = &self.engine else { return };
        let is_settled = matches!(self.incoming, Incoming::Open)
            && self.close_notify == CloseNotify::NotYet
            && !connection.state().wants_write();
        // Where rustls keeps a part of a message in the inbox, that is not where the next record begins.
        if !is_settled || !RecordLayer::may_begin_at(self.wire.inbox.received()) {
            return;
        }
        if let Engine::Rustls(connection) = std::mem::replace(&mut self.engine, Engine::Nobody) {
            match RecordLayer::take_over(*connection) {
                Ok(layer) => self.engine = Engine::Ours(Box::new(layer)),
                Err(error) => self.incoming = Incoming::Failed(error),
            }
        }
    }

    /// Opens the records that are complete and lends what is in them; says how many bytes that was.
    fn lend(&mut self, sink: &mut Sink<'_>) -> io::Result<usize> {
        let Engine::Ours(layer) = &mut self.engine else {
            self.open_into_leftover();
            return Ok(0);
        };
        let Wire { inbox, outbox } = &mut self.wire;
        let mut slices = [IoSlice::new(&[]); SLICES];
        let (mut count, mut lent) = (0, 0);
        let mut received = inbox.received();
        let all = received.len();
        while matches!(self.incoming, Incoming::Open) {
            let Some(slot) = slices.get_mut(count) else { break };
            match layer.open(&mut received, outbox) {
                Ok(Opened::Data(data)) => {
                    *slot = IoSlice::new(data);
                    count += 1;
                    lent += data.len();
                }
                Ok(Opened::Nothing) => {}
                Ok(Opened::Incomplete) => break,
                Ok(Opened::Closed) => self.incoming = Incoming::Closed,
                Err(error) => self.incoming = Incoming::Failed(error),
            }
        }
        let consumed = all - received.len();
        self.awaits_data &= lent == 0;
        let taken = match lent {
            0 => Ok(()),
            _ => sink(slices.get(..count).unwrap_or_default()),
        };
        inbox.consume(consumed);
        taken.map(|()| lent)
    }

    fn open_into_leftover(&mut self) {
        while matches!(self.incoming, Incoming::Open) {
            match self.step(&mut [], None) {
                Ok(Step::Opened(_) | Step::Queued) => {}
                Ok(_) | Err(_) => break,
            }
        }
    }

    /// Receives once, where there is something to be expected yet; otherwise says how it ended.
    fn receive(&mut self, socket: &DataSocket) -> io::Result<Option<Received>> {
        // Behind the peer's end what still waits goes with ours.
        if !self.is_closed() {
            self.wire.flush_quietly(socket);
        }
        let end = match &self.incoming {
            Incoming::Open => None,
            Incoming::Closed => Some(Received::End),
            Incoming::Cut => Some(Received::Truncated),
            Incoming::Lost => Some(Received::Lost),
            Incoming::Failed(error) => return Err(invalid(error.clone())),
        };
        if end.is_some() {
            self.release();
            return Ok(end);
        }
        // SECURITY: only close_notify ends the data (RFC 8446 §6.1); anybody on the path can send FIN or RST.
        match self.wire.receive(socket) {
            Ok(Arrived::Bytes(_)) => self.awaits_data = true,
            Ok(Arrived::Fin) => self.incoming = Incoming::Cut,
            Ok(Arrived::Lost) => self.incoming = Incoming::Lost,
            Err(error) => {
                // A server without TCP_NODELAY that has sent its tickets holds its data back until we acknowledge them, and
                // we would for 40 ms.
                if std::mem::take(&mut self.awaits_data) {
                    socket::acknowledge(socket);
                }
                return Err(error);
            }
        }
        Ok(None)
    }

    pub(crate) fn write(&mut self, socket: &DataSocket, buf: &[u8], last: bool) -> io::Result<usize> {
        match self.purpose {
            Purpose::Open => self.purpose = Purpose::Copying,
            Purpose::Copying => {}
            Purpose::Lending if buf.is_empty() => {}
            Purpose::Lending => return Err(io::ErrorKind::Unsupported.into()),
        }
        if self.wire.outbox.waiting().len() > HELD_BACK {
            self.wire.flush(socket)?;
        }
        if buf.len() >= STEP && self.may_send_by_itself() {
            self.take_over();
        }
        let plaintext = buf.get(..STEP).unwrap_or(buf);
        let last = last && plaintext.len() == buf.len();
        self.seal(Outgoing { plaintext, last })?;
        let flushed = if last { self.wire.flush_before_fin(socket) } else { self.wire.flush(socket) };
        match flushed {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(plaintext.len()),
        }
    }

    /// Whether our own record layer can seal what rustls seals until now.
    fn may_send_by_itself(&self) -> bool {
        let Engine::Rustls(connection) = &self.engine else { return false };
        connection.state().negotiated_cipher_suite().is_some_and(RecordLayer::can_send)
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
                Step::WornOut => return Err(self.wear_out()),
                // close_notify was said before.
                Step::Closed if outgoing.plaintext.is_empty() => break,
                Step::Closed => return Err(io::ErrorKind::BrokenPipe.into()),
                Step::Blocked => return Err(io::ErrorKind::NotConnected.into()),
            }
        }
        if outgoing.last {
            self.close_notify = CloseNotify::Queued;
        }
        Ok(())
    }

    /// Ends a session that may seal no more.
    ///
    /// SECURITY: nothing may say close_notify from here on, in front of which data is missing: neither we nor rustls, which has
    /// one ready. The peer sees the data cut off, and is told by the control connection why.
    fn wear_out(&mut self) -> io::Error {
        self.engine = Engine::Nobody;
        self.incoming = Incoming::Failed(rustls::Error::General(WornOut.to_string()));
        WornOut.into()
    }

    /// Takes one step over the inbox, and remembers an end or a failure.
    fn step(&mut self, into: &mut [u8], outgoing: Option<Outgoing<'_>>) -> Result<Step, rustls::Error> {
        if let Incoming::Failed(error) = &self.incoming {
            return Err(error.clone());
        }
        let Wire { inbox, outbox } = &mut self.wire;
        let sinks = Sinks { into, leftover: &mut self.leftover, outbox };
        let step = match &mut self.engine {
            Engine::Rustls(connection) => connection.step(inbox, sinks, outgoing),
            Engine::Ours(layer) => layer.step(inbox, sinks, outgoing),
            Engine::Nobody => Err(rustls::Error::HandshakeNotComplete),
        };
        match &step {
            Ok(Step::PeerClosed | Step::Closed) => self.incoming = Incoming::Closed,
            Ok(_) => {}
            Err(error) => self.incoming = Incoming::Failed(error.clone()),
        }
        step
    }

    /// Gives back what the buffers do not need.
    pub(crate) fn release(&mut self) {
        self.wire.release();
        self.leftover.release();
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
