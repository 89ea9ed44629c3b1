//! What was agreed in TLS, as the core's events have it.

use carrack_core::event::Agreed;
use carrack_tls::TlsInfo;

/// The core knows no TLS, so this is where the one becomes the other.
pub(crate) fn agreed(info: &TlsInfo) -> Agreed {
    Agreed {
        version: info.version.as_str(),
        suite: info.cipher,
        group: info.group,
        alpn: info.alpn,
        resumed: info.resumed,
    }
}
