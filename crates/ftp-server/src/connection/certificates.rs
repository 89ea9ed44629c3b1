//! What does the client's certificate say to this connection, in the handshake and for as long as it lasts?

use std::sync::Arc;
use std::time::Instant;

use carrack_core::certificate::{Certificate, Name};
use carrack_core::event;
use carrack_ftp_proto::reply::Code;
use carrack_ftp_proto::server::{Certificates, Event};
use carrack_tls::{
    CertificateDescription, ClientCertificates, ClientDistrust, ClientIdentity, ClientRefusal,
};
use tokio::sync::watch;

use super::{Connection, Ended};
use crate::reply_for;
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
    /// Tells what could not be found out about a certificate that is accepted all the same.
    pub(super) fn tell_unsure(&self, client: &ClientIdentity) {
        if let Some(why) = &client.unknown_revocation {
            let subject = &client.description.subject;
            tracing::warn!(session = self.id.0, peer = %self.peer, subject, why, "client_certificate_unsure");
        }
    }

    /// What the client's certificate proves now, in the words of the core; `None` where it showed none. That it is accepted no
    /// more is told, once.
    ///
    /// SECURITY: by what is accepted now and not in the handshake: an authority that is gone vouches for no name in it, also
    /// where its key is known by itself and so it is still accepted.
    pub(super) fn certificate(&mut self) -> Result<Option<Arc<Certificate>>, Arc<ClientRefusal>> {
        let Some(tls) = &mut self.tls else { return Ok(None) };
        match tls.control.judge_client() {
            Ok(client) => Ok(client.map(|client| Arc::new(proven_by(&client)))),
            Err(refusal) => {
                if !tls.told.as_ref().is_some_and(|told| Arc::ptr_eq(told, &refusal)) {
                    tls.told = Some(Arc::clone(&refusal));
                    self.tell_refusal(&refusal);
                }
                Err(refusal)
            }
        }
    }

    /// Lets through what may be done with the certificate of this session; the rest is refused here.
    ///
    /// SECURITY: a session that outlives its certificate, which was revoked or has expired or whose authority is gone, reads and
    /// changes nothing any more. The one place for it: whatever touches files comes by here.
    pub(super) fn admit(&mut self, event: Event) -> Option<Event> {
        if !matches!(event, Event::Request { .. } | Event::Hash { .. } | Event::Transfer { .. })
            || self.certificate().is_ok()
        {
            return Some(event);
        }
        let (now, refused) = (Instant::now(), reply_for::refused_certificate);
        match event {
            Event::Request { pending, .. } => {
                self.machine.answer(pending, refused(Code::NOT_LOGGED_IN), now);
            }
            Event::Hash { pending, .. } => self.machine.answer(pending, refused(Code::NOT_LOGGED_IN), now),
            Event::Transfer { pending, .. } => {
                self.data_port = None;
                self.machine.answer(pending, refused(Code::CANNOT_OPEN_DATA_CONNECTION), now);
            }
            other => return Some(other),
        }
        None
    }

    /// After a change of what counts: who holds a certificate that was revoked goes, where the operator wants it.
    pub(super) fn judge_certificate_again(&mut self) -> Result<(), Ended> {
        match self.certificate() {
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
        self.tell_refused(
            refusal.certificate.as_ref().map(described),
            refusal.why.option(),
            refusal.why.to_string(),
        );
    }

    pub(super) fn tell_refused(&self, certificate: Option<Certificate>, option: &'static str, why: String) {
        let (origin, option) = (self.origin(), self.option_here(option));
        self.server.core.events.emit(&event::Event::CertificateRefused { origin, certificate, option, why });
    }
}

/// What a certificate says, with the names that an authority vouches for.
fn proven_by(client: &ClientIdentity) -> Certificate {
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

/// What a certificate says, with no name in it believed.
fn described(certificate: &CertificateDescription) -> Certificate {
    Certificate {
        key_sha256: *certificate.spki_fingerprint.as_bytes(),
        subject: certificate.subject.clone(),
        issuer: certificate.issuer.clone(),
        names: Vec::new(),
    }
}
