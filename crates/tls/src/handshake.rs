//! How a data connection is secured, and what can go wrong on the way.

use std::{io, sync::Arc};

use rustls::{
    AlertDescription, HandshakeKind, ServerConfig,
    server::{Acceptor, ClientHello, UnbufferedServerConnection},
};
use thiserror::Error;
use tokio::net::TcpStream;

use crate::broken::{Broken, is_not_tls};
use crate::caller::Caller;
use crate::client_certificate::{Asking, ClientRefusal};
use crate::data::{
    Arrived, Connection, DataStream, Handshake, Inbox, Outgoing, acknowledge, receive_known, send,
};
use crate::server::Direction;

/// Why a connection could not be secured.
#[derive(Debug, Error)]
pub enum HandshakeError {
    /// FIN or RST before the handshake was complete.
    #[error("the client closed the connection during the TLS handshake")]
    Closed,
    /// The first bytes are no TLS record, for instance a plain FTP or HTTP client.
    #[error("the client does not speak TLS on this connection")]
    NotTls,
    /// Only names of other protocols were offered by ALPN.
    #[error("the client offered other application protocols than ftp (ALPN)")]
    ForeignProtocol,
    /// The client asked for a server (SNI) for which no certificate stands.
    #[error("the client asked for \"{0}\" (SNI), for which this server has no certificate")]
    UnknownName(String),
    /// A certificate is required and none was shown.
    #[error("the client showed no certificate, which this listener requires")]
    NoClientCertificate,
    /// The client's certificate is not accepted. The client sees an alert, the operator this.
    #[error(transparent)]
    ClientCertificate(Box<ClientRefusal>),
    /// The client refused with an alert, most often because it does not trust the certificate.
    #[error("the client refused the TLS handshake: {0:?}")]
    Refused(AlertDescription),
    /// Anything else that TLS does not allow.
    #[error("the TLS handshake failed: {0}")]
    Tls(rustls::Error),
    /// The socket failed.
    #[error("the connection failed during the TLS handshake: {0}")]
    Io(io::Error),
}

/// A fatal alert, `unrecognized_name` (RFC 6066 §3), in a record of its own (RFC 8446 §5.1, §6): rustls has no word for it.
pub(crate) const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

impl From<rustls::Error> for HandshakeError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::AlertReceived(alert) => HandshakeError::Refused(alert),
            rustls::Error::NoCertificatesPresented => HandshakeError::NoClientCertificate,
            rustls::Error::NoApplicationProtocol => HandshakeError::ForeignProtocol,
            rustls::Error::InvalidMessage(message) if is_not_tls(message) => HandshakeError::NotTls,
            other => HandshakeError::Tls(other),
        }
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        match error.into() {
            Broken::Tls(error) => error.into(),
            Broken::Closed => HandshakeError::Closed,
            Broken::Io(error) => HandshakeError::Io(error),
        }
    }
}

impl HandshakeError {
    /// With what rustls has no words for: why the certificate that `asking` met is not accepted.
    pub(crate) fn explained(self, asking: Option<&Arc<Asking>>) -> HandshakeError {
        match asking.and_then(|asking| asking.refusal()) {
            Some(refusal) => HandshakeError::ClientCertificate(refusal),
            None => self,
        }
    }

    /// Which option of a server the client would have to get along with, where it is one.
    #[must_use]
    pub fn option(&self) -> Option<&'static str> {
        use rustls::{Error, PeerIncompatible};
        match self {
            HandshakeError::UnknownName(_) => Some("tls.identity.certificate"),
            HandshakeError::NoClientCertificate => Some("listen.client_certificate"),
            HandshakeError::ClientCertificate(refusal) => Some(refusal.why.option()),
            HandshakeError::Tls(Error::PeerIncompatible(why)) => Some(match why {
                PeerIncompatible::NoCipherSuitesInCommon => "tls.suites",
                PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NamedGroupsExtensionRequired => {
                    "tls.groups"
                }
                PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon
                | PeerIncompatible::NoSignatureSchemesInCommon
                | PeerIncompatible::SignatureAlgorithmsExtensionRequired => "tls.certificate",
                // Versions, and what older ones lack.
                _ => "tls.minimum_version",
            }),
            _ => None,
        }
    }

    /// Whether the client does not trust the server's certificate.
    pub fn is_untrusted_certificate(&self) -> bool {
        matches!(
            self,
            HandshakeError::Refused(
                AlertDescription::BadCertificate
                    | AlertDescription::CertificateExpired
                    | AlertDescription::CertificateUnknown
                    | AlertDescription::UnknownCA
            )
        )
    }
}

/// Secures the connection with what `configure` makes of the ClientHello, of which it is given the records too. `settle` is told
/// the kind of the handshake after every step, always before the next message of the client is processed. `early` says what is sent
/// before the client's Finished.
pub(crate) async fn accept<'d>(
    caller: Caller,
    direction: Direction,
    configure: impl FnOnce(&ClientHello<'_>, &[u8]) -> Result<Arc<ServerConfig>, HandshakeError>,
    settle: impl Fn(Option<HandshakeKind>),
    early: impl Fn() -> Option<Outgoing<'d>>,
) -> Result<DataStream, HandshakeError> {
    let Caller { socket, mut inbox, .. } = caller;
    let config = read_client_hello(&socket, &mut inbox, configure).await?;
    let config = config.inspect_err(|error| {
        if matches!(error, HandshakeError::UnknownName(_)) {
            // The client learns why if the socket has room, which an untouched one has.
            let _ = send(&socket, &UNRECOGNIZED_NAME);
        }
    })?;
    // The ClientHello is still in the inbox: rustls reads it once more under its configuration.
    let connection = Connection::Server(UnbufferedServerConnection::new(config)?);
    let mut session = Handshake::new(connection, inbox).run::<HandshakeError>(&socket, settle, early).await?;
    if !session.has_outgoing() {
        // The client spoke last. Without TCP_NODELAY it holds its first data back until we acknowledge, and we would
        // for 40 ms: too long for each of many small files.
        acknowledge(&socket);
    }
    // Our last messages: tickets, in TLS 1.2 the Finished. A client that is to send waits for them, and may be gone already
    // with all it had to say sent; to one that is to receive they go in the same segment as the first data.
    if direction == Direction::FromClient {
        session.wire.flush_quietly(&socket);
    }
    Ok(DataStream::tls(socket, session)?)
}

/// Reads until the ClientHello is complete; what the inbox holds already counts. It stays there. `look` sees the records that it
/// came in, too.
pub(crate) async fn read_client_hello<T>(
    socket: &TcpStream,
    inbox: &mut Inbox,
    look: impl FnOnce(&ClientHello<'_>, &[u8]) -> T,
) -> Result<T, HandshakeError> {
    let mut acceptor = Acceptor::default();
    let mut n = inbox.received().len();
    loop {
        let mut fresh = inbox.newest(n);
        while !fresh.is_empty() {
            acceptor.read_tls(&mut fresh)?;
            match acceptor.accept() {
                Ok(Some(accepted)) => return Ok(look(&accepted.client_hello(), inbox.received())),
                Ok(None) => {}
                Err((error, mut alert)) => {
                    let mut bytes = Vec::new();
                    alert.write_all(&mut bytes)?;
                    // The client learns why if the socket has room, which an untouched one has.
                    let _ = send(socket, &bytes);
                    return Err(error.into());
                }
            }
        }
        n = receive_some(socket, inbox).await?;
    }
}

async fn receive_some(socket: &TcpStream, inbox: &mut Inbox) -> Result<usize, HandshakeError> {
    loop {
        match receive_known(socket, inbox.room()) {
            Ok(Arrived::Bytes(n)) => return Ok(n),
            Ok(Arrived::Fin | Arrived::Lost) => return Err(HandshakeError::Closed),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                socket.readable().await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
