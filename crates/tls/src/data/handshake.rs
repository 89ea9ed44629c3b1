//! The handshake of a data connection, the same for both sides; when it is complete it becomes a [`Session`].

use std::io;

use rustls::HandshakeKind;
use tokio::net::TcpStream;

use super::{
    buffer::{Inbox, Leftover},
    connection::{Connection, Outgoing, Sinks, Step},
    session::Session,
    socket::Arrived,
    wire::Wire,
};

/// A handshake that has done nothing yet, or a part of its work.
pub(crate) struct Handshake {
    pub(super) connection: Box<Connection>,
    pub(crate) wire: Wire,
    /// Data that came right behind the peer's Finished.
    pub(super) leftover: Leftover,
    /// Whether close_notify came behind that.
    pub(super) is_closed: bool,
    /// What of our own data was sealed before the peer's Finished.
    pub(super) early: Early,
}

/// How much of its data a server has sent with its first flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Early {
    Nothing,
    /// The first of it.
    First,
    /// All of it, and close_notify.
    All,
}

impl Handshake {
    /// With the bytes that came so far.
    pub(crate) fn new(connection: Connection, inbox: Inbox) -> Self {
        let wire = Wire { inbox, ..Wire::default() };
        Handshake {
            connection: Box::new(connection),
            wire,
            leftover: Leftover::default(),
            is_closed: false,
            early: Early::Nothing,
        }
    }

    /// Does its work, except that the last messages may still wait to be sent. `settle` is told the kind of the handshake
    /// after every step, always before the next message of the peer is processed.
    ///
    /// A server that may send already, before the peer's Finished has come, asks `early` what.
    ///
    /// # Errors
    /// `UnexpectedEof` when the peer has gone; after an error of TLS the alert was sent as far as the socket had room.
    pub(crate) async fn run<'d, E: From<rustls::Error> + From<io::Error>>(
        mut self,
        socket: &TcpStream,
        settle: impl Fn(Option<HandshakeKind>),
        early: impl Fn() -> Option<Outgoing<'d>>,
    ) -> Result<Box<Session>, E> {
        loop {
            let mut step = self.step(None);
            settle(self.connection.state().handshake_kind());
            if matches!(step, Ok(Step::Idle))
                && self.may_send_early()
                && let Some(outgoing) = early()
            {
                step = self.send_early(outgoing);
            }
            match step {
                Ok(Step::Queued) => {}
                Ok(Step::Blocked | Step::Idle) if self.connection.state().is_handshaking() => {
                    let has_answer = !self.wire.outbox.is_empty();
                    self.wire.flush_all(socket).await?;
                    match self.wire.fill(socket, has_answer).await? {
                        Arrived::Bytes(_) => {}
                        Arrived::Fin | Arrived::Lost => {
                            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                        }
                    }
                }
                Ok(_) if self.connection.state().is_handshaking() => {
                    return Err(rustls::Error::HandshakeNotComplete.into());
                }
                // The peer may have sent its data and even its close_notify along with its Finished.
                Ok(_) => return Ok(Box::new(Session::new(self))),
                Err(error) => {
                    self.wire.flush_quietly(socket);
                    return Err(error.into());
                }
            }
        }
    }

    fn may_send_early(&self) -> bool {
        self.early == Early::Nothing && self.connection.state().is_handshaking()
    }

    fn send_early(&mut self, outgoing: Outgoing<'_>) -> Result<Step, rustls::Error> {
        self.early = if outgoing.last { Early::All } else { Early::First };
        self.step(Some(outgoing))
    }

    fn step(&mut self, outgoing: Option<Outgoing<'_>>) -> Result<Step, rustls::Error> {
        let Wire { inbox, outbox } = &mut self.wire;
        let sinks = Sinks { into: &mut [], leftover: &mut self.leftover, outbox };
        let step = self.connection.step(inbox, sinks, outgoing);
        self.is_closed |= matches!(step, Ok(Step::PeerClosed | Step::Closed));
        step
    }
}
