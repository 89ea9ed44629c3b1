//! The accept loop that neither spins nor stops when file descriptors run out.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::task::Poll;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

/// Connections that the kernel holds for us while we are busy: what nginx and Linux itself use
/// as an upper bound for servers that accept at once.
const BACKLOG: i32 = 1024;

/// How often a quiet connection shows that it is alive: firewalls commonly forget after five minutes, and during a long
/// transfer the control connection is quiet.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// The pause after the process or the system ran out of descriptors: short enough that nobody
/// notices, long enough that a flood costs no CPU.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// A connection that was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The socket, with `TCP_NODELAY` set, as replies are written whole and waiting only costs, and with keepalive.
    pub stream: TcpStream,
    /// The other side, with an IPv4 address behind IPv6 unwrapped.
    pub peer: SocketAddr,
    /// Where the other side connected to, likewise: our side, or that of the balancer before us.
    pub local: SocketAddr,
    /// Our side, likewise.
    pub bound: SocketAddr,
    /// Whether a balancer made it for itself, commonly to see whether we are well.
    pub is_check: bool,
}

/// The process or the system has no file descriptor left for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// Whose connection was closed for it; nobody's where not even that could be done.
    pub peer: Option<SocketAddr>,
}

/// A listening TCP socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    /// A descriptor kept back, so that a connection can be taken and closed when all others are in
    /// use; without it the waiting connection would make the accept loop spin.
    spare: Option<File>,
}

impl Listener {
    /// Listens on `address`; port 0 lets the system choose.
    ///
    /// An IPv6 wildcard listens on IPv4 as well, as an administrator who writes `[::]:21` expects.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Self::over(socket.into())
    }

    /// Takes over a socket that listens already.
    ///
    /// # Errors
    /// When the system refuses what is wanted of it.
    pub fn over(socket: std::net::TcpListener) -> io::Result<Self> {
        // Those that are accepted have these from it, without a system call of their own (tcp(7)).
        let options = SockRef::from(&socket);
        options.set_tcp_nodelay(true)?;
        options.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE))?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: TcpListener::from_std(socket)?, spare: open_spare() })
    }

    /// The same socket once more, for another process: it listens until both are closed.
    ///
    /// # Errors
    /// The process has as many file descriptors as it may.
    pub fn share(&self) -> io::Result<std::net::TcpListener> {
        Ok(self.socket.as_fd().try_clone_to_owned()?.into())
    }

    /// The address that is really listened on.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next connection. Errors of single connections are passed over.
    ///
    /// Cancellation safe: a dropped call loses no connection.
    ///
    /// # Errors
    /// [`Exhausted`], behind a pause: the next call may do better.
    pub async fn accept(&mut self) -> Result<Accepted, Exhausted> {
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    // A peer that has gone already has no local address any more.
                    let Ok(local) = stream.local_addr() else { continue };
                    let (peer, bound) = (canonical(peer), canonical(local));
                    return Ok(Accepted { stream, peer, local: bound, bound, is_check: false });
                }
                Err(error) if out_of_descriptors(&error) => {
                    let peer = self.close_first().await;
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                    return Err(Exhausted { peer });
                }
                // The connection died in the queue: the next one may be well.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }
}

impl Listener {
    /// Closes the connection at the head of the queue, where there is one: who comes later may find descriptors again.
    ///
    /// SECURITY: left there, it would wake us again and again.
    async fn close_first(&mut self) -> Option<SocketAddr> {
        drop(self.spare.take());
        let closed = poll_fn(|cx| match self.socket.poll_accept(cx) {
            Poll::Ready(Ok((_, peer))) => Poll::Ready(Some(canonical(peer))),
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Ready(None),
        });
        let peer = closed.await;
        self.spare = open_spare();
        peer
    }
}

fn open_spare() -> Option<File> {
    File::open("/dev/null").ok()
}

fn out_of_descriptors(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// The address with IPv4 behind IPv6 (`::ffff:192.0.2.1`) unwrapped, so that one host has one
/// address whichever socket it came through.
#[must_use]
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(IpAddr::V4(v4), address.port()),
            None => address,
        },
        IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn accepts_with_both_addresses() {
        let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let at = listener.local_addr().unwrap();
        let client = TcpStream::connect(at).await.unwrap();
        let accepted = listener.accept().await.unwrap();
        assert_eq!(accepted.peer, client.local_addr().unwrap());
        assert_eq!(accepted.local, at);
        assert!(accepted.stream.nodelay().unwrap());
        assert!(socket2::SockRef::from(&accepted.stream).keepalive().unwrap());
    }

    #[test]
    fn ipv4_behind_ipv6_is_unwrapped() {
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:21".parse().unwrap();
        assert_eq!(canonical(mapped), "192.0.2.1:21".parse().unwrap());
        let real: SocketAddr = "[2001:db8::1]:21".parse().unwrap();
        assert_eq!(canonical(real), real);
    }
}
