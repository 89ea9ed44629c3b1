//! When does the event loop know a data connection's socket? While async code waits for it, and not while a thread does.

use std::{
    fmt, io,
    net::TcpStream,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::unix::AsyncFd;

use super::{
    socket::{self, Breaker, Interest},
    sys,
};

/// How much a thread that reads waits for at once, in bytes, where the peer is about to send much: half of what one read
/// takes. Otherwise every segment of a fast peer would wake it.
const PLENTY: usize = 128 * 1024;
/// How long it waits for that much before it takes what there is.
const PLENTY_WAIT: Duration = Duration::from_millis(20);

/// A data connection's socket, never blocking.
///
/// The event loop is told of it with the first [`poll_ready`](Self::poll_ready) and forgets it with
/// [`leave_event_loop`](Self::leave_event_loop) and every [`wait`](Self::wait): a socket that stays in there wakes the event
/// loop for every segment that arrives, although nobody waits for it there.
pub(crate) struct DataSocket {
    stream: Arc<TcpStream>,
    watched: Option<AsyncFd<Arc<TcpStream>>>,
    low_water: LowWater,
}

/// From how many bytes on the system calls the socket readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LowWater {
    One,
    Plenty,
}

impl DataSocket {
    /// Takes the socket out of the event loop.
    ///
    /// # Errors
    /// When the event loop does not know it, which does not happen to sockets of this runtime.
    pub(crate) fn new(socket: tokio::net::TcpStream) -> io::Result<Self> {
        Ok(DataSocket { stream: Arc::new(socket.into_std()?), watched: None, low_water: LowWater::One })
    }

    pub(crate) fn breaker(&self) -> Breaker {
        Breaker::new(&self.stream)
    }

    /// Has the event loop forget the socket: bytes that arrive while a thread works would wake it for nothing.
    pub(crate) fn leave_event_loop(&mut self) {
        self.watched = None;
    }

    /// Blocks this thread until the socket is ready; false when `timeout` has passed.
    pub(crate) fn wait(&mut self, interest: Interest, timeout: Option<Duration>) -> io::Result<bool> {
        self.leave_event_loop();
        socket::wait(&self.stream, interest, timeout)
    }

    /// As [`wait`](Self::wait) for bytes to read, until there are many or none has come for a moment longer.
    pub(crate) fn wait_for_plenty(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        self.set_low_water(LowWater::Plenty);
        let patience = timeout.map_or(PLENTY_WAIT, |timeout| timeout.min(PLENTY_WAIT));
        if self.wait(Interest::Readable, Some(patience))? {
            return Ok(true);
        }
        self.set_low_water(LowWater::One);
        self.wait(Interest::Readable, timeout.map(|timeout| timeout.saturating_sub(patience)))
    }

    /// Whether the socket is ready; the task is woken when it becomes so. Of several that poll for one direction only the
    /// last is woken.
    ///
    /// The socket is also used by raw system calls that tokio does not see, so tokio may remember a readiness that is long
    /// gone. The kernel is asked first; where it says no, that memory is cleared. An event that arrives in between is not
    /// lost: tokio clears only the readiness it had when it was asked.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<io::Result<()>> {
        self.set_low_water(LowWater::One);
        let watched = match &mut self.watched {
            Some(watched) => watched,
            empty => empty.insert(sys::register(Arc::clone(&self.stream))?),
        };
        loop {
            let mut told = ready!(match interest {
                Interest::Readable => watched.poll_read_ready(cx),
                Interest::Writable => watched.poll_write_ready(cx),
            })?;
            if socket::wait(&self.stream, interest, Some(Duration::ZERO))? {
                return Poll::Ready(Ok(()));
            }
            told.clear_ready();
        }
    }

    fn set_low_water(&mut self, low_water: LowWater) {
        if self.low_water != low_water {
            let bytes = match low_water {
                LowWater::One => 1,
                LowWater::Plenty => PLENTY,
            };
            sys::set_receive_low_water(&self.stream, bytes);
            self.low_water = low_water;
        }
    }
}

impl AsFd for DataSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl fmt::Debug for DataSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataSocket").field("stream", &self.stream).finish_non_exhaustive()
    }
}
