//! Why a connection to a server could not be secured, in words that name the side at fault.

use std::io;

use rustls::{AlertDescription, PeerIncompatible};
use thiserror::Error;

use super::Untrusted;
use crate::broken::{Broken, is_not_tls};

/// Why a connection could not be secured.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// FIN or RST before the handshake was complete.
    #[error("the server closed the connection during the TLS handshake")]
    Closed,
    /// The first bytes are no TLS record: plain FTP, or something else altogether.
    #[error("the server does not speak TLS on this connection")]
    NotTls,
    /// No TLS version is spoken by both sides.
    #[error(
        "the server speaks none of the TLS versions offered (1.2 and 1.3, unless one was asked for); older ones are not safe"
    )]
    NoCommonVersion,
    /// The certificate is not trusted, and why.
    #[error("the server's certificate is not trusted: {}", .0.why)]
    Untrusted(Box<Untrusted>),
    /// The server lets only clients in that show a certificate.
    #[error("the server demands a client certificate, and none was given")]
    CertificateRequired,
    /// The server refused with an alert (RFC 8446 §6.2).
    #[error("the server refused the TLS handshake with the alert {0:?}")]
    Refused(AlertDescription),
    /// The server did what TLS does not allow, or offers nothing that is safe.
    #[error("the TLS handshake with the server failed: {0}")]
    Tls(rustls::Error),
    /// The socket failed.
    #[error("the connection failed during the TLS handshake: {0}")]
    Io(io::Error),
}

impl From<rustls::Error> for ConnectError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
                ConnectError::CertificateRequired
            }
            rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
            | rustls::Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => ConnectError::NoCommonVersion,
            rustls::Error::AlertReceived(alert) => ConnectError::Refused(alert),
            rustls::Error::InvalidMessage(message) if is_not_tls(message) => ConnectError::NotTls,
            other => ConnectError::Tls(other),
        }
    }
}

/// Finds the TLS error inside those that async streams return.
impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        match error.into() {
            Broken::Tls(error) => error.into(),
            Broken::Closed => ConnectError::Closed,
            Broken::Io(error) => ConnectError::Io(error),
        }
    }
}
