//! What broke a handshake, on whichever side? The errors of both sides are made from this.

use std::io;

use rustls::InvalidMessage;

/// What lies behind an error of the socket.
pub(crate) enum Broken {
    /// An error of TLS, which async streams wrap into their own.
    Tls(rustls::Error),
    /// The peer has gone: FIN or RST.
    Closed,
    /// The socket failed.
    Io(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Broken::Tls(tls.clone());
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted => Broken::Closed,
            _ => Broken::Io(error),
        }
    }
}

/// Whether the peer's first bytes are no TLS record at all: plain FTP, HTTP, or something else.
pub(crate) fn is_not_tls(message: InvalidMessage) -> bool {
    matches!(
        message,
        InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::InvalidEmptyPayload
    )
}
