//! The client's own certificate, for servers that ask for one.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rustls::{AlertDescription, SignatureScheme, client::ResolvesClientCert, sign::CertifiedKey};

use super::ConnectError;
use crate::identity::Identity;

/// Shows the one certificate there is, and remembers when a server asked for one and there was none.
#[derive(Debug)]
pub(super) struct ClientCertificate {
    certified: Option<Arc<CertifiedKey>>,
    missed: AtomicBool,
}

impl ClientCertificate {
    pub(super) fn new(identity: Option<&Identity>) -> Self {
        let certified = identity.map(|identity| Arc::clone(identity.certified_key()));
        ClientCertificate { certified, missed: AtomicBool::new(false) }
    }

    /// Says that the certificate was missed where a server has asked in vain and refused: TLS 1.2 has no alert of its own for
    /// this (RFC 5246 §7.4.6).
    pub(super) fn explain(&self, error: ConnectError) -> ConnectError {
        match error {
            ConnectError::Refused(AlertDescription::HandshakeFailure)
                if self.missed.load(Ordering::Relaxed) =>
            {
                ConnectError::CertificateRequired
            }
            other => other,
        }
    }
}

impl ResolvesClientCert for ClientCertificate {
    /// The server's list of authorities is not asked: it is often incomplete, and the user chose this certificate for this
    /// server.
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        if self.certified.is_none() {
            self.missed.store(true, Ordering::Relaxed);
        }
        self.certified.clone()
    }

    fn has_certs(&self) -> bool {
        self.certified.is_some()
    }
}
