//! One data connection, clear or TLS: what carries a file or a listing.
//!
//! Nothing here blocks, so one value serves both a pump thread (which waits with [`DataStream::wait_ready`]) and async
//! code (which waits with [`DataStream::ready`]), and may pass from one to the other in the middle of a transfer.

mod buffer;
mod connection;
mod data_socket;
mod handshake;
mod record_layer;
mod sealer;
mod session;
mod socket;
mod sys;
#[cfg(test)]
pub(crate) mod tests;
mod wire;
mod worn_out;

use std::{
    fs::File,
    future::poll_fn,
    io::{self, IoSlice},
    task::{Context, Poll},
    time::Duration,
};

use tokio::net::TcpStream;

pub use socket::{Breaker, Interest};
pub use worn_out::WornOut;

pub(crate) use buffer::Inbox;
pub(crate) use connection::{Connection, Outgoing};
use data_socket::DataSocket;
use handshake::Early;
pub(crate) use handshake::Handshake;
#[cfg(test)]
pub(crate) use record_layer::{decrypter, encrypter};
pub(crate) use session::Session;
pub(crate) use socket::{Arrived, acknowledge, receive_known, send};
use socket::{receive, receive_over, send_before_fin};

use crate::info::TlsInfo;

/// What [`DataStream::drain`] reads at a time: hardly ever more than the peer's close_notify comes.
const DRAIN_READ: usize = 2 * 1024;
/// What [`DataStream::drain`] drops per call at most, so that a peer that never stops cannot hold a thread.
const DRAIN_STEP: usize = 64 * 1024;

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// So many bytes of the buffer are filled. Zero only for an empty buffer.
    Bytes(usize),
    /// The peer has sent everything: close_notify under TLS, FIN on a clear connection.
    End,
    /// TLS ended without that: FIN without close_notify. What came before was delivered.
    Truncated,
    /// The connection broke: RST, or the network gave up. What came before was delivered.
    Lost,
}

/// How far [`DataStream::drain`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// The peer has ended its side.
    Ended,
    /// The peer's side broke: RST, or the network gave up.
    Lost,
    /// There was so much to drop that the caller should look around before calling again.
    More,
}

/// A data connection. Dropping it closes the socket without further words.
#[derive(Debug)]
pub struct DataStream {
    socket: DataSocket,
    channel: Channel,
    write_side: WriteSide,
}

#[derive(Debug)]
enum Channel {
    /// The inbox is for [`DataStream::read_to`] alone.
    Clear {
        inbox: Inbox,
    },
    Tls {
        session: Box<Session>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriteSide {
    Open,
    Shut,
}

impl DataStream {
    /// A data connection without TLS (`PROT C`).
    ///
    /// # Errors
    /// When the runtime's event loop does not know the socket, which does not happen to sockets of this runtime.
    pub fn clear(socket: TcpStream) -> io::Result<Self> {
        Self::new(socket, Channel::Clear { inbox: Inbox::default() })
    }

    pub(crate) fn tls(socket: TcpStream, session: Box<Session>) -> io::Result<Self> {
        Self::new(socket, Channel::Tls { session })
    }

    fn new(socket: TcpStream, channel: Channel) -> io::Result<Self> {
        Ok(DataStream { socket: DataSocket::new(socket)?, channel, write_side: WriteSide::Open })
    }

    /// Whether the [first data](crate::FirstData) that was given to the handshake is sent already.
    pub fn has_sent_first(&self) -> bool {
        matches!(&self.channel, Channel::Tls { session } if session.early() != Early::Nothing)
    }

    /// What protects this connection; `None` on a clear one.
    pub fn info(&self) -> Option<TlsInfo> {
        match &self.channel {
            Channel::Clear { .. } => None,
            Channel::Tls { session } => Some(session.info()),
        }
    }

    /// Reads into `buf` as much as has arrived. 256 KiB is a good size: one system call fills it.
    ///
    /// # Errors
    /// `WouldBlock` while nothing is there; `InvalidData` for bytes that are not valid TLS of this session; others from the
    /// socket.
    pub fn read(&mut self, buf: &mut [u8]) -> io::Result<Received> {
        if buf.is_empty() {
            return Ok(Received::Bytes(0));
        }
        match &mut self.channel {
            Channel::Tls { session } => session.read(&self.socket, buf),
            Channel::Clear { .. } => Ok(match receive_over(&self.socket, buf)? {
                Arrived::Bytes(n) => Received::Bytes(n),
                Arrived::Fin => Received::End,
                Arrived::Lost => Received::Lost,
            }),
        }
    }

    /// As [`read`](Self::read), but lends what has arrived to `sink` instead of copying it, for a pwritev(2) into a file. Under
    /// TLS the records are opened where the socket put them. The sink is called at most once, with all that there is, in
    /// order: about 256 KiB in 64 slices at most, none of them empty. It must take all of it.
    ///
    /// From the first call on, the connection only receives: [`write`](Self::write) fails with `Unsupported`. All else
    /// stays as it is, [`finish`](Self::finish) and [`read`](Self::read) too.
    ///
    /// # Errors
    /// As [`read`](Self::read); and the sink's as it is, when what it was lent is gone.
    pub fn read_to(
        &mut self,
        sink: &mut dyn FnMut(&[IoSlice<'_>]) -> io::Result<()>,
    ) -> io::Result<Received> {
        match &mut self.channel {
            Channel::Tls { session } => session.read_to(&self.socket, sink),
            Channel::Clear { inbox } => Ok(match receive(&self.socket, inbox.room())? {
                Arrived::Bytes(n) => {
                    sink(&[IoSlice::new(inbox.received())])?;
                    inbox.consume(n);
                    Received::Bytes(n)
                }
                Arrived::Fin => Received::End,
                Arrived::Lost => Received::Lost,
            }),
        }
    }

    /// Takes up to 64 KiB of `buf` and sends it in one system call as far as the socket has room; the rest waits and goes
    /// out with the next call or [`flush`](Self::flush). Says how many bytes of `buf` were taken.
    ///
    /// # Errors
    /// `WouldBlock` when nothing was taken because earlier bytes still wait; [`WornOut`] when nothing more will be; others when
    /// the connection is gone.
    pub fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.channel {
            Channel::Tls { session } => session.write(&self.socket, buf, false),
            Channel::Clear { .. } => send(&self.socket, buf),
        }
    }

    /// As [`write`](Self::write) for the last bytes of the transfer: when all of `buf` is taken, close_notify goes out in
    /// the same system call. [`finish`](Self::finish) is to be called next: the last segment waits for it, 200 ms at most. An
    /// empty `buf` is allowed.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_last(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.channel {
            Channel::Tls { session } => session.write(&self.socket, buf, true),
            Channel::Clear { .. } if buf.is_empty() => Ok(0),
            Channel::Clear { .. } => send_before_fin(&self.socket, buf),
        }
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// `WouldBlock` while something still waits: call again when the socket is writable.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.channel {
            Channel::Tls { session } => session.wire.flush(&self.socket),
            Channel::Clear { .. } => Ok(()),
        }
    }

    /// Says that everything was sent: close_notify (once), then what waits, then FIN. Afterwards the buffers are given back
    /// and only [`read`](Self::read) and [`drain`](Self::drain) make sense.
    ///
    /// # Errors
    /// `WouldBlock` while something still waits: call again when the socket is writable.
    pub fn finish(&mut self) -> io::Result<()> {
        if self.write_side == WriteSide::Shut {
            return Ok(());
        }
        if let Channel::Tls { session } = &mut self.channel {
            session.close()?;
            session.wire.flush_before_fin(&self.socket)?;
            session.release();
        }
        socket::shut_write_side(&self.socket)?;
        self.write_side = WriteSide::Shut;
        Ok(())
    }

    /// After [`finish`](Self::finish): drops what the peer still sends until it has ended too, so that closing sends no RST
    /// that would take the tail of the transfer away from it.
    ///
    /// # Errors
    /// `WouldBlock` while the peer is silent. The caller bounds the time.
    pub fn drain(&mut self) -> io::Result<Drained> {
        let mut scratch = [0; DRAIN_READ];
        let mut dropped = 0;
        while dropped < DRAIN_STEP {
            match self.read(&mut scratch) {
                Ok(Received::Bytes(n)) => dropped += n,
                Ok(Received::End | Received::Truncated) => return Ok(Drained::Ended),
                Ok(Received::Lost) => return Ok(Drained::Lost),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(_) => return Ok(Drained::Ended),
            }
        }
        Ok(Drained::More)
    }

    /// Bytes that were sent and that the peer's system has not acknowledged yet.
    pub fn unacknowledged(&self) -> usize {
        sys::unacknowledged(&self.socket)
    }

    /// Sends up to `len` bytes of `file` from `offset` on without copying them through this process, and says how many; 0
    /// at the end of the file. Clear connections only.
    ///
    /// # Errors
    /// `Unsupported` under TLS; `WouldBlock` while the socket is full; others from sendfile(2).
    pub fn send_file(&mut self, file: &File, offset: u64, len: usize) -> io::Result<usize> {
        match &self.channel {
            Channel::Tls { .. } => Err(io::ErrorKind::Unsupported.into()),
            Channel::Clear { .. } => {
                let mut position = offset;
                Ok(rustix::io::retry_on_intr(|| {
                    rustix::fs::sendfile(&self.socket, file, Some(&mut position), len)
                })?)
            }
        }
    }

    /// Says that a thread moves the bytes from now on, until somebody waits asynchronously again: the event loop is not woken
    /// for what arrives meanwhile.
    pub fn leave_event_loop(&mut self) {
        self.socket.leave_event_loop();
    }

    /// Blocks this thread until the socket is ready; false when `timeout` has passed. `None` waits without end, but
    /// [`Breaker::cut`] wakes it.
    ///
    /// # Errors
    /// From poll(2).
    pub fn wait_ready(&mut self, interest: Interest, timeout: Option<Duration>) -> io::Result<bool> {
        self.socket.wait(interest, timeout)
    }

    /// As [`wait_ready`](Self::wait_ready) for bytes to read, but a few milliseconds longer while there are only some: a thread
    /// that takes many bytes at a time is woken less often. For transfers that have shown to be large.
    ///
    /// # Errors
    /// From poll(2).
    pub fn wait_for_plenty(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        self.socket.wait_for_plenty(timeout)
    }

    /// Waits until the socket is ready. Exact even after a pump thread has used the socket.
    ///
    /// # Errors
    /// From the runtime, when it is shutting down, or from poll(2).
    pub async fn ready(&mut self, interest: Interest) -> io::Result<()> {
        poll_fn(|cx| self.poll_ready(cx, interest)).await
    }

    /// As [`ready`](Self::ready), for hand-written futures. Of several that poll for one direction only the last is woken.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<io::Result<()>> {
        self.socket.poll_ready(cx, interest)
    }

    /// What cuts this connection from any thread.
    pub fn breaker(&self) -> Breaker {
        self.socket.breaker()
    }

    /// Closes with RST, so that the client cannot take the part of a failed download for the whole.
    pub fn reset(self) {
        // Where the option cannot be set the connection is gone, which tells the client as much.
        let _ = rustix::net::sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO));
    }

    /// Gives the buffers back as far as nothing waits in them; they return when bytes flow. For transfers that stall.
    pub fn release_buffers(&mut self) {
        match &mut self.channel {
            Channel::Tls { session } => session.release(),
            Channel::Clear { inbox } => inbox.release(),
        }
    }
}
