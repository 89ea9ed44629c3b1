//! The handshake of a data connection, the same for both sides; when it is complete it becomes a [`Session`].

use std::io;

use rustls::HandshakeKind;
use tokio::net::TcpStream;

use super::{
    buffer::{Inbox, Leftover},
    connection::{Connection, Sinks, Step},
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
}

impl Handshake {
    /// With the bytes that came so far.
    pub(crate) fn new(connection: Connection, inbox: Inbox) -> Self {
        let wire = Wire { inbox, ..Wire::default() };
        Handshake { connection: Box::new(connection), wire, leftover: Leftover::default(), is_closed: false }
    }

    /// Does its work, except that the last messages may still wait to be sent. `settle` is told the kind of the handshake
    /// after every step, always before the next message of the peer is processed.
    ///
    /// # Errors
    /// `UnexpectedEof` when the peer has gone; after an error of TLS the alert was sent as far as the socket had room.
    pub(crate) async fn run<E: From<rustls::Error> + From<io::Error>>(
        mut self,
        socket: &TcpStream,
        settle: impl Fn(Option<HandshakeKind>),
    ) -> Result<Box<Session>, E> {
        loop {
            let step = self.step();
            settle(self.connection.state().handshake_kind());
            match step {
                Ok(Step::Queued) => {}
                Ok(Step::Blocked) => {
                    self.wire.flush_all(socket).await?;
                    match self.wire.fill(socket).await? {
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

    fn step(&mut self) -> Result<Step, rustls::Error> {
        let Wire { inbox, outbox } = &mut self.wire;
        let sinks = Sinks { into: &mut [], leftover: &mut self.leftover, outbox };
        let step = self.connection.step(inbox, sinks, None);
        self.is_closed |= matches!(step, Ok(Step::PeerClosed | Step::Closed));
        step
    }
}
