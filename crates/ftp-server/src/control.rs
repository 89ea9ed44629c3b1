//! The control connection's bytes: in clear or under TLS, read and written at the same time.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use carrack_tls::ControlStream;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::TcpStream;

/// Bytes read at a time: longer than any command that is not a mistake.
const READ_STEP: usize = 1024;

/// How long a client may leave our replies unread.
const REPLY_PATIENCE: Duration = Duration::from_secs(30);

/// Replies that may wait for a client to read them before its next commands are left unread: more
/// than any client pipelines, and all that one can make us hold.
const UNREAD_REPLIES: usize = 64 * 1024;

/// A control connection.
pub(crate) struct Control {
    stream: Stream,
    /// What the client said in clear along with the end of TLS.
    ahead: Vec<u8>,
    /// Replies that are not written yet.
    outgoing: Vec<u8>,
    written: usize,
    /// Whether something may still stand in the TLS layer's buffer.
    unflushed: bool,
    /// When the client last took some of our replies, or they began to wait.
    taken_at: Instant,
}

enum Stream {
    Clear(TcpStream),
    Tls(Box<ControlStream>),
    /// Taken for a handshake, or for the end of TLS, that did not come about.
    Gone,
}

/// What happened on the control connection.
pub(crate) enum Traffic {
    /// These bytes came.
    Received(Vec<u8>),
    /// The client will send no more.
    Ended,
    /// All replies are on their way.
    Flushed,
}

impl Control {
    /// A control connection in clear.
    pub(crate) fn clear(stream: TcpStream) -> Self {
        // Clients send ABOR, or the Telnet Synch before it, as urgent data (RFC 959 §4.1.3). Left out of
        // line, its last byte would be gone: the IAC of the Synch, or the LF of the command.
        let _ = SockRef::from(&stream).set_out_of_band_inline(true);
        Self::over(Stream::Clear(stream))
    }

    /// A control connection under TLS.
    pub(crate) fn tls(stream: ControlStream) -> Self {
        Self::over(Stream::Tls(Box::new(stream)))
    }

    fn over(stream: Stream) -> Self {
        let (ahead, outgoing) = (Vec::new(), Vec::new());
        Self { stream, ahead, outgoing, written: 0, unflushed: false, taken_at: Instant::now() }
    }

    /// Takes the socket to shake hands on; none when TLS runs already. Until the protected connection
    /// takes its place, this one is at its end.
    pub(crate) fn take_clear(&mut self) -> Option<TcpStream> {
        match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Clear(stream) => Some(stream),
            other => {
                self.stream = other;
                None
            }
        }
    }

    /// Ends TLS behind everything that is queued, and goes on in clear with whatever the client says behind its own end of
    /// TLS. The caller bounds the time.
    pub(crate) async fn end_tls(&mut self) -> io::Result<()> {
        self.flush().await?;
        match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Tls(stream) => {
                let (stream, ahead) = stream.into_clear().await?;
                self.stream = Stream::Clear(stream);
                self.ahead = ahead;
                Ok(())
            }
            other => {
                self.stream = other;
                Err(io::ErrorKind::NotConnected.into())
            }
        }
    }

    /// Whether TLS protects it now.
    pub(crate) const fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// Queues replies. They are written by [`Control::turn`].
    pub(crate) fn send(&mut self, replies: Vec<u8>) {
        if self.outgoing.is_empty() {
            self.taken_at = Instant::now();
            self.outgoing = replies;
        } else {
            self.outgoing.drain(..std::mem::take(&mut self.written));
            self.outgoing.extend_from_slice(&replies);
        }
    }

    /// Whether replies wait to be written.
    pub(crate) fn has_outgoing(&self) -> bool {
        self.unflushed || !self.outgoing.is_empty()
    }

    /// Whether the client reads our replies fast enough to be given more of them.
    pub(crate) fn has_room(&self) -> bool {
        self.outgoing.len() - self.written <= UNREAD_REPLIES
    }

    /// When a client that reads nothing of our replies is given up.
    pub(crate) fn unread_deadline(&self) -> Option<Instant> {
        self.has_outgoing().then(|| self.taken_at + REPLY_PATIENCE)
    }

    /// Writes what is queued and, where `reads`, reads what comes, whichever is first. Waits for ever
    /// where there is neither. Cancellation safe.
    pub(crate) async fn turn(&mut self, reads: bool) -> io::Result<Traffic> {
        poll_fn(|cx| self.poll_turn(cx, reads)).await
    }

    /// Writes everything that is queued, for as long as a client may let replies wait.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        while self.has_outgoing() {
            tokio::time::timeout(REPLY_PATIENCE, self.turn(false)).await??;
        }
        Ok(())
    }

    /// Ends the connection in order: what is queued, close_notify under TLS, FIN.
    pub(crate) async fn close(&mut self) {
        let _ = tokio::time::timeout(REPLY_PATIENCE, async {
            let last = self.outgoing.get(self.written..).unwrap_or_default();
            match &mut self.stream {
                Stream::Clear(stream) => {
                    stream.write_all(last).await?;
                    stream.shutdown().await
                }
                Stream::Tls(stream) => stream.end(last).await,
                Stream::Gone => Ok(()),
            }
        })
        .await;
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>, reads: bool) -> Poll<io::Result<Traffic>> {
        if self.has_outgoing() && self.poll_write(cx)?.is_ready() {
            return Poll::Ready(Ok(Traffic::Flushed));
        }
        if !reads {
            return Poll::Pending;
        }
        if !self.ahead.is_empty() {
            return Poll::Ready(Ok(Traffic::Received(std::mem::take(&mut self.ahead))));
        }
        let mut room = [0; READ_STEP];
        let mut buffer = ReadBuf::new(&mut room);
        let read = ready!(match &mut self.stream {
            Stream::Clear(stream) => poll_read_past_marks(stream, cx, &mut buffer),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, &mut buffer),
            Stream::Gone => Poll::Ready(Ok(())),
        });
        match read {
            // Many clients leave without close_notify here. Commands end with their line, so nothing
            // can be cut short unseen.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Poll::Ready(Ok(Traffic::Ended));
            }
            read => read?,
        }
        Poll::Ready(Ok(match buffer.filled() {
            [] => Traffic::Ended,
            bytes => Traffic::Received(bytes.to_vec()),
        }))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.outgoing.get(self.written..).filter(|rest| !rest.is_empty()) {
            let written = ready!(match &mut self.stream {
                Stream::Clear(stream) => Pin::new(stream).poll_write(cx, rest),
                Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, rest),
                Stream::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            })?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
            self.taken_at = Instant::now();
            self.unflushed = true;
        }
        // An idle connection keeps no buffer.
        self.outgoing = Vec::new();
        self.written = 0;
        ready!(match &mut self.stream {
            Stream::Clear(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            Stream::Gone => Poll::Ready(Ok(())),
        })?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }
}

/// Reads from a socket whose urgent data stands in line. Such a read ends at the urgent mark, and the runtime would take the
/// short read for an empty socket and wait for bytes that are there already; so it is asked for readiness alone.
fn poll_read_past_marks(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    loop {
        ready!(stream.poll_read_ready(cx))?;
        let room = buffer.initialize_unfilled();
        match stream.try_io(Interest::READABLE, || Ok(rustix::io::read(stream, room)?)) {
            Ok(count) => {
                buffer.advance(count);
                return Poll::Ready(Ok(()));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}
