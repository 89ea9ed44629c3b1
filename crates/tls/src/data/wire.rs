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
        socket::receive(socket, self.inbox.room())
    }

    /// Waits until something came into the inbox, or the end did. What came last was acknowledged where it was answered.
    pub(super) async fn fill(&mut self, socket: &TcpStream, was_answered: bool) -> io::Result<Arrived> {
        loop {
            match socket::receive_known(socket, self.inbox.room()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // A peer that writes the messages of one flight apart (GnuTLS does) holds the second back until we
                    // acknowledge the first, and we would for 40 ms.
                    if !was_answered {
                        socket::acknowledge(socket);
                    }
                    socket.readable().await?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Sends what waits; `WouldBlock` while something is left.
    pub(crate) fn flush(&mut self, socket: &impl AsFd) -> io::Result<()> {
        self.flush_by(|bytes| socket::send(socket, bytes))
    }

    /// As [`flush`](Self::flush), where the end of this direction comes next.
    pub(crate) fn flush_before_fin(&mut self, socket: &impl AsFd) -> io::Result<()> {
        self.flush_by(|bytes| socket::send_before_fin(socket, bytes))
    }

    fn flush_by(&mut self, mut send: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        while !self.outbox.is_empty() {
            let n = send(self.outbox.waiting())?;
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
