//! System calls on a data connection's socket: never blocking, no matter who calls.

use std::{
    io,
    net::TcpStream as StdStream,
    os::fd::AsFd,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use rustix::{
    buffer::spare_capacity,
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, retry_on_intr},
    net::{RecvFlags, SendFlags, Shutdown},
};
use tokio::net::TcpStream;

/// What a socket is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Bytes, the peer's end, or an error.
    Readable,
    /// Room to send, or an error.
    Writable,
}

/// What one receive brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrived {
    Bytes(usize),
    /// The peer has sent its FIN.
    Fin,
    /// The connection is gone: RST, or the network gave up.
    Lost,
}

/// Cuts a data connection from any thread: both directions end at once, and whoever waits for it wakes up.
///
/// Holds no socket open; after the connection is dropped it does nothing.
#[derive(Debug, Clone)]
pub struct Breaker(Weak<StdStream>);

impl Breaker {
    /// Shuts both directions down. Reads then see the peer's end, which is never a clean one under TLS, and writes fail.
    pub fn cut(&self) {
        if let Some(socket) = self.0.upgrade() {
            // An error means that the connection is down already.
            let _ = rustix::net::shutdown(&*socket, Shutdown::Both);
        }
    }
}

impl Breaker {
    pub(super) fn new(socket: &Arc<StdStream>) -> Self {
        Breaker(Arc::downgrade(socket))
    }
}

/// Receives into the spare capacity.
pub(crate) fn receive(socket: &impl AsFd, into: &mut Vec<u8>) -> io::Result<Arrived> {
    arrived(retry_on_intr(|| Ok(rustix::net::recv(socket, spare_capacity(into), RecvFlags::DONTWAIT)?.1)))
}

/// Receives over what stands in `into`.
pub(crate) fn receive_over(socket: &impl AsFd, into: &mut [u8]) -> io::Result<Arrived> {
    arrived(retry_on_intr(|| Ok(rustix::net::recv(socket, &mut *into, RecvFlags::DONTWAIT)?.1)))
}

fn arrived(received: rustix::io::Result<usize>) -> io::Result<Arrived> {
    match received {
        Ok(0) => Ok(Arrived::Fin),
        Ok(n) => Ok(Arrived::Bytes(n)),
        Err(Errno::CONNRESET | Errno::PIPE | Errno::CONNABORTED | Errno::TIMEDOUT) => Ok(Arrived::Lost),
        Err(error) => Err(error.into()),
    }
}

/// Receives where the event loop has heard of bytes; `WouldBlock`, without asking the kernel, where it has not.
///
/// For sockets of which nothing is received in another way: what filled only a part of the room has emptied the socket,
/// and the event loop may forget that it was ready.
pub(crate) fn receive_known(socket: &TcpStream, into: &mut Vec<u8>) -> io::Result<Arrived> {
    let mut arrived = None;
    let tried = socket.try_io(tokio::io::Interest::READABLE, || {
        arrived = Some(receive(socket, into)?);
        match arrived {
            Some(Arrived::Bytes(_)) if into.len() < into.capacity() => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    });
    match (arrived, tried) {
        (Some(arrived), _) => Ok(arrived),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(io::ErrorKind::WouldBlock.into()),
    }
}

pub(crate) fn send(socket: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    send_with(socket, bytes, SendFlags::empty())
}

/// As [`send`], where [`shut_write_side`] comes next: what fits into one segment leaves in one with the FIN. Where it does not
/// come, the last bytes leave after 200 ms (tcp(7), `MSG_MORE`).
pub(crate) fn send_before_fin(socket: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    send_with(socket, bytes, SendFlags::MORE)
}

fn send_with(socket: &impl AsFd, bytes: &[u8], more: SendFlags) -> io::Result<usize> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL | more;
    Ok(retry_on_intr(|| rustix::net::send(socket, bytes, flags))?)
}

/// Acknowledges at once what has arrived, instead of waiting for bytes to send along (tcp(7), `TCP_QUICKACK`).
pub(crate) fn acknowledge(socket: &impl AsFd) {
    // Only speed is lost where the option is not known.
    let _ = rustix::net::sockopt::set_tcp_quickack(socket, true);
}

/// Says that nothing more will be sent (FIN). A connection that is gone already is no error.
pub(crate) fn shut_write_side(socket: &impl AsFd) -> io::Result<()> {
    match rustix::net::shutdown(socket, Shutdown::Write) {
        Ok(()) | Err(Errno::NOTCONN) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits with poll(2), for threads that may block. False when the time is up.
pub(crate) fn wait(socket: &impl AsFd, interest: Interest, timeout: Option<Duration>) -> io::Result<bool> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let wanted = match interest {
        Interest::Readable => PollFlags::IN | PollFlags::RDHUP,
        Interest::Writable => PollFlags::OUT,
    };
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // A time-out too long for the kernel's type is none.
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(socket, wanted)], left.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits for the event loop, for async code.
///
/// The socket is also used by raw system calls that tokio does not see, so tokio may remember a readiness that is long
/// gone. The kernel is asked first; where it says no, that memory is cleared. An event that arrives in between is not
/// lost: tokio clears only the readiness it had when it was asked.
pub(crate) async fn ready(socket: &TcpStream, interest: Interest) -> io::Result<()> {
    let tokio_interest = of_tokio(interest);
    loop {
        socket.ready(tokio_interest).await?;
        match socket.try_io(tokio_interest, || ask(socket, interest)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return outcome,
        }
    }
}

/// Asks the kernel; `WouldBlock` where it says no.
fn ask(socket: &TcpStream, interest: Interest) -> io::Result<()> {
    match wait(socket, interest, Some(Duration::ZERO)) {
        Ok(true) => Ok(()),
        Ok(false) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error),
    }
}

fn of_tokio(interest: Interest) -> tokio::io::Interest {
    match interest {
        Interest::Readable => tokio::io::Interest::READABLE,
        Interest::Writable => tokio::io::Interest::WRITABLE,
    }
}
