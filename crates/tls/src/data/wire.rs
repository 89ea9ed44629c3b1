//! The records of one connection between its session and its socket, received and to be sent.

use std::{io, os::fd::AsFd};

use tokio::net::TcpStream;

use super::{
    buffer::{Inbox, Outbox},
    socket::{self, Arrived, Interest},
};

/// What came from the socket and what is on its way to it. The socket is lent for each call.
#[derive(Default)]
pub(crate) struct Wire {
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
}

impl Wire {
    /// Receives once into the inbox.
    pub(super) fn receive(&mut self, socket: &impl AsFd) -> io::Result<Arrived> {
        let arrived = socket::receive(socket, self.inbox.room())?;
        if let Arrived::Bytes(n) = arrived {
            self.inbox.filled(n);
        }
        Ok(arrived)
    }

    /// Waits until something came into the inbox, or the end did.
    pub(super) async fn fill(&mut self, socket: &TcpStream) -> io::Result<Arrived> {
        loop {
            match socket::receive_known(socket, self.inbox.room()) {
                Ok(Arrived::Bytes(n)) => {
                    self.inbox.filled(n);
                    return Ok(Arrived::Bytes(n));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // A peer that writes the messages of one flight apart (GnuTLS does) holds the second back until we
                    // acknowledge the first, and we would for 40 ms.
                    socket::acknowledge(socket);
                    socket.readable().await?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Sends what waits; `WouldBlock` while something is left.
    pub(crate) fn flush(&mut self, socket: &impl AsFd) -> io::Result<()> {
        while !self.outbox.is_empty() {
            let n = socket::send(socket, self.outbox.waiting())?;
            self.outbox.sent(n);
        }
        Ok(())
    }

    /// Waits until all that waits is sent.
    pub(crate) async fn flush_all(&mut self, socket: &TcpStream) -> io::Result<()> {
        loop {
            match self.flush(socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    socket::ready(socket, Interest::Writable).await?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Sends the session's own messages (tickets, KeyUpdate, alerts) as far as that goes now. A peer that is gone does not
    /// matter here: what it sent before is still to be read.
    pub(crate) fn flush_quietly(&mut self, socket: &impl AsFd) {
        match self.flush(socket) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.outbox.clear(),
        }
    }

    /// Gives back what the buffers do not need.
    pub(super) fn release(&mut self) {
        self.inbox.release();
        self.outbox.release();
    }
}
