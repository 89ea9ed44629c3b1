//! The bytes of a control connection under TLS: handed on a record at a time, so that TLS can end and the connection go on.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A control connection under TLS; reads and writes as any async stream. `shutdown` sends close_notify and FIN.
#[derive(Debug)]
pub struct ControlStream(TlsStream<RecordByRecord>);

impl ControlStream {
    pub(crate) fn new(stream: TlsStream<RecordByRecord>) -> ControlStream {
        ControlStream(stream)
    }

    /// The server's name as the client gave it in its ClientHello (SNI, RFC 6066 §3), in lower case.
    pub fn server_name(&self) -> Option<String> {
        self.0.get_ref().1.server_name().map(str::to_ascii_lowercase)
    }

    /// Says `last` and close_notify in one, then FIN.
    ///
    /// # Errors
    /// The socket failed.
    pub async fn end(&mut self, last: &[u8]) -> io::Result<()> {
        let (_, session) = self.0.get_mut();
        session.writer().write_all(last)?;
        session.send_close_notify();
        self.0.shutdown().await
    }

    /// Ends TLS in both directions and hands back the socket, with what of it was read behind the client's close_notify
    /// (RFC 4217 §5). The caller has flushed the stream, and bounds the time.
    ///
    /// # Errors
    /// The socket failed; the client closed it; or it said something between its last command and its close_notify:
    /// under TLS (`InvalidData`), or in clear, which is no record.
    pub async fn into_clear(mut self) -> io::Result<(TcpStream, Vec<u8>)> {
        let (socket, session) = self.0.get_mut();
        socket.foreign = Foreign::Refused;
        session.send_close_notify();
        let mut records = Vec::new();
        while session.wants_write() {
            session.write_tls(&mut records)?;
        }
        socket.write_all(&records).await?;
        // SECURITY: only the client's own close_notify, which is under TLS, lets the connection go on in clear. A byte in
        // clear before it may be anybody's.
        if self.0.read(&mut [0]).await? != 0 {
            let text = "the client went on under TLS where it had asked for its end";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let RecordByRecord { socket, ahead, .. } = self.0.into_inner().0;
        Ok((socket, ahead))
    }
}

impl AsyncRead for ControlStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for ControlStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Length of a record's header: type, version, length (RFC 8446 §5.1, RFC 5246 §6.2.1).
const HEADER: usize = 5;

/// Bytes that are read from the socket at once: more than most commands and their records take.
const READ: usize = 2 * 1024;

/// A socket whose reads end where a TLS record does: what stands behind the last record is nobody's but the connection's
/// that goes on in clear.
#[derive(Debug)]
pub(crate) struct RecordByRecord {
    socket: TcpStream,
    /// What was read from the socket and is not handed on yet. Empty, and without memory, most of the time.
    ahead: Vec<u8>,
    header: [u8; HEADER],
    /// Bytes of the header that have been handed on.
    known: usize,
    /// Bytes of the record's content that have not been.
    left: usize,
    foreign: Foreign,
}

/// What becomes of bytes that begin no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Foreign {
    /// They are handed on: TLS answers them with an alert.
    HandedOn,
    /// They are an error: TLS has said its last word, and asserts that it says no other.
    Refused,
}

/// The first bytes of records: change_cipher_spec, alert, handshake, application_data (RFC 8446 §5.1).
const CONTENT_TYPES: std::ops::RangeInclusive<u8> = 20..=23;

impl RecordByRecord {
    pub(crate) fn new(socket: TcpStream) -> RecordByRecord {
        let (ahead, header) = (Vec::new(), [0; HEADER]);
        RecordByRecord { socket, ahead, header, known: 0, left: 0, foreign: Foreign::HandedOn }
    }

    /// Hands bytes on, to the end of the record at hand; says how many.
    fn hand_on(&mut self, bytes: &[u8], buf: &mut ReadBuf<'_>) -> io::Result<usize> {
        let mut handed = 0;
        while let Some(rest) = bytes.get(handed..).filter(|rest| !rest.is_empty()) {
            let begins_none =
                self.known == 0 && rest.first().is_some_and(|byte| !CONTENT_TYPES.contains(byte));
            if begins_none && self.foreign == Foreign::Refused {
                let text = "the client went on in clear before it had ended TLS";
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            let count = self.wanted().min(buf.remaining()).min(rest.len());
            let piece = rest.get(..count).unwrap_or_default();
            self.note(piece);
            buf.put_slice(piece);
            handed += count;
            if count == 0 || self.known == 0 {
                break;
            }
        }
        Ok(handed)
    }

    /// Takes note of bytes that are handed on; never more than [`RecordByRecord::wanted`].
    fn note(&mut self, bytes: &[u8]) {
        if self.known == HEADER {
            self.left = self.left.saturating_sub(bytes.len());
        } else {
            for &byte in bytes {
                if let Some(place) = self.header.get_mut(self.known) {
                    *place = byte;
                    self.known += 1;
                }
            }
            if self.known == HEADER {
                let [.., high, low] = self.header;
                self.left = usize::from(u16::from_be_bytes([high, low]));
            }
        }
        if self.known == HEADER && self.left == 0 {
            self.known = 0;
        }
    }

    /// How much belongs to what is being read: the header's rest, then the content's.
    const fn wanted(&self) -> usize {
        if self.known == HEADER { self.left } else { HEADER - self.known }
    }
}

impl AsyncRead for RecordByRecord {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.ahead.is_empty() {
            let mut room = [0; READ];
            let mut read = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut this.socket).poll_read(cx, &mut read))?;
            let handed = this.hand_on(read.filled(), buf)?;
            this.ahead = read.filled().get(handed..).unwrap_or_default().to_vec();
        } else {
            let ahead = std::mem::take(&mut this.ahead);
            let handed = this.hand_on(&ahead, buf)?;
            this.ahead = ahead.get(handed..).unwrap_or_default().to_vec();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for RecordByRecord {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    // The messages of one flight go out together: apart, each would wake the client.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
