//! Which TLS is spoken: versions, cipher suites, key exchanges. The one place where the cryptographic provider is chosen.

use std::sync::Arc;

use rustls::{
    SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    version::{TLS12, TLS13},
};

use crate::info::Version;

/// Which TLS a server speaks.
///
/// X25519MLKEM768 comes first among the key exchanges, and AES-GCM before ChaCha20: with hardware AES it is several times
/// faster, and a client without offers no AES.
#[derive(Debug, Clone, Default)]
pub struct TlsPolicy {
    /// The lowest version that is spoken; the highest is always 1.3.
    pub minimum: Version,
}

impl TlsPolicy {
    pub(crate) fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
        const NEWEST: &[&SupportedProtocolVersion] = &[&TLS13];
        match self.minimum {
            Version::Tls12 => BOTH,
            Version::Tls13 => NEWEST,
        }
    }

    pub(crate) fn provider(&self) -> Arc<CryptoProvider> {
        provider()
    }
}

/// The cryptography that everything here is done with.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
