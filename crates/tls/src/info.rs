//! What was agreed: the version, cipher suite and key exchange that protect a connection.

use std::fmt;

use rustls::{CommonState, HandshakeKind, ProtocolVersion};

use crate::{
    alpn,
    policy::{Group, Suite},
};

/// A TLS version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Version {
    /// TLS 1.2 (RFC 5246), with ECDHE and AEAD suites only.
    #[default]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl Version {
    /// As OpenSSL and the logs write it: `TLSv1.2` or `TLSv1.3`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Version::Tls12 => "TLSv1.2",
            Version::Tls13 => "TLSv1.3",
        }
    }
}

impl From<Version> for ProtocolVersion {
    fn from(version: Version) -> ProtocolVersion {
        match version {
            Version::Tls12 => ProtocolVersion::TLSv1_2,
            Version::Tls13 => ProtocolVersion::TLSv1_3,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What protects a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsInfo {
    /// The version of TLS.
    pub version: Version,
    /// The cipher suite by the name of its row, [`Suite::name`].
    pub cipher: &'static str,
    /// The group of the key exchange by the name of its row, [`Group::name`]; none where a session of TLS 1.2 was resumed.
    pub group: Option<&'static str>,
    /// The agreed application protocol: `ftp`, `ftp-data` or none.
    pub alpn: Option<&'static str>,
    /// Whether a session was resumed.
    pub resumed: bool,
}

impl TlsInfo {
    pub(crate) fn of(state: &CommonState) -> Self {
        TlsInfo {
            version: match state.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => Version::Tls13,
                // rustls speaks no other.
                _ => Version::Tls12,
            },
            cipher: state
                .negotiated_cipher_suite()
                .and_then(|suite| Suite::of(suite.suite()))
                .map_or("unknown", |suite| suite.name),
            group: state
                .negotiated_key_exchange_group()
                .and_then(|group| Group::of(group.name()))
                .map(|group| group.name),
            alpn: alpn::agreed(state.alpn_protocol()),
            resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}
