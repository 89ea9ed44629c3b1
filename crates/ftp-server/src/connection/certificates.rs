//! What does the client's certificate say to this connection, in the handshake and for as long as it lasts?

use std::sync::Arc;

use carrack_core::certificate::{Certificate, Name};
use carrack_core::event::Event;
use carrack_ftp_proto::server::Certificates;
use carrack_tls::{
    CertificateDescription, ClientCertificates, ClientDistrust, ClientIdentity, ClientRefusal,
};
use tokio::sync::watch;

use super::{Connection, Ended};
use crate::settings::RevokedSessions;

/// Whether `USER` is a question about the client's certificate.
pub(super) fn asked(clients: &ClientCertificates) -> Certificates {
    match clients {
        ClientCertificates::NotAsked => Certificates::NotAsked,
        ClientCertificates::Optional(_) | ClientCertificates::Required(_) => Certificates::Asked,
    }
}

/// Tells when other certificates count, where any do.
pub(super) fn changes(clients: &ClientCertificates) -> Option<watch::Receiver<()>> {
    match clients {
        ClientCertificates::NotAsked => None,
        ClientCertificates::Optional(accepted) | ClientCertificates::Required(accepted) => {
            Some(accepted.changes())
        }
    }
}

/// Waits for the next change, for ever where there can be none. Cancellation safe.
pub(super) async fn changed(changes: &mut Option<watch::Receiver<()>>) {
    if let Some(changes) = changes
        && changes.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

impl Connection {
    /// The client's certificate in the words of the core.
    pub(super) fn proven_by(&self, client: &ClientIdentity) -> Certificate {
        if let Some(why) = &client.unknown_revocation {
            let subject = &client.description.subject;
            tracing::warn!(session = self.id.0, peer = %self.peer, subject, why, "client_certificate_unsure");
        }
        let names = client.names.as_ref().map_or_else(Vec::new, |names| {
            let each = |names: &[String], kind: fn(String) -> Name| -> Vec<Name> {
                names.iter().cloned().map(kind).collect()
            };
            [
                vec![Name::Subject(names.subject.clone())],
                each(&names.emails, Name::Email),
                each(&names.upns, Name::Upn),
                each(&names.uris, Name::Uri),
                each(&names.dns, Name::Dns),
            ]
            .concat()
        });
        Certificate { names, ..described(&client.description) }
    }

    /// The client's certificate as far as it counts now.
    pub(super) fn certificate(&self) -> Option<Arc<Certificate>> {
        let tls = self.tls.as_ref()?;
        let certificate = tls.certificate.as_ref()?;
        self.still_accepted().ok().map(|()| Arc::clone(certificate))
    }

    /// Whether the client's certificate, where it showed one, is accepted now; that it is not is told.
    pub(super) fn still_accepted(&self) -> Result<(), Box<ClientRefusal>> {
        let judged = self.tls.as_ref().map_or(Ok(()), |tls| tls.control.judge_client());
        judged.inspect_err(|refusal| self.tell_refusal(refusal))
    }

    /// After a change of what counts: who holds a certificate that was revoked goes, where the operator wants it.
    pub(super) fn judge_certificate_again(&mut self) -> Result<(), Ended> {
        match self.still_accepted() {
            Err(refusal)
                if refusal.why == ClientDistrust::Revoked
                    && self.server.settings.revoked_sessions == RevokedSessions::End =>
            {
                self.control.send(b"421 The certificate of this session was revoked; closing.\r\n".to_vec());
                Err(Ended::CertificateRevoked)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn tell_refusal(&self, refusal: &ClientRefusal) {
        self.tell_refused(refusal.certificate.as_ref().map(described), refusal.why.to_string());
    }

    pub(super) fn tell_refused(&self, certificate: Option<Certificate>, why: String) {
        let origin = self.origin();
        self.server.core.events.emit(&Event::CertificateRefused { origin, certificate, why });
    }
}

/// What a certificate says, with no name in it believed.
fn described(certificate: &CertificateDescription) -> Certificate {
    Certificate {
        key_sha256: *certificate.spki_fingerprint.as_bytes(),
        subject: certificate.subject.clone(),
        issuer: certificate.issuer.clone(),
        names: Vec::new(),
    }
}
