//! The bytes of a control connection under TLS: read a record at a time, so that TLS can end and the connection go on.

use std::io;
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

    /// Ends TLS in both directions and hands back the socket, on which everything that stands behind the client's
    /// close_notify is still unread (RFC 4217 §5). The caller has flushed the stream, and bounds the time.
    ///
    /// # Errors
    /// The socket failed; the client closed it; or it said something between its last command and its close_notify:
    /// under TLS (`InvalidData`), or in clear, which is no record.
    pub async fn into_clear(mut self) -> io::Result<TcpStream> {
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
        Ok(self.0.into_inner().0.socket)
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

/// A socket that no read takes more from than the TLS record at hand has: what stands behind the last record is nobody's
/// but the socket's. It costs a second system call per record, and control connections have few.
#[derive(Debug)]
pub(crate) struct RecordByRecord {
    socket: TcpStream,
    header: [u8; HEADER],
    /// Bytes of the header that have been read.
    known: usize,
    /// Bytes of the record's content that have not been read yet.
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
        RecordByRecord { socket, header: [0; HEADER], known: 0, left: 0, foreign: Foreign::HandedOn }
    }

    /// Takes note of bytes that were read; never more than [`RecordByRecord::wanted`].
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
        let wanted = self.wanted().min(buf.remaining());
        let mut piece = ReadBuf::new(buf.initialize_unfilled_to(wanted));
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut piece))?;
        let read = piece.filled();
        let begins_none = self.known == 0 && read.first().is_some_and(|byte| !CONTENT_TYPES.contains(byte));
        if begins_none && self.foreign == Foreign::Refused {
            let text = "the client went on in clear before it had ended TLS";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        let count = read.len();
        self.note(read);
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for RecordByRecord {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
