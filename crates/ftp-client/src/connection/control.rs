//! The control connection's bytes, in clear or under TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use carrack_ftp_proto::client::escaped;
use carrack_ftp_proto::client::machine::Transmit;
use carrack_tls::ClientControlStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::dialogue::Dialogue;

/// Bytes read at a time: replies are short, and a long one takes several reads.
pub(crate) const READ_STEP: usize = 2048;

/// Bytes of a line that a [`Dialogue`] is shown.
const SHOWN: usize = 1024;

/// A control connection. One line at a time is on its way out.
pub(crate) struct Control {
    stream: Stream,
    outgoing: Option<Transmit>,
    written: usize,
    dialogue: Option<Arc<dyn Dialogue>>,
    /// The line under way, for the dialogue.
    heard: Vec<u8>,
}

enum Stream {
    Clear(TcpStream),
    Tls(Box<ClientControlStream>),
    /// Taken for a handshake that did not come to its end.
    Gone,
}

impl Control {
    /// A control connection in clear.
    pub(crate) fn clear(socket: TcpStream, dialogue: Option<Arc<dyn Dialogue>>) -> Control {
        Control { stream: Stream::Clear(socket), outgoing: None, written: 0, dialogue, heard: Vec::new() }
    }

    /// Takes the socket to shake hands on; none when TLS runs already.
    pub(crate) fn take_clear(&mut self) -> Option<TcpStream> {
        match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Clear(socket) => Some(socket),
            other => {
                self.stream = other;
                None
            }
        }
    }

    /// From now on under TLS.
    pub(crate) fn secured(&mut self, stream: ClientControlStream) {
        self.stream = Stream::Tls(Box::new(stream));
    }

    /// Whether a line is on its way out.
    pub(crate) fn is_sending(&self) -> bool {
        self.outgoing.is_some()
    }

    /// Takes a line; [`Control::poll_send`] sends it.
    pub(crate) fn send(&mut self, line: Transmit) {
        if let Some(dialogue) = &self.dialogue {
            dialogue.sent(&line.shown());
        }
        self.outgoing = Some(line);
        self.written = 0;
    }

    /// Sends what is on its way out. A server that is gone is no error here: what it said last is still to be read.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(line) = &self.outgoing {
            while let Some(rest) = line.bytes().get(self.written..).filter(|rest| !rest.is_empty()) {
                let written = match &mut self.stream {
                    Stream::Clear(socket) => Pin::new(socket).poll_write(cx, rest),
                    Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, rest),
                    Stream::Gone => Poll::Ready(Ok(0)),
                };
                match ready!(written) {
                    Ok(n) if n > 0 => self.written += n,
                    _ => break,
                }
            }
            if let Stream::Tls(stream) = &mut self.stream {
                let _gone_or_sent = ready!(Pin::new(stream.as_mut()).poll_flush(cx));
            }
            self.outgoing = None;
        }
        Poll::Ready(())
    }

    /// Reads what has come; nothing at the server's end.
    pub(crate) fn poll_receive<'b>(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &'b mut [u8; READ_STEP],
    ) -> Poll<io::Result<&'b [u8]>> {
        let mut room = ReadBuf::new(buffer);
        ready!(match &mut self.stream {
            Stream::Clear(socket) => Pin::new(socket).poll_read(cx, &mut room),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, &mut room),
            Stream::Gone => Poll::Ready(Ok(())),
        })?;
        let received = room.filled().len();
        let received = buffer.get(..received).unwrap_or_default();
        self.hear(received);
        Poll::Ready(Ok(received))
    }

    /// Says goodbye to TLS and closes.
    pub(crate) async fn close(&mut self) {
        use tokio::io::AsyncWriteExt as _;
        // The server may be gone already, which is as good.
        let _closed = match &mut self.stream {
            Stream::Clear(socket) => socket.shutdown().await,
            Stream::Tls(stream) => stream.shutdown().await,
            Stream::Gone => Ok(()),
        };
    }

    /// Shows the lines of what came.
    fn hear(&mut self, bytes: &[u8]) {
        let Some(dialogue) = &self.dialogue else { return };
        for &byte in bytes {
            if byte == b'\n' {
                dialogue.received(&escaped(self.heard.trim_ascii_end()).to_string());
                self.heard.clear();
            } else if self.heard.len() < SHOWN {
                self.heard.push(byte);
            }
        }
    }
}
